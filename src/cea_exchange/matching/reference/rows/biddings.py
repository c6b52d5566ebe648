"""A bidding as it is announced and as it stands, and a bid in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from cea_exchange.domain.records import BiddingState, Side
from cea_exchange.matching.reference.rows.book import opposite


class Notice(NamedTuple):
    """What is announced; see `ReferenceMarket.bidding_open`."""

    bidding_key: int
    account_index: int
    product_index: int
    side: Side
    tonnes: int
    limit: int
    pricing: int
    opens_at: int
    closes_at: int
    window: BiddingState
    reserve_price: int = 0


@dataclass(slots=True)
class Bidding:
    """A bidding of the day; the fields are those of BIDDING_DTYPE, in its order."""

    bidding_id: int
    bidding_key: int
    opens_at: int
    closes_at: int
    tonnes: int
    floor: int
    ceiling: int
    tonnes_awarded: int
    clearing_price: int
    account_index: int
    product_index: int
    side: int
    pricing: int
    state: int
    reserve_price: int

    @property
    def has_ended(self) -> bool:
        """It is awarded or cancelled."""
        return self.state == BiddingState.ENDED

    @property
    def bid_side(self) -> Side:
        """What the bidders do."""
        return opposite(Side(self.side))

    def price_most(self, bid: Bid) -> int:
        """The most that a bid may come to cost; without a price of its own the range decides.

        Notes
        -----
        Rules: CEA-BID-05, CEA-AWD-08.
        """
        return bid.price or self.ceiling


@dataclass(slots=True)
class Bid:
    """A live bid; the fields are those of BID_DTYPE, in its order."""

    bid_id: int
    bidding_id: int
    client_order_id: int
    price: int
    tonnes: int
    account_index: int
    operator_index: int

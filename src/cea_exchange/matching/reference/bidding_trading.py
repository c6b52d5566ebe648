"""Single-direction bidding of a `ReferenceMarket`: one applicant, many sealed bids, one award.

    announced -> window opens -> bids, taken back while it is open -> award: trades, bidding_closed
        |             |                                            -> halted at its close,
        +-------------+--- the operator, a suspension -------------->  cancelled: bidding_canceled

With `side` SELL the applicant sells to the highest bids; with BUY all is mirrored, one path for
both. A bidding that has ended stays known until the next day opens, for its name is used.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sortedcontainers import SortedDict

from cea_exchange.domain.records import (
    BID_DTYPE,
    BIDDING_DTYPE,
    BIDDING_OPENED_DTYPE,
    BiddingState,
    CommandKind,
    EventKind,
    Method,
    Operation,
    Pricing,
    Reason,
    Side,
)
from cea_exchange.matching.award import AwardRules, award
from cea_exchange.matching.award import Bid as RankedBid
from cea_exchange.matching.reference import operations
from cea_exchange.matching.reference.book import opposite
from cea_exchange.matching.reference.funds import Need
from cea_exchange.matching.reference.inputs import Command
from cea_exchange.matching.reference.products import amount_too_large, price_band

if TYPE_CHECKING:
    from cea_exchange.matching.reference.market import ReferenceMarket


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


class ReferenceBiddings:
    """The day's biddings and their live bids, by id, and what may be done with them."""

    def __init__(self, market: ReferenceMarket) -> None:
        self._market = market
        self.all: SortedDict[int, Bidding] = SortedDict()
        self.bids: SortedDict[int, Bid] = SortedDict()

    def bids_of(self, bidding_id: int) -> list[Bid]:
        """The live bids of a bidding, in order of time."""
        return [bid for bid in self.bids.values() if bid.bidding_id == bidding_id]

    def needs(self) -> list[Need]:
        """What each open bidding, and each bid, has locked."""
        biddings = [self._need_of_bidding(b) for b in self.all.values() if not b.has_ended]
        return biddings + [self._need_of_bid(bid) for bid in self.bids.values()]

    def tonnes_bid(self, account_index: int, product_index: int) -> int:
        """What an account's bids and purchases come to, for its holding limit."""
        where = account_index, product_index, Side.BUY
        return sum(
            need.tonnes
            for need in self.needs()
            if (need.account_index, need.product_index, need.side) == where
        )

    # -- Refusals ----------------------------------------------------------------------------------

    def refusal(self, command: Command) -> Reason:
        """The first reason against a BID or BID_CANCEL; NONE if it will be carried out."""
        if command.kind == CommandKind.BID:
            return self._bid_refusal(command)
        return self._cancel_refusal(command)

    def _bid_refusal(self, command: Command) -> Reason:
        """What stands against a bid.

        Notes
        -----
        Rules: CEA-BID-03 (window), CEA-BID-05 (terms and locks), CEA-BID-12 (number),
        CEA-ORD-10 (precedence).
        """
        market = self._market
        if not market._operator_known(command):
            return Reason.ACCOUNT_UNKNOWN
        bidding = self.all.get(command.order_id)
        if bidding is None:
            return Reason.BIDDING_UNKNOWN
        refusal = market._sender_refusal(command) or self._session_refusal(bidding.product_index)
        if refusal:
            return refusal
        if bidding.state != BiddingState.OPEN:
            return Reason.BIDDING_NOT_OPEN
        refusal = self._bid_terms_refusal(self._bid_of(command), bidding)
        if not refusal and not self._has_room(command.account_index):
            return Reason.CAPACITY
        return refusal

    def _has_room(self, account_index: int) -> bool:
        """Whether the market, and an account, may have one more bid.

        Notes
        -----
        Rules: CEA-BID-12.
        """
        if len(self.bids) >= self._market.order_count_max:
            return False
        most = self._market.rules.bids_open_max
        return not most or most > sum(
            bid.account_index == account_index for bid in self.bids.values()
        )

    def _bid_terms_refusal(self, bid: Bid, bidding: Bidding) -> Reason:
        market = self._market
        if bid.tonnes <= 0:
            return Reason.TONNES_NOT_POSITIVE
        if amount_too_large(bid.price, bidding.price_most(bid) * bid.tonnes):
            return Reason.AMOUNT_TOO_LARGE
        if bid.tonnes < market.rules.bid_tonnes_min:
            return Reason.BIDDING_TONNES_TOO_SMALL
        if not self._price_in_range(bid, bidding):
            return Reason.BID_OUT_OF_RANGE
        refusal = self._cover_refusal(self._need_of_bid(bid))
        if not refusal and bid.account_index == bidding.account_index:
            return Reason.SELF_TRADE
        return refusal

    def _price_in_range(self, bid: Bid, bidding: Bidding) -> bool:
        """Whether a bid's price lies in its bidding's range, or it needs none.

        Notes
        -----
        Rules: CEA-BID-05, CEA-AWD-08.
        """
        if bid.price == 0:
            return self._market.rules.noncompetitive_max_bp > 0
        return bidding.floor <= bid.price <= bidding.ceiling

    def _cancel_refusal(self, command: Command) -> Reason:
        """What stands against taking a bid back.

        Notes
        -----
        Rules: CEA-BID-05, CEA-BID-08 (halts).
        """
        market = self._market
        if not market._operator_known(command):
            return Reason.ACCOUNT_UNKNOWN
        bid = self._own_bid(command)
        if bid is None:
            return Reason.ORDER_UNKNOWN
        product_index = self.all[bid.bidding_id].product_index
        return market._sender_refusal(command) or self._session_refusal(product_index)

    def _notice_refusal(self, notice: Notice, bidding: Bidding | None) -> Reason:
        """What stands against a bidding; `bidding` is what it would be, if its product is known.

        Notes
        -----
        Rules: CEA-BID-01 (size), CEA-BID-02 (limit), CEA-BID-03 (window), CEA-BID-04 (locks),
        CEA-ORD-10 (precedence).
        """
        market = self._market
        if bidding is None or not market._is_listed(notice.product_index):
            return Reason.PRODUCT_UNKNOWN
        if notice.account_index >= len(market._accounts):
            return Reason.ACCOUNT_UNKNOWN
        if any(notice.bidding_key == other.bidding_key for other in self.all.values()):
            return Reason.ORDER_ID_DUPLICATE
        if market._accounts[notice.account_index].suspended:
            return Reason.ACCOUNT_SUSPENDED
        refusal = self._session_refusal(notice.product_index)
        if refusal:
            return refusal
        if notice.window == BiddingState.ENDED:
            return Reason.BIDDING_NOT_OPEN
        if notice.tonnes <= 0:
            return Reason.TONNES_NOT_POSITIVE
        if amount_too_large(notice.limit, bidding.ceiling * notice.tonnes):
            return Reason.AMOUNT_TOO_LARGE
        if notice.tonnes < market.rules.bidding_tonnes_min:
            return Reason.BIDDING_TONNES_TOO_SMALL
        if not self._limit_allowed(notice) or not self._reserve_allowed(bidding):
            return Reason.BIDDING_FLOOR_NOT_ALLOWED
        refusal = self._cover_refusal(self._need_of_bidding(bidding))
        if not refusal and len(self.all) >= market.order_count_max:
            return Reason.CAPACITY
        return refusal

    def _end_refusal(self, bidding_id: int, *, must_be_open: bool) -> Reason:
        """What stands against ending a bidding."""
        bidding = self.all.get(bidding_id)
        if bidding is None:
            return Reason.BIDDING_UNKNOWN
        if not self._market.day_is_open:
            return Reason.PHASE_CLOSED
        if bidding.has_ended or (must_be_open and bidding.state != BiddingState.OPEN):
            return Reason.BIDDING_NOT_OPEN
        return Reason.NONE

    def _session_refusal(self, product_index: int) -> Reason:
        """No phase is needed, but an open day; a halt stops all.

        Notes
        -----
        Rules: CEA-BID-03, CEA-BID-08.
        """
        market = self._market
        is_open = market.day_is_open and market.rules.bidding_allowed
        if market.market_halted or not is_open:
            return Reason.PHASE_CLOSED
        halted = market._products[product_index].halted
        return Reason.PRODUCT_HALTED if halted else Reason.NONE

    def _limit_allowed(self, notice: Notice) -> bool:
        """Whether the applicant's limit is the previous close, or the far end of the range.

        Notes
        -----
        Rules: CEA-BID-02.
        """
        product = self._market._products[notice.product_index]
        width = self._market.rules.bidding_band_bp
        low, high = price_band(self._market.rules, product, width)
        if width == 0:
            return low <= notice.limit <= high
        far_end = low if notice.side == Side.SELL else high
        return notice.limit in (product.reference_price, far_end)

    @staticmethod
    def _reserve_allowed(bidding: Bidding) -> bool:
        """Whether the reserve price, if there is one, lies within the range.

        Notes
        -----
        Rules: CEA-AWD-06.
        """
        reserve = bidding.reserve_price
        return reserve == 0 or bidding.floor <= reserve <= bidding.ceiling

    def _cover_refusal(self, need: Need) -> Reason:
        bid = self._market._tonnes_bid(need.account_index, need.product_index)
        return self._market._funds.cover_refusal(need, 0, bid)

    # -- Bids --------------------------------------------------------------------------------------

    def carry_out(self, command: Command) -> None:
        """Do what a command that is not refused asks for."""
        if command.kind == CommandKind.BID:
            bid = self._bid_of(command)
            self._market.order_id_last += 1
            bid.bid_id = self._market.order_id_last
            self.bids[bid.bid_id] = bid
            self._lock(self._need_of_bid(bid), 1)
            self._emit_of_bid(EventKind.BID_ACCEPTED, bid, tonnes_open=bid.tonnes)
            return
        self._bid_end(
            self.bids[command.order_id],
            Reason.REQUESTED,
            client_order_id=command.client_order_id,
            operator_index=command.operator_index,
        )

    def refuse(self, command: Command, reason: Reason) -> None:
        """Say why a command changes nothing."""
        bid = self._own_bid(command) if command.kind == CommandKind.BID_CANCEL else None
        bidding = self.all.get(bid.bidding_id if bid else command.order_id)
        if command.kind == CommandKind.BID_CANCEL and bid is None:
            bidding = None
        self._market._emit(
            EventKind.ORDER_REJECTED,
            reason=reason,
            command=Operation(command.kind),
            account_index=command.account_index,
            operator_index=command.operator_index,
            product_index=bidding.product_index if bidding else command.product_index,
            client_order_id=command.client_order_id,
            order_id=command.order_id,
            price=command.price,
            tonnes=command.tonnes,
        )

    def _bid_end(self, bid: Bid, reason: Reason, **answered: int) -> None:
        """Take a bid out; `answered` names the command that did it, if any did."""
        self._bid_release(bid)
        by_nobody = {"client_order_id": 0, "reason": reason}
        self._emit_of_bid(EventKind.BID_CANCELED, bid, **(by_nobody | answered))

    def _bid_release(self, bid: Bid) -> None:
        self._lock(self._need_of_bid(bid), -1)
        del self.bids[bid.bid_id]

    # -- Biddings ----------------------------------------------------------------------------------

    def announce(self, notice: Notice) -> None:
        """Announce a bidding, or say why not.

        Notes
        -----
        Rules: CEA-BID-04.
        """
        market = self._market
        is_known = notice.product_index < len(market._products)
        bidding = self._bidding_of(notice) if is_known else None
        refusal = self._notice_refusal(notice, bidding)
        if refusal or bidding is None:
            operations.refuse(
                market,
                Operation.BIDDING_OPEN,
                refusal,
                account_index=notice.account_index,
                product_index=notice.product_index,
                side=notice.side,
                price=notice.limit,
                tonnes=notice.tonnes,
            )
            return
        market.order_id_last += 1
        bidding.bidding_id = market.order_id_last
        self.all[bidding.bidding_id] = bidding
        self._lock(self._need_of_bidding(bidding), 1)
        row = self._emit_of_bidding(EventKind.BIDDING_OPENED, bidding, method=Method.BIDDING)
        terms = row.view(BIDDING_OPENED_DTYPE)
        for name in "bidding_key pricing floor tonnes ceiling opens_at closes_at".split():
            terms[name] = getattr(bidding, name)

    def window_open(self, bidding_id: int) -> None:
        """Take bids from now on, in one that is announced."""
        bidding = self.all.get(bidding_id)
        if bidding and bidding.state == BiddingState.ANNOUNCED:
            bidding.state = BiddingState.OPEN

    def close(self, bidding_id: int) -> None:
        """Award an open bidding, or say why not."""
        refusal = self._end_refusal(bidding_id, must_be_open=True)
        if refusal:
            self._end_refuse(Operation.BIDDING_CLOSE, bidding_id, refusal)
        else:
            self._finish(self.all[bidding_id])

    def cancel(self, bidding_id: int) -> None:
        """End a bidding without an award, or say why not."""
        refusal = self._end_refusal(bidding_id, must_be_open=False)
        if refusal:
            self._end_refuse(Operation.BIDDING_CANCEL, bidding_id, refusal)
        else:
            self._cancel(self.all[bidding_id], Reason.REQUESTED)

    def finish_all(self) -> None:
        """Award what the day's close finds, oldest first.

        Notes
        -----
        Rules: CEA-BID-03.
        """
        for bidding in self.all.values():
            if not bidding.has_ended:
                self._finish(bidding)

    def end_all_of(self, account_index: int) -> None:
        """End a suspended account's bids, then its own biddings with the others' bids.

        Notes
        -----
        Rules: CEA-BID-08, CEA-DAY-06.
        """
        for bid in list(self.bids.values()):
            if bid.account_index == account_index:
                self._bid_end(bid, Reason.SUSPENDED)
        for bidding in self.all.values():
            if bidding.account_index == account_index and not bidding.has_ended:
                self._cancel(bidding, Reason.SUSPENDED)

    def end_all_in(self, product_index: int) -> None:
        """End the biddings in a product that is delisted, with their bids, oldest first.

        Notes
        -----
        Rules: CEA-PRD-03.
        """
        for bidding in self.all.values():
            if bidding.product_index == product_index and not bidding.has_ended:
                self._cancel(bidding, Reason.PRODUCT_DELISTED)

    def forget(self) -> None:
        """Let a new day use the names again."""
        self.all.clear()

    def _end_refuse(self, operation: Operation, bidding_id: int, reason: Reason) -> None:
        bidding = self.all.get(bidding_id)
        found = {"product_index": bidding.product_index} if bidding else {}
        operations.refuse(self._market, operation, reason, order_id=bidding_id, **found)

    def _finish(self, bidding: Bidding) -> None:
        """Award a bidding; one that is halted is cancelled, and one the award itself cancels.

        Notes
        -----
        Rules: CEA-BID-06 (award), CEA-BID-08 (halts), CEA-AWD-04, CEA-AWD-06.
        """
        market = self._market
        if market.market_halted or market._products[bidding.product_index].halted:
            self._cancel(bidding, Reason.HALTED)
            return
        bids = self.bids_of(bidding.bidding_id)
        rules = self._award_rules(bidding)
        ranked = [self._ranked(bid) for bid in bids]
        awarded = award(ranked, bidding.tonnes, rules)
        if awarded.cancelled_reason:
            self._cancel(bidding, Reason[awarded.cancelled_reason])
            return
        for bid in bids:
            self._bid_release(bid)
        self._lock(self._need_of_bidding(bidding), -1)
        bidding.clearing_price = awarded.clearing_price or 0
        bidding.tonnes_awarded = awarded.tonnes
        traded = 0
        # Those without a price, then the best, at one price the earliest: sorting keeps the order
        # of time.
        worse = -1 if bidding.side == Side.SELL else 1
        for bid, tonnes in sorted(
            zip(bids, awarded.fills, strict=True),
            key=lambda fill: (fill[0].price > 0, worse * fill[0].price),
        ):
            if tonnes:
                price = rules.paid(self._ranked(bid), bidding.clearing_price)
                self._trade(bidding, bid, price, tonnes, traded)
                traded += price * tonnes
        bidding.state = BiddingState.ENDED
        self._emit_of_bidding(
            EventKind.BIDDING_CLOSED,
            bidding,
            price=bidding.clearing_price,
            tonnes=bidding.tonnes_awarded,
            tonnes_open=bidding.tonnes - bidding.tonnes_awarded,
            cash=traded,
            counter_order_id=len({bid.account_index for bid in bids}),
        )

    def _ranked(self, bid: Bid) -> RankedBid:
        """A bid as the award takes it."""
        group_index = self._market._accounts[bid.account_index].group_index
        return RankedBid(bid.price, bid.tonnes, bid.account_index, group_index, bid.price > 0)

    def _award_rules(self, bidding: Bidding) -> AwardRules:
        """What a bidding is awarded by.

        Notes
        -----
        Rules: CEA-BID-06 (the lots' seed is the key of the bidding's name).
        """
        settings = self._market.rules
        return AwardRules(
            side=Side(bidding.side).name.lower(),
            pricing=Pricing(bidding.pricing).name.lower(),
            tie=settings.bidding_tie,
            tie_seed=bidding.bidding_key,
            undersubscription=settings.bidding_undersubscription,
            reserve_price_fen=bidding.reserve_price,
            reserve_rule=settings.bidding_reserve,
            bidder_cap_bp=settings.bidder_cap_bp,
            group_cap_bp=settings.bidder_group_cap_bp,
            noncompetitive_max_bp=settings.noncompetitive_max_bp,
        )

    def _cancel(self, bidding: Bidding, reason: Reason) -> None:
        """End a bidding and its bids; what was locked returns.

        Notes
        -----
        Rules: CEA-BID-08.
        """
        for bid in self.bids_of(bidding.bidding_id):
            self._bid_end(bid, reason)
        self._lock(self._need_of_bidding(bidding), -1)
        bidding.state = BiddingState.ENDED
        self._emit_of_bidding(
            EventKind.BIDDING_CANCELED, bidding, tonnes=bidding.tonnes, reason=reason
        )

    def _trade(self, bidding: Bidding, bid: Bid, price: int, tonnes: int, traded: int) -> None:
        """One winner's trade; `traded` is what the bidding has brought before, in fen.

        Notes
        -----
        Rules: CEA-BID-07 (fees), CEA-BID-09 (statistics), CEA-FEE-01.
        """
        market, where = self._market, bidding.product_index
        if bidding.side == Side.SELL:
            parties, before = (bid.account_index, bidding.account_index), (0, traded)
        else:
            parties, before = (bidding.account_index, bid.account_index), (traded, 0)
        buy_fee, sell_fee = market._funds.deliver(*parties, where, price, tonnes, before)
        market._products[where].bidding_count(price * tonnes, tonnes)
        market.trade_id += 1
        self._emit_of_bid(
            EventKind.TRADE,
            bid,
            method=Method.BIDDING,
            counter_account_index=bidding.account_index,
            price=price,
            tonnes=tonnes,
            trade_id=market.trade_id,
            cash=price * tonnes,
            buy_fee=buy_fee,
            sell_fee=sell_fee,
        )

    # -- Locks and events --------------------------------------------------------------------------

    def _need_of_bid(self, bid: Bid) -> Need:
        """What a bid must have behind it, and locks.

        Notes
        -----
        Rules: CEA-BID-05.
        """
        bidding = self.all[bid.bidding_id]
        where = bid.account_index, bidding.product_index
        return self._need(where, bidding.bid_side, bidding.price_most(bid), bid.tonnes)

    def _need_of_bidding(self, bidding: Bidding) -> Need:
        """What an applicant must have, and locks: as a buyer, all of it at the ceiling.

        Notes
        -----
        Rules: CEA-BID-04.
        """
        where = bidding.account_index, bidding.product_index
        return self._need(where, Side(bidding.side), bidding.ceiling, bidding.tonnes)

    def _need(self, where: tuple[int, int], side: Side, price: int, tonnes: int) -> Need:
        lock = tonnes
        if side == Side.BUY:
            lock = price * tonnes + self._market._funds.buy_fee(price * tonnes)
        return Need(*where, side, tonnes, lock if self._market.rules.holdings_checked else 0)

    def _lock(self, need: Need, sign: int) -> None:
        account = self._market._accounts[need.account_index]
        if need.side == Side.BUY:
            account.cash_locked += sign * need.lock
        elif need.lock:
            account.holding(need.product_index).locked += sign * need.lock

    def _emit_of_bid(self, kind: EventKind, bid: Bid, **fields: int) -> None:
        """Emit an event about a bid; `fields` add to, or replace, what the bid says."""
        bidding = self.all[bid.bidding_id]
        of_bid = {
            "side": bidding.bid_side,
            "product_index": bidding.product_index,
            "account_index": bid.account_index,
            "operator_index": bid.operator_index,
            "order_id": bid.bid_id,
            "counter_order_id": bid.bidding_id,
            "price": bid.price,
            "tonnes": bid.tonnes,
            "client_order_id": bid.client_order_id,
        }
        self._market._emit(kind, **(of_bid | fields))

    def _emit_of_bidding(self, kind: EventKind, bidding: Bidding, **fields: int) -> np.ndarray:
        return self._market._emit(
            kind,
            side=bidding.side,
            product_index=bidding.product_index,
            account_index=bidding.account_index,
            order_id=bidding.bidding_id,
            **fields,
        )

    @staticmethod
    def _bid_of(command: Command) -> Bid:
        """The bid that a command asks for; it has no id yet."""
        return Bid(
            bid_id=0,
            bidding_id=command.order_id,
            client_order_id=command.client_order_id,
            price=command.price,
            tonnes=command.tonnes,
            account_index=command.account_index,
            operator_index=command.operator_index,
        )

    def _own_bid(self, command: Command) -> Bid | None:
        """The bid that a BID_CANCEL names, if it is the account's."""
        bid = self.bids.get(command.order_id)
        return bid if bid and bid.account_index == command.account_index else None

    def _bidding_of(self, notice: Notice) -> Bidding:
        """The bidding that would be announced; it has no id yet. Its range is that of now."""
        market = self._market
        product = market._products[notice.product_index]
        floor, ceiling = price_band(market.rules, product, market.rules.bidding_band_bp)
        is_sale = notice.side == Side.SELL
        return Bidding(
            bidding_id=0,
            bidding_key=notice.bidding_key,
            opens_at=notice.opens_at,
            closes_at=notice.closes_at,
            tonnes=notice.tonnes,
            floor=notice.limit if is_sale else floor,
            ceiling=ceiling if is_sale else notice.limit,
            tonnes_awarded=0,
            clearing_price=0,
            account_index=notice.account_index,
            product_index=notice.product_index,
            side=notice.side,
            pricing=notice.pricing,
            state=notice.window,
            reserve_price=notice.reserve_price,
        )

    # -- Snapshots ---------------------------------------------------------------------------------

    def to_bytes(self) -> tuple[bytes, bytes]:
        """The day's biddings as BIDDING_DTYPE records and live bids as BID_DTYPE records, by id."""
        biddings = np.zeros(len(self.all), BIDDING_DTYPE)
        for row, bidding in zip(biddings, self.all.values(), strict=True):
            for name in bidding.__slots__:
                row[name] = getattr(bidding, name)
        bids = [(*astuple(bid), 0) for bid in self.bids.values()]
        return biddings.tobytes(), np.array(bids, BID_DTYPE).tobytes()

    def fill(self, biddings: bytes, bids: bytes, id_last: int) -> None:
        """Put the biddings and bids of a snapshot in place, and lock what they need.

        Parameters
        ----------
        biddings, bids : bytes
            What `to_bytes` gave.
        id_last : int
            The last id that was given out.

        Raises
        ------
        ValueError
            If these are no records, or some that no market could have.
        """
        for what, data, dtype in (
            ("biddings", biddings, BIDDING_DTYPE),
            ("bids", bids, BID_DTYPE),
        ):
            if not isinstance(data, bytes) or len(data) % dtype.itemsize:
                raise ValueError(f"{what} must be records of {dtype.itemsize} bytes")
        before = 0
        for *words, reserved, reserve_price in np.frombuffer(biddings, BIDDING_DTYPE).tolist():
            bidding = Bidding(*words, reserve_price)
            is_next = before < bidding.bidding_id <= id_last
            if any(reserved) or not is_next or not self._bidding_is_possible(bidding):
                raise ValueError(f"biddings: {bidding.bidding_id} is no bidding of this market")
            before = bidding.bidding_id
            self.all[bidding.bidding_id] = bidding
            if not bidding.has_ended:
                self._lock(self._need_of_bidding(bidding), 1)
        before = 0
        for *words, reserved in np.frombuffer(bids, BID_DTYPE).tolist():
            bid = Bid(*words)
            if reserved or not before < bid.bid_id <= id_last or not self._bid_is_possible(bid):
                raise ValueError(f"bids: {bid.bid_id} is no bid of this market")
            before = bid.bid_id
            self.bids[bid.bid_id] = bid
            self._lock(self._need_of_bid(bid), 1)

    def _bidding_is_possible(self, bidding: Bidding) -> bool:
        """Whether a market with these accounts and products could have a bidding."""
        market = self._market
        return (
            bidding.account_index < len(market._accounts)
            and bidding.product_index < len(market._products)
            and bidding.side in list(Side)
            and bidding.pricing in list(Pricing)
            and bidding.state in list(BiddingState)
            and bidding.tonnes > 0
            and 0 < bidding.floor <= bidding.ceiling
            and self._reserve_allowed(bidding)
            and not amount_too_large(bidding.ceiling, bidding.ceiling * bidding.tonnes)
        )

    def _bid_is_possible(self, bid: Bid) -> bool:
        bidding = self.all.get(bid.bidding_id)
        return (
            bidding is not None
            and bidding.state == BiddingState.OPEN
            and bid.account_index < len(self._market._accounts)
            and bid.tonnes > 0
            and self._price_in_range(bid, bidding)
            and bidding.price_most(bid) * bid.tonnes < 1 << 60
        )

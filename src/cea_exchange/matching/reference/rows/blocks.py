"""An open block offer or enquiry, and what its two sides have locked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from cea_exchange.domain.records import ACCOUNT_NONE, BlockFlag, Side
from cea_exchange.matching.reference.rows.book import opposite


@dataclass(slots=True)
class Block:
    """An open offer or enquiry; the fields are those of BLOCK_DTYPE, in its order."""

    block_id: int
    enquiry_id: int
    client_order_id: int
    price: int
    tonnes: int
    cash_locked: int
    tonnes_bid: int
    tonnes_locked: int
    account_index: int
    counterparty_index: int
    product_index: int
    side: int
    flags: int
    agreed: int = 0
    reserved: int = 0
    operator_index: int = 0

    @property
    def locks(self) -> Locks:
        """What its two sides have locked."""
        return Locks(self.cash_locked, self.tonnes_bid, self.tonnes_locked)

    @property
    def is_enquiry(self) -> bool:
        """It asks for offers."""
        return bool(self.flags & BlockFlag.ENQUIRY)

    @property
    def other_party(self) -> int:
        """The account it is directed at, ACCOUNT_NONE if it is open or for a group."""
        return self.counterparty_index if self.flags & BlockFlag.TO_ACCOUNT else ACCOUNT_NONE

    @property
    def owners(self) -> tuple[int, ...]:
        """Who has put something into it: who offered, and who has countered or agreed."""
        has_acted = self.agreed or self.flags & BlockFlag.COUNTERED
        return (self.account_index, *([self.other_party] if has_acted else []))

    @property
    def speaker(self) -> int:
        """Whose terms are on the table."""
        by_counterparty = self.flags & BlockFlag.BY_COUNTERPARTY
        return self.counterparty_index if by_counterparty else self.account_index

    def side_of(self, account_index: int) -> Side:
        """What an account would do in it."""
        side = Side(self.side)
        return side if account_index == self.account_index else opposite(side)

    def party(self, side: Side) -> int:
        """Who buys or sells in a directed one."""
        return self.account_index if side == self.side else self.other_party


class Locks(NamedTuple):
    """What the two sides of a block have locked."""

    cash: int = 0
    """fen, of who buys"""
    tonnes_bid: int = 0
    """what that counts for in the buyer's holding limit"""
    tonnes: int = 0
    """of who sells"""

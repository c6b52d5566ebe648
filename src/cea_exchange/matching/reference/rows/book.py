"""The resting orders of one product, in the plainest Python: two sorted lists of price levels.

    bids  best first: highest price ...      asks  best first: lowest price ...
    level = price -> its orders, oldest first

`ReferenceBook` knows prices, tonnes and places; cash, phases and rights are the market's.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from sortedcontainers import SortedDict

from cea_exchange.domain.records import Reason, Side


@dataclass(slots=True)
class Order:
    """An accepted order and what became of it so far."""

    order_id: int
    account_index: int
    product_index: int
    side: Side
    price: int
    tonnes_open: int
    client_order_id: int
    """the id that entered it; cancels and amends have ids of their own"""
    flags: int
    amount_traded: int = 0
    """fen, over all its trades: fees accrue on this sum"""
    operator_index: int = 0
    """who entered it; an amend by another operator leaves it his"""
    priority: int = 0
    """grows each time an order goes to the back of a level"""


class Meeting(NamedTuple):
    """A resting order that an incoming one meets on its walk."""

    maker: Order
    tonnes: int
    """what they trade"""
    prevented: bool = False
    """they are of one account: the resting order is cancelled instead"""


@dataclass(slots=True)
class Walk:
    """The way of an incoming order through the other side, before anything happens."""

    meetings: list[Meeting] = field(default_factory=list)
    tonnes_left: int = 0
    end: Reason = Reason.NONE
    """NONE where its tonnes are used up or nothing crosses any more; else what ended it early:
    LEVELS_EXHAUSTED, SELF_TRADE or SELF_TRADE_PREVENTED"""

    @property
    def meets_any(self) -> bool:
        """Whether there was a resting order on the way at all, its own ones too."""
        return bool(self.meetings) or self.end in (Reason.SELF_TRADE, Reason.SELF_TRADE_PREVENTED)

    @property
    def trade_count(self) -> int:
        """With how many resting orders it trades."""
        return sum(not meeting.prevented for meeting in self.meetings)

    @property
    def leaving_count(self) -> int:
        """How many resting orders leave the book: filled or cancelled."""
        return sum(
            meeting.prevented or meeting.tonnes == meeting.maker.tonnes_open
            for meeting in self.meetings
        )


def opposite(side: Side) -> Side:
    """The side an order of `side` trades with."""
    return Side.SELL if side == Side.BUY else Side.BUY


def price_crosses(side: Side, price: int, resting_price: int) -> bool:
    """Whether an order of `side` with limit `price` may trade at `resting_price`."""
    return price >= resting_price if side == Side.BUY else price <= resting_price


class ReferenceBook:
    """Price levels of one product."""

    def __init__(self) -> None:
        self._sides = {Side.BUY: SortedDict(), Side.SELL: SortedDict()}

    def add(self, order: Order) -> None:
        """Put an order at the back of its level."""
        self._sides[order.side].setdefault(order.price, []).append(order)

    def remove(self, order: Order) -> None:
        """Take an order off its level, and the level off the book with its last order."""
        level = self._sides[order.side][order.price]
        # By identity: two orders may be equal in every field that matters here.
        del level[next(place for place, other in enumerate(level) if other is order)]
        if not level:
            del self._sides[order.side][order.price]

    def levels(self, side: Side) -> Iterator[tuple[int, list[Order]]]:
        """Price levels of a side, best first."""
        prices = self._sides[side]
        for price in reversed(prices) if side == Side.BUY else prices:
            yield price, prices[price]

    def best(self, side: Side) -> int:
        """The best price of a side, 0 for none."""
        return next((price for price, _ in self.levels(side)), 0)

    def at(self, side: Side, price: int) -> list[Order]:
        """The orders of a level, oldest first."""
        return list(self._sides[side].get(price, ()))

    def walk(self, taker: Order, levels_max: int, self_trade: str) -> Walk:
        """What an incoming order would meet, best level first, the oldest of a level first.

        Parameters
        ----------
        taker : Order
            The incoming order; it is not on the book, or, if it is amended, on the other side.
        levels_max : int
            How many of the best opposite levels it may take; 0 is no limit.
        self_trade : str
            What happens where it meets an order of its own account: `MarketRules.self_trade`.

        Notes
        -----
        Rules: CEA-LST-04 (price, then time), CEA-LST-05 (five best levels), CEA-LST-07 and
        CEA-LST-10 (self-trade).
        """
        walk = Walk(tonnes_left=taker.tonnes_open)
        for count_before, (price, makers) in enumerate(self.levels(opposite(taker.side))):
            if not walk.tonnes_left or not price_crosses(taker.side, taker.price, price):
                return walk
            if levels_max and count_before == levels_max:
                walk.end = Reason.LEVELS_EXHAUSTED
                return walk
            for maker in makers:
                if not walk.tonnes_left:
                    return walk
                is_own = maker.account_index == taker.account_index
                if not is_own or self_trade == "allow":
                    tonnes = min(walk.tonnes_left, maker.tonnes_open)
                    walk.meetings.append(Meeting(maker, tonnes))
                    walk.tonnes_left -= tonnes
                    continue
                if self_trade in ("cancel_resting", "cancel_both"):
                    walk.meetings.append(Meeting(maker, 0, prevented=True))
                if self_trade != "cancel_resting":
                    refused = self_trade == "reject"
                    walk.end = Reason.SELF_TRADE if refused else Reason.SELF_TRADE_PREVENTED
                    return walk
        return walk

    def check(self) -> None:
        """Raise AssertionError naming the broken invariant, if one is."""
        best_bid, best_ask = self.best(Side.BUY), self.best(Side.SELL)
        assert not (best_bid and best_ask) or best_bid < best_ask, (
            f"expected a book that is not crossed, got {best_bid} bid and {best_ask} asked"
        )
        for side, prices in self._sides.items():
            for price, level in prices.items():
                assert level, f"a level must have an order, {side.name} {price} had none"
                places = [order.priority for order in level]
                assert places == sorted(set(places)), (
                    f"{side.name} {price}: expected a level with the oldest first, got {places}"
                )
                for order in level:
                    assert (order.side, order.price) == (side, price), (
                        f"order {order.order_id} must lie at its own price"
                    )
                    assert order.tonnes_open > 0, f"order {order.order_id} must have open tonnes"

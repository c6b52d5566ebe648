"""The resting orders of one product, in the plainest Python: two sorted lists of price levels.

    bids  best first: highest price ...      asks  best first: lowest price ...
    level = price -> its orders, oldest first

`ReferenceBook` knows prices, tonnes and places; cash, phases and rights are the market's.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sortedcontainers import SortedDict

from cea_exchange.domain.records import Side


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
    priority: int = 0
    """grows each time an order goes to the back of a level"""


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

    def reach(
        self, side: Side, price: int, tonnes: int, levels_max: int
    ) -> tuple[list[tuple[Order, int]], bool]:
        """What an incoming order would take, and whether the levels end before it does.

        Parameters
        ----------
        side, price, tonnes : Side, int, int
            The incoming order.
        levels_max : int
            How many of the best opposite levels it may take; 0 is no limit.

        Returns
        -------
        takes : list of (Order, int)
            Makers and the tonnes of each, in the order of trading.
        levels_exhausted : bool
            Whether it took all it may and could still trade with a further level.

        Notes
        -----
        Rules: CEA-LST-04 (price, then time), CEA-LST-05 (five best levels).
        """
        takes: list[tuple[Order, int]] = []
        for count_before, (level_price, makers) in enumerate(self.levels(opposite(side))):
            if tonnes == 0 or not price_crosses(side, price, level_price):
                return takes, False
            if levels_max and count_before == levels_max:
                return takes, True
            for maker in makers:
                if tonnes == 0:
                    break
                taken = min(tonnes, maker.tonnes_open)
                takes.append((maker, taken))
                tonnes -= taken
        return takes, False

    def check(self) -> None:
        """Raise AssertionError naming the broken invariant, if one is."""
        best_bid, best_ask = self.best(Side.BUY), self.best(Side.SELL)
        assert not (best_bid and best_ask) or best_bid < best_ask, (
            f"the book must not be crossed, was {best_bid} bid and {best_ask} asked"
        )
        for side, prices in self._sides.items():
            for price, level in prices.items():
                assert level, f"a level must have an order, {side.name} {price} had none"
                places = [order.priority for order in level]
                assert places == sorted(set(places)), (
                    f"a level must be oldest first, {side.name} {price} was {places}"
                )
                for order in level:
                    assert (order.side, order.price) == (side, price), (
                        f"order {order.order_id} must lie at its own price"
                    )
                    assert order.tonnes_open > 0, f"order {order.order_id} must have open tonnes"

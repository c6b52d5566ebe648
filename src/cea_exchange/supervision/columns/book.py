"""The book at chosen moments: how much is open on its best levels, and whose."""

from collections.abc import Sequence

import numpy as np

from cea_exchange.domain.records import Side
from cea_exchange.supervision.columns.market import Columns

BEST_LEVELS = 5


class LevelsAt:
    """The best levels of one side of a product, at moments that only go forward.

    Parameters
    ----------
    columns
        Of the tape.
    product, side
        Which side of which book.
    """

    def __init__(self, columns: Columns, product: int, side: int) -> None:
        steps = columns.steps
        mine = steps[(steps["product"] == product) & (steps["side"] == side)]
        self._mine, self._done = mine, 0
        self._is_buy = side == Side.BUY
        self._low = int(mine["price"].min()) if len(mine) else 0
        size = int(mine["price"].max()) - self._low + 1 if len(mine) else 0
        self._open = np.zeros(size, np.int64)
        self._by_account: dict[int, np.ndarray] = {}
        self._by_price: dict[int, np.ndarray] = {}

    def move(self, row: int) -> None:
        """Go on to how the book stood after the event at a row."""
        end = int(np.searchsorted(self._mine["row"], row, side="right"))
        new = self._mine[self._done : end]
        np.add.at(self._open, new["price"] - self._low, new["tonnes"])
        self._done = end

    def best(self, count: int = BEST_LEVELS) -> tuple[np.ndarray, np.ndarray]:
        """Return the best prices, best first, and the tonnes open at each."""
        places = np.flatnonzero(self._open)
        places = places[::-1][:count] if self._is_buy else places[:count]
        return places + self._low, self._open[places]

    def largest(self) -> tuple[int, int, int]:
        """Return the price with most open, what is open there, and all that is on the side."""
        if not len(self._open):
            return 0, 0, 0
        place = int(np.argmax(self._open))
        return place + self._low, int(self._open[place]), int(self._open.sum())

    def holders(self, price: int) -> tuple[np.ndarray, np.ndarray]:
        """Return who has something open at a price now, and how much each has."""
        if price not in self._by_price:
            self._by_price[price] = np.flatnonzero(self._mine["price"] == price)
        rows = self._by_price[price]
        steps = self._mine[rows[: np.searchsorted(rows, self._done)]]
        accounts, places = np.unique(steps["account"], return_inverse=True)
        tonnes = np.zeros(len(accounts), np.int64)
        np.add.at(tonnes, places, steps["tonnes"])
        return accounts[tonnes > 0], tonnes[tonnes > 0]

    def own(self, account: int, prices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return what an account has open at prices now."""
        if account not in self._by_account:
            self._by_account[account] = np.flatnonzero(self._mine["account"] == account)
        own = self._by_account[account]
        own = self._mine[own[: np.searchsorted(own, self._done)]]
        if not len(own):
            return np.zeros(len(prices), np.int64)
        sums = np.zeros(len(self._open), np.int64)
        np.add.at(sums, own["price"] - self._low, own["tonnes"])
        return sums[np.asarray(prices, np.int64) - self._low]


def own_share(levels: LevelsAt, account: int) -> tuple[int, int, int]:
    """Return what an account has on the best five levels, what all have there, on how many."""
    prices, tonnes = levels.best()
    own = levels.own(account, prices)
    return int(own.sum()), int(tonnes.sum()), int(np.count_nonzero(own))

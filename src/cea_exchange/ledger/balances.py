"""What everybody holds, in the writer's memory: the sum of all postings, kept as they are posted.

The postings are the record; this is read from them when a registry is opened (`history`), changed
with each entry, and taken back where a transaction is. The trading accounts are one table of
accounts by assets, so that a run of trades is checked and applied at once.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from cea_exchange.ledger.double_entry import AMOUNT_LIMIT, CASH_ASSET, Compartment, Holding

_TRADING = int(Compartment.TRADING)


class Balances:
    """Holdings and their amounts; one that is not there holds nothing."""

    def __init__(self) -> None:
        self._trading = np.zeros((0, 1), np.int64)  # column 0 is cash, then products by index
        self._others: dict[Holding, int] = {}
        self._undo: list[list[tuple[np.ndarray, np.ndarray, np.ndarray] | tuple[Holding, int]]] = []

    def __getitem__(self, holding: Holding) -> int:
        account, asset, compartment = holding
        if compartment == _TRADING and account >= 0:
            column = _column(asset)
            rows, columns = self._trading.shape
            inside = account < rows and column < columns
            return int(self._trading[account, column]) if inside else 0
        return self._others.get(Holding(*holding), 0)

    def trading(self) -> np.ndarray:
        """Return account, asset and amount of what trading accounts hold: int64[count, 3].

        Those of participants, that is: institutions have none.
        """
        accounts, columns = np.nonzero(self._trading)
        assets = np.where(columns == 0, CASH_ASSET, columns - 1)
        return np.column_stack((accounts, assets, self._trading[accounts, columns]))

    def rows(self) -> list[tuple[int, int, int, int]]:
        """Return account, asset, compartment and amount of all that is held, in that order."""
        trading = (
            (account, asset, _TRADING, amount) for account, asset, amount in self.trading().tolist()
        )
        others = (
            (int(account), asset, int(compartment), amount)
            for (account, asset, compartment), amount in self._others.items()
            if amount
        )
        return sorted([*trading, *others])

    def of_account(self, account_index: int) -> list[tuple[int, int, int]]:
        """Return asset, compartment and amount of all that one account holds, in that order."""
        held = [
            (asset, int(compartment), amount)
            for (account, asset, compartment), amount in self._others.items()
            if account == account_index and amount
        ]
        if 0 <= account_index < len(self._trading):
            for column in np.flatnonzero(self._trading[account_index]).tolist():
                asset = CASH_ASSET if column == 0 else column - 1
                held.append((asset, _TRADING, int(self._trading[account_index, column])))
        return sorted(held)

    def load(self, rows: Iterable[tuple[int, int, int, int]]) -> None:
        """Add amounts to holdings, without a way back."""
        for account, asset, compartment, amount in rows:
            holding = Holding(account, asset, compartment)
            self._set(holding, self[holding] + amount)

    def update(self, amounts: Mapping[Holding, int]) -> None:
        """Set what some holdings have now."""
        for holding, amount in amounts.items():
            if self._undo:
                self._undo[-1].append((holding, self[holding]))
            self._set(holding, amount)

    def trades_apply(
        self,
        buyers: np.ndarray,
        sellers: np.ndarray,
        products: np.ndarray,
        tonnes: np.ndarray,
        paid: np.ndarray,
        received: np.ndarray,
    ) -> bool:
        """Apply trades one after the other; all of them or, if one can't be, none.

        Parameters
        ----------
        buyers, sellers, products : int64[count]
            Indexes, in the order of the trades; nobody trades with himself.
        tonnes, paid, received : int64[count]
            What goes to the buyer; what he pays, and what the seller gets, in fen.

        Returns
        -------
        bool
            Whether they were applied: no holding was below nothing, or beyond what may be, at
            any moment.
        """
        count = len(buyers)
        if count == 0:
            return True
        self._grow(int(max(buyers.max(), sellers.max())), int(products.max()) + 1)
        width = self._trading.shape[1]
        places = np.empty((count, 4), np.int64)
        places[:, 0], places[:, 1] = buyers * width, sellers * width
        places[:, 2], places[:, 3] = sellers * width + products + 1, buyers * width + products + 1
        amounts = np.empty((count, 4), np.int64)
        amounts[:, 0], amounts[:, 1] = -paid, received
        amounts[:, 2], amounts[:, 3] = -tonnes, tonnes
        order = np.argsort(places.ravel(), kind="stable")
        places, amounts = places.ravel()[order], amounts.ravel()[order]
        first = np.flatnonzero(np.r_[True, places[1:] != places[:-1]])
        held = self._trading.ravel()[places[first]]
        # Sums may wrap on the way, differences of them are right: no holding leaves 63 bits before
        # the limit shows it.
        with np.errstate(over="ignore"):
            running = np.cumsum(amounts)
            before = running[first] - amounts[first]
            lengths = np.diff(np.r_[first, len(places)])
            after_each = running + np.repeat(held - before, lengths)
        if after_each.min() < 0 or after_each.max() >= AMOUNT_LIMIT:
            return False
        last = np.r_[first[1:], len(places)] - 1
        rows, columns = np.divmod(places[first], width)
        if self._undo:
            self._undo[-1].append((rows, columns, held))
        self._trading[rows, columns] = after_each[last]
        return True

    def level_begin(self) -> None:
        """Remember from here on how to go back."""
        self._undo.append([])

    def level_keep(self) -> None:
        """End a level that stays: what is around it may still be taken back."""
        ended = self._undo.pop()
        if self._undo:
            self._undo[-1] += ended

    def level_undo(self) -> None:
        """Take a level back and end it."""
        for change in reversed(self._undo.pop()):
            if len(change) == 3:
                rows, columns, held = change
                self._trading[rows, columns] = held
            else:
                self._set(*change)

    def _set(self, holding: Holding, amount: int) -> None:
        account, asset, compartment = holding
        if compartment == _TRADING and account >= 0:
            column = _column(asset)
            self._grow(account, column)
            self._trading[account, column] = amount
        elif amount:
            self._others[Holding(*holding)] = amount
        else:
            self._others.pop(Holding(*holding), None)

    def _grow(self, row: int, column: int) -> None:
        rows, columns = self._trading.shape
        if row < rows and column < columns:
            return
        larger = (max(rows, 1 << row.bit_length()), max(columns, column + 1))
        grown = np.zeros(larger, np.int64)
        grown[:rows, :columns] = self._trading
        self._trading = grown


def _column(asset_index: int) -> int:
    return 0 if asset_index == CASH_ASSET else asset_index + 1

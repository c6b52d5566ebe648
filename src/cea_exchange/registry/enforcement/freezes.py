"""Judicial freezes as the ledger and settlement meet them: what is asked for, taken and refused.

A freeze asks for an amount of one account's tonnes of a product, or of its cash. Whatever of it
comes into the registration account is frozen in the same transaction, for the earliest freeze
first (轮候冻结); what is at the venue is asked for from there::

    registration --FROZEN--> judicial      at once, and whenever something comes
         ^
     WITHDRAWN
         |
      trading   <-- asked: at the order, when a deposit arrives, after a bust, at each opening

Until it is here, a trade that would leave less at the venue than is still asked for fails.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from cea_exchange.institution.paging import ALL
from cea_exchange.ledger.double_entry import (
    AMOUNT_LIMIT,
    CASH_ASSET,
    Compartment,
    EntryKind,
    Holding,
    Trade,
    legs_of,
)
from cea_exchange.ledger.store import Store
from cea_exchange.registry.enforcement.reserve import lent_by_reserve

Place = tuple[int, int]
"""Account index and asset index: what freezes are about, and queue up for."""


class Freeze(NamedTuple):
    """A row of `freezes`."""

    freeze_id: int
    account_index: int
    asset_index: int
    is_whole: int
    ordered: int | None
    released: int
    in_force: int
    deducted: int
    state: str
    order_number: str
    court: str
    from_date: int
    until_date: int

    @property
    def place(self) -> Place:
        """Whose, and of what."""
        return self.account_index, self.asset_index

    @property
    def is_live(self) -> bool:
        """Whether it holds, or asks for, anything."""
        return self.state in ("asked", "in_force")

    @property
    def asked(self) -> int:
        """What is not in force of what the court wants."""
        if not self.is_live:
            return 0
        ordered = AMOUNT_LIMIT - 1 if self.ordered is None else self.ordered
        return ordered - self.released - self.deducted - self.in_force

    @property
    def reference(self) -> str:
        """Of its entries in the ledger."""
        return f"freeze {self.freeze_id}"


FREEZE_COLUMNS = ", ".join(Freeze._fields)
"""Of the table `freezes`."""


def shares(asked: list[int], amount: int) -> list[int]:
    """Return what each of some freezes in a queue gets of an amount: the first its all, and so on.

    Rules: CEA-ENF-03 (freezes queue up).

    Examples
    --------
    >>> shares([70, 50, 5], 100)
    [70, 30, 0]
    """
    taken = []
    for want in asked:
        share = min(want, amount)
        taken.append(share)
        amount -= share
    return taken


def frozen_place(
    trade: Trade, asked: Mapping[Place, int], held: Callable[[Holding], int]
) -> Place | None:
    """Say which freeze keeps a trade from settling; None if none does.

    Returns whose, and of what: the seller's tonnes, or the buyer's cash. Posted, the trade would
    leave less of it at the venue than is asked for.

    Rules: CEA-ENF-04 (trades against a freeze fail).

    Parameters
    ----------
    trade
        Not posted yet.
    asked
        What freezes still ask for.
    held
        What is in a holding; only trading accounts are looked at.
    """
    for place, leaving in (
        ((trade.seller_index, trade.product_index), trade.tonnes),
        ((trade.buyer_index, CASH_ASSET), trade.cash + trade.buy_fee),
    ):
        want = asked.get(place, 0)
        if want and held(Holding(*place, Compartment.TRADING)) - leaving < want:
            return place
    return None


def trades_touching(
    buyers: np.ndarray, sellers: np.ndarray, products: np.ndarray, places: Collection[Place]
) -> np.ndarray:
    """Tell of each of many trades whether it takes from one of some places.

    Parameters
    ----------
    buyers, sellers, products : integer[count]
        Indexes, in the order of the trades.
    places
        Where freezes ask for something, or what waits needs it.
    """
    if not places:
        return np.zeros(len(buyers), bool)
    keys = [account << 16 | asset for account, asset in places]
    tonnes_of = sellers.astype(np.int64) << 16 | products
    cash_of = buyers.astype(np.int64) << 16 | CASH_ASSET
    return np.isin(tonnes_of, keys) | np.isin(cash_of, keys)


class Freezes:
    """The freezes in a store's database.

    Nothing is kept in memory: what a transaction takes back is then never remembered.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def one(self, freeze_id: int) -> Freeze | None:
        """Return a freeze; None if there is none of that id."""
        return next(self._rows("freeze_id = ?", (freeze_id,)), None)

    def some(
        self, where: str = "1 = 1", values: tuple[int | str, ...] = (), count: int = ALL
    ) -> list[Freeze]:
        """Return freezes by a condition in SQL, earlier ones first, so many at most."""
        return list(self._rows(where, values, count))

    def asked(self) -> dict[Place, int]:
        """Return all places from which freezes still ask for something, and how much."""
        sums: Counter[Place] = Counter()
        for freeze in self._rows("state = 'asked'"):
            sums[freeze.place] += freeze.asked
        return sums

    def why(self, place: Place) -> str:
        """Say in words which freeze keeps trades from settling that take from a place."""
        first = next(self._queue(place))
        account, asset = place
        return (
            f"{self._store.asset_name(asset)} of {self._store.account_name(account)} is frozen by"
            f" {first.court}, order {first.order_number}"
        )

    def take(
        self,
        place: Place,
        settlement_seq: int,
        business_date: int,
        amount: int = AMOUNT_LIMIT,
        *,
        until: int | None = None,
    ) -> int:
        """Freeze what lies in a registration account, as far as it is asked for.

        Within the transaction of what brought it there. Cash that the risk reserve has lent stays
        until it is paid back.

        Returns how much was frozen.

        Rules: CEA-ENF-01 (what a freeze takes), CEA-ENF-03 (freezes queue up).

        Parameters
        ----------
        amount
            What has arrived: no more is taken. What lay there before was left for a reason.
        until
            Only by freezes ordered up to this day, yyyymmdd; None: by all.
        """
        account, asset = place
        own = self._store.balance(Holding(*place, Compartment.REGISTRATION))
        if asset == CASH_ASSET:
            own = max(0, own - lent_by_reserve(self._store, account))
        free = min(amount, own)
        queue = list(self._queue(place)) if free else []
        if until is not None:
            queue = [freeze for freeze in queue if freeze.from_date <= until]
        taken = shares([freeze.asked for freeze in queue], free)
        for freeze, share in zip(queue, taken, strict=True):
            if not share:
                break
            self._store.entry_add(
                EntryKind.FROZEN,
                legs_of(EntryKind.FROZEN, account, account, asset, share),
                (account, account, asset, share),
                settlement_seq=settlement_seq,
                business_date=business_date,
                reference=freeze.reference,
            )
            self.store_amounts(freeze._replace(in_force=freeze.in_force + share))
        return sum(taken)

    def wanted(self, place: Place) -> int:
        """Return how much freezes still ask for of a place."""
        return sum(freeze.asked for freeze in self._queue(place))

    def store_amounts(self, freeze: Freeze) -> None:
        """Write a live freeze's amounts, and the state that follows from them."""
        state = "asked" if freeze.asked else "in_force"
        if not freeze.asked and not freeze.in_force:
            state = "deducted"
        self._store.execute(
            "UPDATE freezes SET released = ?, in_force = ?, deducted = ?, state = ?"
            " WHERE freeze_id = ?",
            (freeze.released, freeze.in_force, freeze.deducted, state, freeze.freeze_id),
        )

    def _queue(self, place: Place) -> Iterator[Freeze]:
        return self._rows("state = 'asked' AND account_index = ? AND asset_index = ?", place)

    def _rows(
        self, where: str, values: tuple[int | str, ...] = (), count: int = ALL
    ) -> Iterator[Freeze]:
        rows = self._store.all(
            f"SELECT {FREEZE_COLUMNS} FROM freezes WHERE {where} ORDER BY freeze_id LIMIT ?",
            (*values, count),
        )
        return (Freeze(*row) for row in rows)

"""What keeps a trade from being posted, and the default that is opened then.

A court's order that is on its way to the venue takes precedence over a trade made meanwhile
(`freezes`); then the bank may refuse the cash. Trades that no order touches go the fast way.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from cea_exchange.ledger.double_entry import CASH_ASSET, Trade
from cea_exchange.ledger.store import Store
from cea_exchange.registry.enforcement.freezes import Freezes, Place, frozen_place, trades_touching
from cea_exchange.registry.settlement.waiting import Lacking, Waiting

FailureOf = Callable[[Trade], str | None]
"""Says why a buyer's cash can't be had for a trade (the bank refuses), or None."""


class Failure(NamedTuple):
    """Why a trade can't be posted, and who has to make it good; nobody, if another trade has to."""

    why: str
    account_index: int | None = None
    asset_index: int = CASH_ASSET
    amount: int = 0


class Obstacles:
    """Says of each trade whether something keeps it from being posted.

    Parameters
    ----------
    failure_of
        Asked of every trade, if given.
    """

    def __init__(self, store: Store, failure_of: FailureOf | None) -> None:
        self.is_asked_of_all = failure_of is not None
        self._store = store
        self._failure_of = failure_of
        self._freezes = Freezes(store)
        self.waiting = Waiting(store)
        self.asked: dict[Place, int] = {}

    def refresh(self) -> None:
        """Look again at what courts ask for, and what waits; at the start of each transaction."""
        self.asked_refresh()
        self.waiting.refresh()

    def asked_refresh(self) -> None:
        """Look again at what courts ask for."""
        self.asked = self._freezes.asked()

    def are_clear(
        self,
        buyers: np.ndarray,
        sellers: np.ndarray,
        products: np.ndarray,
        before: int | None = None,
    ) -> np.ndarray:
        """Tell which trades take nothing that a court asks for, or that what waits needs.

        Parameters
        ----------
        before
            Only what waits in front of this sequence counts.
        """
        places = {*self.asked, *self.waiting.places(before)}
        return ~trades_touching(buyers, sellers, products, places)

    def lack(self, lacking: Lacking, trade: Trade) -> Failure:
        """Return the failure of a trade that lacks something, of trades that failed before.

        Where nothing before it brings that (what would have was undone), its own party owes it.
        """
        account, asset, amount = lacking
        name, asset_name = self._store.account_name(account), self._store.asset_name(asset)
        why = f"{name} lacks {amount} of {asset_name}"
        place, seq = (account, asset), trade.settlement_seq
        if self.waiting.brings(place, seq) or self.waiting.needed(place, seq):
            return Failure(f"{why}, of trades that failed before")
        return Failure(why, account, asset, amount)

    def of(self, trade: Trade) -> Failure | None:
        """Return what keeps a trade from being posted now."""
        place = frozen_place(trade, self.asked, self._store.balance)
        paid = trade.cash + trade.buy_fee
        if place is not None:
            account, asset = place
            amount = paid if asset == CASH_ASSET else trade.tonnes
            return Failure(self._freezes.why(place), account, asset, amount)
        why = self._failure_of(trade) if self._failure_of is not None else None
        return Failure(why, trade.buyer_index, CASH_ASSET, paid) if why else None


def default_open(store: Store, trade: Trade, failure: Failure, business_date: int) -> None:
    """Open the default of a trade that failed, unless another trade has to be made good first."""
    if failure.account_index is None:
        return
    default_id = store.add(
        "defaults (default_id, trade_seq, account_index, asset_index, amount, why, state,"
        " opened_date, deadline, reserve_cash, recovered_cash)",
        *(trade.settlement_seq, failure.account_index, failure.asset_index, failure.amount),
        *(failure.why, "open", business_date, 0, 0, 0),
    )
    default_act(store, default_id, "opened", business_date, note=failure.why)


def default_end(store: Store, trade_seq: int, end: str, business_date: int) -> None:
    """End the default of a trade that was posted after all (``cured``), or undone (``busted``)."""
    default_id = store.one(
        "SELECT default_id FROM defaults WHERE trade_seq = ? AND state IN ('open', 'noticed')",
        (trade_seq,),
    )
    if default_id is not None:
        store.change("defaults", {"default_id": default_id}, state=end)
        default_act(store, default_id, end, business_date)


def default_act(
    store: Store,
    default_id: int,
    act: str,
    business_date: int,
    *,
    amount: int = 0,
    entry_id: int = 0,
    note: str = "",
) -> None:
    """Write down what was done about a default."""
    store.add(
        "default_acts (act_id, default_id, business_date, act, amount, entry_id, note)",
        *(default_id, business_date, act, amount, entry_id, note),
    )

"""The default procedure: top up by a date, else the risk reserve pays, and gets it back.

::

    trade fails --> open --notice--> noticed --deadline passed--> covered --> recovered
                      |                 |          (the reserve pays)
                      +---- cured ------+--> the trade is posted late
                      +---- busted -----+--> the venue undid the trade

The reserve lends cash to who did not pay, and the trade is posted: both legs, as any other. Until
he has paid it back, what he was lent can't leave his sub-account. The reserve holds no allowances:
a seller who can't deliver tops up, or two persons bust the trade at the venue.
"""

from typing import Any, Protocol

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError, amount_checked
from cea_exchange.institution.paging import ALL
from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment, EntryKind, Holding, Trade
from cea_exchange.ledger.institutions import Institution
from cea_exchange.registry.checks import day_checked
from cea_exchange.registry.enforcement.reserve import lent_by_reserve
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.participants.accounts import Accounts
from cea_exchange.registry.settlement.batch_settlement import BatchSettlement
from cea_exchange.registry.settlement.failures import default_act
from cea_exchange.registry.settlement.risk_reserve import RiskReserve

_COLUMNS = (
    "account_index, asset_index, default_id, trade_seq, amount, why, state, opened_date, deadline,"
    " reserve_cash, recovered_cash"
)


class CashLeg(Protocol):
    """What a settlement bank does for trades and for the risk reserve."""

    @property
    def is_there(self) -> bool:
        """Whether there is a bank at all; without one the ledger's cash is all there is."""

    def paid_in_by_hand_check(self, what: str) -> None:
        """Refuse cash that a person says was paid in, where the bank's statements say so."""

    def refusal_of(self, trade: Trade) -> str | None:
        """Return why a trade's cash can't be had; None if nothing is known against it."""

    def reserve_instruct(self, default_id: int, trade_seq: int) -> None:
        """Tell the bank to pay a seller out of the reserve; within a transaction."""

    def recovery_instruct(self, default_id: int, account_index: int, cash: int) -> None:
        """Tell the bank to move back to the reserve what it lent; within a transaction."""


class Defaults:
    """The service for trades that failed.

    Attributes
    ----------
    cash_leg : CashLeg
        The settlement bank, which needs this service itself: whoever wires both sets it.
    """

    cash_leg: CashLeg

    def __init__(self, ledger: Ledger, accounts: Accounts, risk_reserve: RiskReserve) -> None:
        self._ledger = ledger
        self._risk_reserve = risk_reserve
        accounts.pending_rows(
            "default {} is {}",
            "default_id, state FROM defaults WHERE account_index = :account"
            " AND state IN ('open', 'noticed', 'covering', 'covered')",
        )

    # -- looking ------------------------------------------------------------------------------

    def failures(self, *, first: int = 1, count: int = ALL) -> list[dict[str, Any]]:
        """Return trades that failed and stand, with their default's number, 0 for those without.

        Parameters
        ----------
        first
            Their settlement sequences from this one on.
        """
        store = self._ledger.store
        rows = store.records(
            "SELECT trade_id, settlement_seq, trading_date, buyer_index, seller_index,"
            " product_index, tonnes, cash, failure AS why, coalesce(default_id, 0) AS default_id"
            " FROM trades LEFT JOIN defaults ON trade_seq = settlement_seq"
            # The first condition is the index's own: without it there is none.
            " WHERE trades.state <> 'settled' AND trades.state = 'failed' AND failure <> ''"
            " AND settlement_seq >= ? ORDER BY settlement_seq LIMIT ?",
            (first, count),
        )
        return [store.named(row) for row in rows]

    def all(self, *, ended: bool = False, first: int = 1, count: int = ALL) -> list[dict[str, Any]]:
        """Return defaults from a number on, those that are over only where asked for."""
        over = "" if ended else " AND state NOT IN ('cured', 'busted', 'recovered')"
        store = self._ledger.store
        rows = store.records(
            f"SELECT {_COLUMNS} FROM defaults WHERE default_id >= ?{over}"
            " ORDER BY default_id LIMIT ?",
            (first, count),
        )
        return [store.named(row) for row in rows]

    def show(self, default_id: int, *, first: int = 1, count: int = ALL) -> dict[str, Any]:
        """Return a default with what was done about it, from an act on."""
        store = self._ledger.store
        acts = store.records(
            "SELECT act_id, business_date, act, amount, entry_id, note FROM default_acts"
            " WHERE default_id = ? AND act_id >= ? ORDER BY act_id LIMIT ?",
            (default_id, first, count),
        )
        return {**store.named(self._default(default_id)), "acts": acts}

    def owed(self, account_index: int) -> int:
        """Return the fen an account owes the risk reserve."""
        return lent_by_reserve(self._ledger.store, account_index)

    def free_cash_check(self, account_index: int, cash: int) -> None:
        """Raise `ActError` if cash is to leave a sub-account that is owed to the reserve.

        Rules: CEA-DEF-03.
        """
        owed = self.owed(account_index)
        if not owed:
            return
        place = Holding(account_index, CASH_ASSET, int(Compartment.REGISTRATION))
        free = self._ledger.store.balance(place) - owed
        if cash > free:
            name = self._ledger.store.account_name(account_index)
            raise ActError(
                RegistryRefusal.RESERVE_OWED,
                f"cash: expected at most {max(free, 0)}, {name} owes the risk reserve {owed},"
                f" got {cash}",
            )

    # -- acts ---------------------------------------------------------------------------------

    def notice(self, default_id: int, deadline: int) -> None:
        """Tell a party to make good what it owes, by the end of a day.

        Rules: CEA-DEF-01.

        Parameters
        ----------
        deadline
            As yyyymmdd; today at the earliest.
        """
        ledger = self._ledger
        with ledger.transaction():
            self._default(default_id, "open", "noticed")
            day_checked(deadline, "deadline", first=ledger.business_date())
            ledger.store.change(
                "defaults", {"default_id": default_id}, state="noticed", deadline=deadline
            )
            self._act(default_id, "noticed", note=f"until {deadline}")

    def retry(self) -> list[int]:
        """Post the failed trades whose cause is gone; return their ids."""
        return self._batches().retry()

    def reserve_fund(self, cash_fen: int) -> None:
        """Book cash that was paid in into the risk reserve.

        Raises ActError: there is a settlement bank: what it did not book never was paid in; or it
        would be larger than the registered capital.

        Rules: CEA-PER-06, CEA-RSV-02.
        """
        reserve = int(Institution.RISK_RESERVE)
        with self._ledger.transaction():
            self.cash_leg.paid_in_by_hand_check("reserve_fund")
            self._risk_reserve.capital_check(cash_fen)
            self._ledger.move(
                EntryKind.PAY_IN, Institution.BANK, reserve, CASH_ASSET, cash_fen, "reserve"
            )

    def reserve_use(self, default_id: int) -> None:
        """Let the risk reserve pay for who did not, and post the trade.

        Raises ActError: there was no notice, its deadline has not passed, tonnes are lacking, or
        the reserve has too little. Nothing was changed.

        Rules: CEA-DEF-02.
        """
        ledger = self._ledger
        with ledger.transaction():
            default = self._default(default_id, "noticed")
            deadline, today = default["deadline"], ledger.business_date()
            if today <= deadline:
                raise ActError(
                    RegistryRefusal.TOO_EARLY,
                    f"reserve: expected after the deadline {deadline}, got on {today}",
                )
            if default["asset_index"] != CASH_ASSET:
                raise ActError(
                    RegistryRefusal.DEFAULT_OF_ALLOWANCES,
                    f"default {default_id}: expected one of cash, got one of allowances, which"
                    " the reserve has none of: bust the trade",
                )
            if not self.cash_leg.is_there:
                self.covered(default_id)
                return
            # The reserve's cash is at the bank, too: it pays when the bank has agreed.
            self.cash_leg.reserve_instruct(default_id, default["trade_seq"])
            ledger.store.change("defaults", {"default_id": default_id}, state="covering")
            self._act(default_id, "covering", amount=default["amount"])

    def covered(self, default_id: int) -> None:
        """Book what the reserve pays, and post the trade if it is not; within a transaction."""
        ledger = self._ledger
        default = self._default(default_id, "noticed", "covering")
        entry_id = ledger.move(
            EntryKind.RESERVE_USED,
            int(Institution.RISK_RESERVE),
            default["account_index"],
            CASH_ASSET,
            default["amount"],
            f"default {default_id}",
        )
        ledger.store.execute(
            "UPDATE defaults SET state = 'covered', reserve_cash = amount WHERE default_id = ?",
            (default_id,),
        )
        self._act(default_id, "covered", amount=default["amount"], entry_id=entry_id)
        batches = self._batches()
        lacking = batches.post_covered(default["trade_seq"])
        if lacking:
            raise ActError(RegistryRefusal.RESERVE_INSUFFICIENT, f"default {default_id}: {lacking}")
        batches.retry()

    def recover(self, default_id: int, cash_fen: int) -> None:
        """Take back what the reserve paid, or a part, from the party's sub-account.

        Rules: CEA-DEF-03.
        """
        cash = amount_checked(cash_fen, "cash")
        ledger = self._ledger
        with ledger.transaction():
            default = self._default(default_id, "covered")
            owed = default["reserve_cash"] - default["recovered_cash"]
            if cash > owed:
                raise ActError(
                    RegistryRefusal.NOT_DUE,
                    f"cash: expected at most the {owed} that are owed, got {cash}",
                )
            entry_id = ledger.move(
                EntryKind.RESERVE_RECOVERED,
                default["account_index"],
                int(Institution.RISK_RESERVE),
                CASH_ASSET,
                cash,
                f"default {default_id}",
            )
            ledger.store.execute(
                "UPDATE defaults SET recovered_cash = recovered_cash + ?, state = ?"
                " WHERE default_id = ?",
                (cash, "recovered" if cash == owed else "covered", default_id),
            )
            self._act(default_id, "recovered", amount=cash, entry_id=entry_id)
            if self.cash_leg.is_there:
                self.cash_leg.recovery_instruct(default_id, default["account_index"], cash)

    # -- in common ----------------------------------------------------------------------------

    def _batches(self) -> BatchSettlement:
        refusal_of = self.cash_leg.refusal_of if self.cash_leg.is_there else None
        return BatchSettlement(self._ledger.store, failure_of=refusal_of)

    def _default(self, default_id: int, *states: str) -> dict[str, Any]:
        sql = f"SELECT {_COLUMNS} FROM defaults WHERE default_id = ?"
        default = next(iter(self._ledger.store.records(sql, (default_id,))), None)
        if default is None:
            raise ActError(
                RegistryRefusal.DEFAULT_UNKNOWN,
                f"default_id: expected that of a default, got {default_id}",
            )
        if states and default["state"] not in states:
            expected = " or ".join(states)
            raise ActError(
                RegistryRefusal.DEFAULT_STATE,
                f"default {default_id}: expected {expected}, got {default['state']}",
            )
        return default

    def _act(self, default_id: int, act: str, **what: Any) -> None:
        date = self._ledger.business_date()
        default_act(self._ledger.store, default_id, act, date, **what)

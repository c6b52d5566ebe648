"""What the authority's sales brought: an account of its own, to the fen, held against the trades.

::

    adjustment account's sale of a day --settled, withdrawn from the venue--> its sub-account
        --booked, once for each day and fen--> proceeds account
"""

from typing import Any

from cea_exchange.domain.records import Method
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError
from cea_exchange.institution.paging import ALL
from cea_exchange.ledger.double_entry import CASH_ASSET, EntryKind
from cea_exchange.ledger.institutions import Institution
from cea_exchange.registry.general_ledger import Ledger

_METHODS = ", ".join(
    f"coalesce(sum(CASE WHEN method = {int(method)} THEN tonnes END), 0)"
    f" AS tonnes_{method.name.lower()}"
    for method in Method
)


class Proceeds:
    """The service for what the authority's sales brought."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    # -- looking ------------------------------------------------------------------------------

    def all(self, *, first: int = 1, count: int = ALL) -> list[dict[str, Any]]:
        """Return the sales of each day from a date on, with what is booked; cash in fen."""
        store = self._ledger.store
        rows = store.records(
            f"SELECT seller_index AS account_index, trading_date, {_METHODS},"
            " sum(cash) AS cash, sum(sell_fee) AS fees FROM trades"
            " WHERE seller_index IN (SELECT account_index FROM adjustment_accounts)"
            " AND state = 'settled' AND trading_date >= ?"
            " GROUP BY seller_index, trading_date ORDER BY trading_date, seller_index LIMIT ?",
            (first, count),
        )
        for row in rows:
            brought = int(row["cash"]) - int(row["fees"])
            booked = self._booked(row["account_index"], row["trading_date"])
            row.update(brought=brought, booked=booked, outstanding=brought - booked)
        return [store.named(row) for row in rows]

    # -- acts ---------------------------------------------------------------------------------

    def account_name(self, account: str) -> None:
        """Let an account be one by which the authority adjusts the market; for good.

        Raises ActError: it is one, has ended, or has keys: one person could trade by it then.

        Rules: CEA-ADJ-01.
        """
        ledger = self._ledger
        with ledger.transaction():
            index = ledger.account(account)
            if ledger.store.has("adjustment_accounts", account_index=index):
                raise ActError(
                    RegistryRefusal.ADJUSTMENT_ACCOUNT,
                    f"account: expected another than the adjustment account {account}, got it",
                )
            if ledger.store.one(
                "SELECT 1 FROM keys WHERE account_index = ? AND revoked = 0 AND role <> 'reader'",
                (index,),
            ):
                raise ActError(
                    RegistryRefusal.ADJUSTMENT_ACCOUNT,
                    f"account: expected one without a key that trades, got {account}, by which"
                    " one person alone could",
                )
            ledger.store.insert(
                "adjustment_accounts (account_index, business_date)",
                [(index, ledger.business_date())],
            )

    def book(self, account: str, trading_date: int) -> int:
        """Book what an account's sales of a confirmed day brought; return the fen.

        What a bust takes back later is booked no more; where it was, the list shows it as
        outstanding below nothing.

        Raises ActError: it is no adjustment account, the day is not confirmed, or nothing is
        outstanding; or the account has withdrawn too little from the venue.

        Rules: CEA-ADJ-03.
        """
        ledger, store = self._ledger, self._ledger.store
        with ledger.transaction():
            index = ledger.account(account)
            if not store.has("adjustment_accounts", account_index=index):
                raise ActError(
                    RegistryRefusal.ADJUSTMENT_ACCOUNT,
                    f"account: expected one that adjusts the market, got {account}",
                )
            if trading_date > store.confirmed_date:
                raise ActError(
                    RegistryRefusal.DAY_NOT_CONFIRMED,
                    f"date: expected up to the confirmed {store.confirmed_date},"
                    f" got {trading_date}",
                )
            brought = store.one(
                "SELECT coalesce(sum(cash - sell_fee), 0) FROM trades"
                " WHERE seller_index = ? AND trading_date = ? AND state = 'settled'",
                (index, trading_date),
            )
            cash = int(brought) - self._booked(index, trading_date)
            if cash <= 0:
                raise ActError(
                    RegistryRefusal.NOT_DUE,
                    f"proceeds: expected 1 fen or more of {trading_date}, got {cash} outstanding",
                )
            ends = (index, int(Institution.PROCEEDS), CASH_ASSET, cash)
            entry_id = ledger.move(EntryKind.PROCEEDS_BOOKED, *ends, f"sales of {trading_date}")
            store.insert(
                "proceeds (entry_id, account_index, trading_date, cash)",
                [(entry_id, index, trading_date, cash)],
            )
        return cash

    def _booked(self, account_index: int, trading_date: int) -> int:
        return int(
            self._ledger.store.one(
                "SELECT coalesce(sum(cash), 0) FROM proceeds"
                " WHERE account_index = ? AND trading_date = ?",
                (account_index, trading_date),
            )
        )

"""Claims: what a bust left owing that the venue could not undo, until it is paid.

    bust --> claim: debtor, creditor, asset, amount --paid--> entry of the debtor to the creditor

It is paid from registration account to registration account, whole and once; of cash the bank is
notified as well.
"""

from typing import Any

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError
from cea_exchange.institution.paging import ALL
from cea_exchange.ledger.double_entry import CASH_ASSET, EntryKind
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.settlement.defaults import Defaults


class Claims:
    """The service for what a bust left owing."""

    def __init__(self, ledger: Ledger, defaults: Defaults) -> None:
        self._ledger = ledger
        self._defaults = defaults

    def all(self, *, paid: bool = False, first: int = 1, count: int = ALL) -> list[dict[str, Any]]:
        """Return claims from a number on, those that are paid only where asked for."""
        store = self._ledger.store
        rows = store.records(
            "SELECT claims.claim_id AS claim_id, trade_id, debtor_index, creditor_index,"
            " asset_index, amount, coalesce(entry_id, 0) AS paid_by_entry"
            " FROM claims LEFT JOIN claims_paid ON claims_paid.claim_id = claims.claim_id"
            " WHERE claims.claim_id >= ?"
            + ("" if paid else " AND entry_id IS NULL")
            + " ORDER BY claims.claim_id LIMIT ?",
            (first, count),
        )
        return [store.named(row) for row in rows]

    def pay(self, claim_id: int) -> int:
        """Pay a claim from the debtor's registration account; return the entry's id.

        Raises ActError: there is no such claim, it is paid, or the debtor has too little that is
        free.

        Rules: CEA-STL-08.
        """
        ledger = self._ledger
        with ledger.transaction():
            row = ledger.store.one(
                "SELECT debtor_index, creditor_index, asset_index, amount, coalesce(entry_id, 0)"
                " FROM claims LEFT JOIN claims_paid ON claims_paid.claim_id = claims.claim_id"
                " WHERE claims.claim_id = ?",
                (claim_id,),
            )
            if row is None:
                raise ActError(
                    RegistryRefusal.CLAIM_UNKNOWN,
                    f"claim_id: expected that of a claim, got {claim_id}",
                )
            debtor, creditor, asset, amount, entry_id = row
            if entry_id:
                raise ActError(
                    RegistryRefusal.CLAIM_PAID,
                    f"claim {claim_id}: expected an unpaid one, got one paid by entry {entry_id}",
                )
            if asset == CASH_ASSET:
                self._defaults.free_cash_check(debtor, amount)
            ends = (debtor, creditor, asset, amount)
            entry_id = ledger.move(EntryKind.CLAIM_PAID, *ends, f"claim {claim_id}")
            ledger.store.insert("claims_paid (claim_id, entry_id)", [(claim_id, entry_id)])
        return entry_id

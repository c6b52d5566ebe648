"""Claims: what a bust left owing that the venue could not undo, until it is paid.

    bust --> claim: debtor, creditor, asset, amount --paid--> entry of the debtor to the creditor

It is paid from registration account to registration account, whole and once; of cash the bank is
told as well.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cea_exchange.registry.checks import ActError
from cea_exchange.registry.ledger import CASH_ASSET, EntryKind
from cea_exchange.registry.store import Store

if TYPE_CHECKING:
    from cea_exchange.registry.acts import Registry

_PAID_BY = (
    "(SELECT coalesce(min(entry_id), 0) FROM entries"
    f" WHERE kind = {int(EntryKind.CLAIM_PAID)} AND reference = 'claim ' || claim_id)"
)


class Claims:
    """The office for what a bust left owing.

    Parameters
    ----------
    registry
        Acted upon.
    """

    def __init__(self, registry: "Registry") -> None:
        self._registry = registry

    def all(self, *, paid: bool = False) -> list[dict[str, Any]]:
        """Return the claims, those that are paid only where asked for."""
        store = self._registry.store
        rows = store.execute(
            f"SELECT claim_id, trade_id, debtor_index, creditor_index, asset_index, amount,"
            f" {_PAID_BY} FROM claims ORDER BY claim_id"
        ).fetchall()
        return [
            {
                "claim_id": claim_id,
                "trade_id": trade_id,
                "debtor": store.account_name(debtor),
                "creditor": store.account_name(creditor),
                "asset": store.asset_name(asset),
                "amount": amount,
                "paid_by_entry": entry_id,
            }
            for claim_id, trade_id, debtor, creditor, asset, amount, entry_id in rows
            if paid or not entry_id
        ]

    def pay(self, claim_id: int) -> int:
        """Pay a claim from the debtor's registration account; return the entry's id.

        Raises
        ------
        ActError
            There is no such claim, it is paid, or the debtor has too little that is free.

        Notes
        -----
        Rules: CEA-STL-08.
        """
        registry = self._registry
        with registry.transaction():
            row = registry.store.one(
                f"SELECT debtor_index, creditor_index, asset_index, amount, {_PAID_BY}"
                " FROM claims WHERE claim_id = ?",
                (claim_id,),
            )
            if row is None:
                raise ActError(f"claim_id must be of a claim, was {claim_id}")
            debtor, creditor, asset, amount, entry_id = row
            if entry_id:
                raise ActError(f"claim {claim_id} must be unpaid, was paid by entry {entry_id}")
            if asset == CASH_ASSET:
                registry.defaults.free_cash_check(debtor, amount)
            ends = (debtor, creditor, asset, amount)
            return registry.move(EntryKind.CLAIM_PAID, *ends, f"claim {claim_id}")


def claim_differences(store: Store) -> Iterator[str]:
    """Yield payments that are of no claim, not as it says, or of one that was paid before."""
    claims = {
        f"claim {claim_id}": terms
        for claim_id, *terms in store.execute(
            "SELECT claim_id, debtor_index, creditor_index, asset_index, amount FROM claims"
        ).fetchall()
    }
    payments = store.execute(
        "SELECT entry_id, reference, account_index, counter_index, asset_index, amount"
        f" FROM entries WHERE kind = {int(EntryKind.CLAIM_PAID)} ORDER BY entry_id"
    )
    for entry_id, reference, *terms in payments.fetchall():
        if (owed := claims.pop(reference, None)) != terms:
            yield f"entry {entry_id} pays {reference}: owed are {owed}, paid {terms}"

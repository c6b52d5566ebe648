"""Transfers on documents: succession in law, enforcement, an order, or as two holders agreed."""

from collections.abc import Sequence
from typing import Any, Literal

from cea_exchange.ccer.books import Books
from cea_exchange.ccer.participants.accounts import HOLDERS
from cea_exchange.domain.ccer.lots import Lot
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.refusals import CcerRefusal
from cea_exchange.institution.checks import WHY_LENGTH_MAX, words_checked
from cea_exchange.institution.paging import ALL
from cea_exchange.ledger.double_entry import EntryKind

TransferKind = Literal["transfer", "succession", "enforcement", "order"]


class Transfers:
    """Moves CCERs from one account to another.

    Notes
    -----
    Rules: CCER-LOT-03, CCER-TRF-01.
    """

    def __init__(self, books: Books) -> None:
        self._books = books
        self._store = books.store

    def transfer(
        self,
        kind: TransferKind,
        account: str,
        to: str,
        instrument: str,
        what: int | Sequence[Lot],
        *,
        document: str,
    ) -> list[Lot]:
        """Move CCERs, on a document that is kept.

        Parameters
        ----------
        kind
            ``transfer`` where the holder wants it; the others are done to a restricted one, too.

        Returns
        -------
        list of Lot
            What moved.
        """
        books, store = self._books, self._store
        words_checked(document, "document", WHY_LENGTH_MAX)
        find = books.account_moving if kind == "transfer" else books.account
        index, counter = find(account), books.account(to, *HOLDERS)
        asset = books.instrument(instrument)
        if index == counter:
            raise ProgrammeError(
                CcerRefusal.SAME_ACCOUNT, f"to: expected another account, got {to}"
            )
        with store.transaction():
            number = store.next_id("lot_transfers", "transfer_id")
            reference = f"transfer {number}"
            parts = books.move(EntryKind.SET_ASIDE, index, index, asset, what, reference)
            books.move(EntryKind.ENFORCED, index, counter, asset, parts, reference)
            tonnes, today = sum(part.tonnes for part in parts), books.business_date()
            store.insert(
                "lot_transfers (transfer_id, kind, account_index, counter_index, asset_index,"
                " tonnes, document, business_date)",
                [(number, kind, index, counter, asset, tonnes, document, today)],
            )
        return parts

    def listed(self, first: int = 1, count: int = ALL) -> list[dict[str, Any]]:
        """Return transfers in their order, from an id on."""
        names = ("transfer_id", "kind", "account", "to", "instrument", "tonnes", "document", "date")
        rows = self._store.execute(
            "SELECT t.transfer_id, t.kind, a.account, c.account, p.product, t.tonnes, t.document,"
            " t.business_date FROM lot_transfers AS t"
            " JOIN accounts AS a ON a.account_index = t.account_index"
            " JOIN accounts AS c ON c.account_index = t.counter_index"
            " JOIN products AS p ON p.product_index = t.asset_index"
            " WHERE t.transfer_id >= ? ORDER BY t.transfer_id LIMIT ?",
            (first, count),
        )
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]

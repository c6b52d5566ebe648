"""Transfers on documents: succession in law, enforcement, an order, or as two holders agreed."""

from collections.abc import Sequence
from typing import Literal

from cea_exchange.ccer.books import Books
from cea_exchange.ccer.participants.accounts import HOLDERS
from cea_exchange.domain.ccer.lots import Lot
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.refusals import CcerRefusal
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

"""Cancellations: CCERs are set aside, ended for a purpose, and certified in public.

    registration --apply--> applied --approve--> cancellation account, a certificate, proofs
         ^                     |
         +-------refused-------+
"""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from cea_exchange.ccer.books import Books
from cea_exchange.ccer.cancellation.proofs import Proofs
from cea_exchange.ccer.lots.serials import batch_number_of
from cea_exchange.domain.ccer.cancellation import Use, use_of
from cea_exchange.domain.ccer.lots import Lot, joined
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.refusals import CcerRefusal
from cea_exchange.institution.checks import WHY_LENGTH_MAX, words_checked
from cea_exchange.institution.paging import ALL
from cea_exchange.ledger.double_entry import EntryKind
from cea_exchange.ledger.institutions import Institution
from cea_exchange.ledger.store import Store

RESTITUTION = "restitution"
"""In place of a purpose: by order, as CCERs were issued on false papers."""


class Cancellation(NamedTuple):
    """A row of `cancellations`."""

    cancellation_id: int
    account_index: int
    asset_index: int
    tonnes: int
    purpose: str
    beneficiary: str
    compliance_year: int
    state: str
    why: str
    certificate: str
    applied_on: int
    decided_on: int

    @property
    def reference(self) -> str:
        """Of its entries in the ledger."""
        return f"cancellation {self.cancellation_id}"

    @property
    def use(self) -> Use:
        """What they are cancelled for."""
        return use_of(self.purpose, self.beneficiary, self.compliance_year)


class Certificate(NamedTuple):
    """A row of `certificates`: what is public of a cancellation, as JSON."""

    certificate: str
    cancellation_id: int
    issued_on: int
    content: str


CANCELLATION_COLUMNS = ", ".join(Cancellation._fields)
"""Of the table `cancellations`."""


class Cancellations:
    """Takes applications, and carries them out.

    Notes
    -----
    Rules: CCER-CAN-01 to CCER-CAN-03, CCER-LNK-01.
    """

    def __init__(self, books: Books, proofs: Proofs) -> None:
        self._books = books
        self._store = books.store
        self._proofs = proofs

    def apply(
        self,
        account: str,
        instrument: str,
        what: int | Sequence[Lot],
        *,
        purpose: str,
        beneficiary: str = "",
        compliance_year: int = 0,
    ) -> int:
        """Set CCERs aside to be cancelled.

        Parameters
        ----------
        what
            Tonnes, of which the lowest serials of the oldest batch go; or ranges of serials.

        Returns
        -------
        int
            The cancellation's id.

        Notes
        -----
        Rules: CCER-CAN-01, CCER-CAN-02, CCER-LOT-03.
        """
        words_checked(beneficiary, "beneficiary", WHY_LENGTH_MAX, required=False)
        use = use_of(purpose, beneficiary, compliance_year)
        books, store = self._books, self._store
        index, asset = books.account_moving(account), books.instrument(instrument)
        with store.transaction():
            number = store.next_id("cancellations", "cancellation_id")
            found = Cancellation(
                *(number, index, asset, 1, str(use.purpose), beneficiary, compliance_year),
                *("applied", "", "", books.business_date(), 0),
            )
            parts = books.move(EntryKind.SET_ASIDE, index, index, asset, what, found.reference)
            self._add(found._replace(tonnes=sum(part.tonnes for part in parts)), parts)
        return number

    def approve(self, cancellation_id: int) -> dict[str, Any]:
        """Cancel what was applied for, for good, and certify it.

        Returns
        -------
        dict
            ``certificate``, and the numbers of its ``proofs``.

        Notes
        -----
        Rules: CCER-CAN-03, CCER-LNK-01.
        """
        with self._store.transaction():
            found = self._applied(cancellation_id)
            lots = self.lots(cancellation_id)
            certificate = self._certify(found)
            self._books.move(
                EntryKind.CANCELLED,
                *(found.account_index, int(Institution.CANCELLATION), found.asset_index),
                *(lots, found.reference),
            )
            proofs = []
            if found.use.needs_proof:
                done = self.found(cancellation_id)
                proofs = self._proofs.issue(
                    certificate,
                    *(cancellation_id, lots, done.beneficiary, done.compliance_year),
                    applied_on=done.applied_on,
                    cancelled_on=done.decided_on,
                )
        return {"certificate": certificate, "proofs": proofs}

    def refuse(self, cancellation_id: int, why: str) -> None:
        """Turn an application down, or take it back: its CCERs are free again."""
        words_checked(why, "why", WHY_LENGTH_MAX)
        with self._store.transaction():
            found = self._applied(cancellation_id)
            self._decide(found, "refused", why=why)
            account = found.account_index
            self._books.move(
                *(EntryKind.SET_FREE, account, account, found.asset_index),
                *(self.lots(cancellation_id), found.reference),
            )

    def forfeit(
        self, account_index: int, asset_index: int, lots: Sequence[Lot], document: str
    ) -> str:
        """Cancel CCERs that the supervisor withheld, by order; return the certificate.

        Notes
        -----
        Rules: CCER-REV-01.
        """
        store = self._store
        with store.transaction():
            number = store.next_id("cancellations", "cancellation_id")
            tonnes = sum(lot.tonnes for lot in lots)
            found = Cancellation(
                *(number, account_index, asset_index, tonnes, RESTITUTION, "", 0),
                *("applied", document, "", self._books.business_date(), 0),
            )
            self._add(found, lots)
            self._books.move(
                *(EntryKind.FORFEITED, account_index, int(Institution.CANCELLATION)),
                *(asset_index, lots, found.reference),
            )
            return self._certify(found)

    # -- looks --------------------------------------------------------------------------------

    def found(self, cancellation_id: int) -> Cancellation:
        """Return a cancellation; ProgrammeError if there is none."""
        row = self._store.one(
            f"SELECT {CANCELLATION_COLUMNS} FROM cancellations WHERE cancellation_id = ?",
            (cancellation_id,),
        )
        if row is None:
            raise ProgrammeError(
                CcerRefusal.CANCELLATION_STATE,
                f"cancellation {cancellation_id}: expected a known one, got none",
            )
        return Cancellation(*row)

    def lots(self, cancellation_id: int) -> list[Lot]:
        """Return which serials a cancellation is of."""
        return lots_of(self._store, cancellation_id)

    def certificate(self, certificate: str) -> dict[str, Any]:
        """Return what a certificate says; whoever the registry knows may read it (CCER-CAN-03)."""
        content = self._store.one(
            "SELECT content FROM certificates WHERE certificate = ?", (certificate,)
        )
        if content is None:
            raise ProgrammeError(
                CcerRefusal.CERTIFICATE_UNKNOWN,
                f"certificate: expected one that was issued, got {certificate!r}",
            )
        shown: dict[str, Any] = json.loads(content)
        return shown

    def listed(
        self,
        account: str | None = None,
        state: str | None = None,
        *,
        first: int = 1,
        count: int = ALL,
    ) -> list[dict[str, Any]]:
        """Return cancellations from an id on, all or those of an account, or in one state."""
        return self._store.records(
            "SELECT c.cancellation_id, a.account, p.product AS instrument, c.tonnes, c.purpose,"
            " c.beneficiary, c.compliance_year, c.state, c.why, c.certificate, c.applied_on,"
            " c.decided_on FROM cancellations AS c"
            " JOIN accounts AS a ON a.account_index = c.account_index"
            " JOIN products AS p ON p.product_index = c.asset_index"
            " WHERE c.cancellation_id >= :first"
            + ("" if account is None else " AND c.account_index = :account")
            + ("" if state is None else " AND c.state = :state")
            + " ORDER BY c.cancellation_id LIMIT :count",
            {
                "first": first,
                "account": None if account is None else self._books.known(account),
                "state": state,
                "count": count,
            },
        )

    def certificates(self, first: int = 1, count: int = ALL) -> list[dict[str, Any]]:
        """Return certificates in the order of their cancellations, from an id on."""
        return self._store.records(
            "SELECT cancellation_id, certificate, issued_on FROM certificates"
            " WHERE cancellation_id >= ? ORDER BY cancellation_id LIMIT ?",
            (first, count),
        )

    # -- rows ---------------------------------------------------------------------------------

    def _applied(self, cancellation_id: int) -> Cancellation:
        found = self.found(cancellation_id)
        if found.state != "applied":
            raise ProgrammeError(
                CcerRefusal.CANCELLATION_STATE,
                f"cancellation {cancellation_id}: expected one that is applied for, got"
                f" {found.state}",
            )
        return found

    def _add(self, found: Cancellation, parts: Sequence[Lot]) -> None:
        self._store.insert(
            "cancellations (cancellation_id, account_index, asset_index, tonnes, purpose,"
            " beneficiary, compliance_year, state, why, certificate, applied_on, decided_on)",
            [found],
        )
        self._store.insert(
            "cancellation_lots (cancellation_id, issue_number, serial_first, serial_last)",
            [(found.cancellation_id, *lot) for lot in joined(parts)],
        )

    def _certify(self, found: Cancellation) -> str:
        today = self._books.business_date()
        done = found._replace(state="done", decided_on=today)
        issued = certificate_of(self._store, done)
        self._decide(found, "done", certificate=issued.certificate, why=found.why)
        self._store.insert(
            "certificates (certificate, cancellation_id, issued_on, content)", [issued]
        )
        return issued.certificate

    def _decide(
        self, found: Cancellation, state: str, *, why: str = "", certificate: str = ""
    ) -> None:
        self._store.execute(
            "UPDATE cancellations SET state = ?, why = ?, certificate = ?, decided_on = ?"
            " WHERE cancellation_id = ?",
            (state, why, certificate, self._books.business_date(), found.cancellation_id),
        )


def lots_of(store: Store, cancellation_id: int) -> list[Lot]:
    """Return which serials a cancellation is of."""
    rows = store.execute(
        "SELECT issue_number, serial_first, serial_last FROM cancellation_lots"
        " WHERE cancellation_id = ? ORDER BY issue_number, serial_first",
        (cancellation_id,),
    )
    return [Lot(*row) for row in rows.fetchall()]


def certificate_of(store: Store, done: Cancellation) -> Certificate:
    """Return the certificate of a cancellation, as it is issued on the day of the decision.

    Notes
    -----
    Rules: CCER-CAN-03.
    """
    date = done.decided_on
    number = f"CC-{date // 10_000}-{done.cancellation_id:06}"
    project, year = store.one(
        "SELECT p.project, i.generation_year FROM products AS i"
        " JOIN projects AS p ON p.project_id = i.project_id WHERE i.product_index = ?",
        (done.asset_index,),
    )
    holder = store.one("SELECT entity FROM accounts WHERE account_index = ?", (done.account_index,))
    lots = lots_of(store, done.cancellation_id)
    content = {
        "holder": holder,
        "project": project,
        "generation_year": year,
        "tonnes": done.tonnes,
        "serials": [[batch_number_of(store, lot), lot.first, lot.last] for lot in lots],
        "purpose": done.purpose,
        "beneficiary": done.beneficiary,
        "compliance_year": done.compliance_year,
        "certificate": number,
        "date": date,
    }
    said = json.dumps(content, ensure_ascii=False, sort_keys=True)
    return Certificate(number, done.cancellation_id, date, said)

"""Offsets: CCERs, cancelled in their own registry, count against an obligation."""

from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum

from msgspec.structs import astuple, replace

from cea_exchange.domain.compliance.offsets import CancellationProof as RuledProof
from cea_exchange.domain.compliance.ruled import ComplianceError
from cea_exchange.domain.compliance.surrender import offset
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.files.findings import Findings
from cea_exchange.institution.checks import WHY_LENGTH_MAX, ActError, words_checked
from cea_exchange.registry.checks import refusals_raised
from cea_exchange.registry.compliance.certificates import (
    certificate_issue_if_covered,
    certificate_revoke,
)
from cea_exchange.registry.compliance.obligation_status import standing_of
from cea_exchange.registry.compliance.offset_shares import offset_rules
from cea_exchange.registry.files import CancellationProof, SourceFile, cancellation_proofs_read
from cea_exchange.registry.files.layouts.cancellation_proofs import cancellation_proofs_check
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.participants.entities import entity_provinces
from cea_exchange.registry.participants.mergers import with_successor

_Lines = Sequence[tuple[int | None, CancellationProof]]


class Offsets:
    """The service that checks proofs of cancelled CCERs and books them.

    Rules: CEA-OFS-01 to CEA-OFS-08.

    Attributes
    ----------
    by_link_only : bool
        Whether proofs come from the CCER registry alone.
    after_covering : list of callable
        Each takes an account's index and a year of which an offset counts now, or counts no more,
        in the same transaction.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._store = ledger.store
        self.by_link_only = False
        self.after_covering: list[Callable[[int, int], None]] = []

    def take(self, source: SourceFile) -> list[str]:
        """Check and book a file of proofs, whole.

        Returns numbers of the certificates of obligations that are covered now.

        Raises ActError: with file, line and reason; nothing was booked.
        """
        self._by_hand_check()
        with self._store.transaction(), refusals_raised():
            table = cancellation_proofs_read(source, provinces=entity_provinces(self._store))
            lines = list(zip(table.lines, table.rows, strict=True))
            return self._book(table.file, lines)

    def book(self, proof: CancellationProof) -> str | None:
        """Check and book one proof; of a day that a person typed in it counts as used today.

        Returns the number of the certificate, if its obligation is covered now.
        """
        self._by_hand_check()
        return self._book_one(proof)

    def book_confirmed(self, proof: CancellationProof, *, applied_on: int = 0) -> str | None:
        """Check and book one proof, as `book` does, whose word is the CCER registry's own.

        The entity has done its part by its application for the cancellation: what the registries
        take from then on is not charged to it, and the offset counts from that day.

        Parameters
        ----------
        applied_on
            When the holder applied for the cancellation; 0: that is not known.

        Rules: CEA-OFS-03, CEA-OFS-05.
        """
        return self._book_one(proof, min(applied_on or proof.cancelled_on, proof.cancelled_on))

    def _book_one(self, proof: CancellationProof, done_on: int = 0) -> str | None:
        with self._store.transaction(), refusals_raised():
            name = f"proof {proof.proof}"
            findings = Findings(name)
            provinces = entity_provinces(self._store)
            for found in cancellation_proofs_check([(0, proof)], provinces):
                findings.add(None, *found[1:])
            findings.raise_any()
            return next(iter(self._book(name, [(None, proof)], done_on)), None)

    def is_counted(self, proof: str) -> bool:
        """Tell whether a proof was booked and not taken back."""
        return self._store.has("offset_proofs", proof=proof, revoked_on=0)

    def revoke(self, proof: str, why: str) -> None:
        """Take back a proof that was found false: what it covered is due again.

        It is never used again, and neither are its CCERs.

        Rules: CEA-OFS-07, CCER-LNK-03.
        """
        self._by_hand_check()
        self.revoke_reversed(proof, why)

    def revoke_reversed(self, proof: str, why: str) -> None:
        """Take back a proof, as `revoke` does, that the CCER registry says is reversed."""
        words_checked(why, "why", WHY_LENGTH_MAX)
        store, today = self._store, self._ledger.business_date()
        with store.transaction():
            row = store.one(
                "SELECT account_index, compliance_year FROM offset_proofs"
                " WHERE proof = ? AND revoked_on = 0",
                (proof,),
            )
            if row is None:
                raise ActError(
                    RegistryRefusal.PROOF_UNKNOWN, f"proof: expected one that counts, got {proof!r}"
                )
            store.change("offset_proofs", {"proof": proof}, revoked_on=today, revoked_why=why)
            index, year = row
            certificate_revoke(store, index, year, today, f"proof {proof} revoked: {why}")
            self._covered(index, year)

    def _covered(self, account_index: int, compliance_year: int) -> None:
        for follow in self.after_covering:
            follow(account_index, compliance_year)

    def _by_hand_check(self) -> None:
        """Refuse from a person's hand what the CCER registry says itself.

        Rules: CCER-LNK-03, CCER-LNK-04.
        """
        if self.by_link_only:
            raise ActError(
                RegistryRefusal.PROOFS_BY_LINK,
                "proof: expected the word of the CCER registry, got one by hand",
            )

    # -- booking ------------------------------------------------------------------------------

    def _book(self, file: str, entries: _Lines, done_on: int = 0) -> list[str]:
        """Book proofs one after the other; refuse all of them with everything that is wrong."""
        findings = Findings(file)
        for line, proof in entries:
            for refusal in self._refusals(proof, done_on):
                findings.add(line, *refusal)
            if not findings.count:
                self._row_add(proof, done_on)
        findings.raise_any()
        obligations = {(proof.account, proof.compliance_year): None for _line, proof in entries}
        certified = [self._certify(*obligation) for obligation in obligations]
        return [number for number in certified if number is not None]

    def _refusals(
        self, proof: CancellationProof, done_on: int
    ) -> Iterator[tuple[str, str, IntEnum]]:
        yield from self._used_before(proof)
        ledger = self._ledger
        try:
            index, _successor = with_successor(ledger, proof.account)
            standing = standing_of(self._store, ledger.rules, index, proof.compliance_year)
        except ActError as error:
            yield "account", str(error), error.code
            return
        status, rules = standing.status, offset_rules(ledger, proof.compliance_year)
        try:
            tonnes = rules.counted(
                replace(status.obligation, tonnes=standing.own),
                [_ruled(proof, done_on)],
                used_on=ledger.business_date(),
                counted_before=status.offset,
            )
            offset(status, tonnes, rules)
        except ComplianceError as error:
            yield "proof", str(error), error.code
            return
        if tonnes > standing.payable:
            text = f"expected at most the {standing.payable} t {proof.account} has not applied for"
            yield "tonnes", f"{text}, got {tonnes}", RegistryRefusal.NOT_DUE

    def _used_before(self, proof: CancellationProof) -> Iterator[tuple[str, str, IntEnum]]:
        """Find the proof, or any CCER of it, among those that were ever booked."""
        if self._store.has("offset_proofs", proof=proof.proof):
            text = f"expected a proof that was never used, got {proof.proof} again"
            yield "proof", text, RegistryRefusal.PROOF_USED
            return
        other = self._store.one(
            "SELECT proof FROM offset_proofs"
            " WHERE project = ? AND serial_first <= ? AND serial_last >= ?"
            " ORDER BY serial_first LIMIT 1",
            (proof.project, proof.serial_last, proof.serial_first),
        )
        if other is not None:
            text = f"expected CCERs of {proof.project} that were never used"
            text += f", got some of proof {other} again"
            yield "serial_first", text, RegistryRefusal.PROOF_USED

    def _row_add(self, proof: CancellationProof, done_on: int) -> None:
        number, year, account, project, *figures = astuple(proof)
        index, _successor = with_successor(self._ledger, account)
        today = self._ledger.business_date()
        row = (number, year, index, project, *figures, done_on or today, today, 0, "")
        self._store.insert(
            "offset_proofs (proof, compliance_year, account_index, project, serial_first,"
            " serial_last, tonnes, registered_on, cancelled_on, quota_managed, project_started_on,"
            " applied_on, produced_from, produced_to, counted_from, booked_on, revoked_on,"
            " revoked_why)",
            [row],
        )

    def _certify(self, account: str, compliance_year: int) -> str | None:
        ledger = self._ledger
        index, _successor = with_successor(ledger, account)
        self._covered(index, compliance_year)
        standing = standing_of(self._store, ledger.rules, index, compliance_year)
        return certificate_issue_if_covered(self._store, standing, ledger.business_date())


def _ruled(proof: CancellationProof, done_on: int) -> RuledProof:
    """Return what the rules ask of a proof."""
    return RuledProof(
        number=proof.proof,
        tonnes=proof.tonnes,
        registered_on=proof.registered_on,
        cancelled_on=proof.cancelled_on,
        quota_managed=proof.quota_managed,
        project_started_on=proof.project_started_on,
        applied_on=proof.applied_on,
        produced_from=proof.produced_from,
        produced_to=proof.produced_to,
        done_on=done_on,
    )

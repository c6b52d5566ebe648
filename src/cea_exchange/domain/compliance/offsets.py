"""CCERs against an obligation: how many, which, and when; each cancellation counts once."""

from collections.abc import Collection, Sequence
from datetime import date
from itertools import pairwise
from typing import Annotated, Literal

from msgspec import Meta, Struct

from cea_exchange.domain.calendar import date_number
from cea_exchange.domain.compliance.obligations import Obligation
from cea_exchange.domain.compliance.ruled import (
    ComplianceError,
    Draftable,
    DraftableDate,
    Drafted,
    Year,
)
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.domain.ruled import BasisPoints
from cea_exchange.domain.units import tonnes_check

Quota = Literal["no", "regional", "national"]
"""Under whose allowances a project's emissions are."""

_YEARS = 10_000
"""A year, in dates as yyyymmdd."""

DATES_IN_ORDER = (
    *("project_started_on", "produced_from", "produced_to"),
    *("applied_on", "registered_on", "cancelled_on"),
)
"""A proof's dates: none is before the one in front of it (CEA-OFS-08)."""


class NewOnly(Drafted, frozen=True, kw_only=True):
    """From `from_year` on only CCERs registered after a day count."""

    from_year: Year
    registered_after: date


class RegisteredTests(Drafted, frozen=True, kw_only=True, rename={"since": "from"}):
    """What CCERs registered from a day on are tested by, as in the voluntary market."""

    since: date
    project_started_after: date
    produced_after: date
    produced_years_max: Annotated[int, Meta(ge=1, le=99)]
    regional_quota: bool


class CancellationProof(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the voluntary market's registry certifies: tonnes cancelled of one batch of CCERs.

    Attributes
    ----------
    number
        The proof's own; it is used once.
    tonnes
        What was cancelled.
    registered_on, cancelled_on
        When the batch was registered there, and when this was cancelled.
    quota_managed
        Whether the project's emissions are under allowances, and under which market's.
    project_started_on, applied_on, produced_from, produced_to
        When the project began, when the batch was applied for, and its first and last day of
        reductions. All dates are yyyymmdd.
    done_on
        When its entity had done its part: what the registries took since is not charged to it; 0
        where that is not known.
    """

    number: str
    tonnes: int
    registered_on: int
    cancelled_on: int
    quota_managed: Quota
    project_started_on: int
    applied_on: int
    produced_from: int
    produced_to: int
    done_on: int = 0


class OffsetRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What decides which CCERs count, and how many.

    Notes
    -----
    Rules: CEA-OFS-01 to CEA-OFS-06, CEA-OFS-08.
    """

    cap_bp: Draftable[BasisPoints]
    old_registered_before: DraftableDate
    old_void_from: DraftableDate
    registered: RegisteredTests
    new_only: NewOnly | None = None

    def cap(self, obligation_tonnes: int) -> int:
        """Return the most tonnes of CCERs that count, rounded down (CEA-OFS-01)."""
        return tonnes_check(obligation_tonnes, "obligation") * self.cap_bp.value // 10_000

    def refusal(self, proof: CancellationProof, compliance_year: int, used_on: int) -> str | None:
        """Say why a proof does not count for a year's obligation on a day; None if it does.

        Notes
        -----
        Rules: CEA-OFS-02, CEA-OFS-03, CEA-OFS-04, CEA-OFS-06, CEA-OFS-08.
        """
        if proof.tonnes <= 0:
            return f"tonnes: expected 1 t or more, got {proof.tonnes}"
        for before, name in pairwise(DATES_IN_ORDER):
            first, day = getattr(proof, before), getattr(proof, name)
            if day < first:
                return f"{name}: expected not before {before} {first}, got {day}"
        if proof.cancelled_on > used_on:
            return f"cancelled_on: expected by {used_on}, got {proof.cancelled_on}"
        if proof.quota_managed == "national":
            return "project: expected none under national allowances, got one (CEA-OFS-02)"
        if proof.registered_on < self.old_registered_before.number:
            return self._old_refusal(proof, compliance_year, used_on)
        return self._year_refusal(proof, compliance_year) or self._batch_refusal(proof)

    def counted(
        self,
        obligation: Obligation,
        proofs: Sequence[CancellationProof],
        *,
        used_on: int,
        used_numbers: Collection[str] = (),
        counted_before: int = 0,
    ) -> int:
        """Return the tonnes that proofs add to what counts already; each whole, or all refused.

        Parameters
        ----------
        obligation : Obligation
            What they count against.
        proofs : sequence of CancellationProof
            In any order.
        used_on : int
            The day (yyyymmdd).
        used_numbers : collection of str
            Proofs that were used before, by anybody.
        counted_before : int
            Tonnes of CCERs that count against this obligation already.

        Raises
        ------
        ComplianceError
            If one does not count, was used before, or all together exceed the cap.

        Notes
        -----
        Rules: CEA-OFS-01, CEA-OFS-05.
        """
        seen = set(used_numbers)
        tonnes = 0
        for proof in proofs:
            if proof.number in seen:
                raise ComplianceError(
                    RegistryRefusal.PROOF_USED,
                    f"proof {proof.number}: expected to be used once, got it again",
                )
            refusal = self.refusal(proof, obligation.compliance_year, used_on)
            if refusal is not None:
                raise ComplianceError(
                    RegistryRefusal.PROOF_NOT_ELIGIBLE, f"proof {proof.number}: {refusal}"
                )
            seen.add(proof.number)
            tonnes += proof.tonnes
        cap = self.cap(obligation.tonnes)
        if tonnes + tonnes_check(counted_before, "CCERs counted before") > cap:
            raise ComplianceError(
                RegistryRefusal.OFFSET_LIMIT,
                f"CCERs: expected at most {cap} t of {obligation.tonnes} t, got {counted_before}"
                f" + {tonnes}",
            )
        return tonnes

    def _old_refusal(
        self, proof: CancellationProof, compliance_year: int, used_on: int
    ) -> str | None:
        """Old ones are void by day, whatever the year they are to pay for."""
        used_on = min(used_on, proof.done_on or used_on)
        if used_on >= self.old_void_from.number:
            return (
                f"CCERs registered before {self.old_registered_before.number}: expected to be used"
                f" before {self.old_void_from.number}, got on {used_on}"
            )
        return self._year_refusal(proof, compliance_year)

    def _year_refusal(self, proof: CancellationProof, compliance_year: int) -> str | None:
        if self.new_only is None or compliance_year < self.new_only.from_year:
            return None
        last = date_number(self.new_only.registered_after)
        if proof.registered_on > last:
            return None
        return (
            f"registered_on: expected after {last} for {compliance_year}, got {proof.registered_on}"
        )

    def _batch_refusal(self, proof: CancellationProof) -> str | None:
        tests = self.registered
        if proof.registered_on < date_number(tests.since):
            return (
                f"registered_on: expected before {self.old_registered_before.number} or from"
                f" {date_number(tests.since)} on, got {proof.registered_on}"
            )
        if proof.quota_managed == "regional" and not tests.regional_quota:
            return (
                f"project of CCERs registered from {date_number(tests.since)} on: expected none"
                f" under regional allowances, got one ({tests.rule})"
            )
        if proof.project_started_on <= date_number(tests.project_started_after):
            return (
                f"project: expected to start after {date_number(tests.project_started_after)},"
                f" got {proof.project_started_on}"
            )
        if proof.produced_from <= date_number(tests.produced_after):
            return (
                f"reductions: expected after {date_number(tests.produced_after)},"
                f" got from {proof.produced_from}"
            )
        earliest = proof.applied_on - tests.produced_years_max * _YEARS
        if proof.produced_from < earliest:
            return (
                f"reductions: expected those of the {tests.produced_years_max} years before"
                f" {proof.applied_on}, got from {proof.produced_from}"
            )
        return None

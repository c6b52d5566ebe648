r"""Batches (减排量): the reductions of one accounting period, from their report to their issue.

    published -> verifying -> verified -> applied -> issued
        |            |           |           |  \---> refused
        +------------+-----------+-----------+--> recalled
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from cea_exchange.domain.calendar import date_number
from cea_exchange.domain.ccer.life_cycle import LifeCycle
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.ccer.projects import ProjectDesign
from cea_exchange.domain.ccer.terms import day_check
from cea_exchange.domain.compliance.offsets import RegisteredTests
from cea_exchange.domain.refusals import CcerRefusal

TONNES_MAX = 1_000_000_000_000
"""Of a batch: far more than the world emits in a year, so that no sum of batches ever overflows."""
_YEAR = 10_000
"""A year, in dates as yyyymmdd."""


class BatchState(StrEnum):
    """Where a batch is."""

    PUBLISHED = "published"
    VERIFYING = "verifying"
    VERIFIED = "verified"
    APPLIED = "applied"
    ISSUED = "issued"
    REFUSED = "refused"
    RECALLED = "recalled"


BATCH_LIFE = LifeCycle(
    what="batch",
    code=CcerRefusal.BATCH_STATE,
    steps={
        "begin_verification": {BatchState.PUBLISHED: BatchState.VERIFYING},
        "verify": {BatchState.VERIFYING: BatchState.VERIFIED},
        "apply": {BatchState.VERIFIED: BatchState.APPLIED},
        "issue": {BatchState.APPLIED: BatchState.ISSUED},
        "refuse": {BatchState.APPLIED: BatchState.REFUSED},
        "recall": dict.fromkeys(
            (
                *(BatchState.PUBLISHED, BatchState.VERIFYING),
                *(BatchState.VERIFIED, BatchState.APPLIED),
            ),
            BatchState.RECALLED,
        ),
    },
)
"""Rules: CCER-BAT-01."""


class Period(NamedTuple):
    """First and last day of reductions, both inclusive: an accounting period (核算期)."""

    from_date: int
    to_date: int

    def overlaps(self, other: "Period") -> bool:
        """Tell whether the two share a day."""
        return self.from_date <= other.to_date and other.from_date <= self.to_date


class ReductionReport(Struct, frozen=True, kw_only=True):
    """What a reduction report (减排量核算报告) says.

    Attributes
    ----------
    produced_from, produced_to
        First and last day of its accounting period.
    tonnes
        Generation year -> tonnes of CO2 equivalent.
    """

    produced_from: int
    produced_to: int
    tonnes: dict[int, int]

    @property
    def period(self) -> Period:
        """Its accounting period."""
        return Period(self.produced_from, self.produced_to)


def report_check(
    report: ReductionReport,
    design: ProjectDesign,
    others: Iterable[Period],
    tests: RegisteredTests,
    published_on: int,
) -> None:
    """Refuse a report of reductions that the programme takes never, whenever it is applied for.

    Parameters
    ----------
    design
        Of the project, as it was registered.
    others
        Accounting periods of the project's other batches, but those refused or recalled.

    Notes
    -----
    Rules: CCER-BAT-02, CCER-BAT-03.
    """
    period = report.period
    day_check(period.from_date, "produced_from")
    day_check(period.to_date, "produced_to")
    if not period.from_date <= period.to_date < published_on:
        raise ProgrammeError(
            CcerRefusal.DATES_OUT_OF_ORDER,
            f"accounting period: expected first day, last day, publication on {published_on}, got"
            f" {period.from_date} to {period.to_date}",
        )
    if not design.crediting_from <= period.from_date <= period.to_date <= design.crediting_to:
        raise _not_eligible(
            f"within the crediting period {design.crediting_from} to {design.crediting_to}", period
        )
    if period.from_date <= date_number(tests.produced_after):
        raise _not_eligible(f"after {date_number(tests.produced_after)}", period)
    overlapped = next((each for each in others if period.overlaps(each)), None)
    if overlapped is not None:
        raise _not_eligible(
            f"apart from another batch's, {overlapped.from_date} to {overlapped.to_date}", period
        )
    tonnes_check(report.tonnes, period)


def application_check(period: Period, applied_on: int, tests: RegisteredTests) -> None:
    """Refuse reductions that are too old on the day that their registration is applied for.

    Notes
    -----
    Rules: CCER-BAT-03.
    """
    earliest = applied_on - tests.produced_years_max * _YEAR
    if period.from_date < earliest:
        raise _not_eligible(
            f"in the {tests.produced_years_max} years before {applied_on}", period
        )


def tonnes_by_year(given: Mapping[str, int]) -> dict[int, int]:
    """Return generation year -> tonnes of years that were typed; refuse what is no year."""
    if not all(len(year) == 4 and year.isdecimal() for year in given):
        raise ProgrammeError(
            CcerRefusal.REDUCTIONS_NOT_ELIGIBLE,
            f"tonnes: expected years such as 2024, got {', '.join(given)[:80]!r}",
        )
    return {int(year): tonnes for year, tonnes in given.items()}


def tonnes_check(tonnes: Mapping[int, int], period: Period) -> None:
    """Refuse tonnes of years that a period has not, and of none or less than nothing.

    Notes
    -----
    Rules: CCER-BAT-02, CCER-LOT-01.
    """
    first, last = period.from_date // _YEAR, period.to_date // _YEAR
    if not tonnes or min(tonnes) < first or max(tonnes) > last or min(tonnes.values()) <= 0:
        raise ProgrammeError(
            CcerRefusal.REDUCTIONS_NOT_ELIGIBLE,
            f"tonnes: expected 1 t or more of each of some years {first} to {last}, got"
            f" {dict(sorted(tonnes.items()))}",
        )
    if sum(tonnes.values()) > TONNES_MAX:
        raise ProgrammeError(
            CcerRefusal.REDUCTIONS_NOT_ELIGIBLE,
            f"tonnes: expected at most {TONNES_MAX} in all, got {sum(tonnes.values())}",
        )


def verified_check(verified: Mapping[int, int], report: ReductionReport) -> None:
    """Refuse that more is verified than was reported, of any year.

    Notes
    -----
    Rules: CCER-BAT-05.
    """
    tonnes_check(verified, report.period)
    for year, tonnes in sorted(verified.items()):
        reported = report.tonnes.get(year, 0)
        if tonnes > reported:
            raise ProgrammeError(
                CcerRefusal.REDUCTIONS_NOT_ELIGIBLE,
                f"tonnes of {year}: expected at most the {reported} t reported, got {tonnes}",
            )


def _not_eligible(expected: str, period: Period) -> ProgrammeError:
    return ProgrammeError(
        CcerRefusal.REDUCTIONS_NOT_ELIGIBLE,
        f"reductions: expected {expected}, got {period.from_date} to {period.to_date}",
    )

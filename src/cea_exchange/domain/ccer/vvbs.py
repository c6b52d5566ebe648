"""Validation and verification bodies (VVB, 审定与核查机构): who may say what, of whose project."""

from collections.abc import Sequence

from msgspec import Struct

from cea_exchange.domain.calendar import date_of_number
from cea_exchange.domain.ccer.methodologies import Sector
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.refusals import CcerRefusal


class Accreditation(Struct, frozen=True, kw_only=True):
    """A VVB's licence for one sector, from its first to its last day; 0: no last day is known."""

    sector: Sector
    from_date: int
    until_date: int = 0

    def covers(self, sector: int, on: int) -> bool:
        """Tell whether it is of a sector and in force on a day."""
        is_ended = self.until_date and on > self.until_date
        return self.sector == sector and self.from_date <= on and not is_ended


def accredited_check(
    vvb: str, accreditations: Sequence[Accreditation], sector: int, on: int
) -> None:
    """Refuse work of a VVB that no licence covers on the day of that work.

    Notes
    -----
    Rules: CCER-VVB-01.
    """
    if not any(each.covers(sector, on) for each in accreditations):
        raise ProgrammeError(
            CcerRefusal.VVB_NOT_ACCREDITED,
            f"vvb: expected one accredited for sector {sector} on {on}, got {vvb}",
        )


def verifier_check(verifier: str, validator: str) -> None:
    """Refuse that a project's reductions are verified by who validated the project.

    Notes
    -----
    Rules: CCER-VVB-02.
    """
    if verifier == validator:
        raise ProgrammeError(
            CcerRefusal.VVB_SAME,
            f"verifier: expected another VVB than the project's validator, got {verifier}",
        )


def report_is_late(
    published_on: int, reported_on: int, owner_days: int, days_max: int
) -> bool:
    """Tell whether a VVB took too long from publication to its report.

    Parameters
    ----------
    owner_days
        Of those in between, the days that the owner needed to answer.

    Raises
    ------
    ProgrammeError
        The owner is said to have needed more days than passed.

    Notes
    -----
    Rules: CCER-VVB-03.
    """
    took = date_of_number(reported_on) - date_of_number(published_on)
    if not 0 <= owner_days <= took.days:
        raise ProgrammeError(
            CcerRefusal.AMOUNT_UNSOUND,
            f"owner_days: expected at most the {took.days} since {published_on}, got {owner_days}",
        )
    return took.days - owner_days > days_max

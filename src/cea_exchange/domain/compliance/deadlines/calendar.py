"""Deadlines: of a month's filing, of a year, and by date since 2019."""

import functools
from datetime import date, time, timedelta
from typing import Annotated, Literal

from msgspec import Meta, Struct

from cea_exchange.domain.compliance.allocation import Sector
from cea_exchange.domain.compliance.ruled import ComplianceError, Count, Mark, load_rules
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.domain.ruled import Cited, Ruled

Actor = Literal["authority", "province", "entity", "registry"]
Act = Literal[
    "month", "report", "factors_frozen", "plan_drafting", "quality_plan",
    "verify", "check_reporting", "verifier_score", "list",
    "accounts", "plan", "pre_allocation", "final_set", "final_issued", "surrender", "carryover",
    "correction", "penalty", "notice", "law", "market",
]  # fmt: skip


class Event(Cited, frozen=True, kw_only=True):
    """What happened on a day, or was or is due by its end.

    Attributes
    ----------
    at
        The time by which it was due, where that is known.
    years
        Compliance years; of a list, the list's.
    sectors
        Empty: all.
    """

    day: date
    at: time | None = None
    act: Act
    actor: Actor
    words: str
    due: bool = False
    years: tuple[int, ...] = ()
    sectors: tuple[Sector, ...] = ()
    mark: Mark | None = None

    def is_of(self, sector: Sector | None) -> bool:
        """Tell whether it concerns a sector; None: any."""
        return sector is None or not self.sectors or sector in self.sectors


class Standing(Cited, frozen=True, kw_only=True):
    """A day of every year, so many years after the one it is about."""

    act: Act
    actor: Actor
    month: Annotated[int, Meta(ge=1, le=12)]
    day: Annotated[int, Meta(ge=1, le=31)]
    years_later: int


class FilingStart(Cited, frozen=True, kw_only=True):
    """The first month that a sector files."""

    sectors: tuple[Sector, ...]
    month: date
    mark: Mark | None = None


class FiledAfterwards(Cited, frozen=True, kw_only=True):
    """Months, from a first one to a last, that sectors filed by one day."""

    sectors: tuple[Sector, ...]
    first: date
    last: date
    by: date


class CalendarFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shape of the file of deadlines."""

    filing_days: Ruled[Count]
    filing_start: tuple[FilingStart, ...]
    filed_afterwards: tuple[FiledAfterwards, ...]
    standing: tuple[Standing, ...]
    event: tuple[Event, ...]


@functools.cache
def deadlines() -> CalendarFile:
    """Return the packaged deadlines."""
    return load_rules("deadlines/calendar", CalendarFile, drafts=True)


def filing_due(sector: Sector, year: int, month: int) -> date:
    """Return the last day, inclusive, to file a month: 40 calendar days after its end.

    Notes
    -----
    No day of rest moves it. What a sector filed afterwards was due by a day of its own.

    Rules: CEA-MRV-01, CEA-MRV-02, CEA-CAL-04.
    """
    if (afterwards := _filed_afterwards(sector, year, month)) is not None:
        return afterwards.by
    first_after = date(year + month // 12, month % 12 + 1, 1)
    return first_after + timedelta(days=deadlines().filing_days.value - 1)


def _filed_afterwards(sector: Sector, year: int, month: int) -> FiledAfterwards | None:
    day = date(year, month, 1)
    for each in deadlines().filed_afterwards:
        if sector in each.sectors and each.first <= day <= each.last:
            return each
    return None


def is_filed_monthly(sector: Sector, year: int, month: int) -> bool:
    """Tell whether a sector files a month, in time or afterwards.

    Notes
    -----
    Rules: CEA-MRV-02.
    """
    if _filed_afterwards(sector, year, month) is not None:
        return True
    start = next(each for each in deadlines().filing_start if sector in each.sectors)
    return date(year, month, 1) >= start.month


def standing_due(act: Act, year: int) -> date:
    """Return the day by which an act of a year is due, where no notice sets another.

    The drafting of plans begins on its day, with the factors that were frozen the day before.

    Raises
    ------
    ComplianceError
        If the act has no day of every year.

    Notes
    -----
    Rules: CEA-CAL-01, CEA-MRV-12.
    """
    for each in deadlines().standing:
        if each.act == act:
            return date(year + each.years_later, each.month, each.day)
    known = ", ".join(each.act for each in deadlines().standing)
    raise ComplianceError(
        RegistryRefusal.CHOICE_UNKNOWN, f"act: expected one of {known}, got {act!r}"
    )


def events(
    first: date, last: date, *, actor: Actor | None = None, sector: Sector | None = None
) -> tuple[Event, ...]:
    """Return what is dated from a day to a day, both inclusive, in the order of days.

    Notes
    -----
    Rules: CEA-CAL-02.
    """
    return tuple(
        event
        for event in deadlines().event
        if first <= event.day <= last
        and (actor is None or event.actor == actor)
        and event.is_of(sector)
    )


def due_day(act: Act, year: int, sector: Sector) -> date:
    """Return the day by which an act of a compliance year is due: as dated, else as every year.

    Notes
    -----
    Rules: CEA-CAL-01, CEA-CAL-02, CEA-CAL-04.
    """
    dated = [
        event.day
        for event in deadlines().event
        if event.act == act and event.due and year in event.years and event.is_of(sector)
    ]
    return max(dated) if dated else standing_due(act, year)

"""How long each step of the procedure may take, and on which day its term ends."""

import functools
from calendar import monthrange
from collections.abc import Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Annotated

from msgspec import Meta, Struct

from cea_exchange.domain.calendar import CalendarError, TermEnd, TradingCalendar
from cea_exchange.domain.compliance.penalties import FineRange
from cea_exchange.domain.compliance.ruled import ComplianceError, Mark, load_rules
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.domain.ruled import Cited

HEARING_FROM = 200_000_00
"""Fen of a fine, or of gains, from which an organisation may ask for a hearing."""
JOINT_FROM = 500_000_00
"""Fen of a fine that is reviewed by lawyers and decided together."""
LIMITATION_YEARS, HARM_YEARS = 2, 5
Days = Annotated[int, Meta(ge=1, le=365)]


class Clock(Cited, frozen=True, kw_only=True):
    """A term: so many days, working days or months after an event, and by how much it may grow."""

    step: str
    after: str
    days: Days | None = None
    months: Annotated[int, Meta(ge=1, le=12)] | None = None
    working: bool = False
    extensions: tuple[Days, ...] = ()
    document: str
    mark: Mark | None = None


class ClocksFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shape of the file of clocks."""

    clock: tuple[Clock, ...]


@functools.cache
def clocks() -> Mapping[str, Clock]:
    """Return the packaged clocks by step."""
    file = load_rules("enforcement/clocks", ClocksFile, drafts=True)
    return MappingProxyType({clock.step: clock for clock in file.clock})


def term(
    step: str, event: date, calendar: TradingCalendar, *, extended: int = 0, stopped: int = 0
) -> TermEnd:
    """Return the last day for a step, the whole of which is in time, and whether it is certain.

    Parameters
    ----------
    step : str
        One of `clocks`.
    event : date
        The day from which it runs, which is not counted.
    calendar : TradingCalendar
        That knows which days are worked.
    extended : int
        How many of its extensions were granted.
    stopped : int
        Days that do not count, as those of a hearing, tests and service.

    Raises
    ------
    ComplianceError
        If there is no such step, or it has fewer extensions.

    Notes
    -----
    Rules: CEA-LAW-18 to CEA-LAW-27, CEA-VER-12, CEA-VER-13, CEA-PLN-26, CEA-DAY-10.
    """
    clock = clocks().get(step)
    if clock is None:
        raise ComplianceError(
            RegistryRefusal.CHOICE_UNKNOWN,
            f"step: expected one of {', '.join(clocks())}, got {step!r}",
        )
    if not 0 <= extended <= len(clock.extensions):
        raise ComplianceError(
            RegistryRefusal.DATE_OUT_OF_RANGE,
            f"extensions of {step}: expected within 0..{len(clock.extensions)}, got {extended}"
            f" ({clock.rule})",
        )
    if clock.working:
        return calendar.term_end(event, (clock.days or 0) + stopped)
    if clock.months is not None:
        last = months_after(event, clock.months) + timedelta(days=stopped)
    else:
        days = (clock.days or 0) + sum(clock.extensions[:extended]) + stopped
        last = event + timedelta(days=days)
    return calendar.rolled(last)


def due(
    step: str, event: date, calendar: TradingCalendar, *, extended: int = 0, stopped: int = 0
) -> date:
    """Return the last day for a step, which is certain; as `term`.

    Raises
    ------
    ComplianceError
        If there is no such step, or it has fewer extensions.
    CalendarError
        If the calendar ends before.
    """
    end = term(step, event, calendar, extended=extended, stopped=stopped)
    if end.is_provisional:
        raise CalendarError(
            f"{step}: expected to end by {calendar.last}, the last day of calendar"
            f" {calendar.name}, got {end.day} by the weekdays"
        )
    return end.day


def months_after(day: date, months: int) -> date:
    """Return the same day so many months later, or the last of that month."""
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def may_ask_hearing(fine: FineRange, gains: int = 0, *, stops_production: bool = False) -> bool:
    """Tell whether an organisation may ask for a hearing before the decision.

    Notes
    -----
    Rules: CEA-LAW-20.
    """
    return stops_production or max(fine.most, gains) >= HEARING_FROM


def decided_jointly(fine: int, *, heard: bool = False, stops_production: bool = False) -> bool:
    """Tell whether lawyers review a decision and the heads of the authority make it together.

    Notes
    -----
    Rules: CEA-LAW-21.
    """
    return heard or stops_production or fine >= JOINT_FROM


def may_still_be_punished(ended_on: date, found_on: date, *, harmful: bool = False) -> bool:
    """Tell whether an act was found within two years of its end, of five where it did harm.

    Notes
    -----
    Rules: CEA-LAW-17.
    """
    years = HARM_YEARS if harmful else LIMITATION_YEARS
    return found_on < months_after(ended_on, 12 * years)

"""Periods of disclosure, and when one is due: a day, a week, a month, a year."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Literal, NamedTuple

from cea_exchange.domain.calendar import CalendarError, TradingCalendar, date_of_number

PeriodKind = Literal["day", "week", "month", "year"]
KINDS: tuple[PeriodKind, ...] = ("day", "week", "month", "year")


class Period(NamedTuple):
    """A period that is over.

    Attributes
    ----------
    name
        ``2025-07-16``, ``2025-W29``, ``2025-07`` or ``2025``.
    days
        The closed trading days in it, yyyymmdd, ascending.
    """

    kind: PeriodKind
    name: str
    days: tuple[int, ...]


def period_name(kind: PeriodKind, day: date) -> str:
    """Return the name of the period that a day is of; weeks are those of ISO 8601."""
    match kind:
        case "day":
            return day.isoformat()
        case "week":
            year, week, _ = day.isocalendar()
            return f"{year}-W{week:02}"
        case "month":
            return f"{day:%Y-%m}"
        case "year":
            return f"{day:%Y}"


def periods_due(
    closed: Sequence[int], calendar: TradingCalendar, kinds: Iterable[PeriodKind] = KINDS
) -> Iterator[Period]:
    """Yield the periods whose last trading day is closed, oldest first of each kind.

    Parameters
    ----------
    closed
        The closed trading days, yyyymmdd, ascending.

    Notes
    -----
    Rules: CEA-INF-04. Where the calendar does not reach the day after the last, only what a later
    closed day has ended is due, and days.
    """
    after = _day_after(closed, calendar)
    for kind in kinds:
        days_of: dict[str, list[int]] = {}
        for number in closed:
            days_of.setdefault(period_name(kind, date_of_number(number)), []).append(number)
        going_on = None if kind == "day" or not closed else period_name(kind, after)
        for name, days in days_of.items():
            if name != going_on:
                yield Period(kind, name, tuple(days))


def _day_after(closed: Sequence[int], calendar: TradingCalendar) -> date:
    if not closed:
        return calendar.first
    last = date_of_number(closed[-1])
    try:
        return calendar.next_trading_day(last)
    except CalendarError:
        return last

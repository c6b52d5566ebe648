"""The days of a compliance year, and what is done on each.

    list --> filed --> verified --> given --> surrendered --> deadline --> fines

A compliance year is played in the calendar year of its deadline: its allowances are given in it,
and there is a market for them.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from cea_exchange.domain.calendar import TradingCalendar, date_of_number
from cea_exchange.domain.compliance.deadlines.calendar import deadlines, due_day
from cea_exchange.domain.compliance.rules import ComplianceRules

GIVEN = (8, 20)
"""Month and day on which allowances are given, where none is known: as in 2025."""
DAYS_MIN = 7
"""Fewer trading days would leave none to file or to verify on."""
HEARD_DAYS = 5
"""Working days to state and to ask for a hearing, once there was notice (CEA-LAW-19)."""
AFTER_DAYS = 6
"""From the deadline to the acts against whom it found short."""


class Timeline(NamedTuple):
    """The days of a year.

    Attributes
    ----------
    trading_days
        All of the deadline's year.
    filed_until, verified_until
        Each enterprise has filed, and is verified, by that day.
    given_on
        Allowances are given, and obligations set.
    deadline
        Last day to surrender.
    after, decided
        What is short is acted against, and fined once who is short could be heard.
    """

    trading_days: tuple[date, ...]
    filed_until: date
    verified_until: date
    given_on: date
    deadline: date
    after: date
    decided: date


def calendar_reaching(name: str, year: int) -> TradingCalendar:
    """Return a calendar that reaches all that is done for a compliance year, by assumed days."""
    calendar = TradingCalendar.load(name)
    for assumed, text in days_assumed(calendar, year):
        calendar = calendar.followed_by(TradingCalendar.parse(text, assumed))
    return calendar


def days_assumed(known: TradingCalendar, year: int) -> list[tuple[str, str]]:
    """Return the calendars, by name as TOML, that a compliance year needs behind the days known.

    Of a year whose days off are not announced yet only 1 January is taken as one: the model's
    assumption, which no daemon makes by itself.
    """
    found = []
    for beyond in range(known.last.year + 1, _deadline(year).year + 2):
        new_year = date(beyond, 1, 1)
        closures = f'{new_year} = "New Year\'s Day, assumed"' if new_year.weekday() < 5 else ""
        text = (
            f'name = "{beyond}, assumed"\nfirst = {new_year}\nlast = {date(beyond, 12, 31)}\n'
            f'closed_weekdays = ["saturday", "sunday"]\n[closures]\n{closures}\n'
        )
        found.append((f"{beyond}, assumed", text))
    return found


def _deadline(year: int) -> date:
    return date_of_number(ComplianceRules.load().obligations.cycle_of(year).deadline)


def timeline(year: int, calendar: TradingCalendar, days_max: int = 0) -> Timeline:
    """Return the days of a compliance year.

    Parameters
    ----------
    days_max
        So many trading days at most, spread over the year, the last one among them; 0: all.

    Raises
    ------
    ValueError
        So few days leave none to file on.
    CalendarError
        The calendar does not reach its deadline.
    """
    if 0 < days_max < DAYS_MIN:
        raise ValueError(f"days: expected 0 for all, or {DAYS_MIN} or more, got {days_max}")
    deadline = _deadline(year)
    first = max(date(deadline.year, 1, 1), calendar.first)
    days = [first + timedelta(days=day) for day in range((deadline - first).days + 1)]
    trading_days = [day for day in days if calendar.is_trading_day(day)]
    return Timeline(
        trading_days=_spread(trading_days, days_max),
        filed_until=date(deadline.year, 3, 31),
        verified_until=date(deadline.year, 6, 30),
        given_on=_given_on(year, deadline.year),
        deadline=deadline,
        after=(after := deadline + timedelta(days=AFTER_DAYS)),
        decided=calendar.term_end(after, HEARD_DAYS + 1).day,
    )


def _spread(days: Sequence[date], count: int) -> tuple[date, ...]:
    if not 0 < count < len(days):
        return tuple(days)
    return tuple(days[(number + 1) * len(days) // count - 1] for number in range(count))


def _given_on(year: int, deadline_year: int) -> date:
    is_dated = any(
        event.act == "final_issued" and year in event.years and event.is_of("power")
        for event in deadlines().event
    )
    if is_dated:
        return due_day("final_issued", year, "power")
    return date(deadline_year, *GIVEN)

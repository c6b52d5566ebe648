"""Which days are trading days and which are working days, how far that is known, and why."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

import msgspec
from msgspec import Struct

from cea_exchange.user_files.formats import toml_parse
from cea_exchange.user_files.opening import UserFileError, text_read

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
HORIZON_WARNING_DAYS = 30
"""`calendar check` and a running venue warn this many days before the calendar ends."""

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

_DAY = timedelta(days=1)


class CalendarError(ValueError):
    """A calendar can't be read, or doesn't reach the day asked about."""


class CalendarFile(Struct, frozen=True, forbid_unknown_fields=True):
    """The shape of a calendar file."""

    name: str
    first: date
    last: date
    closed_weekdays: tuple[Weekday, ...]
    closures: dict[str, str]
    """ISO date -> why it is closed."""
    worked: dict[str, str] = {}
    """ISO date of a closed day on which work is done all the same -> why."""


class CalendarSummary(Struct, frozen=True):
    """How far a calendar reaches, as `calendar check` prints it."""

    name: str
    first: date
    last: date
    trading_days: dict[int, int]
    """Year -> trading days of it that the calendar knows."""
    closures: int
    warning: str | None
    """Set from `HORIZON_WARNING_DAYS` before the last day on."""


class TermEnd(NamedTuple):
    """The last day of a term, and whether that is certain.

    Attributes
    ----------
    is_provisional
        It lies beyond the days that the calendar knows: it is by the weekdays alone until the
        calendar of that year is loaded, and the term is not over by it.
    """

    day: date
    is_provisional: bool = False

    @classmethod
    def of(cls, number: int) -> "TermEnd":
        """Return a day (yyyymmdd) that somebody set, which no calendar moves."""
        return cls(date_of_number(number))

    @property
    def number(self) -> int:
        """Return the day as yyyymmdd."""
        return date_number(self.day)

    def is_over(self, today: int) -> bool:
        """Tell whether the term has certainly passed on a day (yyyymmdd): a provisional one never.

        So nobody is late by days off that nobody knows, and nothing comes early by them.

        Notes
        -----
        Rules: CEA-DAY-10.
        """
        return today > self.number and not self.is_provisional


def date_number(day: date) -> int:
    """Return a date as records carry it: 2025-07-16 gives 20250716."""
    return day.year * 10_000 + day.month * 100 + day.day


def date_of_number(number: int) -> date:
    """Return the date of a yyyymmdd number; ValueError if it is none."""
    try:
        return date(number // 10_000, number // 100 % 100, number % 100)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"date: expected yyyymmdd, got {number}") from error


def is_date_number(number: int) -> bool:
    """Tell whether a number such as 20250716 is a day's."""
    try:
        date_of_number(number)
    except ValueError:
        return False
    return True


def date_parse(text: str) -> date:
    """Read `2025-07-16`; no other form of ISO 8601 is taken."""
    if not isinstance(text, str):
        raise TypeError(f"date: expected str such as '2025-07-16', got {type(text).__name__}")
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"date: expected one such as '2025-07-16', got {text[:80]!r}") from error
    if day.isoformat() != text:
        raise ValueError(f"date: expected one such as '2025-07-16', got {text[:80]!r}")
    return day


class TradingCalendar:
    """The trading days (交易日) and working days (工作日) between two dates, both inclusive.

    Every trading day is a working day; some working days are none, as make-up weekends (调休).

    Parameters
    ----------
    name : str
        What errors and `calendar check` call it.
    first, last : date
        The horizon. A question beyond it is an error, never a guess.
    closed_weekdays : set of int
        Days of the week without trading, Monday is 0.
    closures : dict of date to str
        Further closed days and why.
    worked : dict of date to str
        Days without trading that are working days, and why.

    Notes
    -----
    Rules: CEA-DAY-01, CEA-DAY-09.
    """

    def __init__(
        self,
        name: str,
        first: date,
        last: date,
        closed_weekdays: frozenset[int],
        closures: dict[date, str],
        worked: Mapping[date, str] = MappingProxyType({}),
    ) -> None:
        if last < first:
            raise CalendarError(f"calendar {name}: last: expected {first} or later, got {last}")
        for day in closures:
            if not first <= day <= last:
                raise CalendarError(
                    f"calendar {name}: closure: expected within {first}..{last}, got {day}"
                )
            if day.weekday() in closed_weekdays:
                raise CalendarError(
                    f"calendar {name}: closure: expected a day open by its weekday, got {day}"
                )
        self.name = name
        self.first = first
        self.last = last
        self._closed_weekdays = closed_weekdays
        self._closures = dict(closures)
        for day in worked:
            if not first <= day <= last:
                raise CalendarError(
                    f"calendar {name}: worked: expected within {first}..{last}, got {day}"
                )
            if self.is_trading_day(day):
                raise CalendarError(
                    f"calendar {name}: worked: expected a day closed otherwise, got {day}"
                )
        self._worked = dict(worked)

    @classmethod
    def load(cls, name_or_path: str | Path) -> "TradingCalendar":
        """Read a packaged calendar by name, or a calendar file by path.

        Raises
        ------
        CalendarError
            If there is no such calendar, or it has an unknown key, a bad date or a closure outside
            its horizon.
        """
        if isinstance(name_or_path, Path) or name_or_path.endswith(".toml"):
            place = str(name_or_path)
            try:
                text = text_read(name_or_path, "a calendar")
            except UserFileError as error:
                raise CalendarError(str(error)) from error
            return cls.parse(text, place)
        if name_or_path not in calendar_names():
            known = ", ".join(calendar_names())
            raise CalendarError(f"calendar: expected one of {known}, got {name_or_path!r}")
        source = _folder().joinpath(f"{name_or_path}.toml")
        return cls.parse(source.read_text(encoding="utf-8"), f"calendar {name_or_path}")

    @classmethod
    @lru_cache(maxsize=16)
    def parse(cls, text: str, place: str) -> "TradingCalendar":
        """Read a calendar from TOML text; `place` names it in errors."""
        try:
            file = msgspec.convert(toml_parse(text), CalendarFile, strict=True)
            closures = {date_parse(day): reason for day, reason in file.closures.items()}
            worked = {date_parse(day): reason for day, reason in file.worked.items()}
        except ValueError as error:
            raise CalendarError(f"{place}: {error}") from error
        weekdays = frozenset(WEEKDAYS.index(day) for day in file.closed_weekdays)
        return cls(file.name, file.first, file.last, weekdays, closures, worked)

    def is_trading_day(self, day: date) -> bool:
        """Tell whether there is trading on a day; CalendarError beyond the horizon."""
        return self.reason(day) is None

    def reason(self, day: date) -> str | None:
        """Return why a day is no trading day, None if it is one.

        Raises
        ------
        CalendarError
            If the calendar does not reach the day.
        """
        if not self.first <= day <= self.last:
            raise CalendarError(
                f"date: expected within {self.first}..{self.last} (calendar {self.name}), got {day}"
            )
        if day.weekday() in self._closed_weekdays:
            return WEEKDAYS[day.weekday()].capitalize()
        return self._closures.get(day)

    def next_trading_day(self, day: date) -> date:
        """Return the first trading day after a day; CalendarError if the calendar ends before."""
        day += _DAY
        while not self.is_trading_day(day):
            day += _DAY
        return day

    def is_working_day(self, day: date) -> bool:
        """Tell whether a day is a working day; CalendarError beyond the horizon.

        Notes
        -----
        Rules: CEA-DAY-09.
        """
        return self.is_trading_day(day) or day in self._worked

    def working_days(self, first: date, last: date) -> list[date]:
        """Return the working days from `first` to `last`, both inclusive."""
        return [day for day in _each_day(first, last) if self.is_working_day(day)]

    def working_day_after(self, day: date, count: int) -> date:
        """Return the day on which a term of so many working days ends: its first day is the next.

        Raises
        ------
        CalendarError
            If the calendar ends before.
        """
        for _ in range(count):
            day += _DAY
            while not self.is_working_day(day):
                day += _DAY
        return day

    def term_end(self, day: date, count: int) -> TermEnd:
        """Return the end of a term of so many working days, also where the calendar ends before.

        Notes
        -----
        Rules: CEA-DAY-09, CEA-DAY-10.
        """
        for _ in range(count):
            day += _DAY
            while not self._is_worked(day):
                day += _DAY
        return TermEnd(day, is_provisional=day > self.last)

    def rolled(self, day: date) -> TermEnd:
        """Return the last day of a term of calendar days: the next working day if it is none.

        Notes
        -----
        Rules: CEA-DAY-10, CEA-LAW-27.
        """
        while not self._is_worked(day):
            day += _DAY
        return TermEnd(day, is_provisional=day > self.last)

    def _is_worked(self, day: date) -> bool:
        """Tell whether a day is worked: beyond the calendar by its weekday alone."""
        if day > self.last:
            return day.weekday() not in self._closed_weekdays
        return self.is_working_day(day)

    def followed_by(self, later: "TradingCalendar") -> "TradingCalendar":
        """Return this calendar with the days of a later one behind it; no known day changes.

        Raises
        ------
        CalendarError
            The later one does not begin on the day after this one's last, or has other weekdays.

        Notes
        -----
        Rules: CEA-DAY-10.
        """
        begins = self.last + _DAY
        if later.first != begins:
            raise CalendarError(
                f"calendar {later.name}: first: expected {begins}, the day after the last of"
                f" {self.name}, got {later.first}"
            )
        if later._closed_weekdays != self._closed_weekdays:
            raise CalendarError(
                f"calendar {later.name}: closed_weekdays: expected those of {self.name}"
            )
        return TradingCalendar(
            self.name,
            self.first,
            later.last,
            self._closed_weekdays,
            self._closures | later._closures,
            self._worked | later._worked,
        )

    def days(self, first: date | None = None, last: date | None = None) -> list[date]:
        """Return the trading days from `first` to `last`, both inclusive, by default all."""
        first = self.first if first is None else first
        last = self.last if last is None else last
        return [day for day in _each_day(first, last) if self.is_trading_day(day)]

    def closures(self) -> list[tuple[date, str]]:
        """Return the closed days that are not closed by their weekday, with the reason of each."""
        return sorted(self._closures.items())

    def warning(self, today: date) -> str | None:
        """Say that the calendar has ended, or ends within `HORIZON_WARNING_DAYS`; None if not.

        Notes
        -----
        Rules: CEA-DAY-08.
        """
        left = (self.last - today).days
        if left < 0:
            return f"calendar {self.name} ended on {self.last}, {-left} days ago"
        if left <= HORIZON_WARNING_DAYS:
            return f"calendar {self.name} ends on {self.last}, in {left} days"
        return None

    def summary(self, today: date) -> CalendarSummary:
        """Return how far the calendar reaches, seen from a day."""
        trading_days: dict[int, int] = {}
        for day in self.days():
            trading_days[day.year] = trading_days.get(day.year, 0) + 1
        return CalendarSummary(
            name=self.name,
            first=self.first,
            last=self.last,
            trading_days=trading_days,
            closures=len(self._closures),
            warning=self.warning(today),
        )


def calendar_names() -> list[str]:
    """Return the names of the packaged calendars."""
    names = (entry.name for entry in _folder().iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def _folder() -> Traversable:
    return resources.files("cea_exchange.domain").joinpath("calendars")


def _each_day(first: date, last: date) -> Iterator[date]:
    day = first
    while day <= last:
        yield day
        day += _DAY

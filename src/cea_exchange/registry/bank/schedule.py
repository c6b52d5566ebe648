"""Decides which bank statement to fetch now: when persons ask, and once a working day."""

from datetime import date, time, timedelta
from typing import NamedTuple

import msgspec

from cea_exchange.domain.calendar import CalendarError, date_number, date_of_number
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.domain.timetable import day_start, time_from_ns, time_to_ns
from cea_exchange.institution.checks import ActError
from cea_exchange.institution.working_days import WorkingDays
from cea_exchange.ledger.store import Store
from cea_exchange.registry.own_acts import OwnAct

ASKED_COUNT_MAX = 16
TROUBLE_LENGTH_MAX = 300
LOOK_BACK_DAYS = 14
"""A due time further back than the longest holiday with its weekends is not looked for."""


def trouble_shown(why: str) -> str:
    """Return the reason that a statement was not read, in one line of bounded length."""
    return " ".join(why.split())[:TROUBLE_LENGTH_MAX]


class StatementOf(NamedTuple):
    """A statement by its day (yyyymmdd) and its number among that day's."""

    business_date: int
    sequence: int


class StatementSchedule:
    """What is to be fetched, and in which order: statements follow each other without a gap.

    Rules: CEA-BNK-16.

    Parameters
    ----------
    store
        Where those that were read are.
    at
        When, on each working day, the bank's statement of the day is there; None: only what
        persons ask for is fetched.
    working_days
        By which days are told.

    Attributes
    ----------
    trouble : str
        Why the last statement that was fetched could not be read; empty if it was read.
    """

    def __init__(self, store: Store, at: time | None, working_days: WorkingDays) -> None:
        self._store = store
        self._at = at
        self._working_days = working_days
        self._asked: list[int] = []
        self._read_ns: int | None = None
        self.trouble = self._trouble_noted()

    @property
    def awaited(self) -> list[int]:
        """The days (yyyymmdd) of the statements that persons have asked for, not yet fetched."""
        return list(self._asked)

    def ask(self, business_date: int) -> StatementOf:
        """Note that somebody wants a day's next statement; return which one that is.

        Raises ActError: there can be none any more: one of a later day was read.
        """
        last = self._last()
        if last is not None and business_date < last.business_date:
            raise ActError(
                RegistryRefusal.DATE_OUT_OF_RANGE,
                f"business_date: expected one from {last.business_date} on, of which a statement"
                f" was read, got {business_date} (CEA-BNK-16)",
            )
        if business_date not in self._asked:
            self._asked = [*self._asked, business_date][-ASKED_COUNT_MAX:]
        return self._next_of(business_date)

    def due(self, now_ns: int) -> StatementOf | None:
        """Return what is to be fetched now, None if nothing is."""
        if self._asked:
            return self._next_of(self._asked[0])
        day, last = self._due_day(now_ns), self._last()
        if day is None:
            return None
        if last is None:
            is_ours = date_number(day) >= self._first_day()
            return self._next_of(date_number(day)) if is_ours else None
        read = date_of_number(last.business_date)
        if read > day:
            return None
        if self._read_last_ns() < self._since_ns(read):
            return self._next_of(last.business_date)
        if read < day:
            return StatementOf(date_number(self._working_day_after(read, day)), 1)
        return None

    def end(self, statement: StatementOf, why: str = "") -> None:
        """Hear that one was read, or why not; by the clock it is asked for again."""
        self.trouble = trouble_shown(why)
        self._asked = [day for day in self._asked if day != statement.business_date]
        self._read_ns = None

    def _trouble_noted(self) -> str:
        """Return why the last statement was not read, as the record of acts has it."""
        row = self._store.one(
            "SELECT op, request FROM acts WHERE op IN (?, ?) ORDER BY act_id DESC LIMIT 1",
            (OwnAct.BANK_STATED.value, OwnAct.BANK_NOT_STATED.value),
        )
        if row is None or row[0] == OwnAct.BANK_STATED.value:
            return ""
        return str(msgspec.msgpack.decode(row[1])["why"])

    def _due_day(self, now_ns: int) -> date | None:
        """Return the last working day whose time has come."""
        if self._at is None:
            return None
        today = time_from_ns(now_ns).date()
        for days_ago in range(LOOK_BACK_DAYS):
            day = today - timedelta(days=days_ago)
            if self._since_ns(day) <= now_ns and self._is_working_day(day):
                return day
        return None

    def _since_ns(self, day: date) -> int:
        """Return the time from which on a day's statement is there."""
        assert self._at is not None
        at = timedelta(hours=self._at.hour, minutes=self._at.minute)
        return time_to_ns(day_start(day) + at)

    def _next_of(self, business_date: int) -> StatementOf:
        count = self._store.one(
            "SELECT coalesce(max(sequence), 0) FROM bank_statements WHERE business_date = ?",
            (business_date,),
        )
        return StatementOf(business_date, 1 + int(count))

    def _last(self) -> StatementOf | None:
        row = self._store.one(
            "SELECT business_date, sequence FROM bank_statements"
            " ORDER BY business_date DESC, sequence DESC LIMIT 1"
        )
        return None if row is None else StatementOf(*row)

    def _first_day(self) -> int:
        """Return the registry's first day: of those before, the bank has nothing to say to it."""
        return int(
            self._store.one("SELECT coalesce(min(business_date), 99991231) FROM business_days")
        )

    def _read_last_ns(self) -> int:
        """Return when a statement was fetched last, by the registry's clock; 0 if none was."""
        if self._read_ns is None:
            self._read_ns = int(
                self._store.one(
                    "SELECT coalesce(max(at_ns), 0) FROM acts WHERE op = ?",
                    (OwnAct.BANK_STATED.value,),
                )
            )
        return self._read_ns

    def _is_working_day(self, day: date) -> bool:
        try:
            return self._working_days.calendar.is_working_day(day)
        except CalendarError:
            # Beyond its end the weekdays are the better guess: a bank that has none refuses.
            return day.weekday() < 5

    def _working_day_after(self, day: date, last: date) -> date:
        """Return the next working day, the last one at most."""
        while (day := day + timedelta(days=1)) < last:
            if self._is_working_day(day):
                break
        return day

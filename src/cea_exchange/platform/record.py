"""What the platform's services share: the database, the time, the terms, and who acts."""

from datetime import timedelta
from typing import Protocol

from cea_exchange.control_plane.service import Person
from cea_exchange.domain.calendar import CalendarError, TermEnd, date_number, date_of_number
from cea_exchange.domain.compliance.enforcement.clocks import term
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.institution.act_context import ActContext
from cea_exchange.platform.checks import PlatformActError, day_checked

FACTS_AHEAD_DAYS = 366
"""So long before a unit's stop, or a firm's new name, may be noted that will be true."""


class Acting(Person, Protocol):
    """Who does something, and for whom."""

    @property
    def body(self) -> str: ...


class Record(ActContext):
    """What every service works on: the database and the day (`business_date`, in Beijing)."""

    def term(self, step: str, since: int, *, extended: int = 0, stopped: int = 0) -> TermEnd:
        """Return the end of a term that runs from a day, which is not counted.

        It is counted whenever it is asked for, and kept nowhere: what is provisional, as the days
        off are not announced yet, is certain once they are loaded.

        Parameters
        ----------
        step
            One of `enforcement.clocks`.
        extended, stopped
            How many of its extensions were granted, and days that do not count.

        Notes
        -----
        Rules: CEA-LAW-27, CEA-DAY-10.
        """
        try:
            day = date_of_number(since)
            return term(step, day, self.calendar, extended=extended, stopped=stopped)
        except CalendarError as error:
            # Before the first day that it knows, which no file mends.
            raise PlatformActError(PlatformRefusal.DATE_OUT_OF_RANGE, str(error)) from None

    def reached_check(
        self, day: int, what: str, rule: str = "CEA-ENT-18", *, ahead_days: int = 0
    ) -> None:
        """Refuse a day of what has happened that is none, or is still to come.

        A year that was typed wrong would bar every later word on it until then.

        Parameters
        ----------
        ahead_days
            How long before something may be noted that will be true.

        Notes
        -----
        Rules: CEA-ENT-18.
        """
        day_checked(day, what)
        last = date_of_number(self.business_date()) + timedelta(ahead_days)
        if date_of_number(day) > last:
            raise PlatformActError(
                PlatformRefusal.DATE_OUT_OF_RANGE,
                f"{what}: expected one up to {date_number(last)}, got {day} ({rule})",
            )

    def over_check(self, what: str, end: TermEnd, rule: str) -> None:
        """Refuse what has to wait until a term is over.

        Notes
        -----
        Rules: CEA-DAY-10.
        """
        today = self.business_date()
        if end.is_over(today):
            return
        if today > end.number:
            raise PlatformActError(
                PlatformRefusal.CALENDAR_ENDS,
                f"{what}: expected after the end of its term ({rule}), about {end.number}, got on"
                f" {today}, of which the calendar to {self.calendar.last} does not know it",
            )
        raise PlatformActError(
            PlatformRefusal.TERM_RUNNING,
            f"{what}: expected after {end.number}, got on {today} ({rule})",
        )

    def in_time_check(
        self,
        what: str,
        end: TermEnd,
        rule: str,
        code: PlatformRefusal = PlatformRefusal.TERM_OVER,
    ) -> None:
        """Refuse what comes after its term.

        Notes
        -----
        Rules: CEA-DAY-10.
        """
        today = self.business_date()
        if end.is_over(today):
            raise PlatformActError(
                code, f"{what}: expected by {end.number}, got on {today} ({rule})"
            )

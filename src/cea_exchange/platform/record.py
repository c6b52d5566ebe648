"""What the platform's services share: the database, the time, the terms, and who acts."""

from functools import cached_property
from typing import Protocol

from cea_exchange.control_plane.service import Person
from cea_exchange.domain.calendar import (
    CalendarError,
    TradingCalendar,
    date_number,
    date_of_number,
)
from cea_exchange.domain.compliance.enforcement.clocks import due
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.institution.act_context import ActContext
from cea_exchange.platform.checks import PlatformActError


class Acting(Person, Protocol):
    """Who does something, and for whom."""

    @property
    def body(self) -> str: ...


class Record(ActContext):
    """What every service works on: the database and the day (`business_date`, in Beijing)."""

    @cached_property
    def calendar(self) -> TradingCalendar:
        """The working days."""
        return TradingCalendar.load("cn_carbon")

    def term_end(self, step: str, since: int, *, extended: int = 0) -> int:
        """Return the last day of a term that runs from a day, which is not counted.

        Parameters
        ----------
        step
            One of `enforcement.clocks`.

        Notes
        -----
        Rules: CEA-LAW-27.
        """
        try:
            return date_number(due(step, date_of_number(since), self.calendar, extended=extended))
        except CalendarError as error:
            raise PlatformActError(
                PlatformRefusal.CALENDAR_ENDS,
                f"calendar: expected one that reaches the end of {step} from {since}, got one"
                f" that ends before: {error}",
            ) from None

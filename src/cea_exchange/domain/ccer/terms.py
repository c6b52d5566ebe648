"""Terms of working days: the first day of a term is the day after what begins it."""

from typing import NamedTuple

from cea_exchange.domain.calendar import TradingCalendar, date_number, date_of_number
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.refusals import CcerRefusal


class Term(NamedTuple):
    """Some working days after a day. Make-up weekends (调休) count, public holidays don't.

    Notes
    -----
    Rules: CEA-DAY-09 (working days).
    """

    began_on: int
    working_days: int
    ends_on: int
    """Its last day."""

    def over_check(self, today: int, what: str) -> None:
        """Refuse what must wait until a term is over.

        Notes
        -----
        Rules: CCER-PRJ-03, CCER-BAT-04.
        """
        if today <= self.ends_on:
            raise ProgrammeError(
                CcerRefusal.TERM_RUNNING,
                f"{what}: expected after {self.ends_on}, {self.working_days} working days from"
                f" {self.began_on}, got {today}",
            )

    def is_overdue(self, today: int) -> bool:
        """Tell whether what had to be done within it is late, or would be today."""
        return today > self.ends_on


def day_check(day: int, what: str) -> None:
    """Refuse what is no day, yyyymmdd."""
    try:
        date_of_number(day)
    except ValueError:
        raise ProgrammeError(
            CcerRefusal.DATE_UNSOUND, f"{what}: expected a day such as 20250716, got {day}"
        ) from None


def term(calendar: TradingCalendar, began_on: int, working_days: int) -> Term:
    """Return the term of so many working days after a day.

    Raises
    ------
    CalendarError
        The calendar ends before the term.

    Examples
    --------
    >>> term(TradingCalendar.load("cn_carbon"), 20250929, 15).ends_on
    20251027
    """
    end = calendar.working_day_after(date_of_number(began_on), working_days)
    return Term(began_on, working_days, date_number(end))

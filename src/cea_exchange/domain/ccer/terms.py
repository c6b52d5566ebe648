"""Terms of working days: the first day of a term is the day after what begins it."""

from typing import NamedTuple

from cea_exchange.domain.calendar import TermEnd, TradingCalendar, date_number, date_of_number
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.refusals import CcerRefusal


class Term(NamedTuple):
    """Some working days after a day. Make-up weekends (调休) count, public holidays don't.

    Notes
    -----
    Rules: CEA-DAY-09 (working days), CEA-DAY-10.
    """

    began_on: int
    working_days: int
    ends_on: int
    """Its last day."""
    is_provisional: bool = False
    """That day is by the weekdays alone, as the calendar ends before; the term is not over."""

    def _is_over(self, today: int) -> bool:
        return TermEnd(date_of_number(self.ends_on), self.is_provisional).is_over(today)

    def over_check(self, today: int, what: str) -> None:
        """Refuse what must wait until a term is over.

        Notes
        -----
        Rules: CCER-PRJ-03, CCER-BAT-04, CEA-DAY-10.
        """
        if not self._is_over(today):
            until = ", as far as the calendar is known" if self.is_provisional else ""
            raise ProgrammeError(
                CcerRefusal.TERM_RUNNING,
                f"{what}: expected after {self.ends_on}, {self.working_days} working days from"
                f" {self.began_on}{until}, got {today}",
            )

    def is_overdue(self, today: int) -> bool:
        """Tell whether what had to be done within it is late, or would be today."""
        return self._is_over(today)


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

    Examples
    --------
    >>> term(TradingCalendar.load("cn_carbon"), 20250929, 15).ends_on
    20251027
    """
    end = calendar.term_end(date_of_number(began_on), working_days)
    return Term(began_on, working_days, date_number(end.day), end.is_provisional)

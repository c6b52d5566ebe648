"""Changes phases and days when the venue's clock makes them due.

Only the daemon reads the clock. The sequencer stamps what it journals, and stamps never go back.
"""

from collections import deque
from datetime import datetime

from cea_exchange.domain.calendar import TradingCalendar, date_number, date_of_number
from cea_exchange.domain.profile import Profile
from cea_exchange.domain.timetable import (
    Change,
    changes_due,
    changes_of_day,
    time_from_ns,
    time_to_ns,
)
from cea_exchange.protocol.control import Control, DayClose, DayOpen, PhaseSet
from cea_exchange.venue.market.state_machine import VenueStateMachine


class DayTimer:
    """Says which phase and day changes are due.

    With a running clock it compares the state with the timetable, so a venue that was down closes
    the missed day under its own date, skips days missed whole, and joins today where it stands.
    A manual clock that is moved runs through every change on the way, as market scripts do.
    """

    def __init__(self, profile: Profile, calendar: TradingCalendar) -> None:
        self._profile = profile
        self._calendar = calendar
        self._acted: tuple[int, int] | None = None
        self._queue: deque[Change] = deque()
        self.target_ns = 0

    @property
    def pending_count(self) -> int:
        """How many changes of a moved manual clock have not happened yet."""
        return len(self._queue)

    def due(self, machine: VenueStateMachine, now_ns: int) -> Control | None:
        """Return the next act that a running clock makes due; None if there is none now."""
        core, now = machine.core, time_from_ns(now_ns)
        today = date_number(now.date())
        if core.day_is_open and core.trading_date < today:
            return DayClose()
        if core.trading_date > today:
            return None
        is_open = core.day_is_open
        if not is_open and (core.trading_date == today or not self._trades(now)):
            return None
        past = [change for change in changes_of_day(self._profile, now.date()) if change.at <= now]
        if not past:
            return None
        scheduled = past[-1]
        if not is_open:
            return None if scheduled.act == "day_close" else DayOpen(date=today)
        if scheduled.act == "day_close":
            return DayClose()
        # Acted on once only: an operator may have set another phase since.
        if self._acted != (today, scheduled.phase):
            self._acted = (today, scheduled.phase)
            if core.phase != scheduled.phase:
                return PhaseSet(phase=scheduled.phase)
        return None

    def move(self, machine: VenueStateMachine, after_ns: int, until: datetime) -> None:
        """Queue what falls due when a manual clock is moved.

        Raises
        ------
        ValueError
            Time would go back, or the calendar does not reach that far.
        """
        core = machine.core
        last = date_of_number(core.trading_date) if core.trading_date else None
        changes = changes_due(
            self._profile,
            self._calendar,
            after=time_from_ns(after_ns) if after_ns else None,
            until=until,
            day_open=last if core.day_is_open else None,
            last_date=last,
        )
        self._queue.extend(changes)
        self.target_ns = time_to_ns(until)

    def queued(self) -> Control | None:
        """Return the next queued act, without taking it from the queue."""
        if not self._queue:
            return None
        change = self._queue[0]
        if change.act == "day_open":
            return DayOpen(date=date_number(change.trading_date))
        return DayClose() if change.act == "day_close" else PhaseSet(phase=change.phase)

    def queued_at_ns(self) -> int:
        """Return when the next queued act is due (ns), the move's target if there is none."""
        return time_to_ns(self._queue[0].at) if self._queue else self.target_ns

    def queued_done(self) -> int:
        """Take the next act from the queue and return the time it was due (ns)."""
        return time_to_ns(self._queue.popleft().at)

    def _trades(self, now: datetime) -> bool:
        day = now.date()
        within = self._calendar.first <= day <= self._calendar.last
        return within and self._calendar.is_trading_day(day)

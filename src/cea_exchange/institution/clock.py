"""An institution's time and day: a clock held against what the institution and the venue know.

    system's clock --- far from how long the machine runs ---> the time goes on from before
                   --- far from what is known at the start --> what day it is, is not known

Days that a wrong clock begins would end freezes, proposals and terms for good.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Protocol

from cea_exchange.domain.calendar import (
    CalendarError,
    TradingCalendar,
    date_number,
    date_of_number,
)
from cea_exchange.domain.refusals import InstitutionRefusal
from cea_exchange.domain.timetable import day_start, time_from_ns, time_to_ns
from cea_exchange.institution.checks import ActError
from cea_exchange.ledger.record_store import RecordStore
from cea_exchange.protocol.clock import JUMP_NS_MAX, Clock, ClockGuard, running_ns
from cea_exchange.protocol.control import TIME_NS_MAX

STOPPED_NS_MAX = 4 * 86_400_000_000_000
"""So long at most an institution may have stood still without a sign of what has passed."""


class InstitutionClock(Protocol):
    """What an institution asks for time and day."""

    @property
    def kind(self) -> str:
        """``given``, ``system``, ``manual`` or ``accelerated``."""

    warning: str | None
    """What is wrong with it; None if nothing is."""
    is_known: bool
    """Whether it is known what day it is."""

    def now_ns(self) -> int:
        """Return the time, in nanoseconds since 1970."""

    def today(self) -> int:
        """Return the day as yyyymmdd in Shanghai; ActError where it is not known."""

    def follow(self, trading_date: int) -> None:
        """Hear of a day (yyyymmdd) that the venue trades on."""

    def move_check(self, at_ns: int) -> None:
        """Refuse to move another than a manual clock, or to let time go back."""

    def confirm_check(self, date: int) -> int:
        """Return what a doubted clock says (ns); refuse if it is none, or says another day."""

    def take(self, act: str, at_ns: int) -> None:
        """Do what was checked and is kept: ``move`` to a time, ``confirm`` one."""


class GivenClock:
    """Whatever a function says: for who drives an institution without a daemon."""

    kind = "given"
    warning: str | None = None
    is_known: bool = True

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns

    def now_ns(self) -> int:
        """Return the time, in nanoseconds since 1970."""
        return self._now_ns()

    def today(self) -> int:
        """Return the day as yyyymmdd in Shanghai."""
        return _date_of(self.now_ns())

    def follow(self, trading_date: int) -> None:
        """Take no notice."""

    def move_check(self, at_ns: int) -> None:
        """Refuse."""
        raise ActError(
            InstitutionRefusal.CLOCK_NOT_MANUAL, f"clock: expected a manual one, got {self.kind}"
        )

    def confirm_check(self, date: int) -> int:
        """Refuse."""
        raise ActError(
            InstitutionRefusal.CLOCK_NOT_DOUBTED,
            "clock: expected a doubted one, got one with nothing wrong",
        )

    def take(self, act: str, at_ns: int) -> None:
        """Take no notice."""


class GuardedClock:
    """The daemon's clock: it never goes back, and is not led away.

    Parameters
    ----------
    clock
        By the setting. Only the system's is doubted; others go on from what is known.
    known_ns
        The last time that was noted, 0 if none was (`noted_ns`).
    steady_ns
        A clock that nobody sets.

    Notes
    -----
    Rules: CEA-REG-08.
    """

    def __init__(
        self, clock: Clock, known_ns: int = 0, *, steady_ns: Callable[[], int] = running_ns
    ) -> None:
        self._clock = clock
        self.kind = clock.kind
        clock.not_before(known_ns)
        self._last_ns = known_ns
        self._venue_ns = 0
        self._stopped_ns_max = _stopped_ns_max(known_ns)
        self.warning: str | None = None
        self.is_known = True
        self._guard = ClockGuard(clock.now_ns(), steady_ns=steady_ns)
        if clock.kind == "system" and known_ns:
            self.is_known = False
            self._guard.believe(known_ns)
        self.now_ns()

    def now_ns(self) -> int:
        """Return the time: the clock's, or where that is doubted how it would have gone on."""
        read_ns = self._clock.now_ns()
        if self.kind == "system":
            read_ns = self._believed_ns(read_ns)
        self._last_ns = max(self._last_ns, read_ns)
        return self._last_ns

    def today(self) -> int:
        """Return the day as yyyymmdd in Shanghai; ActError where it is not known."""
        now_ns = self.now_ns()
        if not self.is_known:
            raise ActError(
                InstitutionRefusal.CLOCK_DOUBTED, f"day: expected a known one, got {self.warning}"
            )
        return _date_of(now_ns)

    def follow(self, trading_date: int) -> None:
        """Hear of a day (yyyymmdd) that the venue trades on; what is no date is none.

        A manual or accelerated clock goes on from it. Where the system's is doubted, a day after
        that of the registry speaks for it.
        """
        try:
            begins_ns = time_to_ns(day_start(date_of_number(trading_date)))
        except ValueError:
            return
        if begins_ns > TIME_NS_MAX:
            return
        self._clock.not_before(begins_ns)
        now_ns, read_ns = self.now_ns(), self._clock.now_ns()
        is_later = trading_date > _date_of(now_ns)
        ahead_ns = read_ns - begins_ns
        if self._is_doubted and is_later and 0 <= ahead_ns <= _stopped_ns_max(begins_ns):
            self._believe(read_ns)
        self._venue_ns = begins_ns
        self.now_ns()

    def move_check(self, at_ns: int) -> None:
        """Refuse to move another than a manual clock, or to let time go back."""
        if self.kind != "manual":
            raise ActError(
                InstitutionRefusal.CLOCK_NOT_MANUAL,
                f"clock: expected a manual one, got {self.kind}",
            )
        if at_ns < self.now_ns():
            raise ActError(
                InstitutionRefusal.DATE_OUT_OF_RANGE,
                f"at: expected not before {_text(self._last_ns)}, got {_text(at_ns)}",
            )

    def confirm_check(self, date: int) -> int:
        """Return what a doubted clock says (ns); refuse if it is none, or says another day.

        Parameters
        ----------
        date
            Today, yyyymmdd, as persons know it.
        """
        self.now_ns()
        if not self._is_doubted:
            raise ActError(
                InstitutionRefusal.CLOCK_NOT_DOUBTED,
                "clock: expected a doubted one, got one with nothing wrong",
            )
        read_ns = self._clock.now_ns()
        if date != _date_of(read_ns):
            raise ActError(
                InstitutionRefusal.CLOCK_DATE_OTHER,
                f"date: expected the clock's {_date_of(read_ns)}, got {date}",
            )
        if read_ns < self._last_ns - JUMP_NS_MAX:
            raise ActError(
                InstitutionRefusal.CLOCK_BEHIND,
                f"clock: expected not before what was noted last, {_text(self._last_ns)}, got"
                f" {_text(read_ns)}",
            )
        return read_ns

    def take(self, act: str, at_ns: int) -> None:
        """Do what was checked and is kept: ``move`` to a time, ``confirm`` one."""
        if act == "move":
            self._clock.not_before(at_ns)
        elif abs(self._clock.now_ns() - at_ns) <= JUMP_NS_MAX:
            self._believe(self._clock.now_ns())
        self.now_ns()

    @property
    def _is_doubted(self) -> bool:
        return self.kind == "system" and (self._guard.is_far or not self.is_known)

    def _believe(self, read_ns: int) -> None:
        self._guard.believe(read_ns)
        self.is_known = True

    def _believed_ns(self, read_ns: int) -> int:
        """Return the time as it is believed once the system's clock was read."""
        if not self.is_known:
            ahead_ns = read_ns - self._guard.believed_ns
            if -JUMP_NS_MAX <= ahead_ns <= self._stopped_ns_max:
                self._believe(read_ns)
        if self.is_known:
            ahead_ns = self._guard.look(read_ns)
        self._say(self._wrong(read_ns, ahead_ns))
        return self._guard.believed_ns

    def _wrong(self, read_ns: int, ahead_ns: int) -> str | None:
        is_behind_venue = self._venue_ns > max(read_ns, self._last_ns)
        if not self._is_doubted and not is_behind_venue:
            return None
        read = _text(read_ns)
        if not self.is_known:
            way = "after" if ahead_ns > 0 else "before"
            return (
                f"the system's clock says {read}, far {way} what was noted last: what ends by time"
                " does not end, and acts of a day wait, until it is set right, the venue trades on"
                " that day or two persons confirm it"
            )
        if self._guard.is_far:
            way = "ahead" if ahead_ns > 0 else "back"
            return (
                f"the system's clock has jumped {way}, to {read}: the time goes on from before,"
                " until it is set right, the venue trades on that day or two persons confirm it"
            )
        venue = _date_of(self._venue_ns)
        return f"the venue trades on {venue} already, the system's clock says {read}"

    def _say(self, wrong: str | None) -> None:
        if (wrong is None) != (self.warning is None):
            # Commands that ask a daemon come by here, and do without a tenth of a second more.
            import structlog

            log = structlog.get_logger("institution")
            if wrong is None:
                log.info("clock_right")
            else:
                log.warning("clock", warning=wrong)
        self.warning = wrong


NOTED = (
    ("began_ns", "business_days", "business_date"),
    ("at_ns", "acts", "act_id"),
    ("made_at_ns", "proposals", "proposal_id"),
    ("at_ns", "clock_acts", "clock_act_id"),
)
"""Where every institution notes a time: column, table, and what numbers its rows."""


def noted_ns(store: RecordStore, *more: tuple[str, str, str]) -> int:
    """Return the last time that an institution has noted, 0 if it has noted none.

    Parameters
    ----------
    more
        Where it notes it besides, as in `NOTED`.
    """
    last = [
        store.one(f"SELECT {column} FROM {table} ORDER BY {number} DESC LIMIT 1")
        for column, table, number in (*NOTED, *more)
    ]
    return max(filter(None, last), default=0)


def _stopped_ns_max(since_ns: int) -> int:
    """Return how long after a time a clock is taken as right though nothing shows what passed.

    Until the next working day ends, and four days at most: over a night or a weekend it may have
    stood still. Beyond the calendar, until the next day ends.
    """
    day = time_from_ns(since_ns).date()
    try:
        until = _calendar().working_day_after(day, 1)
    except CalendarError:
        until = day + timedelta(days=1)
    ends_ns = time_to_ns(day_start(until + timedelta(days=1)))
    return min(ends_ns - 1 - since_ns, STOPPED_NS_MAX)


@cache
def _calendar() -> TradingCalendar:
    return TradingCalendar.load("cn_carbon")


def _text(at_ns: int) -> str:
    try:
        return time_from_ns(at_ns).isoformat(timespec="minutes")
    except OverflowError:
        return f"{at_ns} ns since 1970"


def _date_of(at_ns: int) -> int:
    """Return the day as yyyymmdd in Shanghai; 0 for a time of no year that there is."""
    try:
        return date_number(time_from_ns(at_ns).date())
    except OverflowError:
        return 0


class ClockActs:
    """What persons do with the clock: kept first, done once that is committed."""

    def __init__(self, store: RecordStore, clock: InstitutionClock) -> None:
        self._store = store
        self._clock = clock
        self._taken = self._last()
        self._is_asked = False

    def move(self, at_ns: int) -> None:
        """Keep that a manual clock is to be moved; `take` does it once that is committed."""
        self._clock.move_check(at_ns)
        self._keep("move", at_ns)

    def confirm(self, date: int) -> None:
        """Keep that a doubted clock is right on a day (yyyymmdd); `take` believes it then.

        Notes
        -----
        Rules: CEA-REG-08.
        """
        self._keep("confirm", self._clock.confirm_check(date))

    def take(self) -> None:
        """Do with the clock what was committed since this was asked last."""
        if not self._is_asked:
            return
        rows = self._store.execute(
            "SELECT clock_act_id, act, at_ns FROM clock_acts WHERE clock_act_id > ? ORDER BY 1",
            (self._taken,),
        ).fetchall()
        self._is_asked = False
        for self._taken, act, at_ns in rows:
            self._clock.take(act, at_ns)

    def _keep(self, act: str, at_ns: int) -> None:
        with self._store.transaction():
            number = self._store.next_id("clock_acts", "clock_act_id")
            self._store.insert("clock_acts (clock_act_id, act, at_ns)", [(number, act, at_ns)])
        self._is_asked = True

    def _last(self) -> int:
        number: int = self._store.one("SELECT coalesce(max(clock_act_id), 0) FROM clock_acts")
        return number

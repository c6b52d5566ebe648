"""The time of day in a year's market, where every order has one of its own.

Time goes on by what is entered, at most `pace_ns` between two, and never past half of what is left
of the session: so it depends on nothing but what was entered before.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

from cea_exchange.domain.profile import Profile
from cea_exchange.domain.records import Phase
from cea_exchange.domain.timetable import day_start, time_to_ns
from cea_exchange.supervision.tape import MINUTE_NS, SECOND_NS

FEED_HOUR, OPEN_HOUR, CLOSE_HOUR = 8, 9, 15
PACE_S = 30
"""Most that lies between two orders of a session."""
MICROSECOND_NS = 1_000
"""Times are of whole ones: a request says no less."""


class SessionTime:
    """What time it is in a market whose orders are entered one after the other.

    Parameters
    ----------
    profile
        Says when sessions begin.

    Attributes
    ----------
    now_ns
        Since 1970 (UTC).
    pace_ns
        Most that lies between two commands.
    """

    def __init__(self, profile: Profile) -> None:
        self._sessions = profile.sessions
        self._step_ns: int | None = None
        self._session_end_ns = 0
        self.now_ns = 0
        self.pace_ns = PACE_S * SECOND_NS

    def be(self, day: date, hour: int) -> None:
        """Let it be some hour of a day, if it is not later."""
        self._be(time_to_ns(day_start(day)) + hour * 60 * MINUTE_NS)

    def phase_begin(self, day: date, phase: Phase) -> None:
        """Let it be the phase's time, and know when the next begins."""
        begin = time_to_ns(day_start(day))
        times = [begin + _of_day_ns(text) for text, _ in self._sessions]
        for place, (_, each) in enumerate(self._sessions):
            if each == phase:
                self._be(times[place])
                self._session_end_ns = times[min(place + 1, len(times) - 1)]
                return

    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.now_ns += seconds * SECOND_NS

    @contextmanager
    def paced(self, pace_ns: int) -> Iterator[None]:
        """Let at most so much lie between two commands."""
        before, self.pace_ns = self.pace_ns, pace_ns
        try:
            yield
        finally:
            self.pace_ns = before

    def step(self) -> None:
        """Let as much time pass as lies before a command."""
        self.now_ns += self._step(1) if self._step_ns is None else self._step_ns

    @contextmanager
    def together(self, count: int) -> Iterator[None]:
        """Let each of so many commands that come together have the same time before it."""
        self._step_ns = self._step(count)
        try:
            yield
        finally:
            self._step_ns = None

    def _step(self, count: int) -> int:
        left_ns = max(self._session_end_ns - self.now_ns, 0)
        step_ns = min(self.pace_ns, left_ns // (2 * max(count, 1)))
        return step_ns - step_ns % MICROSECOND_NS

    def _be(self, time_ns: int) -> None:
        self.now_ns = max(self.now_ns, time_ns)


def _of_day_ns(text: str) -> int:
    return (int(text[:2]) * 60 + int(text[3:])) * MINUTE_NS

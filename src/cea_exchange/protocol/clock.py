"""A daemon's clock, as its settings choose it; and how far the system's clock may be trusted.

what the clock says - how long the machine runs = when it began; that changes only where
somebody, or something, sets the clock
"""

import time
from collections.abc import Callable
from typing import Annotated, Literal

import msgspec

from cea_exchange.domain.timetable import time_parse, time_to_ns
from cea_exchange.protocol.control import TIME_NS_MAX

JUMP_NS_MAX = 300_000_000_000
"""How far the system's clock may be set without being doubted, in all in `JUMP_SPAN_NS`."""
JUMP_SPAN_NS = 86_400_000_000_000
"""A day."""
_RUNNING_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Linux's CLOCK_MONOTONIC would stand still while the machine sleeps; where there is no other, it
goes on."""


class ClockSetting(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What time it is at a daemon.

    Attributes
    ----------
    kind
        ``system``, ``accelerated`` (from `start` on, `speed` times as fast), or ``manual`` (stands
        still until an operator moves it).
    start
        ISO 8601 with offset; needed by ``accelerated``.
    speed
        The daemon's seconds in a second.
    """

    kind: Literal["system", "manual", "accelerated"] = "system"
    start: str | None = None
    speed: Annotated[float, msgspec.Meta(gt=0, le=100_000)] = 1.0

    def __post_init__(self) -> None:
        if self.kind == "accelerated" and self.start is None:
            raise ValueError("`start`: expected a time of an accelerated clock, got none")
        if self.kind == "system" and (self.start is not None or self.speed != 1.0):
            given = "`speed`" if self.start is None else "`start`"
            raise ValueError(f"a system clock: expected no `start` and no `speed`, got {given}")
        if self.start is not None and not 0 <= time_to_ns(time_parse(self.start)) <= TIME_NS_MAX:
            raise ValueError(f"`start`: expected within 1970 and 2116, got {self.start!r}")


class Clock:
    """Nanoseconds since 1970 (UTC) by the clock setting.

    Parameters
    ----------
    setting
        Which clock, see `ClockSetting`.
    monotonic_ns
        A clock that never goes back, by which an accelerated one runs.
    """

    def __init__(
        self, setting: ClockSetting, *, monotonic_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self.kind = setting.kind
        self._monotonic_ns = monotonic_ns
        self._speed = setting.speed
        self._start_ns = 0 if setting.start is None else time_to_ns(time_parse(setting.start))
        self._began_ns = monotonic_ns()

    def now_ns(self) -> int:
        """Return the time."""
        if self.kind == "system":
            return time.time_ns()
        if self.kind == "manual":
            return self._start_ns
        return self._start_ns + int((self._monotonic_ns() - self._began_ns) * self._speed)

    def not_before(self, at_ns: int) -> None:
        """Go on from `at_ns` if the clock stands before it (a restart; an operator's move).

        The system's clock is left alone.
        """
        if self.kind != "system" and self.now_ns() < at_ns:
            self._start_ns = at_ns
            self._began_ns = self._monotonic_ns()


def running_ns() -> int:
    """Return how long the machine runs: no one can set that, and it goes on in its sleep."""
    return time.clock_gettime_ns(_RUNNING_CLOCK)


class ClockGuard:
    """Holds a clock that may be set against one that nobody sets.

    Clocks are put right a little all the time, which is believed. What is set by more, at once or
    little by little, is not: the time goes on from what was believed last.

    Parameters
    ----------
    now_ns
        The time that is believed first.
    steady_ns
        A clock that nobody sets.

    Attributes
    ----------
    is_far : bool
        Whether the clock was too far from what is believed when it was looked at last.
    """

    def __init__(self, now_ns: int, *, steady_ns: Callable[[], int] = running_ns) -> None:
        self._steady_ns = steady_ns
        self._began_ns = self._anchor_ns = self._looked_ns = 0
        self.believe(now_ns)

    @property
    def believed_ns(self) -> int:
        """The time by what was believed last."""
        return self._began_ns + self._steady_ns()

    def look(self, now_ns: int) -> int:
        """Compare a clock, and believe it unless it is far.

        Returns
        -------
        int
            How far it was ahead of what is believed (ns), or behind if negative.
        """
        steady_ns = self._steady_ns()
        ahead_ns = now_ns - steady_ns - self._began_ns
        off_ns = now_ns - steady_ns - self._anchor_ns
        self.is_far = abs(off_ns) > JUMP_NS_MAX
        if not self.is_far:
            self._began_ns += ahead_ns
            # The anchor follows slowly, so that little steps don't lead far in a day.
            step_ns = (steady_ns - self._looked_ns) * JUMP_NS_MAX // JUMP_SPAN_NS
            if step_ns:
                self._anchor_ns += max(-step_ns, min(step_ns, off_ns))
                self._looked_ns = steady_ns
        return ahead_ns

    def believe(self, now_ns: int) -> None:
        """Take a time as right, whatever was believed before."""
        self._looked_ns = self._steady_ns()
        self._began_ns = self._anchor_ns = now_ns - self._looked_ns
        self.is_far = False

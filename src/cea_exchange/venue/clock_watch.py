"""Notices that the system's clock was set: a day opened by a wrong one would be no more undone.

    what the clock says - how long the machine runs = when it began; that changes only where
    somebody, or something, sets the clock
"""

import time
from collections.abc import Callable

import structlog

from cea_exchange.venue.clock import VenueClock

JUMP_NS_MAX = 300_000_000_000
"""How far the clock may run ahead between two looks."""
BEHIND_NS_MAX = 1_000_000_000
"""How far it may be behind the time of what was journaled last."""
_RUNNING_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Linux's CLOCK_MONOTONIC would stand still while the machine sleeps; where there is no other, it
goes on."""

log = structlog.get_logger("venue")


def running_ns() -> int:
    """Return how long the machine runs: no one can set that, and it goes on in its sleep."""
    return time.clock_gettime_ns(_RUNNING_CLOCK)


class ClockWatch:
    """Says whether the trading day may go on by the venue's clock.

    Parameters
    ----------
    clock
        The venue's clock. Only the system's is watched; it is taken as right at the start.
    steady_ns
        A clock that nobody sets.

    Attributes
    ----------
    has_jumped : bool
        Whether the clock has run ahead, and was not set back since.
    is_behind : bool
        Whether it is behind the journal's time.
    warning : str or None
        What is wrong with it.
    """

    def __init__(self, clock: VenueClock, *, steady_ns: Callable[[], int] = running_ns) -> None:
        self._clock = clock
        self._steady_ns = steady_ns
        self._began_ns = clock.now_ns() - steady_ns()
        self.has_jumped = self.is_behind = False
        self.warning: str | None = None

    def look(self, journaled_ns: int) -> int:
        """Compare the clocks, log what has changed, and return the time that was looked at (ns).

        Parameters
        ----------
        journaled_ns
            The time of what was journaled last.
        """
        now_ns = self._clock.now_ns()
        if self._clock.kind != "system":
            return now_ns
        ahead_ns = now_ns - self._steady_ns() - self._began_ns
        if abs(ahead_ns) <= JUMP_NS_MAX:
            # Clocks are put right a little all the time. One that was set back by more is still
            # held against what it was: set right again it has not jumped ahead.
            self._began_ns += ahead_ns
        behind_ns = journaled_ns - now_ns
        before = self.has_jumped, self.is_behind
        self.has_jumped = ahead_ns > JUMP_NS_MAX
        self.is_behind = behind_ns > BEHIND_NS_MAX and not self.has_jumped
        self.warning = self._warning(ahead_ns, behind_ns)
        if (self.has_jumped, self.is_behind) != before:
            if self.warning is None:
                log.info("clock_right")
            else:
                log.warning("clock", warning=self.warning)
        return now_ns

    def _warning(self, ahead_ns: int, behind_ns: int) -> str | None:
        if self.has_jumped:
            return (
                f"the system's clock has jumped {ahead_ns / 1e9:,.0f} s ahead: no day or phase "
                "changes by it until it is set right; a restart takes it as right"
            )
        if self.is_behind:
            return (
                f"the system's clock is {behind_ns / 1e9:,.0f} s behind the journal, whose time "
                "stands still until then"
            )
        return None

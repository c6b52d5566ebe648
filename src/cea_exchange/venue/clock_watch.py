"""Notices that the system's clock was set: a day opened by a wrong one would be no more undone."""

from collections.abc import Callable

import structlog

from cea_exchange.protocol.clock import Clock, ClockGuard, running_ns

BEHIND_NS_MAX = 1_000_000_000
"""How far the clock may be behind the time of what was journaled last."""

log = structlog.get_logger("venue")


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

    def __init__(self, clock: Clock, *, steady_ns: Callable[[], int] = running_ns) -> None:
        self._clock = clock
        self._guard = ClockGuard(clock.now_ns(), steady_ns=steady_ns)
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
        # One that was set back by much is still held against what it was: set right again it has
        # not jumped ahead.
        ahead_ns = self._guard.look(now_ns)
        behind_ns = journaled_ns - now_ns
        before = self.has_jumped, self.is_behind
        self.has_jumped = self._guard.is_far and ahead_ns > 0
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

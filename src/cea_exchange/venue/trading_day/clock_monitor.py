"""The venue's clock, monitored: what it says is journaled, so no wrong setting may lead it.

    system's clock --- far from how long the machine runs ---> time goes on from the last good one
                   --- at a start far ahead of the journal --> the same, from the journal's

A day opened by a wrong clock would be no more undone, and a stamp of next year would stand in the
record until then: journaled time never goes back.
"""

from collections.abc import Callable

import structlog

from cea_exchange.protocol.clock import JUMP_NS_MAX, Clock, ClockGuard, running_ns
from cea_exchange.protocol.control import TIME_NS_MAX

BEHIND_NS_MAX = 1_000_000_000
"""How far the clock may be behind the time of what was journaled last."""
STOPPED_NS_MAX = 30 * 86_400_000_000_000
"""So long after what it has journaled last a venue takes the clock as right when it starts."""

log = structlog.get_logger("venue")


class ClockMonitor:
    """The time, as far as the venue's clock is believed; and whether days may go on by it.

    Parameters
    ----------
    clock
        The venue's clock. Only the system's is doubted.
    steady_ns
        A clock that nobody sets.

    Attributes
    ----------
    kind : str
        The clock's.
    has_jumped : bool
        Whether the clock has run ahead, and was not set back since.
    is_behind : bool
        Whether it is behind the journal's time.
    warning : str or None
        What is wrong with it.
    """

    def __init__(self, clock: Clock, *, steady_ns: Callable[[], int] = running_ns) -> None:
        self._clock = clock
        self.kind = clock.kind
        self._steady_ns = steady_ns
        self._guard = ClockGuard(clock.now_ns(), steady_ns=steady_ns)
        self._is_known = True
        self.has_jumped = self.is_behind = False
        self.warning: str | None = None

    def now_ns(self) -> int:
        """Return the time: the clock's, or where that is doubted how it would have gone on."""
        if self.kind != "system":
            return self._clock.now_ns()
        self._read(self._clock.now_ns())
        return self._guard.believed_ns

    def not_before(self, at_ns: int) -> None:
        """Go on from a time if a clock of our own stands before it."""
        self._clock.not_before(at_ns)

    def start_behind(self, journaled_ns: int) -> None:
        """Go on behind what was journaled last; a system's clock far ahead of it is doubted."""
        self._clock.not_before(journaled_ns)
        if self.kind == "system" and journaled_ns:
            self._is_known = False
            self._guard.believe(min(journaled_ns, TIME_NS_MAX))
            self.look(journaled_ns)

    def stated(self, at_ns: int) -> Callable[[], None]:
        """Hold a doubted clock against the time that a person says it is.

        Returns
        -------
        Callable
            Believes the clock, once another agrees, if it went on since as the machine ran.

        Raises
        ------
        ValueError
            Nothing is wrong with it, or it says another time; when it is to be believed as well.
        """
        stated_ns = self._steady_ns()
        self._saying(at_ns)

        def believe() -> None:
            self._believe(self._saying(at_ns + self._steady_ns() - stated_ns))

        return believe

    def look(self, journaled_ns: int) -> int:
        """Compare the clocks, log what has changed, and return the time.

        Parameters
        ----------
        journaled_ns
            The time of what was journaled last.
        """
        read_ns = self._clock.now_ns()
        if self.kind != "system":
            return read_ns
        ahead_ns = self._read(read_ns)
        behind_ns = journaled_ns - read_ns
        before = self.has_jumped, self.is_behind
        # One that was set back by much is still held against what it was: set right again it has
        # not jumped ahead.
        self.has_jumped = self._is_doubted and ahead_ns > 0
        self.is_behind = behind_ns > BEHIND_NS_MAX and not self.has_jumped
        self.warning = self._warning(ahead_ns, behind_ns)
        if (self.has_jumped, self.is_behind) != before:
            if self.warning is None:
                log.info("clock_right")
            else:
                log.warning("clock", warning=self.warning)
        return self._guard.believed_ns

    def _saying(self, at_ns: int) -> int:
        """Return what a doubted clock says, if it is about this time."""
        read_ns = self._clock.now_ns()
        self._read(read_ns)
        if self.kind != "system" or not self._is_doubted:
            raise ValueError("clock: expected a doubted one, got one with nothing wrong")
        if abs(read_ns - at_ns) > JUMP_NS_MAX or read_ns > TIME_NS_MAX:
            raise ValueError(
                "clock: expected the time that is given, within five minutes, got another"
            )
        return read_ns

    @property
    def _is_doubted(self) -> bool:
        return self._guard.is_far or not self._is_known

    def _read(self, read_ns: int) -> int:
        """Hold the clock against what is believed; return how far it was ahead (ns)."""
        if not self._is_known:
            ahead_ns = read_ns - self._guard.believed_ns
            # One behind the journal is a restart's to believe: the journal's time stands still.
            if ahead_ns > STOPPED_NS_MAX or read_ns > TIME_NS_MAX:
                return ahead_ns
            self._believe(read_ns)
        return self._guard.look(read_ns)

    def _believe(self, read_ns: int) -> None:
        self._guard.believe(read_ns)
        self._is_known = True

    def _warning(self, ahead_ns: int, behind_ns: int) -> str | None:
        if not self._is_known:
            return (
                f"the system's clock is {ahead_ns / 1e9:,.0f} s ahead of what was journaled last:"
                " time goes on from there, and no day or phase changes by it, until it is set"
                " right, or two persons confirm it (`venue clock confirm`)"
            )
        if self.has_jumped:
            return (
                f"the system's clock has jumped {ahead_ns / 1e9:,.0f} s ahead: time goes on from"
                " before, and no day or phase changes by the clock, until it is set right; a"
                " restart takes it as right, or two persons confirm it (`venue clock confirm`)"
            )
        if self._guard.is_far:
            return (
                f"the system's clock was set back, by {-ahead_ns / 1e9:,.0f} s: time goes on from"
                " before, until it is set right; a restart takes it as right"
            )
        if self.is_behind:
            return (
                f"the system's clock is {behind_ns / 1e9:,.0f} s behind the journal, whose time "
                "stands still until then"
            )
        return None

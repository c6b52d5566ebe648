"""How a process of ours begins, and ends: in order at SIGTERM and SIGINT, and with its parent."""

import ctypes
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def module_command(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs a module, whatever folder it is run in.

    With ``-m`` alone Python looks for every module in the working directory first: a ``csv.py``
    that lies there, or that somebody has put there, would run with a daemon's keys.
    """
    return (sys.executable, "-P", "-m", module, *arguments)


class StopSignals:
    """SIGTERM and SIGINT, from here on: they end a daemon in order, however often they come.

    SIGHUP passes: a daemon's settings are those it was started with. What comes before there is a
    daemon is kept for it: an opening is not broken off, it is ended by the first turn of its loop.

    Attributes
    ----------
    are_asked : bool
        Whether one has come.
    """

    def __init__(self) -> None:
        self.are_asked = False
        self._stop: Callable[[], None] | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._take)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def lead_to(self, stop: Callable[[], None]) -> None:
        """Call `stop` at each signal; now, if one has come already."""
        self._stop = stop
        if self.are_asked:
            stop()

    def _take(self, *_: object) -> None:
        self.are_asked = True
        if self._stop is not None:
            self._stop()


def end_with_parent() -> None:
    """Ask Linux for SIGTERM when the parent ends, even by SIGKILL; runs in the new process."""
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

"""Limits of memory and processor time for a process that strangers reach."""

import contextlib
import ctypes
import os
import resource
from pathlib import Path
from typing import Any

_MIB = 1 << 20
_M_TRIM_THRESHOLD = -1


class MemoryUse:
    """How much of the process is in memory; 0 where the system does not say."""

    def __init__(self) -> None:
        self._page_bytes = os.sysconf("SC_PAGE_SIZE")
        try:
            # Kept open: strangers may take all descriptors there are.
            self._file: Any = Path("/proc/self/statm").open("rb", buffering=0)  # noqa: SIM115
        except OSError:
            self._file = None

    def mib(self) -> int:
        """Return it."""
        if self._file is None:
            return 0
        self._file.seek(0)
        return int(self._file.read().split()[1]) * self._page_bytes // _MIB


def limits_set(memory_mib_max: int | None, *, niceness: int) -> None:
    """Hold this process to twice its memory, whatever comes between two looks; no core is dumped.

    The limit is one of the data that it may have, so that address space costs nothing; None sets
    none: libzmq takes as much as a peer says that it will send, with which strangers could fill it.
    What is left of memory is the daemon's first.
    """
    if memory_mib_max is not None:
        _limit_lower(resource.RLIMIT_DATA, 2 * memory_mib_max * _MIB)
    _limit_lower(resource.RLIMIT_CORE, 0)
    os.nice(niceness)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def freed_keep(kept_mib: int) -> None:
    """Give memory back to the system only where more than so much is free, if malloc can be set so.

    It takes messages of all sizes and frees them at once: what the system takes back each time, it
    has to fill with zeros each time.
    """
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).mallopt(_M_TRIM_THRESHOLD, kept_mib * _MIB)


def _limit_lower(what: int, value: int) -> None:
    _, hard = resource.getrlimit(what)
    if hard == resource.RLIM_INFINITY or hard > value:
        resource.setrlimit(what, (value, value))

"""Commands that leave on time: a processor as soon as one is due, timers that do not slip.

Harness and system often share a machine. A sender that waits for its turn there sends late, and
what it measures is the wait.
"""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PR_SET_TIMERSLACK = 29
REAL_TIME_PRIORITY = 1
"""The lowest: above all that is ordinary, below what else is in real time."""
HELPER_PRIORITY = REAL_TIME_PRIORITY + 1
"""Of a thread that writes what a sender has handed over: nothing has left before."""


def timers_sharpen() -> None:
    """Let this thread's waits end within microseconds of their time (Linux; elsewhere nothing)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)


@contextmanager
def real_time(*, wanted: bool = True) -> Iterator[bool]:
    """Run this thread before all ordinary ones, where the system allows it; yield whether it does.

    What it starts meanwhile, processes and threads, stays ordinary.
    """
    is_real_time = wanted and _priority_raise()
    try:
        yield is_real_time
    finally:
        priority_lower()


def is_real_time_allowed() -> bool:
    """Return whether the system lets this process have threads in real time."""
    with real_time() as allowed:
        return allowed


def priority_lower() -> None:
    """Let this thread run as all others do."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def _priority_raise() -> bool:
    if sys.platform != "linux":
        return False
    policy = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
    try:
        # A system may allow the lowest only; a sender that starves its helper would be worse.
        for priority in (HELPER_PRIORITY, REAL_TIME_PRIORITY):
            os.sched_setscheduler(0, policy, os.sched_param(priority))
    except OSError:
        return False
    return True

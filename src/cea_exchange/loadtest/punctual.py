"""Commands that leave on time: a processor as soon as one is due, timers that do not slip.

Harness and system often share a machine. A sender that waits for its turn there sends late, and
what it measures is the wait.
"""

import ctypes
import os
import sys

PR_SET_TIMERSLACK = 29
REAL_TIME_PRIORITY = 1
"""The lowest: above all that is ordinary, below what else is in real time."""


def timers_sharpen() -> None:
    """Let this thread's waits end within microseconds of their time (Linux; elsewhere nothing)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)


def priority_raise() -> None:
    """Let this thread run before all ordinary ones, where the system allows it.

    What it starts, processes and threads, stays ordinary.
    """
    if sys.platform == "linux":
        policy = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
        try:
            os.sched_setscheduler(0, policy, os.sched_param(REAL_TIME_PRIORITY))
        except PermissionError:
            return


def is_real_time() -> bool:
    """Return whether this thread runs before all ordinary ones."""
    if sys.platform != "linux":
        return False
    return os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK == os.SCHED_FIFO

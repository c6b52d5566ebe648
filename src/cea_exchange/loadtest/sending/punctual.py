"""Waits shorter than a millisecond: what the system's poll rounds up to, and timers let slip."""

import ctypes
import select
import sys

PR_SET_TIMERSLACK = 29


def timers_sharpen() -> None:
    """Let this thread's waits end within microseconds of their time (Linux; elsewhere nothing)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)


def wait_readable(descriptor: int, timeout_s: float) -> bool:
    """Wait for a descriptor, with the microseconds that `select` keeps and `epoll` does not."""
    return bool(select.select([descriptor], [], [], max(timeout_s, 0.0))[0])

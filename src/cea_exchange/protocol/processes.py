"""Whether a daemon that has said where it listens still runs; how one ends with its parent."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def process_check(pid: int) -> None:
    """Raise ProcessLookupError if a process is gone: no need to wait for its answer."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return  # it is there, and another user's


def end_with_parent() -> None:
    """Ask Linux for SIGTERM when the parent ends, even by SIGKILL; runs in the new process."""
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

"""Checks that a daemon which has said where it listens is still running."""

import os


def process_check(pid: int) -> None:
    """Raise ProcessLookupError if a process is gone: no need to wait for its answer."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return  # it is there, and another user's

"""Logs many refusals in one line with their count: a flood must not fill the log."""

from collections.abc import Callable
from typing import Any

NEWS_S = 10.0

Tell = Callable[..., Any]
"""Takes an event and its fields, as a logger's `warning` does."""


class RefusedCount:
    """Counts what is refused and tells of it now and then: a flood must not fill the log.

    Parameters
    ----------
    event
        What the line in the log is called.
    socket
        Over which it came.
    tell
        Writes the line.
    """

    def __init__(self, event: str, socket: str, tell: Tell) -> None:
        self._event = event
        self._socket = socket
        self._tell = tell
        self._count = 0
        self._last = ("", "")
        self._due_s = 0.0

    def note(self, key: str, error: str) -> None:
        """Count one."""
        self._count += 1
        self._last = (key, error[:200])

    def turn(self, now_s: float) -> None:
        """Say how many there were since the last time, who sent the last one, and what it was."""
        if self._count and now_s >= self._due_s:
            key, error = self._last
            self._tell(self._event, socket=self._socket, count=self._count, key=key, error=error)
            self._count, self._due_s = 0, now_s + NEWS_S

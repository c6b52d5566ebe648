"""Logs events of which thousands may come in a second: one line a second, with their count."""

import math
from typing import Any

LINE_S = 1.0


class LogSummary:
    """One kind of event in the log.

    Parameters
    ----------
    log
        A structlog logger.
    event
        What the lines are called.
    """

    def __init__(self, log: Any, event: str) -> None:
        self._log = log
        self._event = event
        self._due_s = -math.inf
        self._count = 0
        self._last: dict[str, Any] = {}

    def note(self, now_s: float, **fields: Any) -> None:
        """Log it at once if none was logged for a second; else it waits, the last for all."""
        self._count += 1
        self._last = fields
        self.turn(now_s)

    def turn(self, now_s: float) -> None:
        """Log what waits, if it is time to: the last with its fields, and `count` of all."""
        if self._count and now_s >= self._due_s:
            self._due_s = now_s + LINE_S
            self._log.info(self._event, **self._last, count=self._count)
            self._count = 0

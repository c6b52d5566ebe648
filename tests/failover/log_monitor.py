"""Monitors from outside whether the log has a leader: nothing is acknowledged while it elects."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from cea_exchange.cluster.connection import LogConnection
from cea_exchange.cluster.errors import LogUnreachable

LOOK_S = 0.05
ELECTION_S_MIN = 2.0
"""Between two answers of a leader: an election takes 4 s and longer, a busy machine less."""
ASK_S_MAX = 5.0


class LogMonitor:
    """Asks for the log's leader all the time, in a thread of its own.

    Parameters
    ----------
    connect
        Makes a connection, to close here.
    """

    def __init__(self, connect: Callable[[], LogConnection]) -> None:
        self._connect = connect
        self._led_s = time.monotonic()
        self._without: list[tuple[float, float]] = []
        self._is_closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log monitor", daemon=True)
        self._thread.start()

    def without_leader_s(self, from_s: float) -> float:
        """Return for how long the log has had no leader since a moment."""
        now_s = time.monotonic()
        spans = [*self._without, (self._led_s, now_s)]
        return sum(
            end_s - max(begin_s, from_s)
            for begin_s, end_s in spans
            if end_s > from_s and end_s - begin_s > ELECTION_S_MIN
        )

    def close(self) -> None:
        """Monitor no more."""
        self._is_closing.set()
        self._thread.join(2 * ASK_S_MAX)

    def _run(self) -> None:
        while not self._is_closing.is_set():
            with suppress(LogUnreachable), self._connect() as connection:
                while not self._is_closing.wait(LOOK_S):
                    with suppress(LogUnreachable):
                        self._look(connection)

    def _look(self, connection: LogConnection) -> None:
        info = f"STREAM.INFO.{connection.config.stream}"
        answer = connection.call(connection.look_up(info), ASK_S_MAX)
        if not answer.get("cluster", {}).get("leader"):
            return
        now_s = time.monotonic()
        if now_s - self._led_s > ELECTION_S_MIN:
            self._without.append((self._led_s, now_s))
        self._led_s = now_s

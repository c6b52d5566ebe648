"""A daemon's heartbeat: whether its loop turns, for systemd's watchdog and for ``/healthz``."""

import os
import socket
import time
from collections.abc import Mapping
from typing import NamedTuple

import structlog

SILENT_S_MAX = 10.0
"""A loop that has not turned for so long is not well."""
TELL_S = 1.0

log = structlog.get_logger()


class Health(NamedTuple):
    """What ``/healthz`` answers.

    Attributes
    ----------
    is_well
        Whether the loop turns and nothing keeps the daemon from its work.
    why
        What is wrong; empty if nothing is.
    silent_s
        Since the loop turned last.
    """

    is_well: bool
    why: str
    silent_s: float


class Pulse:
    """Beaten by the loop; read from any thread.

    Parameters
    ----------
    environment
        Where systemd says whether it wants to be told (``NOTIFY_SOCKET``, sd_notify(3)).
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._socket: socket.socket | None = None
        self._reported_s = float("-inf")
        self._is_ready = False
        self._last = (time.monotonic(), "")
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            # Whoever does not listen must not be waited for.
            self._socket.setblocking(False)

    def beat(self, now_s: float, why: str = "") -> None:
        """Say that the loop has turned.

        Parameters
        ----------
        now_s
            By the monotonic clock.
        why
            What keeps the daemon from its work; empty if nothing does.
        """
        self._last = (now_s, why)
        if now_s - self._reported_s >= TELL_S:
            self._reported_s = now_s
            self._tell("WATCHDOG=1" if self._is_ready else "READY=1\nWATCHDOG=1")
            self._is_ready = True

    def health(self) -> Health:
        """Return how the daemon is now."""
        last_s, why = self._last
        silent_s = max(0.0, time.monotonic() - last_s)
        if silent_s > SILENT_S_MAX:
            why = f"the loop has not turned for {silent_s:.0f} s"
        return Health(not why, why, round(silent_s, 1))

    def close(self) -> None:
        """Say that the daemon ends."""
        self._tell("STOPPING=1")
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tell(self, text: str) -> None:
        if self._socket is None:
            return
        # An address that begins with @ is an abstract one.
        address = f"\0{self._address[1:]}" if self._address[0] == "@" else self._address
        try:
            self._socket.sendto(text.encode(), address)
        except OSError as error:
            log.warning("service_manager_untold", error=str(error))

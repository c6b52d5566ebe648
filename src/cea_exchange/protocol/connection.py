"""Follows a CURVE client's connection with a socket monitor: how far it got, whether it was lost.

    nobody listens             closed, or never connected
    stopped, or no ZeroMQ      connected
    another server key         connected, and the handshake breaks off
    a key that is on no list   connected, and the handshake is refused
    let in                     the handshake succeeded
"""

from enum import Enum
from itertools import count
from typing import Any

import zmq
from zmq.utils.monitor import parse_monitor_message

_EVENTS = (
    zmq.EVENT_CONNECTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_CLOSED
)
_watches = count()


class Reached(Enum):
    """How far a connection came."""

    NOBODY = "nobody"
    SILENT = "silent"
    """Somebody who says nothing."""
    ANOTHER = "another"
    """Somebody who does not know that public key as its own."""
    REFUSED = "refused"
    LET_IN = "let_in"


_REACHED: dict[int, Reached] = {
    zmq.EVENT_CONNECTED: Reached.SILENT,
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: Reached.ANOTHER,
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: Reached.ANOTHER,
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: Reached.REFUSED,
    zmq.EVENT_HANDSHAKE_SUCCEEDED: Reached.LET_IN,
}
TURNED_AWAY = {Reached.ANOTHER, Reached.REFUSED}
"""After which the next connection, which has only begun, says nothing yet."""

_ENDS = {
    zmq.EVENT_HANDSHAKE_FAILED_AUTH,
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
    zmq.EVENT_DISCONNECTED,
    zmq.EVENT_CLOSED,
}


class ConnectionMonitor:
    """Watches one client socket, also an asyncio one; begin before it connects, close before it."""

    def __init__(self, socket: zmq.Socket[Any]) -> None:
        self._socket = socket
        self._reached = Reached.NOBODY
        self._is_lost = False
        address = f"inproc://connection-watch-{next(_watches)}"
        socket.monitor(address, _EVENTS)
        self._events = zmq.Context(socket.context).socket(zmq.PAIR)
        self._events.linger = 0
        # Where nobody looks the events wait here: their sender is libzmq's own thread, which would.
        self._events.rcvhwm = 0
        self._events.connect(address)

    def reached(self) -> Reached:
        """Return how far the latest connection came that one can tell of by now.

        One that has only begun says nothing yet where the one before was refused, or broke off.
        """
        self._look()
        return self._reached

    @property
    def is_lost(self) -> bool:
        """Whether the latest connection has ended, or could not be made, by now."""
        self._look()
        return self._is_lost

    def _look(self) -> None:
        while self._events.poll(0):
            event = parse_monitor_message(self._events.recv_multipart())["event"]
            if event != zmq.EVENT_CONNECTED or self._reached not in TURNED_AWAY:
                self._reached = _REACHED.get(event, self._reached)
            self._is_lost = event in _ENDS

    def close(self) -> None:
        """End the monitor."""
        self._socket.disable_monitor()
        self._events.close()

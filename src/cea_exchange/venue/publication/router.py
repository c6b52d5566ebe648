"""Receives and sends single messages of a ROUTER socket, without waiting."""

import structlog
import zmq

from cea_exchange.control_plane._router import Router
from cea_exchange.control_plane.connection_monitor import ConnectionMonitor
from cea_exchange.control_plane.door import Message

FRAMES_MAX = 1_024
"""None that is understood has more than three."""

log = structlog.get_logger("venue")


class RouterMailbox:
    """What arrives at a ROUTER, message by message, and what is answered over it.

    Parameters
    ----------
    socket
        A bound ROUTER.
    monitor
        Is told what was taken of each connection.
    """

    def __init__(self, socket: zmq.Socket, monitor: ConnectionMonitor | None = None) -> None:
        self._socket = socket
        self._router = Router(socket, FRAMES_MAX)
        self._monitor = monitor
        self._wire_bytes = 0

    def receive(self) -> Message | None:
        """Return one message with the key of its connection; None if there is none for now."""
        router = self._router
        taken = router.receive()
        if taken is None:
            return None
        message = Message(*taken)
        if self._monitor is not None:
            wire_bytes, self._wire_bytes = router.wire_bytes - self._wire_bytes, router.wire_bytes
            who = message.routing_id, message.key or ""
            self._monitor.took(router.descriptor, *who, wire_bytes)
        return message

    def answer(self, routing_id: bytes, *frames: bytes) -> None:
        """Send an answer to a peer that may be gone or too slow; it can ask again."""
        try:
            self._socket.send_multipart([routing_id, *frames], zmq.NOBLOCK)
        except zmq.ZMQError as error:
            log.info("answer_dropped", error=str(error))

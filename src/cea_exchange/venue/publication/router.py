"""Receives and sends single messages of a ROUTER socket, without waiting."""

import structlog
import zmq

from cea_exchange.control_plane._router import Router
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
    """

    def __init__(self, socket: zmq.Socket) -> None:
        self._socket = socket
        self._router = Router(socket, FRAMES_MAX)

    def receive(self) -> Message | None:
        """Return one message with the key of its connection; None if there is none for now."""
        taken = self._router.receive()
        return None if taken is None else Message(*taken)

    def answer(self, routing_id: bytes, *frames: bytes) -> None:
        """Send an answer to a peer that may be gone or too slow; it can ask again."""
        try:
            self._socket.send_multipart([routing_id, *frames], zmq.NOBLOCK)
        except zmq.ZMQError as error:
            log.info("answer_dropped", error=str(error))

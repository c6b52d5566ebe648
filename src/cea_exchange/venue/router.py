"""One message of a ROUTER in, one out, neither of which may wait."""

import structlog
import zmq

from cea_exchange.protocol.security import sender_key
from cea_exchange.venue.gateway import Message

log = structlog.get_logger("venue")


def receive(socket: zmq.Socket) -> Message | None:
    """Return one message of a ROUTER with the key of its connection; None if there is none."""
    try:
        frames = socket.recv_multipart(zmq.NOBLOCK, copy=False)
    except zmq.Again:
        return None
    contents = [frame.bytes for frame in frames]
    return Message(contents[0], sender_key(frames[-1]), contents[1:])


def send_or_drop(socket: zmq.Socket, frames: list[bytes]) -> None:
    """Send an answer to a peer that may be gone or too slow; it can ask again."""
    try:
        socket.send_multipart(frames, zmq.NOBLOCK)
    except zmq.ZMQError as error:
        log.info("answer_dropped", error=str(error))

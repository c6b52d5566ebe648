"""One message of a ROUTER in, one out, neither of which may wait."""

import structlog
import zmq

from cea_exchange.protocol.security import sender_key
from cea_exchange.venue.gateway import Message

FRAMES_MAX = 1_024
"""None that is understood has more than three."""

log = structlog.get_logger("venue")


class Inbox:
    """What arrives at a ROUTER, message by message.

    A sender decides of how many frames its message is, and every one takes its time: those behind
    FRAMES_MAX are dropped, so many at a look, lest the venue stand still for a million of them.

    Parameters
    ----------
    socket
        A bound ROUTER.
    """

    def __init__(self, socket: zmq.Socket) -> None:
        self._socket = socket
        self._is_dropping = False

    def receive(self) -> Message | None:
        """Return one message with the key of its connection; None if there is none for now."""
        if self._is_dropping:
            self._frames()
            if self._is_dropping:
                return None
        frames = self._frames()
        if not frames:
            return None
        contents = [frame.bytes for frame in frames]
        return Message(contents[0], sender_key(frames[-1]), contents[1:])

    def _frames(self) -> list[zmq.Frame]:
        """Return the next frames of one message, and note whether it goes on behind them."""
        frames: list[zmq.Frame] = []
        try:
            while len(frames) <= FRAMES_MAX:
                frames.append(self._socket.recv(zmq.NOBLOCK, copy=False))
                self._is_dropping = frames[-1].more
                if not self._is_dropping:
                    break
        except zmq.Again:
            self._is_dropping = False
        return frames


def send_or_drop(socket: zmq.Socket, frames: list[bytes]) -> None:
    """Send an answer to a peer that may be gone or too slow; it can ask again."""
    try:
        socket.send_multipart(frames, zmq.NOBLOCK)
    except zmq.ZMQError as error:
        log.info("answer_dropped", error=str(error))

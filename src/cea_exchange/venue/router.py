"""One message of a ROUTER in, one out, neither of which may wait."""

from collections.abc import Sequence

import structlog
import zmq

from cea_exchange.protocol.security import sender_key
from cea_exchange.venue.gateway import Message

FRAMES_MAX = 1_024
"""None that is understood has more than three."""
_NOBLOCK, _MORE = int(zmq.NOBLOCK), int(zmq.NOBLOCK | zmq.SNDMORE)
"""As plain numbers: the flags of `zmq` are joined in Python at every use."""

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
        try:
            routing_id = self._socket.recv(_NOBLOCK)
        except zmq.Again:
            return None
        frames = self._frames()
        return Message(routing_id, sender_key(frames[-1]), [frame.bytes for frame in frames])

    def _frames(self) -> list[zmq.Frame]:
        """Return the next frames of one message, and note whether it goes on behind them.

        They are all there, for ZeroMQ hands out whole messages.
        """
        frames: list[zmq.Frame] = []
        receive = self._socket.recv
        while len(frames) < FRAMES_MAX:
            frame = receive(_NOBLOCK, copy=False)
            frames.append(frame)
            if not frame.more:
                self._is_dropping = False
                return frames
        self._is_dropping = True
        return frames


def send_frames(socket: zmq.Socket, frames: Sequence[bytes]) -> None:
    """Send a message as `send_multipart` does, which looks at every frame beforehand.

    Raises
    ------
    zmq.Again
        There is no room for it; nothing was sent.
    zmq.ZMQError
        The connection is gone.
    """
    for frame in frames[:-1]:
        socket.send(frame, _MORE)
    socket.send(frames[-1], _NOBLOCK)


def send_or_drop(socket: zmq.Socket, frames: list[bytes]) -> None:
    """Send an answer to a peer that may be gone or too slow; it can ask again."""
    try:
        socket.send_multipart(frames, zmq.NOBLOCK)
    except zmq.ZMQError as error:
        log.info("answer_dropped", error=str(error))

"""A daemon's ROUTER: bounded in bytes for all its connections, answers for who reads them.

What is no request is counted, and told of now and then: no peer fills memory, disk or log.
"""

from typing import NamedTuple

import zmq

from cea_exchange.protocol.security import sender_key
from cea_exchange.registry.connection_watch import ConnectionWatch
from cea_exchange.registry.refused_count import RefusedCount

HIGH_WATER_MARK = 4
"""Messages of one connection that libzmq holds, each way; a door's socket is opened with it."""

HELD_BYTES_MAX = 64 << 20
"""What all connections of a socket may hold that was not taken from it."""


class Message(NamedTuple):
    """A request as it arrived."""

    identity: bytes
    """of the connection, to answer over"""
    key: str
    frame: zmq.Frame
    descriptor: int
    """of the connection"""

    @property
    def payload(self) -> bytes:
        """What is asked; a copy."""
        return self.frame.bytes


class Door:
    """Takes messages of two frames from a bound ROUTER, and sends answers.

    Parameters
    ----------
    socket
        Opened with `HIGH_WATER_MARK`.
    name
        For the log.
    request_bytes_max
        The largest message.

    Attributes
    ----------
    unreadable_count : int
        Messages that were no requests.
    """

    def __init__(self, socket: zmq.Socket, name: str, request_bytes_max: int) -> None:
        self._socket = socket
        # Who does not read is known by it: a send that would wait fails.
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._watch = ConnectionWatch(
            socket,
            name,
            bytes_max=max(HELD_BYTES_MAX, 2 * request_bytes_max),
            connection_bytes_max=(HIGH_WATER_MARK + 2) * max(request_bytes_max, 1 << 16),
        )
        self._unreadable = RefusedCount("requests_unreadable", name)
        self.unreadable_count = 0

    def turn(self, now_s: float) -> None:
        """End who takes up too much, and say how many messages were none."""
        self._watch.turn(now_s)
        self._unreadable.turn(now_s)

    def receive(self) -> Message | None:
        """Return the next message, without a key if it is none of ours; None if there is none.

        Frame by frame: of a message of many no more than one is held.
        """
        try:
            identity = self._socket.recv(zmq.NOBLOCK)
        except zmq.Again:
            return None
        frame = self._socket.recv(copy=False)
        key, descriptor = sender_key(frame) or "", frame.get(zmq.SRCFD)
        self._watch.took(frame, key)
        message = Message(identity, key, frame, descriptor)
        if not frame.more:
            return message
        message = message._replace(key="", frame=zmq.Frame(b""))
        while frame.more:
            frame = self._socket.recv(copy=False)
            self._watch.took(frame, key)
        self.unreadable(message._replace(key=key), "request must be one frame, had more")
        return message

    def unreadable(self, message: Message, error: str) -> None:
        """Note a message that was no request."""
        self.unreadable_count += 1
        self._unreadable.note(message.key, error)

    def answer(self, message: Message, content: bytes) -> None:
        """Send an answer; who is gone gets none, who does not read is disconnected."""
        try:
            self._socket.send_multipart([message.identity, content], zmq.NOBLOCK)
        except zmq.Again:
            self._watch.end(message.descriptor, "it does not read what it is answered")
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise

    def close(self) -> None:
        """End watching; the socket itself is its owner's."""
        self._watch.close()

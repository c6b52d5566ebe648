"""A daemon's ROUTER: bounded in bytes for all its connections, answers for who reads them.

What is no request is counted, and told of now and then: no peer fills memory, disk or log.
"""

import time
from typing import NamedTuple

import zmq

from cea_exchange.protocol.security import sender_key
from cea_exchange.registry.connection_watch import ConnectionWatch
from cea_exchange.registry.outbox import Outbox
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
        self._outbox = Outbox()
        self._descriptors: dict[bytes, int] = {}

    def turn(self, now_s: float) -> None:
        """Send what waits, end who takes up too much, say how many messages were none."""
        self._outbox_turn(now_s)
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
        identity, now_s = message.identity, time.monotonic()
        if identity not in self._outbox and self._is_sent(identity, content):
            return
        self._descriptors[identity] = message.descriptor
        if not self._outbox.put(identity, content, now_s):
            self._end(identity)

    def _outbox_turn(self, now_s: float) -> None:
        """Send what waited, as far as it is taken."""
        for identity in self._outbox.identities():
            while identity in self._outbox and self._is_sent(
                identity, self._outbox.first(identity)
            ):
                self._outbox.sent(identity, now_s)
            if identity not in self._outbox:
                del self._descriptors[identity]
            elif self._outbox.is_stuck(identity, now_s):
                self._end(identity)

    def _is_sent(self, identity: bytes, content: bytes) -> bool:
        """Send, if the connection's queue has room; to who is gone nothing is to be sent."""
        try:
            self._socket.send_multipart([identity, content], zmq.NOBLOCK)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
        return True

    def _end(self, identity: bytes) -> None:
        self._watch.end(self._descriptors.pop(identity), "it does not read what it is answered")
        self._outbox.drop(identity)

    def end(self, message: Message, why: str) -> None:
        """End the connection that a message came over."""
        self._outbox.drop(message.identity)
        self._descriptors.pop(message.identity, None)
        self._watch.end(message.descriptor, why)

    def close(self) -> None:
        """End watching; the socket itself is its owner's."""
        self._watch.close()

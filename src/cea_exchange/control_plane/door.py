"""A ROUTER socket that others send to: bounds what all connections hold, answers those who read.

What is no request is counted, and logged now and then: no peer fills memory, disk or log.
"""

import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

import zmq

from cea_exchange.control_plane._router import Router
from cea_exchange.control_plane.connection_monitor import ConnectionMonitor
from cea_exchange.control_plane.outbox import Outbox, OutboxLimits
from cea_exchange.control_plane.refused_count import RefusedCount, Tell

HIGH_WATER_MARK = 4
"""Messages of one connection that libzmq holds, each way, where nobody needs more."""

HELD_BYTES_MAX = 64 << 20
"""What all connections of a socket may hold that was not taken from it, or of its largest messages
so many as two."""

FRAMES_TAKEN_MAX = 3
"""No message that is understood has more than two; those behind are dropped."""

ANSWER_LIMITS = OutboxLimits()


class Message(NamedTuple):
    """A message as it arrived.

    Attributes
    ----------
    routing_id
        Of the connection, to answer over; says nothing about who it is.
    key
        Of the connection (z85 text): who it is.
    frames
        The first of them, see `FRAMES_TAKEN_MAX`.
    """

    routing_id: bytes
    key: str
    frames: list[bytes]

    @property
    def payload(self) -> bytes:
        """What is asked, where a message is one frame."""
        return self.frames[0]


class Mailbox(Protocol):
    """Where messages come in and answers go out."""

    def receive(self) -> Message | None:
        """Return the next message; None if there is none."""

    def answer(self, routing_id: bytes, *frames: bytes) -> None:
        """Send an answer; never waits."""


class Doorway(Mailbox, Protocol):
    """A mailbox whose connections can be ended: a `Door`, or a front's."""

    def end(self, routing_id: bytes, why: str) -> None:
        """End a connection."""


class Door:
    """Takes messages from a bound ROUTER, and sends answers.

    Parameters
    ----------
    socket
        Opened with the high-water mark.
    name
        For the log.
    message_bytes_max
        The largest message.
    tell
        Writes a line of the log, as a logger's `warning`.
    high_water_mark
        Messages of one connection that libzmq holds.
    limits
        How much may wait to be read by the other side.
    ends_slow
        Whether who does not read is disconnected; else only logged.
    on_gone
        Called with a connection's routing id, and whether it did not read, once nothing can be
        sent to it any more.

    Attributes
    ----------
    router : Router
        The socket's messages.
    monitor : ConnectionMonitor
        Its connections.
    """

    def __init__(
        self,
        socket: zmq.Socket,
        name: str,
        message_bytes_max: int,
        *,
        tell: Tell,
        high_water_mark: int = HIGH_WATER_MARK,
        limits: OutboxLimits = ANSWER_LIMITS,
        ends_slow: bool = True,
        on_gone: Callable[[bytes, bool], None] = lambda routing_id, is_slow: None,
    ) -> None:
        self.router = Router(socket, FRAMES_TAKEN_MAX)
        # Who does not read is known by it: a send that would wait fails.
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.monitor = ConnectionMonitor(
            socket,
            name,
            bytes_max=max(HELD_BYTES_MAX, 2 * message_bytes_max),
            connection_bytes_max=(high_water_mark + 2) * max(message_bytes_max, 1 << 16),
            tell=tell,
        )
        self._outbox = Outbox(limits)
        self._ends_slow = ends_slow
        self._on_gone = on_gone
        self._wire_bytes = 0

    def turn(self, now_s: float) -> None:
        """Send what waits, and end who takes up too much."""
        if self._outbox:
            self._outbox_turn(now_s)
        self.monitor.turn(now_s)

    @property
    def has_waiting(self) -> bool:
        """Whether somebody has answers to come that were not taken yet."""
        return bool(self._outbox)

    def receive(self) -> Message | None:
        """Return the next message; None if there is none."""
        router = self.router
        taken = router.receive()
        if taken is None:
            return None
        routing_id, key, frames = taken
        wire_bytes, self._wire_bytes = router.wire_bytes - self._wire_bytes, router.wire_bytes
        self.monitor.took(router.descriptor, routing_id, key or "", wire_bytes)
        return Message(routing_id, key or "", frames)

    def answer(self, routing_id: bytes, *frames: bytes) -> None:
        """Send an answer; who is gone gets none, who does not read is disconnected."""
        if routing_id not in self._outbox and self._is_sent(routing_id, frames):
            return
        if not self._outbox.put(routing_id, frames, time.monotonic()):
            self._slow_end(routing_id)

    def end(self, routing_id: bytes, why: str) -> None:
        """End a connection."""
        self._outbox.drop(routing_id)
        self.monitor.end(routing_id, why)

    def close(self) -> None:
        """End monitoring; the socket itself is its owner's."""
        self.monitor.close()

    def _outbox_turn(self, now_s: float) -> None:
        """Send what waited, as far as it is taken."""
        for routing_id in self._outbox.routing_ids():
            while routing_id in self._outbox and self._is_sent(
                routing_id, self._outbox.first(routing_id)
            ):
                if routing_id in self._outbox:
                    self._outbox.sent(routing_id, now_s)
            if routing_id in self._outbox and self._outbox.is_stuck(routing_id, now_s):
                self._slow_end(routing_id)

    def _is_sent(self, routing_id: bytes, frames: tuple[bytes, ...]) -> bool:
        """Send, if the connection's queue has room; to who is gone nothing is to be sent."""
        try:
            self.router.send(routing_id, *frames)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self._outbox.drop(routing_id)
            self._on_gone(routing_id, False)
        return True

    def _slow_end(self, routing_id: bytes) -> None:
        if self._ends_slow:
            self.end(routing_id, "it does not read what it is answered")
        self._outbox.drop(routing_id)
        self._on_gone(routing_id, True)


class UnreadableCount:
    """Messages that were no requests.

    Attributes
    ----------
    count : int
        So many since the start.
    """

    def __init__(self, socket: str, tell: Tell) -> None:
        self._news = RefusedCount("requests_unreadable", socket, tell)
        self.count = 0

    def note(self, key: str, error: str) -> None:
        """Count one, and who sent it."""
        self.count += 1
        self._news.note(key, error)

    def turn(self, now_s: float) -> None:
        """Tell of them now and then."""
        self._news.turn(now_s)

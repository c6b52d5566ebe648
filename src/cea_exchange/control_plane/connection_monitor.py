"""What the connections of a ROUTER hold in memory, bounded in bytes for all of them together.

libzmq bounds messages for each connection: not the connections, not the parts of a message, which
it keeps until the last has arrived. So the kernel is asked how many bytes came over each
connection, what was taken is counted here, and who makes the rest grow too large is disconnected.
"""

import fcntl
import math
import os
import socket
import struct
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import zmq

from cea_exchange.control_plane.refused_count import RefusedCount, Tell

LOOK_S = 0.05
UNFINISHED_MAX = 1_024
"""Connections that have said nothing yet: each takes memory before anybody knows whose it is."""
TURNED_AWAY_S = 0.015
_ASKED_BYTES = 64 + 202 + 259  # greeting, HELLO and the shortest INITIATE of CURVE
_WELCOMED_BYTES = 64 + 170 + 1  # greeting and WELCOME; READY is what follows
_TCP_INFO_BYTES = 136
_BYTES_ACKNOWLEDGED_AT = 120
_BYTES_RECEIVED_AT = 128  # of `struct tcp_info` (linux/tcp.h)
_EVENTS = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED
_EVENT = struct.Struct("=Hi")
"""Which event, and its value: zmq_socket_monitor(3). Who imports pyzmq's own reader imports asyncio
with it, a quarter of the time in which a front starts."""


@dataclass
class _Connection:
    """One connection: our own descriptor of it, and what of its bytes was taken."""

    socket: socket.socket
    since_s: float
    routing_id: bytes = b""
    key: str = ""
    taken_bytes: int = 0
    was_unanswered: bool = False
    may_be_stray: bool = False

    def received_bytes(self) -> int:
        """Return what has arrived since it was opened."""
        info = self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
        received: int = struct.unpack_from("Q", info, _BYTES_RECEIVED_AT)[0]
        return received

    def is_unanswered(self) -> bool:
        """Tell whether the peer has said whose it is, and nothing was written to it since."""
        info = self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
        (acknowledged,) = struct.unpack_from("Q", info, _BYTES_ACKNOWLEDGED_AT)
        (received,) = struct.unpack_from("Q", info, _BYTES_RECEIVED_AT)
        (unacknowledged,) = struct.unpack("i", fcntl.ioctl(self.socket, termios.TIOCOUTQ, bytes(4)))
        written: int = acknowledged + unacknowledged
        return received >= _ASKED_BYTES and written <= _WELCOMED_BYTES

    def held_bytes(self) -> int:
        """Return what has arrived, is not in the kernel any more, and was not taken."""
        received = self.received_bytes()
        (in_kernel,) = struct.unpack("i", fcntl.ioctl(self.socket, termios.FIONREAD, bytes(4)))
        return max(0, received - in_kernel - self.taken_bytes)


class ConnectionMonitor:
    """Monitors the connections of one bound socket.

    Parameters
    ----------
    bound
        A ROUTER that is bound over TCP; created before its first connection is served.
    name
        For the log.
    bytes_max
        What all its connections together may hold.
    connection_bytes_max
        What one may hold.
    tell
        Writes a line of the log, as a logger's `warning`.
    allowed_per_s
        Bytes that each connection may send a second without their counting as held: pings, and at
        a socket that does not tell what it took all that comes.
    unfinished_max
        Connections that have said nothing yet; None for a socket that can't tell them from others.
    look_s
        Seconds between two looks: each asks the kernel twice for every connection.

    Attributes
    ----------
    closed_count : int
        Connections ended for what they held.
    """

    def __init__(
        self,
        bound: zmq.Socket,
        name: str,
        *,
        bytes_max: int,
        connection_bytes_max: int,
        tell: Tell,
        allowed_per_s: int = 0,
        unfinished_max: int | None = UNFINISHED_MAX,
        look_s: float = LOOK_S,
    ) -> None:
        self._socket = bound
        self._closed = RefusedCount("connections_closed", name, tell)
        self._bytes_max = bytes_max
        self._connection_bytes_max = connection_bytes_max
        self._port = int(bound.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2])
        self._monitor = bound.get_monitor_socket(_EVENTS)
        self._connections: dict[int, _Connection] = {}
        self._allowed_per_s, self._unfinished_max = allowed_per_s, unfinished_max
        self._look_s, self._looked_s = look_s, time.monotonic()
        self._due_s = 0.0
        self._followed_s = time.monotonic()
        self.closed_count = 0

    def took(self, descriptor: int, routing_id: bytes, key: str, wire_bytes: int) -> None:
        """Note what was received, and whose connection it came over."""
        connection = self._connections.get(descriptor)
        if connection is None:
            self._follow()
            connection = self._connections.get(descriptor)
        if connection is not None:
            connection.taken_bytes += wire_bytes
            connection.routing_id, connection.key = routing_id, key

    def turn(self, now_s: float) -> None:
        """Follow who comes and goes; now and then look at what they hold."""
        if now_s >= self._due_s:
            self._due_s = now_s + self._look_s
            self._follow()
            if self._unfinished_max is not None:
                self.end_unfinished(self._unfinished_max)
            passed_s, self._looked_s = max(0.0, now_s - self._looked_s), now_s
            self._bound(int(passed_s * self._allowed_per_s))
            self._closed.turn(now_s)

    def close(self) -> None:
        """End monitoring; the connections stay."""
        for descriptor in list(self._connections):
            self._forget(descriptor)
        self._socket.disable_monitor()
        self._monitor.close(linger=0)

    def end(self, routing_id: bytes, why: str) -> None:
        """End a connection, if it has sent anything."""
        for descriptor, connection in list(self._connections.items()):
            if connection.routing_id == routing_id:
                self._end(descriptor, why)

    def nameless_doubt(self) -> None:
        """Note which connections are nobody's yet: they may be of a key that was admitted so far.

        Those that come later were let in by who is admitted from now on.
        """
        self._follow()
        for connection in self._connections.values():
            if not connection.key:
                connection.may_be_stray = True

    def end_keys(self, is_theirs: Callable[[str], bool], why: str) -> None:
        """End the connections of some keys, and those doubted that have still sent nothing."""
        self._follow()
        for descriptor, connection in list(self._connections.items()):
            if is_theirs(connection.key) if connection.key else connection.may_be_stray:
                self._end(descriptor, why)

    def end_turned_away(self) -> None:
        """End connections that have said whose they are, and were not answered since the last look.

        libzmq leaves one that is turned away for now as it is, until its time for the handshake is
        over.
        """
        self._follow()
        for descriptor, connection in list(self._connections.items()):
            if connection.key:
                continue
            with suppress(OSError):
                if not connection.is_unanswered():
                    connection.was_unanswered = False
                elif connection.was_unanswered:
                    self._end(descriptor, "it is turned away for now")
                else:
                    connection.was_unanswered = True

    def whose(self) -> tuple[set[str], float]:
        """Return whose connections there are, and since when there may be one of nobody known."""
        self._follow()
        each = self._connections.values()
        nameless_s = min((one.since_s for one in each if not one.key), default=math.inf)
        return {one.key for one in each if one.key}, nameless_s

    def end_unfinished(self, count_max: int) -> None:
        """End the oldest of too many connections that have not said anything yet."""
        nameless = [each for each, connection in self._connections.items() if not connection.key]
        for descriptor in nameless[: max(0, len(nameless) - count_max)]:
            self._end(descriptor, "too many have said nothing")

    def _end(self, descriptor: int, why: str) -> None:
        connection = self._connections.get(descriptor)
        if connection is not None:
            with suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)
            self.closed_count += 1
            self._closed.note(connection.key, why)
            self._forget(descriptor)

    def _follow(self) -> None:
        now_s = time.monotonic()
        while self._monitor.poll(0):
            event, descriptor = _EVENT.unpack(self._monitor.recv_multipart()[0])
            if event == zmq.EVENT_ACCEPTED:
                self._add(descriptor)
            else:
                self._forget(descriptor)
        self._followed_s = now_s

    def _add(self, descriptor: int) -> None:
        self._forget(descriptor)
        opened = _duplicate(descriptor)
        if opened is None:
            return
        # The number may be another file's by now: what is monitored must be a connection of ours.
        if _local_port(opened) == self._port:
            self._connections[descriptor] = _Connection(opened, self._followed_s)
        else:
            opened.close()

    def _forget(self, descriptor: int) -> None:
        connection = self._connections.pop(descriptor, None)
        if connection is not None:
            connection.socket.close()

    def _bound(self, allowed_bytes: int) -> None:
        held: dict[int, int] = {}
        for descriptor, connection in list(self._connections.items()):
            try:
                size = connection.held_bytes()
            except OSError:
                self._forget(descriptor)
                continue
            # What was not used of it is not saved up.
            connection.taken_bytes += min(allowed_bytes, size)
            held[descriptor] = max(0, size - allowed_bytes)
        for descriptor, size in held.items():
            if size > self._connection_bytes_max:
                self._end(descriptor, f"it held {size} bytes unread")
                held[descriptor] = 0
        while (total := sum(held.values())) > self._bytes_max:
            descriptor = self._heaviest(held)
            self._end(descriptor, f"all held {total} bytes unread, its key the most of them")
            held[descriptor] = 0

    def _heaviest(self, held: dict[int, int]) -> int:
        """Return the largest connection of the key that holds most; one unknown is of its own."""
        of_key: dict[str | int, int] = {}
        for descriptor, size in held.items():
            whose = self._whose(descriptor)
            of_key[whose] = of_key.get(whose, 0) + size
        heaviest = max(of_key, key=lambda whose: of_key[whose])
        own = [each for each in held if self._whose(each) == heaviest]
        return max(own, key=lambda descriptor: held[descriptor])

    def _whose(self, descriptor: int) -> str | int:
        connection = self._connections.get(descriptor)
        return descriptor if connection is None else connection.key or descriptor


def _duplicate(descriptor: int) -> socket.socket | None:
    """Return a descriptor of our own of a socket; None if it is none, or is closed."""
    try:
        own = os.dup(descriptor)
    except OSError:
        return None
    try:
        return socket.socket(fileno=own)
    except OSError:
        os.close(own)
        return None


def _local_port(opened: socket.socket) -> int | None:
    """Return the TCP port a connection is at on this side; None if it is no such connection."""
    if opened.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    if opened.type != socket.SOCK_STREAM:
        return None
    try:
        port: int = opened.getsockname()[1]
    except OSError:
        return None
    return port

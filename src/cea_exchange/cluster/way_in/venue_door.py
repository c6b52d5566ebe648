"""The venue's end of the lines to the ways in: their participants' messages, as a front's door.

A way in keeps participants' sessions while one venue after another leads (`way_in`);
its line may break at any moment, and with it the venue's side of its sessions: whoever is still
there is logged on again over the next line. What a line says is believed as a front is, but nothing
that it says ends the venue.
"""

from collections import deque
from collections.abc import Callable, Iterable

import msgspec
import structlog
import zmq

from cea_exchange.cluster.way_in import line_messages as way_in
from cea_exchange.control_plane._router import Router
from cea_exchange.control_plane.door import Message
from cea_exchange.control_plane.fronts.fronts import FRONT_BYTES, FrontDoor, Lost
from cea_exchange.control_plane.refused_count import RefusedCount

LINES_MAX = 64
FRAMES_MAX = 3
SILENCE_S_MAX = 5.0
"""A way in says four times a second that it goes on."""
HIGH_WATER_MARK = 20_000
"""Messages that wait for a way in; one that takes none is given up, and finds by replay what it
missed."""
KEYS_PER_MESSAGE = 8_192
_FIRST_NUMBER = 1 << 31
"""Fronts are numbered from 1 on, and their connections' ids begin with that number."""
_OWN_ID = b"\0"
"""Stands before a connection in the rest of its id, as ZeroMQ's own do: no client has chosen it."""

log = structlog.get_logger("venue")


class _Line:
    """A way in's connection."""

    def __init__(self, peer: bytes, key: str, instance: bytes, number: int, now_s: float) -> None:
        self.peer, self.key, self.instance = peer, key, instance
        self.prefix = number.to_bytes(FRONT_BYTES, "little")
        self.heard_s = now_s
        self.keys: frozenset[str] = frozenset()
        self.awaited: dict[bytes, Callable[[], None]] = {}


class WaysIn:
    """A ROUTER to which ways in come; the door of their participants.

    Parameters
    ----------
    socket
        Bound; admits the ways in only.
    log_id
        Which log this venue leads.
    now_s
        A clock that never goes back.

    Attributes
    ----------
    lost : deque of Lost
        Connections that are gone, as `FrontDoor` has them.
    """

    def __init__(self, socket: zmq.Socket, log_id: str, now_s: Callable[[], float]) -> None:
        self.lost: deque[Lost] = deque()
        self.socket = socket
        self._router = Router(socket, FRAMES_MAX)
        self._log_id = log_id
        self._now_s = now_s
        self._is_open = False
        self._keys: frozenset[str] = frozenset()
        self._lines: dict[bytes, _Line] = {}
        self._by_peer: dict[bytes, _Line] = {}
        self._number = _FIRST_NUMBER
        self._reach_number = 0
        self._unreadable = RefusedCount("requests_unreadable", "way_in", log.warning)

    def __len__(self) -> int:
        return len(self._lines)

    # -- As a door ----------------------------------------------------------------------------

    def receive(self) -> Message | None:
        """Return the next message of a participant; None if there is none for now."""
        while (taken := self._router.receive()) is not None:
            peer, key, frames = taken
            try:
                arrived = self._take(peer, key or "", frames)
            except way_in.LineError as error:
                self._unreadable.note(key or "", str(error))
                continue
            if arrived is not None:
                return arrived
        return None

    def answer(self, routing_id: bytes, *frames: bytes) -> None:
        """Send a message to a participant; to who is gone none goes."""
        line = self._lines.get(routing_id[:FRONT_BYTES])
        if line is not None:
            self._send(line, way_in.SEND + _connection(routing_id), *frames)

    def end(self, routing_id: bytes, why: str) -> None:
        """End a participant's connection."""
        line = self._lines.get(routing_id[:FRONT_BYTES])
        if line is not None:
            self._send(line, way_in.END + _connection(routing_id), why.encode())

    def is_served(self, routing_id: bytes) -> bool:
        """Say whether the line of a connection is still there."""
        return routing_id[:FRONT_BYTES] in self._lines

    def reach(self, routing_id: bytes, then: Callable[[], None]) -> None:
        """Call something once all that was sent to a connection has left, or it has ended."""
        line = self._lines.get(routing_id[:FRONT_BYTES])
        if line is None:
            then()
            return
        self._reach_number = (self._reach_number + 1) % (1 << 8 * way_in.NUMBER_BYTES)
        number = self._reach_number.to_bytes(way_in.NUMBER_BYTES, "little")
        line.awaited[number] = then
        self._send(line, way_in.REACH + _connection(routing_id), number)

    # -- The lines ----------------------------------------------------------------------------

    def admit(self, keys: Iterable[str]) -> None:
        """Let the ways in know whose keys are granted."""
        self._keys = frozenset(keys)
        for line in list(self._lines.values()):
            self._keys_tell(line)

    def beat(self, now_s: float, *, is_open: bool) -> None:
        """Say where the venue stands, and give up the lines that are silent."""
        self._is_open = is_open
        self._unreadable.turn(now_s)
        for line in list(self._lines.values()):
            if now_s - line.heard_s > SILENCE_S_MAX:
                self._give_up(line, "it is silent")
            else:
                self._standing_tell(line)

    def _take(self, peer: bytes, key: str, frames: list[bytes]) -> Message | None:
        """Do what a way in says; return the participant's message, if it is one."""
        tag = frames[0][:1] if frames else b""
        if tag == way_in.BEGIN:
            self._begin(peer, key, frames[0][1:])
            return None
        line = self._by_peer.get(peer)
        if line is None:
            # Given up: it hears nothing any more, and begins another one.
            return None
        line.heard_s = self._now_s()
        if tag == way_in.ARRIVED:
            arrived = way_in.arrived_read(frames)
            return Message(line.prefix + _OWN_ID + arrived.connection, arrived.key, arrived.frames)
        if tag == way_in.GONE:
            connection, is_slow = way_in.gone_read(frames[0])
            self.lost.append(Lost(line.prefix + _OWN_ID + connection, is_slow))
        elif tag == way_in.REACHED:
            line.awaited.pop(frames[0][1:], _nothing)()
        elif tag != way_in.PULSE:
            raise way_in.LineError(f"tag: expected one of B, A, G, P, R, got {tag!r}")
        return None

    def _begin(self, peer: bytes, key: str, instance: bytes) -> None:
        if len(instance) != way_in.INSTANCE_BYTES:
            raise way_in.LineError(f"begin: expected an instance, got {len(instance)} bytes")
        for line in list(self._lines.values()):
            if line.peer == peer or (line.key, line.instance) == (key, instance):
                self._give_up(line, "it begins anew")
        if len(self._lines) >= LINES_MAX:
            raise way_in.LineError(f"begin: expected at most {LINES_MAX} ways in, got another")
        line = _Line(peer, key, instance, self._number, self._now_s())
        self._number += 1
        self._lines[line.prefix] = self._by_peer[peer] = line
        log.info("way_in_begun", key=key)
        # Before the standing: the way in lets nobody else in from there on.
        self._keys_tell(line)
        self._standing_tell(line)

    def _keys_tell(self, line: _Line) -> None:
        added, removed = [*(self._keys - line.keys)], [*(line.keys - self._keys)]
        line.keys = self._keys
        for first in range(0, max(len(added), len(removed)), KEYS_PER_MESSAGE):
            some = slice(first, first + KEYS_PER_MESSAGE)
            change = way_in.KeysChange(added[some], removed[some])
            self._send(line, way_in.KEYS, msgspec.msgpack.encode(change))

    def _standing_tell(self, line: _Line) -> None:
        standing = way_in.Standing(self._log_id, self._is_open)
        self._send(line, way_in.STANDING, msgspec.msgpack.encode(standing))

    def _send(self, line: _Line, *frames: bytes) -> None:
        try:
            self._router.send(line.peer, *frames)
        except zmq.Again:
            self._give_up(line, "it takes nothing")
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self._give_up(line, "it is gone")

    def _give_up(self, line: _Line, why: str) -> None:
        if self._lines.pop(line.prefix, None) is None:
            return
        if self._by_peer.get(line.peer) is line:
            del self._by_peer[line.peer]
        log.warning("way_in_ended", why=why, key=line.key)
        self.lost.append(Lost(line.prefix, is_slow=False))
        for then in line.awaited.values():
            then()


class JoinedDoors:
    """The door of the venue's own fronts and that of its ways in, as one."""

    def __init__(self, fronts: FrontDoor, ways_in: WaysIn) -> None:
        self._fronts, self._ways_in = fronts, ways_in
        # Who follows the connections takes all that are lost off one list.
        self.lost = ways_in.lost = fronts.lost
        self._is_turn_of_ways_in = False

    @property
    def is_followed(self) -> bool:
        """Whether somebody takes off what is lost."""
        return self._fronts.is_followed

    @is_followed.setter
    def is_followed(self, is_followed: bool) -> None:
        self._fronts.is_followed = is_followed

    def receive(self) -> Message | None:
        """Return the next message, of both in turns."""
        self._is_turn_of_ways_in = not self._is_turn_of_ways_in
        doors = (self._ways_in, self._fronts)
        first, second = doors if self._is_turn_of_ways_in else reversed(doors)
        message = first.receive()
        return second.receive() if message is None else message

    def answer(self, routing_id: bytes, *frames: bytes) -> None:
        """Send a message to a connection."""
        self._of(routing_id).answer(routing_id, *frames)

    def end(self, routing_id: bytes, why: str) -> None:
        """End a connection."""
        self._of(routing_id).end(routing_id, why)

    def is_served(self, routing_id: bytes) -> bool:
        """Say whether the front or the line of a connection is still there."""
        return self._of(routing_id).is_served(routing_id)

    def reach(self, routing_id: bytes, then: Callable[[], None]) -> None:
        """Call something once all that was sent to a connection has left, or it has ended."""
        self._of(routing_id).reach(routing_id, then)

    def _of(self, routing_id: bytes) -> FrontDoor | WaysIn:
        number = int.from_bytes(routing_id[:FRONT_BYTES], "little")
        return self._ways_in if number >= _FIRST_NUMBER else self._fronts


def _connection(routing_id: bytes) -> bytes:
    return routing_id[FRONT_BYTES + len(_OWN_ID) :]


def _nothing() -> None:
    """Do nothing: whoever it was asked for is not waited for any more."""

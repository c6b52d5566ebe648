"""The line of a way in to the venue that leads: finds it, and notices when it is gone."""

import os
from collections import deque
from collections.abc import Iterator

import structlog
import zmq

from cea_exchange.cluster.way_in import line_messages
from cea_exchange.cluster.way_in.held_session import Frames
from cea_exchange.cluster.way_in.whereabouts import Following, Whereabouts
from cea_exchange.protocol.connection import ConnectionMonitor
from cea_exchange.protocol.security import CurveKeys, client_connect, client_socket

HIGH_WATER_MARK = 1_000
UNSENT_MAX = 10_000
"""Messages that found no room in the socket; while there are any, participants wait."""
TRY_S_MAX = 1.0
"""A venue has so long to answer the line's first words."""
RETRY_S = 0.02
LOOK_S = 0.01
MESSAGES_PER_TURN_MAX = 1_000

log = structlog.get_logger("way_in")


class LeaderLine:
    """A DEALER to one venue after another.

    Parameters
    ----------
    context, poller
        ZeroMQ's; the poller wakes up when the venue says something.
    keys, venue_key
        The way in's pair, and the public key that all venues of the cluster have.
    whereabouts
        Where a leader may be.
    silence_s_max
        A venue that says nothing for so long is given up; it says something ten times a second.

    Attributes
    ----------
    is_up : bool
        Whether a venue has answered, and goes on.
    keys : frozenset of str
        Whose keys it has granted, as far as it has said.
    """

    def __init__(
        self,
        context: zmq.Context,
        poller: zmq.Poller,
        keys: CurveKeys,
        venue_key: str,
        whereabouts: Whereabouts,
        *,
        silence_s_max: int,
    ) -> None:
        self.is_up = False
        self.keys: frozenset[str] = frozenset()
        self._context, self._poller = context, poller
        self._keys, self._venue_key = keys, venue_key
        self._following = Following(whereabouts)
        self._silence_s_max = silence_s_max
        self._instance = os.urandom(line_messages.INSTANCE_BYTES)
        self._socket: zmq.Socket | None = None
        self._monitor: ConnectionMonitor | None = None
        self._unsent: deque[tuple[bytes, ...]] = deque()
        self._heard_s = self._pulse_due_s = self._retry_s = self._look_due_s = 0.0

    @property
    def has_room(self) -> bool:
        """Whether the venue is there and takes another message."""
        return self.is_up and len(self._unsent) < UNSENT_MAX

    # -- Saying -------------------------------------------------------------------------------

    def send(self, connection: bytes, key: str, frames: Frames) -> None:
        """Send a participant's message."""
        self._put(line_messages.arrived_head(connection, key), *frames)

    def gone(self, connection: bytes, *, is_slow: bool) -> None:
        """Say that nothing can be sent to a participant any more."""
        if self.is_up:
            self._put(line_messages.gone_head(connection, is_slow=is_slow))

    def reached(self, number: bytes) -> None:
        """Say that all that was said before a question is on its way."""
        self._put(line_messages.REACHED + number)

    def _put(self, *frames: bytes) -> None:
        self._unsent.append(frames)
        self._drain()

    def _drain(self) -> None:
        while self._unsent and self._socket is not None:
            try:
                self._socket.send_multipart(self._unsent[0], zmq.NOBLOCK)
            except zmq.Again:
                return
            self._unsent.popleft()

    # -- Hearing ------------------------------------------------------------------------------

    def messages(self, now_s: float) -> Iterator[list[bytes]]:
        """Yield what the venue has said; nothing that is said to another connection."""
        for _ in range(MESSAGES_PER_TURN_MAX):
            if self._socket is None:
                return
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._heard_s = now_s
            yield frames

    def begun(self) -> None:
        """Note that the venue has answered the line's first words."""
        self.is_up = True

    def turn(self, now_s: float) -> None:
        """Go to where the leader is; a line that was there ends first."""
        self._drain()
        if now_s < self._look_due_s:
            return
        self._look_due_s = now_s + LOOK_S
        if self._socket is not None and now_s >= self._pulse_due_s:
            self._pulse_due_s = now_s + line_messages.PULSE_S
            self._put(line_messages.PULSE)
        is_alive = self._is_alive(now_s)
        was, here = self._following.place, self._following.choose(is_alive=is_alive)
        if is_alive and here == was:
            return
        self.drop()
        if here is not None and now_s >= self._retry_s:
            self._retry_s = now_s + RETRY_S
            self._connect(here.addresses[0], now_s)

    def _is_alive(self, now_s: float) -> bool:
        if self._socket is None or self._monitor is None or self._monitor.is_lost:
            return False
        return now_s - self._heard_s <= (self._silence_s_max if self.is_up else TRY_S_MAX)

    def _connect(self, address: str, now_s: float) -> None:
        try:
            socket = self._socket = client_socket(
                self._context,
                zmq.DEALER,
                keys=self._keys,
                server_key=self._venue_key,
                high_water_mark=HIGH_WATER_MARK,
            )
            # What was put for one venue must not reach another, or the same one begun anew.
            socket.reconnect_ivl = -1
            self._monitor = ConnectionMonitor(socket)
            client_connect(socket, address)
        except (zmq.ZMQError, ValueError) as error:
            # No descriptor is left, or it is no address: it may be otherwise soon.
            log.warning("venue_unreachable", address=address, error=str(error))
            self.drop()
            return
        self._poller.register(socket, zmq.POLLIN)
        self._heard_s, self._pulse_due_s = now_s, now_s + line_messages.PULSE_S
        self._put(line_messages.BEGIN + self._instance)

    def drop(self) -> None:
        """End the connection, if there is one; what was not sent over it is not."""
        self.is_up, self.keys = False, frozenset()
        self._unsent.clear()
        if self._monitor is not None:
            self._monitor.close()
        if self._socket is not None:
            if self._socket in self._poller:
                self._poller.unregister(self._socket)
            self._socket.close(linger=0)
        self._socket = self._monitor = None

    def close(self) -> None:
        """End it for good."""
        self.drop()
        self._following.close()

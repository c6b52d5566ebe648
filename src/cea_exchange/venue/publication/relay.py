"""Serves market data to the public from a process of its own, so that nobody can stop the venue.

    venue PUB ----------> SUB  relay  PUB    ----------> anybody
    venue ROUTER <------> DEALER      ROUTER <---------> anybody

Every message of the stream passes as it is. What is asked for is asked of the venue one thing at a
time, once for all who wait for it. The relay keeps nothing that matters: killed at any moment, the
next one goes on, and subscribers see a gap as they would see any other.
"""

import contextlib
import json
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import msgspec
import structlog
import zmq

from cea_exchange.cluster.config import ClusterConfig
from cea_exchange.cluster.way_in.whereabouts import EndpointsFiles, Following, Whereabouts
from cea_exchange.control_plane.connection_monitor import UNFINISHED_MAX, ConnectionMonitor
from cea_exchange.control_plane.limits import MemoryUse
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.protocol.security import (
    AllowList,
    CurveKeys,
    SecurityError,
    client_connect,
    client_socket,
    server_socket,
)
from cea_exchange.protocol.settings import Address, ConfigError
from cea_exchange.venue.publication.relay_service import RelayService
from cea_exchange.venue.publication.snapshot_service import ANSWERS_QUEUED_MAX, REQUEST_BYTES_MAX

KEYS_NAME = "relay"
"""Of its key files: the venue's secret key has no business in a process that strangers reach."""
SUBSCRIBER_QUEUE_COUNT_MAX = 1_000
MESSAGES_PER_TURN_MAX = 1_000
POLL_MS = 100
POLL_BUSY_MS = 5
LAST_MS = 50
LOOK_S = 1.0
SILENCE_S_MAX = 2.0
"""The venue sends ten heartbeats a second; one that is silent for so long is connected to anew, or
another one, where there are several."""
NICENESS = 5
CONNECTION_BYTES_MAX = 64 << 10
"""Bytes that one connection may have sent and nobody taken: 64 of the largest requests."""
HELD_BYTES_MAX = 32 << 20
"""The same of all connections of a socket."""
ALLOWED_PER_S = 4 << 10
"""Bytes a second of each connection that count as taken: pings, and what is subscribed to."""
CONNECTIONS_LOOK_S = 0.2
"""Seconds between two looks at the connections: two calls of the kernel for each connection."""
LIFELINE_BYTES = 65_536

log = structlog.get_logger("relay")


class RelayOverMemory(RuntimeError):
    """Subscriptions and answers of strangers have grown too large; another process begins anew."""


class RelayConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Settings of ``venue relay``; every one may be left out.

    Attributes
    ----------
    market_data, snapshot
        Where the relay listens. Port 0 takes a free one, written to ``DIR/relay/endpoints.json``.
    venue_endpoints
        The file in which the venue, or another relay, says where it listens, or a list of such
        files, one of whose venues leads; ``DIR/venue/endpoints.json`` if left out.
    cluster
        The cluster, whose lease says where the leader is; goes before `venue_endpoints`.
    memory_mib_max
        A relay that has grown beyond it ends, to be started again.
    """

    market_data: Address = "tcp://127.0.0.1:0"
    snapshot: Address = "tcp://127.0.0.1:0"
    venue_endpoints: str | tuple[str, ...] | None = None
    cluster: ClusterConfig | None = None
    memory_mib_max: Annotated[int, msgspec.Meta(ge=128, le=1 << 20)] = 512

    def whereabouts(self, data: Path) -> Whereabouts:
        """Return what says where the venue that leads is."""
        names = Upstream.__struct_fields__
        if self.cluster is not None:
            from cea_exchange.cluster.way_in.leader_lease import LeaderLease

            return LeaderLease(self.cluster, data, names)
        given = self.venue_endpoints or str(data / "venue" / "endpoints.json")
        files = (given,) if isinstance(given, str) else given
        return EndpointsFiles([Path(file) for file in files], names)


class Upstream(msgspec.Struct, frozen=True):
    """Where the stream comes from: what a relay reads of an ``endpoints.json``."""

    market_data: str
    snapshot: str
    market_data_public_key: str


class ChildSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a venue tells a relay of its own, in one line of standard input.

    Attributes
    ----------
    upstream
        The venue's sockets for it.
    config
        As of a relay that is run by hand.
    descriptors
        Sockets that listen already, by name. They outlive the relay: meanwhile the kernel lets who
        comes wait, and the address stays.
    """

    upstream: Upstream
    config: RelayConfig
    descriptors: dict[str, int]
    is_public: bool


class KeysChange(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A later line to a relay that is not for everybody: who may come from now on, and who not."""

    added: list[str]
    removed: list[str]


class UpstreamSought:
    """Finds the venue that leads, and goes on to another one once it is silent.

    Parameters
    ----------
    whereabouts
        Where it may be.
    """

    def __init__(self, whereabouts: Whereabouts) -> None:
        self._following = Following(whereabouts)

    def __call__(self, *, is_alive: bool) -> Upstream:
        """Return where to be now; ConfigError while nobody says where a venue is."""
        place = self._following.choose(is_alive=is_alive)
        if place is None:
            wanted = "market data, snapshots and their key"
            raise ConfigError(f"expected the venue's endpoints.json with its {wanted}, got none")
        return Upstream(*place.addresses)

    def close(self) -> None:
        """Look no more."""
        self._following.close()


UpstreamOf = Callable[..., Upstream]
"""Says where the venue is, by the named argument `is_alive`: whether the one before goes on."""


class Relay:
    """One running relay.

    Parameters
    ----------
    config
        The settings.
    keys
        Its own: it shows them to the venue, and the public sees them.
    upstream
        Says where the venue is, again whenever the connection is made anew.
    descriptors
        See `ChildSettings`.
    lifeline
        A descriptor; the relay ends with it. Its lines say whose keys may come (`KeysChange`).
    pulse
        Another, to which it writes a byte a second: whoever reads it knows that it goes on.
    is_public
        Whether anybody may come.

    Attributes
    ----------
    endpoints : dict
        Where it listens, by name.

    Raises
    ------
    SecurityError
        A socket can't be bound.
    ConfigError
        Nobody says where a venue is, or what is said is no address or no key.
    """

    def __init__(
        self,
        config: RelayConfig,
        keys: CurveKeys,
        upstream: UpstreamOf,
        *,
        descriptors: dict[str, int] | None = None,
        lifeline: int | None = None,
        pulse: int | None = None,
        is_public: bool = True,
    ) -> None:
        self.endpoints: dict[str, str] = {}
        self._config = config
        self._keys = keys
        self._upstream = upstream
        self._descriptors = descriptors or {}
        self._lifeline = lifeline
        self._pulse = pulse
        self._is_public = is_public
        self._keys_admitted: frozenset[str] = frozenset()
        self._said = b""
        self._stopping = False
        self._monitors: list[ConnectionMonitor] = []
        self._memory = MemoryUse()
        self._look_due_s = time.monotonic()
        self._context = zmq.Context()
        self._allow_list = AllowList(self._context)
        try:
            self._public = self._listen("market_data", zmq.PUB, SUBSCRIBER_QUEUE_COUNT_MAX)
            # It does not tell what it took, nor whose connection has said something.
            self._monitor("market_data", self._public, unfinished_max=None)
            service = self._listen("snapshot", zmq.ROUTER, ANSWERS_QUEUED_MAX)
            service.setsockopt(zmq.ROUTER_MANDATORY, 1)
            self._service = RelayService(service, self._monitor("snapshot", service))
            self._poller = zmq.Poller()
            self._poller.register(service, zmq.POLLIN)
            if lifeline is not None:
                os.set_blocking(lifeline, False)
                self._poller.register(lifeline, zmq.POLLIN)
            self._stream: zmq.Socket | None = None
            self._connect(upstream(is_alive=True))
        except BaseException:
            self.close()
            raise

    def run(self) -> None:
        """Relay until `stop`, or until the lifeline ends.

        Raises
        ------
        RelayOverMemory, SecurityError
            It had better begin anew.
        """
        while not self._stopping:
            self.turn()
        # What the venue said last is passed on before the end.
        self._stream.poll(LAST_MS)
        self._pass_on()

    def stop(self) -> None:
        """Let `run` return after the turn it is in. Safe in a signal handler."""
        self._stopping = True

    def turn(self) -> None:
        """Wait for something to arrive, and pass it on."""
        ready = dict(self._poller.poll(POLL_BUSY_MS if self._service.has_waiting else POLL_MS))
        if self._lifeline in ready:
            self._lifeline_read()
        self._pass_on()
        self._service.turn()
        # Takes in what is subscribed to, which libzmq else does at the next message only.
        self._public.getsockopt(zmq.EVENTS)
        now_s = time.monotonic()
        for monitor in self._monitors:
            monitor.turn(now_s)
        if now_s >= self._look_due_s:
            self._look_due_s = now_s + LOOK_S
            self._look(now_s)

    def close(self) -> None:
        """Close the sockets."""
        for monitor in self._monitors:
            monitor.close()
        self._allow_list.close()
        self._context.destroy(linger=200)

    def _listen(self, name: str, kind: int, high_water_mark: int) -> zmq.Socket:
        self._allow_list.allow(name, lambda key: self._is_public or key in self._keys_admitted)
        socket, self.endpoints[name] = server_socket(
            self._allow_list,
            self._context,
            kind,
            domain=name,
            keys=self._keys,
            address=getattr(self._config, name),
            descriptor=self._descriptors.get(name),
            high_water_mark=high_water_mark,
            # Where its queue was full libzmq 4.3.5 ended the process with the next ping of a
            # connection that had broken: what a connection may hold is bounded in bytes instead.
            receive_mark=0,
            # What they subscribe to libzmq keeps, at fifty times its size.
            message_bytes_max=REQUEST_BYTES_MAX,
        )
        return socket

    def _monitor(
        self, name: str, bound: zmq.Socket, unfinished_max: int | None = UNFINISHED_MAX
    ) -> ConnectionMonitor | None:
        """Bound what strangers send over a socket; None where it is not TCP's."""
        if not self.endpoints[name].startswith("tcp://"):
            return None
        monitor = ConnectionMonitor(
            bound,
            name,
            bytes_max=HELD_BYTES_MAX,
            connection_bytes_max=CONNECTION_BYTES_MAX,
            tell=log.warning,
            allowed_per_s=ALLOWED_PER_S,
            unfinished_max=unfinished_max,
            look_s=CONNECTIONS_LOOK_S,
        )
        self._monitors.append(monitor)
        return monitor

    def _lifeline_read(self) -> None:
        """Take in who may come; the end of it is the relay's."""
        with contextlib.suppress(BlockingIOError):
            while content := os.read(self._lifeline, LIFELINE_BYTES):
                *lines, self._said = (self._said + content).split(b"\n")
                for line in lines:
                    change = msgspec.json.decode(line, type=KeysChange)
                    # Replaced whole: the handler's thread reads it.
                    self._keys_admitted = (self._keys_admitted | set(change.added)).difference(
                        change.removed
                    )
            self._stopping = True

    def _connect(self, upstream: Upstream) -> None:
        """Go to a venue; ConfigError if that is no place: then it stays where it is."""
        with ExitStack() as opened:
            stream = self._connected(zmq.SUB, upstream.market_data, upstream, opened)
            asked = self._connected(zmq.DEALER, upstream.snapshot, upstream, opened)
            opened.pop_all()
        stream.subscribe(b"")
        for before in (self._stream, self._service.venue.socket):
            if before is not None:
                self._poller.unregister(before)
        if self._stream is not None:
            self._stream.close(linger=0)
        self._stream = stream
        self._service.venue.go_on(asked)
        for now in (stream, asked):
            self._poller.register(now, zmq.POLLIN)
        self._connected_to, self._heard_s = upstream, time.monotonic()

    def _connected(
        self, kind: int, address: str, upstream: Upstream, opened: ExitStack
    ) -> zmq.Socket:
        """Return a new connection, which `opened` ends again."""
        key = upstream.market_data_public_key
        try:
            socket = client_socket(self._context, kind, keys=self._keys, server_key=key)
            opened.callback(socket.close, linger=0)
            client_connect(socket, address)
        except (zmq.ZMQError, ValueError) as error:
            raise ConfigError(f"the venue's endpoints: {error}") from None
        return socket

    def _pass_on(self) -> None:
        for _ in range(MESSAGES_PER_TURN_MAX):
            try:
                frames = self._stream.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._public.send_multipart(frames)
            self._heard_s = time.monotonic()
            try:
                self._service.note(frames)
            except FrameError as error:
                # A stream of another version; it is passed on to whoever understands it.
                log.warning("stream_not_understood", error=str(error))

    def _look(self, now_s: float) -> None:
        if self._pulse is not None:
            with contextlib.suppress(OSError):
                os.write(self._pulse, b".")
        if not self._allow_list.is_running:
            raise SecurityError("allow-list: its handler has stopped")
        used_mib = self._memory.mib()
        if used_mib > self._config.memory_mib_max:
            raise RelayOverMemory(f"{used_mib} MiB of {self._config.memory_mib_max} in use")
        is_silent = now_s - self._heard_s > SILENCE_S_MAX or self._service.venue.is_stuck(now_s)
        try:
            upstream = self._upstream(is_alive=not is_silent)
            # Whom libzmq has seen refused once it does not try again.
            if is_silent or upstream != self._connected_to:
                self._connect(upstream)
                log.warning("venue_connected_anew", market_data=upstream.market_data)
        except ConfigError as error:
            log.warning("venue_unknown", error=str(error))


def endpoints_write(data: Path, relay: Relay, public_key: str) -> None:
    """Say in ``DIR/relay/endpoints.json`` where a relay listens, as a venue does."""
    path = data / KEYS_NAME / "endpoints.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = {**relay.endpoints, "market_data_public_key": public_key, "pid": os.getpid()}
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(shown, indent=1) + "\n", encoding="utf-8")
    draft.replace(path)

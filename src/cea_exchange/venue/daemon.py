"""The venue daemon: sockets, processes, the disk and the clock around the venue.

One thread and one loop: what has come in is given to the venue, and what it says is sent.
"""

from __future__ import annotations

import math
import os
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
import zmq
from prometheus_client import CollectorRegistry

from cea_exchange.cluster.way_in.venue_door import HIGH_WATER_MARK as WAY_IN_MESSAGES_MAX
from cea_exchange.cluster.way_in.venue_door import JoinedDoors, WaysIn
from cea_exchange.control_plane.door import HIGH_WATER_MARK
from cea_exchange.control_plane.fronts.fronts import DoorLimits
from cea_exchange.control_plane.host import DaemonHost
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.journal import OsStorage, Storage
from cea_exchange.protocol.clock import Clock
from cea_exchange.protocol.folder_lock import FolderLock
from cea_exchange.protocol.metrics_http import MetricsServer
from cea_exchange.protocol.security import MESSAGE_BYTES_MAX, CurveKeys
from cea_exchange.venue.config import VenueConfig
from cea_exchange.venue.durability.sequencer import Sequencer, helper_thread
from cea_exchange.venue.operations.look_log import LookLog
from cea_exchange.venue.operations.monitor import Outside, sizes_of
from cea_exchange.venue.publication.relay import RelayConfig, Upstream
from cea_exchange.venue.publication.relay_child import PUBLIC, RelayChild, relay_keys_load
from cea_exchange.venue.publication.router import RouterMailbox
from cea_exchange.venue.publication.snapshot_service import (
    ANSWERS_QUEUED_MAX,
    REQUEST_BYTES_MAX,
)
from cea_exchange.venue.registry_link.connection import RegistryLine
from cea_exchange.venue.registry_link.link import VenueError
from cea_exchange.venue.replication.folder_mark import alone_check
from cea_exchange.venue.trading_day.clock_monitor import ClockMonitor
from cea_exchange.venue.venue import Clocks, Surroundings, Venue, Ways

if TYPE_CHECKING:
    from collections.abc import Callable

    from cea_exchange.venue.replication.member import ClusterMember

POLL_MS = 10
FOLLOW_S = 0.05
"""So long a standby waits for what the log has next, before it looks whether its turn has come."""
LOG_AGAIN_S = 0.25
"""Between two attempts to reach a cluster's log at the start."""
LOG_SAID_EACH_S = 10.0
"""So often a venue that waits for its log says so, however many attempts it makes."""
MESSAGES_IN_ZEROMQ_MAX = 64
"""Of one participant and one direction: outward 4 MiB, as a full frame of reports is about the
largest message; inward at most 64 MiB, and of batches of 256 commands as many as a turn takes."""
CHORES_S = POLL_MS / 1000
"""While orders come, what falls due by the clock is looked at as often as while none do: a look
costs as much as several orders."""
RELAY_LINK = "tcp://127.0.0.1:0"
"""Where the venue's own relay comes to; strangers have no key for it."""
_LIMITS = {
    # Strangers may come here: one who does not read what he asked for holds little.
    # What they subscribe to libzmq keeps, at fifty times its size.
    "market_data": {"high_water_mark": 1_000, "message_bytes_max": REQUEST_BYTES_MAX},
    "snapshot": {
        "high_water_mark": ANSWERS_QUEUED_MAX,
        "message_bytes_max": REQUEST_BYTES_MAX,
    },
    # The registry asks in a few bytes, and subscribes to all.
    "settlement": {"message_bytes_max": REQUEST_BYTES_MAX},
    "replay": {"message_bytes_max": REQUEST_BYTES_MAX},
}

log = structlog.get_logger("venue")


class VenueDaemon:
    """One running venue.

    Parameters
    ----------
    config
        The settings.
    data
        The data folder; locked until `close`.
    core_class
        The market core; the compiled one if left out.
    storage
        The file system; the operating system's if left out.
    waits_for_log
        Of a cluster's node: whether it is to wait for its log where too few nodes of that answer;
        asked each second. Without it, it does not wait.

    Raises
    ------
    FolderInUse, JournalError, StateDiverged, SecurityError, ClusterRefused, LogUnreachable
        Nothing starts; the message names the place.

    Attributes
    ----------
    why_again : str
        Why this node of a cluster has ended though nothing failed: it is to be started again, as a
        standby. Empty else.

    Notes
    -----
    One that is a node of a cluster follows the log in `run` until it leads; `venue` is there after.
    """

    def __init__(
        self,
        config: VenueConfig,
        data: Path | str,
        *,
        core_class: type | None = None,
        storage: Storage | None = None,
        waits_for_log: Callable[[], bool] = lambda: False,
    ) -> None:
        self.config = config
        self._waits_for_log = waits_for_log
        self.data = Path(data)
        self._relay: RelayChild | None = None
        self._metrics_server: MetricsServer | None = None
        self._collectors = CollectorRegistry()
        self.member: ClusterMember | None = None
        self._is_open = False
        self._successor = self.why_again = ""
        self._lock = FolderLock(self.data, "venue.lock")
        with ExitStack() as opened:
            opened.callback(self._lock.release)
            self._host = DaemonHost(CurveKeys.load(self.data / "keys", "venue"), log)
            opened.callback(self._relay_close)
            opened.callback(self._host.close)
            opened.callback(self._member_close)
            self._open(core_class, storage or OsStorage())
            opened.pop_all()

    def _open(self, core_class: type | None, storage: Storage) -> None:
        config = self.config
        self._storage = storage
        self.endpoints = self._host.endpoints
        self._clock = ClockMonitor(Clock(config.clock))
        self.sequencer = self._sequencer_open(core_class)
        self.machine = self.sequencer.machine
        self._operators = config.operators_by_key(self.data)
        self._metrics_serve()
        # A standby has them, too: they take long to begin, and it may have to lead at once.
        self._fronts_open()
        if self.member is None:
            self._venue_open()

    def _sequencer_open(self, core_class: type | None) -> Sequencer:
        config = self.config
        opening = {
            "now_ns": self._clock.now_ns,
            "core_class": core_class,
            "storage": self._storage,
            "snapshot_commands": config.snapshot_commands,
            "archive": config.archive_folder(self.data),
        }
        profile = load_profile(config.profile)
        if config.cluster is None:
            alone_check(self.data, self._storage)
            return Sequencer.open(self.data, profile, **opening)
        # What it needs is in an extra.
        from cea_exchange.venue.replication.member import ClusterMember

        # Others wait for who takes over; if one of its events is damaged it halts.
        opening["checks_later"] = True
        opened = partial(ClusterMember.open, config.cluster, self.data, profile, **opening)
        self.member = self._log_awaited(opened)
        return self.member.sequencer

    def _log_awaited(self, opened: Callable[[], ClusterMember]) -> ClusterMember:
        """Join the cluster; a supervisor that starts it anew instead gives up after some starts."""
        from cea_exchange.cluster.errors import LogUnreachable

        said_s = -math.inf
        while True:
            try:
                return opened()
            except LogUnreachable as error:
                if not self._waits_for_log():
                    raise
                if time.monotonic() - said_s > LOG_SAID_EACH_S:
                    said_s = time.monotonic()
                    log.warning("log_waited_for", error=str(error))
                time.sleep(LOG_AGAIN_S)
                if not self._waits_for_log():
                    raise

    def _venue_open(self) -> None:
        """Open the doors: from here on this venue is the one that trades."""
        host = self._host
        self._clock.start_behind(self.machine.time_ns)
        self._sockets_open(host)
        self.venue = self._venue_made(host, self._storage)
        self._collectors.register(self.venue.monitor.metrics)
        self._chores_due_s = time.monotonic()
        more = {
            "public_key": host.keys.public,
            "market_data_public_key": self.market_data_public_key,
            "log_id": self.sequencer.journal.log_id,
            "metrics": self._outside().metrics,
            "pid": os.getpid(),
        }
        self._is_open = True
        path = self.data / "venue" / "endpoints.json"
        draft = host.endpoints_draft(path, **more)
        log.info("ready", data=str(self.data), **self.machine.summary())
        draft.replace(path)
        if self.member is not None:
            self.member.endpoints_say({**host.endpoints, **more})

    def _sockets_open(self, host: DaemonHost) -> None:
        operators = self._operators
        registry = {self.config.registry_key(self.data), *self.config.settlement_keys}
        keys = self.machine.keys
        relays = frozenset(self.config.relay_keys)
        self._may_follow = frozenset(registry | operators.keys() | relays)
        relay_keys = relay_keys_load(self.data) if self.config.relay else None
        public = self.config.market_data_public

        def may_see_market_data(key: str) -> bool:
            if relay_keys is not None:
                return key == relay_keys.public
            return public or key in keys or key in self._may_follow

        kinds = {
            "market_data": (zmq.PUB, may_see_market_data),
            "snapshot": (zmq.ROUTER, may_see_market_data),
            "settlement": (zmq.PUB, registry.__contains__),
            "replay": (zmq.ROUTER, registry.__contains__),
        }
        self._sockets = {
            name: host.socket(
                name,
                kind,
                self._address(name),
                allowed,
                is_for_all=relay_keys is None and public and allowed is may_see_market_data,
                **self._limits(name),
            )
            for name, (kind, allowed) in kinds.items()
        }
        self.market_data_public_key = host.keys.public
        if relay_keys is not None:
            self._relay_begin(host, relay_keys.public)
        self._ways_in_open(host)
        self._fronts.doors["admin"].admit(self._operators)
        self._keys_admit()
        host.fronts_prove()

    def _fronts_open(self) -> None:
        """Begin the processes that participants and operators come to; nobody is admitted yet."""
        config = self.config
        gateway = DoorLimits(
            MESSAGES_IN_ZEROMQ_MAX,
            MESSAGE_BYTES_MAX,
            connection_queue_bytes_max=config.session_queue_bytes_max,
            # Each session has its own; of them all the front's memory is the bound.
            queue_bytes_max=config.front_memory_mib_max << 19,
            wait_s_max=math.inf,
            ends_slow=False,
        )
        admin = DoorLimits(HIGH_WATER_MARK, MESSAGE_BYTES_MAX)
        self._fronts = self._host.fronts_open(
            {"gateway": (config.gateway, gateway), "admin": (config.admin, admin)},
            count=config.fronts,
            memory_mib_max=config.front_memory_mib_max,
        )

    def _ways_in_open(self, host: DaemonHost) -> None:
        """Let those come that hold participants' sessions for whichever venue leads."""
        self._ways_in: WaysIn | None = None
        if self.config.way_in_keys:
            opened = host.socket(
                *("way_in", zmq.ROUTER, self.config.way_in),
                frozenset(self.config.way_in_keys).__contains__,
                high_water_mark=WAY_IN_MESSAGES_MAX,
            )
            self._ways_in = WaysIn(opened, self.sequencer.journal.log_id, time.monotonic)

    def _keys_admit(self) -> None:
        """Let the fronts know which keys are granted, if that has changed."""
        granted = self.machine.keys.keys()
        door = self._fronts.doors["gateway"]
        if granted != door.keys:
            door.admit(granted)
            if self._ways_in is not None:
                self._ways_in.admit(granted)
            if self._relay is not None and not self.config.market_data_public:
                self._relay.admit(self._may_follow.union(granted))

    def _relay_begin(self, host: DaemonHost, public_key: str) -> None:
        """Let a process of its own have the public's addresses."""
        config = self.config
        link = {name: self.endpoints[name] for name in PUBLIC}
        upstream = Upstream(**link, market_data_public_key=host.keys.public)
        settings = RelayConfig(
            **{name: getattr(config, name) for name in PUBLIC},
            memory_mib_max=config.relay_memory_mib_max,
        )
        self._relay = RelayChild(
            *(self.data, upstream, settings, time.monotonic()),
            is_public=config.market_data_public,
        )
        self._relay.admit(self._may_follow)
        self.endpoints |= self._relay.endpoints
        self.market_data_public_key = public_key

    def _address(self, name: str) -> str:
        if name in PUBLIC and self.config.relay:
            return RELAY_LINK
        return getattr(self.config, name)

    def _limits(self, name: str) -> dict[str, int]:
        """What of one peer may wait in a socket, and how large its messages may be."""
        if name == "snapshot" and self.config.relay:
            # The relay reads, and a whole snapshot may be many messages.
            return {"message_bytes_max": REQUEST_BYTES_MAX}
        return _LIMITS.get(name, {})

    def _venue_made(self, host: DaemonHost, storage: Storage) -> Venue:
        sockets, config, fronts = self._sockets, self.config, self._fronts
        gateway = fronts.doors["gateway"]
        ways = Ways(
            gateway=gateway if self._ways_in is None else JoinedDoors(gateway, self._ways_in),
            admin=fronts.doors["admin"],
            snapshots=RouterMailbox(sockets["snapshot"]),
            replay=RouterMailbox(sockets["replay"]),
            registry=RegistryLine(host.context, config, self.data, host.keys),
            market_data=sockets["market_data"].send_multipart,
            settlement=sockets["settlement"].send_multipart,
        )
        surroundings = Surroundings(
            keys_changed=self._keys_admit,
            key_restore=fronts.restore,
            stop=self.stop,
            hand_over=self._hand_over,
            outside=self._outside,
            sizes=lambda: sizes_of(self.data),
            storage=storage,
            helper=helper_thread,
            looked=LookLog(self.data, self._clock.now_ns).take,
        )
        return Venue(
            *(self.sequencer, config, self.data, self._operators),
            ways=ways,
            clocks=Clocks(self._clock, time.monotonic, time.thread_time),
            surroundings=surroundings,
        )

    def _metrics_serve(self) -> None:
        """Let Prometheus ask, where the settings say so; a standby tells of the cluster only."""
        if self.member is not None:
            from cea_exchange.venue.replication.metrics import ClusterMetrics

            self._collectors.register(ClusterMetrics(self.member))
        if self.config.metrics is not None:
            self._metrics_server = MetricsServer(
                self.config.metrics, self._collectors, self._host.pulse.health
            )

    def _outside(self) -> Outside:
        """Return what is shown of sockets and processes."""
        fronts, server = self._fronts, self._metrics_server
        return Outside(
            keys_refused=self._host.allow_list.refused_count + fronts.refused_count,
            keys_cut_off=tuple(sorted(fronts.suspects.cut_off)),
            keys_set_apart=len(fronts.suspects.parts),
            fronts=tuple(fronts.process_ids),
            fronts_begun=fronts.begun_count,
            fronts_ended=fronts.ended_count,
            metrics=None if server is None else server.address,
        )

    # -- The loop -----------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until `stop`. Whatever it raises ends the venue; replay recovers it."""
        if self.member is not None and not self._led(self.member):
            return
        try:
            self._host.run(lambda: self.turn(POLL_MS))
        except VenueError as error:
            if self.member is None:
                raise
            # Another may have led while this one stood still. Its next start asks the log.
            log.error("registry_ahead", error=str(error))
            self.why_again = f"the registry is ahead of its journal: {error}"
            return
        self.venue.end()
        if self.member is not None and self._successor:
            self.member.hand_over(self._successor)
            self.why_again = f"handed over to node {self._successor}"

    def _standby_turn(self, now_s: float) -> None:
        """Look after the fronts, to which nobody comes yet."""
        self._host.pulse.beat(now_s)
        self._fronts.listen()
        self._fronts.read()
        self._fronts.turn(now_s)
        self._fronts.flush()

    def _hand_over(self, node: str) -> None:
        """End this node after its turn, so that a standby leads."""
        if self.member is None:
            code, expected = VenueRefusal.NO_CLUSTER, "a venue in a cluster"
            raise FrameError(code, expected=expected, got="one in none", where="node")
        if fault := self.member.successor_fault(node):
            raise FrameError(
                VenueRefusal.HANDOVER_UNFIT,
                expected="a standby of this cluster that follows closely",
                got=fault,
                where="node",
            )
        self._successor = node
        self.stop()

    def _led(self, member: ClusterMember) -> bool:
        """Follow the log until this node leads, and open the doors; False if it was stopped."""
        log.info("follows", data=str(self.data), **self.machine.summary())
        while not self._host.is_stopping:
            member.follow(FOLLOW_S)
            member.turn()
            self._standby_turn(time.monotonic())
            if member.lead_if_due():
                self._venue_open()
                return True
        return False

    def stop(self) -> None:
        """Let `run` return after the turn it is in. Safe in a signal handler."""
        self._host.stop()

    def turn(self, timeout_ms: int) -> None:
        """Take the orders that have arrived; if none had, wait for something and do what is due.

        While orders come, the others are looked at as often as what falls due by the clock.
        """
        venue = self.venue
        if self._orders_turn():
            return
        has_come = self._fronts.listen()
        is_busy = has_come or venue.has_work or time.monotonic() >= self._chores_due_s
        ready = dict(self._host.poller.poll(0 if is_busy else timeout_ms))
        has_come = has_come or self._fronts.is_ready(ready)
        if self._ways_in is not None:
            has_come = has_come or self._ways_in.socket in ready
        # Who has woken the venue does not wait for what all others want.
        if has_come and self._orders_turn():
            return
        if self._sockets["replay"] in ready:
            venue.replay_turn()
        venue.admin_turn()
        if self._sockets["snapshot"] in ready or venue.has_waiting:
            venue.snapshots_turn()
        now_s = time.monotonic()
        if not has_come or now_s >= self._chores_due_s:
            self._chores_due_s = now_s + CHORES_S
            if venue.chores_turn():
                self._heartbeat_turn(now_s)

    def _orders_turn(self) -> bool:
        """Take the orders that have arrived, and send what comes of them.

        Returns
        -------
        bool
            Whether all else is to wait, for there may be more of them; else it was published, too.
        """
        has_orders = self.venue.orders_turn()
        self._fronts.flush()
        if has_orders and time.monotonic() < self._chores_due_s:
            return True
        self.venue.publish()
        self._fronts.flush()
        return False

    def _heartbeat_turn(self, now_s: float) -> None:
        """Look after sockets and processes."""
        self._host.pulse.beat(now_s)
        if self.member is not None:
            self.member.turn()
            if self.member.is_lost:
                self.why_again = "another node holds the lease"
                self.stop()
        if self._relay is not None:
            self._relay.turn(now_s)
            self.venue.monitor.metrics.totals["cea_venue_relays_begun"] = self._relay.begun_count
        self._fronts.turn(now_s)
        if self._ways_in is not None:
            self._ways_in.beat(now_s, is_open=not self.venue.orders.gateway.cancels_only)
        self._host.monitor(now_s)

    def close(self) -> None:
        """Seal the journal, close the sockets, give the folder back."""
        if self._is_open:
            self.venue.close()
        if self._metrics_server is not None:
            self._metrics_server.close()
        try:
            self._member_close()
            self.sequencer.close()
        finally:
            self._host.close()
            self._relay_close()
            self._lock.release()
        log.info("stopped", **self.machine.summary())

    def _member_close(self) -> None:
        if self.member is not None:
            self.member.close()

    def _relay_close(self) -> None:
        if self._relay is not None:
            # Last, so that it can pass on what was said last.
            self._relay.close()

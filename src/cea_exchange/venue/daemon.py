"""The venue daemon: sockets around the sequencer, in one thread and one loop.

    OrderEntry   <-> Gateway --> Sequencer --> reports, Publisher (market data, settlement)
    RegistryLink ----------------^                     SettlementReplay <-- event store
    AdminDesk, TradingDay -------^

Every way in ends in the sequencer; every way out carries only what is on disk.
"""

import math
import os
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import structlog
import zmq

from cea_exchange.control_plane.door import HIGH_WATER_MARK
from cea_exchange.control_plane.fronts import DoorLimits
from cea_exchange.control_plane.host import DaemonHost
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import EVENT_DTYPE
from cea_exchange.domain.timetable import time_from_ns
from cea_exchange.journal import Storage
from cea_exchange.protocol import control
from cea_exchange.protocol.clock import Clock
from cea_exchange.protocol.folder_lock import FolderLock
from cea_exchange.protocol.security import MESSAGE_BYTES_MAX, CurveKeys
from cea_exchange.venue.config import VenueConfig
from cea_exchange.venue.durability.sequencer import Sequencer
from cea_exchange.venue.operations.admin_service import AdminDesk
from cea_exchange.venue.operations.monitor import Watch
from cea_exchange.venue.order_entry.service import OrderEntry
from cea_exchange.venue.publication.bulletins import BulletinDesk
from cea_exchange.venue.publication.market_data import MarketDataPublisher
from cea_exchange.venue.publication.publisher import Publisher
from cea_exchange.venue.publication.relay import RelayConfig, Upstream
from cea_exchange.venue.publication.relay_child import PUBLIC, RelayChild, relay_keys_load
from cea_exchange.venue.publication.settlement_replay import SettlementReplay
from cea_exchange.venue.publication.snapshot_service import (
    ANSWERS_QUEUED_MAX,
    REQUEST_BYTES_MAX,
    SnapshotDesk,
)
from cea_exchange.venue.registry_link.feed import RegistryFeed
from cea_exchange.venue.registry_link.lag_policy import LagPolicy
from cea_exchange.venue.registry_link.link import RegistryLink
from cea_exchange.venue.trading_day.clock_monitor import ClockWatch
from cea_exchange.venue.trading_day.trading_day import TradingDay

POLL_MS = 10
HEARTBEAT_S = 0.1
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

    Raises
    ------
    FolderInUse, JournalError, StateDiverged, SecurityError
        Nothing starts; the message names the place.
    """

    def __init__(
        self,
        config: VenueConfig,
        data: Path | str,
        *,
        core_class: type | None = None,
        storage: Storage | None = None,
    ) -> None:
        self.config = config
        self.data = Path(data)
        self._relay: RelayChild | None = None
        self._released: list[bytes] = []
        self._lock = FolderLock(self.data, "venue.lock")
        with ExitStack() as opened:
            opened.callback(self._lock.release)
            self._host = DaemonHost(CurveKeys.load(self.data / "keys", "venue"), log)
            opened.callback(self._relay_close)
            opened.callback(self._host.close)
            self._open(core_class, storage)
            opened.pop_all()

    def _open(self, core_class: type | None, storage: Storage | None) -> None:
        config, host = self.config, self._host
        self.endpoints = host.endpoints
        self._clock = ClockWatch(Clock(config.clock))
        self.sequencer = Sequencer.open(
            self.data,
            load_profile(config.profile),
            now_ns=self._clock.now_ns,
            core_class=core_class,
            storage=storage,
            snapshot_commands=config.snapshot_commands,
            archive=config.archive_folder(self.data),
        )
        self.machine = self.sequencer.machine
        self._clock.start_behind(self.machine.time_ns)
        self._log_id = self.sequencer.journal.log_id
        self._operators = config.operators_by_key(self.data)
        self._sockets_open(host)
        self._rooms_open(host)
        self._heartbeat_due_s = self._chores_due_s = time.monotonic()
        host.endpoints_write(
            self.data / "venue" / "endpoints.json",
            public_key=host.keys.public,
            market_data_public_key=self.market_data_public_key,
            log_id=self._log_id,
            metrics=self._watch.address,
            pid=os.getpid(),
        )
        log.info("ready", data=str(self.data), **self.machine.summary())

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
        self._fronts_open(host)

    def _fronts_open(self, host: DaemonHost) -> None:
        """Let participants and operators come to processes of their own."""
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
        self._fronts = host.fronts_open(
            {"gateway": (config.gateway, gateway), "admin": (config.admin, admin)},
            count=config.fronts,
            memory_mib_max=config.front_memory_mib_max,
        )
        self._fronts.doors["admin"].admit(self._operators)
        self._keys_admit()
        host.fronts_prove()

    def _keys_admit(self) -> None:
        """Let the fronts know which keys are granted, if that has changed."""
        granted = self.machine.keys.keys()
        door = self._fronts.doors["gateway"]
        if granted != door.keys:
            door.admit(granted)
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

    def _rooms_open(self, host: DaemonHost) -> None:
        sockets, sequencer, config = self._sockets, self.sequencer, self.config
        self._orders = OrderEntry(
            self._fronts.doors["gateway"],
            sequencer,
            config,
            release=self._release,
            run_acts=self._run_acts,
        )
        self._market_data = MarketDataPublisher(
            self.machine,
            self._log_id,
            sockets["market_data"],
            interval_ms=config.market_data_interval_ms,
        )
        self._snapshots = SnapshotDesk(sockets["snapshot"], self._market_data)
        self._publisher = Publisher(
            self.machine, self._log_id, self._market_data, sockets["settlement"]
        )
        self._settlement_replay = SettlementReplay(sockets["replay"], sequencer)
        self._registry = RegistryLink(
            RegistryFeed(host.context, config, self.data, host.keys),
            sequencer,
            self._orders.gateway,
            run_controls=self._run_controls,
            sessions_check=self._orders.sessions_check,
        )
        self._day = TradingDay(
            self.machine, self._clock, config, self._registry, run_controls=self._run_controls
        )
        self._lag = LagPolicy(
            self.machine,
            self._registry,
            self._orders.gateway,
            config.lag,
            run_controls=self._run_controls,
            now_s=time.monotonic(),
        )
        self._watch = Watch(
            self.data,
            sequencer,
            self._orders,
            self._lag,
            self._clock,
            host,
            self._fronts,
            config.metrics,
        )
        self._bulletins = BulletinDesk(
            self.data,
            log_id=self._log_id,
            profile=self.machine.profile,
            products=self.machine.products_declared,
            opening=config.bulletin_opening and Path(config.bulletin_opening),
            publish=self._market_data.bulletin,
        )
        self._admin = AdminDesk(
            self._fronts.doors["admin"],
            self._operators,
            self._day,
            sequencer,
            self._orders,
            proposal_s=config.proposal_s,
            run_controls=self._run_controls,
            status=self.status,
            stop=self.stop,
            key_restore=self._fronts.restore,
        )

    # -- The loop -----------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until `stop`. Whatever it raises ends the venue; replay recovers it."""
        self._host.run(lambda: self.turn(POLL_MS))
        self._publish()
        log.info("stopping", sessions=len(self._orders.sessions))
        self._orders.tell_stopping()

    def stop(self) -> None:
        """Let `run` return after the turn it is in. Safe in a signal handler."""
        self._host.stop()

    def turn(self, timeout_ms: int) -> None:
        """Take the orders that have arrived; if none had, wait for something and do what is due.

        While orders come, the others are looked at as often as what falls due by the clock.
        """
        has_orders = self._watch.orders_turn()
        self._fronts.flush()
        if has_orders and time.monotonic() < self._chores_due_s:
            return
        self._publish()
        self._fronts.flush()
        is_busy = has_orders or self._orders.has_work
        ready = dict(self._host.poller.poll(0 if is_busy else timeout_ms))
        if self._sockets["replay"] in ready:
            self._settlement_replay.turn()
        self._admin.turn()
        if self._sockets["snapshot"] in ready or self._snapshots.has_waiting:
            self._snapshots.turn()
        now_s = time.monotonic()
        if not self._fronts.is_ready(ready) or now_s >= self._chores_due_s:
            self._chores_due_s = now_s + CHORES_S
            self._chores_turn(now_s)

    def _chores_turn(self, now_s: float) -> None:
        """Do what the clock and the registry make due."""
        self._registry.turn()
        self._day.turn()
        self.sequencer.turn()
        self._market_data.turn()
        self._heartbeat_turn(now_s)

    def close(self) -> None:
        """Seal the journal, close the sockets, give the folder back."""
        self._registry.close()
        self._bulletins.close()
        self._watch.close()
        self._market_data.close()
        try:
            self.sequencer.close()
        finally:
            self._host.close()
            self._relay_close()
            self._lock.release()
        log.info("stopped", **self.machine.summary())

    def _relay_close(self) -> None:
        if self._relay is not None:
            # Last, so that it can pass on what was said last.
            self._relay.close()

    def status(self) -> dict[str, Any]:
        """Return where the venue stands, as ``venue status`` shows it."""
        return {
            "log_id": self._log_id,
            "time": time_from_ns(self._clock.now_ns()).isoformat(),
            "clock": self._clock.kind,
            "changes_pending": self._day.changes_pending,
            "calendar_warning": self._day.calendar_warning,
            "clock_warning": self._day.clock_warning,
            "reviews_overdue": self._day.reviews_overdue,
            "cancels_only": self._orders.gateway.cancels_only
            or self._orders.gateway.cancels_only_for_lag,
            "sessions": len(self._orders.sessions),
            "refused": self._orders.gateway.refused_count,
            **self._watch.status(),
            **self.machine.summary(),
        }

    # -- What the rooms share -----------------------------------------------------------------

    def _run_controls(self, acts: list[control.Control]) -> list[str | None]:
        """Journal and apply acts, release their events, and return why any were refused."""
        return self._run_acts(acts)[1] if acts else []

    def _run_acts(
        self, acts: list[control.Control]
    ) -> tuple[np.ndarray, list[str | None]]:
        """The same, and return the events too."""
        events, refusals = self.sequencer.run_controls(acts)
        self._keys_admit()
        self._release(events)
        self._publish()
        self._watch.acts(events)
        self._bulletins.acts(events)
        return events, refusals

    def _release(self, events: np.ndarray) -> None:
        """Send what is on disk to whom it concerns; `_publish` follows when no order waits."""
        if not len(events):
            return
        self._orders.send_reports(events)
        # They may be the machine's own rows. Bytes, for numpy copies records field by field.
        self._released.append(events.tobytes())

    def _publish(self) -> None:
        """Give the streams and the watch what was released since the last time."""
        if not self._released:
            return
        events = np.frombuffer(b"".join(self._released), EVENT_DTYPE)
        self._released.clear()
        self._publisher.publish(events)
        self._watch.released(events)

    def _heartbeat_turn(self, now_s: float) -> None:
        late_s = now_s - self._heartbeat_due_s
        if late_s < 0:
            return
        self._watch.turn(now_s, late_s)
        self._bulletins.turn(now_s)
        self._heartbeat_due_s = now_s + HEARTBEAT_S
        if self._relay is not None:
            self._relay.turn(now_s)
            self._watch.metrics.totals["cea_venue_relays_begun"] = self._relay.begun_count
        self._publisher.settlement_heartbeat()
        self._market_data.heartbeat()
        self._orders.watch(now_s, registry_answers=not self._registry.is_awaited)
        self._lag.turn(now_s)
        self._fronts.turn(now_s)
        self._host.watch(now_s)

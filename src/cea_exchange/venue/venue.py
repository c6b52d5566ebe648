"""The venue as a state machine: messages and the time go in, messages come out; wires its parts.

    gateway <--> OrderEntry  --> Gateway --> Sequencer --> reports, Publisher --> market data,
    registry <-> RegistryLink ----------------^              |                     settlement
    admin <----> AdminService, TradingDay -----^         event store --> SettlementReplay <-- replay

Every way in ends in the sequencer; every way out carries only what is on disk. The venue knows no
socket, process or thread: what it talks through is given to it (`Ways`), and the time too
(`Clocks`).
"""

from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import structlog

from cea_exchange.control_plane.door import Mailbox
from cea_exchange.domain.records import EventKind
from cea_exchange.domain.timetable import time_from_ns
from cea_exchange.journal import Storage
from cea_exchange.protocol import control
from cea_exchange.protocol.operators import Operator
from cea_exchange.venue.config import VenueConfig
from cea_exchange.venue.durability.sequencer import Sequencer
from cea_exchange.venue.operations.admin_service import AdminService
from cea_exchange.venue.operations.monitor import Monitor, Outside
from cea_exchange.venue.order_entry.service import OrderEntry, SessionDoor
from cea_exchange.venue.publication.bulletins import BulletinService
from cea_exchange.venue.publication.market_data import MarketDataPublisher
from cea_exchange.venue.publication.publisher import Publisher
from cea_exchange.venue.publication.settlement_replay import SettlementReplay
from cea_exchange.venue.publication.snapshot_service import SnapshotService
from cea_exchange.venue.refusals import ActRefusal
from cea_exchange.venue.registry_link.feed import FeedLine, RegistryFeed
from cea_exchange.venue.registry_link.lag_policy import LagPolicy
from cea_exchange.venue.registry_link.link import RegistryLink
from cea_exchange.venue.requests.base import AdminRequest
from cea_exchange.venue.trading_day.clock_monitor import ClockMonitor
from cea_exchange.venue.trading_day.trading_day import TradingDay

HEARTBEAT_S = 0.1

log = structlog.get_logger("venue")

Publish = Callable[[list[bytes]], object]
"""Publishes a message, frame by frame; who is too slow misses it."""


class Ways(NamedTuple):
    """What a venue talks through.

    Attributes
    ----------
    gateway, admin
        Where participants and operators come in.
    snapshots, replay
        Where the public asks for the whole market, and the registry for what it has missed.
    registry
        The way to the registry's feed.
    market_data, settlement
        The two streams.
    """

    gateway: SessionDoor
    admin: Mailbox
    snapshots: Mailbox
    replay: Mailbox
    registry: FeedLine
    market_data: Publish
    settlement: Publish


class Clocks(NamedTuple):
    """What a venue measures by.

    Attributes
    ----------
    venue
        The time that is journaled, and by which days go on.
    now_s
        A clock that never goes back.
    spent_s
        What the thread has spent on a processor.
    """

    venue: ClockMonitor
    now_s: Callable[[], float]
    spent_s: Callable[[], float]


class Surroundings(NamedTuple):
    """What a venue's daemon does for it, and tells of itself.

    Attributes
    ----------
    keys_changed
        Called after acts: they may have granted keys.
    key_restore
        Admits a key that was cut off; False if it was not.
    stop, hand_over
        Ends the daemon; the same, and lets another node of its cluster lead.
    outside, sizes
        What is shown of sockets and processes, and of the disk.
    storage
        The file system that the event store is on.
    helper
        Makes a thread for work beside the trading.
    looked
        Keeps that somebody looked, and at what.
    """

    keys_changed: Callable[[], None]
    key_restore: Callable[[str], bool]
    stop: Callable[[], None]
    hand_over: Callable[[str], None]
    outside: Callable[[], Outside]
    sizes: Callable[[], dict[str, int | float]]
    storage: Storage
    helper: Callable[[str], Executor]
    looked: Callable[[Operator, AdminRequest], None]


class Venue:
    """A venue without its sockets.

    Parameters
    ----------
    sequencer
        Open; the caller's to close.
    config, data
        The settings, and the folder for bulletins.
    operators
        Who may act or look, by public key.
    ways, clocks, surroundings
        See there.

    Attributes
    ----------
    orders : OrderEntry
        The sessions.
    market_data : MarketDataPublisher
        The public stream.
    monitor : Monitor
        The metrics.
    """

    def __init__(
        self,
        sequencer: Sequencer,
        config: VenueConfig,
        data: Path,
        operators: dict[str, Operator],
        *,
        ways: Ways,
        clocks: Clocks,
        surroundings: Surroundings,
    ) -> None:
        self._sequencer = sequencer
        self._machine = sequencer.machine
        self._config = config
        self._clock = clocks.venue
        self._now_s = clocks.now_s
        self._keys_changed = surroundings.keys_changed
        self._log_id = sequencer.journal.log_id
        self._released: list[np.ndarray] = []
        self.orders = OrderEntry(
            ways.gateway,
            sequencer,
            config,
            release=self._release,
            run_acts=self._run_acts,
            now_s=self._now_s,
        )
        self._publication_make(ways, clocks)
        self._registry_follow(ways)
        self._operations_make(data, operators, ways, surroundings)
        self._heartbeat_due_s = self._now_s()

    def _publication_make(self, ways: Ways, clocks: Clocks) -> None:
        measures = {"now_s": clocks.now_s, "spent_s": clocks.spent_s}
        self.market_data = MarketDataPublisher(
            self._machine,
            self._log_id,
            ways.market_data,
            interval_ms=self._config.market_data_interval_ms,
            **measures,
        )
        self._snapshots = SnapshotService(ways.snapshots, self.market_data, **measures)
        self._publisher = Publisher(
            self._machine, self._log_id, self.market_data, ways.settlement
        )
        self._settlement_replay = SettlementReplay(ways.replay, self._sequencer)

    def _registry_follow(self, ways: Ways) -> None:
        machine, gateway = self._machine, self.orders.gateway
        self._registry = RegistryLink(
            RegistryFeed(ways.registry, self._now_s),
            self._sequencer,
            gateway,
            run_controls=self._run_controls,
            sessions_check=self.orders.sessions_check,
            now_s=self._now_s,
        )
        self._day = TradingDay(
            machine, self._clock, self._config, self._registry, run_controls=self._run_controls
        )
        self._lag = LagPolicy(
            machine,
            self._registry,
            gateway,
            self._config.lag,
            run_controls=self._run_controls,
            now_s=self._now_s(),
        )

    def _operations_make(
        self, data: Path, operators: dict[str, Operator], ways: Ways, surroundings: Surroundings
    ) -> None:
        opening = self._config.bulletin_opening
        self.monitor = Monitor(
            self._sequencer,
            self.orders,
            self._lag,
            self._clock,
            outside=surroundings.outside,
            sizes=surroundings.sizes,
            now_s=self._now_s,
        )
        self._bulletins = BulletinService(
            data,
            log_id=self._log_id,
            profile=self._machine.profile,
            products=self._machine.products_declared,
            opening=Path(opening) if opening else None,
            publish=self.market_data.bulletin,
            storage=surroundings.storage,
            helper=surroundings.helper,
        )
        self._admin = AdminService(
            ways.admin,
            operators,
            self._day,
            self._sequencer,
            self.orders,
            proposal_s=self._config.proposal_s,
            run_controls=self._run_controls,
            status=self.status,
            stop=surroundings.stop,
            hand_over=surroundings.hand_over,
            key_restore=surroundings.key_restore,
            now_s=self._now_s,
            looked=surroundings.looked,
        )

    # -- Its turn -----------------------------------------------------------------------------

    @property
    def has_work(self) -> bool:
        """Whether a turn would do something though nothing has come."""
        return self.orders.has_work

    @property
    def has_waiting(self) -> bool:
        """Whether somebody waits for a snapshot."""
        return self._snapshots.has_waiting

    def orders_turn(self) -> bool:
        """Take the orders that have arrived; say whether there were any."""
        return self.monitor.orders_turn()

    def publish(self) -> None:
        """Give the streams and the monitor what was released since the last time."""
        if not self._released:
            return
        released, self._released = self._released, []
        self._publisher.publish(*released)
        self.monitor.released(*released)

    def replay_turn(self) -> None:
        """Answer the registry's questions."""
        self._settlement_replay.turn()

    def admin_turn(self) -> None:
        """Answer operators."""
        self._admin.turn()

    def snapshots_turn(self) -> None:
        """Answer the public's questions."""
        self._snapshots.turn()

    def chores_turn(self) -> bool:
        """Do what the clock and the registry make due; say whether a heartbeat was."""
        self._registry.turn()
        self._day.turn()
        self._sequencer.turn()
        self.market_data.turn()
        now_s = self._now_s()
        late_s = now_s - self._heartbeat_due_s
        if late_s < 0:
            return False
        self.monitor.turn(now_s, late_s)
        self._bulletins.turn(now_s)
        self._heartbeat_due_s = now_s + HEARTBEAT_S
        self._publisher.settlement_heartbeat()
        self.market_data.heartbeat()
        self.orders.monitor(now_s, registry_answers=not self._registry.is_awaited)
        self._lag.turn(now_s)
        return True

    def end(self) -> None:
        """Say to every session that the venue is about to end."""
        self.publish()
        log.info("stopping", sessions=len(self.orders.sessions))
        self.orders.tell_stopping()

    def close(self) -> None:
        """Drop the connection to the registry, and publish what may be published."""
        self._registry.close()
        self._bulletins.close()
        self.market_data.close()

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
            "cancels_only": self.orders.gateway.cancels_only
            or self.orders.gateway.cancels_only_for_lag,
            "sessions": len(self.orders.sessions),
            "refused": self.orders.gateway.refused_count,
            **self.monitor.status(),
            **self._machine.summary(),
        }

    # -- What the services share -----------------------------------------------------------------

    def _run_controls(self, acts: list[control.Control]) -> list[ActRefusal]:
        """Journal and apply acts, release their events, and return why any were refused."""
        return self._run_acts(acts)[1] if acts else []

    def _run_acts(
        self, acts: list[control.Control]
    ) -> tuple[np.ndarray, list[ActRefusal]]:
        """The same, and return the events too."""
        events, refusals = self._sequencer.run_controls(acts)
        self._keys_changed()
        self._release(events)
        if EventKind.PHASE_CHANGED in events["kind"]:
            # Trading commands change no phase, so only here is it looked for.
            self.orders.tell_phase()
        self.publish()
        self.monitor.acts(events)
        self._bulletins.acts(events)
        return events, refusals

    def _release(self, events: np.ndarray) -> None:
        """Send what is on disk to whom it concerns; `publish` follows when no order waits."""
        if not len(events):
            return
        self.orders.send_reports(events)
        self._released.append(events)

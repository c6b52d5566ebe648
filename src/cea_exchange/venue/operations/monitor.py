"""Monitors the venue for those who run it: metrics, rates, sizes, and events in the log.

Everything here only looks. What it can't find out it leaves out.
"""

import contextlib
import shutil
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import structlog

from cea_exchange.domain.calendar import TradingCalendar
from cea_exchange.domain.records import ACCOUNT_NONE, PRODUCT_NONE, EventKind
from cea_exchange.domain.timetable import time_from_ns
from cea_exchange.journal.storage import DRAFT_SUFFIX
from cea_exchange.venue.durability.sequencer import Sequencer
from cea_exchange.venue.market import listings
from cea_exchange.venue.operations.metrics import VenueMetrics
from cea_exchange.venue.order_entry.service import OrderEntry
from cea_exchange.venue.registry_link.lag_policy import LagPolicy
from cea_exchange.venue.trading_day.clock_monitor import ClockMonitor

SAMPLE_S = 1.0
SIZES_S = 10.0
RATE_SAMPLES = 11  # the rates are those of the last ten seconds
_LARGE_HOLDER = bytes([EventKind.LARGE_HOLDER])
_LOGGED = (
    *(EventKind.DAY_OPENED, EventKind.PHASE_CHANGED, EventKind.DAY_CLOSED),
    *(EventKind.HALTED, EventKind.RESUMED),
    *(EventKind.ACCOUNT_SUSPENDED, EventKind.ACCOUNT_RESTORED, EventKind.ACCOUNT_RESTRICTED),
    *(EventKind.REFERENCE_PRICE_CHANGED, EventKind.PRODUCT_LISTED, EventKind.PRODUCT_DELISTED),
)

log = structlog.get_logger("venue")


class Outside(NamedTuple):
    """What of a venue's sockets and processes is shown with it.

    Attributes
    ----------
    keys_refused
        Connections refused because of their key.
    keys_cut_off, keys_set_apart
        Keys that are admitted no more, and how many have a front of their own.
    fronts
        Their process ids.
    fronts_begun, fronts_ended
        How many since the start.
    metrics
        Where Prometheus may ask; None is nowhere.
    """

    keys_refused: int = 0
    keys_cut_off: tuple[str, ...] = ()
    keys_set_apart: int = 0
    fronts: tuple[int, ...] = ()
    fronts_begun: int = 0
    fronts_ended: int = 0
    metrics: str | None = None


class Monitor:
    """What is known of a running venue from the outside.

    Parameters
    ----------
    sequencer, orders, lag, clock
        What is watched.
    outside
        Tells of sockets and processes.
    sizes
        Measures what is on disk, see `sizes_of`.
    now_s
        A clock that never goes back.

    Attributes
    ----------
    metrics : VenueMetrics
        The numbers.
    """

    def __init__(
        self,
        sequencer: Sequencer,
        orders: OrderEntry,
        lag: LagPolicy,
        clock: ClockMonitor,
        *,
        outside: Callable[[], Outside],
        sizes: Callable[[], dict[str, int | float]],
        now_s: Callable[[], float],
    ) -> None:
        self.metrics = VenueMetrics()
        self._sequencer = sequencer
        self._machine = sequencer.machine
        self._orders = orders
        self._lag = lag
        self._clock = clock
        self._outside = outside
        self._sizes_look = sizes
        self._now_s = now_s
        self._calendar = TradingCalendar.load(self._machine.profile.calendar)
        self._began_s = self._now_s()
        self._sample_due_s = self._sizes_due_s = 0.0
        self._rates: deque[tuple[float, int, int, int]] = deque(maxlen=RATE_SAMPLES)
        self._sizes: dict[str, int | float] = {}
        self._batches: list[tuple[int, float, float]] = []
        self._turns: list[tuple[int, float | None]] = []
        sequencer.on_batch = self._batches.append
        self._sample(self._now_s())

    # -- What the loop tells ------------------------------------------------------------------

    def orders_turn(self) -> bool:
        """Let order entry take its turn, and time it; say whether anything had arrived."""
        began_s, batches = time.perf_counter(), len(self._batches)
        waiting = self._orders.turn()
        if waiting:
            took_s = time.perf_counter() - began_s if len(self._batches) > batches else None
            self._turns.append((waiting, took_s))
        return waiting > 0

    def acts(self, events: np.ndarray) -> None:
        """Log what an operator wants to know of the events of acts."""
        for event in events[np.isin(events["kind"], _LOGGED)]:
            self._event_log(event)

    def released(self, *released: np.ndarray) -> None:
        """Count what has left the venue, and log who has become a large holder (CEA-FND-08)."""
        for events in released:
            kinds = events["kind"].tobytes()
            self.metrics.events(events, kinds)
            if _LARGE_HOLDER in kinds:
                self._large_holders_log(events)

    def _large_holders_log(self, events: np.ndarray) -> None:
        machine = self._machine
        for event in events[events["kind"] == EventKind.LARGE_HOLDER]:
            log.warning(
                "large_holder",
                account=machine.account_names[int(event["account_index"])],
                product=machine.product_names[int(event["product_index"])],
                tonnes=int(event["tonnes"]),
            )

    def turn(self, now_s: float, late_s: float) -> None:
        """Look around; called at every heartbeat, which came `late_s` after it was due."""
        self._count()
        self.metrics.buckets["cea_venue_loop_delay_seconds"].observe(late_s)
        if now_s >= self._sample_due_s:
            self._sample(now_s)

    def status(self) -> dict[str, Any]:
        """Return what is known, for `venue status`."""
        self._sizes_due_s = 0.0
        self._count()
        self._sample(self._now_s())
        outside = self._outside()
        core, products = self._machine.core, enumerate(self._machine.product_names)
        return {
            "uptime_s": int(self._now_s() - self._began_s),
            "halted_products": [name for index, name in products if core.product(index)["halted"]],
            "delisted_products": self._delisted(),
            "listings_waiting": listings.shown(self._machine.listings),
            "profile": self._machine.profile.name,
            "profile_hash": self._machine.profile.profile_hash(),
            "lag_records": self._lag.lag.records,
            "lag_s": round(self._lag.lag.seconds, 1),
            "throttled": self._orders.gateway.throttled_count,
            "keys_refused": outside.keys_refused,
            "keys_cut_off": outside.keys_cut_off,
            "keys_set_apart": outside.keys_set_apart,
            "fronts": outside.fronts,
            "fronts_ended": outside.fronts_ended,
            "slow_consumers": self._orders.slow_count,
            "calendar_last": self._calendar.last.isoformat(),
            "calendar_days_left": self._calendar_days_left(),
            "metrics": outside.metrics,
            **self._rates_shown(),
            **self._sizes,
        }

    def _count(self) -> None:
        """Count the turns since the last heartbeat: meanwhile they are only noted."""
        for batch in self._batches:
            self.metrics.batch(*batch)
        for waiting, took_s in self._turns:
            self.metrics.buckets["cea_venue_waiting_messages"].observe(waiting)
            if took_s is not None:
                self.metrics.buckets["cea_venue_release_seconds"].observe(took_s)
        self._batches.clear()
        self._turns.clear()

    # -- Looking ------------------------------------------------------------------------------

    def _delisted(self) -> list[str]:
        names, core = self._machine.product_names, self._machine.core
        return [name for index, name in enumerate(names) if not core.product(index)["listed"]]

    def _sample(self, now_s: float) -> None:
        self._sample_due_s = now_s + SAMPLE_S
        if now_s >= self._sizes_due_s:
            self._sizes_due_s = now_s + SIZES_S
            self._sizes = self._sizes_look()
        metrics, machine, gateway = self.metrics, self._machine, self._orders.gateway
        totals, core = metrics.totals, machine.core
        totals["cea_venue_messages"] = gateway.message_count
        totals["cea_venue_refused"] = gateway.refused_count
        totals["cea_venue_throttled"] = gateway.throttled_count
        totals["cea_venue_slow_consumers"] = self._orders.slow_count
        outside = self._outside()
        totals["cea_venue_keys_refused"] = outside.keys_refused
        totals["cea_venue_fronts_begun"] = outside.fronts_begun
        totals["cea_venue_fronts_ended"] = outside.fronts_ended
        rejects = int(metrics.rejects.sum())
        counted = (totals["cea_venue_commands"], totals["cea_venue_trades"], rejects)
        if not self._rates or now_s >= self._rates[-1][0] + SAMPLE_S / 2:
            self._rates.append((now_s, *counted))
        summary = machine.outline()
        metrics.phase, metrics.lag_level = summary["phase"], machine.lag_level
        products = range(len(machine.product_names))
        figures = {
            **{f"settlement_lag_{name}": getattr(self._lag.lag, name) for name in _LAG_FIGURES},
            **{name: summary[name] for name in _SUMMARY_FIGURES},
            **{name: size for name, size in self._sizes.items() if name != "snapshot_age_s"},
            "sessions": len(self._orders.sessions),
            "calendar_days_left": self._calendar_days_left(),
            "halted": int(summary["halted"]),
            "halted_products": sum(bool(core.product(index)["halted"]) for index in products),
            "keys_cut_off": len(outside.keys_cut_off),
            "cancels_only": int(bool(gateway.cancels_only or gateway.cancels_only_for_lag)),
        }
        if "snapshot_age_s" in self._sizes:
            figures["snapshot_age_seconds"] = self._sizes["snapshot_age_s"]
        metrics.gauges = {f"cea_venue_{name}": float(value) for name, value in figures.items()}

    def _rates_shown(self) -> dict[str, float]:
        """Return what was done per second, over the last ten of them."""
        then, now = self._rates[0], self._rates[-1]
        seconds = max(now[0] - then[0], SAMPLE_S)
        names = ("commands_per_s", "trades_per_s", "rejects_per_s")
        pairs = zip(names, then[1:], now[1:], strict=True)
        return {name: round((after - before) / seconds, 1) for name, before, after in pairs}

    def _calendar_days_left(self) -> int:
        today = time_from_ns(self._clock.now_ns()).date()
        return (self._calendar.last - today).days

    def _event_log(self, event: np.void) -> None:
        machine, kind = self._machine, EventKind(event["kind"])
        names: dict[str, Any] = {}
        product, account = int(event["product_index"]), int(event["account_index"])
        if kind in (EventKind.DAY_OPENED, EventKind.PHASE_CHANGED):
            log.info(kind.name.lower(), **machine.summary())
            return
        if product != PRODUCT_NONE and product < len(machine.product_names):
            names["product"] = machine.product_names[product]
        if account != ACCOUNT_NONE and account < len(machine.account_names):
            names["account"] = machine.account_names[account]
        if kind is EventKind.DAY_CLOSED:
            names["trading_date"] = int(event["trading_date"])
        if kind is EventKind.HALTED:
            names["for_lag"] = machine.halted_for_lag
        log.info(kind.name.lower(), **names)


_LAG_FIGURES = ("records", "seconds")
_SUMMARY_FIGURES = ("orders_live", "command_seq", "event_seq", "settlement_seq", "feed_seq")


def sizes_of(data: Path) -> dict[str, int | float]:
    """Return the sizes of what a data folder holds, and how old its newest snapshot is."""
    found: dict[str, int | float] = {
        "journal_bytes": _bytes_of(data / "journal"),
        "event_store_bytes": _bytes_of(data / "events"),
    }
    with contextlib.suppress(OSError):
        found["disk_free_bytes"] = shutil.disk_usage(data).free
    with contextlib.suppress(OSError, ValueError):
        files = [path for path in (data / "snapshots").iterdir() if path.suffix != DRAFT_SUFFIX]
        made = [path.stat().st_mtime for path in files]
        found["snapshot_age_s"] = round(max(0.0, time.time() - max(made)), 1)
    return found


def _bytes_of(folder: Path) -> int:
    total = 0
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            # A segment that is being archived may be gone by now.
            with contextlib.suppress(OSError):
                total += path.stat().st_size
    return total

"""What a registry counts and times, for Prometheus; `protocol/metrics.md` lists it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
)

from cea_exchange.domain.records import SCHEMA_VERSION, EventKind
from cea_exchange.ledger.store import Store
from cea_exchange.protocol.metrics_buckets import COUNTS, Buckets
from cea_exchange.protocol.metrics_http import MetricsServer
from cea_exchange.protocol.pulse import Health
from cea_exchange.registry.venue_link.feed import feed_last_seq

LOOK_NS = 1_000_000_000
COUNTERS = {
    "cea_registry_records": "Settlement records applied since the start.",
    "cea_registry_troubles": "Parts of a turn that were given up since the start.",
    "cea_registry_batches_failed": "Batches of records that could not be applied, since the start.",
}
GAUGES = {
    "cea_registry_applied_seq": "The last settlement record that is applied.",
    "cea_registry_lag_records": "Records the venue has told of that are not applied yet.",
    "cea_registry_confirmed_date": "The last trading day that is settled and compared.",
    "cea_registry_feed_seq": "The last item of the feed.",
    "cea_registry_entries": "Entries in the ledger.",
    "cea_registry_transfers_pending": "Transfers the venue has not answered yet.",
    "cea_registry_bank_unapplied": "What the bank said and could not be applied yet.",
    "cea_registry_ok": "1 while the settlement line moves, 0 while it is stopped or diverged.",
    "cea_registry_clock_ok": "1 while the system's clock is believed, 0 while it is doubted.",
}
OTHERS = {
    "cea_registry_trades": "Trades received, by what became of them.",
    "cea_registry_build": "Version of the program and of the record schema.",
}
HISTOGRAMS = {
    "cea_registry_batch_records": "Records in a batch.",
    "cea_registry_batch_seconds": "Until a batch was applied and committed.",
}
_UNSETTLED = "SELECT state, count(*) FROM trades WHERE state <> 'settled' GROUP BY state"
"""By an index of those alone; the millions of settled ones are counted as they come."""


def _version() -> str:
    """Return the program's version; the package's own name for it would import the market too."""
    try:
        return version("cea-exchange")
    except PackageNotFoundError:
        return "0+unknown"


class RegistryMetrics:
    """The registry's numbers; a collector of prometheus_client.

    Parameters
    ----------
    store
        Open; read in the daemon's own thread only.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._totals = dict.fromkeys(COUNTERS, 0)
        self._gauges: dict[str, int] = {}
        self._look_due_ns = 0
        self._trade_count = store.one("SELECT count(*) FROM trades")
        self._trades: dict[str, int] = {}
        self._records = Buckets(
            "cea_registry_batch_records", HISTOGRAMS["cea_registry_batch_records"], COUNTS
        )
        self._seconds = Buckets(
            "cea_registry_batch_seconds", HISTOGRAMS["cea_registry_batch_seconds"]
        )

    def serve(self, address: str, health: Callable[[], Health]) -> MetricsServer:
        """Let Prometheus ask at an address, and others how the daemon is."""
        collectors = CollectorRegistry()
        collectors.register(self)
        return MetricsServer(address, collectors, health)

    @contextmanager
    def batch(self, records: np.ndarray) -> Iterator[None]:
        """Time a batch, and count what was applied of it."""
        began_ns, before = time.monotonic_ns(), self._store.last_seq
        try:
            yield
        except Exception:
            self._totals["cea_registry_batches_failed"] += 1
            raise
        finally:
            applied = self._store.last_seq - before
            if applied:
                self._totals["cea_registry_records"] += applied
                new = records["settlement_seq"] > before
                new &= records["settlement_seq"] <= before + applied
                trades = records["kind"][new] == EventKind.TRADE
                self._trade_count += int(np.count_nonzero(trades))
                self._records.observe(applied)
                self._seconds.observe((time.monotonic_ns() - began_ns) / 1_000_000_000)

    def turn(
        self,
        now_ns: int,
        lag_records: int,
        state: str,
        troubles: int,
        *,
        is_clock_right: bool,
    ) -> None:
        """Look at the store now and then."""
        self._totals["cea_registry_troubles"] = troubles
        if now_ns < self._look_due_ns:
            return
        self._look_due_ns = now_ns + LOOK_NS
        store = self._store
        unsettled = dict(store.execute(_UNSETTLED))
        settled = self._trade_count - sum(unsettled.values())
        self._trades = {"failed": 0, "busted": 0, **unsettled, "settled": settled}
        self._gauges = {
            "cea_registry_applied_seq": store.last_seq,
            "cea_registry_lag_records": lag_records,
            "cea_registry_confirmed_date": store.confirmed_date,
            "cea_registry_feed_seq": feed_last_seq(store),
            "cea_registry_entries": store.entry_last,
            "cea_registry_transfers_pending": store.one(
                "SELECT count(*) FROM transfers WHERE state = 'pending'"
            ),
            "cea_registry_bank_unapplied": store.one(
                "SELECT count(*) FROM bank_unapplied WHERE state = 'open'"
            ),
            "cea_registry_ok": int(state == "ok"),
            "cea_registry_clock_ok": int(is_clock_right),
        }

    def collect(self) -> Iterator[object]:
        """Yield every metric, as prometheus_client asks."""
        for name, text in COUNTERS.items():
            yield CounterMetricFamily(name, text, value=self._totals[name])
        for name, text in GAUGES.items():
            family = GaugeMetricFamily(name, text)
            if name in self._gauges:
                family.add_metric((), self._gauges[name])
            yield family
        yield self._records.family()
        yield self._seconds.family()
        trades = GaugeMetricFamily(
            "cea_registry_trades", OTHERS["cea_registry_trades"], labels=("state",)
        )
        for state, count in self._trades.items():
            trades.add_metric((state,), count)
        yield trades
        build = {"version": _version(), "schema": str(SCHEMA_VERSION)}
        yield InfoMetricFamily("cea_registry_build", OTHERS["cea_registry_build"], value=build)

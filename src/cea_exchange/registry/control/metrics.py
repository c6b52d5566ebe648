"""What a registry counts and times, for Prometheus; `protocol/metrics.md` lists it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
from prometheus_client.core import GaugeMetricFamily, Metric

from cea_exchange.domain.records import SCHEMA_VERSION, EventKind
from cea_exchange.institution.metrics import InstitutionMetrics, program_version
from cea_exchange.institution.venue_link.feed import feed_last_seq
from cea_exchange.protocol.metrics_buckets import COUNTS, Buckets
from cea_exchange.registry.store import RegistryStore

PREFIX = "cea_registry_"
COUNTERS = {
    "cea_registry_records": "Settlement records applied since the start.",
    "cea_registry_troubles": "Parts of a turn that were given up since the start.",
    "cea_registry_batches_failed": "Batches of records that could not be applied, since the start.",
}
GAUGES = {
    "cea_registry_applied_seq": "The last settlement record that is applied.",
    "cea_registry_lag_records": "Records the venue has announced that are not applied yet.",
    "cea_registry_confirmed_date": "The last trading day that is settled and compared.",
    "cea_registry_feed_seq": "The last item of the feed.",
    "cea_registry_entries": "Entries in the ledger.",
    "cea_registry_transfers_pending": "Transfers the venue has not answered yet.",
    "cea_registry_bank_unapplied": "What the bank said and could not be applied yet.",
    "cea_registry_ok": "1 while the settlement line moves, 0 while it is stopped or diverged.",
    "cea_registry_clock_ok": "1 while the system's clock is believed, 0 while it is doubted.",
    "cea_registry_database_ok": "1 while its database is there, 0 while it is waited for.",
    "cea_registry_database_standbys": "Standbys whose disk commits wait for; absent with SQLite.",
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


class RegistryMetrics(InstitutionMetrics[RegistryStore]):
    """The registry's numbers; see there.

    Attributes
    ----------
    lag_records : int
        Records the venue has announced that are not applied yet.
    """

    counters: ClassVar[dict[str, str]] = {
        name.removeprefix(PREFIX): text for name, text in COUNTERS.items()
    }
    gauges: ClassVar[dict[str, str]] = {
        name.removeprefix(PREFIX): text for name, text in GAUGES.items()
    }

    def __init__(self, store: RegistryStore) -> None:
        super().__init__(store)
        self.lag_records = 0
        self._trade_count = store.one("SELECT count(*) FROM trades")
        self._trades: dict[str, int] = {}
        self._records = Buckets(
            "cea_registry_batch_records", HISTOGRAMS["cea_registry_batch_records"], COUNTS
        )
        self._seconds = Buckets(
            "cea_registry_batch_seconds", HISTOGRAMS["cea_registry_batch_seconds"]
        )

    @contextmanager
    def batch(self, records: np.ndarray) -> Iterator[None]:
        """Time a batch, and count what was applied of it."""
        began_ns, before = time.monotonic_ns(), self._store.last_seq
        try:
            yield
        except Exception:
            self._totals["batches_failed"] += 1
            raise
        finally:
            applied = self._store.last_seq - before
            if applied:
                self._totals["records"] += applied
                new = records["settlement_seq"] > before
                new &= records["settlement_seq"] <= before + applied
                trades = records["kind"][new] == EventKind.TRADE
                self._trade_count += int(np.count_nonzero(trades))
                self._records.observe(applied)
                self._seconds.observe((time.monotonic_ns() - began_ns) / 1_000_000_000)

    def looked(self) -> dict[str, int]:
        """Return what the gauges say now, and count the trades."""
        store = self._store
        unsettled: dict[str, int] = dict(store.execute(_UNSETTLED))
        settled = self._trade_count - sum(unsettled.values())
        self._trades = {"failed": 0, "busted": 0, **unsettled, "settled": settled}
        return {
            "applied_seq": store.last_seq,
            "lag_records": self.lag_records,
            "confirmed_date": store.confirmed_date,
            "feed_seq": feed_last_seq(store),
            "entries": store.entry_last,
            "transfers_pending": store.one(
                "SELECT count(*) FROM transfers WHERE state = 'pending'"
            ),
            "bank_unapplied": store.one("SELECT count(*) FROM bank_unapplied WHERE state = 'open'"),
        }

    def families(self) -> Iterator[Metric]:
        """Yield batches and trades."""
        yield self._records.family()
        yield self._seconds.family()
        trades = GaugeMetricFamily(
            "cea_registry_trades", OTHERS["cea_registry_trades"], labels=("state",)
        )
        for state, count in self._trades.items():
            trades.add_metric((state,), count)
        yield trades

    build_words = OTHERS["cea_registry_build"]

    def build(self) -> dict[str, Any]:
        """Return the versions of the program and of the record schema."""
        return {"version": program_version(), "schema": str(SCHEMA_VERSION)}

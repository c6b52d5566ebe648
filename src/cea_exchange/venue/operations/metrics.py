"""What a venue counts and times, for Prometheus; `protocol/metrics.md` lists it.

The loop adds to plain numbers, once a batch and never once an order; text is made when asked for,
in the thread that asks.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)

from cea_exchange import __version__
from cea_exchange.domain.records import SCHEMA_VERSION, EventKind, Phase, Reason
from cea_exchange.protocol.metrics_buckets import COUNTS, Buckets

LAG_LEVELS = ("normal", "warn", "throttle", "cancel_only", "halt")
COUNTERS = {
    "cea_venue_commands": "Trading commands journaled since the start.",
    "cea_venue_batches": "Batches journaled since the start.",
    "cea_venue_trades": "Trades since the start.",
    "cea_venue_messages": "Messages received over order entry since the start.",
    "cea_venue_refused": "Messages refused at the gateway since the start.",
    "cea_venue_throttled": "Commands refused by the throttle since the start.",
    "cea_venue_slow_consumers": "Sessions ended because they did not take their reports.",
    "cea_venue_keys_refused": "Connections refused because of their key since the start.",
    "cea_venue_fronts_begun": "Fronts begun since the start: as many as are set, and each again.",
    "cea_venue_fronts_ended": "Fronts that ended by themselves since the start.",
    "cea_venue_relays_begun": "Relays begun for the public since the start: one, and each again.",
}
GAUGES = {
    "cea_venue_settlement_lag_records": "Settlement records the registry has not applied yet.",
    "cea_venue_settlement_lag_seconds": "Since the oldest of them, or the registry's last answer.",
    "cea_venue_journal_bytes": "Size of the journal's segments.",
    "cea_venue_event_store_bytes": "Size of the event store.",
    "cea_venue_disk_free_bytes": "Room left on the disk of the data folder.",
    "cea_venue_orders_live": "Orders on the books.",
    "cea_venue_sessions": "Sessions logged on.",
    "cea_venue_command_seq": "Commands and acts since the journal began.",
    "cea_venue_event_seq": "Events since the journal began.",
    "cea_venue_settlement_seq": "The last record of the settlement stream.",
    "cea_venue_feed_seq": "The last item of the registry's feed that was applied.",
    "cea_venue_snapshot_age_seconds": "Since the newest snapshot was made; absent without one.",
    "cea_venue_calendar_days_left": "Days until the trading calendar ends.",
    "cea_venue_halted": "1 while the market is halted, by an operator or for lag.",
    "cea_venue_halted_products": "Products that are halted by themselves.",
    "cea_venue_keys_cut_off": "Keys cut off because they end fronts.",
    "cea_venue_cancels_only": "1 while only cancels are taken.",
}
HISTOGRAMS = {
    "cea_venue_batch_commands": "Commands in a batch.",
    "cea_venue_waiting_messages": "Messages that had arrived when the loop took them.",
    "cea_venue_fdatasync_seconds": "Until a batch was on disk.",
    "cea_venue_apply_seconds": "Until a batch was applied in memory.",
    "cea_venue_release_seconds": "From taking what had arrived to having sent what came of it.",
    "cea_venue_loop_delay_seconds": "How late the loop came to what is due every 0.1 s.",
}
OTHERS = {
    "cea_venue_rejects": "Commands that the market refused since the start, by reason.",
    "cea_venue_phase": "1 for the phase the venue is in, 0 for the others.",
    "cea_venue_lag_level": "1 for the level of the registry's lag, 0 for the others.",
    "cea_venue_build": "Version of the program and of the record schema.",
}


# Kinds are bytes, and bytes are searched faster than arrays where batches are small.
_TRADE, _REJECTED = bytes([EventKind.TRADE]), bytes([EventKind.ORDER_REJECTED])


class VenueMetrics:
    """The venue's numbers; a collector of prometheus_client.

    One thread counts; `collect` may run in another and see a batch half counted.

    Attributes
    ----------
    totals : dict of str to int
        Counters by name; set those that are counted elsewhere.
    gauges : dict of str to number
        Gauges by name, as of the last look.
    buckets : dict of str to Buckets
        Histograms by name.
    rejects : ndarray
        Refused commands by `Reason`.
    phase, lag_level : str
        As of the last look.
    """

    def __init__(self) -> None:
        self.totals = dict.fromkeys(COUNTERS, 0)
        self.gauges: dict[str, float] = {}
        self.rejects = np.zeros(256, np.int64)
        self.phase = ""
        self.lag_level = ""
        sizes = {"cea_venue_batch_commands", "cea_venue_waiting_messages"}
        self.buckets = {
            name: Buckets(name, text, COUNTS) if name in sizes else Buckets(name, text)
            for name, text in HISTOGRAMS.items()
        }

    def batch(self, count: int, apply_s: float, sync_s: float) -> None:
        """Count a batch of commands that is on disk."""
        self.totals["cea_venue_commands"] += count
        self.totals["cea_venue_batches"] += 1
        self.buckets["cea_venue_batch_commands"].observe(count)
        self.buckets["cea_venue_apply_seconds"].observe(apply_s)
        self.buckets["cea_venue_fdatasync_seconds"].observe(sync_s)

    def events(self, events: np.ndarray, kinds: bytes) -> None:
        """Count what came of batches; ``kinds`` are the events' kinds."""
        self.totals["cea_venue_trades"] += kinds.count(_TRADE)
        if _REJECTED in kinds:
            reasons = events["reason"][events["kind"] == EventKind.ORDER_REJECTED]
            self.rejects += np.bincount(reasons, minlength=len(self.rejects))

    def collect(self) -> Iterator[object]:
        """Yield every metric, as prometheus_client asks."""
        for name, text in COUNTERS.items():
            yield CounterMetricFamily(name, text, value=self.totals[name])
        for name, text in GAUGES.items():
            family = GaugeMetricFamily(name, text)
            if name in self.gauges:
                family.add_metric((), self.gauges[name])
            yield family
        yield from self._histograms()
        rejects = CounterMetricFamily(
            "cea_venue_rejects", OTHERS["cea_venue_rejects"], labels=("reason",)
        )
        for reason in Reason:
            if self.rejects[reason]:
                rejects.add_metric((reason.name,), int(self.rejects[reason]))
        yield rejects
        phases = [phase.name.lower() for phase in Phase]
        yield _one_of("cea_venue_phase", "phase", phases, self.phase)
        yield _one_of("cea_venue_lag_level", "level", LAG_LEVELS, self.lag_level)
        build = {"version": __version__, "schema": str(SCHEMA_VERSION)}
        yield InfoMetricFamily("cea_venue_build", OTHERS["cea_venue_build"], value=build)

    def _histograms(self) -> Iterator[HistogramMetricFamily]:
        for buckets in self.buckets.values():
            yield buckets.family()


def _one_of(name: str, label: str, values: Iterable[str], now: str) -> GaugeMetricFamily:
    """Return a gauge that is 1 at the value of now."""
    family = GaugeMetricFamily(name, OTHERS[name], labels=(label,))
    for value in values:
        family.add_metric((value,), int(value == now))
    return family

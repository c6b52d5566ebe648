"""What an institution counts and times, for Prometheus; `protocol/metrics.md` lists it."""

from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar, Generic, TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)

from cea_exchange.ledger.record_store import RecordStore
from cea_exchange.protocol.metrics_http import MetricsServer
from cea_exchange.protocol.pulse import Health

LOOK_NS = 1_000_000_000
SHARED_COUNTERS = {"troubles": "Parts of a turn that were given up since the start."}
SHARED_GAUGES = {
    "ok": "1 while it does its work, 0 while something keeps it from it.",
    "clock_ok": "1 while the system's clock is believed, 0 while it is doubted.",
    "database_ok": "1 while its database is there, 0 while it is waited for.",
    "database_standbys": "Standbys whose disk commits wait for; absent with SQLite.",
}
S = TypeVar("S", bound=RecordStore)


def program_version() -> str:
    """Return the program's version; the package's own name for it would import the market too."""
    try:
        return version("cea-exchange")
    except PackageNotFoundError:
        return "0+unknown"


class InstitutionMetrics(Generic[S]):
    """An institution's numbers; a collector of prometheus_client.

    Parameters
    ----------
    store
        Open; read in the daemon's own thread only.

    Attributes
    ----------
    counters, gauges
        Names, without ``cea_registry_`` or what the institution's is, and what they tell.
    """

    counters: ClassVar[dict[str, str]] = SHARED_COUNTERS
    gauges: ClassVar[dict[str, str]] = SHARED_GAUGES
    build_words: ClassVar[str] = "Version of the program and of the tables."

    def __init__(self, store: S) -> None:
        self._store = store
        self._prefix = f"cea_{store.schema.institution}_"
        self._totals = dict.fromkeys(self.counters, 0)
        self._now: dict[str, int] = {}
        self._look_due_ns = 0

    def serve(self, address: str, health: Callable[[], Health]) -> MetricsServer:
        """Let Prometheus ask at an address, and others how the daemon is."""
        collectors = CollectorRegistry()
        collectors.register(self)
        return MetricsServer(address, collectors, health)

    def turn(self, now_ns: int, state: str, troubles: int, *, is_clock_right: bool) -> None:
        """Look at the store now and then."""
        self._totals["troubles"] = troubles
        if now_ns < self._look_due_ns:
            return
        self._look_due_ns = now_ns + LOOK_NS
        shared = {"ok": int(state == "ok"), "clock_ok": int(is_clock_right), "database_ok": 1}
        standbys = self._store.database.standby_count()
        if standbys is not None:
            shared["database_standbys"] = standbys
        self._now = shared | self.looked()

    def database_lost(self) -> None:
        """Tell that the database is waited for, until the next look."""
        self._now |= {"ok": 0, "database_ok": 0, "database_standbys": 0}
        self._look_due_ns = 0

    def looked(self) -> dict[str, int]:
        """Return what the institution's own gauges say now."""
        return {}

    def collect(self) -> Iterator[Metric]:
        """Yield every metric, as prometheus_client asks."""
        for name, text in self.counters.items():
            yield CounterMetricFamily(self._prefix + name, text, value=self._totals[name])
        for name, text in self.gauges.items():
            family = GaugeMetricFamily(self._prefix + name, text)
            if name in self._now:
                family.add_metric((), self._now[name])
            yield family
        yield from self.families()
        yield InfoMetricFamily(f"{self._prefix}build", self.build_words, value=self.build())

    def families(self) -> Iterator[Metric]:
        """Yield what is neither a plain counter nor a plain gauge."""
        return iter(())

    def build(self) -> dict[str, Any]:
        """Return what there is to know of the program."""
        return {"version": program_version(), "schema": str(self._store.schema.version)}

"""Rates of counters and quantiles of histograms, from a daemon's metrics of the last moment."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

READ_S = 2.0
BYTES_MAX = 4 << 20


class Metrics(NamedTuple):
    """A daemon's metrics at one moment.

    Attributes
    ----------
    totals
        Counters (without `_total`) and gauges by name; those with labels are summed.
    buckets
        Of each histogram how many were at most so long, by upper bound (s).
    """

    totals: Mapping[str, float]
    buckets: Mapping[str, tuple[tuple[float, float], ...]]


NO_METRICS = Metrics({}, {})


def metrics_fetch(address: str) -> Metrics:
    """Return the metrics at an address that a daemon has given.

    Raises
    ------
    OSError, ValueError
        Nothing answers there, or what answers are no metrics.
    """
    with urlopen(f"http://{address}/metrics", timeout=READ_S) as answer:
        return metrics_read(answer.read(BYTES_MAX).decode())


def metrics_read(text: str) -> Metrics:
    """Return what Prometheus' text says."""
    totals: dict[str, float] = {}
    buckets: dict[str, list[tuple[float, float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == f"{family.name}_bucket":
                bound = float(sample.labels["le"])
                buckets.setdefault(family.name, []).append((bound, sample.value))
            elif family.type != "histogram":
                name = sample.name.removesuffix("_total")
                totals[name] = totals.get(name, 0.0) + sample.value
    return Metrics(totals, {name: tuple(sorted(rows)) for name, rows in buckets.items()})


def rate(before: Metrics, now: Metrics, name: str, seconds: float) -> float:
    """Return by how much a counter grew each second; 0 where the daemon was started anew."""
    grown = now.totals.get(name, 0.0) - before.totals.get(name, 0.0)
    return max(0.0, grown) / seconds if seconds > 0 else 0.0


def quantile_between(before: Metrics, now: Metrics, name: str, share: float) -> float | None:
    """Return the quantile of what a histogram took in between; None where it took in nothing.

    As Prometheus does it: within a bucket what it holds is taken to lie evenly. What lies beyond
    the last bound is taken to lie at it.
    """
    was = dict(before.buckets.get(name, ()))
    rows = [(bound, count - was.get(bound, 0.0)) for bound, count in now.buckets.get(name, ())]
    if not rows or rows[-1][1] <= 0 or any(count < 0 for _, count in rows):
        return None
    return _quantile(rows, share)


def _quantile(rows: Iterable[tuple[float, float]], share: float) -> float:
    rows = list(rows)
    wanted = share * rows[-1][1]
    low, low_count = 0.0, 0.0
    for bound, count in rows:
        if count >= wanted:
            if bound == float("inf"):
                return low
            part = (wanted - low_count) / (count - low_count) if count > low_count else 1.0
            return low + part * (bound - low)
        low, low_count = bound, count
    return low

"""Latencies of answered commands, from the moment each was due, as HDR histograms."""

from hdrh.histogram import HdrHistogram

LATENCY_NS_MIN = 1_000
LATENCY_NS_MAX = 600 * 10**9
PERCENTILES = (50.0, 90.0, 99.0, 99.9)


class LatencyRecorder:
    """A histogram of nanoseconds with three significant digits, mergeable across processes.

    Notes
    -----
    A latency counts from the time the open-loop schedule wanted the command to go, not from when
    it went: a stall is charged to every command that it held up.
    """

    def __init__(self) -> None:
        self._histogram = HdrHistogram(LATENCY_NS_MIN, LATENCY_NS_MAX, 3)

    def record(self, latency_ns: int) -> None:
        """Count one latency; beyond ten minutes counts as ten minutes."""
        self._histogram.record_value(min(max(latency_ns, LATENCY_NS_MIN), LATENCY_NS_MAX))

    def encode(self) -> str:
        """Return the histogram in HdrHistogram's own text form."""
        return self._histogram.encode().decode()

    def add(self, encoded: str) -> None:
        """Add another process's histogram."""
        self._histogram.decode_and_add(encoded)

    def summary(self) -> dict:
        """Return count, percentiles and maximum in nanoseconds."""
        histogram = self._histogram
        count = histogram.get_total_count()
        at = {
            f"p{percentile:g}": histogram.get_value_at_percentile(percentile) if count else 0
            for percentile in PERCENTILES
        }
        return {"count": count, **at, "max": histogram.get_max_value() if count else 0}

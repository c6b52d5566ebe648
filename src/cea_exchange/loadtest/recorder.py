"""Latencies of answered commands, from the moment each was due, mergeable across processes."""

from cea_exchange.loadtest.results.latency_histogram import LatencyHistogram

PERCENTILES = (50.0, 90.0, 99.0, 99.9)


class LatencyRecorder:
    """A histogram of nanoseconds with three significant digits, mergeable across processes.

    Notes
    -----
    A latency counts from the time the open-loop schedule wanted the command to go, not from when
    it went: a stall is charged to every command that it held up.
    """

    def __init__(self) -> None:
        self._histogram = LatencyHistogram()

    def record(self, latency_ns: int) -> None:
        """Count one latency; beyond ten minutes counts as ten minutes."""
        self._histogram.record(latency_ns)

    def encode(self) -> str:
        """Return the histogram in HdrHistogram's own text form."""
        return self._histogram.encode()

    def add(self, encoded: str) -> None:
        """Add another process's histogram."""
        self._histogram.add(LatencyHistogram.decode(encoded))

    def summary(self) -> dict:
        """Return count, percentiles and maximum in nanoseconds."""
        histogram = self._histogram
        at = {f"p{percentile:g}": histogram.at(percentile) for percentile in PERCENTILES}
        return {"count": histogram.count, **at, "max": histogram.max}

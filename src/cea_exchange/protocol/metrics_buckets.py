"""Histograms that cost a daemon's loop a fraction of a microsecond, exported to Prometheus."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily

SECONDS = (
    *(0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.0025, 0.005, 0.01),
    *(0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""Bounds for what takes from microseconds to seconds."""
COUNTS = (1, 4, 16, 64, 256, 1_024, 4_096, 16_384)
"""Bounds for how many come at once."""


class Buckets:
    """How often a value fell between which bounds.

    One thread observes. Another may read meanwhile and see a value's count before its sum.

    Parameters
    ----------
    name, text
        The metric.
    bounds
        Upper bounds, ascending; what is above the last is counted too.
    """

    def __init__(self, name: str, text: str, bounds: Sequence[float] = SECONDS) -> None:
        self.name = name
        self.text = text
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self._counts)

    def family(self) -> HistogramMetricFamily:
        """Return it as Prometheus wants it."""
        bounds = [*map(str, map(float, self._bounds)), "+Inf"]
        buckets = list(zip(bounds, accumulate(self._counts), strict=True))
        return HistogramMetricFamily(self.name, self.text, buckets=buckets, sum_value=self._sum)

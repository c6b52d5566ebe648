"""What a way in says of itself to Prometheus; `protocol/metrics.md` lists it."""

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

COUNTERS = {
    "cea_way_in_resumed": "Sessions that went on at another venue since the start.",
    "cea_way_in_refused": "Messages refused by the way in itself since the start.",
    "cea_way_in_leaders": "Times that a venue was found to lead since the start.",
}
GAUGES = {
    "cea_way_in_has_leader": "1 while it is in line with a venue that leads.",
    "cea_way_in_sessions": "Connections of participants.",
    "cea_way_in_unanswered_commands": "Commands that have no answer.",
}


class WayInMetrics:
    """A way in's numbers; a collector of prometheus_client.

    Parameters
    ----------
    figures
        Gives the numbers by their names without ``cea_way_in_``; as of the loop's last look.
    """

    def __init__(self, figures: Callable[[], dict[str, int]]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Yield every metric, as prometheus_client asks."""
        now = self._figures()
        for name, text in COUNTERS.items():
            yield CounterMetricFamily(name, text, value=now[name.removeprefix("cea_way_in_")])
        for name, text in GAUGES.items():
            yield GaugeMetricFamily(name, text, value=now[name.removeprefix("cea_way_in_")])

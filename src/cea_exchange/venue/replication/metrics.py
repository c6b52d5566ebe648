"""What a node of a cluster says of itself to Prometheus; `protocol/metrics.md` lists it."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily

from cea_exchange.venue.replication.member import ClusterMember

GAUGES = {
    "cea_cluster_leads": "1 while this node leads.",
    "cea_cluster_epoch": "The epoch of the last message of the log that it has.",
    "cea_cluster_log_seq": "The last message of the log that it has.",
    "cea_cluster_lag_messages": "Messages that the log has beyond.",
    "cea_cluster_log_connected": "1 while a node of the log answers it.",
    "cea_cluster_disk_free_bytes": "Room on the disk of its data folder, whether it leads or not.",
    "cea_cluster_hindered": "1 while it can't follow, or can't lead; its log says why.",
}


class ClusterMetrics:
    """A node's numbers; a collector of prometheus_client.

    Parameters
    ----------
    member
        The node; asked in the thread that asks here.
    """

    def __init__(self, member: ClusterMember) -> None:
        self._member = member

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield every metric, as prometheus_client asks."""
        member = self._member
        now = {
            "leads": member.leads,
            "epoch": member.epoch,
            "log_seq": member.log_seq,
            "lag_messages": member.lag,
            "log_connected": member.is_connected,
            "disk_free_bytes": member.disk_free_bytes,
            "hindered": bool(member.why),
        }
        for name, text in GAUGES.items():
            yield GaugeMetricFamily(name, text, value=now[name.removeprefix("cea_cluster_")])

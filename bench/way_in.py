"""What a client sees by the way in: python -m bench.way_in [--kills 20] [--orders 400].

Venues, log nodes, registry and way in as real processes on this machine. In turns, in one run:
single orders to the leader's own gateway, and by the way in, each until its answer. Then the
venue that leads is killed (SIGKILL) again and again while a client sends an order each 20 ms by the
way in; the outage is the longest time between two answers around a kill. Killed venues come back.
Then the lead is handed over, as an operator does.

Before a figure is printed the client has an answer to each of its orders, one only, over one
connection, and its reports are those that a fresh client is given from the first on.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.measuring.calibration import calibrate
from cea_exchange.client import Client
from cea_exchange.client.reports import Report
from cea_exchange.domain.records import Side
from cea_exchange.loadtest.load_run import await_transfers
from cea_exchange.loadtest.population import Participant
from cea_exchange.loadtest.stands.local_cluster import WAY_IN, WAY_IN_KEYS, LocalCluster
from cea_exchange.venue.operations.admin_client import admin_ask

REFERENCES = {"CEA24": 9749}
PRICE_FEN = 9_600
ROUNDS = 4
EACH_S = 0.02
AROUND_S = 3.0
ANSWER_S_MAX = 60.0


class Probe:
    """A client that writes down what it sent, and when it was answered."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.log: list[Report] = []
        self.answers_s: list[float] = []
        self.sent = 0
        self.answered: set[int] = set()

    def send(self) -> None:
        """Send an order that rests."""
        self.client.enter("CEA24", "buy", price_fen=PRICE_FEN, tonnes=1)
        self.sent += 1

    def take(self, wait_s: float) -> None:
        """Take what comes in so long."""
        for report in self.client.poll(wait_s):
            self.log.append(report)
            if answered := report.answers():
                assert answered not in self.answered, f"{answered} was answered twice"
                self.answered.add(answered)
                self.answers_s.append(time.perf_counter())

    def settle(self) -> None:
        """Wait for every answer."""
        until_s = time.perf_counter() + ANSWER_S_MAX
        while self.client.unacknowledged:
            assert time.perf_counter() < until_s, "commands without an answer"
            self.take(0.05)

    def send_for(self, seconds: float) -> None:
        """Send an order each 20 ms."""
        until_s = time.perf_counter() + seconds
        while time.perf_counter() < until_s:
            self.send()
            self.take(EACH_S)


def client_of(cluster: LocalCluster, name: str, *, by_way_in: bool) -> Client:
    """Return a client at the way in, or at the venue that leads."""
    endpoint = cluster.endpoint(WAY_IN if by_way_in else "venue", "gateway")
    key = cluster.keys(WAY_IN_KEYS if by_way_in else "venue").public
    # Nobody polls it while a venue is begun again, which it would take for the other's silence.
    return Client.connect(
        *(endpoint, cluster.keys(name), key), timeout_s=60.0, report_seq=0, silence_s_max=120.0
    )


def single_orders(client: Client, count: int) -> list[float]:
    """Enter orders one after the other; return how long each took to be answered, ms."""
    taken_ms = []
    for _ in range(count):
        began_s = time.perf_counter()
        client.answer(client.enter("CEA24", "buy", price_fen=PRICE_FEN, tonnes=1))
        taken_ms.append(1_000 * (time.perf_counter() - began_s))
    return taken_ms


def latency(cluster: LocalCluster, orders: int) -> None:
    """Print what the way in costs."""
    taken: dict[str, list[float]] = {"the leader's gateway": [], "the way in": []}
    with (
        client_of(cluster, "direct", by_way_in=False) as direct,
        client_of(cluster, "by-way", by_way_in=True) as by_way,
    ):
        for _ in range(ROUNDS):
            for what, client in zip(taken, (direct, by_way), strict=True):
                taken[what] += single_orders(client, orders // ROUNDS)
    for what, taken_ms in taken.items():
        p50, p99 = np.percentile(taken_ms, [50, 99])
        print(f"single orders by {what}: p50 {p50:.2f} ms, p99 {p99:.2f} ms, {len(taken_ms)}")


def handed_over(cluster: LocalCluster, probe: Probe) -> float:
    """Let another venue lead, as an operator would; return for how long nobody was answered, s."""
    for name in cluster.tend():
        cluster.await_well(name)
    probe.send_for(0.5)
    probe.settle()
    began = len(probe.answers_s) - 1
    leader = cluster.await_leader().node
    states = cluster.states().values()
    successor = next(each.node for each in states if each.state == "standby" and not each.lag)
    request = {"op": "cluster_handover", "node": successor, "why": "bench"}
    admin_ask(cluster.folder(leader), request, key="admin")
    probe.send_for(AROUND_S)
    probe.settle()
    # Who led has ended, and is begun again as a standby.
    while leader not in cluster.tend():
        probe.take(EACH_S)
    cluster.await_well(leader)
    cluster.await_well(successor)
    return float(np.diff(probe.answers_s[began:]).max())


def outages(cluster: LocalCluster, kills: int, handovers: int) -> None:
    """Print for how long nobody was answered after each kill of the venue that leads."""
    client = client_of(cluster, "probe", by_way_in=True)
    probe, found_s = Probe(client), []
    for _ in range(kills):
        probe.send_for(0.5)
        name = cluster.await_leader().node
        probe.settle()
        began = len(probe.answers_s) - 1
        probe.send_for(0.1)
        cluster.kill(name)
        probe.send_for(AROUND_S)
        probe.settle()
        found_s.append(float(np.diff(probe.answers_s[began:]).max()))
        cluster.begin(name)
        for each in (name, *cluster.tend()):
            cluster.await_well(each)
    print_outages(f"{kills} kills", found_s)
    print_outages(
        f"{handovers} planned handovers", [handed_over(cluster, probe) for _ in range(handovers)]
    )
    probe.settle()
    assert len(probe.answered) == probe.sent
    assert client.reconnections == 0, "the client lost its connection"
    client.close()
    with client_of(cluster, "probe", by_way_in=True) as fresh:
        assert list(fresh.reports(timeout_s=2.0)) == probe.log, "other reports than were seen"
    print(f"{probe.sent} orders, each answered once")


def print_outages(what: str, found_s: list[float]) -> None:
    """Print for how long nobody was answered."""
    p50, p99 = np.percentile(found_s, [50, 99])
    most = max(found_s)
    print(f"no answer at {what} for: p50 {p50:.2f} s, p99 {p99:.2f} s, most {most:.2f} s")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--handovers", type=int, default=5)
    parser.add_argument("--orders", type=int, default=400)
    settings = parser.parse_args()
    print(calibrate())
    buys = {"kind": "short", "sides": {"CEA24": Side.BUY}, "cash": 10**14, "holdings": {}}
    named = [Participant(name=name, **buys) for name in ("direct", "by-way", "probe")]
    with tempfile.TemporaryDirectory() as folder, LocalCluster(Path(folder)) as cluster:
        cluster.prepare(named, REFERENCES, start="2025-01-02T08:30:00+08:00", fronts=1, relay=False)
        cluster.start()
        await_transfers(cluster)
        cluster.operate("clock", at="2025-01-02T09:30:00+08:00")
        latency(cluster, settings.orders)
        outages(cluster, settings.kills, settings.handovers)


if __name__ == "__main__":
    main()

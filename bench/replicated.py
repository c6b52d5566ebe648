"""How fast the replicated journal is: python -m bench.replicated [--commands 256] [--batches 400].

Three log nodes of their own on this machine, each with its own files, syncing always; the sequencer
that the venue has, without sockets. In turns, in one run: the same commands through a sequencer
whose journal is on this disk alone, and through one that leads a cluster. Then single orders, one
after the other, each from its append until it may be released. Then a standby that comes late
follows all of it.

Before a figure is printed the three states' hashes must be equal, and the log is compared frame by
frame with the leader's journal.
"""

import argparse
import os
import tempfile
import time
from itertools import count
from pathlib import Path
from statistics import median

import msgspec
import numpy as np

from bench.books.engines import ACCOUNT_COUNT, PRODUCT_COUNT
from bench.books.workloads import market_steady
from bench.measuring.calibration import calibrate
from bench.recovery import PROFILE, acts
from cea_exchange.cluster.config import ClusterConfig
from cea_exchange.cluster.log_nodes.local import LogNodes
from cea_exchange.journal import OsStorage
from cea_exchange.venue.config import VenueConfig
from cea_exchange.venue.durability.sequencer import Sequencer
from cea_exchange.venue.replication.member import ClusterMember
from cea_exchange.venue.replication.membership import compare

ROUNDS = 5


class Leader:
    """A node that leads."""

    def __init__(self, config: ClusterConfig, data: Path) -> None:
        self.member = member_open(config, data)
        while not self.member.lead_if_due():
            self.member.follow(0.05)
        self.sequencer = self.member.sequencer

    def close(self) -> None:
        """End it."""
        self.member.close()
        self.sequencer.close()


def member_open(config: ClusterConfig, data: Path) -> ClusterMember:
    """Return a node that follows."""
    data.mkdir(exist_ok=True)
    return ClusterMember.open(
        *(config, data, PROFILE),
        storage=OsStorage(),
        archive=None,
        now_ns=count(1_000).__next__,
    )


def batches_run(sequencer: Sequencer, commands: np.ndarray, size: int) -> list[float]:
    """Run commands in batches, and return how long each took until it could be released, s."""
    taken_s = []
    for first in range(0, len(commands), size):
        began_s = time.perf_counter()
        sequencer.run_records(commands[first : first + size])
        taken_s.append(time.perf_counter() - began_s)
    return taken_s


def hash_of(sequencer: Sequencer) -> str:
    """Return the state's hash."""
    return f"{sequencer.machine.core.state_hash():016x}"


def quantiles(taken_s: list[float]) -> str:
    """Return the middle and the slow end, in milliseconds."""
    p50, p99 = np.quantile(np.array(taken_s) * 1e3, (0.5, 0.99))
    return f"p50 {p50:.2f} ms, p99 {p99:.2f} ms"


def measured(folder: Path, size: int, batches: int, singles: int) -> None:
    """Measure, compare, and print."""
    per_round = size * batches
    workload = market_steady(1, 1.0).commands
    assert len(workload) >= ROUNDS * per_round + singles, "the workload is too short"
    with LogNodes(folder / "log") as log_nodes:
        log_nodes.start()
        configs = [
            msgspec.convert(log_nodes.cluster_settings(node), ClusterConfig)
            for node in ("one", "two")
        ]
        leader = Leader(configs[0], folder / "one")
        alone = Sequencer.open(folder / "alone", PROFILE, now_ns=count(1_000).__next__)
        both = (leader.sequencer, alone)
        for sequencer in both:
            _, refusals = sequencer.run_controls(acts(ACCOUNT_COUNT, PRODUCT_COUNT))
            assert refusals and not any(refusals)
        rates: dict[Sequencer, list[float]] = {sequencer: [] for sequencer in both}
        batch_s: dict[Sequencer, list[float]] = {sequencer: [] for sequencer in both}
        for number in range(ROUNDS):
            commands = workload[number * per_round : (number + 1) * per_round]
            for sequencer in both:
                taken_s = batches_run(sequencer, commands, size)
                rates[sequencer].append(per_round / sum(taken_s))
                batch_s[sequencer] += taken_s
        commands = workload[ROUNDS * per_round :][:singles]
        single_s = {sequencer: batches_run(sequencer, commands, 1) for sequencer in both}
        load = os.getloadavg()[0]
        expected, found = hash_of(alone), hash_of(leader.sequencer)
        assert found == expected, "the replicated market is in another state"
        log_bytes = leader.member.log_bytes()
        follower = member_open(configs[1], folder / "two")
        began_s = time.perf_counter()
        while follower.lag:
            follower.follow(1.0)
        follow_s = time.perf_counter() - began_s
        assert hash_of(follower.sequencer) == expected, "the standby is in another state"
        follower.close()
        follower.sequencer.close()
        leader.close()
        alone.close()
        compared = compare(VenueConfig(cluster=configs[0]), folder / "one")
        assert compared.frames == compared.frames_compared > ROUNDS * batches
    total = ROUNDS * per_round + singles
    replicated, local = (median(rates[sequencer]) for sequencer in both)
    print(f"commands                 {total:,}; batches of {size}, then {singles:,} one by one")
    print(f"replicated, a second     {replicated:,.0f}   (rounds {_span(rates[both[0]])})")
    print(f"  a batch                {quantiles(batch_s[both[0]])}")
    print(f"this disk alone          {local:,.0f}   (rounds {_span(rates[both[1]])})")
    print(f"  a batch                {quantiles(batch_s[both[1]])}")
    print(f"single, replicated       {quantiles(single_s[both[0]])}")
    print(f"single, this disk alone  {quantiles(single_s[both[1]])}")
    print(f"a late standby, a second {total / follow_s:,.0f} commands")
    print(f"the log                  {log_bytes:,} bytes on a node, {compared.messages:,} messages")
    print(f"state hash               {expected}, on all three; {compared.frames:,} frames compared")
    print(f"machine, now             {calibrate()} ns, load {load:.2f}")


def _span(rates: list[float]) -> str:
    return f"{min(rates):,.0f} to {max(rates):,.0f}"


def main() -> None:
    """Measure in a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=256, help="in a batch")
    parser.add_argument("--batches", type=int, default=400, help="in each of five rounds")
    parser.add_argument("--singles", type=int, default=1_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured(Path(folder), options.commands, options.batches, options.singles)


if __name__ == "__main__":
    main()

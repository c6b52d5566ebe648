"""The venue's own fence on trial: leaders that are frozen until another leads, and thawed.

    python -m failover.fence.control_run [--unfenced] [--seed 1]

Some participants come by the way in, which goes to whoever leads. Others come to the leader
directly, and wait for it: what they have sent is the first that it takes when it goes on, and it
does not know yet that it leads no more. With the fence none of that is acknowledged; without it
(`unfenced_program`) all of it is, and nobody but that venue has it.
"""

import argparse
import os
import secrets
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cea_exchange.cli.daemons.daemon_log import LogLevel, log_to_standard_error
from cea_exchange.loadtest.load_run import await_transfers
from cea_exchange.loadtest.local_exchange import PROGRAM, prepare_process
from cea_exchange.loadtest.population import Participant, population
from cea_exchange.loadtest.stands.audit import (
    ParticipantLog,
    is_acceptance,
    positions_of,
    venue_events,
    venue_reports,
    verify_faults,
)
from cea_exchange.loadtest.stands.cluster_audit import log_differences
from cea_exchange.loadtest.stands.local_cluster import WAY_IN, WAY_IN_KEYS, LocalCluster
from cea_exchange.registry.store import RegistryStore
from failover.fence.until_lost import attempts_run
from torture.client import TRADE, ClientConfig
from torture.run import ClientProcess, python_path

DAY = "2024-01-02"
REFERENCE_PRICES = {"CEA22": 9749, "CEA23": 9749}
UNFENCED = [sys.executable, "-m", "failover.fence.unfenced_program"]
FENCED = [*PROGRAM, "venue"]
ROUNDS = 2
"""Of three venues: each round one leads no more for good."""
BY_WAY_IN, DIRECT_EACH = 4, 2
BATCHES_PER_SECOND = 60.0
PATIENCE_S = 60.0
"""Those who came directly wait so long for a venue that is silent."""
SERVED_S_MAX = 60.0
ENDS_S_MAX = 20.0
TRADING_S = 1.0


@dataclass
class Losses:
    """What the participants were told, held against what the venue that leads in the end has.

    Attributes
    ----------
    acknowledged
        Commands of which they were told.
    lost
        Of these, such as the venue does not know.
    reports_false
        Reports that the venue has not, or has another under their number.
    differences
        Of the last leader's journal from itself, and of the log's copies from each other.
    """

    acknowledged: int
    lost: int
    reports_false: int
    differences: list[str]

    @property
    def is_lossless(self) -> bool:
        """Whether everything is as it was told."""
        return not (self.lost or self.reports_false or self.differences)

    def __str__(self) -> str:
        counts = f"{self.acknowledged:,} acknowledged, {self.lost:,} lost"
        counts += f", {self.reports_false:,} reports false"
        return "; ".join([counts, *self.differences[:3]])


class ControlRun:
    """One run in an empty folder; use it once."""

    def __init__(self, folder: Path, *, seed: int, is_fenced: bool) -> None:
        self._folder = folder
        self._seed = seed
        self._members = population(
            BY_WAY_IN + ROUNDS * DIRECT_EACH, REFERENCE_PRICES, seed=seed, orders_each=2_000_000
        )
        self._clients: list[ClientProcess] = []
        self._cluster = LocalCluster(
            folder / "data", venue_program=FENCED if is_fenced else UNFENCED
        )
        self.statuses: list[int] = []

    def run(self) -> Losses:
        """Let each leader but the last freeze and thaw, and look at what is left."""
        os.environ["PYTHONPATH"] = python_path()
        cluster = self._cluster
        with cluster:
            try:
                cluster.prepare(self._members, REFERENCE_PRICES, start=f"{DAY}T08:30:00+08:00")
                cluster.start()
                await_transfers(cluster)
                cluster.operate("clock", at=f"{DAY}T09:30:00+08:00")
                way_in = cluster.endpoint(WAY_IN, "gateway")
                key = cluster.keys(WAY_IN_KEYS).public
                by_way_in = [self._client(each, way_in, key) for each in self._members[:BY_WAY_IN]]
                self._await_answers(by_way_in)
                for number in range(ROUNDS):
                    first = BY_WAY_IN + number * DIRECT_EACH
                    self._round(by_way_in, self._members[first : first + DIRECT_EACH])
                leads = cluster.await_leader().node
            finally:
                for client in self._clients:
                    client.kill()
            for name in (WAY_IN, leads, "registry"):
                cluster.stop(name)
            cluster.log_nodes.wait_ready()
        return self._found(leads)

    def _round(self, by_way_in: list[ClientProcess], members: list[Participant]) -> None:
        cluster = self._cluster
        leads = cluster.await_leader()
        place, key = str(leads.endpoints["gateway"]), cluster.keys("venue").public
        direct = [self._client(each, place, key) for each in members]
        self._await_answers(direct)
        time.sleep(TRADING_S)
        cluster.freeze(leads.node)
        # Not before another leads, and is heard of: else it would go on in good right.
        cluster.wait_until(lambda: cluster.await_leader().node != leads.node, "another", ENDS_S_MAX)
        self._await_answers(by_way_in)
        cluster.thaw(leads.node)
        deadline_s = time.monotonic() + ENDS_S_MAX
        while cluster.is_running(leads.node) and time.monotonic() < deadline_s:
            time.sleep(0.02)
        self.statuses.append(cluster.stop(leads.node))
        for client in direct:
            client.kill()

    def _client(self, member: Participant, place: str, server_key: str) -> ClientProcess:
        config = ClientConfig(
            name=member.name,
            account_index=self._account_index(member.name),
            sides={name: side.name.lower() for name, side in member.sides.items()},
            counterparties={name: [] for name in member.sides},
            endpoint=place,
            server_key=server_key,
            keys=str(self._cluster.keys_directory),
            reference_prices=REFERENCE_PRICES,
            seed=self._seed,
            batches_per_second=BATCHES_PER_SECOND,
            silence_s_max=PATIENCE_S,
        )
        client = ClientProcess(self._folder / "clients" / member.name, config)
        self._clients.append(client)
        client.start()
        client.board["mode"] = TRADE
        return client

    def _account_index(self, name: str) -> int:
        with RegistryStore.open_reader(self._cluster.data) as store:
            row = store.execute(
                "SELECT account_index FROM accounts WHERE account = ?", (name,)
            ).fetchone()
        return int(row[0])

    def _await_answers(self, clients: list[ClientProcess]) -> None:
        """Wait until each of them is answered again."""
        before = [client.board["answered"] for client in clients]
        self._cluster.wait_until(
            lambda: all(
                client.board["answered"] > count
                for client, count in zip(clients, before, strict=True)
            ),
            "participants to be answered",
            SERVED_S_MAX,
        )

    def _found(self, leads: str) -> Losses:
        folder = self._cluster.folder(leads)
        events = venue_events(folder)
        losses = Losses(0, 0, 0, [*verify_faults(folder), *log_differences(self._cluster)])
        for member in self._members:
            place = self._folder / "clients" / member.name
            log = ParticipantLog.read(place, self._account_index(member.name))
            own = log.reports[log.reports["account_index"] == log.account_index]
            acknowledged = np.unique(own["client_order_id"][is_acceptance(own)])
            of_account = events["account_index"] == log.account_index
            made = events["client_order_id"][is_acceptance(events) & of_account]
            losses.acknowledged += len(acknowledged)
            losses.lost += len(np.setdiff1d(acknowledged, made))
            numbered = log.reports[positions_of(log.reports) > 0]
            expected = venue_reports(events, log.account_index)[: len(numbered)]
            same = int(np.count_nonzero(numbered[: len(expected)] == expected))
            losses.reports_false += len(numbered) - same
        return losses


def main() -> int:
    """Run and tell."""
    program = "python -m failover.fence.control_run"
    parser = argparse.ArgumentParser(prog=program, description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--unfenced", action="store_true", help="the control, which must lose")
    arguments = parser.parse_args()
    log_to_standard_error(LogLevel.error)
    prepare_process()
    is_fenced = not arguments.unfenced

    def attempt(seed: int) -> Losses:
        with tempfile.TemporaryDirectory(prefix="cea-exchange-control-") as folder:
            run = ControlRun(Path(folder), seed=seed, is_fenced=is_fenced)
            losses = run.run()
        done = f"{ROUNDS} leaders frozen and thawed, ended {run.statuses}"
        print(f"seed {seed}: {done}; {losses}", flush=True)
        return losses

    made = attempts_run(
        attempt, lambda losses: losses.is_lossless, seed=arguments.seed, is_fenced=is_fenced
    )
    return 0 if made.is_as_expected else 1


if __name__ == "__main__":
    sys.exit(main())

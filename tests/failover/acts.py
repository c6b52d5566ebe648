"""Brings faults about, at whom they are meant when they come, and ends them."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

from cea_exchange.loadtest.stands.local_cluster import LocalCluster
from failover.clock_program import step_file
from failover.databases import Databases
from failover.disks import Disk, SlowSyncs, can_be_slow
from failover.faults import (
    CUTS,
    DATABASES,
    LOG_NODES,
    NODES,
    OF_DATABASES,
    OTHERS,
    SLOW_MS,
    STEPS_S,
    VENUES,
    WAYS_IN,
    WEIGHTS,
    Fault,
)
from failover.network import ANYBODY, Network

LED, STANDBY, LOG_LED, LOG_FOLLOWER = "venue leader", "venue standby", "log leader", "log follower"
BOTH_LED = "both leaders"
PRIMARY, DATABASE_STANDBY = "database primary", "database standby"
ROLES = {
    STANDBY: VENUES,
    LOG_FOLLOWER: LOG_NODES,
    "a way in": WAYS_IN,
    DATABASE_STANDBY: DATABASES,
}


class Act(NamedTuple):
    """What was done.

    Attributes
    ----------
    role
        What its target was when it came.
    end
        Ends it.
    """

    kind: str
    target: str
    role: str
    lasts_s: float
    end: Callable[[], None]


class Acts:
    """Does faults to a cluster.

    Parameters
    ----------
    network
        The nodes' network; without one nobody is cut off.
    disks
        By node; without one no disk is full.
    databases
        The ledger's; without, it is in SQLite.
    """

    def __init__(
        self,
        cluster: LocalCluster,
        network: Network | None,
        disks: dict[str, Disk],
        databases: Databases | None,
    ) -> None:
        self._cluster = cluster
        self._network = network
        self._disks = disks
        self._databases = databases

    @staticmethod
    def kinds(network: Network | None, disks: dict[str, Disk]) -> list[str]:
        """Return what can be brought about here."""
        return [
            kind
            for kind in WEIGHTS
            if (kind not in CUTS or network is not None)
            and (kind != "full_disk" or disks)
            and (kind != "slow_disk" or can_be_slow())
        ]

    def begin(self, fault: Fault, leads: str, log_leads: str) -> Act:
        """Bring a fault about.

        Parameters
        ----------
        leads, log_leads
            The venue and the log node that led when all was well.
        """
        primary = self._databases.primary if self._databases is not None else ""
        target = self._target(fault, leads, log_leads, primary)
        if fault.kind == "both":
            return self._both(fault, target, log_leads)
        role = {leads: LED, log_leads: LOG_LED, primary: PRIMARY}.get(target) or next(
            (each for each, names in ROLES.items() if target in names), target
        )
        end = getattr(self, f"_{fault.kind}")(target, fault)
        if target in DATABASES:
            end = partial(self._ledger.operate, target, fault, end)
        return Act(fault.kind, target, role, fault.lasts_s, end)

    @staticmethod
    def _target(fault: Fault, leads: str, log_leads: str, primary: str) -> str:
        if fault.who == "leads" and leads:
            return leads
        if fault.who == "log leads" and log_leads:
            return log_leads
        if fault.who in OF_DATABASES:
            is_any = fault.who == "database"
            return DATABASES[int(fault.draw * len(DATABASES))] if is_any else primary
        among = {"log": LOG_NODES, "log leads": LOG_NODES, "other": OTHERS}.get(fault.who, VENUES)
        return among[int(fault.draw * len(among))]

    # -- Each of them ------------------------------------------------------------------------------

    def _nodes(self, target: str) -> LocalCluster | Databases:
        return self._ledger if target in DATABASES else self._cluster

    @property
    def _ledger(self) -> Databases:
        assert self._databases is not None
        return self._databases

    def _kill(self, target: str, _: Fault) -> Callable[[], None]:
        nodes = self._nodes(target)
        if not nodes.is_running(target):
            # It was just ending by itself, and will be begun again by who tends it.
            return lambda: None
        nodes.kill(target)
        return lambda: None if nodes.is_running(target) else nodes.begin(target)

    def _both(self, fault: Fault, target: str, log_leads: str) -> Act:
        targets = (target, log_leads or LOG_NODES[int(fault.draw * len(LOG_NODES))])
        ends = [self._kill(each, fault) for each in targets]
        whom = " and ".join(targets)
        return Act("both", whom, BOTH_LED, fault.lasts_s, lambda: [end() for end in ends] and None)

    def _freeze(self, target: str, _: Fault) -> Callable[[], None]:
        nodes = self._nodes(target)
        if not nodes.is_running(target):
            return lambda: None
        nodes.freeze(target)
        return lambda: nodes.thaw(target)

    def _cut(self, target: str, _: Fault) -> Callable[[], None]:
        return self._line(target, ANYBODY)

    def _deaf(self, target: str, _: Fault) -> Callable[[], None]:
        return self._line(ANYBODY, target)

    def _apart(self, target: str, _: Fault) -> Callable[[], None]:
        ends = (self._line(target, ANYBODY), self._line(ANYBODY, target))
        return lambda: [end() for end in ends] and None

    def _one_way(self, target: str, fault: Fault) -> Callable[[], None]:
        among = (*DATABASES, "registry") if target in DATABASES else NODES
        others = [each for each in among if each != target]
        return self._line(target, others[int(fault.draw * len(others))])

    def _line(self, source: str, target: str) -> Callable[[], None]:
        assert self._network is not None
        network = self._network
        network.cut(source, target)
        return lambda: network.heal(source, target)

    def _slow_disk(self, target: str, fault: Fault) -> Callable[[], None]:
        nodes = self._nodes(target)
        if not nodes.is_running(target):
            return lambda: None
        milliseconds = SLOW_MS[int(fault.draw * len(SLOW_MS))]
        return SlowSyncs(nodes.process_ids(target), milliseconds).close

    def _full_disk(self, target: str, _: Fault) -> Callable[[], None]:
        disk = self._disks[target]
        disk.fill()

        def end() -> None:
            disk.empty()
            if target in LOG_NODES:
                self._cluster.log_nodes.mend(LOG_NODES.index(target))

        return end

    def _clock_step(self, target: str, fault: Fault) -> Callable[[], None]:
        file = step_file(self._cluster.folder(target))
        file.write_text(str(STEPS_S[int(fault.draw * len(STEPS_S))]))
        return lambda: file.unlink(missing_ok=True)

    def _rolling(self, target: str, _: Fault) -> Callable[[], None]:
        """Stop and start each of a kind; a node only once the one before is well again."""
        if target in DATABASES:
            return self._ledger.roll
        for name in VENUES if target in VENUES else LOG_NODES:
            if self._cluster.is_running(name):
                self._cluster.stop(name)
            self._cluster.begin(name)
            self._cluster.await_well(name)
        return lambda: None


def wait(seconds: float, turn: Callable[[], None]) -> None:
    """Let time pass, with what is to be done meanwhile."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        turn()
        time.sleep(0.005)


def meanwhile(work: Callable[[], None], turn: Callable[[], None]) -> None:
    """Let something be done that takes long, with what is to be done meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        while not working.done():
            turn()
            time.sleep(0.005)
        working.result()

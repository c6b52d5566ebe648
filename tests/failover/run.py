"""A failover run: a cluster that trades, faults one after another and by two, and checks.

Nobody may lose, double or reorder what was acknowledged. What is measured beside: for how long
nobody was answered, from each fault on.
"""

import contextlib
import math
import os
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import msgspec

from cea_exchange.cli.errors import STATUS_HALTED
from cea_exchange.client.order_entry import SILENCE_S_MAX
from cea_exchange.cluster.config import ClusterConfig
from cea_exchange.cluster.connection import LogConnection
from cea_exchange.cluster.log_nodes.local import Certificates
from cea_exchange.cluster.log_nodes.rights import WATCHER
from cea_exchange.domain.calendar import TradingCalendar, date_number
from cea_exchange.ledger.record_store import StoreError
from cea_exchange.loadtest.load_run import await_transfers
from cea_exchange.loadtest.local_exchange import ExchangeError
from cea_exchange.loadtest.population import Participant, population
from cea_exchange.loadtest.stands.cluster_audit import cluster_audit
from cea_exchange.loadtest.stands.local_cluster import WAY_IN_KEYS, LocalCluster
from cea_exchange.registry.reconciliation.reconcile import Reconciliation, check_ledger
from cea_exchange.registry.store import RegistryStore
from failover.acts import Act, Acts, meanwhile, wait
from failover.certificates import certificates_new
from failover.databases import Databases
from failover.disks import Disk
from failover.faults import (
    DATABASES,
    LOG_NODES,
    OF_DATABASES,
    VENUES,
    WAYS_IN,
    WHO,
    Fault,
    faults_draw,
)
from failover.log_monitor import LogMonitor
from failover.network import Network
from torture.client import TRADE, ClientConfig
from torture.run import ClientProcess, python_path

FIRST_DAY = date(2024, 1, 2)
REFERENCE_PRICES = {"CEA22": 9749, "CEA23": 9749}
FAULTS_PER_DAY = 100
ORDERS_EACH = 2_000_000
SERVED_S_MAX = 90.0
CALM_S = 0.3
RECENT_S = 0.1
"""What leaves a way in after its venue was killed had been answered before."""
UNSERVED_S_MIN = 0.25
"""Who waits for less is served."""
PENDING_MAX = 256
"""Commands of each participant without an answer: enough for the rate where answers are slow."""
IMPATIENT_S = 1.0
"""After so long without a word half of the participants come anew; the others as clients do."""
SETTLE_S_MAX = 180.0
TEND_S = 0.5
LEDGER_LOOK_S = 0.2
CLOCK_PROGRAM = "failover.clock_program"
PEOPLE = "people"


class FailoverFailed(Exception):
    """Something is not as it must be; the run ends."""


@dataclass(frozen=True)
class FailoverSettings:
    """What to run.

    Attributes
    ----------
    per_second
        Commands of all participants together, at most.
    kinds
        Only these kinds of faults; all that this machine can bring about if empty.
    whom
        Only who is one of these (`failover.faults.WHO`); anybody if empty.
    is_encrypted
        Whether what goes to the log's nodes and between them is (TLS), as beyond one machine.
    has_databases
        Whether the ledger is on two database nodes, or in SQLite; they need a network.
    trading_s_max
        After so long no further fault begins; what was done is checked.
    """

    faults: int
    seed: int
    participants: int = 6
    per_second: float = 2_000.0
    kinds: tuple[str, ...] = ()
    whom: tuple[str, ...] = ()
    is_encrypted: bool = False
    has_databases: bool = False
    trading_s_max: float = math.inf


@dataclass
class Outage:
    """For how long nobody was answered, after one fault or a pair of them.

    Attributes
    ----------
    acts
        What was done: kind, target, the target's role, seconds.
    outage_s
        The longest time without an answer, from the first of them until all was served again;
        None where the run ended before.
    ledger_s
        From the first of them until the ledger had all that the venue had made when they had ended;
        None where no database was met.
    log_elects_s
        For how long of that the log had no leader; a fault before may have made it elect.
    """

    acts: list[tuple[str, str, str, float]]
    outage_s: float | None = None
    ledger_s: float | None = None
    log_elects_s: float = 0.0


@dataclass
class FailoverReport:
    """What was done, what was found.

    Attributes
    ----------
    asked
        How many faults there were to be; fewer where the time was over.
    trading_s, unserved_s, per_second
        How long participants traded, outages counted in; for how long of that nobody was answered;
        how many commands a second they were to send in all.
    promoted, copied
        How often a database's standby was promoted; how often the primary of before could not be
        rewound.
    """

    seed: int
    asked: int = 0
    outages: list[Outage] = field(default_factory=list)
    days: int = 0
    seconds: float = 0.0
    epochs: int = 0
    ended: list[tuple[str, int]] = field(default_factory=list)
    resent: int = 0
    commands: int = 0
    trading_s: float = 0.0
    unserved_s: float = 0.0
    per_second: float = 0.0
    promoted: int = 0
    copied: int = 0
    checked: dict[str, int] = field(default_factory=dict)
    discrepancies: list[str] = field(default_factory=list)


class FailoverRun:
    """One run in an empty folder.

    Parameters
    ----------
    network
        The nodes' network; without one all are on the loopback, and nobody is cut off.
    progress
        Told the number of faults done.
    """

    def __init__(
        self,
        folder: Path,
        settings: FailoverSettings,
        network: Network | None,
        progress: Callable[[int], None],
    ) -> None:
        self.settings = settings
        self.report = FailoverReport(
            settings.seed, settings.faults, per_second=settings.per_second)
        self.clients: list[ClientProcess] = []
        self._network = network
        self._progress = progress
        self._draw = random.Random(f"moments {settings.seed}")
        self._data = folder / "data"
        self._data.mkdir()
        self._disks: dict[str, Disk] = {}
        self._databases: Databases | None = None
        hosts, launch = None, None
        if network is not None:
            databases = DATABASES if settings.has_databases else ()
            names = (*VENUES, *LOG_NODES, "registry", *WAYS_IN, *databases, PEOPLE)
            hosts = {name: network.add(name) for name in names}
            launch = network.command
            for name in (*VENUES, *LOG_NODES, *databases):
                place = self._data / "log" / name if name in LOG_NODES else self._data / name
                self._disks[name] = Disk(place, folder / f"{name}.img")
            if databases:
                places = {name: self._disks[name].folder for name in databases}
                self._databases = Databases(self._data, network, hosts, places)
        self._cluster = LocalCluster(
            self._data,
            hosts=hosts,
            launch=launch,
            venue_program=[sys.executable, "-m", CLOCK_PROGRAM],
            ways_in=len(WAYS_IN),
            certificates=self._certificates(folder / "tls", hosts),
            database=None if self._databases is None else self._databases.address,
        )
        self._acts = Acts(self._cluster, network, self._disks, self._databases)
        self._answered = 0
        self._answered_s = time.monotonic()
        self._longest_s = self._unserved_s = 0.0
        self._tended_s = 0.0
        self._ends_s = math.inf

    def _certificates(
        self, folder: Path, hosts: dict[str, str] | None
    ) -> list[Certificates] | None:
        if not self.settings.is_encrypted:
            return None
        places = dict.fromkeys(LOG_NODES, "127.0.0.1") if hosts is None else hosts
        return certificates_new(folder, [places[name] for name in LOG_NODES])

    def run(self) -> FailoverReport:
        """Run it all; every process is ended, whatever happens."""
        began = time.monotonic()
        os.environ["PYTHONPATH"] = python_path()
        with contextlib.ExitStack() as stack:
            for disk in self._disks.values():
                stack.callback(disk.close)
            if self._databases is not None:
                stack.callback(self._databases.close)
            stack.enter_context(self._cluster)
            stack.callback(self._end_clients)
            try:
                self._start()
                self._log_monitor = LogMonitor(self._log_connection)
                stack.callback(self._log_monitor.close)
                faults = self._faults()
                day, calendar = FIRST_DAY, TradingCalendar.load("cn_carbon")
                self._ends_s = time.monotonic() + self.settings.trading_s_max
                while faults and not self._is_over():
                    self._day(day, faults[:FAULTS_PER_DAY])
                    faults = faults[FAULTS_PER_DAY:]
                    day = calendar.next_trading_day(day)
                self._settle_and_check()
            except Exception as error:
                # Whatever it was, what the faults have cost until then is not lost.
                traceback.print_exc()
                self.report.discrepancies.insert(0, f"{type(error).__name__}: {error}")
            if self._databases is not None:
                self.report.promoted = self._databases.promoted
                self.report.copied = self._databases.copied
            self.report.ended = self._cluster.ended
            self.report.resent = sum(each.board["resent"] for each in self.clients)
            self.report.commands = sum(each.board["answered"] for each in self.clients)
        self.report.seconds = time.monotonic() - began
        return self.report

    # -- Before and after --------------------------------------------------------------------------

    def _faults(self) -> list[Fault]:
        here = Acts.kinds(self._network, self._disks)
        kinds = [kind for kind in here if kind in (self.settings.kinds or here)]
        settings = self.settings
        whom = [
            who
            for who in settings.whom or WHO
            if self._databases is not None or who not in OF_DATABASES
        ]
        return faults_draw(settings.seed, settings.faults, kinds, whom)

    def _start(self) -> None:
        settings = self.settings
        members = population(
            settings.participants, REFERENCE_PRICES, seed=settings.seed, orders_each=ORDERS_EACH
        )
        self._cluster.prepare(members, REFERENCE_PRICES, start=f"{FIRST_DAY}T08:30:00+08:00")
        if self._databases is not None:
            file = self._data / "registry.toml"
            file.write_text(f"database_synchronous = true\n{file.read_text()}")
        self._cluster.start()
        await_transfers(self._cluster)
        places = [self._cluster.endpoint(name, "gateway") for name in WAYS_IN]
        for number, member in enumerate(members):
            first = number % len(places)
            own = places[first:] + places[:first]
            patience_s = (IMPATIENT_S, SILENCE_S_MAX)[number // len(places) % 2]
            self.clients.append(self._client(member, members, own, patience_s))
        for client in self.clients:
            client.start()

    def _client(
        self,
        member: Participant,
        members: list[Participant],
        places: list[str],
        patience_s: float,
    ) -> ClientProcess:
        with RegistryStore.open_reader(self._data) as store:
            accounts = dict(store.execute("SELECT account, account_index FROM accounts").fetchall())
        config = ClientConfig(
            name=member.name,
            account_index=accounts[member.name],
            sides={name: side.name.lower() for name, side in member.sides.items()},
            counterparties={
                name: [accounts[other.name] for other in members if other.sides[name] != side]
                for name, side in member.sides.items()
            },
            endpoint=places,
            server_key=self._cluster.keys(WAY_IN_KEYS).public,
            keys=str(self._cluster.keys_directory),
            reference_prices=REFERENCE_PRICES,
            seed=self.settings.seed,
            # A batch is up to 8 commands, 4.5 in the mean.
            batches_per_second=self.settings.per_second / self.settings.participants / 4.5,
            silence_s_max=patience_s,
            pending_max=PENDING_MAX,
        )
        command = self._network.command if self._network is not None else None
        launch = None if command is None else (lambda own: command(PEOPLE, own))
        return ClientProcess(self._data / "clients" / member.name, config, launch=launch)

    def _log_connection(self) -> LogConnection:
        settings = self._cluster.log_nodes.cluster_settings("log-monitor", WATCHER)
        return LogConnection(msgspec.convert(settings, ClusterConfig), self._data)

    def _end_clients(self) -> None:
        for client in self.clients:
            client.kill()

    # -- A day -------------------------------------------------------------------------------------

    def _day(self, day: date, faults: list[Fault]) -> None:
        self._clock(f"{day}T09:30:00+08:00")
        for client in self.clients:
            client.board["mode"] = TRADE
        began_s = self._answered_s = time.monotonic()
        unserved_s = self._unserved_s
        self._await_served("the day's first answer")
        while faults and not self._is_over():
            count = 2 if faults[0].is_paired and len(faults) > 1 else 1
            self._happen(faults[:count])
            faults = faults[count:]
        self.report.trading_s += time.monotonic() - began_s
        self.report.unserved_s += self._unserved_s - unserved_s
        self._settle_clients()
        self._clock(f"{day}T15:00:00+08:00")
        number = date_number(day)
        self._until(
            lambda: self._status().get("confirmed_date", 0) >= number,
            f"the registry to confirm {day}",
            SETTLE_S_MAX,
        )
        self.report.days += 1

    def _is_over(self) -> bool:
        return time.monotonic() > self._ends_s

    def _happen(self, faults: list[Fault]) -> None:
        """Let faults happen together, end each in its time, and wait until all is served again."""
        wait(faults[0].after_s, self._turn)
        leads, log_leads = self._cluster.leader_names()
        began = self._answered_s = time.monotonic()
        self._longest_s = 0.0
        acts: list[tuple[float, Act]] = []
        outage = Outage([])
        self.report.outages.append(outage)
        for fault in faults:
            act = self._acts.begin(fault, leads, log_leads)
            acts.append((began + fault.lasts_s, act))
            outage.acts.append((act.kind, act.target, act.role, round(act.lasts_s, 2)))
        for due, act in sorted(acts, key=lambda each: each[0]):
            wait(due - time.monotonic(), self._turn)
            if act.target in DATABASES:
                meanwhile(act.end, self._turn)
            else:
                act.end()
        if any(act.target in DATABASES for _, act in acts):
            self._await_ledger()
            outage.ledger_s = time.monotonic() - began
        self._await_served(", ".join(f"{kind} {target}" for kind, target, *_ in outage.acts))
        outage.outage_s = self._longest_s
        outage.log_elects_s = self._log_monitor.without_leader_s(began)
        self._progress(sum(len(each.acts) for each in self.report.outages))

    def _turn(self) -> None:
        """Look whether anybody was answered; start again whoever has ended by himself."""
        now = time.monotonic()
        answered = sum(client.board["answered"] for client in self.clients)
        if answered > self._answered:
            waited_s = now - self._answered_s
            self._unserved_s += waited_s if waited_s > UNSERVED_S_MIN else 0.0
            self._answered, self._answered_s = answered, now
        self._longest_s = max(self._longest_s, now - self._answered_s)
        for client in self.clients:
            if (how := client.ended()) is not None:
                raise FailoverFailed(f"{client.name} ended by itself, {how}")
        if now - self._tended_s > TEND_S:
            self._tended_s = now
            self._cluster.tend()
            # A service manager leaves a node down that has another market than the log.
            for name, status in self._cluster.ended:
                if status == STATUS_HALTED:
                    raise FailoverFailed(f"{name} has halted")

    def _await_served(self, after: str) -> None:
        """Wait until answers come again, and go on coming."""
        deadline = time.monotonic() + SERVED_S_MAX
        calm_s = time.monotonic() + CALM_S
        before = self._answered
        while (
            time.monotonic() < calm_s
            or self._answered == before
            or time.monotonic() - self._answered_s > RECENT_S
        ):
            self._turn()
            if time.monotonic() - self._answered_s > CALM_S:
                calm_s, before = time.monotonic() + CALM_S, self._answered
            if time.monotonic() > deadline:
                raise FailoverFailed(f"waited {SERVED_S_MAX:.0f} s for answers after: {after}")
            time.sleep(0.005)

    def _await_ledger(self) -> None:
        """Wait until both databases are well, and the ledger has what the venue has made by now."""
        assert self._databases is not None
        self._until(self._databases.is_well, "the databases", SETTLE_S_MAX, LEDGER_LOOK_S)
        state: dict[str, int] = {}
        self._until(lambda: bool(state.update(self._status()) or state), "the venue", SERVED_S_MAX)
        self._await_settled(state["settlement_seq"])

    def _await_settled(self, seq: int) -> None:
        def is_there() -> bool:
            # It may be between two databases.
            with (
                contextlib.suppress(StoreError),
                RegistryStore.open_reader(self._data) as store,
            ):
                return store.last_seq >= seq
            return False

        self._until(is_there, "the registry to settle", SETTLE_S_MAX, LEDGER_LOOK_S)

    def _until(
        self, condition: Callable[[], bool], what: str, timeout_s: float, every_s: float = 0.02
    ) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                raise FailoverFailed(f"waited {timeout_s:.0f} s for {what}")
            wait(every_s, self._turn)

    def _status(self) -> dict:
        try:
            return self._cluster.operate("status")
        except ExchangeError:
            return {}

    def _clock(self, at: str) -> None:
        def is_there() -> bool:
            with contextlib.suppress(ExchangeError):
                self._cluster.operate("clock", at=at)
                return True
            return False

        self._until(is_there, f"the venue's clock to be {at}", SERVED_S_MAX)

    # -- The close ---------------------------------------------------------------------------------

    def _settle_clients(self) -> None:
        """Wait until every command is answered and every report known."""
        for token in (TRADE + 1, TRADE + 2):
            # Once more: what one has sent again may have given another one a report.
            own = token + 2 * self.report.days
            for client in self.clients:
                client.board["mode"] = own
            self._until(
                lambda own=own: all(each.board["settled"] == own for each in self.clients),
                "the participants' answers and reports",
                SETTLE_S_MAX,
            )

    def _settle_and_check(self) -> None:
        """Let the nodes be level, stop all, and hold everything against everything."""
        last_seq = self._cluster.operate("status")["settlement_seq"]
        self._await_settled(last_seq)
        self._until(self._cluster.is_level, "all nodes to have the whole log", SETTLE_S_MAX)
        leads, _ = self._cluster.leader_names()
        self.report.epochs = self._cluster.await_leader().epoch
        for name in WAYS_IN:
            # One that was begun a moment ago would end by the signal, not because it was asked to.
            self._cluster.wait_ready(name)
        for name in (*WAYS_IN, *(each for each in VENUES if each != leads), leads, "registry"):
            status = self._cluster.stop(name)
            if status != 0:
                raise FailoverFailed(f"asked to end, {name} ended with {status}")
        self._cluster.log_nodes.wait_ready()
        self._cluster.log_nodes.close()
        found = cluster_audit(
            self._cluster, leads, [client.directory for client in self.clients]
        )
        self.report.checked = found.checked
        self.report.discrepancies += found.differences
        if self._databases is not None:
            self.report.discrepancies += standby_faults(
                check_ledger(self._data),
                check_ledger(self._data, self._databases.standby_address),
            )


def standby_faults(primary: Reconciliation, standby: Reconciliation) -> Iterator[str]:
    """Say where the ledger that the standby has is wrong, or another than the primary's."""
    yield from (f"the standby's ledger: {each}" for each in standby.differences)
    of_primary, of_standby = (
        (each.last_seq, each.registry_hash) for each in (primary, standby)
    )
    if of_primary != of_standby:
        yield f"the standby's ledger is at {of_standby}, the primary's at {of_primary}"

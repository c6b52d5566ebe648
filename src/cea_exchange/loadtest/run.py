"""One run: a stand, sending processes, faults, a timeline; and a result, whatever comes."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec

from cea_exchange.loadtest.faults.acts import Acts
from cea_exchange.loadtest.faults.fault import OF_DISK, PROXIED, Fault
from cea_exchange.loadtest.flow.arrivals import Arrivals
from cea_exchange.loadtest.flow.recorded import Recorded, recorded_orders
from cea_exchange.loadtest.flow.workload import DEPTH, Workload
from cea_exchange.loadtest.machine import machine, versions
from cea_exchange.loadtest.population import Participant, population
from cea_exchange.loadtest.results.figures import (
    Columns,
    figures_of,
    p99_of_due,
    void_reason,
)
from cea_exchange.loadtest.results.result import Act, Audit, Floor, Result
from cea_exchange.loadtest.sending.notes import Counts
from cea_exchange.loadtest.sending.open_loop import Stop
from cea_exchange.loadtest.sending.process import ProcessConfig
from cea_exchange.loadtest.sending.processes import Processes
from cea_exchange.loadtest.stands.stand import Served, Stand
from cea_exchange.loadtest.stands.venue import OwnExchange
from cea_exchange.loadtest.targets.finding import EMBEDDED, target_class
from cea_exchange.loadtest.targets.target import Participants
from cea_exchange.loadtest.timeline import Sampler

START_DELAY_S = 0.3
PARTICIPANTS_MIN = 3
DATABASES = ("sqlite", "postgresql")
PROFILE = "cea"
"""Where the registry that a run starts may keep its ledger; the first if nothing is said."""

Progress = Callable[[str], None]
Look = Callable[[float, dict[str, float]], None]
"""Shows a sample: seconds since the first command was due, and what was seen."""


class RunError(ValueError):
    """Settings that don't go together; the message says what was expected."""


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """What to run.

    Attributes
    ----------
    target, options
        The adapter; see `targets.finding`.
    serve, port
        A program to start for it, and where it listens.
    metrics
        Addresses of the target's own figures.
    warm_up_s
        Commands that are due before that count for no latency.
    faults, audited
        An audit can be left out where nothing was done to the system.
    database
        One of `DATABASES`; a PostgreSQL server is started for the run.
    profile
        The market's rules, of a venue that is started for the run and of the target `market`.
    """

    target: str
    workload: Workload
    arrivals: Arrivals
    options: dict[str, str] = field(default_factory=dict)
    serve: str = ""
    port: int = 0
    metrics: tuple[str, ...] = ()
    recorded: Recorded | None = None
    warm_up_s: float = 0.0
    stop: Stop = field(default_factory=Stop)
    seed: int = 1
    processes: int = 1
    spin: bool = False
    faults: tuple[Fault, ...] = ()
    audited: bool = False
    database: str = DATABASES[0]
    trading_date: date = date(2025, 1, 2)
    profile: str = PROFILE

    def __post_init__(self) -> None:
        target_class(self.target)
        if self.database not in DATABASES:
            expected = " or ".join(DATABASES)
            raise RunError(f"database: expected {expected}, got {self.database!r}")
        if self.database != DATABASES[0] and not self.is_own:
            raise RunError(
                f"database: expected a registry that this run starts, got target {self.target}"
            )
        if self.profile != PROFILE and not self.is_own and self.target != "market":
            raise RunError(
                "profile: expected a venue that this run starts, or target market,"
                f" got target {self.target}"
            )
        if self.target in EMBEDDED and self.processes != 1:
            raise RunError(f"processes: expected 1 of an embedded target, got {self.processes}")
        if self.workload.participants < max(self.processes, PARTICIPANTS_MIN):
            raise RunError(
                f"participants: expected at least {max(self.processes, PARTICIPANTS_MIN)},"
                f" got {self.workload.participants}"
            )
        if self.recorded is None and self.warm_up_s >= self.arrivals.seconds:
            raise RunError(
                f"warm-up: expected less than the run's {self.arrivals.seconds:g} s,"
                f" got {self.warm_up_s:g} s"
            )

    @property
    def is_own(self) -> bool:
        """Whether venue and registry are started for the run."""
        return self.target == "venue" and not self.options

    @property
    def seconds(self) -> float:
        """How long it is to last."""
        if self.recorded is None:
            return self.arrivals.seconds
        orders = recorded_orders(Path(self.recorded.path))
        return (orders[-1].at_ns - orders[0].at_ns) / 1e9 / self.recorded.speed_up

    def shown(self) -> dict[str, Any]:
        """Return all of it for a result."""
        shown: dict[str, Any] = {
            name: msgspec.to_builtins(value)
            for name, value in vars(self).items()
            if name not in ("faults", "trading_date")
        }
        shown["faults"] = [fault.text for fault in self.faults]
        shown["trading_date"] = self.trading_date.isoformat()
        return shown


def run_load(
    folder: Path, settings: RunSettings, progress: Progress, look: Look | None = None
) -> Result:
    """Run it in an empty folder; every process is ended, whatever happens.

    Raises
    ------
    RuntimeError
        The system or a sending process could not do what it was to do.
    """
    members = _members(settings)
    with _stand(folder, settings) as stand:
        stand.start(members, settings.workload, progress)
        with Processes(folder / "senders") as processes:
            return _Run(folder, settings, stand, processes, members).result(progress, look)


def _members(settings: RunSettings) -> list[Participant]:
    workload = settings.workload
    commands = workload.depth + (
        len(recorded_orders(Path(settings.recorded.path)))
        if settings.recorded is not None
        else len(settings.arrivals.times(settings.seed))
    )
    # Twice its share, for chance is uneven.
    orders_each = 2 * math.ceil(commands / workload.participants) + 50
    return population(
        workload.participants, workload.products, seed=settings.seed, orders_each=orders_each
    )


def _stand(folder: Path, settings: RunSettings) -> Stand:
    names = {fault.name for fault in settings.faults}
    proxied = bool(names & PROXIED)
    if settings.is_own:
        return OwnExchange(
            folder / "exchange",
            day=settings.trading_date,
            audited=settings.audited,
            faulty_disk=bool(names & OF_DISK),
            proxied=proxied,
            on_postgresql=settings.database == "postgresql",
            settings={"profile": settings.profile},
        )
    if settings.serve:
        return Served(
            settings.options,
            settings.metrics,
            command=settings.serve,
            port=settings.port,
            log=folder / "server.log",
            proxied=proxied,
        )
    of_profile = {"profile": settings.profile} if settings.profile != PROFILE else {}
    return Stand({**of_profile, **settings.options}, settings.metrics, proxied=proxied)


class _Run:
    """The steps of a run that is set up."""

    def __init__(
        self,
        folder: Path,
        settings: RunSettings,
        stand: Stand,
        processes: Processes,
        members: list[Participant],
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._stand = stand
        self._processes = processes
        self._members = members

    def result(self, progress: Progress, look: Look | None) -> Result:
        settings, processes, stand = self._settings, self._processes, self._stand
        began = datetime.now(UTC).isoformat(timespec="seconds")
        on_machine = machine()
        processes.start(self._configs())
        progress("measuring the harness's own floor")
        floors = processes.ask({"do": "floor"})
        on_machine["senders_in_real_time"] = all(floor["is_real_time"] for floor in floors)
        progress(f"connecting {len(self._members)} participants")
        processes.ask({"do": "connect"})
        if settings.workload.depth:
            progress(f"putting {settings.workload.depth:,} orders on the book")
            processes.ask({"do": "fill"})
        acts = Acts(list(settings.faults), stand)
        progress(self._described())
        start_ns = time.monotonic_ns() + round(START_DELAY_S * 1e9)
        sampler = self._sampler()

        def turn() -> None:
            now_s = (time.monotonic_ns() - start_ns) / 1e9
            acts.turn(now_s)
            if sampler.turn(now_s) and look is not None:
                look(now_s, sampler.latest)

        try:
            answers = processes.ask({"do": "run", "start_ns": start_ns}, turn)
        finally:
            acts.finish((time.monotonic_ns() - start_ns) / 1e9)
        stand.whole()
        if settings.audited:
            progress("closing the day and settling it")
            stand.settle()
        progress("holding reports against each other")
        ends = processes.ask({"do": "reconcile"})
        audit = self._audit(ends, progress)
        return self._made(began, on_machine, answers, ends, audit, acts, sampler, start_ns)

    def _made(
        self,
        began: str,
        on_machine: dict[str, Any],
        answers: list[dict[str, Any]],
        ends: list[dict[str, Any]],
        audit: Audit,
        acts: Acts,
        sampler: Sampler,
        start_ns: int,
    ) -> Result:
        settings = self._settings
        counts = [msgspec.convert(end["counts"], Counts) for end in ends]
        columns = self._columns("columns")
        edges_ns = [start_ns + round(at_s * 1e9) for at_s in sampler.timeline.s]
        sampler.timeline.columns["p99_ns"] = p99_of_due(columns, edges_ns)
        figures = figures_of(
            columns,
            counts,
            measured_after_ns=start_ns + round(settings.warm_up_s * 1e9),
        )
        nobody = [Counts()]
        floor = figures_of(self._columns("floor"), nobody, measured_after_ns=0)
        done_s = max(answer["done_s"] for answer in answers)
        filled = figures.sent_by_kind.get(DEPTH, 0)
        return Result(
            began=began,
            settings=settings.shown(),
            machine=on_machine,
            versions=versions(),
            figures=figures,
            floor=Floor(latency=floor.latency, lateness=floor.lateness),
            sent_s=round(max(answer["sent_s"] for answer in answers), 3),
            done_s=round(done_s, 3),
            answered_per_second=round((figures.answered - filled) / done_s, 1),
            stopped="; ".join({answer["stopped"] for answer in answers} - {""}),
            reconnects=sum(end["reconnects"] for end in ends),
            gaps=sum(end["gaps"] for end in ends),
            void=void_reason(figures),
            losses=figures.losses() + audit.differences,
            audit=audit,
            acts=[Act(at_s, what) for at_s, what in acts.done],
            timeline=sampler.timeline,
        )

    def _configs(self) -> list[ProcessConfig]:
        settings, count = self._settings, self._settings.processes
        products = list(settings.workload.products)
        names = [member.name for member in self._members]
        prices = list(settings.workload.products.values())
        sides = [[member.sides[product] for product in products] for member in self._members]
        return [
            ProcessConfig(
                target=settings.target,
                options=self._stand.options(),
                participants=Participants(
                    names, products, prices, sides, list(range(index, len(names), count))
                ),
                workload=settings.workload,
                arrivals=settings.arrivals,
                recorded=settings.recorded,
                stop=settings.stop,
                seed=settings.seed,
                spin=settings.spin,
                process_index=index,
                process_count=count,
                folder=str(self._processes.folder),
            )
            for index in range(count)
        ]

    def _sampler(self) -> Sampler:
        def seen() -> dict[str, float]:
            total: dict[str, float] = {}
            for each in self._processes.seen:
                for name, value in each.items():
                    worst = name.endswith("_ns")
                    before = total.get(name, 0)
                    total[name] = max(before, value) if worst else before + value
            return total

        def process_ids() -> dict[str, int]:
            senders = {
                f"sender {index}": process_id
                for index, process_id in enumerate(self._processes.process_ids())
            }
            return self._stand.process_ids() | senders

        return Sampler(seen, process_ids, self._stand.metrics)

    def _audit(self, ends: list[dict[str, Any]], progress: Progress) -> Audit:
        audit = Audit(checked={}, differences=[])
        for end in ends:
            for name, count in end["checked"].items():
                audit.checked[name] = audit.checked.get(name, 0) + count
            audit.differences += end["differences"]
        if self._settings.audited:
            progress("auditing: everything against everything")
            found = self._stand.audit()
            if found is not None:
                audit.checked |= found.checked
                audit.differences += found.differences
        return audit

    def _columns(self, name: str) -> Columns:
        folder, count = self._processes.folder, self._settings.processes
        return Columns(folder / f"{name}-{index}.npz" for index in range(count))

    def _described(self) -> str:
        recorded = self._settings.recorded
        if recorded is not None:
            return f"sending {recorded.path} at {recorded.speed_up:g} times its speed"
        arrivals = self._settings.arrivals
        kind = type(arrivals).__name__.lower()
        return f"{arrivals.rate:,.0f} commands a second ({kind}) for {arrivals.seconds:g} s"

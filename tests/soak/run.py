"""A soak: many trading days through live sockets, and what venue and registry hold meanwhile.

One process sends (`flow.py`), the daemons do what they do, the registry settles; after every round
of commands a sample is taken of each process. A round begins when the registry is not too far
behind, so that no backlog is taken for a leak.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import msgspec

from cea_exchange.domain.calendar import TradingCalendar, date_number
from cea_exchange.loadtest.load_run import await_transfers
from cea_exchange.loadtest.local_exchange import ExchangeError, LocalExchange
from cea_exchange.loadtest.population import population
from cea_exchange.registry.store import RegistryStore
from soak.flow import FlowAccount, FlowConfig
from soak.measure import BOUNDS, Sample, Trend, sample_process, trends

COMMANDS_PER_HOUR = 2_000_000
COMMANDS_PER_DAY = 1_000_000
ROUND_COMMANDS = 50_000
JUDGED = ("venue", "registry")
LAG_RECORDS_MAX = 20_000
LAG_S_MAX = 300.0
FIRST_DAY = date(2022, 1, 4)
REFERENCE_PRICES = {"CEA20": 9749, "CEA21": 9749}
SETTLE_S_MAX = 300.0
TESTS = Path(__file__).resolve().parents[1]


class SoakFailed(Exception):
    """Something broke, or is not as it must be."""


@dataclass(frozen=True)
class SoakSettings:
    """What to run.

    Attributes
    ----------
    commands
        How many, over all days.
    commands_per_day, round_commands
        Days, and looks at the processes, come after so many.
    limit_s
        The run is given up after so long.
    """

    commands: int
    seed: int
    limit_s: float
    accounts: int = 16
    commands_per_day: int = COMMANDS_PER_DAY
    round_commands: int = ROUND_COMMANDS


@dataclass
class SoakReport:
    """What was done, and how everything went."""

    days: int = 0
    seconds: float = 0.0
    sending_s: float = 0.0
    waited_for_registry_s: float = 0.0
    counts: Counter = field(default_factory=Counter)
    trends: dict[str, dict[str, Trend]] = field(default_factory=dict)
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def judge(self) -> None:
        """Fit the samples, and note what is not flat."""
        for name, samples in self.samples.items():
            self.trends[name] = trends(samples, BOUNDS if name in JUDGED else {})
            for measure, trend in self.trends[name].items():
                if not trend.is_flat:
                    self.faults.append(
                        f"{name}: {measure} grows by {trend.slope:.3f} (+-{trend.error:.3f}) per "
                        f"million commands, {trend.bound:g} are allowed"
                    )

    def as_dict(self) -> dict:
        """Return plain values for JSON."""
        return {
            "commands": self.counts["sent"],
            "days": self.days,
            "seconds": round(self.seconds, 1),
            "commands_per_second": round(self.counts["sent"] / max(self.sending_s, 1e-3)),
            "waited_for_registry_s": round(self.waited_for_registry_s, 1),
            "counts": dict(self.counts),
            "trends_per_million_commands": {
                name: {measure: _trend_dict(trend) for measure, trend in found.items()}
                for name, found in self.trends.items()
            },
            "faults": self.faults,
        }


def _trend_dict(trend: Trend) -> dict:
    return {
        "after_warm_up": round(trend.first, 3),
        "at_end": round(trend.last, 3),
        "slope": round(trend.slope, 4),
        "error": round(trend.error, 4),
        "bound": trend.bound,
        "flat": trend.is_flat,
    }


class FlowProcess:
    """The sender, from its parent's side."""

    def __init__(self, directory: Path, config: FlowConfig):
        directory.mkdir(parents=True)
        path = directory / "config.json"
        path.write_bytes(msgspec.json.encode(config))
        self._log = directory / "log"
        search = filter(None, (str(TESTS), os.environ.get("PYTHONPATH")))
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "soak.flow", str(path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(search)},
            )
        self.answer()

    @property
    def process_id(self) -> int:
        """The sender's process id."""
        return self._process.pid

    def run(self, count: int, trading_date: int) -> dict:
        """Have so many commands sent and answered."""
        self._process.stdin.write(f"{count} {trading_date}\n".encode())
        self._process.stdin.flush()
        return self.answer()

    def answer(self) -> dict:
        """Return the next line that the process says; it ends by itself if none is to come."""
        line = self._process.stdout.readline()
        if not line:
            lines = self._log.read_text(errors="replace").strip().splitlines()
            raise SoakFailed(f"the sender ended: {lines[-1] if lines else 'no message'}")
        return json.loads(line)

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        self._process.kill()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


class Soak:
    """One run in an empty data folder.

    Parameters
    ----------
    data : Path
        The folder.
    settings : SoakSettings
    report : SoakReport
        Where all goes that was counted and measured, to the moment at which something breaks.
    progress : callable
        Told the commands done.
    """

    def __init__(
        self,
        data: Path,
        settings: SoakSettings,
        report: SoakReport,
        progress: Callable[[int], None],
    ):
        self.data = data
        self.settings = settings
        self.report = report
        self._progress = progress
        self._deadline = time.monotonic() + settings.limit_s
        self._exchange = LocalExchange(data)
        self._folders = {
            "venue": {"journal": data / "journal", "events": data / "events"},
            "registry": {"registry": data / "registry"},
            "sender": {},
        }

    def run(self) -> None:
        """Run it all; every process is ended, whatever happens."""
        started = time.monotonic()
        try:
            self._run()
        finally:
            self.report.seconds = time.monotonic() - started
        self.report.judge()

    def _run(self) -> None:
        with self._exchange:
            flow = self._start()
            try:
                for day, commands in self._days():
                    self._day(flow, day, commands)
                    self.report.days += 1
                self._count(flow.run(0, 0))
            finally:
                flow.close()
            for name in ("venue", "registry"):
                if (status := self._exchange.stop(name)) != 0:
                    raise SoakFailed(f"asked to end, the {name} ended with {status}")
        self._settlement_check()

    def _start(self) -> FlowProcess:
        settings, exchange = self.settings, self._exchange
        members = population(
            settings.accounts,
            REFERENCE_PRICES,
            seed=settings.seed,
            orders_each=settings.commands // settings.accounts + 1_000,
        )
        exchange.prepare(members, REFERENCE_PRICES, start=f"{FIRST_DAY}T08:30:00+08:00")
        exchange.start()
        await_transfers(exchange)
        accounts = [
            FlowAccount(each.name, {name: side.name.lower() for name, side in each.sides.items()})
            for each in members
        ]
        config = FlowConfig(
            endpoint=exchange.endpoint("venue", "gateway"),
            server_key=exchange.keys("venue").public,
            keys=str(exchange.keys_directory),
            accounts=accounts,
            reference_prices=REFERENCE_PRICES,
            seed=settings.seed,
        )
        return FlowProcess(self.data / "sender", config)

    def _days(self) -> list[tuple[date, int]]:
        """Return the trading days and the commands of each."""
        calendar = TradingCalendar.load("cn_carbon")
        total, each = self.settings.commands, self.settings.commands_per_day
        shares = [min(each, total - first) for first in range(0, total, each)]
        days = [FIRST_DAY]
        while len(days) < len(shares):
            days.append(calendar.next_trading_day(days[-1]))
        return list(zip(days, shares, strict=True))

    def _day(self, flow: FlowProcess, day: date, commands: int) -> None:
        number, morning = date_number(day), commands // 2
        for start, end, share in (
            ("09:30", "11:30", morning), ("13:00", "15:00", commands - morning)
        ):  # fmt: skip
            self._exchange.operate("clock", at=f"{day}T{start}:00+08:00")
            for first in range(0, share, self.settings.round_commands):
                self._round(flow, min(self.settings.round_commands, share - first), number)
            self._exchange.operate("clock", at=f"{day}T{end}:00+08:00")
        self._exchange.wait_until(
            lambda: self._exchange.operate("status")["confirmed_date"] >= number,
            f"the registry to confirm {day}",
            SETTLE_S_MAX,
        )

    def _round(self, flow: FlowProcess, commands: int, trading_date: int) -> None:
        if time.monotonic() > self._deadline:
            raise SoakFailed(f"not done within {self.settings.limit_s:.0f} s")
        self._await_registry()
        self._count(flow.run(commands, trading_date))
        done = self.report.counts["sent"]
        pids = {name: self._exchange.process_id(name) for name in ("venue", "registry")}
        for name, pid in {**pids, "sender": flow.process_id}.items():
            sample = sample_process(pid, done, self._folders[name])
            self.report.samples.setdefault(name, []).append(sample)
        self._progress(done)

    def _count(self, answer: dict) -> None:
        self.report.sending_s += answer.pop("seconds")
        self.report.counts |= answer

    def _await_registry(self) -> None:
        """Wait while the registry is too far behind; what waits for it is no leak."""
        began = time.monotonic()
        made = self._exchange.operate("status")["settlement_seq"]
        self._exchange.wait_until(
            lambda: made - self._settled_seq() <= LAG_RECORDS_MAX,
            "the registry to come nearer",
            LAG_S_MAX,
        )
        self.report.waited_for_registry_s += time.monotonic() - began

    def _settled_seq(self) -> int:
        with RegistryStore.open_reader(self.data) as store:
            return store.last_seq

    def _settlement_check(self) -> None:
        """Every trade that a maker was told of is settled, and at every checkpoint both agreed."""
        with RegistryStore.open_reader(self.data) as store:
            settled = store.one("SELECT count(*) FROM trades WHERE state = 'settled'")
            odd = store.one("SELECT count(*) FROM checkpoints WHERE venue_hash <> registry_hash")
            checkpoints, last = store.execute(
                "SELECT count(*), max(settlement_seq) FROM checkpoints"
            ).fetchone()
            state, last_seq = store.state, store.last_seq
        self.report.counts["checkpoints"] = checkpoints
        if settled != self.report.counts["trades"]:
            self.report.faults.append(
                f"{self.report.counts['trades']} trades were told, {settled} are settled"
            )
        if odd or state != "ok" or last != last_seq:
            self.report.faults.append(
                f"{odd} checkpoints differ, the last is at {last} of {last_seq}, state {state}"
            )


SOAK_ERRORS = (SoakFailed, ExchangeError)

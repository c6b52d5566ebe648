"""A soak: many trading days through live sockets, and what the daemons hold meanwhile.

One process sends (`flow.py`), the daemons do what they do, the registry settles; after every round
of commands a sample is taken of each process. A round begins when the registry is not too far
behind, so that no backlog is taken for a leak. Beside it CCERs are traded (`ccer.py`), and
enterprises file (`filings.py`).
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from cea_exchange.domain.calendar import TradingCalendar, date_number
from cea_exchange.domain.records import Side
from cea_exchange.loadtest.load_run import await_transfers
from cea_exchange.loadtest.local_exchange import ExchangeError, LocalExchange
from cea_exchange.loadtest.population import population
from cea_exchange.registry.store import RegistryStore
from soak.ccer import CcerBeside
from soak.filings import FilingsBeside
from soak.flow import FlowAccount, FlowBidding, FlowConfig
from soak.measure import (
    BOUNDS,
    COMMANDS_UNIT,
    ENTERPRISE_YEARS_UNIT,
    Sample,
    Trend,
    sample_process,
    trends,
)
from soak.sender import FlowProcess, SoakFailed
from torture.compliance_year import YearFailed

COMMANDS_PER_HOUR = 2_000_000
COMMANDS_PER_DAY = 1_000_000
ROUND_COMMANDS = 50_000
CCER_ONE_IN = 10
"""For so many commands in the market of allowances there is one in that of CCERs."""
BIDDING_TONNES = 100_000
SENDER = "sender"
"""It is shown, and not judged."""
OF_ENTERPRISES = ("platform", "registry of the platform")
"""Their work is counted in enterprises' years, that of the others in commands."""
LAG_RECORDS_MAX = 20_000
LAG_S_MAX = 300.0
FIRST_DAY = date(2022, 1, 4)
REFERENCE_PRICES = {"CEA20": 9749, "CEA21": 9749}
SETTLE_S_MAX = 300.0


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
    scale
        Of the enterprises that file: 10 is a tenth of the nation.
    """

    commands: int
    seed: int
    limit_s: float
    accounts: int = 16
    commands_per_day: int = COMMANDS_PER_DAY
    round_commands: int = ROUND_COMMANDS
    scale: int = 8


@dataclass
class SoakReport:
    """What was done, and how everything went."""

    days: int = 0
    seconds: float = 0.0
    sending_s: float = 0.0
    waited_for_registry_s: float = 0.0
    counts: Counter = field(default_factory=Counter)
    ccer: dict[str, int] = field(default_factory=dict)
    filings: dict[str, int] = field(default_factory=dict)
    trends: dict[str, dict[str, Trend]] = field(default_factory=dict)
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def judge(self) -> None:
        """Fit the samples, and note what is not flat."""
        for name, samples in self.samples.items():
            unit = ENTERPRISE_YEARS_UNIT if name in OF_ENTERPRISES else COMMANDS_UNIT
            self.trends[name] = trends(samples, {} if name == SENDER else BOUNDS, unit)
            for measure, trend in self.trends[name].items():
                if not trend.is_flat:
                    self.faults.append(
                        f"{name}: {measure} grows by {trend.slope:.3f} (+-{trend.error:.3f}) per "
                        f"{unit:,} of its work, {trend.bound:g} are allowed"
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
            "ccer": self.ccer,
            "filings": self.filings,
            "trends_per_unit_of_work": {
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
        self._ccer = CcerBeside(
            data / "of_ccers", settings.commands // CCER_ONE_IN, settings.seed
        )
        self._filings = FilingsBeside(data / "of_platform", settings.scale, settings.seed)
        self._applicants: dict[str, str] = {}
        self._folders = {
            "venue": {"journal": data / "journal", "events": data / "events"},
            "registry": {"registry": data / "registry"},
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
        with self._exchange, self._ccer, self._filings:
            flow = self._start()
            try:
                for day, commands in self._days():
                    self._day(flow, day, commands)
                    self.report.days += 1
                self._count(flow.run(0, 0))
            finally:
                flow.close()
            self.report.ccer = self._ccer.end()
            self.report.filings = self._filings.end()
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
        exchange.prepare(
            members, REFERENCE_PRICES, start=f"{FIRST_DAY}T08:30:00+08:00", has_second=True
        )
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
        # The same one for every day's bidding: it has more than all of them.
        self._applicants = {
            name: next(each.name for each in members if each.sides[name] is Side.SELL)
            for name in REFERENCE_PRICES
        }
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
        self._ccer.day_begin()
        self._exchange.operate("clock", at=f"{day}T09:30:00+08:00")
        self._session(flow, morning, number, None)
        self._exchange.operate("clock", at=f"{day}T11:30:00+08:00")
        self._exchange.operate("clock", at=f"{day}T13:00:00+08:00")
        self._session(flow, commands - morning, number, self._bidding_open(day))
        # It ends the bidding, too.
        self._exchange.operate("clock", at=f"{day}T15:00:00+08:00")
        self._exchange.wait_until(
            lambda: self._exchange.operate("status")["confirmed_date"] >= number,
            f"the registry to confirm {day}",
            SETTLE_S_MAX,
        )
        self._ccer.day_end()

    def _bidding_open(self, day: date) -> FlowBidding:
        """Let who sells a product offer some of it to those who bid best; each day another one."""
        names = list(REFERENCE_PRICES)
        index = self.report.days % len(names)
        product, bidding = names[index], f"{day} {names[index]}"
        range_of = self._exchange.operate("statistics")["products"][product]
        self._exchange.operate_by_two(
            "bidding_open",
            bidding=bidding,
            account=self._applicants[product],
            product=product,
            tonnes=BIDDING_TONNES,
            limit=range_of["band_low"],
        )
        open_now = self._exchange.operate("biddings")["biddings"]
        (number,) = (each["bidding_id"] for each in open_now if each["bidding"] == bidding)
        return FlowBidding(number, index, range_of["band_low"], range_of["band_high"])

    def _session(
        self, flow: FlowProcess, commands: int, trading_date: int, bidding: FlowBidding | None
    ) -> None:
        each = self.settings.round_commands
        for first in range(0, commands, each):
            self._round(flow, min(each, commands - first), trading_date, bidding)

    def _round(
        self, flow: FlowProcess, commands: int, trading_date: int, bidding: FlowBidding | None
    ) -> None:
        """Let all markets have their part of the work at the same time, then look at everybody."""
        if time.monotonic() > self._deadline:
            raise SoakFailed(f"not done within {self.settings.limit_s:.0f} s")
        self._await_registry()
        flow.begin(commands, trading_date, bidding)
        self._ccer.begin(max(1, commands // CCER_ONE_IN))
        done = self.report.counts["sent"] + commands
        self._filings.until(len(self._filings) * done // self.settings.commands)
        self._count(flow.answer())
        self.report.ccer = self._ccer.answer()
        self._sample(flow)
        self._progress(done)

    def _sample(self, flow: FlowProcess) -> None:
        done = self.report.counts["sent"]
        for name in ("venue", "registry"):
            self._sampled(name, self._exchange.process_id(name), done)
        for name, pid in self._ccer.processes().items():
            self._sampled(name, pid, self.report.ccer["sent"])
        for name, pid in self._filings.processes().items():
            self._sampled(name, pid, self._filings.done)
        self._sampled(SENDER, flow.process_id, done)

    def _sampled(self, name: str, pid: int, done: int) -> None:
        sample = sample_process(pid, done, self._folders.get(name, {}))
        self.report.samples.setdefault(name, []).append(sample)

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
        """Each trade reported to a maker is settled, and at each checkpoint both agreed."""
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
                f"{self.report.counts['trades']} trades were reported, {settled} are settled"
            )
        if odd or state != "ok" or last != last_seq:
            self.report.faults.append(
                f"{odd} checkpoints differ, the last is at {last} of {last_seq}, state {state}"
            )


SOAK_ERRORS = (SoakFailed, ExchangeError, YearFailed)

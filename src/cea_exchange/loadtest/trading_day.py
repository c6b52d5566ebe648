"""One or more trading days with a venue, a registry and a population as real processes.

What `cea-exchange demo` runs: the registry is filled, the daemons start, every participant logs on
with its own key, the timetable is driven by the venue's clock, orders flow in an open loop, and at
the close the registry settles and both sides compare.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from cea_exchange.domain.calendar import TradingCalendar, date_number
from cea_exchange.domain.documents.bulletin import Bulletin
from cea_exchange.domain.records import Method
from cea_exchange.loadtest.driver import Runners
from cea_exchange.loadtest.load_run import await_transfers
from cea_exchange.loadtest.local_exchange import LocalExchange
from cea_exchange.loadtest.population import WORKLOADS, population
from cea_exchange.loadtest.report import LoadReport
from cea_exchange.registry.reconciliation.reconcile import Reconciliation, check_ledger
from cea_exchange.registry.store import RegistryStore
from cea_exchange.venue.publication.bulletins import FOLDER as BULLETINS_FOLDER
from cea_exchange.venue.publication.bulletins import bulletin_read

RUNNER_PROCESSES = 2
SETTLE_S_MAX = 60.0
TRADED_SHARE_MIN = 0.15
REFUSED_SHARE_MAX = 0.05
ORDERS_MIN_FOR_SHARES = 2_000
"""With fewer orders the shares and the kinds are chance, and only reported."""

class Line(NamedTuple):
    """What is said of a run, with its fields: whoever shows it may say it in another language."""

    text: str
    fields: Mapping[str, object] = MappingProxyType({})

    def __str__(self) -> str:
        return self.text.format(**self.fields)


class Check(NamedTuple):
    """A check, whether it holds, and what was found."""

    sentence: Line
    holds: bool
    found: Line


Progress = Callable[[Line], None]


def line(text: str, **fields: object) -> Line:
    """Return a line; its fields stand in braces in the text."""
    return Line(text, fields)


@dataclass(frozen=True)
class DaySettings:
    """What to run.

    Attributes
    ----------
    participants, orders, days, seed : int
        Orders are those entered, over all days; amends and cancels come on top.
    rate : float
        Commands a second, of all participants together.
    first_day : date
        A trading day.
    reference_prices : dict
        Fen per tonne by product name.
    profile : str
        The venue's: a name, or an absolute path.
    """

    participants: int
    orders: int
    days: int
    seed: int
    rate: float
    first_day: date
    reference_prices: dict[str, int]
    workload: str = "trading_day"
    profile: str = "cea"


@dataclass
class DayReport:
    """What came of it: the figures, and each check with its outcome."""

    bulletins: list[Bulletin] = field(default_factory=list)
    load: LoadReport = field(default_factory=LoadReport)
    ledger: Reconciliation = field(default_factory=Reconciliation)
    venue: dict = field(default_factory=dict)
    trading_s: float = 0.0
    total_s: float = 0.0
    checks: list[Check] = field(default_factory=list)

    @property
    def commands_per_second(self) -> float:
        """Commands answered in a second of trading."""
        return self.load.answered / self.trading_s if self.trading_s else 0.0

    @property
    def orders_per_second(self) -> float:
        """Orders entered and answered in a second of trading."""
        return self.load.entered / self.trading_s if self.trading_s else 0.0

    @property
    def passed(self) -> bool:
        """Whether every check holds."""
        return bool(self.checks) and all(check.holds for check in self.checks)

    def check(self, sentence: str | Line, holds: bool, found: Line) -> None:
        """Note a check and its outcome."""
        said = sentence if isinstance(sentence, Line) else Line(sentence)
        self.checks.append(Check(said, bool(holds), found))


def run_trading_days(
    data: Path,
    settings: DaySettings,
    progress: Progress,
    *,
    beside: AbstractContextManager[object] | None = None,
) -> DayReport:
    """Run it all and return the report; every process is ended, whatever happens.

    `beside` is entered once the daemons are there, and left before they end.
    """
    started = time.monotonic()
    report = DayReport()
    orders_each = settings.orders * 2 // settings.participants + 50
    members = population(
        settings.participants,
        settings.reference_prices,
        seed=settings.seed,
        orders_each=orders_each,
    )
    days = _trading_dates(settings)
    with (
        LocalExchange(data) as exchange,
        Runners(data / "runners") as runners,
        ExitStack() as stack,
    ):
        progress(
            line("filling the registry: {n} accounts, keys, holdings and cash", n=len(members))
        )
        exchange.prepare(
            members,
            settings.reference_prices,
            start=_at(days[0], "08:30"),
            profile=settings.profile,
        )
        progress(line("starting venue and registry"))
        exchange.start()
        await_transfers(exchange)
        if beside is not None:
            stack.enter_context(beside)
        progress(line("logging on {n} participants, each with its own key", n=len(members)))
        runners.start(
            members,
            endpoint=exchange.endpoint("venue", "gateway"),
            server_key=exchange.keys("venue").public,
            keys=exchange.keys_directory,
            reference_prices=settings.reference_prices,
            workload=settings.workload,
            seed=settings.seed,
            process_count=RUNNER_PROCESSES,
        )
        for number, day in enumerate(days):
            share = settings.orders // len(days) + (number < settings.orders % len(days))
            _trade_day(exchange, runners, day, share, settings, report, progress)
        _gather(exchange, runners, report, days)
    progress(line("checking the ledger: every entry, posting and balance"))
    report.ledger = check_ledger(data)
    _judge(report, settings, days, data)
    report.total_s = time.monotonic() - started
    return report


def _trading_dates(settings: DaySettings) -> list[date]:
    calendar = TradingCalendar.load("cn_carbon")
    if not calendar.is_trading_day(settings.first_day):
        raise ValueError(f"{settings.first_day} must be a trading day")
    days = [settings.first_day]
    while len(days) < settings.days:
        days.append(calendar.next_trading_day(days[-1]))
    return days


def _at(day: date, time_of_day: str) -> str:
    return f"{day.isoformat()}T{time_of_day}:00+08:00"


def _trade_day(
    exchange: LocalExchange,
    runners: Runners,
    day: date,
    orders: int,
    settings: DaySettings,
    report: DayReport,
    progress: Progress,
) -> None:
    number = date_number(day)
    progress(
        line("{day}: morning session, {n} orders at {rate:,.0f} a second",
             day=day, n=orders // 2, rate=settings.rate)
    )
    exchange.operate("clock", at=_at(day, "09:00"))
    for time_of_day, share in (("09:30", orders // 2), ("13:00", orders - orders // 2)):
        exchange.operate("clock", at=_at(day, time_of_day))
        runners.ask({"do": "await_day", "trading_date": number})
        answers = runners.run(rate=settings.rate, orders=share)
        report.trading_s += max(answer["done_s"] for answer in answers)
        if time_of_day == "09:30":
            exchange.operate("clock", at=_at(day, "11:30"))
            progress(line("{day}: afternoon session, {n} orders", day=day, n=orders - share))
    progress(line("{day}: close, settlement, reconciliation", day=day))
    exchange.operate("clock", at=_at(day, "15:00"))
    _await_settlement(exchange, number)
    path = exchange.data / BULLETINS_FOLDER / f"{day}.json"
    exchange.wait_until(path.exists, f"the bulletin of {day}", SETTLE_S_MAX)
    report.bulletins.append(bulletin_read(path))


def _await_settlement(exchange: LocalExchange, trading_date: int) -> None:
    """Wait until the registry has confirmed the day, and the venue journaled that."""
    exchange.wait_until(
        lambda: exchange.operate("status")["confirmed_date"] >= trading_date,
        f"the registry to confirm {trading_date}",
        SETTLE_S_MAX,
    )


def _gather(exchange: LocalExchange, runners: Runners, report: DayReport, days: list[date]) -> None:
    behind = [name for answer in runners.ask({"do": "catch_up"}) for name in answer["behind"]]
    report.load = LoadReport.of([answer["result"] for answer in runners.ask({"do": "result"})])
    report.venue = exchange.operate("status")
    report.check(
        "every participant has all its reports",
        not behind,
        line("{n} reports; behind: {behind}", n=report.load.reports, behind=", ".join(behind[:3]))
        if behind
        else line("{n} reports; nobody is behind", n=report.load.reports),
    )
    settled = report.venue["settlement_seq"]
    exchange.wait_until(
        lambda: _last_seq(exchange.data) >= settled,
        f"the registry to settle to seq {settled}",
        SETTLE_S_MAX,
    )
    for daemon in ("venue", "registry"):
        status = exchange.stop(daemon)
        report.check(
            f"the {daemon} ends cleanly", status == 0, line("exit status {status}", status=status)
        )


def _judge(report: DayReport, settings: DaySettings, days: list[date], data: Path) -> None:
    load, ledger = report.load, report.ledger
    report.check(
        "all orders were sent",
        load.entered >= settings.orders,
        line("{n} orders", n=load.entered),
    )
    losses = load.losses()
    report.check(
        "each command is answered once",
        not losses,
        Line("; ".join(losses).replace("{", "{{").replace("}", "}}"))
        if losses
        else line("{n} of {all}", n=load.answered, all=load.commands),
    )
    if settings.orders >= ORDERS_MIN_FOR_SHARES:
        _judge_shares(report, settings)
    _judge_settlement(report, settings, days, data)
    report.check(
        "venue and registry agree at the last settled sequence",
        ledger.venue_hash == ledger.registry_hash == report.venue["holdings_hash"]
        and ledger.checkpoint_seq > 0,
        line(
            "seq {seq} of {last}, hash {hash}",
            seq=ledger.checkpoint_seq, last=ledger.last_seq, hash=ledger.registry_hash,
        ),
    )
    report.check(
        "the ledger holds: entries, postings, balances, conservation",
        ledger.agrees,
        line("{first}", first=ledger.differences[0])
        if ledger.differences
        else line("{n} postings", n=ledger.postings),
    )


def _judge_shares(report: DayReport, settings: DaySettings) -> None:
    load = report.load
    report.check(
        line("at least {share:.0%} of the orders trade", share=TRADED_SHARE_MIN),
        load.traded_share >= TRADED_SHARE_MIN,
        line("{share:.1%}", share=load.traded_share),
    )
    report.check(
        line("fewer than {share:.0%} of the commands are refused", share=REFUSED_SHARE_MAX),
        load.refused_share < REFUSED_SHARE_MAX,
        line("{share:.2%}", share=load.refused_share),
    )
    names, weights = WORKLOADS[settings.workload].names_and_weights()
    wanted = [name for name, weight in zip(names, weights, strict=True) if weight]
    missing = [name for name in wanted if load.sent[name] - load.refused_kinds[name] <= 0]
    report.check(
        "every kind of order and command occurs and is accepted",
        not missing,
        line("missing: {kinds}", kinds=", ".join(missing))
        if missing
        else line("{kinds}", kinds=", ".join(wanted)),
    )


def _judge_settlement(
    report: DayReport, settings: DaySettings, days: list[date], data: Path
) -> None:
    trades = _trades(data)
    report.check(
        "each trade is settled once",
        len(trades) == len({trade[0] for trade in trades}) == report.load.trades,
        line("{n} settled, {all} reported to their takers", n=len(trades), all=report.load.trades),
    )
    products = list(settings.reference_prices)
    listed = _sums(trades, products, Method.LISTED)
    expected = {
        key: (volume, amount, (2 * amount + volume) // (2 * volume))
        for key, (volume, amount) in listed.items()
    }
    published = {
        (bulletin.trading_date, quote.code): (traded.volume, traded.amount, quote.close)
        for bulletin in report.bulletins
        for quote in bulletin.products
        if (traded := quote.day.listed).volume
    }
    report.check(
        "volume, amount and closing price follow from the settled trades",
        expected == published and len(report.bulletins) == len(days),
        line(
            "{n} closes of products with trades in {all} bulletins",
            n=len(published), all=len(report.bulletins),
        ),
    )
    _judge_blocks(report, settings, _sums(trades, products, Method.BLOCK))


def _judge_blocks(
    report: DayReport, settings: DaySettings, settled: dict[tuple[int, str], tuple[int, int]]
) -> None:
    """Hold what the bulletins say of blocks against the settled trades.

    With few orders it is chance whether a block is negotiated at all.
    """
    published = {
        (bulletin.trading_date, quote.code): (traded.volume, traded.amount)
        for bulletin in report.bulletins
        for quote in bulletin.products
        if (traded := quote.day.block).volume
    }
    tonnes = sum(volume for volume, _ in settled.values())
    report.check(
        "blocks are negotiated, settled and in the bulletin",
        settled == published and (tonnes > 0 or settings.orders < ORDERS_MIN_FOR_SHARES),
        line("{n:,} t by block", n=tonnes),
    )


def _sums(
    trades: list[tuple], products: list[str], of: Method
) -> dict[tuple[int, str], tuple[int, int]]:
    """Add up volume and amount of one method's trades, by day and product."""
    volume: Counter = Counter()
    amount: Counter = Counter()
    for _, trading_date, product_index, price, tonnes, method in trades:
        if method == of:
            key = (trading_date, products[product_index])
            volume[key] += tonnes
            amount[key] += price * tonnes
    return {key: (volume[key], amount[key]) for key in volume}


def _trades(data: Path) -> list[tuple]:
    with RegistryStore.open_reader(data) as store:
        return store.execute(
            "SELECT trade_id, trading_date, product_index, price, tonnes, method FROM trades"
            " WHERE state = 'settled'"
        ).fetchall()


def _last_seq(data: Path) -> int:
    with RegistryStore.open_reader(data) as store:
        return store.last_seq

"""`cea-exchange demo`: one trading day as real processes, settled and reconciled."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from msgspec import to_builtins
from rich.console import Console

from cea_exchange.cli.errors import bad_input, check_failed
from cea_exchange.cli.flows.flow_files import folder_new, profile_given
from cea_exchange.cli.language import said, say
from cea_exchange.cli.options import MarketProfile
from cea_exchange.cli.output import reconciled
from cea_exchange.cli.reports.bulletin import bulletin_shown
from cea_exchange.control_plane.signals import module_command
from cea_exchange.domain.documents.bulletin_forms import bulletin_document
from cea_exchange.domain.reference_prices import close_before, load_daily, reference_price
from cea_exchange.domain.units import cash_format
from cea_exchange.loadtest.local_exchange import prepare_process
from cea_exchange.loadtest.report import milliseconds
from cea_exchange.loadtest.trading_day import DayReport, DaySettings, Line, run_trading_days

FIRST_DAY = "2025-01-02"
PRODUCTS = ("CEA23", "CEA24")
RATE, RATE_WATCHED = 2_500.0, 50.0


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("demo")(demo)


def demo(
    participants: Annotated[int, typer.Option(min=3, help="Accounts, each with a key.")] = 320,
    orders: Annotated[int, typer.Option(min=1, help="Orders entered, over all days.")] = 100_000,
    days: Annotated[int, typer.Option(min=1, max=250, help="Trading days.")] = 1,
    seed: Annotated[int, typer.Option(help="Decides who wants what.")] = 20250102,
    rate: Annotated[
        float | None,
        typer.Option(min=1, help="Commands a second, all together: 2,500, with --board 50."),
    ] = None,
    day: Annotated[str, typer.Option("--date", help="First trading day.")] = FIRST_DAY,
    closes: Annotated[
        Path | None, typer.Option(help="Daily data (CSV): the last close before is the reference.")
    ] = None,
    profile: MarketProfile = "cea",
    data: Annotated[Path | None, typer.Option(help="New folder that is kept.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    board: Annotated[
        bool, typer.Option("--board", help="Serve the public board meanwhile.")
    ] = False,
) -> None:
    """Run a venue, a registry and a population of participants through a trading day.

    Prints the market bulletin, the settlement and the reconciliation. Exit status 1 if a check
    fails.

    With --board the day runs at a speed that can be watched, for half an hour, and the address of
    the public market board is printed; Ctrl-C ends it.

    Example: cea-exchange demo --board
    """
    prepare_process()
    console = Console(stderr=as_json, soft_wrap=True)
    rate = rate or (RATE_WATCHED if board else RATE)
    with bad_input(ValueError, OSError), check_failed(RuntimeError, TimeoutError):
        settings = _settings(participants, orders, days, seed, rate, day, closes, profile)
        with folder_new(data, "demo") as folder:
            report = run_trading_days(
                folder,
                settings,
                lambda line: console.print(f"- {_in_language(line)}"),
                beside=_board(folder, console) if board else None,
            )
    if as_json:
        print(json.dumps(_as_dict(report, settings), indent=2))
    else:
        _print(console, report, settings)
        if not board:
            console.print(say("a day to watch in a browser: {command}",
                              command="cea-exchange demo --board"))
    raise typer.Exit(0 if report.passed else 1)


@contextmanager
def _board(folder: Path, console: Console) -> Iterator[None]:
    """Serve the public board of the market in a folder, and say where."""
    program = module_command("cea_exchange.cli.main", "board", "serve")
    with subprocess.Popen(
        [*program, "--data", str(folder)], stdout=subprocess.PIPE, text=True
    ) as serving:
        try:
            assert serving.stdout is not None
            address = serving.stdout.readline().strip()
            if not address:
                raise RuntimeError("the board: expected an address, got none; it says why above")
            where = say("the market board: {address}", address=address)
            console.print(f"- {where}", highlight=False)
            yield
        finally:
            serving.terminate()


def _settings(
    participants: int,
    orders: int,
    days: int,
    seed: int,
    rate: float,
    day: str,
    closes: Path | None,
    profile: str,
) -> DaySettings:
    first_day = date.fromisoformat(day)
    if closes is None:
        reference = reference_price()
    else:
        reference = close_before(load_daily(closes), first_day)
    return DaySettings(
        participants=participants,
        orders=orders,
        days=days,
        seed=seed,
        rate=rate,
        profile=profile_given(profile),
        first_day=first_day,
        reference_prices=dict.fromkeys(PRODUCTS, reference),
    )


def _print(console: Console, report: DayReport, settings: DaySettings) -> None:
    for bulletin in report.bulletins:
        console.print(bulletin_shown(bulletin), highlight=False, markup=False)
    load, ledger = report.load, report.ledger
    out = [
        say("orders: {n:,} entered, {traded:.1%} traded, {refused:.2%} of {all:,} commands refused",
            n=load.entered, traded=load.traded_share, refused=load.refused_share,
            all=load.commands),
        "  " + _counts(load.sent),
    ]
    if load.refused:
        out.append(f"  {say('refused: {counts}', counts=_counts(load.refused))}")
    out.append(say("trades settled: {n:,}; postings: {postings:,}", n=ledger.trades,
                   postings=ledger.postings))
    out.append(say("cash: {yuan} yuan paid in = held by all accounts + fees",
                   yuan=cash_format(ledger.cash)))
    out += [
        say("allowances: {n:,} t of {product} issued = held by all accounts", n=tonnes,
            product=product)
        for product, tonnes in ledger.tonnes.items()
    ]
    out.append(reconciled(ledger))
    out.append(
        say("{orders:,.0f} orders per second ({commands:,.0f} commands, {rate:,.0f} scheduled)"
            " over {trading:.1f} s and {sessions} sessions; whole run {total:.1f} s",
            orders=report.orders_per_second, commands=report.commands_per_second,
            rate=settings.rate, trading=report.trading_s, sessions=settings.participants,
            total=report.total_s)
    )
    out.append(_latency_line(load.latency))
    for each in out:
        console.print(each)
    for check in report.checks:
        mark = f"[green]{said('ok')}[/]    " if check.holds else f"[bold red]{said('FAILED')}[/]"
        console.print(f"{mark} {_in_language(check.sentence)}: {_in_language(check.found)}")


def _in_language(line: Line) -> str:
    return say(line.text, **line.fields)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _latency_line(latency: dict) -> str:
    percentiles = ", ".join(
        f"{name} {milliseconds(value)}" for name, value in latency.items() if name != "count"
    )
    return say("latency from due to answered, journaled and synced: {figures}", figures=percentiles)


def _as_dict(report: DayReport, settings: DaySettings) -> dict:
    ledger = report.ledger
    return {
        "passed": report.passed,
        "participants": settings.participants,
        "seed": settings.seed,
        "bulletins": [to_builtins(bulletin_document(each)) for each in report.bulletins],
        "load": report.load.as_dict(),
        "orders_per_second": round(report.orders_per_second, 1),
        "commands_per_second": round(report.commands_per_second, 1),
        "trading_s": round(report.trading_s, 3),
        "total_s": round(report.total_s, 3),
        "settlement": {
            "trades_settled": ledger.trades,
            "postings": ledger.postings,
            "cash": cash_format(ledger.cash),
            "tonnes": ledger.tonnes,
        },
        "reconciliation": {
            "settlement_seq": ledger.checkpoint_seq,
            "venue_hash": ledger.venue_hash,
            "registry_hash": ledger.registry_hash,
            "differences": ledger.differences,
            "sentence": ledger.sentence(),
        },
        "checks": [
            {"check": str(check.sentence), "holds": check.holds, "found": str(check.found)}
            for check in report.checks
        ],
    }

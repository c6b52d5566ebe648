"""`cea-exchange year`: a nation's compliance year through all systems, and its results."""

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from cea_exchange.cli.daemons.daemon_log import LogLevel, log_to_standard_error
from cea_exchange.cli.errors import CheckFailed, CommandError
from cea_exchange.cli.language import language, said_in_report
from cea_exchange.domain.calendar import date_number
from cea_exchange.domain.compliance.plans.plan import plans_tried
from cea_exchange.domain.reference_prices import load_daily
from cea_exchange.ledger.record_store import StoreError
from cea_exchange.protocol.folder_lock import FolderInUse
from cea_exchange.user_files.opening import text_read
from cea_exchange.year.checkpoint import YearState
from cea_exchange.year.outcome.outcome import Outcome, outcome_of
from cea_exchange.year.outcome.report import report_write
from cea_exchange.year.outcome.speech import say, speech_set
from cea_exchange.year.outcome.supervision import report_part, sentence, supervised_of
from cea_exchange.year.outcome.wording import beside_rows, figure_rows, traded_days
from cea_exchange.year.run import YearFailed, YearRun
from cea_exchange.year.setting import FIRMS, ORDERS_EACH, YEARS, Mode, YearSetting

PlanOption = Annotated[
    Path | None, typer.Option(help="An allocation plan of your own for the year (TOML).")
]
ClosesOption = Annotated[
    Path | None, typer.Option(help="Daily data (CSV), whose closes steer the prices.")
]
OffsetShareOption = Annotated[
    int | None, typer.Option(min=0, help="Basis points of what is due that CCERs may cover.")
]
BehaviourOption = Annotated[
    list[str] | None, typer.Option(help="NAME=VALUE of the firms' behaviour; repeatable.")
]
DaysOption = Annotated[
    int, typer.Option(min=0, help="So many trading days, spread over the year; 0: all.")
]
BankOption = Annotated[
    bool, typer.Option("--bank", help="A settlement bank, instructed of each trade.")
]
SupervisedOption = Annotated[
    bool, typer.Option("--supervised", help="Keep the venue's journal, look for abuse each month.")
]
AbusersOption = Annotated[
    bool, typer.Option("--abusers", help="Three schemes of abuse; supervised.")
]
ENTITIES: dict[Mode, int] = {"embedded": 100, "daemons": 12}
WIDTH_MIN = 110


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("year")(play)
    speech_set(language, said_in_report)


def play(
    year: Annotated[
        int, typer.Argument(min=YEARS[0], max=YEARS[-1], help="Compliance year: of the emissions.")
    ],
    out: Annotated[
        Path,
        typer.Option(help="New folder, or of a year that was stopped: it goes on."),
    ],
    mode: Annotated[
        Mode, typer.Option(help="All systems in one process, or each a daemon that is asked.")
    ] = "embedded",
    entities: Annotated[
        int | None,
        typer.Option(min=2, max=10_000, help="Enterprises; by default 100, of daemons 12."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides all that is drawn.")] = 1,
    orders: Annotated[
        int | None, typer.Option(min=1, help="Listed orders; by default 300 of an enterprise.")
    ] = None,
    firms: Annotated[
        str, typer.Option(help="MODULE:CLASS of how firms behave; protocol/year.md.")
    ] = FIRMS,
    profile: Annotated[str, typer.Option(help="The market's rules: a name, or a file.")] = "cea",
    plan: PlanOption = None,
    closes: ClosesOption = None,
    offset_share: OffsetShareOption = None,
    behaviour: BehaviourOption = None,
    days: DaysOption = 0,
    bank: BankOption = False,
    supervised: SupervisedOption = False,
    planted: AbusersOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Play a nation's compliance year through platform, registry, venue and CCER registry.

    Filings, verification, allocation, trading, settlement, surrender and fines, in one process or
    by daemons, from one seed. Exit status 1 where the systems do not agree in the end.
    """
    log_to_standard_error(LogLevel.error)
    began_s = time.monotonic()
    with _errors_worded(out):
        many = ENTITIES[mode] if entities is None else entities
        setting = YearSetting(
            year=year,
            entities=many,
            seed=seed,
            orders=ORDERS_EACH * many if orders is None else orders,
            firms=firms,
            profile=profile,
            plan=_plan_read(plan),
            days=days,
            has_bank=bank,
            closes={} if closes is None else _closes(closes),
            mode=mode,
            supervised=supervised or planted,
            abusers=planted,
            behaviour=_behaviour(behaviour or []),
            offset_share_bp=offset_share,
        )
        with _by_month(sys.stderr.isatty()) as progress:
            run = YearRun(out, setting, progress)
            state = run.run()
        outcome = outcome_of(out, setting, state)
        found = supervised_of(out, mode, state.firms, run.calendar) if setting.supervised else None
        more = () if found is None else report_part(found)
        report = report_write(out, setting, state, outcome, more)
    if as_json:
        supervision = {} if found is None else {"supervision": msgspec.to_builtins(found)}
        typer.echo(json.dumps(msgspec.to_builtins(outcome) | supervision, indent=2))
    else:
        _print(outcome, setting, state, time.monotonic() - began_s)
        if found is not None:
            typer.echo(sentence(found))
        typer.echo(say("report: {}", report), err=True)
    _agree_check(outcome)


def _plan_read(plan: Path | None) -> str:
    """Return a plan's text, "" for the packaged one, which an empty file must not stand for."""
    if plan is None:
        return ""
    text = text_read(plan, "an allocation plan")
    if not text.strip():
        raise CommandError(f"{plan}: expected an allocation plan, got an empty file")
    # Tried here once, as the year itself knows no path that an error could name.
    with plans_tried(text, str(plan)):
        return text


def _agree_check(outcome: Outcome) -> None:
    for each in outcome.reconciled:
        if not each.agrees:
            raise CheckFailed(f"{each.name}: {each.differences[0]}")


@contextmanager
def _errors_worded(out: Path) -> Iterator[None]:
    """Say what is in the way as a command does."""
    try:
        yield
    except (FolderInUse, StoreError, ValueError) as error:
        raise CommandError(str(error)) from error
    except YearFailed as error:
        raise CheckFailed(str(error)) from error
    except OSError as error:
        raise CommandError(f"{error.filename or out}: {error.strerror or error}") from error


def _closes(file: Path) -> dict[int, int]:
    return {date_number(day.trading_date): day.close for day in load_daily(file)}


def _behaviour(typed: list[str]) -> dict[str, int]:
    found = {}
    for each in typed:
        name, _, value = each.partition("=")
        if not (value.isascii() and value.isdecimal() and len(value) < 19):
            raise CommandError(f"--behaviour: expected NAME=WHOLE NUMBER, got {each!r}")
        found[name] = int(value)
    return found


@contextmanager
def _by_month(is_shown: bool) -> Iterator[Callable[[date, YearState, int], None]]:
    """Show how far the year is: the month, and the day of all."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        *(TextColumn(say("day")), MofNCompleteColumn()),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not is_shown) as bar:
        task = bar.add_task("", total=None)

        def show(day: date, state: YearState, days: int) -> None:
            counts = state.counts
            bar.update(
                task,
                total=days,
                completed=state.days_done,
                description=say(
                    "{}: {:,} orders, {:,} trades", f"{day:%Y-%m}", counts.orders, counts.trades
                ),
            )

        yield show


# -- Results ---------------------------------------------------------------------------------------


def _print(outcome: Outcome, setting: YearSetting, state: YearState, wall_s: float) -> None:
    console = Console(highlight=False)
    console.width = max(console.width, WIDTH_MIN)
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
    title = say("Compliance year {}", setting.year)
    console.print(f"[bold]{title}[/bold], {say('traded {} to {}', *traded_days(state))}")
    table = Table(show_header=False, box=None)
    table.add_column(style="dim")
    table.add_column()
    for row in figure_rows(outcome.figures):
        table.add_row(*row)
    console.print(table)
    beside = Table(title=say("The model beside what is published"), title_justify="left")
    beside.add_column(say("figure"))
    for name in ("model", "published"):
        beside.add_column(say(name), justify="right")
    for name in ("of", "the model's is"):
        beside.add_column(say(name))
    for cells in beside_rows(outcome.beside):
        beside.add_row(*cells)
    console.print(beside)
    for each in outcome.reconciled:
        found = say("agree") if each.agrees else f"{say('differ')}: {each.differences[0]}"
        console.print(f"- {say(each.name)}: {each.count:,} {found}")
    tables = len(outcome.files)
    console.print(say("{:.1f} s, {:,.0f} MiB at most; {} tables", wall_s, peak_mib, tables))

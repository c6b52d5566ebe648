"""`cea-exchange year`: a nation's compliance year through all systems, and what came of it."""

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
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from cea_exchange.cli.daemons.daemon_log import LogLevel, log_to_standard_error
from cea_exchange.cli.errors import CheckFailed, CommandError
from cea_exchange.domain.calendar import date_number
from cea_exchange.domain.reference_prices import load_daily
from cea_exchange.domain.units import cash_format, price_format
from cea_exchange.year.checkpoint import YearState
from cea_exchange.year.outcome.figures import Beside
from cea_exchange.year.outcome.outcome import Outcome, outcome_of
from cea_exchange.year.run import YearRun
from cea_exchange.year.setting import FIRMS, ORDERS_EACH, YEARS, YearSetting

ENTITIES = 100


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("year")(play)


def play(
    year: Annotated[
        int, typer.Argument(min=YEARS[0], max=YEARS[-1], help="Compliance year: of the emissions.")
    ],
    out: Annotated[
        Path,
        typer.Option(help="New folder, or of a year that was stopped: it goes on."),
    ],
    entities: Annotated[int, typer.Option(min=2, max=10_000, help="Enterprises.")] = ENTITIES,
    seed: Annotated[int, typer.Option(help="Decides all that is drawn.")] = 1,
    orders: Annotated[
        int | None, typer.Option(min=1, help="Listed orders; by default 300 of an enterprise.")
    ] = None,
    firms: Annotated[
        str, typer.Option(help="MODULE:CLASS of how firms behave; protocol/year.md.")
    ] = FIRMS,
    profile: Annotated[str, typer.Option(help="The market's rules: a name, or a file.")] = "cea",
    closes: Annotated[
        Path | None, typer.Option(help="Daily data (CSV), whose closes steer the prices.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Play a nation's compliance year through platform, registry, venue and CCER registry.

    Filings, verification, allocation, trading, settlement, surrender and fines, in one process, from
    one seed. Exit status 1 where the systems do not agree in the end.
    """
    log_to_standard_error(LogLevel.error)
    began_s = time.monotonic()
    try:
        setting = YearSetting(
            year=year,
            entities=entities,
            seed=seed,
            orders=ORDERS_EACH * entities if orders is None else orders,
            firms=firms,
            profile=profile,
            closes={} if closes is None else _closes(closes),
        )
        with _by_month(sys.stderr.isatty()) as progress:
            run = YearRun(out, setting, progress)
            state = run.run()
        outcome = outcome_of(out, setting, state)
    except OSError as error:
        raise CommandError(f"{error.filename or out}: {error.strerror or error}") from error
    except ValueError as error:
        raise CommandError(str(error)) from error
    if as_json:
        typer.echo(json.dumps(msgspec.to_builtins(outcome), indent=2))
    else:
        _print(outcome, setting, state, time.monotonic() - began_s)
    for each in outcome.reconciled:
        if not each.agrees:
            raise CheckFailed(f"{each.name}: {each.differences[0]}")


def _closes(file: Path) -> dict[int, int]:
    return {date_number(day.trading_date): day.close for day in load_daily(file)}


@contextmanager
def _by_month(is_shown: bool) -> Iterator[Callable[[date, YearState, int], None]]:
    """Show how far the year is, and a line of each month that is over."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("day {task.completed:.0f} of {task.total:.0f}"),
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
                description=f"{day:%B %Y}: {counts.orders:,} orders, {counts.trades:,} trades",
            )

        yield show


# -- What came of it -------------------------------------------------------------------------------


def _print(outcome: Outcome, setting: YearSetting, state: YearState, wall_s: float) -> None:
    console = Console(highlight=False, soft_wrap=True)
    figures = outcome.figures
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
    first, last = (state.bulletins[place].trading_date for place in (0, -1))
    console.print(f"[bold]Compliance year {setting.year}[/bold], traded {first} to {last}")
    table = Table(show_header=False, box=None)
    table.add_column(style="dim")
    table.add_column(justify="right")
    for name, value in (
        ("entities with an obligation", f"{figures.entities:,}"),
        ("of them surrendered in full", f"{figures.complied:,}"),
        ("allocated", f"{figures.allocated_tonnes:,} t"),
        ("due", f"{figures.due_tonnes:,} t"),
        ("surrendered", f"{figures.surrendered_tonnes:,} t ({_bp(figures.surrendered_bp)})"),
        ("offset by CCERs", f"{figures.offset_tonnes:,} t"),
        ("fined", f"{figures.fined:,}, short of {figures.short_tonnes:,} t"),
        ("listed orders", f"{figures.orders:,}, refused {figures.refused:,}"),
        ("trades settled", f"{figures.trades:,}"),
        ("volume", f"{figures.volume_tonnes:,} t"),
        ("value", f"{cash_format(figures.value_fen)} yuan"),
        ("by block, by bidding", f"{figures.block_tonnes:,} t, {figures.bidding_tonnes:,} t"),
        ("last close", f"{price_format(figures.close_fen)} yuan/t"),
    ):
        table.add_row(name, value)
    console.print(table)
    console.print(_beside_table(outcome.beside))
    for each in outcome.reconciled:
        found = "agree" if each.agrees else f"DIFFER: {each.differences[0]}"
        console.print(f"- {each.name}: {each.count:,} {found}")
    console.print(f"{wall_s:.1f} s, {peak_mib:,.0f} MiB at most; {len(outcome.files)} tables")


def _beside_table(rows: list[Beside]) -> Table:
    table = Table(title="The model beside what is published", title_justify="left")
    table.add_column("figure")
    table.add_column("model", justify="right")
    table.add_column("published", justify="right")
    table.add_column("of")
    table.add_column("the model's is")
    for row in rows:
        shown = (_shown(row.figure, value) for value in (row.model, row.published))
        table.add_row(row.figure.rpartition("_")[0] or row.figure, *shown, row.period, row.origin)
    return table


def _shown(figure: str, value: int) -> str:
    if figure.endswith("_bp"):
        return _bp(value)
    if figure == "close_fen":
        return f"{price_format(value)} yuan/t"
    if figure.endswith("_fen"):
        return f"{cash_format(value)} yuan"
    return f"{value:,} t" if figure.endswith("_tonnes") else f"{value:,}"


def _bp(value: int) -> str:
    return f"{value // 100}.{value % 100:02}%"

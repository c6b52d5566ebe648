"""`cea-exchange sweep`: many compliance years over seeds, plans and profiles."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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

from cea_exchange.cli.errors import CheckFailed, CommandError
from cea_exchange.cli.language import language, said_in_report
from cea_exchange.protocol.folder_lock import FolderInUse
from cea_exchange.sweep.libraries import LibraryMissing
from cea_exchange.sweep.outcome.figures import figure_said, figure_shown
from cea_exchange.sweep.outcome.outcome import Outcome
from cea_exchange.sweep.outcome.writing import POINTS, REPORT
from cea_exchange.sweep.plan_file import plan_read
from cea_exchange.sweep.run import Executor, Standing, SweepRun
from cea_exchange.sweep.run import Progress as SweepProgress
from cea_exchange.year.outcome.speech import say, speech_set

MINUTE_S, HOUR_S = 60, 3_600
FAILED_MAX = 5


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("sweep")(sweep)
    speech_set(language, said_in_report)


def sweep(
    plan: Annotated[Path, typer.Argument(help="A plan (TOML): protocol/sweep.md.")],
    out: Annotated[
        Path, typer.Option(help="New folder, or of a sweep that was stopped: it goes on.")
    ],
    processes: Annotated[
        int | None, typer.Option(min=1, help="Years at a time; by default one for each processor.")
    ] = None,
    executor: Annotated[
        Executor, typer.Option(help="Processes of this machine, or Ray (RAY_ADDRESS).")
    ] = "local",
    cells: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many years: to see how long all take.")
    ] = None,
    look: Annotated[
        bool, typer.Option("--look", help="Check the plan and say how far it is; plays nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Play many compliance years over seeds, plans and profiles; a table and a report.

    The same results whoever plays them and however often it is stopped. A year that fails is kept
    with its error, and the others go on: then exit status 1.
    """
    at_a_time = processes or os.cpu_count() or 1
    with _errors_worded(out):
        run = SweepRun(plan_read(plan), out)
        if look:
            _show_standing(run.look(), at_a_time, as_json)
            return
        with _shown(sys.stderr.isatty()) as progress:
            standing, outcome = run.run(
                processes=at_a_time, executor=executor, cells_max=cells, progress=progress
            )
    if outcome is None:
        _show_standing(standing, at_a_time, as_json)
    elif as_json:
        typer.echo(json.dumps(msgspec.to_builtins(outcome), indent=2))
    else:
        _print(outcome)
        typer.echo(f"table: {out / POINTS}, report: {out / REPORT}", err=True)
    if standing.failed:
        first = f", such as {outcome.failed[0].cell}: {outcome.failed[0].error}" if outcome else ""
        raise CheckFailed(f"{standing.failed} of {standing.cells} years failed{first}")


@contextmanager
def _errors_worded(out: Path) -> Iterator[None]:
    """Say what is in the way as a command does; what was stopped says how to go on."""
    try:
        yield
    except (FolderInUse, LibraryMissing, ValueError) as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(f"{error.filename or out}: {error.strerror or error}") from error
    except KeyboardInterrupt:
        typer.echo(f"stopped; {out} has every year that was over: the same goes on", err=True)
        raise


@contextmanager
def _shown(is_shown: bool) -> Iterator[SweepProgress]:
    """Show how far the sweep is, and when it will be over."""
    columns = (
        *(TextColumn(say("years")), MofNCompleteColumn(), BarColumn()),
        *(TextColumn("{task.description}"), TimeElapsedColumn(), TimeRemainingColumn()),
    )
    with Progress(
        *columns, console=Console(stderr=True), transient=True, disable=not is_shown
    ) as bar:
        task = bar.add_task("", total=None)

        def show(standing: Standing) -> None:
            failed = say("{} failed", standing.failed) if standing.failed else ""
            bar.update(
                task, total=standing.cells, completed=standing.played, description=failed
            )

        yield show


# -- Results ---------------------------------------------------------------------------------------


def _show_standing(standing: Standing, processes: int, as_json: bool) -> None:
    left = standing.cells - standing.played
    each = standing.cpu_s_each
    left_s = None if each is None else each * left / min(processes, max(1, left))
    if as_json:
        shown = {**standing._asdict(), "estimated_s": None if left_s is None else round(left_s)}
        typer.echo(json.dumps(shown, indent=2))
        return
    typer.echo(
        f"{standing.points:,} points, {standing.cells:,} years:"
        f" {standing.played:,} played, {standing.failed:,} of them failed"
    )
    if left and left_s is not None:
        typer.echo(
            f"{left:,} left: some {_duration(left_s)} with {processes} at a time,"
            f" by {each:.1f} s of a processor each"
        )
    elif left:
        typer.echo(f"{left:,} left: --cells {processes} plays the first, to see how long all take")


def _duration(seconds: float) -> str:
    if seconds < 2 * MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < 2 * HOUR_S:
        return f"{seconds / MINUTE_S:.0f} minutes"
    return f"{seconds / HOUR_S:.1f} hours"


def _print(outcome: Outcome) -> None:
    console = Console(highlight=False)
    console.print(
        f"[bold]{outcome.title}[/bold]: "
        + say("{:,} points, {:,} years", outcome.points, outcome.cells)
    )
    table = Table(box=None)
    table.add_column(say("figure"))
    for name in ("least", "median", "most", "mean"):
        table.add_column(say(name), justify="right")
    for figure, spread in outcome.figures.items():
        values = (spread.least, spread.median, spread.most, spread.mean)
        table.add_row(figure_said(figure), *(figure_shown(figure, value) for value in values))
    console.print(table)
    for note in outcome.analysis.notes:
        console.print(f"- {note}")
    for each in outcome.failed[:FAILED_MAX]:
        console.print(f"- {each.cell}: {each.error}")
    console.print(f"sweep {outcome.hash}")

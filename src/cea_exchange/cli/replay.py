"""`cea-exchange replay`: recorded order flow through a book, held against the recorded book."""

import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from cea_exchange.cli.errors import CheckFailed, CommandError

if TYPE_CHECKING:
    import numpy as np

    from cea_exchange.matching.replay import Flow, ReplayReport

# LOBSTER: time, type, order id, size, price, direction; the time says nothing that the order of
# the lines does not.
MESSAGE_COLUMNS = (1, 2, 3, 4, 5)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("replay")(replay)


def replay(
    flow: Annotated[Path, typer.Argument(help="A LOBSTER message file, or its folder.")],
    book: Annotated[
        Path | None, typer.Argument(help="The orderbook file, by default the one beside it.")
    ] = None,
    profile: Annotated[str, typer.Option(help="The rules: a plain price-time book's.")] = "open",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Replay recorded flow; exit status 1 where the book and the record differ."""
    from cea_exchange import OrderBook
    from cea_exchange.matching.replay import replay_flow

    _profile_check(profile)
    message_file, book_file = _files(flow, book)
    recorded = _read(message_file, book_file)
    order_book = OrderBook(
        recorded.price_min, recorded.price_max, order_count_max=len(recorded.messages) + 1024
    )
    started = time.perf_counter_ns()
    report = replay_flow(order_book, recorded.messages, recorded.rows, recorded.level_count)
    elapsed_ns = max(1, time.perf_counter_ns() - started)
    order_book.check()
    rate = report.messages * 1_000_000_000 // elapsed_ns
    _show(report, recorded, rate, json)
    if report.difference is not None:
        line, text = report.difference.message, report.difference.text
        raise CheckFailed(f"{message_file}:{line}: {text} (prices in ticks of {recorded.tick})")


def _profile_check(name: str) -> None:
    from cea_exchange.domain.profile import ProfileError, load_profile

    try:
        rules = load_profile(name).rules
    except ProfileError as error:
        raise CommandError(str(error)) from error
    if rules.levels_max or rules.listed_band_bp or rules.self_trade != "allow":
        raise CommandError(
            f"expected a profile of a plain book such as 'open', came {name!r}: foreign flow knows "
            "no bands, no five levels and no accounts"
        )


def _files(flow: Path, book: Path | None) -> tuple[Path, Path | None]:
    """Return the message file and the orderbook file, None where there is none."""
    if flow.is_dir():
        found = _named(flow, "message")
        if len(found) != 1:
            hint = "; `verify` replays a journal" if (flow / "journal").is_dir() else ""
            raise CommandError(f"{flow}: expected one file *message*.csv, came {len(found)}{hint}")
        books = _named(flow, "orderbook")
        if book is None and len(books) > 1:
            raise CommandError(f"{flow}: expected one file *orderbook*.csv, came {len(books)}")
        flow, book = found[0], book or (books[0] if books else None)
    elif not flow.exists():
        raise CommandError(f"{flow}: expected a LOBSTER message file or folder, there is none")
    if book is None:
        beside = flow.with_name(flow.name.replace("message", "orderbook"))
        return flow, beside if beside != flow and beside.exists() else None
    if not book.exists():
        raise CommandError(f"{book}: expected a LOBSTER orderbook file, there is none")
    return flow, book


def _named(folder: Path, kind: str) -> list[Path]:
    return sorted(path for path in folder.glob("*.csv") if kind in path.name)


def _read(message_file: Path, book_file: Path | None) -> "Flow":
    from cea_exchange.matching.replay import flow_of_arrays

    messages = _numbers(message_file, MESSAGE_COLUMNS)
    rows = None if book_file is None else _numbers(book_file, None)
    try:
        return flow_of_arrays(messages, rows)
    except ValueError as error:
        raise CommandError(f"{message_file}: {error}") from error


def _numbers(path: Path, columns: tuple[int, ...] | None) -> "np.ndarray":
    import numpy as np

    try:
        with warnings.catch_warnings():
            # An empty file is an error here, not a warning.
            warnings.simplefilter("error")
            return np.loadtxt(
                path, np.int64, comments=None, delimiter=",", usecols=columns, ndmin=2
            )
    except (OSError, Warning, ValueError, IndexError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CommandError(f"{path}: expected lines of whole numbers, {reason}") from error


def _show(report: "ReplayReport", recorded: "Flow", rate: int, json: bool) -> None:
    if json:
        content = msgspec.to_builtins(report) | {
            "levels": recorded.level_count,
            "tick": recorded.tick,
            "messages_per_second": rate,
        }
        typer.echo(msgspec.json.encode(content).decode())
        return
    typer.echo(f"messages            {report.messages}")
    if recorded.rows is None:
        typer.echo("recorded book       none")
    else:
        typer.echo(f"levels a side       {recorded.level_count}")
        typer.echo(f"steps agreeing      {report.steps_agreeing} of {report.steps}")
        typer.echo(f"levels learned      {report.levels_learned}")
        typer.echo(f"levels forgotten    {report.levels_forgotten}")
    typer.echo(f"older orders named  {report.orders_unknown}")
    typer.echo(f"messages a second   {rate}")

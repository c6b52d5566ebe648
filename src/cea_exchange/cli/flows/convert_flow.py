"""`cea-exchange convert-flow`: recorded flow of other venues as order files with their trades."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, TextIO

import typer

from cea_exchange.cli.errors import CommandError, files_differ
from cea_exchange.cli.options import PlainJson
from cea_exchange.cli.output import json_print


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("convert-flow")(convert_flow)


def convert_flow(
    form: Annotated[str, typer.Argument(help="mbo, itch, sse or szse: protocol/order_flow.md.")],
    file: Annotated[
        Path, typer.Argument(help="The flow, CSV; of szse, and of older sse, its orders.")
    ],
    trades_file: Annotated[
        Path | None, typer.Argument(help="Of szse its trades and cancels, of older sse its trades.")
    ] = None,
    orders: Annotated[Path, typer.Option(help="The order file to write.")] = Path("orders.csv"),
    trades: Annotated[
        Path, typer.Option(help="The trades to write, for `replay --expect`.")
    ] = Path("trades.csv"),
    symbol: Annotated[str | None, typer.Option(help="The instrument that is taken.")] = None,
    decimals: Annotated[
        int | None,
        typer.Option(
            min=0, max=9, help="Of prices without a point; mbo has 9, itch 4, the others 0."
        ),
    ] = None,
    json: PlainJson = False,
) -> None:
    """Convert recorded flow for `replay`; prints the tick that it needs."""
    from cea_exchange.cli.flows.flow_files import FlowFile
    from cea_exchange.cli.flows.replay_summary import show
    from cea_exchange.matching.flow.forms import FORMS, ConversionError, FlowSource, FlowWriter

    if form not in FORMS:
        raise CommandError(f"FORM: expected one of {', '.join(FORMS)}, got {form!r}")
    if trades_file is not None and form not in ("sse", "szse"):
        raise CommandError(f"TRADES_FILE: expected none, {form} has all in one file")
    paths = [file] if trades_file is None else [file, trades_file]
    files_differ(paths, (orders, trades))
    with ExitStack() as files:
        flows = [files.enter_context(FlowFile(path)) for path in paths]
        sources = [
            FlowSource(flow.lines(), decimals, symbol, number) for number, flow in enumerate(flows)
        ]
        writer = FlowWriter(*(files.enter_context(_written(path)) for path in (orders, trades)))
        try:
            FORMS[form](sources, writer)
        except ConversionError as error:
            path = paths[error.source]
            where = path if error.line is None else f"{path}:{error.line}"
            raise CommandError(f"{where}: {error}") from error
    summary = {
        "commands": writer.commands,
        "trades": writer.trades,
        "orders_left": len(writer.orders),
        "tick": writer.tick,
    }
    if json:
        content = summary | {"passed_over": dict(+writer.passed)}
        json_print(content)
        return
    show({name.replace("_", " "): value for name, value in summary.items()})
    show({f"passed over: {why}": count for why, count in (+writer.passed).items()})
    typer.echo(f"cea-exchange replay {orders} --tick {writer.tick} --expect {trades}")


@contextmanager
def _written(path: Path) -> Iterator[TextIO]:
    """Yield a file to write, which takes its name only when all went well."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("w", encoding="utf-8") as file:
            yield file
        part.replace(path)
    except OSError as error:
        raise CommandError(f"{path}: expected a file to write: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)

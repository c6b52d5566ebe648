"""`cea-exchange registry allocate preview, show`: what an allocation file would do."""

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from cea_exchange.cli.acts import whole
from cea_exchange.cli.asking import Answer, ask, fields_line, file_content, json_print, table
from cea_exchange.cli.errors import CommandError
from cea_exchange.cli.options import ADMIN, Data, Json, Key

Out = Annotated[
    Path | None,
    typer.Option("--out", help="Write each entity's line: .csv, .xlsx, .parquet or .jsonl."),
]
PreviewId = Annotated[int, typer.Argument(help="The preview's number.")]

_TOTALS = (
    *("name", "entities", "at_risk", "tonnes", "before", "given", "kept"),
    *("recalled", "recalled_kept", "unrecalled", "deducted", "returned"),
)


class Encoding(Enum):
    """Of a CSV file."""

    utf_8 = "utf-8"
    gb18030 = "gb18030"


def register(allocate: typer.Typer) -> None:
    """Add what is done with allocation files to the group `registry allocate`."""
    allocate.command("preview")(preview)
    allocate.command("show")(show)


def preview(
    file: Annotated[Path, typer.Argument(help="Allocation file.")],
    data: Data,
    units: Annotated[
        Path | None,
        typer.Option("--units", help="Unit file, to compute each entity's tonnes from."),
    ] = None,
    encoding: Annotated[
        Encoding, typer.Option("--encoding", help="Of CSV files.")
    ] = Encoding.utf_8,
    out: Out = None,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Show what an allocation file would do; nothing is done.

    With the units' figures each entity's tonnes are computed again, and the file is refused where
    one differs.

    Example: cea-exchange registry allocate preview allocation-2024-final.xlsx
    --units units-2024.xlsx --out preview.csv
    """
    request = {"op": "allocation_preview", "file": file.name, "content": file_content(file)}
    if units is not None:
        request |= {"units_file": units.name, "units_content": file_content(units)}
    answer = ask(data, key, {**request, "encoding": encoding.value})
    show(answer["preview_id"], data, out, key, json)


def show(
    preview_id: PreviewId, data: Data, out: Out = None, key: Key = ADMIN, json: Json = False
) -> None:
    """Print a preview as it was shown, as who is to approve it should read it.

    Example: cea-exchange registry allocate show 12
    """
    request = {"op": "allocation_show", "preview_id": preview_id}
    if json or out is not None:
        answer = whole(
            lambda asked: ask(data, key, asked), {**request, "first": 0}, "lines"
        )
    else:
        answer = ask(data, key, {**request, "count": 0})
    if out is not None:
        _write(out, answer["lines"])
    if json:
        json_print(answer)
    else:
        typer.echo(_preview(answer))


def _write(out: Path, lines: list[dict[str, Any]]) -> None:
    from cea_exchange.registry.distribution.plan import Line
    from cea_exchange.registry.distribution.plan_table import DISTRIBUTION_LINES
    from cea_exchange.registry.files import table_bytes

    try:
        rows = msgspec.convert(lines, list[Line])
        out.write_bytes(table_bytes(DISTRIBUTION_LINES, rows, out.suffix.lower()))
    except (ValueError, ModuleNotFoundError) as error:
        raise CommandError(f"{out}: {error}") from error


def _preview(answer: Answer) -> str:
    names = ("file", "sha256", "units_file", "units_sha256", "distributed_on")
    shown = {name: answer[name] for name in names if answer[name] != ""}
    computed = f"{answer['recomputed']} of {answer['entities']} entities computed from their units"
    rows = [[totals[name] for name in _TOTALS] for totals in answer["totals"]]
    return "\n".join(
        [
            f"preview {answer['preview_id']}: {answer['compliance_year']} {answer['product']}"
            f" {answer['stage']}, {fields_line(shown)}",
            computed,
            table(("province", *_TOTALS[1:]), rows),
            *(f"warning: {warning}" for warning in answer["warnings"]),
        ]
    )

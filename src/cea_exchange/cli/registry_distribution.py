"""`cea-exchange registry allocate`: issue, allocation files, deductions, recalls."""

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from cea_exchange.cli.asking import (
    Answer,
    act,
    ask,
    fields_line,
    file_content,
    json_print,
    look_all,
    rows_table,
    table,
    whole,
)
from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.errors import CommandError
from cea_exchange.cli.options import ADMIN, Data, Json, Key, Why
from cea_exchange.cli.readable import date_argument

Out = Annotated[
    Path | None,
    typer.Option("--out", help="Write each entity's line: .csv, .xlsx, .parquet or .jsonl."),
]
Account = Annotated[str, typer.Argument(help="Account.")]
PreviewId = Annotated[int, typer.Argument(help="The preview's number.")]
Tonnes = Annotated[int, typer.Argument(help="Tonnes.")]

_TOTALS = (
    *("name", "entities", "at_risk", "tonnes", "before", "given", "kept"),
    *("recalled", "recalled_kept", "unrecalled", "deducted", "returned"),
)


class Encoding(Enum):
    """Of a CSV file."""

    utf_8 = "utf-8"
    gb18030 = "gb18030"


def register(group: typer.Typer) -> None:
    """Add the commands to `cea-exchange registry`."""
    allocate = CommandLine()
    commands = (issue, reverse, preview, show, distribute, deduct, recall, release, remaining)
    for command in commands:
        allocate.command(command.__name__)(command)
    group.command("issue")(issue)
    group.add_typer(allocate, name="allocate", help="Issue and distribute allowances.")


def issue(
    product: Annotated[str, typer.Argument(help="Product.")],
    tonnes: Tonnes,
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Issue allowances into the competent authority's account; a person of it approves.

    Example: cea-exchange registry allocate issue CEA24 5000000
    """
    act(data, key, {"op": "allocation_issue", "product": product, "tonnes": tonnes}, json)


def reverse(
    entry_id: Annotated[int, typer.Argument(help="The entry of the issue.")],
    tonnes: Tonnes,
    why: Why,
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """As the authority, take back an issue that was a mistake, as far as it was not distributed.

    Example: cea-exchange registry allocate reverse 17 4500000 --why "typo" --key mee
    """
    request = {"op": "allocation_reverse", "entry_id": entry_id, "tonnes": tonnes, "why": why}
    act(data, key, request, json)


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
        answer = whole(data, key, request, "lines", first=0)
    else:
        answer = ask(data, key, {**request, "count": 0})
    if out is not None:
        _write(out, answer["lines"])
    if json:
        json_print(answer)
    else:
        typer.echo(_preview(answer))


def distribute(preview_id: PreviewId, data: Data, key: Key = ADMIN, json: Json = False) -> None:
    """Do what a preview showed, once; refused where something has changed since.

    Example: cea-exchange registry allocate distribute 12
    """
    act(data, key, {"op": "allocation_distribute", "preview_id": preview_id}, json)


def deduct(
    account: Account,
    document: Annotated[str, typer.Argument(help="Number of the decision.")],
    cause: Annotated[str, typer.Argument(help="enforcement or other.")],
    tonnes: Tonnes,
    decided_on: Annotated[int, date_argument("Day of the decision")],
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Register a decision that tonnes are taken off what an entity will be given.

    Example: cea-exchange registry allocate deduct P001 decision-7 other 500 2026-03-01
    """
    decision = {"document": document, "cause": cause, "tonnes": tonnes, "decided_on": decided_on}
    act(data, key, {"op": "allocation_deduct", "account": account, **decision}, json)


def recall(
    account: Account,
    compliance_year: Annotated[int, typer.Argument(help="Of the allowances.")],
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Recall what an earlier recall did not find; what is at the venue is called from there.

    Example: cea-exchange registry allocate recall P001 2024
    """
    terms = {"account": account, "compliance_year": compliance_year}
    act(data, key, {"op": "allocation_recall", **terms}, json)


def release(account: Account, data: Data, key: Key = ADMIN, json: Json = False) -> None:
    """Give an entity what its province holds for it.

    Example: cea-exchange registry allocate release P001
    """
    act(data, key, {"op": "allocation_release", "account": account}, json)


def remaining(account: Account, data: Data, key: Key = ADMIN, json: Json = False) -> None:
    """Print what is still to adjust, and what its province holds for an account.

    Example: cea-exchange registry allocate remaining P001
    """
    request = {"op": "allocation_remaining", "account": account}
    look_all(data, key, request, json, "still_to_adjust", text=_remaining)


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


def _remaining(answer: Answer) -> str:
    heads = ("number", "document", "cause", "decided on", "year", "tonnes", "remaining")
    fields = ("deduction_id", "document", "cause", "decided_on", "compliance_year", "tonnes")
    kept = fields_line(answer["kept"]) or "nothing"
    rows, none = answer["still_to_adjust"], "nothing is still to adjust"
    still = rows_table(rows, (*fields, "remaining"), heads, none=none)
    called = fields_line(answer["called"]) or "nothing"
    return f"{still}\nits province holds for it: {kept}\ncalled from the venue: {called}"

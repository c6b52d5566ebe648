"""`cea-exchange registry bank fetch, out, report, statement`: files out and in."""

import time
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import typer

from cea_exchange.cli.asking import act, ask, fields_line, json_print
from cea_exchange.cli.errors import CheckFailed, CommandError
from cea_exchange.cli.options import ADMIN, Data, Json, Key
from cea_exchange.cli.readable import date_option

FETCH_S_MAX = 30
FETCH_LOOK_S = 0.3

File = Annotated[str, typer.Argument(help="The file's name in DIR/registry/bank/in.")]


def register(bank: typer.Typer) -> None:
    """Add what is done with the bank's files to the group `registry bank`."""
    for command in (fetch, out, report, statement):
        bank.command(command.__name__)(command)


def fetch(
    data: Data,
    date: Annotated[int | None, date_option("--date", "Of which day; left out, today")] = None,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Fetch a day's next statement at the bank and read it; the daemon does so once a working day.

    Example: cea-exchange registry bank fetch
    """
    wanted = ask(data, key, {"op": "bank_fetch", "business_date": date})
    until_s = time.monotonic() + FETCH_S_MAX
    while time.monotonic() < until_s:
        time.sleep(FETCH_LOOK_S)
        for row in ask(data, key, {"op": "bank_statements", "count": 1})["statements"]:
            if wanted.items() <= row.items():
                if json:
                    json_print(row)
                else:
                    typer.echo(f"read {fields_line(row)}")
                return
        if why := ask(data, key, {"op": "status"})["troubles"].get("bank_statement"):
            raise CommandError(f"{fields_line(wanted)}: {why}")
    raise CheckFailed(f"{fields_line(wanted)}: not read within {FETCH_S_MAX} s")


def out(data: Data, key: Key = ADMIN) -> None:
    """Write the batches (pain.001) that the bank has not answered to DIR/registry/bank/out."""
    for path in ask(data, key, {"op": "bank_batches"})["files"]:
        typer.echo(path)


def report(file: File, data: Data, key: Key = ADMIN, json: Json = False) -> None:
    """Take the bank's status report (pain.002); a second person approves."""
    act(data, key, _of_file("bank_report", data, file), json)


def statement(file: File, data: Data, key: Key = ADMIN, json: Json = False) -> None:
    """Read the bank's statement (camt.053), whole or not at all; a second person approves.

    Example: cea-exchange registry bank statement 20260715-1.xml
    """
    act(data, key, _of_file("bank_statement", data, file), json)


def _of_file(op: str, data: Path, file: str) -> dict[str, Any]:
    """Return what is asked of a file in ``DIR/registry/bank/in``, and of no other of its name."""
    path = data / "registry" / "bank" / "in" / file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error
    return {"op": op, "file": file, "sha256": sha256(content).hexdigest()}

"""`cea-exchange registry bank`: files out and in, pay-outs, what differs."""

import time
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import typer

from cea_exchange.cli.asking import (
    Answer,
    act,
    ask,
    fields_line,
    json_print,
    look,
    look_all,
    rows_table,
    table,
)
from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.errors import CheckFailed, CommandError
from cea_exchange.cli.options import ADMIN, Data, Json, Key
from cea_exchange.cli.readable import YuanArgument, date_option, yuan

FETCH_S_MAX = 30
FETCH_LOOK_S = 0.3

File = Annotated[str, typer.Argument(help="The file's name in DIR/registry/bank/in.")]


def register(group: typer.Typer) -> None:
    """Add the commands to the group `registry`."""
    bank = CommandLine()
    for command in (fetch, statements, out, report, statement, reconcile, differences, again):
        bank.command(command.__name__)(command)
    for command in (unapplied, retry, close):
        bank.command(command.__name__)(command)
    bank.command("pay-out")(pay_out)
    group.add_typer(bank, name="bank", help="Instructions to the settlement bank, and its answers.")


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


def statements(data: Data, key: Key = ADMIN, json: Json = False) -> None:
    """Print which of the bank's statements were read, the latest first.

    Example: cea-exchange registry bank statements
    """
    look_all(data, key, {"op": "bank_statements"}, json, "statements", text=_statements, first=0)


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


def reconcile(data: Data, key: Key = ADMIN, json: Json = False) -> None:
    """Print each sub-account: the bank's balance, the ledger's, and what lies between."""
    request = {"op": "bank_reconcile"}
    look_all(data, key, request, json, "accounts", text=_accounts, first=0)


def differences(data: Data, key: Key = ADMIN, json: Json = False) -> None:
    """Print what the bank has booked otherwise than it was told."""
    names = ("findings", "unknown", "differences")
    look_all(data, key, {"op": "bank_differences"}, json, *names, text=_wrong, first=0)


def again(
    instruction_id: Annotated[str, typer.Argument(help="A refused instruction.")],
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Instruct again what the bank has refused, under a new id; a second person approves."""
    act(data, key, {"op": "bank_again", "instruction_id": instruction_id}, json)


def unapplied(
    data: Data,
    first: Annotated[int, typer.Option("--first", help="From this number on.", min=1)] = 1,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Print what the bank said that could not be applied, and what keeps it."""
    look(data, key, {"op": "bank_unapplied", "first": first}, json, _unapplied)


def retry(data: Data, key: Key = ADMIN, json: Json = False) -> None:
    """Try again what the bank said and could not be applied, once its cause is mended."""
    act(data, key, {"op": "bank_retry"}, json)


def close(
    unapplied_id: Annotated[int, typer.Argument(help="Its number.", min=1)],
    why: Annotated[str, typer.Argument(help="What the bank says to it.")],
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """End what never can be applied, once the bank was asked.

    Example: cea-exchange registry bank close 3 "sent in error, letter of 2026-07-20"
    """
    request = {"op": "bank_unapplied_close", "unapplied_id": unapplied_id, "why": why}
    act(data, key, request, json)


def pay_out(
    account: Annotated[str, typer.Argument(help="Account.")],
    cash: YuanArgument,
    creditor: Annotated[str, typer.Argument(help="The participant's own account at its bank.")],
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Pay cash out of a sub-account; a representative of the account approves.

    Example: cea-exchange registry bank pay-out P001 1000.00 6222000000000001
    """
    request = {"op": "pay_out", "account": account, "cash": cash, "creditor": creditor}
    act(data, key, request, json)


def _statements(answer: Answer) -> str:
    return rows_table(answer["statements"])


def _accounts(answer: Answer) -> str:
    return rows_table(answer["accounts"])


def _unapplied(answer: Answer) -> str:
    names = ("unapplied_id", "business_date", "source", "instruction_id", "told", "why")
    text = rows_table(answer["unapplied"], names)
    further = answer["next"]
    return text if further is None else f"{text}\nthere is more: --first {further}"


def _wrong(answer: Answer) -> str:
    rows = [
        (item["instruction_id"], item["outcome"], leg["account"])
        + (yuan(leg["instructed"]), yuan(leg["booked"]))
        for item in answer["findings"]
        for leg in item["legs"]
    ]
    rows += [
        ("-", "unknown", item["account"], yuan(0), yuan(item["entry"]["cash"]))
        for item in answer["unknown"]
    ]
    return table(["instruction", "outcome", "account", "instructed", "booked"], rows)

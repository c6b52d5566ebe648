"""`cea-exchange registry statement`: daily statements, and objections to them."""

from enum import Enum
from typing import Annotated

import typer

from cea_exchange.cli.asking import Answer, act, look, look_all, rows_table, table
from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.options import ADMIN, Data, Json, Key
from cea_exchange.cli.readable import date_argument, date_shown, yuan

Account = Annotated[str, typer.Argument(help="Account.")]
Day = Annotated[int, date_argument("A confirmed day")]


class State(Enum):
    """Of an objection."""

    open = "open"
    resolved = "resolved"


def register(group: typer.Typer) -> None:
    """Add the commands to the group `registry`."""
    statement = CommandLine()
    for command in (show, resolve, objections):
        statement.command(command.__name__)(command)
    statement.command("object")(object_)
    group.add_typer(statement, name="statement", help="Daily statements and objections.")


def show(account: Account, day: Day, data: Data, key: Key = ADMIN, json: Json = False) -> None:
    """Print an account's statement of a day.

    Example: cea-exchange registry statement show P001 2025-07-16
    """
    request = {"op": "statement", "account": account, "business_date": day}
    look(data, key, request, json, _statement)


def object_(
    account: Account,
    day: Day,
    content: Annotated[str, typer.Argument(help="What is wrong with it.")],
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Object to a statement, before the next day opens."""
    request = {
        "op": "statement_object",
        "account": account,
        "business_date": day,
        "content": content,
    }
    act(data, key, request, json)


def resolve(
    number: Annotated[int, typer.Argument(help="The objection's number.")],
    answer: Annotated[str, typer.Argument(help="The answer.")],
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Answer an objection."""
    request = {"op": "statement_resolve", "objection_id": number, "answer": answer}
    act(data, key, request, json)


def objections(
    data: Data,
    state: Annotated[State | None, typer.Option(help="Only those that are so.")] = None,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Print all objections.

    Example: cea-exchange registry statement objections --state open
    """
    request = {"op": "objections", "state": state and state.value}
    look_all(data, key, request, json, "objections", text=_objections)


def _statement(answer: Answer) -> str:
    day = date_shown(answer["business_date"])
    lines = [f"{answer['account']} {day} {answer['state']}"]
    cash = [(name, yuan(value)) for name, value in answer["cash"].items()]
    lines += ["", table(("cash", ""), cash)]
    if answer["products"]:
        lines += ["", rows_table(answer["products"])]
    if answer["objections"]:
        lines += ["", rows_table(answer["objections"])]
    return "\n".join(lines)


def _objections(answer: Answer) -> str:
    return rows_table(answer["objections"])

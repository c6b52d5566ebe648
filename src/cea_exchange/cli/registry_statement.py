"""`cea-exchange registry statement`: daily statements, and objections to them."""

from enum import Enum
from typing import Annotated

import typer

from cea_exchange.cli.asking import (
    ADMIN,
    Answer,
    Data,
    Json,
    Key,
    act,
    fields_line,
    look,
    look_all,
    table,
)

Account = Annotated[str, typer.Argument(help="Account.")]
Day = Annotated[int, typer.Argument(help="A confirmed day, yyyymmdd.")]


class State(Enum):
    """Of an objection."""

    open = "open"
    resolved = "resolved"


def register(group: typer.Typer) -> None:
    """Add the commands to the group `registry`."""
    statement = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    for command in (show, resolve, objections):
        statement.command(command.__name__)(command)
    statement.command("object")(object_)
    group.add_typer(statement, name="statement", help="Daily statements and objections.")


def show(account: Account, day: Day, data: Data, key: Key = ADMIN, json: Json = False) -> None:
    """Print an account's statement of a day.

    Example: cea-exchange registry statement show P001 20260715 --data DIR
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

    Example: cea-exchange registry statement objections --state open --data DIR
    """
    request = {"op": "objections", "state": state and state.value}
    look_all(data, key, request, json, "objections", text=_objections)


def _statement(answer: Answer) -> str:
    head = f"{answer['account']} {answer['business_date']} {answer['state']}"
    lines = [head, "cash: " + fields_line(answer["cash"])]
    lines += [fields_line(product) for product in answer["products"]]
    return "\n".join([*lines, *map(fields_line, answer["objections"])])


def _objections(answer: Answer) -> str:
    rows = answer["objections"]
    return table(list(rows[0]), [list(row.values()) for row in rows]) if rows else "none"

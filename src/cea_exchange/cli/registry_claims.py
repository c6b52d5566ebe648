"""`cea-exchange registry claim`: what busts left owing."""

from typing import Annotated

import typer

from cea_exchange.cli.asking import Answer, act, look_all, rows_table
from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.options import ADMIN, Data, Json, Key


def register(group: typer.Typer) -> None:
    """Add the commands to the group `registry`."""
    claim = CommandLine()
    claim.command("list")(list_)
    claim.command("pay")(pay)
    group.add_typer(claim, name="claim", help="What a bust left owing.")


def list_(
    data: Data,
    all_: Annotated[bool, typer.Option("--all", help="Those that are paid too.")] = False,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Print what is owed after busts that the venue could not undo."""
    request = {"op": "claim_list", "paid": all_}
    look_all(data, key, request, json, "claims", text=_claims)


def pay(
    number: Annotated[int, typer.Argument(help="The claim's number.")],
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Pay a claim out of the debtor's registration account; a second person approves.

    Example: cea-exchange registry claim pay 3
    """
    act(data, key, {"op": "claim_pay", "claim_id": number}, json)


def _claims(answer: Answer) -> str:
    return rows_table(answer["claims"])

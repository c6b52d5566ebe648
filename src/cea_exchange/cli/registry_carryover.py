"""`cea-exchange registry carryover`: closed vintages exchanged for the next one."""

from typing import Annotated

import typer

from cea_exchange.cli.asking import Answer, act, fields_line, look
from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.options import ADMIN, Data, Json, Key
from cea_exchange.cli.registry_obligation import Account
from cea_exchange.cli.registry_surrender import Tonnes, tonnes_by_product

Number = Annotated[int, typer.Argument(help="The carryover's number.")]


def register(group: typer.Typer) -> None:
    """Add the group to the group `registry`."""
    carryover = CommandLine()
    carryover.command("give-notice")(give_notice)
    carryover.command("notice")(notice)
    carryover.command("apply")(apply)
    carryover.command("withdraw")(withdraw)
    carryover.command("run")(run)
    group.add_typer(carryover, name="carryover", help="Closed vintages into the next one.")


def give_notice(data: Data, key: Key = ADMIN, json: Json = False) -> None:
    """Tell every entity how much it may carry over; a second person has to approve it.

    Example: cea-exchange registry carryover give-notice
    """
    act(data, key, {"op": "carryover_give_notice"}, json)


def notice(account: Account, data: Data, key: Key = ADMIN, json: Json = False) -> None:
    """Print what an entity may carry over, and from which figures that comes.

    Example: cea-exchange registry carryover notice P001
    """
    look(data, key, {"op": "carryover_notice", "account": account}, json, _notice)


def apply(
    account: Account, tonnes: Tonnes, data: Data, key: Key = ADMIN, json: Json = False
) -> None:
    """Apply to carry over allowances; they are set aside. A second person has to approve it.

    Example: cea-exchange registry carryover apply P001 CEA=5000 CEA23=1000
    """
    request = {"op": "carryover_apply", "account": account}
    act(data, key, request | {"tonnes": tonnes_by_product(tonnes)}, json)


def withdraw(
    number: Number, account: Account, data: Data, key: Key = ADMIN, json: Json = False
) -> None:
    """Take an application back before its run; two persons do it.

    Example: cea-exchange registry carryover withdraw 3 P001
    """
    request = {"op": "carryover_withdraw", "carryover_id": number, "account": account}
    act(data, key, request, json)


def run(
    number: Annotated[int, typer.Argument(help="1 or 2; 3 is of late applications.")],
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Exchange what was applied for in a run; a second person has to approve it.

    Example: cea-exchange registry carryover run 1 --key mee
    """
    act(data, key, {"op": "carryover_run", "number": number}, json)


def _notice(answer: Answer) -> str:
    return fields_line(answer["notice"])

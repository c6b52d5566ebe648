"""`cea-exchange registry clock`: a manual clock moved, and one that is doubted confirmed."""

from typing import Annotated

import typer

from cea_exchange.cli.asking import act
from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.options import ADMIN, Data, Json, Key
from cea_exchange.cli.readable import date_argument


def register(group: typer.Typer) -> None:
    """Add the commands to the group `registry`."""
    clock = CommandLine()
    clock.command("move")(move)
    clock.command("confirm")(confirm)
    group.add_typer(clock, name="clock", help="The registry's time and day.")


def move(
    at: Annotated[str, typer.Argument(help="ISO 8601 with offset.")],
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Move a manual clock; a second person has to approve it.

    Example: cea-exchange registry clock move 2025-07-16T09:30:00+08:00
    """
    act(data, key, {"op": "clock_move", "at": at}, json)


def confirm(
    date: Annotated[int, date_argument("Today")],
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Say that the system's clock is right, which `registry status` says is doubted.

    A second person has to approve it.

    Example: cea-exchange registry clock confirm 2026-01-05
    """
    act(data, key, {"op": "clock_confirm", "date": date}, json)

"""`cea-exchange registry failures, default, reserve`: trades that failed, and what is done."""

from typing import Annotated, Any

import typer

from cea_exchange.cli.asking import Answer, act, fields_line, look_all, rows_table
from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.options import ADMIN, Data, Json, Key
from cea_exchange.cli.readable import YuanArgument, date_argument

Number = Annotated[int, typer.Argument(help="The default's number.")]


def register(group: typer.Typer) -> None:
    """Add the commands to the group `registry`."""
    group.command("failures")(failures)
    default = CommandLine()
    default.command("list")(list_)
    for command in (show, notice, retry):
        default.command(command.__name__)(command)
    group.add_typer(default, name="default", help="Who did not deliver or pay.")
    reserve = CommandLine()
    for command in (fund, use, recover):
        reserve.command(command.__name__)(command)
    group.add_typer(reserve, name="reserve", help="The settlement risk reserve.")


def failures(data: Data, key: Key = ADMIN, json: Json = False) -> None:
    """Print the trades that failed and stand."""
    text = _rows_of("failures")
    look_all(data, key, {"op": "failures"}, json, "failures", text=text)


def list_(
    data: Data,
    all_: Annotated[bool, typer.Option("--all", help="Those that are over too.")] = False,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Print the defaults."""
    request, text = {"op": "default_list", "ended": all_}, _rows_of("defaults")
    look_all(data, key, request, json, "defaults", text=text)


def show(number: Number, data: Data, key: Key = ADMIN, json: Json = False) -> None:
    """Print a default and everything that was done about it."""
    request = {"op": "default_show", "default_id": number}
    look_all(data, key, request, json, "acts", text=_shown)


def notice(
    number: Number,
    deadline: Annotated[int, date_argument("The last day to top up")],
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Tell the party to make it good by the end of a day.

    Example: cea-exchange registry default notice 3 2026-07-16
    """
    act(data, key, {"op": "default_notice", "default_id": number, "deadline": deadline}, json)


def retry(data: Data, key: Key = ADMIN, json: Json = False) -> None:
    """Post the failed trades whose cause is gone."""
    act(data, key, {"op": "default_retry"}, json)


def fund(cash: YuanArgument, data: Data, key: Key = ADMIN, json: Json = False) -> None:
    """Book cash into the reserve, where there is no settlement bank; two persons do it."""
    act(data, key, {"op": "reserve_fund", "cash": cash}, json)


def use(number: Number, data: Data, key: Key = ADMIN, json: Json = False) -> None:
    """Let the reserve pay for a default, and post its trade; a second person approves."""
    act(data, key, {"op": "reserve_use", "default_id": number}, json)


def recover(
    number: Number, cash: YuanArgument, data: Data, key: Key = ADMIN, json: Json = False
) -> None:
    """Take back what the reserve paid, or a part; a second person approves."""
    act(data, key, {"op": "reserve_recover", "default_id": number, "cash": cash}, json)


def _rows_of(name: str) -> Any:
    def text(answer: Answer) -> str:
        return rows_table(answer[name])

    return text


def _shown(answer: Answer) -> str:
    acts = answer.pop("acts")
    return "\n".join([fields_line(answer), *map(fields_line, acts)])

"""`cea-exchange registry account`: entities' accounts from their opening to their end."""

from enum import Enum
from typing import Annotated

import typer

from cea_exchange.cli.asking import Answer, act, look_all, table
from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.options import ADMIN, Data, Json, Key, Why

Account = Annotated[str, typer.Argument(help="Account.")]


class State(Enum):
    """Of an account."""

    open = "open"
    suspended = "suspended"
    merged = "merged"
    closed = "closed"


def register(group: typer.Typer) -> None:
    """Add the group to the group `registry`."""
    accounts = CommandLine()
    for command in (suspend, restore, rename, merge, close, bank, show):
        accounts.command(command.__name__)(command)
    accounts.command("open")(open_)
    accounts.command("at-risk")(at_risk)
    accounts.command("list")(list_)
    group.add_typer(accounts, name="account", help="Entities' accounts.")


def open_(
    account: Annotated[str, typer.Argument(help="The account's name, for good.")],
    entity: Annotated[str, typer.Option(help="The entity's legal name.")],
    credit_code: Annotated[str, typer.Option(help="Unified social credit code.")],
    province: Annotated[int, typer.Option(help="Two-digit code, such as 11.")],
    data: Data,
    group: Annotated[str, typer.Option(help="Group, for block offers.")] = "",
    sector: Annotated[str, typer.Option(help="power, steel, cement or aluminium.")] = "",
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Open an entity's account; it has one only. A second operator has to approve it.

    Example: cea-exchange registry account open P001 --entity "Huadian Power Co., Ltd."
    --credit-code 91330100799655058B --province 33
    """
    request = {"op": "account_open", "account": account, "entity": entity}
    request |= {"credit_code": credit_code, "province": province}
    act(data, key, request | {"group": group, "sector": sector}, json)


def suspend(account: Account, data: Data, why: Why, key: Key = ADMIN, json: Json = False) -> None:
    """Bar an account from trading and transfers; the venue cancels its orders.

    Example: cea-exchange registry account suspend P001 --why "court order 12"
    """
    act(data, key, {"op": "account_suspend", "account": account, "why": why}, json)


def restore(account: Account, data: Data, why: Why, key: Key = ADMIN, json: Json = False) -> None:
    """Lift a suspension; two persons do it.

    Example: cea-exchange registry account restore P001 --why "order lifted"
    """
    act(data, key, {"op": "account_restore", "account": account, "why": why}, json)


def rename(
    account: Account,
    entity: Annotated[str, typer.Argument(help="The entity's new legal name.")],
    data: Data,
    why: Why,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """As an entity, ask for its new legal name to be noted; its province approves it.

    Example: cea-exchange registry account rename P001 "Clean Power Ltd" --why "decision 3"
    --key li
    """
    request = {"op": "account_rename", "account": account, "entity": entity, "why": why}
    act(data, key, request, json)


def merge(
    account: Account,
    into: Annotated[str, typer.Argument(help="Who gets all it has.")],
    data: Data,
    why: Why,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Move all that an account has to another one, and end it; the account approves it.

    Example: cea-exchange registry account merge P002 P001 --why "merged in law"
    """
    act(data, key, {"op": "account_merge", "account": account, "into": into, "why": why}, json)


def close(account: Account, data: Data, why: Why, key: Key = ADMIN, json: Json = False) -> None:
    """End an account that holds nothing; the account approves it.

    Example: cea-exchange registry account close P003 --why "plant shut down"
    """
    act(data, key, {"op": "account_close", "account": account, "why": why}, json)


def at_risk(
    account: Account,
    data: Data,
    why: Why,
    is_at_risk: Annotated[bool, typer.Option("--yes/--no", help="Mark it, or unmark it.")] = True,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Mark an entity as at risk of not surrendering, or with --no not; its province approves.

    Example: cea-exchange registry account at-risk P001 --why "arrears of 2023"
    """
    request = {"op": "account_at_risk", "account": account, "at_risk": is_at_risk, "why": why}
    act(data, key, request, json)


def bank(
    account: Account,
    bank_name: Annotated[str, typer.Argument(help="The settlement bank.")],
    bank_account: Annotated[str, typer.Argument(help="The account's sub-account there.")],
    data: Data,
    why: Why,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Note an account's settlement bank and its sub-account there; the account approves it.

    Example: cea-exchange registry account bank P001 CCB 6227-001 --why "contract 5"
    """
    request = {"op": "account_bank", "account": account, "bank": bank_name}
    act(data, key, request | {"bank_account": bank_account, "why": why}, json)


def show(account: Account, data: Data, key: Key = ADMIN, json: Json = False) -> None:
    """Print what is noted of an account, its representatives, and all that became of it.

    Example: cea-exchange registry account show P001
    """
    look_all(data, key, {"op": "account_show", "account": account}, json, "changes", text=_account)


def list_(
    data: Data,
    province: Annotated[int | None, typer.Option(help="Of this province only.")] = None,
    state: Annotated[State | None, typer.Option(help="Only those that are so.")] = None,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Print all accounts, in the order of their opening.

    Example: cea-exchange registry account list --province 33
    """
    request = {"op": "account_list", "province": province, "state": state and state.value}
    look_all(data, key, request, json, "accounts", text=_accounts, first=0)


def _accounts(answer: Answer) -> str:
    heads = ("account", "entity", "credit_code", "province", "state", "at_risk")
    return table(heads, [[row[head] for head in heads] for row in answer["accounts"]])


def _account(answer: Answer) -> str:
    from cea_exchange.domain.timetable import time_from_ns

    nested = ("representatives", "changes", "pending")
    lines = [f"{name:13} {answer[name]}" for name in answer if name not in nested]
    lines.append(f"{'pending':13} {', '.join(answer['pending']) or 'nothing'}")
    persons = [f"{person['name']} ({person['role']})" for person in answer["representatives"]]
    lines.append(f"{'persons':13} {', '.join(persons) or 'none'}")
    heads = ("at", "change", "was", "became", "by", "why")
    rows = [
        (time_from_ns(row["at_ns"]).isoformat(timespec="seconds"), row["change"])
        + tuple(row[head] or "-" for head in heads[2:])
        for row in answer["changes"]
    ]
    return "\n".join([*lines, "", table(heads, rows)])

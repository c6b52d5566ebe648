"""`cea-exchange registry surrender`: application, review, retirement, force, certificate."""

from enum import Enum
from typing import Annotated

import typer

from cea_exchange.cli.asking import Answer, act, fields_line, look, look_all, table
from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.errors import CommandError
from cea_exchange.cli.options import ADMIN, Data, Json, Key, Why
from cea_exchange.cli.registry_obligation import Account, Province, ProvinceOrNone, Year

Number = Annotated[int, typer.Argument(help="The surrender's number.")]
Tonnes = Annotated[list[str], typer.Argument(help="PRODUCT=TONNES, such as CEA24=5000; several.")]


class State(Enum):
    """Of a surrender."""

    applied = "applied"
    accepted = "accepted"
    retired = "retired"
    rejected = "rejected"
    withdrawn = "withdrawn"


def register(group: typer.Typer) -> None:
    """Add the group to the group `registry`."""
    surrender = CommandLine()
    for command in (apply, withdraw, accept, reject, retire, force, certificate):
        surrender.command(command.__name__)(command)
    surrender.command("list")(list_)
    group.add_typer(surrender, name="surrender", help="Allowances against emissions.")


def tonnes_by_product(parts: list[str]) -> dict[str, int]:
    """Return product -> tonnes of words such as CEA24=5000, each product once."""
    found: dict[str, int] = {}
    for part in parts:
        product, is_given, digits = part.partition("=")
        if not is_given or not digits.isdecimal() or product in found:
            raise CommandError(f"expected PRODUCT=TONNES, each product once, came {part!r}")
        found[product] = int(digits)
    return found


def apply(
    account: Account,
    year: Year,
    tonnes: Tonnes,
    data: Data,
    giver: Annotated[
        str | None, typer.Option(help="Another account, that gives the allowances.")
    ] = None,
    why: Annotated[str, typer.Option(help="Of giving for another: what blocks it.")] = "",
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Apply to surrender allowances; they are set aside. A second person has to approve it.

    Example: cea-exchange registry surrender apply P001 2024 CEA23=1000 CEA24=5000
    """
    request = {"op": "surrender_apply", "account": account, "compliance_year": year}
    parts = {"tonnes": tonnes_by_product(tonnes), "giver": giver, "why": why}
    act(data, key, request | parts, json)


def withdraw(
    number: Number,
    giver: Annotated[str, typer.Argument(help="The account whose allowances they are.")],
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Take an application back that the province has not decided; two persons do it.

    Example: cea-exchange registry surrender withdraw 12 P001
    """
    act(data, key, {"op": "surrender_withdraw", "surrender_id": number, "giver": giver}, json)


def accept(
    number: Number, province: Province, data: Data, key: Key = ADMIN, json: Json = False
) -> None:
    """As a province, accept an application and pass it on to the authority; two persons do it.

    Example: cea-exchange registry surrender accept 12 --province 33 --key pan
    """
    request = {"op": "surrender_accept", "surrender_id": number, "province": province}
    act(data, key, request, json)


def reject(
    number: Number,
    province: Province,
    why: Why,
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """As a province, refuse an application; the allowances go back. Two persons do it.

    Example: cea-exchange registry surrender reject 12 --province 33 --why "disputed" --key pan
    """
    request = {"op": "surrender_reject", "surrender_id": number, "province": province, "why": why}
    act(data, key, request, json)


def retire(number: Number, data: Data, key: Key = ADMIN, json: Json = False) -> None:
    """As the authority, retire what a province has accepted; two persons do it.

    Example: cea-exchange registry surrender retire 12 --key mee
    """
    act(data, key, {"op": "surrender_retire", "surrender_id": number}, json)


def force(
    account: Account,
    year: Year,
    province: Province,
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Surrender for an entity at risk what its province keeps for it; a second person approves.

    Example: cea-exchange registry surrender force P001 2024 --province 33
    """
    request = {"op": "surrender_force", "account": account, "compliance_year": year}
    act(data, key, request | {"province": province}, json)


def list_(
    data: Data,
    state: Annotated[State, typer.Option(help="In which they are.")] = State.applied,
    province: ProvinceOrNone = None,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Print the surrenders that wait for a province, or are of another state.

    Example: cea-exchange registry surrender list --state accepted
    """
    request = {"op": "surrender_list", "state": state.value, "province": province}
    look_all(data, key, request, json, "surrenders", text=_list)


def certificate(
    account: Account, year: Year, data: Data, key: Key = ADMIN, json: Json = False
) -> None:
    """Print the certificate of an obligation that is covered.

    Example: cea-exchange registry surrender certificate P001 2024
    """
    request = {"op": "surrender_certificate", "account": account, "compliance_year": year}
    look(data, key, request, json, lambda answer: answer["text"])


def _list(answer: Answer) -> str:
    heads = ("number", "account", "year", "giver", "applied on", "tonnes")
    rows = [
        (row["surrender_id"], row["account"], row["compliance_year"], row["giver"])
        + (row["applied_on"], fields_line(row["tonnes"]))
        for row in answer["surrenders"]
    ]
    return table(heads, rows) if rows else "no surrenders"

"""`cea-exchange registry obligation`: obligations, notices, and the lists of a compliance year."""

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from cea_exchange.cli.asking import Answer, act, file_content, look, look_all, rows_table, table
from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.options import ADMIN, Data, Json, Key, Why
from cea_exchange.cli.readable import date_argument, tonnes

Account = Annotated[str, typer.Argument(help="The entity's account.")]
Year = Annotated[int, typer.Argument(help="Compliance year: of the emissions.")]
File = Annotated[Path, typer.Argument(help="A .csv, .xlsx or .parquet file.")]
Province = Annotated[int, typer.Option(help="Two-digit code of the province that acts.")]
ProvinceOrNone = Annotated[
    int | None, typer.Option("--province", help="Two-digit code of a province, such as 11.")
]


class Encoding(Enum):
    """Of a CSV file."""

    utf_8 = "utf-8"
    gb18030 = "gb18030"


EncodingOption = Annotated[Encoding, typer.Option("--encoding", help="Of a CSV file.")]


def register(group: typer.Typer) -> None:
    """Add the group to the group `registry`."""
    obligation = CommandLine()
    obligation.command("take")(take)
    obligation.command("correct")(correct)
    obligation.command("notice")(notice)
    obligation.command("list")(list_)
    obligation.command("shortfalls")(shortfalls)
    obligation.command("borrow")(borrow)
    obligation.command("order")(order)
    obligation.command("refused")(refused)
    obligation.command("orders")(orders)
    obligation.command("deduct")(deduct)
    group.add_typer(obligation, name="obligation", help="Who owes what, who complied, who not.")


def file_fields(file: Path, encoding: Encoding) -> dict[str, Any]:
    """Return a file as a request carries it."""
    return {"file": file.name, "content": file_content(file), "encoding": encoding.value}


def take(
    file: File,
    data: Data,
    province: ProvinceOrNone = None,
    encoding: EncodingOption = Encoding.utf_8,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Take a file of new obligations, whole, or with --province that one's own; two persons do it.

    Example: cea-exchange registry obligation take obligations-2025.csv --province 33 --key pan
    """
    request = {"op": "obligation_take", "province": province, **file_fields(file, encoding)}
    act(data, key, request, json)


def correct(
    file: File,
    data: Data,
    why: Why,
    province: ProvinceOrNone = None,
    encoding: EncodingOption = Encoding.utf_8,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Replace obligations there are by those of a file; a second person has to approve it.

    Example: cea-exchange registry obligation correct new.csv --why "verified anew" --key mee
    """
    request = {"op": "obligation_correct", "province": province, "why": why}
    act(data, key, request | file_fields(file, encoding), json)


def notice(account: Account, year: Year, data: Data, key: Key = ADMIN, json: Json = False) -> None:
    """Print the notice of an obligation.

    Example: cea-exchange registry obligation notice P001 2025
    """
    request = {"op": "obligation_notice", "account": account, "compliance_year": year}
    look(data, key, request, json, lambda answer: answer["text"])


def list_(year: Year, data: Data, key: Key = ADMIN, json: Json = False) -> None:
    """Print who owed what for a year, and whether it was surrendered in time.

    Example: cea-exchange registry obligation list 2025
    """
    request = {"op": "compliance_list", "compliance_year": year}
    look_all(data, key, request, json, "entities", text=_list, first=0)


def shortfalls(
    year: Year,
    data: Data,
    province: ProvinceOrNone = None,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Print who was short when the deadline had passed, and what the fine may be.

    Example: cea-exchange registry obligation shortfalls 2025
    """
    request = {"op": "shortfall_list", "compliance_year": year, "province": province}
    look_all(data, key, request, json, "shortfalls", text=_shortfalls, first=0)


def borrow(
    account: Account,
    year: Year,
    tonnes: Annotated[int, typer.Argument(help="Of the allocation that is borrowed from.")],
    document: Annotated[str, typer.Argument(help="Number of the province's decision.")],
    province: Province,
    data: Data,
    why: Why,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Let an entity borrow for 2021 or 2022 from 2023; the authority has to approve it.

    Example: cea-exchange registry obligation borrow P001 2021 120000 HB-9 --why "no cash"
    --province 33 --key pan
    """
    request = {"op": "borrow", "account": account, "compliance_year": year, "tonnes": tonnes}
    request |= {"province": province, "document": document, "why": why}
    act(data, key, request, json)


def order(
    account: Account,
    year: Year,
    document: Annotated[str, typer.Argument(help="The order's number.")],
    until: Annotated[int, date_argument("Last day of its term")],
    province: Province,
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Record an order to surrender what is missing; a second person has to approve it.

    Example: cea-exchange registry obligation order P001 2024 HB-7 2026-02-28 --province 33
    --key pan
    """
    request = {"op": "correction_order", "account": account, "compliance_year": year}
    act(data, key, request | {"province": province, "document": document, "until": until}, json)


def refused(
    account: Account,
    year: Year,
    document: Annotated[str, typer.Argument(help="What shows it.")],
    province: Province,
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Record that the entity refuses to follow the order; a second person has to approve it.

    Example: cea-exchange registry obligation refused P001 2024 HB-8 --province 33 --key pan
    """
    request = {"op": "correction_refused", "account": account, "compliance_year": year}
    act(data, key, request | {"province": province, "document": document}, json)


def orders(
    year: Year,
    data: Data,
    province: ProvinceOrNone = None,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Print who was ordered to surrender what was missing, by when, and who refuses.

    Example: cea-exchange registry obligation orders 2024
    """
    request = {"op": "correction_list", "compliance_year": year, "province": province}
    look_all(data, key, request, json, "orders", text=_orders)


def deduct(
    account: Account,
    year: Year,
    province: Province,
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Take what is missing off the next allowances, after an order; a second person approves it.

    Example: cea-exchange registry obligation deduct P001 2024 --province 33 --key pan
    """
    request = {"op": "unpaid_deduct", "account": account, "compliance_year": year}
    act(data, key, request | {"province": province}, json)


def _orders(answer: Answer) -> str:
    heads = ("account", "province", "order", "ordered on", "until", "tonnes", "due", "refused on")
    names = ("account", "province", "document", "ordered_on", "until", "tonnes", "due")
    names += ("refused_on",)
    none = "nobody was ordered to correct anything"
    return rows_table(answer["orders"], names, heads, none=none)


def _list(answer: Answer) -> str:
    heads = ("account", "entity", "province", "obligation", "surrendered", "offset", "state")
    names = (*heads[:3], "obligation_tonnes", *heads[4:])
    return rows_table(answer["entities"], names, heads, none="no obligations")


def _shortfalls(answer: Answer) -> str:
    from cea_exchange.domain.units import cash_format

    heads = ("account", "entity", "province", "short", "applied", "due", "fine, yuan")
    rows = []
    for row in answer["shortfalls"]:
        fine = "no trades before the deadline"
        if row["fine"] is not None:
            fine = f"{cash_format(row['fine']['least'])} to {cash_format(row['fine']['most'])}"
        if (second := row["fine_after_term"]) is not None:
            fine += f", then {cash_format(second['least'])} to {cash_format(second['most'])}"
        figures = tuple(map(tonnes, (row["shortfall"], row["applied"], row["due"])))
        rows.append((row["account"], row["entity"], row["province"], *figures, fine))
    return table(heads, rows) if rows else "nobody was short"

"""`cea-exchange registry freeze`, `deduct`, `cancel`, ...: courts' orders, public notices."""

from enum import Enum
from typing import Annotated, Any

import typer

from cea_exchange.cli.asking import Answer, act, fields_line, look_all, rows_table, table
from cea_exchange.cli.errors import CommandError
from cea_exchange.cli.options import ADMIN, Data, Json, Key, Why
from cea_exchange.cli.readable import date_option, date_shown

Account = Annotated[str, typer.Argument(help="Whose.")]
Product = Annotated[str, typer.Argument(help="Product.")]
Tonnes = Annotated[int, typer.Argument(help="How many.")]
FreezeId = Annotated[int, typer.Argument(help="The freeze's id.")]
DispositionId = Annotated[int, typer.Argument(help="The application's id.")]
Order = Annotated[str, typer.Option("--order", help="The court order's number.")]
Court = Annotated[str, typer.Option("--court", help="Whose order it is.")]
Until = Annotated[int, date_option("--until", "The last day")]
TonnesPart = Annotated[int | None, typer.Option("--tonnes", help="How many.")]
CashPart = Annotated[str | None, typer.Option("--cash", help="Yuan, such as 5000.00.")]


class Kind(Enum):
    """Of a transfer that the law makes."""

    inheritance = "inheritance"
    succession = "succession"
    enforcement = "enforcement"


class State(Enum):
    """Of a disposition."""

    applied = "applied"
    done = "done"
    refused = "refused"


def register(group: typer.Typer) -> None:
    """Add the commands to the group `registry`."""
    for name, command in (
        ("freeze", freeze),
        ("release", release),
        ("extend", extend),
        ("deduct", deduct),
        ("freezes", freezes),
        ("cancel", cancel),
        ("enforce", enforce),
        ("approve-disposition", approve),
        ("refuse-disposition", refuse),
        ("dispositions", dispositions),
        ("notices", notices),
    ):
        group.command(name)(command)


# -- Courts' orders ------------------------------------------------------------------------------


def freeze(
    account: Account,
    order: Order,
    court: Court,
    until: Until,
    data: Data,
    product: Annotated[str | None, typer.Option(help="Of what; without it cash.")] = None,
    tonnes: TonnesPart = None,
    cash: Annotated[str | None, typer.Option(help="Yuan, such as 5000.00, or all.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that the account has.")] = False,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Freeze tonnes of a product (all of it without --tonnes), cash, or all of an account.

    Example: cea-exchange registry freeze P001 --product CEA24 --tonnes 500 --order "(2026)1"
    --court "Wuhan Intermediate Court" --until 2027-06-30
    """
    request: dict[str, Any] = {"account": account, "order": order, "court": court}
    request["until"] = until
    if (product is not None) + (cash is not None) + everything != 1:
        raise CommandError("expected one of --product, --cash and --all")
    if tonnes is not None and product is None:
        raise CommandError("expected --product beside --tonnes")
    if everything:
        act(data, key, {"op": "freeze_all", **request}, json)
        return
    amount = tonnes if product is not None else None if cash == "all" else _fen(cash)
    act(data, key, {"op": "freeze", "product": product, "amount": amount, **request}, json)


def release(
    freeze_id: FreezeId,
    order: Order,
    court: Court,
    data: Data,
    tonnes: TonnesPart = None,
    cash: CashPart = None,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """End a freeze, or take tonnes or cash off what it wants.

    Example: cea-exchange registry release 7 --order "(2026)2" --court "Wuhan Intermediate Court"
    """
    request = {"op": "freeze_release", "freeze_id": freeze_id, "order": order, "court": court}
    act(data, key, request | _part(tonnes, cash), json)


def extend(
    freeze_id: FreezeId,
    order: Order,
    court: Court,
    until: Until,
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Let a freeze hold until a later day.

    Example: cea-exchange registry extend 7 --order "(2027)3" --court "Wuhan Intermediate Court"
    --until 2028-06-30
    """
    request = {"op": "freeze_extend", "freeze_id": freeze_id, "order": order, "court": court}
    act(data, key, {**request, "until": until}, json)


def deduct(
    freeze_id: FreezeId,
    to: Annotated[str, typer.Argument(help="The account that gets it.")],
    order: Order,
    court: Court,
    data: Data,
    tonnes: TonnesPart = None,
    cash: CashPart = None,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Give tonnes or cash that a freeze holds to another account, and publish it.

    Example: cea-exchange registry deduct 7 P002 --tonnes 500 --order "(2026)4"
    --court "Wuhan Intermediate Court"
    """
    if tonnes is None and cash is None:
        raise CommandError("expected --tonnes or --cash")
    request = {"op": "freeze_deduct", "freeze_id": freeze_id, "to": to}
    request |= {"order": order, "court": court}
    act(data, key, request | _part(tonnes, cash), json)


def freezes(
    data: Data,
    account: Annotated[str | None, typer.Option(help="Of this account only.")] = None,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """List freezes, earlier ones first.

    Example: cea-exchange registry freezes --account P001
    """
    request = {"op": "freezes", "account": account}
    look_all(data, key, request, json, "freezes", text=_freezes)


# -- Dispositions --------------------------------------------------------------------------------


def cancel(
    account: Account,
    product: Product,
    tonnes: Tonnes,
    purpose: Annotated[str, typer.Option(help="For whom or what; it is published.")],
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Apply for tonnes to be cancelled for good, voluntarily.

    Example: cea-exchange registry cancel P001 CEA24 100 --purpose "a carbon-neutral fair"
    """
    request = {"op": "cancellation_apply", "account": account, "product": product}
    act(data, key, {**request, "tonnes": tonnes, "purpose": purpose}, json)


def enforce(
    account: Account,
    to: Annotated[str, typer.Argument(help="Who gets them.")],
    product: Product,
    tonnes: Tonnes,
    document: Annotated[str, typer.Option(help="What it rests on; it is not published.")],
    data: Data,
    kind: Annotated[Kind, typer.Option(help="Why they go.")] = Kind.enforcement,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Apply for tonnes to go to an heir, a successor in law or a creditor; two persons do it.

    Example: cea-exchange registry enforce P001 P002 CEA24 100 --document "(2026)5"
    """
    request = {"op": "legal_transfer_apply", "kind": kind.value, "account": account, "to": to}
    act(data, key, {**request, "product": product, "tonnes": tonnes, "document": document}, json)


def approve(
    disposition_id: DispositionId, data: Data, key: Key = ADMIN, json: Json = False
) -> None:
    """Carry out what was applied for, and publish it.

    Example: cea-exchange registry approve-disposition 3
    """
    act(data, key, {"op": "disposition_approve", "disposition_id": disposition_id}, json)


def refuse(
    disposition_id: DispositionId,
    why: Why,
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Turn an application down; the tonnes are free again. Two persons do it.

    Example: cea-exchange registry refuse-disposition 3 --why "no deed"
    """
    request = {"op": "disposition_refuse", "disposition_id": disposition_id}
    act(data, key, {**request, "why": why}, json)


def dispositions(
    data: Data,
    state: Annotated[State | None, typer.Option(help="Only those that are so.")] = None,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """List applications for cancellation, inheritance, succession and enforcement.

    Example: cea-exchange registry dispositions --state applied
    """
    request = {"op": "dispositions", "state": state and state.value}
    look_all(data, key, request, json, "dispositions", text=_dispositions)


def notices(
    data: Data,
    first: Annotated[int, typer.Option(min=1, help="From this number on.")] = 1,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Print the public notices.

    Example: cea-exchange registry notices --json
    """
    request = {"op": "public_notices"}
    look_all(data, key, request, json, "notices", text=_notices, first=first)


# -- In common -----------------------------------------------------------------------------------


def _freezes(answer: Answer) -> str:
    heads = ("id", "account", "asset", "state", "ordered", "released", "in force", "deducted")
    names = ("freeze_id", "account", "asset", "state", "ordered", "released", "in_force")
    names += ("deducted", "until_date", "court", "order_number")
    return rows_table(answer["freezes"], names, (*heads, "until", "court", "order"))


def _dispositions(answer: Answer) -> str:
    heads = ("id", "kind", "account", "to", "product", "tonnes", "state", "certificate")
    names = ("disposition_id", *heads[1:])
    return rows_table(answer["dispositions"], names, heads)


def _notices(answer: Answer) -> str:
    rows = [
        (notice["number"], date_shown(notice["date"]), notice["kind"])
        + (fields_line(notice["content"]),)
        for notice in answer["notices"]
    ]
    return table(("number", "date", "kind", "content"), rows)


def _fen(text: str | None) -> int | None:
    from cea_exchange.domain.units import cash_parse

    try:
        return None if text is None else cash_parse(text)
    except ValueError as error:
        raise CommandError(f"--cash: {error}") from error


def _part(tonnes: int | None, cash: str | None) -> dict[str, Any]:
    """Return an amount's fields of a request; the unit tells a slip from what is meant."""
    if tonnes is not None and cash is not None:
        raise CommandError("expected --tonnes or --cash, not both")
    if cash is not None:
        return {"amount": _fen(cash), "unit": "fen"}
    return {} if tonnes is None else {"amount": tonnes, "unit": "tonnes"}

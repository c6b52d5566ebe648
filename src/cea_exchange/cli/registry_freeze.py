"""`cea-exchange registry freeze`: a part of what an account has, or all of it."""

from typing import Annotated, Any

import typer

from cea_exchange.cli.asking import act
from cea_exchange.cli.errors import CommandError
from cea_exchange.cli.options import ADMIN, Data, Json, Key
from cea_exchange.cli.readable import date_option


def freeze(
    account: Annotated[str, typer.Argument(help="Whose.")],
    order: Annotated[str, typer.Option("--order", help="The court order's number.")],
    court: Annotated[str, typer.Option("--court", help="Whose order it is.")],
    until: Annotated[int, date_option("--until", "The last day")],
    data: Data,
    product: Annotated[str | None, typer.Option(help="Of what; without it cash.")] = None,
    tonnes: Annotated[int | None, typer.Option("--tonnes", help="How many.")] = None,
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


def _fen(text: str | None) -> int | None:
    from cea_exchange.domain.units import cash_parse

    try:
        return None if text is None else cash_parse(text)
    except ValueError as error:
        raise CommandError(f"--cash: {error}") from error

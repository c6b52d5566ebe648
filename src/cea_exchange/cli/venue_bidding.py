"""`cea-exchange venue bidding open`: a floor or a ceiling says who sells and who buys."""

from typing import Annotated

import typer

from cea_exchange.cli.asking import json_print
from cea_exchange.cli.errors import CommandError
from cea_exchange.cli.options import ADMIN, Data, Json, Key, Why
from cea_exchange.cli.readable import price_typed
from cea_exchange.cli.venue_asking import VENUE

Time = Annotated[str | None, typer.Option(help="ISO 8601 with offset.")]
Price = Annotated[
    int | None,
    typer.Option(parser=price_typed, metavar="PRICE", help="Yuan per tonne, such as 87.74."),
]


def open_(
    bidding: Annotated[str, typer.Argument(help="The bidding's name.")],
    account: Annotated[str, typer.Argument(help="Who applied.")],
    product: Annotated[str, typer.Argument(help="Product.")],
    tonnes: Annotated[int, typer.Argument(help="Offered, or with a ceiling wanted.")],
    data: Data,
    floor: Price = None,
    ceiling: Price = None,
    pricing: Annotated[str, typer.Option(help="uniform or pay_as_bid.")] = "uniform",
    opens_at: Time = None,
    closes_at: Time = None,
    reserve: Price = None,
    why: Why = "",
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Announce a bidding of today; its applicant's allowances, or cash, are locked.

    With a floor who applied sells, with a ceiling it buys. The reserve price is told to nobody.

    Example: cea-exchange venue bidding open B1 P001 CEA24 200000 --floor 87.74
    --opens-at 2025-07-16T10:30:00+08:00 --closes-at 2025-07-16T11:00:00+08:00
    """
    if (floor is None) == (ceiling is None):
        raise CommandError("a floor or a ceiling must be given, and not both")
    limit = ceiling if floor is None else floor
    worst = 0 if reserve is None else reserve
    request = {
        "op": "bidding_open",
        "bidding": bidding,
        "account": account,
        "product": product,
        "tonnes": tonnes,
        "limit": limit,
        "pricing": pricing,
        "side": "buy" if floor is None else "sell",
        "opens_at": opens_at,
        "closes_at": closes_at,
        "reserve_price": worst,
        "why": why,
    }
    told = VENUE.ask(data, key, request)
    if json:
        json_print(told)
    else:
        typer.echo(VENUE.done(told))

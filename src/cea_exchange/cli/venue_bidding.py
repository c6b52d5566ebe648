"""`cea-exchange venue bidding`: announce a bidding, close or cancel one, look at today's."""

from typing import Annotated

import typer

from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.errors import CommandError
from cea_exchange.cli.options import ADMIN, Data, Json, Key, Why
from cea_exchange.cli.readable import price_typed
from cea_exchange.cli.venue_asking import act, look, rows_shown

Bidding = Annotated[str, typer.Argument(help="The bidding's name.")]
Time = Annotated[str | None, typer.Option(help="ISO 8601 with offset.")]
Price = Annotated[
    int | None,
    typer.Option(parser=price_typed, metavar="PRICE", help="Yuan per tonne, such as 87.74."),
]


def register(group: typer.Typer) -> None:
    """Add the group to the group `venue`."""
    biddings = CommandLine()
    _add_applications(biddings)
    _add_open(biddings)
    _add_ends(biddings)
    group.add_typer(biddings, name="bidding", help="Single-direction biddings.")


def _add_applications(biddings: typer.Typer) -> None:
    @biddings.command("apply")
    def apply(
        bidding: Bidding,
        account: Annotated[str, typer.Argument(help="Who applies.")],
        product: Annotated[str, typer.Argument(help="Product.")],
        tonnes: Annotated[int, typer.Argument(help="Offered, or wanted.")],
        date: Annotated[str, typer.Argument(help="The session's day, such as 2025-07-16.")],
        data: Data,
        limit: Annotated[str, typer.Option(help="close, or band_end: 10% away.")] = "close",
        side: Annotated[str, typer.Option(help="sell or buy.")] = "sell",
        pricing: Annotated[str, typer.Option(help="uniform or pay_as_bid.")] = "uniform",
        opens_at: Annotated[str | None, typer.Option(help="Such as 10:30.")] = None,
        closes_at: Annotated[str | None, typer.Option(help="Such as 11:00.")] = None,
        why: Why = "",
        key: Key = ADMIN,
        json: Json = False,
    ) -> None:
        """File an application for a bidding on a later day, for who applies.

        Example: cea-exchange venue bidding apply B1 P001 CEA24 200000 2025-07-16
        --opens-at 10:30 --closes-at 11:00
        """
        request = {"op": "bidding_apply", "bidding": bidding, "account": account}
        request |= {"product": product, "tonnes": tonnes, "date": date, "limit": limit}
        request |= {"side": side, "pricing": pricing, "opens_at": opens_at}
        act(data, key, request | {"closes_at": closes_at, "why": why}, json)

    @biddings.command("review")
    def review(
        bidding: Bidding,
        data: Data,
        approve: Annotated[bool, typer.Option("--approve/--refuse", help="The decision.")],
        why: Why = "",
        key: Key = ADMIN,
        json: Json = False,
    ) -> None:
        """Approve an application, or refuse it with a reason.

        Example: cea-exchange venue bidding review B1 --refuse --why "holdings"
        """
        request = {"op": "bidding_review", "bidding": bidding, "approve": approve, "why": why}
        act(data, key, request, json)

    @biddings.command("withdraw")
    def withdraw(
        bidding: Bidding, data: Data, why: Why, key: Key = ADMIN, json: Json = False
    ) -> None:
        """Take an application back, for who applied.

        Example: cea-exchange venue bidding withdraw B1 --why "on request"
        """
        act(data, key, {"op": "bidding_withdraw", "bidding": bidding, "why": why}, json)

    @biddings.command("applications")
    def applications(data: Data, key: Key = ADMIN, json: Json = False) -> None:
        """Print all applications, and until when to review them.

        Example: cea-exchange venue bidding applications --key rex
        """
        look(data, key, {"op": "bidding_applications"}, json, rows_shown("applications", "none"))


def _add_open(biddings: typer.Typer) -> None:
    @biddings.command("open")
    def open_(
        bidding: Bidding,
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
        act(data, key, request, json)


def _add_ends(biddings: typer.Typer) -> None:
    @biddings.command("list")
    def list_(data: Data, key: Key = ADMIN, json: Json = False) -> None:
        """Print today's biddings and their results; bids are sealed.

        Example: cea-exchange venue bidding list --key rex
        """
        look(data, key, {"op": "biddings"}, json, rows_shown("biddings", "none"))

    @biddings.command("close")
    def close(
        bidding: Bidding, data: Data, why: Why = "", key: Key = ADMIN, json: Json = False
    ) -> None:
        """Award an open bidding now.

        Example: cea-exchange venue bidding close B1
        """
        act(data, key, {"op": "bidding_close", "bidding": bidding, "why": why}, json)

    @biddings.command("cancel")
    def cancel(
        bidding: Bidding, data: Data, why: Why, key: Key = ADMIN, json: Json = False
    ) -> None:
        """End a bidding without an award; its bids are cancelled.

        Example: cea-exchange venue bidding cancel B1 --why "seller in default"
        """
        act(data, key, {"op": "bidding_cancel", "bidding": bidding, "why": why}, json)

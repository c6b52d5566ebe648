"""`cea-exchange auction`: who wins an auction, from a file of bids."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from cea_exchange.cli.errors import CommandError, bad_input
from cea_exchange.cli.options import PlainJson
from cea_exchange.cli.output import json_print
from cea_exchange.matching.auction import AuctionResult, bids_parse, clear_auction
from cea_exchange.user_files.formats import FormatError
from cea_exchange.user_files.opening import lines_read, standard_input, stream_lines

ROW = "{:<20} {:<12} {:>10} {:>14} {:>14} {:>10}"


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("auction")(auction)


def auction(
    file: Annotated[
        Path,
        typer.Argument(
            allow_dash=True,
            help="Bids in order of time, CSV: account,price,tonnes[,group]; no price: "
            "non-competitive. - is standard input.",
        ),
    ],
    tonnes: Annotated[int, typer.Option(help="For sale; with --side buy, wanted.")],
    side: Annotated[str, typer.Option(help="What the applicant does: sell or buy.")] = "sell",
    pricing: Annotated[str, typer.Option(help="uniform or pay_as_bid.")] = "uniform",
    tie: Annotated[str, typer.Option(help="time, random (by --seed) or pro_rata.")] = "time",
    seed: Annotated[int, typer.Option(help="What lots are drawn from.")] = 0,
    undersubscription: Annotated[
        str, typer.Option(help="Too few bids: award_all or cancel.")
    ] = "award_all",
    minimum: Annotated[int, typer.Option(help="Tonnes; smaller bids don't count.")] = 0,
    reserve: Annotated[
        str | None, typer.Option(help="The worst price taken, yuan with two decimals.")
    ] = None,
    reserve_rule: Annotated[
        str, typer.Option(help="exclude worse bids, or cancel at a worse clearing price.")
    ] = "exclude",
    bidder_cap_bp: Annotated[
        int, typer.Option(help="Most one account wins, basis points of --tonnes; 0: no cap.")
    ] = 0,
    group_cap_bp: Annotated[int, typer.Option(help="The same for a group.")] = 0,
    noncompetitive_max_bp: Annotated[
        int, typer.Option(help="Most that non-competitive bids win together.")
    ] = 0,
    json: PlainJson = False,
) -> None:
    """Award an auction and print what each bid wins and pays."""
    with bad_input(FormatError, says=f"{file}:"):
        bids = bids_parse(_lines(file))
    try:
        result = clear_auction(
            bids,
            tonnes,
            side=side,
            pricing=pricing,
            tie=tie,
            tie_seed=seed,
            undersubscription=undersubscription,
            bid_tonnes_min=minimum,
            reserve_price=reserve,
            reserve_rule=reserve_rule,
            bidder_cap_bp=bidder_cap_bp,
            group_cap_bp=group_cap_bp,
            noncompetitive_max_bp=noncompetitive_max_bp,
        )
    except ValueError as error:
        place = f"{file}: " if str(error).startswith("bids[") else ""
        raise CommandError(f"{place}{error}") from error
    if json:
        json_print(_content(result))
    else:
        _show(result)


def _lines(file: Path) -> Iterator[str]:
    if str(file) == "-":
        return stream_lines(standard_input("bids"), "<stdin>", "bids")
    return lines_read(file, "bids")


def _content(result: AuctionResult) -> dict[str, object]:
    content = result._asdict()
    content["bids"] = [bid._asdict() for bid in result.bids]
    return content


def _show(result: AuctionResult) -> None:
    typer.echo(ROW.format("account", "group", "price", "tonnes", "won", "pays").rstrip())
    for bid in result.bids:
        row = (bid.account, bid.group or "", bid.price or "any", bid.tonnes, bid.won)
        typer.echo(ROW.format(*row, bid.pays or "").rstrip())
    if result.cancelled:
        typer.echo(f"cancelled                  {result.cancelled}")
        return
    typer.echo(f"clearing price             {result.clearing_price or 'none'}")
    typer.echo(f"tonnes awarded             {result.tonnes}")
    typer.echo(f"amount, yuan               {result.amount}")

"""`cea-exchange replay-auctions`: published auctions, cleared anew from bids with their figures."""

from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median, quantiles
from typing import Annotated, Any

import typer

from cea_exchange.cli.errors import CheckFailed, bad_input
from cea_exchange.cli.output import json_print
from cea_exchange.domain.units import price_format
from cea_exchange.loadtest.auctions import (
    AuctionError,
    Cleared,
    ReadingNotes,
    Unpriced,
    clear,
    results_read,
)

QUANTILES = {"5%": 4, "25%": 24, "50%": 49, "75%": 74, "95%": 94}
"""Which of the 99 percentiles each is."""
WITHIN_PERCENT = (0.5, 1, 2, 5)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("replay-auctions")(replay_auctions)


def replay_auctions(
    file: Annotated[
        Path, typer.Argument(help="Results of auctions, CSV: protocol/auctions.md says which.")
    ],
    seed: Annotated[int, typer.Option(help="Decides the bids that are made up.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, with every auction.")] = False,
) -> None:
    """Clear each auction of bids with its published figures; compare the prices.

    Exit status 1 where an award isn't the one found by trying every price.
    """
    from cea_exchange.cli.flows.flow_files import progress

    auctions: list[Cleared] = []
    notes = ReadingNotes()
    with bad_input(AuctionError):
        results = results_read(file, notes)
        with progress("clearing", len(results)) as show_position:
            for result in results:
                try:
                    auctions.append(clear(result, seed))
                except AuctionError as error:
                    raise AuctionError(f"{file}:{result.line}: {error}") from error
                show_position(len(auctions))
    warning = notes.cells.warning(file)
    if warning is not None:
        typer.echo(warning, err=True)
    _show(_summary(auctions, notes), auctions, notes.unpriced, json)
    for auction in auctions:
        if auction.fault is not None:
            raise CheckFailed(f"{file}:{auction.result.line}: {auction.fault}")


def _summary(auctions: Sequence[Cleared], notes: ReadingNotes) -> dict[str, Any]:
    compared = [auction for auction in auctions if auction.clearing_price is not None]
    cents = [auction.clearing_price - auction.result.clearing_price for auction in compared]
    percent = [
        100 * difference / auction.result.clearing_price
        for difference, auction in zip(cents, compared, strict=True)
    ]
    return {
        "auctions": len(auctions),
        "offered_tonnes": sum(auction.result.offered_tonnes for auction in auctions),
        "equal_to_brute_force": sum(auction.fault is None for auction in auctions),
        "cancelled": len(auctions) - len(compared),
        "without_price": len(notes.unpriced),
        "cells_mended": notes.cells.count,
        "price_equal": sum(difference == 0 for difference in cents),
        "within_percent": {
            str(most): sum(abs(each) <= most for each in percent) for most in WITHIN_PERCENT
        },
        "difference_cents": _spread(cents),
        "difference_percent": _spread(percent),
    }


def _spread(numbers: Sequence[float]) -> dict[str, float]:
    """Least, percentiles, greatest, and mean and median of the sizes."""
    if not numbers:
        return {}
    # One number has no percentiles of its own.
    cuts = quantiles(numbers, n=100, method="inclusive") if len(numbers) > 1 else [numbers[0]] * 99
    sizes = [abs(number) for number in numbers]
    spread = {"least": min(numbers)}
    spread |= {name: cuts[place] for name, place in QUANTILES.items()}
    spread |= {"most": max(numbers), "mean": mean(numbers)}
    spread |= {"mean size": mean(sizes), "median size": median(sizes)}
    return {name: round(number, 3) for name, number in spread.items()}


def _show(
    summary: dict[str, Any],
    auctions: Sequence[Cleared],
    unpriced: Sequence[Unpriced],
    json: bool,
) -> None:
    if json:
        rows = [
            {
                "line": auction.result.line,
                "date": auction.result.date,
                "auction": auction.result.auction,
                "published": price_format(auction.result.clearing_price),
                "cleared": None
                if auction.clearing_price is None
                else price_format(auction.clearing_price),
                "fault": auction.fault,
            }
            for auction in auctions
        ]
        passed = [auction._asdict() for auction in unpriced]
        content = summary | {"results": rows, "passed_over": passed}
        json_print(content)
        return
    count = summary["auctions"]
    typer.echo(f"auctions                   {count}, {summary['offered_tonnes']} t offered")
    typer.echo(f"equal to brute force       {summary['equal_to_brute_force']} of {count}")
    typer.echo(f"cancelled, short of bids   {summary['cancelled']}")
    typer.echo(f"without a price            {summary['without_price']}, passed over")
    typer.echo(f"published price met        {summary['price_equal']} to the cent")
    for most, within in summary["within_percent"].items():
        typer.echo(f"  within {most + '%':<18} {within}")
    typer.echo("cleared less published         cents   percent")
    for name, cents in summary["difference_cents"].items():
        percent = summary["difference_percent"][name]
        typer.echo(f"  {name:<22} {cents:>10.2f} {percent:>9.2f}")

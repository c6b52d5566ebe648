"""`cea-exchange adjustment`: triggers of market adjustment, auctions by an authority's terms."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.errors import CommandError, bad_input
from cea_exchange.cli.options import Archive, PlainJson
from cea_exchange.cli.output import json_print
from cea_exchange.domain.calendar import date_parse
from cea_exchange.domain.units import price_format, price_parse
from cea_exchange.user_files.formats import FormatError, json_read
from cea_exchange.user_files.opening import lines_read

if TYPE_CHECKING:
    from cea_exchange.adjustment.days import Day
    from cea_exchange.adjustment.report import Done, Report

Source = Annotated[
    Path,
    typer.Argument(help="A venue's data folder, or CSV: date,last_close,close,tonnes,amount."),
]
Product = Annotated[str | None, typer.Option(help="Of a venue's folder: which product.")]
TriggerFile = Annotated[
    Path | None, typer.Option("--triggers", help="Triggers (TOML), if not as packaged.")
]
Terms = Annotated[str, typer.Argument(help="Terms by name, as `adjustment auctions` lists them.")]


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    group = CommandLine()
    group.command("triggers")(triggers)
    group.command("report")(report)
    group.command("auctions")(auctions)
    group.command("auction")(auction)
    app.add_typer(
        group,
        name="adjustment",
        help="Market adjustment: triggers, what was done, auctions by an authority's terms.",
    )


def triggers(file: TriggerFile = None, json: PlainJson = False) -> None:
    """Print the triggers, each with its rule, source and how sure it is.

    Example: cea-exchange adjustment triggers
    """
    from cea_exchange.adjustment.triggers import triggers_read

    with bad_input(OSError, ValueError):
        found = triggers_read(file)
    if json:
        json_print(found)
        return
    for name, trigger in found.items():
        does = " or ".join(filter(None, (trigger.above, trigger.below)))
        mark = f"{trigger.rule}  {trigger.confidence:<2}  {trigger.source}"
        typer.echo(f"{name:<20} {does:<18} {mark}")


def report(
    source: Source,
    product: Product = None,
    day: Annotated[str | None, typer.Option("--date", help="That day alone.")] = None,
    year: Annotated[int | None, typer.Option(help="That year; else all days there are.")] = None,
    file: TriggerFile = None,
    facts: Annotated[
        Path | None, typer.Option(help="What the market does not say (JSON), see adjustment.md.")
    ] = None,
    archive: Archive = None,
    json: PlainJson = False,
) -> None:
    """Say where each trigger stood, and what the authority did. Changes nothing.

    Example: cea-exchange adjustment report data --product CEA24 --year 2025
    """
    from cea_exchange.adjustment.report import report_of
    from cea_exchange.adjustment.triggers import Facts, triggers_read
    from cea_exchange.journal import JournalError

    with bad_input(OSError, ValueError, JournalError):
        days = _days(source, product)
        if not days:
            raise CommandError(f"{source}: expected a day, got none of {product}")
        first, last = days[0].date, days[-1].date
        if year is not None:
            first, last = date(year, 1, 1), date(year, 12, 31)
        if day is not None:
            first = last = date_parse(day)
        known = json_read(facts, "facts", Facts) if facts else None
        acts = list(_acts(source, archive)) if source.is_dir() else []
        span = {"first": first, "last": last}
        found = report_of(triggers_read(file), days, acts, facts=known, **span)
    if json:
        json_print(found)
    else:
        _report_show(found)


def _days(source: Path, product: str | None) -> "list[Day]":
    from cea_exchange.adjustment.days import days_published

    if not source.is_dir():
        return _days_of_file(source)
    if product is None:
        raise CommandError("--product: expected the product whose days are looked at, got none")
    return days_published(source, product)


def _days_of_file(file: Path) -> "list[Day]":
    from cea_exchange.adjustment.days import days_parse

    with bad_input(FormatError, says=f"{file}:"):
        return days_parse(lines_read(file, "days"))


def _acts(data: Path, archive: Path | None) -> "Iterator[Done]":
    """Yield what the journal has of the authority's acts."""
    from cea_exchange.adjustment.report import Done
    from cea_exchange.venue.operations.act_log import acts_read

    for act in acts_read(data, archive):
        if act.what in ("adjustment_account_named", "market_adjusted", "adjustment_ended"):
            yield Done(
                day=date_parse(act.at[:10]),
                what=act.what,
                by=act.by,
                second=act.second,
                why=act.why,
                fields=act.fields,
            )


def _report_show(report: "Report") -> None:
    typer.echo(f"from {report.first} to {report.last}")
    for each in report.standings:
        floor = f", floor {price_format(each.floor)}" if each.floor else ""
        typer.echo(f"  {each.day}  {each.trigger:<20} {each.stands or '-':<9} {each.said}{floor}")
    for act in report.acts:
        said = " ".join(f"{name}={value}" for name, value in act.fields.items())
        typer.echo(f"  {act.day}  {act.what} {said}, {act.by} and {act.second}: {act.why}")
    for act in report.unfounded:
        number = act.fields.get("adjustment")
        typer.echo(f"  {act.day}  act {number}: its trigger {act.trigger} did not stand")


def auctions(json: PlainJson = False) -> None:
    """Print the terms of auctions and releases that are known.

    Example: cea-exchange adjustment auctions
    """
    from cea_exchange.adjustment.auction_terms import terms_read

    found = terms_read()
    if json:
        json_print(found)
        return
    for name, terms in found.items():
        offered = f"{terms.tonnes} t" if terms.tonnes else "tonnes by notice"
        who = ", ".join(terms.bidders)
        mark = f"{terms.rule}  {terms.confidence:<2}  {terms.source}"
        typer.echo(f"{name:<18} {offered:<18} {who:<18} {mark}")


def auction(
    terms: Terms,
    bids: Annotated[
        Path, typer.Argument(help="CSV in order of time: account,class,price,tonnes,emissions.")
    ],
    tonnes: Annotated[int | None, typer.Option(help="What is offered, if the terms don't say.")] = (
        None
    ),
    floor: Annotated[str | None, typer.Option(help="Yuan; left out, none.")] = None,
    json: PlainJson = False,
) -> None:
    """Award an auction by its terms: which bids count, who wins, and at which price.

    Example: cea-exchange adjustment auction beijing_2024_09 bids.csv --floor 90.00
    """
    from cea_exchange.adjustment.auction_terms import awarded, bids_parse, terms_read

    known = terms_read()
    if terms not in known:
        raise CommandError(f"terms: expected one of {', '.join(known)}, got {terms}")
    offered = tonnes or known[terms].tonnes
    if offered is None:
        raise CommandError(f"--tonnes: expected what is offered, {terms} does not say")
    with bad_input(FormatError, says=f"{bids}:"):
        parsed = bids_parse(lines_read(bids, "bids"))
    with bad_input(ValueError):
        least = None if floor is None else price_parse(floor)
        found = awarded(known[terms], offered, least, parsed)
    if json:
        json_print(found)
        return
    for place, why in found.refused.items():
        typer.echo(f"bid {place + 1} of {parsed[place].account} does not count: {why}")
    if found.result is None:
        typer.echo(f"postponed: expected {known[terms].bidders_min} bidders or more")
        return
    for bid in found.result.bids:
        typer.echo(f"{bid.account:<20} {bid.price:>10} {bid.tonnes:>10} won {bid.won:>10}")
    typer.echo(f"clearing price {found.result.clearing_price or 'none'}")
    typer.echo(f"tonnes {found.result.tonnes}, amount {found.result.amount}")

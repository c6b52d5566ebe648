"""`cea-exchange calendar`: the trading calendar and how far it reaches."""

from datetime import datetime
from typing import Annotated

import typer

from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.errors import CheckFailed, bad_input
from cea_exchange.cli.options import PlainJson
from cea_exchange.cli.output import json_print
from cea_exchange.domain.calendar import CalendarError, TradingCalendar, date_parse
from cea_exchange.domain.timetable import SHANGHAI


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    group = CommandLine()
    # A callback keeps `check` a subcommand while it is the only one.
    group.callback()(_group)
    group.command("check")(check)
    app.add_typer(group, name="calendar", help="The trading calendar.")


def _group() -> None:
    """The trading calendar."""


def check(
    calendar: Annotated[str, typer.Argument(help="A calendar's name, or a file.")] = "cn_carbon",
    today: Annotated[str, typer.Option(help="Seen from this date, by default today's.")] = "",
    json: PlainJson = False,
) -> None:
    """Read a calendar; exit status 1 if it has ended."""
    with bad_input(CalendarError, ValueError):
        loaded = TradingCalendar.load(calendar)
        day = date_parse(today) if today else datetime.now(SHANGHAI).date()
    summary = loaded.summary(day)
    if json:
        json_print(summary)
    else:
        typer.echo(f"{summary.name}: {summary.first} to {summary.last}")
        for year, count in summary.trading_days.items():
            typer.echo(f"  {year}  {count:>3} trading days")
        typer.echo(f"  {summary.closures} closures on weekdays")
        if summary.warning:
            typer.echo(f"  warning: {summary.warning}")
    if day > loaded.last:
        raise CheckFailed(summary.warning or f"calendar {summary.name} ended on {summary.last}")

"""`cea-exchange replay-days`: published daily statistics, traded and settled by this market."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cea_exchange.cli.errors import (
    CheckFailed,
    bad_input,
    check_failed,
    file_used,
    files_differ,
)
from cea_exchange.cli.flows.flow_files import folder_new, profile_given, progress
from cea_exchange.cli.language import said, say, word
from cea_exchange.cli.options import MarketProfile, PlainJson
from cea_exchange.cli.output import reconciled
from cea_exchange.daily_replay.chart import chart
from cea_exchange.daily_replay.comparison import FIGURES, METHODS, PRICES, Cause
from cea_exchange.daily_replay.local_market import ReplayFailed
from cea_exchange.daily_replay.participants import ACCOUNTS_MIN
from cea_exchange.daily_replay.replay import DayResult, ReplayReport, ReplaySettings, replay_days
from cea_exchange.domain.calendar import date_parse
from cea_exchange.domain.documents.bulletin_forms import bulletin_text, bulletins_csv
from cea_exchange.domain.reference_prices import (
    DailyFigures,
    close_before,
    first_reference_parse,
    load_daily,
)
from cea_exchange.domain.spreadsheet import CellsMended
from cea_exchange.domain.units import cash_format, price_format
from cea_exchange.plots.figures import PlotsMissing

OUT = Path("replay-days")
DAYS_FILE, REPORT_FILE, CHART_FILE = "days.csv", "report.json", "days.png"
BULLETINS_CSV, BULLETINS_TEXT = "bulletins.csv", "bulletins.txt"
OUT_FILES = (DAYS_FILE, REPORT_FILE, CHART_FILE, BULLETINS_CSV, BULLETINS_TEXT)
WIDTH_MIN = 120


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("replay-days")(replay)


def replay(
    file: Annotated[Path, typer.Argument(help="Daily statistics, CSV; protocol/daily_replay.md.")],
    first_reference: Annotated[
        str | None,
        typer.Option(
            help="Yuan: the first day's bands follow it; by default the close before, or its open."
        ),
    ] = None,
    first_day: Annotated[
        str | None, typer.Option("--from", help="First day, as 2024-01-02.")
    ] = None,
    last_day: Annotated[str | None, typer.Option("--to", help="Last day.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="So many days at most.")] = None,
    accounts: Annotated[int, typer.Option(min=ACCOUNTS_MIN, max=999, help="Participants.")] = 60,
    seed: Annotated[int, typer.Option(help="Decides who trades with whom.")] = 20210716,
    profile: MarketProfile = "cea",
    out: Annotated[Path, typer.Option(help="Folder for table, report and plot.")] = OUT,
    data: Annotated[
        Path | None, typer.Option(help="New folder in which the registry is kept.")
    ] = None,
    as_json: PlainJson = False,
) -> None:
    """Trade and settle published days, and compare ours with them.

    Exit status 1 where something is not conserved or settled, or differs without a cause.
    """
    files_differ((file,), (out / name for name in OUT_FILES))
    with check_failed(ReplayFailed), file_used(out), bad_input(ValueError):
        days, close = _days(file, first_day, last_day, limit)
        settings = ReplaySettings(
            first_reference=_first_reference(first_reference) or close,
            accounts=accounts,
            seed=seed,
            profile=profile_given(profile),
        )
        out.mkdir(parents=True, exist_ok=True)
        with folder_new(data, "days") as folder, progress("replaying days", len(days)) as show_day:
            report = replay_days(days, settings, folder, show_day)
        _days_write(report, out / DAYS_FILE)
        _bulletins_write(report, out)
        content = _content(report)
        (out / REPORT_FILE).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(content, indent=2))
    else:
        _print(report)
    _chart_write(report, out)
    _explained_check(report)


def _first_reference(text: str | None) -> int | None:
    return None if text is None else first_reference_parse(text)


def _days(
    file: Path, first_day: str | None, last_day: str | None, limit: int | None
) -> tuple[list[DailyFigures], int | None]:
    """Return the chosen days, and the close before the first of them if the file has it."""
    first = None if first_day is None else date_parse(first_day)
    last = None if last_day is None else date_parse(last_day)
    cells = CellsMended()
    every = load_daily(file, cells)
    days = [
        day
        for day in every
        if (first is None or day.trading_date >= first)
        and (last is None or day.trading_date <= last)
    ]
    if not days:
        raise ValueError(f"{file}: expected at least one trading day, there is none of those")
    warning = cells.warning(file)
    if warning is not None:
        typer.echo(warning, err=True)
    begin = days[0].trading_date
    has_before = begin > every[0].trading_date
    return days[:limit], close_before(every, begin) if has_before else None


def _explained_check(report: ReplayReport) -> None:
    unexplained = report.unexplained()
    if unexplained:
        day, first = unexplained[0]
        raise CheckFailed(
            f"{len(unexplained)} differences have no cause, the first on {day}: {first.figure}"
            f": expected {first.published}, got {first.ours}"
        )


# -- Files -----------------------------------------------------------------------------------------


def _days_write(report: ReplayReport, path: Path) -> None:
    """Write our figures beside the published ones, and why they differ, a row a day."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        columns = [f"{figure}_{of}" for figure in FIGURES for of in ("published", "ours", "cause")]
        writer.writerow(["date", *columns])
        for day in report.days:
            writer.writerow([day.published.trading_date.isoformat(), *_cells(day)])


def _bulletins_write(report: ReplayReport, out: Path) -> None:
    """Write our bulletins in the exchange's own layout: for programs, and for people."""
    (out / BULLETINS_CSV).write_text(bulletins_csv(report.bulletins), encoding="utf-8")
    text = "\n".join(map(bulletin_text, report.bulletins))
    (out / BULLETINS_TEXT).write_text(text, encoding="utf-8")


def _cells(day: DayResult) -> Iterator[str]:
    causes = {each.figure: each.cause for each in day.differences}
    for figure in FIGURES:
        yield _text(figure, getattr(day.published, figure))
        yield _text(figure, getattr(day.ours, figure))
        cause = causes.get(figure)
        yield "" if cause is None else cause.name


def _text(figure: str, value: int) -> str:
    """Write a figure in its unit; a price of none is empty."""
    if figure in PRICES:
        return price_format(value) if value else ""
    return cash_format(value) if figure.endswith("amount") else str(value)


def _chart_write(report: ReplayReport, out: Path) -> None:
    try:
        chart(report, out / CHART_FILE)
    except PlotsMissing as error:
        typer.echo(f"no plot: it {error}", err=True)
        return
    typer.echo(say("plot of price and volume: {file}", file=out / CHART_FILE), err=True)


# -- What came of it -------------------------------------------------------------------------------


def _content(report: ReplayReport) -> dict[str, Any]:
    first, last = (report.days[place].published.trading_date.isoformat() for place in (0, -1))
    return {
        "days": len(report.days),
        "first_day": first,
        "last_day": last,
        "first_reference": price_format(report.first_reference),
        "accounts": report.accounts,
        "tonnes_each": report.endowment.tonnes,
        "cash_each": cash_format(report.endowment.cash),
        "figures": {figure: _figure_content(report, figure) for figure in FIGURES},
        "causes": {cause.name: cause.value for cause in Cause},
        "unexplained": [
            {"date": day.isoformat(), **each._asdict()} for day, each in report.unexplained()
        ],
        "years": [_year_content(report, year) for year in _years(report)],
        "trades_settled": report.trades,
        "conserved": report.ledger.agrees,
        "settlement_seq": report.ledger.checkpoint_seq,
        "venue_hash": report.ledger.venue_hash,
        "registry_hash": report.ledger.registry_hash,
        "elapsed_s": round(report.elapsed_s, 3),
    }


def _figure_content(report: ReplayReport, figure: str) -> dict[str, Any]:
    causes = {"unexplained" if c is None else c.name: n for c, n in report.causes(figure).items()}
    return {"compared": report.compared(figure), "equal": report.equal(figure), "unequal": causes}


def _years(report: ReplayReport) -> list[int]:
    return sorted({day.published.trading_date.year for day in report.days})


def _year_content(report: ReplayReport, year: int) -> dict[str, Any]:
    days = [day for day in report.days if day.published.trading_date.year == year]
    unequal = [day for day in days if "close" in {each.figure for each in day.differences}]
    content: dict[str, Any] = {
        "year": year,
        "days": len(days),
        "closes_equal": len(days) - len(unequal),
        "last_close": price_format(days[-1].ours.close),
        "last_close_published": price_format(days[-1].published.close),
    }
    for method in METHODS:
        content[f"{method}_volume"] = sum(getattr(day.ours, f"{method}_volume") for day in days)
    return content


def _print(report: ReplayReport) -> None:
    content = _content(report)
    console = Console(highlight=False)
    console.width = max(console.width, WIDTH_MIN)
    console.print(
        say("{days} trading days, {first} to {last}; first reference price {price} yuan/t;"
            " {accounts} accounts, each with {tonnes:,} t and {cash} yuan to begin with",
            days=content["days"], first=content["first_day"], last=content["last_day"],
            price=content["first_reference"], accounts=report.accounts,
            tonnes=report.endowment.tonnes, cash=content["cash_each"])
    )
    console.print(_figures_table(content))
    console.print(_causes_table(report))
    console.print(_years_table(content))
    console.print(
        say("{trades:,} trades settled, every one; after each day market and registry held"
            " {tonnes:,} t and {cash} yuan, as in the beginning", trades=report.trades,
            tonnes=report.accounts * report.endowment.tonnes,
            cash=cash_format(report.accounts * report.endowment.cash))
    )
    console.print(f"{reconciled(report.ledger)}; {report.elapsed_s:.1f} s")


def _figures_table(content: dict[str, Any]) -> Table:
    table = Table(title=said("Our bulletins beside the published ones"), title_justify="left")
    table.add_column(said("figure"))
    for name in ("days published", "equal", "explained", "unexplained"):
        table.add_column(said(name), justify="right")
    for figure, found in content["figures"].items():
        unexplained = found["unequal"].get("unexplained", 0)
        explained = found["compared"] - found["equal"] - unexplained
        counts = (found["compared"], found["equal"], explained, unexplained)
        table.add_row(word(figure).replace("_", " "), *map(str, counts))
    return table


def _causes_table(report: ReplayReport) -> Table:
    table = Table(title=said("Why figures are not as published"), title_justify="left")
    table.add_column(said("figure"))
    table.add_column(said("days"), justify="right")
    table.add_column(said("first"), no_wrap=True)
    table.add_column(said("because"))
    for figure in FIGURES:
        for cause, count in report.causes(figure).most_common():
            why = said("unexplained" if cause is None else cause.value)
            first = report.first_day(figure, cause).isoformat()
            table.add_row(word(figure).replace("_", " "), str(count), first, why)
    return table


def _years_table(content: dict[str, Any]) -> Table:
    table = Table(title=said("By year"), title_justify="left")
    names = ("year", "days", "closes equal", "listed t", "block t", "bidding t")
    for name in (*names, "final close", "as published"):
        table.add_column(said(name), justify="right")
    for year in content["years"]:
        volumes = (f"{year[f'{method}_volume']:,}" for method in METHODS)
        table.add_row(
            *(str(year[name]) for name in ("year", "days", "closes_equal")),
            *volumes,
            year["last_close"],
            year["last_close_published"],
        )
    return table

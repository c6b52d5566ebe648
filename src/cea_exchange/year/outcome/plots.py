"""The plots of a year, as SVG to stand in a page."""

import csv
import io
from collections.abc import Callable, Sequence
from datetime import date
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from cea_exchange.domain.calendar import date_of_number
from cea_exchange.domain.documents.bulletin import Bulletin
from cea_exchange.year.outcome.tables import FOLDER

METHOD_COLOURS = {"listed": "tab:blue", "block": "tab:gray", "bidding": "tab:orange"}
SECTORS = ("power", "steel", "cement", "aluminium")
SHORTEST = 20
"""So many of those that lack most are named."""
MILLION = 1e6


class PlotsMissing(Exception):
    """matplotlib is not installed."""


class Plot(NamedTuple):
    """A plot with its title."""

    title: str
    svg: str


def plots(folder: Path, bulletins: Sequence[Bulletin]) -> list[Plot]:
    """Return the plots of a year, from its tables and bulletins.

    Raises
    ------
    PlotsMissing
        Without matplotlib.
    """
    drawn: tuple[tuple[str, Callable[[Any], None]], ...] = (
        ("Price and volume by day and method", lambda figure: _days(figure, bulletins)),
        ("Allowances by sector", lambda figure: _sectors(figure, folder)),
        ("Who is short of its allocation", lambda figure: _short(figure, folder)),
        ("Surrender toward the deadline", lambda figure: _surrender(figure, folder)),
        ("Concentration of trading", lambda figure: _concentration(figure, folder)),
    )
    return [Plot(title, svg(title, draw)) for title, draw in drawn]


def svg(
    title: str, draw: Callable[[Any], None], inches: tuple[float, float] = (10, 4.6)
) -> str:
    """Return what is drawn on a figure, as SVG to stand in a page: the same bytes every time.

    Raises
    ------
    PlotsMissing
        Without matplotlib.
    """
    try:
        import matplotlib
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PlotsMissing("needs matplotlib: pip install 'cea-exchange[plots]'") from error
    # The same drawing every time: names within it come from its title, and it has no date.
    with matplotlib.rc_context({"svg.hashsalt": title, "svg.fonttype": "none"}):
        figure = Figure(figsize=inches, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        text = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(text, format="svg", metadata=nothing)
    # What comes before is for a file of its own.
    return text.getvalue()[text.getvalue().index("<svg") :]


def rows_of(folder: Path, table: str) -> list[dict[str, str]]:
    """Return the rows of a table."""
    with (folder / FOLDER / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _days(figure: Any, bulletins: Sequence[Bulletin]) -> None:
    prices, volumes = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    days = [date_of_number(bulletin.trading_date) for bulletin in bulletins]
    composites = [bulletin.composite for bulletin in bulletins]
    ranges = [(quote.low or quote.close, quote.high or quote.close) for quote in composites]
    low, high = ([price / 100 for price in ends] for ends in zip(*ranges, strict=True))
    prices.fill_between(days, low, high, color="tab:blue", alpha=0.25, label="low to high")
    closes = [quote.close / 100 for quote in composites]
    prices.plot(days, closes, color="black", linewidth=0.9, label="close")
    prices.set(ylabel="yuan/t")
    below = [0.0] * len(days)
    for method, colour in METHOD_COLOURS.items():
        made = [getattr(quote.day, method).volume / MILLION for quote in composites]
        if any(made):
            volumes.bar(days, made, bottom=below, width=1, label=method, color=colour)
            below = [sum(pair) for pair in zip(below, made, strict=True)]
    volumes.set(ylabel="million t a day")
    for axes in (prices, volumes):
        axes.grid(alpha=0.3)
        axes.legend(loc="upper left")


def _sectors(figure: Any, folder: Path) -> None:
    axes = figure.subplots()
    sector_of = {row["entity"].split()[-1]: row["sector"] for row in rows_of(folder, "entities")}
    sums = {name: dict.fromkeys(SECTORS, 0) for name in ("allocated", "due", "surrendered")}
    for row in rows_of(folder, "allocations"):
        sums["allocated"][sector_of[row["enterprise"]]] += int(row["tonnes"])
    for row in rows_of(folder, "entities"):
        sums["due"][row["sector"]] += int(row["due_tonnes"])
        covered = int(row["surrendered_tonnes"]) + int(row["offset_tonnes"])
        sums["surrendered"][row["sector"]] += covered
    for number, (name, by_sector) in enumerate(sums.items()):
        places = [place + 0.27 * (number - 1) for place in range(len(SECTORS))]
        axes.bar(places, [by_sector[s] / MILLION for s in SECTORS], width=0.25, label=name)
    axes.set_xticks(range(len(SECTORS)), SECTORS)
    axes.set(ylabel="million t", yscale="log")
    axes.grid(alpha=0.3, axis="y")
    axes.legend()


def _short(figure: Any, folder: Path) -> None:
    named, spread = figure.subplots(1, 2, width_ratios=(2, 1))
    lacks = sorted(
        (int(row["due_tonnes"]) - int(row["tonnes"]), row["enterprise"])
        for row in rows_of(folder, "allocations")
    )
    most = [each for each in lacks[: -SHORTEST - 1 : -1] if each[0] > 0]
    named.bar([name for _, name in most], [tonnes / 1_000 for tonnes, _ in most], color="tab:red")
    named.tick_params(axis="x", labelrotation=90)
    named.set(ylabel="1,000 t lacking", title=f"the {len(most)} that lack most")
    counts = [sum(tonnes > 0 for tonnes, _ in lacks), sum(tonnes < 0 for tonnes, _ in lacks)]
    counts.append(len(lacks) - sum(counts))
    spread.bar(("short", "long", "neither"), counts, color=("tab:red", "tab:green", "tab:gray"))
    spread.set(title="entities")
    for axes in (named, spread):
        axes.grid(alpha=0.3, axis="y")


def _surrender(figure: Any, folder: Path) -> None:
    axes = figure.subplots()
    due = sum(int(row["due_tonnes"]) for row in rows_of(folder, "entities"))
    by_day: dict[date, int] = {}
    for row in rows_of(folder, "surrender"):
        day = date_of_number(int(row["applied_on"]))
        by_day[day] = by_day.get(day, 0) + int(row["tonnes"])
    days = sorted(by_day)
    sums = accumulate(by_day[day] for day in days)
    axes.step(days, [100 * tonnes / due for tonnes in sums], where="post")
    axes.set(ylabel="% of what is due", ylim=(0, 102))
    axes.grid(alpha=0.3)


def _concentration(figure: Any, folder: Path) -> None:
    axes = figure.subplots()
    entities = len(rows_of(folder, "entities"))
    for side in ("buyer", "seller"):
        traded: dict[str, int] = {}
        for row in rows_of(folder, "trades"):
            traded[row[side]] = traded.get(row[side], 0) + int(row["tonnes"])
        tonnes = sorted(traded.values(), reverse=True)
        whole = sum(tonnes)
        if whole:
            shares = [0.0, *(100 * part / whole for part in accumulate(tonnes))]
            places = [100 * place / entities for place in range(len(shares))]
            axes.plot(places, shares, label=f"{side}s: the largest ten make {_top(tonnes):.0f}%")
    axes.set(xlabel="% of entities, the largest first", ylabel="% of the volume", ylim=(0, 102))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")


def _top(tonnes: Sequence[int]) -> float:
    return 100 * sum(tonnes[:10]) / sum(tonnes)

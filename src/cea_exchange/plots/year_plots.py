"""The plots of a year: of its tables, which lie in its folder, and of its bulletins."""

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cea_exchange.domain.calendar import date_of_number, date_parse
from cea_exchange.domain.units import fen_of
from cea_exchange.plots.days import (
    MILLION,
    DrawnDay,
    axes_finish,
    closes_draw,
    ranges_draw,
    tonnes_draw,
)
from cea_exchange.plots.figures import METHOD_COLOURS, figure_new, svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TABLES = "tables"
"""The folder of a year's tables in its own."""
SECTORS = ("power", "steel", "cement", "aluminium")
SHORTEST = 20
"""So many of those that lack most are named."""


class Plot(NamedTuple):
    """A plot with its title."""

    title: str
    svg: str


def year_svgs(folder: Path) -> list[Plot]:
    """Return the plots of a year that was played to its end, to stand in a page.

    Raises
    ------
    PlotsMissing
        Without matplotlib.
    """
    return [Plot(title, svg(title, _of_year(draw, folder))) for title, draw in DRAWN.items()]


def _of_year(draw: Callable[[Any, Path], None], folder: Path) -> Callable[[Any], None]:
    return lambda figure: draw(figure, folder)


def year(folder: Path | str) -> "Figure":
    """Draw a year that was played to its end: prices, tonnes, allowances, surrender.

    Parameters
    ----------
    folder
        What `cea-exchange year` wrote to.

    Raises
    ------
    FileNotFoundError
        There is no such year, or it has not come to its end.
    """
    figure = figure_new(12, 8)
    parts: Any = figure.subfigures(2, 1, height_ratios=(3, 2))
    _days(parts[0], Path(folder))
    for part, draw in zip(parts[1].subfigures(1, 2), (_sectors, _surrender), strict=True):
        draw(part, Path(folder))
    return figure


def rows_of(folder: Path, table: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a table: a nation's trades are too many to have them all."""
    with (folder / TABLES / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def days_of(folder: Path) -> list[DrawnDay]:
    """Return the days of a year's table of bulletins, by the composite."""
    days = []
    for row in rows_of(folder, "bulletins"):
        if row["subjCode"].startswith("COM"):
            tonnes = {method: int(row[f"{method}TradeVolume"]) for method in METHOD_COLOURS}
            low, high = (fen_of(row[name]) or None for name in ("lowPric", "highPric"))
            on = date_parse(row["quotPoin"])
            days.append(DrawnDay(on, low, high, fen_of(row["closPric"]), tonnes))
    return days


def _days(figure: Any, folder: Path) -> None:
    prices, volumes = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    days = days_of(folder)
    ranges_draw(prices, days)
    closes_draw(prices, days)
    tonnes_draw(volumes, days)
    axes_finish(prices, volumes)


def _sectors(figure: Any, folder: Path) -> None:
    axes, balances = figure.subplots(1, 2, width_ratios=(2, 1))
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
    balance = [(sums["allocated"][s] - sums["due"][s]) / MILLION for s in SECTORS]
    colours = ["tab:red" if tonnes < 0 else "tab:green" for tonnes in balance]
    balances.bar(range(len(SECTORS)), balance, color=colours)
    balances.axhline(0, color="black", linewidth=0.8)
    balances.set(title="allocated less due")
    balances.tick_params(axis="x", labelrotation=30)
    axes.set(ylabel="million t")
    axes.legend()
    for each in (axes, balances):
        each.set_xticks(range(len(SECTORS)), SECTORS)
        each.grid(alpha=0.3, axis="y")


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
    from matplotlib import dates

    day_of_month: Any = dates.DateFormatter
    axes.xaxis.set_major_formatter(day_of_month("%d %b"))
    axes.grid(alpha=0.3)


def _concentration(figure: Any, folder: Path) -> None:
    axes = figure.subplots()
    entities = sum(1 for _ in rows_of(folder, "entities"))
    traded = {side: Counter[str]() for side in ("buyer", "seller")}
    for row in rows_of(folder, "trades"):
        for side, by_account in traded.items():
            by_account[row[side]] += int(row["tonnes"])
    for side, by_account in traded.items():
        tonnes = sorted(by_account.values(), reverse=True)
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


DRAWN: dict[str, Callable[[Any, Path], None]] = {
    "Price and volume by day and method": _days,
    "Allowances by sector": _sectors,
    "Who is short of its allocation": _short,
    "Surrender toward the deadline": _surrender,
    "Concentration of trading": _concentration,
}
"""The plots by their titles, and what draws each of a year's folder."""

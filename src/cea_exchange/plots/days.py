"""Prices and tonnes of days: closes over the ranges that were traded, tonnes by method."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from cea_exchange.plots.figures import METHOD_COLOURS

MILLION = 1e6


class DrawnDay(NamedTuple):
    """A day as it is drawn: fen per tonne, tonnes by method; no range without a listed trade."""

    trading_date: date
    low: int | None
    high: int | None
    close: int
    tonnes: Mapping[str, int]


def ranges_draw(axes: Any, days: Sequence[DrawnDay], label: str = "low to high") -> None:
    """Draw what was traded between."""
    low = [(day.low or day.close) / 100 for day in days]
    high = [(day.high or day.close) / 100 for day in days]
    axes.fill_between(dates(days), low, high, color="tab:blue", alpha=0.25, label=label)
    axes.set(ylabel="yuan/t")


def closes_draw(
    axes: Any, days: Sequence[DrawnDay], label: str = "close", colour: str = "black"
) -> None:
    """Draw closes."""
    closes = [day.close / 100 for day in days]
    axes.plot(dates(days), closes, label=label, linewidth=0.9, color=colour)


def tonnes_draw(axes: Any, days: Sequence[DrawnDay]) -> None:
    """Draw tonnes, a method upon the other; what nobody traded by is left out."""
    below = [0.0] * len(days)
    for method, colour in METHOD_COLOURS.items():
        made = [day.tonnes[method] / MILLION for day in days]
        if any(made):
            axes.bar(dates(days), made, bottom=below, width=1, label=method, color=colour)
            below = [sum(pair) for pair in zip(below, made, strict=True)]
    axes.set(ylabel="million t a day")


def axes_finish(*each: Any) -> None:
    """Give axes their grid, and a legend where something has a name."""
    for axes in each:
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="best")


def dates(days: Iterable[DrawnDay]) -> list[date]:
    """Return when the days were."""
    return [day.trading_date for day in days]

"""A drawing of a replay: closes over published ranges, and tonnes by method."""

from pathlib import Path

from cea_exchange.daily_replay.comparison import METHODS
from cea_exchange.daily_replay.replay import ReplayReport
from cea_exchange.domain.reference_prices import DailyFigures
from cea_exchange.plots.days import DrawnDay, axes_finish, closes_draw, ranges_draw, tonnes_draw
from cea_exchange.plots.figures import figure_new


def chart(report: ReplayReport, path: Path) -> None:
    """Draw prices and volumes of all days as a PNG file.

    Raises
    ------
    PlotsMissing
        Without matplotlib.
    """
    figure = figure_new(12, 7)
    prices, volumes = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    published = [_drawn(day.published) for day in report.days]
    ours = [_drawn(day.ours) for day in report.days]
    ranges_draw(prices, published, "published low..high")
    closes_draw(prices, published, "published close")
    closes_draw(prices, ours, "close of these trades", "tab:red")
    prices.set(title=f"{report.equal('close')} of {len(report.days)} closes are as published")
    tonnes_draw(volumes, ours)
    volumes.set(xlabel="trading day")
    axes_finish(prices, volumes)
    figure.savefig(path, dpi=120)


def _drawn(day: DailyFigures) -> DrawnDay:
    tonnes = {method: getattr(day, f"{method}_volume") for method in METHODS}
    return DrawnDay(day.trading_date, day.low, day.high, day.close, tonnes)

"""A drawing of a replay: closes over published ranges, and tonnes by method."""

from pathlib import Path

from cea_exchange.daily_replay.comparison import METHODS
from cea_exchange.daily_replay.replay import ReplayReport

METHOD_COLOURS = {"listed": "tab:blue", "block": "tab:gray", "bidding": "tab:orange"}


class PlotsMissing(Exception):
    """matplotlib is not installed."""


def chart(report: ReplayReport, path: Path) -> None:
    """Draw prices and volumes of all days as a PNG file.

    Raises
    ------
    PlotsMissing
        Without matplotlib.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PlotsMissing("needs matplotlib: pip install 'cea-exchange[plots]'") from error
    figure = Figure(figsize=(12, 7), layout="constrained")
    FigureCanvasAgg(figure)
    prices, volumes = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    _draw_prices(prices, report)
    _draw_volumes(volumes, report)
    figure.savefig(path, dpi=120)


def _draw_prices(axes, report: ReplayReport) -> None:
    dates = [day.published.trading_date for day in report.days]
    ranges = [
        (day.published.low or day.published.close, day.published.high or day.published.close)
        for day in report.days
    ]
    low, high = ([price / 100 for price in ends] for ends in zip(*ranges, strict=True))
    axes.fill_between(dates, low, high, color="tab:blue", alpha=0.25, label="published low..high")
    for label, closes, style in (
        ("published close", [day.published.close for day in report.days], {"color": "black"}),
        ("close of these trades", [day.ours.close for day in report.days], {"color": "tab:red"}),
    ):
        axes.plot(dates, [price / 100 for price in closes], label=label, linewidth=0.9, **style)
    axes.set(
        ylabel="yuan/t",
        title=f"{report.equal('close')} of {len(report.days)} closes are as published",
    )
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left")


def _draw_volumes(axes, report: ReplayReport) -> None:
    dates = [day.published.trading_date for day in report.days]
    below = [0.0] * len(dates)
    for method in METHODS:
        volumes = [getattr(day.ours, f"{method}_volume") / 1e6 for day in report.days]
        if any(volumes):
            axes.bar(
                dates, volumes, bottom=below, width=1, label=method, color=METHOD_COLOURS[method]
            )
            below = [sum(pair) for pair in zip(below, volumes, strict=True)]
    axes.set(ylabel="million t a day", xlabel="trading day")
    axes.grid(alpha=0.3)
    if axes.containers:
        axes.legend(loc="upper left")

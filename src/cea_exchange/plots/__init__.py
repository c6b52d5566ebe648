"""Plots with sensible defaults, of what the market and its years give; needs the extra `plots`.

    from cea_exchange import plots

    plots.depth(market)                # what rests on the book
    plots.day(events)                  # what was traded at which price, on a day or on several
    plots.awards(clear_auction(...))   # an auction's bids, and which of them won
    plots.year("out/2024")             # the folder that `cea-exchange year` has played in

Each returns a `matplotlib.figure.Figure`: a notebook shows it, ``.savefig("depth.png")`` keeps it,
and ``.axes`` are there to change. Prices are in yuan per tonne. Without matplotlib each raises
`PlotsMissing`, which says how to get it.
"""

from cea_exchange.plots.figures import PlotsMissing
from cea_exchange.plots.market_plots import awards, day, depth
from cea_exchange.plots.year_plots import year

__all__ = ["PlotsMissing", "awards", "day", "depth", "year"]

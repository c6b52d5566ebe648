"""What cells' figures are called, in which unit they are shown, and how they spread."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec import Struct

from cea_exchange.sweep.plan_file import PlanError
from cea_exchange.year.outcome.speech import say

SUMMED = frozenset(
    {"value_fen", "cash_fen", "fees_fen", "reserve_fen", "ccer_cash_fen", "ccer_fees_fen"}
)
"""In yuan, where other fen are yuan per tonne."""
NAME_MAX = 22
TITLES = {
    "entities": "entities",
    "complied": "surrendered in full, in time",
    "allocated_tonnes": "allocated",
    "due_tonnes": "due",
    "surrendered_tonnes": "surrendered",
    "offset_tonnes": "offset by CCERs",
    "orders": "listed orders",
    "refused": "of them refused",
    "trades": "trades",
    "volume_tonnes": "volume",
    "value_fen": "value",
    "block_tonnes": "volume by block",
    "bidding_tonnes": "volume by bidding",
    "biddings": "biddings",
    "december_tonnes": "volume in December",
    "close_fen": "last close",
    "trading_days": "trading days",
    "ccer_tonnes": "CCERs traded",
    "short_tonnes": "short at the deadline",
    "fined": "fined",
    "cash_fen": "cash of participants at the end",
    "fees_fen": "fees",
    "reserve_fen": "risk reserve",
    "ccer_cash_fen": "cash at the exchange of CCERs",
    "ccer_fees_fen": "fees of that exchange",
    "surrendered_bp": "surrendered of what is due",
    "block_share_bp": "part by block",
    "december_share_bp": "part in December",
    "mean_fen": "mean price",
    "lowest_close_fen": "lowest close",
    "highest_close_fen": "highest close",
    "largest_move_bp": "largest move of a day",
    "volatility_bp": "root mean square of a day's move",
}
"""Every figure of a cell, as the report calls it."""


class Unit(NamedTuple):
    """In what a figure is shown: so many of its own are one; places behind the point."""

    name: str
    one: int
    places: int


def unit_of(figure: str) -> Unit:
    """Return in which unit a figure is shown."""
    if figure in SUMMED:
        return Unit("million yuan", 100 * 10**6, 1)
    if figure.endswith("_fen"):
        return Unit("yuan/t", 100, 2)
    if figure.endswith("_tonnes"):
        return Unit("1,000 t", 1_000, 1)
    return Unit("%", 100, 2) if figure.endswith("_bp") else Unit("", 1, 0)


def figure_shown(figure: str, value: int) -> str:
    """Return a value in its unit's number."""
    unit = unit_of(figure)
    return f"{value / unit.one:,.{unit.places}f}"


def figure_title(figure: str) -> str:
    """Return what a figure is called, with its unit."""
    unit = unit_of(figure).name
    return f"{TITLES[figure]}, {unit}" if unit else TITLES[figure]


def figure_said(figure: str) -> str:
    """Return the same in the language of the results; plots are in English."""
    title, unit = say(TITLES[figure]), unit_of(figure).name
    return say("{}, {}", title, say(unit)) if unit else title


def parameter_shown(name: str) -> str:
    """Return a parameter's name as there is room for it: without its kind, of a path the end."""
    _, _, rest = name.partition(".")
    text = rest or name
    return text if len(text) <= NAME_MAX else f"…{text[1 - NAME_MAX:]}"


def figures_check(figures: Iterable[str]) -> None:
    """Check that a plan's figures are there.

    Raises
    ------
    PlanError
        One is not.
    """
    for figure in figures:
        if figure not in TITLES:
            raise PlanError(f"figures: expected of {', '.join(TITLES)}, got {figure!r}")


class Spread(Struct, frozen=True, kw_only=True):
    """How a figure spreads over points: each of the values is one of theirs, but the mean."""

    points: int
    least: int
    lower_quartile: int
    median: int
    upper_quartile: int
    most: int
    mean: int


def spread_of(values: Sequence[int]) -> Spread | None:
    """Return how values spread, by nearest rank; None of none."""
    if not values:
        return None
    ordered, count = sorted(values), len(values)
    return Spread(
        points=count,
        least=ordered[0],
        lower_quartile=ordered[(count - 1) // 4],
        median=ordered[(count - 1) // 2],
        upper_quartile=ordered[3 * (count - 1) // 4],
        most=ordered[-1],
        mean=sum(ordered) // count,
    )

"""Compares a day of this market with the published one, and says why a figure differs.

A cause is computed from the day's own figures: the published ones, our bands and our previous
close. It is given only where it suffices for the difference; where none does, the difference is
unexplained, and the replay has failed.
"""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from cea_exchange.daily_replay.day_plan import Band, DayRules, price_marks, price_range
from cea_exchange.domain.reference_prices import DailyFigures

PRICES = ("open", "high", "low", "close")
METHODS = ("listed", "block", "bidding")
FIGURES = (
    *PRICES,
    *(f"{method}_volume" for method in METHODS),
    *(f"{method}_amount" for method in METHODS),
)
"""What is compared: fields of `DailyFigures`."""


class Cause(Enum):
    """Why a figure of ours must be another than the published one."""

    PREVIOUS_CLOSE = "without a listed trade ours is our previous close, which differed already"
    NO_LISTED_TRADE = "the published price moved without a listed trade"
    CLOSE_OUTSIDE_RANGE = "composite: published close outside published low..high"
    MEAN_OUTSIDE_RANGE = "composite: published listed amount / volume outside published low..high"
    CLOSE_NOT_MEAN = "composite: published close is not published listed amount / volume"
    OPEN_OUTSIDE_RANGE = "composite: published open outside published low..high"
    OUR_BAND = "outside our band, which follows our previous close; inside the published one's"
    PUBLISHED_BAND = "outside the band of the published previous close itself"
    FIRST_BAND = "outside the band of the reference price that the first day began with"
    TOO_FEW_TONNES = "too few listed tonnes to show open, high, low and that mean"
    BLOCK_TOO_SMALL = "fewer tonnes than a block must have"
    BLOCK_WHOLE_PRICES = "no two whole prices of so few blocks give that amount"


class Difference(NamedTuple):
    """A figure that is not as published."""

    figure: str
    """A field of `DailyFigures`."""
    published: int
    ours: int
    cause: Cause | None
    """None: unexplained."""


class Context(NamedTuple):
    """What a day was traded under.

    Attributes
    ----------
    rules
        Ours, after our previous close.
    previous_close
        Ours; on the first day the reference price it began with.
    published_rules, published_previous_close
        What the same rules give after the published previous close, and that; None on the first
        day.
    """

    rules: DayRules
    previous_close: int
    published_rules: DayRules | None = None
    published_previous_close: int | None = None


def differences(
    published: DailyFigures, ours: DailyFigures, context: Context
) -> tuple[Difference, ...]:
    """Return every figure of ours that is not as published, with its cause.

    An open, high or low that was not published is compared with nothing.
    """
    found = []
    for figure in compared(published):
        expected, got = getattr(published, figure), getattr(ours, figure)
        if expected != got:
            cause = _cause(figure, published, ours, context)
            found.append(Difference(figure, expected, got, cause))
    return tuple(found)


def compared(published: DailyFigures) -> list[str]:
    """Return which figures of a published day ours are compared with."""
    return [name for name in FIGURES if name not in PRICES or getattr(published, name)]


def _cause(
    figure: str, published: DailyFigures, ours: DailyFigures, context: Context
) -> Cause | None:
    if figure in PRICES and not published.listed_volume:
        return _cause_without_trade(figure, published, ours, context)
    match figure:
        case "close":
            return _close_cause(published, context)
        case "open" | "high" | "low":
            return _mark_cause(figure, published, context)
        case "listed_amount":
            return _listed_amount_cause(published, context)
        case "block_volume" if published.block_volume < context.rules.block_tonnes_min:
            return Cause.BLOCK_TOO_SMALL
        case "block_amount":
            return _block_amount_cause(published, ours, context)
        case "bidding_amount":
            return _band_cause(
                [(published.bidding_amount, published.bidding_volume)], context, "bidding"
            )
    return None


def _cause_without_trade(
    figure: str, published: DailyFigures, ours: DailyFigures, context: Context
) -> Cause | None:
    """Without a listed trade open and close are the previous close, and high and low are none."""
    if figure in ("high", "low"):
        return Cause.NO_LISTED_TRADE if getattr(ours, figure) == 0 else None
    if getattr(ours, figure) != context.previous_close:
        return None
    if getattr(published, figure) == context.published_previous_close:
        return Cause.PREVIOUS_CLOSE
    return Cause.NO_LISTED_TRADE


def _close_cause(published: DailyFigures, context: Context) -> Cause | None:
    """The close is by rule the mean of the listed trades; the published one may be none of these.

    Where it is that mean, and inside the range, only bands or tonnes can keep ours from it.
    """
    low, high = published.low or 1, published.high or published.close
    if not low <= published.close <= high:
        return Cause.CLOSE_OUTSIDE_RANGE
    volume, amount = published.listed_volume, published.listed_amount
    if _outside_range(published):
        return Cause.MEAN_OUTSIDE_RANGE
    if published.close != (2 * amount + volume) // (2 * volume):
        return Cause.CLOSE_NOT_MEAN
    return _listed_amount_cause(published, context)


def _mark_cause(figure: str, published: DailyFigures, context: Context) -> Cause | None:
    """Open, high and low are traded wherever our band has them and the volume suffices."""
    price = getattr(published, figure)
    cause = _band_cause([(price, 1)], context, "listed")
    if cause is not None:
        return cause
    low, high = published.low or price, published.high or price
    if figure == "open":
        return None if low <= price <= high else Cause.OPEN_OUTSIDE_RANGE
    return Cause.TOO_FEW_TONNES if _marks_missing(published, context) else None


def _marks_missing(published: DailyFigures, context: Context) -> bool:
    within = price_range(published, context.rules.listed)
    marks = {within.nearest(p) for p in (published.open, published.high, published.low) if p}
    return published.listed_volume < len(marks)


def _listed_amount_cause(published: DailyFigures, context: Context) -> Cause | None:
    """An amount can be traded if it lies between the least and the most that the prices allow.

    At least a tonne goes at each of open, high and low, the rest at prices between low and high.
    """
    if _outside_range(published):
        return Cause.MEAN_OUTSIDE_RANGE
    band = context.rules.listed
    within, marks = price_range(published, band), price_marks(published, band)
    rest = published.listed_volume - len(marks)
    least, most = sum(marks) + rest * within.low, sum(marks) + rest * within.high
    if least <= published.listed_amount <= most:
        return None
    prices = [(p, 1) for p in (published.open, published.high, published.low) if p]
    prices.append((published.listed_amount, published.listed_volume))
    cause = _band_cause(prices, context, "listed")
    return cause or Cause.TOO_FEW_TONNES


def _outside_range(published: DailyFigures) -> bool:
    volume, amount = published.listed_volume, published.listed_amount
    is_under = published.low and amount < published.low * volume
    return bool(is_under or (published.high and amount > published.high * volume))


def _block_amount_cause(
    published: DailyFigures, ours: DailyFigures, context: Context
) -> Cause | None:
    volume, amount = published.block_volume, published.block_amount
    if volume < context.rules.block_tonnes_min:
        return Cause.BLOCK_TOO_SMALL
    cause = _band_cause([(amount, volume)], context, "block")
    if cause is None and 2 * abs(ours.block_amount - amount) <= volume:
        return Cause.BLOCK_WHOLE_PRICES
    return cause


def _band_cause(amounts: Sequence[tuple[int, int]], context: Context, method: str) -> Cause | None:
    """Say whose band some price lies outside of; None if all lie inside ours.

    Parameters
    ----------
    amounts
        Pairs of an amount and its tonnes, of which the price is the mean.
    method
        Whose band it is.
    """
    ours: Band = getattr(context.rules, method)
    outside = [pair for pair in amounts if not _mean_within(*pair, ours)]
    if not outside:
        return None
    if context.published_rules is None:
        return Cause.FIRST_BAND
    band: Band = getattr(context.published_rules, method)
    if all(_mean_within(*pair, band) for pair in outside):
        return Cause.OUR_BAND
    return Cause.PUBLISHED_BAND


def _mean_within(amount: int, tonnes: int, band: Band) -> bool:
    return band.low * tonnes <= amount <= band.high * tonnes

"""Triggers of market adjustment, as data: which there are, and where each stands on a day.

A trigger looks at a product's days up to one, and at facts that no market has; it acts on nothing.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from cea_exchange.adjustment.days import Day, mean_of, mean_price, months_before
from cea_exchange.domain.ruled import BasisPoints, Confidence, RuleId
from cea_exchange.domain.units import price_format
from cea_exchange.user_files.formats import toml_parse
from cea_exchange.user_files.opening import text_read

Count = Annotated[int, Meta(ge=1, le=1_000)]
Fen = Annotated[int, Meta(ge=1, le=10_000_000)]
What = Literal["sale", "purchase", "release"]
BASIS_POINTS = 10_000


class Facts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What triggers ask that a market's days don't say.

    Attributes
    ----------
    others_highest_close
        Fen: the highest daily close of all other markets in the twelve months before.
    issued_tonnes, circulating_tonnes
        Of the year, and what of it circulates after the surrender.
    """

    others_highest_close: Fen | None = None
    issued_tonnes: Annotated[int, Meta(ge=1)] | None = None
    circulating_tonnes: Annotated[int, Meta(ge=0)] | None = None


class _Test(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """Base of what a trigger looks at."""


class LimitCloses(_Test, frozen=True, tag="limit_closes"):
    """So many closes at the limit of the day's band, of so many trading days."""

    days: Count
    times: Count
    band_bp: BasisPoints


class MeanOutside(_Test, frozen=True, tag="mean_outside"):
    """The mean price of so many trading days is above one price, or below another."""

    days: Count
    above_price: Fen
    below_price: Fen


class PriceSurge(_Test, frozen=True, tag="price_surge"):
    """A close above all others' of a year, while a mean is so many times what it was before."""

    months: Count
    before_months: Count
    weeks: Count
    times: Count


class Circulation(_Test, frozen=True, tag="circulation"):
    """Less than a share of what was issued for the year circulates."""

    share_bp: BasisPoints


class Trigger(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the authority may act, and how.

    Attributes
    ----------
    above, below
        What it may do where the price is too high, or too low; None: nothing.
    pause_months
        After an act by it so long there is no other.
    """

    rule: RuleId
    source: str
    confidence: Confidence
    test: LimitCloses | MeanOutside | PriceSurge | Circulation
    above: What | None = None
    below: What | None = None
    pause_months: Annotated[int, Meta(ge=0, le=120)] = 0


class Standing(Struct, frozen=True, kw_only=True):
    """Where a trigger stands on a day.

    Attributes
    ----------
    stands
        What it lets the authority do; None: nothing, or what it asks is not known.
    said
        The figures against what they are compared with, in words.
    floor
        Fen: the price below which a release does not go, where the trigger names one.
    """

    trigger: str
    rule: str
    day: date
    stands: What | None
    said: str
    floor: int | None = None


def triggers_read(file: Path | None = None) -> dict[str, Trigger]:
    """Read the packaged triggers, or those of a file of the same shape, by name.

    Raises
    ------
    OSError, ValueError
        It can't be read, or is not as it must be; the message says where.
    """
    if file is None:
        packaged = resources.files("cea_exchange.adjustment").joinpath("triggers.toml")
        text = packaged.read_text(encoding="utf-8")
    else:
        text = text_read(file, "a file of triggers")
    return msgspec.convert(toml_parse(text), dict[str, Trigger], strict=True)


def standing(
    name: str,
    trigger: Trigger,
    days: Sequence[Day],
    facts: Facts | None = None,
    acted_on: Sequence[date] = (),
) -> Standing:
    """Return where a trigger stands on the last of a product's days.

    Parameters
    ----------
    days
        Ascending, one at least.
    acted_on
        The days on which the authority acted by this trigger.

    Notes
    -----
    Rules: CEA-ADJ-06 to CEA-ADJ-10.
    """
    last = days[-1].date
    for acted in acted_on:
        if trigger.pause_months and months_before(last, trigger.pause_months) < acted < last:
            said = f"paused for {trigger.pause_months} months, acted on {acted}"
            return Standing(trigger=name, rule=trigger.rule, day=last, stands=None, said=said)
    facts, floor = facts or Facts(), None
    match trigger.test:
        case LimitCloses() as test:
            side, said = _limit_closes(test, days)
        case MeanOutside() as test:
            side, said = _mean_outside(test, days)
        case PriceSurge() as test:
            side, said, floor = _price_surge(test, days, facts)
        case Circulation() as test:
            side, said = _circulation(test, facts)
    stands = {1: trigger.above, -1: trigger.below}.get(side)
    return Standing(
        trigger=name,
        rule=trigger.rule,
        day=last,
        stands=stands,
        said=said,
        floor=floor if stands else None,
    )


def _limit_closes(test: LimitCloses, days: Sequence[Day]) -> tuple[int, str]:
    """Count closes at either limit, each side for itself.

    Rules: CEA-ADJ-06.
    """
    window = days[-test.days :]
    upper = sum(day.close >= _limit(day, test.band_bp) for day in window)
    lower = sum(day.close <= _limit(day, -test.band_bp) for day in window)
    said = f"{upper} closes at the upper limit and {lower} at the lower, of {len(window)} days"
    side = (upper >= test.times) - (lower >= test.times)
    return side, f"{said}; {test.times} let it act"


def _limit(day: Day, band_bp: int) -> int:
    return (day.last_close * (BASIS_POINTS + band_bp) + BASIS_POINTS // 2) // BASIS_POINTS


def _mean_outside(test: MeanOutside, days: Sequence[Day]) -> tuple[int, str]:
    """Compare a mean with a corridor, which its ends belong to.

    Rules: CEA-ADJ-07.
    """
    window = days[-test.days :]
    amount, tonnes = mean_of(window)
    corridor = f"{price_format(test.below_price)} to {price_format(test.above_price)}"
    if len(window) < test.days or not tonnes:
        return 0, f"no mean of {test.days} days; the corridor is {corridor}"
    side = (amount > test.above_price * tonnes) - (amount < test.below_price * tonnes)
    mean = price_format(mean_price(window) or 0)
    return side, f"the mean of {test.days} days is {mean}; the corridor is {corridor}"


def _price_surge(
    test: PriceSurge, days: Sequence[Day], facts: Facts
) -> tuple[int, str, int | None]:
    """Compare the close with other markets', and a mean with what it was before.

    Rules: CEA-ADJ-08.
    """
    last = days[-1]
    recent = _since(days, months_before(last.date, test.months))
    before = _since(days, months_before(last.date, test.before_months))
    is_surge = _is_times(recent, before, test.times) or _week_is_times(test, days)
    highest = facts.others_highest_close
    if highest is None:
        return 0, "the highest close of the other markets is not known", None
    means = [mean_price(recent), mean_price(before)]
    shown = " and ".join("none" if mean is None else price_format(mean) for mean in means)
    said = (
        f"close {price_format(last.close)}, others' highest {price_format(highest)}; means of "
        f"{test.months} and {test.before_months} months {shown}, {test.times} times let it act"
    )
    return int(last.close > highest and is_surge), said, means[0]


def _since(days: Sequence[Day], first: date) -> list[Day]:
    return [day for day in days if day.date > first]


def _is_times(one: Sequence[Day], other: Sequence[Day], times: int) -> bool:
    """Whether the mean of some days is so many times that of others, exactly."""
    (amount, tonnes), (other_amount, other_tonnes) = mean_of(one), mean_of(other)
    return bool(tonnes and other_tonnes) and amount * other_tonnes >= (
        times * other_amount * tonnes
    )


def _week_is_times(test: PriceSurge, days: Sequence[Day]) -> bool:
    """Whether this week's mean is so many times the lowest of the weeks before it."""
    monday = days[-1].date - timedelta(days=days[-1].date.weekday())
    this = [day for day in days if day.date >= monday]
    for week in range(1, test.weeks + 1):
        first = monday - timedelta(weeks=week)
        other = [day for day in days if first <= day.date < first + timedelta(weeks=1)]
        if _is_times(this, other, test.times):
            return True
    return False


def _circulation(test: Circulation, facts: Facts) -> tuple[int, str]:
    """Compare what circulates with a share of what was issued.

    Rules: CEA-ADJ-09.
    """
    issued, circulating = facts.issued_tonnes, facts.circulating_tonnes
    if issued is None or circulating is None:
        return 0, "what was issued and what circulates is not known"
    side = int(circulating * BASIS_POINTS < issued * test.share_bp)
    most = issued * test.share_bp // BASIS_POINTS
    return side, f"{circulating} t circulate of {issued} t; less than {most} t let it act"

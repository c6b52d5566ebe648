"""Whatever is published, every difference has a cause, and nothing is lost."""

import tempfile
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cea_exchange.daily_replay.comparison import Context, differences
from cea_exchange.daily_replay.day_plan import Planned, day_rules, plan_day
from cea_exchange.daily_replay.replay import ReplaySettings, replay_days
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.reference_prices import DailyFigures

pytestmark = pytest.mark.property

FIRST = date(2025, 7, 16)
CEA = load_profile("cea").rules


PRICES = st.tuples(st.sampled_from(("within", "end", "beyond")), st.integers(0, 10_000))
"""Where a price lies beside another, and which of those that lie there."""


def price_near(price: int, where: str, part: int) -> int:
    """A price within the band, one at its ends, or one that may be beyond."""
    if where == "end":
        ends = (price, *day_rules(CEA, price).listed)
        return ends[part % len(ends)]
    low, high = (price * 9, price * 11) if where == "within" else (price * 5, price * 15)
    return (low + (high - low) * part // 10_000) // 10


REFERENCES = PRICES.map(lambda price: price_near(6_000, *price))


def volumes(low: int, high: int) -> st.SearchStrategy[tuple]:
    """A volume, the mean of its prices, and what the amount is more: seldom a whole price."""
    return st.one_of(
        st.just((0, ("within", 0), 0)),
        st.tuples(st.integers(low, high), PRICES, st.integers(0, 2_000_000)),
    )


def traded(close: int, volume: int, mean: tuple[str, int], more: int) -> tuple[int, int]:
    """A volume and its amount."""
    return volume, volume * price_near(close, *mean) + (more % volume if volume else 0)


DAYS = st.lists(
    st.fixed_dictionaries(
        {
            "extremes": st.tuples(PRICES, PRICES),
            "has_marks": st.sampled_from((True, True, True, False)),
            "listed": st.one_of(volumes(1, 9), volumes(1, 900_000)),
            "block": volumes(90_000, 2_000_000),
            "awarded": volumes(1, 500_000),
            "opening": st.sampled_from(("none", "close", "low", "high", "any")),
            "close": st.sampled_from(("between", "any", "mean", "previous")),
            "prices": st.tuples(PRICES, PRICES),
        }
    ),
    min_size=1,
    max_size=6,
)
"""What is drawn of days: of fixed strategies, as those made for a day take most of the time."""


def days_of(drawn: list[dict]) -> list[DailyFigures]:
    """Days of a market whose close wanders, and whose figures fit together or don't."""
    days, close = [], 6_000
    for number, day in enumerate(drawn):
        low, high = sorted(price_near(close, *extreme) for extreme in day["extremes"])
        listed, block, awarded = (
            traded(close, *day[name]) for name in ("listed", "block", "awarded")
        )
        opening, any_close = (price_near(close, *price) for price in day["prices"])
        openings = {"none": 0, "close": close, "low": low, "high": high, "any": opening}
        closes = {
            "between": low + (any_close - low) % (high - low + 1),
            "any": any_close,
            "mean": max(1, (2 * listed[1] + listed[0]) // (2 * listed[0])) if listed[0] else close,
            "previous": close,
        }
        close = closes[day["close"]]
        days.append(
            DailyFigures(
                FIRST + timedelta(number),
                openings[day["opening"]],
                high * day["has_marks"],
                low * day["has_marks"],
                close,
                *listed,
                *block,
                *awarded,
            )
        )
    return days


def figures_of(published: DailyFigures, previous_close: int) -> DailyFigures:
    """Our day, if the market makes the planned trades: by the rules of the statistics alone."""
    plan = plan_day(published, day_rules(CEA, previous_close))
    listed = plan.listed
    prices = [trade.price for trade in listed]
    volume, amount = sums(listed)
    return DailyFigures(
        published.trading_date,
        prices[0] if listed else previous_close,
        max(prices, default=0),
        min(prices, default=0),
        (2 * amount + volume) // (2 * volume) if listed else previous_close,
        volume,
        amount,
        *sums(plan.block),
        *sums(plan.bidding),
    )


def sums(trades: tuple[Planned, ...]) -> tuple[int, int]:
    return sum(t.tonnes for t in trades), sum(t.price * t.tonnes for t in trades)


@given(DAYS.map(days_of), REFERENCES)
def test_every_difference_has_a_cause(days, reference):
    ours, before = reference, None
    for published in days:
        got = figures_of(published, ours)
        context = Context(day_rules(CEA, ours), ours)
        if before is not None:
            context = Context(day_rules(CEA, ours), ours, day_rules(CEA, before), before)
        found = differences(published, got, context)
        assert [each for each in found if each.cause is None] == []
        ours, before = got.close, published.close


@settings(max_examples=10)
@given(DAYS.map(days_of), REFERENCES, st.integers(0, 9))
def test_market_and_registry_bear_any_days(days, reference, seed):
    chosen = ReplaySettings(first_reference=reference, accounts=50, seed=seed)
    with tempfile.TemporaryDirectory() as data:
        report = replay_days(days, chosen, Path(data))
    assert report.unexplained() == []
    expected = reference
    for day in report.days:
        assert day.ours == figures_of(day.published, expected)
        expected = day.ours.close
    assert len(report.bulletins) == len(days)

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


def near(price: int) -> st.SearchStrategy[int]:
    """Prices within the band, at its ends, and beyond."""
    return st.one_of(
        st.integers(price * 9 // 10, price * 11 // 10),
        st.sampled_from((price, *day_rules(CEA, price).listed)),
        st.integers(price // 2, price * 3 // 2),
    )


@st.composite
def traded(draw, mean, volumes) -> tuple[int, int]:
    """A volume and its amount, whose mean is seldom a whole price."""
    volume = draw(st.one_of(st.just(0), volumes))
    if volume == 0:
        return 0, 0
    return volume, volume * draw(mean) + draw(st.integers(0, volume - 1))


@st.composite
def published_days(draw) -> list[DailyFigures]:
    """Days of a market whose close wanders, and whose figures fit together or don't."""
    days, close = [], 6_000
    for number in range(draw(st.integers(1, 6))):
        low, high = sorted((draw(near(close)), draw(near(close))))
        marks = draw(st.sampled_from((True, True, True, False)))
        listed = draw(traded(near(close), st.one_of(st.integers(1, 9), st.integers(1, 900_000))))
        block = draw(traded(near(close), st.integers(90_000, 2_000_000)))
        awarded = draw(traded(near(close), st.integers(1, 500_000)))
        opening = draw(st.sampled_from((0, close, low, high, draw(near(close)))))
        previous, close = close, draw(st.one_of(st.integers(low, high), near(close)))
        if draw(st.booleans()) and listed[0]:
            close = max(1, (2 * listed[1] + listed[0]) // (2 * listed[0]))
        elif not listed[0] and draw(st.booleans()):
            close = previous
        days.append(
            DailyFigures(
                FIRST + timedelta(number), opening, high * marks, low * marks, close,
                *listed, *block, *awarded,
            )
        )  # fmt: skip
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


@given(published_days(), near(6_000))
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
@given(published_days(), near(6_000), st.integers(0, 9))
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

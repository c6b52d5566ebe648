"""The trades planned for a published day have its figures, whatever day it is."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cea_exchange.daily_replay.day_plan import (
    BLOCK_PARTS,
    BLOCK_SPREAD_MAX,
    Band,
    DayRules,
    Planned,
    bidding_trades,
    block_trades,
    listed_trades,
    plan_day,
)
from cea_exchange.domain.reference_prices import DailyFigures

pytestmark = pytest.mark.property

LISTED_MAX, BLOCK_MIN = 99_999, 100_000
PRICES = st.integers(3_000, 12_000)
TONNES = st.one_of(st.integers(1, 50), st.integers(1, 5_000_000))


@st.composite
def bands(draw) -> Band:
    return Band(*sorted((draw(PRICES), draw(PRICES))))


@st.composite
def days(draw, volume=TONNES, mean=PRICES) -> DailyFigures:
    """A day on which open, high and low may be missing, and the open outside the other two."""
    low, high = sorted((draw(PRICES), draw(PRICES)))
    tonnes = draw(volume)
    return DailyFigures(
        trading_date=date(2025, 7, 16),
        open=draw(st.sampled_from((0, low, high, draw(PRICES)))),
        high=draw(st.sampled_from((0, high, high))),
        low=draw(st.sampled_from((0, low, low))),
        close=draw(PRICES),
        listed_volume=tonnes,
        listed_amount=max(1, tonnes * draw(mean) + draw(st.integers(-tonnes, tonnes))),
        block_volume=0,
        block_amount=0,
        bidding_volume=0,
        bidding_amount=0,
    )


def tonnes_of(trades: tuple[Planned, ...]) -> int:
    return sum(trade.tonnes for trade in trades)


def amount_of(trades: tuple[Planned, ...]) -> int:
    return sum(trade.price * trade.tonnes for trade in trades)


@given(days(), bands())
def test_listed_trades_have_the_volume_within_band_and_size(day, band):
    trades = listed_trades(day, band, LISTED_MAX)
    assert tonnes_of(trades) == day.listed_volume
    for trade in trades:
        assert band.low <= trade.price <= band.high
        assert 1 <= trade.tonnes <= LISTED_MAX


@given(days(volume=st.integers(3, 5_000_000)), bands())
def test_open_high_and_low_are_hit_where_the_band_has_them(day, band):
    prices = [trade.price for trade in listed_trades(day, band, LISTED_MAX)]
    for published, traded in ((day.high, max(prices)), (day.low, min(prices))):
        if published and band.low <= published <= band.high:
            assert traded == published
    within = (day.low or band.low) <= day.open <= (day.high or band.high)
    if day.open and within and band.low <= day.open <= band.high:
        assert prices[0] == day.open


@given(days(), bands())
def test_the_listed_amount_is_the_nearest_there_is(day, band):
    """One tonne at each of open, high and low, the rest anywhere between: no amount is nearer."""
    trades = listed_trades(day, band, LISTED_MAX)
    low = min(max(day.low or band.low, band.low), band.high)
    high = min(max(day.high or band.high, band.low), band.high)
    marks = {min(max(price, low), high) for price in (day.open, day.high, day.low) if price}
    rest = day.listed_volume - len(marks)
    if rest < 0:
        return
    least, most = sum(marks) + rest * low, sum(marks) + rest * high
    assert amount_of(trades) == min(max(day.listed_amount, least), most)


@given(st.integers(0, 20_000_000), PRICES, st.integers(0, 10**9), bands())
def test_blocks_have_the_volume_within_band_and_size(volume, mean, more, band):
    amount = volume * mean + more % max(1, volume)
    trades = block_trades(volume, amount, band, BLOCK_MIN)
    if volume < BLOCK_MIN:
        assert trades == ()
        return
    assert tonnes_of(trades) == volume
    for trade in trades:
        assert band.low <= trade.price <= band.high
        assert BLOCK_MIN <= trade.tonnes <= BLOCK_PARTS * BLOCK_MIN
    nearest = min(max(amount, band.low * volume), band.high * volume)
    assert 2 * abs(amount_of(trades) - nearest) <= volume
    prices = sorted({trade.price for trade in trades})
    assert prices[-1] - prices[0] <= BLOCK_SPREAD_MAX


@given(st.integers(0, 20_000_000), PRICES, st.integers(0, 10**9), bands())
def test_bids_bring_the_awarded_volume_and_the_amount_to_the_fen(volume, mean, more, band):
    amount = volume * mean + more % max(1, volume)
    trades = bidding_trades(volume, amount, band)
    assert tonnes_of(trades) == volume
    assert amount_of(trades) == min(max(amount, band.low * volume), band.high * volume)
    assert [trade.price for trade in trades] == sorted(
        (trade.price for trade in trades), reverse=True
    )


def test_a_day_of_listed_trades_and_blocks():
    """It has the published open, high, low, volumes and amounts, to the fen."""
    day = DailyFigures(
        trading_date=date(2024, 12, 31),
        open=9720,
        high=9841,
        low=9707,
        close=9749,
        listed_volume=1_000_001,
        listed_amount=9_749_012_345,
        block_volume=350_000,
        block_amount=3_325_000_001,
        bidding_volume=0,
        bidding_amount=0,
    )
    band = Band(8794, 10748)
    rules = DayRules(band, Band(6840, 12702), band, BLOCK_MIN, BLOCK_MIN)
    plan = plan_day(day, rules)
    prices = [trade.price for trade in plan.listed]
    assert (prices[0], max(prices), min(prices)) == (9720, 9841, 9707)
    assert (tonnes_of(plan.listed), amount_of(plan.listed)) == (1_000_001, 9_749_012_345)
    assert (tonnes_of(plan.block), amount_of(plan.block)) == (350_000, 3_325_000_001)
    assert plan.bidding == ()


def test_a_block_too_small_for_two_prices_has_the_nearest_one():
    """150,000 t are one block: a mean of 10,000.5 fen is rounded up."""
    assert block_trades(150_000, 1_500_075_000, Band(7_000, 13_000), BLOCK_MIN) == (
        Planned(10_001, 150_000),
    )

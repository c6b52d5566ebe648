"""When commands are due: each shape keeps its rate, and the same seed gives the same times."""

import numpy as np
import pytest

from cea_exchange.loadtest.flow.arrivals import (
    DECEMBER_SHARE,
    SHAPES,
    ArrivalsError,
    arrivals_parse,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("kind", SHAPES)
def test_every_shape_keeps_its_mean_rate_and_is_drawn_from_the_seed(kind):
    arrivals = arrivals_parse(kind, rate=2_000, seconds=12)
    times = arrivals.times(7)
    # Five standard deviations of a Poisson number.
    assert abs(len(times) - 24_000) < 5 * 24_000**0.5
    assert (np.diff(times) >= 0).all() and times[0] >= 0 and times[-1] <= 12 * 10**9
    assert np.array_equal(times, arrivals.times(7))


def test_constant_times_are_evenly_spaced():
    times = arrivals_parse("constant", rate=100, seconds=1).times(1)
    assert set(np.diff(times)) == {10_000_000}


def test_poisson_gaps_vary_as_much_as_their_mean():
    gaps = np.diff(arrivals_parse("poisson", rate=1_000, seconds=30).times(1))
    assert 0.95 < gaps.std() / gaps.mean() < 1.05


def test_bursts_come_at_once():
    times = arrivals_parse("bursts:size=50", rate=1_000, seconds=2).times(1)
    starts, sizes = np.unique(times, return_counts=True)
    assert set(sizes) == {50}
    assert set(np.diff(starts)) == {50_000_000}


def test_a_ramp_grows_from_its_beginning_to_as_much_above_the_mean():
    times = arrivals_parse("ramp:begin=200", rate=1_000, seconds=10).times(1) / 1e9
    assert abs((times < 1).sum() - (200 + 360) // 2 * 1) < 10
    assert abs((times >= 9).sum() - (1_640 + 1_800) // 2) < 10


def test_three_quarters_of_a_year_come_in_december():
    times = arrivals_parse("year", rate=5_000, seconds=12).times(3)
    assert abs((times >= 11 * 10**9).mean() - DECEMBER_SHARE) < 0.01


@pytest.mark.parametrize(
    ("text", "given", "expected"),
    [
        ("rush", {}, "expected one of constant"),
        ("bursts:size", {}, "expected name=value"),
        ("bursts:size=0", {}, "size of bursts above 0"),
        ("constant:size=5", {}, "unknown field `size`"),
        ("ramp:begin=3000", {"rate": 1_000}, "between 0 and 2000"),
        ("constant", {"rate": 1e9, "seconds": 10}, "at most 50,000,000"),
        ("constant", {"rate": -1}, "above 0"),
    ],
)
def test_what_can_not_be_drawn_is_one_clear_line(text, given, expected):
    with pytest.raises(ArrivalsError, match="^arrivals: .*") as error:
        arrivals_parse(text, **given)
    assert expected in str(error.value)

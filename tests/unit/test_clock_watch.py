"""A system clock that was set is noticed; one that is put right a little is not."""

import pytest

from cea_exchange.protocol.clock import running_ns
from cea_exchange.venue.clock_watch import ClockWatch

SECOND = 10**9
START_NS = 1_735_610_400 * SECOND


class Clocks:
    """The venue's clock, and one that nobody sets."""

    def __init__(self, kind="system"):
        self.kind = kind
        self.wall_ns, self.steady_ns = START_NS, 77 * SECOND

    def now_ns(self):
        return self.wall_ns

    def run(self, seconds, set_by=0):
        self.steady_ns += seconds * SECOND
        self.wall_ns += (seconds + set_by) * SECOND


@pytest.fixture
def clocks():
    return Clocks()


@pytest.fixture
def watch(clocks):
    return ClockWatch(clocks, steady_ns=lambda: clocks.steady_ns)


def test_a_clock_that_runs_has_not_jumped_however_seldom_it_is_looked_at(clocks, watch):
    for seconds in (0, 1, 7 * 86_400):
        clocks.run(seconds)
        assert watch.look(START_NS) == clocks.wall_ns
        assert (watch.has_jumped, watch.warning) == (False, None)


def test_a_clock_that_is_put_right_a_little_has_not_jumped(clocks, watch):
    for _ in range(10):
        clocks.run(60, set_by=30)
        watch.look(START_NS)
        assert (watch.has_jumped, watch.warning) == (False, None)


def test_a_clock_that_is_led_ahead_step_by_step_has_jumped(clocks, watch):
    """Each step is little, all of them are not."""
    for _ in range(10):
        clocks.run(1, set_by=31)
        watch.look(START_NS)
    assert watch.has_jumped
    clocks.run(86_400, set_by=-310)
    watch.look(START_NS)
    assert (watch.has_jumped, watch.warning) == (False, None)


def test_a_clock_that_drifts_all_the_time_has_not_jumped(clocks, watch):
    for _ in range(100):
        clocks.run(86_400, set_by=200)
        watch.look(START_NS)
        assert (watch.has_jumped, watch.warning) == (False, None)


def test_a_jump_ahead_is_told_once_and_is_over_when_it_is_set_back(clocks, watch, capsys):
    clocks.run(1, set_by=7 * 86_400)
    for _ in range(3):
        watch.look(START_NS)
        clocks.run(600)
        assert watch.has_jumped
    assert "has jumped 604,800 s ahead" in watch.warning
    assert capsys.readouterr().out.count("has jumped") == 1
    clocks.run(1, set_by=-7 * 86_400 + 1)
    watch.look(START_NS)
    assert (watch.has_jumped, watch.warning) == (False, None)
    assert "clock_right" in capsys.readouterr().out
    clocks.run(1, set_by=301)
    watch.look(START_NS)
    assert watch.has_jumped


def test_what_was_journaled_under_the_jumped_clock_is_told_when_it_is_set_back(
    clocks, watch, capsys
):
    clocks.run(1, set_by=3_600)
    watch.look(START_NS)
    journaled_ns = clocks.wall_ns
    clocks.run(1, set_by=-3_600)
    watch.look(journaled_ns)
    assert "is 3,599 s behind the journal" in watch.warning and not watch.has_jumped
    told = capsys.readouterr().out
    assert told.count("has jumped") == told.count("behind the journal") == 1


def test_a_clock_that_was_set_back_and_right_again_has_not_jumped(clocks, watch):
    journaled_ns = clocks.wall_ns
    clocks.run(1, set_by=-3_600)
    watch.look(journaled_ns)
    assert "is 3,599 s behind the journal" in watch.warning and not watch.has_jumped
    clocks.run(600)
    watch.look(journaled_ns)
    clocks.run(1, set_by=3_600)
    watch.look(journaled_ns)
    assert (watch.has_jumped, watch.warning) == (False, None)


def test_a_second_behind_the_journal_is_nothing_to_warn_of(clocks, watch):
    watch.look(clocks.wall_ns + SECOND)
    assert watch.warning is None
    watch.look(clocks.wall_ns + SECOND + 1)
    assert "is 1 s behind the journal" in watch.warning


@pytest.mark.parametrize("kind", ["manual", "accelerated"])
def test_other_clocks_are_moved_and_not_watched(kind):
    clocks = Clocks(kind)
    watch = ClockWatch(clocks, steady_ns=lambda: clocks.steady_ns)
    clocks.run(1, set_by=7 * 86_400)
    assert watch.look(2 * START_NS) == clocks.wall_ns
    assert (watch.has_jumped, watch.warning) == (False, None)


def test_the_machines_own_clock_goes_on():
    first = running_ns()
    assert 0 < first <= running_ns()

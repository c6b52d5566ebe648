"""A system clock that was set is noticed; one that is put right a little is not."""

import pytest

from cea_exchange.protocol.clock import running_ns
from cea_exchange.venue.trading_day.clock_monitor import ClockMonitor

SECOND = 10**9
START_NS = 1_735_610_400 * SECOND


class Clocks:
    """The venue's clock, and one that nobody sets."""

    def __init__(self, kind="system"):
        self.kind = kind
        self.wall_ns, self.steady_ns = START_NS, 77 * SECOND

    def now_ns(self):
        return self.wall_ns

    def not_before(self, at_ns):
        """The system's clock is left alone."""

    def run(self, seconds, set_by=0):
        self.steady_ns += seconds * SECOND
        self.wall_ns += (seconds + set_by) * SECOND


@pytest.fixture
def clocks():
    return Clocks()


@pytest.fixture
def monitor(clocks):
    return ClockMonitor(clocks, steady_ns=lambda: clocks.steady_ns)


def test_a_clock_that_runs_has_not_jumped_however_seldom_it_is_looked_at(clocks, monitor):
    for seconds in (0, 1, 7 * 86_400):
        clocks.run(seconds)
        assert monitor.look(START_NS) == clocks.wall_ns
        assert (monitor.has_jumped, monitor.warning) == (False, None)


def test_a_clock_that_is_put_right_a_little_has_not_jumped(clocks, monitor):
    for _ in range(10):
        clocks.run(60, set_by=30)
        monitor.look(START_NS)
        assert (monitor.has_jumped, monitor.warning) == (False, None)


def test_a_clock_that_is_led_ahead_step_by_step_has_jumped(clocks, monitor):
    """Each step is little, all of them are not."""
    for _ in range(10):
        clocks.run(1, set_by=31)
        monitor.look(START_NS)
    assert monitor.has_jumped
    clocks.run(86_400, set_by=-310)
    monitor.look(START_NS)
    assert (monitor.has_jumped, monitor.warning) == (False, None)


def test_a_clock_that_drifts_all_the_time_has_not_jumped(clocks, monitor):
    for _ in range(100):
        clocks.run(86_400, set_by=200)
        monitor.look(START_NS)
        assert (monitor.has_jumped, monitor.warning) == (False, None)


def test_a_jump_ahead_is_told_once_and_is_over_when_it_is_set_back(clocks, monitor, capsys):
    clocks.run(1, set_by=7 * 86_400)
    for _ in range(3):
        monitor.look(START_NS)
        clocks.run(600)
        assert monitor.has_jumped
    assert "has jumped 604,800 s ahead" in monitor.warning
    assert capsys.readouterr().out.count("has jumped") == 1
    clocks.run(1, set_by=-7 * 86_400 + 1)
    monitor.look(START_NS)
    assert (monitor.has_jumped, monitor.warning) == (False, None)
    assert "clock_right" in capsys.readouterr().out
    clocks.run(1, set_by=301)
    monitor.look(START_NS)
    assert monitor.has_jumped


def test_what_was_journaled_under_the_jumped_clock_is_told_when_it_is_set_back(
    clocks, monitor, capsys
):
    clocks.run(1, set_by=3_600)
    monitor.look(START_NS)
    journaled_ns = clocks.wall_ns
    clocks.run(1, set_by=-3_600)
    monitor.look(journaled_ns)
    assert "is 3,599 s behind the journal" in monitor.warning and not monitor.has_jumped
    shown = capsys.readouterr().out
    assert shown.count("has jumped") == shown.count("behind the journal") == 1


def test_a_clock_that_was_set_back_and_right_again_has_not_jumped(clocks, monitor):
    journaled_ns = clocks.wall_ns
    clocks.run(1, set_by=-3_600)
    monitor.look(journaled_ns)
    assert "was set back, by 3,600 s" in monitor.warning and not monitor.has_jumped
    clocks.run(600)
    monitor.look(journaled_ns)
    clocks.run(1, set_by=3_600)
    monitor.look(journaled_ns)
    assert (monitor.has_jumped, monitor.warning) == (False, None)


def test_a_second_behind_the_journal_is_nothing_to_warn_of(clocks, monitor):
    monitor.look(clocks.wall_ns + SECOND)
    assert monitor.warning is None
    monitor.look(clocks.wall_ns + SECOND + 1)
    assert "is 1 s behind the journal" in monitor.warning


@pytest.mark.parametrize("kind", ["manual", "accelerated"])
def test_other_clocks_are_moved_and_not_watched(kind):
    clocks = Clocks(kind)
    monitor = ClockMonitor(clocks, steady_ns=lambda: clocks.steady_ns)
    clocks.run(1, set_by=7 * 86_400)
    assert monitor.look(2 * START_NS) == clocks.wall_ns
    assert (monitor.has_jumped, monitor.warning) == (False, None)


def test_the_machines_own_clock_goes_on():
    first = running_ns()
    assert 0 < first <= running_ns()


# -- What is stamped -------------------------------------------------------------------------------


@pytest.mark.parametrize("jump_s", [10 * 365 * 86_400, -10 * 365 * 86_400, 301, -301, 2**33])
def test_stamps_go_on_from_the_last_good_one_while_the_clock_is_doubted(clocks, monitor, jump_s):
    """A spike of a second left 2035 in the record for years."""
    clocks.run(10)
    last_ns = monitor.now_ns()
    assert last_ns == clocks.wall_ns
    clocks.run(1, set_by=jump_s)
    assert monitor.now_ns() == last_ns + SECOND
    clocks.run(3_600)
    assert monitor.now_ns() == last_ns + 3_601 * SECOND
    clocks.run(1, set_by=-jump_s)
    assert monitor.now_ns() == clocks.wall_ns == last_ns + 3_602 * SECOND


def test_a_clock_that_is_put_right_a_little_is_followed(clocks, monitor):
    for _ in range(5):
        clocks.run(60, set_by=30)
        assert monitor.now_ns() == clocks.wall_ns


@pytest.mark.parametrize("days", [0, 1, 29])
def test_a_start_believes_a_clock_that_the_venue_may_have_stood_still_for(clocks, monitor, days):
    clocks.run(86_400 * days)
    monitor.start_behind(START_NS)
    assert (monitor.now_ns(), monitor.warning) == (clocks.wall_ns, None)


@pytest.mark.parametrize("ahead_s", [31 * 86_400, 125 * 365 * 86_400])
def test_a_start_doubts_a_clock_far_ahead_of_the_journal_until_it_is_set_right(
    clocks, monitor, ahead_s
):
    """A machine whose battery is empty, say; the unit starts before its clock is set."""
    clocks.run(0, set_by=ahead_s)
    monitor.start_behind(START_NS)
    assert monitor.has_jumped and "ahead of what was journaled last" in monitor.warning
    clocks.run(5)
    assert monitor.look(START_NS) == monitor.now_ns() == START_NS + 5 * SECOND
    # It is Monday; the journal ends on Friday.
    clocks.run(5, set_by=3 * 86_400 - ahead_s)
    assert monitor.look(START_NS) == clocks.wall_ns
    assert (monitor.has_jumped, monitor.warning) == (False, None)


def test_a_first_start_has_nothing_to_doubt_its_clock_by(clocks, monitor):
    monitor.start_behind(0)
    assert (monitor.now_ns(), monitor.warning) == (clocks.wall_ns, None)


def test_a_doubted_clock_is_believed_if_it_goes_on_from_what_was_stated(clocks, monitor):
    """CEA-OPR-02: the second person may agree some time after the first has looked."""
    with pytest.raises(ValueError, match="got one with nothing wrong"):
        monitor.stated(clocks.wall_ns)
    clocks.run(0, set_by=60 * 86_400)
    monitor.start_behind(START_NS)
    for wrong_ns in (START_NS, clocks.wall_ns - 301 * SECOND, clocks.wall_ns + 301 * SECOND):
        with pytest.raises(ValueError, match="within five minutes"):
            monitor.stated(wrong_ns)
    believe = monitor.stated(clocks.wall_ns + 299 * SECOND)
    clocks.run(1_800)
    assert "ahead of what was journaled last" in monitor.warning
    clocks.run(0, set_by=-3)
    with pytest.raises(ValueError, match="within five minutes"):
        believe()
    clocks.run(0, set_by=3)
    believe()
    monitor.look(START_NS)
    assert (monitor.now_ns(), monitor.warning) == (clocks.wall_ns, None)
    with pytest.raises(ValueError, match="got one with nothing wrong"):
        believe()
    clocks.run(0, set_by=125 * 365 * 86_400)
    with pytest.raises(ValueError, match="within five minutes"):
        monitor.stated(clocks.wall_ns)


def test_the_journal_of_a_venue_with_a_clock_of_2150_is_gone_on_with(clocks, monitor):
    clocks.run(2 * 86_400)
    monitor.start_behind(START_NS + 125 * 365 * 86_400 * SECOND)
    assert monitor.now_ns() == clocks.wall_ns
    assert monitor.is_behind and "behind the journal" in monitor.warning

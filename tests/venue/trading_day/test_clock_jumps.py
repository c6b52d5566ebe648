"""A system clock that jumps ahead costs no trading day."""

import time

import pytest

from cea_exchange.domain.timetable import time_parse, time_to_ns
from cea_exchange.journal import read_frames
from cea_exchange.protocol.clock import Clock, ClockSetting, running_ns
from cea_exchange.protocol.operators import OperatorSetting
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.venue.operations.admin_client import ActRefused
from support.refusing import refuses
from support.venue.venue_world import DATE, admin_ask, enter, world_open

pytestmark = pytest.mark.e2e

WEEK_NS = 7 * 86_400 * 10**9
TURNS_S = 0.2
"""Long enough for the daemon to look at the clock several times."""


class SystemClock:
    """The machine's clock as somebody sets it."""

    def __init__(self, text):
        self.ahead_ns = time_to_ns(time_parse(text)) - running_ns()

    def now_ns(self):
        return running_ns() + self.ahead_ns


@pytest.fixture
def clock(monkeypatch):
    clock = SystemClock("2024-12-31T10:00:00+08:00")
    monkeypatch.setattr(Clock, "now_ns", lambda self: clock.now_ns())
    return clock


@pytest.fixture
def world(tmp_path, clock):
    names = ("an", "bo")
    operators = tuple(OperatorSetting(name=name, key=f"keys/{name}.public") for name in names)
    with world_open(
        tmp_path, clock=ClockSetting(kind="system"), operators=operators, admin_keys=()
    ) as world:
        for name in names:
            CurveKeys.new().save(world.data / "keys", name)
        world.admin_key = "an"
        world.start()
        world.until(lambda: world.admin(op="status")["phase"] == "listed")
        yield world


def jump(world, clock, ahead_ns):
    clock.ahead_ns += ahead_ns
    world.until(lambda: "has jumped" in (world.admin(op="status")["clock_warning"] or ""))
    time.sleep(TURNS_S)


def test_a_jump_ahead_closes_and_opens_nothing_and_is_over_when_it_is_set_back(world, clock):
    """CEA-DAY-04: one that closed the day and opened next week's would lose all between."""
    world.registry.confirmed_date = 0
    jump(world, clock, WEEK_NS)
    status = world.admin(op="status")
    assert (status["trading_date"], status["phase"]) == (DATE, "listed")
    clock.ahead_ns -= WEEK_NS
    world.until(lambda: world.admin(op="status")["clock_warning"] is None)
    # Trading goes on, and the timetable does.
    alice = world.logged_on("alice")
    alice.command(enter(1, "buy"))
    alice.reports(2)
    clock.ahead_ns += 290 * 10**9
    time.sleep(TURNS_S)
    assert world.admin(op="status")["clock_warning"] is None


YEAR_NS = 365 * 86_400 * 10**9


@pytest.mark.parametrize("ahead_ns", [10 * YEAR_NS, 125 * YEAR_NS, 237 * YEAR_NS, -WEEK_NS])
def test_nothing_of_a_clock_that_is_wrong_gets_into_the_journal(world, clock, ahead_ns):
    """Spikes to 2035, 2150 and 2262; two days later the old day closes and the next one opens."""
    alice = world.logged_on("alice")
    before_ns = clock.now_ns()
    clock.ahead_ns += ahead_ns
    alice.command(enter(1, "buy"))
    alice.reports(2)
    assert world.admin(op="phase", phase="break")["phase"] == "break"
    clock.ahead_ns -= ahead_ns
    world.stop()
    stamps = [frame.time_ns for frame in read_frames(world.data / "journal")]
    assert stamps == sorted(stamps) and stamps[-1] >= before_ns
    assert stamps[-1] < before_ns + 3_600 * 10**9
    clock.ahead_ns += 2 * 86_400 * 10**9
    world.start()
    world.until(lambda: not world.admin(op="status")["day_is_open"])
    status = world.admin(op="status")
    assert (status["trading_date"], status["clock_warning"]) == (DATE, None)
    world.registry.settled_seq = status["settlement_seq"]
    world.registry.confirmed_date = DATE
    world.until(lambda: world.admin(op="status")["trading_date"] == 20250102)


def test_operators_go_on_while_the_clock_is_wrong(world, clock):
    jump(world, clock, WEEK_NS)
    assert world.admin(op="phase", phase="break")["phase"] == "break"
    assert not world.admin(op="close_day")["day_is_open"]
    time.sleep(TURNS_S)
    clock.ahead_ns -= WEEK_NS
    world.until(lambda: world.admin(op="status")["clock_warning"] is None)
    status = world.admin(op="status")
    assert (status["trading_date"], status["day_is_open"]) == (DATE, False)


def test_a_start_with_a_clock_of_next_year_waits_for_two_who_confirm_it(world, clock):
    """CEA-OPR-02: a day that one person's word closed would be no more undone."""
    world.stop()
    clock.ahead_ns += 40 * 86_400 * 10**9
    world.start()
    world.until(lambda: world.admin(op="status")["clock_warning"])
    time.sleep(TURNS_S)
    status = world.admin(op="status")
    assert (status["trading_date"], status["phase"]) == (DATE, "listed")
    assert "ahead of what was journaled last" in status["clock_warning"]
    with refuses("CLOCK_NOT_MANUAL: ", ActRefused):
        world.admin(op="clock", at="2025-02-09T10:00:00+08:00")
    number = world.admin(op="clock_confirm", at="2025-02-09T10:00:00+08:00")["proposal"]
    approval = {"op": "approve", "number": number}
    with refuses("SAME_PERSON: ", ActRefused):
        world.admin(**approval)
    time.sleep(TURNS_S)
    assert world.admin(op="status")["trading_date"] == DATE
    clock.ahead_ns += WEEK_NS
    with refuses("CLOCK_NOT_DOUBTED: ", ActRefused):
        admin_ask(world.data, approval, key="bo")
    clock.ahead_ns -= WEEK_NS
    admin_ask(world.data, approval, key="bo")
    world.until(lambda: not world.admin(op="status")["day_is_open"])
    assert world.admin(op="status")["clock_warning"] is None


def test_a_restart_takes_the_clock_as_right(world, clock):
    jump(world, clock, WEEK_NS)
    world.stop()
    world.start()
    world.until(lambda: not world.admin(op="status")["day_is_open"])
    status = world.admin(op="status")
    assert (status["trading_date"], status["clock_warning"]) == (DATE, None)
    world.registry.settled_seq = status["settlement_seq"]
    world.registry.confirmed_date = DATE
    world.until(lambda: world.admin(op="status")["trading_date"] == 20250107)

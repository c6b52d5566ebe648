"""A system clock that jumps ahead costs no trading day."""

import time

import pytest
from venue_world import DATE, enter, world_open

from cea_exchange.domain.timetable import time_parse, time_to_ns
from cea_exchange.protocol.clock import Clock, ClockSetting, running_ns

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
    with world_open(tmp_path, clock=ClockSetting(kind="system")) as world:
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


def test_operators_go_on_while_the_clock_is_wrong_and_hear_of_the_time_they_journaled(world, clock):
    jump(world, clock, WEEK_NS)
    assert world.admin(op="phase", phase="break")["phase"] == "break"
    assert not world.admin(op="close_day")["day_is_open"]
    time.sleep(TURNS_S)
    clock.ahead_ns -= WEEK_NS
    world.until(lambda: "behind the journal" in (world.admin(op="status")["clock_warning"] or ""))
    status = world.admin(op="status")
    assert (status["trading_date"], status["day_is_open"]) == (DATE, False)


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

"""The venue's clock and timer: what is due, in order, whatever was missed."""

import pytest

from cea_exchange.domain.calendar import TradingCalendar
from cea_exchange.domain.records import Phase
from cea_exchange.domain.timetable import time_parse, time_to_ns
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.protocol.clock import Clock, ClockSetting
from cea_exchange.protocol.control import DayClose, DayOpen, PhaseSet
from cea_exchange.venue.market.state_machine import VenueStateMachine
from cea_exchange.venue.trading_day.day_timer import DayTimer
from support.journal.small_market import PROFILE, feed


@pytest.fixture
def machine():
    machine = VenueStateMachine(PROFILE, ReferenceMarket)
    for item in feed():
        machine.apply_control(item)
    return machine


@pytest.fixture
def timer():
    return DayTimer(PROFILE, TradingCalendar.load(PROFILE.calendar))


def ns(text):
    return time_to_ns(time_parse(f"{text}+08:00"))


def acts_until(timer, machine, text):
    """Apply all that a running clock makes due at a time, and return it."""
    acts = []
    while (act := timer.due(machine, ns(text))) is not None:
        machine.apply_control(act)
        acts.append(act)
        assert len(acts) < 10
    return acts


def test_a_whole_day(timer, machine):
    seen = []
    for time in ("08:59:59", "09:00", "09:29:59", "09:30", "11:30", "13:00", "15:00", "23:00"):
        seen += acts_until(timer, machine, f"2024-12-31T{time}")
    assert seen == [
        DayOpen(date=20241231),
        PhaseSet(phase=Phase.LISTED),
        PhaseSet(phase=Phase.BREAK),
        PhaseSet(phase=Phase.LISTED_AND_BLOCK),
        DayClose(),
    ]


def test_a_venue_that_comes_late_joins_the_day_where_it_is(timer, machine):
    assert acts_until(timer, machine, "2024-12-31T13:05") == [
        DayOpen(date=20241231),
        PhaseSet(phase=Phase.LISTED_AND_BLOCK),
    ]


def test_a_missed_day_is_closed_under_its_own_date_and_whole_days_are_skipped(timer, machine):
    acts_until(timer, machine, "2024-12-26T10:00")
    assert acts_until(timer, machine, "2024-12-31T09:31") == [
        DayClose(),
        DayOpen(date=20241231),
        PhaseSet(phase=Phase.LISTED),
    ]


def test_nothing_opens_after_the_close_or_on_a_closed_day(timer, machine):
    assert acts_until(timer, machine, "2024-12-31T15:00") == []
    assert acts_until(timer, machine, "2025-01-01T10:00") == []
    assert acts_until(timer, machine, "2099-01-01T10:00") == []


def test_a_day_does_not_open_twice(timer, machine):
    acts_until(timer, machine, "2024-12-31T10:00")
    machine.apply_control(DayClose())
    assert acts_until(timer, machine, "2024-12-31T10:01") == []


def test_an_operators_phase_stands_until_the_timetables_next_change(timer, machine):
    acts_until(timer, machine, "2024-12-31T10:00")
    machine.apply_control(PhaseSet(phase=Phase.BREAK))
    assert acts_until(timer, machine, "2024-12-31T10:01") == []
    assert acts_until(timer, machine, "2024-12-31T13:00") == [
        PhaseSet(phase=Phase.LISTED_AND_BLOCK)
    ]


def test_a_moved_clock_runs_through_every_change(timer, machine):
    timer.move(machine, ns("2024-12-30T16:00"), time_parse("2025-01-02T09:30:00+08:00"))
    seen = []
    while (act := timer.queued()) is not None:
        machine.apply_control(act)
        seen.append((type(act).__name__, timer.queued_done()))
    assert [name for name, _ in seen] == [
        *("DayOpen", "PhaseSet", "PhaseSet", "PhaseSet", "DayClose"),
        *("DayOpen", "PhaseSet"),
    ]
    assert seen[5][1] == ns("2025-01-02T09:00")


def test_a_manual_clock_stands_still_and_never_goes_back():
    clock = Clock(ClockSetting(kind="manual", start="2024-12-31T08:00:00+08:00"))
    start = clock.now_ns()
    assert start == ns("2024-12-31T08:00")
    clock.not_before(start - 1)
    assert clock.now_ns() == start
    clock.not_before(start + 5)
    assert clock.now_ns() == start + 5


def test_an_accelerated_clock_goes_on_from_the_journals_time():
    setting = ClockSetting(kind="accelerated", start="2024-12-31T08:00:00+08:00", speed=1_000)
    clock = Clock(setting)
    first, second = clock.now_ns(), clock.now_ns()
    assert ns("2024-12-31T08:00") <= first < second < ns("2024-12-31T09:00")
    clock.not_before(ns("2024-12-31T12:00"))
    assert ns("2024-12-31T12:00") <= clock.now_ns() < ns("2024-12-31T13:00")

"""What time it is in a year's market: by what was entered, and nothing else."""

from datetime import date

import pytest

from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import Phase
from cea_exchange.domain.timetable import time_from_ns
from cea_exchange.supervision.tape import SECOND_NS
from cea_exchange.year.institutions.session_time import OPEN_HOUR, SessionTime

pytestmark = pytest.mark.unit

DAY = date(2025, 7, 16)


def listed():
    """Return the time at the beginning of the first session."""
    time = SessionTime(load_profile("cea"))
    time.be(DAY, OPEN_HOUR)
    time.phase_begin(DAY, Phase.LISTED)
    return time


def shown(time):
    """Return the time of day."""
    return time_from_ns(time.now_ns).isoformat()[11:-6]


def test_a_phase_begins_at_its_time_and_no_time_goes_back():
    time = listed()
    assert shown(time) == "09:30:00"
    time.wait(60)
    time.be(DAY, OPEN_HOUR)
    time.phase_begin(DAY, Phase.LISTED)
    assert shown(time) == "09:31:00"
    time.phase_begin(DAY, Phase.LISTED_AND_BLOCK)
    assert shown(time) == "13:00:00"


def test_a_command_comes_half_a_minute_after_the_last_or_what_a_seat_wants():
    time = listed()
    time.step()
    assert shown(time) == "09:30:30"
    with time.paced(SECOND_NS):
        time.step()
    time.step()
    assert shown(time) == "09:31:01"


def test_commands_that_come_together_take_half_of_what_is_left_of_the_session():
    """Two hours less nothing: a thousand in one, each 3.6 s after the last."""
    time = listed()
    with time.together(1_000):
        for _ in range(1_000):
            time.step()
    assert shown(time) == "10:30:00"


def test_steps_are_whole_microseconds_and_never_reach_the_sessions_end():
    time = listed()
    for _ in range(40):
        with time.together(4_096):
            for _ in range(4_096):
                time.step()
                assert time.now_ns % 1_000 == 0
    assert shown(time) < "11:30:00"

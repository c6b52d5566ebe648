"""What falls due when the market's time moves on."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cea_exchange.domain.calendar import CalendarError, TradingCalendar
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import Phase
from cea_exchange.domain.timetable import (
    SHANGHAI,
    changes_due,
    changes_of_day,
    day_start,
    time_from_ns,
    time_parse,
    time_to_ns,
)

PROFILE = load_profile("cea")
CALENDAR = TradingCalendar.load("cn_carbon")
WEDNESDAY = date(2025, 7, 16)
FRIDAY = date(2025, 7, 18)
WHOLE_DAY = ["day_open", "LISTED", "BREAK", "LISTED_AND_BLOCK", "day_close"]


def at(day, time):
    return datetime.fromisoformat(f"{day}T{time}+08:00")


def due(after, until, **state):
    """The changes as words: the act, or the phase where the act is one."""
    changes = changes_due(PROFILE, CALENDAR, after=after, until=until, **state)
    assert changes == sorted(changes, key=lambda change: change.at)
    return [c.phase.name if c.act == "phase" else c.act for c in changes]


def test_a_whole_day():
    """CEA-DAY-02, CEA-DAY-03."""
    times = [(c.at.strftime("%H:%M"), c.phase) for c in changes_of_day(PROFILE, WEDNESDAY)]
    assert times == [
        ("09:00", Phase.PRE_OPEN),
        ("09:30", Phase.LISTED),
        ("11:30", Phase.BREAK),
        ("13:00", Phase.LISTED_AND_BLOCK),
        ("15:00", Phase.CLOSED),
    ]


@pytest.mark.parametrize(
    ("time", "words"),
    [
        ("08:59:59.999999", []),
        ("09:00:00", WHOLE_DAY[:1]),
        ("09:29:59.999999", WHOLE_DAY[:1]),
        ("09:30:00", WHOLE_DAY[:2]),
        ("11:29:59.999999", WHOLE_DAY[:2]),
        ("11:30:00", WHOLE_DAY[:3]),
        ("13:00:00", WHOLE_DAY[:4]),
        ("14:59:59.999999", WHOLE_DAY[:4]),
        ("15:00:00", WHOLE_DAY),
        ("23:59:59", WHOLE_DAY),
    ],
)
def test_starts_are_inclusive_and_ends_exclusive(time, words):
    """CEA-DAY-04: also, the first clock runs all of its own day that is due."""
    assert due(None, at(WEDNESDAY, time)) == words


def test_the_first_clock_opens_its_own_date_at_most():
    """CEA-DAY-04."""
    assert due(None, at("2025-07-19", "12:00:00")) == []
    assert due(None, at("2025-07-21", "08:00:00")) == []


def test_a_change_is_due_once():
    state = {"day_open": WEDNESDAY}
    assert due(at(WEDNESDAY, "09:30:00"), at(WEDNESDAY, "09:30:00"), **state) == []
    assert due(at(WEDNESDAY, "09:30:00"), at(WEDNESDAY, "11:30:00"), **state) == ["BREAK"]


def test_a_leap_runs_every_trading_day_in_between():
    """CEA-DAY-04: Friday's close, nothing at the weekend, Monday whole, Tuesday begun."""
    words = due(at(FRIDAY, "14:00:00"), at("2025-07-22", "09:30:00"), day_open=FRIDAY)
    assert words == ["day_close", *WHOLE_DAY, *WHOLE_DAY[:2]]
    assert len(due(at(FRIDAY, "15:00:00"), at("2025-12-31", "23:00:00"))) == 5 * len(
        CALENDAR.days(date(2025, 7, 19), date(2025, 12, 31))
    )


def test_a_day_opened_by_hand_runs_by_the_timetable_without_opening_again():
    """CEA-DAY-04: also on a Saturday, for nobody asked the calendar."""
    for day in (WEDNESDAY, date(2025, 7, 19)):
        words = due(day_start(day), at(day, "15:00:00"), day_open=day)
        assert words == WHOLE_DAY[1:]


def test_a_day_closed_by_hand_stays_closed():
    assert due(at(WEDNESDAY, "10:00:00"), at(WEDNESDAY, "23:00:00"), last_date=WEDNESDAY) == []
    early = due(day_start(WEDNESDAY), at(WEDNESDAY, "23:00:00"), last_date=WEDNESDAY)
    assert early == []


def test_time_does_not_go_back():
    with pytest.raises(ValueError, match="expected none before"):
        due(at(WEDNESDAY, "10:00:00"), at(WEDNESDAY, "09:59:59"))


def test_the_clock_does_not_leave_the_calendar():
    for moment in (at("2027-01-01", "00:00:00"), at("2021-07-15", "10:00:00")):
        with pytest.raises(CalendarError, match="expected within"):
            due(None, moment)
    with pytest.raises(CalendarError, match="expected within"):
        due(at("2026-12-31", "15:00:00"), at("2027-01-01", "00:00:00"))


def test_times_of_other_offsets_count_in_shanghai():
    assert due(None, datetime(2025, 7, 16, 1, 30, tzinfo=UTC)) == WHOLE_DAY[:2]
    assert time_parse("2025-07-15T20:30:00-05:00") == at(WEDNESDAY, "09:30:00")
    assert time_parse("2025-07-16T01:30:00Z").utcoffset() == timedelta(hours=8)


@pytest.mark.parametrize("text", ["2025-07-16T09:30:00", "2025-07-16", "9:30", "", "now"])
def test_a_time_without_offset_is_refused(text):
    with pytest.raises(ValueError, match="time: expected"):
        time_parse(text)
    with pytest.raises(TypeError, match="time: expected str"):
        time_parse(1_752_629_400)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:00", "9999-12-31T23:00:00-12:00"])
def test_a_time_at_the_edge_of_the_calendar_of_python_is_refused(text):
    with pytest.raises(ValueError, match="years 1..9999"):
        time_parse(text)


def test_nanoseconds_and_back():
    moment = at(WEDNESDAY, "09:30:00.123456")
    assert time_to_ns(moment) == 1_752_629_400_123_456_000
    assert time_from_ns(time_to_ns(moment) + 999) == moment
    assert time_from_ns(0) == datetime(1970, 1, 1, 8, tzinfo=SHANGHAI)
    with pytest.raises(ValueError, match="offset"):
        time_to_ns(datetime(2025, 7, 16))


def test_open_profile_trades_all_day():
    """OPEN-MKT-02."""
    profile, calendar = load_profile("open"), TradingCalendar.load("every_day")
    until = datetime(2012, 6, 24, 12, tzinfo=SHANGHAI)
    changes = changes_due(profile, calendar, after=None, until=until)
    assert [c.phase for c in changes] == [Phase.PRE_OPEN, Phase.LISTED_AND_BLOCK]


def state_after(changes, day_open, last_date):
    """Which day is open, and which was the last, once changes have been applied."""
    for change in changes:
        if change.act == "day_open":
            day_open = last_date = change.trading_date
        elif change.act == "day_close":
            day_open = None
    return {"day_open": day_open, "last_date": last_date}


@settings(max_examples=60)
@given(st.lists(st.integers(0, 20 * 24 * 60), min_size=2, max_size=6).map(sorted))
def test_small_steps_give_what_a_leap_gives(minutes):
    """CEA-DAY-04: however the clock is moved from one time to another, the same happens."""
    start = at("2025-09-24", "00:00:00")
    times = [start + timedelta(minutes=minute) for minute in minutes]
    first = changes_due(PROFILE, CALENDAR, after=None, until=times[0])
    state = begun = state_after(first, None, None)
    stepped = []
    for after, until in pairwise(times):
        changes = changes_due(PROFILE, CALENDAR, after=after, until=until, **state)
        state = state_after(changes, **state)
        stepped += changes
    assert stepped == changes_due(PROFILE, CALENDAR, after=times[0], until=times[-1], **begun)

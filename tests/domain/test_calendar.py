"""Trading days: against the statutory calendar, another library and the market's own days."""

from datetime import date, timedelta

import pytest

from cea_exchange.domain.calendar import (
    CalendarError,
    TradingCalendar,
    calendar_names,
    date_number,
    date_of_number,
    date_parse,
)
from cea_exchange.domain.reference_prices import load_daily
from support.places import ROOT

DAILY_PATH = (
    ROOT.parent / "shared" / "data" / "cea" / "cea_daily_2021_2024.csv"
)
SPRING_FESTIVAL_EVE_2024 = date(2024, 2, 9)
"""No statutory holiday, but the markets were closed by announcement."""


@pytest.fixture(scope="module")
def cn_carbon():
    return TradingCalendar.load("cn_carbon")


def test_packaged_calendars_load():
    assert calendar_names() == ["cn_carbon", "every_day"]
    for name in calendar_names():
        assert TradingCalendar.load(name).name == name


def test_horizon_and_days_per_year(cn_carbon):
    """CEA-DAY-01: 2025 had 243 trading days, as its operator says."""
    assert (cn_carbon.first, cn_carbon.last) == (date(2021, 7, 16), date(2026, 12, 31))
    summary = cn_carbon.summary(date(2026, 6, 1))
    assert [summary.trading_days[year] for year in range(2021, 2027)] == [
        114, 242, 242, 242, 243, 242,
    ]  # fmt: skip
    assert summary.warning is None


def test_days_equal_those_of_the_daily_statistics(cn_carbon):
    """CEA-DAY-01: all 840 trading days from the launch to the end of 2024."""
    if not DAILY_PATH.exists():
        pytest.skip("the daily statistics (shared/data/cea beside the repository) are not here")
    traded = [day.trading_date for day in load_daily(DAILY_PATH)]
    assert len(traded) == 840
    assert cn_carbon.days(last=date(2024, 12, 31)) == traded


def test_closures_are_the_statutory_holidays(cn_carbon):
    """CEA-DAY-01: weekdays that are holidays; a make-up working weekend is no trading day."""
    chinese_calendar = pytest.importorskip("chinese_calendar", reason="chinesecalendar: extra test")
    day = cn_carbon.first
    while day <= cn_carbon.last:
        trades = day.weekday() < 5 and not chinese_calendar.is_holiday(day)
        trades = trades and day != SPRING_FESTIVAL_EVE_2024
        assert cn_carbon.is_trading_day(day) == trades, day
        day += timedelta(days=1)


def test_working_days_are_the_statutory_ones(cn_carbon):
    """CEA-DAY-09: make-up weekends are worked, and so is the day the market alone was closed."""
    chinese_calendar = pytest.importorskip("chinese_calendar", reason="chinesecalendar: extra test")
    day = cn_carbon.first
    while day <= cn_carbon.last:
        assert cn_carbon.is_working_day(day) == chinese_calendar.is_workday(day), day
        assert cn_carbon.is_working_day(day) or not cn_carbon.is_trading_day(day)
        day += timedelta(days=1)


def test_working_days_per_year(cn_carbon):
    """CEA-DAY-09."""
    counts = [
        len(cn_carbon.working_days(date(year, 1, 1), date(year, 12, 31)))
        for year in range(2022, 2027)
    ]
    assert counts == [249, 249, 251, 248, 248]
    assert SPRING_FESTIVAL_EVE_2024 in cn_carbon.working_days(date(2024, 2, 9), date(2024, 2, 9))


@pytest.mark.parametrize(
    ("since", "count", "until"),
    [
        ("2025-06-30", 7, "2025-07-09"),
        ("2026-02-11", 7, "2026-02-27"),
        ("2025-01-22", 7, "2025-02-07"),
        ("2026-09-24", 7, "2026-10-12"),
        ("2024-09-27", 10, "2024-10-16"),
        ("2025-09-26", 10, "2025-10-16"),
        ("2026-09-28", 10, "2026-10-16"),
        ("2026-03-02", 20, "2026-03-30"),
        ("2026-04-01", 15, "2026-04-23"),
        ("2025-09-29", 15, "2025-10-27"),
        ("2026-10-09", 1, "2026-10-10"),
        ("2026-10-10", 0, "2026-10-10"),
    ],
)
def test_terms_in_working_days(cn_carbon, since, count, until):
    """CEA-DAY-09: the first day is not counted, make-up weekends are."""
    assert cn_carbon.working_day_after(date_parse(since), count) == date_parse(until)


def test_a_term_that_ends_beyond_the_horizon_is_an_error(cn_carbon):
    assert cn_carbon.working_day_after(date(2026, 12, 30), 1) == cn_carbon.last
    with pytest.raises(CalendarError, match="got 2027-01-01"):
        cn_carbon.working_day_after(date(2026, 12, 30), 2)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::Warning:pandas")
def test_days_equal_those_of_the_shanghai_stock_exchange(cn_carbon):
    """CEA-DAY-01: an independent source; both exchanges keep the same closures."""
    library = pytest.importorskip("exchange_calendars", reason="exchange_calendars: extra test")
    shanghai = library.get_calendar("XSHG", start="2021-07-16", end="2026-12-31")
    assert cn_carbon.days() == [session.date() for session in shanghai.sessions]


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        (date(2021, 7, 16), None),
        (date(2024, 12, 31), None),
        (date(2025, 1, 1), "New Year's Day"),
        (date(2025, 1, 26), "Sunday"),
        (date(2025, 9, 28), "Sunday"),
        (date(2025, 10, 6), "Mid-Autumn Festival"),
        (SPRING_FESTIVAL_EVE_2024, "Spring Festival eve, announced closure"),
    ],
)
def test_a_closed_day_says_why(cn_carbon, day, reason):
    assert cn_carbon.reason(day) == reason
    assert cn_carbon.is_trading_day(day) == (reason is None)


def test_every_closure_is_a_weekday_with_a_reason(cn_carbon):
    assert all(day.weekday() < 5 and reason for day, reason in cn_carbon.closures())
    assert cn_carbon.summary(date(2026, 1, 1)).closures == len(cn_carbon.closures()) == 100


def test_the_next_trading_day_skips_weekends_and_holidays(cn_carbon):
    assert cn_carbon.next_trading_day(date(2025, 9, 30)) == date(2025, 10, 9)
    assert cn_carbon.next_trading_day(date(2025, 7, 18)) == date(2025, 7, 21)
    assert cn_carbon.next_trading_day(date(2025, 7, 19)) == date(2025, 7, 21)


@pytest.mark.parametrize("day", [date(2021, 7, 15), date(2027, 1, 1), date(1, 1, 1)])
def test_beyond_the_horizon_is_an_error_not_a_guess(cn_carbon, day):
    with pytest.raises(CalendarError, match=r"within 2021-07-16..2026-12-31 .*got " + str(day)):
        cn_carbon.is_trading_day(day)
    with pytest.raises(CalendarError, match="got 2027-01-01"):
        cn_carbon.next_trading_day(date(2026, 12, 31))


def test_the_summary_warns_before_the_horizon(cn_carbon):
    """CEA-DAY-08."""
    assert cn_carbon.summary(date(2026, 11, 30)).warning is None
    assert "in 30 days" in cn_carbon.summary(date(2026, 12, 1)).warning
    assert "in 0 days" in cn_carbon.summary(date(2026, 12, 31)).warning
    assert "ended on 2026-12-31, 1 days ago" in cn_carbon.summary(date(2027, 1, 1)).warning


def test_every_day_has_no_closed_day():
    """OPEN-MKT-02."""
    every_day = TradingCalendar.load("every_day")
    assert every_day.is_trading_day(date(2012, 6, 23))
    assert every_day.next_trading_day(date(2012, 6, 22)) == date(2012, 6, 23)


GOOD = """
name = "x"
first = 2025-01-01
last = 2025-12-31
closed_weekdays = ["saturday", "sunday"]
[closures]
2025-10-01 = "National Day"
[worked]
2025-10-11 = "made up for National Day"
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("first", "frist", "unknown field `frist`"),
        ("last = 2025-12-31", "last = 2024-12-31", "or later, got"),
        ('"sunday"', '"sonntag"', r"'sonntag' - at `\$.closed_weekdays"),
        ("2025-10-01", "2026-10-01", "closure: expected within 2025-01-01..2025-12-31, got 2026"),
        ("2025-10-01", "2025-10-04", "closure: expected a day open by its weekday, got 2025-10-04"),
        ("2025-10-01", "2025-13-01", "date: expected one such as"),
        ("[closures]", "[closures", "Expected"),
        ("[worked]", "[made_up]", "unknown field `made_up`"),
        ("2025-10-11", "2025-10-13", "worked: expected a day closed otherwise, got 2025-10-13"),
        ("2025-10-11", "2026-10-10", "worked: expected within 2025-01-01..2025-12-31, got 2026"),
    ],
)
def test_a_wrong_calendar_is_refused(old, new, message):
    assert TradingCalendar.parse(GOOD, "x.toml").reason(date(2025, 10, 1)) == "National Day"
    with pytest.raises(CalendarError, match=message):
        TradingCalendar.parse(GOOD.replace(old, new, 1), "x.toml")


def test_a_calendar_loads_from_a_path(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text(GOOD, encoding="utf-8")
    assert TradingCalendar.load(path).days() == TradingCalendar.load(str(path)).days()
    with pytest.raises(CalendarError, match="expected one of cn_carbon, every_day, got 'xshg'"):
        TradingCalendar.load("xshg")
    with pytest.raises(CalendarError, match="expected a calendar, No such file"):
        TradingCalendar.load(tmp_path / "none.toml")


def test_dates_as_numbers_and_text():
    assert date_number(date(2025, 7, 16)) == 20250716
    assert date_of_number(20250716) == date(2025, 7, 16)
    assert date_parse("2025-07-16") == date(2025, 7, 16)
    for text in ("20250716", "2025-7-16", "2025-W29-3", "2025-02-30", "", "2025-07-16T00:00"):
        with pytest.raises(ValueError, match="date: expected"):
            date_parse(text)
    with pytest.raises(TypeError, match="date: expected str"):
        date_parse(20250716)
    for number in (0, 20250230, 20251301, -1):
        with pytest.raises(ValueError, match="date: expected yyyymmdd"):
            date_of_number(number)


def days_2027(first="2027-01-01", weekdays='"saturday", "sunday"', closures="", worked=""):
    return TradingCalendar.parse(
        f'name = "2027"\nfirst = {first}\nlast = 2027-12-31\nclosed_weekdays = [{weekdays}]\n'
        f"[closures]\n{closures}\n[worked]\n{worked}\n",
        "2027.toml",
    )


def test_a_term_behind_the_calendar_is_by_the_weekdays_and_over_for_nobody(cn_carbon):
    """CEA-DAY-10: never early, never late, until the days are known."""
    known = cn_carbon.term_end(date(2026, 12, 24), 5)
    assert (known.number, known.is_provisional) == (20261231, False)
    assert not known.is_over(20261231)
    assert known.is_over(20270101)
    end = cn_carbon.term_end(date(2026, 12, 28), 5)
    assert (end.number, end.is_provisional) == (20270104, True)
    assert not end.is_over(20991231)
    rolled = cn_carbon.rolled(date(2027, 1, 2))
    assert (rolled.number, rolled.is_provisional) == (20270104, True)
    assert not cn_carbon.rolled(date(2026, 12, 31)).is_provisional


@pytest.mark.parametrize(
    ("closures", "worked", "last"),
    [
        ('2027-01-01 = "New Year"', "", 20270105),
        ('2027-01-01 = "New Year"', '2027-01-02 = "made up"', 20270104),
        ("", '2027-01-02 = "made up"\n2027-01-03 = "made up"', 20270102),
    ],
)
def test_the_next_years_days_make_it_certain(cn_carbon, closures, worked, last):
    """CEA-DAY-10: days off put it off, made-up weekends bring it forward."""
    known = cn_carbon.followed_by(days_2027(closures=closures, worked=worked))
    end = known.term_end(date(2026, 12, 28), 5)
    assert (end.number, end.is_provisional) == (last, False)
    assert known.is_trading_day(date(2026, 12, 31))
    assert known.days(last=date(2026, 12, 31)) == cn_carbon.days()


def test_only_days_behind_the_last_one_known_follow(cn_carbon):
    """CEA-DAY-10: no known day changes, and no day is left out."""
    for first in ("2026-12-31", "2027-01-02"):
        with pytest.raises(CalendarError, match="first: expected 2027-01-01, the day after"):
            cn_carbon.followed_by(days_2027(first=first))
    with pytest.raises(CalendarError, match="closed_weekdays: expected those of cn_carbon"):
        cn_carbon.followed_by(days_2027(weekdays='"friday"'))

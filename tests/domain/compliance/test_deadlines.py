"""What is due when: months, years, and the dated events from 2020 to 2026."""

from datetime import date

import pytest

from cea_exchange.domain.calendar import TradingCalendar
from cea_exchange.domain.compliance.deadlines.calendar import (
    deadlines,
    due_day,
    events,
    filing_due,
    is_filed_monthly,
    standing_due,
)
from cea_exchange.domain.compliance.rules import ComplianceRules
from support.refusing import refuses


def day(text):
    return date.fromisoformat(text)


@pytest.mark.parametrize(
    ("year", "month", "last"),
    [
        (2025, 1, "2025-03-12"),
        (2024, 1, "2024-03-11"),
        (2024, 2, "2024-04-09"),
        (2025, 7, "2025-09-09"),
        (2026, 8, "2026-10-10"),
        (2025, 12, "2026-02-09"),
    ],
)
def test_a_month_is_filed_within_40_days(year, month, last):
    """CEA-MRV-01, CEA-CAL-04, example 39: rest days count and move nothing."""
    assert filing_due("power", year, month) == day(last)


@pytest.mark.parametrize(
    ("sector", "month", "last"),
    [
        ("steel", 1, "2025-10-31"),
        ("cement", 6, "2025-10-31"),
        ("aluminium", 7, "2025-09-09"),
        ("power", 1, "2025-03-12"),
    ],
)
def test_what_the_industries_filed_afterwards_was_due_at_once(sector, month, last):
    """CEA-MRV-02."""
    assert filing_due(sector, 2025, month) == day(last)


@pytest.mark.parametrize(
    ("sector", "year", "month", "filed"),
    [
        ("power", 2022, 3, False),
        ("power", 2022, 4, True),
        ("cement", 2024, 12, False),
        ("cement", 2025, 6, True),
        ("steel", 2025, 7, True),
    ],
)
def test_since_when_months_are_filed(sector, year, month, filed):
    """CEA-MRV-02."""
    assert is_filed_monthly(sector, year, month) == filed


@pytest.mark.parametrize(
    ("act", "year", "last"),
    [
        ("report", 2027, "2028-03-31"),
        ("surrender", 2027, "2028-12-31"),
        ("quality_plan", 2028, "2027-12-31"),
        ("list", 2028, "2027-10-31"),
        ("factors_frozen", 2028, "2027-10-31"),
        ("plan_drafting", 2028, "2027-11-01"),
    ],
)
def test_days_of_every_year(act, year, last):
    """CEA-CAL-01, CEA-MRV-12, CEA-MRV-16, CEA-ENT-02."""
    assert standing_due(act, year) == due_day(act, year, "power") == day(last)


def test_the_factors_of_a_plan_are_frozen_the_day_before_it_is_drafted():
    """CEA-MRV-12: told the authority as due, and the entities."""
    frozen, drafting = (
        event
        for event in events(day("2026-10-01"), day("2026-11-05"))
        if event.rule == "CEA-MRV-12"
    )
    assert (frozen.day, frozen.actor, frozen.due) == (day("2026-10-31"), "authority", True)
    assert (drafting.day, drafting.actor, drafting.due) == (day("2026-11-01"), "entity", False)
    assert frozen.years == drafting.years == (2027,)


def test_an_act_without_a_day_of_every_year_is_refused():
    with refuses("CHOICE_UNKNOWN: act: expected one of report, .*, got 'verify'"):
        standing_due("verify", 2030)


@pytest.mark.parametrize(
    ("act", "year", "sector", "last"),
    [
        ("verifier_score", 2025, "power", "2026-11-30"),
        ("report", 2024, "power", "2025-03-31"),
        ("report", 2025, "steel", "2026-03-31"),
        ("verify", 2024, "power", "2025-06-30"),
        ("verify", 2024, "cement", "2025-08-31"),
        ("verify", 2025, "steel", "2026-07-31"),
        ("pre_allocation", 2024, "power", "2025-04-20"),
        ("pre_allocation", 2025, "aluminium", "2026-04-10"),
        ("final_set", 2024, "cement", "2025-09-30"),
        ("final_issued", 2025, "power", "2026-09-30"),
        ("list", 2026, "power", "2025-10-31"),
        ("list", 2024, "power", "2023-12-31"),
        ("list", 2024, "steel", "2025-05-10"),
        ("quality_plan", 2025, "steel", "2025-06-30"),
        ("quality_plan", 2027, "power", "2026-12-31"),
    ],
)
def test_dated_days_by_sector(act, year, sector, last):
    """CEA-CAL-02, CEA-ENT-16."""
    assert due_day(act, year, sector) == day(last)


@pytest.mark.parametrize("year", range(2019, 2026))
def test_surrender_is_due_as_the_obligations_say(year):
    """CEA-CAL-02, CEA-SUR-02."""
    cycle = ComplianceRules.load().obligations.cycle_of(year)
    number = int(due_day("surrender", year, "power").strftime("%Y%m%d"))
    assert number == cycle.deadline


def test_events_are_in_the_order_of_days_and_say_by_whom():
    """CEA-CAL-02."""
    all_events = deadlines().event
    assert [event.day for event in all_events] == sorted(event.day for event in all_events)
    assert (all_events[0].day, all_events[-1].day) == (day("2020-12-30"), day("2026-12-31"))
    found = events(day("2025-12-31"), day("2026-01-31"), actor="entity", sector="steel")
    assert [event.act for event in found] == ["surrender", "quality_plan"]
    first_end = next(event for event in all_events if event.act == "surrender")
    assert first_end.at.hour == 17 and first_end.mark == "second_hand"


@pytest.mark.parametrize(
    ("year", "working", "trading"),
    [(2022, 249, 242), (2023, 249, 242), (2024, 251, 243), (2025, 248, 243), (2026, 248, 242)],
)
def test_working_days_of_a_year_with_make_up_weekends(year, working, trading):
    """CEA-DAY-09."""
    calendar = TradingCalendar.load("cn_carbon")
    first, last = date(year, 1, 1), date(year, 12, 31)
    assert len(calendar.working_days(first, last)) == working
    # The exchange closed on one more day of 2024 than the notices of holidays have.
    assert len(calendar.days(first, last)) == trading - (year == 2024)

"""Applications for biddings: lead times in working days, review, notice, and the session's day."""

from datetime import date, timedelta

import pytest

from cea_exchange.domain.calendar import TradingCalendar, date_number
from cea_exchange.domain.profile import Profile, load_profile, profile_parse
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.domain.timetable import time_parse, time_to_ns
from cea_exchange.protocol import control
from cea_exchange.venue.market.bidding_applications import (
    acts_due,
    applied,
    listed,
    notices,
    reviews_overdue,
)
from cea_exchange.venue.market.state_machine import VenueStateMachine
from cea_exchange.venue.market.views import biddings
from cea_exchange.venue.requests.biddings import BiddingApply
from support.market.noticed_markets import notice, profile_with
from support.refusing import refuses

CALENDAR = TradingCalendar.load("cn_carbon")
DAYS = CALENDAR.days(date(2025, 7, 1), date(2025, 7, 16))
"""Twelve trading days: the last is eleven ahead of the first."""
SESSION = DAYS[-1]


def request(**changes: object) -> BiddingApply:
    """An application for the session of 16 July."""
    terms = {
        "bidding": "B1",
        "account": "seller",
        "product": "CEA23",
        "tonnes": 100_000,
        "limit": "band_end",
        "pricing": "uniform",
        "date": SESSION.isoformat(),
        "opens_at": "10:30",
        "closes_at": "11:00",
    }
    return BiddingApply(**(terms | changes))


def machine_make(tonnes: int = 100_000, profile: Profile | None = None) -> VenueStateMachine:
    """The seller has so many tonnes; no day has opened."""
    machine = VenueStateMachine(profile or load_profile("cea"))
    machine.apply_control(control.ProductDeclared(product="CEA23", reference_price=9_749))
    machine.apply_control(control.AccountDeclared(account="seller"))
    if tonnes:
        machine.apply_control(control.TransferIn(account="seller", product="CEA23", amount=tonnes))
    return machine


def day_run(machine: VenueStateMachine, day: date, close: bool = True) -> list[control.Act]:
    """Open a day and do what it makes of the applications."""
    at_ns = time_to_ns(time_parse(f"{day.isoformat()}T09:00:00+08:00"))
    machine.apply_control(control.DayOpen(date=date_number(day), at_ns=at_ns))
    acts = list(acts_due(machine, CALENDAR))
    for act in acts:
        machine.apply_control(act)
    assert list(acts_due(machine, CALENDAR)) == []
    if close:
        machine.apply_control(control.DayClose())
    return acts


def test_an_approved_application_becomes_the_days_bidding() -> None:
    """CEA-BID-10, CEA-BID-03: published when approved, announced on its day by that day's close."""
    machine = machine_make()
    machine.apply_control(applied(machine, CALENDAR, DAYS[0], request()))
    (shown,) = listed(machine, CALENDAR)
    assert (shown["status"], shown["review_until"]) == ("applied", date_number(DAYS[3]))
    assert notices(machine) == []
    assert day_run(machine, DAYS[0]) == []
    machine.apply_control(control.BiddingReviewed(bidding="B1", approved=True, by="ops1"))
    (notice,) = notices(machine)
    assert (notice["date"], notice["tonnes"]) == (20250716, 100_000)
    assert "account" not in notice
    machine = VenueStateMachine.restore(machine.profile, machine.snapshot())
    for day in DAYS[1:-1]:
        assert day_run(machine, day) == []
    (act,) = day_run(machine, SESSION, close=False)
    assert act.limit == 8_774
    (bidding,) = biddings(machine)
    assert (bidding["state"], bidding["opens_at"]) == ("announced", "2025-07-16T10:30:00+08:00")
    assert listed(machine, CALENDAR)[0]["status"] == "announced"
    assert notices(machine) == []
    machine.apply_control(control.DayClose())
    day_run(machine, date(2025, 7, 17))
    assert machine.applications == {}


@pytest.mark.parametrize(
    ("changes", "today", "where"),
    [
        ({"date": "2025-07-15"}, DAYS[1], "date"),
        ({"date": "2025-07-19"}, DAYS[0], "date"),
        ({"date": "soon"}, DAYS[0], "date"),
        ({"tonnes": 99_999}, DAYS[0], "tonnes"),
        ({"opens_at": "14:30", "closes_at": "15:30"}, DAYS[0], "opens_at"),
        ({"opens_at": "11:00"}, DAYS[0], "opens_at"),
        ({"account": "nobody"}, DAYS[0], "account"),
        ({"product": "CEA99"}, DAYS[0], "product"),
    ],
)
def test_what_can_not_be_applied_for(changes: dict, today: date, where: str) -> None:
    """CEA-BID-10: ten working days ahead are enough, nine are not; the rest as when announced."""
    with pytest.raises(FrameError) as refused:
        applied(machine_make(), CALENDAR, today, request(**changes))
    assert refused.value.where == where
    unknown = {
        "account": VenueRefusal.ACCOUNT_UNKNOWN,
        "product": VenueRefusal.PRODUCT_UNKNOWN,
    }
    if changes.get("date") == "soon":
        unknown["date"] = VenueRefusal.VALUE_UNSOUND
    assert refused.value.code == unknown.get(where, VenueRefusal.BIDDING_NOT_ALLOWED)
    assert applied(machine_make(), CALENDAR, DAYS[1], request()).applied_on == 20250702


def test_make_up_weekends_are_working_days_and_no_session_days() -> None:
    """CEA-BID-10, CEA-DAY-09: 28 September and 11 October 2025 are worked, without trading."""
    today = date(2025, 9, 25)
    machine = machine_make()
    for day in ("2025-10-14", "2025-10-11"):
        with refuses("BIDDING_NOT_ALLOWED: .*at least 10 working days ahead", FrameError):
            applied(machine, CALENDAR, today, request(date=day))
    machine.apply_control(applied(machine, CALENDAR, today, request(date="2025-10-15")))
    (shown,) = listed(machine, CALENDAR)
    assert shown["review_until"] == 20250929
    for day, names in ((date(2025, 9, 29), []), (date(2025, 9, 30), ["B1"])):
        assert reviews_overdue(machine, CALENDAR, day) == names


def test_allowances_are_in_place_five_working_days_ahead() -> None:
    """CEA-BID-11, CEA-DAY-09: 11 October is one of them."""
    machine = machine_make(tonnes=0)
    today = date(2025, 9, 25)
    machine.apply_control(applied(machine, CALENDAR, today, request(date="2025-10-16")))
    machine.apply_control(control.BiddingReviewed(bidding="B1", approved=True))
    assert day_run(machine, date(2025, 10, 9)) == []
    (act,) = day_run(machine, date(2025, 10, 10))
    assert act.why == "allowances are not in place"


def test_a_review_that_nobody_has_done_in_its_time_is_overdue() -> None:
    """CEA-BID-10: three working days; approved or refused it is not any more."""
    machine = machine_make()
    machine.apply_control(applied(machine, CALENDAR, DAYS[0], request()))
    assert reviews_overdue(machine, CALENDAR, DAYS[3]) == []
    assert reviews_overdue(machine, CALENDAR, DAYS[4]) == ["B1"]
    machine.apply_control(control.BiddingReviewed(bidding="B1", approved=True))
    assert reviews_overdue(machine, CALENDAR, DAYS[4]) == []


def test_a_review_whose_end_the_calendar_does_not_reach_is_open() -> None:
    ending = TradingCalendar(
        "short", DAYS[0], SESSION, frozenset({5, 6}), {}, {date(2025, 7, 5): "made up"}
    )
    machine = machine_make()
    machine.apply_control(applied(machine, ending, DAYS[0], request()))
    short = TradingCalendar("shorter", DAYS[0], DAYS[1], frozenset({5, 6}), {})
    assert listed(machine, short)[0]["review_until"] is None
    assert reviews_overdue(machine, short, SESSION) == []
    without = machine_make(profile=load_profile("open"))
    without.apply_control(applied(without, CALENDAR, DAYS[0], request()))
    assert reviews_overdue(without, CALENDAR, SESSION) == []


def test_an_application_follows_the_rules_of_its_day() -> None:
    """CEA-NTC-01: a notice from before the session on counts, one from after it does not."""

    def filed(profile: Profile, tonnes: int) -> int:
        machine = machine_make(profile=profile)
        return applied(machine, CALENDAR, DAYS[0], request(tonnes=tonnes)).tonnes

    lowered = profile_with(notice(since=SESSION, bidding_tonnes_min=50_000))
    assert filed(lowered, 50_000) == 50_000
    with refuses("BIDDING_NOT_ALLOWED: .*at least 50000 t", FrameError):
        filed(lowered, 49_999)
    raised = profile_with(notice(since=SESSION, bidding_tonnes_min=150_000))
    with refuses("BIDDING_NOT_ALLOWED: .*at least 150000 t", FrameError):
        filed(raised, 149_999)
    later = profile_with(notice(since=SESSION + timedelta(days=1), bidding_tonnes_min=150_000))
    assert filed(later, 100_000) == 100_000
    any_name = load_profile("ccer").text.replace('"project_year"', '"any"')
    none_that_day = profile_with(notice(since=SESSION, bidding_allowed="false"))
    for profile in (none_that_day, profile_parse(any_name, "ccer")):
        with refuses("BIDDING_NOT_ALLOWED: .*a day with biddings", FrameError):
            filed(profile, 100_000)


def test_what_is_not_in_place_or_not_reviewed_lapses() -> None:
    """CEA-BID-11: from five working days ahead on; CEA-BID-10: on its day at the latest."""
    machine = machine_make(tonnes=99_999)
    machine.apply_control(applied(machine, CALENDAR, DAYS[0], request()))
    machine.apply_control(control.BiddingReviewed(bidding="B1", approved=True))
    for day in DAYS[:-6]:
        assert day_run(machine, day) == []
    (act,) = day_run(machine, DAYS[-6])
    assert (act.bidding, act.why) == ("B1", "allowances are not in place")
    machine = machine_make()
    machine.apply_control(applied(machine, CALENDAR, DAYS[0], request()))
    (act,) = day_run(machine, SESSION)
    assert act.why == "not reviewed in time"
    # A purchase needs no allowances; what the market refuses on the day lapses with its reason.
    machine = machine_make(tonnes=0)
    machine.apply_control(applied(machine, CALENDAR, DAYS[0], request(side="buy")))
    machine.apply_control(control.BiddingReviewed(bidding="B1", approved=True))
    (act,) = day_run(machine, SESSION)
    assert act.limit == 10_724
    shown = listed(machine, CALENDAR)[0]
    assert (shown["status"], shown["why"]) == ("lapsed", "CASH_INSUFFICIENT")


def test_decisions_are_made_once() -> None:
    """What was refused, approved or taken back is not reviewed again, and no name used twice."""
    machine = machine_make()
    application = applied(machine, CALENDAR, DAYS[0], request())
    machine.apply_control(application)
    review = control.BiddingReviewed(bidding="B1", approved=False, by="ops1", why="pledged")
    for message in (application, control.BiddingReviewed(bidding="B9", approved=True)):
        with pytest.raises(FrameError):
            machine.apply_control(message)
    machine.apply_control(review)
    shown = listed(machine, CALENDAR)[0]
    assert (shown["status"], shown["why"]) == ("refused", "pledged")
    for message in (review, control.BiddingLapsed(bidding="B1", why="on request")):
        with pytest.raises(FrameError):
            machine.apply_control(message)

"""What is due until when, who is late, and reminders."""

import msgspec
import pytest

from cea_exchange.institution.clock import GivenClock
from cea_exchange.platform.config import PlatformConfig
from cea_exchange.platform.machine import PlatformMachine
from cea_exchange.platform.periods import month_due, months_asked, plan_due, report_due
from cea_exchange.protocol.links.platform import Completion, LinkQuestion
from support.platform.platform_world import PROVINCE, WANG, given_2024


@pytest.mark.parametrize(
    ("month", "due"),
    [
        (202501, 20250312),
        (202401, 20240311),
        (202402, 20240409),
        (202507, 20250909),
        (202608, 20261010),
        (202512, 20260209),
    ],
)
def test_a_month_is_due_40_days_behind_it_on_whatever_day_that_is(month, due):
    """CEA-MRV-01, example 39."""
    assert month_due("power", month) == due


def test_the_industries_began_later_and_filed_half_a_year_at_once():
    """CEA-MRV-02, CEA-MRV-12, CEA-MRV-16."""
    assert months_asked("steel", 2024) == ()
    assert {month_due("cement", month) for month in range(202501, 202507)} == {20251031}
    assert month_due("aluminium", 202507) == 20250909
    assert [plan_due("steel", 2025), plan_due("steel", 2026)] == [20250630, 20251231]
    assert report_due("power", 2024) == 20250331


def test_what_was_not_filed_is_missing_until_it_is(world):
    """CEA-MRV-09, CEA-MRV-12."""
    world.listed(2025)
    due = world.platform.due
    assert due.missing("E1", 20250312) == [
        ("E1", "plan", 2025, 20241231, "missing"),
        ("E1", "month", 202501, 20250312, "missing"),
    ]
    world.enter(202501)
    assert due.missing("E1", 20250312)[1].state == "draft"
    world.accept(202501)
    assert [each.kind for each in due.missing("E1", 20250312)] == ["plan"]


def test_a_month_behind_its_day_is_taken_and_shown_as_late(world):
    """CEA-MRV-09."""
    world.enter()
    world.accept()
    assert world.platform.due.late("E1") == [
        {"kind": "month", "period": 202507, "due_on": 20250909, "filed_on": 20260110}
    ]


def test_an_enterprise_is_reminded_once_before_the_day_and_once_behind_it(world):
    """CEA-MRV-01, CEA-MRV-09."""
    world.listed(2025)
    world.plan(2025)
    world.platform.plans.file(WANG, "E1", 2025)
    reminded = []
    for world.day in (20250301, 20250302, 20250303, 20250312, 20250313, 20250314):
        reminded += [(world.day, due.period) for due in world.platform.due.remind("E1")]
    assert reminded == [(20250302, 202501), (20250313, 202501)]
    assert world.store.one("SELECT count(*) FROM reminders WHERE is_late = 1") == 1


def machine_of(world):
    clock = GivenClock(world.now_ns)
    return PlatformMachine(world.store, clock, PlatformConfig(second_person=()), {})


def test_a_day_reminds_some_at_a_time_and_one_that_fails_keeps_nobody_from_it(world, monkeypatch):
    """CEA-MRV-09: what a process did not come to, the next one does."""
    world.day = 20250401
    for number in range(2, 13):
        world.enterprise(f"E{number}", number=number)
        world.listed(2025, enterprise=f"E{number}")
    world.listed(2025)
    remind = world.platform.due.__class__.remind

    def failing(due, enterprise):
        if enterprise == "E10":
            raise ArithmeticError(enterprise)
        return remind(due, enterprise)

    machine = machine_of(world)
    with monkeypatch.context() as patch:
        patch.setattr(world.platform.due.__class__, "remind", failing)
        machine.day_look(0)
        assert machine.has_work
        machine.turn(0)
    counted = "SELECT count(DISTINCT enterprise_id) FROM reminders"
    assert machine.has_work
    assert world.store.one(counted) < 12
    again = machine_of(world)
    again.day_look(0)
    while again.has_work:
        again.turn(0)
    # Each of its plan, and E1 of January and February, the only one that has a unit.
    assert world.store.one(counted) == 12
    assert world.store.one("SELECT count(*) FROM reminders") == 14


def test_a_plan_has_versions_with_reasons(world):
    """CEA-MRV-12, CEA-MRV-08."""
    plans = world.platform.plans
    world.plan(2026)
    plans.file(WANG, "E1", 2026)
    world.plan(2026, meter="scale 2", reason="a better scale")
    plans.file(WANG, "E1", 2026)
    versions = world.platform.documents.versions(world.place("plan", 2026))
    assert [(each.version, each.reason) for each in versions] == [(1, ""), (2, "a better scale")]


def test_what_is_owed_is_due_until_the_registry_says_it_is_covered(world):
    """CEA-SUR-01, CEA-PLK-07."""
    given_2024(world)
    platform = world.platform
    platform.obligations.set_all(PROVINCE, 33, 2024)
    owed = ("surrender", 2024, 20251231)

    def due(until=20251231):
        return {(each.kind, each.period, each.due_on) for each in platform.due.missing("E1", until)}

    assert owed in due()
    assert owed not in due(20251230)
    for seq, tonnes, day in ((1, 2_957_723, 0), (2, 2_957_724, 20251220)):
        assert owed in due()
        shown = Completion(seq, "E1", 2024, 2_957_724, tonnes, 0, day)
        question = LinkQuestion(1, 0, platform.outbox.log_id, (), (shown,))
        assert not platform.outbox.answer(msgspec.msgpack.encode(question)).refusal
    assert owed not in due()


def test_an_enterprise_sees_what_the_calendar_has_and_what_it_was_reminded_of(world):
    """CEA-CAL-02, CEA-MRV-09."""
    world.listed(2025)
    (report,) = [
        each for each in world.platform.due.coming("E1", 20260331) if each["act"] == "report"
    ]
    assert (report["day"], report["actor"]) == (20260331, "entity")
    assert world.platform.due.reminders("E1") == []
    world.platform.due.remind("E1")
    shown = {(each["kind"], each["is_late"]) for each in world.platform.due.reminders("E1")}
    assert ("plan", 1) in shown

"""What is due until when, who is late, and reminders."""

from decimal import Decimal

import msgspec
import pytest

from cea_exchange.institution.clock import GivenClock
from cea_exchange.platform.config import PlatformConfig
from cea_exchange.platform.machine import PlatformMachine
from cea_exchange.platform.periods import month_due, months_asked, plan_due, report_due
from cea_exchange.protocol.links.platform import Completion, LinkQuestion
from support.platform.platform_world import (
    NATION,
    PROVINCE,
    SECOND,
    VERIFIER,
    WANG,
    given_2024,
)
from support.refusing import refuses

pytestmark = pytest.mark.postgres_at_night


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


def test_what_is_due_is_told_by_message_to_who_has_to_file_it(world):
    """CEA-CAL-05, CEA-MRV-09: each once, numbered, and who read it is kept."""
    world.listed(2025)
    world.plan(2025)
    world.platform.plans.file(WANG, "E1", 2025)
    messages = world.platform.messages
    for world.day in (20250301, 20250302, 20250303, 20250313):
        world.platform.due.remind("E1")
    listed, *found = messages.of("enterprise E1", 1, 10)
    assert listed["subject"].startswith("list 2025 entered")
    assert [(each["subject"], each["due_on"], each["is_late"]) for each in found] == [
        ("month 202501", 20250312, 0),
        ("month 202501", 20250312, 1),
    ]
    assert found[0]["words"] == "Figures of the month 202501: missing, due 2025-03-12"
    assert messages.of("province 33", 1, 10) == []
    messages.read(WANG, found[0]["message_id"])
    unread = messages.of("enterprise E1", found[0]["message_id"], 10, unread=True)
    assert [each["is_late"] for each in unread] == [1]
    with refuses("MESSAGE_UNKNOWN: message: expected one of province 33, got 2"):
        messages.read(PROVINCE, found[0]["message_id"])


def test_an_enterprise_is_told_what_was_decided_about_it(world):
    """CEA-ENT-02, CEA-VER-12, CEA-VER-13, CEA-CAL-05: its list, its result, its allowances."""
    row = given_2024(world)
    found = world.platform.messages.of("enterprise E1", 1, 10)
    assert [each["words"] for each in found] == [
        "Entered the list of 2024: it files its plan, months and report, is verified, and"
        " surrenders what it owes (CEA-ENT-02)",
        "Verified result of 2024, version 1: 2957724 t; objections within 7 working days"
        " (CEA-VER-13)",
        f"Allowances of 2024, final: {row.tonnes} t; objections within 7 working days"
        " (CEA-VER-13)",
    ]


def test_a_province_and_the_authority_are_told_what_the_calendar_has(world):
    """CEA-CAL-02, CEA-CAL-05."""
    world.day = 20250625
    platform = world.platform
    platform.day_begun(20250625)
    while platform.to_remind:
        platform.remind_some(1)
    found = platform.messages.of("province 33", 1, 10)
    assert ("calendar verify 2024", 20250630) in {
        (each["subject"], each["due_on"]) for each in found
    }
    assert platform.clocks.remind(33) == 0


def test_a_provinces_clocks_run_until_it_has_done_what_they_are_for(world):
    """CEA-VER-12, CEA-VER-13, CEA-PLN-26: what is late is told as late."""
    world.day = 20250602
    given_2024(world)
    platform = world.platform
    assert platform.clocks.open(33, 20991231) == []
    shown = platform.pages.result("E1", 2024)
    assert (shown["notify_by"], shown["is_notified_late"]) == (20250611, False)
    platform.verifications.withdraw(1)
    task = platform.verifications.give("E1", 2024, "V1", due_on=20250630)
    platform.verifications.conclude(VERIFIER, task, {"E1-1": Decimal("2900000.00")})
    (clock,) = platform.clocks.open(33, 20991231)
    # 7 working days over the dragon boat festival, which 2 June is of; before 30 June.
    assert clock[:4] == ("result", "E1 2024", 20250611, "CEA-VER-12")
    world.day = 20250612
    platform.clocks.remind(33)
    late = [each for each in platform.messages.of("province 33", 1, 10) if each["is_late"]]
    assert [each["subject"] for each in late] == ["result E1 2024"]
    platform.verifications.confirm(PROVINCE, task, reason="objection 1")
    assert platform.pages.result("E1", 2024)["is_notified_late"]
    (clock,) = platform.clocks.open(33, 20991231)
    assert clock[:4] == ("allocation", "E1 2024", 20250626, "CEA-PLN-26")
    row = platform.allocations.compute(PROVINCE, 33, 2024, "adjustment")
    platform.allocations.approve(SECOND, row.allocation_id)
    platform.allocations.total_set(NATION, 2024, "adjustment", 10**10)
    platform.allocations.distribute(row.allocation_id)
    assert platform.clocks.open(33, 20991231) == []


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

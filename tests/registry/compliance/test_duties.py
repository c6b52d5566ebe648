"""What must be done by a day is named while it is not done, and as overdue after that day."""

import pytest

from cea_exchange.registry.compliance.duties import Duty
from support.institution.later_calendar import YEAR_2027
from support.registry.allocation_files import allocation_file
from support.registry.compliance_world import BEIJING, SHANGHAI, World
from support.registry.service_callers import Staff, by_two

pytestmark = pytest.mark.postgres_at_night


@pytest.fixture
def world(tmp_path, database_address):
    with World(tmp_path, database_address, day=20251201) as world:
        world.products("CEA23", "CEA24", "CEA25")
        world.entity("P1", BEIJING, CEA23=5_000)
        world.entity("P2", SHANGHAI, CEA25=5_000)
        yield world


def duties(world, day, **which):
    world.clock.day = day
    return [
        (duty.duty, duty.whose, duty.subject, duty.due_by, duty.is_overdue)
        for duty in world.registry.duties.open(**which)
    ]


def test_notices_of_the_carryover_are_due_by_their_day(world):
    """CEA-CRY-05."""
    assert duties(world, 20251231) == []
    notice = ("carryover notice", "registry", "", 20260131)
    assert duties(world, 20260101) == [(*notice, False)]
    assert duties(world, 20260131) == [(*notice, False)]
    assert world.registry.status()["duties_overdue"] == 0
    assert duties(world, 20260201) == [(*notice, True)]
    assert world.registry.status()["duties_overdue"] == 1
    # Late it is given all the same: no entity loses its carryover by it.
    world.registry.carryover.give_notice()
    assert duties(world, 20260201) == []


def test_nobody_to_notify_is_no_duty(tmp_path, database_address):
    with World(tmp_path / "other", None, day=20251201) as world:
        world.products("CEA24", "CEA25")
        world.entity("P2", SHANGHAI, CEA25=5_000)
        world.clock.day = 20260105
        world.entity("P1", BEIJING, CEA24=5_000)
        assert duties(world, 20260301) == []


def test_runs_of_the_carryover_are_due_by_their_days(world):
    """CEA-CRY-06: each as long as it has applications that wait."""
    staff = world.registry.carryover
    world.clock.day = 20260110
    staff.give_notice()
    first = staff.apply("P1", {"CEA23": 10})
    run = ("carryover run", "authority", "run 1", 20260327)
    assert duties(world, 20260327) == [(*run, False)]
    world.clock.day = 20260321
    staff.apply("P1", {"CEA23": 20})
    second = ("carryover run", "authority", "run 2", 20260626)
    assert duties(world, 20260328) == [(*run, True), (*second, False)]
    staff.run(1)
    assert duties(world, 20260626) == [(*second, False)]
    assert world.entries(f"carryover {first}")[-1][0] == "ISSUE"
    staff.run(2)
    assert duties(world, 20270101) == []


def test_a_changed_verification_is_settled_anew_in_ten_working_days(world):
    """CEA-ALC-12, CEA-DAY-09: 14 and 28 February 2026 are worked, 16 to 23 are not."""
    registry = world.registry
    world.clock.day = 20260211
    registry.carryover.give_notice()
    world.owe(2024, ("P1", 1_000), ("P2", 600))
    assert duties(world, 20260211) == []
    world.owe(2024, ("P1", 1_100), why="verified anew")
    anew = ("redetermination", "province 11", "P1 of 2024", 20260303)
    assert duties(world, 20260303) == [(*anew, False)]
    assert duties(world, 20260304) == [(*anew, True)]
    assert duties(world, 20260304, province=SHANGHAI) == []
    assert duties(world, 20260304, province=BEIJING) == [(*anew, True)]
    # What was distributed ahead settles nothing, the final allocation does.
    registry.distribution.issue("CEA24", 1_000)
    for stage in ("pre", "final"):
        assert duties(world, 20260304) == [(*anew, True)]
        source = allocation_file(stage, {"P1": 50}, entities={"P1": BEIJING})
        registry.distribution.distribute(registry.distribution.preview(source).preview_id)
    assert duties(world, 20260304) == []


def test_a_term_that_the_calendar_does_not_reach_is_open(world):
    """CEA-DAY-09: beyond the calendar no day is guessed."""
    world.clock.day = 20261228
    world.registry.carryover.give_notice()
    world.owe(2024, ("P1", 1_000))
    world.owe(2024, ("P1", 1_100), why="verified anew")
    anew = ("redetermination", "province 11", "P1 of 2024", None, False)
    assert duties(world, 20261231) == [anew]
    staff, days = Staff(world.registry), YEAR_2027.encode()
    by_two(staff.an, staff.bo, "calendar_load", file="2027.toml", content=days)
    assert staff.an("calendar_show")["last_day"] == 20271231
    # 1 January is off: the tenth working day behind 28 December.
    assert duties(world, 20270112) == [(*anew[:3], 20270112, False)]
    assert duties(world, 20270113) == [(*anew[:3], 20270112, True)]
    again = staff.an.error("calendar_load", file="2027.toml", content=days)
    assert again.startswith("CALENDAR_UNSOUND: "), again


def test_a_province_sees_its_own(world):
    world.clock.day = 20260201
    staff = Staff(world.registry)
    (duty,) = staff.an("duty_list")["duties"]
    assert duty == {
        "place": 1,
        "duty": "carryover notice",
        "whose": "registry",
        "subject": "",
        "rule": "CEA-CRY-05",
        "due_by": 20260131,
        "is_overdue": True,
    }
    province = staff.person("bei", "province", province=BEIJING)
    assert province("duty_list", province=BEIJING)["duties"] == []
    assert "expected the business of province 11" in province.error("duty_list")
    assert isinstance(world.registry.duties.open()[0], Duty)

"""How a case is opened: of what the platform knows, in time, once of one act."""

import pytest

from cea_exchange.platform.enforcement.cases import Breach
from support.platform.enforcement import (
    UNPAID_2023,
    decided,
    opened,
    owes,
    reported,
    short_of_2023,
    taken,
)
from support.platform.platform_world import PROVINCE
from support.refusing import refuses

pytestmark = pytest.mark.postgres_at_night


def test_what_was_not_surrendered_is_known_from_the_registry(world):
    """CEA-PEN-07, example 34: due 5,128,612, paid 4,263,312."""
    short_of_2023(world)
    case = world.platform.cases.of_number(opened(world))
    assert (case.shortfall, case.committed_on) == (865_300, 20241231)


def test_what_came_after_the_deadline_is_part_of_the_shortfall(world):
    """CEA-PEN-07."""
    owes(world, 2023, 1_000)
    world.day = 20250210
    reported(world, 2023, (20241231, 600), (20250115, 300))
    assert world.platform.cases.of_number(opened(world)).shortfall == 400


@pytest.mark.parametrize(
    ("until", "applied", "covered", "code"),
    [
        (0, 0, None, "REGISTRY_AWAITED: registry: expected to have told all .*until 20241231"),
        (20241231, 0, None, "REGISTRY_AWAITED: .*got it until 20241231"),
        (20250101, 400, 600, "REGISTRY_AWAITED: .*got 400 t that are not decided"),
        (20250101, 0, 1_000, "NOTHING_SHORT: shortfall of 2023"),
    ],
)
def test_what_the_registry_has_not_told_is_not_taken_as_missing(
    world, until, applied, covered, code
):
    """CEA-PEN-07."""
    owes(world, 2023, 1_000)
    world.day = 20250210
    if covered:
        reported(world, 2023, (20241220, covered), applied=applied, until=until)
    else:
        reported(world, until=until)
    with refuses(code):
        opened(world)


def test_only_an_obligation_of_the_year_is_unpaid_and_at_its_deadline(world):
    """CEA-PEN-07."""
    short_of_2023(world)
    with refuses("NOTHING_SHORT: obligation of 2024: expected one that was set"):
        opened(world, Breach("unpaid", 20241231, 2024))
    with refuses("DATE_OUT_OF_RANGE: committed_on: expected 20241231, the deadline of 2023"):
        opened(world, Breach("unpaid", 20241230, 2023))


def test_nothing_is_punished_that_was_found_too_late(world):
    """CEA-LAW-17."""
    world.day = 20260701
    late = Breach("no_report", 20240601, 2023, found_on=20260601)
    with refuses("LIMITATION_OVER: act of 20240601: expected to be found within 2 years"):
        opened(world, late)
    opened(world, late._replace(found_on=20260531))
    harmful = late._replace(committed_on=20240602, compliance_year=2024, is_harmful=True)
    opened(world, harmful._replace(found_on=20260610))
    with refuses("DATE_OUT_OF_RANGE: found_on: expected from 20240601 to 20260701"):
        opened(world, late._replace(found_on=20260702))


def test_what_is_still_missing_is_never_found_too_late(world):
    """CEA-LAW-17: as long as it goes on; once it is surrendered the two years run."""
    short_of_2023(world, day=20270210)
    opened(world)
    taken(world, 1, "drop")
    reported(world, 2023, (20241220, 4_263_312), (20250301, 865_300))
    with refuses("LIMITATION_OVER"):
        opened(world)


@pytest.mark.parametrize(
    ("day", "is_extended", "is_late"),
    [(20250225, False, 0), (20250226, False, 1), (20250226, True, 0), (20250313, True, 1)],
)
def test_a_case_that_is_opened_late_is_marked_so(world, day, is_extended, is_late):
    """CEA-LAW-18: 15 days, and 15 more."""
    world.day = day
    breach = Breach("no_report", 20250201, 2024, found_on=20250210)
    case = world.platform.cases.open(
        PROVINCE, 33, breach, "case 1", enterprise_id=1, is_extended=is_extended
    )
    assert world.platform.cases.shown(case.case_id)["steps"][0]["is_late"] == is_late


def test_one_act_has_one_case(world):
    """CEA-LAW-29."""
    short_of_2023(world)
    number = opened(world)
    for apart in ("", "another one"):
        with refuses("ACT_HAS_CASE: case: expected none about that act, got case 1 about unpaid"):
            opened(world, UNPAID_2023._replace(apart=apart))
    taken(world, number, "drop")
    assert opened(world) == 2


def test_another_offence_of_a_day_needs_the_reason_why_it_is_another_act(world):
    """CEA-LAW-29."""
    world.day = 20250601
    opened(world, Breach("fraud", 20250301, 2024))
    other = Breach("obstruction", 20250301, 2024)
    with refuses("ACT_HAS_CASE: case: expected the reason why it is another act, got case 1 about"):
        opened(world, other)
    assert opened(world, other._replace(apart="the gate was locked on the inspectors")) == 2
    assert world.platform.cases.of_number(2).apart == "the gate was locked on the inspectors"
    with refuses("ACT_HAS_CASE: .*about fraud of 20250301"):
        opened(world, Breach("fraud", 20250302, 2024))
    assert opened(world, Breach("fraud", 20250302, 2024, apart="another month")) == 3


def test_a_fine_is_not_decided_twice_over_two_cases(world):
    """CEA-LAW-29: a case that was decided keeps its act."""
    world.day = 20250601
    decided(world, 100_000_00, Breach("no_report", 20250401, 2024))
    with refuses("ACT_HAS_CASE"):
        opened(world, Breach("no_report", 20250401, 2024))


def test_a_case_is_of_an_enterprise_or_a_firm(world):
    for of in ({"enterprise_id": 1, "firm_id": 1}, {"enterprise_id": 0}):
        with refuses("CHOICE_UNKNOWN: case: expected an enterprise or a firm"):
            opened(world, Breach("no_report", 20250401, 2024), **of)

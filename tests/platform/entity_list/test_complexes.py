"""Works of several steel firms that report as one."""

import pytest

from support.refusing import refuses

pytestmark = pytest.mark.postgres_at_night

TERMS = {"site": "Hangzhou works", "decided_on": 20250110, "document": "decision 10"}


@pytest.fixture
def works(world):
    """S1, S2 and S3 of one city, each with a unit, and S9 of another."""
    for number, city in ((1, 3301), (2, 3301), (3, 3301), (9, 3302)):
        name = f"S{number}"
        world.enterprise(
            name, number=number + 10, city=city, sector="steel", code="3110", process="long"
        )
        world.unit(f"{name}-1", name)
    return world


def units_of(world, name, day):
    enterprise = world.platform.enterprises.of(name)
    return sorted(world.platform.units.of(enterprise.enterprise_id, day))


def test_the_groups_legal_person_reports_for_all_and_has_their_units(works):
    """CEA-ENT-06."""
    complexes = works.platform.complexes
    assert complexes.join("S1", (("S1", "S2"), ("S2", "S3")), **TERMS) == ("S1", "S2", "S3")
    assert units_of(works, "S1", 20250110) == ["S1-1", "S2-1", "S3-1"]
    assert units_of(works, "S1", 20250109) == ["S1-1"]
    assert units_of(works, "S2", 20250110) == []
    assert complexes.members(works.platform.enterprises.of("S1")) == ["S1", "S2", "S3"]


def test_its_members_are_on_no_list_themselves(works):
    """CEA-ENT-06."""
    works.platform.complexes.join("S1", (("S2", "S1"),), **TERMS)
    works.listed(2025, enterprise="S1")
    with refuses("IN_COMPLEX: S2: expected who reports for itself, got a part of S1"):
        works.listed(2025, enterprise="S2")


@pytest.mark.parametrize(
    ("links", "said"),
    [
        ((("S1", "S9"),), "city of the firms: expected one, got 3301, 3302"),
        ((("S2", "S3"),), "firms: expected each linked to the others, got .* alone"),
        ((("S1", "S1"),), "firms: expected two or more of one works, got 1"),
        ((("S1", "E1"),), "E1: expected a steelworks of no complex, got one of power"),
    ],
)
def test_what_is_no_works_does_not_report_as_one(works, links, said):
    """CEA-ENT-06."""
    with refuses(f"COMPLEX_UNSOUND: {said}"):
        works.platform.complexes.join("S1", links, **TERMS)
    assert units_of(works, "S1", 20251231) == ["S1-1"]


def test_nobody_reports_as_part_of_two(works):
    """CEA-ENT-06."""
    works.platform.complexes.join("S1", (("S2", "S1"),), **TERMS)
    with refuses("COMPLEX_UNSOUND: S2: expected a steelworks of no complex, got one that reports"):
        works.platform.complexes.join("S3", (("S2", "S3"),), **TERMS)

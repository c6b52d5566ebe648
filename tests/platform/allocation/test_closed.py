"""A unit that has stopped for good before the final allocation has no benchmark any more."""

import json

import pytest

from cea_exchange.platform.entity_list.unit_facts import UnitFacts, facts_read
from support.platform.industries import verified_works
from support.platform.platform_world import NATION, PROVINCE, SECOND, verified_year
from support.refusing import refuses

STOPPED = UnitFacts(rated_kw=(600_000,))
DECLARED = facts_read('{"rated_kw": [600000], "cases": ["closed"]}')


def stop(world, day, facts=STOPPED, owner=0):
    world.platform.units.change("E1-1", owner, facts, valid_from=day, document="order 7")


def of_unit(world, year, stage="final"):
    row = world.platform.allocations.compute(PROVINCE, 33, year, stage)
    (line,) = world.platform.allocations.lines(row.allocation_id)
    (unit,) = world.platform.forms.of(row, [line], {}).units
    return row, line, unit


@pytest.mark.parametrize(
    ("year", "treatment", "rule"),
    [(2024, "outside", "CEA-PLN-02"), (2025, "as_emitted", "CEA-PLN-05")],
)
@pytest.mark.parametrize("is_declared", [False, True])
def test_a_unit_closed_after_its_year_has_no_benchmark(world, year, treatment, rule, is_declared):
    """CEA-PLN-02, CEA-PLN-05: outside until 2024, as emitted from 2025 on."""
    verified_year(world, year)
    world.day = 20260715
    if is_declared:
        enterprise = world.platform.enterprises.of("E1")
        stop(world, 20260601, DECLARED, enterprise.enterprise_id)
    else:
        stop(world, 20260601)
    _row, line, unit = of_unit(world, year)
    assert (unit["treatment"], unit["rule"]) == (treatment, rule)
    owed = 0 if treatment == "outside" else line.emissions
    assert (line.tonnes, line.duty) == (owed, owed)
    assert json.loads(line.units)[0]["cases"] == ["closed"]


def test_a_unit_that_stops_later_is_allocated_until_then(world):
    """CEA-PLN-02: noted before, and true from a day on."""
    verified_year(world, 2024)
    stop(world, 20260301)
    row, line, unit = of_unit(world, 2024)
    assert (unit["treatment"], line.tonnes > 0) == ("benchmark", True)
    allocations = world.platform.allocations
    allocations.approve(SECOND, row.allocation_id)
    allocations.total_set(NATION, 2024, "final", 10**10)
    world.day = 20260301
    with refuses("ALLOCATION_OUTDATED: allocation 1"):
        allocations.distribute(row.allocation_id)


def test_a_unit_that_stops_behind_the_final_allocation_keeps_it(world_on_both):
    """CEA-PLN-02, CEA-PLN-26: an adjustment goes by the final allocation's day."""
    world = world_on_both
    verified_year(world, 2024)
    row, line, _unit = of_unit(world, 2024)
    allocations = world.platform.allocations
    allocations.approve(SECOND, row.allocation_id)
    allocations.total_set(NATION, 2024, "final", 10**10)
    allocations.distribute(row.allocation_id)
    world.day = 20260715
    stop(world, 20260601)
    _row, again, unit = of_unit(world, 2024, "adjustment")
    assert (again.tonnes, unit["treatment"]) == (line.tonnes, "benchmark")


def test_a_line_that_stops_behind_its_final_allocation_stays_in_the_nations_roll_up(world):
    """CEA-PLN-05, CEA-PLN-21: what is compared is what was compared on that day."""
    verified_works(world, "W1", "cement", 2025, 2, figures={"clinker.portland": "900000"})
    verified_works(world, "W2", "cement", 2025, 3)
    allocations = world.platform.allocations
    before = allocations.roll_up(NATION, 2025)
    row = allocations.compute(PROVINCE, 33, 2025, "final")
    allocations.approve(SECOND, row.allocation_id)
    allocations.total_set(NATION, 2025, "final", 10**10)
    allocations.distribute(row.allocation_id)
    line = world.platform.units.on(["W1-1"], world.day)["W1-1"].facts
    world.day = 20260715
    world.platform.units.change("W1-1", 0, line, valid_from=20260601, document="order 7")
    assert allocations.roll_up(NATION, 2025) == before

"""Provinces compute, approve and give; the authority sets totals and balance values."""

import json
from decimal import Decimal

import pytest
from msgspec.structs import replace

from cea_exchange.platform.entity_list.unit_facts import facts_read
from support.platform.platform_world import (
    CITY,
    LI,
    NATION,
    PROOF,
    PROVINCE,
    SECOND,
    VERIFIER,
    WANG,
    ZHAO,
    coal_month,
    verified_2024,
)
from support.refusing import refuses


@pytest.fixture
def verified(world):
    verified_2024(world)
    return world


def test_a_province_gives_what_the_plan_gives_and_a_second_person_approves(verified):
    """CEA-ENT-14, CEA-PLN-13."""
    allocations = verified.platform.allocations
    row = allocations.compute(PROVINCE, 33, 2024, "final")
    (line,) = allocations.lines(row.allocation_id)
    # 3,600,000 MWh at the benchmark of a class I unit, its load 0.7812 of the rated power.
    assert (line.enterprise, line.emissions, line.duty) == ("E1", 2_957_724, 2_957_724)
    assert line.tonnes == row.tonnes > 2_800_000
    with refuses("SAME_PERSON: allocation 1: expected another person than Sun Yu"):
        allocations.approve(PROVINCE, 1)
    allocations.approve(SECOND, 1)
    with refuses("TOTAL_EXCEEDED: allocation 1: expected at most a total that is set"):
        allocations.distribute(1)
    allocations.total_set(NATION, 2024, "final", row.tonnes - 1)
    with refuses(f"TOTAL_EXCEEDED: .*at most {row.tonnes - 1} t, got {row.tonnes}"):
        allocations.distribute(1)
    allocations.total_set(NATION, 2024, "final", row.tonnes)
    allocations.distribute(1)
    assert allocations.national(2024, "final")["given"] == row.tonnes
    with refuses("ALLOCATION_STATE: final 2024 of 33: expected none under way or distributed"):
        allocations.compute(PROVINCE, 33, 2024, "final")
    with refuses("ALLOCATION_STATE: allocation 1: expected computed or approved, got distributed"):
        allocations.withdraw(1)


def test_a_pre_allocation_rests_on_the_year_before(verified):
    """CEA-PLN-14, example 28: 70%, rounded down."""
    row = verified.platform.allocations.compute(PROVINCE, 33, 2025, "pre")
    (line,) = verified.platform.allocations.lines(row.allocation_id)
    assert (line.duty, row.plan_mark) == (0, "draft")
    assert line.tonnes == 2_957_724 * 5 // 10


def test_what_changed_since_is_computed_anew(verified):
    """CEA-PLN-26."""
    platform = verified.platform
    row = platform.allocations.compute(PROVINCE, 33, 2024, "final")
    platform.allocations.approve(SECOND, row.allocation_id)
    platform.allocations.total_set(NATION, 2024, "final", 10**9)
    platform.verifications.withdraw(1)
    task = platform.verifications.give("E1", 2024, "V1", due_on=20250630)
    platform.verifications.conclude(VERIFIER, task, {"E1-1": Decimal("2900000.00")})
    platform.verifications.confirm(PROVINCE, task, reason="objection 1")
    with refuses("ALLOCATION_OUTDATED: allocation 1"):
        platform.allocations.distribute(row.allocation_id)
    platform.allocations.withdraw(row.allocation_id)
    again = platform.allocations.compute(PROVINCE, 33, 2024, "final")
    assert platform.allocations.lines(again.allocation_id)[0].emissions == 2_900_000


def test_without_all_results_nothing_is_computed(world):
    world.listed(2024)
    with refuses("RESULTS_MISSING: 2024: expected a verified result .* got none of E1"):
        world.platform.allocations.compute(PROVINCE, 33, 2024, "final")
    with refuses("ALLOCATION_NOT_COMPUTABLE: year: expected within 2019..2026, got 2030"):
        world.platform.allocations.compute(PROVINCE, 33, 2030, "final")
    with refuses("ALLOCATION_UNKNOWN"):
        world.platform.allocations.of_number(1)


def verified_half(world, name, months):
    """Let an enterprise's months of E1-1 be filed, reported and verified as its year."""
    platform, enterprise = world.platform, world.platform.enterprises.of(name)
    for month in months:
        figures = [replace(figure, enterprise=name) for figure in coal_month(month)]
        platform.months.enter(LI, name, world.month_file(*figures))
        platform.months.file(WANG, name, month)
        for level in (CITY, PROVINCE):
            platform.documents.pass_all(level, enterprise.enterprise_id, "month", month)
    platform.reports.enter(LI, name, 2024)
    platform.reports.sign(ZHAO, name, 2024)
    task = platform.verifications.give(name, 2024, "V1", due_on=20250630)
    platform.verifications.conclude(VERIFIER, task, {"E1-1": Decimal("1478862.00")})
    platform.verifications.confirm(PROVINCE, task)


def test_a_unit_that_changed_hands_is_in_each_year_as_it_was_then(world):
    """CEA-ENT-12, CEA-PLN-13: read together, and yet each with its own facts."""
    second = world.enterprise("E2", number=2)
    world.platform.evidence.bring(LI, second, "scale.pdf", PROOF)
    world.listed(2024)
    world.listed(2024, enterprise="E2")
    of_before = {"valid_from": 20240701, "document": "contract 1"}
    uprated = facts_read('{"rated_kw": [660000]}')
    world.platform.units.change("E1-1", second.enterprise_id, uprated, **of_before)
    verified_half(world, "E1", range(202401, 202407))
    verified_half(world, "E2", range(202407, 202413))
    row = world.platform.allocations.compute(PROVINCE, 33, 2024, "final")
    lines = world.platform.allocations.lines(row.allocation_id)
    rated = {line.enterprise: json.loads(line.units)[0]["rated_kw"] for line in lines}
    assert rated == {"E1": [600_000], "E2": [660_000]}

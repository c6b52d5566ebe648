"""Provinces compute, approve and give; the authority sets totals and balance values."""

import json
from decimal import Decimal
from fractions import Fraction
from importlib.resources import files

import pytest
from msgspec.structs import replace

from cea_exchange.domain.compliance.plans.plan import plans_tried
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
    verified_year,
)
from support.refusing import refuses

pytestmark = pytest.mark.postgres_at_night


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


def distributed_elsewhere(world, province, tonnes):
    """Let another province have distributed its final allocation of 2024."""
    store = world.store
    row = {
        "allocation_id": store.next_id("allocations", "allocation_id"),
        "province": province,
        "compliance_year": 2024,
        "stage": "final",
        "state": "distributed",
        "plan_mark": "",
        "tonnes": tonnes,
        "sha256": "0" * 64,
        "computed_by": "Xu Yan",
        "computed_key": "x" * 40,
        "computed_on": 20260110,
        "approved_by": "He Ping",
        "distributed_on": 20260110,
    }
    with world.platform.record.transaction():
        world.is_audited = False
        store.insert(f"allocations ({', '.join(row)})", [tuple(row.values())])


def test_provinces_together_get_no_more_than_the_national_total(verified):
    """CEA-PLN-26: what other provinces were given counts against the authority's total."""
    allocations = verified.platform.allocations
    row = allocations.compute(PROVINCE, 33, 2024, "final")
    allocations.approve(SECOND, row.allocation_id)
    distributed_elsewhere(verified, 31, 1_000)
    allocations.total_set(NATION, 2024, "final", row.tonnes + 999)
    with refuses(f"TOTAL_EXCEEDED: .*at most {row.tonnes - 1} t, got {row.tonnes}"):
        allocations.distribute(row.allocation_id)
    allocations.total_set(NATION, 2024, "final", row.tonnes + 1_000)
    allocations.distribute(row.allocation_id)
    assert allocations.national(2024, "final")["given"] == row.tonnes + 1_000


def test_a_pre_allocation_rests_on_the_year_before(verified):
    """CEA-PLN-14, example 28: 70%, rounded down."""
    row = verified.platform.allocations.compute(PROVINCE, 33, 2025, "pre")
    (line,) = verified.platform.allocations.lines(row.allocation_id)
    assert (line.duty, row.plan_mark) == (0, "draft")
    assert line.tonnes == 2_957_724 * 5 // 10


def test_who_left_the_list_is_given_nothing_ahead_for_its_year(verified):
    """CEA-PLN-14, CEA-ENT-10."""
    verified.enterprise("E2", number=2)
    verified.listed(2025, enterprise="E2")
    assert verified.platform.allocations.compute(PROVINCE, 33, 2025, "pre").tonnes == 0
    verified.platform.allocations.withdraw(1)
    verified.listed(2025)
    assert verified.platform.allocations.compute(PROVINCE, 33, 2025, "pre").tonnes == 1_478_862


def test_a_province_may_give_a_smaller_share_ahead(verified):
    """CEA-ALC-08: where the plan lets it, and of what is given ahead alone."""
    allocations = verified.platform.allocations
    with refuses("CHOICE_UNKNOWN: share_bp: expected with stage pre, got with final"):
        allocations.compute(PROVINCE, 33, 2024, "final", 4_000)
    with refuses("ALLOCATION_NOT_COMPUTABLE: share of 2025: expected within 0..5000 bp, got 5001"):
        allocations.compute(PROVINCE, 33, 2025, "pre", 5_001)
    row = allocations.compute(PROVINCE, 33, 2025, "pre", 4_000)
    assert (row.share_bp, row.tonnes) == (4_000, 2_957_724 * 4 // 10)
    allocations.approve(SECOND, row.allocation_id)
    allocations.total_set(NATION, 2025, "pre", row.tonnes)
    allocations.distribute(row.allocation_id)
    assert allocations.of_number(row.allocation_id).state == "distributed"


SUPPLIED = {"supplied": ("280000", "MWh")}
HEATED = SUPPLIED | {"N": ("100000", "GJ"), "turbine_heat": ("400000", "GJ")}


def test_of_2021_and_2022_electricity_supplied_counts_and_both_are_given_2021s_ahead(world):
    """CEA-PLN-06, CEA-PLN-08, CEA-PLN-14: the heat ratio follows from the months."""
    verified_year(world, 2021, **HEATED)
    world.listed(2022)
    allocations = world.platform.allocations
    for year in (2021, 2022):
        row = allocations.compute(PROVINCE, 33, year, "pre")
        assert row.tonnes == 2_957_724 * 7 // 10
    row = allocations.compute(PROVINCE, 33, 2021, "final")
    (line,) = allocations.lines(row.allocation_id)
    (unit,) = json.loads(line.units)
    assert (unit["electricity_kwh"], unit["heat_share_bp"]) == (12 * 280_000_000, 2_500)
    made = 12 * 280_000 * Fraction("0.8218") * (1 - Fraction("0.22") / 4)
    heat = 12 * 100_000 * Fraction("0.1111")
    assert line.tonnes == made // 1 + heat // 1
    assert line.mark == row.plan_mark == "second_hand"


def test_for_2019_and_2020_the_output_of_2018_counts(world):
    """CEA-PLN-14."""
    world.listed(2019, 2020)
    world.unit("E1-0", valid_from=20170101)
    verified_year(world, 2018, unit="E1-0", is_listed=False, **SUPPLIED)
    for year in (2019, 2020):
        row = world.platform.allocations.compute(PROVINCE, 33, year, "pre")
        assert row.tonnes == 12 * 280_000 * Fraction("0.877") * 7 / 10 // 1
        with refuses(f"share of {year}: expected 7000 bp, got 6000"):
            world.platform.computation.compute(33, year, "pre", 6_000)


@pytest.mark.parametrize(
    ("others", "missing"),
    [({}, "supplied"), (SUPPLIED | {"N": ("1", "GJ")}, "turbine_heat")],
)
def test_a_month_of_2021_without_what_its_plan_asks_is_refused(world, others, missing):
    """CEA-MRV-03, CEA-PLN-06, CEA-PLN-08."""
    with refuses(f"FILE_REFUSED: .*expected {missing} of E1-1 in 202101, got none"):
        verified_year(world, 2021, **others)


HEAT = {"C_bituminous": ("20.000", "GJ/t")}
BIOMASS = HEAT | {"I": ("90", "%"), "J": ("2600000", "GJ")}
"""2,888,888.89 GJ fed, 2,500,000 of coal: 13.46% of biomass."""


def test_a_unit_with_more_biomass_than_a_tenth_is_outside_the_plan_of_2024(world):
    """CEA-PWR-16, CEA-PLN-02: no allowances and no duty, by the boilers' heat."""
    verified_year(world, 2024, **BIOMASS)
    row = world.platform.allocations.compute(PROVINCE, 33, 2024, "final")
    (line,) = world.platform.allocations.lines(row.allocation_id)
    assert json.loads(line.units)[0]["biomass_bp"] == 1_346
    assert (line.tonnes, line.duty) == (0, 0)
    form = world.platform.forms.of(row, [line], {})
    assert (form.units[0]["treatment"], form.units[0]["rule"]) == ("outside", "CEA-PLN-02")


def test_a_unit_with_more_own_gas_than_a_tenth_gets_what_it_emitted_in_2025(world):
    """CEA-PWR-17, CEA-PLN-03."""
    own = {"own_bituminous": ("12500.01", "t")}
    verified_year(world, 2025, **HEAT, **own)
    row = world.platform.allocations.compute(PROVINCE, 33, 2025, "final")
    (line,) = world.platform.allocations.lines(row.allocation_id)
    assert json.loads(line.units)[0]["own_secondary_bp"] == 1_000
    assert line.tonnes != line.emissions
    with refuses("own.bituminous: expected at most 125000.00, what was burnt, got 125000.01"):
        verified_year(world, 2024, **HEAT, own_bituminous=("125000.01", "t"))


CAPPED = """
[[absolute_cap]]
year = 2024
tonnes = 2000000
rule = "CEA-PLN-32"
mark = "decided"
"""


def test_an_absolute_cap_cuts_what_the_plan_gives_by_one_factor(verified):
    """CEA-PLN-32: the authority's roll-up sets it, of the whole nation."""
    folder = files("cea_exchange.domain.compliance.plans")
    text = (folder / "2023-2024.toml").read_text(encoding="utf-8") + CAPPED
    allocations = verified.platform.allocations
    with plans_tried(text, "2023-2024.toml"):
        with refuses("ALLOCATION_NOT_COMPUTABLE: 2024: expected the factor of the absolute cap"):
            allocations.compute(PROVINCE, 33, 2024, "final")
        factor = allocations.roll_up(NATION, 2024).terms.cap_factor
        row = allocations.compute(PROVINCE, 33, 2024, "final")
        (line,) = allocations.lines(row.allocation_id)
        assert 0 < factor < 1
        assert line.tonnes == row.tonnes == 2_000_000
        assert (line.duty, row.plan_mark) == (2_957_724, "decided")
        (entity,) = verified.platform.forms.of(row, [line], {}).entities
        assert entity["initial"] + entity["top_up"] - entity["cut"] == line.tonnes
        assert entity["agrees"]


def test_the_forms_have_each_units_figures_and_each_entitys_sum(verified):
    """CEA-PLN-27."""
    row = verified.platform.allocations.compute(PROVINCE, 33, 2024, "final")
    lines = verified.platform.allocations.lines(row.allocation_id)
    form = verified.platform.forms.of(row, lines, {"E1": 1_000_000})
    (unit,), (entity,) = form.units, form.entities
    assert (unit["class"], unit["electricity_mwh"], unit["electricity_benchmark"]) == (
        *("coal_large", "3600000.000", "0.7910"),
    )
    assert unit["load_percent"] == "78.13"
    assert unit["by_electricity"] + unit["by_heat"] + unit["top_up"] == unit["tonnes"]
    assert entity["gap_percent"] == "3.72"
    assert entity["difference"] == entity["tonnes"] - 1_000_000
    assert entity["agrees"]


def test_a_verified_result_has_the_marks_of_its_defaults_and_so_has_what_rests_on_it(world):
    """CEA-PLN-30: carbon by a default that was seen second-hand."""
    verified_year(world, 2024, B_bituminous=("0.5432", "tC/t"))
    assert world.platform.pages.result("E1", 2024)["mark"] == ""
    world.listed(2025)
    measured = ("B.bituminous", "C.bituminous")
    figures = [each for each in coal_month(202501) if each.parameter not in measured]
    world.platform.months.enter(LI, "E1", world.month_file(*figures))
    (january,) = world.platform.pages.filings("E1", 2025)
    assert january["mark"] == "recalled second_hand"


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

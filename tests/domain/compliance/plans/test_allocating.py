"""What the plans of 2019 to 2026 give: the rulebook's worked examples, and who is treated how."""

from decimal import Decimal
from fractions import Fraction

import pytest
from msgspec.structs import replace

from cea_exchange.domain.compliance.plans import (
    PLAN_YEARS,
    GeneratingUnit,
    Plant,
    allocate,
    not_allocable,
    plan,
    pre_allocate,
    under_cap,
)
from cea_exchange.domain.compliance.plans.power import benchmarks_of, class_of
from cea_exchange.domain.compliance.rules import ComplianceRules
from support.refusing import refuses

U1 = GeneratingUnit(
    entity="E1",
    province="Hubei",
    name="U1",
    rated_kw=(600_000,),
    conventional_bp=10_000,
    electricity_kwh=3_300_000_000,
    load_bp=6210,
    emissions=2_710_000,
)
U2 = replace(
    U1,
    name="U2",
    rated_kw=(300_000,),
    electricity_kwh=1_500_000_000,
    heat_mj=3_200_000_000,
    load_bp=4800,
    emissions=1_705_000,
)
U3 = replace(
    U2,
    name="U3",
    conventional_bp=0,
    gas_bp=10_000,
    electricity_kwh=800_000_000,
    heat_mj=500_000_000,
    emissions=298_000,
)
LINE = Plant(
    entity="C1",
    province="Anhui",
    name="1",
    sector="cement",
    emissions=1_000_000,
    intensity=Decimal("0.80"),
)


@pytest.mark.parametrize(
    ("year", "first", "second", "third", "final", "gap_bp", "marks"),
    [
        (2023, 2_767_128, 1_666_979, (291_200, 6_800), 4_732_107, -41, ()),
        (2024, 2_753_206, 1_658_614, (289_690, 8_310), 4_709_820, 7, ()),
        (2025, 2_607_660, 1_663_236, (289_690, 8_310), 4_568_896, 306, ("draft",)),
        (2026, 2_605_020, 1_655_988, (289_690, 8_310), 4_559_008, 327, ("draft",)),
    ],
)
def test_one_entity_under_four_plans(year, first, second, third, final, gap_bp, marks):
    """CEA-PLN-13, CEA-PLN-30, example 26: the mark of a draft goes with its results."""
    found = allocate(plan(year), [U1, U2, U3])
    assert [unit.initial for unit in found.units] == [first, second, third[0]]
    assert found.units[2].top_up == third[1]
    (entity,) = found.entities
    assert (entity.final, entity.shortfall_bp, entity.duty) == (final, gap_bp, 4_713_000)
    assert found.marks == marks == entity.marks
    assert found.provinces == {"Hubei": found.total}
    assert found.total.final == final


def test_a_unit_of_2019_with_air_cooling_and_a_low_load():
    """CEA-PLN-06, CEA-PLN-07, CEA-PLN-09, example 22."""
    unit = replace(U1, electricity_kwh=3_200_000_000, load_bp=8200, cooling="air")
    found = allocate(plan(2019), [unit])
    assert found.units[0].load_factor == Fraction("1.0042")
    assert (found.units[0].final, found.marks) == (2_959_096, ("second_hand",))


@pytest.mark.parametrize(
    ("year", "tonnes"), [(2020, 1_847_140), (2021, 1_647_107), (2022, 1_638_654)]
)
def test_heat_and_power_of_the_first_plans(year, tonnes):
    """CEA-PLN-06, CEA-PLN-08, CEA-PLN-31, example 23."""
    unit = replace(
        U2, electricity_kwh=1_400_000_000, heat_mj=4_500_000_000, heat_share_bp=3000, emissions=1
    )
    assert allocate(plan(year), [unit]).units[0].final == tonnes


def test_gas_of_the_first_plan():
    """CEA-PLN-08, CEA-PLN-10, example 23."""
    unit = replace(
        U3, electricity_kwh=900_000_000, heat_mj=1_200_000_000, heat_share_bp=2000, emissions=1
    )
    assert allocate(plan(2020), [unit]).units[0].final == 381_264


@pytest.mark.parametrize(
    ("load_bp", "factor"),
    [(8500, "1"), (10_000, "1"), (8000, "1.007"), (7500, "1.015"), (7400, "1.018027"),
     (7000, "1.030225")],
)  # fmt: skip
@pytest.mark.parametrize("year", [2019, 2022])
def test_the_load_factor_of_the_first_plans(year, load_bp, factor):
    """CEA-PLN-09, example 24."""
    assert plan(year).early_power.load_factor.at(load_bp) == Fraction(factor)


def test_what_was_owed_of_2019_is_lowered():
    """CEA-PLN-11, example 25: and of 2021 what is given is raised instead (CEA-PLN-12)."""
    energy = 2_700_000 * 1000 * 1000 // 877 + 1
    unit = replace(U1, electricity_kwh=energy, load_bp=9000, emissions=3_500_000)
    (entity,) = allocate(plan(2019), [unit]).entities
    assert (entity.final, entity.duty) == (2_700_000, 3_400_000)
    (entity,) = allocate(plan(2021), [unit]).entities
    assert (entity.final, entity.duty) == (2_800_000, 3_500_000)


@pytest.mark.parametrize(
    ("year", "final", "duty"), [(2020, 330_750, 330_750), (2021, 400_000, 400_000)]
)
def test_a_gas_unit_of_the_first_plans_is_not_short(year, final, duty):
    """CEA-PLN-11, CEA-PLN-12."""
    unit = replace(U3, electricity_kwh=770_000_000, heat_mj=490_000_000, emissions=400_000)
    (entity,) = allocate(plan(year), [unit]).entities
    assert (entity.final, entity.duty) == (final, duty)


@pytest.mark.parametrize(
    ("rated_kw", "unit_class"),
    [
        ((400_000,), "coal_large"),
        ((399_900,), "coal_small"),
        ((600_000, 330_000), "coal_large"),
        ((330_000, 330_000), "coal_small"),
    ],
)
def test_the_class_of_merged_units(rated_kw, unit_class):
    """CEA-PLN-01, example 15."""
    assert class_of(replace(U1, rated_kw=rated_kw), plan(2024)) == unit_class


def test_unconventional_coal():
    """CEA-PLN-01, example 14."""
    unit = replace(U1, conventional_bp=4725, unconventional_bp=5275)
    assert class_of(unit, plan(2024)) == "coal_unconventional"


OUTSIDE = ("oil", "igcc", "engine", "converted_boiler", "special_gas", "own_waste_gas")


@pytest.mark.parametrize("case", [*OUTSIDE, "closed", "new", "pure_heat"])
def test_units_outside_the_plan_of_2023_get_nothing_and_owe_nothing(case):
    """CEA-PLN-02."""
    found = allocate(plan(2023), [replace(U1, cases=(case,)), U2])
    assert found.units[0].treatment == "outside"
    assert found.entities[0].emissions == found.entities[0].duty == U2.emissions
    assert allocate(plan(2023), [replace(U1, cases=(case,))]).entities == ()


@pytest.mark.parametrize("case", [*OUTSIDE, "closed", "new", "emergency_reserve"])
def test_the_same_units_get_what_they_emit_from_2025_on(case):
    """CEA-PLN-03, CEA-PLN-05."""
    unit = allocate(plan(2026), [replace(U1, cases=(case,))]).units[0]
    assert (unit.treatment, unit.final) == ("as_emitted", U1.emissions)


@pytest.mark.parametrize(
    ("shares", "in_2024", "in_2026"),
    [
        ({"biomass_bp": 1000}, "benchmark", "benchmark"),
        ({"biomass_bp": 1450}, "outside", "benchmark"),
        ({"biomass_bp": 2001}, "outside", "as_emitted"),
        ({"own_secondary_bp": 1001}, "outside", "as_emitted"),
        ({"biomass_bp": 1000, "own_secondary_bp": 1000}, "benchmark", "benchmark"),
        ({"biomass_bp": 1900, "own_secondary_bp": 200}, "outside", "as_emitted"),
        ({"green_bp": 2001}, "benchmark", "as_emitted"),
    ],
)
def test_shares_above_which_no_benchmark_applies(shares, in_2024, in_2026):
    """CEA-PLN-02, CEA-PLN-03, example 13."""
    unit = replace(U1, conventional_bp=10_000 - sum(shares.values()), **shares)
    assert allocate(plan(2024), [unit]).units[0].treatment == in_2024
    assert allocate(plan(2026), [unit]).units[0].treatment == in_2026


@pytest.mark.parametrize("emissions", [25_999, 26_000])
def test_an_entity_below_26000_tonnes_gets_what_it_emitted(emissions):
    """CEA-PLN-05, example 33."""
    half = emissions // 2
    units = [replace(U1, emissions=half), replace(U2, emissions=emissions - half)]
    found = allocate(plan(2026), units)
    assert {unit.treatment for unit in found.units} == {
        "as_emitted" if emissions == 25_999 else "benchmark"
    }
    if emissions == 25_999:
        assert found.entities[0].final == 25_999


def test_the_cap_on_the_shortfall():
    """CEA-PLN-13, example 27."""
    power = plan(2024).power
    assert power.cap_top_up(1_000_000, 1_300_001) == 40_000


@pytest.mark.parametrize(("year", "tonnes"), [(2022, 0), (2023, 0)])
def test_industries_are_in_from_2024_on(year, tonnes):
    """CEA-PLN-16."""
    with refuses(f"CHOICE_UNKNOWN: sector of C1: expected one of the plan of {year}, got cement"):
        allocate(plan(year), [LINE])
    found = allocate(plan(2024), [LINE])
    assert (found.total.final, found.total.duty, found.balance) == (1_000_000, 1_000_000, {})


def test_industries_are_compared_within_their_sector():
    """CEA-PLN-17, CEA-PLN-18, CEA-PLN-19, CEA-PLN-21, example 31."""
    lines = [
        LINE,
        replace(LINE, name="2", emissions=2_000_000, intensity=Decimal("0.84")),
        replace(LINE, entity="C2", emissions=500_000, intensity=Decimal("0.95")),
    ]
    cells = Plant(
        entity="A1",
        province="Henan",
        name="1",
        sector="aluminium",
        emissions=700_000,
        intensity=Decimal("1.5"),
    )
    for year, mark in ((2025, "second_hand"), (2026, "draft")):
        found = allocate(plan(year), [*lines, cells])
        assert [unit.final for unit in found.units] == [1_007_868, 2_001_522, 490_609, 700_000]
        assert found.marks == (mark,)
        assert found.total.final == 3_499_999 + 700_000
    # A province that has only its own plants is told the nation's value.
    assert allocate(plan(2026), lines[:1], balance=found.balance).total.final == 1_007_868
    with refuses("AMOUNT_UNSOUND: balance value of cement: expected one for 2026, got none"):
        allocate(plan(2026), lines[:1], balance={})


@pytest.mark.parametrize(
    ("special", "sector", "year"),
    [
        ({"cases": ("white_clinker",)}, "cement", 2025),
        ({"cases": ("acid_clinker",)}, "cement", 2026),
        ({"carbide_slag_bp": 1501}, "cement", 2025),
        ({"carbide_slag_bp": 3001}, "cement", 2026),
        ({"cases": ("hydrogen_blast_furnace",)}, "steel", 2026),
    ],
)
def test_plants_that_are_not_compared(special, sector, year):
    """CEA-PLN-04, CEA-PLN-17, CEA-PLN-22: they get what they emitted, and set no balance value."""
    plant = replace(LINE, sector=sector, **special)
    found = allocate(plan(year), [plant, replace(LINE, name="2", intensity=Decimal("0.9"))])
    assert (found.units[0].treatment, found.units[0].final) == ("as_emitted", LINE.emissions)
    assert found.balance["cement"] == Fraction("0.9")


@pytest.mark.parametrize(("slag_bp", "treatment"), [(1501, "benchmark"), (3000, "benchmark")])
def test_carbide_slag_of_2026_may_be_more(slag_bp, treatment):
    """CEA-PLN-04."""
    found = allocate(plan(2026), [replace(LINE, carbide_slag_bp=slag_bp)])
    assert found.units[0].treatment == treatment


def test_what_is_given_ahead():
    """CEA-PLN-14, example 28."""
    before = replace(U1, emissions=1_789_123)
    plant = replace(LINE, emissions=1_789_123)

    def ahead(year, unit, **share):
        return pre_allocate(plan(year), [unit], **share)[0].tonnes

    assert [ahead(year, before) for year in (2022, 2023, 2024)] == [1_252_386] * 3
    assert [ahead(year, before) for year in (2025, 2026)] == [894_561] * 2
    assert ahead(2026, before, share_bp=4000) == 715_649
    assert [ahead(year, plant) for year in (2023, 2024, 2025, 2026)] == [0, 0, 1_252_386, 894_561]
    of_2018 = replace(U1, electricity_kwh=1_000_000_000, heat_mj=0, load_bp=5000)
    assert ahead(2019, of_2018) == 613_900
    assert pre_allocate(plan(2026), [before])[0].marks == ("draft",)
    assert ahead(2023, replace(before, cases=("oil",))) == 0


def test_borrowing_for_2021_and_2022():
    """CEA-BOR-01, example 29."""
    borrowing = ComplianceRules.load().borrowing
    assert borrowing.most(2021, 2_000_000, 1_760_000) == 120_000
    with refuses("BORROWING_NOT_SHORT"):
        borrowing.most(2021, 2_000_000, 1_800_200)


def test_a_cap_is_one_factor_for_all():
    """CEA-PLN-32."""
    capped = under_cap({"a": 1000, "b": 2001}, 2000)
    assert capped.tonnes == {"a": 666, "b": 1333}
    assert under_cap({"a": 1000}, 2000).tonnes == {"a": 1000}
    assert under_cap({"a": 0}, 0).factor == 1


def test_benchmarks_were_set_a_little_below_the_balance_values():
    """CEA-PLN-31: as the report says of 2023; gas was given more."""
    of_2023 = plan(2023)
    for each in ("coal_large", "coal_small", "coal_unconventional"):
        balance = Fraction(of_2023.power_balance.of(each).electricity)
        benchmark = Fraction(benchmarks_of(of_2023).of(each).electricity)
        assert Fraction("0.98") * balance < benchmark < balance
    assert benchmarks_of(of_2023).gas.electricity > of_2023.power_balance.gas.electricity
    assert plan(2024).power_balance is None


@pytest.mark.parametrize(
    ("units", "message"),
    [
        ([U1, U1], "NAME_RESERVED: unit U1 of E1: expected once, got twice"),
        ([U1, replace(U2, province="Anhui")], "province of E1: expected Hubei .*, got Anhui"),
        ([replace(LINE, intensity=None)], "intensity of 1 of C1: expected above 0, got none"),
        ([replace(LINE, intensity=Decimal(0))], "intensity of 1 of C1: expected above 0, got 0"),
        ([replace(U1, conventional_bp=0)], "AMOUNT_UNSOUND: shares of heat"),
    ],
)
def test_units_that_can_not_be_allocated_are_refused_whole(units, message):
    with refuses(message):
        allocate(plan(2026), units)


def test_every_year_has_a_plan_and_others_have_none():
    assert [plan(year).year for year in PLAN_YEARS] == list(range(2019, 2027))
    with refuses("YEAR_OUT_OF_RANGE: year: expected within 2019..2026, got 2027"):
        plan(2027)


@pytest.mark.parametrize(
    ("year", "unit", "words"),
    [
        (2025, replace(U1, conventional_bp=0), "U1: shares of heat: expected those of a class"),
        (2025, replace(U1, rated_kw=()), "U1: rated_kw of U1 of E1: expected each generator's"),
        (2025, replace(U1, load_bp=None), "U1: load of U1 of E1: expected the hours of its"),
        (2025, replace(LINE, intensity=None), "1: intensity of 1 of C1: expected above 0"),
        (2025, replace(LINE, intensity=Decimal(0)), "1: intensity of 1 of C1: expected above 0"),
        (2025, replace(U1, conventional_bp=0, cases=("oil",)), None),
        (2025, replace(LINE, intensity=None, emissions=25_999), None),
        (2025, replace(LINE, intensity=None, emissions=0), None),
        (2025, replace(U1, conventional_bp=0, electricity_kwh=0, emissions=0), None),
        (2024, replace(LINE, intensity=None), None),
    ],
)
def test_an_entity_that_a_plan_cant_be_applied_to_is_named_and_no_other(year, unit, words):
    """CEA-MRV-03, CEA-PLN-01, CEA-PLN-18: where no class and no intensity is asked, none is."""
    other = replace(U2, entity="E9")
    found = not_allocable(plan(year), [unit, other])
    if words is None:
        assert found == {}
        given = allocate(plan(year), [unit, other], balance={"cement": Fraction(1)})
        assert given.units[1].final == allocate(plan(year), [other]).units[0].final
    else:
        assert found.keys() == {unit.entity}
        assert found[unit.entity].startswith(words)


def test_a_unit_that_stood_in_2018_is_given_nothing_ahead():
    """CEA-PLN-14: and holds up nobody."""
    idle = replace(U1, conventional_bp=0, electricity_kwh=0, emissions=0)
    assert [each.tonnes for each in pre_allocate(plan(2019), [idle])] == [0]

"""What an industry's plant is compared by is what the verifier concluded, not what was filed."""

import json
from decimal import Decimal

import pytest

from cea_exchange.platform.verification.verifications import Finding
from support.platform.industries import (
    MONTHS,
    verified_works,
    works,
    year_concluded,
    year_reported,
)
from support.platform.platform_world import NATION, PROVINCE, VERIFIER, verified_year
from support.refusing import refuses


def unit_of(world, year=2025, name="W1"):
    """Return a plant as the allocation has it."""
    world.platform.allocations.roll_up(NATION, year)
    row = world.platform.allocations.compute(PROVINCE, 33, year, "final")
    (line,) = (
        each
        for each in world.platform.allocations.lines(row.allocation_id)
        if each.enterprise == name
    )
    (unit,) = json.loads(line.units)
    (form,) = world.platform.forms.of(row, [line], {}).units
    return unit | {"form": form}


def coke(tonnes):
    """Return what 12 months of so much coke, in tonnes a month, give off."""
    month = Decimal(tonnes) * Decimal("28.435") * Decimal("0.02942") * 44 / 12
    return 12 * round(month, 2)


def anthracite(tonnes):
    month = Decimal(tonnes) * Decimal("25.024") * Decimal("0.02749") * 44 / 12
    return 12 * round(month, 2)


def test_steel_is_compared_by_the_iron_and_the_processes_that_were_concluded(world):
    """CEA-VER-10, CEA-PLN-20."""
    verified_works(world, "W1", "steel", 2025, 2)
    filed = Decimal(unit_of(world)["intensity"])
    assert filed == (coke(100_000) + anthracite(15_000)) / 3_000_000
    platform = world.platform
    platform.allocations.withdraw(1)
    platform.verifications.withdraw(1)
    task = platform.verifications.give("W1", 2025, "V1", due_on=20260630)
    concluded = {"iron": "2500000", "E.iron": "4000000.00", "E.sinter": "500000.50"}
    year_concluded(world, task, "W1", concluded, reason="iron was counted twice")
    assert Decimal(unit_of(world)["intensity"]) == Decimal("4500000.50") / 2_500_000
    assert platform.pages.result("W1", 2025)["figures"]["W1-1"]["E.iron"] == "4000000.00"


@pytest.mark.parametrize(
    ("sector", "concluded", "expected"),
    [
        ("cement", {"clinker.portland": "1000000"}, Decimal("900000.00") / 1_000_000),
        (
            "cement",
            {"clinker.portland": "1000000", "clinker.aluminate": "125000"},
            Decimal("900000.00") / 1_125_000,
        ),
        ("aluminium", {"aluminium": "450000"}, Decimal(2)),
        ("aluminium", {}, Decimal("900000.00") / 480_000),
    ],
)
def test_plants_are_compared_by_the_emissions_and_product_that_were_concluded(
    world, sector, concluded, expected
):
    """CEA-VER-10, CEA-CEM-07, CEA-ALU-01, CEA-PLN-18."""
    verified_works(world, "W1", sector, 2025, 2, figures=concluded, emitted="900000.00")
    assert Decimal(unit_of(world)["intensity"]) == expected


@pytest.mark.parametrize(
    ("slag", "rule"), [("200625.00", "CEA-PLN-17"), ("200625.01", "CEA-PLN-17")]
)
def test_the_carbide_slag_that_was_concluded_decides_whether_a_line_is_special(world, slag, rule):
    """CEA-VER-10, CEA-CEM-06, CEA-PLN-17: 15% of 1,200,000 t of clinker x 0.535 is 96,300 t."""
    concluded = {"substitute.carbide_slag": slag}
    verified_works(world, "W1", "cement", 2025, 2, figures=concluded, emitted="900000.00")
    unit = unit_of(world)
    is_special = slag > "200625.00"
    assert unit["carbide_slag_bp"] == 1500 + is_special
    treatment = "as_emitted" if is_special else "benchmark"
    assert (unit["form"]["treatment"], unit["form"]["rule"]) == (treatment, rule)


@pytest.mark.parametrize(
    ("changed", "declared", "concluded", "is_white"),
    [
        ({"clinker.portland": None, "clinker.white": "100000"}, [], {}, True),
        ({"clinker.white": "1"}, ["white_clinker"], {}, False),
        ({}, ["white_clinker"], {}, False),
        ({}, [], {"clinker.portland": "0", "clinker.white": "1200000"}, True),
    ],
)
def test_a_line_of_white_clinker_only_is_one_by_what_it_made(
    world, changed, declared, concluded, is_white
):
    """CEA-PLN-17, CEA-VER-10: whatever is declared of it."""
    works(world, "W1", "cement", 2, cases=declared)
    task = year_reported(world, "W1", "cement", 2025, changed)
    year_concluded(world, task, "W1", concluded)
    unit = unit_of(world)
    assert ("white_clinker" in unit.get("cases", [])) == is_white
    assert unit["form"]["treatment"] == ("as_emitted" if is_white else "benchmark")


FINDING_ROW = {"unit_id": 0, "period": 2025, "parameter": "iron", "rule": "CEA-VER-07"}


@pytest.mark.parametrize(
    ("concluded", "said"),
    [
        ({"iron": "3000000.01"}, "from 0 to 3000000, as filed, of iron, got 3000000.01"),
        ({"E.iron": "1.00"}, "or more of E.iron, got 1.00"),
        ({"E.sinter": "1.00"}, "or more of E.sinter, got 1.00"),
    ],
)
def test_where_a_finding_was_not_fixed_a_steelworks_is_no_better_than_it_filed(
    world, concluded, said
):
    """CEA-VER-16."""
    works(world, "W1", "steel", 2)
    task = year_reported(world, "W1", "steel", 2025)
    verifications = world.platform.verifications
    finding = Finding(**FINDING_ROW, document="", words="two ledgers")
    verifications.close(task, verifications.find(VERIFIER, task, finding), "not_fixed")
    with refuses(f"AMOUNT_UNSOUND: W1-1: expected .*{said}"):
        year_concluded(world, task, "W1", concluded)
    year_concluded(world, task, "W1", {"iron": "3000000", "E.iron": f"{coke(100_000)}"})


@pytest.mark.parametrize("sector", ["steel", "cement", "aluminium"])
def test_only_what_an_allocation_rests_on_is_concluded(world, sector):
    """CEA-VER-16."""
    works(world, "W1", sector, 2)
    task = year_reported(world, "W1", sector, 2025)
    other = next(name for name in MONTHS[sector] if name.partition(".")[0] in ("FC", "anode"))
    with refuses(f"UNITS_DIFFER: figures: expected .* of W1-1, got {other} of W1-1"):
        year_concluded(world, task, "W1", {other: "1"})


def test_what_was_concluded_and_never_filed_is_no_finding_of_its_months(world):
    """CEA-VER-03: that is compared with the months what they file."""
    concluded = {"iron": "2500000", "E.iron": "4000000.00"}
    verified_works(world, "W1", "steel", 2025, 2, figures=concluded)
    found = world.platform.cross_checks.findings(2025, enterprise="W1")
    yearly = [each.figure for each in found if each.detector == "months_against_year"]
    assert yearly == ["iron"]


GANGUE = {
    "A_gangue": ("400000", "t"),
    "B_gangue": ("0.2000", "tC/t"),
    "C_gangue": ("8.374", "GJ/t"),
    "I": ("90", "%"),
    "J": ("6600000", "GJ"),
    "own_bituminous": ("1000", "t"),
}
"""56.64% of the fossil heat is gangue's, 19.36% of all biomass', 0.35% of the fossil heat own."""
SHARES = ("conventional_bp", "unconventional_bp", "biomass_bp", "own_secondary_bp")


@pytest.mark.parametrize(
    ("concluded", "shares"),
    [
        ({}, [4_336, 5_664, 1_936, 35]),
        ({"heat.gangue": 24_000_000}, [5_618, 4_382, 2_373, 45]),
        ({"heat.biomass": 3_000_000}, [4_336, 5_664, 406, 35]),
        ({"heat.own": 7_095_600}, [4_336, 5_664, 1_936, 1_000]),
        ({"heat.bituminous": 0, "heat.natural_gas": 0}, [0, 10_000, 2_977, 61]),
    ],
)
def test_a_units_shares_of_heat_are_those_of_the_heats_that_were_concluded(
    world, concluded, shares
):
    """CEA-VER-16, CEA-PWR-16, CEA-PWR-17, CEA-PWR-24: of a fuel left out it is the months' sum."""
    verified_year(world, 2025, **GANGUE)
    verifications = world.platform.verifications
    verifications.withdraw(1)
    task = verifications.give("E1", 2025, "V1", due_on=20260630)
    figures = {name: Decimal(gigajoules) for name, gigajoules in concluded.items()}
    verifications.conclude(VERIFIER, task, {"E1-1": Decimal(6_477_724)}, {"E1-1": figures})
    verifications.confirm(PROVINCE, task, reason="the gangue was weighed twice")
    unit = unit_of(world, name="E1")
    assert [unit[name] for name in SHARES] == shares


def test_what_was_not_fixed_gives_no_unit_more_unconventional_heat(world):
    """CEA-VER-16: nor of its own, nor of biomass; a fuel that there is not has no heat."""
    verified_year(world, 2025, **GANGUE)
    verifications = world.platform.verifications
    verifications.withdraw(1)
    task = verifications.give("E1", 2025, "V1", due_on=20260630)
    finding = verifications.find(VERIFIER, task, Finding(0, 2025, "", "CEA-PWR-24", "", "wet"))
    verifications.close(task, finding, "not_fixed")
    for name, most in (
        *(("heat.gangue", "40195200.00"), ("heat.own", "246144.00")),
        ("heat.biomass", "17036799.96"),
    ):
        with refuses(f"AMOUNT_UNSOUND: E1-1: expected from 0 to {most}, as filed, of {name}, got"):
            figures = {"E1-1": {name: Decimal(most) + 1}}
            verifications.conclude(VERIFIER, task, {"E1-1": Decimal(6_477_724)}, figures)
    with refuses("UNITS_DIFFER: figures: expected .*heat.FUEL.* of E1-1, got heat.straw of E1-1"):
        figures = {"E1-1": {"heat.straw": Decimal(1)}}
        verifications.conclude(VERIFIER, task, {"E1-1": Decimal(6_477_724)}, figures)

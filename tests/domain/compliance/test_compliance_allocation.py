"""What power units and their entities are allocated."""

from decimal import Decimal
from fractions import Fraction

import pytest
from msgspec.structs import replace

from cea_exchange.domain.compliance.allocation import PowerUnit
from cea_exchange.domain.compliance.rules import ComplianceRules
from support.refusing import refuses

RULES = ComplianceRules.load().allocation
COAL = PowerUnit(
    name="coal",
    unit_class="coal_large",
    electricity_kwh=1_000_000_000,
    heat_mj=0,
    load_bp=8000,
    emissions=800_000,
)
GAS = replace(COAL, name="gas", unit_class="gas", emissions=300_000)


@pytest.mark.parametrize(
    ("rated_kw", "conventional", "unconventional", "gas", "unit_class"),
    [
        (400_000, 10_000, 0, 0, "coal_large"),
        (399_999, 10_000, 0, 0, "coal_small"),
        (600_000, 5_000, 5_000, 0, "coal_large"),
        (600_000, 4_000, 4_500, 1_500, "coal_large"),
        (300_000, 2_500, 2_501, 4_999, "coal_small"),
        (300_000, 3_334, 0, 3_333, "coal_small"),
        (300_000, 3_333, 0, 3_333, None),
        (300_000, 0, 5_000, 5_000, None),
        (600_000, 2_000, 0, 8_000, None),
        (600_000, 500, 0, 0, None),
        (600_000, 4_999, 5_001, 0, "coal_unconventional"),
        (600_000, 5_001, 4_999, 0, "coal_large"),
        (50_000, 0, 0, 9_000, "gas"),
        (50_000, 1_000, 0, 9_000, "gas"),
        (50_000, 0, 0, 8_999, None),
        (600_000, 0, 0, 0, None),
        (600_000, 10_001, 0, 0, None),
        (600_000, -1, 0, 9_000, None),
    ],
)
def test_classes_of_units(rated_kw, conventional, unconventional, gas, unit_class):
    """CEA-ALC-01, CEA-PLN-01: 400 MW is tested; conventional coal is the main fuel of its class."""
    facts = {
        "rated_kw": rated_kw,
        "conventional_bp": conventional,
        "unconventional_bp": unconventional,
        "gas_bp": gas,
    }
    if unit_class is None:
        with refuses("AMOUNT_UNSOUND: .*shares of heat"):
            RULES.unit_class(**facts)
    else:
        assert RULES.unit_class(**facts) == unit_class


def test_units_reported_as_one_have_the_lowest_benchmark():
    """CEA-ALC-01."""
    assert RULES.least_favourable(["coal_small", "coal_large"], 2024) == "coal_large"
    assert RULES.least_favourable(["coal_unconventional", "gas", "coal_small"], 2023) == "gas"


@pytest.mark.parametrize(
    ("year", "electricity", "heat"),
    [
        (2023, ("0.7950", "0.8090", "0.8285", "0.3305"), ("0.1038", "0.0536")),
        (2024, ("0.7910", "0.8049", "0.8244", "0.3288"), ("0.1033", "0.0533")),
        (2025, ("0.7902", "0.8017", "0.8162", "0.3288"), ("0.1027", "0.0533")),
        (2026, ("0.7894", "0.7985", "0.8080", "0.3288"), ("0.1021", "0.0533")),
    ],
)
def test_benchmarks(year, electricity, heat):
    """CEA-ALC-02."""
    benchmarks = RULES.of_year(year).benchmarks
    classes = ("coal_large", "coal_small", "coal_unconventional", "gas")
    assert tuple(benchmarks.of(each).electricity for each in classes) == electricity
    assert [benchmarks.of(each).heat for each in classes] == [heat[0]] * 3 + [heat[1]]
    unit = replace(GAS, electricity_kwh=10_000_000_000, heat_mj=10_000_000_000, emissions=0)
    expected = sum(Decimal(text) * 10_000_000 for text in (electricity[3], heat[1]))
    assert RULES.unit(unit, year).final == expected


def test_a_year_without_a_plan_has_no_allocation():
    with refuses("YEAR_OUT_OF_RANGE: year: expected one of 2023, 2024, 2025, 2026"):
        RULES.unit(COAL, 2022)
    adopted = ComplianceRules.load(drafts=False).allocation
    with refuses("YEAR_OUT_OF_RANGE: year: expected one of 2023, 2024, got 2025"):
        adopted.unit(COAL, 2025)


@pytest.mark.parametrize("year", [2023, 2024])
@pytest.mark.parametrize(
    ("load_bp", "factor"),
    [
        (6400, "1.048797"), (6000, "1.061364"), (5500, "1.077284"), (5000, "1.093443"),
        (6499, "1.045710"), (6500, "1"), (10_000, "1"), (0, "1.268986"),
    ],
)  # fmt: skip
def test_the_load_factor_of_2023_and_2024(year, load_bp, factor):
    """CEA-ALC-04; it jumps at 65%."""
    assert RULES.of_year(year).load_factor.at(load_bp) == Fraction(factor)


@pytest.mark.parametrize("year", [2025, 2026])
@pytest.mark.parametrize(
    ("load_bp", "factor"),
    [
        (4900, "1.104924"), (4500, "1.126059"), (4000, "1.160254"), (3000, "1.281146"),
        (5000, "1"), (10_000, "1"), (0, "7.254"),
    ],
)  # fmt: skip
def test_the_load_factor_of_2025_and_2026(year, load_bp, factor):
    """CEA-ALC-05."""
    assert RULES.of_year(year).load_factor.at(load_bp) == Fraction(factor)


@pytest.mark.parametrize("year", [2024, 2025])
def test_no_load_is_so_near_a_half_that_more_digits_would_round_it_otherwise(year):
    """CEA-ALC-04, CEA-ALC-05: every load in hundredths of a percent, by 50 digits and by 80."""
    factor = RULES.of_year(year).load_factor
    assert all(factor.at(load) == factor.at(load, 80) for load in range(factor.below_bp))


def test_a_coal_unit_gets_electricity_and_heat_by_benchmark():
    """CEA-ALC-03: 3,000,000 MWh x 0.7910 + 2,000,000 GJ x 0.1033."""
    unit = replace(COAL, electricity_kwh=3_000_000_000, heat_mj=2_000_000_000, load_bp=6500)
    found = RULES.unit(unit, 2024)
    assert (found.electricity, found.heat, found.top_up) == (2_373_000, 206_600, 0)
    assert found.initial == found.final == 2_579_600


@pytest.mark.parametrize("name", ["electricity_kwh", "heat_mj", "load_bp", "emissions"])
def test_no_figure_of_a_unit_is_negative(name):
    with refuses(f"AMOUNT_UNSOUND: {name} of unit coal: expected 0 or more, got -1"):
        RULES.unit(replace(COAL, **{name: -1}), 2024)


def test_each_part_is_rounded_down():
    """CEA-ALC-03: 0.99 t and 0.99 t are none."""
    unit = replace(COAL, electricity_kwh=1_264, heat_mj=9_680, emissions=0)
    assert RULES.unit(unit, 2024).final == 0
    unit = replace(COAL, electricity_kwh=1_265, heat_mj=9_681, emissions=0)
    assert RULES.unit(unit, 2024).final == 2


def test_only_conventional_coal_has_a_load_factor():
    """CEA-ALC-04."""
    for unit_class, tonnes in (
        ("coal_large", 829_598),  # 791,000 x 1.048797
        ("coal_small", 844_176),  # 804,900 x 1.048797
        ("coal_unconventional", 824_400),
        ("gas", 328_800),
    ):
        unit = replace(COAL, unit_class=unit_class, load_bp=6400, emissions=0)
        assert RULES.unit(unit, 2024).final == tonnes


@pytest.mark.parametrize(
    ("emissions", "top_up"), [(328_799, 0), (328_800, 0), (328_801, 1), (350_000, 21_200)]
)
def test_a_gas_unit_gets_its_emissions_at_least(emissions, top_up):
    """CEA-ALC-06; a coal unit has no such exemption."""
    found = RULES.unit(replace(GAS, emissions=emissions), 2024)
    assert (found.initial, found.top_up) == (328_800, top_up)
    assert RULES.unit(replace(COAL, emissions=2_000_000), 2024).top_up == 0


@pytest.mark.parametrize(
    ("emissions", "shortfall_bp", "top_up"),
    [
        (791_000, 0, 0),
        (700_000, -1300, 0),
        (988_750, 2000, 0),
        (988_751, 2000, 0),  # 791,000.8 t
        (988_752, 2000, 1),  # 791,001.6 t
        (1_000_000, 2090, 9_000),
        (0, 0, 0),
    ],
)
def test_a_shortfall_is_capped_at_20_percent(emissions, shortfall_bp, top_up):
    """CEA-ALC-07."""
    found = RULES.entity([replace(COAL, emissions=emissions)], 2024)
    assert (found.initial, found.shortfall_bp, found.top_up) == (791_000, shortfall_bp, top_up)
    assert found.final == 791_000 + top_up


def test_the_cap_comes_after_the_gas_units_exemption():
    """CEA-ALC-07: what gas units are topped up counts for the entity's 80%."""
    coal = replace(COAL, emissions=1_050_000)
    gas = replace(GAS, emissions=600_000)
    alone, together = RULES.entity([coal], 2024), RULES.entity([coal, gas], 2024)
    assert (alone.initial, alone.final) == (791_000, 840_000)
    assert (together.initial, together.emissions) == (1_391_000, 1_650_000)
    assert together.final == 1_391_000
    capped = RULES.entity([coal, replace(gas, emissions=1_000)], 2024)
    assert capped.final == capped.initial == 791_000 + 328_800


def test_what_other_sectors_are_given_ahead():
    """CEA-ALC-14: nothing for 2024, then 70%, by the draft at most half; never before 2024."""
    before = {"mill": 1_001}
    for sector in ("steel", "cement", "aluminium"):
        for year in (2021, 2023, 2024):
            assert RULES.ahead(sector, year) is None
            with refuses(f"AMOUNT_UNSOUND: {sector}: expected to be given nothing ahead"):
                RULES.pre_allocation(before, year, sector=sector)
        assert RULES.pre_allocation(before, 2025, sector=sector) == {"mill": 700}
        with refuses("AMOUNT_UNSOUND: share of 2025: expected within 7000[.][.]7000 bp"):
            RULES.pre_allocation(before, 2025, 5_000, sector=sector)
        assert RULES.pre_allocation(before, 2026, 4_000, sector=sector) == {"mill": 400}
        assert RULES.pre_allocation(before, 2026, sector=sector) == {"mill": 500}


def test_what_is_given_ahead():
    """CEA-ALC-08: by unit, rounded down; 1,789.70 t are 1,789 t."""
    before = {"1": 3_579, "2": 1}
    assert RULES.pre_allocation(before, 2025) == {"1": 1_789, "2": 0}
    assert RULES.pre_allocation(before, 2025, share_bp=1000) == {"1": 357, "2": 0}
    assert RULES.pre_allocation(before, 2025, share_bp=0) == {"1": 0, "2": 0}
    assert RULES.pre_allocation(before, 2024) == {"1": 2_505, "2": 0}
    refused = ((2025, 5001, 0), (2025, -1, 0), (2024, 6999, 7000), (2024, 7001, 7000))
    for year, share, least in refused:
        with refuses(rf"AMOUNT_UNSOUND: share of {year}: expected within {least}\.\."):
            RULES.pre_allocation(before, year, share)

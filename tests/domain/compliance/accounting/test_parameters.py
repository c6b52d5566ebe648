"""What every guideline asks for, and what is refused of what is given."""

from decimal import Decimal

import pytest

from cea_exchange.domain.compliance.accounting import (
    GUIDELINES,
    PARAMETERS,
    Figure,
    FiguresError,
    emissions,
)
from cea_exchange.domain.compliance.accounting.guidelines import parse_guideline
from cea_exchange.domain.compliance.ruled import ComplianceRulesError


@pytest.mark.parametrize("sector", ["power", "steel", "cement", "aluminium"])
def test_each_parameter_says_what_it_is(sector):
    assert len(PARAMETERS[sector]) > 10
    for name, parameter in PARAMETERS[sector].items():
        assert name == parameter.id and parameter.unit and parameter.source and parameter.name
        assert parameter.minimum <= parameter.maximum
        if parameter.default is not None:
            assert parameter.minimum <= parameter.default <= parameter.maximum, name
        assert parameter.needs is None or parameter.needs in PARAMETERS[sector]


def test_defaults_of_the_fuel_table():
    """CEA-PWR-26, CEA-STE-07: one table a guideline."""
    assert PARAMETERS["steel"]["NCV.bituminous"].default == Decimal("23.736")
    assert PARAMETERS["cement"]["NCV.bituminous"].default == Decimal("23.076")
    assert PARAMETERS["power"]["C.natural_gas"].default == Decimal("389.310")
    assert GUIDELINES["power"].fuels["gangue"].kind == "unconventional"


def test_the_oxidation_rate_of_2026_is_provisional():
    """CEA-PWR-14, CEA-PWR-15."""
    figures = {"A.bituminous": Decimal(1), "B.bituminous": Decimal("0.5")}
    assert emissions("power", figures, year=2025).marks == ()
    assert emissions("power", figures, year=2026).marks == ("decided",)


@pytest.mark.parametrize(
    ("figure", "message"),
    [
        (Decimal(-1), r"M: expected 0 MWh or more, got -1 \(CEA-PWR-18\)"),
        (
            Decimal(310000000),
            r"M: expected within 0..20000000 MWh, got 310000000, a thousand times",
        ),
        (Decimal("NaN"), "M: expected a finite number, got NaN"),
        (Decimal("Infinity"), "M: expected a finite number, got Infinity"),
        (True, "M: expected Decimal or int, got bool"),
        ("1", "M: expected Decimal or int, got str"),
        (1.0, "M: expected Decimal or int, got float"),
        (Figure(value=Decimal(1), unit="kWh"), "M: expected in MWh, got in kWh"),
        (
            Figure(value=Decimal(1), measured=False),
            "M: expected to be measured, got 1 as a default",
        ),
    ],
)
def test_an_unsound_figure_is_refused(figure, message):
    with pytest.raises(FiguresError, match=message):
        emissions("power", {"A.diesel": Decimal(1), "M": figure})


@pytest.mark.parametrize(
    ("sector", "figures", "message"),
    [
        ("power", {"A.bituminous": 1, "B.bituminous": "5.432"}, "within 0..1 tC/t, got 5.432, a"),
        ("power", {"A.diesel": 1, "C.diesel": "426.52"}, "within 0..60 GJ/t, got 426.52, a"),
        ("steel", {"FC.anthracite": 1, "NCV.anthracite": "250.24"}, "within 0..60 GJ/t, got"),
        ("cement", {"FC.bituminous": 1, "NCV.bituminous": "223.5"}, "within 0..60 GJ/t, got"),
    ],
)
def test_no_tonne_of_fuel_has_more_than_a_tonne_of_carbon(sector, figures, message):
    """CEA-FIL-01: nor more heat than any fuel; of gas by its volume both may be larger."""
    with pytest.raises(FiguresError, match=message):
        emissions(sector, {name: Decimal(value) for name, value in figures.items()})
    gas = {"A.natural_gas": Decimal(1), "B.natural_gas": Decimal("5.96")}
    assert emissions("power", gas).emissions == Decimal("21.63")


def test_a_default_is_the_years_own():
    """CEA-PWR-12: who says default must mean it."""
    figures = {"A.bituminous": 1, "D.bituminous": Figure(value=Decimal("0.03"), measured=False)}
    with pytest.raises(FiguresError, match="D.bituminous: expected the guideline's 0.03085, got"):
        emissions("power", figures)


@pytest.mark.parametrize(
    ("sector", "of", "fixed", "value"),
    [
        ("power", "A.bituminous", "E.bituminous", 99),
        ("cement", "FC.bituminous", "OF.bituminous", 99),
        ("aluminium", "aluminium", "butts", "15.18"),
    ],
)
def test_what_the_guideline_fixes_is_not_measured(sector, of, fixed, value):
    """CEA-PWR-14, CEA-CEM-02, CEA-ALU-02: half the oxidation were half the bill."""
    figures = {of: 1, fixed: Figure(value=Decimal(50), measured=True)}
    with pytest.raises(FiguresError, match=f"{fixed}: expected the guideline's {value}, got 50"):
        emissions(sector, figures)


@pytest.mark.parametrize(
    ("sector", "figures", "year", "message"),
    [
        ("paper", {}, 2025, "sector: expected one of power, steel, cement, aluminium, got 'paper'"),
        ("power", {}, 2017, "year: expected within 2018..2026, got 2017"),
        ("power", {}, 2025, r"A: expected a quantity of some fuel.*\(CEA-PWR-02\)"),
        ("cement", {}, 2025, r"clinker: expected tonnes of some clinker.*\(CEA-CEM-03\)"),
        ("aluminium", {}, 2025, "aluminium: expected t of liquid aluminium, got nothing"),
        ("power", {"E.diesel": Decimal(99)}, 2025, "A.diesel: expected with A.diesel, got without"),
    ],
)
def test_what_is_missing_is_told(sector, figures, year, message):
    with pytest.raises(FiguresError, match=message):
        emissions(sector, figures, year=year)


def test_figures_are_rounded_half_up_as_the_guideline_says():
    """CEA-PWR-25."""
    bill = emissions("power", {"A.diesel": Decimal("45.295"), "M": Decimal("1.0005")})
    assert (bill["A.diesel"], bill["M"]) == (Decimal("45.30"), Decimal("1.001"))


def test_a_bill_prints_as_a_table_and_knows_its_lines():
    bill = emissions("power", {"A.diesel": Decimal("45.30")})
    assert str(bill).splitlines()[-1].split() == ["Q", "140.24", "tCO2", "CEA-PWR-04", "computed"]
    assert "A.diesel" in bill and "A.coke" not in bill
    with pytest.raises(KeyError, match="quantity: expected one of A.diesel, .*, got 'X'"):
        bill["X"]


def test_a_guideline_that_does_not_fit_is_refused():
    with pytest.raises(ComplianceRulesError, match=r"x: .*unknown field `more`"):
        parse_guideline('sector = "power"\ndocument = "x"\nmore = 1', "x")


@pytest.mark.parametrize(
    ("sector", "number"),
    [("power", "485号"), ("steel", "27号"), ("cement", "321号"), ("aluminium", "321号")],
)
def test_each_guideline_has_its_number(sector, number):
    """CEA-VER-15."""
    assert number in GUIDELINES[sector].document

"""What a power unit emitted: the rulebook's worked examples and the codes of the guideline."""

from decimal import Decimal

import pytest

from cea_exchange.domain.compliance.accounting import FiguresError, emissions, entity_emissions

JULY = {"A.bituminous": Decimal("125000.00"), "C.bituminous": Decimal("20.512")}


def test_measured_carbon():
    """CEA-PWR-02, example 1: F = A x B x E x 44/12."""
    figures = {"A.bituminous": Decimal("125000.00"), "B.bituminous": Decimal("0.5432")}
    bill = emissions("power", figures, year=2025)
    assert bill.emissions == bill["Q"] == bill["F.bituminous"] == Decimal("246477.00")
    assert bill["E.bituminous"] == 99


@pytest.mark.parametrize(("year", "tonnes"), [(2025, "287130.82"), (2021, "312353.66")])
def test_carbon_that_was_not_measured(year, tonnes):
    """CEA-PWR-03, CEA-PWR-12, example 2: the punitive value, and the one before June 2022."""
    bill = emissions("power", JULY, year=year)
    assert bill.emissions == bill["G.bituminous"] == Decimal(tonnes)
    assert bill.marks == ("second_hand",)


@pytest.mark.parametrize(
    ("fuel", "quantity", "tonnes"),
    [("natural_gas", "12345.67", "267285.63"), ("diesel", "45.30", "140.24")],
)
def test_gas_and_oil_by_the_table(fuel, quantity, tonnes):
    """CEA-PWR-11, CEA-PWR-26, example 9."""
    assert emissions("power", {f"A.{fuel}": Decimal(quantity)}).emissions == Decimal(tonnes)


def test_an_entity_is_the_sum_of_its_units():
    """CEA-PWR-04, example 11: rounded once, at the end."""
    entity = entity_emissions([Decimal("241375.47"), Decimal("198234.555")])
    assert (entity.tonnes, entity.units) == (439_610, 2)


def test_all_faults_are_told_at_once():
    figures = {
        "A.diesel": Decimal("-45.30"),
        "C.bituminous": Decimal(20512),
        "M": 1.5,
        "nothing": Decimal(1),
    }
    with pytest.raises(FiguresError) as refused:
        emissions("power", figures)
    assert [(fault.kind, fault.parameter) for fault in refused.value.faults] == [
        ("negative", "A.diesel"),
        ("absurd", "C.bituminous"),
        ("not_a_number", "M"),
        ("unknown", "nothing"),
        ("missing", "A.bituminous"),
    ]


def test_load_and_intensity_are_told_beside_the_bill():
    """CEA-PWR-22, CEA-PWR-23, CEA-PWR-18."""
    output = {"M": Decimal(288_000), "O": Decimal(600), "capacity": Decimal(600)}
    bill = emissions("power", {**JULY, **output}, year=2025)
    assert (bill["P"], bill["intensity"]) == (Decimal("80.00"), Decimal("0.9970"))
    assert bill.emissions == emissions("power", JULY, year=2025).emissions

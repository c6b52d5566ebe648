"""What plants of cement, aluminium and steel emitted: the rulebook's worked examples."""

from decimal import Decimal

import pytest

from cea_exchange.domain.compliance.accounting import (
    FiguresError,
    emissions,
    entity_emissions,
)
from cea_exchange.domain.compliance.accounting.facts import (
    carbide_slag_bp,
    clinker_made,
    intensity,
)

LINE = {
    "clinker.portland": Decimal(1_550_000),
    "FC.bituminous": Decimal(180_000),
    "NCV.bituminous": Decimal("22.350"),
    "substitute.carbide_slag": Decimal(100_000),
    "substitute.steel_slag": Decimal(50_000),
}
CELLS = {"aluminium": Decimal(500_000), "anode": Decimal(235_000)}
STEELWORKS = {
    "FC.washed_coking_coal": Decimal(2_400_000),
    "FC.anthracite": Decimal(1_150_000),
    "FC.natural_gas": Decimal(1_200),
    "carbonate.limestone": Decimal(800_000),
    "carbonate.dolomite": Decimal(200_000),
    "electrode.electrode": Decimal(5_000),
    "feed.scrap": Decimal(300_000),
    "feed.blast_furnace_ferromanganese": Decimal(40_000),
    "product.crude_steel": Decimal(4_800_000),
    "product.pig_iron": Decimal(100_000),
    "product.tar": Decimal(90_000),
    "product.benzol": Decimal(25_000),
}


def test_a_clinker_line():
    """CEA-CEM-01, CEA-CEM-02, CEA-CEM-03, CEA-CEM-06, CEA-CEM-07, example 16."""
    bill = emissions("cement", LINE)
    assert (bill["fuel"], bill["process"]) == (Decimal("382319.37"), Decimal("770500.00"))
    assert bill.emissions == Decimal("1152819.37")
    assert (bill["intensity"], bill["slag_rate"]) == (Decimal("0.7438"), Decimal("5.79"))
    assert bill.marks == ("second_hand",)


@pytest.mark.parametrize(
    ("clinker", "per_tonne"),
    [("portland", "535"), ("white", "550"), ("sulphoaluminate", "413"), ("aluminate", "292")],
)
def test_the_factor_of_a_clinker(clinker, per_tonne):
    """CEA-CEM-04: of 1,000 t."""
    bill = emissions("cement", {f"clinker.{clinker}": Decimal(1000)})
    assert bill.emissions == Decimal(per_tonne)


def test_substitutes_take_off_no_more_than_the_lime_gives():
    """CEA-CEM-03, CEA-CEM-05: 1,000 t of clinker, 2,000 t of slaked lime."""
    figures = {"clinker.portland": Decimal(1000), "substitute.slaked_lime": Decimal(2000)}
    assert emissions("cement", figures)["process"] == 0


@pytest.mark.parametrize(
    ("slag", "over_15", "over_30"),
    [
        (259_140, False, False),
        (259_141, True, False),
        (518_281, True, False),
        (518_282, True, True),
    ],
)
def test_the_share_of_carbide_slag_is_compared_unrounded(slag, over_15, over_30):
    """CEA-CEM-06, example 17."""
    bill = emissions("cement", {**LINE, "substitute.carbide_slag": Decimal(slag)})
    share = carbide_slag_bp([bill])
    assert (share > 1500, share > 3000) == (over_15, over_30)


def test_a_factor_of_the_guideline_is_not_the_firms_to_choose():
    """CEA-CEM-04."""
    with pytest.raises(FiguresError, match=r"EF.portland: expected the guideline's 0.535, got 0.5"):
        emissions("cement", {**LINE, "EF.portland": Decimal("0.5")})


def test_intensity_is_unrounded_inside():
    """CEA-CEM-07, CEA-PLN-18."""
    assert intensity([emissions("cement", LINE)]) * 1_550_000 == Decimal("1152819.37")


def test_what_a_verifier_concluded_is_compared_in_place_of_what_was_filed():
    """CEA-VER-10, CEA-VER-16: of product, of kinds of clinker, of slag and of emissions."""
    year = [emissions("cement", LINE)] * 2
    concluded = {"clinker.portland": Decimal(3_000_000), "clinker.white": Decimal(100_000)}
    emitted = Decimal(2_325_000)
    assert clinker_made(year) == {"portland": Decimal(3_100_000)}
    assert clinker_made(year, concluded) == {
        "portland": Decimal(3_000_000),
        "white": Decimal(100_000),
    }
    assert intensity(year, concluded, emitted) == Decimal("0.75")
    assert intensity(year, emitted=emitted) == Decimal("0.75")
    assert carbide_slag_bp(year, {"substitute.carbide_slag": Decimal(518_281)}) == 1_500
    assert carbide_slag_bp(year, {"substitute.carbide_slag": Decimal(518_282)}) == 1_501
    cells = [emissions("aluminium", CELLS)]
    assert intensity(cells, {"aluminium": Decimal(400_000)}, Decimal(800_000)) == 2


@pytest.mark.parametrize(
    ("figures", "lacking"),
    [
        ({}, "iron: expected in every month"),
        ({"iron": Decimal(2000)}, "E.iron: expected in every month"),
        (
            {"iron": Decimal(2000), "iron_in.coke": Decimal(1000), "sinter": Decimal(10)},
            "E.sinter: expected in every month",
        ),
        ({"iron": Decimal(0)}, "steel: expected a product above 0 t"),
    ],
)
def test_a_steelworks_that_does_not_tell_what_is_compared_has_no_intensity(figures, lacking):
    """CEA-PLN-20: nor is it nought, which would be the best of all."""
    bills = [emissions("steel", {**STEELWORKS, **figures})]
    with pytest.raises(ValueError, match=lacking):
        intensity(bills)
    concluded = {"iron": Decimal(1000), "E.iron": Decimal(900), "E.sinter": Decimal(100)}
    assert intensity(bills, concluded) == 1


def test_an_electrolysis():
    """CEA-ALU-01, CEA-ALU-02, CEA-ALU-04, example 18."""
    bill = emissions("aluminium", CELLS)
    assert bill["anode_net"] == Decimal("199327.00")
    assert bill["anode_emissions"] == Decimal("713324.89")
    assert bill["effect_emissions"] == Decimal("72405.00")
    assert (bill.emissions, bill["intensity"]) == (Decimal("785729.89"), Decimal("1.5715"))


def test_measured_anode_effects():
    """CEA-ALU-05, CEA-ALU-06, example 19: factors are rounded before they are used."""
    bill = emissions("aluminium", {**CELLS, "effect_minutes": Decimal("0.35")})
    assert (bill["f.CF4"], bill["f.C2F6"]) == (Decimal("0.050"), Decimal("0.0050"))
    assert bill["effect_emissions"] == Decimal("193500.00")
    tetra = bill["effect_minutes"] * bill["slope_CF4"]
    warming = tetra * (bill["GWP_CF4"] + bill["ratio_C2F6"] * bill["GWP_C2F6"])
    assert bill["aluminium"] * warming / 1000 == Decimal("193693.50"), "unrounded factors"


def test_carbonates_of_an_aluminium_smelter_are_told_and_not_counted():
    """CEA-ALU-07: 100 t of soda."""
    bill = emissions("aluminium", {**CELLS, "carbonate.soda": Decimal(100)})
    assert (bill["carbonates"], bill.emissions) == (Decimal("41.49"), Decimal("785729.89"))


def test_per_tonne_forms_of_older_guidelines_are_no_parameters():
    """CEA-ALU-03: nobody files 0.411 t of anode per tonne any more."""
    with pytest.raises(FiguresError, match=r"net_per_tonne: expected a parameter of aluminium"):
        emissions("aluminium", {**CELLS, "net_per_tonne": Decimal("0.411")})


def test_a_steelworks_balance_of_carbon():
    """CEA-STE-01, CEA-STE-03, CEA-STE-04, CEA-STE-09, example 20."""
    bill = emissions("steel", STEELWORKS)
    assert bill["fuel"] == Decimal("8817657.92")
    assert bill["carbonate"] == Decimal("447200.00")
    assert bill["electrode"] + bill["feed"] == Decimal("40415.00")
    assert bill["product"] == Decimal("522260.00")
    assert entity_emissions([bill]).tonnes == 8_783_013
    assert bill.marks == ()


def test_processes_of_a_steelworks_and_what_is_left():
    """CEA-STE-05, CEA-STE-06, CEA-STE-08: coke goes in, blast furnace gas comes out."""
    fed = {"iron_in.coke": Decimal(1000), "iron_out.blast_furnace_gas": Decimal(20)}
    more = {**fed, "sinter_in.anthracite": Decimal(100), "captive": Decimal(5000)}
    bill = emissions("steel", {**STEELWORKS, **more, "iron": Decimal(2000)})
    coke = Decimal(1000) * Decimal("28.435") * Decimal("0.02942") * 44 / 12
    gas = Decimal(20) * Decimal("33.000") * Decimal("0.07080") * 44 / 12
    assert bill["E.iron"] == round(coke - gas, 2)
    rest = bill.emissions - bill["E.iron"] - bill["E.sinter"] - 5000
    assert bill["E.other"] == rest
    assert bill["intensity"] == round((bill["E.iron"] + bill["E.sinter"]) / 2000, 4)


def test_the_intensity_of_steel_is_of_iron_and_sinter():
    """CEA-PLN-20, example 21: 6,812,345.67 t of iron making and 1,203,456.78 t of sinter."""
    a_tonne = Decimal("28.435") * Decimal("0.02942") * 44 / 12
    burnt = {
        "iron_in.coke": (Decimal("6812345.67") / a_tonne).quantize(Decimal("0.01")),
        "sinter_in.coke": (Decimal("1203456.78") / a_tonne).quantize(Decimal("0.01")),
    }
    works = {**STEELWORKS, **burnt, "iron": Decimal(4_700_000)}
    bill = emissions("steel", works)
    # A hundredth of a tonne of coke is 0.03 t of CO2.
    assert abs(bill["E.iron"] - Decimal("6812345.67")) < Decimal("0.02")
    assert abs(bill["E.sinter"] - Decimal("1203456.78")) < Decimal("0.02")
    assert bill["intensity"] == Decimal("1.7055")
    assert round(intensity([bill]), 4) == Decimal("1.7055")
    half = {**works, "iron": Decimal(2_350_000)}
    assert round(intensity([emissions("steel", half)] * 2), 4) == Decimal("3.4110")


@pytest.mark.parametrize("name", ["NCV.coke", "CC.anthracite"])
def test_coke_and_carbon_per_heat_have_the_tables_values_only(name):
    """CEA-STE-07."""
    with pytest.raises(FiguresError, match=f"{name}: expected the guideline's"):
        emissions("steel", {**STEELWORKS, "FC.coke": Decimal(1), name: Decimal("0.05")})


def test_sold_coke_makes_a_quantity_negative_but_not_the_bill():
    """CEA-STE-02."""
    sold = emissions("steel", {**STEELWORKS, "FC.coke": Decimal(-100_000)})
    assert sold.emissions < emissions("steel", STEELWORKS).emissions
    with pytest.raises(FiguresError, match=r"emissions: expected 0 tCO2 or more, got -"):
        emissions("steel", {"FC.coke": Decimal(-100_000)})

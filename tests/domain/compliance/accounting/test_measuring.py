"""From laboratories and meters to figures: bases, weights, heat, hours, and what is missing."""

from datetime import date
from decimal import Decimal

import pytest

from cea_exchange.domain.compliance.accounting import FiguresError, emissions
from cea_exchange.domain.compliance.accounting.facts import (
    Generator,
    heat_shares,
    load,
    merged_hours,
    secondary_share,
)
from cea_exchange.domain.compliance.accounting.heat import exchanged, hot_water, steam
from cea_exchange.domain.compliance.accounting.lab import (
    Batch,
    as_received,
    as_received_of_dry,
    carbon_figure,
    composite_shares,
    dry_ash_free,
    mean,
    report_due,
    weighted,
)
from cea_exchange.domain.compliance.accounting.meters import Calibration, corrected
from cea_exchange.domain.compliance.accounting.missing import fill_missing


def test_carbon_as_received():
    """CEA-PWR-06, CEA-PWR-25, example 3."""
    received = as_received(Decimal("57.35"), Decimal("12.40"), Decimal("2.50"))
    assert (received, carbon_figure(received)) == (Decimal("51.53"), Decimal("0.5153"))
    of_dry = as_received_of_dry(Decimal("58.82"), Decimal("12.40"))
    assert carbon_figure(of_dry) == Decimal("0.5153")
    with pytest.raises(ValueError, match="moisture and ash: expected below 100%"):
        as_received(Decimal("57.35"), Decimal("12.40"), Decimal(100))


def test_carbon_without_water_and_ash():
    """CEA-VER-01, example 12."""
    found = dry_ash_free(Decimal("54.32"), Decimal("12.4"), Decimal("20.1"))
    assert found == Decimal("80.47")


def test_a_months_heat_value_with_an_invalid_batch():
    """CEA-PWR-10, CEA-PWR-13, CEA-MRV-14, example 4."""
    days = [
        Batch(tonnes=Decimal(4000), found=Decimal("20.100")),
        Batch(tonnes=Decimal(4200), found=Decimal("20.900")),
        Batch(tonnes=Decimal(3800), found=None),
    ]
    month = weighted(days, decimals=3, default=Decimal("26.7"))
    assert (month.value, month.substituted) == (Decimal("22.470"), 3800)
    assert weighted(days[:2], decimals=3).value == Decimal("20.510")
    with pytest.raises(ValueError, match="batch of 3800 t: expected a result, got none"):
        weighted(days, decimals=3)
    figures = {"A.bituminous": month.tonnes, "C.bituminous": month.value}
    assert emissions("power", figures, year=2025).emissions == Decimal("30195.77")


def test_tests_of_gas_have_a_plain_mean():
    """CEA-PWR-11."""
    assert mean([Decimal("389.1"), Decimal("389.4")], decimals=3) == Decimal("389.250")


def test_a_composite_sample_is_of_each_day_as_its_coal():
    """CEA-PWR-07."""
    assert composite_shares([Decimal(100), Decimal(300)]) == (Decimal("0.25"), Decimal("0.75"))


def test_a_laboratory_has_40_days():
    """CEA-PWR-08, example 43."""
    assert report_due(date(2026, 1, 15)) == date(2026, 2, 24)


@pytest.mark.parametrize(
    ("readings", "side", "counted"),
    [
        ([(1_000_000, "0.8")], "activity", 1_003_000),
        ([(1_000_000, "0.5")], "activity", 1_000_000),
        ([(1_000_000, None)], "activity", 1_005_000),
        ([(600_000, "0.3"), (400_000, None)], "activity", 1_002_000),
        ([(3_000_000, None)], "output", 2_985_000),
    ],
)
def test_a_meter_out_of_its_class_or_not_calibrated(readings, side, counted):
    """CEA-VER-05, CEA-VER-06, CEA-STE-10, example 5: class 0.5."""
    known = [
        (
            Decimal(read),
            Calibration(accuracy=Decimal("0.5"), found=None if found is None else Decimal(found)),
        )
        for read, found in readings
    ]
    assert corrected(known, side) == counted


def test_hours_and_load_of_merged_units():
    """CEA-PWR-22, example 6."""
    twins = [Generator(capacity=Decimal(330), hours=Decimal(hours)) for hours in (6200, 5400)]
    hours = merged_hours(twins)
    assert hours == Decimal("5800.00")
    assert load(Decimal(2_450_000), Decimal(660), hours) == Decimal("64.00")
    pair = [(350, 6000), (200, 4500)]
    hours = merged_hours([Generator(capacity=Decimal(c), hours=Decimal(h)) for c, h in pair])
    assert (hours, load(Decimal(2_430_000), Decimal(550), hours)) == (
        Decimal("5454.55"),
        Decimal("81.00"),
    )


def test_heat_of_steam():
    """CEA-PWR-19, CEA-PWR-21, example 7."""
    tonnes, enthalpy = Decimal(120_000), Decimal("2985.6")
    assert steam(tonnes, enthalpy) == Decimal("348223.20")
    back, fresh = (Decimal(60_000), Decimal("335.0")), (Decimal(60_000), Decimal("83.74"))
    assert steam(tonnes, enthalpy, returned=back, made_up=fresh) == Decimal("333147.60")


def test_heat_of_water():
    """CEA-PWR-20, example 8."""
    assert hot_water(Decimal(2_000_000), Decimal(110)) == Decimal("753624.00")
    assert exchanged(net_water=Decimal(500_000)) == Decimal("526315.79")
    metered = exchanged(
        steam_tonnes=Decimal(1000), enthalpy=Decimal("2985.6"), drained=Decimal("335.0")
    )
    assert metered == Decimal("2650.60")


@pytest.mark.parametrize(
    ("year", "tonnes"),
    [(2020, "1952.32"), (2021, "1859.20"), (2022, "1859.20"), (2023, "0"), (2026, "0")],
)
def test_electricity_bought(year, tonnes):
    """CEA-PWR-05, example 10: 3,200 MWh."""
    bill = emissions("power", {"A.diesel": Decimal(0), "purchased": Decimal(3200)}, year=year)
    assert bill.emissions == bill["Q.purchased"] == Decimal(tonnes)


def test_the_share_of_biomass():
    """CEA-PWR-16, example 13."""
    figures = {
        "A.bituminous": Decimal(950_000),
        "C.bituminous": Decimal(20),
        "I": Decimal(90),
        "J": Decimal(20_000_000),
    }
    bill = emissions("power", figures)
    assert (bill["K"], bill["L"]) == (19_000_000, Decimal("14.50"))


def test_the_share_of_unconventional_coal():
    """CEA-PWR-24, example 14."""
    figures = {
        "A.gangue": Decimal(900_000),
        "C.gangue": Decimal("8.374"),
        "A.bituminous": Decimal(300_000),
        "C.bituminous": Decimal("22.5"),
    }
    shares = heat_shares([emissions("power", figures)])
    assert (shares.unconventional_bp, shares.conventional_bp) == (5275, 4725)


def test_the_share_of_own_secondary_energy():
    """CEA-PWR-17."""
    assert secondary_share(Decimal(250), Decimal(2000)) == Decimal("12.50")


def test_what_was_not_tested_has_the_guidelines_value():
    """CEA-MRV-14."""
    filled = fill_missing(
        "power", {"A.bituminous": Decimal(100)}, {"C.bituminous": (), "D.bituminous": ()}, year=2025
    )
    assert [(each.parameter, each.value) for each in filled.substitutions] == [
        ("C.bituminous", Decimal("26.7")),
        ("D.bituminous", Decimal("0.03085")),
    ]
    assert emissions("power", filled.figures, year=2025)["D.bituminous"] == Decimal("0.03085")


def test_a_missing_quantity_needs_a_second_source_and_is_taken_conservatively():
    """CEA-MRV-15: the more fuel, the less power."""
    two = (Decimal(90), Decimal(110))
    filled = fill_missing("power", {}, {"A.bituminous": two, "M": two})
    assert filled.figures["A.bituminous"].value == 110
    assert filled.figures["M"].value == 90
    with pytest.raises(FiguresError, match=r"A.bituminous: expected a second source .*CEA-MRV-15"):
        fill_missing("power", {}, {"A.bituminous": ()})
    with pytest.raises(FiguresError, match="M: expected to be missing, got 1"):
        fill_missing("power", {"M": Decimal(1)}, {"M": two})

"""Each cross-check finds what it is for, and names rule, figure and document."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from cea_exchange.domain.compliance.plausibility import (
    DETECTORS,
    Filed,
    UnitFacts,
    detect,
    gather,
)
from cea_exchange.domain.compliance.plausibility.energy import months_against_year

PLANT = UnitFacts(name="U1", sector="power", peers="large")
COMBINED = UnitFacts(name="U1", sector="power", peers="gas")
JANUARY, FEBRUARY, MARCH = 202501, 202502, 202503
IN_TIME = 20250301
COAL = {
    "A.bituminous": "125000",
    "B.bituminous": "0.5432",
    "C.bituminous": "20.512",
    "moisture.bituminous": "12.40",
    "lab_moisture.bituminous": "2.50",
    "ash.bituminous": "20.10",
    "M": "280000",
    "O": "600",
    "capacity": "600",
}


def month(figures, number=JANUARY, unit="U1", **more):
    return [
        Filed(
            unit=unit,
            month=number,
            parameter=name,
            value=Decimal(value),
            document=f"{unit} {number} {name}",
            filed_on=IN_TIME,
            **more,
        )
        for name, value in figures.items()
    ]


def found(filed, units=(PLANT,)):
    return detect(gather(units, filed))


def detectors(findings):
    return [each.detector for each in findings]


def test_a_sound_month_has_no_finding():
    assert found(month(COAL)) == ()


@pytest.mark.parametrize(
    ("changed", "detector", "figure", "rule"),
    [
        ({"C.natural_gas": "284.999", "A.natural_gas": "1"}, "out_of_range", "C.natural_gas", "01"),
        ({"B.natural_gas": "6.1001", "A.natural_gas": "1"}, "out_of_range", "B.natural_gas", "01"),
        ({"A.gangue": "1", "C.gangue": "12.551"}, "out_of_range", "C.gangue", "02"),
        ({"A.slime": "1", "C.slime": "8.359"}, "out_of_range", "C.slime", "02"),
        ({"ash.bituminous": "13.60"}, "coal_of_another_kind", "B.bituminous", "01"),
        ({"B.bituminous": "0.4830", "ash.bituminous": "28"}, "carbon_against_heat",
         "B.bituminous", "01"),
        ({"lab_moisture.bituminous": "12.41"}, "moisture_turned_round",
         "moisture.bituminous", "03"),
        ({"M": "335000"}, "efficiency", "M", "02"),
        ({"O": "400"}, "load_above_rating", "M", "02"),
        ({"O": "744.01"}, "hours_above_month", "O", "03"),
        ({"I": "90", "J": "2500000"}, "boilers_against_fuel", "J", "04"),
        ({"N": "10", "J": "10", "I": "90"}, "heat_above_boilers", "N", "02"),
    ],
)  # fmt: skip
def test_what_one_month_shows(changed, detector, figure, rule):
    """CEA-VER-01, CEA-VER-02, CEA-VER-03, CEA-VER-04, example 12."""
    (one,) = found(month({**COAL, **changed}))
    assert (one.unit, one.month, one.detector, one.figure) == ("U1", JANUARY, detector, figure)
    assert one.rule == f"CEA-VER-{rule}"
    assert one.document == f"U1 {JANUARY} {figure}"
    assert one.found and one.expected


RATED = UnitFacts(name="U1", sector="power", peers="large", rated_kw=600_000)


def test_a_rating_that_is_filed_higher_than_it_was_approved_is_found():
    """CEA-PWR-22."""
    (one,) = found(month({**COAL, "capacity": "600.001"}), (RATED,))
    assert (one.detector, one.figure, one.rule) == (
        *("capacity_above_approval", "capacity", "CEA-PWR-22"),
    )
    assert (one.found, one.expected) == ("600.001 MW", "at most 600.000 MW, as approved")
    assert one.document == f"U1 {JANUARY} capacity"
    for capacity in ("600", "599.999"):
        assert found(month({**COAL, "capacity": capacity}), (RATED,)) == ()


@pytest.mark.parametrize("capacity", [None, "700"])
def test_load_goes_by_the_approved_rating_whatever_is_filed(capacity):
    """CEA-PWR-22, CEA-VER-02: 280,000 MWh in 466.66 hours are 600.01 MW."""
    figures = {**COAL, "O": "466.66", "capacity": capacity}
    figures = {name: value for name, value in figures.items() if value is not None}
    assert "load_above_rating" not in detectors(found(month(figures)))
    (one,) = (
        each
        for each in found(month(figures), (RATED,))
        if each.detector == "load_above_rating"
    )
    assert one.expected == "at most 279996.00000 MWh of 600.000 MW in 466.66 h"


@pytest.mark.parametrize(
    ("generated", "share"), [("310000", None), ("335000", "47.03% of the fuel's heat")]
)
def test_the_efficiency_of_a_condensing_unit(generated, share):
    """CEA-VER-02, example 12: 43.53% is likely, 47.04% is not; it is cut, not rounded, here."""
    findings = found(month({**COAL, "M": generated, "O": "700"}))
    assert [each.found for each in findings] == ([] if share is None else [share])


def test_heat_and_power_together_stay_below_the_fuel():
    """CEA-VER-02."""
    gas = {"A.natural_gas": "1000", "C.natural_gas": "360", "M": "50000", "N": "179999"}
    assert found(month(gas), [COMBINED]) == ()
    assert detectors(found(month({**gas, "N": "180000"}), [COMBINED])) == ["efficiency"]


@pytest.mark.parametrize(
    ("name", "shown", "detector"),
    [
        ("A.bituminous", ("invoice", "131579"), "against_invoice"),
        ("A.bituminous", ("invoice", "131578"), None),
        ("A.bituminous", ("invoice", "100000"), None),
        ("A.bituminous", ("stock", "121300"), "against_stock"),
        ("A.bituminous", ("production_report", "126300"), "against_production_report"),
        ("A.bituminous", ("energy_form", "127600"), "against_energy_form"),
        ("M", ("settlement", "243000"), "against_settlement"),
        ("M", ("settlement", "300000"), None),
        ("B.bituminous", ("lab", "0.5490"), "against_lab"),
    ],
)
def test_second_sources(name, shown, detector):
    """CEA-VER-04: fuel is not told too small, output not too large."""
    findings = found(month({**COAL, f"{shown[0]}:{name}": shown[1]}))
    assert detectors(findings) == ([] if detector is None else [detector])
    if findings:
        assert f"U1 {JANUARY} {shown[0]}:{name}" in findings[0].expected


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"C.bituminous": "18.4", "B.bituminous": "0.5000"}, {"change_to_last_month"}),
        ({"A.bituminous": "112000"}, {"rate_to_last_month"}),
        ({"ash.bituminous": "22.20", "C.bituminous": "20.513"}, {"heat_rises_with_ash"}),
        ({"ash.bituminous": "22.05", "C.bituminous": "20.513"}, set()),
    ],
)
def test_month_against_month(changed, named):
    """CEA-VER-03."""
    filed = month(COAL) + month({**COAL, **changed}, FEBRUARY)
    assert named <= set(detectors(found(filed)))
    assert {each.month for each in found(filed)} <= {FEBRUARY}
    if not named:
        assert found(filed) == ()
    apart = month(COAL) + month({**COAL, **changed}, MARCH)
    assert found(apart) == (), "a month between them was not filed"


def test_the_same_figure_for_three_months():
    """CEA-VER-03: said once, and not of defaults."""
    same = [each for number in (202501, 202502, 202503, 202504) for each in month(COAL, number)]
    findings = found(same)
    assert {each.detector for each in findings} == {"repeated_figures"}
    assert [(each.figure, each.month) for each in findings] == [
        ("B.bituminous", MARCH),
        ("C.bituminous", MARCH),
    ]
    assert found([replace(each, measured=False) for each in same]) == ()


def test_a_unit_among_its_peers():
    """CEA-VER-03: of five, one needs half the fuel."""
    units = [replace(PLANT, name=f"U{n}") for n in range(5)]
    filed = []
    for n in range(5):
        burnt = "80000" if n == 3 else "125000"
        filed += month({**COAL, "A.bituminous": burnt, "M": "180000"}, unit=f"U{n}")
    (one,) = found(filed, units)
    assert (one.unit, one.detector) == ("U3", "rate_among_peers")
    assert found(filed[:-9], units) == (), "four are no class"


@pytest.mark.parametrize("factor", [10, Decimal("0.1")])
def test_digits_that_slipped(factor):
    """CEA-VER-03."""
    filed = [each for number in (202501, 202502, 202503) for each in month({"N": "5000"}, number)]
    filed[1] = replace(filed[1], value=5000 * Decimal(factor))
    (one,) = found(filed)
    assert (one.detector, one.month, one.figure) == ("slipped_digits", FEBRUARY, "N")


def test_one_document_for_two_months():
    """CEA-VER-08: for several figures of one month it may stand."""
    filed = month({"M": "1000", "N": "500"}) + month({"N": "501"}, FEBRUARY)
    shared = [replace(each, document="d1") for each in filed]
    (one,) = found(shared)
    assert (one.detector, one.month, one.document) == ("copied_evidence", FEBRUARY, "d1")
    assert "filed for U1, 202501" in one.expected


def test_a_measured_figure_without_a_document():
    """CEA-VER-08, CEA-MRV-04."""
    filed = [replace(each, document="") for each in month({"M": "1000", "O": "10"})]
    (one,) = found(filed)
    assert (one.detector, one.figure, one.document) == ("missing_evidence", "M", "")


@pytest.mark.parametrize(("filed_on", "late"), [(20250312, False), (20250313, True)])
def test_a_month_filed_late(filed_on, late):
    """CEA-MRV-01, CEA-MRV-09: a correction in time after it is not late."""
    filed = [replace(each, filed_on=filed_on) for each in month({"O": "10"})]
    second = replace(filed[0], version=2, filed_on=20250401, reason="meter")
    assert ("late_filing" in detectors(found([*filed, second]))) == late


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"reason": "meter read again"}, None),
        ({}, "no reason"),
        ({"reason": " "}, "no reason"),
        ({"reason": "meter", "document": ""}, "no document"),
        ({"reason": "meter", "filed_on": 20260313}, "more than a year after it was due"),
    ],
)
def test_a_figure_that_was_altered(change, words):
    """CEA-MRV-08: the last version counts, and how it came is looked at."""
    first = month({"O": "10"})[0]
    second = replace(first, version=2, value=Decimal(11), **{"document": "d2", **change})
    filings = gather([PLANT], [second, first])
    assert filings.text("O", 0) == "11.00 h"
    findings = [each for each in detect(filings) if each.detector == "altered_figures"]
    assert len(findings) == (words is not None)
    if findings:
        assert words in findings[0].found and "10.00 h made 11.00 h" in findings[0].found


def test_who_has_measured_does_not_go_back_to_defaults():
    """CEA-VER-07, CEA-PWR-09, CEA-STE-07."""
    heat = {"C.lignite": "15.250"}
    default = month(heat, FEBRUARY, measured=False)
    (one,) = found(month(heat) + default)
    assert (one.detector, one.month) == ("method_fallen", FEBRUARY)
    assert one.expected == "measured, as in 202501"
    assert found(month(heat, JANUARY, measured=False) + month(heat, FEBRUARY)) == ()


def test_months_are_their_year():
    """CEA-VER-03, CEA-MRV-16."""
    filings = gather([PLANT], month({"M": "1000.5"}) + month({"M": "2000"}, FEBRUARY))
    assert list(months_against_year(filings, {("U1", 2025, "M"): Decimal("3000.5")})) == []
    (one,) = months_against_year(filings, {("U1", 2025, "M"): Decimal("3000.5004")})
    assert one.expected == "3000.500 MWh, the sum of its months"


@pytest.mark.parametrize(
    ("filed", "message"),
    [
        (month({"O": "1"}, unit="U2"), "unit: expected one of those given, got 'U2'"),
        (month({"X": "1"}), "parameter: expected one of a guideline or an auxiliary one, got 'X'"),
        (month({"O": "1"}) * 2, "O of U1, 202501: expected version 1 once, got it twice"),
    ],
)
def test_values_that_are_no_filing(filed, message):
    with pytest.raises(ValueError, match=message):
        gather([PLANT], filed)


def test_nothing_filed_has_no_finding():
    assert found([]) == ()
    assert len(DETECTORS) > 20


@pytest.mark.parametrize(("approved", "named"), [(0, []), (5_000, []), (4_999, ["CEA-CEM-08"])])
def test_a_line_that_makes_more_than_it_was_approved_for(approved, named):
    """CEA-CEM-08: in the 31 days of January; of which nothing is known is not looked at."""
    line = UnitFacts(name="U1", sector="cement", peers="cement", approved_t_a_day=approved)
    filed = month({"clinker.portland": "100000.00", "clinker.white": "55000.00"})
    above = [each for each in found(filed, [line]) if each.detector == "clinker_above_approval"]
    assert [each.rule for each in above] == named
    if named:
        assert (above[0].found, above[0].expected) == (
            *("155000.00 t", "at most 154969 t, 4999 t a day"),
        )


def year_of_coal(*, july="100", invoice="100", months=12):
    """Return months of a unit that burns 100 t for what it makes, a hundredth more or less."""
    filed = []
    for number in range(1, months + 1):
        burnt, shown = ("101", "99", "100")[number % 3], ("100", "101", "99")[number % 3]
        if number == 7:
            burnt, shown = july, invoice
        coal = {
            "A.bituminous": str(1_000 * Decimal(burnt)),
            "C.bituminous": f"20.{500 + number}",
            "M": str(231 * (20_500 + number) / Decimal(20_500)),
            "invoice:A.bituminous": str(1_000 * Decimal(shown)),
        }
        filed += month(coal, 202500 + number)
    return filed


@pytest.mark.parametrize(
    ("terms", "named"),
    [
        ({"july": "96.7"}, [202507]),  # less than its invoice, and less than it made calls for
        ({"july": "96.7", "invoice": "95.7"}, []),  # one witness of two is not enough
        ({"july": "98.9"}, []),  # as in other months
        ({"july": "103.3"}, []),  # more is nothing to gain by
        ({"july": "96.7", "months": 7}, [202507]),
    ],
)
def test_fuel_that_two_witnesses_call_short_at_once(terms, named):
    """CEA-VER-03, CEA-VER-04: neither of them alone is beyond its limit."""
    findings = found(year_of_coal(**terms))
    assert [each.month for each in findings if each.detector == "short_together"] == named
    assert {each.detector for each in findings} <= {"short_together"}


def test_of_few_months_nothing_is_known_to_be_usual():
    """CEA-VER-03."""
    filed = [each for each in year_of_coal(july="96.7") if 202504 <= each.month <= 202508]
    assert "short_together" not in detectors(found(filed))


def test_what_the_industries_filed_afterwards_is_late_by_its_own_day():
    """CEA-MRV-02, CEA-MRV-09: January 2025 until 31 October, and not 40 days."""
    works = UnitFacts(name="U1", sector="cement", peers="cement")
    for filed_on, late in ((20251031, False), (20251101, True)):
        filed = [
            replace(each, filed_on=filed_on) for each in month({"clinker.portland": "100000"})
        ]
        assert ("late_filing" in detectors(found(filed, [works]))) == late


def test_a_document_with_a_page_of_another_is_named_once_a_month():
    """CEA-VER-08."""
    filed = month({"A.bituminous": "125000", "C.bituminous": "20.512"})
    both = [replace(each, document="report 1") for each in filed]
    findings = detect(gather([PLANT], both, {"report 1": "report 2"}))
    assert [(each.detector, each.document) for each in findings] == [
        ("spliced_evidence", "report 1")
    ]
    assert findings[0].expected == "pages of its own: one of them stands in report 2"


def test_heat_much_unlike_the_same_months_of_last_year():
    """CEA-VER-03: of months that both years have; within a tenth nothing is said."""
    for heat, named in (("18.461", False), ("18.460", True), ("22.563", False), ("22.564", True)):
        before = [replace(each, month=202401) for each in month(COAL)]
        now = month({**COAL, "C.bituminous": heat})
        findings = found([*before, *now])
        assert ("change_to_last_year" in detectors(findings)) == named, heat
    alone = [replace(each, month=202312) for each in month(COAL)]
    assert "change_to_last_year" not in detectors(found([*alone, *now]))

"""Quality-control plans: what they must say, why they may be changed, whether they are kept."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from cea_exchange.platform.filings.plan_files import PlannedFigure
from support.platform.platform_world import (
    LI,
    WANG,
    coal_month,
    filed,
    planned_figures,
)
from support.refusing import refuses

pytestmark = pytest.mark.postgres_at_night


def accepted(world, year=2026):
    world.platform.plans.file(WANG, "E1", year)
    world.pass_all("plan", year)


def test_a_plan_says_of_each_figure_how_it_is_measured(world):
    """CEA-MRV-10."""
    world.plan()
    accepted(world)
    shown = world.platform.pages.plan("E1", 2026)
    assert (shown["boundary"], shown["version"]) == ("boiler, turbine and generator 1", 1)
    coal = shown["figures"][0]
    assert (coal["parameter"], coal["meter"], coal["ledger"]) == (
        *("A.bituminous", "scale 1", "coal ledger"),
    )
    assert [each["missing_data"] for each in shown["figures"][:2]] == ["second_source", "default"]


WRONG = (
    ({"parameter": "A.granite"}, "parameter: expected a parameter of power, got A.granite"),
    ({"unit": "E9-1"}, "unit: expected a unit that E1 has, got E9-1"),
    ({"missing_data": "default"}, "missing_data: expected second_source of A.bituminous"),
    ({"accuracy": Decimal(0)}, "accuracy: expected the class of scale 1 in percent, got 0"),
    ({"calibration_months": 0}, "calibration_months: expected 1 to 12 months between"),
    ({"meter": ""}, "meter: expected the meter that has a class"),
    ({"basis": ""}, "basis: expected as_fired or as_received of A.bituminous, got nothing"),
)


def test_a_line_that_can_not_be_is_refused_with_its_rule(world):
    """CEA-MRV-10, CEA-MRV-14, CEA-MRV-15, CEA-STE-10."""
    for changed, said in WRONG:
        with refuses(f"FILE_REFUSED: plan.csv:2: {said}"):
            world.plan(**changed)
    assert world.platform.documents.standing(world.place("plan", 2026)) is None


def test_coal_that_was_weighed_as_it_is_fired_is_not_weighed_as_it_came_a_year_later(world):
    """CEA-PWR-09: the kind of data may not fall, and its laboratory's goes with it."""
    world.plan(2025)
    accepted(world, 2025)
    figures = [
        replace(each, basis="as_received") if each.basis else each for each in planned_figures()
    ]
    with refuses("basis: expected as_fired of A.bituminous of E1-1, as in the plan of 2025"):
        world.plan(2026, figures=figures)
    with refuses("basis: expected as_received of B.bituminous, as its coal is weighed, got as_f"):
        world.plan(2027, basis="as_received")
    assert world.plan(2027, figures=figures, name="other.csv").version == 1


def test_a_plan_without_what_the_allocation_rests_on_is_refused(world):
    """CEA-MRV-10."""
    figures = [each for each in planned_figures() if each.parameter != "O"]
    with refuses("parameter: expected how O of E1-1 is measured, got nothing"):
        world.plan(figures=figures)


def test_a_plan_that_counts_is_changed_for_one_of_six_causes(world):
    """CEA-MRV-11."""
    with refuses("REASON_MISSING: cause: expected none where no plan of 2026 counts yet"):
        world.plan(cause="better_meter")
    world.plan()
    accepted(world)
    for cause in ("", "cheaper"):
        with refuses("CHOICE_UNKNOWN: cause: expected one of new_facility_or_fuel, better_meter"):
            world.plan(meter="scale 2", reason="scale 2", cause=cause)
    world.plan(meter="scale 2", reason="scale 2", cause="better_meter")
    accepted(world)
    shown = world.platform.pages.plan("E1", 2026)
    assert (shown["version"], shown["cause"]) == (2, "better_meter")
    assert shown["figures"][0]["meter"] == "scale 2"


def unplanned(world):
    return {
        (each.month, each.figure)
        for each in world.platform.cross_checks.findings(2025)
        if each.detector == "not_in_plan"
    }


def test_a_figure_that_no_plan_names_is_a_finding(world):
    """CEA-VER-07: of a month's versions the last counts."""
    world.plan(2025)
    rating = filed(parameter="capacity", value=Decimal(600), measure="MW")
    world.platform.months.enter(LI, "E1", world.month_file(*coal_month(), rating))
    world.platform.months.file(WANG, "E1", 202507)
    assert unplanned(world) == set()
    accepted(world, 2025)
    assert unplanned(world) == {(202507, "capacity")}
    world.enter(202507, reason="the rating is not measured")
    world.platform.months.file(WANG, "E1", 202507)
    assert unplanned(world) == set()


def test_a_unit_without_a_plan_that_counts_is_a_finding_once(world):
    """CEA-MRV-12, CEA-VER-07."""
    world.plan(2025)
    for month in (202506, 202507):
        world.enter(month)
        world.platform.months.file(WANG, "E1", month)

    def without():
        found = world.platform.cross_checks.findings(2025)
        return [each for each in found if each.detector == "no_plan"]

    (finding,) = without()
    assert (finding.unit, finding.month, finding.rule) == ("E1-1", 202506, "CEA-MRV-12")
    assert finding.found == "none of 2025 that counts"
    accepted(world, 2025)
    assert without() == []


def test_a_plan_file_of_another_enterprise_is_refused(world):
    """CEA-MRV-10."""
    others = [PlannedFigure(**each_of(figure, enterprise="E9")) for figure in planned_figures()]
    with refuses("FILE_REFUSED: plan.csv:2: enterprise: expected E1, whose file it is, got E9"):
        world.plan(figures=others)


def each_of(figure, **changed):
    return {name: getattr(figure, name) for name in figure.__struct_fields__} | changed

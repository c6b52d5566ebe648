"""Steelworks: a fuel's heat is measured all the year or not, and never given up again."""

from decimal import Decimal

import pytest

from support.platform.platform_world import LI, PROOF, filed, person
from support.refusing import refuses

pytestmark = pytest.mark.postgres_at_night

REVIEWER = person("Gao Lin", "reviewer", "enterprise S1")
FUEL = "anthracite"


@pytest.fixture
def works(world):
    enterprise = world.enterprise("S1", number=2, sector="steel", code="3110", process="long")
    world.unit("S1-1", "S1", rated_kw=[])
    world.platform.evidence.bring(LI, enterprise, "scale.pdf", PROOF)
    return world


def month(number, heat=None, origin="measured"):
    of = {"enterprise": "S1", "unit": "S1-1", "month": number}
    rows = [
        filed(**of, parameter=f"FC.{FUEL}", value=Decimal("1000.00")),
        filed(**of, parameter="product.crude_steel", value=Decimal("100.00")),
        *(filed(**of, parameter=made, value=Decimal(0)) for made in ("iron", "sinter")),
    ]
    if heat is not None:
        evidence = {} if origin == "measured" else {"evidence": ""}
        rows.append(
            filed(
                **of,
                parameter=f"NCV.{FUEL}",
                value=Decimal(heat),
                measure="GJ/t",
                origin=origin,
                **evidence,
            )
        )
    return rows


def file(works, *rows):
    works.platform.months.enter(LI, "S1", works.month_file(*rows))
    for number in sorted({row.month for row in rows}):
        works.platform.months.file(REVIEWER, "S1", number)


def test_who_has_measured_does_not_go_back_to_the_default(works):
    """CEA-STE-07."""
    file(works, *month(202412, "26.000"))
    said = f"NCV.{FUEL} of S1-1 in 202501: expected a measured value, as in 202412, got the default"
    for rows in (
        month(202501),
        month(202501, "25.024", "default"),
        month(202501, "0", "missing"),
    ):
        with refuses(f"FILE_REFUSED: month.csv:.*origin: {said}"):
            works.platform.months.enter(LI, "S1", works.month_file(*rows))
    file(works, *month(202501, "26.100"))


def test_what_is_chosen_holds_for_the_year_and_may_be_better_in_the_next(works):
    """CEA-STE-07: within one file too."""
    with refuses(f"NCV.{FUEL} of S1-1 in 202502: expected the default all the year, as in 202501"):
        file(works, *month(202501), *month(202502, "26.000"))
    file(works, *month(202411), *month(202412))
    with refuses("expected the default all the year, as in 202411, got measured"):
        file(works, *month(202410, "26.000"))
    file(works, *month(202501, "26.000"), *month(202502, "26.100"))


def test_a_further_version_of_all_the_year_may_choose_otherwise(works):
    """CEA-STE-07: what a version replaces is not held against it."""
    file(works, *month(202501), *month(202502))
    rows = [*month(202501, "26.000"), *month(202502, "26.000")]
    filings = works.platform.months.enter(LI, "S1", works.month_file(*rows), "reports found")
    assert [filing.version for filing in filings] == [2, 2]

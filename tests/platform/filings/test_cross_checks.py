"""Cross-checks of what was filed: each finding names its rule, figure and document."""

from decimal import Decimal
from hashlib import sha256

from support.platform.platform_world import LI, PROOF, WANG, coal_month, filed
from support.refusing import refuses


def found(world, **of):
    return {
        (each.detector, each.month): each
        for each in world.platform.cross_checks.findings(2025, **of)
    }


def test_the_same_document_in_two_months_is_found(world):
    """CEA-VER-08."""
    for month in (202506, 202507):
        world.enter(month)
        world.platform.months.file(WANG, "E1", month)
    finding = found(world)["copied_evidence", 202507]
    assert (finding.unit, finding.rule) == ("E1-1", "CEA-VER-08")
    assert finding.document == sha256(PROOF).hexdigest()


def test_what_a_second_source_says_otherwise_is_found(world):
    """CEA-VER-04."""
    invoice = filed(parameter="invoice:A.bituminous", value=Decimal("150000.00"))
    source = world.month_file(*coal_month(), invoice)
    (filing,) = world.platform.months.enter(LI, "E1", source)
    assert filing.emission == "246477.00"
    world.platform.months.file(WANG, "E1", 202507)
    assert found(world, enterprise="E1")["against_invoice", 202507].figure == "A.bituminous"
    assert not [key for key in found(world, province=11) if key[0] == "against_invoice"]


def test_a_second_source_in_another_unit_is_refused_with_its_line(world):
    invoice = filed(parameter="invoice:A.bituminous", measure="kg")
    with refuses("FILE_REFUSED: month.csv:8: measure: invoice:A.bituminous: expected in t, got"):
        world.platform.months.enter(LI, "E1", world.month_file(*coal_month(), invoice))


def test_a_draft_is_not_looked_at(world):
    world.enter()
    assert found(world) == {}

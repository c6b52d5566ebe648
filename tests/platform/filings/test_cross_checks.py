"""Cross-checks of what was filed: each finding names its rule, figure and document."""

from decimal import Decimal
from hashlib import sha256
from io import BytesIO

import pytest
from reportlab.pdfgen.canvas import Canvas

from cea_exchange.platform.filings.document_pages import page_hashes
from support.platform.platform_world import (
    LI,
    PROOF,
    PROVINCE,
    VERIFIER,
    WANG,
    coal_month,
    filed,
    verified_year,
)
from support.refusing import refuses

pytestmark = pytest.mark.postgres_at_night


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
    with refuses("FILE_REFUSED: month.csv:9: measure: invoice:A.bituminous: expected in t, got"):
        world.platform.months.enter(LI, "E1", world.month_file(*coal_month(), invoice))


def test_a_draft_is_not_looked_at(world):
    world.enter()
    assert found(world) == {}


def pdf(*pages):
    """Return a document of pages with a line of text each; '' is a blank one."""
    written = BytesIO()
    canvas = Canvas(written)
    for line in pages:
        if line:
            canvas.drawString(72, 720, line)
        canvas.showPage()
    canvas.save()
    return written.getvalue()


def lab_month(world, month, document):
    """File a month whose carbon is shown by a document."""
    figures = [
        filed(month=month, parameter=each.parameter, value=each.value, measure=each.measure,
              evidence=document)
        if each.parameter == "B.bituminous" else each
        for each in coal_month(month)
    ]  # fmt: skip
    world.platform.months.enter(LI, "E1", world.month_file(*figures))
    world.platform.months.file(WANG, "E1", month)


def test_a_page_of_another_document_is_found_in_both(world):
    """CEA-VER-08: two files, of which one page is the same; blank pages are not compared."""
    enterprise = world.platform.enterprises.of("E1")
    contents = (pdf("June 54.32%", "sample 12", ""), pdf("July 54.32%", "sample 12", ""))
    june, july = (
        world.platform.evidence.bring(LI, enterprise, f"lab-{number}.pdf", content)
        for number, content in enumerate(contents)
    )
    alone = world.platform.evidence.bring(LI, enterprise, "lab-3.pdf", pdf("May 54.30%", ""))
    for month, document in ((202505, alone), (202506, june), (202507, july)):
        lab_month(world, month, document)
    spliced = {key[1]: each for key, each in found(world).items() if key[0] == "spliced_evidence"}
    assert sorted(spliced) == [202506, 202507]
    assert spliced[202507].document == july
    assert june in spliced[202507].expected
    assert (spliced[202507].figure, spliced[202507].rule) == ("B.bituminous", "CEA-VER-08")


@pytest.mark.parametrize(
    "content", [b"belt scale", b"%PDF-1.7 nothing", pdf("", ""), pdf("one")[:-300]]
)
def test_what_has_no_pages_that_can_be_read_is_taken_and_has_none(world, content):
    """CEA-VER-08: whatever a file is, it harms nobody."""
    assert page_hashes(content) == ()
    enterprise = world.platform.enterprises.of("E1")
    world.platform.evidence.bring(LI, enterprise, "lab.pdf", content)
    assert world.store.one("SELECT count(*) FROM evidence_pages") == 0


def test_a_figure_much_unlike_last_years_is_found_and_the_year_before_is_not_named(world):
    """CEA-VER-03: 11% less carbon than in the same months of the year before."""
    for month, carbon in ((202406, "0.5432"), (202506, "0.4834")):
        figures = [
            filed(month=month, parameter=each.parameter, value=Decimal(carbon), measure="tC/t")
            if each.parameter == "B.bituminous" else each
            for each in coal_month(month)
        ]  # fmt: skip
        world.platform.months.enter(LI, "E1", world.month_file(*figures))
        world.platform.months.file(WANG, "E1", month)
    finding = found(world)["change_to_last_year", 202506]
    assert (finding.figure, finding.expected) == ("B.bituminous", "within 10.00% of it")
    assert finding.found == "mean 88.99% of last year's, of 1 months"
    assert {month for _, month in found(world)} == {202506}


def test_what_was_verified_and_is_not_the_sum_of_its_months_is_found(world):
    """CEA-VER-03, CEA-VER-16."""
    verified_year(world, 2025)
    assert ("months_against_year", 202512) not in found(world)
    world.platform.verifications.withdraw(1)
    task = world.platform.verifications.give("E1", 2025, "V1", due_on=20260630)
    emitted, concluded = {"E1-1": Decimal("2957724.00")}, {"E1-1": {"M": Decimal("3500000.000")}}
    world.platform.verifications.conclude(VERIFIER, task, emitted, concluded)
    world.platform.verifications.confirm(PROVINCE, task, reason="objection 1")
    finding = found(world)["months_against_year", 202512]
    assert (finding.figure, finding.found) == ("M", "3500000.000 in the year")
    assert finding.expected.startswith("3600000.000 MWh, the sum")

"""A month's figures: entered by one person, reviewed by another, accepted by the levels."""

from decimal import Decimal
from hashlib import sha256

import pytest

from cea_exchange.files.cells.source import SourceFile
from cea_exchange.files.writing import table_bytes
from cea_exchange.platform.filings.month_files import MONTH_FIGURES
from support.platform.platform_world import (
    CITY,
    LI,
    NATION,
    PROOF,
    PROVINCE,
    WANG,
    coal_month,
    filed,
)
from support.refusing import refuses

pytestmark = pytest.mark.postgres_at_night

COAL, CARBON, OXIDATION = coal_month()[:3]
LI_AGAIN = LI._replace(key="x" * 40)


def test_who_entered_a_month_may_not_file_it(world):
    """CEA-ENT-14."""
    world.enter()
    for same in (LI, LI_AGAIN, WANG._replace(key=LI.key)):
        with refuses("SAME_PERSON: month 202507: expected another person than Li Na"):
            world.platform.months.file(same, "E1", 202507)
    (filing,) = world.platform.months.file(WANG, "E1", 202507)
    assert world.platform.documents.standing(filing.place).state == "filed"
    (step,) = world.platform.documents.steps(filing.filing_id)
    assert (step["person"], step["level"]) == ("Wang Wei", "enterprise")


def test_a_month_is_entered_from_the_day_after_its_end(world):
    """CEA-MRV-01."""
    world.day = 20250731
    with refuses("expected a month that ended before 20250731, got 202507"):
        world.enter(202507)
    world.day = 20250801
    assert world.enter(202507)


def test_a_reviewer_files_what_was_seen_and_nothing_else(world):
    (first,) = world.enter()
    (second,) = world.enter(reason="scale read again", coal="126000.00")
    with refuses(f"FILING_DIFFERS: .*{second.sha256}, got {first.sha256}"):
        world.platform.months.file(WANG, "E1", 202507, {"E1-1": first.sha256})
    world.platform.months.file(WANG, "E1", 202507, {"E1-1": second.sha256})


def test_the_account_of_a_version_is_the_guidelines(world):
    """CEA-MRV-08: what was entered is kept, with what it gives."""
    (filing,) = world.enter()
    assert filing.emission == "246477.00"
    assert world.platform.months.account("power", filing).emissions == Decimal("246477.00")
    kept = world.platform.months.figures(filing)["A.bituminous"]
    assert (kept.value, kept.measure, kept.evidence) == (
        "125000.00",
        "t",
        sha256(PROOF).hexdigest(),
    )


def test_a_month_is_accepted_once_city_and_province_have_passed_it(world):
    """CEA-MRV-08."""
    documents = world.platform.documents
    world.enter()
    place = world.place()
    with refuses("FILING_STATE: month 202507: expected filed or accepted, got draft"):
        documents.pass_on(CITY, [place])
    world.platform.months.file(WANG, "E1", 202507)
    assert documents.pass_on(PROVINCE, [place]) == ["filed"]
    assert documents.accepted(place) is None
    assert documents.pass_on(CITY, [place]) == ["accepted"]
    assert documents.pass_on(NATION, [place]) == ["accepted"]
    assert documents.accepted(place).version == 1


@pytest.mark.parametrize("level", [CITY, PROVINCE, NATION])
def test_any_level_returns_a_month_and_it_counts_no_more(world, level):
    """CEA-MRV-08."""
    documents = world.platform.documents
    world.enter()
    world.accept()
    documents.give_back(level, [world.place()], "the coal is half of June's")
    assert documents.accepted(world.place()) is None
    with refuses("REASON_MISSING: reason: expected the reason for another version"):
        world.enter()
    world.enter(reason="scale read again", coal="126000.00")
    world.accept()
    versions = documents.versions(world.place())
    assert [version.emission for version in versions] == ["246477.00", "248448.82"]
    assert documents.accepted(world.place()).version == 2


def test_while_a_correction_is_under_way_the_accepted_version_counts(world):
    """CEA-MRV-08."""
    world.enter()
    world.accept()
    world.enter(reason="scale read again", coal="126000.00")
    assert world.platform.documents.accepted(world.place()).version == 1
    world.accept()
    assert world.platform.documents.accepted(world.place()).version == 2


def test_a_first_version_has_no_reason_and_an_unknown_one_is_not_filed(world):
    with refuses("REASON_MISSING: reason: expected no reason of month 202507, got 'why'"):
        world.enter(reason="why")
    with refuses("FILING_UNKNOWN: month 202507: expected a draft of E1, got none"):
        world.platform.months.file(WANG, "E1", 202507)
    with refuses("FILING_UNKNOWN: month 202507: expected one that was entered, got none"):
        world.platform.documents.pass_on(CITY, [world.place()])


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        (
            [filed(measure="kg"), CARBON, OXIDATION],
            "2: measure: A.bituminous: expected in t, got in kg",
        ),
        (
            [filed(value=Decimal("-1.00")), CARBON, OXIDATION],
            "2: value: A.bituminous: expected 0 t or more, got -1.00",
        ),
        (
            [COAL, filed(parameter="B.bituminous", value=Decimal(54), measure="tC/t"), OXIDATION],
            "3: value: B.bituminous: expected within",
        ),
        ([COAL, COAL, CARBON], "3: parameter: expected each unit and month and parameter once"),
        ([filed(unit="E2-1")], "2: unit: expected a unit that E1 had in the month, got E2-1"),
        ([filed(month=202601)], "2: month: expected a month that ended before 20260110"),
        ([filed(parameter="A.hay")], "2: parameter: A.hay: expected a parameter of power"),
        (
            [filed(evidence="0" * 64), CARBON, OXIDATION],
            "2: evidence: expected a document that was brought, got 0000.*bring the document first",
        ),
        (
            [filed(evidence=""), CARBON, OXIDATION],
            "2: evidence: expected the document that A.bituminous was measured by, got nothing",
        ),
    ],
)
def test_a_file_that_is_wrong_is_refused_whole_with_its_line(world, figures, said):
    """CEA-FIL-01, CEA-MRV-04: and nothing of it is kept."""
    source = world.month_file(*coal_month(202506), *figures)
    sound = len(coal_month())
    line, _, rest = said.partition(":")
    with refuses(f"FILE_REFUSED: .*month.csv:{int(line) + sound}:{rest}"):
        world.platform.months.enter(LI, "E1", source)
    assert world.store.one("SELECT count(*) FROM filings") == 0


def test_a_file_of_another_enterprise_is_refused(world):
    world.enterprise("E2", number=2)
    with refuses("FILE_REFUSED: month.csv:2: enterprise: expected E2, whose file it is, got E1"):
        world.platform.months.enter(LI, "E2", world.month_file(*coal_month()))


def test_a_file_whose_totals_do_not_add_up_is_refused(world):
    """CEA-FIL-02."""
    content = table_bytes(MONTH_FIGURES, coal_month(), ".csv").replace(
        b"125000.00", b"125000.01", 1
    )
    with refuses(r"FILE_REFUSED: .*value: expected 425760.0652, the sum of unit E1-1"):
        world.platform.months.enter(LI, "E1", SourceFile("month.csv", content))


@pytest.mark.parametrize("form", [".csv", ".xlsx", ".parquet"])
def test_every_form_of_a_file_gives_the_same_figures(world, form):
    source = SourceFile(f"month{form}", table_bytes(MONTH_FIGURES, coal_month(), form))
    (filing,) = world.platform.months.enter(LI, "E1", source)
    assert filing.emission == "246477.00"


def test_a_document_is_brought_once_and_known_by_its_hash(world):
    """CEA-MRV-04."""
    evidence, enterprise = world.platform.evidence, world.platform.enterprises.of("E1")
    with refuses("EVIDENCE_TAKEN: scale.pdf: expected a document that was not brought"):
        evidence.bring(LI, enterprise, "scale.pdf", PROOF)
    digest = sha256(PROOF).hexdigest()
    assert evidence.content(enterprise.enterprise_id, digest) == PROOF
    with refuses("EVIDENCE_UNKNOWN: evidence: expected a document that was brought"):
        evidence.content(enterprise.enterprise_id, "0" * 64)


def test_the_same_document_of_two_enterprises_shows(world):
    other = world.enterprise("E2", number=2)
    world.platform.evidence.bring(LI, other, "ours.pdf", PROOF)
    assert world.platform.evidence.shared() == [(sha256(PROOF).hexdigest(), ["E1", "E2"])]


@pytest.mark.parametrize("parameter", ["M", "O"])
def test_a_month_has_what_its_allocation_rests_on(world, parameter):
    """CEA-MRV-03: of power what it generated, and in how many hours."""
    figures = [each for each in coal_month() if each.parameter != parameter]
    with refuses(f"FILE_REFUSED: month.csv:2: parameter: expected {parameter} of E1-1 in 202507"):
        world.platform.months.enter(LI, "E1", world.month_file(*figures))


@pytest.mark.parametrize(
    ("sector", "code", "process", "asked"),
    [
        ("cement", "3011", "portland", "tonnes of some clinker"),
        ("aluminium", "3216", "electrolytic", "t of liquid aluminium"),
        ("steel", "3110", "long", "product.crude_steel of E2-1 in 202507"),
    ],
)
def test_a_month_of_an_industry_has_what_it_made(world, sector, code, process, asked):
    """CEA-MRV-03."""
    enterprise = world.enterprise("E2", number=2, sector=sector, code=code, process=process)
    world.unit("E2-1", "E2")
    world.platform.evidence.bring(LI, enterprise, "scale.pdf", PROOF)
    row = filed(enterprise="E2", unit="E2-1", parameter="FC.coke", value=Decimal(10))
    with refuses(f"FILE_REFUSED: (.|\n)*expected {asked}"):
        world.platform.months.enter(LI, "E2", world.month_file(row))


def gone(parameter, measure):
    return filed(
        parameter=parameter, value=Decimal(0), measure=measure, origin="missing", evidence=""
    )


def test_a_quantity_that_is_missing_is_the_larger_of_other_sources(world):
    """CEA-MRV-15: and it is kept as theirs."""
    others = [
        filed(parameter=f"{source}:A.bituminous", value=Decimal(value))
        for source, value in (("invoice", "125000.00"), ("stock", "124000.00"))
    ]
    rest = coal_month()[1:]
    (filing,) = world.platform.months.enter(
        LI, "E1", world.month_file(gone("A.bituminous", "t"), *others, *rest)
    )
    kept = world.platform.months.figures(filing)["A.bituminous"]
    assert (kept.value, kept.origin) == ("125000.00", "second_source")
    assert filing.emission == "246477.00"
    assert f"{world.platform.months.account('power', filing).emissions:f}" == "246477.00"


def test_a_quantity_without_another_source_is_not_accepted(world):
    """CEA-MRV-15."""
    figures = (gone("A.bituminous", "t"), *coal_month()[1:])
    with refuses("FILE_REFUSED: month.csv:2: .*expected a second source of .*CEA-MRV-15"):
        world.platform.months.enter(LI, "E1", world.month_file(*figures))


def test_a_test_that_was_not_made_has_the_guidelines_value(world):
    """CEA-MRV-14."""
    coal, _, oxidation, *made, _ = coal_month()
    heat = [gone("C.bituminous", "GJ/t"), gone("D.bituminous", "tC/GJ")]
    (filing,) = world.platform.months.enter(
        LI, "E1", world.month_file(coal, *heat, oxidation, *made)
    )
    kept = world.platform.months.figures(filing)
    assert {kept[name].origin for name in ("C.bituminous", "D.bituminous")} == {"default"}
    assert Decimal(filing.emission) > Decimal("246477.00")


def test_what_is_missing_has_no_value_of_its_own(world):
    figures = (filed(origin="missing", evidence=""), *coal_month()[1:])
    with refuses("FILE_REFUSED: month.csv:2: value: A.bituminous: expected 0 of what is missing"):
        world.platform.months.enter(LI, "E1", world.month_file(*figures))

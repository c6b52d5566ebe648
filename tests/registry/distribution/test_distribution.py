"""Allowances go from the authority over the provinces to the entities, once, and back."""

import itertools

import pytest

from cea_exchange.institution.checks import ActError
from cea_exchange.ledger.database.interface import ConstraintViolated, DatabaseFull
from cea_exchange.ledger.double_entry import EntryKind
from cea_exchange.ledger.institutions import Institution
from cea_exchange.registry.distribution.plan import totals_of
from cea_exchange.registry.distribution.plan_table import DISTRIBUTION_LINES
from cea_exchange.registry.files import SourceFile, table_bytes
from cea_exchange.registry.reconciliation.audit import findings
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from support.refusing import refuses
from support.registry.allocation_files import (
    ENTITIES,
    allocation_file,
    bought,
    distributed,
    entities_open,
    registered,
    registry_open,
    sent,
    tables,
    ways,
)

pytestmark = pytest.mark.postgres_at_night

on_sqlite = pytest.mark.parametrize("database_address", ["sqlite"], indirect=True)
"""What asks the database nothing that another test does not ask both."""


@pytest.fixture
def registry(tmp_path, database_address):
    """A registry with three entities of two provinces; all must agree in the end."""
    with registry_open(tmp_path, database_address) as opened:
        entities_open(opened, ENTITIES, ("CEA24", "CEA25"))
        yield opened
    assert [] == check_ledger(tmp_path).differences


@pytest.fixture
def open_registry(tmp_path, database_address):
    """A registry whose ledger need not agree in the end."""
    with registry_open(tmp_path, database_address) as opened:
        entities_open(opened, ENTITIES)
        yield opened


# -- the chain ------------------------------------------------------------------------------------


def test_allowances_go_from_the_authority_over_provinces_to_entities(registry):
    # CEA-DIS-01: one entry to each province, and one from there to each entity.
    lines = distributed(registry, "pre", {"P0001": 700, "P0003": 300, "P0002": 500})
    assert [700, 300, 500] == [line.given for line in lines.values()]
    assert [
        ("distributed", "competent authority", "province Beijing", 1_200),
        ("distributed", "province Beijing", "P0001", 700),
        ("distributed", "province Beijing", "P0002", 500),
        ("distributed", "competent authority", "province Shanghai", 300),
        ("distributed", "province Shanghai", "P0003", 300),
    ] == ways(registry, "distribution 1")
    assert [700, 500, 300] == [registered(registry, account) for account in ENTITIES]
    assert 0 == registered(registry, 11) == registered(registry, 31)


def test_the_final_stage_gives_the_difference(registry):
    # CEA-ALC-09
    distributed(registry, "pre", {"P0001": 700, "P0003": 300})
    lines = distributed(registry, "final", {"P0001": 1_000, "P0002": 40, "P0003": 300})
    assert [300, 40, 0] == [line.given for line in lines.values()]
    assert [700, 0, 300] == [line.before for line in lines.values()]
    assert [1_000, 40, 300] == [registered(registry, account) for account in ENTITIES]


def test_a_later_determination_gives_or_recalls_the_difference(registry):
    # CEA-ALC-12, CEA-DIS-04
    distributed(registry, "final", {"P0001": 1_000, "P0002": 400})
    lines = distributed(registry, "adjustment", {"P0001": 1_100, "P0002": 350})
    assert 100 == lines["P0001"].given
    assert 50 == lines["P0002"].recalled
    assert [
        ("distributed", "competent authority", "province Beijing", 100),
        ("distributed", "province Beijing", "P0001", 100),
        ("recalled", "P0002", "province Beijing", 50),
        ("recalled", "province Beijing", "competent authority", 50),
        ("recalled", "competent authority", "recall account", 50),
    ] == ways(registry, "distribution 2")
    lines = distributed(registry, "adjustment", {"P0001": 0, "P0002": 360})
    assert (1_100, 10) == (lines["P0001"].recalled, lines["P0002"].given)
    assert [0, 360] == [registered(registry, account) for account in ("P0001", "P0002")]


@on_sqlite
def test_only_products_with_a_vintage_are_issued_to_the_authority(registry):
    # CEA-DIS-01
    registry.product_declare("CCER", 9749)
    with refuses("VINTAGE_MISSING: product: expected one with a vintage, got CCER"):
        registry.distribution.issue("CCER", 1)
    with refuses("PRODUCT_UNKNOWN: product: expected a declared one, got 'CEA30'"):
        registry.distribution.issue("CEA30", 1)
    with refuses("AMOUNT_UNSOUND: .*positive"):
        registry.distribution.issue("CEA24", 0)


@on_sqlite
def test_no_more_is_distributed_than_was_issued(registry):
    source = allocation_file("pre", {"P0001": 10_000_000, "P0002": 1})
    preview = registry.distribution.preview(source)
    assert (
        "the competent authority holds 10000000 of CEA24, 10000001 are needed: issue 1 first",
    ) == preview.plan.warnings
    before = tables(registry)
    with refuses("INSUFFICIENT_ALLOWANCES: .*got 10000000"):
        registry.distribution.distribute(preview.preview_id)
    assert before == tables(registry)
    registry.distribution.issue("CEA24", 1)
    assert () == registry.distribution.preview(source).plan.warnings
    registry.distribution.distribute(preview.preview_id)
    assert 10_000_000 == registered(registry, "P0001")


# -- once, and as it was shown --------------------------------------------------------------------


def test_a_file_is_distributed_once(registry):
    # CEA-DIS-05: known by its bytes, whatever it is called.
    source = allocation_file("pre", {"P0001": 700})
    first, second = registry.distribution.preview(source), registry.distribution.preview(source)
    registry.distribution.distribute(second.preview_id)
    before = tables(registry)
    for preview in (first, second):
        with refuses("DISTRIBUTED_BEFORE: .*got that of distribution 2"):
            registry.distribution.distribute(preview.preview_id)
    with refuses("DISTRIBUTED_BEFORE: .*other.csv: expected a file that was not distributed"):
        registry.distribution.preview(SourceFile("other.csv", source.data))
    assert before == tables(registry)
    assert 20260302 == registry.distribution.previewed(2).distributed_on
    assert 0 == registry.distribution.previewed(1).distributed_on


@on_sqlite
def test_the_same_figures_in_another_file_give_nothing(registry):
    distributed(registry, "final", {"P0001": 700})
    again = allocation_file("final", {"P0001": 700})
    again = SourceFile("again.csv", again.data.replace(b"\n", b"\r\n"))
    preview = registry.distribution.preview(again)
    assert ("line 2: P0001 had its final allocation before, of 700",) == preview.plan.warnings
    registry.distribution.distribute(preview.preview_id)
    assert [] == ways(registry, "distribution 2")
    assert 700 == registered(registry, "P0001")


def test_what_has_changed_since_the_preview_is_not_distributed(registry):
    # CEA-DIS-05
    service, accounts = registry.distribution, registry.accounts
    distributed(registry, "pre", {"P0001": 700})
    source = allocation_file("final", {"P0001": 600, "P0002": 500, "P0003": 1})
    for change, message in (
        (lambda: sent(registry, "P0001", 650), "PREVIEW_OUTDATED: .*P0001 as it was shown"),
        (
            lambda: service.deduct("P0002", "HB-1", "other", 5, 2026_03_01),
            "PREVIEW_OUTDATED: .*got another, its given was 500, is 495: preview the file again",
        ),
        (
            lambda: accounts.at_risk_set("P0002", True, "owes 2023"),
            "PREVIEW_OUTDATED: preview 4: expected P0002 as it was shown",
        ),
        (
            lambda: distributed(registry, "final", {"P0001": 690}),
            "PREVIEW_OUTDATED: .*got another, its before was 700, is 690: preview the file again",
        ),
        (
            lambda: accounts.close("P0003", "gone"),
            "FILE_REFUSED: 2024-final[.]csv:4: account: expected an open account, got P0003",
        ),
    ):
        preview = service.preview(source)
        change()
        before = tables(registry)
        with refuses(message):
            service.distribute(preview.preview_id)
        assert before == tables(registry)


@on_sqlite
def test_other_deductions_of_the_same_sum_are_not_those_shown(registry):
    # CEA-DIS-05
    service = registry.distribution
    service.deduct("P0001", "HB-1", "other", 30, 2026_03_01)
    service.deduct("P0001", "HB-2", "other", 50, 2026_03_01)
    preview = service.preview(allocation_file("final", {"P0001": 40}))
    distributed(registry, "pre", {"P0001": 10}, year=2025)
    service.deduct("P0001", "HB-3", "other", 10, 2026_03_01)
    with refuses("PREVIEW_OUTDATED: preview 1: expected P0001 as it was shown"):
        service.distribute(preview.preview_id)


@on_sqlite
def test_a_holding_that_decides_nothing_may_change(registry):
    distributed(registry, "pre", {"P0001": 700, "P0002": 10})
    preview = registry.distribution.preview(allocation_file("final", {"P0001": 800}))
    assert (700, ("P0002 was given allowances ahead and is left out",)) == (
        preview.plan.lines[0].held,
        preview.plan.warnings,
    )
    sent(registry, "P0001", 650)
    registry.distribution.distribute(preview.preview_id)
    assert 150 == registered(registry, "P0001")


@on_sqlite
def test_an_unknown_preview_is_refused(registry):
    for number in (0, 7):
        with refuses(f"PREVIEW_UNKNOWN: .*got {number}"):
            registry.distribution.distribute(number)


def test_whatever_fails_on_the_way_nothing_is_done(registry, monkeypatch):
    distributed(registry, "pre", {"P0001": 700, "P0002": 90, "P0003": 300}, at_risk=["P0003"])
    registry.distribution.deduct("P0002", "HB-1", "other", 5, 2026_03_01)
    tonnes = {"P0001": 600, "P0002": 100, "P0003": 250}
    sent(registry, "P0001", 650)
    preview = registry.distribution.preview(allocation_file("final", tonnes, at_risk=["P0003"]))
    before, insert = tables(registry), registry.store.insert
    for failing in itertools.count():
        left = itertools.count()

        def fail(table, rows, left=left, failing=failing):
            if next(left) == failing:
                raise DatabaseFull("disk is full")
            insert(table, rows)

        monkeypatch.setattr(registry.store, "insert", fail)
        try:
            registry.distribution.distribute(preview.preview_id)
        except DatabaseFull:
            assert before == tables(registry)
        else:
            break
    assert 8 == failing
    assert [50] == [each.tonnes for each in registry.distribution.still_to_adjust()]


# -- deductions and recalls -----------------------------------------------------------------------


def test_the_plans_example_of_a_deduction_ahead(registry):
    # CEA-ALC-10, the draft plan's example: 50,000 t ahead, 30,000 t in the end, 70,000 t to deduct.
    service = registry.distribution
    registry.deductions.add("P0001", "HB-1", "unpaid", 70_000, 2026_03_01)
    line = distributed(registry, "pre", {"P0001": 50_000})["P0001"]
    assert (0, 50_000, 20_000) == (line.given, line.deducted, line.remaining)
    line = distributed(registry, "final", {"P0001": 30_000})["P0001"]
    assert (0, 0, 20_000, 40_000) == (line.given, line.recalled, line.returned, line.remaining)
    assert [(70_000, 40_000)] == [(e.tonnes, e.remaining) for e in service.still_to_adjust()]
    assert 0 == registered(registry, "P0001")
    line = distributed(registry, "pre", {"P0001": 45_000}, year=2025)["P0001"]
    assert (5_000, 40_000, 0) == (line.given, line.deducted, line.remaining)
    assert [] == service.still_to_adjust("P0001")
    assert 5_000 == registered(registry, "P0001", "CEA25")


def test_deductions_are_taken_in_their_order_and_go_back_in_the_other(registry):
    # CEA-ALC-10
    service = registry.distribution
    for document, tonnes in (("HB-1", 30), ("HB-2", 50), ("HB-3", 40)):
        service.deduct("P0001", document, "enforcement", tonnes, 2026_03_01)
    distributed(registry, "pre", {"P0001": 100, "P0002": 7})
    assert [("HB-3", 20)] == [(e.document, e.remaining) for e in service.still_to_adjust()]
    distributed(registry, "final", {"P0001": 70})
    assert [("HB-2", 10), ("HB-3", 40)] == [
        (e.document, e.remaining) for e in service.still_to_adjust()
    ]
    distributed(registry, "adjustment", {"P0001": 125})
    assert [] == [e for e in service.still_to_adjust() if e.document == "HB-2"]
    assert 5 == registered(registry, "P0001")


def test_what_a_recall_does_not_find_is_still_to_adjust(registry):
    # CEA-ALC-09, CEA-DIS-04: taken off what is given next, or recalled once it is there.
    service = registry.distribution
    distributed(registry, "pre", {"P0001": 1_000})
    sent(registry, "P0001", 850)
    line = distributed(registry, "final", {"P0001": 600})["P0001"]
    assert (150, 250, 250) == (line.recalled, line.unrecalled, line.remaining)
    assert 0 == registered(registry, "P0001")
    service.deduct("P0002", "HB-1", "other", 5, 2026_03_01)
    for account, year in (("P0002", 2024), ("P0002", 0), ("P0001", 2025)):
        with refuses(f"NOTHING_TO_RECALL: {account}: expected something of {year}"):
            service.recall_remaining(account, year)
    (item,) = service.still_to_adjust("P0001")
    assert ("recall", "distribution 2", 2024, 250) == (
        *(item.cause, item.document, item.compliance_year),
        item.remaining,
    )
    assert ["HB-1"] == [each.document for each in service.still_to_adjust("P0002")]
    with refuses("NOTHING_TO_RECALL: P0001: expected holdings to recall, got 0"):
        service.recall_remaining("P0001", 2024)
    bought(registry, "P0001", 30)
    (item,) = service.still_to_adjust("P0001")
    assert (0, 220) == (registered(registry, "P0001"), item.remaining)
    assert [
        ("recalled", "P0001", "province Beijing", 30),
        ("recalled", "province Beijing", "competent authority", 30),
        ("recalled", "competent authority", "recall account", 30),
    ] == ways(registry, "recall 1")
    line = distributed(registry, "adjustment", {"P0001": 700})["P0001"]
    assert (0, 100, 120, 820) == (line.given, line.deducted, line.remaining, line.given_before)
    line = distributed(registry, "pre", {"P0001": 500}, year=2025)["P0001"]
    assert (380, 120, 0) == (line.given, line.deducted, line.remaining)
    with refuses("NOTHING_TO_RECALL: P0001: expected something of 2024 to recall, got nothing"):
        service.recall_remaining("P0001", 2024)


REFUSED_DECISIONS = [
    ({"account": "P0009"}, "ACCOUNT_UNKNOWN: account: expected an open one, got 'P0009'"),
    ({"document": "HB 1"}, "NAME_UNSOUND: document"),
    ({"document": "HB-0"}, "DOCUMENT_USED: .*a new one, got HB-0, which is deduction 1 of P0001"),
    ({"cause": "recall"}, "CHOICE_UNKNOWN: cause: expected one of enforcement, other"),
    ({"cause": "unpaid"}, "CHOICE_UNKNOWN: cause: expected one of enforcement, other"),
    ({"cause": "borrowed"}, "CHOICE_UNKNOWN: cause: expected one of enforcement, other"),
    ({"tonnes": 0}, "AMOUNT_UNSOUND: tonnes: expected positive"),
    ({"tonnes": 1 << 62}, r"DATE_UNSOUND: .*within 0..2\^62"),
    ({"tonnes": "5"}, "AMOUNT_UNSOUND: tonnes: expected a whole number"),
    ({"decided_on": 2026_03_03}, "DATE_UNSOUND: .*a day until 20260302, got 20260303"),
    ({"decided_on": 2026_02_30}, "DATE_UNSOUND: .*20260230"),
    ({"decided_on": "2026-03-01"}, "DATE_UNSOUND: .*decided_on: expected a day until"),
]


def test_decisions_that_can_not_be_are_refused(registry):
    # CEA-DIS-06, CEA-PEN-05: what is unpaid or borrowed is decided by acts of its own.
    terms = {
        **{"account": "P0001", "document": "HB-1", "cause": "other"},
        **{"tonnes": 5, "decided_on": 2026_03_01},
    }
    registry.distribution.deduct(**{**terms, "document": "HB-0"})
    before = tables(registry)
    for changed, message in REFUSED_DECISIONS:
        with refuses(message):
            registry.distribution.deduct(**{**terms, **changed})
        assert before == tables(registry)


@on_sqlite
def test_nobody_decides_anew_to_deduct_for_unpaid_allowances(tmp_path, database_address):
    # CEA-ALC-11
    september = 1_788_235_200 * 10**9
    with registry_open(tmp_path, database_address, lambda: september) as registry:
        entities_open(registry, ENTITIES)
        deduct = registry.deductions.add
        with refuses("DATE_OUT_OF_RANGE: .*to be decided before 20260815, got on 20260815"):
            deduct("P0001", "HB-1", "unpaid", 5, 2026_08_15)
        deduct("P0001", "HB-2", "unpaid", 5, 2026_08_14)
        deduct("P0001", "HB-3", "enforcement", 5, 2026_08_15)
        assert 3 == distributed(registry, "pre", {"P0001": 13})["P0001"].given


# -- entities at risk -----------------------------------------------------------------------------


def test_allowances_of_an_entity_at_risk_stay_with_its_province(registry):
    # CEA-DIS-03
    holdings = registry.province_holdings
    distributed(registry, "pre", {"P0001": 700, "P0002": 500}, at_risk=["P0001"])
    assert [
        ("distributed", "competent authority", "province Beijing", 1_200),
        ("distributed", "province Beijing", "P0002", 500),
    ] == ways(registry, "distribution 1")
    assert (0, 700) == (registered(registry, "P0001"), registered(registry, 11))
    assert ({"CEA24": 700}, {}) == (holdings.kept("P0001"), holdings.kept("P0002"))
    line = distributed(registry, "final", {"P0001": 900}, at_risk=["P0001"])["P0001"]
    assert (200, 0, 700) == (line.kept, line.given, line.held_by_province)
    distributed(registry, "pre", {"P0001": 40}, year=2025, at_risk=["P0001"])
    assert {"CEA24": 900, "CEA25": 40} == holdings.kept("P0001")
    assert {"CEA24": 900, "CEA25": 40} == holdings.release("P0001")
    assert {} == holdings.kept("P0001") == holdings.release("P0001")
    assert (900, 40) == (registered(registry, "P0001"), registered(registry, "P0001", "CEA25"))
    assert 0 == registered(registry, 11)


@on_sqlite
def test_an_entity_at_risk_here_is_so_whatever_the_file_says(registry):
    # CEA-DIS-03
    holdings = registry.province_holdings
    registry.accounts.at_risk_set("P0001", True, "owes 2023")
    preview = registry.distribution.preview(allocation_file("pre", {"P0001": 700}))
    assert (
        "line 2: P0001 is at risk here, not in the file; its allowances stay with the province",
    ) == preview.plan.warnings
    registry.distribution.distribute(preview.preview_id)
    assert {"CEA24": 700} == holdings.kept("P0001")
    registry.accounts.at_risk_set("P0001", False, "has paid")
    preview = registry.distribution.preview(allocation_file("final", {"P0001": 900}))
    assert (
        "line 2: P0001 is not at risk any more, the province holds 700 for it until they are"
        " released",
    ) == preview.plan.warnings
    registry.distribution.distribute(preview.preview_id)
    assert (200, {"CEA24": 700}) == (
        registered(registry, "P0001"),
        holdings.kept("P0001"),
    )


def test_a_recall_takes_what_the_province_holds_first(registry):
    # CEA-DIS-04
    distributed(registry, "pre", {"P0001": 700}, at_risk=["P0001"])
    distributed(registry, "final", {"P0001": 1_000})
    line = distributed(registry, "adjustment", {"P0001": 250})["P0001"]
    assert (700, 50, 0) == (line.recalled_kept, line.recalled, line.unrecalled)
    assert [
        ("recalled", "P0001", "province Beijing", 50),
        ("recalled", "province Beijing", "competent authority", 750),
        ("recalled", "competent authority", "recall account", 750),
    ] == ways(registry, "distribution 3")
    assert ({}, 250) == (registry.province_holdings.kept("P0001"), registered(registry, "P0001"))


def test_what_a_province_uses_for_an_entity_it_keeps_no_more(open_registry):
    # CEA-DIS-03: as forced surrender does, which moves as much in the same transaction.
    registry, holdings = open_registry, open_registry.province_holdings
    distributed(registry, "pre", {"P0001": 700, "P0002": 90}, at_risk=["P0001", "P0002"])
    message = "NOT_KEPT: surrender 1: expected 701 of CEA24 kept by the province for P0001"
    with refuses(message):
        holdings.kept_use("P0001", "CEA24", 701, "surrender 1")
    use(registry, {11: 600})
    use(registry, {11: 100})
    assert {} == holdings.release("P0001")
    assert 90 == registered(registry, 11)
    assert [] == list(findings(registry.store, *OF_DISTRIBUTION))


@on_sqlite
def test_for_an_entity_that_moves_both_provinces_keep(open_registry):
    # CEA-DIS-03
    registry = open_registry
    distributed(registry, "pre", {"P0001": 700}, at_risk=["P0001"])
    with registry.transaction():
        registry.store.execute("UPDATE accounts SET province = 31 WHERE account = 'P0001'")
    moved = {**ENTITIES, "P0001": 31}
    lines = distributed(registry, "final", {"P0001": 1_000}, at_risk=["P0001"], entities=moved)
    assert (300, 0) == (lines["P0001"].kept, lines["P0001"].held_by_province)
    use(registry, {11: 700, 31: 50})
    assert {"CEA24": 250} == registry.province_holdings.release("P0001")
    assert [] == list(findings(registry.store, *OF_DISTRIBUTION))


def use(registry, expected):
    """Surrender what provinces keep for P0001."""
    with registry.transaction():
        asset = registry.asset("CEA24")
        used = registry.province_holdings.kept_use(
            "P0001", "CEA24", sum(expected.values()), "surrender 1"
        )
        assert expected == used
        for province, tonnes in used.items():
            index = -100 - province
            registry.move(EntryKind.SET_ASIDE, index, index, asset, tonnes)
            registry.move(EntryKind.SURRENDERED, index, Institution.AUTHORITY, asset, tonnes)


@on_sqlite
def test_an_account_of_which_something_is_open_stays(registry):
    # CEA-DIS-08
    accounts, holdings = registry.accounts, registry.province_holdings
    registry.distribution.deduct("P0001", "HB-1", "other", 5, 2026_03_01)
    distributed(registry, "pre", {"P0002": 9}, at_risk=["P0002"])
    with refuses("ACCOUNT_PENDING: account P0001: expected nothing pending, got deduction 1"):
        accounts.merge("P0001", "P0003", "bought")
    with refuses("ACCOUNT_PENDING: .*nothing pending, got 9 of CEA24 that its province keeps"):
        accounts.close("P0002", "gone")
    distributed(registry, "final", {"P0001": 5})
    accounts.merge("P0001", "P0003", "bought")
    holdings.release("P0002")
    accounts.merge("P0002", "P0003", "bought")
    assert 9 == registered(registry, "P0003")


@on_sqlite
def test_a_suspended_account_may_receive(registry):
    registry.accounts.suspend("P0001", "late")
    assert 7 == distributed(registry, "pre", {"P0001": 7})["P0001"].given


# -- what was given out can be recalled from what the province holds later ------------------------


@on_sqlite
def test_a_late_recall_takes_what_the_province_holds_too(registry):
    service = registry.distribution
    distributed(registry, "pre", {"P0001": 700, "P0002": 20})
    sent(registry, "P0001", 700)
    distributed(registry, "final", {"P0001": 600})
    # Another year's allowances are no help; the same year's, kept by the province, are.
    distributed(registry, "final", {"P0002": 30}, at_risk=["P0002"])
    distributed(registry, "pre", {"P0001": 100}, year=2025)
    assert [] == service.still_to_adjust("P0001")
    sent(registry, "P0002", 20)
    distributed(registry, "adjustment", {"P0002": 5})
    assert [("P0002", 15)] == [(e.account, e.remaining) for e in service.still_to_adjust()]
    bought(registry, "P0002", 4)
    assert [("P0002", 11)] == [(e.account, e.remaining) for e in service.still_to_adjust()]


# -- files that are refused, and what a person is told --------------------------------------------

GOOD = """\
compliance_year,product,stage,province,account,tonnes,at_risk
2024,CEA24,final,11,P0001,700,no
2024,CEA24,final,11,P0002,500,no
2024,CEA24,final,31,P0003,300,yes
2024,CEA24,final,11,TOTAL,1200,
2024,CEA24,final,31,TOTAL,300,
2024,CEA24,final,,TOTAL,1500,
"""
BAD = [
    (("tonnes,", "tons,"), "FILE_REFUSED: bad[.]csv:1: expected the columns compliance_year,"),
    ((",at_risk\n", "\n"), "FILE_REFUSED: .*bad.csv:2: "),
    (("TOTAL,1200", "TOTAL,1201"), "FILE_REFUSED"),
    (("TOTAL,1500", "TOTAL,1499"), "FILE_REFUSED: .*bad.csv:7: tonnes: expected 1500"),
    (("P0002,500", "P0001,500"), "FILE_REFUSED: bad[.]csv:3: account: expected each account once"),
    (("P0002,500", "P0002,-500"), "FILE_REFUSED: bad[.]csv:3: tonnes: expected tonnes from 0 to"),
    (("P0002,500", "P0002,5e2"), "FILE_REFUSED: .*whole tonnes, got '5e2'"),
    (("P0002,500", "P0009,500"), "FILE_REFUSED: bad[.]csv:3: account: expected an open account"),
    (("31,P0003", "32,P0003"), "FILE_REFUSED"),
    (("CEA24", "CEA31"), "FILE_REFUSED: .*one with a vintage [(]CEA24, CEA25[)], got CEA31"),
    (("CEA24", "CEA25"), "FILE_REFUSED: bad[.]csv:2: product: expected allowances of 2024"),
    (("2024,CEA24,final,31,P", "2023,CEA24,final,31,P"), "FILE_REFUSED"),
    (("final", "pre"), "FILE_REFUSED"),
    (("final", "first"), "FILE_REFUSED: .*bad.csv:2: stage: expected pre or final or adjustment"),
    (("2024,CEA24,final,,TOTAL,1500,\n", ""), "FILE_REFUSED: .*bad.csv"),
    ((GOOD, ""), "FILE_REFUSED: bad[.]csv:1: expected the columns compliance_year, product,"),
]


@pytest.fixture
def registry_of_final(registry):
    distributed(registry, "pre", {"P0002": 800, "P0003": 100}, at_risk=["P0003"])
    distributed(registry, "final", {"P0001": 800})
    return registry


def test_a_bad_file_is_refused_whole_with_line_and_reason(registry_of_final):
    before = tables(registry_of_final)
    for (old, new), message in BAD:
        source = SourceFile("bad.csv", GOOD.replace(old, new).encode())
        with refuses(message):
            registry_of_final.distribution.preview(source)
        assert before == tables(registry_of_final)
    lines = distributed(
        registry_of_final, "final", {"P0001": 700, "P0002": 500, "P0003": 300}, at_risk=["P0003"]
    )
    assert [100, 300, 0] == [line.recalled for line in lines.values()]


@on_sqlite
def test_stages_follow_each_other(registry):
    # CEA-DIS-02
    def refusal(stage, tonnes, **terms):
        with pytest.raises(ActError) as refused:
            registry.distribution.preview(allocation_file(stage, tonnes, **terms))
        return str(refused.value)

    text = "2024-adjustment.csv:2: stage: expected P0001 to have a final allocation before, got"
    assert f"{text} none" == refusal("adjustment", {"P0001": 1})
    distributed(registry, "pre", {"P0001": 5})
    assert f"{text} pre" == refusal("adjustment", {"P0001": 1})
    distributed(registry, "final", {"P0001": 6})
    distributed(registry, "adjustment", {"P0001": 7})
    text = "2024-final.csv:3: stage: expected adjustment or later, as P0001 was before, got final"
    assert text == refusal("final", {"P0002": 1, "P0001": 1})


@on_sqlite
def test_a_person_is_told_what_to_look_at(registry):
    def warnings(stage, tonnes):
        return registry.distribution.preview(allocation_file(stage, tonnes)).plan.warnings

    distributed(registry, "pre", {"P0001": 700, "P0002": 500, "P0003": 10})
    left_out = "P0002 was given allowances ahead and is left out"
    assert (left_out,) == warnings("final", {"P0001": 1_400})
    assert (
        "line 2: P0001 gets 1401, more than 2 times the 700 of before",
        left_out,
    ) == warnings("final", {"P0001": 1_401, "P0003": 9})
    distributed(registry, "final", {"P0001": 700})
    assert () == warnings("adjustment", {"P0001": 710})


@on_sqlite
def test_a_preview_adds_up_and_is_written_down(registry):
    tonnes = {"P0001": 700, "P0002": 500, "P0003": 300}
    distributed(registry, "pre", tonnes, at_risk=["P0003"])
    registry.distribution.deduct("P0002", "HB-1", "other", 50, 2026_03_01)
    after = {"P0001": 650, "P0002": 600, "P0003": 320}
    preview = registry.distribution.preview(allocation_file("final", after, at_risk=["P0003"]))
    beijing, shanghai, both = totals_of(preview.plan.lines)
    assert (11, "Beijing", "CEA24", 2, 1_250, 1_200, 50, 50, 50) == (
        *(beijing.province, beijing.name, beijing.product, beijing.entities),
        *(beijing.tonnes, beijing.before, beijing.given, beijing.recalled, beijing.deducted),
    )
    assert (1, 1, 20, 0) == (shanghai.entities, shanghai.at_risk, shanghai.kept, shanghai.given)
    assert (3, 1_570, 1_500) == (both.entities, both.tonnes, both.before)
    assert preview == registry.distribution.previewed(preview.preview_id)
    written = table_bytes(DISTRIBUTION_LINES, preview.plan.lines, ".csv").decode().splitlines()
    assert (
        "compliance_year,product,stage,province,account,at_risk,tonnes,before,given_before,given,"
        "kept,recalled,recalled_kept,unrecalled,deducted,returned,remaining,held,held_by_province"
    ) == written[0]
    assert "2024,CEA24,final,11,P0002,no,600,500,500,50,0,0,0,0,50,0,0,500,0" == written[2]
    assert "2024,CEA24,final,31,P0003,yes,320,300,300,0,20,0,0,0,0,0,0,0,300" == written[3]
    assert "2024,CEA24,final,,TOTAL,,1570,1500,1500,50,20,50,0,0,50,0,0,1200,300" == written[-1]
    assert table_bytes(DISTRIBUTION_LINES, preview.plan.lines, ".xlsx").startswith(b"PK")


# -- the ledger under it --------------------------------------------------------------------------


OF_DISTRIBUTION = (
    *("distribution_entries", "kept_for_entities", "kept_by_provinces", "deductions_taken"),
    *("recalls_taken", "recalls_open", "recalls_first", "recall_transfers"),
)
ODD_ROWS = [
    (
        "distribution_lines",
        (1, 1, 11, 5, 5, 0, 0, 0, 0),
        "distribution 1: distributed from province Beijing to P0002 must be 5 of CEA24, is 0",
    ),
    (
        "recalls",
        (1, 0, 11, 2024, 0, 5, 0, 20260302),
        "recall 1: recalled from P0001 to province Beijing must be 5 of CEA24, is 0",
    ),
    (
        "kept_changes",
        (9, 31, 0, 0, 5, "distribution 1", 20260302),
        "province Shanghai holds 90 of CEA24, 95 of them for entities",
    ),
    (
        "kept_changes",
        (10, 11, 0, 0, -5, "surrender 1", 20260302),
        "province Beijing holds -5 of CEA24 for P0001",
    ),
    (
        "deductions_taken",
        (1, "distribution 9", 1, 61),
        "deduction 1 of P0001: taken: expected within 0..100, got 101",
    ),
    (
        "deductions_taken",
        (1, "distribution 10", 1, -102),
        "deduction 1 of P0001: taken: expected within 0..100, got -1",
    ),
]


def test_tables_that_say_other_things_than_the_ledger_are_found(open_registry, tmp_path):
    # CEA-DIS-07
    open_registry.distribution.deduct("P0001", "HB-1", "other", 100, 2026_03_01)
    distributed(open_registry, "pre", {"P0001": 40, "P0003": 90}, at_risk=["P0003"])
    assert [] == check_ledger(tmp_path).differences
    for table, row, message in ODD_ROWS:
        open_registry.store.insert(table, [row])
        assert message in check_ledger(tmp_path).differences


def test_an_entry_that_no_distribution_caused_is_found(open_registry, tmp_path):
    # CEA-DIS-07
    asset = open_registry.asset("CEA24")
    with open_registry.transaction():
        open_registry.move(EntryKind.DISTRIBUTED, Institution.AUTHORITY, 0, asset, 5)
    assert [
        "no act: distributed from competent authority to P0001 must be 0 of CEA24, is 5"
    ] == check_ledger(tmp_path).differences


def test_what_was_distributed_can_not_be_taken_back(open_registry):
    open_registry.distribution.deduct("P0001", "HB-1", "other", 100, 2026_03_01)
    distributed(open_registry, "pre", {"P0001": 40, "P0003": 90}, at_risk=["P0003"])
    for table in (
        *("allocation_previews", "distributions", "distribution_lines"),
        *("deductions", "deductions_taken", "kept_changes"),
    ):
        with pytest.raises(ConstraintViolated, match=f"{table} are append-only"):
            open_registry.store.execute(f"DELETE FROM {table}")

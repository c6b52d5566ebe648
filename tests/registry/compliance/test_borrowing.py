"""Borrowing: what is short of 2021 or 2022 is covered ahead from 2023, and taken off it later."""

import pytest

from cea_exchange.ledger.double_entry import Compartment
from cea_exchange.ledger.institutions import Institution
from cea_exchange.registry.reconciliation.audit import findings
from cea_exchange.registry.reconciliation.obligations import obligation_differences
from support.refusing import refuses
from support.registry.allocation_files import allocation_file
from support.registry.audit_queries import audit_findings
from support.registry.compliance_world import BEIJING, SHANGHAI, World
from support.registry.ledger_by_hand import changed
from support.registry.service_callers import Staff

pytestmark = pytest.mark.postgres_at_night

WHY = "no cash after the winter"


@pytest.fixture
def world(tmp_path, database_address):
    """P1 emitted 2,000,000 t in 2021 and was allocated 1,760,000: 12% are short."""
    with World(tmp_path, database_address, day=20231101) as world:
        world.products("CEA21", "CEA22", "CEA23")
        world.entity("P1", BEIJING)
        world.entity("P2", BEIJING)
        for year, tonnes in ((2021, 3_000_000), (2022, 3_000_000), (2023, 5_000_000)):
            world.registry.distribution.issue(f"CEA{year % 100}", tonnes)
        determine(world, "final", 2021, {"P1": 1_760_000, "P2": 900_100})
        world.owe(2021, ("P1", 2_000_000), ("P2", 1_000_000))
        yield world
        assert [] == list(findings(world.registry.store))
        assert [] == list(obligation_differences(world.registry.store))
        assert {} == audit_findings(world.registry.store)


def determine(world, stage, year, tonnes):
    """Distribute a file; return its lines by account."""
    staff = world.registry.distribution
    source = allocation_file(stage, tonnes, entities=dict.fromkeys(tonnes, BEIJING), year=year)
    lines = staff.distribute(staff.preview(source).preview_id).plan.lines
    return {line.account: line for line in lines}


def borrow(world, tonnes=120_000, account="P1", year=2021, province=BEIJING, document="HB-1"):
    return world.registry.borrowing.borrow(
        account, year, tonnes, province, document=document, why=WHY
    )


def test_half_of_what_is_short_covers_the_obligation_and_comes_off_2023(world):
    """CEA-BOR-01, CEA-BOR-02: 240,000 t are short, 120,000 t are borrowed."""
    registry = world.registry
    assert (1, 1, 1) == borrow(world)
    assert [("DISTRIBUTED", -5, -111, 120_000)] == world.entries("borrowing 1")
    assert 0 == world.held("P1", "CEA23")
    assert 120_000 == world.held(Institution.AUTHORITY, "CEA23", Compartment.APPLIED)
    assert 1_880_000 == registry.obligations.standing("P1", 2021).due
    assert registry.surrender.retire(1) is None
    with refuses("NOT_DUE: surrender: expected at most the 1880000 t due"):
        registry.surrender.apply("P1", 2021, {"CEA21": 1_880_001})
    paid = registry.surrender.apply("P1", 2021, {"CEA21": 1_760_000})
    registry.surrender.accept(paid, BEIJING)
    registry.surrender.retire(paid)
    assert 120_000 == registry.obligations.standing("P1", 2021).due
    # Not off 2022, whose allocation comes first; off 2023, from what is given ahead on.
    assert 1_000_000 == determine(world, "final", 2022, {"P1": 1_000_000})["P1"].given
    line = determine(world, "pre", 2023, {"P1": 100_000})["P1"]
    assert (0, 100_000, 20_000) == (line.given, line.deducted, line.remaining)
    line = determine(world, "final", 2023, {"P1": 1_500_000})["P1"]
    assert (1_380_000, 20_000, 0) == (line.given, line.deducted, line.remaining)
    # With what was surrendered ahead it is the whole of 1,500,000 t.
    assert 1_380_000 == world.held("P1", "CEA23")
    assert 120_000 == world.held(Institution.RETIREMENT, "CEA23")


def test_what_may_not_be_borrowed(world):
    """CEA-BOR-01."""
    registry = world.registry
    before = registry.store.one("SELECT count(*) FROM entries")
    for terms, said in (
        ({"tonnes": 120_001}, "BORROWING_LIMIT: .*got 0 [+] 120001 [(]CEA-BOR-01[)]"),
        ({"account": "P2", "tonnes": 1}, "BORROWING_NOT_SHORT: allocation: expected 10% short of"),
        ({"year": 2022}, "OBLIGATION_MISSING: .*one with an obligation of 2022, got P1"),
        ({"province": SHANGHAI}, "PROVINCE_OTHER: P1: expected an entity of province 31"),
        ({"tonnes": 0}, "AMOUNT_UNSOUND: tonnes: expected positive"),
        ({"document": "HB 1"}, "NAME_UNSOUND: document"),
    ):
        with refuses(said):
            borrow(world, **terms)
    world.owe(2022, ("P1", 500_000))
    with refuses("ALLOCATION_MISSING: P1: expected its final allocation of 2022, got none"):
        borrow(world, year=2022)
    world.owe(2023, ("P1", 500_000))
    with refuses("YEAR_OUT_OF_RANGE: year: expected 2021 to 2022 to be borrowed for"):
        borrow(world, year=2023)
    world.clock.day = 20240101
    with refuses("TOO_LATE: borrowing: expected by 20231231, got on 20240101"):
        borrow(world)
    assert before == registry.store.one("SELECT count(*) FROM entries")
    assert [] == registry.distribution.still_to_adjust()


def test_it_is_borrowed_in_parts_up_to_half(world):
    """CEA-BOR-01."""
    borrow(world, 100_000)
    with refuses("DOCUMENT_USED: document: expected a new one"):
        borrow(world, 1)
    borrow(world, 20_000, document="HB-2")
    with refuses("BORROWING_LIMIT: .*at most 120000, got 120000 [+] 1 [(]CEA-BOR-01[)]"):
        borrow(world, 1, document="HB-3")


def test_no_more_is_borrowed_than_the_authority_has(world):
    """CEA-BOR-02: it is issued first, as for a pre-allocation."""
    world.registry.distribution.issue("CEA22", 1)
    determine(world, "final", 2023, {"P2": 4_900_000})
    with refuses("INSUFFICIENT_ALLOWANCES: .*got 100000"):
        borrow(world)
    assert 2_000_000 == world.registry.obligations.standing("P1", 2021).due


def test_the_province_decides_and_the_authority_approves(world):
    """CEA-BOR-02."""
    staff = Staff(world.registry)
    for name, role, where in (
        ("bei", "province", {"province": BEIJING}),
        ("jing", "province", {"province": BEIJING}),
        ("mee", "authority", {}),
    ):
        staff.person(name, role, **where)
    terms = {"account": "P1", "compliance_year": 2021, "tonnes": 120_000, "province": BEIJING}
    terms |= {"document": "HB-1", "why": WHY}
    assert "expected one of province" in staff.an.error("borrow", **terms)
    assert "expected the business of province 11" in staff.bei.error(
        "borrow", **(terms | {"province": SHANGHAI})
    )
    proposal = staff.bei("borrow", **terms)
    assert "authority" == proposal["approving_body"]
    assert not staff.jing("approve", proposal=proposal["proposal"])["ok"]
    answer = staff.mee("approve", proposal=proposal["proposal"])["answer"]
    assert {"borrowing_id": 1, "surrender_id": 1, "deduction_id": 1} == answer


ODD_ROWS = {
    "a borrowing that moved nothing": (
        f"INSERT INTO borrowings VALUES (2, 2021, 0, 11, 2, 7, 'HB-2', '{WHY}', 9, 9, 20231101)",
        "borrowing 2: 7 must be surrendered and deducted, are 0 and 0",
    ),
    "a deduction that nobody borrowed": (
        "INSERT INTO deductions VALUES (9, 0, 'HB-9', 'borrowed', 0, 7, 20231101, 20231101)",
        "deduction 9 is of no borrowing there is",
    ),
}


@pytest.mark.parametrize("odd", ODD_ROWS)
def test_reconcile_finds_what_is_not_so(tmp_path, database_address, odd):
    """CEA-BOR-02."""
    with World(tmp_path, database_address, day=20231101) as world:
        world.products("CEA21", "CEA22", "CEA23")
        world.entity("P1", BEIJING)
        world.registry.distribution.issue("CEA21", 100)
        world.registry.distribution.issue("CEA23", 100)
        determine(world, "final", 2021, {"P1": 50})
        world.owe(2021, ("P1", 100))
        borrow(world, 25)
        store = world.registry.store
        assert [] == list(findings(store))
        change, message = ODD_ROWS[odd]
        changed(store, change)
        assert message in list(findings(store))


@pytest.mark.parametrize(
    ("field", "value", "refusal"),
    [
        ("index", 99, "ACCOUNT_ENDED: .*got account 99, which is not declared"),
        ("compliance_year", 2019, "OBLIGATION_MISSING: .*one with an obligation of 2019, got P1"),
        ("province", 99, "PROVINCE_OTHER: P1: expected an entity of province 99, got another's"),
        ("province", None, "PROVINCE_OTHER: P1: expected an entity of province None"),
        ("asset_index", 99, "VINTAGE_MISSING: .*got product 99, which is not declared"),
        ("tonnes", "5", "AMOUNT_UNSOUND: tonnes: expected a whole number, got str"),
        ("tonnes", 0, "AMOUNT_UNSOUND: tonnes: expected positive"),
        ("tonnes", 5, "INSUFFICIENT_ALLOWANCES: .*province"),
    ],
)
def test_what_a_province_surrenders_is_checked_by_itself_too(world, field, value, refusal):
    """CEA-BOR-02: the library says what it expected and what came."""
    registry = world.registry
    sound = {
        "index": registry.account("P1"),
        "compliance_year": 2021,
        "province": BEIJING,
        "asset_index": registry.asset("CEA23"),
        "tonnes": 5,
    }
    with refuses(refusal), registry.transaction():
        registry.surrender.by_province(**sound | {field: value})

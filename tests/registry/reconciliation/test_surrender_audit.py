"""What is changed by hand in surrenders, offsets and carryovers is found, and by which query."""

import pytest

from cea_exchange.registry.reconciliation.audit import findings
from cea_exchange.registry.reconciliation.obligations import obligation_differences
from support.registry.audit_queries import audit_findings
from support.registry.compliance_world import BEIJING, SHANGHAI, World, proof
from support.registry.ledger_by_hand import changed

SURRENDERED, CARRIED = "surrendered", "carried_over"
OFFSET, CONSERVED = "offset_and_vintage", "conservation"
PAID, ENTRIES = "obligations_paid", "surrender_entries"

SPOILED = {
    "UPDATE surrenders SET state = 'accepted' WHERE surrender_id = 1": (
        [SURRENDERED, PAID, ENTRIES],
        "surrender 1: retired from competent authority to retirement account must be 0 of CEA24",
    ),
    "UPDATE surrender_lines SET tonnes = 901 WHERE surrender_id = 1": (
        [SURRENDERED, PAID, ENTRIES],
        "surrender 1: set_aside from P1 to P1 must be 901 of CEA24, is 900",
    ),
    "UPDATE surrenders SET account_index = 1 WHERE surrender_id = 1": (
        [PAID],
        "P2, year 2024: 100 t are owed, 800 t more are paid",
    ),
    "UPDATE surrenders SET giver_index = 1 WHERE surrender_id = 1": (
        [ENTRIES],
        "surrender 1: surrendered from P1 to province Beijing must be 0 of CEA24, is 900",
    ),
    "UPDATE surrenders SET province = 31 WHERE surrender_id = 1": (
        [ENTRIES],
        "surrender 1: surrendered from P1 to province Beijing must be 0 of CEA24, is 900",
    ),
    "DELETE FROM certificates": ([PAID], "P1, year 2024: a certificate must be in force if all is"),
    "UPDATE offset_proofs SET compliance_year = 2023, serial_last = 51, tonnes = 51": (
        [PAID],
        "P1, year 2024: a certificate must be in force if all is",
    ),
    "UPDATE obligation_entries SET due_tonnes = 949 WHERE account_index = 0": (
        [PAID],
        "P1, year 2024: 949 t are owed, 1 t more are paid",
    ),
    "UPDATE obligation_entries SET verified_tonnes = 951 WHERE account_index = 0": (
        [],
        "P1, year 2024: what is owed: expected all 951 t verified, got 950 (CEA-SUR-01)",
    ),
    "INSERT INTO offset_proofs SELECT 'N2', 2024, 1, project, 7, 16, 10, registered_on,"
    " cancelled_on, quota_managed, project_started_on, applied_on, produced_from, produced_to,"
    " counted_from, booked_on, 0, ''"
    " FROM offset_proofs": ([OFFSET], "P2, year 2024: CCERs: expected at most 5 t, got 10"),
    "UPDATE surrender_lines SET vintage = 2025 WHERE surrender_id = 1": (
        [OFFSET],
        "P1, year 2024: vintage 2025 is later",
    ),
    "UPDATE carryovers SET state = 'applied'": (
        [CARRIED, ENTRIES],
        "carryover 1: carried_over from P2 to carryover account must be 0 of CEA24, is 300",
    ),
    "UPDATE entries SET amount = 301 WHERE kind = 1 AND reference = 'carryover 1'": (
        [CARRIED, ENTRIES],
        "carryover 1: issue from issuance account to P2 must be 300 of CEA25, is 301",
    ),
    "UPDATE entries SET reference = '' WHERE kind = 14": (
        [ENTRIES],
        "no act: retired from competent authority to retirement account must be 0 of CEA24",
    ),
    "UPDATE postings SET amount = 899 WHERE account_index = -6": (
        [SURRENDERED, CONSERVED],
        "CEA24: surrenders say 903 retired and 0 accepted, accounts have 1798",
    ),
}


@pytest.fixture
def world(tmp_path, database_address):
    """P1 has met an obligation, P2 has carried some over."""
    with World(tmp_path, database_address) as world:
        world.products("CEA24", "CEA25")
        world.entity("P1", BEIJING, CEA24=1_000)
        world.entity("P2", SHANGHAI, CEA24=500)
        world.owe(2024, ("P1", 950))
        registry = world.registry
        registry.offsets.book(proof("N1", "P1", 47))
        for tonnes in (900, 3):
            number = registry.surrender.apply("P1", 2024, {"CEA24": tonnes})
            registry.surrender.accept(number, BEIJING)
            registry.surrender.retire(number)
        world.clock.day = 20260120
        registry.carryover.give_notice()
        registry.carryover.apply("P2", {"CEA24": 300})
        world.clock.day = 20260321
        registry.carryover.run(1)
        world.owe(2024, ("P2", 100))
        yield world


def test_a_sound_ledger_gives_no_row_and_each_spoiled_one_some(world):
    """Invariants 1 and 9 (CEA-OFS-01, CEA-OFS-05, CEA-SUR-03, CEA-CRY-07)."""
    store = world.registry.store
    assert ({}, []) == (audit_findings(store), list(obligation_differences(store)))
    for statement, (queries, sentence) in SPOILED.items():
        store.database.begin()
        changed(store, statement)
        found = audit_findings(store)
        shown = [*findings(store), *obligation_differences(store)]
        store.database.rollback()
        assert {*queries} == {SURRENDERED, OFFSET, CARRIED, CONSERVED, PAID, ENTRIES} & {*found}
        assert any(sentence in line for line in shown), (statement, shown)

"""Entries that belong together are posted at once: all of them or none."""

from contextlib import suppress

import pytest

from cea_exchange.ledger.database.interface import ConstraintViolated
from cea_exchange.ledger.double_entry import Compartment, EntryKind, Holding, Movement
from cea_exchange.ledger.institutions import Institution
from support.refusing import refuses

BEIJING = -111


def rows(registry):
    """Return every entry, posting and balance, as the database has them."""
    return [
        sorted(map(tuple, registry.store.execute(f"SELECT * FROM {table}").fetchall()))
        for table in ("entries", "postings", "balances")
    ]


def test_movements_are_posted_all_or_none(registry):
    registry.product_declare("CEA24", 9_749)
    registry.account_open("P001")
    authority, asset = Institution.AUTHORITY, registry.asset("CEA24")
    with registry.transaction():
        registry.move(EntryKind.ISSUE, Institution.ISSUANCE, authority, asset, 5_000)
    good = [Movement(EntryKind.DISTRIBUTED, authority, BEIJING, asset, n) for n in range(1, 50)]
    before = rows(registry)
    for bad, message in (
        (Movement(EntryKind.DISTRIBUTED, -131, 0, asset, 1), "INSUFFICIENT_ALLOWANCES: .*got 0"),
        (Movement(EntryKind.DISTRIBUTED, 0, 0, asset, 1), "MOVEMENT_NOT_ALLOWED: .*got 0 to 0"),
        (Movement(EntryKind.RETIRED, authority, 0, asset, 1), "MOVEMENT_NOT_ALLOWED"),
        (Movement(EntryKind.DISTRIBUTED, BEIJING, 0, asset, 0), "AMOUNT_UNSOUND: .*got 0"),
    ):
        # Whoever goes on after the refusal goes on as if it had not been tried.
        with registry.transaction():
            with refuses(message):
                registry.moves([*good, bad], "distribution 1")
            held = registry.store.balance(Holding(BEIJING, asset, Compartment.REGISTRATION))
            assert 0 == held
        assert before == rows(registry)
    back = [Movement(EntryKind.RECALLED, BEIJING, authority, asset, n) for n in range(1, 50)]
    assert range(2, 2) == registry.moves([])
    assert range(2, 100) == registry.moves([*good, *back], "there and back")
    assert before[2] == rows(registry)[2]
    assert 99 == registry.store.entry_last


@pytest.mark.parametrize("reference", ["\ud800", b"7"], ids=["half a character", "bytes"])
def test_a_movement_that_is_not_written_is_not_remembered(registry, reference):
    registry.product_declare("CEA24", 9_749)
    issue = (EntryKind.ISSUE, Institution.ISSUANCE, Institution.AUTHORITY, 0)
    with registry.transaction():
        registry.move(*issue, 5_000)
        with suppress(UnicodeEncodeError, ConstraintViolated):
            registry.move(*issue, 7, reference)
    held = registry.store.balance(Holding(Institution.AUTHORITY, 0, Compartment.REGISTRATION))
    shown = registry.store.one("SELECT sum(amount) FROM postings WHERE amount > 0")
    assert held == shown

"""A daemon at work notices what somebody changed of tables, indexes, views and triggers."""

import pytest

from cea_exchange.institution.machine import DEFINITIONS_NS, InstitutionMachine
from cea_exchange.ledger.chain import LinkBroken
from cea_exchange.ledger.database.sqlite import Sqlite
from support.registry.service_callers import Staff

CHANGES = {
    "a trigger": (
        "DROP TRIGGER accounts_update_logged",
        "DROP TRIGGER accounts_logged ON accounts",
    ),
    "an index": (
        "DROP INDEX trades_failed; CREATE INDEX trades_failed ON trades (trading_date)",
        "DROP INDEX trades_failed; CREATE INDEX trades_failed ON trades (trading_date)",
    ),
    "a view": (
        "DROP VIEW obligations; CREATE VIEW obligations AS SELECT compliance_year, account_index,"
        " file_id, verified_tonnes, 0 AS due_tonnes, succeeded_tonnes FROM obligation_entries",
        "DROP VIEW obligations; CREATE VIEW obligations AS SELECT compliance_year, account_index,"
        " file_id, verified_tonnes, 0 AS due_tonnes, succeeded_tonnes FROM obligation_entries",
    ),
    "a check": (None, "ALTER TABLE claims DROP CONSTRAINT claims_amount_check"),
    "the log's hash": (
        None,
        "CREATE OR REPLACE FUNCTION sha256_hex(content BYTEA) RETURNS TEXT LANGUAGE sql IMMUTABLE"
        " AS $$ SELECT repeat('0', 64) $$",
    ),
}


@pytest.fixture
def machine(registry):
    registry.product_declare("CEA24", 9_749)
    registry.account_open("P001")
    clock = registry.ledger.clock
    return InstitutionMachine(Staff(registry, second_person=("pay_in",))._service, clock)


@pytest.mark.parametrize("which", CHANGES)
def test_nothing_is_written_once_a_definition_was_changed(registry, machine, which):
    """CEA-REG-05."""
    store, staff = registry.store, Staff(registry, second_person=("pay_in",))
    change = CHANGES[which][not isinstance(store.database, Sqlite)]
    if change is None:
        pytest.skip("SQLite keeps it in the table's own words")
    number = staff.an("pay_in", account="P001", cash=5)["proposal"]
    machine.definitions_look(0)
    assert machine.troubles_shown() == {} and store.altered == ""
    for statement in change.split("; "):
        store.execute(statement)
    machine.definitions_look(DEFINITIONS_NS - 1)
    assert store.altered == ""
    machine.definitions_look(DEFINITIONS_NS)
    assert store.altered.startswith("stopped: ")
    assert "as the registry made it" in machine.troubles_shown()["definitions"]
    assert store.partners.stopped() == store.altered
    for asked in (
        {"op": "approve", "proposal": number},
        {"op": "pay_in", "account": "P001", "cash": 1},
    ):
        assert staff.bo.error(**asked).startswith("LEDGER_BROKEN: ")
    with pytest.raises(LinkBroken), store.transaction():
        pass


def test_an_approval_compares_them_at_once(registry):
    """Between two looks a trigger may be dropped and made again."""
    staff = Staff(registry, second_person=("pay_in",))
    registry.account_open("P001")
    number = staff.an("pay_in", account="P001", cash=5)["proposal"]
    registry.store.execute("DROP VIEW balances")
    registry.store.execute(
        "CREATE VIEW balances AS SELECT 1 AS account_index, 1 AS asset_index,"
        " 1 AS compartment, 1 AS amount"
    )
    assert staff.bo.error("approve", proposal=number).startswith("LEDGER_BROKEN: ")
    assert registry.store.altered

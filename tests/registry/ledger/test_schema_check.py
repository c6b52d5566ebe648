"""A database whose tables are not those of this program is not opened, and the first is named."""

import pytest

from cea_exchange.ledger.balances_check import accounts_differing
from cea_exchange.ledger.database.sqlite import Sqlite
from cea_exchange.ledger.double_entry import Compartment, Holding
from cea_exchange.ledger.store import StoreError
from cea_exchange.registry.reconciliation.integrity import registry_integrity
from cea_exchange.registry.reconciliation.reconcile import check_store
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.store import RegistryStore
from support.registry.copies import backup
from support.registry.ledger_by_hand import guards_off, triggers_dropped


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("DROP TABLE claims_paid", "expected a table claims_paid, there is none"),
        ("DROP VIEW balances", "expected a table balances, there is none"),
        (
            "ALTER TABLE trades RENAME COLUMN tonnes TO tons",
            "table trades, column 9: expected tonnes BIGINT, got tons BIGINT",
        ),
        (
            "ALTER TABLE accounts ADD COLUMN note TEXT",
            "table accounts, column 13: expected none, got note TEXT",
        ),
        ("ALTER TABLE pay_outs DROP COLUMN creditor", "expected creditor TEXT, got state TEXT"),
    ],
)
def test_the_first_difference_is_named(tmp_path, database_address, change, why):
    with RegistryStore.open(tmp_path, database_address) as store:
        guards_off(store)
        if isinstance(store.database, Sqlite):
            triggers_dropped(store)
        store.execute(change)
    for opened in (
        lambda: RegistryStore.open(tmp_path),
        lambda: RegistryStore.open_reader(tmp_path),
        lambda: backup(tmp_path, tmp_path / "copy"),
    ):
        with pytest.raises(StoreError, match=why):
            opened()


def test_a_foreign_key_that_was_dropped_is_named(tmp_path, postgres_address):
    """SQLite has no statement that drops one."""
    with RegistryStore.open(tmp_path, postgres_address) as store:
        store.execute("ALTER TABLE claims DROP CONSTRAINT claims_debtor_index_fkey")
    why = "expected a foreign key claims.debtor_index -> accounts.account_index, there is none"
    for opened in (RegistryStore.open, RegistryStore.open_reader):
        with pytest.raises(StoreError, match=why):
            opened(tmp_path)


OTHERWISE = {
    "freezes": ("table", ") STRICT", ")"),
    "claims": ("table", "CHECK (amount > 0)", ""),
    "trades_by_id": ("index", "UNIQUE ", ""),
    "balances": ("view", "sum(amount) AS amount", "sum(amount) + 5 AS amount"),
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_what_was_made_otherwise_is_named(tmp_path, name):
    """CEA-REG-05: columns may hold what counts otherwise, and a view may show what is not there."""
    kind, ours, theirs = OTHERWISE[name]
    with RegistryStore.open(tmp_path) as store:
        text = store.one("SELECT sql FROM sqlite_schema WHERE name = ?", (name,))
        assert ours in text
        guards_off(store)
        store.execute(f"DROP {kind} {name}")
        store.execute(text.replace(ours, theirs))
    why = f"{name}: expected as the registry made it, got another"
    for opened in (RegistryStore.open, RegistryStore.open_reader):
        with pytest.raises(StoreError, match=why):
            opened(tmp_path)


def test_what_a_view_shows_besides_is_found_and_not_traded_upon(tmp_path, database_address):
    """CEA-REG-05: whoever made it anew while the registry is at work, or with PostgreSQL."""
    with Registry.open(tmp_path, database_address, admission="open") as registry:
        registry.product_declare("CEA24", 9_749)
        registry.account_open("P1")
        store = registry.store
        store.execute("DROP VIEW balances")
        store.execute(
            "CREATE VIEW balances AS SELECT account_index, 0 AS asset_index, 1 AS compartment,"
            " 5 AS amount FROM accounts WHERE account = 'P1'"
        )
        assert ["P1"] == accounts_differing(store)
        store._memory_read(store.database)
        assert 0 == store.balance(Holding(0, 0, Compartment.REGISTRATION))
        with store.view():
            found = check_store(store).differences
        shown = "the view balances shows 5, its postings sum to 0"
        assert f"account P1, CEA24 in registration: {shown}" in found


def test_what_else_is_in_the_database_is_somebody_elses(tmp_path, database_address):
    with RegistryStore.open(tmp_path, database_address) as store:
        store.execute("CREATE TABLE mine (what TEXT)")
        store.execute("CREATE INDEX trades_by_day ON trades (trading_date)")
    with RegistryStore.open(tmp_path) as store:
        assert 0 == store.one("SELECT count(*) FROM mine")


TRIGGERS = {
    "missing": ("DROP TRIGGER accounts_update_logged", "ALTER TABLE accounts DISABLE TRIGGER USER"),
    "planted": (
        "CREATE TRIGGER tidy AFTER INSERT ON account_changes BEGIN"
        " UPDATE accounts SET bank_account = 'OTHER-1' WHERE account = 'P2'; END",
        "CREATE RULE tidy AS ON INSERT TO account_changes DO ALSO"
        " UPDATE accounts SET bank_account = 'OTHER-1' WHERE account = 'P2'",
    ),
    "hollow": (
        None,
        "CREATE OR REPLACE FUNCTION accounts_logged() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN RETURN NULL; END$$",
    ),
}


@pytest.mark.parametrize("case", TRIGGERS)
def test_with_other_triggers_than_its_own_nothing_is_written(tmp_path, database_address, case):
    """CEA-REG-05: one that is missing logs nothing, one that was planted rides in each act."""
    with RegistryStore.open(tmp_path, database_address) as store:
        statement = TRIGGERS[case][not isinstance(store.database, Sqlite)]
        if statement is None:
            pytest.skip("SQLite's triggers have no functions")
        store.execute(statement)
    with pytest.raises(StoreError, match="rows may change unlogged"):
        RegistryStore.open(tmp_path)
    with RegistryStore.open_reader(tmp_path) as store:
        first = next(registry_integrity(store))
    assert first.startswith("trigger ") and first.endswith("rows may change unlogged")

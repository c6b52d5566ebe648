"""A registry of the version before is brought to this one whole, or left as it was."""

import fcntl
import re
from pathlib import Path

import apsw
import pytest

from cea_exchange.cli.main import run
from cea_exchange.registry.acts import Registry
from cea_exchange.registry.database.interface import ConstraintViolated
from cea_exchange.registry.database.migrations import migrate
from cea_exchange.registry.database.schema import table_text
from cea_exchange.registry.history import balance_as_of, entry_at_settlement
from cea_exchange.registry.ledger import CASH_ASSET, Compartment, Holding
from cea_exchange.registry.reconcile import check_ledger
from cea_exchange.registry.store import Store, StoreError

VERSION_3 = Path(__file__).with_name("version3.sql")
ADOPTIONS = """
CREATE TABLE adoptions (log_id TEXT PRIMARY KEY, old_log_id TEXT NOT NULL,
    last_seq INTEGER NOT NULL, first_operator TEXT NOT NULL, second_operator TEXT NOT NULL,
    why TEXT NOT NULL, at_ns INTEGER NOT NULL) STRICT;
INSERT INTO adoptions VALUES ('log-1', 'log-0', 0, 'an', 'bo', 'disk lost', 5);
"""


INSTRUCTION = (
    *("P1", "pay_out", 1, 1, "alice", "own", 5, 2025_07_16, "pay_out", "refused", "AM04", "B1"),
)


@pytest.fixture
def old(tmp_path):
    """A data folder as version 3 left it."""
    (tmp_path / "registry").mkdir()
    changed(tmp_path, VERSION_3.read_text())
    return tmp_path


def changed(data, sql):
    connection = apsw.Connection(str(database_file(data)))
    connection.execute(sql)
    connection.close()


def database_file(data):
    return data / "registry" / "registry.sqlite"


def rows_of(path, sql):
    connection = apsw.Connection(str(path))
    rows = connection.execute(sql).fetchall()
    connection.close()
    return rows


def test_nobody_opens_the_version_before_and_the_command_is_named(old, capsys):
    for opening in (Store.open, Store.open_reader):
        with pytest.raises(StoreError, match="must be 5, was 3; `cea-exchange registry migrate`"):
            opening(old)
    assert run(["registry", "reconcile", "--data", str(old)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_after_it_the_ledger_says_the_same(old, capsys):
    held = rows_of(
        database_file(old),
        "SELECT account_index, asset_index, iif(account_index = -3, 1, compartment), amount"
        " FROM balances WHERE amount <> 0 ORDER BY 1, 2, 3",
    )
    assert run(["registry", "migrate", "--data", str(old)]) == 0
    said = capsys.readouterr().out
    assert "reconciled at seq 22: venue hash = registry hash" in said
    assert str(old / "registry" / "registry.version3.sqlite") in said
    found = check_ledger(old)
    assert [] == found.differences
    assert (10, 63, 2, 2, 6, 2) == (
        found.trades, found.postings, found.failed, found.busted, found.claims, found.checkpoints,
    )  # fmt: skip
    with Store.open(old) as store:
        assert held == store.balances.rows()
        assert held == store.execute("SELECT * FROM balances ORDER BY 1, 2, 3").fetchall()
        assert ("log-1", 22, 2025_07_16, "ok") == (
            store.log_id, store.last_seq, store.confirmed_date, store.state,
        )  # fmt: skip
        # As of the deposits, before any trade.
        cash = Holding(0, CASH_ASSET, int(Compartment.TRADING))
        entry = entry_at_settlement(store.database, 2)
        assert 10_000_000 == balance_as_of(store.database, cash, entry)
        assert [] == store.execute(
            "SELECT name FROM sqlite_schema WHERE name LIKE 'old%'"
        ).fetchall()
        # And it goes on.
        registry = Registry(store, admission="open")
        registry.pay_in("alice", 5)
        registry.transfer_in("alice", None, 5)
    assert check_ledger(old).agrees


def version_4(data, database_address=None):
    """Let a registry of this version be one of version 4."""
    with Store.open(data, database_address) as store:
        store.execute("DROP TABLE allocation_units")
        store.execute("DROP TABLE desk_settings")
        store.execute("DROP TABLE bank_instructions")
        store.database.script(table_text("bank_instructions").replace(", 'between'", ""))
        store.insert("bank_instructions", [INSTRUCTION])
        with pytest.raises(ConstraintViolated):
            store.insert("bank_instructions", [("E1", "between", *INSTRUCTION[2:])])
        store.execute("UPDATE meta SET schema_version = 4")


def test_of_version_4_only_what_has_changed_is_made_anew(tmp_path, database_address, capsys):
    with Registry.open(tmp_path, database_address, admission="open") as registry:
        registry.account_open("alice")
        registry.pay_in("alice", 5)
    version_4(tmp_path, database_address)
    with pytest.raises(StoreError, match="must be 5, was 4; `cea-exchange registry migrate`"):
        Store.open(tmp_path)
    assert run(["registry", "migrate", "--data", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert (database_address is None) == ("registry.version4.sqlite" in said)
    with Registry.open(tmp_path, admission="open") as registry:
        store = registry.store
        assert 0 == store.one("SELECT count(*) FROM allocation_units")
        assert INSTRUCTION == store.one("SELECT * FROM bank_instructions")
        store.insert("bank_instructions", [("P2", *INSTRUCTION[1:])])
        with pytest.raises(ConstraintViolated, match="(?i)unique"):
            store.insert("bank_instructions", [INSTRUCTION])
        registry.pay_in("alice", 5)
    assert (10, []) == (check_ledger(tmp_path).cash, check_ledger(tmp_path).differences)


def test_the_space_of_the_old_tables_is_given_back(old):
    changed(
        old,
        "CREATE TABLE ballast (x TEXT) STRICT; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT"
        " i + 1 FROM n WHERE i < 2000) INSERT INTO ballast SELECT hex(randomblob(500)) FROM n;"
        "DROP TABLE ballast",
    )
    told = []
    migrate(old, told.append)
    steps = ["keeping", "making", "checking", "giving"]
    assert steps == [line.split()[0] for line in told[:-1]]
    before, after = (int(re.search(r"(\d+) KiB", line)[1]) for line in told[-2:])
    assert after < before - 1_900
    assert [(0,)] == rows_of(database_file(old), "PRAGMA freelist_count")


def test_the_copy_is_the_database_of_before(old):
    before = rows_of(database_file(old), "SELECT * FROM postings")
    kept, _found = migrate(old)
    assert before == rows_of(kept, "SELECT * FROM postings")
    assert [(3,)] == rows_of(kept, "PRAGMA user_version")


def test_streams_that_were_adopted_are_kept(old):
    changed(old, ADOPTIONS)
    migrate(old)
    with Store.open(old) as store:
        assert ("log-1", "log-0") == store.one("SELECT log_id, old_log_id FROM adoptions")


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("UPDATE balances SET amount = amount + 1 WHERE account_index = 0", "sum of the postings"),
        ("DELETE FROM settlement_records WHERE settlement_seq = 7", "registry differs"),
        ("DELETE FROM entries WHERE entry_id = 9", "registry differs"),
        ("UPDATE trades SET tonnes = tonnes + 1 WHERE trade_id = 7", "registry differs"),
        ("UPDATE checkpoints SET venue_hash = '0000000000000000'", "registry differs"),
        ("UPDATE meta SET last_seq = 21", "registry differs"),
        ("DROP TABLE feed", "no such table"),
    ],
)
def test_a_ledger_that_contradicts_itself_is_left_as_it_was(old, sql, why):
    changed(old, sql)
    schema = "SELECT name, sql FROM sqlite_schema ORDER BY name"
    before = rows_of(database_file(old), schema)
    with pytest.raises(StoreError, match=why):
        migrate(old)
    assert before == rows_of(database_file(old), schema)
    assert [(3,)] == rows_of(database_file(old), "PRAGMA user_version")
    assert 56 < rows_of(database_file(old), "SELECT count(*) FROM postings")[0][0]


def test_while_a_daemon_has_it_open_nothing_is_touched(old):
    with (old / "registry" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="another process"):
            migrate(old)
    assert not list((old / "registry").glob("*version3*"))


def test_no_registry_and_one_of_this_version_are_refused(tmp_path, old):
    with pytest.raises(StoreError, match="there is none"):
        migrate(tmp_path / "elsewhere")
    migrate(old)
    with pytest.raises(StoreError, match="must be 3 or 4 to be brought to 5, was 5"):
        migrate(old)

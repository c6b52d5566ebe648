"""Whatever says the row of another table says one there is: by a foreign key, or by the audit."""

import re
from collections.abc import Iterator

import pytest

from cea_exchange.ledger.database.interface import ConstraintViolated, Database
from cea_exchange.ledger.database.postgres import Postgres
from cea_exchange.ledger.database.references import references, references_query, undeclared
from cea_exchange.ledger.database.schema import declared_keys, tables_create
from cea_exchange.ledger.database.sqlite import Sqlite
from cea_exchange.ledger.database.tables import ForeignKey
from cea_exchange.registry.store import REGISTRY_SCHEMA

UNDECLARED = undeclared(REGISTRY_SCHEMA)
KEYS = sorted(declared_keys(REGISTRY_SCHEMA))
NAMES_A_ROW = r"(_id|_index|link_seq|proof_seq) "
"""Numbers of settlement are of records, which are kept in runs."""
OF_NO_TABLE = {
    "adoptions.old_log_id": "the venue's stream, which is in no table before it is replaced",
    "bank_entries.instruction_id": "what the bank says, and it may say one that it never got",
    "bank_reports.batch_id": "what the bank says, and it may say one that it never got",
    "bank_unapplied.instruction_id": "what the bank says, and it may say one that it never got",
    "keys.operator_index": "a number below 16 within its account",
    "meta.log_id": "the venue's stream",
    "partner_heads.link_id": "a link of the partner's chain",
    "platform_given.allocation_id": "the platform's number",
    "platform_stream.log_id": "the platform's stream",
    "trades.trade_id": "the venue's number",
}
"""Columns by whose names one would look for a row, and why there is none."""


@pytest.fixture(scope="module")
def sqlite_unchecked() -> Iterator[Database]:
    """The tables, empty, with nothing to hold a row to but the types and the keys."""
    database = Sqlite.in_memory()
    tables_create(database, REGISTRY_SCHEMA)
    database.execute("PRAGMA ignore_check_constraints = on")
    yield database
    database.close()


@pytest.fixture(scope="module")
def postgres_unchecked(postgres_server, tmp_path_factory) -> Iterator[Database]:
    """The same on PostgreSQL, in a schema that is gone with its transaction."""
    database = Postgres.open_writer(postgres_server, "registry")
    database.begin()
    database.execute("CREATE SCHEMA of_references")
    database.execute("SET LOCAL search_path = of_references")
    tables_create(database, REGISTRY_SCHEMA)
    checks = database.execute(
        "SELECT conrelid::regclass::text, conname FROM pg_constraint"
        " WHERE contype = 'c' AND connamespace = current_schema()::regnamespace"
    )
    for table, name in checks.fetchall():
        database.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    yield database
    database.rollback()
    database.close()


@pytest.fixture(params=("sqlite", "postgresql"))
def unchecked(request) -> Iterator[Database]:
    kind = "sqlite" if request.param == "sqlite" else "postgres"
    database = request.getfixturevalue(f"{kind}_unchecked")
    database.savepoint("as_it_was")
    yield database
    database.rollback_to("as_it_was")


def row_insert(database: Database, table: str, **others: object) -> None:
    """Insert a row of ones, but for some columns; what it refers to is number one, too."""
    ones = {"BIGINT": 1, "TEXT": "1", "BYTEA": b"1"}
    row = dict(column.split() for column in COLUMNS[table])
    values = {name: ones[type_] for name, type_ in row.items()} | others
    database.insert(f"{table} ({', '.join(values)})", [tuple(values.values())])


def columns_of_tables() -> dict[str, list[str]]:
    model = Sqlite.in_memory()
    tables_create(model, REGISTRY_SCHEMA)
    found = {table: columns for table, columns in model.columns().items() if table not in VIEWS}
    model.close()
    return found


VIEWS = {"balances", "obligations"}
COLUMNS = columns_of_tables()


def ancestors(table: str) -> Iterator[str]:
    """Yield the tables that a table's rows need, each before what needs it."""
    for key in KEYS:
        if key.table == table:
            yield from ancestors(key.parent)
            yield key.parent


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_a_row_that_says_one_there_is_not_is_refused(unchecked, key):
    for table in dict.fromkeys(ancestors(key.table)):
        row_insert(unchecked, table)
    unchecked.savepoint("sound")
    row_insert(unchecked, key.table)
    unchecked.rollback_to("sound")
    unchecked.savepoint("dangling")
    of_another = "9" if f"{key.column} TEXT" in COLUMNS[key.table] else 9
    with pytest.raises(ConstraintViolated, match=r"(?i)foreign key"):
        row_insert(unchecked, key.table, **{key.column: of_another})
    unchecked.rollback_to("dangling")


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_a_row_that_another_says_stays(unchecked, key):
    for table in dict.fromkeys(ancestors(key.table)):
        row_insert(unchecked, table)
    row_insert(unchecked, key.table)
    unchecked.savepoint("dangling")
    with pytest.raises(ConstraintViolated, match=r"(?i)foreign key"):
        unchecked.execute(f"DELETE FROM {key.parent}")
    unchecked.rollback_to("dangling")


def test_both_databases_are_held_to_the_same_keys(unchecked):
    assert {*KEYS} == unchecked.foreign_keys()


@pytest.mark.parametrize("reference", references(REGISTRY_SCHEMA), ids=lambda each: str(each.key))
def test_the_audit_finds_a_row_that_says_one_there_is_not(reference):
    """Also where no key is declared, or somebody had them switched off."""
    key = reference.key
    database = Sqlite.in_memory()
    tables_create(database, REGISTRY_SCHEMA)
    for pragma in ("foreign_keys = off", "ignore_check_constraints = on"):
        database.execute(f"PRAGMA {pragma}")
    for table in COLUMNS:
        row_insert(database, table)
    assert [] == database.execute(references_query(REGISTRY_SCHEMA)).fetchall()
    row = (key.table, key.column, "9", key.parent)
    database.execute(f"UPDATE {key.table} SET {key.column} = 9")
    assert row in database.execute(references_query(REGISTRY_SCHEMA)).fetchall()
    database.close()


@pytest.mark.parametrize("key", [each.key for each in UNDECLARED if each.unless], ids=str)
def test_none_is_no_reference(key):
    """Cash, the accounts of a trade's entry, 0 and the empty text are in no table."""
    database = Sqlite.in_memory()
    tables_create(database, REGISTRY_SCHEMA)
    none: dict[str, object] = {key.column: 65535 if key.column == "asset_index" else 0}
    if key.table == "entries" and key.column in ("account_index", "counter_index"):
        none["kind"] = 7
    if f"{key.column} TEXT" in COLUMNS[key.table]:
        none = {key.column: ""}
    for pragma in ("foreign_keys = off", "ignore_check_constraints = on"):
        database.execute(f"PRAGMA {pragma}")
    for table in COLUMNS:
        row_insert(database, table, **(none if table == key.table else {}))
    found = database.execute(references_query(REGISTRY_SCHEMA)).fetchall()
    assert [] == [row for row in found if row[:2] == (key.table, key.column)]
    database.close()


def test_every_id_and_index_says_a_row_or_why_there_is_none():
    model = Sqlite.in_memory()
    tables_create(model, REGISTRY_SCHEMA)
    own = {(table, *keys) for table, keys in model.primary_keys().items() if len(keys) == 1}
    model.close()
    named = {
        (table, column.split()[0])
        for table, columns in COLUMNS.items()
        for column in columns
        if re.search(NAMES_A_ROW, f"{column} ")
    }
    held = {each.key[:2] for each in references(REGISTRY_SCHEMA)}
    rest = {f"{table}.{column}" for table, column in named - held - own}
    assert {*OF_NO_TABLE} == rest


def test_a_key_is_declared_or_says_why_it_is_not():
    assert not {*KEYS} & {each.key for each in UNDECLARED}
    assert all(isinstance(each.key, ForeignKey) for each in UNDECLARED)

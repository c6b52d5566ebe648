"""Whatever says the row of another table says one there is: the CCER registry and the platform."""

import re

import pytest

from cea_exchange.ccer.store import CCER_SCHEMA
from cea_exchange.ledger.database.postgres import Postgres
from cea_exchange.ledger.database.references import references, references_query, undeclared
from cea_exchange.ledger.database.schema import declared_keys, tables_create
from cea_exchange.ledger.database.sqlite import Sqlite
from cea_exchange.platform.store import PLATFORM_SCHEMA

SCHEMAS = pytest.mark.parametrize(
    "schema", [CCER_SCHEMA, PLATFORM_SCHEMA], ids=lambda each: each.institution
)
NAMES_A_ROW = r"(_id|_index|link_seq|again_seq|proof_seq) "
OF_NO_TABLE = {
    "ccer": {"meta.log_id", "keys.operator_index", "trades.trade_id", "partner_heads.link_id"},
    "platform": {"meta.link_log_id", "partner_heads.link_id"},
}
"""Columns by whose names one would look for a row: the streams' own names, what the exchange
numbers, and the links of partners' chains are in no table."""


@SCHEMAS
def test_every_id_and_index_says_a_row_or_why_there_is_none(schema):
    model = Sqlite.in_memory()
    tables_create(model, schema)
    columns = model.columns()
    own = {(table, *keys) for table, keys in model.primary_keys().items() if len(keys) == 1}
    assert [] == model.execute(references_query(schema)).fetchall()
    model.close()
    named = {
        (table, column.split()[0])
        for table in schema.tables
        for column in columns[table]
        if re.search(NAMES_A_ROW, f"{column} ")
    }
    held = {each.key[:2] for each in references(schema)}
    rest = {f"{table}.{column}" for table, column in named - held - own}
    assert OF_NO_TABLE[schema.institution] == rest
    assert not declared_keys(schema) & {each.key for each in undeclared(schema)}


@SCHEMAS
def test_postgresql_is_held_to_the_same_keys(schema, postgres_server):
    database = Postgres.open_writer(postgres_server, schema.institution)
    database.begin()
    database.execute("CREATE SCHEMA of_references")
    database.execute("SET LOCAL search_path = of_references")
    tables_create(database, schema)
    assert declared_keys(schema) == database.foreign_keys()
    database.rollback()
    database.close()

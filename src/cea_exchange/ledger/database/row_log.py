"""The log of rows: what each row of a table was and is, written by the database itself.

Triggers append to `row_changes` what a row is from then on, whoever changes it: the daemon, or
somebody with a connection of his own. The chain of hashes (`ledger/chain.py`) covers the log, so
that a row agrees with the log, and the log with the chain, or the difference shows::

    table row --trigger--> row_changes --hash--> chain
        ^                      |
        +--- must be the last -+

An image is all columns of a row, in their order, with a blank between: an integer as it is, a text
as ``length:text``, bytes as their SHA-256, NULL as ``-``. The key is the same of the primary key.
"""

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from cea_exchange.ledger.database.interface import Database
from cea_exchange.ledger.database.model import tables_made
from cea_exchange.ledger.database.tables import Schema


class LoggedTable(NamedTuple):
    """A table whose rows are logged.

    Attributes
    ----------
    columns
        ``name TYPE`` of each, in their order.
    key
        Names of the columns of its primary key.
    where
        Which of its rows are logged, see `Schema.logged_where`.
    on_insert
        Whether a row is logged as it is inserted, not only as it is changed.
    """

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    where: str = "1 = 1"
    on_insert: bool = True

    def image(self, row: str = "") -> str:
        """Return the SQL expression of a row's image; `row` is ``NEW.`` or ``OLD.`` or empty."""
        return _expression(self.columns, row)

    def row_key(self, row: str = "") -> str:
        """Return the SQL expression of a row's key."""
        return _expression([each for each in self.columns if each.split()[0] in self.key], row)

    def condition(self, row: str = "") -> str:
        """Return the SQL condition under which a row is logged."""
        return self.where.format(row=row)


@cache
def logged_tables(schema: Schema) -> tuple[LoggedTable, ...]:
    """Return the tables whose rows are logged, by name."""
    tables = tables_made(schema)
    return tuple(
        LoggedTable(
            name,
            tuple(tables.columns[name]),
            tuple(tables.primary_keys[name]),
            schema.logged_where.get(name, "1 = 1"),
            name not in schema.logged_from_changes_on,
        )
        for name in sorted({*schema.tables} - schema.unlogged)
    )


def triggers_create(database: Database, schema: Schema) -> None:
    """Let the database log every change of a row from now on."""
    for table in logged_tables(schema):
        database.log_rows(
            table.name,
            where=table.condition("NEW."),
            written=_append(table, "NEW.", table.image("NEW.")),
            on_insert=table.on_insert,
            deleted=_append(table, "OLD.", "''"),
        )


def unlogged_rows(table: LoggedTable) -> str:
    """Return the query of rows that are not what the log says they are; it must give none."""
    # No join: SQLite looks through all of the one side of a FULL JOIN for each row of the other.
    return f"""SELECT '{table.name}' AS table_name, row_key,
    max(is_now) AS is_now, max(was_logged) AS was_logged
FROM (
    SELECT {table.row_key()} AS row_key, {table.image()} AS is_now, NULL AS was_logged
    FROM {table.name} WHERE {table.condition()}
    UNION ALL
    SELECT row_key, NULL, image FROM (
        SELECT row_key, image,
            row_number() OVER (PARTITION BY row_key ORDER BY change_id DESC) AS age
        FROM row_changes WHERE table_name = '{table.name}'
    ) AS changes
    WHERE age = 1 AND image <> ''
) AS both_sides
GROUP BY row_key
HAVING max(is_now) IS NULL OR max(was_logged) IS NULL OR max(is_now) <> max(was_logged)"""


def logged_rows_query(schema: Schema) -> str:
    """Return one query of all rows that are not what the log says they are, for an auditor."""
    head = (
        "-- Every row of every table is what the log says it is, none is missing or slipped in.\n"
        "-- Bytes are compared by their SHA-256: PostgreSQL has the function `sha256_hex` from\n"
        f"-- the {schema.institution}'s schema, SQLite gets it from who connects"
        " (protocol/ledger.md).\n"
        "-- Rule: CEA-REG-05\n"
        "-- Must come out: nothing. A row names the table, the key, what is there, and what was\n"
        "-- logged.\n"
        "-- Says: row {row_key} of {table_name} must be {was_logged}, is {is_now}\n"
    )
    return head + "\nUNION ALL\n".join(map(unlogged_rows, logged_tables(schema)))


def _append(table: LoggedTable, row: str, image: str) -> str:
    return (
        "INSERT INTO row_changes (change_id, table_name, row_key, image)"
        " SELECT 1 + coalesce(max(change_id), 0),"
        f" '{table.name}', {table.row_key(row)}, {image} FROM row_changes"
    )


def _expression(columns: Iterable[str], row: str) -> str:
    pairs = (column.split(maxsplit=1) for column in columns)
    return " || ' ' || ".join(_encoded(name, type_, row) for name, type_ in pairs)


def _encoded(name: str, type_: str, row: str) -> str:
    value = f"{row}{name}"
    text = {
        "BIGINT": f"CAST({value} AS TEXT)",
        "TEXT": f"length({value}) || ':' || {value}",
        "BYTEA": f"sha256_hex({value})",
    }[type_]
    return f"coalesce({text}, '-')"

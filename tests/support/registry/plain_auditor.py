"""An auditor with a connection of his own: Python's sqlite3, or psycopg, and the queries."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg

from cea_exchange.registry.reconciliation.audit import checks


class PlainAuditor:
    """Runs statements, and every query of the audit, in a transaction that is taken back."""

    def __init__(self, connection: Any, triggers_off: str) -> None:
        self._connection = connection
        self._triggers_off = triggers_off

    def found_after(self, *statements: str) -> list[tuple[str, dict[str, Any]]]:
        """Return query and row of all that comes out once statements have changed the ledger."""
        cursor = self._connection.cursor()
        cursor.execute("BEGIN")
        try:
            # Some tampers would not get past what keeps a ledger append-only.
            for (statement,) in cursor.execute(self._triggers_off).fetchall():
                cursor.execute(statement)
            for statement in statements:
                cursor.execute(statement)
            return [
                (name, dict(zip((column[0] for column in cursor.description), row, strict=True)))
                for name, check in checks().items()
                for row in cursor.execute(check.sql).fetchall()
            ]
        finally:
            cursor.execute("ROLLBACK")


@contextmanager
def plain_auditor(data: Path, address: str | None) -> Iterator[PlainAuditor]:
    """Connect to the database of a data folder, or to a PostgreSQL server's."""
    if address is None:
        path = data / "registry" / "registry.sqlite"
        connection = sqlite3.connect(path, isolation_level=None)
        connection.create_function("sha256_hex", 1, lambda each: each and sha256(each).hexdigest())
        off = "SELECT 'DROP TRIGGER ' || name FROM sqlite_schema WHERE type = 'trigger'"
    else:
        connection = psycopg.connect(address, autocommit=True)
        off = (
            "SELECT 'ALTER TABLE ' || tablename || ' DISABLE TRIGGER USER' FROM pg_tables"
            " WHERE schemaname = current_schema()"
            " UNION ALL SELECT 'SET LOCAL session_replication_role = replica'"
        )
    try:
        yield PlainAuditor(connection, off)
    finally:
        connection.close()

"""A PostgreSQL database that test after test finds as new, with an institution's tables in it.

To make the tables takes ten times as long as to take their rows out. Whoever changed the tables
themselves, their triggers or functions, leaves the next test new ones.
"""

from tempfile import TemporaryDirectory

import psycopg

from cea_exchange.ledger.record_store import RecordStore

FIRST_OWN_OID = 16_384
CATALOGS = {
    "pg_attrdef": "oid",
    "pg_attribute": "attrelid",
    "pg_class": "oid",
    "pg_constraint": "oid",
    "pg_index": "indexrelid",
    "pg_namespace": "oid",
    "pg_proc": "oid",
    "pg_rewrite": "oid",
    "pg_trigger": "oid",
}
"""Where PostgreSQL keeps what tables there are, and by which number."""
VACUUMED_COUNT_MIN = 1_000
"""Rows taken out of a table that are not left to the server's own time."""


class KeptPostgres:
    """One database, kept from test to test.

    Parameters
    ----------
    address
        Of the database.
    store_class
        Whose tables it has.
    """

    def __init__(self, address: str, store_class: type[RecordStore]) -> None:
        self.address = address
        self._store_class = store_class
        self._catalogs: list[tuple[object, ...]] | None = None
        self._first_rows: dict[str, bytes] = {}

    def as_new(self) -> str:
        """Return its address, when it is as a new institution's; everybody is off it."""
        with psycopg.connect(self.address, autocommit=True) as connection:
            everybody_off(connection)
            if self._catalogs is None or self._catalogs != catalogs(connection):
                self._tables_make(connection)
            else:
                self._rows_reset(connection)
        return self.address

    def _tables_make(self, connection: psycopg.Connection) -> None:
        schema_emptied(connection)
        with TemporaryDirectory() as folder:
            self._store_class.open(folder, self.address).close()
        self._catalogs = catalogs(connection)
        self._first_rows = {}
        for table in self._store_class.schema.tables:
            with connection.cursor().copy(f"COPY {table} TO STDOUT") as copy:
                if rows := b"".join(copy):
                    self._first_rows[table] = rows

    def _rows_reset(self, connection: psycopg.Connection) -> None:
        taken_out = {}
        with connection.transaction():
            # No trigger of the tables': neither what refuses changes, nor what logs them.
            connection.execute("SET LOCAL session_replication_role = replica")
            for table in self._store_class.schema.tables:
                taken_out[table] = connection.execute(f"DELETE FROM {table}").rowcount
            for table, rows in self._first_rows.items():
                with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
                    copy.write(rows)
        if grown := [table for table in taken_out if taken_out[table] >= VACUUMED_COUNT_MIN]:
            connection.execute(f"VACUUM {', '.join(grown)}")


def everybody_off(connection: psycopg.Connection) -> None:
    """End all other connections to a database."""
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


def schema_emptied(connection: psycopg.Connection) -> None:
    """Take everything out of a database."""
    connection.execute("DROP SCHEMA IF EXISTS public CASCADE")
    connection.execute("CREATE SCHEMA public")


def catalogs(connection: psycopg.Connection) -> list[tuple[object, ...]]:
    """Return what changes whenever somebody changes a table, a trigger or a function."""
    query = " UNION ALL ".join(
        f"SELECT '{catalog}', count(*), sum({key}::bigint), sum(xmin::text::bigint),"
        f" max(xmin::text::bigint) FROM {catalog} WHERE {key} >= {FIRST_OWN_OID}"
        for catalog, key in CATALOGS.items()
    )
    return connection.execute(query).fetchall()

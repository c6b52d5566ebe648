"""PostgreSQL: a database of a server that others may replicate, back up and read.

One writer: `ledger/database/postgres_fence.py`; on which of several servers:
`ledger/database/postgres_servers.py`. Values are put into statements on this side (psycopg's client
cursors), so that a parameter has a type wherever it stands. Commits wait for the server's disk, and
for its standby's (`synchronous_commit = on`, whatever the server says).
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg.types.numeric import IntLoader

from cea_exchange.ledger.database.interface import DatabaseError, DatabaseLost, Row
from cea_exchange.ledger.database.postgres_fence import (
    commit_replicated,
    epoch_held,
    epoch_take,
    synchronous_check,
    writer_lock,
)
from cea_exchange.ledger.database.postgres_servers import (
    HeardConnection,
    errors_translated,
    server_connect,
    server_name,
)
from cea_exchange.ledger.database.schema import tables_copy
from cea_exchange.ledger.database.sqlite import Sqlite
from cea_exchange.ledger.database.tables import ForeignKey, Schema

COPY_COUNT_MIN = 32
"""From so many rows on a COPY is faster than an INSERT of them all."""

STREAM_COUNT = 10_000
_SHA256_HEX = """
CREATE OR REPLACE FUNCTION sha256_hex(content BYTEA) RETURNS TEXT LANGUAGE sql IMMUTABLE AS
$$ SELECT encode(sha256(content), 'hex') $$
"""
_DEFINITIONS = """
SELECT relname, pg_get_viewdef(oid, true) FROM pg_class
WHERE relkind = 'v' AND relnamespace = current_schema()::regnamespace
UNION ALL
SELECT named.relname, pg_get_indexdef(indexrelid, 0, true) || ' valid ' || indisvalid::text
FROM pg_index JOIN pg_class named ON named.oid = indexrelid
WHERE named.relnamespace = current_schema()::regnamespace
UNION ALL
SELECT relname || ', ' || conname, pg_get_constraintdef(c.oid, true)
FROM pg_constraint c JOIN pg_class ON pg_class.oid = conrelid
WHERE connamespace = current_schema()::regnamespace AND contype <> 't'
UNION ALL
SELECT 'function ' || proname, prosrc FROM pg_proc
WHERE proname = 'sha256_hex' AND pronamespace = current_schema()::regnamespace
"""
"""Views, indexes, constraints, and the function by which the log of rows writes bytes."""
_CONDITION = re.compile(r" WHEN \(.*?\)(?= EXECUTE)", re.DOTALL)
"""PostgreSQL writes it in its own words; a row that it leaves out differs from the log of rows."""


class _Guards(ABC):
    """What is done by triggers, in whatever has `trigger`."""

    def append_only(self, table: str) -> None:
        self.trigger(
            f"{table}_append_only",
            f"BEFORE DELETE OR UPDATE OR TRUNCATE ON {table} FOR EACH STATEMENT",
            "append_only",
            "BEGIN RAISE EXCEPTION '% are append-only', TG_TABLE_NAME"
            " USING ERRCODE = 'integrity_constraint_violation'; END",
        )

    def log_rows(
        self, table: str, *, where: str, written: str, on_insert: bool, deleted: str
    ) -> None:
        name, body = f"{table}_logged", f"BEGIN {written}; RETURN NULL; END"
        acts = "INSERT OR UPDATE" if on_insert else "UPDATE"
        when = f"AFTER {acts} ON {table} FOR EACH ROW WHEN ({where})"
        self.trigger(name, when, name, body)
        name, body = f"{table}_deletion_logged", f"BEGIN {deleted}; RETURN NULL; END"
        self.trigger(name, f"AFTER DELETE ON {table} FOR EACH ROW", name, body)

    @abstractmethod
    def trigger(self, name: str, when: str, function: str, body: str) -> None:
        """Run a function's body as rows change; `when` as PostgreSQL itself writes it."""


class _TriggerTexts(_Guards):
    """Triggers as `Postgres.triggers` tells them, of no database."""

    def __init__(self) -> None:
        self.texts: dict[tuple[str, str], str] = {}

    def script(self, sql: str) -> None:
        """Tables have none of their own."""

    def trigger(self, name: str, when: str, function: str, body: str) -> None:
        table = when.split(" ON ")[1].split()[0]
        text = _trigger_text(name, when, function)
        self.texts[table, name] = _CONDITION.sub("", f"O {text} {body}")


def _trigger_text(name: str, when: str, function: str) -> str:
    return f"CREATE TRIGGER {name} {when} EXECUTE FUNCTION {function}()"


class Postgres(_Guards):
    """An open connection to a PostgreSQL database; see `Database`.

    Parameters
    ----------
    connection
        In autocommit: transactions are begun and ended by their own statements.
    """

    def __init__(self, connection: HeardConnection) -> None:
        self.connection = connection
        self._stream_count = 0
        # Kept: a connection that was lost does not know it any more.
        self._name = server_name(connection)
        self._fence = ""
        self._is_writer = False
        # Sums of BIGINT are numeric, and every one of ours is whole.
        connection.adapters.register_loader("numeric", IntLoader)

    @classmethod
    def open_writer(
        cls, address: str, institution: str, epoch_known: int = 0, *, is_synchronous: bool = False
    ) -> Self:
        """Connect to the server that was promoted last, and take the writer's lock.

        Parameters
        ----------
        institution
            Whose connection the server says it is.
        epoch_known
            Of the last writer that is known of; see `fence`.
        is_synchronous
            Whether only a server is taken whose commits wait for a standby.

        Raises
        ------
        DatabaseTaken
            Another connection has it.
        DatabaseLost
            No server can be reached, or none that may be written to.
        """
        opened = cls(server_connect(address, institution, epoch_known, session="read-write"))
        with opened._kept(), errors_translated():
            if is_synchronous:
                synchronous_check(opened.connection)
            writer_lock(opened.connection)
            opened.execute("SET synchronous_commit = on")
        opened._is_writer = True
        return opened

    @classmethod
    def open_reader(
        cls, address: str, institution: str, epoch_known: int = 0, *, is_synchronous: bool = False
    ) -> Self:
        """Connect for reading only, where the writer writes or where the address says."""
        opened = cls(server_connect(address, institution, epoch_known))
        with opened._kept(), errors_translated():
            if is_synchronous:
                synchronous_check(opened.connection)
            opened.execute("SET default_transaction_read_only = on")
        return opened

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """Close it if what follows fails."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def fence(self) -> int:
        with errors_translated():
            epoch = epoch_take(self.connection)
        self._fence = epoch_held(epoch)
        return epoch

    @property
    def name(self) -> str:
        return self._name

    def execute(self, sql: str, values: Any = ()) -> psycopg.Cursor:
        with errors_translated():
            cursor = self.connection.cursor()
            if values:
                cursor.execute(_in_dialect(sql), values)
            else:
                cursor.execute(sql)
            return cursor

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        with errors_translated():
            self.connection.cursor().executemany(_in_dialect(sql), rows)

    def insert(self, into: str, rows: Iterable[Sequence[Any]]) -> None:
        iterator = iter(rows)
        few = list(islice(iterator, COPY_COUNT_MIN))
        if len(few) == COPY_COUNT_MIN:
            with (
                errors_translated(),
                self.connection.cursor().copy(f"COPY {into} FROM STDIN") as copy,
            ):
                for row in chain(few, iterator):
                    copy.write_row(row)
        elif few:
            places = ", ".join(["%s"] * len(few[0]))
            listed = ", ".join([f"({places})"] * len(few))
            # Bound on the server, where the columns say the types: bytes travel as they are.
            with errors_translated():
                cursor = psycopg.Cursor(self.connection)
                cursor.execute(f"INSERT INTO {into} VALUES {listed}", list(chain(*few)))

    def stream(self, sql: str, values: Any = ()) -> Iterator[Row]:
        self._stream_count += 1
        cursor = f"stream_{self._stream_count}"
        self.execute(f"DECLARE {cursor} NO SCROLL CURSOR FOR {sql}", values)
        while rows := self.execute(f"FETCH {STREAM_COUNT} FROM {cursor}").fetchall():
            yield from rows
        self.execute(f"CLOSE {cursor}")

    def named_rows(self, sql: str, values: Any = ()) -> Iterator[dict[str, Any]]:
        cursor = self.execute(sql, values)
        names = [column.name for column in cursor.description]
        return (dict(zip(names, row, strict=True)) for row in cursor)

    def script(self, sql: str) -> None:
        self.execute(re.sub(r"^\) WITHOUT ROWID;", ");", sql, flags=re.MULTILINE))
        self.execute(_SHA256_HEX)
        # Records hardly shrink, and trying costs more than all else of a run.
        if "CREATE TABLE settlement_runs" in sql:
            self.execute("ALTER TABLE settlement_runs ALTER COLUMN records SET STORAGE EXTERNAL")

    def standby_count(self) -> int:
        (count,) = self.execute(
            "SELECT count(*) FROM pg_stat_replication"
            " WHERE state = 'streaming' AND sync_state IN ('sync', 'quorum')"
        ).fetchone()
        found: int = count
        return found

    def begin(self, *, snapshot: bool = False) -> None:
        if snapshot:
            self.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            return
        begun = self.execute(f"BEGIN{self._fence}")
        if begun.nextset() and begun.fetchone() is None:
            self.connection.close()
            raise DatabaseLost(f"{self.name}: another writer has taken it: nothing more is written")

    def commit(self) -> None:
        with errors_translated():
            done = commit_replicated(self.connection)
        # After a statement that failed the server answers with ROLLBACK, and calls it no error.
        if done != "COMMIT":
            raise DatabaseError(f"{self.name}: expected COMMIT, got {done}: a statement had failed")

    def rollback(self) -> None:
        if not self.connection.closed:
            self.execute("ROLLBACK")

    def savepoint(self, name: str) -> None:
        self.execute(f"SAVEPOINT {name}")

    def release(self, name: str) -> None:
        self.execute(f"RELEASE SAVEPOINT {name}")

    def rollback_to(self, name: str) -> None:
        if not self.connection.closed:
            self.execute(f"ROLLBACK TO SAVEPOINT {name}")
            self.execute(f"RELEASE SAVEPOINT {name}")

    def has_schema(self) -> bool:
        found = self.execute("SELECT to_regclass('meta') IS NOT NULL").fetchone()
        return found == (True,)

    def columns(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for table, kind, column, type_ in self.execute(
            "SELECT relname, relkind::text, attname, upper(format_type(atttypid, NULL))"
            " FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
            " WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'v')"
            " AND attnum > 0 AND NOT attisdropped ORDER BY relname, attnum"
        ):
            declared = f"{column} {type_}" if kind == "r" else column
            found.setdefault(table, []).append(declared)
        return found

    def foreign_keys(self) -> set[ForeignKey]:
        rows = self.execute(
            "SELECT child.relname, own.attname, parent.relname, named.attname"
            " FROM pg_constraint c"
            " JOIN pg_class child ON child.oid = conrelid"
            " JOIN pg_class parent ON parent.oid = confrelid"
            " JOIN pg_attribute own ON own.attrelid = conrelid AND own.attnum = conkey[1]"
            " JOIN pg_attribute named ON named.attrelid = confrelid AND named.attnum = confkey[1]"
            " WHERE contype = 'f' AND connamespace = current_schema()::regnamespace"
        )
        return {ForeignKey(*row) for row in rows}

    @property
    def kind(self) -> str:
        return f"PostgreSQL {self.connection.info.server_version}"

    def definitions(self) -> dict[str, str]:
        return dict(self.execute(_DEFINITIONS))

    def definitions_made(self, create: Callable[[Any], None]) -> dict[str, str]:
        # Each version writes them in words of its own, so that this server must say what it makes
        # of the statements. Who only reads may not make even a temporary table.
        if not self._is_writer:
            return {}
        self.begin()
        try:
            self.execute("SET LOCAL search_path = pg_temp")
            create(self)
            return self.definitions()
        finally:
            self.rollback()

    def check(self) -> list[str]:
        found = self.execute("SHOW data_checksums").fetchone()
        return [] if found == ("on",) else ["data_checksums: expected on, was off"]

    def triggers(self) -> dict[tuple[str, str], str]:
        # How it is switched on and off is part of it: O is as it was created.
        rows = self.execute(
            "SELECT relname, tgname, tgenabled::text || ' ' || pg_get_triggerdef(t.oid, true)"
            " || ' ' || prosrc"
            " FROM pg_trigger t JOIN pg_class ON pg_class.oid = tgrelid"
            " JOIN pg_proc ON pg_proc.oid = tgfoid"
            " WHERE relnamespace = current_schema()::regnamespace AND NOT tgisinternal"
            " UNION ALL SELECT tablename, rulename, definition FROM pg_rules"
            " WHERE schemaname = current_schema()"
        )
        return {(table, name): _CONDITION.sub("", text) for table, name, text in rows}

    @staticmethod
    def triggers_made(create: Callable[[Any], None]) -> dict[tuple[str, str], str]:
        model = _TriggerTexts()
        create(model)
        return model.texts

    def trigger(self, name: str, when: str, function: str, body: str) -> None:
        self.execute(
            f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS"
            f" $${body}$$"
        )
        self.execute(_trigger_text(name, when, function))

    def backup(self, target: Path, schema: Schema) -> None:
        copy = Sqlite.open_writer(target)
        self.begin(snapshot=True)
        try:
            copy.begin()
            tables_copy(self, copy, schema)
            copy.commit()
            copy.execute("PRAGMA journal_mode = delete")
        finally:
            self.rollback()
            copy.close()

    def bytes_used(self) -> int:
        return self.execute("SELECT pg_database_size(current_database())").fetchone()[0]

    def close(self) -> None:
        self.connection.close()


@lru_cache(maxsize=1_000)
def _in_dialect(sql: str) -> str:
    """Return a statement with psycopg's places for values: ``%s`` for ``?``, ``%(name)s``."""
    sql = sql.replace("%", "%%")
    sql = re.sub(r"(?<![:\w]):([a-z_]\w*)", r"%(\1)s", sql)
    return sql.replace("?", "%s")

"""SQLite: one file in the data folder, one writer connection, every commit on disk.

It runs in WAL mode with ``synchronous=FULL``: a committed run survives a power failure. Readers
(reconciliation, statements) open their own connection, which can't write and never checkpoints the
WAL.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import apsw

from cea_exchange.ledger.database.interface import (
    ConstraintViolated,
    DatabaseError,
    DatabaseFull,
    DatabaseUnreadable,
    Row,
    Rows,
)
from cea_exchange.ledger.database.tables import ForeignKey, Schema

VERSION_MIN = (3, 51, 3)  # older ones can lose commits (WAL-reset bug)
BUSY_MS = 10_000
CHECKPOINT_PAGES = 8_192
"""A checkpoint syncs twice and writes every page again: seldom, but the WAL stays below 100 MB."""

_TYPES = {"BIGINT": "INTEGER", "BYTEA": "BLOB"}


WRITES_FAILED = frozenset(
    {
        apsw.SQLITE_IOERR_WRITE,
        apsw.SQLITE_IOERR_TRUNCATE,
        apsw.SQLITE_IOERR_DELETE,
        apsw.SQLITE_IOERR_SHMOPEN,
        apsw.SQLITE_IOERR_SHMSIZE,
        apsw.SQLITE_IOERR_SHMMAP,
    }
)
"""What a disk says that takes no more, or a file that is too large. Not what it says to a sync:
then nobody knows what is on it."""


READS_FAILED = frozenset(
    {
        apsw.SQLITE_IOERR_READ,
        apsw.SQLITE_IOERR_SHORT_READ,
        apsw.SQLITE_IOERR_FSTAT,
        apsw.SQLITE_IOERR_ACCESS,
    }
)


class Sqlite:
    """An open SQLite database; see `Database`.

    Parameters
    ----------
    connection
        Of the file.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        connection.create_scalar_function("sha256_hex", _sha256_hex, 1, deterministic=True)
        self._has_begun = False

    @classmethod
    def open_writer(cls, path: Path) -> Self:
        """Open for writing, creating it where it is not there.

        Raises
        ------
        DatabaseError
            The file is no SQLite database.
        """
        connection = _connect(path, create=True)
        with _errors_translated():
            connection.pragma("journal_mode", "wal")
            connection.pragma("synchronous", 2)
            connection.pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        return cls(connection)

    @classmethod
    def open_reader(cls, path: Path) -> Self:
        """Open for reading, whether or not a daemon is at work on it."""
        if not path.is_file():
            raise DatabaseError(f"{path}: expected a database, there is none")
        connection = _connect(path, create=False)
        connection.pragma("wal_autocheckpoint", 0)
        connection.pragma("query_only", 1)
        return cls(connection)

    @classmethod
    def in_memory(cls) -> Self:
        """Open an empty one that is gone with its connection."""
        connection = apsw.Connection(":memory:")
        connection.pragma("foreign_keys", 1)
        return cls(connection)

    def content(self) -> bytes:
        """Return all that is in it, for `fill`."""
        return bytes(self.connection.serialize("main"))

    def fill(self, content: bytes) -> None:
        """Put all of another one's content into an empty database, at once or not at all."""
        source = apsw.Connection(":memory:")
        try:
            source.deserialize("main", content)
            with _errors_translated(), self.connection.backup("main", source, "main") as step:
                step.step(-1)
        finally:
            source.close()

    @property
    def name(self) -> str:
        return self.connection.filename

    def execute(self, sql: str, values: Any = ()) -> Rows:
        self._not_lost_check()
        with _errors_translated():
            return _Rows(self.connection.execute(sql, values))

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        self._not_lost_check()
        with _errors_translated():
            self.connection.executemany(sql, rows)

    def insert(self, into: str, rows: Iterable[Sequence[Any]]) -> None:
        iterator = iter(rows)
        first = next(iterator, None)
        if first is None:
            return
        sql = f"INSERT INTO {into} VALUES ({', '.join('?' * len(first))})"
        self._not_lost_check()
        with _errors_translated():
            self.connection.execute(sql, first)
            self.connection.executemany(sql, iterator)

    def stream(self, sql: str, values: Any = ()) -> Iterator[Row]:
        return iter(self.execute(sql, values))

    def named_rows(self, sql: str, values: Any = ()) -> Iterator[dict[str, Any]]:
        self._not_lost_check()
        with _errors_translated():
            cursor = self.connection.execute(sql, values)
            for row in cursor:
                yield dict(zip((name for name, _ in cursor.get_description()), row, strict=True))

    def script(self, sql: str) -> None:
        with _errors_translated():
            self.connection.execute(_in_dialect(sql))

    def fence(self) -> int:
        return 0

    def standby_count(self) -> None:
        return None

    def begin(self, *, snapshot: bool = False) -> None:
        self.execute("BEGIN" if snapshot else "BEGIN IMMEDIATE")
        self._has_begun = True

    def commit(self) -> None:
        self.execute("COMMIT")
        self._has_begun = False

    def rollback(self) -> None:
        self._has_begun = False
        # SQLite has already rolled back by itself after some errors (disk full).
        if self.connection.in_transaction:
            self.execute("ROLLBACK")

    def savepoint(self, name: str) -> None:
        self.execute(f"SAVEPOINT {name}")

    def release(self, name: str) -> None:
        self.execute(f"RELEASE {name}")

    def rollback_to(self, name: str) -> None:
        if self.connection.in_transaction:
            self.execute(f"ROLLBACK TO {name}")
            self.execute(f"RELEASE {name}")

    def _not_lost_check(self) -> None:
        """Refuse to go on in a transaction that SQLite has rolled back by itself.

        Each further statement would be committed on its own.
        """
        if self._has_begun and not self.connection.in_transaction:
            raise DatabaseError(
                f"{self.name}: expected a transaction, the database has rolled it back: nothing"
                " of it was done"
            )

    def has_schema(self) -> bool:
        return bool(self.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])

    def columns(self) -> dict[str, list[str]]:
        ours = {theirs: type_ for type_, theirs in _TYPES.items()}
        found: dict[str, list[str]] = {}
        for table, kind, column, type_ in self.execute(
            "SELECT m.name, m.type, c.name, c.type"
            " FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type IN ('table', 'view')"
            " ORDER BY m.name, c.cid"
        ):
            declared = f"{column} {ours.get(type_, type_)}" if kind == "table" else column
            found.setdefault(table, []).append(declared)
        return found

    def primary_keys(self) -> dict[str, list[str]]:
        """Return table -> the columns of its primary key."""
        found: dict[str, list[str]] = {}
        for table, column in self.execute(
            "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c"
            " WHERE m.type = 'table' AND c.pk > 0 ORDER BY m.name, c.cid"
        ):
            found.setdefault(table, []).append(column)
        return found

    def foreign_keys(self) -> set[ForeignKey]:
        # A key that names no column is of the parent's primary key.
        rows = self.execute(
            'SELECT m.name, k."from", k."table", coalesce(k."to",'
            ' (SELECT c.name FROM pragma_table_info(k."table") c WHERE c.pk = 1))'
            " FROM sqlite_schema m, pragma_foreign_key_list(m.name) k WHERE m.type = 'table'"
        )
        return {ForeignKey(*row) for row in rows}

    kind = "SQLite"

    def definitions(self) -> dict[str, str]:
        rows = self.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type <> 'trigger' AND sql IS NOT NULL"
        )
        return {name: "".join(re.sub(r"--.*", "", text).split()) for name, text in rows}

    def definitions_made(self, create: Callable[[Any], None]) -> dict[str, str]:
        model = Sqlite.in_memory()
        try:
            create(model)
            return model.definitions()
        finally:
            model.close()

    def check(self) -> list[str]:
        return [line for (line,) in self.execute("PRAGMA integrity_check(10)") if line != "ok"]

    def triggers(self) -> dict[tuple[str, str], str]:
        rows = self.execute("SELECT tbl_name, name, sql FROM sqlite_schema WHERE type = 'trigger'")
        return {(table, name): text for table, name, text in rows}

    @staticmethod
    def triggers_made(create: Callable[[Any], None]) -> dict[tuple[str, str], str]:
        model = Sqlite.in_memory()
        try:
            create(model)
            return model.triggers()
        finally:
            model.close()

    def append_only(self, table: str) -> None:
        for act in ("UPDATE", "DELETE"):
            self.execute(
                f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table}"
                f" BEGIN SELECT raise(ABORT, '{table} are append-only'); END"
            )

    def log_rows(
        self, table: str, *, where: str, written: str, on_insert: bool, deleted: str
    ) -> None:
        for act, statement, when in (
            ("INSERT", written, f" WHEN {where}"),
            ("UPDATE", written, f" WHEN {where}"),
            ("DELETE", deleted, ""),
        ):
            if act == "INSERT" and not on_insert:
                continue
            self.execute(
                f"CREATE TRIGGER {table}_{act.lower()}_logged AFTER {act} ON {table}{when}"
                f" BEGIN {statement}; END"
            )

    def backup(self, target: Path, schema: Schema) -> None:
        with _errors_translated():
            copy = apsw.Connection(str(target))
            try:
                # In one step: one view of the database, however much a writer commits meanwhile.
                with copy.backup("main", self.connection, "main") as step:
                    step.step(-1)
                copy.pragma("journal_mode", "delete")
            finally:
                copy.close()

    def bytes_used(self) -> int:
        path = Path(self.name)
        return sum(file.stat().st_size for file in path.parent.glob(path.name + "*"))

    def close(self) -> None:
        self.connection.close()


def _sha256_hex(content: bytes | None) -> str | None:
    """Return the SHA-256 of bytes; what the log of rows has of them."""
    return None if content is None else sha256(content).hexdigest()


class _Rows:
    """Rows of a cursor, with its errors as ours."""

    def __init__(self, cursor: apsw.Cursor) -> None:
        self._cursor = cursor

    def __iter__(self) -> Iterator[Row]:
        with _errors_translated():
            yield from self._cursor

    def fetchone(self) -> Row | None:
        with _errors_translated():
            return self._cursor.fetchone()

    def fetchall(self) -> list[Row]:
        with _errors_translated():
            return self._cursor.fetchall()


@contextmanager
def _errors_translated() -> Iterator[None]:
    try:
        yield
    except (apsw.ConstraintError, apsw.MismatchError, apsw.TooBigError, OverflowError) as error:
        raise ConstraintViolated(str(error)) from error
    except (apsw.FullError, apsw.ReadOnlyError, apsw.CantOpenError) as error:
        raise DatabaseFull(str(error)) from error
    except apsw.IOError as error:
        raise _io_kind(error.extendedresult)(str(error)) from error
    except apsw.Error as error:
        raise DatabaseError(str(error)) from error
    except UnicodeDecodeError as error:
        raise DatabaseError(f"a text must be UTF-8, is damaged: {error}") from error


def _io_kind(extended_result: int) -> type[DatabaseError]:
    if extended_result in WRITES_FAILED:
        return DatabaseFull
    return DatabaseUnreadable if extended_result in READS_FAILED else DatabaseError


def _in_dialect(sql: str) -> str:
    """Return a schema's text for SQLite: its types, and strict tables."""
    for ours, theirs in _TYPES.items():
        sql = re.sub(rf"\b{ours}\b", theirs, sql)
    sql = re.sub(r"^\);", ") STRICT;", sql, flags=re.MULTILINE)
    return re.sub(r"^\) WITHOUT ROWID;", ") STRICT, WITHOUT ROWID;", sql, flags=re.MULTILINE)


def _connect(path: Path, *, create: bool) -> apsw.Connection:
    version = tuple(int(part) for part in apsw.sqlite_lib_version().split(".")[:3])
    if version < VERSION_MIN:
        raise DatabaseError(f"SQLite: expected 3.51.3 or newer, got {apsw.sqlite_lib_version()}")
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
    try:
        connection = apsw.Connection(str(path), flags=flags)
        connection.set_busy_timeout(BUSY_MS)
        connection.pragma("foreign_keys", 1)
        connection.pragma("user_version")
    except (apsw.FullError, apsw.IOError) as error:
        # Even to open a database takes room: SQLite makes a file of shared memory beside it.
        raise DatabaseError(f"{path}: the disk is full or fails, {error}") from None
    except apsw.Error as error:
        raise DatabaseError(f"{path}: expected an SQLite database, {error}") from None
    return connection

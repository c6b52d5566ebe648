"""What an institution needs of a database, whichever it is.

Its SQL is written once, in what SQLite and PostgreSQL have in common: `BIGINT`, `TEXT` and `BYTEA`,
parameters as ``?`` or ``:name``, ids that the institution gives itself. The rest differs
and is behind this interface: how to connect and lock, how a schema's text is read, how many rows
are written at once.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from cea_exchange.ledger.database.tables import ForeignKey, Schema

Row = tuple[Any, ...]


class DatabaseError(Exception):
    """The database can't do what was asked; the transaction is to be rolled back."""


class ConstraintViolated(DatabaseError):
    """A rule that the schema itself keeps was broken.

    A key that is there, an append-only table, a value that no column holds.
    """


class DatabaseFull(DatabaseError):
    """The disk takes no more: full, a file too large, read only. Nothing was committed."""


class DatabaseLost(DatabaseError):
    """The connection to the server broke; whether the last commit counts is to be looked up."""


class DatabaseUnreadable(DatabaseError):
    """The disk does not give back what is on it; another time it may."""


class DatabaseTaken(DatabaseError):
    """Another process writes to it."""


class Rows(Protocol):
    """The rows of one statement, to be read once."""

    def __iter__(self) -> Iterator[Row]: ...

    def fetchone(self) -> Row | None:
        """Return the next row, None behind the last."""

    def fetchall(self) -> list[Row]:
        """Return the rows that are left."""


class Database(Protocol):
    """One connection: a writer's, of which there is one, or a reader's."""

    @property
    def name(self) -> str:
        """What it is, for a message to a person: a path, or an address without a password."""

    def execute(self, sql: str, values: Any = ()) -> Rows:
        """Run one statement."""

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each of many rows of values."""

    def insert(self, into: str, rows: Iterable[Sequence[Any]]) -> None:
        """Insert rows by the fastest way there is.

        Parameters
        ----------
        into
            Table and columns, as ``claims_paid (claim_id, entry_id)``.
        """

    def stream(self, sql: str, values: Any = ()) -> Iterator[Row]:
        """Yield the rows of a query that may have more than fit in memory; in a transaction."""

    def named_rows(self, sql: str, values: Any = ()) -> Iterator[dict[str, Any]]:
        """Yield the rows of a query, each by the names of its columns."""

    def script(self, sql: str) -> None:
        """Run the statements of a schema file."""

    def fence(self) -> int:
        """Let no writer but this one commit any more; return its epoch.

        Whatever was committed before is then where a commit has to be, so that it counts. An epoch
        is 0 where the folder's lock is enough.
        """

    def standby_count(self) -> int | None:
        """Return how many standbys commits wait for; None of a database that has none."""

    def begin(self, *, snapshot: bool = False) -> None:
        """Begin a transaction: a writer's, or a reader's view that stays as it is."""

    def commit(self) -> None:
        """Commit; on disk when it returns."""

    def rollback(self) -> None:
        """Take everything since `begin` back; nothing if there is no transaction any more."""

    def savepoint(self, name: str) -> None:
        """Begin a part that can be taken back by itself."""

    def release(self, name: str) -> None:
        """End a part that is to stay."""

    def rollback_to(self, name: str) -> None:
        """Take a part back and end it."""

    def has_schema(self) -> bool:
        """Tell whether any table of an institution's is there."""

    def columns(self) -> dict[str, list[str]]:
        """Return table or view -> its columns in their order: ``name TYPE``; of a view ``name``."""

    def foreign_keys(self) -> set[ForeignKey]:
        """Return the keys that the database holds its rows to, at each statement's end."""

    @property
    def kind(self) -> str:
        """Which database writes definitions in the same words: its product and version."""

    def definitions(self) -> dict[str, str]:
        """Return by name how the database defines what rows may be and how they are shown.

        SQLite: tables, views and indexes, without blanks and comments. PostgreSQL: views, indexes
        and constraints in its own words.
        """

    def definitions_made(self, create: Callable[[Any], None]) -> dict[str, str]:
        """Return what `definitions` gives of a database in which `create` has made the tables.

        Nothing on PostgreSQL for a reader, who may make none there; outside of a transaction.
        """

    def check(self) -> list[str]:
        """Return what the database itself finds damaged."""

    def triggers(self) -> dict[tuple[str, str], str]:
        """Return what the database does by itself as rows change: (table, name) -> its text."""

    @staticmethod
    def triggers_made(create: Callable[[Any], None]) -> dict[tuple[str, str], str]:
        """Return what `triggers` gives once `create` has made tables and triggers."""

    def append_only(self, table: str) -> None:
        """Make every change of rows that are there an error."""

    def log_rows(
        self, table: str, *, where: str, written: str, on_insert: bool, deleted: str
    ) -> None:
        """Run a statement after each row that is inserted or changed, and after each deleted.

        Parameters
        ----------
        where
            Which rows: a condition on ``NEW``.
        written, deleted
            The statements; they speak of the row as ``NEW`` and ``OLD``.
        on_insert
            False if `written` runs after changes only.
        """

    def backup(self, target: Path, schema: Schema) -> None:
        """Copy what is committed to a new SQLite file, while a writer works."""

    def bytes_used(self) -> int:
        """Return what it takes on disk."""

    def close(self) -> None:
        """Close the connection, and give up the writer's lock."""

"""An institution's database, open: its transactions, each ending with a link of the chain.

One writer at a time. What a writer has in memory beside it is changed with each transaction and
taken back with it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar, Self

from cea_exchange.ledger.chain import (
    BEFORE_ALL,
    LinkBroken,
    link_add,
    link_last,
    nothing_else_check,
)
from cea_exchange.ledger.database.folder import (
    folder_lock,
    reader_open,
    writer_begin,
    writer_open,
)
from cea_exchange.ledger.database.interface import Database, DatabaseError, DatabaseLost, Row, Rows
from cea_exchange.ledger.database.schema import schema_check, schema_create, triggers_check
from cea_exchange.ledger.database.sqlite import Sqlite
from cea_exchange.ledger.database.tables import Schema
from cea_exchange.ledger.double_entry import LedgerError
from cea_exchange.ledger.head_file import HeadFile, head_kept
from cea_exchange.ledger.partners import Partners
from cea_exchange.ledger.row_proof import row_check
from cea_exchange.protocol.folder_lock import FolderLock


class StoreError(Exception):
    """The folder or database is not what was expected; nothing was changed."""


class DatabaseAway(StoreError):
    """The database's server can't be reached; it may come back."""


class RecordStore:
    """An open database of an institution, which says its `schema`.

    Parameters
    ----------
    database
        With the institution's tables.
    lock
        Of the folder, for a writer.
    connect
        Connects again, for a writer whose connection may be lost, to a database that has the link
        it is given, with its head.
    is_writer
        Whether it was opened for writing.
    head_file
        Takes the head of each link that was committed, for a writer in a folder.
    head_before
        Link and head that the folder knew of before the database was looked at.
    partners
        What the institution's partners have that the database lacks.

    Attributes
    ----------
    act_id : int or None
        The act that causes what is done now, 0 for a settlement record; None outside of both.
    act_missing
        Called for an entry outside of both; returns the id of an act that it notes.
    link : Link
        Of the last transaction.
    altered : str
        What somebody else has changed of the tables, indexes, views and triggers since the
        database was opened; '' if nothing was seen. Nothing is written any more then.
    """

    schema: ClassVar[Schema]

    def __init__(
        self,
        database: Database,
        lock: FolderLock | None = None,
        connect: Callable[[tuple[int, str] | None], Database] | None = None,
        *,
        is_writer: bool = False,
        head_file: HeadFile | None = None,
        head_before: tuple[int, str] | None = None,
        partners: Partners | None = None,
    ) -> None:
        self.database = database
        self._lock = lock
        self._connect = connect
        self.is_writer = is_writer
        self._head_file = head_file
        self.head_before = head_before
        self.partners = Partners() if partners is None else partners
        self._depth = 0
        self._business_date: int | None = None
        self._receipt_roots: list[str] = []
        self.act_id: int | None = None
        self.act_missing: Callable[[], int] = _act_unknown
        self.altered = ""
        self.partners.stops.append(lambda: self.altered)
        self._numbers_read()
        self._memory_read(database)

    def _numbers_read(self) -> None:
        """Read the last numbers that are in the database."""
        self.link = link_last(self.database)

    @classmethod
    def open(
        cls, data: Path | str, database: str | None = None, *, is_synchronous: bool = False
    ) -> Self:
        """Open the institution's folder, ``data/registry/``, for writing; made where it is not.

        Parameters
        ----------
        data
            The data folder.
        database
            ``postgresql://...``; None takes the one the institution began with, or SQLite.
        is_synchronous
            Whether each commit must be on a standby, too, before it counts.

        Raises
        ------
        DatabaseAway
            The database's server can't be reached, or has no standby.
        StoreError
            Another process has it open, or the database is none of ours.
        """
        folder = cls.folder(data)
        folder.mkdir(parents=True, exist_ok=True)
        lock = None
        try:
            lock = folder_lock(folder)
            connect = partial(cls._writer, folder, database, is_synchronous=is_synchronous)
            before = head_kept(folder)
            opened = connect(before)
            head_file = HeadFile(folder)
            return cls(
                *(opened, lock, connect),
                is_writer=True,
                head_file=head_file,
                head_before=before,
                partners=Partners(folder),
            )
        except DatabaseError as error:
            if lock is not None:
                lock.release()
            kind = DatabaseAway if isinstance(error, DatabaseLost) else StoreError
            raise kind(str(error)) from error

    @classmethod
    def _writer(
        cls,
        folder: Path,
        address: str | None,
        before: tuple[int, str] | None,
        *,
        is_synchronous: bool,
    ) -> Database:
        """Connect for writing to a database that is the institution's, and has a link.

        A new one gets its tables.
        """
        database = writer_open(folder, address, is_synchronous=is_synchronous)
        try:
            if not database.has_schema():
                _tables_make(database, cls.schema, before)
            schema_check(database, cls.schema)
            triggers_check(database, cls.schema)
            head_check(database, before)
            writer_begin(folder, database, address)
        except BaseException:
            database.close()
            raise
        return database

    @classmethod
    def open_reader(cls, data: Path | str, database: str | None = None) -> Self:
        """Open the institution's folder for reading, whether or not a daemon is at work on it."""
        folder = cls.folder(data)
        try:
            before, partners = head_kept(folder), Partners(folder)
            opened = reader_open(folder, database)
            schema_check(opened, cls.schema)
        except DatabaseError as error:
            raise StoreError(str(error)) from error
        return cls(opened, head_before=before, partners=partners)

    @classmethod
    def folder(cls, data: Path | str) -> Path:
        """Return the institution's folder in a data folder."""
        return Path(data) / cls.schema.institution

    def reconnect(self) -> None:
        """Connect again after `DatabaseLost`, and read anew what was committed.

        A commit that was under way counts if it is there now; what was kept under a ``request_id``
        says so.

        Raises
        ------
        DatabaseError
            The database is not back; nothing was changed.
        """
        if self._connect is None:
            raise StoreError(f"{self.database.name}: expected a writer, is open for reading")
        self.database.close()
        database = self._connect((self.link.link_id, self.link.head))
        self._memory_read(database)
        self.database = database
        self._numbers_read()

    def close(self) -> None:
        """Close the database and give up the lock."""
        self.database.close()
        if self._head_file is not None:
            self._head_file.close()
            self._head_file = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def reached(self) -> tuple[str, int]:
        """Return how far it is: what is counted, and the last number."""
        return "link", self.link.link_id

    # -- what a writer has in memory --------------------------------------------------------------

    def _memory_read(self, database: Database) -> None:
        """Read for a writer what it has in memory."""

    def _level_begin(self) -> Callable[[], None]:
        """Begin a level of a transaction; return what takes it back in memory."""
        return lambda: None

    def _level_keep(self) -> None:
        """End a level that stays."""

    def _commit_prepare(self) -> None:
        """Write what belongs to the end of a transaction."""

    # -- what somebody else may have changed ------------------------------------------------------

    def definitions_check(self) -> None:
        """Raise `LinkBroken` if tables, indexes, views or triggers are not as they were made.

        The difference is kept: whatever was written meanwhile was not logged, so that nothing is
        written any more until the database was verified and is opened again.

        Notes
        -----
        Rules: CEA-REG-05.
        """
        if not self.altered:
            try:
                schema_check(self.database, self.schema)
                triggers_check(self.database, self.schema)
            except DatabaseLost:
                raise
            except DatabaseError as error:
                self.altered = f"stopped: {error}"
        if self.altered:
            raise LinkBroken(self.altered)

    def row_check(self, table: str, key_column: str, key: int) -> None:
        """Raise `LinkBroken` unless a row is as it was committed; see `ledger.row_proof`."""
        row_check(self.database, self.schema, self.link, table, key_column, key)

    # -- transactions and rows ----------------------------------------------------------------

    @contextmanager
    def transaction(self, act_id: int | None = None) -> Iterator[None]:
        """Everything inside is committed, or nothing; inside another one it joins that.

        An inner one that fails takes back its own part only.

        Parameters
        ----------
        act_id
            What causes the entries within: an act, or 0 for settlement records; None: what causes
            those around.

        Raises
        ------
        LinkBroken
            Somebody else has written to the database; nothing was begun.
        """
        depth, act_before, link = self._depth, self.act_id, self.link
        level = f"level_{depth}"
        roots_before = len(self._receipt_roots)
        if depth == 0:
            self._begin()
        else:
            self.database.savepoint(level)
        if act_id is not None:
            self.act_id = act_id
        self._depth += 1
        undo = self._level_begin()
        try:
            yield
            if depth == 0:
                self._commit_prepare()
                roots = " ".join(self._receipt_roots)
                self.link = link_add(self.database, self.schema, link, roots)
                self.database.commit()
            else:
                self.database.release(level)
        except BaseException:
            undo()
            self.link, self.act_id = link, act_before
            del self._receipt_roots[roots_before:]
            if depth == 0:
                self.database.rollback()
            else:
                self.database.rollback_to(level)
            raise
        else:
            self._level_keep()
            if act_id is not None or depth == 0:
                self.act_id = act_before
            if depth == 0:
                self._receipt_roots.clear()
                if self._head_file is not None and self.link is not link:
                    self._head_file.keep(self.link)
        finally:
            self._depth -= 1

    @property
    def is_in_transaction(self) -> bool:
        """Whether a transaction is open: what its link will be is not known."""
        return self._depth > 0

    def business_date(self, today: Callable[[], int]) -> int:
        """Return the day; within a transaction the one it first asked for, also past midnight."""
        if self._depth == 0:
            return today()
        if self._business_date is None:
            self._business_date = today()
        return self._business_date

    def _begin(self) -> None:
        self._business_date = None
        if self.altered:
            raise LinkBroken(self.altered)
        self.database.begin()
        try:
            nothing_else_check(self.database, self.schema, self.link)
        except BaseException:
            self.database.rollback()
            raise

    def receipts_keep(self, root: str) -> int:
        """Let the link of this transaction carry the root of a day's receipts; return its id."""
        self._receipt_roots.append(root)
        return self.link.link_id + 1

    @contextmanager
    def view(self) -> Iterator[None]:
        """For a reader: all that is read inside is of one moment, after the last commit."""
        self.database.begin(snapshot=True)
        try:
            self._numbers_read()
            yield
        finally:
            self.database.rollback()

    def execute(self, sql: str, values: Any = ()) -> Rows:
        """Run one statement and return its rows."""
        return self.database.execute(sql, values)

    def one(self, sql: str, values: Any = ()) -> Any:
        """Return the first row (of one column: its value), or None."""
        row = self.database.execute(sql, values).fetchone()
        return row[0] if row is not None and len(row) == 1 else row

    def all(self, sql: str, values: Any = ()) -> list[Row]:
        """Run a query and return all its rows."""
        return self.database.execute(sql, values).fetchall()

    def column(self, sql: str, values: Any = ()) -> list[Any]:
        """Run a query and return the first value of each row."""
        return [value for value, *_ in self.database.execute(sql, values)]

    def records(self, sql: str, values: Any = ()) -> list[dict[str, Any]]:
        """Run a query and return its rows by the names of its columns."""
        return list(self.database.named_rows(sql, values))

    def find(self, table: str, columns: str, **where: Any) -> Any:
        """Return, as `one` does, columns of the first row in which others have these values."""
        condition = " AND ".join(f"{name} = ?" for name in where)
        return self.one(f"SELECT {columns} FROM {table} WHERE {condition}", tuple(where.values()))

    def has(self, table: str, **where: Any) -> bool:
        """Tell whether a row has these values in these columns."""
        return self.find(table, "1", **where) is not None

    def change(self, table: str, where: Mapping[str, Any], **columns: Any) -> None:
        """Set columns of the rows that have these values in others."""
        setting = ", ".join(f"{name} = ?" for name in columns)
        condition = " AND ".join(f"{name} = ?" for name in where)
        values = (*columns.values(), *where.values())
        self.execute(f"UPDATE {table} SET {setting} WHERE {condition}", values)

    def add(self, into: str, *values: Any) -> int:
        """Insert a row under its table's next number, and return that.

        Parameters
        ----------
        into
            Table and columns, as `insert` takes them; the first is the number's.
        values
            Of the other columns.
        """
        table, _, columns = into.removesuffix(")").partition(" (")
        number = self.next_id(table, columns.split(",")[0])
        self.insert(into, [(number, *values)])
        return number

    def next_id(self, table: str, column: str) -> int:
        """Return the id after a table's last; the first is 1. Rows are never taken away."""
        number: int = self.one(f"SELECT 1 + coalesce(max({column}), 0) FROM {table}")
        return number

    def insert(self, into: str, rows: Iterable[Sequence[Any]]) -> None:
        """Insert rows into a table and columns, as ``claims_paid (claim_id, entry_id)``."""
        self.database.insert(into, rows)


def head_check(database: Database, before: tuple[int, str] | None) -> None:
    """Raise `LinkBroken` if a database does not have the link that is known of, with its head.

    Notes
    -----
    Rules: CEA-REG-05.
    """
    if before is None or before[0] == 0:
        return
    link_id, head = before
    row = database.execute("SELECT head FROM chain WHERE link_id = ?", (link_id,)).fetchone()
    if row != (head,):
        raise LinkBroken(
            f"{database.name}: link {link_id} of the chain must have the head {head}, as was"
            f" committed; {'there is none' if row is None else f'its head is {row[0]}'}: acts are"
            " missing or were rewritten (protocol/ledger.md says how to go on)"
        )


def _act_unknown() -> int:
    raise LedgerError("entry: expected an act or a settlement record that causes it, got neither")


def _tables_make(database: Database, schema: Schema, before: tuple[int, str] | None) -> None:
    """Make the tables of a new institution; `LinkBroken` if there was one."""
    if before is not None:
        raise LinkBroken(
            f"{database.name}: expected link {before[0]} of the chain, there are no tables"
        )
    if isinstance(database, Sqlite):
        database.fill(_new_content(schema))
        return
    database.begin()
    try:
        _new_make(database, schema)
        database.commit()
    except BaseException:
        database.rollback()
        raise


@cache
def _new_content(schema: Schema) -> bytes:
    """Return what a new SQLite database has: to copy it takes a fourth of making it."""
    model = Sqlite.in_memory()
    try:
        _new_make(model, schema)
        return model.content()
    finally:
        model.close()


def _new_make(database: Database, schema: Schema) -> None:
    schema_create(database, schema)
    link_add(database, schema, BEFORE_ALL)

"""What the registry knows, in its database: names, postings, balances, how far settlement is.

One writer at a time. Balances are in the writer's memory, changed with the postings and taken back
with them; a reader asks the database.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self

from cea_exchange.domain.naming import CASH_NAME
from cea_exchange.ledger.balances import Balances
from cea_exchange.ledger.chain import (
    BEFORE_ALL,
    LinkBroken,
    link_add,
    link_last,
    nothing_else_check,
)
from cea_exchange.ledger.database.folder import folder_lock, reader_open, writer_open
from cea_exchange.ledger.database.interface import Database, DatabaseError, DatabaseLost, Rows
from cea_exchange.ledger.database.schema import schema_check, schema_create, triggers_check
from cea_exchange.ledger.double_entry import (
    CASH_ASSET,
    EntryKind,
    Holding,
    LedgerError,
    Posting,
    post,
)
from cea_exchange.ledger.head_file import HeadFile, head_kept
from cea_exchange.ledger.history import (
    LEGS_MAX,
    SNAPSHOT_ENTRY_COUNT,
    balance_as_of,
    balances_load,
    snapshot_write,
)
from cea_exchange.protocol.folder_lock import FolderLock


class StoreError(Exception):
    """The registry's folder or database is not what was expected; nothing was changed."""


class DatabaseAway(StoreError):
    """The database's server can't be reached; it may come back."""


class Store:
    """An open registry database.

    Parameters
    ----------
    database
        With the registry's tables.
    balances
        For a writer: what everybody holds. None for a reader.
    lock
        Of the folder, for a writer.

    Attributes
    ----------
    act_id : int or None
        The act that causes the entries of now, 0 for a settlement record; None outside of both.
    act_missing
        Called for an entry outside of both; returns the id of an act that it notes.
    link : Link
        Of the last transaction.
    unposted_changes : int
        How often a trade that was received or failed was posted or undone, in this process's life.
    connect
        Connects again, for a writer whose connection may be lost.
    head_file
        Takes the head of each link that was committed, for a writer in a folder.
    head_before
        Link and head that the folder knew of before the database was looked at.
    """

    def __init__(
        self,
        database: Database,
        balances: Balances | None = None,
        lock: FolderLock | None = None,
        connect: Callable[[], Database] | None = None,
        *,
        head_file: HeadFile | None = None,
        head_before: tuple[int, str] | None = None,
    ) -> None:
        self.database = database
        self._balances = balances
        self._lock = lock
        self._connect = connect
        self._head_file = head_file
        self.head_before = head_before
        self._depth = 0
        self._business_date: int | None = None
        self._receipt_roots: list[str] = []
        self.act_id: int | None = None
        self.act_missing: Callable[[], int] = _act_unknown
        self.unposted_changes = 0
        self._numbers_read()

    def _numbers_read(self) -> None:
        self.link = link_last(self.database)
        self.entry_last: int = self.one("SELECT coalesce(max(entry_id), 0) FROM entries")
        self._snapshot_last: int = self.one("SELECT coalesce(max(entry_id), 0) FROM snapshots")
        self._day_last: int | None = self.one(
            "SELECT business_date FROM entry_days ORDER BY first_entry DESC LIMIT 1"
        )

    @classmethod
    def open(cls, data: Path | str, database: str | None = None) -> Self:
        """Open ``data/registry/`` for writing, creating it where it is not there.

        Parameters
        ----------
        data
            The data folder.
        database
            ``postgresql://...``; None takes the one the registry began with, or SQLite.

        Raises
        ------
        DatabaseAway
            The database's server can't be reached.
        StoreError
            Another process has it open, or the database is none of ours.
        """
        folder = Path(data) / "registry"
        folder.mkdir(parents=True, exist_ok=True)
        lock = None
        try:
            lock = folder_lock(folder)
            connect = partial(writer_open, folder, database)
            opened = connect()
            _schema_ready(opened)
            before = head_kept(folder)
            head_check(opened, before)
            head_file = HeadFile(folder)
            balances = balances_load(opened)
            return cls(opened, balances, lock, connect, head_file=head_file, head_before=before)
        except DatabaseError as error:
            if lock is not None:
                lock.release()
            kind = DatabaseAway if isinstance(error, DatabaseLost) else StoreError
            raise kind(str(error)) from error

    @classmethod
    def open_reader(cls, data: Path | str, database: str | None = None) -> Self:
        """Open ``data/registry/`` for reading, whether or not a daemon is at work on it."""
        folder = Path(data) / "registry"
        try:
            before = head_kept(folder)
            opened = reader_open(folder, database)
            schema_check(opened)
        except DatabaseError as error:
            raise StoreError(str(error)) from error
        return cls(opened, head_before=before)

    def reconnect(self) -> None:
        """Connect again after `DatabaseLost`, and read anew what was committed.

        A commit that was under way counts if it is there now; `last_seq` and `requests` say so.

        Raises
        ------
        DatabaseError
            The database is not back; nothing was changed.
        """
        if self._connect is None:
            raise StoreError(f"{self.database.name}: expected a writer, is open for reading")
        self.database.close()
        database = self._connect()
        schema_check(database)
        triggers_check(database)
        head_check(database, (self.link.link_id, self.link.head))
        self._balances = balances_load(database)
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
        depth, entry_last, snapshot_last = self._depth, self.entry_last, self._snapshot_last
        day_last = self._day_last
        level, act_before, link = f"level_{depth}", self.act_id, self.link
        roots_before = len(self._receipt_roots)
        if depth == 0:
            self._begin()
        else:
            self.database.savepoint(level)
        if act_id is not None:
            self.act_id = act_id
        self._depth += 1
        self.balances.level_begin()
        try:
            yield
            if depth == 0:
                self._snapshot_if_due()
                self.link = link_add(self.database, link, " ".join(self._receipt_roots))
                self.database.commit()
            else:
                self.database.release(level)
        except BaseException:
            self.balances.level_undo()
            self.entry_last, self._snapshot_last = entry_last, snapshot_last
            self.link, self.act_id = link, act_before
            del self._receipt_roots[roots_before:]
            self._day_last = day_last
            if depth == 0:
                self.database.rollback()
            else:
                self.database.rollback_to(level)
            raise
        else:
            self.balances.level_keep()
            if act_id is not None or depth == 0:
                self.act_id = act_before
            if depth == 0:
                self._receipt_roots.clear()
                if self._head_file is not None and self.link is not link:
                    self._head_file.keep(self.link)
        finally:
            self._depth -= 1

    def business_date(self, today: Callable[[], int]) -> int:
        """Return the day; within a transaction the one it first asked for, also past midnight."""
        if self._depth == 0:
            return today()
        if self._business_date is None:
            self._business_date = today()
        return self._business_date

    def _begin(self) -> None:
        self._business_date = None
        self.database.begin()
        try:
            nothing_else_check(self.database, self.link)
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

    def next_id(self, table: str, column: str) -> int:
        """Return the id after a table's last; the first is 1. Rows are never taken away."""
        number: int = self.one(f"SELECT 1 + coalesce(max({column}), 0) FROM {table}")
        return number

    def insert(self, into: str, rows: Iterable[Sequence[Any]]) -> None:
        """Insert rows into a table and columns, as ``claims_paid (claim_id, entry_id)``."""
        self.database.insert(into, rows)

    # -- what the registry knows --------------------------------------------------------------

    @property
    def log_id(self) -> str | None:
        """Identity of the venue's stream that is settled here; None before its first record."""
        return self.one("SELECT log_id FROM meta")

    @property
    def last_seq(self) -> int:
        """Last settlement sequence that is applied and committed."""
        return self.one("SELECT last_seq FROM meta")

    @property
    def confirmed_date(self) -> int:
        """Last trading day (yyyymmdd) settled and agreed with the venue's totals; 0 is none."""
        return self.one("SELECT confirmed_date FROM meta")

    @property
    def state(self) -> str:
        """``ok``, or ``diverged: ...`` with what differs."""
        return self.one("SELECT state FROM meta")

    def last_seq_set(self, log_id: str | None, last_seq: int) -> None:
        """Store how far settlement is; belongs in the transaction of the postings."""
        self.execute("UPDATE meta SET log_id = ?, last_seq = ?", (log_id, last_seq))

    def account_index(self, account: str) -> int | None:
        """Return a participant's index, None if there is no such account."""
        return self.one(
            "SELECT account_index FROM accounts WHERE account = ? AND account_index >= 0",
            (account,),
        )

    def product_index(self, product: str) -> int | None:
        """Return a product's index, None if there is no such product."""
        return self.one("SELECT product_index FROM products WHERE product = ?", (product,))

    def account_name(self, account_index: int) -> str:
        """Return an account's name, institutions included, for a message to a person."""
        name = self.one("SELECT account FROM accounts WHERE account_index = ?", (account_index,))
        return name if name is not None else f"account {account_index}, which is not declared"

    def asset_name(self, asset_index: int) -> str:
        """Return an asset's name, for a message to a person."""
        if asset_index == CASH_ASSET:
            return CASH_NAME
        name = self.one("SELECT product FROM products WHERE product_index = ?", (asset_index,))
        return name if name is not None else f"product {asset_index}, which is not declared"

    # -- holdings and entries -----------------------------------------------------------------

    @property
    def is_writer(self) -> bool:
        """Whether it was opened for writing."""
        return self._balances is not None

    @property
    def balances(self) -> Balances:
        """What everybody holds now; a writer's only."""
        if self._balances is None:
            raise StoreError(f"{self.database.name}: expected a writer, is open for reading")
        return self._balances

    def balance(self, holding: Holding) -> int:
        """Return what is held, in tonnes or fen; 0 where nothing ever was."""
        if self._balances is not None:
            return self._balances[holding]
        return balance_as_of(self.database, holding, self.entry_last)

    def entry_add(
        self,
        kind: EntryKind,
        postings: Sequence[Posting],
        subject: tuple[int, int, int, int] = (0, 0, 0, 0),
        *,
        settlement_seq: int,
        business_date: int,
        reference: str = "",
    ) -> int:
        """Post an entry, within a transaction.

        Parameters
        ----------
        kind, postings
            Why, and the legs.
        subject
            From which account to which, which asset and how much; zeros for a trade.
        settlement_seq
            That settlement has reached: of the record that caused it, if one did.
        business_date
            As yyyymmdd.
        reference
            Which act or late trade caused it.

        Returns
        -------
        int
            Its id, the ledger's sequence.

        Raises
        ------
        LedgerError
            It can't be; then nothing of it was posted.
        """
        (entry_id,) = self.entries_add(
            [(kind, postings, subject)],
            settlement_seq=settlement_seq,
            business_date=business_date,
            reference=reference,
        )
        return entry_id

    def entries_add(
        self,
        entries: Iterable[tuple[EntryKind, Sequence[Posting], tuple[int, int, int, int]]],
        *,
        settlement_seq: int,
        business_date: int,
        reference: str = "",
    ) -> range:
        """Post entries that belong together, one after the other, and write them at once.

        Parameters
        ----------
        entries
            Of each the kind, the postings and the subject, as `entry_add` takes them.

        Returns
        -------
        range
            Their ids.

        Raises
        ------
        LedgerError
            One can't be. Those before it are posted and not written, so that a transaction that
            has more than one of them must be taken back.
        """
        if self._depth == 0:
            raise LedgerError("an entry must be posted within a transaction")
        if self.act_id is None:
            self.act_id = self.act_missing()
        rows: list[tuple[Any, ...]] = []
        legs: list[tuple[int, ...]] = []
        first = self.entry_last + 1
        for entry_id, (kind, postings, subject) in enumerate(entries, first):
            post(self.balances, postings)
            rows.append(
                (
                    *(entry_id, int(kind), settlement_seq, business_date),
                    *(*map(int, subject), reference, self.act_id),
                )
            )
            legs += [
                (LEGS_MAX * entry_id + leg, int(account), asset, int(compartment), amount)
                for leg, (account, asset, compartment, amount) in enumerate(postings)
                # A seller whose fee eats the whole proceeds gets a leg of nothing.
                if amount
            ]
        self.insert(
            "entries (entry_id, kind, settlement_seq, business_date, account_index, counter_index,"
            " asset_index, amount, reference, act_id)",
            rows,
        )
        if rows:
            self.day_note(first, business_date)
        self.insert("postings (posting_id, account_index, asset_index, compartment, amount)", legs)
        self.entry_last += len(rows)
        return range(first, first + len(rows))

    def day_note(self, first_entry: int, business_date: int) -> None:
        """Keep that entries from one on are of a day, if those before are not; after them."""
        if business_date != self._day_last:
            self.insert("entry_days (first_entry, business_date)", [(first_entry, business_date)])
            self._day_last = business_date

    def _snapshot_if_due(self) -> None:
        if self.entry_last - self._snapshot_last >= SNAPSHOT_ENTRY_COUNT:
            self.snapshot()

    def snapshot(self) -> None:
        """Keep all balances as they are now, so that less is read from here on."""
        if self.entry_last > self._snapshot_last:
            date = self.one(
                "SELECT business_date FROM entries WHERE entry_id = ?", (self.entry_last,)
            )
            snapshot_write(self.database, self.balances, self.entry_last, self.last_seq, date)
            self._snapshot_last = self.entry_last


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
    raise LedgerError("an entry must be caused by an act or a settlement record")


def _schema_ready(database: Database) -> None:
    """Create the tables in a new database; check them in one that has some."""
    database.begin()
    try:
        if not database.has_schema():
            schema_create(database)
            link_add(database, BEFORE_ALL)
        database.commit()
    except BaseException:
        database.rollback()
        raise
    schema_check(database)
    triggers_check(database)


def hash_text(value: int) -> str:
    """Return a 64-bit hash as 16 hexadecimal digits."""
    return f"{value:016x}"

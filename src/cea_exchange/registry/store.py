"""The registry's database: one SQLite file, one writer connection, every commit on disk.

SQLite runs in WAL mode with ``synchronous=FULL``: a committed run survives a power failure. The
writer holds ``DIR/registry/lock``; readers (reconciliation, statements) open their own connection,
which can't write and never checkpoints the WAL.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import apsw

from cea_exchange.domain.naming import CASH_NAME, holding_hash
from cea_exchange.registry.ledger import (
    CASH_ASSET,
    CONTRA_NAMES,
    Compartment,
    EntryKind,
    Holding,
    Posting,
    post,
)

SCHEMA_VERSION = 3
SQLITE_VERSION_MIN = (3, 51, 3)  # older ones can lose commits (WAL-reset bug)
BUSY_MS = 10_000

_SCHEMA = """
CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    log_id TEXT,                        -- of the venue's stream; NULL before its first record
    last_seq INTEGER NOT NULL CHECK (last_seq >= 0),
    confirmed_date INTEGER NOT NULL,    -- last day settled and agreed, yyyymmdd; 0 is none
    state TEXT NOT NULL,                -- 'ok' or 'diverged: ...'
    summed_posting_id INTEGER NOT NULL, -- last posting in `posted_sums`; 0 is none
    summed_seq INTEGER NOT NULL         -- of the checkpoint that agreed there
) STRICT;
CREATE TABLE accounts (
    account_index INTEGER PRIMARY KEY,            -- the venue's index; negative is a contra account
    account TEXT NOT NULL UNIQUE,
    account_group TEXT NOT NULL
) STRICT;
CREATE TABLE products (
    product_index INTEGER PRIMARY KEY CHECK (product_index BETWEEN 0 AND 65534),
    product TEXT NOT NULL UNIQUE,
    reference_price INTEGER NOT NULL CHECK (reference_price > 0)
) STRICT;
CREATE TABLE keys (
    public_key TEXT PRIMARY KEY,
    account_index INTEGER NOT NULL,
    operator_index INTEGER NOT NULL CHECK (operator_index BETWEEN 0 AND 15),
    role TEXT NOT NULL,
    cancel_on_disconnect INTEGER NOT NULL CHECK (cancel_on_disconnect IN (0, 1)),
    revoked INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE entries (
    entry_id INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    settlement_seq INTEGER NOT NULL,    -- of the record that caused it; 0 is a registry's act
    account_index INTEGER NOT NULL,     -- what was asked, kept beside what was posted;
    asset_index INTEGER NOT NULL,       -- a trade's figures are in `trades`
    amount INTEGER NOT NULL
) STRICT;
CREATE TABLE postings (
    posting_id INTEGER PRIMARY KEY,
    entry_id INTEGER NOT NULL,
    settlement_seq INTEGER NOT NULL,
    account_index INTEGER NOT NULL,
    asset_index INTEGER NOT NULL,
    compartment INTEGER NOT NULL,
    amount INTEGER NOT NULL CHECK (amount <> 0)
) STRICT;
CREATE TABLE balances (
    account_index INTEGER NOT NULL,
    asset_index INTEGER NOT NULL,
    compartment INTEGER NOT NULL,
    amount INTEGER NOT NULL CHECK (amount >= 0 OR account_index < 0),
    PRIMARY KEY (account_index, asset_index, compartment)
) STRICT, WITHOUT ROWID;
CREATE TABLE posted_sums (              -- of the postings up to `summed_posting_id`
    account_index INTEGER NOT NULL,
    asset_index INTEGER NOT NULL,
    compartment INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (account_index, asset_index, compartment)
) STRICT, WITHOUT ROWID;
CREATE TABLE settlement_records (
    settlement_seq INTEGER PRIMARY KEY CHECK (settlement_seq > 0),
    kind INTEGER NOT NULL,
    record BLOB NOT NULL CHECK (length(record) = 160)
) STRICT;
CREATE TABLE trades (
    settlement_seq INTEGER PRIMARY KEY CHECK (settlement_seq > 0),
    trade_id INTEGER NOT NULL,
    trading_date INTEGER NOT NULL,
    method INTEGER NOT NULL,
    buyer_index INTEGER NOT NULL,
    seller_index INTEGER NOT NULL,
    product_index INTEGER NOT NULL,
    price INTEGER NOT NULL,
    tonnes INTEGER NOT NULL,
    cash INTEGER NOT NULL,
    buy_fee INTEGER NOT NULL,
    sell_fee INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('settled', 'failed', 'busted')),
    failure TEXT NOT NULL               -- why it was not posted when it came; '' if it was
) STRICT;
CREATE UNIQUE INDEX trades_by_id ON trades (trade_id);
CREATE INDEX trades_failed ON trades (trade_id) WHERE failure <> '';
CREATE TABLE busts (
    settlement_seq INTEGER PRIMARY KEY CHECK (settlement_seq > 0),
    trade_seq INTEGER NOT NULL UNIQUE,  -- settlement_seq of the trade
    reason INTEGER NOT NULL             -- 0: it was undone; else why not, and there are claims
) STRICT;
CREATE TABLE claims (
    claim_id INTEGER PRIMARY KEY,
    settlement_seq INTEGER NOT NULL,    -- of the bust
    trade_id INTEGER NOT NULL,
    debtor_index INTEGER NOT NULL,      -- owes
    creditor_index INTEGER NOT NULL,    -- is owed
    asset_index INTEGER NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0)
) STRICT;
CREATE INDEX trades_unsettled ON trades (state) WHERE state <> 'settled';
CREATE TABLE transfers (
    transfer_seq INTEGER PRIMARY KEY,
    direction TEXT NOT NULL CHECK (direction IN ('in', 'out')),
    account_index INTEGER NOT NULL,
    asset_index INTEGER NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    state TEXT NOT NULL CHECK (state IN ('pending', 'completed', 'rejected')),
    reason INTEGER NOT NULL DEFAULT 0,
    settlement_seq INTEGER NOT NULL DEFAULT 0     -- of the venue's answer
) STRICT;
CREATE INDEX transfers_pending ON transfers (state) WHERE state = 'pending';
CREATE TABLE feed (
    transfer_seq INTEGER PRIMARY KEY CHECK (transfer_seq > 0),
    item BLOB NOT NULL
) STRICT;
CREATE TABLE checkpoints (
    settlement_seq INTEGER PRIMARY KEY,
    trading_date INTEGER NOT NULL,
    venue_hash TEXT NOT NULL,                     -- 16 hexadecimal digits
    registry_hash TEXT NOT NULL
) STRICT;
CREATE TABLE day_closes (
    trading_date INTEGER NOT NULL,
    product_index INTEGER NOT NULL,
    settlement_seq INTEGER NOT NULL,
    PRIMARY KEY (trading_date, product_index)
) STRICT, WITHOUT ROWID;
CREATE TABLE requests (
    request_id TEXT PRIMARY KEY,                  -- the asker's own; a repeat gets the first answer
    request BLOB NOT NULL,
    answer BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER postings_no_update BEFORE UPDATE ON postings
    BEGIN SELECT raise(ABORT, 'postings are append-only'); END;
CREATE TRIGGER postings_no_delete BEFORE DELETE ON postings
    BEGIN SELECT raise(ABORT, 'postings are append-only'); END;
"""

# A venue's life has more postings than a checkpoint or a start could read: those up to the last
# checkpoint that agreed are summed up. A transaction that fails takes its sums back too.
_SUMS_ADD = """
INSERT INTO posted_sums
SELECT account_index, asset_index, compartment, sum(amount) FROM postings
WHERE posting_id > (SELECT summed_posting_id FROM meta)
GROUP BY account_index, asset_index, compartment
ON CONFLICT DO UPDATE SET amount = amount + excluded.amount
"""

# To the venue a trade that failed here has happened, until its bust undoes it.
_HOLDINGS_HASH = """
WITH unposted AS MATERIALIZED (
    -- The plus keeps SQLite from reading all trades by their key instead of the failed by theirs.
    SELECT * FROM trades WHERE state <> 'settled' AND failure <> ''
    AND +settlement_seq <= :seq AND NOT EXISTS (
        SELECT 1 FROM busts b
        WHERE b.trade_seq = trades.settlement_seq AND b.reason = 0 AND b.settlement_seq <= :seq
    )
)
SELECT sum_u64(holding_hash(a.account, coalesce(p.product, :cash_name), h.amount))
FROM (
    SELECT account_index, asset_index, sum(amount) AS amount FROM (
        SELECT account_index, asset_index, amount FROM posted_sums
        WHERE :summed > 0 AND compartment = :trading
        UNION ALL SELECT account_index, asset_index, amount FROM postings
        WHERE posting_id > :summed AND compartment = :trading AND settlement_seq <= :seq
        UNION ALL SELECT buyer_index, :cash, -(cash + buy_fee) FROM unposted
        UNION ALL SELECT seller_index, :cash, cash - sell_fee FROM unposted
        UNION ALL SELECT seller_index, product_index, -tonnes FROM unposted
        UNION ALL SELECT buyer_index, product_index, tonnes FROM unposted
    )
    GROUP BY account_index, asset_index HAVING sum(amount) <> 0
) h
JOIN accounts a ON a.account_index = h.account_index
LEFT JOIN products p ON p.product_index = h.asset_index
"""


class StoreError(Exception):
    """The registry's folder or database is not what was expected; nothing was changed."""


class Store:
    """An open registry database.

    Parameters
    ----------
    connection
        Of a database with the registry's schema.
    lock
        Descriptor of the locked file, for a writer; None for a reader.
    """

    def __init__(self, connection: apsw.Connection, lock: int | None = None) -> None:
        self.connection = connection
        self._lock = lock
        self._depth = 0
        _functions_register(connection)

    @classmethod
    def open(cls, data: Path | str) -> Self:
        """Open ``data/registry/`` for writing, creating it where it is not there.

        Raises
        ------
        StoreError
            Another process has it open, or the file is none of ours.
        """
        folder = Path(data) / "registry"
        folder.mkdir(parents=True, exist_ok=True)
        lock = _folder_lock(folder / "lock")
        try:
            connection = _connect(folder / "registry.sqlite", create=True)
            connection.pragma("journal_mode", "wal")
            connection.pragma("synchronous", 2)
            store = cls(connection, lock)
            store._schema_create()
        except BaseException:
            os.close(lock)
            raise
        return store

    @classmethod
    def open_reader(cls, data: Path | str) -> Self:
        """Open ``data/registry/`` for reading, whether or not a daemon is at work on it."""
        path = Path(data) / "registry" / "registry.sqlite"
        if not path.is_file():
            raise StoreError(f"{path}: expected a registry's database, there is none")
        connection = _connect(path, create=False)
        connection.pragma("wal_autocheckpoint", 0)
        connection.pragma("query_only", 1)
        _schema_version_check(connection, path)
        return cls(connection)

    def close(self) -> None:
        """Close the database and give up the lock."""
        self.connection.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    # -- transactions and rows ----------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is committed, or nothing; inside another one it joins that.

        An inner one that fails takes back its own part only.
        """
        outer = self._depth == 0
        self.execute("BEGIN IMMEDIATE" if outer else f"SAVEPOINT level_{self._depth}")
        self._depth += 1
        try:
            yield
        except BaseException:
            self._depth -= 1
            # SQLite has already rolled back by itself after some errors (disk full).
            if self.connection.in_transaction:
                self.execute("ROLLBACK" if outer else f"ROLLBACK TO level_{self._depth}")
                if not outer:
                    self.execute(f"RELEASE level_{self._depth}")
            raise
        self._depth -= 1
        self.execute("COMMIT" if outer else f"RELEASE level_{self._depth}")

    def execute(self, sql: str, values: Any = ()) -> apsw.Cursor:
        """Run one statement and return its rows."""
        return self.connection.execute(sql, values)

    def one(self, sql: str, values: Any = ()) -> Any:
        """Return the first row (of one column: its value), or None."""
        row = self.connection.execute(sql, values).fetchone()
        return row[0] if row is not None and len(row) == 1 else row

    # -- what the registry knows --------------------------------------------------------------

    @property
    def log_id(self) -> str | None:
        """Identity of the venue's stream that is settled here; None before its first record."""
        return self.one("SELECT log_id FROM meta")

    @property
    def last_seq(self) -> int:
        """Last settlement sequence that is settled and committed."""
        return self.one("SELECT last_seq FROM meta")

    @property
    def confirmed_date(self) -> int:
        """Last trading day (yyyymmdd) settled and agreed with the venue's totals; 0 is none."""
        return self.one("SELECT confirmed_date FROM meta")

    @property
    def state(self) -> str:
        """``ok``, or ``diverged: ...`` with what differs."""
        return self.one("SELECT state FROM meta")

    def last_seq_set(self, log_id: str, last_seq: int) -> None:
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
        """Return an account's name, contra accounts included, for a message to a person."""
        name = self.one("SELECT account FROM accounts WHERE account_index = ?", (account_index,))
        return name if name is not None else f"account {account_index}, which is not declared"

    def asset_name(self, asset_index: int) -> str:
        """Return an asset's name, for a message to a person."""
        if asset_index == CASH_ASSET:
            return CASH_NAME
        name = self.one("SELECT product FROM products WHERE product_index = ?", (asset_index,))
        return name if name is not None else f"product {asset_index}, which is not declared"

    def balance(self, holding: Holding) -> int:
        """Return what is held, in tonnes or fen; 0 where nothing ever was."""
        amount = self.one(
            "SELECT amount FROM balances"
            " WHERE account_index = ? AND asset_index = ? AND compartment = ?",
            holding,
        )
        return 0 if amount is None else amount

    def holdings_hash(self, settlement_seq: int) -> int:
        """Compute the holdings hash of the trading accounts by SQL over the postings.

        Trades that failed count as if they were posted, until they are undone.

        Parameters
        ----------
        settlement_seq
            As of which sequence; later postings don't count.

        Returns
        -------
        int
            Equal to the venue's hash at the same sequence if both hold the same.
        """
        summed, summed_seq = self.summed
        values = {
            "cash": CASH_ASSET,
            "cash_name": CASH_NAME,
            "trading": int(Compartment.TRADING),
            "seq": settlement_seq,
            "summed": summed if summed_seq <= settlement_seq else 0,
        }
        return int(self.one(_HOLDINGS_HASH, values), 16)

    @property
    def summed(self) -> tuple[int, int]:
        """Last posting in the table ``posted_sums``, and the sequence it was summed up at."""
        return self.one("SELECT summed_posting_id, summed_seq FROM meta")

    def postings_sum_up(self, settlement_seq: int) -> None:
        """Sum up all postings, so that a hash or a start reads only those that come.

        Parameters
        ----------
        settlement_seq
            Of the last record posted, in this transaction; 0 to read everything again.
        """
        if settlement_seq:
            self.execute(_SUMS_ADD)
            posting_id = self.one("SELECT coalesce(max(posting_id), 0) FROM postings")
        else:
            self.execute("DELETE FROM posted_sums")
            posting_id = 0
        self.execute(
            "UPDATE meta SET summed_posting_id = ?, summed_seq = ?", (posting_id, settlement_seq)
        )

    def _schema_create(self) -> None:
        """Create the schema in a new database; check it in one that is there."""
        path = Path(self.connection.filename)
        with self.transaction():
            if self.one("PRAGMA user_version") == 0 and not self.one(
                "SELECT count(*) FROM sqlite_schema"
            ):
                self.connection.execute(_SCHEMA)
                self.execute("INSERT INTO meta VALUES (1, NULL, 0, 0, 'ok', 0, 0)")
                self.connection.executemany(
                    "INSERT INTO accounts VALUES (?, ?, '')",
                    [(int(index), name) for index, name in CONTRA_NAMES.items()],
                )
                self.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        _schema_version_check(self.connection, path)


class EntryBatch:
    """Collects entries, checking each against the balances before it, and writes them at once.

    Only useful inside one transaction: balances are read when first touched and kept.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._balances = _LoadedBalances(store)
        self._entries: list[tuple[int, ...]] = []
        self._postings: list[tuple[int, ...]] = []
        self._entry_id = store.one("SELECT coalesce(max(entry_id), 0) FROM entries")

    def add(
        self,
        kind: EntryKind,
        postings: Sequence[Posting],
        *,
        settlement_seq: int = 0,
        subject: tuple[int, int, int] = (0, 0, 0),
    ) -> None:
        """Take an entry in.

        Parameters
        ----------
        kind, postings
            Why, and the legs.
        settlement_seq
            Of the record that caused it; 0 for an act of the registry.
        subject
            Account, asset and amount that were asked for; zeros for a trade.

        Raises
        ------
        LedgerError
            It can't be; then nothing of it was taken in.
        """
        post(self._balances, postings)
        self._entry_id += 1
        self._entries.append((self._entry_id, int(kind), settlement_seq, *subject))
        for account, asset, compartment, amount in postings:
            # A seller whose fee eats the whole proceeds gets a leg of nothing.
            if amount:
                self._postings.append(
                    (
                        self._entry_id,
                        settlement_seq,
                        int(account),
                        asset,
                        int(compartment),
                        amount,
                    )
                )

    def write(self) -> None:
        """Write entries, postings and the balances they lead to."""
        connection = self._store.connection
        connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)", self._entries)
        connection.executemany(
            "INSERT INTO postings VALUES (NULL, ?, ?, ?, ?, ?, ?)", self._postings
        )
        connection.executemany(
            "INSERT INTO balances VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET amount = excluded.amount",
            [(*map(int, holding), amount) for holding, amount in self._balances.items()],
        )
        self._entries.clear()
        self._postings.clear()
        self._balances.clear()


class _LoadedBalances(dict[Holding, int]):
    """Balances that are read from the database when first asked for."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store

    def __missing__(self, holding: Holding) -> int:
        return self._store.balance(holding)


def hash_text(value: int) -> str:
    """Return a 64-bit hash as 16 hexadecimal digits."""
    return f"{value:016x}"


def _connect(path: Path, *, create: bool) -> apsw.Connection:
    version = tuple(int(part) for part in apsw.sqlite_lib_version().split(".")[:3])
    if version < SQLITE_VERSION_MIN:
        raise StoreError(f"SQLite must be 3.51.3 or newer, was {apsw.sqlite_lib_version()}")
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
    try:
        connection = apsw.Connection(str(path), flags=flags)
        connection.set_busy_timeout(BUSY_MS)
        connection.pragma("user_version")
    except apsw.Error as error:
        raise StoreError(f"{path}: expected an SQLite database, {error}") from None
    return connection


def _schema_version_check(connection: apsw.Connection, path: Path) -> None:
    version = connection.pragma("user_version")
    if version != SCHEMA_VERSION:
        raise StoreError(f"{path}: schema version must be {SCHEMA_VERSION}, was {version}")


def _folder_lock(path: Path) -> int:
    """Lock the folder against a second process; the lock ends with the process."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise StoreError(f"{path}: another process has this registry open") from None
    return descriptor


def _functions_register(connection: apsw.Connection) -> None:
    """Teach SQLite the two functions of the holdings hash."""
    connection.create_scalar_function(
        "holding_hash",
        lambda account, asset, amount: hash_text(holding_hash(account, asset, amount)),
        3,
        deterministic=True,
    )
    connection.create_aggregate_function("sum_u64", lambda: ([0], _sum_step, _sum_final), 1)


def _sum_step(context: list[int], term: str) -> None:
    # SQLite's integers are signed and its sum() refuses to wrap, so the hashes travel as text.
    context[0] += int(term, 16)


def _sum_final(context: list[int]) -> str:
    return hash_text(context[0] & 0xFFFF_FFFF_FFFF_FFFF)

"""Bring a registry's database of an older version to this one: all of it, or nothing.

    backup --> BEGIN --> old tables aside --> new tables --> rows --> check of the ledger --> COMMIT
        --> give back the space of the old ones

Of version 3 all tables are made anew; it was of SQLite only. From version 4 on only what has
changed is made anew, in either database.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from cea_exchange.domain.records import EVENT_DTYPE
from cea_exchange.registry.database.folder import folder_lock, has_database, writer_open
from cea_exchange.registry.database.interface import Database, DatabaseError
from cea_exchange.registry.database.schema import (
    APPEND_ONLY,
    SCHEMA_VERSION,
    schema_check,
    schema_create,
    schema_version,
    table_text,
)
from cea_exchange.registry.database.sqlite import Sqlite
from cea_exchange.registry.history import balances_load
from cea_exchange.registry.reconcile import Reconciliation, check_store
from cea_exchange.registry.store import Store, StoreError

VERSIONS_BEFORE = (3, 4)
RUN_COUNT = 4_096
_DATE_AT = EVENT_DTYPE.fields["trading_date"][1]

_NEW_IN_5 = ("allocation_units", "desk_settings")
_OTHER_IN_5 = ("bank_instructions",)
"""Their columns are the same, but not what may stand in them."""

_ASIDE = (
    *("meta", "accounts", "products", "keys", "entries", "postings", "balances", "posted_sums"),
    *("settlement_records", "trades", "busts", "claims", "transfers", "feed", "checkpoints"),
    *("day_closes", "requests", "adoptions"),
)

_COPY = """
UPDATE meta SET (log_id, last_seq, confirmed_date, state) =
    (SELECT log_id, last_seq, confirmed_date, state FROM old_meta);
INSERT INTO accounts
SELECT account_index, account, account_group, 'entity', account, NULL, 0, 'open', 0, '', '', ''
FROM old_accounts WHERE account_index >= 0;
-- When they were opened is not known.
INSERT INTO account_changes
SELECT account_index + 1, account_index, 0, 0, 'opened', '', account, '', ''
FROM old_accounts WHERE account_index >= 0;
INSERT INTO products SELECT product_index, product, reference_price, NULL FROM old_products;
INSERT INTO keys SELECT * FROM old_keys;
-- An act is given the sequence that settlement had reached, and the day of the last record.
INSERT INTO entries
SELECT e.entry_id, e.kind, max(e.settlement_seq) OVER reached,
    max(coalesce(record_date(r.record), 0)) OVER reached,
    CASE e.kind WHEN 1 THEN -1 WHEN 2 THEN -2 ELSE e.account_index END,
    e.account_index, e.asset_index, e.amount, ''
FROM old_entries e LEFT JOIN old_settlement_records r ON r.settlement_seq = e.settlement_seq
WINDOW reached AS (ORDER BY e.entry_id) ORDER BY e.entry_id;
-- Fees taken were kept as if they came from outside.
INSERT INTO postings
SELECT 8 * entry_id + row_number() OVER (PARTITION BY entry_id ORDER BY posting_id) - 1,
    account_index, asset_index, CASE account_index WHEN -3 THEN 1 ELSE compartment END, amount
FROM old_postings ORDER BY entry_id, posting_id;
INSERT INTO trades
SELECT settlement_seq, trade_id, trading_date, method, buyer_index, seller_index, product_index,
    price, tonnes, cash, buy_fee, sell_fee, state, failure,
    CASE failure WHEN '' THEN settlement_seq ELSE 0 END
FROM old_trades;
INSERT INTO busts SELECT * FROM old_busts;
INSERT INTO claims SELECT * FROM old_claims;
INSERT INTO transfers SELECT * FROM old_transfers;
INSERT INTO feed SELECT * FROM old_feed;
INSERT INTO checkpoints SELECT * FROM old_checkpoints;
INSERT INTO day_closes SELECT * FROM old_day_closes;
INSERT INTO requests SELECT * FROM old_requests;
"""

_BALANCES_DIFFER = """
SELECT account_index FROM (
    SELECT account_index, asset_index, compartment, amount FROM balances
    UNION ALL
    SELECT account_index, asset_index, CASE account_index WHEN -3 THEN 1 ELSE compartment END,
        -amount
    FROM old_balances
) GROUP BY account_index, asset_index, compartment HAVING sum(amount) <> 0 LIMIT 1
"""


def migrate(
    data: Path, say: Callable[[str], None] = lambda line: None
) -> tuple[Path | None, Reconciliation]:
    """Bring the registry in ``data/registry/`` from version 3 or 4 to this one.

    Parameters
    ----------
    say
        Told, line by line, what is being done: each step may take minutes.

    Returns
    -------
    Path or None, Reconciliation
        The copy of what was there before, of SQLite; and what the check of the new ledger found.

    Raises
    ------
    StoreError
        A daemon has it open, it is of another version, or its ledger does not agree with itself;
        nothing was changed.
    """
    folder = data / "registry"
    if not has_database(folder):
        raise StoreError(f"{folder}: expected a registry's database, there is none")
    try:
        lock = folder_lock(folder / "lock")
        try:
            return _migrate(folder, say)
        finally:
            os.close(lock)
    except DatabaseError as error:
        raise StoreError(str(error)) from error


def _migrate(folder: Path, say: Callable[[str], None]) -> tuple[Path | None, Reconciliation]:
    database = writer_open(folder, None)
    try:
        version = schema_version(database)
        if version not in VERSIONS_BEFORE:
            raise StoreError(
                f"{database.name}: schema version must be 3 or 4 to be brought to"
                f" {SCHEMA_VERSION}, was {version}"
            )
        kept = None
        if isinstance(database, Sqlite):
            kept = folder / f"registry.version{version}.sqlite"
            draft = kept.with_suffix(".new")
            say(f"keeping the database of version {version} in {kept}")
            draft.unlink(missing_ok=True)
            database.backup(draft)
            os.replace(draft, kept)
        say(f"making the tables of version {SCHEMA_VERSION}")
        database.begin()
        try:
            if isinstance(database, Sqlite) and version == 3:
                _moved(database)
            else:
                _added(database)
            say("checking the ledger")
            schema_check(database)
            found = check_store(Store(database))
            if not found.agrees:
                raise StoreError(f"{database.name}: {found.sentence()}")
            database.commit()
        except BaseException:
            database.rollback()
            raise
        _compact(database, say)
    finally:
        database.close()
    return kept, found


def _compact(database: Database, say: Callable[[str], None]) -> None:
    """Give back the space of what is gone; all is done already, so a failure is only told."""
    before = database.bytes_used()
    say(f"giving back space, {before >> 10} KiB are used")
    try:
        database.compact([*_NEW_IN_5, *_OTHER_IN_5])
    except DatabaseError as error:
        say(f"no space was given back: {error}")
    else:
        say(f"{database.bytes_used() >> 10} KiB are used now")


def _added(database: Database) -> None:
    """Make anew what version 4 had otherwise, or not at all."""
    for table in _NEW_IN_5:
        database.script(table_text(table))
        if table in APPEND_ONLY:
            database.append_only(table)
    for table in _OTHER_IN_5:
        text = table_text(table)
        for index in re.findall(r"INDEX (\w+) ON", text):
            database.execute(f"DROP INDEX {index}")
        database.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
        database.script(text)
        database.execute(f"INSERT INTO {table} SELECT * FROM old_{table}")
        database.execute(f"DROP TABLE old_{table}")
    database.execute("UPDATE meta SET schema_version = ?", (SCHEMA_VERSION,))


def _moved(database: Sqlite) -> None:
    """Move the rows of version 3 into tables of this one."""
    database.connection.create_scalar_function("record_date", _record_date, 1, deterministic=True)
    aside = [table for table in _ASIDE if _is_there(database, table)]
    rows = database.execute(
        "SELECT type, name FROM sqlite_schema WHERE type IN ('trigger', 'index') AND sql <> ''"
    )
    for kind, name in rows.fetchall():
        database.execute(f"DROP {kind} {name}")
    for table in aside:
        database.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    schema_create(database)
    database.script(_COPY)
    if "adoptions" in aside:
        database.execute("INSERT INTO adoptions SELECT * FROM old_adoptions")
    database.insert("settlement_runs", _runs(database))
    odd = database.execute(_BALANCES_DIFFER).fetchone()
    if odd is not None:
        raise StoreError(
            f"{database.name}: balances must be the sum of the postings,"
            f" were not for account {odd[0]}"
        )
    for table in aside:
        database.execute(f"DROP TABLE old_{table}")
    database.execute("PRAGMA user_version = 0")
    Store(database, balances_load(database)).snapshot()


def _runs(database: Sqlite) -> Iterator[tuple[int, int, bytes]]:
    """Yield the records as rows of `settlement_runs`."""
    rows = database.stream(
        "SELECT settlement_seq, record FROM old_settlement_records ORDER BY settlement_seq"
    )
    first, records = 0, list[bytes]()
    for seq, record in rows:
        if len(records) == RUN_COUNT or seq != first + len(records):
            if records:
                yield first, len(records), b"".join(records)
            first, records = seq, []
        records.append(record)
    if records:
        yield first, len(records), b"".join(records)


def _is_there(database: Sqlite, table: str) -> bool:
    found = database.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
    return found is not None


def _record_date(record: bytes | None) -> int | None:
    """Return the trading day in a settlement record."""
    return None if record is None else int.from_bytes(record[_DATE_AT : _DATE_AT + 4], "little")

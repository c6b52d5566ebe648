"""A ledger changed by hand, as by somebody with a database tool; for tests that it is found."""

from hashlib import sha256
from pathlib import Path

import apsw
import numpy as np

from cea_exchange.domain.records import EVENT_DTYPE
from cea_exchange.ledger.database.row_log import logged_tables
from cea_exchange.ledger.database.sqlite import Sqlite
from cea_exchange.ledger.store import Store
from cea_exchange.registry.store import RegistryStore


def guards_off(store: Store) -> None:
    """Switch off what keeps a ledger append-only, what logs its rows, and its foreign keys."""
    if isinstance(store.database, Sqlite):
        # Within a transaction keys can't be switched off, only looked at when it is committed.
        store.execute("PRAGMA foreign_keys = off")
        store.execute("PRAGMA defer_foreign_keys = on")
        # Of this connection alone: to make the triggers anew takes longer than most tests.
        store.database.connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    else:
        store.execute("SET session_replication_role = replica")
        _triggers(store, "DISABLE")


def guards_on(store: Store) -> None:
    """Switch them on again."""
    if isinstance(store.database, Sqlite):
        store.database.connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 1)
        store.execute("PRAGMA foreign_keys = on")
    else:
        _triggers(store, "ENABLE")
        store.execute("SET session_replication_role = origin")


def triggers_dropped(store: Store) -> None:
    """Take the triggers out, for who changes what they name."""
    for _table, name in store.database.triggers():
        store.execute(f"DROP TRIGGER {name}")


def changed(store: Store, *statements: str) -> None:
    """Run statements on a ledger whose guards are off meanwhile."""
    guards_off(store)
    for statement in statements:
        store.execute(statement)
    guards_on(store)


def _triggers(store: Store, switch: str) -> None:
    for table in {*store.schema.guarded, *(table.name for table in logged_tables(store.schema))}:
        store.execute(f"ALTER TABLE {table} {switch} TRIGGER USER")


def changed_at_rest(data: Path, *statements: str) -> None:
    """Change the ledger of a data folder that no process has open."""
    with RegistryStore.open(data) as store:
        changed(store, *statements)


def record_changed(data: Path, settlement_seq: int, *, with_hash: bool = True) -> None:
    """Change a byte of a settlement record that a data folder keeps, and the hash beside it."""
    with RegistryStore.open(data) as store:
        guards_off(store)
        first, records = store.one(
            "SELECT first_seq, records FROM settlement_runs WHERE first_seq <= ?"
            " ORDER BY first_seq DESC LIMIT 1",
            (settlement_seq,),
        )
        spoiled = np.frombuffer(records, EVENT_DTYPE).copy()
        spoiled["price"][settlement_seq - first] ^= 1
        content = spoiled.tobytes()
        store.execute(
            "UPDATE settlement_runs SET records = ? WHERE first_seq = ?", (content, first)
        )
        if with_hash:
            store.execute(
                "UPDATE settlement_runs SET records_hash = ? WHERE first_seq = ?",
                (sha256(content).hexdigest(), first),
            )
        guards_on(store)


def snapshot_kept(store: Store) -> None:
    """Keep the balances as they are now, which a registry does every so many entries."""
    with store.transaction():
        store.snapshot()

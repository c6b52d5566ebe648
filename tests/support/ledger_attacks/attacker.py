"""Somebody who may write to an institution's database and folder, and knows how it is hashed.

What is changed is changed everywhere: the rows, the log of rows, the chain of hashes, and the head
of the chain beside the database. So the database agrees with itself as far as hashes go; only what
others keep, and what rows must be by other rows, can still contradict it.
"""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from cea_exchange.ledger.chain import BEFORE_ALL, LINK_COLUMNS, Link, content_hash, head_of
from cea_exchange.ledger.database.row_log import LoggedTable, logged_tables
from cea_exchange.ledger.head_file import FILE_NAME, HeadFile
from cea_exchange.ledger.record_store import RecordStore
from support.registry.ledger_by_hand import guards_off, guards_on


def rewritten(data: Path, kind: type[RecordStore], *statements: str) -> None:
    """Run statements as if rows had always been so, in the folder of an institution at rest."""
    with kind.open(data) as store:
        last = rewrite(store, *statements)
    head_replaced(kind.folder(data), last)


def rewrite(store: RecordStore, *statements: str) -> Link:
    """Run statements as if rows had always been so; return the last link as it is then."""
    before = store.link
    store.database.begin()
    guards_off(store)
    for statement in statements:
        store.execute(statement)
    runs_hashed_anew(store)
    log_rewritten(store)
    store.link = chain_hashed_anew(store)
    guards_on(store)
    store.database.commit()
    assert store.link.head != before.head, "nothing was changed"
    return store.link


def appended(data: Path, kind: type[RecordStore], *statements: str) -> None:
    """Run statements as a transaction of now, logged by the triggers and with a link of its own."""
    with kind.open(data) as store:
        store.act_id = 0
        with store.transaction():
            for statement in statements:
                store.execute(statement)


def head_replaced(folder: Path, last: Link) -> None:
    """Let the file beside the database have the head of the chain as it is now."""
    (folder / FILE_NAME).unlink()
    head_file = HeadFile(folder)
    head_file.keep(last)
    head_file.close()


def runs_hashed_anew(store: RecordStore) -> None:
    """Let each run of settlement records have the hash of its bytes."""
    table = store.schema.records_table
    if table is None:
        return
    for first_seq, records in store.all(f"SELECT first_seq, records FROM {table}"):
        digest = sha256(records).hexdigest()
        statement = f"UPDATE {table} SET records_hash = ? WHERE first_seq = ?"
        store.execute(statement, (digest, first_seq))


def log_rewritten(store: RecordStore) -> None:
    """Let the log of rows say of each row what it is now, as if it had come to that then.

    The log of a row that is gone is taken out, and the numbers after it are given anew.
    """
    for table in logged_tables(store.schema):
        now = dict(_images(store, table))
        logged = {
            key: (change_id, image)
            for change_id, key, image in store.all(
                "SELECT change_id, row_key, image FROM row_changes WHERE table_name = ?"
                " ORDER BY change_id",
                (table.name,),
            )
        }
        for key, (change_id, image) in logged.items():
            if key not in now and image:
                store.execute(
                    "DELETE FROM row_changes WHERE table_name = ? AND row_key = ?",
                    (table.name, key),
                )
            elif key in now and now[key] != image:
                store.execute(
                    "UPDATE row_changes SET image = ? WHERE change_id = ?", (now[key], change_id)
                )
        if table.on_insert:
            _added(store, table, ((key, now[key]) for key in now if key not in logged))
    _renumbered(store)


def _images(store: RecordStore, table: LoggedTable) -> Iterable[tuple[str, str]]:
    return store.all(
        f"SELECT {table.row_key()}, {table.image()} FROM {table.name} WHERE {table.condition('')}"
    )


def _added(store: RecordStore, table: LoggedTable, rows: Iterable[tuple[str, str]]) -> None:
    """Log rows within the last link."""
    for key, image in rows:
        change_id = store.next_id("row_changes", "change_id")
        store.execute(
            "INSERT INTO row_changes VALUES (?, ?, ?, ?)", (change_id, table.name, key, image)
        )
        store.execute(
            "UPDATE chain SET change_last = ? WHERE link_id = (SELECT max(link_id) FROM chain)",
            (change_id,),
        )


def _renumbered(store: RecordStore) -> None:
    """Close the gaps that rows taken out of the log have left."""
    kept = store.column("SELECT change_id FROM row_changes ORDER BY change_id")
    if kept == [*range(1, len(kept) + 1)]:
        return
    for link_id, change_last in store.all("SELECT link_id, change_last FROM chain"):
        count = store.one("SELECT count(*) FROM row_changes WHERE change_id <= ?", (change_last,))
        store.execute("UPDATE chain SET change_last = ? WHERE link_id = ?", (-count, link_id))
    store.execute("UPDATE chain SET change_last = -change_last")
    for number, change_id in enumerate(kept, start=1):
        store.execute(
            "UPDATE row_changes SET change_id = ? WHERE change_id = ?", (number, change_id)
        )


def chain_hashed_anew(store: RecordStore) -> Link:
    """Compute every link of the chain anew; return the last one."""
    last = BEFORE_ALL
    for row in store.all(f"SELECT {LINK_COLUMNS} FROM chain ORDER BY link_id"):
        link = Link(*row)
        content = content_hash(store.database, store.schema, last, link[1:4])
        head = head_of(link.link_id, last.head, link[1:4], content, link.receipt_root)
        store.execute(
            "UPDATE chain SET content_hash = ?, head = ? WHERE link_id = ?",
            (content, head, link.link_id),
        )
        last = link._replace(content_hash=content, head=head)
    return last

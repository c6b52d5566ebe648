"""Whether an institution's database is as the institution wrote it: chain, rows, triggers."""

from collections.abc import Iterator
from itertools import islice

from cea_exchange.ledger.chain import chain_breaks, records_wrong
from cea_exchange.ledger.database.row_log import logged_tables, unlogged_rows
from cea_exchange.ledger.database.schema import triggers_wrong
from cea_exchange.ledger.record_store import RecordStore


def integrity_differences(store: RecordStore) -> Iterator[str]:
    """Yield what was changed by others, within a transaction: must be nothing.

    Notes
    -----
    Rules: CEA-REG-05.
    """
    database, schema = store.database, store.schema
    yield from islice(triggers_wrong(database, schema), 1)
    yield from chain_breaks(database, schema)
    if store.head_before is not None:
        yield from _head_differing(store, *store.head_before)
    yield from records_wrong(database, schema)
    yield from rows_wrong(store)


def rows_wrong(store: RecordStore) -> Iterator[str]:
    """Yield the rows that are not what the log of rows says they are."""
    for table in logged_tables(store.schema):
        for name, row_key, now, logged in store.execute(unlogged_rows(table)).fetchall():
            what = f"row {row_key} of {name}"
            if logged is None:
                yield f"{what} was never written by the {store.schema.institution}"
            elif now is None:
                yield f"{what} is missing"
            else:
                yield f"{what}: expected {logged!r}, got {now!r}"


def _head_differing(store: RecordStore, link_id: int, head: str) -> Iterator[str]:
    got = store.one("SELECT head FROM chain WHERE link_id = ?", (link_id,))
    if link_id and got != head:
        yield (
            f"the folder has the head {head} of link {link_id}, the database"
            f" {'has no such link' if got is None else f'has {got}'}"
        )

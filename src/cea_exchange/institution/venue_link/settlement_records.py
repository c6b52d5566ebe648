"""Keeps the venue's settlement records run by run, and finds them by their sequence."""

from collections.abc import Iterator
from hashlib import sha256

import numpy as np

from cea_exchange.domain.records import EVENT_DTYPE
from cea_exchange.ledger.store import Store, StoreError


def records_keep(store: Store, records: np.ndarray) -> None:
    """Store a run; belongs in the transaction that applies it."""
    if len(records):
        first = int(records[0]["settlement_seq"])
        payload = records.tobytes()
        row = (first, len(records), payload, sha256(payload).hexdigest())
        store.insert("settlement_runs (first_seq, record_count, records, records_hash)", [row])


def record_at(store: Store, settlement_seq: int) -> np.ndarray | None:
    """Return one record, as Event[1], None where it is not kept."""
    row = store.one(
        "SELECT first_seq, record_count, records, records_hash FROM settlement_runs"
        " WHERE first_seq <= ? ORDER BY first_seq DESC LIMIT 1",
        (settlement_seq,),
    )
    if row is None or settlement_seq >= row[0] + row[1]:
        return None
    run, place = _records(*row), settlement_seq - row[0]
    return run[place : place + 1]


def records_from(store: Store, after_seq: int = 0) -> Iterator[np.ndarray]:
    """Yield the records behind a sequence, run by run.

    Each run is a look of its own, so that no view of the database is held in between.

    Yields as they were received; `verify` compares them with those of the journal.

    Raises StoreError: they are no Event records.
    """
    while True:
        row = store.one(
            "SELECT first_seq, record_count, records, records_hash FROM settlement_runs"
            " WHERE first_seq + record_count - 1 > ? AND first_seq >= ("
            "  SELECT coalesce(max(first_seq), 0) FROM settlement_runs WHERE first_seq <= ?)"
            " ORDER BY first_seq LIMIT 1",
            (after_seq, after_seq + 1),
        )
        if row is None:
            return
        run = _records(*row)
        yield run[max(0, after_seq + 1 - row[0]) :]
        after_seq = row[0] + row[1] - 1


def _records(first_seq: int, record_count: int, payload: bytes, records_hash: str) -> np.ndarray:
    if sha256(payload).hexdigest() != records_hash:
        raise StoreError(f"settlement records from {first_seq} on are not those of their hash")
    if len(payload) != record_count * EVENT_DTYPE.itemsize:
        raise StoreError(
            f"sequence {first_seq}: the registry's settlement records are no Event records"
        )
    records = np.frombuffer(payload, EVENT_DTYPE)
    if int(records[0]["settlement_seq"]) != first_seq:
        raise StoreError(
            f"sequence {first_seq}: the registry's settlement records are of"
            f" {records[0]['settlement_seq']} on"
        )
    return records

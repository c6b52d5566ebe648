"""The journal's golden bytes, in both directions. See protocol/journal.md."""

from pathlib import Path

import pytest

from cea_exchange.journal import (
    EventStore,
    Frame,
    FrameKind,
    Identity,
    Journal,
    JournalPoint,
    SegmentReader,
    SnapshotHeader,
    snapshot_read,
    snapshot_write,
)
from support.journal.volatile_storage import VolatileStorage
from support.places import ROOT

VECTORS = ROOT / "protocol" / "vectors" / "files" / "journal"
DIRECTORY = Path("/data/journal")
SEGMENT = DIRECTORY / "00000000000000000001.seg"
LOG_ID = "00112233445566778899aabbccddeeff"
IDENTITY = Identity(code_version="0.1.0", schema_version=1, profile_hash="f" * 32)
DAY_CLOSE = b"\x81\xa1t\xa9day_close"
FRAMES = [
    Frame(FrameKind.CONTROL, 1, 1, 1735606800_000000000, DAY_CLOSE, synced_seq=0),
    Frame(FrameKind.RECORDS, 2, 2**32 - 1, 2**63 - 1, b"", synced_seq=1),
]


def vector(name):
    lines = (VECTORS / name).read_text(encoding="utf-8").splitlines()
    return bytes.fromhex("".join(line.partition("#")[0] for line in lines))


@pytest.fixture
def storage():
    return VolatileStorage()


def test_the_segment_is_read(storage):
    storage.create(SEGMENT).write(0, vector("segment_sealed.hex"))
    reader = SegmentReader(DIRECTORY, storage=storage)
    assert FRAMES == list(reader.frames())
    (header,) = reader.headers
    assert (LOG_ID, IDENTITY, 1, bytes(32)) == header
    assert reader.tail.sealed


def test_the_segment_is_written(storage):
    journal = Journal.open(DIRECTORY, log_id=LOG_ID, identity=IDENTITY, storage=storage)
    for frame in FRAMES:
        journal.append(frame.kind, frame.count, frame.time_ns, frame.payload)
        journal.sync()
    journal.close()
    assert vector("segment_sealed.hex") == storage.read(SEGMENT)


def test_the_event_store_is_read_and_its_torn_row_cut(storage):
    path = DIRECTORY / "events.rows"
    torn = vector("event_store_torn.hex")
    storage.create(path).write(0, torn)
    storage.create(DIRECTORY / "events.sums").write(0, vector("event_sums.hex"))
    store = EventStore.open(DIRECTORY, log_id=LOG_ID, row_bytes=4, storage=storage)
    assert b"\1\1\1\1\2\2\2\2" == store.read(1, 9)
    assert torn[:-2] == storage.read(path)


def test_the_event_store_is_written(storage):
    store = EventStore.open(DIRECTORY, log_id=LOG_ID, row_bytes=4, storage=storage)
    store.append(b"\1\1\1\1\2\2\2\2")
    assert vector("event_store_torn.hex")[:-2] == storage.read(DIRECTORY / "events.rows")
    assert vector("event_sums.hex") == storage.read(DIRECTORY / "events.sums")


SNAPSHOT = Path("/data/snapshots/00000000000000004710.snapshot")
SNAPSHOT_BODY = bytes([0x82, 1, 2, 3, 4, 5])
SNAPSHOT_HEADER = SnapshotHeader(
    log_id=LOG_ID,
    identity=IDENTITY,
    point=JournalPoint(
        next_seq=4711,
        time_ns=1735606800_000000000,
        segment_first_seq=4000,
        segment_bytes=9192,
        segment_sha256=bytes(range(32)),
        previous_sha256=bytes(range(32, 64)),
    ),
    event_count=12_345,
    state_hash=2**64 - 1,
)


def test_the_snapshot_is_read(storage):
    storage.create(SNAPSHOT).write(0, vector("snapshot.hex"))
    assert (SNAPSHOT_HEADER, SNAPSHOT_BODY) == snapshot_read(SNAPSHOT, storage=storage)


def test_the_snapshot_is_written(storage):
    path = snapshot_write(SNAPSHOT.parent, SNAPSHOT_HEADER, SNAPSHOT_BODY, storage=storage)
    assert path == SNAPSHOT
    assert vector("snapshot.hex") == storage.read(SNAPSHOT)

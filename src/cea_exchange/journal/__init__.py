"""The journal: records that survive a crash. Bytes and sequence numbers, no orders."""

from cea_exchange.journal.archive import Archived, archive_check, archive_sealed, manifest_read
from cea_exchange.journal.errors import (
    EventDamaged,
    JournalError,
    JournalFull,
    JournalPoisoned,
)
from cea_exchange.journal.event_store import (
    EVENT_FILE_NAME,
    EVENT_ROW_BYTES,
    SUM_FILE_NAME,
    SUM_ROW_BYTES,
    EventRows,
    EventStore,
    event_rows_each,
    event_rows_read,
)
from cea_exchange.journal.journal import Journal, TornTail
from cea_exchange.journal.row_file import RowFile
from cea_exchange.journal.segment import (
    Frame,
    FrameKind,
    Identity,
    JournalPoint,
    SegmentReader,
    TailCut,
    read_frames,
)
from cea_exchange.journal.snapshot_file import (
    Snapshot,
    SnapshotHeader,
    snapshot_paths,
    snapshot_read,
    snapshot_write,
)
from cea_exchange.journal.storage import OsStorage, Storage
from cea_exchange.journal.writer import JournalWriter

__all__ = [
    "EVENT_FILE_NAME",
    "EVENT_ROW_BYTES",
    "SUM_FILE_NAME",
    "SUM_ROW_BYTES",
    "Archived",
    "EventDamaged",
    "EventRows",
    "EventStore",
    "Frame",
    "FrameKind",
    "Identity",
    "Journal",
    "JournalError",
    "JournalFull",
    "JournalPoint",
    "JournalPoisoned",
    "JournalWriter",
    "OsStorage",
    "RowFile",
    "SegmentReader",
    "Snapshot",
    "SnapshotHeader",
    "Storage",
    "TailCut",
    "TornTail",
    "archive_check",
    "archive_sealed",
    "event_rows_each",
    "event_rows_read",
    "manifest_read",
    "read_frames",
    "snapshot_paths",
    "snapshot_read",
    "snapshot_write",
]

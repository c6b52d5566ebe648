"""Make a sequence of records survive a crash. Bytes and sequence numbers, no orders."""

from cea_exchange.journal.errors import (
    FolderInUse,
    JournalError,
    JournalFull,
    JournalPoisoned,
)
from cea_exchange.journal.event_store import EventRows, EventStore, event_rows_read
from cea_exchange.journal.folder_lock import FolderLock
from cea_exchange.journal.journal import Journal, TornTail
from cea_exchange.journal.segment import Frame, FrameKind, Identity, SegmentReader, read_frames
from cea_exchange.journal.storage import OsStorage, Storage

__all__ = [
    "EventRows",
    "EventStore",
    "FolderInUse",
    "FolderLock",
    "Frame",
    "FrameKind",
    "Identity",
    "Journal",
    "JournalError",
    "JournalFull",
    "JournalPoisoned",
    "OsStorage",
    "SegmentReader",
    "Storage",
    "TornTail",
    "event_rows_read",
    "read_frames",
]

"""Fixed-width rows on disk, found by their number. Serves every replay of a stream.

It follows the journal: rows are written after the journal's sync, and a lost tail is rebuilt by
replay. So a torn last row is cut without a word, and rows for which the disk has no room wait in
memory: the journal will be the first to refuse work.
"""

import struct
from pathlib import Path

from cea_exchange.journal.errors import JournalError
from cea_exchange.journal.segment import crc32c, log_id_check
from cea_exchange.journal.storage import (
    DRAFT_SUFFIX,
    NO_SPACE,
    OsStorage,
    Storage,
    StorageFile,
    create_whole,
)

EVENT_ROW_BYTES = 160
EVENT_FILE_NAME = "events.rows"

_MAGIC = b"CEAROWS\n"
_HEADER = struct.Struct("<8sII16s28s")
_CRC = struct.Struct("<I")
HEADER_BYTES = _HEADER.size + _CRC.size
_FORMAT_VERSION = 1

assert HEADER_BYTES == 64


class EventStore:
    """Rows 1, 2, ... of one width, in one file. Made by `EventStore.open`.

    Attributes
    ----------
    log_id : str
        The journal the rows come from.
    row_bytes : int
        The width of a row.
    count : int
        How many rows there are; row `count` is the last.
    """

    def __init__(self, file: StorageFile, *, log_id: str, row_bytes: int, count: int):
        self._file = file
        self._written = count
        self._waiting = b""
        self.log_id = log_id
        self.row_bytes = row_bytes
        self.count = count

    @classmethod
    def open(
        cls,
        directory: Path | str,
        *,
        log_id: str,
        row_bytes: int = EVENT_ROW_BYTES,
        file_name: str = EVENT_FILE_NAME,
        storage: Storage | None = None,
    ) -> "EventStore":
        """Open the store in a folder, or begin one; a torn last row is cut.

        Raises
        ------
        JournalError
            If the header is damaged, or the store belongs to another journal or width.
        """
        log_id_check(log_id)
        directory = Path(directory)
        storage = storage or OsStorage()
        storage.make_directory(directory)
        path = directory / file_name
        names = storage.names(directory)
        if path.name + DRAFT_SUFFIX in names:
            storage.remove(path.with_name(path.name + DRAFT_SUFFIX))
        if path.name not in names:
            file = create_whole(storage, path, _header_encode(log_id, row_bytes))
            return cls(file, log_id=log_id, row_bytes=row_bytes, count=0)
        file = storage.open(path)
        head = file.read(0, HEADER_BYTES)
        _header_check(head, log_id=log_id, row_bytes=row_bytes, file_name=file_name)
        count = (file.size() - HEADER_BYTES) // row_bytes
        store = cls(file, log_id=log_id, row_bytes=row_bytes, count=count)
        store.truncate(count)
        return store

    def append(self, rows: bytes) -> int:
        """Write rows at the end and return the number of the first. Not durable before `sync`.

        Parameters
        ----------
        rows : bytes
            Whole rows, one after the other; an array of records will do.
        """
        rows = bytes(rows)
        added, rest = divmod(len(rows), self.row_bytes)
        if rest:
            raise ValueError(f"rows must be multiples of {self.row_bytes} bytes, had {len(rows)}")
        first = self.count + 1
        self._waiting += rows
        self.count += added
        self._write_waiting()
        return first

    def read(self, first: int, count: int) -> bytes:
        """Return up to `count` rows from row `first` (the first row is 1); fewer at the end."""
        if first < 1 or count < 0:
            raise ValueError(f"first must be at least 1 and count 0, were {first} and {count}")
        end = min(first + count, self.count + 1)
        if end <= first:
            return b""
        written_end = min(end, self._written + 1)
        if first >= written_end:
            written = b""
        else:
            written = self._file.read(self._offset(first), (written_end - first) * self.row_bytes)
        if written_end == end:
            return written
        skipped = max(0, first - self._written - 1) * self.row_bytes
        return written + self._waiting[skipped : (end - self._written - 1) * self.row_bytes]

    def sync(self) -> None:
        """Return once all rows are on disk, those apart for which it has no room."""
        self._write_waiting()
        self._file.sync()

    def sync_written(self) -> None:
        """The same for the rows that are written; another thread may call it meanwhile."""
        self._file.sync()

    @property
    def written_count(self) -> int:
        """How many rows are written; the others wait for room on the disk."""
        return self._written

    def truncate(self, count: int) -> None:
        """Keep the first `count` rows."""
        if not 0 <= count <= self.count:
            raise ValueError(f"count must be within 0..{self.count}, was {count}")
        self._waiting = self._waiting[: max(0, count - self._written) * self.row_bytes]
        self._written = min(count, self._written)
        self._file.truncate(self._offset(self._written + 1))
        self.count = count

    def close(self) -> None:
        """Sync and release the file; rows that still wait for room are left to replay."""
        self.sync()
        self._file.close()

    def _write_waiting(self) -> None:
        try:
            if self._waiting:
                self._file.write(self._offset(self._written + 1), self._waiting)
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise
            return
        self._written, self._waiting = self.count, b""

    def __enter__(self) -> "EventStore":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _offset(self, row: int) -> int:
        return HEADER_BYTES + (row - 1) * self.row_bytes


class EventRows:
    """The rows of a store as they were at one moment, for reading only."""

    def __init__(self, data: bytes, *, row_bytes: int):
        self._data = memoryview(data)
        self.row_bytes = row_bytes
        self.count = max(0, len(data) - HEADER_BYTES) // row_bytes

    def read(self, first: int, count: int) -> memoryview:
        """Return up to `count` rows from row `first` (the first row is 1); fewer at the end."""
        count = max(0, min(count, self.count - first + 1))
        start = HEADER_BYTES + (first - 1) * self.row_bytes
        return self._data[start : start + count * self.row_bytes]


def event_rows_read(
    directory: Path | str,
    *,
    log_id: str,
    row_bytes: int = EVENT_ROW_BYTES,
    storage: Storage | None = None,
) -> EventRows:
    """Return all whole rows of a store without touching it; none if there is no store.

    Raises
    ------
    JournalError
        If the header is damaged, or the store belongs to another journal or width.
    """
    directory = Path(directory)
    storage = storage or OsStorage()
    if EVENT_FILE_NAME not in storage.names(directory):
        return EventRows(b"", row_bytes=row_bytes)
    data = storage.read(directory / EVENT_FILE_NAME)
    _header_check(data[:HEADER_BYTES], log_id=log_id, row_bytes=row_bytes)
    return EventRows(data, row_bytes=row_bytes)


def _header_encode(log_id: str, row_bytes: int) -> bytes:
    head = _HEADER.pack(_MAGIC, _FORMAT_VERSION, row_bytes, bytes.fromhex(log_id), bytes(28))
    return head + _CRC.pack(crc32c(head))


def _header_check(
    data: bytes, *, log_id: str, row_bytes: int, file_name: str = EVENT_FILE_NAME
) -> None:
    if len(data) < HEADER_BYTES:
        raise JournalError(file_name, 1, "the event store's header is incomplete")
    head = data[: _HEADER.size]
    if _CRC.unpack_from(data, _HEADER.size)[0] != crc32c(head):
        raise JournalError(file_name, 1, "the event store header's CRC-32C is wrong")
    magic, version, width, found_id, _ = _HEADER.unpack(head)
    if magic == _MAGIC and version != _FORMAT_VERSION:
        raise JournalError(
            file_name, 1, f"event store format {_FORMAT_VERSION} is supported, was {version}"
        )
    if magic != _MAGIC or width != row_bytes:
        raise JournalError(
            file_name, 1, f"rows of {row_bytes} bytes were expected, were of {width}"
        )
    if found_id.hex() != log_id:
        raise JournalError(
            file_name, 1, f"log_id must be {log_id}, the event store's is {found_id.hex()}"
        )

"""Fixed-width rows on disk, found by their number: what can be made anew of the journal.

It follows the journal: rows are written after the journal's sync, and a lost tail is rebuilt by
replay. So a torn last row is cut without a word, and rows that the disk does not take wait in
memory, a few of them: then nothing more is taken.
"""

import struct
from pathlib import Path
from typing import Self

from cea_exchange.journal.errors import JournalError, JournalFull
from cea_exchange.journal.segment import crc32c, log_id_check
from cea_exchange.journal.storage import (
    DRAFT_SUFFIX,
    OsStorage,
    Storage,
    StorageFile,
    create_whole,
)

WAITING_BYTES_MAX = 16 << 20
"""So much may wait for the disk to take it."""

_MAGIC = b"CEAROWS\n"
_HEADER = struct.Struct("<8sII16sQ20s")
_CRC = struct.Struct("<I")
HEADER_BYTES = _HEADER.size + _CRC.size
_FORMAT_VERSION = 1

assert HEADER_BYTES == 64


class RowFile:
    """Rows `base` + 1, `base` + 2, ... of one width, in one file. Made by `RowFile.open`.

    Attributes
    ----------
    log_id : str
        The journal the rows come from.
    row_bytes : int
        The width of a row.
    base : int
        Rows up to this one belong to another life of the venue; 0 but after an adoption.
    count : int
        The last row's number; without another life it is how many there are.
    """

    def __init__(
        self, file: StorageFile, *, log_id: str, row_bytes: int, count: int, base: int = 0
    ):
        self._file = file
        self._written = count
        self._waiting = b""
        self.log_id = log_id
        self.row_bytes = row_bytes
        self.base = base
        self.count = count

    @classmethod
    def open(
        cls,
        directory: Path | str,
        *,
        file_name: str,
        log_id: str,
        row_bytes: int,
        base: int = 0,
        storage: Storage | None = None,
    ) -> "RowFile":
        """Open the file in a folder; a torn last row is cut. One that begins, begins after `base`.

        Raises
        ------
        JournalError
            If the header is damaged, or the file belongs to another journal or width.
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
            file = create_whole(storage, path, header_encode(log_id, row_bytes, base))
            return cls(file, log_id=log_id, row_bytes=row_bytes, count=base, base=base)
        file = storage.open(path)
        head = file.read(0, HEADER_BYTES)
        base = header_check(head, log_id=log_id, row_bytes=row_bytes, file_name=file_name)
        count = base + (file.size() - HEADER_BYTES) // row_bytes
        store = cls(file, log_id=log_id, row_bytes=row_bytes, count=count, base=base)
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
            raise ValueError(f"rows: expected multiples of {self.row_bytes} bytes, got {len(rows)}")
        first = self.count + 1
        self._waiting = self._waiting + rows if self._waiting else rows
        self.count += added
        self._write_waiting()
        return first

    def read(self, first: int, count: int) -> bytes:
        """Return up to `count` rows from row `first`, above `base`, on; fewer at the end."""
        if first <= self.base or count < 0:
            raise ValueError(
                f"first: expected above {self.base} and count at least 0, got {first} and {count}"
            )
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
        """Return once all rows are on disk, those apart that it does not take."""
        self._write_waiting()
        self._file.sync()

    def sync_written(self) -> None:
        """The same for the rows that are written; another thread may call it meanwhile."""
        self._file.sync()

    @property
    def written_count(self) -> int:
        """The last row that is written; those behind it wait for room on the disk."""
        return self._written

    def space_check(self) -> None:
        """Refuse more rows while too many wait.

        Raises
        ------
        JournalFull
            The disk has not taken rows for a while. Trying again later is sensible.
        """
        if len(self._waiting) > WAITING_BYTES_MAX:
            self._write_waiting()
        if len(self._waiting) > WAITING_BYTES_MAX:
            raise JournalFull(f"no room for the rows up to {self.count}")

    def truncate(self, count: int) -> None:
        """Keep the rows up to row `count`."""
        if not self.base <= count <= self.count:
            raise ValueError(f"count: expected within {self.base}..{self.count}, got {count}")
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
        except OSError:
            # Full, too large, or whatever else a disk says: the rows wait.
            return
        self._written, self._waiting = self.count, b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _offset(self, row: int) -> int:
        return HEADER_BYTES + (row - 1 - self.base) * self.row_bytes


def header_encode(log_id: str, row_bytes: int, base: int) -> bytes:
    """Return a file's header."""
    head = _HEADER.pack(_MAGIC, _FORMAT_VERSION, row_bytes, bytes.fromhex(log_id), base, bytes(20))
    return head + _CRC.pack(crc32c(head))


def header_check(data: bytes, *, log_id: str, row_bytes: int, file_name: str) -> int:
    """Return the base that a sound header names; JournalError if it is none."""
    if len(data) < HEADER_BYTES:
        raise JournalError(file_name, 1, "the event store's header is incomplete")
    head = data[: _HEADER.size]
    if _CRC.unpack_from(data, _HEADER.size)[0] != crc32c(head):
        raise JournalError(file_name, 1, "the event store header's CRC-32C is wrong")
    magic, version, width, found_id, base, _ = _HEADER.unpack(head)
    if magic == _MAGIC and version != _FORMAT_VERSION:
        raise JournalError(
            file_name, 1, f"event store: expected format {_FORMAT_VERSION}, got {version}"
        )
    if magic != _MAGIC or width != row_bytes:
        raise JournalError(
            file_name, 1, f"expected rows of {row_bytes} bytes, got rows of {width}"
        )
    if found_id.hex() != log_id:
        raise JournalError(
            file_name, 1, f"log_id of the event store: expected {log_id}, got {found_id.hex()}"
        )
    return base

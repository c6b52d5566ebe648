"""The events on disk, found by their number. Serves every replay of a stream.

    events.rows   what replay of the journal gives; it can be lost and made anew
    events.sums   of each row a checksum, written before the row

No row leaves the store unless its checksum says that it is as it was written. A row without one is
vouched for by nothing but replay, which writes it.
"""

import mmap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from cea_exchange.journal._crc32c import row_damaged, row_sums
from cea_exchange.journal.errors import EventDamaged, JournalError
from cea_exchange.journal.row_file import HEADER_BYTES, RowFile, header_check
from cea_exchange.journal.storage import OsStorage, Storage

EVENT_ROW_BYTES = 160
EVENT_FILE_NAME = "events.rows"
SUM_ROW_BYTES = 4
SUM_FILE_NAME = "events.sums"
_ROWS_CHECKED = 65_536


class EventStore:
    """Rows `base` + 1, `base` + 2, ... of one width, and their checksums. Made by `open`.

    Attributes
    ----------
    log_id : str
        The journal the rows come from.
    row_bytes : int
        The width of a row.
    base : int
        Rows up to this one belong to another life of the venue; 0 but after an adoption.
    """

    def __init__(self, rows: RowFile, sums: RowFile):
        self._rows = rows
        self._sums = sums
        self.log_id = rows.log_id
        self.row_bytes = rows.row_bytes
        self.base = rows.base

    @classmethod
    def open(
        cls,
        directory: Path | str,
        *,
        log_id: str,
        base: int = 0,
        row_bytes: int = EVENT_ROW_BYTES,
        storage: Storage | None = None,
    ) -> "EventStore":
        """Open the store in a folder; a torn last row is cut. One that begins, begins after `base`.

        Raises
        ------
        JournalError
            If the header of the rows is damaged, or they belong to another journal or width.
        """
        directory, storage = Path(directory), storage or OsStorage()
        rows = RowFile.open(
            directory,
            file_name=EVENT_FILE_NAME,
            log_id=log_id,
            row_bytes=row_bytes,
            base=base,
            storage=storage,
        )
        sums = _sums_open(directory, rows, storage)
        sums.truncate(min(sums.count, rows.count))
        return cls(rows, sums)

    @property
    def count(self) -> int:
        """The last row's number; without another life it is how many there are."""
        return self._rows.count

    @property
    def vouched_count(self) -> int:
        """The last row that has a checksum; those behind it are to be compared with replay."""
        return self._sums.count

    def append(self, rows: bytes) -> int:
        """Write rows at the end and return the number of the first. Not durable before `sync`.

        Parameters
        ----------
        rows : bytes
            Whole rows, one after the other; an array of records will do.
        """
        rows = bytes(rows)
        self._vouched_check()
        # The checksums first: who reads beside finds one of each row.
        if len(rows) % self.row_bytes == 0:
            self._sums.append(row_sums(rows, self.row_bytes, self.count + 1))
        return self._rows.append(rows)

    def read(self, first: int, count: int) -> bytes:
        """Return up to `count` rows from row `first`, above `base`, on; fewer at the end.

        Raises
        ------
        EventDamaged
            One of them is not as it was written.
        """
        rows = self._rows.read(first, count)
        sums = self._sums.read(first, len(rows) // self.row_bytes)
        _damage_check(rows, self.row_bytes, first, sums)
        return rows

    def read_unchecked(self, first: int, count: int) -> bytes:
        """Return the same as they are, for who compares them with what replay gives."""
        return self._rows.read(first, count)

    def vouch(self, rows: bytes) -> None:
        """Write the checksums of the next rows that have none: replay has given these."""
        self._sums.append(row_sums(rows, self.row_bytes, self._sums.count + 1))

    def vouched_truncate(self, count: int) -> None:
        """Let no checksum vouch for the rows behind row `count`: replay is to."""
        self._sums.truncate(count)

    def space_check(self) -> None:
        """Refuse more rows while too many wait for the disk; JournalFull says so."""
        self._sums.space_check()
        self._rows.space_check()

    def sync(self) -> None:
        """Return once all rows are on disk, those apart that it does not take."""
        self._sums.sync()
        self._rows.sync()

    def sync_written(self) -> None:
        """The same for the rows that are written; another thread may call it meanwhile."""
        self._sums.sync_written()
        self._rows.sync_written()

    @property
    def written_count(self) -> int:
        """The last row that is written, checksum and all; the others wait for room on the disk."""
        return min(self._rows.written_count, self._sums.written_count)

    def truncate(self, count: int) -> None:
        """Keep the rows up to row `count`."""
        self._rows.truncate(count)
        self._sums.truncate(min(count, self._sums.count))

    def close(self) -> None:
        """Sync and release the files; rows that still wait for room are left to replay."""
        self._sums.close()
        self._rows.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _vouched_check(self) -> None:
        if self._sums.count != self._rows.count:
            raise ValueError(
                f"checksums: expected them up to row {self.count}, got {self._sums.count}"
            )


class EventRows:
    """The rows of a store as they were at one moment, for reading only."""

    def __init__(
        self,
        data: bytes | mmap.mmap,
        sums: bytes | mmap.mmap = b"",
        *,
        row_bytes: int,
        base: int = 0,
    ):
        self._data = memoryview(data)
        self._sums = memoryview(sums)[HEADER_BYTES:]
        self.row_bytes = row_bytes
        self.base = base
        self.count = base + max(0, len(data) - HEADER_BYTES) // row_bytes
        self.vouched_count = min(self.count, base + len(self._sums) // SUM_ROW_BYTES)

    def read(self, first: int, count: int) -> memoryview:
        """Return up to `count` rows from row `first`, above `base`, on; fewer at the end.

        Raises
        ------
        EventDamaged
            One of them is not as it was written.
        """
        rows = self.read_unchecked(first, count)
        start = (first - 1 - self.base) * SUM_ROW_BYTES
        sums = self._sums[start : start + len(rows) // self.row_bytes * SUM_ROW_BYTES]
        _damage_check(rows, self.row_bytes, first, sums)
        return rows

    def read_unchecked(self, first: int, count: int) -> memoryview:
        """Return the same as they are, for who compares them with what replay gives."""
        count = max(0, min(count, self.count - first + 1))
        start = HEADER_BYTES + (first - 1 - self.base) * self.row_bytes
        return self._data[start : start + count * self.row_bytes]

    def check(self, last: int, go_on: Callable[[], bool] = lambda: True) -> None:
        """Hold all rows up to row `last` against their checksums; other threads run on meanwhile.

        Parameters
        ----------
        last
            The last row's number.
        go_on
            Asked each 65,536 rows: may wait, and ends the check with no.

        Raises
        ------
        EventDamaged
            One of them is not as it was written.
        """
        for first in range(self.base + 1, last + 1, _ROWS_CHECKED):
            self.read(first, min(_ROWS_CHECKED, last - first + 1))
            if not go_on():
                return


def event_rows_read(
    directory: Path | str,
    *,
    log_id: str,
    row_bytes: int = EVENT_ROW_BYTES,
    storage: Storage | None = None,
) -> EventRows:
    """Return all whole rows of a store without touching it; none if there is no store.

    Whose base they have is for the caller to compare.

    Raises
    ------
    JournalError
        If the header is damaged, or the store belongs to another journal or width.
    """
    directory = Path(directory)
    storage = storage or OsStorage()
    names = storage.names(directory)
    if EVENT_FILE_NAME not in names:
        return EventRows(b"", row_bytes=row_bytes)
    # The rows first: the venue writes a checksum before its row.
    data = storage.map(directory / EVENT_FILE_NAME)
    base = header_check(
        data[:HEADER_BYTES], log_id=log_id, row_bytes=row_bytes, file_name=EVENT_FILE_NAME
    )
    sums: bytes | mmap.mmap = b""
    if SUM_FILE_NAME in names:
        sums = storage.map(directory / SUM_FILE_NAME)
        if not _are_sums_of(sums[:HEADER_BYTES], log_id, base):
            sums = b""
    return EventRows(data, sums, row_bytes=row_bytes, base=base)


def event_rows_each(
    directory: Path | str, *, log_id: str, rows_max: int = _ROWS_CHECKED
) -> Iterator[memoryview]:
    """Yield all rows of a store that have a checksum, some at a time, without touching it.

    Raises
    ------
    JournalError
        If the header is damaged, or the store belongs to another journal or width.
    EventDamaged
        If a row is not as it was written.
    """
    rows = event_rows_read(directory, log_id=log_id)
    if rows.vouched_count == rows.base < rows.count:
        rows.read(rows.base + 1, 1)
    for first in range(rows.base + 1, rows.vouched_count + 1, rows_max):
        yield rows.read(first, min(rows_max, rows.vouched_count - first + 1))


def _sums_open(directory: Path, rows: RowFile, storage: Storage) -> RowFile:
    """Open the checksums of rows; ones that are not of them are begun anew, for replay to write."""
    named = {
        "file_name": SUM_FILE_NAME,
        "log_id": rows.log_id,
        "row_bytes": SUM_ROW_BYTES,
        "base": rows.base,
        "storage": storage,
    }
    try:
        sums = RowFile.open(directory, **named)
    except JournalError:
        sums = None
    if sums is None or sums.base != rows.base:
        storage.remove(directory / SUM_FILE_NAME)
        sums = RowFile.open(directory, **named)
    return sums


def _are_sums_of(head: bytes, log_id: str, base: int) -> bool:
    try:
        found = header_check(
            head, log_id=log_id, row_bytes=SUM_ROW_BYTES, file_name=SUM_FILE_NAME
        )
    except JournalError:
        return False
    return found == base


def _damage_check(
    rows: bytes | memoryview, row_bytes: int, first: int, sums: bytes | memoryview
) -> None:
    """Refuse rows that are not as they were written, or of which nothing says so."""
    vouched = len(sums) // SUM_ROW_BYTES
    sums = sums[: vouched * SUM_ROW_BYTES]
    damaged = row_damaged(rows[: vouched * row_bytes], row_bytes, first, sums)
    if damaged is not None:
        raise EventDamaged(
            EVENT_FILE_NAME,
            0,
            f"event {damaged} is not as it was written, its checksum is another: put events.rows "
            "and events.sums back from a backup, or move both away: the next start makes them anew "
            "of the journal",
        )
    if vouched < len(rows) // row_bytes:
        what = f"event {first + vouched} has no checksum: the venue's next start writes it"
        raise EventDamaged(EVENT_FILE_NAME, 0, what)

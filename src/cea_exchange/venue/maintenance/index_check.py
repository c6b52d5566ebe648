"""Compares the event index with the one that replay of the journal gives."""

from pathlib import Path
from typing import Any

import numpy as np

from cea_exchange.journal import JournalError, Storage
from cea_exchange.journal.row_file import HEADER_BYTES, header_check
from cea_exchange.venue._event_lists import EventLists
from cea_exchange.venue.durability.event_index import INDEX_FILE_NAME, INDEX_ROW_BYTES


class IndexCheck:
    """Makes the blocks of the event index anew and compares them with the file.

    Parameters
    ----------
    events : Path
        The folder of the event store.
    log_id : str
        Of the journal.
    storage : Storage
        The file system.

    Attributes
    ----------
    count : int
        Blocks that are as replay gives them.
    missing : list of str
        The file's path in the data folder, if it lacks blocks or is no index of this journal. The
        venue's next start writes it.
    """

    def __init__(self, events: Path, log_id: str, storage: Storage) -> None:
        self._rows = _rows_read(events, log_id, storage)
        self._lists = EventLists()
        self._place = 0
        self.count = 0
        self.missing: list[str] = []

    def take(self, events: np.ndarray, seq: int) -> None:
        """Take in the next events of the replay; `seq` is that of their frame.

        Raises
        ------
        JournalError
            A block is not the one that they give.
        """
        self._lists.take(events)
        made = self._lists.rows_take()
        if not made:
            return
        # What a crash left of the last block is cut by the next start.
        kept = len(self._rows) // INDEX_ROW_BYTES * INDEX_ROW_BYTES
        found = self._rows[self._place : min(self._place + len(made), kept)]
        if found != made[: len(found)]:
            blocks = self._place // INDEX_ROW_BYTES, (self._place + len(made)) // INDEX_ROW_BYTES
            what = f"blocks {blocks[0]} to {blocks[1] - 1} are not those that the events give"
            raise JournalError(INDEX_FILE_NAME, seq, what)
        self._place += len(made)
        self.count += len(found) // INDEX_ROW_BYTES

    def state(self) -> dict[str, Any]:
        """Return the lists as a snapshot of this place has them."""
        return self._lists.state()

    def finish(self, next_seq: int) -> None:
        """Raise if the file has blocks that the journal doesn't explain."""
        kept, made = len(self._rows) // INDEX_ROW_BYTES, self._place // INDEX_ROW_BYTES
        if kept > made:
            what = f"expected {made} blocks, got {kept}"
            raise JournalError(INDEX_FILE_NAME, next_seq, what)
        if kept < made:
            self.missing.append(f"events/{INDEX_FILE_NAME}")


def _rows_read(events: Path, log_id: str, storage: Storage) -> memoryview:
    """Return the file's rows; none if there is no index of this journal in the folder."""
    if INDEX_FILE_NAME not in storage.names(events):
        return memoryview(b"")
    data = memoryview(storage.map(events / INDEX_FILE_NAME))
    try:
        header_check(
            bytes(data[:HEADER_BYTES]),
            log_id=log_id,
            row_bytes=INDEX_ROW_BYTES,
            file_name=INDEX_FILE_NAME,
        )
    except JournalError:
        return memoryview(b"")
    return data[HEADER_BYTES:]

"""Finds the numbered streams and the accepted commands in the event store.

    account's report_seq -> event      settlement_seq -> event      key and id -> acceptance

The lists are in blocks in a file; in memory is only the unfinished block of each, so that memory
doesn't grow with the days. The file follows the journal as the event store does: replay writes the
same blocks again, and a snapshot says how many of them it goes on from. Each block has a checksum;
a file with a damaged one is put aside, so that the next start writes it anew.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cea_exchange.journal import JournalError, RowFile, Storage
from cea_exchange.venue._event_lists import (
    BLOCK_BYTES,
    BLOCK_ROW_BYTES,
    SETTLEMENT,
    EventLists,
    row_is_sound,
)

INDEX_FILE_NAME = "index.blocks"
DAMAGED_SUFFIX = ".damaged"
INDEX_ROW_BYTES = BLOCK_ROW_BYTES
"""A block and the CRC-32C of its number and itself."""

_NO_SEQS = np.zeros(0, np.uint64)


class EventIndex:
    """Finds events by their place in a stream; see the module's drawing.

    Parameters
    ----------
    blocks
        Where full blocks are written: rows of `INDEX_ROW_BYTES`.
    put_aside
        Called when a block is damaged.
    """

    def __init__(self, blocks: RowFile, put_aside: Callable[[], None]) -> None:
        blocks.truncate(0)
        self._blocks = blocks
        self._put_aside = put_aside
        self._lists = EventLists()

    @classmethod
    def open(cls, directory: Path, *, log_id: str, storage: Storage) -> "EventIndex":
        """Return an empty index over the file in a folder, which it writes anew."""
        put_aside = _putter_aside(directory, storage)
        return cls(_blocks_open(directory, log_id, storage), put_aside)

    @classmethod
    def restore(
        cls, state: dict[str, Any], directory: Path, *, log_id: str, storage: Storage
    ) -> "EventIndex":
        """Go on from a snapshot's `state`.

        Raises
        ------
        JournalError
            The file has not the blocks that the state speaks of; replay writes them.
        """
        blocks = _blocks_open(directory, log_id, storage)
        lists = EventLists()
        lists.restore(state)
        if blocks.count < lists.block_count:
            count = blocks.count
            blocks.close()
            raise JournalError(
                INDEX_FILE_NAME, 0, f"expected {lists.block_count} blocks, got {count}"
            )
        blocks.truncate(lists.block_count)
        index = cls.__new__(cls)
        index._blocks, index._lists = blocks, lists
        index._put_aside = _putter_aside(directory, storage)
        return index

    def state(self) -> dict[str, Any]:
        """Return what `restore` goes on from, once the written blocks are on disk."""
        return self._lists.state()

    @property
    def is_written(self) -> bool:
        """Whether all full blocks are in the file, or some wait for room on the disk."""
        return self._blocks.written_count == self._blocks.count

    def space_check(self) -> None:
        """Refuse more events while too many blocks wait for the disk; JournalFull says so."""
        self._blocks.space_check()

    def close(self) -> None:
        """Release the file."""
        self._blocks.close()

    def add(self, events: np.ndarray) -> None:
        """Take in new events, in their order."""
        self._lists.take(events)
        rows = self._lists.rows_take()
        if rows:
            self._blocks.append(rows)

    def report_events(self, account_index: int, first: int, count: int) -> np.ndarray:
        """Return the event sequences (u64) of an account's reports from number `first` on."""
        return self._entries(account_index, first, count)

    def settlement_events(self, first: int, count: int) -> np.ndarray:
        """Return the event sequences (u64) of the settlement stream from number `first` on."""
        return self._entries(SETTLEMENT, first, count)

    def accepted_events(self, operator_key: int, client_order_ids: np.ndarray) -> np.ndarray:
        """Return the events (u64) by which today's commands were accepted, 0 for those not.

        Parameters
        ----------
        operator_key
            Whose commands, as `operator_keys` numbers operators.
        client_order_ids
            Their ids (u64), in any order.
        """
        account_index, operator_index = operator_key >> 16, operator_key & 0xFFFF
        wanted = np.unique(client_order_ids)
        blocks, rest = self._lists.accepted(account_index, operator_index, wanted)
        parts = [self._block(block) for block in blocks]
        pairs = np.frombuffer(b"".join((*parts, rest)), np.uint64).reshape(-1, 2)
        if not len(pairs):
            return np.zeros(len(client_order_ids), np.uint64)
        ids, events = pairs[:, 0], pairs[:, 1]
        places = np.minimum(np.searchsorted(ids, client_order_ids), len(pairs) - 1)
        return np.where(ids[places] == client_order_ids, events[places], np.uint64(0))

    def _entries(self, owner: int, first: int, count: int) -> np.ndarray:
        blocks, skipped, found, rest = self._lists.entries(owner, first, count)
        if not found:
            return _NO_SEQS
        parts = [self._block(block) for block in blocks]
        return np.frombuffer(b"".join((*parts, rest)), np.uint64)[skipped : skipped + found]

    def _block(self, number: int) -> bytes:
        row = self._blocks.read(number + 1, 1)
        if not row_is_sound(row, number):
            self._put_aside()
            raise JournalError(
                INDEX_FILE_NAME,
                0,
                f"block {number} is damaged; the file is {INDEX_FILE_NAME}{DAMAGED_SUFFIX} now, "
                "and the next start writes it anew",
            )
        return row[:BLOCK_BYTES]


def _putter_aside(directory: Path, storage: Storage) -> Callable[[], None]:
    path = Path(directory) / INDEX_FILE_NAME

    def put_aside() -> None:
        storage.rename(path, path.with_name(path.name + DAMAGED_SUFFIX))

    return put_aside


def _blocks_open(directory: Path, log_id: str, storage: Storage) -> RowFile:
    named = {"row_bytes": INDEX_ROW_BYTES, "file_name": INDEX_FILE_NAME, "storage": storage}
    try:
        return RowFile.open(directory, log_id=log_id, **named)
    except JournalError:
        # Of another journal, or damaged: replay writes it anew.
        storage.remove(directory / INDEX_FILE_NAME)
        return RowFile.open(directory, log_id=log_id, **named)


def groups_of(sorted_values: np.ndarray) -> list[tuple[int, slice]]:
    """Return each distinct value of a sorted array with the slice it takes."""
    if not len(sorted_values):
        return []
    starts = np.flatnonzero(np.diff(sorted_values, prepend=sorted_values[0] ^ 1))
    ends = np.append(starts[1:], len(sorted_values))
    values = sorted_values[starts]
    return [(int(v), slice(int(s), int(e))) for v, s, e in zip(values, starts, ends, strict=True)]


def operator_keys(rows: np.ndarray) -> np.ndarray:
    """Return one number per record for the operator of its account (CEA-ACC-01)."""
    return rows["account_index"].astype(np.uint64) << np.uint64(16) | rows["operator_index"]

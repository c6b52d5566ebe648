"""The event index against plain lists, over many blocks of its file."""

import random
from pathlib import Path

import numpy as np
import pytest

from cea_exchange.domain.records import EVENT_DTYPE, EventKind, Reason
from cea_exchange.journal import JournalError, RowFile
from cea_exchange.journal.event_store import HEADER_BYTES
from cea_exchange.venue._event_lists import BLOCK_BYTES, EventLists
from cea_exchange.venue.durability.event_index import INDEX_FILE_NAME, INDEX_ROW_BYTES, EventIndex
from support.journal.volatile_storage import VolatileStorage

LOG_ID = 32 * "a"
PATH = Path("/events") / INDEX_FILE_NAME
ACCOUNTS = 3


class Model:
    """What the index has to know, as plain lists; and events that make it up."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.seq = 0
        self.reports = {account: [] for account in range(ACCOUNTS)}
        self.settlement = []
        self.accepted = {}
        self.last_id = {}

    def events(self, count):
        rows = np.zeros(count, EVENT_DTYPE)
        for row in rows:
            self.seq += 1
            row["seq"] = self.seq
            self._fill(row, self.random.choice((1, 1, 1, 2, 4, 6, 7, 7, 13, 21)))
        return rows

    def _fill(self, row, kind):
        row["kind"] = kind
        account = self.random.randrange(ACCOUNTS)
        row["account_index"], row["operator_index"] = account, self.random.randrange(2)
        if kind == EventKind.DAY_CLOSED:
            # These bytes are amounts there.
            row["report_seq"] = self.random.randrange(1, 1_000)
            return
        if kind in (EventKind.TRADE, EventKind.TRADE_BUSTED):
            counter = self.random.randrange(ACCOUNTS)
            row["counter_account_index"] = counter
            fields = ["report_seq", "counter_report_seq"]
            if self.random.random() < 0.5:
                fields.reverse()
            for field in fields:
                owner = account if field == "report_seq" else counter
                self.reports[owner].append(self.seq)
                row[field] = len(self.reports[owner])
            self.settlement.append(self.seq)
            row["settlement_seq"] = len(self.settlement)
            return
        self.reports[account].append(self.seq)
        row["report_seq"] = len(self.reports[account])
        if kind == EventKind.ORDER_CANCELED:
            row["reason"] = self.random.choice((Reason.REQUESTED, Reason.IOC))
        if kind == EventKind.ORDER_ACCEPTED or row["reason"] == Reason.REQUESTED:
            key = account << 16 | int(row["operator_index"])
            self.last_id[key] = self.last_id.get(key, 0) + self.random.randrange(1, 9)
            row["client_order_id"] = self.last_id[key]
            self.accepted[key, self.last_id[key]] = self.seq

    def day_open(self):
        self.accepted, self.last_id = {}, {}
        self.seq += 1
        row = np.zeros(1, EVENT_DTYPE)
        row["seq"], row["kind"] = self.seq, EventKind.DAY_OPENED
        return row

    def check(self, index):
        for account, reports in self.reports.items():
            assert index.report_events(account, 1, len(reports) + 5).tolist() == reports
            for _ in range(20):
                first = self.random.randrange(1, len(reports) + 3)
                count = self.random.randrange(0, 700)
                expected = reports[first - 1 : first - 1 + count]
                assert index.report_events(account, first, count).tolist() == expected
        assert index.settlement_events(1, 10**9).tolist() == self.settlement
        for (key, client_order_id), seq in self.accepted.items():
            assert accepted(index, key, [client_order_id]) == [seq]
        for key, last in self.last_id.items():
            absent = {*range(1, last + 3)} - {i for k, i in self.accepted if k == key}
            assert not any(accepted(index, key, absent))
            every = self.random.choices(range(last + 3), k=400)
            known = [self.accepted.get((key, number), 0) for number in every]
            assert accepted(index, key, every) == known


def accepted(index, key, ids):
    return index.accepted_events(key, np.array(list(ids), np.uint64)).tolist()


def index_open(storage):
    return EventIndex.open("/events", log_id=LOG_ID, storage=storage)


@pytest.mark.parametrize("seed", range(3))
def test_the_index_knows_what_lists_would(seed):
    model, index = Model(seed), index_open(VolatileStorage())
    for _ in range(12):
        index.add(model.events(model.random.randrange(1, 900)))
        model.check(index)
    index.add(model.day_open())
    model.check(index)
    assert accepted(index, 0, [1]) == [0]
    index.add(model.events(2_000))
    model.check(index)


def test_an_index_goes_on_from_a_state():
    model, storage = Model(7), VolatileStorage()
    index = index_open(storage)
    index.add(model.events(5_000))
    state = index.state()
    later = model.events(3_000)
    index.add(later)
    again = EventIndex.restore(state, "/events", log_id=LOG_ID, storage=storage)
    again.add(later)
    model.check(again)
    assert again.state() == index.state()


def test_a_file_without_the_states_blocks_is_refused():
    model, storage = Model(7), VolatileStorage()
    index = index_open(storage)
    index.add(model.events(5_000))
    state = index.state()
    index_open(storage).close()
    with pytest.raises(JournalError, match=r"blocks, got 0 .index.blocks"):
        EventIndex.restore(state, "/events", log_id=LOG_ID, storage=storage)


@pytest.mark.parametrize("place", [0, 1_000, BLOCK_BYTES - 1, BLOCK_BYTES])
def test_a_damaged_block_is_named_and_the_file_put_aside(place):
    """Whoever asks gets nothing wrong; the next start finds no file and writes it anew."""
    model, storage = Model(9), VolatileStorage()
    index = index_open(storage)
    index.add(model.events(5_000))
    state = index.state()
    file = storage.open(PATH)
    # The second block, on the disk.
    offset = HEADER_BYTES + INDEX_ROW_BYTES + place
    (byte,) = file.read(offset, 1)
    file.write(offset, bytes([byte ^ 0x10]))
    with pytest.raises(JournalError, match="block 1 is damaged"):
        model.check(index)
    assert PATH.name not in storage.names(PATH.parent)
    with pytest.raises(JournalError, match="blocks, got 0"):
        EventIndex.restore(state, "/events", log_id=LOG_ID, storage=storage)


def test_a_block_at_anothers_place_is_damage_too():
    model, storage = Model(9), VolatileStorage()
    index = index_open(storage)
    index.add(model.events(5_000))
    file = storage.open(PATH)
    row = file.read(HEADER_BYTES, INDEX_ROW_BYTES)
    file.write(HEADER_BYTES + INDEX_ROW_BYTES, row)
    with pytest.raises(JournalError, match="block 1 is damaged"):
        model.check(index)


def test_a_file_of_before_there_were_checksums_is_written_anew():
    model, storage = Model(9), VolatileStorage()
    older = {"row_bytes": BLOCK_BYTES, "file_name": INDEX_FILE_NAME, "storage": storage}
    with RowFile.open("/events", log_id=LOG_ID, **older) as store:
        store.append(bytes(3 * BLOCK_BYTES))
    index = EventIndex.open(PATH.parent, log_id=LOG_ID, storage=storage)
    index.add(model.events(2_000))
    model.check(index)


def test_blocks_wait_while_the_disk_is_full():
    model, storage = Model(3), VolatileStorage()
    index = index_open(storage)
    storage.bytes_free = 3 * INDEX_ROW_BYTES
    for _ in range(10):
        index.add(model.events(500))
    assert not index.is_written
    model.check(index)
    storage.bytes_free = None
    index.add(model.events(2_000))
    assert index.is_written
    model.check(index)


def test_events_that_are_not_the_next_ones_are_refused():
    model = Model(1)
    lists = EventLists()
    first = model.events(50)
    lists.take(first)
    with pytest.raises(ValueError, match="does not follow the events before it"):
        lists.take(first)


def test_memory_does_not_grow_with_the_events():
    """A million reports of one account: what stays in memory is far below eight bytes each."""
    lists, written = EventLists(), 0
    rows = np.zeros(10_000, EVENT_DTYPE)
    rows["kind"] = EventKind.ORDER_RESTED
    for first in range(0, 1_000_000, len(rows)):
        rows["seq"] = rows["report_seq"] = np.arange(first + 1, first + len(rows) + 1)
        lists.take(rows)
        written += len(lists.rows_take())
    ((_, _, count, blocks, _, end),) = lists.state()["reports"]
    assert count == 1_000_000
    assert len(blocks) + len(end) < 100_000 < 7_000_000 < written


def test_a_state_that_is_none_is_refused():
    for state in ({}, {**EventLists().state(), "settlement": (1, 300, b"", b"", b"")}):
        with pytest.raises(ValueError):
            EventLists().restore(state)

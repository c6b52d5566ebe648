"""The event store's checksums: one flipped bit is found and said, and never served."""

from pathlib import Path

import pytest

from cea_exchange.journal import (
    EventDamaged,
    EventStore,
    JournalFull,
    event_rows_each,
    event_rows_read,
)
from cea_exchange.journal._crc32c import row_damaged, row_sums
from cea_exchange.journal.row_file import HEADER_BYTES, WAITING_BYTES_MAX
from support.journal.volatile_storage import VolatileStorage

DIRECTORY = Path("/data/events")
LOG_ID, OTHER_LOG_ID = "0" * 32, "1" * 32
ROWS = b"".join(bytes([65 + place]) * 4 for place in range(9))


@pytest.fixture
def storage():
    return VolatileStorage()


def store_open(storage, log_id=LOG_ID, base=0):
    return EventStore.open(DIRECTORY, log_id=log_id, base=base, row_bytes=4, storage=storage)


def rows_read(storage):
    return event_rows_read(DIRECTORY, log_id=LOG_ID, row_bytes=4, storage=storage)


def flip(storage, name, offset, bit=0):
    file = storage.open(DIRECTORY / name)
    (byte,) = file.read(HEADER_BYTES + offset, 1)
    file.write(HEADER_BYTES + offset, bytes([byte ^ 1 << bit]))


@pytest.mark.parametrize("name", ["events.rows", "events.sums"])
@pytest.mark.parametrize("base", [0, 1000])
def test_each_bit_that_flips_is_found_and_its_row_named(storage, name, base):
    with store_open(storage, base=base) as store:
        store.append(ROWS)
    for place in range(9):
        for bit in range(32):
            flip(storage, name, 4 * place + bit // 8, bit % 8)
            store, rows = store_open(storage), rows_read(storage)
            bad = base + place + 1
            for source in (store, rows):
                with pytest.raises(EventDamaged, match=f"event {bad} is not as it was written"):
                    source.read(base + 1, 9)
                # The others are given out as before.
                assert bytes(source.read(base + 1, place)) == ROWS[: 4 * place]
                assert bytes(source.read(bad + 1, 9)) == ROWS[4 * place + 4 :]
            with pytest.raises(EventDamaged, match=f"event {bad} "):
                rows.check(rows.count)
            rows.check(bad - 1)
            flip(storage, name, 4 * place + bit // 8, bit % 8)
    assert store_open(storage).read(base + 1, 9) == ROWS


def test_a_row_at_anothers_place_is_damage_too(storage):
    with store_open(storage) as store:
        store.append(ROWS)
    for name in ("events.rows", "events.sums"):
        file = storage.open(DIRECTORY / name)
        first, second = file.read(HEADER_BYTES, 4), file.read(HEADER_BYTES + 4, 4)
        file.write(HEADER_BYTES, second + first)
    with pytest.raises(EventDamaged, match="event 1 is not"):
        store_open(storage).read(1, 2)


def test_zeros_that_a_power_loss_left_in_both_files_are_no_row(storage):
    with store_open(storage) as store:
        store.append(ROWS)
    for name in ("events.rows", "events.sums"):
        storage.open(DIRECTORY / name).write(HEADER_BYTES + 8 * 4, bytes(4))
    with pytest.raises(EventDamaged, match="event 9 is not"):
        store_open(storage).read(9, 1)


@pytest.mark.parametrize("lost", ["removed", "another's", "damaged", "cut"])
def test_rows_without_checksums_wait_for_replay_to_vouch_for_them(storage, lost):
    with store_open(storage) as store:
        store.append(ROWS)
    sums = DIRECTORY / "events.sums"
    if lost == "damaged":
        storage.open(sums).write(9, b"\7")
    elif lost == "cut":
        storage.open(sums).truncate(HEADER_BYTES + 6)
    else:
        storage.remove(sums)
    if lost == "another's":
        with EventStore.open(Path("/other"), log_id=OTHER_LOG_ID, storage=storage):
            pass
        storage.create(sums).write(0, storage.read(Path("/other/events.sums")))
    rows, store = rows_read(storage), store_open(storage)
    known = 1 if lost == "cut" else 0
    for source in (rows, store):
        assert (source.count, source.vouched_count) == (9, known)
        with pytest.raises(EventDamaged, match=f"event {known + 1} has no checksum"):
            source.read(1, 9)
        assert bytes(source.read_unchecked(1, 9)) == ROWS
    with pytest.raises(ValueError, match="checksums: expected them up to row"):
        store.append(b"zzzz")
    store.vouch(ROWS[4 * known :])
    assert store.read(1, 9) == ROWS
    assert store.append(b"zzzz") == 10
    store.close()
    assert store_open(storage).read(9, 2) == ROWS[-4:] + b"zzzz"


def test_rows_that_replay_gives_otherwise_are_vouched_for_no_more(storage):
    store = store_open(storage)
    store.append(ROWS)
    store.vouched_truncate(5)
    assert (store.count, store.vouched_count) == (9, 5)
    store.truncate(7)
    assert (store.count, store.vouched_count) == (7, 5)
    store.truncate(5)
    store.append(b"zzzz")
    assert store.read(5, 2) == ROWS[16:20] + b"zzzz"


def test_who_copies_all_rows_meets_the_damaged_one(tmp_path):
    with EventStore.open(tmp_path, log_id=LOG_ID) as store:
        store.append(bytes(160 * 10))
    assert b"".join(event_rows_each(tmp_path, log_id=LOG_ID, rows_max=3)) == bytes(1600)
    path = tmp_path / "events.rows"
    changed = bytearray(path.read_bytes())
    changed[64 + 160 * 7] ^= 0x80
    path.write_bytes(changed)
    with pytest.raises(EventDamaged, match="event 8 is not"):
        list(event_rows_each(tmp_path, log_id=LOG_ID, rows_max=3))


def test_rows_that_wait_for_the_disk_are_checked_like_others_and_have_an_end(storage):
    store = store_open(storage)
    storage.bytes_free = 0
    store.append(ROWS)
    assert (store.written_count, store.read(1, 9)) == (0, ROWS)
    store.space_check()
    store.append(bytes(WAITING_BYTES_MAX))
    with pytest.raises(JournalFull):
        store.space_check()
    storage.bytes_free = None
    store.space_check()
    store.append(b"zzzz")
    assert store.written_count == store.count == 9 + WAITING_BYTES_MAX // 4 + 1


def test_sums_are_of_whole_rows_and_as_many():
    assert row_sums(b"", 4, 1) == b""
    assert row_damaged(b"", 4, 1, b"") is None
    assert row_sums(ROWS, 4, 1)[8:] == row_sums(ROWS[8:], 4, 3)
    for sums in (b"", row_sums(ROWS, 4, 1)[:-1], row_sums(ROWS, 4, 1) + bytes(4)):
        with pytest.raises(ValueError, match="expected sums of 9 rows"):
            row_damaged(ROWS, 4, 1, sums)

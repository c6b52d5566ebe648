"""The journal and the event store, one fact at a time."""

import errno
import itertools
import os
import random
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cea_exchange.journal import (
    EventStore,
    Frame,
    FrameKind,
    Identity,
    Journal,
    JournalError,
    JournalFull,
    JournalPoisoned,
    event_rows_read,
    read_frames,
)
from cea_exchange.journal._frames import frame_made
from cea_exchange.journal.segment import (
    FRAME_HEADER_BYTES,
    FRAME_PAYLOAD_BYTES_MAX,
    SegmentReader,
    crc32c,
    segment_first_seq,
    segment_paths,
)
from cea_exchange.journal.storage import OsFile, OsStorage
from cea_exchange.protocol.folder_lock import FolderInUse, FolderLock
from support.journal.volatile_storage import VolatileStorage

IDENTITY = Identity(code_version="0.1.0", schema_version=1, profile_hash="ab" * 32)
LOG_ID = "0123456789abcdef0123456789abcdef"
OTHER_LOG_ID = "f" * 32
DIRECTORY = Path("/data/journal")


def journal_open(storage, *, padding_bytes=0, **options):
    options["padding_bytes"] = padding_bytes
    return Journal.open(DIRECTORY, identity=IDENTITY, storage=storage, **options)


def payloads(storage):
    return [frame.payload for frame in read_frames(DIRECTORY, storage=storage)]


@pytest.mark.parametrize("size", [0, 1, 64, FRAME_PAYLOAD_BYTES_MAX])
def test_a_frame_is_its_header_a_checksum_of_both_and_its_payload(size):
    payload = random.Random(size).randbytes(size)
    numbers = (FrameKind.RECORDS, 2**63 + 1, 2**62, 2**61, 2**32 - 1, size)
    head = struct.pack("<4sIQQqII", b"\xceFRM", *numbers)
    expected = head + struct.pack("<I", crc32c(head, payload)) + payload
    forms = (payload, bytearray(payload), memoryview(payload), np.frombuffer(payload, "u1"))
    assert {frame_made(*numbers[:-1], form) for form in forms} == {expected}


def test_a_frame_has_no_more_than_it_may_and_none_of_what_is_apart():
    with pytest.raises(ValueError, match="payload: expected up to"):
        frame_made(1, 1, 0, 0, 1, bytes(FRAME_PAYLOAD_BYTES_MAX + 1))
    with pytest.raises(TypeError, match="contiguous"):
        frame_made(1, 1, 0, 0, 1, np.zeros(8)[::2])


def test_an_empty_journal_starts_at_one_and_keeps_its_log_id():
    storage = VolatileStorage()
    journal = journal_open(storage)
    assert (1, 0) == (journal.next_seq, journal.synced_seq)
    journal.close()
    storage.crash()
    assert journal.log_id == journal_open(storage).log_id
    assert [] == payloads(storage)


def test_append_numbers_by_count_and_sync_says_how_far():
    journal = journal_open(VolatileStorage())
    assert 1 == journal.append(FrameKind.RECORDS, 3, 10, b"abc")
    assert 4 == journal.append(FrameKind.CONTROL, 1, 10, b"d")
    assert 0 == journal.synced_seq
    assert 4 == journal.sync()
    assert (5, 4) == (journal.next_seq, journal.synced_seq)


def test_a_segment_that_is_full_is_sealed_and_the_next_begins():
    storage = VolatileStorage()
    journal = journal_open(storage, segment_bytes_max=300)
    for value in range(6):
        journal.append(FrameKind.CONTROL, 1, value, bytes([value]) * 60)
    journal.close()
    assert 3 == len(storage.names(DIRECTORY))
    assert [bytes([value]) * 60 for value in range(6)] == payloads(storage)


def test_a_new_writer_begins_a_segment_with_its_own_identity():
    storage = VolatileStorage()
    with journal_open(storage) as journal:
        journal.append(FrameKind.CONTROL, 1, 1, b"old")
    newer = Identity("0.2.0", 2, "cd" * 32)
    with Journal.open(DIRECTORY, identity=newer._asdict(), storage=storage) as journal:
        journal.append(FrameKind.CONTROL, 1, 1, b"new")
    reader = SegmentReader(DIRECTORY, storage=storage)
    assert [b"old", b"new"] == [frame.payload for frame in reader.frames()]
    assert [IDENTITY, newer] == [header.identity for header in reader.headers]


def test_a_journal_that_was_not_closed_is_sealed_by_the_next_writer():
    storage = VolatileStorage()
    journal = journal_open(storage)
    journal.append(FrameKind.CONTROL, 1, 7, b"kept")
    journal.sync()
    storage.crash()
    journal = journal_open(storage)
    assert (2, 7, None) == (journal.next_seq, journal.last_time_ns, journal.torn_tail)
    assert 2 == len(storage.names(DIRECTORY))
    assert [b"kept"] == payloads(storage)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((FrameKind.SEAL, 1, 5, b""), "kind: expected RECORDS or CONTROL"),
        ((FrameKind.RECORDS, 0, 5, b""), "count: expected at least 1"),
        ((FrameKind.RECORDS, 1, 4, b""), "time_ns: expected at least 5, got 4"),
        ((FrameKind.RECORDS, 1, 5, bytes(FRAME_PAYLOAD_BYTES_MAX + 1)), "payload: expected up to"),
    ],
)
def test_append_refuses_misuse_and_writes_nothing(arguments, message):
    storage = VolatileStorage()
    journal = journal_open(storage)
    journal.append(FrameKind.RECORDS, 1, 5, b"first")
    with pytest.raises(ValueError, match=message):
        journal.append(*arguments)
    assert 2 == journal.next_seq
    assert [b"first"] == payloads(storage)


def test_the_longest_payload_fits():
    storage = VolatileStorage()
    with journal_open(storage) as journal:
        journal.append(FrameKind.RECORDS, 1, 1, bytes(FRAME_PAYLOAD_BYTES_MAX))
    assert [bytes(FRAME_PAYLOAD_BYTES_MAX)] == payloads(storage)


@pytest.mark.parametrize("padding_bytes", [0, 10, 1000])
@pytest.mark.parametrize("room", [0, 1, 35, 36, 50])
def test_no_space_appends_nothing_and_goes_on_when_space_returns(room, padding_bytes):
    storage = VolatileStorage()
    journal = journal_open(storage, padding_bytes=padding_bytes)
    # Room for the first frame and `room` more: its padding has to give way.
    storage.bytes_free = FRAME_HEADER_BYTES + len(b"before") + room
    journal.append(FrameKind.CONTROL, 1, 1, b"before")
    with pytest.raises(JournalFull):
        journal.append(FrameKind.CONTROL, 1, 1, b"x" * 100)
    assert 2 == journal.next_seq
    assert [b"before"] == payloads(storage)
    storage.bytes_free = None
    assert 2 == journal.append(FrameKind.CONTROL, 1, 1, b"after")
    journal.close()
    assert [b"before", b"after"] == payloads(storage)


@pytest.mark.parametrize("call", ["create", "sync_directory"])
def test_no_descriptor_for_the_next_segment_appends_nothing(call, monkeypatch):
    """Connections take descriptors too, those of strangers as well."""

    def none_left(path):
        raise OSError(errno.EMFILE, "Too many open files")

    storage = VolatileStorage()
    journal = journal_open(storage, segment_bytes_max=200)
    journal.append(FrameKind.CONTROL, 1, 1, b"x" * 100)
    with monkeypatch.context() as patched:
        patched.setattr(storage, call, none_left)
        for _ in range(2):
            with pytest.raises(JournalFull):
                journal.append(FrameKind.CONTROL, 1, 1, b"refused")
    assert 2 == journal.append(FrameKind.CONTROL, 1, 1, b"after")
    journal.close()
    assert [b"x" * 100, b"after"] == payloads(storage)


@pytest.mark.parametrize("code", [errno.EFBIG, errno.EIO, errno.EROFS, errno.EDQUOT, errno.EPERM])
def test_a_write_that_fails_of_whatever_is_a_disk_that_is_full(code, tmp_path, monkeypatch):
    """A file that is too large ended the venue."""
    write = OsFile.write

    def failing(file, offset, data):
        write(file, offset, data[: len(data) // 2])
        raise OSError(code, os.strerror(code))

    with Journal.open(tmp_path, identity=IDENTITY) as journal:
        journal.append(FrameKind.CONTROL, 1, 1, b"before")
        with monkeypatch.context() as patched:
            patched.setattr(OsFile, "write", failing)
            for _ in range(2):
                with pytest.raises(JournalFull, match=os.strerror(code)):
                    journal.append(FrameKind.CONTROL, 1, 1, b"refused")
        assert 2 == journal.append(FrameKind.CONTROL, 1, 1, b"after")
    assert [b"before", b"after"] == [frame.payload for frame in read_frames(tmp_path)]


@pytest.mark.parametrize("room", [0, 40, 68, 100, 260, 300])
def test_no_space_at_the_turn_of_a_segment_appends_nothing(room):
    """Room for part of the seal, for the seal only, for the seal and part of the next header."""
    storage = VolatileStorage()
    journal = journal_open(storage, segment_bytes_max=200)
    journal.append(FrameKind.CONTROL, 1, 1, b"before")
    storage.bytes_free = room
    with pytest.raises(JournalFull):
        journal.append(FrameKind.CONTROL, 1, 1, b"x" * 100)
    storage.bytes_free = None
    assert 2 == journal.append(FrameKind.CONTROL, 1, 1, b"after")
    journal.close()
    assert [b"before", b"after"] == payloads(storage)


def test_closing_without_room_for_the_seal_leaves_it_to_the_next_writer():
    storage = VolatileStorage()
    journal = journal_open(storage)
    journal.append(FrameKind.CONTROL, 1, 1, b"kept")
    storage.bytes_free = 30
    journal.close()
    storage.bytes_free = None
    storage.crash()
    assert 2 == journal_open(storage).next_seq
    assert [b"kept"] == payloads(storage)


def test_a_failed_sync_poisons_the_journal():
    storage = VolatileStorage()
    journal = journal_open(storage)
    journal.append(FrameKind.CONTROL, 1, 1, b"lost")
    storage.sync_fails = True
    with pytest.raises(JournalPoisoned):
        journal.sync()
    storage.sync_fails = False
    for act in (journal.sync, lambda: journal.append(FrameKind.CONTROL, 1, 1, b"no")):
        with pytest.raises(JournalPoisoned):
            act()
    assert 0 == journal.synced_seq
    journal.close()
    storage.crash()
    assert [] == payloads(storage)


def test_a_partial_frame_that_can_not_be_cut_poisons_the_journal():
    storage = VolatileStorage()
    journal = journal_open(storage)
    storage.bytes_free, storage.truncate_fails = 10, True
    with pytest.raises(JournalPoisoned):
        journal.append(FrameKind.CONTROL, 1, 1, b"x")
    storage.bytes_free, storage.truncate_fails = None, False
    journal = journal_open(storage)
    assert (1, 10) == (journal.next_seq, journal.torn_tail.bytes_cut)


def test_another_journal_is_refused():
    storage = VolatileStorage()
    journal_open(storage, log_id=LOG_ID).close()
    with pytest.raises(JournalError, match=f"log_id of the journal: expected {OTHER_LOG_ID}"):
        journal_open(storage, log_id=OTHER_LOG_ID)
    with pytest.raises(ValueError, match="log_id: expected 32"):
        journal_open(storage, log_id="venue-1")


def test_a_strange_file_in_the_journal_is_named():
    storage = VolatileStorage()
    storage.create(DIRECTORY / "notes.txt")
    with pytest.raises(JournalError, match="notes.txt"):
        journal_open(storage)


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([FrameKind.RECORDS, FrameKind.CONTROL]),
            st.integers(1, 2**32 - 1),
            st.binary(max_size=200),
            st.sampled_from(["go on", "sync", "reopen", "close"]),
        ),
        max_size=15,
    ),
    st.integers(200, 700),
    st.integers(0, 500),
)
def test_what_was_appended_is_read_back(batches, segment_bytes_max, padding_bytes):
    """Whatever the sizes, and however often the writer stops in between."""
    storage = VolatileStorage()
    options = {"segment_bytes_max": segment_bytes_max, "padding_bytes": padding_bytes}
    journal = journal_open(storage, **options)
    expected, seq = [], 1
    for time_ns, (kind, count, payload, then) in enumerate(batches):
        assert seq == journal.append(kind, count, time_ns, payload)
        expected.append(Frame(kind, seq, count, time_ns, payload, journal.synced_seq))
        seq += count
        if then == "sync":
            journal.sync()
        elif then != "go on":
            if then == "close":
                journal.close()
            journal = journal_open(storage, **options)
    journal.close()
    assert expected == list(read_frames(DIRECTORY, storage=storage))


ROW_BYTES = 8


def rows_written(random_, segment_bytes_max):
    """A journal of many small frames: rows, runs of control messages, payloads of no whole rows."""
    storage = VolatileStorage()
    with journal_open(storage, segment_bytes_max=segment_bytes_max) as journal:
        for number in range(150):
            kind = random_.choice([FrameKind.RECORDS] * 4 + [FrameKind.CONTROL])
            count = random_.randrange(1, 9)
            size = random_.choice([count * ROW_BYTES] * 9 + [count * ROW_BYTES + 1])
            journal.append(kind, count, number, random_.randbytes(size))
            if random_.random() < 0.2:
                journal.sync()
    return storage


def joined_by_hand(frames, rows):
    """What `frames_joined` gives of the frames of one segment."""
    joined, has_room = [], False
    for frame in frames:
        is_rows = frame.kind == FrameKind.RECORDS and len(frame.payload) == frame.count * ROW_BYTES
        if is_rows and has_room:
            last = joined[-1]
            joined[-1] = frame._replace(
                first_seq=last.first_seq,
                count=last.count + frame.count,
                payload=last.payload + frame.payload,
            )
        else:
            joined.append(frame)
        has_room = is_rows and joined[-1].count < rows
    return joined


def frames_kept(frames, kept):
    """Keep frames as they come, with a payload of their own; return what ends them, if anything."""
    try:
        for frame in frames:
            kept.append(frame._replace(payload=bytes(frame.payload)))
    except JournalError as error:
        return str(error)
    return None


@pytest.mark.parametrize("rows", [1, 7, 40, 10_000])
@pytest.mark.parametrize("seed", range(3))
def test_neighbouring_frames_of_rows_are_joined(seed, rows):
    storage = rows_written(random.Random(seed), segment_bytes_max=4_000)
    assert 2 < len(storage.names(DIRECTORY))
    frames, expected, joined = list(read_frames(DIRECTORY, storage=storage)), [], []
    firsts = [segment_first_seq(path) for path in segment_paths(DIRECTORY, storage)]
    for first, end in itertools.pairwise([*firsts, frames[-1].first_seq + 1]):
        expected += joined_by_hand([f for f in frames if first <= f.first_seq < end], rows)
    reader = SegmentReader(DIRECTORY, storage=storage)
    assert frames_kept(reader.frames_joined(ROW_BYTES, rows), joined) is None
    assert expected == joined
    plain = SegmentReader(DIRECTORY, storage=storage)
    assert frames == list(plain.frames())
    assert plain.tail == reader.tail


@pytest.mark.parametrize("seed", range(40))
def test_joining_finds_the_same_fault_after_the_same_frames(seed):
    random_ = random.Random(seed)
    storage = rows_written(random_, segment_bytes_max=random_.choice([4_000, 1 << 20]))
    path = random_.choice(segment_paths(DIRECTORY, storage))
    file = storage.open(path)
    place = random_.randrange(file.size())
    file.write(place, bytes([file.read(place, 1)[0] ^ 1 << random_.randrange(8)]))
    apart, joined = [], []
    for cut_torn_tail in (False, True):
        readers = [
            SegmentReader(DIRECTORY, storage=storage, cut_torn_tail=cut_torn_tail)
            for _ in range(2)
        ]
        fault = frames_kept(readers[0].frames(), apart)
        assert fault == frames_kept(readers[1].frames_joined(ROW_BYTES, 20), joined)
        assert cut_torn_tail or fault
        assert readers[0].tail == readers[1].tail
        assert sum(f.count for f in apart) == sum(f.count for f in joined)
        assert b"".join(f.payload for f in apart) == b"".join(f.payload for f in joined)


def test_a_reader_goes_on_behind_a_frame_that_ends_with_zeros():
    """As of a cancel: nothing that was written tells zeros at its end from padding."""
    storage = VolatileStorage()
    journal = journal_open(storage, padding_bytes=4_096)
    journal.append(FrameKind.RECORDS, 2, 1, bytes(128))
    journal.sync()
    point = journal.point()
    journal.append(FrameKind.RECORDS, 1, 2, b"x" * 64)
    journal.sync()
    reader = SegmentReader(DIRECTORY, storage=storage, cut_torn_tail=True, start=point)
    assert [(frame.first_seq, frame.payload) for frame in reader.frames()] == [(3, b"x" * 64)]


@pytest.mark.parametrize("padded", [False, True])
def test_a_journal_that_was_cut_before_the_place_to_begin_is_named(padded):
    storage = VolatileStorage()
    journal = journal_open(storage)
    journal.append(FrameKind.RECORDS, 1, 1, b"x" * 64)
    journal.sync()
    point = journal.point()
    (path,) = [DIRECTORY / name for name in storage.names(DIRECTORY)]
    file = storage.open(path)
    file.truncate(point.segment_bytes - 64 - FRAME_HEADER_BYTES)
    if padded:
        file.write(file.size(), bytes(4_096))
    reader = SegmentReader(DIRECTORY, storage=storage, cut_torn_tail=True, start=point)
    with pytest.raises(JournalError, match="ends before sequence 1, which a snapshot has"):
        list(reader.frames())


@pytest.mark.parametrize("seed", range(100))
def test_a_power_cut_keeps_all_that_was_synced_and_a_prefix_of_the_rest(seed):
    """Over many lives of the journal: killed, closed, cut off with frames under way."""
    generator = random.Random(seed)
    storage = VolatileStorage()
    written, synced, time_ns = [], 0, 0
    for _ in range(6):
        journal = journal_open(
            storage,
            segment_bytes_max=generator.choice([250, 500, 5000]),
            padding_bytes=generator.choice([0, 100, 1000]),
        )
        found = payloads(storage)
        assert synced <= len(found)
        assert written[: len(found)] == found
        assert len(found) + 1 == journal.next_seq
        # The writer builds on what it found, so that is durable from here on.
        written, synced = found, len(found)
        for _ in range(generator.randrange(25)):
            written.append(generator.randbytes(generator.randrange(120)))
            time_ns += 1
            journal.append(FrameKind.CONTROL, 1, time_ns, written[-1])
            if generator.random() < 0.6:
                assert len(written) == journal.sync()
                synced = len(written)
        match generator.choice(["kill", "close", "power", "power", "power"]):
            case "close":
                journal.close()
                synced = len(written)
            case "power":
                storage.crash(generator, reordered=True)


def test_a_disk_that_only_says_it_synced_is_noticed():
    """The canary: were the sync skipped, acknowledged frames would be missing after a crash."""
    storage = VolatileStorage()
    journal = journal_open(storage)
    storage.syncs_ignored = True
    journal.append(FrameKind.CONTROL, 1, 1, b"acknowledged")
    journal.sync()
    storage.crash()
    assert b"acknowledged" not in payloads(storage)


def test_an_event_store_gives_rows_by_number():
    storage = VolatileStorage()
    with EventStore.open(DIRECTORY, log_id=LOG_ID, row_bytes=4, storage=storage) as store:
        assert 1 == store.append(b"aaaabbbb")
        assert 3 == store.append(b"cccc")
        assert b"bbbbcccc" == store.read(2, 5)
        assert b"" == store.read(4, 1)
    store = EventStore.open(DIRECTORY, log_id=LOG_ID, row_bytes=4, storage=storage)
    assert 3 == store.count
    store.truncate(1)
    assert b"aaaa" == store.read(1, 9)
    rows = event_rows_read(DIRECTORY, log_id=LOG_ID, row_bytes=4, storage=storage)
    assert (1, b"aaaa", b"") == (rows.count, rows.read(1, 9), rows.read(2, 1))


def test_an_event_store_cuts_a_torn_last_row():
    storage = VolatileStorage()
    store = EventStore.open(DIRECTORY, log_id=LOG_ID, row_bytes=4, storage=storage)
    # The checksums of three rows, and two and a half rows.
    storage.bytes_free = 12 + 10
    store.append(b"aaaabbbbcccc")
    storage.bytes_free = None
    store = EventStore.open(DIRECTORY, log_id=LOG_ID, row_bytes=4, storage=storage)
    assert (2, b"bbbb") == (store.count, store.read(2, 1))
    assert 3 == store.append(b"dddd")
    assert b"aaaabbbbdddd" == store.read(1, 3)


def test_rows_wait_in_memory_for_room_on_the_disk():
    storage = VolatileStorage()
    store = EventStore.open(DIRECTORY, log_id=LOG_ID, row_bytes=1, storage=storage)
    store.append(b"abc")
    storage.bytes_free = 1
    assert (4, 7) == (store.append(b"def"), store.append(b"gh"))
    for first in range(1, 10):
        for count in range(10):
            assert b"abcdefgh"[first - 1 : first - 1 + count] == store.read(first, count)
    store.truncate(7)
    assert b"efg" == store.read(5, 9)
    storage.bytes_free = None
    store.close()
    store = EventStore.open(DIRECTORY, log_id=LOG_ID, row_bytes=1, storage=storage)
    assert b"abcdefg" == store.read(1, 9)


def test_an_event_store_of_another_journal_or_width_is_refused():
    storage = VolatileStorage()
    EventStore.open(DIRECTORY, log_id=LOG_ID, row_bytes=4, storage=storage).close()
    for log_id, row_bytes in ((OTHER_LOG_ID, 4), (LOG_ID, 8)):
        with pytest.raises(JournalError):
            EventStore.open(DIRECTORY, log_id=log_id, row_bytes=row_bytes, storage=storage)


@pytest.mark.parametrize("misuse", [lambda s: s.append(b"abc"), lambda s: s.read(0, 1)])
def test_an_event_store_refuses_misuse(misuse):
    store = EventStore.open(DIRECTORY, log_id=LOG_ID, row_bytes=4, storage=VolatileStorage())
    with pytest.raises(ValueError):
        misuse(store)


def test_a_second_process_does_not_get_the_folder(tmp_path):
    hold = (
        "import sys, time; from cea_exchange.protocol.folder_lock import FolderLock\n"
        "lock = FolderLock(sys.argv[1]); print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert "held\n" == holder.stdout.readline()
        with pytest.raises(FolderInUse, match=f"in use by process {holder.pid}"):
            FolderLock(tmp_path)
    finally:
        holder.kill()
        holder.communicate()
    with FolderLock(tmp_path):
        pass


@pytest.mark.parametrize("named", ["lock", "venue.lock"])
def test_a_lock_file_that_is_removed_lets_nobody_in(tmp_path, named):
    with FolderLock(tmp_path, named):
        (tmp_path / named).unlink()
        for _ in range(2):
            # The first one that is refused makes the file anew.
            with pytest.raises(FolderInUse):
                FolderLock(tmp_path, named)
    FolderLock(tmp_path, named).release()


def test_a_folder_that_is_moved_stays_locked(tmp_path):
    with FolderLock(tmp_path / "old"):
        (tmp_path / "old").rename(tmp_path / "new")
        with pytest.raises(FolderInUse):
            FolderLock(tmp_path / "new")


def test_on_a_real_disk(tmp_path):
    with Journal.open(tmp_path / "a" / "journal", identity=IDENTITY) as journal:
        journal.append(FrameKind.RECORDS, 2, 1, b"on disk")
        journal.sync()
    assert [b"on disk"] == [frame.payload for frame in read_frames(tmp_path / "a" / "journal")]
    assert ["00000000000000000001.seg"] == OsStorage().names(tmp_path / "a" / "journal")

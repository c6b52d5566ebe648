"""Every byte of a journal counts: flips, cuts and lost segments, and what each leads to."""

from pathlib import Path

import pytest

from cea_exchange.journal import (
    FrameKind,
    Identity,
    Journal,
    JournalError,
    SegmentReader,
    read_frames,
)
from cea_exchange.journal.segment import (
    FRAME_BYTES_MAX,
    FRAME_HEADER_BYTES,
    SEGMENT_HEADER_BYTES,
)
from support.journal.volatile_storage import VolatileStorage

pytestmark = pytest.mark.crash

IDENTITY = Identity(code_version="0.1.0", schema_version=1, profile_hash="ab" * 32)
DIRECTORY = Path("/data/journal")
SEAL_BYTES = FRAME_HEADER_BYTES + 32


def journal_open(storage, *, padding_bytes=0, **options):
    return Journal.open(
        DIRECTORY, identity=IDENTITY, storage=storage, padding_bytes=padding_bytes, **options
    )


def journal_write(*, frames, segment_bytes_max=1 << 20, padding_bytes=0, closed):
    """Write `frames` frames of two sequence numbers each; leave the journal sealed or not."""
    storage = VolatileStorage()
    journal = journal_open(
        storage, segment_bytes_max=segment_bytes_max, padding_bytes=padding_bytes
    )
    for index in range(frames):
        journal.append(FrameKind.RECORDS, 2, index, bytes([index + 1]) * 40)
        journal.sync()
    if closed:
        journal.close()
    return storage


def damage(storage, name, data):
    file = storage.create(DIRECTORY / name)
    file.write(0, data)
    file.sync()


def read_all(storage):
    return list(read_frames(DIRECTORY, storage=storage))


def test_every_flipped_byte_of_a_sealed_journal_is_named():
    """With a sequence; and nothing opens on it, but for the last seal, which is written anew."""
    storage = journal_write(frames=5, segment_bytes_max=400, closed=True)
    names = storage.names(DIRECTORY)
    assert len(names) == 2
    for name in names:
        whole = storage.read(DIRECTORY / name)
        for offset in range(len(whole)):
            for mask in (0x01, 0x80, 0xFF):
                changed = bytearray(whole)
                changed[offset] ^= mask
                damage(storage, name, bytes(changed))
                with pytest.raises(JournalError) as reading:
                    read_all(storage)
                assert 1 <= reading.value.seq <= 11
                if name == names[-1] and offset >= len(whole) - SEAL_BYTES:
                    # A damaged last seal is what a crash while closing leaves.
                    assert 11 == reading.value.seq
                    continue
                with pytest.raises(JournalError):
                    journal_open(storage)
        damage(storage, name, whole)
    assert 5 == len(read_all(storage))


def test_a_flip_is_named_with_the_first_sequence_of_its_frame():
    storage = journal_write(frames=5, closed=True)
    (name,) = storage.names(DIRECTORY)
    whole = bytearray(storage.read(DIRECTORY / name))
    whole[192 + 2 * (FRAME_HEADER_BYTES + 40) + 50] ^= 1
    damage(storage, name, bytes(whole))
    with pytest.raises(JournalError, match=f"sequence 5: .*CRC.*{name} at byte 360"):
        read_all(storage)


def test_every_flip_before_the_last_frame_of_an_open_journal_stops_the_venue():
    storage = journal_write(frames=4, closed=False)
    (name,) = storage.names(DIRECTORY)
    whole = storage.read(DIRECTORY / name)
    last = len(whole) - FRAME_HEADER_BYTES - 40
    for offset in range(len(whole)):
        changed = bytearray(whole)
        changed[offset] ^= 0x10
        damage(storage, name, bytes(changed))
        with pytest.raises(JournalError):
            read_all(storage)
        if offset < last:
            with pytest.raises(JournalError):
                journal_open(storage)


@pytest.mark.parametrize("kept", range(FRAME_HEADER_BYTES + 40))
def test_a_cut_at_any_byte_of_the_last_frame_loses_nothing_else(kept):
    storage = journal_write(frames=4, closed=False)
    (name,) = storage.names(DIRECTORY)
    whole = storage.read(DIRECTORY / name)
    last = len(whole) - FRAME_HEADER_BYTES - 40
    damage(storage, name, whole[: last + kept])
    if kept:
        with pytest.raises(JournalError, match="sequence 7"):
            read_all(storage)
    journal = journal_open(storage)
    assert 7 == journal.next_seq
    if kept:
        assert (7, kept) == (journal.torn_tail.seq, journal.torn_tail.bytes_cut)
    assert 7 == journal.append(FrameKind.RECORDS, 2, 9, b"again")
    journal.close()
    frames = read_all(storage)
    assert [1, 3, 5, 7] == [frame.first_seq for frame in frames]
    assert [bytes([index + 1]) * 40 for index in range(3)] == [f.payload for f in frames[:3]]


def test_padding_is_zero_and_every_byte_of_it_is_checked():
    """A changed one is no frame that was ever released, so the next writer may cut it."""
    storage = journal_write(frames=3, padding_bytes=200, closed=False)
    (name,) = storage.names(DIRECTORY)
    whole = storage.read(DIRECTORY / name)
    end = 192 + 3 * (FRAME_HEADER_BYTES + 40)
    assert bytes(len(whole) - end) == whole[end:] != b""
    assert 3 == len(read_all(storage))
    for offset in range(end, len(whole)):
        changed = bytearray(whole)
        changed[offset] = 1
        damage(storage, name, bytes(changed))
        with pytest.raises(JournalError, match=f"sequence 7: .*{name} at byte {end}"):
            read_all(storage)
        assert 7 == journal_open(storage).next_seq
        for path in storage.names(DIRECTORY):
            storage.remove(DIRECTORY / path)


def test_a_sealed_segment_has_no_padding():
    storage = journal_write(frames=8, segment_bytes_max=300, padding_bytes=999, closed=True)
    plain = journal_write(frames=8, segment_bytes_max=300, closed=True)
    for name in plain.names(DIRECTORY):
        assert len(plain.read(DIRECTORY / name)) == len(storage.read(DIRECTORY / name))


def test_zeros_behind_a_seal_are_an_error():
    storage = journal_write(frames=3, closed=True)
    (name,) = storage.names(DIRECTORY)
    damage(storage, name, storage.read(DIRECTORY / name) + bytes(1))
    with pytest.raises(JournalError, match="bytes follow the seal"):
        read_all(storage)


def journal_of_one_sync():
    """Four frames, of which one sync covers the first two and none the others."""
    storage = VolatileStorage()
    journal = journal_open(storage)
    for index in range(4):
        journal.append(FrameKind.RECORDS, 2, index, bytes([index + 1]) * 40)
        if index == 1:
            journal.sync()
    return storage


@pytest.mark.parametrize("broken", range(4))
def test_a_hole_before_a_whole_frame_is_cut_only_if_neither_was_synced(broken):
    """A disk may keep the second of two unsynced writes and not the first."""
    storage = journal_of_one_sync()
    (name,) = storage.names(DIRECTORY)
    whole = bytearray(storage.read(DIRECTORY / name))
    start = 192 + broken * (FRAME_HEADER_BYTES + 40)
    whole[start : start + 60] = bytes(60)
    damage(storage, name, bytes(whole))
    if broken < 2:
        with pytest.raises(JournalError, match=f"sequence {1 + 2 * broken}: .*it was synced"):
            journal_open(storage)
    else:
        journal = journal_open(storage)
        assert 1 + 2 * broken == journal.next_seq == journal.torn_tail.seq


class ReadBesideWriting:
    """A file system whose first look at a file has a hole where a frame was written meanwhile."""

    def __init__(self, storage, hole, *, is_filled):
        self._storage, self._hole, self._is_filled = storage, hole, is_filled
        self._looks = 0

    def read(self, path):
        whole = bytearray(self._storage.read(path))
        self._looks += 1
        if self._looks == 1 or not self._is_filled:
            whole[self._hole] = bytes(self._hole.stop - self._hole.start)
        return bytes(whole)

    def __getattr__(self, name):
        return getattr(self._storage, name)


@pytest.mark.parametrize("is_filled", [True, False])
def test_a_frame_written_while_the_file_is_read_is_no_damage(is_filled):
    """The reader ends before it, and the next one has it; what stays a hole is damage."""
    storage = journal_write(frames=4, closed=False, padding_bytes=4096)
    frame_bytes = FRAME_HEADER_BYTES + 40
    hole = slice(SEGMENT_HEADER_BYTES + 2 * frame_bytes, SEGMENT_HEADER_BYTES + 3 * frame_bytes)
    beside = ReadBesideWriting(storage, hole, is_filled=is_filled)
    reader = SegmentReader(DIRECTORY, storage=beside, cut_torn_tail=True)
    if not is_filled:
        with pytest.raises(JournalError, match="sequence 5: .*written after it was synced"):
            list(reader.frames())
        return
    assert [1, 3] == [frame.first_seq for frame in reader.frames()]
    assert (5, hole.start) == (reader.tail.next_seq, reader.tail.valid_bytes)
    again = SegmentReader(DIRECTORY, storage=beside, cut_torn_tail=True)
    assert [1, 3, 5, 7] == [frame.first_seq for frame in again.frames()]


def test_a_whole_frame_with_another_number_is_no_torn_tail():
    storage = journal_write(frames=3, closed=False)
    (name,) = storage.names(DIRECTORY)
    whole = storage.read(DIRECTORY / name)
    last = whole[-FRAME_HEADER_BYTES - 40 :]
    damage(storage, name, whole + last)
    with pytest.raises(JournalError, match="first_seq: expected 7, got 5, and its CRC-32C is"):
        journal_open(storage)


def test_more_than_a_frame_of_broken_bytes_is_no_torn_tail():
    storage = journal_write(frames=3, closed=False)
    (name,) = storage.names(DIRECTORY)
    damage(storage, name, storage.read(DIRECTORY / name) + b"\1" * (FRAME_BYTES_MAX + 1))
    with pytest.raises(JournalError, match="more than a frame's bytes are broken"):
        journal_open(storage)


@pytest.mark.parametrize("torn", [b"", b"\xceFRM", b"\0\1"])
def test_a_last_frame_of_zeros_is_cut(torn):
    """A disk may have the length of a write and not its bytes."""
    storage = journal_write(frames=3, closed=False)
    (name,) = storage.names(DIRECTORY)
    whole = storage.read(DIRECTORY / name)
    damage(storage, name, whole + torn + bytes(76))
    assert 7 == journal_open(storage).next_seq


def test_a_cut_of_a_sealed_journal_is_an_error():
    storage = journal_write(frames=3, segment_bytes_max=300, closed=True)
    first = storage.names(DIRECTORY)[0]
    damage(storage, first, storage.read(DIRECTORY / first)[:-10])
    with pytest.raises(JournalError):
        journal_open(storage)


@pytest.mark.parametrize("kept", range(SEAL_BYTES))
def test_a_crash_in_the_middle_of_closing_loses_nothing(kept):
    storage = journal_write(frames=3, closed=True)
    (name,) = storage.names(DIRECTORY)
    whole = storage.read(DIRECTORY / name)
    damage(storage, name, whole[: len(whole) - SEAL_BYTES + kept])
    assert 7 == journal_open(storage).next_seq
    assert 3 == len(read_all(storage))


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_segment_breaks_the_chain(missing):
    storage = journal_write(frames=8, segment_bytes_max=300, closed=True)
    names = storage.names(DIRECTORY)
    assert len(names) == 4
    storage.remove(DIRECTORY / names[missing])
    with pytest.raises(JournalError, match="first_seq"):
        read_all(storage)


def test_a_segment_of_another_history_breaks_the_chain():
    """Same log, same sequences, other contents: only the hash of the segment before tells."""
    storage = journal_write(frames=8, segment_bytes_max=300, closed=True)
    names = storage.names(DIRECTORY)
    log_id = journal_open(storage).log_id
    other = VolatileStorage()
    journal = journal_open(other, log_id=log_id, segment_bytes_max=300)
    for index in range(8):
        journal.append(FrameKind.RECORDS, 2, index, bytes([index + 99]) * 40)
    journal.close()
    damage(storage, names[1], other.read(DIRECTORY / names[1]))
    with pytest.raises(JournalError, match="sequence 5: SHA-256 of the segment before"):
        read_all(storage)


def test_swapped_segments_break_the_chain():
    storage = journal_write(frames=8, segment_bytes_max=300, closed=True)
    names = storage.names(DIRECTORY)
    first, second = (storage.read(DIRECTORY / name) for name in names[:2])
    damage(storage, names[0], second)
    damage(storage, names[1], first)
    with pytest.raises(JournalError):
        read_all(storage)

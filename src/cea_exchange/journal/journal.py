"""The writer: one total order of frames that survives a crash.

    append  the frame is written: it survives the process, not the machine
    sync    it is on disk: what depends on it may leave the venue
    close   the segment is sealed: from now on every change to it is an error

After a failed sync nothing may be released, and the process has to end.
"""

import contextlib
import hashlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from cea_exchange.journal.errors import JournalError, JournalFull, JournalPoisoned
from cea_exchange.journal.frame_bytes import frames_split
from cea_exchange.journal.segment import (
    CHAIN_START,
    FRAME_PAYLOAD_BYTES_MAX,
    PADDING_BYTES,
    SEGMENT_BYTES_MAX,
    Frame,
    FrameKind,
    Identity,
    JournalPoint,
    SegmentHeader,
    SegmentReader,
    Tail,
    frame_made,
    log_id_check,
    seal_encode,
    segment_header_encode,
    segment_name,
)
from cea_exchange.journal.storage import (
    DRAFT_SUFFIX,
    OsStorage,
    Storage,
    StorageFile,
    create_whole,
)

if TYPE_CHECKING:
    from typing_extensions import Buffer


class TornTail(NamedTuple):
    """What a crash left in the middle of a write and `Journal.open` cut away."""

    place: str
    seq: int
    bytes_cut: int
    reason: str


class Journal:
    """An open journal, at its end. Made by `Journal.open`; one writer, one thread at a time.

    Attributes
    ----------
    log_id : str
        32 hexadecimal digits, given to the journal when it began; every stream carries it.
    identity : Identity
        Of the segments that are written now.
    next_seq : int
        The sequence number the next append starts at; the first is 1.
    synced_seq : int
        The last sequence number that is on disk.
    last_time_ns : int
        The stamp of the last frame; 0 in an empty journal. Journaled time never goes back.
    torn_tail : TornTail or None
        What opening cut away.
    """

    def __init__(
        self,
        directory: Path,
        *,
        log_id: str,
        identity: Identity,
        storage: Storage,
        segment_bytes_max: int,
        padding_bytes: int,
    ):
        self._directory = directory
        self.identity = identity
        self._storage = storage
        self._segment_bytes_max = segment_bytes_max
        self._padding_bytes = padding_bytes
        self._file: StorageFile | None = None
        self._size = 0
        self._padded_size = 0
        self._sha256 = hashlib.sha256()
        self._previous_sha256 = CHAIN_START
        self._fault: str = ""
        self.log_id = log_id
        self.next_seq = 1
        self.synced_seq = 0
        self.last_time_ns = 0
        self.torn_tail: TornTail | None = None

    @classmethod
    def open(
        cls,
        directory: Path | str,
        *,
        log_id: str | None = None,
        identity: Identity | dict,
        storage: Storage | None = None,
        segment_bytes_max: int = SEGMENT_BYTES_MAX,
        padding_bytes: int = PADDING_BYTES,
        tail: Tail | None = None,
    ) -> "Journal":
        """Check a journal from its first byte, cut a torn tail, and stand ready at its end.

        Parameters
        ----------
        directory : Path
            The journal's folder; created when missing. The caller holds the data folder's lock.
        log_id : str, optional
            Which journal it has to be; one that begins takes it, or makes its own.
        identity : Identity or dict
            `code_version`, `schema_version`, `profile_hash` for the segments written from now on.
        storage : Storage, optional
            The file system.
        segment_bytes_max : int
            A segment that has reached it is sealed before the next append.
        padding_bytes : int
            How far zeros are written ahead; 0 is not at all.
        tail : Tail, optional
            Of a `SegmentReader` that has just read the journal to its end, with `cut_torn_tail`;
            it is not read again then.

        Raises
        ------
        JournalError
            If any byte is not as it was written, apart from what a crash left of frames that
            were not synced.
        JournalFull
            If there is no room for a new segment.

        Notes
        -----
        A journal that was not closed is sealed here, so writing goes on in a segment of its own.
        """
        directory = Path(directory)
        storage = storage or OsStorage()
        identity = Identity(**identity) if isinstance(identity, dict) else identity
        storage.make_directory(directory)
        for name in storage.names(directory):
            if name.endswith(DRAFT_SUFFIX):
                storage.remove(directory / name)
        if tail is None:
            reader = SegmentReader(directory, storage=storage, cut_torn_tail=True)
            for _ in reader.frames():
                pass
            tail = reader.tail
        log_id = _log_id_choose(log_id, tail)
        journal = cls(
            directory,
            log_id=log_id,
            identity=identity,
            storage=storage,
            segment_bytes_max=segment_bytes_max,
            padding_bytes=padding_bytes,
        )
        journal._continue_after(tail)
        return journal

    def append(self, kind: FrameKind, count: int, time_ns: int, payload: "Buffer") -> int:
        """Write one frame and return its first sequence number. Not durable before `sync`.

        Parameters
        ----------
        kind : FrameKind
            RECORDS or CONTROL.
        count : int
            How many sequence numbers the payload takes, at least one.
        time_ns : int
            When, in ns since 1970 by the venue's clock; never before the last frame.
        payload : bytes-like
            Up to `FRAME_PAYLOAD_BYTES_MAX` bytes; an array of records will do.

        Raises
        ------
        JournalFull
            If the disk takes no more: full, a file too large, or what else a write fails of.
            Nothing was appended; the same append may be tried again.
        JournalPoisoned
            If an earlier failure left the end of the file unknown.
        """
        self._frame_check(kind, count, time_ns, payload)
        self._segment_prepare()
        data = frame_made(kind, self.next_seq, self.synced_seq, time_ns, count, payload)
        return self._append_frame(data, count, time_ns)

    def frame(
        self, kind: FrameKind, count: int, time_ns: int, payload: "Buffer", *, synced_seq: int
    ) -> bytes:
        """Return the bytes of the frame that `append` would write; see there.

        Parameters
        ----------
        kind, count, time_ns, payload
            As of `append`.
        synced_seq : int
            The last sequence number that is where it can't be lost.
        """
        self._frame_check(kind, count, time_ns, payload)
        return frame_made(kind, self.next_seq, synced_seq, time_ns, count, payload)

    def append_frame(self, data: bytes, count: int, time_ns: int) -> int:
        """Write the bytes of the next frame and return its first sequence number, as `append`."""
        self._usable_check()
        self._segment_prepare()
        return self._append_frame(data, count, time_ns)

    def append_frames(self, data: bytes) -> Iterator[Frame]:
        """Write frames as another writer of the same journal made them, and yield each.

        They say of what is before them that it is on disk, which of this disk is not so before the
        next `sync`: who writes so has to know, after a crash, where to have the rest from.

        Parameters
        ----------
        data : bytes
            Whole frames, one after the other; what this journal has already is left out.

        Raises
        ------
        JournalError
            They are not whole, or not the next.
        JournalFull
            As of `append`; the frames before were appended.
        """
        for frame, raw in frames_split(data):
            if frame.first_seq < self.next_seq:
                continue
            if frame.first_seq != self.next_seq or frame.time_ns < self.last_time_ns:
                what = (
                    f"the next frame: expected sequence {self.next_seq} after time "
                    f"{self.last_time_ns}, got {frame.first_seq} at {frame.time_ns}"
                )
                raise JournalError("frames", frame.first_seq, what)
            self.append_frame(raw, frame.count, frame.time_ns)
            yield frame

    @property
    def is_segment_full(self) -> bool:
        """Whether the next append seals the segment first."""
        return self._file is not None and self._size >= self._segment_bytes_max

    def sync_begin(self) -> None:
        """Begin nothing: the disk is here, and `sync` waits for it."""

    def sync(self) -> int:
        """Bring all that was appended to disk and return the last sequence number there.

        Raises
        ------
        JournalPoisoned
            If the sync fails: the kernel may have dropped the pages, so trying again would report
            success without it being true. Release nothing, exit, recover by replay.
        """
        self._usable_check()
        seq = self.next_seq - 1
        if self._file is not None:
            self._sync_or_poison()
        self.synced_seq = seq
        return seq

    @property
    def is_poisoned(self) -> bool:
        """Whether a cut or sync has failed, or it is closed: nothing can be appended."""
        return bool(self._fault)

    def point(self) -> JournalPoint:
        """Return the place after the last frame, from which a `SegmentReader` may start.

        Raises
        ------
        JournalFull
            The segment is sealed, and there is no room for the next.
        """
        self._usable_check()
        if self._file is None:
            self._segment_begin()
        return JournalPoint(
            self.next_seq,
            self.last_time_ns,
            self._segment_first_seq,
            self._size,
            self._sha256.digest(),
            self._previous_sha256,
        )

    def abandon(self) -> None:
        """Close it and leave the segment as it is, with frames that may not count."""
        self._fault = self._fault or "the journal is closed"
        self._file_close()

    def close(self) -> None:
        """Seal the segment and close it.

        After a failure, or without room for the seal, it is left as it is: the next writer seals.
        """
        if self._fault:
            self._file_close()
            return
        # A segment without frames stays open: the next writer takes its place.
        if self._file is not None and self.next_seq > self._segment_first_seq:
            with contextlib.suppress(JournalFull):
                self._seal()
        self._file_close()
        self._fault = "the journal is closed"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _frame_check(
        self, kind: FrameKind, count: int, time_ns: int, payload: "Buffer"
    ) -> None:
        self._usable_check()
        payload_bytes = memoryview(payload).nbytes
        if kind not in (FrameKind.RECORDS, FrameKind.CONTROL):
            raise ValueError(f"kind: expected RECORDS or CONTROL, got {kind!r}")
        if count < 1:
            raise ValueError(f"count: expected at least 1, got {count}")
        if time_ns < self.last_time_ns:
            raise ValueError(f"time_ns: expected at least {self.last_time_ns}, got {time_ns}")
        if payload_bytes > FRAME_PAYLOAD_BYTES_MAX:
            raise ValueError(
                f"payload: expected up to {FRAME_PAYLOAD_BYTES_MAX} bytes, got {payload_bytes}"
            )

    def _segment_prepare(self) -> None:
        if self.is_segment_full:
            self._seal()
        if self._file is None:
            self._segment_begin()

    def _append_frame(self, data: bytes, count: int, time_ns: int) -> int:
        first_seq = self.next_seq
        self._pad(self._size + len(data))
        self._write(data)
        self.next_seq += count
        self.last_time_ns = time_ns
        return first_seq

    def _continue_after(self, tail: Tail) -> None:
        """Cut what was torn, seal what was left open, and begin a segment."""
        self.next_seq = tail.next_seq
        self.last_time_ns = tail.time_ns
        self._previous_sha256 = tail.sha256
        if tail.path is not None:
            if tail.cut_bytes:
                place = f"{tail.path.name} at byte {tail.valid_bytes}"
                self.torn_tail = TornTail(place, tail.next_seq, tail.cut_bytes, tail.cut_reason)
            if tail.next_seq == tail.header.first_seq:
                # It has a header only, and the new segment has the same name: it is replaced.
                self._previous_sha256 = tail.header.previous_sha256
            else:
                self._segment_end(tail)
        self.synced_seq = tail.next_seq - 1
        self._segment_begin()

    def _segment_end(self, tail: Tail) -> None:
        """Make the last segment durable and sealed.

        Even a sealed one is synced: a writer that was killed while closing may have left it, whole
        to the eye, to the kernel's page cache.
        """
        self._file = self._storage.open(tail.path)
        self._segment_first_seq = tail.header.first_seq
        self._size = self._padded_size = tail.valid_bytes
        if tail.sealed:
            self._sync_or_poison()
            self._file_close()
            return
        self._sha256 = hashlib.sha256(self._file.read(0, tail.valid_bytes))
        self._seal()

    def _segment_begin(self) -> None:
        header = segment_header_encode(
            SegmentHeader(self.log_id, self.identity, self.next_seq, self._previous_sha256)
        )
        path = self._directory / segment_name(self.next_seq)
        try:
            self._file = create_whole(self._storage, path, header)
        except OSError as error:
            what = f"no room for the segment {path.name}: {error.strerror}"
            raise JournalFull(what) from error
        self._segment_first_seq = self.next_seq
        self._size = self._padded_size = len(header)
        self._sha256 = hashlib.sha256(header)

    def _seal(self) -> None:
        """End the segment: seal frame, sync, and the hash its successor will name.

        What the seal stands for is cut to its length and synced first: the seal says so.
        """
        self._cut()
        self._sync_or_poison()
        self.synced_seq = self.next_seq - 1
        self._write(seal_encode(self.next_seq, self.last_time_ns, self._sha256.digest()))
        self._sync_or_poison()
        self._previous_sha256 = self._sha256.digest()
        self._file_close()

    def _pad(self, end: int) -> None:
        """Write zeros ahead if a frame up to `end` would make the file longer."""
        if end <= self._padded_size or self._padding_bytes == 0:
            return
        zeros = bytes(end - self._padded_size + self._padding_bytes)
        try:
            self._file.write(self._padded_size, zeros)
        except OSError:
            self._cut()
            # The frame itself may still find room.
            return
        self._padded_size += len(zeros)

    def _write(self, data: bytes) -> None:
        """Write at the end of the segment, all of it or, whatever the disk says to it, nothing."""
        try:
            self._file.write(self._size, data)
        except OSError as error:
            self._cut()
            what = f"no room for {len(data)} bytes at sequence {self.next_seq}: {error.strerror}"
            raise JournalFull(what) from error
        self._size += len(data)
        self._padded_size = max(self._padded_size, self._size)
        self._sha256.update(data)

    def _cut(self) -> None:
        """Cut what is behind the last frame: padding, or a part of a frame."""
        try:
            self._file.truncate(self._size)
        except OSError as error:
            self._poison(f"cutting the segment's end: {error.strerror}", error)
        self._padded_size = self._size

    def _sync_or_poison(self) -> None:
        try:
            self._file.sync()
        except OSError as error:
            self._poison(f"sync: {error.strerror}", error)

    def _poison(self, what: str, error: OSError) -> None:
        self._fault = what
        raise JournalPoisoned(what) from error

    def _usable_check(self) -> None:
        if self._fault:
            raise JournalPoisoned(self._fault)

    def _file_close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _log_id_choose(log_id: str | None, tail: Tail) -> str:
    if log_id is not None:
        log_id_check(log_id)
    if tail.header is None:
        return log_id or uuid.uuid4().hex
    if log_id is not None and log_id != tail.header.log_id:
        raise JournalError(
            tail.path.name, 1, f"log_id of the journal: expected {log_id}, got {tail.header.log_id}"
        )
    return tail.header.log_id

"""Segment files and frames: their bytes, and checking every one of them.

    segment:  header | frame | frame | ... | seal
    frame:    magic kind first_seq synced_seq time_ns count length crc | payload

Laid out in protocol/journal.md. Nothing here knows what a payload means.
"""

import hashlib
import mmap
import re
import struct
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

import google_crc32c

from cea_exchange.journal._frames import FRAME_PAYLOAD_BYTES_MAX, frame_made, frames_whole
from cea_exchange.journal.errors import JournalError
from cea_exchange.journal.storage import DRAFT_SUFFIX, OsStorage, Storage

FORMAT_VERSION = 1
SEGMENT_BYTES_MAX = 64 << 20
PADDING_BYTES = 1 << 20
"""Zeros written ahead of the frames: a sync that needs not record a new length is much faster."""

_SEGMENT_MAGIC = b"CEAJRNL\n"
_SEGMENT_HEADER = struct.Struct("<8sII16sQ32s32s64s20s")
SEGMENT_HEADER_BYTES = _SEGMENT_HEADER.size + 4
_FRAME_MAGIC = b"\xceFRM"
_FRAME_HEADER = struct.Struct("<4sIQQqII")
FRAME_HEADER_BYTES = _FRAME_HEADER.size + 4
_CRC = struct.Struct("<I")
_SEGMENT_NAME = re.compile(r"^(\d{20})\.seg$")

SEAL_BYTES = FRAME_HEADER_BYTES + hashlib.sha256().digest_size
FRAME_BYTES_MAX = FRAME_HEADER_BYTES + FRAME_PAYLOAD_BYTES_MAX

assert SEGMENT_HEADER_BYTES == 192
assert FRAME_HEADER_BYTES == 44
assert FRAME_PAYLOAD_BYTES_MAX < SEGMENT_BYTES_MAX


class FrameKind(IntEnum):
    """What a frame's payload is."""

    RECORDS = 1
    """fixed-width trading commands, `count` of them"""
    CONTROL = 2
    """one control message"""
    SEAL = 3
    """the end of a segment: SHA-256 of all bytes before this frame"""


_KINDS = tuple(FrameKind)
_FRAME_KINDS = {int(kind): kind for kind in FrameKind}


class Frame(NamedTuple):
    """One journaled batch: `count` sequence numbers from `first_seq` on, stamped `time_ns`.

    `synced_seq` is the last sequence number that was on disk when the frame was written.
    """

    kind: FrameKind
    first_seq: int
    count: int
    time_ns: int
    payload: bytes
    synced_seq: int


class Identity(NamedTuple):
    """Who wrote a segment, and by which rules it has to be replayed."""

    code_version: str
    schema_version: int
    profile_hash: str


class SegmentHeader(NamedTuple):
    """The first bytes of a segment."""

    log_id: str
    identity: Identity
    first_seq: int
    previous_sha256: bytes


class JournalPoint(NamedTuple):
    """A place between two frames, and what the journal is up to there."""

    next_seq: int
    time_ns: int
    """The stamp of the frame before."""
    segment_first_seq: int
    segment_bytes: int
    """How much of that segment lies before the place."""
    segment_sha256: bytes
    """Of those bytes."""
    previous_sha256: bytes
    """What the segment's header has of the segment before."""


class TailCut(NamedTuple):
    """Where the last segment is to end though whole frames follow, and why."""

    path: Path
    offset: int
    reason: str


class Tail(NamedTuple):
    """How the last segment ends: what a writer needs to go on after it."""

    path: Path | None
    header: SegmentHeader | None
    next_seq: int
    time_ns: int
    sealed: bool
    sha256: bytes
    valid_bytes: int
    cut_bytes: int
    cut_reason: str


_Bytes = bytes | mmap.mmap
"""Of a file that was read, or of one that is looked at where the kernel has it."""
CHAIN_START = bytes(32)
"""What the first segment has in the place of its predecessor's hash."""


def crc32c(*parts: bytes) -> int:
    """Return the CRC-32C of the parts, one after the other."""
    crc = 0
    for part in parts:
        crc = google_crc32c.extend(crc, part)
    return crc


def segment_name(first_seq: int) -> str:
    """Return the file name of the segment that starts at `first_seq`."""
    return f"{first_seq:020d}.seg"


def segment_header_encode(header: SegmentHeader) -> bytes:
    """Return the bytes of a segment header, its CRC last."""
    code_version = text_encode(header.identity.code_version, 32, "code_version")
    profile_hash = text_encode(header.identity.profile_hash, 64, "profile_hash")
    head = _SEGMENT_HEADER.pack(
        _SEGMENT_MAGIC,
        FORMAT_VERSION,
        header.identity.schema_version,
        bytes.fromhex(header.log_id),
        header.first_seq,
        header.previous_sha256,
        code_version,
        profile_hash,
        bytes(20),
    )
    return head + _CRC.pack(crc32c(head))


def frame_encode(frame: Frame) -> bytes:
    """Return the bytes of a frame."""
    kind, first_seq, count, time_ns, payload, synced_seq = frame
    return frame_made(kind, first_seq, synced_seq, time_ns, count, payload)


def seal_encode(next_seq: int, time_ns: int, sha256_so_far: bytes) -> bytes:
    """Return the bytes of the frame that ends a segment, all of which is on disk."""
    return frame_encode(
        Frame(FrameKind.SEAL, next_seq, 0, time_ns, sha256_so_far, synced_seq=next_seq - 1)
    )


def log_id_check(log_id: str) -> None:
    """Refuse a `log_id` that is not 32 lower-case hexadecimal digits."""
    if not re.fullmatch(r"[0-9a-f]{32}", log_id):
        raise ValueError(f"log_id: expected 32 lower-case hexadecimal digits, got {log_id!r}")


def segment_first_seq(path: Path) -> int:
    """Return the first sequence number of a segment, by its name."""
    return int(_SEGMENT_NAME.match(path.name).group(1))


def segment_paths(
    directory: Path, storage: Storage, *, archive: Path | None = None
) -> list[Path]:
    """Return the segments of a journal in order; a file that is none is an error.

    Parameters
    ----------
    directory, archive : Path
        The journal's folder, and where segments that are no more in it are.

    Raises
    ------
    JournalError
        If the directory has a file that is neither a segment nor an unfinished one.
    """
    directory = Path(directory)
    paths = {}
    if archive is not None:
        names = filter(_SEGMENT_NAME.match, storage.names(archive))
        paths = {name: Path(archive) / name for name in names}
    for name in storage.names(directory):
        if _SEGMENT_NAME.match(name):
            paths[name] = directory / name
        elif not name.endswith(DRAFT_SUFFIX):
            raise JournalError(str(directory / name), 0, "expected a segment, got another file")
    return [paths[name] for name in sorted(paths)]


class _Hashes(NamedTuple):
    """Hashes of a segment as they are if its seal is its last frame."""

    sha256_before_seal: bytes
    sha256: bytes


def _hashes(data: _Bytes) -> _Hashes:
    view = memoryview(data)
    start = max(0, len(data) - SEAL_BYTES)
    sha256 = hashlib.sha256(view[:start])
    before_seal = sha256.digest()
    sha256.update(view[start:])
    return _Hashes(before_seal, sha256.digest())


class _Segment:
    """A segment that a helper reads, and then hashes while its frames are worked on already."""

    def __init__(self, storage: Storage, path: Path, helper: Executor, is_last: bool) -> None:
        # One that others follow is sealed: nobody cuts it while it is looked at where it lies.
        self._data = helper.submit(storage.read if is_last else storage.map, path)
        self._hashes = helper.submit(lambda: _hashes(self.data))

    @property
    def data(self) -> _Bytes:
        """Its bytes."""
        return self._data.result()

    @property
    def hashes(self) -> _Hashes:
        """What its end is compared with."""
        return self._hashes.result()


class SegmentReader:
    """Reads a journal and checks every byte, the chain included.

    Parameters
    ----------
    directory : Path
        The journal's folder.
    storage : Storage
        The file system.
    cut_torn_tail : bool
        Stop before what a crash left of unsynced frames in the last, unsealed segment, instead of
        raising.
    archive : Path, optional
        Where segments are looked for that are not in the journal's folder.
    start : JournalPoint, optional
        Begin there and not at the first frame. What lies before it in its segment is checked by its
        hash; segments before are not read.
    cut : TailCut, optional
        Where the journal ends, whatever follows there.

    Notes
    -----
    `paths` are the segments to be read. After `frames()` is exhausted, `tail` says how the journal
    ends and `headers` has the header of every segment that was read.
    """

    def __init__(
        self,
        directory: Path,
        *,
        storage: Storage,
        cut_torn_tail: bool = False,
        archive: Path | None = None,
        start: JournalPoint | None = None,
        cut: TailCut | None = None,
    ):
        self._cut = cut
        self._storage = storage
        self.paths = segment_paths(directory, storage, archive=archive)
        self._cut_torn_tail = cut_torn_tail
        self._start = start
        self._joining: tuple = ()
        self.headers: list[SegmentHeader] = []
        self.tail = Tail(None, None, 1, 0, True, CHAIN_START, 0, 0, "")
        if start is not None:
            first = start.segment_first_seq
            self.paths = [path for path in self.paths if segment_first_seq(path) >= first]
            self.tail = self.tail._replace(
                next_seq=first, time_ns=start.time_ns, sha256=start.previous_sha256
            )

    def frames_joined(self, row_bytes: int, rows: int) -> Iterator[Frame]:
        """Yield every frame as `frames` does, but neighbours that are records as one.

        Parameters
        ----------
        row_bytes : int
            The width of a record.
        rows : int
            Frames are joined until they have so many. The payload is lent: it is good until the
            next frame is asked for.
        """
        self._joining = (row_bytes, bytearray(rows * row_bytes + FRAME_PAYLOAD_BYTES_MAX))
        return self.frames()

    def frames(self) -> Iterator[Frame]:
        """Yield every frame, seals apart, oldest first."""
        if self._start is not None and not self.paths:
            self._start_missing(segment_name(self._start.segment_first_seq))
        # The next segment is read and hashed while the frames of the last are worked on.
        with ThreadPoolExecutor(1, thread_name_prefix="segments") as helper:
            segments = (
                _Segment(self._storage, path, helper, path is self.paths[-1])
                for path in self.paths
            )
            ahead = next(segments, None)
            for index, path in enumerate(self.paths):
                if not self.tail.sealed:
                    raise JournalError(
                        _place(self.tail.path, self.tail.valid_bytes),
                        self.tail.next_seq,
                        f"expected a seal, as {path.name} follows, got none",
                    )
                segment, ahead = ahead, next(segments, None)
                header = self._header_read(path, segment.data)
                self.headers.append(header)
                is_last = index == len(self.paths) - 1
                yield from self._segment_frames(path, segment, header, is_last)

    def _header_read(self, path: Path, data: _Bytes) -> SegmentHeader:
        """Decode and check a segment's header against the segment before it."""
        seq = self.tail.next_seq
        header = segment_header_decode(path, data, seq)
        named_seq = segment_first_seq(path)
        previous = self.tail.header
        for what, expected, found in (
            ("first_seq of the segment", seq, header.first_seq),
            ("first_seq in the file's name", seq, named_seq),
            ("log_id", previous.log_id if previous else header.log_id, header.log_id),
            ("SHA-256 of the segment before", self.tail.sha256, header.previous_sha256),
        ):
            if expected != found:
                raise JournalError(
                    _place(path, 0), seq, f"{what}: expected {_show(expected)}, got {_show(found)}"
                )
        return header

    def _segment_frames(
        self, path: Path, segment: _Segment, header: SegmentHeader, is_last: bool
    ) -> Iterator[Frame]:
        data = segment.data
        cut = self._cut if self._cut is not None and self._cut.path == path else None
        data = data if cut is None else data[: cut.offset]
        offset, seq = self._segment_start(path, data, header)
        time_ns = self.tail.time_ns
        sealed, fault = False, ""
        while offset < len(data) and not sealed:
            frames, end = frames_whole(data, offset, seq, Frame, _KINDS, *self._joining)
            if not frames:
                fault = frame_decode(data, offset, seq)[1] or "no frame can be read here"
                if is_last and not data[offset:].strip(b"\0"):
                    fault = ""  # Padding, written ahead of the frames that were to come.
                break
            last = frames[-1]
            sealed = last.kind == FrameKind.SEAL
            yield from frames[:-1] if sealed else frames
            offset, time_ns = end, last.time_ns
            seq = last.first_seq + (0 if sealed else last.count)
            if sealed:
                self._seal_check(path, segment, offset, last)
        if fault:
            self._tail_judge(path, data, offset, seq, fault, is_last)
        if cut is not None:
            fault = fault or cut.reason
        whole = offset == len(segment.data)
        self.tail = Tail(
            path,
            header,
            seq,
            time_ns,
            sealed,
            segment.hashes.sha256 if whole else hashlib.sha256(memoryview(data)[:offset]).digest(),
            offset,
            len(segment.data) - offset if fault else 0,
            fault,
        )

    def _segment_start(self, path: Path, data: _Bytes, header: SegmentHeader) -> tuple[int, int]:
        """Return where the first frame to be read is, and its sequence number."""
        start, self._start = self._start, None
        # At the start of a segment there is nothing to compare, and another writer may have made
        # the segment anew.
        if start is None or start.segment_bytes == SEGMENT_HEADER_BYTES:
            return SEGMENT_HEADER_BYTES, header.first_seq
        before = memoryview(data)[: start.segment_bytes]
        if hashlib.sha256(before).digest() != start.segment_sha256:
            if len(before) < start.segment_bytes or not any(before[-FRAME_HEADER_BYTES:]):
                # Shorter, or cut there and padded again. A whole frame may end with zeros, too.
                self._start = start
                self._start_missing(_place(path, len(data)))
            raise JournalError(
                _place(path, start.segment_bytes),
                start.next_seq,
                "the segment is not the one that the snapshot was taken of",
            )
        return start.segment_bytes, start.next_seq

    def _start_missing(self, place: str) -> None:
        raise JournalError(
            place,
            self._start.next_seq,
            "acknowledged work is missing from the journal: it ends before sequence "
            f"{self._start.next_seq - 1}, which a snapshot has",
        )

    def _seal_check(self, path: Path, segment: _Segment, end: int, seal: Frame) -> None:
        data, start = segment.data, end - SEAL_BYTES
        if end == len(data) and len(seal.payload) == SEAL_BYTES - FRAME_HEADER_BYTES:
            found = segment.hashes.sha256_before_seal
        else:
            start = end - FRAME_HEADER_BYTES - len(seal.payload)
            found = hashlib.sha256(memoryview(data)[:start]).digest()
        if found != seal.payload:
            raise JournalError(
                _place(path, start), seal.first_seq, "the seal's SHA-256 is not the segment's"
            )
        if end != len(data):
            raise JournalError(_place(path, end), seal.first_seq, "bytes follow the seal")

    def _tail_judge(
        self, path: Path, data: _Bytes, offset: int, seq: int, fault: str, is_last: bool
    ) -> None:
        """Let a torn last frame pass if that is asked for, and raise for anything else."""
        if self._cut_torn_tail and is_last:
            evidence = _acknowledged_evidence(data[:], offset, seq)
            if not evidence or self._is_being_written(path, data, offset):
                return
            fault = f"{fault}, and {evidence}"
        raise JournalError(_place(path, offset), seq, fault)

    def _is_being_written(self, path: Path, data: _Bytes, offset: int) -> bool:
        """Whether the segment's end is no more as it was read.

        A file is not read at one moment: its writer may have put a frame where it was read
        already, and the next frame where it was not. A second look finds both, while what is
        damaged stays as it is.
        """
        return self._storage.read(path)[offset : len(data)] != data[offset:]


def read_frames(directory: Path, *, storage: Storage | None = None) -> Iterator[Frame]:
    """Yield every frame of a journal, oldest first, each byte of it checked.

    Raises
    ------
    JournalError
        At the first byte that is not as it was written, a torn last frame included: `Journal.open`
        cuts that, reading doesn't.
    """
    return SegmentReader(directory, storage=storage or OsStorage()).frames()


def segment_header_read(path: Path, storage: Storage) -> SegmentHeader:
    """Return a segment's header.

    Raises
    ------
    JournalError
        If it is damaged, or of another format.
    """
    file = storage.open(path)
    try:
        data = file.read(0, SEGMENT_HEADER_BYTES)
    finally:
        file.close()
    return segment_header_decode(path, data, segment_first_seq(path))


def segment_header_decode(path: Path, data: _Bytes, seq: int) -> SegmentHeader:
    """Return the header that a segment's bytes begin with, which `seq` is expected to follow.

    Raises
    ------
    JournalError
        If it is damaged, or of another format.
    """
    head = data[: _SEGMENT_HEADER.size]
    if len(data) < SEGMENT_HEADER_BYTES:
        raise JournalError(_place(path, len(data)), seq, "the segment header is incomplete")
    (crc,) = _CRC.unpack_from(data, _SEGMENT_HEADER.size)
    if crc != crc32c(head):
        raise JournalError(_place(path, 0), seq, "the segment header's CRC-32C is wrong")
    magic, version, schema, log_id, first_seq, previous, code, profile, reserved = (
        _SEGMENT_HEADER.unpack(head)
    )
    if magic != _SEGMENT_MAGIC or any(reserved):
        raise JournalError(_place(path, 0), seq, "no segment of a journal starts here")
    if version != FORMAT_VERSION:
        raise JournalError(
            _place(path, 0), seq, f"journal: expected format {FORMAT_VERSION}, got {version}"
        )
    identity = Identity(text_decode(code), schema, text_decode(profile))
    return SegmentHeader(log_id.hex(), identity, first_seq, previous)


def frame_decode(data: _Bytes, offset: int, seq: int) -> tuple[Frame | None, str]:
    """Return the frame at `offset`, or None and what is wrong with it."""
    frame, fault = frame_parse(data, offset)
    if frame is None:
        return None, fault
    if frame.first_seq != seq:
        return None, f"the frame's first_seq: expected {seq}, got {frame.first_seq}"
    if not isinstance(frame.kind, FrameKind):
        return None, f"the frame's kind: expected one of {sorted(_FRAME_KINDS)}, got {frame.kind}"
    return frame, ""


def frame_parse(data: _Bytes, offset: int) -> tuple[Frame | None, str]:
    """Return what stands at `offset` if its CRC is right, whatever it says; else None and why."""
    start = offset + FRAME_HEADER_BYTES
    if len(data) < start:
        return None, "the frame's header is incomplete"
    magic, kind, first_seq, synced_seq, time_ns, count, length = _FRAME_HEADER.unpack_from(
        data, offset
    )
    if magic != _FRAME_MAGIC:
        return None, "no frame starts here"
    if length > FRAME_PAYLOAD_BYTES_MAX:
        return None, f"a frame has up to {FRAME_PAYLOAD_BYTES_MAX} bytes, this says {length}"
    if len(data) < start + length:
        return None, "the frame is incomplete"
    payload = data[start : start + length]
    (crc,) = _CRC.unpack_from(data, start - 4)
    if crc != crc32c(data[offset : start - 4], payload):
        return None, "the frame's CRC-32C is wrong"
    return Frame(
        _FRAME_KINDS.get(kind, kind), first_seq, count, time_ns, payload, synced_seq
    ), ""


def _acknowledged_evidence(data: bytes, offset: int, seq: int) -> str:
    """Say why the broken bytes at `offset` can't be what a crash left of unsynced frames.

    A disk may write unsynced frames in any order. So a whole frame behind the broken one proves
    nothing, unless it was written after a sync that covered `seq`.
    """
    broken_bytes = len(data.rstrip(b"\0")) - offset
    if broken_bytes > FRAME_BYTES_MAX and data.find(_FRAME_MAGIC, offset + 1) < 0:
        return "more than a frame's bytes are broken"
    found = offset
    while (found := data.find(_FRAME_MAGIC, found)) >= 0:
        frame, _ = frame_parse(data, found)
        if frame is not None and found == offset:
            return "its CRC-32C is right"
        if frame is not None and frame.synced_seq >= seq:
            return f"a frame written after it was synced follows at byte {found}"
        found += 1
    return ""


def _place(path: Path | None, offset: int) -> str:
    return f"{path.name if path else 'journal'} at byte {offset}"


def _show(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def text_decode(raw: bytes) -> str:
    """Return a text that a fixed width holds, zeros after it."""
    return raw.rstrip(b"\0").decode()


def text_encode(text: str, width: int, name: str) -> bytes:
    """Return a text in a fixed width, zeros after it; ValueError if it has no room."""
    raw = text.encode()
    if len(raw) > width or b"\0" in raw:
        raise ValueError(f"{name}: expected up to {width} bytes and no zero byte, got {text!r}")
    return raw.ljust(width, b"\0")

"""Frames and where their bytes are: of a segment that is being written, or of a message."""

from collections.abc import Iterator
from pathlib import Path

from cea_exchange.journal.errors import JournalError
from cea_exchange.journal.segment import (
    FRAME_HEADER_BYTES,
    SEGMENT_HEADER_BYTES,
    Frame,
    FrameKind,
    frame_decode,
    frame_parse,
    segment_first_seq,
    segment_header_decode,
)


def frames_split(data: bytes) -> Iterator[tuple[Frame, bytes]]:
    """Yield frames that stand one after the other, and the bytes of each.

    Raises
    ------
    JournalError
        One is not whole, or a seal.
    """
    offset = 0
    while offset < len(data):
        frame, fault = frame_parse(data, offset)
        if frame is not None and frame.kind not in (FrameKind.RECORDS, FrameKind.CONTROL):
            fault = f"the frame's kind: expected RECORDS or CONTROL, got {frame.kind!r}"
        if frame is None or fault:
            raise JournalError(f"frames at byte {offset}", 0, fault)
        end = offset + FRAME_HEADER_BYTES + len(frame.payload)
        yield frame, data[offset:end]
        offset = end


def frames_last(path: Path, data: bytes) -> list[tuple[int, Frame]]:
    """Return the whole frames of a segment, seals apart, and at which byte each is.

    Raises
    ------
    JournalError
        The header is damaged.
    """
    seq, offset, frames = segment_first_seq(path), SEGMENT_HEADER_BYTES, []
    segment_header_decode(path, data, seq)
    while offset < len(data):
        frame, _ = frame_decode(data, offset, seq)
        if frame is None or frame.kind == FrameKind.SEAL:
            break
        frames.append((offset, frame))
        offset += FRAME_HEADER_BYTES + len(frame.payload)
        seq += frame.count
    return frames


def whole_prefix(path: Path, data: bytes) -> tuple[bytes, int]:
    """Return the whole frames of a segment that is being written, as far as they are consecutive.

    Parameters
    ----------
    path : Path
        The segment's file; for its name.
    data : bytes
        All of it, as read just now.

    Returns
    -------
    prefix : bytes
        The header and the frames; without a last one of which a part is not there yet.
    next_seq : int
        The sequence after it.

    Raises
    ------
    JournalError
        The header is damaged.
    """
    seq = segment_first_seq(path)
    segment_header_decode(path, data, seq)
    offset = SEGMENT_HEADER_BYTES
    while offset < len(data):
        frame, _ = frame_decode(data, offset, seq)
        if frame is None:
            break
        offset += FRAME_HEADER_BYTES + len(frame.payload)
        seq += frame.count
        if frame.kind == FrameKind.SEAL:
            break
    return data[:offset], seq

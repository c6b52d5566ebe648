"""A stream as one log node has it on its disk, read without the node: each copy for itself.

What a server answers may come from another node, and from its memory. Who wants to know that three
copies are three, and the same, reads the files. The layout is the server's own (``filestore.go``,
2.15): per message a length with a mark for headers, sequence number, time, subject, headers,
payload, and a checksum, little-endian.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_RECORD = struct.Struct("<IQQH")
_LENGTH = struct.Struct("<I")
_CHECKSUM_BYTES = 8
_HAS_HEADERS = 1 << 31
_ERASED, _TOMBSTONE = 1 << 63, 1 << 62
_ACCOUNT = "LOG"


class ReplicaError(ValueError):
    """A copy's files are not what a server writes; the message names file and place."""


class ReplicaMessage(NamedTuple):
    """One message of a stream.

    Attributes
    ----------
    headers
        As they came, with their first line; empty without any.
    """

    seq: int
    headers: bytes
    payload: bytes


def replica_messages(data: Path, stream: str) -> Iterator[ReplicaMessage]:
    """Return a stream's messages from a log node's own folder, in order.

    The node may not be running.

    Raises
    ------
    ReplicaError
        There is no such stream, a record is torn, or a message is missing.
    """
    folder = data / "store" / "jetstream" / _ACCOUNT / "streams" / stream / "msgs"
    if not folder.is_dir():
        raise ReplicaError(f"{folder}: expected a stream's messages, there is no such folder")
    last = 0
    for file in sorted(folder.glob("*.blk"), key=lambda each: int(each.stem)):
        for message in _block(file):
            if message.seq <= last:
                # Written again after a start, or taken back by the log's election.
                raise ReplicaError(f"{file}: expected message {last + 1}, got {message.seq} again")
            if message.seq != last + 1:
                raise ReplicaError(f"{file}: expected message {last + 1}, got {message.seq}")
            last = message.seq
            yield message


def _block(file: Path) -> Iterator[ReplicaMessage]:
    content = file.read_bytes()
    at = 0
    while at < len(content):
        if at + _RECORD.size > len(content):
            raise ReplicaError(f"{file}: a torn record at byte {at}")
        length, seq, _, subject_bytes = _RECORD.unpack_from(content, at)
        has_headers, length = bool(length & _HAS_HEADERS), length & ~_HAS_HEADERS
        end = at + length - _CHECKSUM_BYTES
        begin = at + _RECORD.size + subject_bytes
        if end + _CHECKSUM_BYTES > len(content) or begin > end:
            raise ReplicaError(f"{file}: a torn record at byte {at}")
        at += length
        if seq & (_ERASED | _TOMBSTONE):
            continue
        headers = b""
        if has_headers:
            (headers_bytes,) = _LENGTH.unpack_from(content, begin)
            begin += _LENGTH.size
            headers = content[begin : begin + headers_bytes]
            begin += headers_bytes
        yield ReplicaMessage(seq, headers, content[begin:end])

"""Snapshot files: a state, the place in the journal it was taken at, and checksums over both.

    header | body

Laid out in protocol/journal.md. Nothing here knows what the body means.
"""

import hashlib
import re
import struct
from pathlib import Path
from typing import NamedTuple

from cea_exchange.journal.errors import JournalError
from cea_exchange.journal.segment import (
    Identity,
    JournalPoint,
    crc32c,
    text_decode,
    text_encode,
)
from cea_exchange.journal.storage import OsStorage, Storage, create_whole

SNAPSHOT_FORMAT_VERSION = 1

_MAGIC = b"CEASNAP\n"
_HEADER = struct.Struct("<8sII16sQqQQ32s32s32s64sQQQ32s36s")
_CRC = struct.Struct("<I")
HEADER_BYTES = _HEADER.size + _CRC.size
_NAME = re.compile(r"^(\d{20})\.snapshot$")

assert HEADER_BYTES == 320


class SnapshotHeader(NamedTuple):
    """What a snapshot says of itself before its body."""

    log_id: str
    identity: Identity
    point: JournalPoint
    event_count: int
    """Events that were made up to the point; the event store has them."""
    state_hash: int
    """Of the state in the body."""


class Snapshot(NamedTuple):
    """A whole snapshot, its checksums right."""

    header: SnapshotHeader
    body: bytes


def snapshot_name(last_seq: int) -> str:
    """Return the file name of the snapshot taken after the sequence number `last_seq`."""
    return f"{last_seq:020d}.snapshot"


def snapshot_paths(directory: Path, *, storage: Storage | None = None) -> list[Path]:
    """Return the snapshots of a folder, newest first; other names are left alone."""
    names = (storage or OsStorage()).names(directory)
    return [Path(directory) / name for name in reversed(names) if _NAME.match(name)]


def snapshot_write(
    directory: Path, header: SnapshotHeader, body: bytes, *, storage: Storage
) -> Path:
    """Write a snapshot so that after any crash it is whole, or not there."""
    path = Path(directory) / snapshot_name(header.point.next_seq - 1)
    storage.make_directory(path.parent)
    create_whole(storage, path, _header_encode(header, body) + body).close()
    return path


def snapshot_read(path: Path, *, storage: Storage | None = None) -> Snapshot:
    """Read a snapshot and check every byte.

    Raises
    ------
    JournalError
        It is damaged, or of another format; the message names the file.
    """
    data = (storage or OsStorage()).read(path)
    fault, seq = _fault(data), int(_NAME.match(path.name).group(1))
    if fault:
        raise JournalError(path.name, seq, fault)
    fields = _HEADER.unpack_from(data)
    header = SnapshotHeader(
        log_id=fields[3].hex(),
        identity=Identity(text_decode(fields[10]), fields[2], text_decode(fields[11])),
        point=JournalPoint(*fields[4:10]),
        event_count=fields[12],
        state_hash=fields[13],
    )
    if header.point.next_seq - 1 != seq:
        found = header.point.next_seq - 1
        raise JournalError(path.name, seq, f"expected a snapshot after {seq}, got after {found}")
    return Snapshot(header, data[HEADER_BYTES:])


def _header_encode(header: SnapshotHeader, body: bytes) -> bytes:
    head = _HEADER.pack(
        _MAGIC,
        SNAPSHOT_FORMAT_VERSION,
        header.identity.schema_version,
        bytes.fromhex(header.log_id),
        *header.point,
        text_encode(header.identity.code_version, 32, "code_version"),
        text_encode(header.identity.profile_hash, 64, "profile_hash"),
        header.event_count,
        header.state_hash,
        len(body),
        hashlib.sha256(body).digest(),
        bytes(36),
    )
    return head + _CRC.pack(crc32c(head))


def _fault(data: bytes) -> str:
    """Say what is wrong with a snapshot's bytes; nothing if they are as they were written."""
    if len(data) < HEADER_BYTES or data[: len(_MAGIC)] != _MAGIC:
        return "the snapshot's header is incomplete"
    if _CRC.unpack_from(data, _HEADER.size)[0] != crc32c(data[: _HEADER.size]):
        return "the snapshot header's CRC-32C is wrong"
    fields = _HEADER.unpack_from(data)
    if fields[1] != SNAPSHOT_FORMAT_VERSION:
        return f"snapshot: expected format {SNAPSHOT_FORMAT_VERSION}, got {fields[1]}"
    body_bytes, body_sha256 = fields[14:16]
    if len(data) != HEADER_BYTES + body_bytes:
        return f"expected {HEADER_BYTES + body_bytes} bytes, got {len(data)}"
    if hashlib.sha256(memoryview(data)[HEADER_BYTES:]).digest() != body_sha256:
        return "the snapshot body's SHA-256 is wrong"
    return ""

"""A message of the replicated journal: a head, and the journal's frames or a record of the log.

    head:  magic version kind epoch epoch_log_seq first_seq count length previous_sha256 crc

Laid out in protocol/cluster.md. Each message has the hash of the one before, whoever wrote it.
"""

import hashlib
import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import msgspec

from cea_exchange.cluster.errors import LogDamaged
from cea_exchange.journal.segment import crc32c

FORMAT_VERSION = 1
MESSAGE_BYTES_MAX = 4 << 20
"""Of frames that are published together; one frame is a quarter of it at most."""
CHAIN_START = bytes(32)
"""What the log's first message has in the place of its predecessor's hash."""

_MAGIC = b"\xceLOG"
_HEAD = struct.Struct("<4sHHQQQII32s")
_CRC = struct.Struct("<I")
HEAD_BYTES = _HEAD.size + _CRC.size

assert HEAD_BYTES == 76


class MessageKind(IntEnum):
    """What follows a message's head."""

    FRAMES = 1
    """frames of the journal, byte for byte as each node has them"""
    EPOCH = 2
    """an `EpochRecord`: from here on another leader writes"""
    HANDOVER = 3
    """a `HandoverRecord`: the leader has ended, and one node is to follow"""
    END = 4
    """an `EndRecord`: the journal goes on without the log"""


class EpochRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Who leads from here on, and what it goes on from.

    Attributes
    ----------
    node, incarnation
        The leader's name, and of which process: two of one name are not one leader.
    log_id
        Of the journal.
    base_log_seq
        The message that began this journal's life in the log; 0 in that message itself.
    state_hash
        Of the market before `first_seq` of the head.
    code_version, schema_version, profile_hash
        As a segment of the journal names them.
    """

    node: str
    incarnation: str
    log_id: str
    base_log_seq: int
    state_hash: int
    code_version: str
    schema_version: int
    profile_hash: str


class HandoverRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Whom the leader hands over to."""

    node: str
    successor: str


class EndRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Which node goes on alone.

    Attributes
    ----------
    leaving
        Drawn by the folder that does, which has it in its mark: two of one name are not one folder.
    """

    node: str
    leaving: str = ""


_RECORDS: dict[MessageKind, type[msgspec.Struct]] = {
    MessageKind.EPOCH: EpochRecord,
    MessageKind.HANDOVER: HandoverRecord,
    MessageKind.END: EndRecord,
}


class Head(NamedTuple):
    """What a message says of itself."""

    kind: MessageKind
    epoch: int
    epoch_log_seq: int
    """The epoch's record; in that record itself its own place."""
    first_seq: int
    """Of its first frame; of a record the sequence number that comes next."""
    seq_count: int
    """Sequence numbers that the frames take; 0 of a record."""
    previous_sha256: bytes

    @property
    def next_seq(self) -> int:
        """The journal's sequence number after it."""
        return self.first_seq + self.seq_count


class LogMessage(NamedTuple):
    """One message of the log, checked."""

    log_seq: int
    head: Head
    payload: bytes
    sha256: bytes


def message_encode(head: Head, parts: Sequence[bytes]) -> bytes:
    """Return the bytes of a message whose payload is the parts, one after the other."""
    start = _HEAD.pack(
        _MAGIC,
        FORMAT_VERSION,
        head.kind,
        head.epoch,
        head.epoch_log_seq,
        head.first_seq,
        head.seq_count,
        sum(map(len, parts)),
        head.previous_sha256,
    )
    return b"".join((start, _CRC.pack(crc32c(start, *parts)), *parts))


def record_encode(record: msgspec.Struct) -> bytes:
    """Return the payload of a message that is no frames, MessagePack."""
    return msgspec.msgpack.encode(record)


def message_decode(log_seq: int, data: bytes) -> LogMessage:
    """Return a message.

    Raises
    ------
    LogDamaged
        It is none of this format, or a byte of it is wrong.
    """
    if len(data) < HEAD_BYTES or data[:4] != _MAGIC:
        raise LogDamaged(log_seq, "no message of a journal starts here")
    _, version, kind, epoch, epoch_log_seq, first_seq, count, length, previous = _HEAD.unpack_from(
        data
    )
    if version != FORMAT_VERSION:
        raise LogDamaged(log_seq, f"format: expected {FORMAT_VERSION}, got {version}")
    payload = data[HEAD_BYTES:]
    if len(payload) != length:
        raise LogDamaged(log_seq, f"length: expected {length} bytes, got {len(payload)}")
    (crc,) = _CRC.unpack_from(data, _HEAD.size)
    if crc != crc32c(data[: _HEAD.size], payload):
        raise LogDamaged(log_seq, "its CRC-32C is wrong")
    try:
        kind = MessageKind(kind)
    except ValueError:
        raise LogDamaged(
            log_seq, f"kind: expected one of {[int(known) for known in MessageKind]}, got {kind}"
        ) from None
    head = Head(kind, epoch, epoch_log_seq, first_seq, count, previous)
    return LogMessage(log_seq, head, payload, sha256_of(data))


def sha256_of(data: bytes) -> bytes:
    """Return the hash by which the next message names this one."""
    return hashlib.sha256(data).digest()


def epoch_record(message: LogMessage) -> EpochRecord:
    """Return the record of a message of kind EPOCH; LogDamaged if it is not one."""
    record = record_decode(message)
    if not isinstance(record, EpochRecord):
        raise LogDamaged(message.log_seq, f"expected an epoch record, got {message.head.kind.name}")
    return record


def record_decode(message: LogMessage) -> msgspec.Struct | None:
    """Return the record that a message is; None if it is frames.

    Raises
    ------
    LogDamaged
        Its payload is not what its kind says.
    """
    record_type = _RECORDS.get(message.head.kind)
    if record_type is None:
        return None
    try:
        return msgspec.msgpack.decode(message.payload, type=record_type)
    except msgspec.DecodeError as error:
        raise LogDamaged(message.log_seq, f"{message.head.kind.name}: {error}") from error


class Chain:
    """Follows messages and checks that each goes on where the one before ended.

    Parameters
    ----------
    last
        The message before the first that is to be followed; None if that is the log's first.

    Attributes
    ----------
    log_seq, next_seq, sha256
        Of the last message that was followed.
    epoch, epoch_log_seq, kind
        Its epoch, where that began, and what it is.
    """

    def __init__(self, last: LogMessage | None = None) -> None:
        self.log_seq = 0
        self.next_seq = 0
        self.sha256 = CHAIN_START
        self.epoch = 0
        self.epoch_log_seq = 0
        self.kind: MessageKind | None = None
        if last is not None:
            self.take(last)

    def follow(self, message: LogMessage) -> None:
        """Check the next message, and stand behind it; LogDamaged if it does not follow."""
        self.check(message)
        self.take(message)

    def check(self, message: LogMessage) -> None:
        """Check the next message; LogDamaged if it does not follow."""
        head, seq = message.head, message.log_seq
        begins = head.kind == MessageKind.EPOCH
        for what, expected, got in (
            ("its number", self.log_seq + 1, seq),
            ("SHA-256 of the message before", self.sha256.hex(), head.previous_sha256.hex()),
            ("its epoch", self.epoch + 1 if begins else self.epoch, head.epoch),
            ("its epoch's record", seq if begins else self.epoch_log_seq, head.epoch_log_seq),
        ):
            if expected != got:
                raise LogDamaged(seq, f"{what}: expected {expected}, got {got}")
        # After an end the journal has gone on without the log; the next life begins further on.
        goes_on = self.kind not in (None, MessageKind.END)
        if goes_on and head.first_seq != self.next_seq:
            raise LogDamaged(
                seq, f"its first sequence: expected {self.next_seq}, got {head.first_seq}"
            )
        if not goes_on and not begins:
            raise LogDamaged(seq, f"expected an epoch record, got {head.kind.name}")
        if self.kind == MessageKind.HANDOVER and not begins:
            what = f"after a handover: expected an epoch record, got {head.kind.name}"
            raise LogDamaged(seq, what)

    def take(self, message: LogMessage) -> None:
        """Stand behind a message that was checked."""
        head = message.head
        self.log_seq, self.sha256 = message.log_seq, message.sha256
        self.next_seq = head.next_seq
        self.epoch, self.epoch_log_seq = head.epoch, head.epoch_log_seq
        self.kind = head.kind

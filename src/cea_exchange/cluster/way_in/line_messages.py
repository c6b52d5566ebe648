"""What a way in and the venue say to each other: a head of a tag and a connection, then frames.

    participant --CURVE--> way in --CURVE--> venue that leads

    BEGIN    way in  instance (16 bytes)         a line begins; what was before it is over
    ARRIVED  way in  connection, key, 2 frames   a participant's message, and whose key proved it
    GONE     way in  connection, is slow (1)     nothing can be sent to it any more
    PULSE    way in                              it goes on
    REACHED  way in  number                      all that was said before the question is on its way
    STANDING venue   `Standing`                  answers BEGIN, and comes with each heartbeat
    KEYS     venue   `KeysChange`                who is to be let in; all of them after BEGIN
    SEND     venue   connection, frames          a message to a participant
    END      venue   connection, why             end a participant's connection
    REACH    venue   connection, number          say `REACHED` once all before it is on its way

A connection is four bytes that the way in chose. The venue believes the key that a way in names, as
it believes its fronts: who may be a way in says a setting of its own, and CURVE.
"""

from typing import NamedTuple, TypeVar

import msgspec

from cea_exchange.protocol.control import DECODE_ERRORS

BEGIN = b"B"
ARRIVED = b"A"
GONE = b"G"
PULSE = b"P"
REACHED = b"R"
STANDING = b"W"
KEYS = b"K"
SEND = b"S"
END = b"E"
REACH = b"Q"

CONNECTION_BYTES = 4
KEY_BYTES = 40
INSTANCE_BYTES = 16
NUMBER_BYTES = 4
PULSE_S = 0.25


class LineError(ValueError):
    """What was received on the line is none of its messages."""


class Standing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which log the venue leads, and whether it takes all kinds of commands by now."""

    log_id: str
    is_open: bool


class KeysChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose keys are granted from now on, and whose no more."""

    added: list[str]
    removed: list[str]


class Arrived(NamedTuple):
    """A participant's message, at the venue."""

    connection: bytes
    key: str
    frames: list[bytes]


class Said(NamedTuple):
    """What a venue says to a connection: a SEND, an END or a REACH."""

    tag: bytes
    connection: bytes
    frames: list[bytes]


Decoded = TypeVar("Decoded")
_standings = msgspec.msgpack.Decoder(Standing)
_key_changes = msgspec.msgpack.Decoder(KeysChange)


def arrived_head(connection: bytes, key: str) -> bytes:
    """Return the head of a participant's message."""
    return ARRIVED + connection + key.encode("ascii")


def arrived_read(frames: list[bytes]) -> Arrived:
    """Return a participant's message; LineError if it is none."""
    head = frames[0]
    connection, key = head[1 : 1 + CONNECTION_BYTES], head[1 + CONNECTION_BYTES :]
    if len(key) != KEY_BYTES or not key.isascii():
        raise LineError(f"head: expected a connection and a key, got {len(head)} bytes")
    return Arrived(connection, key.decode("ascii"), frames[1:])


def gone_head(connection: bytes, *, is_slow: bool) -> bytes:
    """Return the message that a connection is gone, or did not read."""
    return GONE + connection + bytes([is_slow])


def gone_read(head: bytes) -> tuple[bytes, bool]:
    """Return which connection is gone, and whether it did not read; LineError if it is none."""
    if len(head) != 2 + CONNECTION_BYTES:
        raise LineError(f"head: expected a connection and a flag, got {len(head)} bytes")
    return head[1 : 1 + CONNECTION_BYTES], head[-1] == 1


def said_read(frames: list[bytes]) -> Said:
    """Return what a venue says to a connection; LineError if it is to none."""
    head = frames[0]
    if len(head) != 1 + CONNECTION_BYTES:
        raise LineError(f"head: expected a connection, got {len(head)} bytes")
    return Said(head[:1], head[1:], frames[1:])


def standing_read(frames: list[bytes]) -> Standing:
    """Return where a venue stands; LineError if the message does not say."""
    return _read(_standings, frames)


def keys_read(frames: list[bytes]) -> KeysChange:
    """Return whose keys are granted from now on; LineError if the message does not say."""
    return _read(_key_changes, frames)


def _read(decoder: msgspec.msgpack.Decoder[Decoded], frames: list[bytes]) -> Decoded:
    try:
        return decoder.decode(frames[1])
    except (IndexError, *DECODE_ERRORS) as error:
        raise LineError(f"payload: {error}") from None

"""FIX 4.4 messages: fields to bytes and back."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

BEGIN = b"FIX.4.4"
SOH = b"\x01"
HEAD = b"8=" + BEGIN + SOH + b"9="
TRAILER_BYTES = 7
LENGTH_DIGITS_MAX = 7

Fields = dict[int, bytes]
"""Of a message that came, by tag; of a repeating group the first."""


class FixError(ValueError):
    """Bytes that are no FIX 4.4 message."""


def encode(fields: Iterable[tuple[int, bytes]]) -> bytes:
    """Return fields as they stand in a message."""
    return b"".join(b"%d=%b\x01" % field for field in fields)


def framed(fields: bytes) -> bytes:
    """Return the message of encoded fields, the type first; length and checksum are made here."""
    message = HEAD + b"%d\x01" % len(fields) + fields
    return message + b"10=%03d\x01" % (sum(message) % 256)


def sending_time(at: datetime | None = None) -> bytes:
    """Return a moment as FIX writes it, to the millisecond."""
    at = at or datetime.now(UTC)
    return f"{at:%Y%m%d-%H:%M:%S}.{at.microsecond // 1000:03d}".encode()


class Decoder:
    """Messages out of a stream of bytes, as they come in."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[Fields]:
        """Yield the messages that are whole now.

        Raises
        ------
        FixError
            The stream is none of FIX 4.4, or a message is damaged.
        """
        self._data += data
        while (end := self._end()) > 0:
            message = bytes(self._data[:end])
            del self._data[:end]
            yield decode(message)

    def _end(self) -> int:
        """Return where the first message ends; 0 if it has not all come."""
        data = self._data
        head = bytes(data[: len(HEAD)])
        if head != HEAD[: len(head)]:
            raise FixError(f"expected a message that begins with {HEAD!r}, got {head!r}")
        stop = data.find(SOH, len(HEAD))
        digits = data[len(HEAD) : stop if stop >= 0 else None]
        if len(digits) > LENGTH_DIGITS_MAX or (digits and not digits.isdigit()):
            raise FixError(f"expected a length behind 9=, got {bytes(digits)!r}")
        if stop < 0:
            return 0
        if not digits:
            raise FixError("expected a length behind 9=, got nothing")
        end = stop + 1 + int(digits) + TRAILER_BYTES
        return end if end <= len(data) else 0


def decode(message: bytes) -> Fields:
    """Return the fields of one whole message.

    Raises
    ------
    FixError
        Its checksum is wrong, or something in it is no field.
    """
    body, trailer = message[:-TRAILER_BYTES], message[-TRAILER_BYTES:]
    expected = b"10=%03d\x01" % (sum(body) % 256)
    if trailer != expected:
        raise FixError(f"expected the checksum {expected!r}, got {trailer!r}")
    fields: Fields = {}
    for part in body.split(SOH)[:-1]:
        tag, equals, value = part.partition(b"=")
        if not equals or not tag.isdigit():
            raise FixError(f"expected tag=value, got {part!r}")
        fields.setdefault(int(tag), value)
    return fields

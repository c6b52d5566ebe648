"""Messages of the venue's settlement stream and its replay socket, checked as they come in."""

from typing import Any

import google_crc32c
import msgspec
import numpy as np

from cea_exchange.domain.records import EVENT_DTYPE
from cea_exchange.protocol.control import DECODE_ERRORS

REPLAY_COUNT_MAX = 5_000


class StreamError(Exception):
    """A message of the stream is not what its header says; the line stops."""


class RunHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Header of a run of records: which stream, which numbers, and their checksum (CRC-32C).

    Attributes
    ----------
    feed_seq, feed_hash
        Of an answer: the last item of the feed that the venue has taken, and the hash of its
        command; None if the venue does not say it.
    """

    log_id: str
    first_seq: int
    count: int
    crc32c: int
    feed_seq: int | None = None
    feed_hash: str = ""


class Heartbeat(msgspec.Struct, frozen=True):
    """Says how far the venue's stream is, so that a lost last message is noticed too."""

    log_id: str
    last_seq: int


_run_header_decoder = msgspec.msgpack.Decoder(RunHeader)
_heartbeat_decoder = msgspec.msgpack.Decoder(Heartbeat)


def run_decode(header: bytes, payload: bytes) -> tuple[RunHeader, np.ndarray]:
    """Return a run's header and its records.

    Raises StreamError: header or records are malformed, or the checksum is another.
    """
    try:
        run = _run_header_decoder.decode(header)
    except DECODE_ERRORS as error:
        raise StreamError(f"settlement header: {error}") from None
    if len(payload) != run.count * EVENT_DTYPE.itemsize:
        raise StreamError(
            f"settlement records from {run.first_seq} on: expected"
            f" {run.count * EVENT_DTYPE.itemsize} bytes, got {len(payload)}"
        )
    checksum = google_crc32c.value(payload)
    if checksum != run.crc32c:
        raise StreamError(
            f"settlement records from {run.first_seq} on: expected checksum"
            f" {run.crc32c:08x}, got {checksum:08x}"
        )
    records = np.frombuffer(payload, dtype=EVENT_DTYPE)
    if run.count and int(records[0]["settlement_seq"]) != run.first_seq:
        raise StreamError(
            f"settlement records: expected {run.first_seq} as the first,"
            f" got {records[0]['settlement_seq']}"
        )
    return run, records


def heartbeat_decode(payload: bytes) -> Heartbeat:
    """Return a heartbeat.

    Raises StreamError: it is none.
    """
    try:
        return _heartbeat_decoder.decode(payload)
    except DECODE_ERRORS as error:
        raise StreamError(f"settlement heartbeat: {error}") from None


def replay_request(log_id: str | None, first_seq: int) -> bytes:
    """Return the request for records from `first_seq` on."""
    request: dict[str, Any] = {"log_id": log_id, "from": first_seq, "count": REPLAY_COUNT_MAX}
    return msgspec.msgpack.encode(request)

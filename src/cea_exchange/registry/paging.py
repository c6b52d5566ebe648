"""Answers of bounded size about messages of any: a page of rows, files in them as their hashes."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Annotated, Any

import msgspec

PAGE_BYTES_MAX = 1 << 19
"""Half of what a client takes in one message."""

PAGE_COUNT_MAX = 1_000

Number = Annotated[int, msgspec.Meta(ge=1, le=2**62)]
"""Of the first row that is asked for."""

PageCount = Annotated[int, msgspec.Meta(ge=1, le=PAGE_COUNT_MAX)]

MESSAGE_BYTES_MAX = 1 << 16
BYTES_SHOWN_MAX = 64


def message_shown(payload: bytes) -> Any:
    """Return what a message in MessagePack says.

    Long bytes in it, and a message that is long itself, are shown as their length and SHA-256: so
    whoever has the file can compare.
    """
    message = msgspec.msgpack.decode(payload)
    if isinstance(message, dict):
        message = {
            name: _as_hash(value)
            if isinstance(value, bytes) and len(value) > BYTES_SHOWN_MAX
            else value
            for name, value in message.items()
        }
    is_long = len(msgspec.msgpack.encode(message)) > MESSAGE_BYTES_MAX
    return _as_hash(payload) if is_long else message


def page(
    rows: Iterable[dict[str, Any]], count: int, number: str
) -> tuple[list[dict[str, Any]], int | None]:
    """Return as many rows as fit into an answer, one at least, and the number to go on from.

    Parameters
    ----------
    rows
        Read as far as is needed; one more than `count` tells whether there is more.
    number
        The field that numbers them.
    """
    found: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        size += len(msgspec.msgpack.encode(row))
        if found and (len(found) == count or size > PAGE_BYTES_MAX):
            return found, row[number]
        found.append(row)
    return found, None


def paged(
    name: str, rows: Iterable[dict[str, Any]], number: str, first: int, count: int
) -> dict[str, Any]:
    """Return an answer with rows from a number on, and ``next``: the number to go on from."""
    found, further = page((row for row in rows if row[number] >= first), count, number)
    return {name: found, "next": further}


def _as_hash(data: bytes) -> dict[str, Any]:
    return {"bytes": len(data), "sha256": sha256(data).hexdigest()}

"""Answers of bounded size about messages of any size: pages of rows, and hashes for files."""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Annotated, Any

import msgspec

PAGE_BYTES_MAX = 1 << 19
"""Half of what a client takes in one message."""

PAGE_COUNT_MAX = 1_000

Number = Annotated[int, msgspec.Meta(ge=1, le=2**62)]
"""Of the first row that is asked for."""

Place = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
"""Of the first row that is asked for, where the first of all is 0."""

PageCount = Annotated[int, msgspec.Meta(ge=1, le=PAGE_COUNT_MAX)]

ALL = 2**62
"""As many rows as there are."""

SCAN_COUNT = 20_000
"""Rows read at most for a page of those that are of one account, or one province."""

READ_SHARE = 16
"""Bytes read for a row that count as one in its answer."""

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
    return page_read(((row, 0) for row in rows), count, number)


def page_read(
    rows: Iterable[tuple[dict[str, Any], int]], count: int, number: str
) -> tuple[list[dict[str, Any]], int | None]:
    """Return a page as `page` does, of rows each with the bytes that are read for it.

    What is shown as its hash was read all the same: that takes time, too.
    """
    found: list[dict[str, Any]] = []
    size = 0
    for row, read_bytes in rows:
        size += max(len(msgspec.msgpack.encode(row)), read_bytes // READ_SHARE)
        if found and (len(found) == count or size > PAGE_BYTES_MAX):
            return found, row[number]
        found.append(row)
    return found, None


def paged(name: str, rows: Iterable[dict[str, Any]], number: str, count: int) -> dict[str, Any]:
    """Return an answer with a page of rows, and ``next``: the number to go on from."""
    found, further = page(rows, count, number)
    return {name: found, "next": further}


def page_at(rows: Sequence[Any], place: int, count: int) -> tuple[list[Any], int | None]:
    """Return a page of rows that are there already, from a place on; and the place to go on from.

    Examples
    --------
    >>> page_at("abc", 1, 1)
    (['b'], 2)
    >>> page_at("abc", 2, 5)
    (['c'], None)
    """
    found: list[Any] = []
    size = 0
    for row in rows[place : place + count]:
        size += len(msgspec.msgpack.encode(row))
        if found and size > PAGE_BYTES_MAX:
            break
        found.append(row)
    following = place + len(found)
    return found, following if following < len(rows) else None


def _as_hash(data: bytes) -> dict[str, Any]:
    return {"bytes": len(data), "sha256": sha256(data).hexdigest()}

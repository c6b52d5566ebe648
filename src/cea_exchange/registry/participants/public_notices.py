"""Public notices (公告): what the registry tells everybody of what it has booked.

Numbered without a gap and never changed. A notice says whose allowances moved, how many and why;
not whom a court gave them to, not what somebody has in cash, not the papers it rests on.
"""

from collections.abc import Mapping

import msgspec

from cea_exchange.institution.paging import ALL
from cea_exchange.ledger.store import Store


class PublicNotice(msgspec.Struct, frozen=True, kw_only=True):
    """A notice."""

    number: int
    """1, 2, ..."""
    date: int
    """yyyymmdd."""
    kind: str
    """``deduction``, ``cancellation``, ``inheritance``, ``succession``, ``enforcement``, ``rename``
    or ``merger``."""
    content: dict[str, str | int]
    """What is said, by field."""


def notice_publish(store: Store, date: int, kind: str, content: Mapping[str, str | int]) -> int:
    """Publish a notice, in the transaction of what it is about; return its number."""
    text = msgspec.json.encode(content, order="sorted").decode()
    into = "public_notices (notice_number, notice_date, kind, content)"
    return store.add(into, date, kind, text)


def notices_read(store: Store, first: int = 1, count: int = ALL) -> list[PublicNotice]:
    """Return the notices from a number on, so many at most."""
    rows = store.all(
        "SELECT notice_number, notice_date, kind, content FROM public_notices"
        " WHERE notice_number >= ? ORDER BY notice_number LIMIT ?",
        (first, count),
    )
    return [
        PublicNotice(number=number, date=date, kind=kind, content=msgspec.json.decode(content))
        for number, date, kind, content in rows
    ]

"""Finds the trading days in an event store.

A day's rows go from the one behind the last day's close (DAY_CLOSED of each product, and where one
weighs COMPOSITE_CLOSED) to its own; what happens between two days belongs to the later one.
"""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np

from cea_exchange.domain.records import EVENT_DTYPE, EventKind

ROWS_READ = 8_192
"""1.3 MB: a process may keep as much as it has taken once."""
_ROWS_PROBED = 256


class Rows(Protocol):
    """What is needed of an event store: `EventStore` and `EventRows` both have it."""

    count: int
    base: int

    def read(self, first: int, count: int) -> bytes | memoryview:
        """Return up to `count` rows from row `first`."""


class EventDay(NamedTuple):
    """A day: its date, and the numbers of its first and last row so far."""

    trading_date: int
    first: int
    last: int
    is_closed: bool


def closed_days(rows: Rows, *, after: int = 0) -> Iterator[EventDay]:
    """Yield the closed days of a store, oldest first, from the one behind row `after` on.

    Finds each by halves: rows are dated, but for those between days.
    """
    first = max(after, rows.base) + 1
    while (start := _dated(rows, first, rows.count + 1)) is not None:
        _, trading_date = start
        day = _day(rows, trading_date, first)
        if day.is_closed:
            yield day
        first = day.last + 1


def day_of(rows: Rows, trading_date: int) -> EventDay | None:
    """Return a day of a store; None if it has none of that date."""
    first = _end_of(rows, trading_date - 1, rows.base + 1)
    start = _dated(rows, first, rows.count + 1)
    if start is None or start[1] != trading_date:
        return None
    return _day(rows, trading_date, first)


def _day(rows: Rows, trading_date: int, first: int) -> EventDay:
    last = _end_of(rows, trading_date, first) - 1
    (row,) = np.frombuffer(rows.read(last, 1), EVENT_DTYPE)
    is_closed = row["kind"] == EventKind.COMPOSITE_CLOSED
    # Where no product is listed it ends with the last product's, which what follows shows.
    is_closed |= row["kind"] == EventKind.DAY_CLOSED and last < rows.count
    return EventDay(trading_date, first, last, bool(is_closed))


def day_rows(rows: Rows, first: int, last: int) -> Iterator[np.ndarray]:
    """Yield the rows from number `first` to `last`, some at a time."""
    while first <= last:
        count = min(ROWS_READ, last - first + 1)
        yield np.frombuffer(rows.read(first, count), EVENT_DTYPE)
        first += count


def _end_of(rows: Rows, trading_date: int, low: int) -> int:
    """Return the number behind a date's last row, of which one is at or behind row `low`."""
    high = rows.count + 1
    while low < high:
        middle = (low + high) // 2
        found = _dated(rows, middle, high)
        if found is None or found[1] > trading_date:
            high = middle
        else:
            low = found[0] + 1
    return low


def _dated(rows: Rows, first: int, end: int) -> tuple[int, int] | None:
    """Return the first row from `first` on, before `end`, that has a date: its number and that."""
    count = _ROWS_PROBED
    while first < end:
        read = np.frombuffer(rows.read(first, min(count, end - first)), EVENT_DTYPE)
        dated = np.flatnonzero(read["trading_date"])
        if len(dated):
            return first + int(dated[0]), int(read["trading_date"][dated[0]])
        first, count = first + len(read), ROWS_READ
    return None

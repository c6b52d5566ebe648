"""Recorded order flow through a book, compared with the recorded book after every message.

The form is LOBSTER's: a message says what happened to one order, a row shows the best levels of the
book after it. A row is a window:

    ask 3   5861000  200
    ask 2   5859800  200     what leaves the window at its edge is forgotten,
    ask 1   5859400  200     what enters there is learned from the row and counted;
    bid 1   5853300   18     everything else must follow from the messages
    bid 2   5853200   18
    bid 3   5853000  150

Orders that no message has entered are known by their levels' sums only. Each such sum is one order
at the front of its level here: most of what was there is older than what the messages bring.

The first row that can be true is the beginning; a message has one step, but for those up to it.
Where a message and the book part, the size goes off the order that is named, if the row agrees with
that. Where row and book part, the levels that differ are taken from the row; all others keep their
queues, and later steps are judged by themselves.
"""

from enum import IntEnum

import msgspec

from cea_exchange.matching.flow._flow_text import numbers_read
from cea_exchange.matching.flow._replay import DIFFERENCE_KINDS, FlowReplay
from cea_exchange.matching.flow.difference_kind import DifferenceKindBase

__all__ = [
    "MESSAGE_NUMBERS",
    "ROW_NUMBERS_PER_LEVEL",
    "Difference",
    "DifferenceKind",
    "FlowReplay",
    "MessageType",
    "ReplayReport",
    "difference_of",
    "level_count_of",
    "numbers_read",
    "replay_report",
]

MESSAGE_NUMBERS = 5
"""Numbers of a message behind its time: type, order id, size, price, direction."""
ROW_NUMBERS_PER_LEVEL = 4
"""Ask, its size, bid, its size."""


class MessageType(IntEnum):
    """What a message says. The last three don't change the visible book."""

    NEW = 1
    PARTIAL_CANCEL = 2
    DELETE = 3
    EXECUTION = 4
    HIDDEN_EXECUTION = 5
    CROSS = 6
    HALT = 7


class DifferenceKind(DifferenceKindBase):
    """How the book and the record part; the reason stands below each."""

    ENTERED_TWICE = "entered_twice", "an order is entered whose id rests on the book"
    WOULD_TRADE = "would_trade", "an order is entered at a price where it would trade"
    ELSEWHERE = "elsewhere", "the order named stands at another price or on the other side"
    UNKNOWN = "unknown", "the order named is not on the book, nor anything unknown at its price"
    TOO_LITTLE = "too_little", "less is open of the order named than goes"
    OTHER_TRADES = "other_trades", "by price and time other orders than the one named would trade"
    UNKNOWN_AHEAD = (
        "unknown_ahead",
        "an order traded before some that no message entered; their places are not recorded: "
        "at an open, or after a cross, they may have stood behind it",
    )
    LEVEL = "level", "a level of the row is not the book's; the row is believed there"
    ROW_UNORDERED = "row_unordered", "levels of the row are not best first; it is not believed"
    ROW_CROSSED = "row_crossed", "the row's best bid is not below its best ask; it is not believed"


assert tuple(DifferenceKind) == DIFFERENCE_KINDS


class Difference(msgspec.Struct, frozen=True):
    """Where the book and the record part."""

    message: int
    """The message, from 1."""
    kind: DifferenceKind
    text: str


class ReplayReport(msgspec.Struct, kw_only=True):
    """What a replay came to."""

    messages: int
    steps: int
    """Messages after which the books were compared."""
    steps_agreeing: int
    levels_learned: int
    levels_forgotten: int
    orders_unknown: int
    """Messages about orders that no message has entered, or beyond the window."""
    executions: int
    """Of visible orders."""
    executed_size: int
    difference_count: int
    """Messages at which book and record part."""
    tick: int
    """The greatest size that divides every price."""
    orders_resting: int
    """At the end; what is known by its level's sum only counts as one."""
    difference: Difference | None
    """The first one."""


def difference_of(message: int, kind: str, text: str) -> Difference:
    """Return a difference as `FlowReplay.play` gives it."""
    return Difference(message, DifferenceKind[kind.upper()], text)


def replay_report(replay: FlowReplay) -> ReplayReport:
    """Return what a replay came to so far."""
    difference = replay.difference()
    return ReplayReport(
        difference=None if difference is None else difference_of(*difference), **replay.counts()
    )


def level_count_of(row: bytes) -> int:
    """Return how many levels of a side a recorded row has.

    Raises
    ------
    ValueError
        Its columns are not four a level.
    """
    columns = row.count(b",") + 1
    level_count, odd = divmod(columns, ROW_NUMBERS_PER_LEVEL)
    if odd or not level_count:
        raise ValueError(f"expected four columns a level, got {columns} columns")
    return level_count

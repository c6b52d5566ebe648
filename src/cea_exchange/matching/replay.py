"""Recorded order flow through a book, compared with the recorded book after every message.

The form is LOBSTER's: a message says what happened to one order, a row shows the best levels of the
book after it. A row is a window:

    ask 3   5861000  200
    ask 2   5859800  200     what leaves the window at its edge is forgotten,
    ask 1   5859400  200     what enters there is learned from the row and counted;
    bid 1   5853300   18     everything else must follow from the messages
    bid 2   5853200   18
    bid 3   5853000  150

Orders from before the first message are known by their levels' sums only. Each such sum is one
order at the front of its level here: whatever was there is older than what the messages bring.

The row after the first message is the beginning, so there is one step less than messages. After a
step that differs the row is taken for the truth, and later steps are judged by themselves.
"""

from enum import IntEnum

import msgspec

from cea_exchange._flow_text import numbers_read
from cea_exchange._replay import FlowReplay

__all__ = [
    "MESSAGE_NUMBERS",
    "ROW_NUMBERS_PER_LEVEL",
    "Difference",
    "FlowReplay",
    "MessageType",
    "ReplayReport",
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


class Difference(msgspec.Struct, frozen=True):
    """Where the book and the record part."""

    message: int
    """The message, from 1."""
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
    """Messages about orders from before the first message or beyond the window."""
    executions: int
    """Of visible orders."""
    executed_size: int
    tick: int
    """The greatest size that divides every price."""
    orders_resting: int
    """At the end; what is known by its level's sum only counts as one."""
    difference: Difference | None
    """The first one."""


def replay_report(replay: FlowReplay) -> ReplayReport:
    """Return what a replay came to so far."""
    difference = replay.difference()
    return ReplayReport(
        difference=None if difference is None else Difference(*difference), **replay.counts()
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
        raise ValueError(f"expected four columns a level, came {columns} columns")
    return level_count

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
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

import msgspec
import numpy as np

from cea_exchange.domain.records import Side, Tif

EMPTY_PRICE = 9_999_999_999
"""A level that is not there: this ask, or this bid with a minus sign."""
ROW_COLUMNS_PER_LEVEL = 4
OWNER_RESTING = 1
OWNER_TAKING = 2

Level = tuple[int, int]
"""Price in ticks, size."""


class MessageType(IntEnum):
    """What a message says."""

    NEW = 1
    PARTIAL_CANCEL = 2
    DELETE = 3
    EXECUTION = 4
    HIDDEN_EXECUTION = 5
    CROSS = 6
    HALT = 7


TOUCHING = frozenset(
    {
        MessageType.NEW,
        MessageType.PARTIAL_CANCEL,
        MessageType.DELETE,
        MessageType.EXECUTION,
    }
)
"""The types that change the visible book."""


class Message(NamedTuple):
    """One recorded message; the price is in ticks."""

    type: int
    order_id: int
    size: int
    price: int
    direction: int

    @property
    def side(self) -> Side:
        """Return the side of the order it is about."""
        return Side.BUY if self.direction == 1 else Side.SELL


class Difference(msgspec.Struct, frozen=True):
    """Where the book and the record part."""

    message: int
    """Line of the message, from 1."""
    text: str


class ReplayReport(msgspec.Struct, kw_only=True):
    """What a replay came to."""

    messages: int = 0
    steps: int = 0
    """Messages after which the books were compared."""
    steps_agreeing: int = 0
    levels_learned: int = 0
    levels_forgotten: int = 0
    orders_unknown: int = 0
    """Messages about orders from before the first message or beyond the window."""
    difference: Difference | None = None
    """The first one."""


class OwnOrder(NamedTuple):
    """An order that a message brought: its number in the book, and where it stands."""

    number: int
    side: Side
    price: int


class Disagreement(Exception):
    """The book can't do what the message says was done."""


class FlowReplay:
    """Plays messages on a book and holds it against the recorded rows.

    Parameters
    ----------
    book : OrderBook
        Empty; its range holds every price.
    level_count : int
        Levels of a side in a row; 0 if nothing was recorded.
    """

    def __init__(self, book: Any, level_count: int) -> None:
        self.report = ReplayReport()
        self._book = book
        self._level_count = level_count
        self._number_last = 0
        self._own: dict[int, OwnOrder] = {}
        self._ids: dict[int, int] = {}
        self._open: dict[int, int] = {}
        self._elder: dict[tuple[Side, int], int] = {}
        # Whether levels may lie beyond the window: then a row can teach one.
        self._is_cut = {Side.BUY: level_count > 0, Side.SELL: level_count > 0}

    def start(self, row: Sequence[int]) -> None:
        """Take the row after the first message for the beginning."""
        self.report.messages += 1
        self._learn_all(row)

    def step(self, message: Message, row: Sequence[int] | None) -> None:
        """Play one message and compare the book with the row after it."""
        self.report.messages += 1
        text = None
        try:
            if message.type in TOUCHING:
                self._play(message)
            if row is not None:
                self._compare(row)
        except Disagreement as disagreement:
            text = str(disagreement)
        if row is not None:
            self.report.steps += 1
            self.report.steps_agreeing += text is None
        if text is not None:
            if self.report.difference is None:
                self.report.difference = Difference(self.report.messages, text)
            if row is not None:
                # From here on the row is the truth, so that later steps are judged by themselves.
                self._learn_all(row)

    # -- Messages ---------------------------------------------------------------------------------

    def _play(self, message: Message) -> None:
        if message.type == MessageType.NEW:
            self._enter(message)
            return
        own = self._own.get(message.order_id)
        if own is not None and (own.side, own.price) != (message.side, message.price):
            raise Disagreement(
                f"order {message.order_id} stands at {own.price} ({own.side.name.lower()}), "
                f"the message says {message.price} ({message.side.name.lower()})"
            )
        if own is None:
            self.report.orders_unknown += 1
            if self._is_beyond(message.side, message.price):
                return
        number = self._elder_number(message) if own is None else own.number
        if number == 0 and not self._level_count:
            return
        if message.type == MessageType.EXECUTION:
            self._execute(message, number)
        elif message.type == MessageType.DELETE and own is not None:
            self._cancel(number)
        else:
            self._reduce(message, number)

    def _enter(self, message: Message) -> None:
        if message.order_id in self._own:
            raise Disagreement(f"order {message.order_id} is on the book already")
        if self._is_beyond(message.side, message.price):
            return
        number = self._rest(message.side, message.price, message.size)
        self._own[message.order_id] = OwnOrder(number, message.side, message.price)
        self._ids[number] = message.order_id

    def _elder_number(self, message: Message) -> int:
        number = self._elder.get((message.side, message.price), 0)
        if number == 0 and self._level_count:
            raise Disagreement(
                f"order {message.order_id} is not on the book, and nothing of unknown orders is "
                f"left at {message.price} ({message.side.name.lower()})"
            )
        return number

    def _reduce(self, message: Message, number: int) -> None:
        left = self._open[number] - message.size
        if left < 0:
            raise Disagreement(
                f"order {message.order_id} has {self._open[number]} open, {message.size} go"
            )
        if left == 0:
            self._cancel(number)
            return
        self._open[number] = left
        self._book.amend(number, message.price, left)

    def _execute(self, message: Message, number: int) -> None:
        """Send the marketable order that hit the named one."""
        taken = self._take(message.side, message.price, message.size)
        if taken != [(number, message.size)]:
            hit = ", ".join(f"{size} of {self._name(other)}" for other, size in taken)
            raise Disagreement(
                f"{message.size} of order {message.order_id} at {message.price} were executed, "
                f"the book trades {hit or 'nothing'}"
            )

    def _name(self, number: int) -> str:
        order_id = self._ids.get(number)
        return "older orders" if order_id is None else f"order {order_id}"

    # -- The book ---------------------------------------------------------------------------------

    def _rest(self, side: Side, price: int, size: int) -> int:
        self._number_last += 1
        number = self._number_last
        result = self._book.enter(number, side, price, size, OWNER_RESTING, post_only=True)
        if not result.accepted:
            raise Disagreement(f"an order at {price} ({side.name.lower()}) would trade on entry")
        self._open[number] = size
        return number

    def _take(self, side: Side, price: int, size: int) -> list[Level]:
        """Trade against a side at a price; return which orders gave how much."""
        self._number_last += 1
        opposite = Side.SELL if side == Side.BUY else Side.BUY
        result = self._book.enter(
            self._number_last, opposite, price, size, OWNER_TAKING, tif=Tif.IOC
        )
        taken = [(number, traded) for number, _, _, traded in result.trades]
        for number, traded in taken:
            self._open[number] -= traded
            if self._open[number] == 0:
                self._forget(number)
        return taken

    def _cancel(self, number: int) -> None:
        self._book.cancel(number)
        self._forget(number)

    def _forget(self, number: int) -> None:
        del self._open[number]
        order_id = self._ids.pop(number, None)
        if order_id is not None:
            del self._own[order_id]
            return
        for place, elder in self._elder.items():
            if elder == number:
                del self._elder[place]
                return

    # -- The window -------------------------------------------------------------------------------

    def _is_beyond(self, side: Side, price: int) -> bool:
        """Return whether a price lies past the window's edge, where the rows show nothing."""
        if not self._is_cut[side]:
            return False
        levels = self._book.depth(self._level_count)[side == Side.SELL]
        if len(levels) < self._level_count:
            return False
        edge = levels[-1][0]
        return price < edge if side == Side.BUY else price > edge

    def _compare(self, row: Sequence[int]) -> None:
        both_sides = self._book.depth(self._level_count + 1)
        for side, deep in zip((Side.BUY, Side.SELL), both_sides, strict=True):
            self._cut(side, deep[self._level_count :])
            levels = [(price, size) for price, size, _ in deep[: self._level_count]]
            shown = _row_levels(row, side)
            learned = shown[len(levels) :] if self._is_cut[side] else []
            if levels != shown[: len(shown) - len(learned)]:
                raise Disagreement(_first_difference(side, levels, shown))
            for price, size in learned:
                self._elder[side, price] = self._rest(side, price, size)
            self.report.levels_learned += len(learned)
            if len(shown) < self._level_count:
                self._is_cut[side] = False

    def _cut(self, side: Side, pushed_out: list[tuple[int, int, int]]) -> None:
        """Forget what left the window at its edge."""
        for price, _, _ in pushed_out:
            for number in self._book.orders(side, price):
                self._cancel(number)
            self.report.levels_forgotten += 1
            self._is_cut[side] = True

    def _learn_all(self, row: Sequence[int]) -> None:
        for number in list(self._open):
            self._cancel(number)
        for side in Side:
            levels = _row_levels(row, side)
            for price, size in levels:
                try:
                    self._elder[side, price] = self._rest(side, price, size)
                except Disagreement:
                    # A crossed row: no book looks like that, and the next step will say so too.
                    break
            self._is_cut[side] = len(levels) == self._level_count


def replay_flow(
    book: Any, messages: Iterable[Message], rows: Iterable[Sequence[int]] | None, level_count: int
) -> ReplayReport:
    """Play recorded messages on a book, and compare it with the recorded rows.

    Parameters
    ----------
    book : OrderBook
        Empty; its range holds every price.
    messages : iterable of Message
        In order, prices in ticks.
    rows : iterable of sequences of int, or None
        The book after each message; None if it was not recorded.
    level_count : int
        Levels of a side in a row.

    Returns
    -------
    ReplayReport
        The row after the first message is the beginning, so there is one step less than messages.
    """
    replay = FlowReplay(book, 0 if rows is None else level_count)
    if rows is None:
        for message in messages:
            replay.step(message, None)
        return replay.report
    is_first = True
    for message, row in zip(messages, rows, strict=True):
        if is_first:
            replay.start(row)
            is_first = False
        else:
            replay.step(message, row)
    return replay.report


# -- Reading -------------------------------------------------------------------------------------


class Flow(NamedTuple):
    """Recorded flow in ticks: what `replay_flow` plays, and the range of a book for it."""

    messages: list[Message]
    rows: list[list[int]] | None
    level_count: int
    price_min: int
    price_max: int
    tick: int


def flow_of_arrays(messages: np.ndarray, rows: np.ndarray | None) -> Flow:
    """Return recorded flow in ticks of the greatest size that divides every price.

    Parameters
    ----------
    messages : ndarray of int64, five columns
        Type, order id, size, price, direction.
    rows : ndarray of int64, four columns a level, or None
        Ask, its size, bid, its size, and so on.

    Raises
    ------
    ValueError
        Naming the line, if a message or the form of the rows makes no sense.
    """
    _messages_check(messages)
    touching = np.isin(messages[:, 0], [int(type_) for type_ in TOUCHING])
    prices = [messages[touching, 3]]
    level_count = 0
    if rows is not None:
        level_count, odd = divmod(rows.shape[1], ROW_COLUMNS_PER_LEVEL)
        if odd or not level_count:
            raise ValueError(f"expected four columns a level, came {rows.shape[1]} columns")
        if len(rows) != len(messages):
            raise ValueError(f"expected a row for each message, {len(messages)}, came {len(rows)}")
        shown = rows[:, 0::2]
        prices.append(shown[np.abs(shown) < EMPTY_PRICE])
    joined = np.unique(np.concatenate(prices))
    tick = int(np.gcd.reduce(joined)) if len(joined) else 1
    tick = max(tick, 1)
    played = [
        Message(type_, order_id, size, price // tick if is_touching else 0, direction)
        for (type_, order_id, size, price, direction), is_touching in zip(
            messages.tolist(), touching.tolist(), strict=True
        )
    ]
    return Flow(
        messages=played,
        rows=None if rows is None else _rows_in_ticks(rows, tick),
        level_count=level_count,
        price_min=int(joined[0]) // tick if len(joined) else 1,
        price_max=int(joined[-1]) // tick if len(joined) else 1,
        tick=tick,
    )


def _messages_check(messages: np.ndarray) -> None:
    kinds = [int(type_) for type_ in MessageType]
    touching = np.isin(messages[:, 0], [int(type_) for type_ in TOUCHING])
    _lines_check(np.isin(messages[:, 0], kinds), "type 1 to 7", messages[:, 0])
    _lines_check(~touching | (messages[:, 2] > 0), "a positive size", messages[:, 2])
    _lines_check(~touching | (messages[:, 3] > 0), "a positive price", messages[:, 3])
    direction_holds = ~touching | (np.abs(messages[:, 4]) == 1)
    _lines_check(direction_holds, "direction 1 or -1", messages[:, 4])


def _lines_check(holds: np.ndarray, expected: str, values: np.ndarray) -> None:
    if not holds.all():
        line = int(np.argmin(holds))
        raise ValueError(f"line {line + 1}: expected {expected}, came {values[line]}")


def _rows_in_ticks(rows: np.ndarray, tick: int) -> list[list[int]]:
    in_ticks = rows.copy()
    # A level that is not there is marked by its size alone from here on.
    is_empty = (np.abs(rows[:, 0::2]) >= EMPTY_PRICE) | (rows[:, 1::2] <= 0)
    in_ticks[:, 0::2] //= tick
    in_ticks[:, 1::2][is_empty] = 0
    return in_ticks.tolist()


def _row_levels(row: Sequence[int], side: Side) -> list[Level]:
    start = 0 if side == Side.SELL else 2
    prices, sizes = row[start::4], row[start + 1 :: 4]
    return [(price, size) for price, size in zip(prices, sizes, strict=True) if size > 0]


def _first_difference(side: Side, levels: list[Level], shown: list[Level]) -> str:
    name = "bid" if side == Side.BUY else "ask"
    for index in range(max(len(levels), len(shown))):
        ours = levels[index] if index < len(levels) else None
        theirs = shown[index] if index < len(shown) else None
        if ours != theirs:
            recorded, built = _level_text(theirs), _level_text(ours)
            return f"{name} {index + 1}: the record has {recorded}, the book {built}"
    return f"{name}: the levels differ"


def _level_text(level: Level | None) -> str:
    return "nothing" if level is None else f"{level[1]} at {level[0]}"

"""Recorded flow through a book, in plain Python: what the compiled replay must come to.

Written apart from it, order by order and level by level: the book is a list of orders at each
price, and every comparison builds both sides' levels anew. Prices are as recorded.
"""

from collections.abc import Iterable, Sequence

from cea_exchange.domain.records import Side
from cea_exchange.matching.replay import MessageType

EMPTY_PRICE = 9_999_999_999
ELDER = None
"""Whose the sum of older orders at a level is."""

Level = tuple[int, int]
"""Price, size."""
Resting = list
"""Order id or ELDER, size."""

TOUCHING = {
    MessageType.NEW,
    MessageType.PARTIAL_CANCEL,
    MessageType.DELETE,
    MessageType.EXECUTION,
}


class Disagreement(Exception):
    """The book can't do what the message says was done."""


def side_word(side: Side) -> str:
    """Return a side as differences name it."""
    return side.name.lower()


class PlainReplay:
    """Plays messages and holds the book against the rows.

    Attributes
    ----------
    counts : dict of str to int
        As `FlowReplay.counts`, without the tick.
    difference : (int, str) or None
        The first one: message, from 1, and text.
    """

    def __init__(self, level_count: int) -> None:
        self.counts = dict.fromkeys(
            (
                "messages steps steps_agreeing levels_learned levels_forgotten orders_unknown "
                "executions executed_size orders_resting"
            ).split(),
            0,
        )
        self.difference: tuple[int, str] | None = None
        self._level_count = level_count
        self._queues: dict[Side, dict[int, list[Resting]]] = {side: {} for side in Side}
        self._is_cut = {side: level_count > 0 for side in Side}

    def run(self, messages: Iterable[Sequence[int]], rows: Sequence[Sequence[int]] | None) -> None:
        """Play all; the row after the first message is the beginning."""
        for place, message in enumerate(messages):
            row = None if rows is None else rows[place]
            self.counts["messages"] += 1
            if place == 0 and row is not None:
                self._learn_all(row)
            else:
                self._step(message, row)
        self.counts["orders_resting"] = sum(
            len(queue) for queues in self._queues.values() for queue in queues.values()
        )

    def _step(self, message: Sequence[int], row: Sequence[int] | None) -> None:
        text = None
        try:
            if message[0] in TOUCHING:
                self._play(*message)
            if row is not None:
                for side in Side:
                    self._compare(side, levels_of(row, side))
        except Disagreement as disagreement:
            text = str(disagreement)
        if text is not None and self.difference is None:
            self.difference = (self.counts["messages"], text)
        if row is not None:
            self.counts["steps"] += 1
            self.counts["steps_agreeing"] += text is None
            if text is not None:
                self._learn_all(row)

    # -- Messages ----------------------------------------------------------------------------------

    def _play(self, type_: int, order_id: int, size: int, price: int, direction: int) -> None:
        side = Side.BUY if direction == 1 else Side.SELL
        if type_ == MessageType.EXECUTION:
            self.counts["executions"] += 1
            self.counts["executed_size"] += size
        place = self._place_of(order_id)
        if type_ == MessageType.NEW:
            if place is not None:
                raise Disagreement(f"order {order_id} is on the book already")
            if not self._is_beyond(side, price):
                self._rest(order_id, side, price, size)
            return
        if place is not None and place != (side, price):
            raise Disagreement(
                f"order {order_id} stands at {place[1]} ({side_word(place[0])}), "
                f"the message says {price} ({side_word(side)})"
            )
        queue = self._queues[side].get(price, [])
        whose = order_id
        if place is None:
            self.counts["orders_unknown"] += 1
            if self._is_beyond(side, price):
                return
            whose = ELDER
            if not any(resting[0] is ELDER for resting in queue):
                if not self._level_count:
                    return
                raise Disagreement(
                    f"order {order_id} is not on the book, and nothing of unknown orders is left "
                    f"at {price} ({side_word(side)})"
                )
        if type_ == MessageType.EXECUTION:
            self._execute(side, price, whose, size, order_id)
        elif type_ == MessageType.DELETE and whose is not ELDER:
            self._reduce(side, price, whose, None, order_id)
        else:
            self._reduce(side, price, whose, size, order_id)

    def _reduce(
        self, side: Side, price: int, whose: int | None, size: int | None, order_id: int
    ) -> None:
        queue = self._queues[side][price]
        (resting,) = [resting for resting in queue if resting[0] == whose]
        size = resting[1] if size is None else size
        if size > resting[1]:
            raise Disagreement(f"order {order_id} has {resting[1]} open, {size} go")
        resting[1] -= size
        self._sweep(side, price)

    def _execute(self, side: Side, price: int, whose: int | None, size: int, order_id: int) -> None:
        met, left = [], size
        for level_price, _ in self._levels(side):
            if level_price < price if side == Side.BUY else level_price > price:
                break
            for resting in self._queues[side][level_price]:
                taken = min(left, resting[1])
                if taken:
                    met.append((resting[0], taken))
                resting[1] -= taken
                left -= taken
            self._sweep(side, level_price)
        if met != [(whose, size)]:
            told = [
                f"{taken} of " + ("older orders" if other is ELDER else f"order {other}")
                for other, taken in met
            ]
            hit = ", ".join(told[:8] + ["more"] * (len(told) > 8))
            raise Disagreement(
                f"{size} of order {order_id} at {price} were executed, the book trades "
                f"{hit or 'nothing'}"
            )

    # -- The book ----------------------------------------------------------------------------------

    def _place_of(self, order_id: int) -> tuple[Side, int] | None:
        for side, queues in self._queues.items():
            for price, queue in queues.items():
                if any(resting[0] == order_id for resting in queue):
                    return side, price
        return None

    def _levels(self, side: Side) -> list[Level]:
        sums = [(price, sum(size for _, size in q)) for price, q in self._queues[side].items()]
        return sorted(sums, reverse=side == Side.BUY)

    def _sweep(self, side: Side, price: int) -> None:
        """Drop what is empty."""
        queue = self._queues[side][price]
        queue[:] = [resting for resting in queue if resting[1]]
        if not queue:
            del self._queues[side][price]

    def _rest(self, whose: int | None, side: Side, price: int, size: int) -> None:
        opposite = self._levels(Side.SELL if side == Side.BUY else Side.BUY)
        if opposite and (price >= opposite[0][0] if side == Side.BUY else price <= opposite[0][0]):
            raise Disagreement(f"an order at {price} ({side_word(side)}) would trade on entry")
        self._queues[side].setdefault(price, []).append([whose, size])

    # -- The window --------------------------------------------------------------------------------

    def _is_beyond(self, side: Side, price: int) -> bool:
        levels = self._levels(side)[: self._level_count]
        if not self._is_cut[side] or len(levels) < self._level_count:
            return False
        return price < levels[-1][0] if side == Side.BUY else price > levels[-1][0]

    def _compare(self, side: Side, shown: list[Level]) -> None:
        for price, _ in self._levels(side)[self._level_count :]:
            del self._queues[side][price]
            self.counts["levels_forgotten"] += 1
            self._is_cut[side] = True
        levels = self._levels(side)
        learned = shown[len(levels) :] if self._is_cut[side] else []
        for place in range(max(len(levels), len(shown) - len(learned))):
            built = levels[place] if place < len(levels) else None
            recorded = shown[place] if place < len(shown) else None
            if built != recorded:
                raise Disagreement(
                    f"{side_name(side)} {place + 1}: the record has {level_text(recorded)}, "
                    f"the book {level_text(built)}"
                )
        self._learn(side, shown, len(levels))
        self.counts["levels_learned"] += len(learned)
        if len(shown) < self._level_count:
            self._is_cut[side] = False

    def _learn(self, side: Side, shown: list[Level], known: int) -> None:
        if not self._is_cut[side]:
            return
        for place in range(known, len(shown)):
            price, size = shown[place]
            if place and (
                price >= shown[place - 1][0] if side == Side.BUY else price <= shown[place - 1][0]
            ):
                raise Disagreement(
                    f"{side_name(side)} {place + 1}: the record has {price}, which is not behind "
                    "the level before"
                )
            self._rest(ELDER, side, price, size)

    def _learn_all(self, row: Sequence[int]) -> None:
        for queues in self._queues.values():
            queues.clear()
        for side in Side:
            shown = levels_of(row, side)
            self._is_cut[side] = True
            try:
                self._learn(side, shown, 0)
            except Disagreement:
                # No book looks like that, and the next step will say so.
                pass
            self._is_cut[side] = len(shown) == self._level_count


def levels_of(row: Sequence[int], side: Side) -> list[Level]:
    """Return the levels that a row shows of a side."""
    start = 0 if side == Side.SELL else 2
    pairs = zip(row[start::4], row[start + 1 :: 4], strict=True)
    return [(price, size) for price, size in pairs if size > 0 and abs(price) < EMPTY_PRICE]


def side_name(side: Side) -> str:
    """Return a side as levels are named by."""
    return "bid" if side == Side.BUY else "ask"


def level_text(level: Level | None) -> str:
    """Return a level as differences show it."""
    return "nothing" if level is None else f"{level[1]} at {level[0]}"

"""Recorded flow through a book, in plain Python: what the compiled replay must come to.

Written apart from it, order by order and level by level: the book is a list of orders at each
price, and every comparison builds both sides' levels anew. Prices are as recorded.
"""

from collections.abc import Iterable, Sequence

from cea_exchange.domain.records import Side
from cea_exchange.matching.flow.replay import MessageType

EMPTY_PRICE = 9_999_999_999
ELDER = None
"""Whose the sum of a level's orders is that no message has entered."""

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
    """The book can't do what the message says was done: the kind, and what differs."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(kind, text)
        self.kind, self.text = kind, text


def side_word(side: Side) -> str:
    """Return a side as differences name it."""
    return side.name.lower()


class PlainReplay:
    """Plays messages and holds the book against the rows.

    Attributes
    ----------
    counts : dict of str to int
        As `FlowReplay.counts`, without the tick.
    differences : list of (int, str, str)
        Message, from 1, kind and text.
    """

    def __init__(self, level_count: int) -> None:
        self.counts = dict.fromkeys(
            (
                "messages steps steps_agreeing levels_learned levels_forgotten orders_unknown "
                "executions executed_size difference_count orders_resting"
            ).split(),
            0,
        )
        self.differences: list[tuple[int, str, str]] = []
        self._is_begun = False
        self._level_count = level_count
        self._queues: dict[Side, dict[int, list[Resting]]] = {side: {} for side in Side}
        self._is_cut = dict.fromkeys(Side, level_count > 0)

    def run(self, messages: Iterable[Sequence[int]], rows: Sequence[Sequence[int]] | None) -> None:
        """Play all; the first row that can be true is the beginning."""
        for place, message in enumerate(messages):
            row = None if rows is None else rows[place]
            self.counts["messages"] += 1
            if row is not None and not self._is_begun:
                self._begin(message, row)
            else:
                self._step(message, row)
        self.counts["difference_count"] = len(self.differences)
        self.counts["orders_resting"] = sum(
            len(queue) for queues in self._queues.values() for queue in queues.values()
        )

    def _begin(self, message: Sequence[int], row: Sequence[int]) -> None:
        try:
            sides_check(row)
        except Disagreement as fault:
            self._note(fault)
            return
        self._is_begun = True
        for side in Side:
            shown = levels_of(row, side)
            self._queues[side] = {price: [[ELDER, size]] for price, size in shown}
            self._is_cut[side] = len(shown) == self._level_count
        type_, order_id, size, price, direction = message
        queue = self._queues[side_of(direction)].get(price)
        if type_ == MessageType.NEW and queue is not None and queue[0][1] >= size:
            # The order of the first message came last.
            left = queue[0][1] - size
            queue[:] = [[ELDER, left]] * (left > 0) + [[order_id, size]]

    def _note(self, fault: Disagreement) -> None:
        self.differences.append((self.counts["messages"], fault.kind, fault.text))

    def _step(self, message: Sequence[int], row: Sequence[int] | None) -> None:
        faults = []
        try:
            if message[0] in TOUCHING:
                self._play(row, *message)
        except Disagreement as fault:
            faults.append(fault)
        if row is not None:
            try:
                for side in Side:
                    self._compare(side, levels_of(row, side))
            except Disagreement:
                faults += self._believe(row)
        if faults:
            self._note(faults[0])
        if row is not None:
            self.counts["steps"] += 1
            self.counts["steps_agreeing"] += not faults

    # -- Messages ----------------------------------------------------------------------------------

    def _play(
        self,
        row: Sequence[int] | None,
        type_: int,
        order_id: int,
        size: int,
        price: int,
        direction: int,
    ) -> None:
        side = side_of(direction)
        if type_ == MessageType.EXECUTION:
            self.counts["executions"] += 1
            self.counts["executed_size"] += size
        place = self._place_of(order_id)
        if type_ == MessageType.NEW:
            self._enter(order_id, side, price, size, place is not None)
            return
        all_goes = type_ == MessageType.DELETE and place is not None
        if place is not None and place != (side, price):
            self._named_take(row, place, order_id, None if all_goes else size)
            raise Disagreement(
                "elsewhere",
                f"order {order_id} stands at {place[1]} ({side_word(place[0])}), "
                f"the message says {price} ({side_word(side)})",
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
                    "unknown",
                    f"order {order_id} is not on the book, and nothing of unknown orders is left "
                    f"at {price} ({side_word(side)})",
                )
        if type_ == MessageType.EXECUTION:
            fault = self._execution_fault(side, price, whose, size, order_id)
        else:
            fault = self._reduction_fault(side, price, whose, None if all_goes else size, order_id)
        if fault is not None:
            self._named_take(row, (side, price), whose, size)
            raise fault
        self._reduce(side, price, whose, None if all_goes else size)

    def _enter(self, order_id: int, side: Side, price: int, size: int, is_there: bool) -> None:
        if is_there:
            raise Disagreement("entered_twice", f"order {order_id} is on the book already")
        if self._is_beyond(side, price):
            return
        if self._crosses(side, price):
            raise Disagreement(
                "would_trade", f"an order at {price} ({side_word(side)}) would trade on entry"
            )
        self._queues[side].setdefault(price, []).append([order_id, size])

    def _named_take(
        self,
        row: Sequence[int] | None,
        place: tuple[Side, int],
        whose: int | None,
        size: int | None,
    ) -> None:
        """Take a size off an order, at most all, unless the row shows that it is still there."""
        side, price = place
        queue = self._queues[side][price]
        (resting,) = [resting for resting in queue if resting[0] == whose]
        size = resting[1] if size is None else min(size, resting[1])
        if row is not None:
            left = sum(other for _, other in queue) - size
            shown = levels_of(row, side)
            is_past = len(shown) == self._level_count and all(
                is_better(side, other, price) for other, _ in shown
            )
            if dict(shown).get(price, 0) != left and not is_past:
                return
        self._reduce(side, price, whose, size)

    def _reduce(self, side: Side, price: int, whose: int | None, size: int | None) -> None:
        queue = self._queues[side][price]
        (resting,) = [resting for resting in queue if resting[0] == whose]
        resting[1] -= resting[1] if size is None else size
        self._sweep(side, price)

    def _reduction_fault(
        self, side: Side, price: int, whose: int | None, size: int | None, order_id: int
    ) -> Disagreement | None:
        queue = self._queues[side][price]
        (resting,) = [resting for resting in queue if resting[0] == whose]
        if size is None or size <= resting[1]:
            return None
        text = f"order {order_id} has {resting[1]} open, {size} go"
        if whose is ELDER:
            text = (
                f"{resting[1]} of unknown orders are open at {price} ({side_word(side)}), "
                f"{size} of order {order_id} go"
            )
        return Disagreement("too_little", text)

    def _execution_fault(
        self, side: Side, price: int, whose: int | None, size: int, order_id: int
    ) -> Disagreement | None:
        met, left = [], size
        for level_price, _ in self._levels(side):
            if is_better(side, price, level_price):
                break
            for other, open_size in self._queues[side][level_price]:
                taken = min(left, open_size)
                if taken:
                    met.append((level_price, other, taken))
                left -= taken
        if met == [(price, whose, size)]:
            return None
        queue = self._queues[side][price]
        is_best = self._levels(side)[0][0] == price
        if is_best and queue[0][0] is ELDER and queue[1:2] and queue[1][0] == whose:
            if queue[1][1] >= size:
                return Disagreement(
                    "unknown_ahead",
                    f"{size} of order {order_id} at {price} were executed, though "
                    f"{queue[0][1]} of unknown orders are taken to stand before it",
                )
        reported = [
            f"{taken} of " + ("unknown orders" if other is ELDER else f"order {other}")
            for _, other, taken in met
        ]
        hit = ", ".join(reported[:8] + ["more"] * (len(reported) > 8))
        return Disagreement(
            "other_trades",
            f"{size} of order {order_id} at {price} were executed, the book trades "
            f"{hit or 'nothing'}",
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

    def _crosses(self, side: Side, price: int) -> bool:
        opposite = self._levels(Side.SELL if side == Side.BUY else Side.BUY)
        return bool(opposite) and not is_better(side, opposite[0][0], price)

    # -- The window --------------------------------------------------------------------------------

    def _is_beyond(self, side: Side, price: int) -> bool:
        levels = self._levels(side)[: self._level_count]
        if not self._is_cut[side] or len(levels) < self._level_count:
            return False
        return is_better(side, levels[-1][0], price)

    def _compare(self, side: Side, shown: list[Level]) -> None:
        """Hold a side against a row; learn and forget at the edge."""
        levels = self._levels(side)
        known, behind = levels[: self._level_count], levels[self._level_count :]
        if self._side_fault(side, shown) is not None:
            raise Disagreement("level", "_believe tells which")
        for price, _ in behind:
            self._forget(side, price)
        for price, size in shown[len(known) :]:
            edge = self._levels(side)[-1:]
            if (edge and not is_better(side, edge[0][0], price)) or self._crosses(side, price):
                raise Disagreement("level", "_believe tells which")
            self._queues[side][price] = [[ELDER, size]]
        self.counts["levels_learned"] += len(shown) - len(known)
        if len(shown) < self._level_count:
            self._is_cut[side] = False

    def _forget(self, side: Side, price: int) -> None:
        del self._queues[side][price]
        self.counts["levels_forgotten"] += 1
        self._is_cut[side] = True

    def _believe(self, row: Sequence[int]) -> list[Disagreement]:
        """Take the levels that differ from the row; return what differs, the first one first."""
        try:
            sides_check(row)
        except Disagreement as fault:
            return [fault]
        faults = []
        for side in Side:
            shown = levels_of(row, side)
            faults.append(self._side_fault(side, shown))
            is_full = len(shown) == self._level_count
            for price, _ in self._levels(side):
                if is_full and is_better(side, shown[-1][0], price):
                    self._forget(side, price)
            last_is_new = is_full and shown[-1][0] not in self._queues[side]
            built = dict(self._levels(side))
            self._queues[side] = {
                price: self._queues[side][price] if built.get(price) == size else [[ELDER, size]]
                for price, size in shown
            }
            self._is_cut[side] = is_full and (self._is_cut[side] or last_is_new)
        return [fault for fault in faults if fault is not None]

    def _side_fault(self, side: Side, shown: list[Level]) -> Disagreement | None:
        """Return the first level of a side that differs from a row."""
        levels = self._levels(side)[: self._level_count]
        for place in range(max(len(levels), len(shown))):
            built = levels[place] if place < len(levels) else None
            recorded = shown[place] if place < len(shown) else None
            if built is None and self._is_cut[side]:
                return None
            if built != recorded:
                return Disagreement(
                    "level",
                    f"{side_name(side)} {place + 1}: the record has {level_text(recorded)}, "
                    f"the book {level_text(built)}",
                )
        return None


def side_of(direction: int) -> Side:
    """Return the side of a message."""
    return Side.BUY if direction == 1 else Side.SELL


def is_better(side: Side, price: int, other: int) -> bool:
    """Return whether a price comes before another."""
    return price > other if side == Side.BUY else price < other


def sides_check(row: Sequence[int]) -> None:
    """Raise Disagreement where no book is like a row."""
    for side in Side:
        shown = levels_of(row, side)
        for place in range(1, len(shown)):
            if not is_better(side, shown[place - 1][0], shown[place][0]):
                raise Disagreement(
                    "row_unordered",
                    f"{side_name(side)} {place + 1}: the record has {shown[place][0]}, "
                    "which is not behind the level before",
                )
    bids, asks = levels_of(row, Side.BUY), levels_of(row, Side.SELL)
    if bids and asks and bids[0][0] >= asks[0][0]:
        raise Disagreement(
            "row_crossed", f"the record is crossed: bid 1 at {bids[0][0]}, ask 1 at {asks[0][0]}"
        )


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

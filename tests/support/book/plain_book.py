"""An order book in plain Python: what an `OrderBook` must do, to the last field of every event.

Lean, for it plays millions of commands in the long tests, and written apart from both cores: a
dictionary of orders, at each price a dictionary of those that rest there, oldest first, and a
sorted list of prices a side.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from struct import Struct
from typing import NamedTuple

from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    EVENT_DTYPE,
    CommandKind,
    EventKind,
    Method,
    OrderFlag,
    Reason,
    Side,
    Tif,
)
from cea_exchange.matching.reference.hashes import U64, fold

# As plain ints: members of an enum are slow to look up and to compare, millions of times.
ENTER, CANCEL, AMEND = (int(kind) for kind in tuple(CommandKind)[:3])
ACCEPTED, RESTED, AMENDED, CANCELED, TRADE, REJECTED = (
    int(EventKind[name])
    for name in (
        "ORDER_ACCEPTED ORDER_RESTED ORDER_AMENDED ORDER_CANCELED TRADE ORDER_REJECTED"
    ).split()
)
BUY, SELL = int(Side.BUY), int(Side.SELL)
IOC, FOK = int(Tif.IOC), int(Tif.FOK)
POST_ONLY, LISTED = int(OrderFlag.POST_ONLY), int(Method.LISTED)
POLICIES = ("allow", "reject", "cancel_resting", "cancel_incoming", "cancel_both")
TAG_BOOK_ORDER, TAG_BOOK = 8, 9
WHY = {reason.name: int(reason) for reason in Reason}

EVENT_ROW = Struct("<4B2H2I2Q3qQ94xBx")
"""What an order book knows of an event: its first 64 bytes, and `command` of a refusal."""
assert EVENT_ROW.size == EVENT_DTYPE.itemsize and EVENT_DTYPE.fields["command"][1] == 158

Event = tuple[int, ...]
"""The values of `EVENT_ROW`."""


class Row(NamedTuple):
    """One row of COMMAND_DTYPE."""

    kind: int
    side: int = 0
    tif: int = 0
    flags: int = 0
    product_index: int = 0
    operator_index: int = 0
    account_index: int = 0
    trading_date: int = 0
    client_order_id: int = 0
    order_id: int = 0
    pick_order_id: int = 0
    price: int = 0
    tonnes: int = 0
    reserved: int = 0


class PlainOrder:
    """A resting order, or one that comes in."""

    __slots__ = ("flags", "order_id", "owner", "price", "priority", "side", "tonnes")

    def __init__(self, order_id: int, side: int, price: int, tonnes: int, owner: int, flags: int):
        self.order_id = order_id
        self.side = side
        self.price = price
        self.tonnes = tonnes
        self.owner = owner
        self.flags = flags
        self.priority = 0


class PlainWalk:
    """Whom an order meets: [resting order, tonnes traded, 0 of one it cancels], and why it ends."""

    __slots__ = ("end", "left", "meetings", "meets_any")

    def __init__(self, left: int) -> None:
        self.meetings: list[tuple[PlainOrder, int]] = []
        self.left = left
        self.end = 0
        self.meets_any = False


class PlainBook:
    """One product's book; the settings are those of `OrderBook`.

    Notes
    -----
    `apply` gives the events of a command and counts them in `event_seq`.
    """

    def __init__(
        self,
        price_min: int,
        price_max: int,
        *,
        order_count_max: int,
        self_trade: str = "allow",
        levels_max: int | None = None,
        pick_allowed: bool = True,
    ) -> None:
        self.price_min, self.price_max = price_min, price_max
        self.order_count_max = order_count_max
        self.self_trade = self_trade
        self.levels_max = levels_max
        self.pick_allowed = pick_allowed
        self.live: dict[int, PlainOrder] = {}
        self.levels: tuple[dict[int, dict[int, PlainOrder]], ...] = ({}, {}, {})
        self.prices: tuple[list[int], ...] = ([], [], [])
        self.event_seq = 0
        self.priority_last = 0

    # -- Commands ----------------------------------------------------------------------------------

    def apply(self, row: Row) -> list[Event] | None:
        """The events of one row, or None for one that is no command at all."""
        if row.reserved or not ENTER <= row.kind <= AMEND:
            return None
        if row.kind == ENTER:
            if not BUY <= row.side <= SELL or row.tif > FOK or row.flags > POST_ONLY:
                return None
            return self._enter(row)
        order = self.live.get(row.order_id)
        if order is None:
            return [self._refused(row, 0, row.account_index, WHY["ORDER_UNKNOWN"])]
        return self._cancel(row, order) if row.kind == CANCEL else self._amend(row, order)

    def _enter(self, row: Row) -> list[Event]:
        reason = WHY["ORDER_ID_DUPLICATE"]
        if row.order_id not in self.live:
            reason = self._terms_refusal(row)
        if reason:
            return [self._refused(row, row.side, row.account_index, reason)]
        taker = PlainOrder(
            row.order_id, row.side, row.price, row.tonnes, row.account_index, row.flags
        )
        walk = self._walk(taker, row.pick_order_id)
        cancel_reason = walk.end or (WHY["IOC"] if row.tif == IOC else 0)
        reason = self._match_refusal(taker, walk, row.tif)
        if not reason and walk.left and not cancel_reason:
            gone = sum(tonnes in (0, maker.tonnes) for maker, tonnes in walk.meetings)
            if len(self.live) - gone >= self.order_count_max:
                reason = WHY["CAPACITY"]
        if reason:
            return [self._refused(row, row.side, row.account_index, reason)]
        events = [self._event(row, ACCEPTED, taker, counter_order_id=row.pick_order_id)]
        self._carry_out(row, taker, walk, cancel_reason, events)
        return events

    def _cancel(self, row: Row, order: PlainOrder) -> list[Event]:
        self._take_off(order)
        return [self._event(row, CANCELED, order, WHY["REQUESTED"], tonnes_open=0)]

    def _amend(self, row: Row, order: PlainOrder) -> list[Event]:
        reason = self._terms_refusal(row)
        keeps_place = row.price == order.price and row.tonnes < order.tonnes
        taker = PlainOrder(
            order.order_id, order.side, row.price, row.tonnes, order.owner, order.flags
        )
        if not reason and not keeps_place:
            walk = self._walk(taker, 0)
            reason = self._match_refusal(taker, walk, 0)
        if reason:
            return [self._refused(row, order.side, order.owner, reason)]
        if keeps_place:
            order.tonnes = row.tonnes
            return [self._event(row, AMENDED, order)]
        self._take_off(order)
        events = [self._event(row, AMENDED, taker)]
        self._carry_out(row, taker, walk, walk.end, events)
        return events

    def _terms_refusal(self, row: Row) -> int:
        if row.tonnes <= 0:
            return WHY["TONNES_NOT_POSITIVE"]
        return 0 if self.price_min <= row.price <= self.price_max else WHY["PRICE_OUT_OF_BAND"]

    def _match_refusal(self, taker: PlainOrder, walk: PlainWalk, tif: int) -> int:
        if walk.end in (WHY["SELF_TRADE"], WHY["PICK_NOT_AVAILABLE"]):
            return walk.end
        if taker.flags & POST_ONLY and walk.meets_any:
            return WHY["POST_ONLY_WOULD_TRADE"]
        return WHY["FOK_NOT_FILLABLE"] if walk.left and tif == FOK else 0

    # -- Meeting -----------------------------------------------------------------------------------

    def _walk(self, taker: PlainOrder, pick_order_id: int) -> PlainWalk:
        """Whom an incoming order would meet; nothing happens yet."""
        walk = PlainWalk(taker.tonnes)
        buys = taker.side == BUY
        prices = self.prices[SELL if buys else BUY]
        if pick_order_id:
            maker = self.live.get(pick_order_id)
            if not self._pick_available(taker, maker, prices):
                walk.end = WHY["PICK_NOT_AVAILABLE"]
                return walk
            walk.end = WHY["PICK_REMAINDER"]
            self._meet(walk, maker)
            return walk
        levels = self.levels[SELL if buys else BUY]
        for count_before, price in enumerate(prices if buys else reversed(prices)):
            if not walk.left or (price > taker.price if buys else price < taker.price):
                return walk
            if count_before == self.levels_max:
                walk.end = WHY["LEVELS_EXHAUSTED"]
                return walk
            for maker in levels[price].values():
                if maker.owner == taker.owner and self.self_trade != "allow":
                    self._meet_own(walk, maker)
                    if walk.end:
                        return walk
                else:
                    self._meet(walk, maker)
                if not walk.left:
                    return walk
        return walk

    def _pick_available(
        self, taker: PlainOrder, maker: PlainOrder | None, prices: list[int]
    ) -> bool:
        if not self.pick_allowed or maker is None or maker.side == taker.side:
            return False
        if maker.owner == taker.owner and self.self_trade != "allow":
            return False
        if taker.side == BUY:
            return maker.price == prices[0] <= taker.price
        return maker.price == prices[-1] >= taker.price

    @staticmethod
    def _meet(walk: PlainWalk, maker: PlainOrder) -> None:
        tonnes = min(walk.left, maker.tonnes)
        walk.meetings.append((maker, tonnes))
        walk.left -= tonnes
        walk.meets_any = True

    def _meet_own(self, walk: PlainWalk, maker: PlainOrder) -> None:
        walk.meets_any = True
        if self.self_trade == "reject":
            walk.end = WHY["SELF_TRADE"]
            return
        if self.self_trade != "cancel_incoming":
            walk.meetings.append((maker, 0))
        if self.self_trade != "cancel_resting":
            walk.end = WHY["SELF_TRADE_PREVENTED"]

    def _carry_out(
        self, row: Row, taker: PlainOrder, walk: PlainWalk, cancel_reason: int, events: list[Event]
    ) -> None:
        for maker, tonnes in walk.meetings:
            if not tonnes:
                self._take_off(maker)
                events.append(
                    self._event(row, CANCELED, maker, WHY["SELF_TRADE_PREVENTED"], tonnes_open=0)
                )
                continue
            taker.tonnes -= tonnes
            maker.tonnes -= tonnes
            if not maker.tonnes:
                self._take_off(maker)
            self.event_seq += 1
            events.append(
                (TRADE, taker.side, LISTED, 0, row.product_index, row.operator_index)
                + (taker.owner, maker.owner, taker.order_id, maker.order_id)
                + (maker.price, tonnes, taker.tonnes, self.event_seq, 0)
            )
        if not taker.tonnes:
            return
        if cancel_reason:
            events.append(self._event(row, CANCELED, taker, cancel_reason, tonnes_open=0))
        else:
            self._put_on(taker)
            events.append(self._event(row, RESTED, taker))

    # -- Places ------------------------------------------------------------------------------------

    def _put_on(self, order: PlainOrder) -> None:
        self.priority_last += 1
        order.priority = self.priority_last
        self.live[order.order_id] = order
        levels = self.levels[order.side]
        level = levels.get(order.price)
        if level is None:
            level = levels[order.price] = {}
            insort(self.prices[order.side], order.price)
        level[order.order_id] = order

    def _take_off(self, order: PlainOrder) -> None:
        del self.live[order.order_id]
        level = self.levels[order.side][order.price]
        del level[order.order_id]
        if not level:
            del self.levels[order.side][order.price]
            prices = self.prices[order.side]
            del prices[bisect_left(prices, order.price)]

    # -- Events ------------------------------------------------------------------------------------

    def _event(
        self,
        row: Row,
        kind: int,
        order: PlainOrder,
        reason: int = 0,
        tonnes_open: int | None = None,
        counter_order_id: int = 0,
    ) -> Event:
        self.event_seq += 1
        return (
            (kind, order.side, 0, reason, row.product_index, row.operator_index)
            + (order.owner, ACCOUNT_NONE, order.order_id, counter_order_id, order.price)
            + (order.tonnes, order.tonnes if tonnes_open is None else tonnes_open)
            + (self.event_seq, 0)
        )

    def _refused(self, row: Row, side: int, owner: int, reason: int) -> Event:
        self.event_seq += 1
        return (
            (REJECTED, side, 0, reason, row.product_index, row.operator_index)
            + (owner, ACCOUNT_NONE, row.order_id, 0, row.price, row.tonnes, 0)
            + (self.event_seq, row.kind)
        )

    # -- Looking -----------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.live)

    def resting(self, side: int) -> Iterator[tuple[int, list[PlainOrder]]]:
        """Price and orders of each level of a side, best first."""
        prices = self.prices[side]
        for price in prices if side == SELL else reversed(prices):
            yield price, list(self.levels[side][price].values())

    def depth(self) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
        """Price, tonnes and order count of each level, bids and asks, best first."""
        bids, asks = (
            [
                (price, sum(order.tonnes for order in level), len(level))
                for price, level in self.resting(side)
            ]
            for side in (BUY, SELL)
        )
        return bids, asks

    def orders(self) -> list[tuple[int, ...]]:
        """What ORDER_DTYPE says of every order: bids, then asks, best first, oldest first."""
        return [
            (order.order_id, 0, order.priority, 0)
            + (price, order.tonnes, order.owner, 0, side, order.flags)
            for side in (BUY, SELL)
            for price, level in self.resting(side)
            for order in level
        ]

    def state_hash(self) -> int:
        """As protocol/state_hash.md has it for a book."""
        total = fold(
            [TAG_BOOK, self.price_min, self.price_max, self.levels_max or 0]
            + [POLICIES.index(self.self_trade), int(self.pick_allowed), self.order_count_max]
            + [self.event_seq, self.priority_last]
        )
        for order in self.live.values():
            total += fold(
                [TAG_BOOK_ORDER, order.order_id, order.owner, order.side, order.price]
                + [order.tonnes, order.flags, order.priority]
            )
        return total & U64


def rows_of(events: Iterable[Event]) -> bytes:
    """Events as they stand in an array of EVENT_DTYPE."""
    return b"".join([EVENT_ROW.pack(*event) for event in events])


def result_of(events: list[Event]) -> tuple[int, int, int, tuple, tuple]:
    """What a call answers whose command gave these events.

    Returns
    -------
    reason, tonnes_open, tonnes_canceled, trades, orders_canceled
        As in `OrderResult`.
    """
    reason, tonnes_open, tonnes_canceled = 0, 0, 0
    about = events[0][8]
    trades, orders_canceled = [], []
    for event in events:
        kind, order_id = event[0], event[8]
        if kind == REJECTED:
            reason = event[3]
        elif kind == TRADE:
            trades.append((event[9], event[7], event[10], event[11]))
        elif kind == CANCELED and order_id != about:
            orders_canceled.append(order_id)
        elif kind == CANCELED:
            reason, tonnes_open, tonnes_canceled = event[3], 0, event[11]
        elif kind in (RESTED, AMENDED):
            tonnes_open = event[12]
    if trades and events[-1][0] == TRADE:
        tonnes_open = 0
    return reason, tonnes_open, tonnes_canceled, tuple(trades), tuple(orders_canceled)

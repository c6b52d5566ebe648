"""The compiled order book does what a plain list of orders does, by calls and by batches."""

import random
from dataclasses import dataclass, field

import numpy as np
import pytest

from cea_exchange._book import OrderBook
from cea_exchange.domain.records import COMMAND_DTYPE, EVENT_DTYPE, EventKind, Reason, Side, Tif


@dataclass
class ListedOrder:
    side: int
    price: int
    tonnes: int
    owner: int
    post_only: bool


@dataclass
class ListBook:
    """Orders by id, oldest first; every question is answered by sorting them."""

    price_min: int
    price_max: int
    order_count_max: int
    self_trade: str
    levels_max: int | None
    orders: dict[int, ListedOrder] = field(default_factory=dict)

    def opposite(self, side):
        others = [(key, order) for key, order in self.orders.items() if order.side != side]
        return sorted(others, key=lambda item: item[1].price * (1 if side == Side.BUY else -1))

    def terms_reason(self, price, tonnes):
        if tonnes <= 0:
            return Reason.TONNES_NOT_POSITIVE
        return 0 if self.price_min <= price <= self.price_max else Reason.PRICE_OUT_OF_BAND

    def takes(self, wanted, pick):
        """What `wanted` meets, and whether it could go on."""
        takes, left, prices = [], wanted.tonnes, set()
        for key, order in self.opposite(wanted.side):
            crosses = wanted.price >= order.price
            if wanted.side == Side.SELL:
                crosses = wanted.price <= order.price
            if not left or not crosses:
                break
            prices.add(order.price)
            if pick and len(prices) > 1:
                break
            if self.levels_max and not pick and len(prices) > self.levels_max:
                return takes, left, True
            if not pick or key == pick:
                tonnes = min(left, order.tonnes)
                takes.append((key, order.owner, order.price, tonnes))
                left -= tonnes
        return takes, left, False

    def match(self, order_id, wanted, tif, pick, enters):
        takes, left, exhausted = self.takes(wanted, pick)
        own = self.self_trade == "reject" and any(take[1] == wanted.owner for take in takes)
        if pick and (own or not takes):
            return Reason.PICK_NOT_AVAILABLE, 0, 0, ()
        if own:
            return Reason.SELF_TRADE, 0, 0, ()
        if wanted.post_only and takes:
            return Reason.POST_ONLY_WOULD_TRADE, 0, 0, ()
        if left and tif == Tif.FOK:
            return Reason.FOK_NOT_FILLABLE, 0, 0, ()
        reason = Reason.IOC if tif == Tif.IOC else Reason.NONE
        reason = Reason.PICK_REMAINDER if pick else reason
        reason = Reason.LEVELS_EXHAUSTED if exhausted else reason
        filled = sum(tonnes == self.orders[key].tonnes for key, _, _, tonnes in takes)
        if enters and left and not reason and len(self.orders) - filled >= self.order_count_max:
            return Reason.CAPACITY, 0, 0, ()
        self.orders.pop(order_id, None)
        for key, _, _, tonnes in takes:
            self.orders[key].tonnes -= tonnes
            if not self.orders[key].tonnes:
                del self.orders[key]
        if not left:
            return Reason.NONE, 0, 0, tuple(takes)
        if reason:
            return reason, 0, left, tuple(takes)
        wanted.tonnes = left
        self.orders[order_id] = wanted
        return Reason.NONE, left, 0, tuple(takes)

    def enter(self, order_id, side, price, tonnes, owner, tif, post_only, pick):
        if order_id in self.orders:
            return Reason.ORDER_ID_DUPLICATE, 0, 0, ()
        reason = self.terms_reason(price, tonnes)
        if reason:
            return reason, 0, 0, ()
        wanted = ListedOrder(side, price, tonnes, owner, post_only)
        return self.match(order_id, wanted, tif, pick, enters=True)

    def cancel(self, order_id):
        if order_id not in self.orders:
            return Reason.ORDER_UNKNOWN, 0, 0, ()
        return Reason.REQUESTED, 0, self.orders.pop(order_id).tonnes, ()

    def amend(self, order_id, price, tonnes):
        if order_id not in self.orders:
            return Reason.ORDER_UNKNOWN, 0, 0, ()
        reason = self.terms_reason(price, tonnes)
        if reason:
            return reason, 0, 0, ()
        order = self.orders[order_id]
        if price == order.price and tonnes < order.tonnes:
            order.tonnes = tonnes
            return Reason.NONE, tonnes, 0, ()
        wanted = ListedOrder(order.side, price, tonnes, order.owner, order.post_only)
        return self.match(order_id, wanted, Tif.DAY, 0, enters=False)


ID_RANGES = ((1, 60), ((1 << 64) - 40, (1 << 64) - 1), ((1 << 26) - 20, (1 << 26) + 20))
TICK_RANGES = (
    (0, 100_000_000), (-40, 40), (5, 5), (0, 63), (1, 5_000), (-(1 << 62), 9 - (1 << 62)),
)


def step_of(generator, book, ids):
    """One command as a row, and as the call on either book."""
    middle = (book.price_min + book.price_max) // 2
    edges = [book.price_min, book.price_max, book.price_min - 1, book.price_max + 1]
    row = np.zeros(1, COMMAND_DTYPE)
    order_id = generator.randint(*ids)
    price = generator.choice(edges + 20 * [middle + generator.randint(-8, 8)])
    tonnes = generator.choice([0, -1, (1 << 63) - 1] + 20 * [generator.randint(1, 30)])
    row["order_id"], row["price"], row["tonnes"] = order_id, price, tonnes
    chance = generator.random()
    if chance < 0.12:
        row["kind"] = 2
        return row, "cancel", (order_id,)
    if chance < 0.25:
        row["kind"] = 3
        return row, "amend", (order_id, price, tonnes)
    side, owner = generator.choice((1, 2)), generator.randrange(4)
    tif, post_only = generator.choice((0, 0, 0, 1, 2)), generator.random() < 0.1
    pick = generator.choice([*book.orders, order_id]) if generator.random() < 0.2 else 0
    row["kind"], row["side"], row["account_index"], row["tif"] = 1, side, owner, tif
    row["flags"], row["pick_order_id"] = post_only, pick
    return row, "enter", (order_id, side, price, tonnes, owner, tif, post_only, pick)


def call(book, name, arguments):
    if name != "enter":
        return getattr(book, name)(*arguments)
    *first, tif, post_only, pick = arguments
    return book.enter(*first, tif=tif, post_only=post_only, pick_order_id=pick)


def trades_of_batch(book, row):
    """Apply one row with exactly the rows it asks for."""
    assert (0, 0) == book.process(row, np.zeros(0, EVENT_DTYPE))
    events = np.zeros(book.rows_needed, EVENT_DTYPE)
    assert (1, len(events)) == book.process(row, events)
    trades = events[events["kind"] == EventKind.TRADE]
    columns = ("counter_order_id", "counter_account_index", "price", "tonnes")
    return tuple(zip(*(trades[name].tolist() for name in columns), strict=True))


@pytest.mark.parametrize("seed", range(40))
def test_compiled_and_list_book_agree(seed):
    generator = random.Random(seed)
    settings = {
        "order_count_max": generator.choice((3, 50, 1_000)),
        "self_trade": generator.choice(("allow", "reject")),
        "levels_max": generator.choice((None, 1, 3)),
    }
    ticks, ids = generator.choice(TICK_RANGES), generator.choice(ID_RANGES)
    listed = ListBook(*ticks, **settings)
    called, batched = (OrderBook(*ticks, **settings) for _ in range(2))
    for step in range(300):
        row, name, arguments = step_of(generator, listed, ids)
        expected = getattr(listed, name)(*arguments)
        result = call(called, name, arguments)
        assert expected == (
            result.reason, result.tonnes_open, result.tonnes_canceled, result.trades,
        ), f"seed {seed}, step {step}: {name}{arguments}"
        assert expected[3] == trades_of_batch(batched, row)
        if step % 30 == 0:
            called.check()
            batched.check()
            assert called.depth() == batched.depth()
            assert len(listed.orders) == len(called)
            called = called.copy()

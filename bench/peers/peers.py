"""Order books of the Python index, one call an order: an adapter each.

They run in the peers' interpreter (peer_run.py) and need numpy only; our own book is one of them,
run by the interpreter that has it. Each adapter writes out its loop, so that nobody pays for an
indirection: what a loop does besides calling the book is measured by `EmptyLoop` and subtracted.
Where a book has no call for a reduction that keeps its place, its order's quantity is set; where
that can't be done either, the order is cancelled and entered again, and its trades will differ.
"""

import datetime
import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterable

import numpy as np

ENTER, CANCEL, REDUCE, REPLACE = 1, 2, 3, 4
BUY = 1
PEER_ROW_DTYPE = np.dtype(
    [("kind", "u1"), ("order_id", "<u4"), ("side", "u1"), ("price", "<u4"), ("tonnes", "<u4"),
     ("by", "<u4")]
)
"""A command for a peer: `by` is what a REDUCE takes away, `tonnes` what is then open."""

Row = tuple[int, int, int, int, int, int]
Trade = tuple[int, int, int, int]
"""Maker, taker, price, tonnes."""


class Peer(ABC):
    """A book under test: `play` is timed, `trades` comes after."""

    module = ""
    gives = "trades"
    """`trades`; `volume`, if makers are not named; `nothing`."""
    book_size = "steady"
    """`small` for a book whose calls take milliseconds where 17,000 orders rest."""

    def __init__(self) -> None:
        self.out: list = []

    @abstractmethod
    def play(self, rows: list[Row]) -> None:
        """Apply rows, one call each or two, and keep what trades the book returns in `out`."""

    def trades(self) -> Iterable[Trade]:
        """The trades so far in our ids."""
        return ()

    def close(self) -> None:  # noqa: B027 - most have nothing besides
        """End what runs besides."""

    @classmethod
    def rows_possible(cls, rows: list[Row]) -> list[Row]:
        """The rows that the book can take without ending the process."""
        return rows


class EmptyLoop(Peer):
    """The loop itself: taking a row apart, deciding, looking at an empty result."""

    module = "sys"
    gives = "nothing"

    def play(self, rows):
        keep, nothing = self.out.append, ()
        for kind, order_id, _side, _price, _tonnes, _by in rows:
            if kind == ENTER:
                trades = nothing
                if trades:
                    keep((order_id, trades))
            elif kind == CANCEL:
                pass
            else:
                trades = nothing
                if trades:
                    keep((order_id, trades))


class CeaExchange(Peer):
    """Ours: enter, cancel, amend; the tuple of trades that each returns."""

    module = "cea_exchange"

    def __init__(self):
        super().__init__()
        from cea_exchange import OrderBook

        self.book = OrderBook(8_749, 10_749, order_count_max=100_000)

    def play(self, rows):
        enter, cancel, amend = self.book.enter, self.book.cancel, self.book.amend
        keep = self.out.append
        for kind, order_id, side, price, tonnes, _by in rows:
            if kind == ENTER:
                trades = enter(order_id, side, price, tonnes).trades
                if trades:
                    keep((order_id, trades))
            elif kind == CANCEL:
                cancel(order_id)
            else:
                trades = amend(order_id, price, tonnes).trades
                if trades:
                    keep((order_id, trades))

    def trades(self):
        for taker, trades in self.out:
            for maker, _owner, price, tonnes in trades:
                yield maker, taker, price, tonnes


class OrderlyChaos(Peer):
    """orderly-chaos: C++ through ctypes, trades by callback."""

    module = "orderly_chaos"

    def __init__(self):
        super().__init__()
        from orderly_chaos import LimitOrderBook, Side

        self.book = LimitOrderBook(on_trade=self.out.append)
        self.sides = (None, Side.BUY, Side.SELL)

    def play(self, rows):
        limit, cancel, reduce = self.book.limit, self.book.cancel, self.book.reduce
        sides = self.sides
        for kind, order_id, side, price, tonnes, by in rows:
            if kind == ENTER:
                limit(sides[side], order_id, tonnes, price)
            elif kind == CANCEL:
                cancel(order_id)
            elif kind == REDUCE:
                reduce(order_id, by)
            else:
                cancel(order_id)
                limit(sides[side], order_id, tonnes, price)

    def trades(self):
        return ((t.maker_id, t.taker_id, t.price, t.quantity) for t in self.out)


class LimitOrderBook(Peer):
    """limit-order-book: C++ through ctypes; tells nothing about trades.

    A cancel of an order that is gone ends the process, and its book drifts from ours where a
    reduction loses its place: the rows it can't take are left out, found by a first pass.
    """

    module = "limit_order_book"
    gives = "nothing"

    def __init__(self):
        super().__init__()
        from limit_order_book import LimitOrderBook as Book

        self.book = Book()

    def play(self, rows):
        buy, sell, cancel = self.book.limit_buy, self.book.limit_sell, self.book.cancel
        for kind, order_id, side, price, tonnes, _by in rows:
            if kind == ENTER:
                (buy if side == BUY else sell)(order_id, tonnes, price)
            elif kind == CANCEL:
                cancel(order_id)
            else:
                cancel(order_id)
                (buy if side == BUY else sell)(order_id, tonnes, price)

    @classmethod
    def rows_possible(cls, rows):
        peer, possible = cls(), []
        for row in rows:
            if row[0] == ENTER or peer.book.has(row[1]):
                peer.play([row])
                possible.append(row)
        return possible


class Litebook(Peer):
    """litebook: Rust; float quantities, text ids."""

    module = "litebook"

    def __init__(self):
        super().__init__()
        import litebook

        self.book = litebook.OrderBook(tick_size=1.0)
        self.sides = (None, litebook.OrderType.Buy, litebook.OrderType.Sell)
        self.ids: dict[int, str] = {}
        self.names: dict[str, int] = {}

    def play(self, rows):
        create, add, cancel = self.book.create_order, self.book.add, self.book.cancel
        sides, ids, names, keep = self.sides, self.ids, self.names, self.out.append
        for kind, order_id, side, price, tonnes, _by in rows:
            if kind != ENTER:
                cancel(ids[order_id])
            if kind != CANCEL:
                order = create(sides[side], price, tonnes)
                ids[order_id] = order.id
                names[order.id] = order_id
                fills = add(order)
                if fills:
                    keep((order_id, fills))

    def trades(self):
        for taker, fills in self.out:
            for fill in fills:
                # Its buy_id is the maker's and its sell_id the taker's, whatever their sides.
                ids = {self.names[fill.buy_id], self.names[fill.sell_id]} - {taker}
                yield (ids or {taker}).pop(), taker, round(fill.price), round(fill.quantity)


class LightMatchingEngine(Peer):
    """lightmatchingengine: plain Python."""

    module = "lightmatchingengine.lightmatchingengine"

    def __init__(self):
        super().__init__()
        from lightmatchingengine.lightmatchingengine import LightMatchingEngine as Engine

        self.book = Engine()
        self.orders: dict[int, object] = {}
        self.names: dict[int, int] = {}

    def play(self, rows):
        add, cancel, orders, keep = (
            self.book.add_order, self.book.cancel_order, self.orders, self.out.append,
        )
        names = self.names
        for kind, order_id, side, price, tonnes, _by in rows:
            if kind == CANCEL:
                cancel(orders[order_id].order_id, "CEA")
            elif kind == REDUCE:
                orders[order_id].leaves_qty = tonnes
            else:
                if kind == REPLACE:
                    cancel(orders[order_id].order_id, "CEA")
                order, trades = add("CEA", price, tonnes, side)
                orders[order_id] = order
                names[order.order_id] = order_id
                if trades:
                    keep((order.order_id, trades))

    def trades(self):
        names = self.names
        for taker, trades in self.out:
            for t in trades:
                if t.order_id != taker:       # its own part of the trade comes first
                    yield names[t.order_id], names[taker], t.trade_price, t.trade_qty


class OrderMatching(Peer):
    """order-matching: plain Python; place, then match. Looks through all orders at each call."""

    module = "order_matching.matching_engine"
    book_size = "small"

    def __init__(self):
        super().__init__()
        from loguru import logger
        from order_matching.enums import Side
        from order_matching.matching_engine import MatchingEngine
        from order_matching.order import LimitOrder
        from order_matching.orders import Orders

        logger.remove()
        self.book = MatchingEngine(seed=1)
        self.sides = (None, Side.BUY, Side.SELL)
        self.limit_order, self.collection = LimitOrder, Orders
        self.orders: dict[int, object] = {}

    def play(self, rows):
        place, match, cancel = self.book.place, self.book.match, self.book.cancel_order
        limit_order, collection, orders = self.limit_order, self.collection, self.orders
        now = datetime.datetime(2025, 1, 1)
        for kind, order_id, side, price, tonnes, _by in rows:
            if kind == REDUCE:
                orders[order_id].size = tonnes
                continue
            if kind != ENTER:
                cancel(str(order_id))
            if kind != CANCEL:
                order = limit_order(
                    side=self.sides[side], price=price, size=tonnes, timestamp=now,
                    order_id=str(order_id), trader_id="1",
                )
                orders[order_id] = order
                place(collection([order]))
                trades = match(now).trades
                if trades:
                    self.out.append(trades)

    def trades(self):
        for trades in self.out:
            for t in trades:
                maker, taker = int(t.book_order_id), int(t.incoming_order_id)
                yield maker, taker, round(t.price), round(t.size)


class Fastlob(Peer):
    """fastlob: plain Python with decimals; gives what traded at each price, not with whom."""

    module = "fastlob"
    gives = "volume"

    def __init__(self):
        super().__init__()
        from fastlob import Orderbook, OrderParams, OrderSide

        self.book = Orderbook(start=True)
        self.params, self.sides = OrderParams, (None, OrderSide.BID, OrderSide.ASK)
        self.ids: dict[int, str] = {}

    def play(self, rows):
        process, cancel, update = self.book.process, self.book.cancel, self.book.update
        params, sides, ids, keep = self.params, self.sides, self.ids, self.out.append
        for kind, order_id, side, price, tonnes, _by in rows:
            if kind == REDUCE:
                update(ids[order_id], tonnes)
                continue
            if kind != ENTER:
                cancel(ids[order_id])
            if kind != CANCEL:
                result = process(params(sides[side], price, tonnes))
                ids[order_id] = result.orderid()
                if result._execprices:
                    keep((order_id, result._execprices))

    def trades(self):
        for taker, prices in self.out:
            for price, tonnes in prices.items():
                yield 0, taker, int(price), int(tonnes)

    def close(self):
        self.book.stop()


class Obook(Peer):
    """obook: Go through ctypes; events are drained when a status says that it traded.

    Every order has a user of its own, for it cancels an order that would meet its user's.
    """

    module = "obook"

    def __init__(self):
        super().__init__()
        import obook

        self.book = obook.Book(max_orders=1_000_000)
        self.sides = (None, obook.BUY, obook.SELL)
        self.traded = {obook.Status.PARTIALLY_FILLED, obook.Status.FILLED}
        self.trade = obook.EventKind.TRADE
        self.ids: dict[int, int] = {}
        self.totals: dict[int, int] = {}
        self.names: dict[int, int] = {}

    def play(self, rows):
        submit, cancel, reduce = self.book.submit, self.book.cancel, self.book.reduce
        events, sides, traded, keep = self.book.events, self.sides, self.traded, self.out.append
        ids, totals, names = self.ids, self.totals, self.names
        for kind, order_id, side, price, tonnes, by in rows:
            if kind == CANCEL:
                cancel(ids[order_id], order_id)
            elif kind == REDUCE:
                totals[order_id] -= by
                reduce(ids[order_id], totals[order_id], order_id)
            else:
                if kind == REPLACE:
                    cancel(ids[order_id], order_id)
                result = submit(order_id, sides[side], price, tonnes)
                ids[order_id] = result.order_id
                totals[order_id] = tonnes
                names[result.order_id] = order_id
                if result.status in traded:
                    keep(events())

    def trades(self):
        names = self.names
        for events in self.out:
            for e in events:
                if e.kind == self.trade:
                    yield names[e.maker_id], names[e.taker_id], e.price, e.qty


class Akhil4n(Peer):
    """akhil4n-orderbook: plain Python; a log of trades."""

    module = "orderbook"

    def __init__(self):
        super().__init__()
        package = importlib.import_module(self.module)
        self.book = package.OrderBook()
        self.order = package.Order
        self.sides = (None, package.OrderSide.BID, package.OrderSide.ASK)
        self.orders: dict[int, object] = {}
        self.names: dict[str, int] = {}

    def play(self, rows):
        add, cancel, live = self.book.add_limit_order, self.book.cancel_order, self.book.orders
        create, sides, orders, names = self.order, self.sides, self.orders, self.names
        for kind, order_id, side, price, tonnes, by in rows:
            if kind == REDUCE:
                order = orders[order_id]
                order.remaining_quantity = tonnes
                live[order.order_id][0].total_quantity -= by
                continue
            if kind != ENTER:
                cancel(orders[order_id].order_id)
            if kind != CANCEL:
                order = create(side=sides[side], price=price, original_quantity=tonnes)
                orders[order_id] = order
                names[order.order_id] = order_id
                add(order)

    def trades(self):
        names = self.names
        for t in self.book.trade_log:
            yield names[t.filler_id], names[t.aggressor_id], t.price, t.quantity_filled


class CythonOrderbook(Akhil4n):
    """cython-orderbook: the same author's, compiled."""

    module = "cython_orderbook.orderbook"


class Pyorderbook(Peer):
    """pyorderbook: plain Python, heaps of levels, a UUID an order."""

    module = "pyorderbook"

    def __init__(self):
        super().__init__()
        from pyorderbook import Book, Order, Side

        self.book = Book()
        self.order, self.sides = Order, (None, Side.BID, Side.ASK)
        self.orders: dict[int, object] = {}
        self.names: dict[object, int] = {}

    def play(self, rows):
        match, cancel, create, sides = self.book.match, self.book.cancel, self.order, self.sides
        orders, names, keep = self.orders, self.names, self.out.append
        for kind, order_id, side, price, tonnes, _by in rows:
            if kind == REDUCE:
                orders[order_id].quantity = tonnes
                continue
            if kind != ENTER:
                cancel(orders[order_id])
            if kind != CANCEL:
                order = create(sides[side], "CEA", price, tonnes)
                orders[order_id] = order
                names[order.id] = order_id
                trades = match(order).trades
                if trades:
                    keep((order_id, trades))

    def trades(self):
        for taker, trades in self.out:
            for t in trades:
                yield self.names[t.standing_order_id], taker, int(t.fill_price), t.fill_quantity


PEERS: dict[str, type[Peer]] = {
    "cea-exchange": CeaExchange,
    "orderly-chaos": OrderlyChaos,
    "limit-order-book": LimitOrderBook,
    "litebook": Litebook,
    "lightmatchingengine": LightMatchingEngine,
    "order-matching": OrderMatching,
    "fastlob": Fastlob,
    "obook": Obook,
    "cython-orderbook": CythonOrderbook,
    "akhil4n-orderbook": Akhil4n,
    "pyorderbook": Pyorderbook,
}

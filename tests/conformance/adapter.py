"""`OrderBook` as a candidate engine of tracebook-conformance: NDJSON on stdin and stdout.

    python tests/conformance/adapter.py

It holds one `OrderBook` a symbol and no order, quantity, price or owner of its own: each answer is
asked of the book when it is needed. What it adds is translation, without rounding except where the
protocol rounds a price to its tick: decimal prices to ticks, decimal quantities to integers,
operations to commands, reasons to the protocol's codes.
"""

import os
import sys
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

from tracebook.conformance import (
    BookSnapshot,
    BookState,
    ConformanceConfig,
    EngineMetadata,
    Observation,
    Outcome,
    RestingOrder,
    TradeFill,
    canonical_decimal,
    serve_stdio,
)
from tracebook.core.order import NO_OWNER, OrderSide, OrderType, SelfTradePolicy
from tracebook.events import MarketEvent

from cea_exchange import OrderBook, Reason, Side, Tif, __version__

PRICE_MIN = 1
PRICE_MAX = 10_000_000
ORDER_COUNT_MAX = 100_000
# An owner of the protocol is a signed number, or none; the book's is unsigned and always there. An
# order without owner gets an owner that no other live order has, made from its id.
NAMED_OWNER_COUNT = 1 << 31

SIDES = {OrderSide.BUY: Side.BUY, OrderSide.SELL: Side.SELL}
TIFS = {
    OrderType.LIMIT: Tif.DAY,
    # At the ladder's end, so that any price will do.
    OrderType.MARKET: Tif.IOC,
    OrderType.IOC: Tif.IOC,
    OrderType.FOK: Tif.FOK,
}
SELF_TRADE = {
    SelfTradePolicy.NONE: "allow",
    SelfTradePolicy.CANCEL_RESTING: "cancel_resting",
    SelfTradePolicy.CANCEL_INCOMING: "cancel_incoming",
}
REFUSED = {
    Reason.ORDER_UNKNOWN: "ORDER_NOT_ACTIVE",
    Reason.ORDER_ID_DUPLICATE: "DUPLICATE_ORDER_ID",
    Reason.TONNES_NOT_POSITIVE: "INVALID_ORDER",
    Reason.PRICE_OUT_OF_BAND: "INVALID_ORDER",
}


class OrderBookAdapter:
    """The engine that the judge sees.

    Attributes
    ----------
    books : dict of str to OrderBook
        All that changes; everything else is fixed by the configuration.
    """

    def __init__(self, config: ConformanceConfig) -> None:
        if config.matching_algorithm != "fifo":
            raise ValueError(f"matching_algorithm: expected fifo, got {config.matching_algorithm}")
        self.metadata = EngineMetadata("cea-exchange OrderBook", __version__, "Cython")
        self.tick = canonical_decimal(config.tick_size)
        self.decimals = config.quantity_decimal_places
        self.self_trade = SELF_TRADE[config.self_trade_policy]
        self.books: dict[str, OrderBook] = {}

    def apply(self, event: MarketEvent, index: int) -> Observation:
        """Apply one event and say what became of it."""
        if event.op in ("new", "clear") and event.symbol not in self.books:
            self.books[event.symbol] = OrderBook(
                PRICE_MIN, PRICE_MAX, order_count_max=ORDER_COUNT_MAX, self_trade=self.self_trade
            )
        outcome, trades = Outcome("rejected", "ORDER_NOT_ACTIVE"), ()
        if event.symbol in self.books:
            book = self.books[event.symbol]
            outcome, trades = getattr(self, event.op)(book, event)
            book.check()
        state = self.snapshot()
        return Observation(index, outcome, tuple(trades), state.digest(), self.order_count())

    def snapshot(self) -> BookState:
        """Return every resting order, by priority."""
        books = []
        for symbol, book in sorted(self.books.items()):
            bids, asks = book.depth()
            books.append(
                BookSnapshot(
                    symbol,
                    tuple(self.resting(book, Side.BUY, bids)),
                    tuple(self.resting(book, Side.SELL, asks)),
                )
            )
        return BookState(tuple(books))

    def order_count(self) -> int:
        """Return how many orders the books say they hold."""
        return sum(len(book) for book in self.books.values())

    def close(self) -> None:
        """Do nothing: the books go with the process."""

    # -- Operations: each returns the outcome and the trades ---------------------------------------

    def new(self, book, event):
        price = self.ticks(event.price)
        if event.order_type is OrderType.MARKET:
            price = PRICE_MAX if event.side is OrderSide.BUY else PRICE_MIN
        side = SIDES[event.side]
        result = book.enter(
            event.order_id,
            side,
            price,
            self.tonnes(event.quantity),
            owner_number(event.owner, event.order_id),
            tif=TIFS[event.order_type],
        )
        return self.outcome(event, result), self.fills(event, side, result)

    def cancel(self, book, event):
        return self.outcome(event, book.cancel(event.order_id)), ()

    def reduce(self, book, event):
        """Take a quantity off an order; the whole of it is a cancel."""
        order = book.order(event.order_id)
        if order is None:
            return self.cancel(book, event)
        tonnes = order["tonnes_open"] - self.tonnes(event.quantity)
        if tonnes == 0:
            return self.cancel(book, event)
        result = book.amend(event.order_id, order["price"], tonnes)
        return self.outcome(event, result), self.fills(event, order["side"], result)

    def replace(self, book, event):
        """Give an order a new price, quantity or both; it always arrives anew.

        An amend does the same but for one case: fewer tonnes at the same price keep their place.
        The protocol wants the place lost, so there the order is cancelled and entered again.
        """
        order = book.order(event.order_id)
        if order is None:
            return self.cancel(book, event)
        price = order["price"] if event.price is None else self.ticks(event.price)
        tonnes = order["tonnes_open"] if event.quantity is None else self.tonnes(event.quantity)
        if price == order["price"] and 0 < tonnes < order["tonnes_open"]:
            book.cancel(event.order_id)
            result = book.enter(event.order_id, order["side"], price, tonnes, order["owner"])
        else:
            result = book.amend(event.order_id, price, tonnes)
        return self.outcome(event, result), self.fills(event, order["side"], result)

    def clear(self, book, event):
        for side, levels in zip((Side.BUY, Side.SELL), book.depth(), strict=True):
            for price, _, _ in levels:
                for order_id in book.orders(side, price):
                    book.cancel(order_id)
        return Outcome("applied"), ()

    # -- Translation -------------------------------------------------------------------------------

    def ticks(self, price: float) -> int:
        """Return the nearest tick, exactly between two the even one, as the protocol has it."""
        ticks = round(Fraction(str(price)) / Fraction(self.tick))
        if ticks > PRICE_MAX:
            raise ValueError(f"price {price} lies above the books' {PRICE_MAX} ticks")
        return ticks

    def tonnes(self, quantity: float) -> int:
        """Return the quantity as an integer of its last decimal place."""
        tonnes = Fraction(str(quantity)) * 10**self.decimals
        if tonnes.denominator != 1:
            raise ValueError(f"quantity {quantity} has more than {self.decimals} decimals")
        return tonnes.numerator

    def price_text(self, ticks: int) -> str:
        return canonical_decimal(ticks * Decimal(self.tick))

    def quantity_text(self, tonnes: int) -> str:
        return canonical_decimal(Decimal(tonnes).scaleb(-self.decimals))

    def outcome(self, event: MarketEvent, result) -> Outcome:
        # The protocol accepts a fill-or-kill order that can not be filled, and does nothing.
        if result.accepted or result.reason == Reason.FOK_NOT_FILLABLE:
            return Outcome("applied")
        code = REFUSED[Reason(result.reason)]
        if event.op == "replace" and code == "INVALID_ORDER":
            code = "INVALID_REPLACEMENT"
        return Outcome("rejected", code, Reason(result.reason).name)

    def fills(self, event: MarketEvent, side: int, result) -> Iterable[TradeFill]:
        for maker_id, _, price, tonnes in result.trades:
            buy_id, sell_id = event.order_id, maker_id
            if side == Side.SELL:
                buy_id, sell_id = maker_id, event.order_id
            yield TradeFill(
                event.symbol, buy_id, sell_id, self.price_text(price), self.quantity_text(tonnes)
            )

    def resting(self, book: OrderBook, side: Side, levels) -> Iterable[RestingOrder]:
        for price, _, _ in levels:
            for order_id in book.orders(side, price):
                order = book.order(order_id)
                yield RestingOrder(
                    order_id,
                    self.price_text(order["price"]),
                    self.quantity_text(order["tonnes_open"]),
                    owner_name(order["owner"]),
                )


def owner_number(owner: int, order_id: int) -> int:
    """Return the book's owner of an order; one without owner shares it with no live order."""
    base, number = (NAMED_OWNER_COUNT, order_id) if owner == NO_OWNER else (0, owner)
    if not 0 <= number < NAMED_OWNER_COUNT:
        raise ValueError(f"owner {owner} of order {order_id} does not fit the book's 32 bits")
    return base + number


def owner_name(number: int) -> int:
    return NO_OWNER if number >= NAMED_OWNER_COUNT else number


if __name__ == "__main__":
    # The judge gives half a second to end: taking an interpreter down can last longer under load.
    status = serve_stdio(OrderBookAdapter)
    sys.stdout.flush()
    os._exit(status)

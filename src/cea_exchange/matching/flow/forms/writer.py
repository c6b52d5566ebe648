"""Writes a converted flow: an order file, and the trades that it has to lead to."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import TextIO

from cea_exchange.matching.flow.forms.records import ORDER_ID_MAX, PRICE_DECIMALS, PRICE_UNIT
from cea_exchange.matching.flow.forms.times import TimeReader, counted_ns

ORDER_HEADER = "action,order_id,side,price,tonnes,tif,record,time,time_ns\n"
TRADE_HEADER = "price,tonnes,side,order_id,counter_order_id,record,time\n"
ORDERS_BEFORE = "about orders from before"
"""Why records are passed over: the file begins behind the orders that they name."""
OPPOSITE = {"buy": "sell", "sell": "buy"}


@dataclass
class Resting:
    """An order as the record has it."""

    side: str
    price: int
    size: int


class FlowWriter:
    """Writes commands and expected trades, and keeps the orders as the record has them.

    Attributes
    ----------
    orders : dict of int to Resting
        Those on the book, by id.
    passed : Counter
        Records that became no command, by why.
    line : int
        Of the record that is converted.
    time : str
        Its time, as it is written.
    time_reader : TimeReader
        Reads that as nanoseconds.
    """

    def __init__(self, orders: TextIO, trades: TextIO) -> None:
        self.orders: dict[int, Resting] = {}
        self.passed: Counter[str] = Counter()
        self.commands = self.trades = 0
        self.line = 0
        self.time = ""
        self.time_reader: TimeReader = counted_ns
        self._orders_file = orders
        self._trades_file = trades
        self._price_step = 0
        self._takers = 0
        orders.write(ORDER_HEADER)
        trades.write(TRADE_HEADER)

    @property
    def tick(self) -> str:
        """Return the greatest tick that all prices are multiples of."""
        return price_text(self._price_step or PRICE_UNIT)

    def enter(self, order_id: int, side: str, price: int, size: int, tif: str = "") -> None:
        """Enter an order; its trades have to be reported by `trade`."""
        self._command("enter", order_id, side, price, str(size), tif)
        self.orders[order_id] = Resting(side, price, size)

    def amend(self, order_id: int, price: int, size: int) -> None:
        """Change price and open size of an order that is there."""
        self._command("amend", order_id, "", price, str(size))
        order = self.orders[order_id]
        order.price, order.size = price, size

    def cancel(self, order_id: int, size: int | None = None) -> None:
        """Take a size, or all, off an order that is there; too much is the book's to refuse."""
        order = self.orders[order_id]
        if size is None or size == order.size:
            self._command("cancel", order_id)
            del self.orders[order_id]
            return
        self._command("reduce", order_id, tonnes=str(size))
        order.size -= size
        if order.size < 0:
            # The record takes it for gone.
            del self.orders[order_id]

    def execute(self, order_id: int, size: int) -> None:
        """Send the order that hit a resting one, of which nothing else is known."""
        order = self.orders[order_id]
        taker = ORDER_ID_MAX - self._takers
        self._takers += 1
        side = OPPOSITE[order.side]
        self._command("enter", taker, side, order.price, str(size), "ioc")
        self.trade(taker, order_id, side, order.price, size)

    def trade(self, taker: int, maker: int, side: str, price: int, size: int) -> None:
        """Expect a trade; what is open of its orders gets less."""
        self._price_note(price)
        self._trades_file.write(
            f"{price_text(price)},{size},{side},{taker},{maker},{self.line},{self.time}\n"
        )
        self.trades += 1
        for order_id in (taker, maker):
            self.take(order_id, size)

    def take(self, order_id: int, size: int) -> None:
        """Take a size off an order without a command."""
        order = self.orders.get(order_id)
        if order is not None:
            order.size -= size
            if order.size <= 0:
                del self.orders[order_id]

    def _price_note(self, price: int) -> None:
        self._price_step = math.gcd(self._price_step, price)

    def _command(
        self,
        action: str,
        order_id: int,
        side: str = "",
        price: int | None = None,
        tonnes: str = "",
        tif: str = "",
    ) -> None:
        text = ""
        if price is not None:
            self._price_note(price)
            text = price_text(price)
        time_ns = self.time_reader(self.time)
        self._orders_file.write(
            f"{action},{order_id},{side},{text},{tonnes},{tif},{self.line},{self.time},"
            f"{'' if time_ns is None else time_ns}\n"
        )
        self.commands += 1


def price_text(price: int) -> str:
    """Return a price without zeros behind its last decimal."""
    whole, fraction = divmod(price, PRICE_UNIT)
    decimals = f"{fraction:0{PRICE_DECIMALS}d}".rstrip("0")
    return f"{whole}.{decimals}" if decimals else str(whole)

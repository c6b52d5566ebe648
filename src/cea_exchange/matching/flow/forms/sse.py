"""Shanghai's flow: an order is recorded after its trades, with what they left of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import merge
from typing import NamedTuple

from cea_exchange.matching.flow.forms.call_auction import CLOSING_FROM, CallAuction
from cea_exchange.matching.flow.forms.records import Column, FlowSource, PriceForm, Record
from cea_exchange.matching.flow.forms.times import clock_ns
from cea_exchange.matching.flow.forms.writer import ORDERS_BEFORE, FlowWriter

TIMES = ("Time", "TransactTime", "OrderTime", "TradeTime")
COLUMNS = {
    "Type": Column(("TickType", "OrdType")),
    "BuyOrderNO": Column(("BuyNo",)),
    "SellOrderNO": Column(("SellNo",)),
    "Price": Column(),
    "Qty": Column(("Quantity", "Volume")),
    "TickBSFlag": Column(("BSFlag", "TradeBSFlag", "Side")),
    "BizIndex": Column((), False),
    "TickTime": Column(TIMES, False),
}
# Before 2023 orders and trades were two files; BizIndex merges them.
ORDER_COLUMNS = {
    "Type": Column(("OrderType", "OrdType")),
    "OrderNO": Column(),
    "Price": Column(("OrderPrice",)),
    "Qty": Column(("Balance", "Quantity", "Volume")),
    "TickBSFlag": Column(("OrderBSFlag", "BSFlag", "Side")),
    "BizIndex": Column(),
    "TickTime": Column(TIMES, False),
}
TRADE_COLUMNS = {
    "BuyOrderNO": Column(("TradeBuyNo", "BuyNo")),
    "SellOrderNO": Column(("TradeSellNo", "SellNo")),
    "Price": Column(("TradePrice",)),
    "Qty": Column(("TradeQty", "Quantity", "Volume")),
    "TickBSFlag": Column(("TradeBSFlag", "BSFlag")),
    "BizIndex": Column(),
    "TickTime": Column(TIMES, False),
}
INSTRUMENT = ("SecurityID", "Symbol")
SIDES = {"B": "buy", "S": "sell"}
FLAGS = SIDES | {"N": "auction"}
TYPES = {"A": "add", "D": "delete", "T": "trade", "S": "status"}


def convert_sse(sources: Sequence[FlowSource], writer: FlowWriter) -> None:
    """Convert a day of one security, in one file or of its orders and its trades.

    Raises
    ------
    ConversionError
        A record is not as it has to be.
    """
    writer.time_reader = clock_ns
    conversion = _SseConversion(writer, sources[0].price_form(0))
    for record in _merged(sources) if len(sources) == 2 else _ordered(sources[0]):
        conversion.take(record)
    conversion.end()


def _ordered(source: FlowSource) -> Iterator[Record]:
    if not source.has("BizIndex"):
        return source.records(COLUMNS, INSTRUMENT)
    return (record for _, record in source.numbered_records(COLUMNS, INSTRUMENT, "BizIndex"))


def _merged(sources: Sequence[FlowSource]) -> Iterator[Record]:
    """Yield orders and trades in their common order, as one file has them."""
    orders, trades = (
        source.numbered_records(columns, INSTRUMENT, "BizIndex")
        for source, columns in zip(sources, (ORDER_COLUMNS, TRADE_COLUMNS), strict=True)
    )
    for _, record in merge(orders, trades, key=lambda each: each[0]):
        values = record.values
        if "OrderNO" in values:
            is_buy = values["TickBSFlag"].upper() == "B"
            number = "BuyOrderNO" if is_buy else "SellOrderNO"
            yield record._replace(values=values | {number: values["OrderNO"]})
        else:
            yield record._replace(values=values | {"Type": "T"})


class _Traded(NamedTuple):
    """A trade as it was recorded."""

    maker: int
    price: int
    size: int
    record: Record


@dataclass
class _Taker:
    """An order that trades as it comes, as far as it is known."""

    order_id: int
    side: str
    trades: list[_Traded] = field(default_factory=list)


class _SseConversion:
    def __init__(self, writer: FlowWriter, prices: PriceForm) -> None:
        self._writer = writer
        self._prices = prices
        self._auction = CallAuction(writer)
        self._taker: _Taker | None = None

    def take(self, record: Record) -> None:
        kind = record.word("Type", TYPES)
        if kind == "status":
            self._writer.passed["about the phase"] += 1
        elif not self._is_in_time(record):
            self._writer.passed["of the closing auction"] += 1
        elif kind == "trade":
            self._trade(record)
        else:
            side = record.word("TickBSFlag", SIDES)
            order_id = record.order_id("BuyOrderNO" if side == "buy" else "SellOrderNO")
            if kind == "add":
                self._add(record, order_id, side)
            else:
                self._delete(record, order_id)

    def end(self) -> None:
        """Enter what still waits for further trades."""
        self.finish()
        self._auction.release()

    def _is_in_time(self, record: Record) -> bool:
        if not record.values["TickTime"]:
            return True
        minute = record.minute("TickTime")
        if minute >= CLOSING_FROM:
            self.finish()
        if self._taker is None:
            self._at(record)
        return self._auction.phase(minute)

    def finish(self) -> None:
        """Enter the order whose trades were read, if there is one: it was filled."""
        if self._taker is None:
            return
        side, trades = self._taker.side, self._taker.trades
        worst = max if side == "buy" else min
        self._enter_taker(worst(trade.price for trade in trades), 0)

    def _at(self, record: Record) -> None:
        self._writer.line, self._writer.time = record.line, record.values["TickTime"]

    def _trade(self, record: Record) -> None:
        flag = record.word("TickBSFlag", FLAGS)
        buyer, seller = record.order_id("BuyOrderNO"), record.order_id("SellOrderNO")
        size = record.size("Qty")
        if flag == "auction":
            self._writer.passed["trades of an auction"] += 1
            self._auction.take(buyer, size)
            self._auction.take(seller, size)
            return
        taker, maker = (buyer, seller) if flag == "buy" else (seller, buyer)
        if self._taker is None or self._taker.order_id != taker:
            self.finish()
            self._taker = _Taker(taker, flag)
        self._taker.trades.append(
            _Traded(maker, self._prices.price(record, "Price"), size, record)
        )

    def _add(self, record: Record, order_id: int, side: str) -> None:
        price, size = self._prices.price(record, "Price"), record.size("Qty")
        if self._auction.is_open:
            self._auction.enter(order_id, side, price, size)
        elif self._taker is not None and self._taker.order_id == order_id:
            self._enter_taker(price, size)
        else:
            self.finish()
            self._at(record)
            self._writer.enter(order_id, side, price, size)

    def _enter_taker(self, price: int, left: int) -> None:
        """Enter the order that was put together, of which so much is left."""
        assert self._taker is not None
        taker, self._taker = self._taker, None
        trades = [trade for trade in taker.trades if trade.maker in self._writer.orders]
        self._writer.passed[ORDERS_BEFORE] += len(taker.trades) - len(trades)
        size = left + sum(trade.size for trade in trades)
        if size == 0:
            return
        self._at(taker.trades[0].record)
        self._writer.enter(taker.order_id, taker.side, price, size, "" if left else "ioc")
        for trade in trades:
            self._at(trade.record)
            self._writer.trade(
                taker.order_id, trade.maker, taker.side, trade.price, trade.size
            )

    def _delete(self, record: Record, order_id: int) -> None:
        self.finish()
        self._at(record)
        size = record.size("Qty")
        if self._auction.is_open and self._auction.take(order_id, size):
            return
        if order_id in self._writer.orders:
            self._writer.cancel(order_id, size)
        else:
            self._writer.passed[ORDERS_BEFORE] += 1

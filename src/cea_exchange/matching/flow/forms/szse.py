"""Shenzhen's flow: every order as it was entered, and apart from them trades and cancels."""

from collections.abc import Sequence
from heapq import merge

from cea_exchange.matching.flow.forms.call_auction import CallAuction
from cea_exchange.matching.flow.forms.records import (
    Column,
    ConversionError,
    FlowSource,
    PriceForm,
    Record,
)
from cea_exchange.matching.flow.forms.times import clock_ns
from cea_exchange.matching.flow.forms.writer import ORDERS_BEFORE, FlowWriter

ORDER_COLUMNS = {
    "ApplSeqNum": Column(("OrderIndex", "OrderNO")),
    "Price": Column(),
    "OrderQty": Column(("Qty", "Quantity", "Volume")),
    "Side": Column(("FunctionCode",)),
    "OrdType": Column(("OrderType", "OrderKind")),
    "TransactTime": Column(("Time",), False),
}
TRADE_COLUMNS = {
    "ApplSeqNum": Column(("TradeIndex",)),
    "BidApplSeqNum": Column(("BidOrder",)),
    "OfferApplSeqNum": Column(("AskOrder", "OfferOrder")),
    "LastPx": Column(("TradePrice",)),
    "LastQty": Column(("TradeQty", "TradeVolume")),
    "ExecType": Column(("FunctionCode",)),
    "TransactTime": Column(("Time",), False),
}
INSTRUMENT = ("SecurityID", "Symbol")
# Some vendors give the code of the character.
SIDES = {"1": "buy", "2": "sell", "49": "buy", "50": "sell", "B": "buy", "S": "sell"}
ORDER_TYPES = {
    **{"1": "market", "2": "limit", "U": "own_best"},
    **{"49": "market", "50": "limit", "85": "own_best"},
}
EXEC_TYPES = {"F": "trade", "4": "cancel", "70": "trade", "52": "cancel"}

def convert_szse(sources: Sequence[FlowSource], writer: FlowWriter) -> None:
    """Convert a day of one security, of its orders and its trades.

    Raises
    ------
    ConversionError
        A record is not as it has to be.
    """
    if len(sources) != 2:
        raise ConversionError("expected two files: the orders, and the trades with the cancels")
    orders, trades = sources
    numbered_trades = list(trades.numbered_records(TRADE_COLUMNS, INSTRUMENT, "ApplSeqNum"))
    numbered_orders = orders.numbered_records(ORDER_COLUMNS, INSTRUMENT, "ApplSeqNum")
    prices = orders.price_form(0)
    writer.time_reader = clock_ns
    conversion = _SzseConversion(writer, prices, [record for _, record in numbered_trades])
    for _, record in merge(numbered_orders, numbered_trades, key=lambda each: each[0]):
        conversion.take(record)
    conversion.end()


class _SzseConversion:
    def __init__(self, writer: FlowWriter, prices: PriceForm, trades: list[Record]) -> None:
        self._writer = writer
        self._prices = prices
        self._auction = CallAuction(writer)
        self._unplaced: set[int] = set()
        # What an order without a price of its own came to: its last trade as the later one.
        self._last_trades: dict[int, Record] = {}
        for record in trades:
            if record.values["ExecType"].upper() in ("F", "70"):
                parties = record.order_id("BidApplSeqNum"), record.order_id("OfferApplSeqNum")
                self._last_trades[max(parties)] = record

    def take(self, record: Record) -> None:
        writer = self._writer
        writer.line, writer.time = record.line, record.values["TransactTime"]
        if writer.time and not self._auction.phase(record.minute("TransactTime")):
            writer.passed["of the closing auction"] += 1
        elif "OrdType" in record.values:
            self._order(record)
        elif record.word("ExecType", EXEC_TYPES) == "trade":
            self._trade(record)
        else:
            order_id = record.order_id("BidApplSeqNum") or record.order_id("OfferApplSeqNum")
            self._cancel(order_id, record.size("LastQty"))

    def end(self) -> None:
        """Enter what still waits for the auction's end."""
        self._auction.release()

    def _order(self, record: Record) -> None:
        order_id = record.order_id("ApplSeqNum")
        side = record.word("Side", SIDES)
        size = record.size("OrderQty")
        price = self._price(record, order_id, side)
        if price is None:
            self._unplaced.add(order_id)
            self._writer.passed["orders without a price that met nothing"] += 1
        elif self._auction.is_open:
            self._auction.enter(order_id, side, price, size)
        else:
            self._writer.enter(order_id, side, price, size)

    def _price(self, record: Record, order_id: int, side: str) -> int | None:
        kind = record.word("OrdType", ORDER_TYPES)
        if kind == "limit":
            return self._prices.price(record, "Price")
        if kind == "market":
            trade = self._last_trades.get(order_id)
            return None if trade is None else self._prices.price(trade, "LastPx")
        own = [order.price for order in self._writer.orders.values() if order.side == side]
        best = max if side == "buy" else min
        return best(own, default=None)

    def _trade(self, record: Record) -> None:
        buyer, seller = record.order_id("BidApplSeqNum"), record.order_id("OfferApplSeqNum")
        price, size = self._prices.price(record, "LastPx"), record.size("LastQty")
        if self._auction.is_open:
            self._writer.passed["trades of an auction"] += 1
            self._auction.take(buyer, size)
            self._auction.take(seller, size)
            return
        # The later order is the one that took.
        taker, maker = max(buyer, seller), min(buyer, seller)
        orders = self._writer.orders
        if maker in orders and taker in orders:
            self._writer.trade(taker, maker, orders[taker].side, price, size)
            return
        self._writer.passed[ORDERS_BEFORE] += 1
        for order_id in (taker, maker):
            if order_id in orders:
                self._writer.cancel(order_id, size)

    def _cancel(self, order_id: int, size: int) -> None:
        if self._auction.is_open and self._auction.take(order_id, size):
            return
        if order_id in self._writer.orders:
            self._writer.cancel(order_id, size)
        elif order_id in self._unplaced:
            self._writer.passed["cancels of orders that met nothing"] += 1
        else:
            self._writer.passed[ORDERS_BEFORE] += 1

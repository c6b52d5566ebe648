"""ITCH-like flow: messages about resting orders, executions among them, one a line."""

from collections.abc import Sequence

from cea_exchange.matching.flow.forms.records import Column, FlowSource, PriceForm, Record
from cea_exchange.matching.flow.forms.writer import ORDERS_BEFORE, FlowWriter

ORDER_NAMES = ("order_reference_number", "order_reference", "reference", "order", "orn")
COLUMNS = {
    "type": Column(("message_type", "msg_type")),
    "order_id": Column(ORDER_NAMES),
    "side": Column(("buy_sell_indicator", "buy_sell")),
    "shares": Column(("size", "quantity", "executed_shares", "canceled_shares")),
    "price": Column(),
    "new_order_id": Column(("new_order_reference_number", "new_reference", "new_order"), False),
    "execution_price": Column((), False),
    "time": Column(("timestamp", "seconds"), False),
}
INSTRUMENT = ("symbol", "stock", "stock_locate")
SIDES = {"B": "buy", "S": "sell"}
PASSED = {
    **dict.fromkeys("SRHYLVWKJhO", "about the market"),
    **dict.fromkeys("IN", "about an auction or interest"),
    "P": "trades of hidden orders",
    "Q": "trades of a cross",
    "B": "broken trades",
}
DECIMALS = 4
"""Of prices without a point."""


def convert_itch(sources: Sequence[FlowSource], writer: FlowWriter) -> None:
    """Convert a flow; orders from before its start are passed over and counted.

    Raises
    ------
    ConversionError
        A record is not as it has to be.
    """
    prices = sources[0].price_form(DECIMALS)
    for record in sources[0].records(COLUMNS, INSTRUMENT):
        writer.line, writer.time = record.line, record.values["time"]
        kind = record.values["type"]
        if kind in PASSED:
            writer.passed[PASSED[kind]] += 1
        elif kind in ("A", "F"):
            side = record.word("side", SIDES)
            price = prices.price(record, "price")
            writer.enter(record.order_id("order_id"), side, price, record.size("shares"))
        elif kind not in ("E", "C", "X", "D", "U"):
            raise record.error("type", "a message type of ITCH such as A, E, X, D, U")
        elif record.order_id("order_id") not in writer.orders:
            writer.passed[ORDERS_BEFORE] += 1
        else:
            _order_change(kind, record, prices, writer)


def _order_change(kind: str, record: Record, prices: PriceForm, writer: FlowWriter) -> None:
    order_id = record.order_id("order_id")
    if kind == "D":
        writer.cancel(order_id)
    elif kind == "X":
        writer.cancel(order_id, record.size("shares"))
    elif kind == "U":
        side = writer.orders[order_id].side
        price = prices.price(record, "price")
        writer.cancel(order_id)
        writer.enter(record.order_id("new_order_id"), side, price, record.size("shares"))
    elif kind == "C" and _is_elsewhere(record, prices, writer):
        # At another price than the order's: in a cross, not by the book.
        writer.cancel(order_id, record.size("shares"))
        writer.passed["executions at another price"] += 1
    else:
        writer.execute(order_id, record.size("shares"))


def _is_elsewhere(record: Record, prices: PriceForm, writer: FlowWriter) -> bool:
    column = "execution_price" if record.values["execution_price"] else "price"
    return prices.price(record, column) != writer.orders[record.order_id("order_id")].price

"""Market by order: adds, cancels, modifies, trades and fills, with prices of nine decimals."""

from collections import Counter
from collections.abc import Sequence

from cea_exchange.matching.flow.forms.records import Column, FlowSource, PriceForm, Record
from cea_exchange.matching.flow.forms.writer import ORDERS_BEFORE, FlowWriter

COLUMNS = {
    "action": Column(),
    "side": Column(),
    "price": Column(),
    "size": Column(("quantity",)),
    "order_id": Column(),
    "ts_event": Column(("ts_recv", "time"), False),
}
INSTRUMENT = ("symbol", "instrument_id")
ACTIONS = dict(zip("ACMRTFN", "add cancel modify clear trade fill none".split(), strict=True))
SIDES = {"B": "buy", "A": "sell"}
DECIMALS = 9
"""Of prices without a point."""


def convert_mbo(sources: Sequence[FlowSource], writer: FlowWriter) -> None:
    """Convert a flow; orders from before its start are passed over and counted.

    Raises
    ------
    ConversionError
        A record is not as it has to be.
    """
    conversion = _MboConversion(writer, sources[0].price_form(DECIMALS))
    for record in sources[0].records(COLUMNS, INSTRUMENT):
        writer.line, writer.time = record.line, record.values["ts_event"]
        conversion.take(record)


class _MboConversion:
    """The state between records.

    A fill says that a resting order traded and leaves the book as it is; a cancel of that size, or
    a modify, follows and takes it off. Some feeds tell the resting order with the trade instead.
    """

    def __init__(self, writer: FlowWriter, prices: PriceForm) -> None:
        self._writer = writer
        self._prices = prices
        self._filled: Counter[int] = Counter()
        self._traded: Counter[int] = Counter()

    def take(self, record: Record) -> None:
        writer = self._writer
        action = record.word("action", ACTIONS)
        if action == "none":
            writer.passed["without an action"] += 1
        elif action == "clear":
            for order_id in list(writer.orders):
                writer.cancel(order_id)
            self._filled.clear()
            self._traded.clear()
        elif action == "add":
            self._add(record)
        elif action == "trade":
            if record.order_id("order_id") in writer.orders:
                self._traded[record.order_id("order_id")] += record.size("size")
            writer.passed["trades, reported by their fills"] += 1
        elif record.order_id("order_id") not in writer.orders:
            self._unknown(action, record)
        else:
            getattr(self, f"_{action}")(record, record.order_id("order_id"))

    def _add(self, record: Record) -> None:
        side = record.word("side", SIDES)
        price = self._prices.price(record, "price")
        self._writer.enter(record.order_id("order_id"), side, price, record.size("size"))

    def _unknown(self, action: str, record: Record) -> None:
        order_id, writer = record.order_id("order_id"), self._writer
        if action == "cancel" and self._filled[order_id] >= record.size("size"):
            self._filled[order_id] -= record.size("size")
            writer.passed["cancels of what was filled"] += 1
        elif action == "modify" and not self._filled[order_id]:
            # From before the start; now all is known of it.
            self._add(record)
        else:
            writer.passed[ORDERS_BEFORE] += 1

    def _fill(self, record: Record, order_id: int) -> None:
        size = record.size("size")
        self._traded.pop(order_id, None)
        self._filled[order_id] += size
        if self._prices.price(record, "price") == self._writer.orders[order_id].price:
            self._writer.execute(order_id, size)
        else:
            # In a cross, not by the book.
            self._writer.cancel(order_id, size)
            self._writer.passed["fills at another price"] += 1

    def _cancel(self, record: Record, order_id: int) -> None:
        size = record.size("size")
        filled = min(size, self._filled[order_id])
        self._filled[order_id] -= filled
        if filled:
            self._writer.passed["cancels of what was filled"] += 1
        if size == filled:
            return
        if self._traded.pop(order_id, 0) == size:
            self._writer.execute(order_id, size)
        else:
            self._writer.cancel(order_id, size - filled)

    def _modify(self, record: Record, order_id: int) -> None:
        price, size = self._prices.price(record, "price"), record.size("size")
        order = self._writer.orders[order_id]
        self._filled.pop(order_id, None)
        if (price, size) == (order.price, order.size):
            self._writer.passed["modifies that change nothing"] += 1
        else:
            self._writer.amend(order_id, price, size)

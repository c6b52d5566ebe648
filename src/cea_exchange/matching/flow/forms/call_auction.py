"""Phases of a Chinese exchange's day: what is entered for a call auction waits for its end."""

from cea_exchange.matching.flow.forms.writer import FlowWriter, Resting

CONTINUOUS_FROM = 9 * 60 + 30
CLOSING_FROM = 14 * 60 + 57
"""Minutes of the day: the opening auction ends, the closing auction begins."""


class CallAuction:
    """The orders of the opening auction: its trades are no continuous trading's, its rest is.

    Attributes
    ----------
    is_open : bool
        Whether it still collects.
    """

    def __init__(self, writer: FlowWriter) -> None:
        self.is_open = False
        self._writer = writer
        self._orders: dict[int, Resting] = {}
        self._is_over = False

    def phase(self, minute: int) -> bool:
        """Say what the time is; False if continuous trading is over."""
        if minute < CONTINUOUS_FROM and not self._is_over:
            self.is_open = True
        elif self.is_open:
            self.release()
        self._is_over |= minute >= CONTINUOUS_FROM
        return minute < CLOSING_FROM

    def enter(self, order_id: int, side: str, price: int, size: int) -> None:
        """Collect an order."""
        self._orders[order_id] = Resting(side, price, size)

    def take(self, order_id: int, size: int) -> bool:
        """Take a size off an order, by a trade or a cancel; False if it is not here."""
        order = self._orders.get(order_id)
        if order is None:
            return False
        order.size -= size
        if order.size <= 0:
            del self._orders[order_id]
        return True

    def release(self) -> None:
        """Enter what is left, in the order in which it came."""
        self.is_open = False
        for order_id, order in self._orders.items():
            self._writer.enter(order_id, order.side, order.price, order.size)
        self._orders.clear()

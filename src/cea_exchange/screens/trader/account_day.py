"""An account's day from its own reports: orders, fills, bids. No socket, no clock."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cea_exchange.client import Report
from cea_exchange.domain.records import EventKind, Method, Reason, Side

OTHER_SIDE = {"buy": "sell", "sell": "buy"}
FILLS_KEPT = 500

_ENDS = {
    EventKind.ORDER_CANCELED: "canceled",
    EventKind.ORDER_EXPIRED: "expired",
    EventKind.BID_CANCELED: "canceled",
}


class OwnOrder(NamedTuple):
    """An order or bid of the account.

    Attributes
    ----------
    tonnes, tonnes_open
        As asked last, what has traded of it included; what is still open.
    state
        `open`, `filled`, `canceled` or `expired`.
    reason
        Why it was cancelled.
    bidding_id
        Of a bid, else 0.
    """

    order_id: int
    product: str
    side: str
    price: int
    tonnes: int
    tonnes_open: int
    state: str
    reason: Reason
    bidding_id: int = 0

    @property
    def is_open(self) -> bool:
        """Whether something of it may still trade."""
        return self.state == "open"

    @property
    def traded(self) -> int:
        """How much of it has traded."""
        return self.tonnes - self.tonnes_open


class Fill(NamedTuple):
    """The account's side of a trade."""

    trade_id: int
    order_id: int
    product: str
    side: str
    price: int
    tonnes: int
    method: str
    fee: int
    is_busted: bool


class AccountDay:
    """Orders, bids and fills of an account since its last close.

    Parameters
    ----------
    account_index
        The account's own.
    products
        Names by index.
    """

    def __init__(self, account_index: int, products: Sequence[str]) -> None:
        self.account_index = account_index
        self.products = list(products)
        self.orders: dict[int, OwnOrder] = {}
        self.bids: dict[int, OwnOrder] = {}
        self.fills: list[Fill] = []

    def take_all(self, reports: Iterable[Report]) -> None:
        """Take in reports, in their order."""
        for report in reports:
            self.take(report)

    def take(self, report: Report) -> Fill | None:
        """Take in a report; return the fill that it is, if it is one."""
        match report.kind:
            case EventKind.ORDER_ACCEPTED:
                self.orders[report.order_id] = self._order(report, report.tonnes)
            case EventKind.BID_ACCEPTED:
                bid = self._order(report, report.tonnes)
                self.bids[bid.order_id] = bid._replace(bidding_id=report.counter_order_id)
            case EventKind.ORDER_AMENDED:
                known = self.orders.get(report.order_id)
                traded = 0 if known is None else known.traded
                self.orders[report.order_id] = self._order(report, report.tonnes + traded)._replace(
                    tonnes_open=report.tonnes
                )
            case EventKind.ORDER_CANCELED | EventKind.ORDER_EXPIRED | EventKind.BID_CANCELED:
                self._end(report)
            case EventKind.TRADE:
                return self._fill(report)
            case EventKind.TRADE_BUSTED if report.reason == Reason.NONE:
                self._bust(report.trade_id)
            case EventKind.BIDDING_CLOSED | EventKind.BIDDING_CANCELED:
                self._bids_over(report.order_id)
        return None

    @property
    def open_orders(self) -> list[OwnOrder]:
        """The orders that may still trade, newest first."""
        return [order for order in reversed(self.orders.values()) if order.is_open]

    def _order(self, report: Report, tonnes: int) -> OwnOrder:
        return OwnOrder(
            report.order_id,
            self._name(report.product_index),
            Side(report.side).name.lower(),
            report.price,
            tonnes,
            tonnes,
            "open",
            Reason.NONE,
        )

    def _end(self, report: Report) -> None:
        for kept in (self.orders, self.bids):
            known = kept.get(report.order_id)
            if known is not None and known.is_open:
                ended = known._replace(
                    state=_ENDS[EventKind(report.kind)], reason=Reason(report.reason)
                )
                kept[report.order_id] = ended

    def _fill(self, report: Report) -> Fill:
        is_maker = report.is_maker(self.account_index)
        side = Side(report.side).name.lower()
        order_id = report.own_order_id(self.account_index)
        own_side = OTHER_SIDE[side] if is_maker else side
        fill = Fill(
            report.trade_id,
            order_id,
            self._name(report.product_index),
            own_side,
            report.price,
            report.tonnes,
            Method(report.method).name.lower(),
            report.buy_fee if own_side == "buy" else report.sell_fee,
            False,
        )
        self.fills.append(fill)
        del self.fills[:-FILLS_KEPT]
        if report.method == Method.LISTED:
            left = report.counter_tonnes_open if is_maker else report.tonnes_open
            self._traded(self.orders, order_id, left)
        elif report.method == Method.BIDDING and not is_maker:
            self._traded(self.bids, order_id, report.tonnes_open)
        return fill

    def _traded(self, kept: dict[int, OwnOrder], order_id: int, left: int) -> None:
        known = kept.get(order_id)
        if known is not None:
            state = known.state if left else "filled"
            kept[order_id] = known._replace(tonnes_open=left, state=state)

    def _bust(self, trade_id: int) -> None:
        for at, fill in enumerate(self.fills):
            if fill.trade_id == trade_id:
                self.fills[at] = fill._replace(is_busted=True)

    def _bids_over(self, bidding_id: int) -> None:
        for bid_id, bid in self.bids.items():
            if bid.bidding_id == bidding_id and bid.is_open:
                self.bids[bid_id] = bid._replace(state="expired")

    def _name(self, product_index: int) -> str:
        known = product_index < len(self.products)
        return self.products[product_index] if known else str(product_index)

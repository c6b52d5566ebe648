"""How a market stood at one moment: its books with whose orders they hold, and who had what."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    BIDDING_OPENED_DTYPE,
    PRODUCT_NONE,
    EventKind,
    Method,
    Phase,
    Reason,
    Side,
)

LEVELS_SHOWN = 10

_SIDED = frozenset(
    {
        EventKind.ORDER_ACCEPTED,
        EventKind.ORDER_RESTED,
        EventKind.ORDER_AMENDED,
        EventKind.ORDER_CANCELED,
        EventKind.ORDER_EXPIRED,
        EventKind.TRADE,
        EventKind.BLOCK_ENQUIRED,
        EventKind.BLOCK_OFFERED,
        EventKind.BLOCK_COUNTERED,
        EventKind.BLOCK_AGREED,
        EventKind.BID_ACCEPTED,
        EventKind.BID_CANCELED,
    }
)
"""Events with terms: side, price, tonnes."""
_OTHER_LAYOUT = frozenset({EventKind.DAY_CLOSED, EventKind.CHECKPOINT})
"""Records whose fields behind the product are others."""


class SeenEvent(NamedTuple):
    """An event as it is shown.

    Attributes
    ----------
    kind
        The name of its kind, in small letters.
    side
        `buy` or `sell` where it has terms, else "".
    account, counterparty
        Names; "" is nobody.
    tonnes_open
        What is left of the order behind it.
    reason
        The name of why it was refused or cancelled, "" where for nothing.
    """

    seq: int
    time_ns: int
    kind: str
    product: str
    side: str
    method: str
    account: str
    counterparty: str
    order_id: int
    counter_order_id: int
    price: int
    tonnes: int
    tonnes_open: int
    cash: int
    trade_id: int
    reason: str
    phase: str
    settlement_seq: int


class OrderSeen(NamedTuple):
    """An order on a book."""

    order_id: int
    account: str
    tonnes: int


class LevelSeen(NamedTuple):
    """A price with its orders, first come first."""

    price: int
    tonnes: int
    orders: tuple[OrderSeen, ...]


class BookSeen(NamedTuple):
    """The best levels of a product, best first."""

    product: str
    reference_price: int
    band_low: int
    band_high: int
    last: int
    is_halted: bool
    asks: tuple[LevelSeen, ...]
    bids: tuple[LevelSeen, ...]


class HoldingSeen(NamedTuple):
    """What an account had at the venue of one product, or of cash where `product` is ""."""

    account: str
    product: str
    amount: int
    locked: int
    bought_today: int


class Moment(NamedTuple):
    """How a market stood behind one command.

    Attributes
    ----------
    at, steps
        Which event of how many this is, from 1 on; 0 is before the first.
    events
        All that came of the command the event belongs to.
    current
        Which of them it is; -1 before the first.
    settlement_seq
        The last settlement record by then.
    state_hash
        Of the whole market.
    """

    at: int
    steps: int
    time_ns: int
    trading_date: int
    phase: str
    is_halted: bool
    settlement_seq: int
    state_hash: int
    events: tuple[SeenEvent, ...]
    current: int
    books: tuple[BookSeen, ...]
    holdings: tuple[HoldingSeen, ...]

    @property
    def event(self) -> SeenEvent | None:
        """The event itself."""
        return self.events[self.current] if self.current >= 0 else None


class Names(NamedTuple):
    """Products and accounts by index."""

    products: Sequence[str]
    accounts: Sequence[str]

    def product(self, index: int) -> str:
        """Return a product's name; "" where there is none."""
        return "" if index == PRODUCT_NONE else self.products[index]

    def account(self, index: int) -> str:
        """Return an account's name; "" where there is none."""
        return "" if index == ACCOUNT_NONE else self.accounts[index]


def events_seen(rows: np.ndarray, times_ns: Sequence[int], names: Names) -> list[SeenEvent]:
    """Return events as they are shown.

    Parameters
    ----------
    rows
        Of `EVENT_DTYPE`.
    times_ns
        Of each row.
    """
    return [
        _event_seen(rows[at : at + 1], time_ns, names)
        for at, time_ns in zip(range(len(rows)), times_ns, strict=True)
    ]


def _event_seen(rows: np.ndarray, time_ns: int, names: Names) -> SeenEvent:
    (row,) = rows
    kind = EventKind(row["kind"])
    blank = SeenEvent(
        seq=int(row["seq"]),
        time_ns=int(time_ns),
        kind=kind.name.lower(),
        product=names.product(int(row["product_index"])),
        side="",
        method="",
        account="",
        counterparty="",
        order_id=0,
        counter_order_id=0,
        price=0,
        tonnes=0,
        tonnes_open=0,
        cash=0,
        trade_id=0,
        reason="",
        phase="",
        settlement_seq=0,
    )
    if kind in _OTHER_LAYOUT:
        product = blank.product if kind == EventKind.DAY_CLOSED else ""
        return blank._replace(seq=int(rows["seq"][0]), product=product)
    if kind == EventKind.BIDDING_OPENED:
        (terms,) = rows.view(BIDDING_OPENED_DTYPE)
        return blank._replace(
            account=names.account(int(terms["account_index"])),
            side=_side(int(terms["side"])),
            tonnes=int(terms["tonnes"]),
        )
    has_terms = kind in _SIDED
    return blank._replace(
        side=_side(int(row["side"])) if has_terms else "",
        method=_method(int(row["method"])) if kind == EventKind.TRADE else "",
        account=names.account(int(row["account_index"])),
        counterparty=names.account(int(row["counter_account_index"])) if has_terms else "",
        order_id=int(row["order_id"]),
        counter_order_id=int(row["counter_order_id"]),
        price=int(row["price"]),
        tonnes=int(row["tonnes"]),
        tonnes_open=int(row["tonnes_open"]) if has_terms else 0,
        cash=int(row["cash"]),
        trade_id=int(row["trade_id"]),
        reason=Reason(row["reason"]).name if row["reason"] else "",
        phase=Phase(row["phase"]).name.lower(),
        settlement_seq=int(row["settlement_seq"]),
    )


def books_seen(core: Any, names: Names) -> tuple[BookSeen, ...]:
    """Return the books of all listed products, each order with its account."""
    return tuple(
        _book(core, index, name, names)
        for index, name in enumerate(names.products)
        if core.product(index)["listed"]
    )


def _book(core: Any, index: int, name: str, names: Names) -> BookSeen:
    product = core.product(index)
    return BookSeen(
        product=name,
        reference_price=product["reference_price"],
        band_low=product["band_low"],
        band_high=product["band_high"],
        last=product["last"],
        is_halted=product["halted"],
        asks=_levels(core, index, Side.SELL, names),
        bids=_levels(core, index, Side.BUY, names),
    )


def _levels(core: Any, product: int, side: Side, names: Names) -> tuple[LevelSeen, ...]:
    found = []
    for price, tonnes, _ in core.depth(product, side, LEVELS_SHOWN):
        orders = (core.order(order_id) for order_id in core.orders_at(product, side, price))
        seen = tuple(
            OrderSeen(
                order["order_id"], names.account(order["account_index"]), order["tonnes_open"]
            )
            for order in orders
        )
        found.append(LevelSeen(price, tonnes, seen))
    return tuple(found)


def holdings_seen(core: Any, names: Names, accounts: Sequence[str]) -> tuple[HoldingSeen, ...]:
    """Return what accounts had: cash first, then each product of which they had any."""
    found = []
    for name in accounts:
        account = core.account(names.accounts.index(name))
        proceeds = account["proceeds_today"]
        found.append(HoldingSeen(name, "", account["cash"], account["cash_locked"], proceeds))
        for product, (tonnes, locked, bought) in sorted(account["holdings"].items()):
            found.append(HoldingSeen(name, names.products[product], tonnes, locked, bought))
    return tuple(found)


def _side(side: int) -> str:
    return Side(side).name.lower() if side else ""


def _method(method: int) -> str:
    return Method(method).name.lower() if method else ""

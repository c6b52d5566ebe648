"""The two public sides of the events: market data for everybody, settlement for the registry."""

from typing import Any

import msgspec
import numpy as np
import zmq

from cea_exchange.domain.records import DAY_CLOSED_DTYPE, EventKind, Side
from cea_exchange.domain.units import cash_format, price_format
from cea_exchange.protocol.framing import (
    REPLAY_COUNT_MAX,
    TOPIC_BULLETIN,
    TOPIC_DEPTH,
    TOPIC_HEARTBEAT,
    TOPIC_MARKET_DATA,
    TOPIC_SETTLEMENT,
    TOPIC_SETTLEMENT_HEARTBEAT,
    market_data_records,
    settlement_frames,
)
from cea_exchange.venue.state_machine import VenueStateMachine

LEVELS = 5
"""Of each side that everybody may see (CEA-LST-09)."""
ORDERS_PER_LEVEL_MAX = 200
MARKET_DATA_ROWS_MAX = 8_192

_BOOK_KINDS = (
    EventKind.ORDER_RESTED,
    EventKind.ORDER_AMENDED,
    EventKind.ORDER_CANCELED,
    EventKind.ORDER_EXPIRED,
    EventKind.TRADE,
)


class Publisher:
    """Sends what others may see; a reader that is too slow misses messages and asks again.

    Parameters
    ----------
    machine, log_id
        Whose events, and of which journal.
    market_data, settlement
        Bound PUB sockets.
    """

    def __init__(
        self,
        machine: VenueStateMachine,
        log_id: str,
        market_data: zmq.Socket,
        settlement: zmq.Socket,
    ) -> None:
        self._machine = machine
        self._log_id = log_id
        self._market_data = market_data
        self._settlement = settlement
        self._changed: set[int] = set()

    def publish(self, events: np.ndarray) -> None:
        """Send the public and the settlement part of events that are on disk."""
        public = market_data_records(events)
        for first in range(0, len(public), MARKET_DATA_ROWS_MAX):
            rows = public[first : first + MARKET_DATA_ROWS_MAX]
            self._market_data.send_multipart([TOPIC_MARKET_DATA, rows.tobytes()])
        settled = events[events["settlement_seq"] != 0]
        for first in range(0, len(settled), REPLAY_COUNT_MAX):
            rows = settled[first : first + REPLAY_COUNT_MAX]
            frames = settlement_frames(self._log_id, rows)
            self._settlement.send_multipart([TOPIC_SETTLEMENT, *frames])
        if (events["kind"] == EventKind.DAY_CLOSED).any():
            self._send(TOPIC_BULLETIN, bulletin(self._machine, events))
        moved = events["product_index"][np.isin(events["kind"], _BOOK_KINDS)]
        self._changed.update(np.unique(moved).tolist())

    def publish_depth(self) -> None:
        """Send the depth of the products whose books changed since the last time."""
        for product_index in sorted(self._changed):
            self._send(TOPIC_DEPTH, depth(self._machine, product_index))
        self._changed.clear()

    def settlement_heartbeat(self) -> None:
        """Say how far the settlement stream is, so that a lost last message is noticed."""
        told = {"log_id": self._log_id, "last_seq": self._machine.core.settlement_seq}
        payload = msgspec.msgpack.encode(told)
        self._settlement.send_multipart([TOPIC_SETTLEMENT_HEARTBEAT, payload])

    def market_data_heartbeat(self) -> None:
        """Say how far the public stream is."""
        seq = self._machine.core.market_data_seq
        self._send(TOPIC_HEARTBEAT, {"log_id": self._log_id, "market_data_seq": seq})

    def _send(self, topic: bytes, value: dict[str, Any]) -> None:
        self._market_data.send_multipart([topic, msgspec.msgpack.encode(value)])


def depth(machine: VenueStateMachine, product_index: int) -> dict[str, Any]:
    """Return the five best levels of both sides: price (fen), tonnes, orders."""
    core = machine.core
    return {
        "product": machine.product_names[product_index],
        "market_data_seq": core.market_data_seq,
        "bids": [list(map(int, level)) for level in core.depth(product_index, Side.BUY, LEVELS)],
        "asks": [list(map(int, level)) for level in core.depth(product_index, Side.SELL, LEVELS)],
    }


def book(machine: VenueStateMachine, product_index: int) -> dict[str, Any]:
    """Return the five best levels with their orders (id and tonnes, oldest first, no names).

    Notes
    -----
    Rules: CEA-LST-06 (a taker may pick a resting order), CEA-LST-09.
    """
    core = machine.core

    def levels(side: Side) -> list[dict[str, Any]]:
        told = []
        for price, tonnes, count in core.depth(product_index, side, LEVELS):
            ids = core.orders_at(product_index, side, price)[:ORDERS_PER_LEVEL_MAX]
            orders = [[int(i), int(core.order(i)["tonnes_open"])] for i in ids]
            told.append(
                {
                    "price": int(price),
                    "tonnes": int(tonnes),
                    "count": int(count),
                    "orders": orders,
                }
            )
        return told

    return {
        "op": "book",
        "product": machine.product_names[product_index],
        "market_data_seq": core.market_data_seq,
        "bids": levels(Side.BUY),
        "asks": levels(Side.SELL),
    }


def bulletin(machine: VenueStateMachine, events: np.ndarray) -> dict[str, Any]:
    """Return the day's statistics by product, and the composite; prices and amounts in yuan.

    Notes
    -----
    Rules: CEA-PRC-01, CEA-PRC-04.
    """
    closed = events[events["kind"] == EventKind.DAY_CLOSED].view(DAY_CLOSED_DTYPE)
    composite = events["price"][events["kind"] == EventKind.COMPOSITE_CLOSED]
    products = []
    for row in closed:
        told: dict[str, Any] = {"product": machine.product_names[int(row["product_index"])]}
        for field in ("open", "high", "low", "close"):
            price = int(row[field])
            told[field] = price_format(price) if price else None
        methods = ("listed", "block", "bidding")
        told["volume"] = {method: int(row[f"volume_{method}"]) for method in methods}
        told["amount"] = {
            method: cash_format(
                int(row[f"amount_{method}_high"]) << 64 | int(row[f"amount_{method}_low"])
            )
            for method in methods
        }
        products.append(told)
    return {
        "date": int(closed["trading_date"][0]),
        "products": products,
        "composite": price_format(int(composite[-1])) if len(composite) else None,
    }

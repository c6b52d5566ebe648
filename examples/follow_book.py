"""The public stream: subscribe, rebuild the book, print it whenever it changes.

    python examples/follow_book.py                                  a small exchange of its own
    python examples/follow_book.py DATA/venue/endpoints.json        a venue that runs, for a minute

Needs a plain install of cea-exchange. No account and no registered key: market data is public.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from cea_exchange.client import Book, Client, MarketDataClient
from cea_exchange.domain.records import EventKind, Side
from cea_exchange.domain.units import price_format
from cea_exchange.loadtest.load_run import await_transfers
from cea_exchange.loadtest.local_exchange import LocalExchange
from cea_exchange.loadtest.population import Participant
from cea_exchange.protocol.security import CurveKeys

PRODUCT = "CEA24"


def main() -> None:
    if len(sys.argv) > 1:
        with follower(json.loads(Path(sys.argv[1]).read_text())) as market_data:
            follow(market_data, seconds=60.0)
        return
    with tempfile.TemporaryDirectory() as folder, LocalExchange(Path(folder)) as exchange:
        exchange_start(exchange)
        endpoints = json.loads((Path(folder) / "venue" / "endpoints.json").read_text())
        with follower(endpoints) as market_data:
            trade(exchange, endpoints)
            follow(market_data, until=is_last_book)
        book = market_data.book(PRODUCT)
        assert [level.tonnes for level in book.asks] == [60, 50], "40 t of the best offer are sold"
        assert market_data.books.gaps == 0


def follower(endpoints: dict[str, str]) -> MarketDataClient:
    """Return a subscriber whose books are exact already."""
    market_data = MarketDataClient(
        endpoints["market_data"],
        CurveKeys.new(),
        endpoints["market_data_public_key"],
        snapshot_endpoint=endpoints["snapshot"],
    )
    market_data.await_books(timeout_s=10.0)
    return market_data


def follow(market_data: MarketDataClient, *, seconds: float = 10.0, until=lambda book: False):
    """Print trades and books as they come."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = [records for topic, records in market_data.poll(0.5) if topic == "md"]
        for records in got:
            for record in records[records["kind"] == EventKind.TRADE]:
                print(f"trade {record['tonnes']} t at {price_format(int(record['price']))}")
        if not got or not market_data.books.is_exact:
            continue
        books = [market_data.book(product) for product in market_data.books.products]
        for book in books:
            print_book(book)
        if any(until(book) for book in books):
            return


def print_book(book: Book) -> None:
    print(f"{book.product} as of event {book.seq}")
    for word, levels in (("sell", reversed(book.asks)), ("buy ", book.bids)):
        for level in levels:
            orders = ", ".join(
                f"{tonnes} t (order {order_id})" for order_id, tonnes in level.orders
            )
            print(f"  {word} {price_format(level.price):>7} {level.tonnes:>6} t: {orders}")


def is_last_book(book: Book) -> bool:
    return [level.tonnes for level in book.bids] == [30]


# -- A small exchange ------------------------------------------------------------------------------


def exchange_start(exchange: LocalExchange) -> None:
    """Two participants, one product, the listed phase."""
    members = [
        Participant("alice", "short", {PRODUCT: Side.BUY}, 100_000_000, {}),
        Participant("bob", "surplus", {PRODUCT: Side.SELL}, 1_000_000, {PRODUCT: 5_000}),
    ]
    exchange.prepare(members, {PRODUCT: 9749}, start="2025-01-02T08:30:00+08:00")
    exchange.start()
    await_transfers(exchange)
    exchange.operate("clock", at="2025-01-02T09:30:00+08:00")


def trade(exchange: LocalExchange, endpoints: dict[str, str]) -> None:
    """Three orders of the seller, one of the buyer, who takes a part of the best."""
    for name, side, orders in (
        ("bob", Side.SELL, [("97.50", 60), ("97.50", 40), ("97.80", 50)]),
        ("alice", Side.BUY, [("97.50", 40), ("97.00", 30)]),
    ):
        with Client.connect(
            endpoints["gateway"], exchange.keys(name), endpoints["public_key"]
        ) as client:
            for price, tonnes in orders:
                client.answer(client.enter(PRODUCT, side, price=price, tonnes=tonnes))


if __name__ == "__main__":
    main()

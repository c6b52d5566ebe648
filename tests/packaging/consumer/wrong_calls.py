"""Calls that a type checker must find: each line that ends in `# error` is one."""

from cea_exchange import (
    Market,
    OrderBook,
    Side,
)
from cea_exchange.client import AsyncClient, Client


def wrong(client: Client, other: AsyncClient, market: Market, book: OrderBook) -> None:
    client.enter("CEA24", "buy", price=97, tonnes=10)  # error
    client.enter("CEA24", "buy", price_fen="97.50", tonnes=10)  # error
    client.enter("CEA24", "buy", price="97.50")  # error
    client.enter("CEA24", 1.0, price="97.50", tonnes=10)  # error
    client.enter("CEA24", Side.BUY, price="97.50", tonnes=10, hidden=True)  # error
    client.amend("a1", price="97.50", tonnes=10)  # error
    client.book("CEA24")["bid"]  # error
    client.book("CEA24")["bids"][0]["price"].upper()  # error
    client.answer(1).prices  # error
    client.party(name="alice")  # error
    client.biddings()[0]["state"] == "shut"  # error
    other.enter("CEA24", "buy", price=97, tonnes=10) + 1  # error
    market.enter("alice", "CEA24", "buy", price=97, tonnes=10, order_id="a")  # error
    Market(reference_prices=["CEA23"])  # error
    Market(core="reference")  # error
    OrderBook(1, 100, 1000)  # error
    book.enter(1, "buy", 50, 10)  # error

"""Clients of the venue: order entry with reports, and market data."""

from cea_exchange.client.book import Book, Level, MarketBooks
from cea_exchange.client.connecting import (
    KeyRefused,
    NobodyThere,
    NotConnected,
    ServerKeyWrong,
)
from cea_exchange.client.market_data import MarketDataClient
from cea_exchange.client.order_entry import AsyncClient, Client
from cea_exchange.client.reports import Report
from cea_exchange.client.session import (
    OrderSession,
    SessionEnded,
    SessionError,
    SessionState,
)

__all__ = [
    "AsyncClient",
    "Book",
    "Client",
    "KeyRefused",
    "Level",
    "MarketBooks",
    "MarketDataClient",
    "NobodyThere",
    "NotConnected",
    "OrderSession",
    "Report",
    "ServerKeyWrong",
    "SessionEnded",
    "SessionError",
    "SessionState",
]

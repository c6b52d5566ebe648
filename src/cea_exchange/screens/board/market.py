"""The market as it is now: all products, and one of them with its book, trades and chart."""

import json
from collections.abc import Collection
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from cea_exchange.domain.units import fen_of
from cea_exchange.screens.live.broadcast import Hub, Kind, Render
from cea_exchange.screens.live.market_feed import Bar, MarketFeed
from cea_exchange.screens.page import Page
from cea_exchange.screens.reading import Reading
from cea_exchange.screens.rendering import render
from cea_exchange.screens.visit import Visit

LEVELS = 5
ORDERS_SHOWN = 4
BARS_SENT = 2
"""The latest minutes, told again with each change: the page has the ones before."""
METHODS = ("listed", "block", "bidding")


def channels_add(hub: Hub, feed: MarketFeed) -> None:
    """Let the hub show the market."""

    def shown(template: str) -> Render:
        def fragment(reading: Reading, part: str) -> str:
            market = market_of(feed)
            return render(template, reading, feed=feed, product=part, market=market)

        return fragment

    hub.kinds |= {
        "status": Kind("market", shown("status.html")),
        "composite": Kind("market", shown("board/composite.html")),
        "products": Kind("market", shown("board/products.html")),
        "quote": Kind("market", shown("board/quote.html")),
        "book": Kind("book", lambda reading, part: book_shown(feed, reading, part)),
        "trades": Kind("trades", shown("board/trades.html")),
        "bars": Kind("bars", lambda _, part: bars_json(feed.bars(part)[-BARS_SENT:])),
        "blocks": Kind("blocks", shown("board/blocks.html")),
        "notices": Kind("notices", shown("board/notices.html")),
    }


def market_of(feed: MarketFeed) -> dict[str, Any]:
    """Return the sums of all listed products, by method: tonnes, and fen."""
    products = feed.products
    return {
        "volume": {name: sum(each["volume"][name] for each in products) for name in METHODS},
        "amount": {
            name: sum(fen_of(each["amount"][name]) for each in products) for name in METHODS
        },
    }


def book_shown(
    feed: MarketFeed,
    reading: Reading,
    product: str,
    *,
    own: Collection[int] = (),
    takes: bool = False,
) -> str:
    """Return a product's book as a fragment: five levels of each side with their orders.

    Parameters
    ----------
    own
        Orders that are marked as the reader's own.
    takes
        Whether the reader may take orders at the best price, and prices, into a ticket.
    """
    book = feed.book(product)
    entry = feed.product(product)
    asks = [] if book is None else list(book.asks[:LEVELS])
    bids = [] if book is None else list(book.bids[:LEVELS])
    most = max((level.tonnes for level in (*asks, *bids)), default=1)
    return render(
        "board/book.html",
        reading,
        product=product,
        is_known=book is not None,
        asks=[*reversed([*enumerate(asks, 1)])],
        bids=[*enumerate(bids, 1)],
        most=most,
        orders_shown=ORDERS_SHOWN,
        reference=entry["reference_price"] if entry else 0,
        spread=asks[0].price - bids[0].price if asks and bids else None,
        own=own,
        takes=takes,
    )


def bars_json(bars: list[Bar]) -> str:
    """Return minutes as the chart takes them: columns of time, close (fen) and tonnes."""
    return json.dumps(
        [[bar.at_s for bar in bars], [bar.close for bar in bars], [bar.volume for bar in bars]]
    )


async def market_show(visit: Visit) -> Response:
    """Show all products, with the newest one in full."""
    return _show(visit, visit.site.feed.newest)


async def product_show(visit: Visit) -> Response:
    """Show all products, with the one in the address in full."""
    product = visit.part("product")
    if visit.site.feed.market and visit.site.feed.product(product) is None:
        raise HTTPException(404)
    return _show(visit, product)


async def bars_show(visit: Visit) -> Response:
    """Answer with a product's day, for its chart."""
    bars = visit.site.feed.bars(visit.part("product"))
    return Response(bars_json(bars), media_type="application/json")


def _show(visit: Visit, product: str) -> Response:
    channels = ["status", "composite", "products", "notices", "blocks"]
    if product:
        channels += [f"{kind}.{product}" for kind in ("quote", "book", "trades", "bars")]
    feed = visit.site.feed
    book = book_shown(feed, visit.reading, product) if product else ""
    return visit.show(
        "board/market.html", live=channels, product=product, market=market_of(feed), book=book
    )


PAGES = (
    Page(path="/", name="market", section="market", show=market_show),
    Page(
        path="/product/{product}",
        name="market",
        section="market",
        show=product_show,
        in_menu=False,
    ),
    Page(
        path="/product/{product}/bars",
        name="market",
        section="market",
        show=bars_show,
        in_menu=False,
    ),
)

"""What everybody may see of a market, read from the core itself: what books must be equal to."""

from typing import Any

import numpy as np

from cea_exchange.client.book import Book, Level, MarketBooks, Message, PublicBlock
from cea_exchange.domain.records import BOOK_CHANGE_DTYPE, MARKET_DATA_DTYPE, Phase, Side
from cea_exchange.protocol.framing import CutHeader, SnapshotHeader

LOG_ID = "0" * 32


def side_of(core: Any, product_index: int, side: Side, levels: int) -> tuple[Level, ...]:
    """One side of a core's book as the client tells it; `levels` 0 is all."""
    shown = []
    for price, tonnes, count in core.depth(product_index, side, levels or 1 << 31):
        ids = core.orders_at(product_index, side, price)
        orders = tuple((order_id, core.order(order_id)["tonnes_open"]) for order_id in ids)
        shown.append(Level(price, tonnes, count, orders))
    return tuple(shown)


def book_of(core: Any, product_index: int, levels: int) -> tuple:
    """Both sides."""
    return tuple(side_of(core, product_index, side, levels) for side in (Side.BUY, Side.SELL))


def blocks_of(core: Any, names: list[str]) -> list[PublicBlock]:
    """A core's blocks that are for nobody by name, as the client tells them."""
    shown = []
    for block_id in core.block_ids():
        block = core.block(block_id)
        if not block["flags"] & 3:
            terms = block["price"] or None, block["tonnes"] or None
            name, side = names[block["product_index"]], Side(block["side"])
            shown.append(PublicBlock(block_id, name, side, *terms, bool(block["flags"] & 16)))
    return shown


def sides(book: Book) -> tuple:
    return book.bids, book.asks


def market_shown(names: list[str]) -> dict[str, Any]:
    """A market map with these products and nothing else of interest."""
    fields = {"reference_price": 1, "band_low": 1, "band_high": 1, "halted": False}
    return {
        "phase": Phase.LISTED.name.lower(),
        "trading_date": 20250716,
        "halted": False,
        "products": [
            {"product": name, "product_index": index, **fields} for index, name in enumerate(names)
        ],
    }


def message_of(previous: int, seq: int, public: bytes, changes: bytes) -> Message:
    header = CutHeader(log_id=LOG_ID, previous=previous, seq=seq)
    rows = np.frombuffer(changes, BOOK_CHANGE_DTYPE)
    return Message(header, np.frombuffer(public, MARKET_DATA_DTYPE), rows.tolist())


def snapshot_take(books: MarketBooks, seq: int, changes: bytes, names: list[str]) -> bool:
    header = SnapshotHeader(log_id=LOG_ID, seq=seq, market_data_seq=0, market=market_shown(names))
    return books.take_snapshot(header, np.frombuffer(changes, BOOK_CHANGE_DTYPE))

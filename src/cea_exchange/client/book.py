"""Books rebuilt from the public stream, exactly or not at all: no sockets, no clock.

    stream:    (previous, seq) rows ...        a chain: previous is the seq before
    snapshot:  (seq) all rows                  fits the chain at its seq

A message that does not continue the chain is a gap. From then on the books are not exact; messages
are kept until a snapshot comes that one of them continues.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from msgspec import Struct

from cea_exchange.domain.records import BookChangeKind, EventKind, Phase, Side
from cea_exchange.protocol.framing import Band, CutHeader, SnapshotHeader, StreamPlace

KEPT_MESSAGES_MAX = 10_000
PRODUCT_NONE = 0xFFFF

_BLOCK_KINDS = (BookChangeKind.BLOCK_OFFER, BookChangeKind.BLOCK_ENQUIRY)
_BLOCK_ENTRIES = (EventKind.BLOCK_OFFERED, EventKind.BLOCK_ENQUIRED)
_BLOCK_ENDS = (
    *(EventKind.TRADE, EventKind.BLOCK_WITHDRAWN, EventKind.BLOCK_LAPSED),
    EventKind.BLOCK_AGREED,
)


class Level(NamedTuple):
    """One price level of a book."""

    price: int
    """fen/t"""
    tonnes: int
    order_count: int
    orders: tuple[tuple[int, int], ...]
    """(order id, open tonnes), in the order of their queue."""


class Book(NamedTuple):
    """A product's public book.

    Notes
    -----
    Rules: CEA-LST-09.
    """

    product: str
    seq: int
    """The event it is as of."""
    bids: tuple[Level, ...]
    """Best first."""
    asks: tuple[Level, ...]


class PublicBlock(NamedTuple):
    """A block offer or enquiry that is open to all.

    Notes
    -----
    Rules: CEA-BLK-11.
    """

    block_id: int
    product: str
    side: Side
    """What who offers or asks would do."""
    price: int | None
    """fen/t; None where an enquiry names none."""
    tonnes: int | None
    is_enquiry: bool


class ProductState(Struct):
    """What is known of a product beside its book; prices in fen."""

    band: Band
    halted: bool = False
    listed: bool = True


class Message(NamedTuple):
    """A whole message of the stream, all its parts put together."""

    header: CutHeader
    records: np.ndarray
    changes: list[tuple]


class _Level:
    def __init__(self) -> None:
        self.tonnes = 0
        self.order_count = 0
        self.orders: dict[int, tuple[int, int]] = {}
        """By id: (priority, tonnes)."""

    def seen(self, price: int) -> Level:
        in_queue = sorted(self.orders.items(), key=lambda order: order[1][0])
        orders = tuple((order_id, tonnes) for order_id, (_, tonnes) in in_queue)
        return Level(price, self.tonnes, self.order_count, orders)


class _BookState:
    """Both sides of one product."""

    def __init__(self) -> None:
        self.sides: dict[int, dict[int, _Level]] = {Side.BUY: {}, Side.SELL: {}}
        self.places: dict[int, _Level] = {}
        """By order id: the level it stands at."""

    def level_set(self, side: int, price: int, tonnes: int, order_count: int) -> None:
        levels = self.sides[side]
        if not order_count:
            level = levels.pop(price, None)
            for order_id in level.orders if level else ():
                del self.places[order_id]
            return
        level = levels.setdefault(price, _Level())
        level.tonnes, level.order_count = tonnes, order_count

    def order_set(self, side: int, order_id: int, price: int, tonnes: int, priority: int) -> None:
        level = self.places.pop(order_id, None)
        if level is not None:
            del level.orders[order_id]
        if tonnes:
            level = self.sides[side][price]
            level.orders[order_id] = (priority, tonnes)
            self.places[order_id] = level

    def seen(self, side: int) -> tuple[Level, ...]:
        levels = sorted(self.sides[side].items(), reverse=side == Side.BUY)
        return tuple(level.seen(price) for price, level in levels)


class MarketBooks:
    """All books of a venue, open blocks, phase, halts and bands, from its stream and a snapshot.

    Attributes
    ----------
    is_exact : bool
        What it tells is what the venue told up to `seq`; False until the first snapshot, and from
        a gap to the next.
    seq : int
        The event the books are as of.
    gaps : int
        How often the stream did not continue.
    snapshots : int
        How many snapshots it went on from.
    phase : Phase
    trading_date : int
        yyyymmdd; 0 while no day is open.
    halted : bool
        The whole market is.
    products : dict
        By name, `ProductState`.
    market : dict
        The day so far, as the newest snapshot or `stats` has it; empty before the first.
    """

    def __init__(self) -> None:
        self.is_exact = False
        self.seq = 0
        self.gaps = 0
        self.snapshots = 0
        self.phase = Phase.CLOSED
        self.trading_date = 0
        self.halted = False
        self.products: dict[str, ProductState] = {}
        self.market: dict[str, Any] = {}
        self._names: dict[int, str] = {}
        self._books: dict[int, _BookState] = {}
        self._blocks: dict[int, tuple[int, int, int, int, bool]] = {}
        self._log_id: str | None = None
        self._last_seq = 0
        self._kept: list[Message] = []
        self._snapshot: list[tuple[SnapshotHeader, list[tuple]]] = []

    @property
    def wants_snapshot(self) -> bool:
        """Whether a snapshot would help: the stream runs, and the books are not exact."""
        return self._log_id is not None and not self.is_exact

    def book(self, product: str) -> Book:
        """Return a product's book as of `seq`; LookupError while the books are not exact."""
        if not self.is_exact:
            raise LookupError("the books are not exact: no snapshot yet, or a gap since")
        for product_index, name in self._names.items():
            if name == product:
                state = self._books.get(product_index) or _BookState()
                return Book(product, self.seq, state.seen(Side.BUY), state.seen(Side.SELL))
        raise LookupError(f"product: expected one of {', '.join(self.products)}, got {product!r}")

    def blocks(self) -> list[PublicBlock]:
        """Return the block offers and enquiries that are open to all, oldest first.

        Raises
        ------
        LookupError
            The books are not exact: no snapshot yet, or a gap since.
        """
        if not self.is_exact:
            raise LookupError("the books are not exact: no snapshot yet, or a gap since")
        return [
            PublicBlock(
                block_id,
                self._names[product_index],
                Side(side),
                price or None,
                tonnes or None,
                is_enquiry,
            )
            for block_id, (product_index, side, price, tonnes, is_enquiry) in self._blocks.items()
            # A product declared since the snapshot has no name yet: the day so far brings it.
            if product_index in self._names
        ]

    # -- What comes ---------------------------------------------------------------------------

    def take(self, message: Message) -> None:
        """Take the next message of the stream."""
        header = message.header
        continues = header.log_id == self._log_id and header.previous == self._last_seq
        if not continues:
            self._lose(header.log_id)
        self._last_seq = header.seq
        if self.is_exact:
            self._apply(message)
        elif len(self._kept) < KEPT_MESSAGES_MAX:
            self._kept.append(message)
        else:
            self._kept = [message]

    def take_heartbeat(self, place: StreamPlace) -> None:
        """Take what the venue says it has sent: a lost last message is noticed here."""
        if place.log_id != self._log_id or place.seq != self._last_seq:
            self._lose(place.log_id)
            self._last_seq = place.seq

    def take_statistics(self, market: dict[str, Any]) -> None:
        """Take the day so far: a product that was declared since the snapshot is met here first."""
        self.market = market
        for entry in market["products"]:
            if self.is_exact and entry["product_index"] not in self._names:
                self._product_add(entry)

    def take_snapshot(self, header: SnapshotHeader, changes: np.ndarray) -> bool:
        """Take one message of a snapshot; return whether the books are exact now.

        False means that more messages of it must come, or that it does not fit what is known of
        the stream: then another has to be asked for.
        """
        if header.part == 0:
            self._snapshot = []
        elif len(self._snapshot) != header.part or self._snapshot[0][0].seq != header.seq:
            return False
        self._snapshot.append((header, changes.tolist()))
        if header.part + 1 < header.parts or self.is_exact or header.log_id != self._log_id:
            return self.is_exact
        kept = [message for message in self._kept if message.header.seq > header.seq]
        if kept[0].header.previous != header.seq if kept else header.seq < self._last_seq:
            return False
        self._begin(self._snapshot[0][0])
        for _, rows in self._snapshot:
            self._change(rows)
        self._snapshot, self._kept = [], []
        for message in kept:
            self._apply(message)
        return True

    def _lose(self, log_id: str) -> None:
        if self._log_id is not None:
            self.gaps += 1
        self._log_id = log_id
        self._kept = []
        self.is_exact = False

    def _begin(self, header: SnapshotHeader) -> None:
        market = self.market = header.market
        self.is_exact, self.seq = True, header.seq
        self.snapshots += 1
        self.phase = Phase[market["phase"].upper()]
        self.trading_date, self.halted = market["trading_date"], market["halted"]
        self.products, self._names, self._books, self._blocks = {}, {}, {}, {}
        for entry in market["products"]:
            self._product_add(entry)

    def _product_add(self, entry: dict[str, Any]) -> None:
        self._band_set(Band(**{field: entry[field] for field in Band.__struct_fields__}))
        state = self.products[entry["product"]]
        state.halted, state.listed = entry["halted"], entry.get("listed", True)

    def _band_set(self, band: Band) -> None:
        self._names[band.product_index] = band.product
        state = self.products.setdefault(band.product, ProductState(band))
        state.band = band

    def _apply(self, message: Message) -> None:
        if message.header.seq <= self.seq:
            return
        for band in message.header.bands:
            self._band_set(band)
        for row in message.records:
            self._follow(row)
        self._change(message.changes)
        self.seq = message.header.seq

    def _follow(self, row: np.void) -> None:
        self.phase = Phase(int(row["phase"]))
        if row["kind"] == EventKind.DAY_OPENED:
            self.trading_date = int(row["trading_date"])
        elif row["kind"] == EventKind.DAY_CLOSED:
            self.trading_date = 0
        elif row["kind"] in (EventKind.HALTED, EventKind.RESUMED):
            halted = bool(row["kind"] == EventKind.HALTED)
            if row["product_index"] == PRODUCT_NONE:
                self.halted = halted
            elif (name := self._names.get(int(row["product_index"]))) is not None:
                self.products[name].halted = halted
        elif row["kind"] in (EventKind.PRODUCT_LISTED, EventKind.PRODUCT_DELISTED):
            if (name := self._names.get(int(row["product_index"]))) is not None:
                self.products[name].listed = bool(row["kind"] == EventKind.PRODUCT_LISTED)
        elif row["kind"] in _BLOCK_ENTRIES:
            fields = ("product_index", "side", "price", "tonnes")
            product, side, price, tonnes = (int(row[field]) for field in fields)
            is_enquiry = bool(row["kind"] == EventKind.BLOCK_ENQUIRED)
            self._blocks[int(row["order_id"])] = (product, side, price, tonnes, is_enquiry)
        elif row["kind"] in _BLOCK_ENDS:
            # Whatever other order a trade is of is no block.
            self._blocks.pop(int(row["order_id"]), None)

    def _change(self, changes: Iterable[tuple[Any, ...]]) -> None:
        for kind, side, product_index, count, price, tonnes, order_id, priority in changes:
            if kind in _BLOCK_KINDS:
                is_enquiry = kind == BookChangeKind.BLOCK_ENQUIRY
                self._blocks[order_id] = (product_index, side, price, tonnes, is_enquiry)
                continue
            book = self._books.setdefault(product_index, _BookState())
            if kind == BookChangeKind.LEVEL:
                book.level_set(side, price, tonnes, count)
            else:
                book.order_set(side, order_id, price, tonnes, priority)

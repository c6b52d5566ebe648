"""The public stream: one chain of messages, each from one state of the market to a later one.

    released events -> feed.note ... feed.cut -> [previous, seq] -> PUB

Between two cuts nothing is sent, so what the stream costs goes with time and not with the load.
A cut has every trade there was, and of the books what differs.
"""

from collections.abc import Callable
from typing import Any, Protocol

import msgspec
import numpy as np

from cea_exchange.domain.documents.bulletin import Bulletin
from cea_exchange.domain.documents.bulletin_forms import bulletin_document
from cea_exchange.domain.records import (
    BOOK_CHANGE_DTYPE,
    MARKET_DATA_DTYPE,
    BookChangeKind,
    EventKind,
    Method,
    Side,
)
from cea_exchange.protocol.framing import (
    TOPIC_BULLETIN,
    TOPIC_DEPTH,
    TOPIC_HEARTBEAT,
    TOPIC_MARKET_DATA,
    TOPIC_STATISTICS,
    Band,
    CutHeader,
    SnapshotHeader,
    StreamPlace,
    market_data_records,
)
from cea_exchange.venue.market import public_maps
from cea_exchange.venue.market.state_machine import VenueStateMachine

PUBLIC_ROWS_MAX = 8_192
CHANGE_ROWS_MAX = 16_384
CUT_PAUSE_FACTOR = 20
"""Cuts are made in at most a twentieth of the time, even where levels of very many orders come into
view again and again; not so where every batch has its cut."""
LEVELS_ALL = 1 << 31
TONNES_MAX = (1 << 63) - 1

# Kinds are bytes, and bytes are searched faster than arrays where batches are small.
_DAY_CLOSED = bytes([EventKind.DAY_CLOSED])
_BAND_KINDS = (EventKind.DAY_OPENED, EventKind.DAY_CLOSED, EventKind.REFERENCE_PRICE_CHANGED)
_ORDER_KINDS = (
    EventKind.ORDER_RESTED,
    EventKind.ORDER_AMENDED,
    EventKind.ORDER_CANCELED,
    EventKind.ORDER_EXPIRED,
)


class Feed(Protocol):
    """What a market shows, as it changes; see `cea_exchange.venue._market_data.MarketFeed`."""

    @property
    def bands_moved(self) -> bool:
        """Whether a band may have changed since the last cut."""

    def note(self, events: np.ndarray) -> None:
        """Take note of events."""

    def cut(self) -> tuple[bytes, bytes]:
        """Return MarketData and BookChange records since the last cut."""

    def snapshot(self) -> bytes:
        """Return all that is in view as BookChange records."""

    def moved_products(self) -> list[int]:
        """Return the products whose books were touched since last asked."""


def feed_of(core: Any, levels_max: int, product_count: Callable[[], int]) -> Feed:
    """Return the feed of a market: the compiled one of a compiled market."""
    from cea_exchange.core.market import CompiledMarket
    from cea_exchange.venue._market_data import MarketFeed

    if isinstance(core, CompiledMarket):
        return MarketFeed(core, levels_max)
    return PlainFeed(core, levels_max, product_count)


class PlainFeed:
    """The feed in plain Python, for the reference market: compares whole books.

    Notes
    -----
    Rules: CEA-LST-09, OPEN-MKT-03.
    """

    def __init__(self, core: Any, levels_max: int, product_count: Callable[[], int]) -> None:
        self.bands_moved = False
        self._product_count = product_count
        self._core = core
        self._levels_max = levels_max or LEVELS_ALL
        self._public: list[bytes] = []
        self._moved: set[int] = set()
        self._shown: dict[tuple, tuple] = self._view()

    def note(self, events: np.ndarray) -> None:
        """Take note of events."""
        self._public.append(market_data_records(events).tobytes())
        in_books = np.isin(events["kind"], _ORDER_KINDS)
        in_books |= (events["kind"] == EventKind.TRADE) & (events["method"] == Method.LISTED)
        self._moved.update(np.unique(events["product_index"][in_books]).tolist())
        self.bands_moved |= bool(np.isin(events["kind"], _BAND_KINDS).any())

    def cut(self) -> tuple[bytes, bytes]:
        """Return MarketData and BookChange records since the last cut."""
        public = b"".join(self._public)
        before, now = self._shown, self._view()
        gone = [key for key in before if key not in now]
        news = [(key, value) for key, value in now.items() if before.get(key) != value]
        self._shown, self._public, self.bands_moved = now, [], False
        return public, _changes([*((key, (0, 0, 0)) for key in gone), *news])

    def snapshot(self) -> bytes:
        """Return all that is in view as BookChange records."""
        if self._public:
            raise RuntimeError("a snapshot must follow a cut, events were noted since")
        return _changes(list(self._shown.items()))

    def moved_products(self) -> list[int]:
        """Return the products whose books were touched since last asked."""
        moved = sorted(self._moved)
        self._moved.clear()
        return moved

    def _view(self) -> dict[tuple, tuple]:
        """Return every row of the books in view: by whom it is about, how that stands."""
        levels: dict[tuple, tuple] = {}
        orders: dict[tuple, tuple] = {}
        for product_index in range(self._product_count()):
            for side in Side:
                book = (int(side), product_index)
                for price, tonnes, count in self._core.depth(*book[::-1], self._levels_max):
                    shown = (count, min(tonnes, TONNES_MAX), 0)
                    levels[BookChangeKind.LEVEL, *book, price, 0] = shown
                    for order_id in self._core.orders_at(product_index, side, price):
                        order = self._core.order(order_id)
                        shown = (price, order["tonnes_open"], order["priority"])
                        orders[BookChangeKind.ORDER, *book, 0, order_id] = shown
        return levels | orders


def _changes(shown: list[tuple[tuple, tuple]]) -> bytes:
    """Return BookChange records, those of levels first; (0, 0, 0) is out of view."""
    rows = np.zeros(len(shown), BOOK_CHANGE_DTYPE)
    for row, (key, value) in zip(rows, sorted(shown, key=lambda one: -one[0][0]), strict=True):
        row["kind"], row["side"], row["product_index"], row["price"], row["order_id"] = key
        if row["kind"] == BookChangeKind.LEVEL:
            row["order_count"], row["tonnes"], _ = value
        else:
            row["price"], row["tonnes"], row["priority"] = value
    return rows.tobytes()


# -- The stream -----------------------------------------------------------------------------------


class MarketDataPublisher:
    """Sends what everybody may see.

    Parameters
    ----------
    machine, log_id
        Whose events, and of which journal.
    send
        Publishes a message, frame by frame.
    interval_ms
        Public data goes out at most once in so long; 0 is with every batch.
    now_s
        A clock that never goes back.
    spent_s
        What the thread has spent on a processor: waiting for one is no reason for a pause.

    Attributes
    ----------
    seq : int
        Up to which event the stream has published the market.
    """

    def __init__(
        self,
        machine: VenueStateMachine,
        log_id: str,
        send: Callable[[list[bytes]], object],
        *,
        interval_ms: int,
        now_s: Callable[[], float],
        spent_s: Callable[[], float],
    ) -> None:
        self.seq = machine.core.event_seq
        self._machine = machine
        self._log_id = log_id
        self._send_frames = send
        self._interval_s = interval_ms / 1000
        self._now_s = now_s
        self._spent_s = spent_s
        self._feed = feed_of(
            machine.core, machine.profile.public_levels, lambda: len(machine.product_names)
        )
        self._due_s = now_s()
        self._noted_seq = self._cut_seq = self.seq
        self._market_data_seq = machine.core.market_data_seq
        self._statistics: dict[str, Any] = {}

    def publish(self, *released: np.ndarray) -> None:
        """Take events that are on disk, all in order, and send what is due."""
        closes = False
        for events in released:
            if len(events):
                self._feed.note(events)
                self._noted_seq = int(events["seq"][-1])
                if self._feed.bands_moved:
                    closes = closes or _DAY_CLOSED in events["kind"].tobytes()
        if closes:
            self.cut()
        self.turn()

    def bulletin(self, bulletin: Bulletin) -> None:
        """Send a day's bulletin."""
        self._tell(TOPIC_BULLETIN, msgspec.to_builtins(bulletin_document(bulletin)))

    def turn(self) -> None:
        """Send what has become public, if it is time to."""
        if self._noted_seq != self._cut_seq and self._now_s() >= self._due_s:
            self.cut()

    def cut(self) -> None:
        """Send all that has become public since the last cut; nothing if nothing has.

        Raises
        ------
        RuntimeError
            The market is ahead of the events that were released: what its books hold may not be
            on disk.
        """
        if self._noted_seq == self._cut_seq:
            return
        core = self._machine.core
        if core.event_seq != self._noted_seq:
            raise RuntimeError(
                f"market data: events are released up to {self._noted_seq}, the market is at "
                f"{core.event_seq}"
            )
        began_s = self._spent_s()
        bands = public_maps.bands(self._machine) if self._feed.bands_moved else []
        public, changes = self._feed.cut()
        self._cut_seq = self._noted_seq
        if public or changes:
            self._send(public, changes, tuple(bands))
            self.seq = self._cut_seq
            self._market_data_seq = core.market_data_seq
        pause_s = CUT_PAUSE_FACTOR * (self._spent_s() - began_s)
        self._due_s = self._now_s() + (max(self._interval_s, pause_s) if self._interval_s else 0)

    def snapshot(self) -> list[tuple[bytes, bytes]]:
        """Bring the stream up to now and return all messages of a snapshot: header, records."""
        self.cut()
        rows = self._feed.snapshot() + public_maps.open_blocks(self._machine).tobytes()
        runs = _runs(rows, CHANGE_ROWS_MAX * BOOK_CHANGE_DTYPE.itemsize)
        messages = []
        for part, run in enumerate(runs):
            header = SnapshotHeader(
                log_id=self._log_id,
                seq=self.seq,
                market_data_seq=self._market_data_seq,
                part=part,
                parts=len(runs),
                market={} if part else public_maps.market(self._machine),
            )
            messages.append((msgspec.msgpack.encode(header), run))
        return messages

    def market(self) -> dict[str, Any]:
        """Return phase, halts, bands and statistics, and as of which event."""
        place = {"log_id": self._log_id, "seq": self._machine.core.event_seq}
        return place | public_maps.market(self._machine)

    def depth(self, product_index: int) -> dict[str, Any]:
        """Return the five best levels of both sides."""
        return public_maps.depth(self._machine, product_index)

    def product_index(self, name: str) -> int | None:
        """Return a product's index; None if there is none of that name."""
        product_index = self._machine.product_index(name)
        return product_index if product_index < len(self._machine.product_names) else None

    def heartbeat(self) -> None:
        """Say how far the stream is; send the depths and statistics that changed."""
        self.turn()
        for product_index in self._feed.moved_products():
            self._tell(TOPIC_DEPTH, self.depth(product_index))
        statistics = public_maps.market(self._machine)
        if statistics != self._statistics:
            self._statistics = statistics
            self._tell(TOPIC_STATISTICS, self.market())
        self._tell(TOPIC_HEARTBEAT, StreamPlace(self._log_id, self.seq, self._market_data_seq))

    def close(self) -> None:
        """Send what has become public before the socket goes, unless it may not be on disk."""
        if self._machine.core.event_seq == self._noted_seq:
            self.cut()

    def _send(self, public: bytes, changes: bytes, bands: tuple[Band, ...]) -> None:
        public_runs = _runs(public, PUBLIC_ROWS_MAX * MARKET_DATA_DTYPE.itemsize)
        change_runs = _runs(changes, CHANGE_ROWS_MAX * BOOK_CHANGE_DTYPE.itemsize)
        parts = max(len(public_runs), len(change_runs))
        for part in range(parts):
            header = CutHeader(
                log_id=self._log_id,
                previous=self.seq,
                seq=self._cut_seq,
                part=part,
                parts=parts,
                bands=() if part else bands,
            )
            frames = [TOPIC_MARKET_DATA, msgspec.msgpack.encode(header)]
            for runs in (public_runs, change_runs):
                frames.append(runs[part] if part < len(runs) else b"")
            self._send_frames(frames)

    def _tell(self, topic: bytes, value: Any) -> None:
        self._send_frames([topic, msgspec.msgpack.encode(value)])


def _runs(records: bytes, bytes_max: int) -> list[bytes]:
    """Return records in runs that each fit a frame; at least one."""
    if len(records) <= bytes_max:
        return [records]
    return [records[first : first + bytes_max] for first in range(0, len(records), bytes_max)]

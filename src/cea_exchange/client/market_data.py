"""Public market data over ZeroMQ: trades, phases, books, depths, statistics, the bulletin."""

import time
from collections.abc import Iterator
from typing import Any, Self

import msgspec
import numpy as np
import zmq

from cea_exchange.client.book import Book, MarketBooks, Message, PublicBlock
from cea_exchange.client.connecting import not_connected
from cea_exchange.client.session import Uncopied
from cea_exchange.domain.records import BOOK_CHANGE_DTYPE, MARKET_DATA_DTYPE
from cea_exchange.protocol.connection import ConnectionMonitor, Reached
from cea_exchange.protocol.framing import (
    CutHeader,
    cut_header_decode,
    snapshot_header_decode,
    stream_place_decode,
)
from cea_exchange.protocol.security import CurveKeys, client_connect, client_socket

TOPICS = ("md", "depth", "stats", "bulletin", "hb")
ASK_AGAIN_S = 1.0


class MarketDataClient(Uncopied):
    """A subscriber to a venue's public stream.

    Parameters
    ----------
    endpoint : str
        Address of the venue's market-data socket.
    keys : CurveKeys
        The subscriber's own key pair; any will do where the venue's market data is public.
    server_key : str
        The venue's public key (z85).
    topics : tuple of str
        Which to take: `md` (records), `depth`, `stats`, `bulletin`, `hb` (heartbeat). Books need
        `md` and `hb`.
    snapshot_endpoint : str, optional
        Address of the venue's snapshot socket. With it, `poll` keeps the books.
    context : zmq.Context, optional

    Attributes
    ----------
    books : MarketBooks
        What the stream and a snapshot give: books, phase, halts, bands; how many gaps there were.
    market_data_seq : int
        Number of the last public record seen; 0 before the first.
    missed : int
        Numbers that never came. A late joiner misses nothing: numbering starts with what it sees.
    """

    def __init__(
        self,
        endpoint: str,
        keys: CurveKeys,
        server_key: str,
        *,
        topics: tuple[str, ...] = TOPICS,
        snapshot_endpoint: str | None = None,
        context: zmq.Context[Any] | None = None,
    ):
        context = context or zmq.Context.instance()
        self.books = MarketBooks()
        self.market_data_seq = 0
        self.missed = 0
        self._parts: list[tuple[CutHeader, bytes, bytes]] = []
        self._poller = zmq.Poller()
        self._endpoint, self._keys, self._server_key = endpoint, keys, server_key
        self._socket = client_socket(context, zmq.SUB, keys=keys, server_key=server_key)
        self._monitor = ConnectionMonitor(self._socket)
        for topic in topics:
            self._socket.subscribe(topic.encode())
        client_connect(self._socket, endpoint)
        self._poller.register(self._socket, zmq.POLLIN)
        self._snapshot_socket: zmq.Socket[Any] | None = None
        self._ask_s = 0.0
        if snapshot_endpoint is not None:
            socket = client_socket(context, zmq.DEALER, keys=keys, server_key=server_key)
            client_connect(socket, snapshot_endpoint)
            self._poller.register(socket, zmq.POLLIN)
            self._snapshot_socket = socket

    def __repr__(self) -> str:
        exact = "exact" if self.books.is_exact else "not exact"
        return (
            f"<{type(self).__name__} at {self._endpoint}: record {self.market_data_seq}, "
            f"{self.missed} missed, books {exact}>"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def poll(self, timeout_s: float = 0.0) -> list[tuple[str, Any]]:
        """Return pairs of topic and value, waiting at most `timeout_s` for the first.

        `md` has an ndarray of MARKET_DATA_DTYPE (empty where a message changed books only), the
        other topics a dict. A snapshot is asked for and taken along the way.
        """
        received: list[tuple[str, Any]] = []
        until_s = time.monotonic() + timeout_s
        while not received:
            left_ms = max(0, int((until_s - time.monotonic()) * 1000))
            self._snapshot_ask()
            ready = dict(self._poller.poll(min(left_ms, int(ASK_AGAIN_S * 1000))))
            if self._socket in ready:
                self._take_stream(received)
            if self._snapshot_socket is not None and self._snapshot_socket in ready:
                self._take_snapshot(self._snapshot_socket)
            if left_ms == 0:
                break
        self._snapshot_ask()
        self._monitor.reached()
        return received

    def messages(self, *, timeout_s: float) -> Iterator[tuple[str, Any]]:
        """Iterate over what comes; end after `timeout_s` without anything."""
        while received := self.poll(timeout_s):
            yield from received

    def book(self, product: str) -> Book:
        """Return a product's book as of `books.seq`.

        Raises
        ------
        LookupError
            The books are not exact (no snapshot yet, or a gap since), or there is no such product.
        """
        return self.books.book(product)

    def blocks(self) -> list[PublicBlock]:
        """Return the blocks that are open to all as of `books.seq`; LookupError as `book`."""
        return self.books.blocks()

    def await_books(self, timeout_s: float) -> None:
        """Poll until the books are exact.

        Raises
        ------
        TimeoutError
            They are not in time; `NotConnected`, which says why, if there is no stream at all.
        """
        until_s = time.monotonic() + timeout_s
        while not self.books.is_exact:
            if time.monotonic() >= until_s:
                reached = self._monitor.reached()
                if reached is not Reached.LET_IN:
                    raise not_connected(
                        "the books",
                        reached,
                        address=self._endpoint,
                        key=self._keys.public,
                        server_key=self._server_key,
                    )
                raise TimeoutError(f"no snapshot that fits the stream within {timeout_s} s")
            self.poll(0.05)

    def close(self) -> None:
        """Close the sockets."""
        self._monitor.close()
        self._socket.close(0)
        if self._snapshot_socket is not None:
            self._snapshot_socket.close(0)

    # -- The stream ---------------------------------------------------------------------------

    def _take_stream(self, received: list[tuple[str, Any]]) -> None:
        while True:
            try:
                topic, *frames = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._take(topic, frames, received)

    def _take(self, topic: bytes, frames: list[bytes], received: list[tuple[str, Any]]) -> None:
        if topic == b"md":
            self._take_part(frames, received)
            return
        if topic == b"hb":
            place = stream_place_decode(frames[0])
            self.books.take_heartbeat(place)
            self._count(place.market_data_seq)
        value = msgspec.msgpack.decode(frames[0])
        if topic == b"stats":
            self.books.take_statistics(value)
        received.append((topic.decode(), value))

    def _take_part(self, frames: list[bytes], received: list[tuple[str, Any]]) -> None:
        header = cut_header_decode(frames[0])
        if header.part == 0:
            self._parts = []
        elif len(self._parts) != header.part or self._parts[0][0].seq != header.seq:
            # One before it is lost; the next whole message will not continue the chain.
            return
        self._parts.append((header, frames[1], frames[2]))
        if len(self._parts) < header.parts:
            return
        records = np.frombuffer(b"".join(part[1] for part in self._parts), MARKET_DATA_DTYPE)
        changes = np.frombuffer(b"".join(part[2] for part in self._parts), BOOK_CHANGE_DTYPE)
        for seq in records["market_data_seq"].tolist():
            self._count(seq - 1)
            self.market_data_seq = max(self.market_data_seq, seq)
        if self._snapshot_socket is not None:
            self.books.take(Message(self._parts[0][0], records, changes.tolist()))
        self._parts = []
        received.append(("md", records))

    def _count(self, seq: int) -> None:
        """Everything up to `seq` was sent: what of it has not come does not come any more."""
        if self.market_data_seq:
            self.missed += max(0, seq - self.market_data_seq)
        self.market_data_seq = max(self.market_data_seq, seq)

    # -- The snapshot -------------------------------------------------------------------------

    def _snapshot_ask(self) -> None:
        now_s = time.monotonic()
        if self._snapshot_socket is None or not self.books.wants_snapshot or now_s < self._ask_s:
            return
        self._ask_s = now_s + ASK_AGAIN_S
        try:
            self._snapshot_socket.send(msgspec.msgpack.encode({"op": "snapshot"}), zmq.NOBLOCK)
        except zmq.Again:
            # Not connected yet, or refused: asked again later.
            return

    def _take_snapshot(self, socket: zmq.Socket[Any]) -> None:
        while True:
            try:
                frames = socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            if len(frames) != 2:
                continue
            header = snapshot_header_decode(frames[0])
            rows = np.frombuffer(frames[1], BOOK_CHANGE_DTYPE)
            if self.books.take_snapshot(header, rows) or header.part + 1 == header.parts:
                self._ask_s = 0.0

"""Public market data over ZeroMQ: trades, phases, five levels, the bulletin."""

from collections.abc import Iterator
from typing import Self

import msgspec
import numpy as np
import zmq

from cea_exchange.domain.records import MARKET_DATA_DTYPE
from cea_exchange.protocol.security import CurveKeys, client_socket

TOPICS = ("md", "depth", "bulletin", "hb")


class MarketDataClient:
    """A subscriber to a venue's public stream.

    Parameters
    ----------
    endpoint : str
        Address of the venue's market-data socket.
    keys : CurveKeys
        The subscriber's own key pair.
    server_key : str
        The venue's public key (z85).
    topics : tuple of str
        Which to take: `md` (records), `depth`, `bulletin`, `hb` (heartbeat).
    context : zmq.Context, optional

    Attributes
    ----------
    market_data_seq : int
        Last number seen; 0 before the first.
    missed : int
        Numbers that never came. A late joiner misses nothing: numbering starts with what it sees.
    """

    def __init__(
        self, endpoint: str, keys: CurveKeys, server_key: str, *, topics=TOPICS, context=None
    ):
        self.market_data_seq = 0
        self.missed = 0
        self._socket = client_socket(
            context or zmq.Context.instance(), zmq.SUB, keys=keys, server_key=server_key
        )
        for topic in topics:
            self._socket.subscribe(topic.encode())
        self._socket.connect(endpoint)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def poll(self, timeout_s: float = 0.0) -> list[tuple[str, object]]:
        """Return what came: pairs of topic and value, waiting at most `timeout_s` for the first.

        `md` has an ndarray of MARKET_DATA_DTYPE, the other topics a dict.
        """
        came = []
        if not self._socket.poll(int(timeout_s * 1000)):
            return came
        while True:
            try:
                topic, payload = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return came
            came.append((topic.decode(), self._value(topic, payload)))

    def messages(self, *, timeout_s: float) -> Iterator[tuple[str, object]]:
        """Iterate over what comes; end after `timeout_s` without anything."""
        while came := self.poll(timeout_s):
            yield from came

    def close(self) -> None:
        """Close the socket."""
        self._socket.close(0)

    def _value(self, topic: bytes, payload: bytes):
        if topic != b"md":
            return msgspec.msgpack.decode(payload)
        records = np.frombuffer(payload, MARKET_DATA_DTYPE)
        for seq in records["market_data_seq"].tolist():
            if self.market_data_seq and seq > self.market_data_seq + 1:
                self.missed += seq - self.market_data_seq - 1
            self.market_data_seq = max(self.market_data_seq, seq)
        return records

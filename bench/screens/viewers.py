"""How late viewers of the board are, and what many of them cost.

Each viewer is a connection of its own that reads all that it is sent. An event's lateness at a
viewer: from when a subscriber to the public stream had it, to when what that viewer was sent shows
it or a later one. Trades are identified by their number, sums by the tonnes traded so far.
"""

import multiprocessing
import re
import selectors
import socket
import threading
import time
import zlib
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from bench.screens.market import PRODUCT, Trading
from bench.screens.serving import served
from cea_exchange.client import MarketDataClient
from cea_exchange.domain.records import EventKind
from cea_exchange.loadtest.local_exchange import LocalExchange
from cea_exchange.protocol.security import CurveKeys

CHANNELS = (
    *("status", "composite", "products", "notices", "blocks"),
    *(f"{kind}.{PRODUCT}" for kind in ("quote", "book", "trades", "bars")),
)
"""Those of the market's page."""
SIGHTS = {
    "trades": re.compile(rb'data-trade="([0-9]+)"'),
    "volume": re.compile(rb'id="volume-CEA24"[^>]*>([0-9,]+)<'),
}
"""What a viewer sees of how far the market is; the first in a message is the newest."""
SEEN_EVERY = 20
"""Of so many viewers one is read to the digit; the others are read and thrown away."""
SETTLE_S = 3.0
LOOK_S = 1.0


class Reference:
    """When a subscriber to the public stream had which trade, and so many tonnes traded."""

    def __init__(self, exchange: LocalExchange) -> None:
        self.trades: list[tuple[float, int]] = []
        self.volume: list[tuple[float, int]] = []
        self._client = MarketDataClient(
            exchange.endpoint("venue", "market_data"),
            CurveKeys.new(),
            exchange.endpoint("venue", "market_data_public_key"),
            topics=("md", "stats"),
        )
        self._is_over = False
        self._tonnes: int | None = None
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def _follow(self) -> None:
        while not self._is_over:
            for topic, value in self._client.poll(0.05):
                if topic == "md":
                    self._take(value, time.monotonic())
                elif self._tonnes is None:
                    self._tonnes = value["products"][0]["volume"]["listed"]
        self._client.close()

    def _take(self, records: Any, now_s: float) -> None:
        trades = records[records["kind"] == EventKind.TRADE]
        if len(trades):
            self.trades.append((now_s, int(trades["trade_id"][-1])))
            if self._tonnes is not None:
                self._tonnes += int(trades["tonnes"].sum())
                self.volume.append((now_s, self._tonnes))

    def close(self) -> None:
        """Follow no more."""
        self._is_over = True
        self._thread.join()


class Connected:
    """A viewer whose stream is read to the digit: head, chunks, gzip, and what is seen in it."""

    def __init__(self) -> None:
        self.sights: dict[str, list[tuple[float, int]]] = {name: [] for name in SIGHTS}
        self._raw = b""
        self._text = b""
        self._has_head = False
        self._packed = zlib.decompressobj(16 + zlib.MAX_WBITS)

    def take(self, data: bytes, now_s: float) -> None:
        """Take what was received."""
        self._raw += data
        if not self._has_head:
            head, end, rest = self._raw.partition(b"\r\n\r\n")
            if not end:
                return
            assert b" 200 " in head and b"content-encoding: gzip" in head, head
            self._has_head, self._raw = True, rest
        while b"\r\n" in self._raw:
            size, _, rest = self._raw.partition(b"\r\n")
            if len(rest) < int(size, 16) + 2:
                break
            self._text += self._packed.decompress(rest[: int(size, 16)])
            self._raw = rest[int(size, 16) + 2 :]
        whole, end, self._text = self._text.rpartition(b"\n\n")
        for name, pattern in SIGHTS.items():
            for event in whole.split(b"\n\n"):
                if found := pattern.search(event):
                    self.sights[name].append((now_s, int(found[1].replace(b",", b""))))


def _view(address: str, count: int, stuck: int, there: Connection) -> None:
    """Look over many connections, some of which never read, until the parent asks it to end."""
    host, port = address.removeprefix("http://").rstrip("/").split(":")
    query = "&".join(f"c={name}" for name in CHANNELS)
    request = (
        f"GET /stream?{query}&lang=en HTTP/1.1\r\nHost: {host}:{port}\r\n"
        "Accept-Encoding: gzip\r\n\r\n"
    ).encode()
    selector, seen = selectors.DefaultSelector(), {}
    stopped = [_opened(host, int(port), request) for _ in range(stuck)]
    for number in range(count):
        connection = _opened(host, int(port), request)
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ, number)
        if number % SEEN_EVERY == 0:
            seen[number] = Connected()
    there.send("ready")
    read = 0
    while not there.poll():
        for key, _ in selector.select(0.1):
            data = key.fileobj.recv(262_144)  # type: ignore[union-attr]
            read += len(data)
            if not data:
                selector.unregister(key.fileobj)
            elif key.data in seen:
                seen[key.data].take(data, time.monotonic())
    there.send(([each.sights for each in seen.values()], read, len(selector.get_map())))
    for each in stopped:
        each.close()


def _opened(host: str, port: int, request: bytes) -> socket.socket:
    connection = socket.create_connection((host, port), 30)
    connection.sendall(request)
    return connection


def lateness_ms(happened: list[tuple[float, int]], seen: list[tuple[float, int]]) -> np.ndarray:
    """Return how late a viewer saw each thing that happened between its first and last sight."""
    at_s, what = (np.array(column) for column in zip(*happened, strict=True))
    seen_s, seen_what = (np.array(column) for column in zip(*seen, strict=True))
    among = (what > seen_what[0]) & (what <= seen_what[-1])
    first = np.searchsorted(seen_what, what[among])
    return np.maximum(0.0, 1_000 * (seen_s[first] - at_s[among]))


def memory_mib(process_id: int) -> float:
    """Return what a process has in memory."""
    status = Path(f"/proc/{process_id}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


def processor_s(process_id: int) -> float:
    """Return how long a process has had a processor."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def board_measured(
    exchange: LocalExchange,
    trading: Trading,
    *,
    viewers: int,
    stuck: int,
    seconds: float,
    speed: float,
) -> dict[str, Any]:
    """Measure the board: lateness, memory, and what viewers cost the venue.

    Parameters
    ----------
    viewers, stuck
        How many read, and how many more never do.
    seconds
        How long they look, and how long the same is traded without any before.
    speed
        Market time in a second of it.
    """
    without = trading.run(min(seconds, 30.0))
    with served("board", "serve", "--data", exchange.data) as (address, process_id):
        reference = Reference(exchange)
        here, there = multiprocessing.Pipe()
        looking = multiprocessing.get_context("spawn").Process(
            target=_view, args=(address, viewers, stuck, there), daemon=True
        )
        looking.start()
        try:
            assert here.recv() == "ready"
            time.sleep(SETTLE_S)
            trading.begin(seconds)
            memory, processor = _monitored(exchange, process_id, seconds, speed)
            with_viewers = trading.ended()
            here.send("end")
            sights, read, left = here.recv()
            looking.join()
        finally:
            reference.close()
    late = {
        name: np.concatenate(
            [lateness_ms(getattr(reference, name), each[name]) for each in sights]
        )
        for name in SIGHTS
    }
    assert left == viewers, f"{viewers - left} viewers were let go of that had read all"
    return {
        "viewers": viewers,
        "viewers_that_never_read": stuck,
        "lateness_judged": {name: len(found) for name, found in late.items()},
        **{
            f"{name}_late_ms_p{share}": round(float(np.percentile(found, share)))
            for name, found in late.items()
            for share in (50, 99)
        },
        "mbit_per_s": round(8 * read / 1e6 / seconds, 1),
        "board_processor_share": processor,
        "board_mib": memory,
        "venue_without_viewers": without,
        "venue_with_viewers": with_viewers,
    }


def _monitored(
    exchange: LocalExchange, process_id: int, seconds: float, speed: float
) -> tuple[dict[str, int], float]:
    """Let market time run; return the board's memory and its share of a processor."""
    before_s, began_s = processor_s(process_id), time.monotonic()
    found = []
    while (passed_s := time.monotonic() - began_s) < seconds:
        found.append(memory_mib(process_id))
        if speed > 1:
            at = f"2025-01-02T{_clock(9 * 3_600 + 1_800 + speed * passed_s)}+08:00"
            exchange.operate("clock", at=at)
        time.sleep(LOOK_S)
    tenth = max(1, len(found) // 10)
    memory = {
        "after_a_tenth": round(found[tenth]),
        "half": round(found[len(found) // 2]),
        "last": round(found[-1]),
        "most": round(max(found)),
    }
    return memory, round((processor_s(process_id) - before_s) / seconds, 2)


def _clock(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{second:02}"

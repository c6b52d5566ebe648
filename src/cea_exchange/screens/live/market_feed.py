"""The market from its public stream: products, books, trades, bars, notices of the day.

One task takes in what comes, about fifty times a second; nothing else here waits for anything.
Records bear no time of day: a trade's is that of its arrival here.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import structlog

from cea_exchange.client import Book, MarketDataClient
from cea_exchange.control_plane.client import NO_ENDPOINTS
from cea_exchange.domain.records import EventKind, Method, Phase, Side
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.user_files.formats import json_read

POLL_S = 0.02
STALE_S = 3.0
"""Nothing heard for so long: what is shown is called stale."""
AWAY_S = 10.0
"""Nothing heard for so long: the connection is made anew; at once where the address has changed.

Trades that come between two connections are not seen.
"""
LOOK_S = 0.5
TRADES_KEPT = 50
BARS_KEPT = 600
BAR_S = 60

_NOTICES = {
    EventKind.DAY_OPENED: "day_opened",
    EventKind.PHASE_CHANGED: "phase_changed",
    EventKind.DAY_CLOSED: "day_closed",
    EventKind.HALTED: "halted",
    EventKind.RESUMED: "resumed",
    EventKind.REFERENCE_PRICE_CHANGED: "reference_price_changed",
    EventKind.PRODUCT_LISTED: "product_listed",
    EventKind.PRODUCT_DELISTED: "product_delisted",
    EventKind.TRADE_BUSTED: "trade_busted",
    EventKind.BIDDING_OPENED: "bidding_opened",
    EventKind.BIDDING_CLOSED: "bidding_closed",
    EventKind.BIDDING_CANCELED: "bidding_canceled",
}
NOTICES_KEPT = 60
_SHOWN = np.array(
    [
        *_NOTICES,
        EventKind.TRADE,
        *(kind for kind in EventKind if kind.name.startswith("BLOCK_")),
    ]
)
"""Of most records, those of orders, only the books are shown."""

log = structlog.get_logger("screens")


class Trade(NamedTuple):
    """A public trade; `taker` is the side that took."""

    trade_id: int
    product: str
    price: int
    tonnes: int
    method: Method
    taker: str
    at_ns: int
    is_busted: bool = False


class Bar(NamedTuple):
    """A minute's listed trades: when it begins (s since 1970), prices in fen, tonnes."""

    at_s: int
    open: int
    high: int
    low: int
    close: int
    volume: int


class Notice(NamedTuple):
    """Something that concerns the day itself; `kind` names its text, `notice.KIND`."""

    kind: str
    product: str
    phase: str
    price: int
    at_ns: int


class Source(NamedTuple):
    """Where public market data is served."""

    endpoint: str
    snapshot_endpoint: str
    server_key: str


class MarketFeed:
    """What everybody may see of a market, as of now.

    Parameters
    ----------
    source
        Tells where market data is served; asked again at each new connection, OSError while it is
        not known.
    changed
        Called with the name of what has changed (`market`, `book.CEA24`, `trades.CEA24`,
        `bars.CEA24`, `notices`, `blocks`, `bulletin`).

    Attributes
    ----------
    market : dict
        The day so far, the map `stats` of the stream; empty before the first.
    bulletins : dict
        Those that came in the stream, by day.
    began_ns : int
        Since when trades were seen: those before did not come.
    """

    def __init__(
        self, source: Callable[[], Source], changed: Callable[[str], None]
    ) -> None:
        self.market: dict[str, Any] = {}
        self.bulletins: dict[str, dict[str, Any]] = {}
        self.notices: deque[Notice] = deque(maxlen=NOTICES_KEPT)
        self.began_ns = time.time_ns()
        self._source = source
        self._changed = changed
        self._keys = CurveKeys.new()
        self._client: MarketDataClient | None = None
        self._trades: dict[str, deque[Trade]] = {}
        self._bars: dict[str, deque[Bar]] = {}
        self._heard_s = -AWAY_S
        self._look_s = 0.0
        self._connected_to: Source | None = None
        self._log_id = ""

    # -- What there is ----------------------------------------------------------------------------

    @property
    def is_fresh(self) -> bool:
        """Whether what is shown is what the market is: heard of just now, and books exact."""
        client = self._client
        heard = time.monotonic() - self._heard_s < STALE_S
        return client is not None and client.books.is_exact and heard and bool(self.market)

    @property
    def products(self) -> list[dict[str, Any]]:
        """The listed products' maps of the day so far, in order of declaration."""
        return [each for each in self.market.get("products", ()) if each["listed"]]

    @property
    def newest(self) -> str:
        """The product that was declared last; empty while none is known."""
        return self.products[-1]["product"] if self.products else ""

    def product(self, name: str) -> dict[str, Any] | None:
        """Return a product's map; None where there is none."""
        return next((each for each in self.products if each["product"] == name), None)

    @property
    def phase(self) -> str:
        """The phase's name; empty while it is not known."""
        return str(self.market.get("phase", ""))

    @property
    def trading_date(self) -> int:
        """The open day's (yyyymmdd); 0 while none is open."""
        return int(self.market.get("trading_date", 0))

    def book(self, product: str) -> Book | None:
        """Return a product's book; None while it is not exactly known."""
        if self._client is None or not self._client.books.is_exact:
            return None
        try:
            return self._client.book(product)
        except LookupError:
            return None

    def blocks(self) -> list[Any]:
        """Return the blocks that are open to all; none while they are not exactly known."""
        if self._client is None or not self._client.books.is_exact:
            return []
        return self._client.blocks()

    def trades(self, product: str) -> list[Trade]:
        """Return a product's latest trades, newest first."""
        return list(reversed(self._trades.get(product, ())))

    def bars(self, product: str) -> list[Bar]:
        """Return a product's minutes, oldest first."""
        return list(self._bars.get(product, ()))

    # -- What comes -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Follow the stream until cancelled, over whatever restarts there are."""
        try:
            while True:
                self._turn(time.monotonic())
                await asyncio.sleep(POLL_S)
        finally:
            self._close()

    def _turn(self, now_s: float) -> None:
        if now_s >= self._look_s and now_s - self._heard_s > STALE_S:
            self._look_s = now_s + LOOK_S
            self._connect(now_s)
        if self._client is None:
            return
        gaps = self._client.books.gaps
        was_exact = self._client.books.is_exact
        touched: set[str] = set()
        for topic, value in self._client.poll():
            self._heard_s = now_s
            self._take(topic, value, touched)
        if self._client.books.market is not self.market:
            self._take_market(self._client.books.market)
            touched.add("market")
        if self._client.books.gaps != gaps or self._client.books.is_exact != was_exact:
            touched |= {"market", *(f"book.{each['product']}" for each in self.products)}
        for name in sorted(touched):
            self._changed(name)

    def _connect(self, now_s: float) -> None:
        try:
            source = self._source()
            if source == self._connected_to and now_s - self._heard_s < AWAY_S:
                return
            self._close()
            self._heard_s, self._connected_to = now_s, source
            self._client = MarketDataClient(
                source.endpoint,
                self._keys,
                source.server_key,
                snapshot_endpoint=source.snapshot_endpoint,
            )
        except NO_ENDPOINTS as error:
            # Where it is, is not said, or what is said is no address or no key.
            log.debug("no_market_data", why=str(error))

    def _close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _take(self, topic: str, value: Any, touched: set[str]) -> None:
        if topic == "bulletin":
            self.bulletins[value["quotPoin"]] = value
            touched.add("bulletin")
        elif topic == "depth":
            touched.add(f"book.{value['product']}")
        elif topic == "md" and len(value):
            names = {each["product_index"]: each["product"] for each in self._all_products()}
            for row in value[np.isin(value["kind"], _SHOWN)]:
                self._take_record(row, names, touched)

    def _take_market(self, market: dict[str, Any]) -> None:
        # A snapshot's map does not name its numbering.
        log_id = market.get("log_id", self._log_id)
        if self._log_id not in ("", log_id):
            # Another life of the venue: what was seen belongs to the one before.
            self._trades.clear()
            self._bars.clear()
        self._log_id, self.market = log_id, market

    def _all_products(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.market.get("products", [])
        return found

    def _take_record(self, row: Any, names: dict[int, str], touched: set[str]) -> None:
        kind = EventKind(int(row["kind"]))
        product = names.get(int(row["product_index"]), "")
        at_ns = time.time_ns()
        if kind == EventKind.TRADE:
            self._take_trade(row, product, at_ns, touched)
        elif kind == EventKind.TRADE_BUSTED:
            self._bust(product, int(row["trade_id"]))
            touched.add(f"trades.{product}")
        elif kind == EventKind.DAY_OPENED:
            self._trades.clear()
            self._bars.clear()
            self.began_ns = at_ns
            touched |= {f"{what}.{name}" for what in ("trades", "bars") for name in names.values()}
        if kind in _NOTICES and not (kind == EventKind.DAY_CLOSED and self._is_noted(kind)):
            is_phase = kind == EventKind.PHASE_CHANGED
            phase = Phase(int(row["phase"])).name.lower() if is_phase else ""
            named = "" if kind == EventKind.DAY_CLOSED else product
            self.notices.appendleft(Notice(_NOTICES[kind], named, phase, int(row["price"]), at_ns))
            touched.add("notices")
        if kind.name.startswith("BLOCK_"):
            touched.add("blocks")

    def _is_noted(self, kind: EventKind) -> bool:
        return bool(self.notices) and self.notices[0].kind == _NOTICES[kind]

    def _take_trade(self, row: Any, product: str, at_ns: int, touched: set[str]) -> None:
        method = Method(int(row["method"]))
        price, tonnes = int(row["price"]), int(row["tonnes"])
        taker = Side(int(row["side"])).name.lower()
        trades = self._trades.setdefault(product, deque(maxlen=TRADES_KEPT))
        trades.append(Trade(int(row["trade_id"]), product, price, tonnes, method, taker, at_ns))
        touched.add(f"trades.{product}")
        if method == Method.LISTED:
            self._bar(product, price, tonnes, at_ns // 1_000_000_000 // BAR_S * BAR_S)
            touched.add(f"bars.{product}")
        elif method == Method.BLOCK:
            touched.add("blocks")

    def _bar(self, product: str, price: int, tonnes: int, at_s: int) -> None:
        bars = self._bars.setdefault(product, deque(maxlen=BARS_KEPT))
        if bars and bars[-1].at_s == at_s:
            last = bars[-1]
            high, low = max(last.high, price), min(last.low, price)
            bars[-1] = Bar(at_s, last.open, high, low, price, last.volume + tonnes)
        else:
            bars.append(Bar(at_s, price, price, price, price, tonnes))

    def _bust(self, product: str, trade_id: int) -> None:
        trades = self._trades.get(product)
        if trades is None:
            return
        for at, trade in enumerate(trades):
            if trade.trade_id == trade_id:
                trades[at] = trade._replace(is_busted=True)


def source_read(file: Path) -> Source:
    """Return where market data is served, as a venue's or relay's `endpoints.json` says.

    Raises
    ------
    OSError, ValueError, KeyError, TypeError, RecursionError
        It can't be read, or is no such file.
    """
    listed = json_read(file, "endpoints", dict[str, Any])
    return Source(listed["market_data"], listed["snapshot"], listed["market_data_public_key"])

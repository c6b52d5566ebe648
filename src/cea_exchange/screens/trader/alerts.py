"""What a trader wants to hear of: a price, a fill, a bidding that is about to close."""

from collections import deque
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from cea_exchange.screens.trader.account_day import Fill

HEARD_KEPT = 50
WISHES_MAX = 50
CLOSES_SOON_NS = 120_000_000_000


class Wish(NamedTuple):
    """A price that somebody waits for; `above` says from where it is reached."""

    number: int
    product: str
    above: bool
    price: int


class Alert(NamedTuple):
    """Something that has happened; its text is `alert.KIND`."""

    kind: str
    product: str
    side: str
    price: int
    tonnes: int
    at_ns: int


class Market(Protocol):
    """What alerts look at."""

    market: dict[str, Any]

    def product(self, name: str) -> dict[str, Any] | None: ...


class Alerts:
    """Wishes, and what has come true."""

    def __init__(self) -> None:
        self.wishes: dict[int, Wish] = {}
        self.heard: deque[Alert] = deque(maxlen=HEARD_KEPT)
        self._next = 1
        self._biddings: set[str] = set()

    def wish(self, product: str, above: bool, price: int) -> None:
        """Wait for a price; beyond `WISHES_MAX` the oldest wish goes."""
        self.wishes[self._next] = Wish(self._next, product, above, price)
        self._next += 1
        while len(self.wishes) > WISHES_MAX:
            del self.wishes[next(iter(self.wishes))]

    def forget(self, number: int) -> None:
        """Wait for it no more."""
        self.wishes.pop(number, None)

    def filled(self, fill: Fill, at_ns: int) -> None:
        """Note a fill."""
        self.heard.appendleft(
            Alert("filled", fill.product, fill.side, fill.price, fill.tonnes, at_ns)
        )

    def look(self, market: Market, now_ns: int) -> bool:
        """See what has come true; return whether anything has."""
        before = len(self.wishes), len(self._biddings)
        for wish in list(self.wishes.values()):
            product = market.product(wish.product)
            last = product and product["last"]
            if last and (last >= wish.price if wish.above else last <= wish.price):
                kind = "price_above" if wish.above else "price_below"
                self.heard.appendleft(Alert(kind, wish.product, "", wish.price, 0, now_ns))
                self.forget(wish.number)
        for bidding in market.market.get("biddings", ()):
            self._look_at_bidding(bidding, now_ns)
        return before != (len(self.wishes), len(self._biddings))

    def _look_at_bidding(self, bidding: dict[str, Any], now_ns: int) -> None:
        closes_at = bidding.get("closes_at")
        if bidding["state"] != "open" or not closes_at or bidding["bidding"] in self._biddings:
            return
        left_ns = int(datetime.fromisoformat(closes_at).timestamp()) * 1_000_000_000 - now_ns
        if 0 < left_ns <= CLOSES_SOON_NS:
            self._biddings.add(bidding["bidding"])
            tonnes = bidding["tonnes"]
            self.heard.appendleft(
                Alert("bidding_closes", bidding["product"], bidding["side"], 0, tonnes, now_ns)
            )

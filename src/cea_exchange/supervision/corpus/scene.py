"""A scene: a market in simulated time, on which people of a seed act; all of it is a script."""

import heapq
import random
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from cea_exchange.domain.calendar import TradingCalendar
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import Side
from cea_exchange.domain.timetable import day_start
from cea_exchange.domain.units import price_format
from cea_exchange.supervision.sources import ScriptTape
from cea_exchange.supervision.tape import Tape

Fields = dict[str, Any]
Act = Callable[..., object]

MORNING_S = 9 * 3600 + 1800
AFTERNOON_S = 13 * 3600
SESSION_S = 7200
DAY_S = 2 * SESSION_S
"""A trading day in seconds of trading: the morning's session, then the afternoon's."""
OPENING_CASH = "20000000000.00"
OPENING_TONNES = 3_000_000

BUY, SELL = "buy", "sell"
OTHER = {BUY: SELL, SELL: BUY}
_SIDES = {BUY: Side.BUY, SELL: Side.SELL}


class Scene:
    """A market over some trading days, acted upon in order of time.

    Parameters
    ----------
    seed
        All that is drawn follows from it.
    first_day
        The days are trading days from this one on.
    days
        How many.

    Attributes
    ----------
    script
        The commands so far.
    opening_tonnes
        What an account that is declared holds of each product.
    """

    def __init__(self, seed: int, first_day: date, days: int) -> None:
        self.random = random.Random(seed)
        self.script: list[Fields] = []
        self._player = ScriptTape(load_profile("cea"))
        self._waiting: list[tuple[float, int, Act]] = []
        self._count = 0
        self._now = -1.0
        calendar = TradingCalendar.load("cn_carbon")
        self.days: list[date] = []
        day = first_day
        while len(self.days) < days:
            if calendar.is_trading_day(day):
                self.days.append(day)
            day += timedelta(days=1)
        self.indexes: dict[str, int] = {}
        self.opening_tonnes = OPENING_TONNES

    # -- Time -------------------------------------------------------------------------------------

    def at(self, day: int, second: float, act: Act) -> None:
        """Let something happen at a second of a day's trading."""
        self._count += 1
        heapq.heappush(self._waiting, (day * DAY_S + second, self._count, act))

    def after(self, seconds: float, act: Act) -> None:
        """Let something happen so many seconds of trading from now."""
        self._count += 1
        heapq.heappush(self._waiting, (self._now + seconds, self._count, act))

    @property
    def day(self) -> int:
        """Which of the days it is."""
        return int(self._now // DAY_S)

    @property
    def second(self) -> float:
        """Seconds of trading since the day began."""
        return self._now % DAY_S

    def run(self) -> None:
        """Let everything happen, to the close of the last day."""
        end = len(self.days) * DAY_S
        while self._waiting:
            moment, _, act = heapq.heappop(self._waiting)
            if moment >= end:
                break
            if moment > self._now:
                self._now = moment
                self._clock()
            act()
        close = day_start(self.days[-1]) + timedelta(hours=15)
        self.play(cmd="clock", at=close.isoformat())

    def _clock(self) -> None:
        second = self.second
        of_day = MORNING_S + second if second < SESSION_S else AFTERNOON_S + second - SESSION_S
        moment = day_start(self.days[self.day]) + timedelta(milliseconds=round(of_day * 1000))
        self.play(cmd="clock", at=moment.isoformat())

    # -- Commands ---------------------------------------------------------------------------------

    def play(self, **fields: Any) -> None:
        """Play a command of a script, and keep it."""
        self.script.append(fields)
        self._player.play(fields)

    def product(self, name: str, price: int) -> None:
        """Declare a product."""
        self.play(cmd="product", product=name, reference_price=price_format(price))

    def account(self, name: str, group: str = "", tonnes: int | None = None) -> None:
        """Declare an account with cash, and tonnes of every product."""
        tonnes = self.opening_tonnes if tonnes is None else tonnes
        fields = {"group": group} if group else {}
        self.indexes[name] = len(self.indexes)
        self.play(cmd="account", account=name, **fields)
        self.play(cmd="deposit", account=name, cash=OPENING_CASH)
        for product in self._player.market.products if tonnes else ():
            self.play(cmd="deposit", account=name, product=product, tonnes=tonnes)

    def enter(
        self, account: str, product: str, side: str, price: int, tonnes: int, **options: Any
    ) -> str:
        """Enter an order; return its id."""
        self._count += 1
        name = f"n{self._count}"
        low, high = self.band(product)
        self.play(
            cmd="enter",
            id=name,
            account=account,
            product=product,
            side=side,
            price=price_format(min(max(price, low), high)),
            tonnes=max(int(tonnes), 1),
            **options,
        )
        return name

    def cancel(self, account: str, order: str) -> None:
        """Take an order back, if it is still there."""
        self.play(cmd="cancel", id=order, account=account)

    def pass_to(self, product: str, seller: str, buyer: str, price: int, tonnes: int) -> None:
        """Let one account sell to another at the best offer: the buyer names the seller's order."""
        order = self.enter(seller, product, SELL, price, tonnes)
        self.enter(buyer, product, BUY, price, tonnes, pick=order)

    def block(self, product: str, seller: str, buyer: str, price: int, tonnes: int) -> None:
        """Let two accounts agree on a block."""
        self._count += 1
        name = f"n{self._count}"
        self.play(
            cmd="block_offer",
            id=name,
            account=seller,
            product=product,
            side=SELL,
            price=price_format(price),
            tonnes=tonnes,
            counterparty=buyer,
        )
        self.play(cmd="block_accept", id=name, account=buyer)

    # -- Looking ----------------------------------------------------------------------------------

    def best(self, product: str, side: str) -> int:
        """Return the best price of a side in fen; where it is empty, the other's or the last."""
        core, index = self._player.market.core, self.index(product)
        price = core.best(index, _SIDES[side])
        if price > 0:
            return price
        other = core.best(index, _SIDES[OTHER[side]])
        if other > 0:
            return other + (1 if side == SELL else -1)
        return self.reference(product)

    def levels(self, product: str, side: str, count: int = 5) -> list[tuple[int, int]]:
        """Return the best prices of a side and the tonnes at each."""
        rows = self._player.market.core.depth(self.index(product), _SIDES[side], count)
        return [(int(price), int(tonnes)) for price, tonnes, *_ in rows]

    def side_tonnes(self, product: str, side: str) -> int:
        """Return all that is open on a side."""
        return sum(tonnes for _, tonnes in self.levels(product, side, 100_000))

    def index(self, product: str) -> int:
        """Return a product's index."""
        return self._player.market.products.index(product)

    def band(self, product: str) -> tuple[int, int]:
        """Return the lowest and highest price of a listed order today."""
        found = self._player.market.core.product(self.index(product))
        return found["band_low"], found["band_high"]

    def reference(self, product: str) -> int:
        """Return what the band is measured from."""
        return self._player.market.core.product(self.index(product))["reference_price"]

    def traded_today(self, product: str) -> int:
        """Return the tonnes of today's listed trades."""
        return self._player.market.core.product(self.index(product))["volume"]

    def tape(self) -> Tape:
        """Return what the market has said."""
        return self._player.tape()

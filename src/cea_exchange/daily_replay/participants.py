"""Chooses who sells and who buys: accounts that hold what they sell, and cash for what they buy.

What is bought today can't be sold today (T+1), what a sale brought can be spent at once. The choice
follows the same books as the market, so that no order of a day is refused for want of either.
"""

from collections.abc import Iterable, Sequence
from random import Random
from typing import NamedTuple

from cea_exchange.daily_replay.day_plan import BLOCK_PARTS, Planned
from cea_exchange.domain.reference_prices import DailyFigures
from cea_exchange.domain.units import PRICE_FEN_MAX

ACCOUNTS_MIN = 50
CASH_TIMES = 4
"""Each account's cash buys so many times the allowances that it begins with."""
TONNES_STEP = 100_000


class CannotTrade(RuntimeError):
    """No account has what a day's trade needs."""


class Endowment(NamedTuple):
    """What each account begins with: fen and tonnes."""

    cash: int
    tonnes: int


def endowment(
    days: Iterable[DailyFigures], accounts: int, first_reference: int, block_tonnes_min: int
) -> Endowment:
    """Return what each of so many accounts needs for any of the days.

    Notes
    -----
    On the largest day some account still has the largest single sale at hand, whoever sold before:
    what all have at its beginning, less the day's volume, is that much for each on average.
    """
    volumes, prices, sale_max = [0], [first_reference * 2], block_tonnes_min * BLOCK_PARTS
    for day in days:
        volumes.append(day.listed_volume + day.block_volume + day.bidding_volume)
        sale_max = max(sale_max, day.bidding_volume)
        prices += (day.open, day.high)
        for amount, volume in (
            (day.listed_amount, day.listed_volume),
            (day.block_amount, day.block_volume),
            (day.bidding_amount, day.bidding_volume),
        ):
            if volume:
                prices.append(-(-amount // volume))
    tonnes = sale_max - (-max(volumes) // accounts)
    tonnes = -(-tonnes // TONNES_STEP) * TONNES_STEP
    price = min(max(prices), PRICE_FEN_MAX)
    return Endowment(cash=CASH_TIMES * tonnes * price, tonnes=tonnes)


class Parties(NamedTuple):
    """Who trades with whom, by index."""

    buyer: int
    seller: int


class Participants:
    """Chooses the parties of each trade and keeps what every account then has.

    Parameters
    ----------
    count
        Accounts, with indexes from 0.
    has
        What each begins with.
    seed
        Decides who trades with whom.
    """

    def __init__(self, count: int, has: Endowment, seed: int) -> None:
        self.cash = [has.cash] * count
        self.sellable = [has.tonnes] * count
        self.bought = [0] * count
        self._random = Random(seed)

    def day_begin(self) -> None:
        """Let what was bought yesterday be sold today."""
        for index, tonnes in enumerate(self.bought):
            self.sellable[index] += tonnes
            self.bought[index] = 0

    def shuffled(self, trades: Sequence[Planned]) -> list[Planned]:
        """Return a day's listed trades in a random order; the first, which opens it, stays."""
        rest = list(trades[1:])
        self._random.shuffle(rest)
        return [*trades[:1], *rest]

    def is_heads(self) -> bool:
        """Toss a coin: which side's order comes first, say."""
        return self._random.random() < 0.5

    def parties(self, trade: Planned) -> Parties:
        """Choose the parties of the next trade, and book it.

        Raises
        ------
        CannotTrade
            Nobody has the tonnes, or nobody else the cash.
        """
        seller = self.seller(trade.tonnes)
        return Parties(self.buyer(trade, seller), seller)

    def seller(self, tonnes: int) -> int:
        """Choose a seller: of two who have the tonnes, who has more."""
        return self._richer(self.sellable, tonnes, None, "allowances to sell")

    def buyer(self, trade: Planned, seller: int) -> int:
        """Choose who buys of a seller, and book the trade."""
        cash = trade.price * trade.tonnes
        buyer = self._richer(self.cash, cash, seller, "cash to buy")
        self.sellable[seller] -= trade.tonnes
        self.cash[seller] += cash
        self.bought[buyer] += trade.tonnes
        self.cash[buyer] -= cash
        return buyer

    def _richer(self, held: list[int], least: int, but: int | None, what: str) -> int:
        able = [index for index, has in enumerate(held) if has >= least and index != but]
        if not able:
            raise CannotTrade(f"an account must have {least} in {what}, none has")
        first, second = self._random.choice(able), self._random.choice(able)
        return first if held[first] >= held[second] else second

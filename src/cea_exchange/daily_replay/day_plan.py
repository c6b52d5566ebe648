"""Plans trades, method by method, that give a published day's figures.

Pure and exact: figures and bands in, prices and tonnes out, all integers. The published close is no
input: ours comes of these trades.

A published amount over its volume is a mean between two whole prices p and p + 1, and so many
tonnes at each of them give the amount to the fen. Where that can't be (the mean lies outside the
published range or outside our band, or the volume is too small) the nearest amount is planned.
"""

from collections.abc import Sequence
from typing import NamedTuple

from cea_exchange.domain.profile import MarketRules
from cea_exchange.domain.reference_prices import DailyFigures
from cea_exchange.domain.units import PRICE_FEN_MAX

MARK_SHARE = 10
"""Open, high and low get up to one part in so many of the day's listed tonnes each."""
LISTED_TRADES = 24
"""Into about so many trades a day's listed tonnes are divided, where none gets too large."""
BLOCK_PARTS = 5
"""A block has up to so many times the least tonnes of one."""
BLOCK_SPREAD_MAX = 12
"""How many fen apart the two prices of a day's blocks may lie."""
BIDS = 3
"""So many bids a price at least share a bidding, where there are so many tonnes."""


class Band(NamedTuple):
    """Prices that are allowed, in fen per tonne, both ends inclusive."""

    low: int
    high: int

    def nearest(self, price: int) -> int:
        """Return the allowed price that is nearest."""
        return min(max(price, self.low), self.high)

    def holds(self, price: int) -> bool:
        """Tell whether a price is allowed."""
        return self.low <= price <= self.high


class DayRules(NamedTuple):
    """What the rules allow on one day."""

    listed: Band
    block: Band
    bidding: Band
    """Where bids lie, from the lowest floor that a seller may choose."""
    block_tonnes_min: int
    """A listed order stays below it, a block reaches it."""
    bidding_tonnes_min: int
    """Of what a bidding offers; less of it may be awarded."""


class Planned(NamedTuple):
    """A trade to be: fen per tonne, and tonnes."""

    price: int
    tonnes: int


class DayPlan(NamedTuple):
    """The trades of a day by method; the first listed one opens it."""

    listed: tuple[Planned, ...]
    block: tuple[Planned, ...]
    bidding: tuple[Planned, ...]


def day_rules(rules: MarketRules, previous_close: int) -> DayRules:
    """Return what a market's rules allow on the day after a close.

    Notes
    -----
    Rules: CEA-LST-01, CEA-LST-02, CEA-LST-03, CEA-BLK-01, CEA-BLK-02, CEA-BID-01,
    CEA-BID-02.
    """
    listed = _band(rules, previous_close, rules.listed_band_bp)
    block = _band(rules, previous_close, rules.block_band_bp)
    bidding = _band(rules, previous_close, rules.bidding_band_bp)
    return DayRules(listed, block, bidding, rules.block_tonnes_min, rules.bidding_tonnes_min)


def _band(rules: MarketRules, price: int, width_bp: int) -> Band:
    if width_bp == 0:
        return Band(1, PRICE_FEN_MAX)
    low, high = price * (10_000 - width_bp), price * (10_000 + width_bp)
    if rules.band_rounding == "half_up":
        low, high = (low + 5_000) // 10_000, (high + 5_000) // 10_000
    else:
        low, high = -(-low // 10_000), high // 10_000
    return Band(max(low, 1), min(high, PRICE_FEN_MAX))


def plan_day(figures: DailyFigures, rules: DayRules) -> DayPlan:
    """Return the trades that come nearest to a published day.

    Returns
    -------
    DayPlan
        With the published volume of each method to the tonne, but for blocks of fewer tonnes than
        a block must have; open, high and low wherever the band has them; the amounts nearest to
        the published ones.
    """
    return DayPlan(
        listed_trades(figures, rules.listed, rules.block_tonnes_min - 1),
        block_trades(
            figures.block_volume, figures.block_amount, rules.block, rules.block_tonnes_min
        ),
        bidding_trades(figures.bidding_volume, figures.bidding_amount, rules.bidding),
    )


def price_range(figures: DailyFigures, band: Band) -> Band:
    """Return where a day's listed prices may lie: from low to high, as far as the band has them."""
    low = band.nearest(figures.low) if figures.low else band.low
    high = band.nearest(figures.high) if figures.high else band.high
    return Band(low, high)


def price_marks(figures: DailyFigures, band: Band) -> tuple[int, ...]:
    """Return the prices that must be traded, without repeats: the open, which comes first, the
    high, the low; as many as there are tonnes for."""
    within = price_range(figures, band)
    published = (figures.open, figures.high, figures.low)
    marks = dict.fromkeys(within.nearest(price) for price in published if price)
    return tuple(marks)[: figures.listed_volume]


def listed_trades(figures: DailyFigures, band: Band, tonnes_max: int) -> tuple[Planned, ...]:
    """Return a day's listed trades.

    Parameters
    ----------
    figures
        The published day.
    band
        In force for listed orders.
    tonnes_max
        Of one order.
    """
    volume, within = figures.listed_volume, price_range(figures, band)
    if volume == 0:
        return ()
    marks = price_marks(figures, band)
    share = max(1, volume // MARK_SHARE)
    while True:
        # With smaller shares of open, high and low the rest's mean need not lie so far off.
        rest = volume - share * len(marks)
        rest_amount = figures.listed_amount - share * sum(marks)
        if share == 1 or within.low * rest <= rest_amount <= within.high * rest:
            break
        share //= 2
    planned = [Planned(price, share) for price in marks]
    if rest:
        planned += _two_prices(rest, min(max(rest_amount, within.low * rest), within.high * rest))
    largest = min(tonnes_max, -(-volume // LISTED_TRADES))
    return tuple(part for trade in planned for part in _parts(trade, largest))


def block_trades(volume: int, amount: int, band: Band, tonnes_min: int) -> tuple[Planned, ...]:
    """Return a day's blocks: none where there are fewer tonnes than a block must have."""
    if volume == 0 or volume < tonnes_min:
        return ()
    amount = min(max(amount, band.low * volume), band.high * volume)
    planned = _two_block_prices(volume, amount, band, tonnes_min)
    if not planned:
        planned = [Planned((2 * amount + volume) // (2 * volume), volume)]
    largest = max(1, tonnes_min) * BLOCK_PARTS
    return tuple(part for trade in planned for part in _parts(trade, largest))


def bidding_trades(volume: int, amount: int, band: Band) -> tuple[Planned, ...]:
    """Return what a day's bidding awards, one for each winning bid, the highest bid first."""
    if volume == 0:
        return ()
    awarded = _two_prices(volume, min(max(amount, band.low * volume), band.high * volume))
    largest = -(-volume // BIDS)
    return tuple(part for trade in reversed(awarded) for part in _parts(trade, largest))


def _two_prices(tonnes: int, amount: int) -> list[Planned]:
    """Divide tonnes among two neighbouring prices, so that they bring an amount to the fen."""
    price, above = divmod(amount, tonnes)
    trades = [Planned(price, tonnes - above), Planned(price + 1, above)]
    return [trade for trade in trades if trade.tonnes]


def _two_block_prices(volume: int, amount: int, band: Band, tonnes_min: int) -> list[Planned]:
    """Divide a volume among two prices, both with a block's tonnes; nothing where none will do."""
    base, above = divmod(amount, volume)
    if above == 0:
        return [Planned(base, volume)]
    for spread in range(1, BLOCK_SPREAD_MAX + 1):
        for down in range(spread):
            # Lower by `down` and higher by `spread - down` fen than the base.
            high_tonnes, odd = divmod(above + down * volume, spread)
            low_tonnes = volume - high_tonnes
            prices = Planned(base - down, low_tonnes), Planned(base - down + spread, high_tonnes)
            if odd == 0 and all(
                band.holds(trade.price) and trade.tonnes >= tonnes_min for trade in prices
            ):
                return list(prices)
    return []


def _parts(trade: Planned, largest: int) -> Sequence[Planned]:
    """Divide a trade into equal ones, or nearly so, of at most `largest` tonnes."""
    count = -(-trade.tonnes // largest)
    each, more = divmod(trade.tonnes, count)
    return [Planned(trade.price, each + (number < more)) for number in range(count)]

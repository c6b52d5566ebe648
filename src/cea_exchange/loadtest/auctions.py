"""Published results of auctions, and bids that could have led to them.

A result tells how much was offered and bid for, in how many bids of how many bidders, and the
least, mean, median and highest price bid. `bids_of` makes a set of bids that has exactly these
figures; the published clearing price is no input, so that what clears can be held against it.
"""

import math
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np

from cea_exchange.core.award import award_arrays
from cea_exchange.domain.spreadsheet import CellsMended
from cea_exchange.domain.units import AMOUNT_FEN_LIMIT, PRICE_FEN_MAX
from cea_exchange.matching.award import Award, AwardRules, Bid, award
from cea_exchange.user_files.csv_rows import CsvRows
from cea_exchange.user_files.opening import lines_read

LOT_TONNES = 500
"""Bids at these auctions are multiples of it."""
BIDS_PER_BIDDER = 4
"""Where the number of bids is not published; where it is, there are about as many."""
PRICE_SHARPNESS = 4.0
"""How much closer to the median most bids are than the extremes: a power of even numbers."""
LOTS_SPREAD = 1.0
"""Standard deviation of the logarithm of a bid's lots."""
TILT_MOST = 8.0
BISECTIONS = 60
BIDS_MOST = 1_000_000
"""Made up for one auction: a wrong number in a file must not eat the memory."""


class AuctionError(ValueError):
    """A result can't be read, or no bids have its figures; the message says what and where."""


class Result(NamedTuple):
    """One auction as published. Prices are cents for a tonne."""

    line: int
    date: str
    auction: str
    clearing_price: int
    price_min: int
    price_max: int
    price_mean: int
    price_median: int
    offered_tonnes: int
    bid_tonnes: int
    bids: int | None
    bidders: int


class Unpriced(NamedTuple):
    """An auction that was published without a clearing price: nothing was sold."""

    line: int
    date: str
    auction: str


class ReadingNotes:
    """What a reader should know of a file beside its results."""

    def __init__(self) -> None:
        self.unpriced: list[Unpriced] = []
        self.cells = CellsMended()


def results_read(path: Path, notes: ReadingNotes | None = None) -> list[Result]:
    """Read a file of results: CSV with a header, prices in euro, a row each auction.

    Parameters
    ----------
    path : Path
    notes : ReadingNotes, optional
        Takes the auctions without a price, which are passed over, and the cells that a spreadsheet
        wrote as binary fractions.

    Raises
    ------
    AuctionError
        The file can't be read, a column is missing, or a value is not as it has to be.
    """
    notes = ReadingNotes() if notes is None else notes
    try:
        rows = CsvRows(lines_read(path, "results of auctions"))
        with rows.errors_placed(f"{path}:"):
            results = _results(rows, notes)
    except ValueError as error:
        raise AuctionError(str(error)) from error
    if not results and not notes.unpriced:
        raise AuctionError(f"{path}: expected a row for each auction, got none")
    return results


def _results(rows: CsvRows, notes: ReadingNotes) -> list[Result]:
    for name in COLUMNS:
        if name not in rows.columns:
            raise AuctionError(f"expected a column {name}, there is none")
    results = []
    for row in rows:
        if row["price_eur"].strip().lower() in NO_PRICE:
            unpriced = Unpriced(rows.line, row.get("date", ""), row.get("auction", ""))
            notes.unpriced.append(unpriced)
            continue
        notes.cells.mend(row, COLUMNS, rows.line)
        results.append(_result(row, rows.line))
    return results


NO_PRICE = ("", "-", "n/a", "na", "nan", "none", "null")
"""What stands, in any case, where there is no price."""

COLUMNS = {
    "price_eur": "clearing_price",
    "min_bid": "price_min",
    "max_bid": "price_max",
    "mean_bid": "price_mean",
    "median_bid": "price_median",
    "volume": "offered_tonnes",
    "bids_total": "bid_tonnes",
    "n_bids": "bids",
    "n_bidders": "bidders",
}
"""Columns of the file, and which field each is; `date` and `auction` may be missing."""


def _result(row: dict[str, str], line: int) -> Result:
    numbers: dict[str, int | None] = {}
    for column, field in COLUMNS.items():
        text = row[column].strip()
        if column == "n_bids" and not text:
            numbers[field] = None
        elif field.startswith("price") or column == "price_eur":
            numbers[field] = _cents(column, text)
        else:
            numbers[field] = _count(column, text)
    result = Result(
        line=line, date=row.get("date", ""), auction=row.get("auction", ""), **numbers
    )
    _figures_check(result)
    return result


def _cents(column: str, text: str) -> int:
    whole, _, rest = text.partition(".")
    # Zeros behind the cents say nothing.
    rest = rest[:2] + rest[2:].rstrip("0")
    if not (whole + rest).isascii() or not (whole + rest).isdigit() or len(rest) > 2:
        raise AuctionError(f"{column}: expected euro with at most two decimals, got {text[:80]!r}")
    cents = _count(column, whole + rest.ljust(2, "0"))
    if not 1 <= cents <= PRICE_FEN_MAX:
        raise AuctionError(f"{column}: expected 0.01 to 100000.00, got {text!r}")
    return cents


def _count(column: str, text: str) -> int:
    # Tools that know empty cells only in columns of fractions write 81.0 for 81.
    whole, point, rest = text.partition(".")
    text = whole if point and rest and not rest.strip("0") else text
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text) > 0):
        raise AuctionError(f"{column}: expected a whole number above 0, got {text[:80]!r}")
    return int(text)


def _figures_check(result: Result) -> None:
    least, most = result.price_min, result.price_max
    for name in ("price_mean", "price_median"):
        if not least <= getattr(result, name) <= most:
            raise AuctionError(f"{name}: expected it between the least and the highest bid")
    if result.bids is not None and result.bids < result.bidders:
        raise AuctionError(
            f"n_bids: expected {result.bidders} or more, one a bidder, got {result.bids}"
        )
    if result.bid_tonnes * most >= AMOUNT_FEN_LIMIT or result.offered_tonnes >= AMOUNT_FEN_LIMIT:
        raise AuctionError("bids_total: expected bids for less than 2^60 cents in all")


# -- Bids -----------------------------------------------------------------------------------------


def bids_of(result: Result, seed: int) -> list[Bid]:
    """Make bids, in order of time, that have a result's figures.

    Parameters
    ----------
    result : Result
        Its clearing price is not looked at.
    seed : int
        The same seed gives the same bids.

    Raises
    ------
    AuctionError
        No bids have these figures.

    Notes
    -----
    The median is that of the bids, each counting once: in 135 of the 1,226 auctions of 2013 to 2018
    the clearing price lies on the side of the published median on which, had bids counted by their
    tonnes, it could not lie; and in none of the 415 that publish the number of bids does it lie
    wrong by bids. Of the mean the figures don't tell; it is met both ways.
    """
    draws = Random(f"{seed} {result.line} {result.date} {result.auction}")
    lots, rest = divmod(result.bid_tonnes, LOT_TONNES)
    if rest:
        raise AuctionError(f"bids_total: expected a multiple of {LOT_TONNES}, got {rest} too many")
    count = result.bids or result.bidders * BIDS_PER_BIDDER
    if not 3 <= count <= BIDS_MOST:
        raise AuctionError(f"n_bids: expected 3 to {BIDS_MOST}, got {count}")
    prices = _prices(result, count, draws)
    draws.shuffle(prices)
    sizes = _lots(result, prices, lots, draws)
    bidders = list(range(result.bidders))
    bidders += [draws.randrange(result.bidders) for _ in range(count - result.bidders)]
    draws.shuffle(bidders)
    return [
        Bid(price, size * LOT_TONNES, bidder)
        for price, size, bidder in zip(prices, sizes, bidders, strict=True)
    ]


def _prices(result: Result, count: int, draws: Random) -> list[int]:
    """Prices with the least, highest, median and mean that are asked for."""
    median, mean = result.price_median, result.price_mean
    middle = [median] * (2 - count % 2)
    half = (count - len(middle)) // 2
    below, above = median - result.price_min, result.price_max - median
    spread_low = [draws.random() for _ in range(half - 1)]
    spread_high = [draws.random() for _ in range(half - 1)]
    # How far the others are from the median, in all.
    wanted = (mean - median) * count - above + below

    # Tilted up, those below the median come closer to it and those above go farther, and the sum
    # grows: halve until it is right but for rounding.
    def offsets(tilt: float) -> tuple[list[int], list[int]]:
        low = PRICE_SHARPNESS * math.exp(tilt)
        high = PRICE_SHARPNESS * math.exp(-tilt)
        return (
            [round(below * each**low) for each in spread_low],
            [round(above * each**high) for each in spread_high],
        )

    least, most = -TILT_MOST, TILT_MOST
    for _ in range(BISECTIONS):
        tilt = (least + most) / 2
        low, high = offsets(tilt)
        least, most = (tilt, most) if sum(high) - sum(low) < wanted else (least, tilt)
    prices = [median - each for each in low] + [median + each for each in high]
    ranges = [(result.price_min, median)] * len(low) + [(median, result.price_max)] * len(high)
    _sum_mend(prices, ranges, median * len(prices) + wanted, draws)
    return [result.price_min, result.price_max, *middle, *prices]


def _sum_mend(
    prices: list[int], ranges: Sequence[tuple[int, int]], wanted: int, draws: Random
) -> None:
    """Move prices by a cent, each within its range, until their sum is the one wanted."""
    left = wanted - sum(prices)
    step = 1 if left > 0 else -1
    order = list(range(len(prices)))
    draws.shuffle(order)
    stuck = 0
    for index in cycle(order):
        if left == 0:
            return
        moved = prices[index] + step
        if ranges[index][0] <= moved <= ranges[index][1]:
            prices[index] = moved
            left -= step
            stuck = 0
        else:
            stuck += 1
        if stuck == len(order):
            break
    if left:
        raise AuctionError("mean_bid: expected one that bids with these extremes and median have")


def _lots(result: Result, prices: Sequence[int], lots: int, draws: Random) -> list[int]:
    """Lots of each bid: one at least, and the mean weighted by them is the one asked for."""
    count = len(prices)
    if lots < count:
        raise AuctionError(f"bids_total: expected {LOT_TONNES} or more for each of {count} bids")
    weights = [math.exp(draws.gauss(0, LOTS_SPREAD)) for _ in prices]
    unit = (lots - count) / sum(weights)
    sizes = [1 + int(weight * unit) for weight in weights]
    for index in draws.sample(range(count), count)[: lots - sum(sizes)]:
        sizes[index] += 1
    over = sum(
        size * (price - result.price_mean) for size, price in zip(sizes, prices, strict=True)
    )
    # The mean rounds half up to a cent: 2 x over stays within -lots to lots.
    while not -lots <= 2 * over < lots:
        sign = 1 if over > 0 else -1
        sources = [
            index
            for index, price in enumerate(prices)
            if sign * (price - result.price_mean) > 0 and sizes[index] > 1
        ]
        targets = [i for i, price in enumerate(prices) if sign * (price - result.price_mean) <= 0]
        if not sources or not targets:
            raise AuctionError("mean_bid: expected one that bids of these tonnes can have")
        source, target = draws.choice(sources), draws.choice(targets)
        difference = abs(prices[source] - prices[target])
        moved = min(sizes[source] // 2, max(1, abs(over) // difference))
        sizes[source] -= moved
        sizes[target] += moved
        over -= sign * moved * difference
    return sizes


# -- Clearing -------------------------------------------------------------------------------------


class Cleared(NamedTuple):
    """What the compiled award makes of a result's bids."""

    result: Result
    clearing_price: int | None
    fault: str | None
    """Where the award is not what is counted here price by price, or the plain one."""


def clear(result: Result, seed: int) -> Cleared:
    """Award a result's bids as the EU does, and count the demand anew to see if that is right.

    Raises
    ------
    AuctionError
        No bids have these figures.
    """
    bids = bids_of(result, seed)
    rules = AwardRules(tie="random", tie_seed=seed, undersubscription="cancel")
    fills, price, reason = award_arrays(np.array(bids, np.int64), result.offered_tonnes, rules)
    found = Award(tuple(fills.tolist()), price, reason)
    fault = _fault(bids, result.offered_tonnes, found)
    if fault is None and found != award(bids, result.offered_tonnes, rules):
        fault = "the compiled award and the plain one differ"
    return Cleared(result, price, fault)


def _fault(bids: Sequence[Bid], offered_tonnes: int, found: Award) -> str | None:
    """What is wrong with an award; every price is tried, and nothing is ranked."""
    price = None
    for tried in sorted({bid.price for bid in bids}):
        if sum(bid.tonnes for bid in bids if bid.price >= tried) >= offered_tonnes:
            price = tried
    if found.clearing_price != price:
        return f"the clearing price: expected {price} cents, got {found.clearing_price}"
    if found.tonnes != (0 if price is None else offered_tonnes):
        return f"expected {offered_tonnes} t awarded, got {found.tonnes}"
    for index, (bid, fill) in enumerate(zip(bids, found.fills, strict=True)):
        if price is None or bid.price < price:
            is_right = fill == 0
        elif bid.price > price:
            is_right = fill == bid.tonnes
        else:
            is_right = 0 <= fill <= bid.tonnes
        if not is_right:
            return f"bid {index} at {bid.price} cents for {bid.tonnes} t must not win {fill}"
    return None

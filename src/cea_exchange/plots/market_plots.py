"""Plots of a market: its book, its day, its auctions."""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from cea_exchange.domain.enums import Side
from cea_exchange.domain.units import fen_of
from cea_exchange.matching.auction import AuctionResult, BidResult
from cea_exchange.matching.events import DayClosed, DayOpened, Event, Trade
from cea_exchange.matching.market import Market
from cea_exchange.plots.days import axes_finish
from cea_exchange.plots.figures import METHOD_COLOURS, figure_new

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cea_exchange import OrderBook

BUY_COLOUR, SELL_COLOUR = "tab:green", "tab:red"
DATES_SHOWN_MAX, DATES_LEVEL_MAX = 12, 5
"""Dates below an axis, and how many of them stand beside each other without being turned."""

Level = tuple[float, int]
"""Yuan per tonne, or ticks of a bare book; tonnes."""


def depth(
    book: "Market | OrderBook", product: str | None = None, *, levels: int = 20
) -> "Figure":
    """Draw how many tonnes rest on both sides, from the best price outwards.

    Parameters
    ----------
    book
        A market, or a bare order book, whose prices are ticks.
    product
        Of a market; may be left out where it has one product only.
    levels
        The best price levels of each side.

    Raises
    ------
    ValueError, LookupError
        The market has several products, or not this one.
    """
    if isinstance(book, Market):
        product = _product(product, book.products)
        sides = [_levels(book, product, side, levels) for side in (Side.BUY, Side.SELL)]
        title, unit = f"{product}, {book.trading_date or 'no day yet'}", "yuan/t"
    else:
        both = book.depth(levels)
        sides = [[(price, tonnes) for price, tonnes, _ in side] for side in both]
        title, unit = "order book", "ticks"
    figure = figure_new(9, 4.5)
    axes = figure.subplots()
    for side, name, colour in zip(sides, ("buy", "sell"), (BUY_COLOUR, SELL_COLOUR), strict=True):
        prices = [price for price, _ in side]
        sums = list(accumulate(tonnes for _, tonnes in side))
        if side:
            # From the best price on the whole of what is better than a price can be had at it.
            axes.fill_between(prices, sums, step="post", color=colour, alpha=0.3)
            axes.step(prices, sums, where="post", color=colour, label=f"{name}, {sums[-1]:,} t")
            axes.plot(prices, sums, ".", color=colour)
    axes.set(title=title, xlabel=unit, ylabel="t, added up", ylim=(0, None))
    axes_finish(axes)
    return figure


def _levels(market: Market, product: str, side: Side, levels: int) -> list[Level]:
    return [(_yuan(price), tonnes) for price, tonnes, _ in market.depth(product, side, levels)]


class _DayOfTrades(NamedTuple):
    """A day as it is drawn: its date if the events have its opening, its trades, and its close."""

    date: str
    trades: list[Trade]
    closes: list[str]


def day(events: Iterable[Event], product: str | None = None) -> "Figure":
    """Draw a day's trades, or those of several days: at which price, and tonnes at each price.

    Events have no time of day: trades stand in their order, and each day is as wide as the others.

    Parameters
    ----------
    events
        Named events, of which the trades count; where a day is closed in them its close is drawn.
    product
        May be left out where one product only was traded.

    Raises
    ------
    ValueError
        There is no trade, or not of this product; several were traded and none is named.
    """
    events = list(events)
    traded = dict.fromkeys(event.product for event in events if isinstance(event, Trade))
    product = _product(product, tuple(traded))
    days = _days_of_trades(events, product)
    figure = figure_new(10, 4.8)
    path, sums = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    _trades_draw(path, sums, days)
    _closes_draw(path, days)
    _days_label(path, days)
    path.set(title=f"{product}: trades", ylabel="yuan/t")
    sums.set(title="at each price", xlabel="t")
    axes_finish(path, sums)
    return figure


def _days_of_trades(events: Iterable[Event], product: str) -> list[_DayOfTrades]:
    days = [_DayOfTrades("", [], [])]
    for event in events:
        if isinstance(event, DayOpened):
            days.append(_DayOfTrades(event.date, [], []))
        elif isinstance(event, Trade) and event.product == product:
            days[-1].trades.append(event)
        elif isinstance(event, DayClosed) and event.product == product:
            days[-1].closes.append(event.close)
    # What came before the first opening: deposits, or the end of a day that began elsewhere.
    return days if days[0].trades or days[0].closes else days[1:]


def _trades_draw(path: Any, sums: Any, days: Sequence[_DayOfTrades]) -> None:
    """Draw the trades at their places, where day n reaches from n to n + 1; tonnes beside them."""
    placed = [
        (number + (place + 0.5) / len(each.trades), trade)
        for number, each in enumerate(days)
        for place, trade in enumerate(each.trades)
    ]
    below: dict[float, float] = {}
    for method, colour in METHOD_COLOURS.items():
        made = [(place, trade) for place, trade in placed if trade.method == method]
        if not made:
            continue
        prices = [_yuan(trade.price) for _, trade in made]
        tonnes = sum(trade.tonnes for _, trade in made)
        style = "-" if method == "listed" else ""
        label = f"{method}, {tonnes:,} t"
        places = [place for place, _ in made]
        path.plot(places, prices, style, marker=".", linewidth=0.8, color=colour, label=label)
        for price, (_, trade) in zip(prices, made, strict=True):
            left = below.get(price, 0)
            sums.barh(price, trade.tonnes, left=left, height=0.01, color=colour, edgecolor=colour)
            below[price] = left + trade.tonnes


def _closes_draw(path: Any, days: Sequence[_DayOfTrades]) -> None:
    """Draw each day's close over its day; the key names one, with its price if it is the only."""
    closed = [(number, close) for number, each in enumerate(days) for close in each.closes]
    key = f"close {closed[0][1]}" if len(closed) == 1 else "close"
    for number, close in closed:
        label = key if (number, close) == closed[0] else None
        ends, price = (number, number + 1), _yuan(close)
        path.plot(ends, (price, price), color="black", linestyle=":", label=label)


def _days_label(path: Any, days: Sequence[_DayOfTrades]) -> None:
    if len(days) == 1:
        path.set(xlabel=f"trades of {days[0].date or 'the day'}, in their order", xlim=(0, 1))
        path.set_xticks([])
        return
    step = -(-len(days) // DATES_SHOWN_MAX)
    numbers = range(0, len(days), step)
    path.set(xlabel="day, and its trades in their order", xlim=(0, len(days)))
    path.set_xticks([number + 0.5 for number in numbers], [days[number].date for number in numbers])
    path.tick_params(axis="x", labelrotation=30 if len(numbers) > DATES_LEVEL_MAX else 0)


def awards(result: AuctionResult, *, side: Literal["sell", "buy"] = "sell") -> "Figure":
    """Draw an auction's bids, the best first, and which of them won.

    Parameters
    ----------
    side
        As it was cleared with: where the applicant buys, the lowest bids are the best.

    Raises
    ------
    ValueError
        There is no bid with a price.
    """
    priced = [bid for bid in result.bids if bid.price is not None]
    if not priced:
        raise ValueError("result: expected a bid with a price, got none")
    figure = figure_new(9, 4.5)
    axes = figure.subplots()
    begun = 0
    for bid in sorted(priced, key=_price_of, reverse=side == "sell"):
        axes.bar(
            *(begun, _price_of(bid)), width=bid.tonnes, align="edge", linewidth=0.4,
            color="white", edgecolor="tab:gray",
        )  # fmt: skip
        axes.bar(begun, _price_of(bid), width=bid.won, align="edge", color="tab:blue")
        begun += bid.tonnes
    if result.clearing_price is not None:
        label = f"clearing price {result.clearing_price}: {result.tonnes:,} t awarded"
        axes.axhline(_yuan(result.clearing_price), color="tab:red", linestyle="--", label=label)
    lowest = min(_price_of(bid) for bid in priced)
    free = sum(bid.won for bid in result.bids) - sum(bid.won for bid in priced)
    beside = f"; {free:,} t without a price" if free else ""
    winners = sum(bid.won > 0 for bid in result.bids)
    axes.set(
        title=result.cancelled or f"{winners} of {len(result.bids)} bids won (blue){beside}",
        xlabel="t, the best bids first",
        ylabel="yuan/t",
        ylim=(0.98 * lowest, None),
    )
    axes_finish(axes)
    return figure


def _product(product: str | None, known: tuple[str, ...]) -> str:
    if product is None and len(known) == 1:
        return known[0]
    if product not in known:
        expected = f"one of {', '.join(known)}" if known else "one that was traded"
        raise ValueError(f"product: expected {expected}, got {product}")
    return product


def _price_of(bid: BidResult) -> float:
    return _yuan(bid.price or "0.00")


def _yuan(text: str) -> float:
    return fen_of(text) / 100

"""Plots draw what they are given: lines and bars hold the numbers, and a picture comes out."""

import sys

import pytest

from cea_exchange import AuctionBid, Market, OrderBook, Side, clear_auction, plots
from cea_exchange.matching.events import Events

pytest.importorskip("matplotlib")


def picture(figure) -> bytes:
    """What a notebook shows."""
    image = figure._repr_png_()
    assert image.startswith(b"\x89PNG") and len(image) > 5_000
    return image


def market_of_a_day() -> tuple[Market, Events]:
    market = Market("cea", reference_prices={"CEA23": "97.49"})
    market.deposit("alice", cash="10000000.00")
    market.deposit("bob", product="CEA23", tonnes=5_000)
    events = market.open_day("2025-07-16") + market.phase("listed")
    for number in range(20):
        price = f"{97 + number % 5}.00"
        account, side = ("alice", Side.BUY) if number % 2 else ("bob", Side.SELL)
        events += market.enter(
            account, "CEA23", side, price=price, tonnes=10 + number, order_id=str(number)
        )
    return market, events


def test_depth_adds_up_from_the_best_price_outwards() -> None:
    market, _ = market_of_a_day()
    figure = plots.depth(market)
    (axes,) = figure.axes
    for line, side in zip(axes.lines[::2], ("buy", "sell"), strict=True):
        levels = market.depth("CEA23", side, 20)
        prices, sums = line.get_data()
        assert [f"{price:.2f}" for price in prices] == [price for price, _, _ in levels]
        assert sums[-1] == sum(tonnes for _, tonnes, _ in levels)
        assert list(sums) == sorted(sums)
    picture(figure)


def test_depth_of_a_bare_book_is_in_ticks() -> None:
    book = OrderBook(1, 100, order_count_max=10)
    book.enter(1, Side.BUY, 40, 5)
    (axes,) = plots.depth(book).axes
    assert axes.get_xlabel() == "ticks" and list(axes.lines[0].get_data()[0]) == [40]
    picture(plots.depth(OrderBook(1, 100, order_count_max=10)))


def test_a_day_has_each_trade_and_all_tonnes() -> None:
    market, events = market_of_a_day()
    events += market.close_day()
    trades = [event for event in events if event.event == "trade"]
    figure = plots.day(events)
    path, sums = figure.axes
    assert list(path.lines[0].get_ydata()) == [event["price_yuan"] for event in trades]
    tonnes = sum(bar.get_width() for bar in sums.patches)
    assert tonnes == sum(trade.tonnes for trade in trades) > 0
    (close,) = [event for event in events if event.event == "day_closed"]
    assert close["close_yuan"] in path.lines[-1].get_ydata()
    picture(figure)


def test_trades_of_a_day_stand_in_their_order_whatever_came_between() -> None:
    _market, events = market_of_a_day()
    figure = plots.day(events)
    path, _ = figure.axes
    places = list(path.lines[0].get_xdata())
    assert places == [(place + 0.5) / len(places) for place in range(len(places))]
    assert path.get_xlabel() == "trades of 2025-07-16, in their order"
    picture(figure)


def test_each_of_several_days_has_its_place_its_date_and_its_close() -> None:
    market, events = market_of_a_day()
    events += market.close_day()
    events += market.open_day("2025-07-17") + market.close_day()
    events += market.open_day("2025-07-18") + market.phase("listed")
    for account, side in (("bob", "sell"), ("alice", "buy")):
        events += market.enter(account, "CEA23", side, price="97.00", tonnes=10, order_id=side)
    events += market.close_day()
    path, _ = plots.day(events).axes
    listed, *closes = path.lines
    trades_each_day = [len([x for x in listed.get_xdata() if int(x) == day]) for day in range(3)]
    assert trades_each_day[0] > 5 and trades_each_day[1:] == [0, 1]
    labels = [label.get_text() for label in path.get_xticklabels()]
    assert labels == ["2025-07-16", "2025-07-17", "2025-07-18"]
    assert list(path.get_xticks()) == [0.5, 1.5, 2.5]
    closed = [event["close_yuan"] for event in events if event.event == "day_closed"]
    assert [list(line.get_ydata()) for line in closes] == [[close, close] for close in closed]
    assert [list(line.get_xdata()) for line in closes] == [[0, 1], [1, 2], [2, 3]]
    assert [text.get_text() for text in path.get_legend().get_texts()][1:] == ["close"]


def test_the_rest_of_a_day_that_began_elsewhere_is_drawn() -> None:
    _market, events = market_of_a_day()
    later = [event for event in events if event.event == "trade"][3:]
    path, _ = plots.day(later).axes
    assert len(path.lines[0].get_xdata()) == len(later)
    assert path.get_xlabel() == "trades of the day, in their order"


@pytest.mark.parametrize("side", ["sell", "buy"])
def test_awards_have_every_bid_and_colour_what_won(side: str) -> None:
    bids = [AuctionBid(f"b{number}", f"{60 + 7 * number % 10}.00", 100) for number in range(8)]
    result = clear_auction(bids, 350, side=side)
    (axes,) = plots.awards(result, side=side).axes
    won = sum(bar.get_width() for bar in axes.patches[1::2])
    bid = sum(bar.get_width() for bar in axes.patches[::2])
    assert won == result.tonnes == 350 and bid == 800
    heights = [bar.get_height() for bar in axes.patches[::2]]
    assert heights == sorted(heights, reverse=side == "sell")
    # What won stands first, whichever side the best bids are on.
    assert sum(bar.get_width() for bar in axes.patches[1:7:2]) == 300
    assert f"{axes.lines[0].get_ydata()[0]:.2f}" == result.clearing_price
    picture(plots.awards(result, side=side))


def test_what_can_not_be_drawn_is_said() -> None:
    market, events = market_of_a_day()
    market.declare_product("CEA24", "80.00")
    with pytest.raises(ValueError, match="product: expected one of CEA23, CEA24, got None"):
        plots.depth(market)
    with pytest.raises(ValueError, match="product: expected one of CEA23, got CEA22"):
        plots.day(events, "CEA22")
    with pytest.raises(ValueError, match="expected one that was traded, got None"):
        plots.day([])
    with pytest.raises(ValueError, match="expected a bid with a price, got none"):
        plots.awards(clear_auction([], 100))
    with pytest.raises(FileNotFoundError, match=r"bulletins\.csv"):
        plots.year("nowhere")


def test_without_matplotlib_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    market, events = market_of_a_day()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    for draw in (lambda: plots.depth(market), lambda: plots.day(events)):
        with pytest.raises(plots.PlotsMissing, match=r"pip install 'cea-exchange\[plots\]'"):
            draw()

"""What objects show of themselves in a notebook, and events as tables of three libraries."""

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser

import numpy as np
import pytest
from msgspec.structs import replace

from cea_exchange import (
    COMMAND_DTYPE,
    EVENT_DTYPE,
    CommandKind,
    EventKind,
    EventsTable,
    Market,
    OrderBook,
    Side,
    Tif,
    events_table,
    to_arrow,
    to_pandas,
    to_polars,
)
from cea_exchange.domain.documents.html_table import ROWS_SHOWN, html_table
from cea_exchange.matching.bulletins import MarketBulletins
from cea_exchange.matching.events import Events, events_html
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.matching.statements import MarketStatements


class Cells(HTMLParser):
    """The rows of a page's tables; fails at a tag that is not closed where it has to be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == [], self.open

    def handle_starttag(self, tag: str, attributes: object) -> None:
        assert tag in ("table", "caption", "tr", "th", "td", "p"), tag
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, text: str) -> None:
        if self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += text


def shown(value: object) -> list[list[str]]:
    return Cells(value._repr_html_()).rows  # type: ignore[attr-defined]


@pytest.fixture(params=[None, ReferenceMarket], ids=["compiled", "reference"])
def market(request: pytest.FixtureRequest) -> Market:
    prices = {"CEA23": "97.49", "CEA24": "80.00"}
    market = Market("cea", reference_prices=prices, core=request.param)
    market.deposit("alice", cash="100000.00")
    market.deposit("bob", product="CEA23", tonnes=500)
    return market


def day_of(market: Market) -> Events:
    events = Events()
    events += market.open_day("2025-07-16")
    events += market.phase("listed")
    events += market.enter("alice", "CEA23", Side.BUY, price="97.50", tonnes=100, order_id="a1")
    events += market.enter("bob", "CEA23", Side.SELL, price="97.50", tonnes=40, order_id="b1")
    events += market.enter("bob", "CEA23", Side.SELL, price="98.00", tonnes=30, order_id="b2")
    events += market.enter("bob", "CEA23", Side.SELL, price="300.00", tonnes=30, order_id="<b>3")
    return events


def test_a_list_of_events_is_a_table_of_what_its_events_have(market: Market) -> None:
    day = day_of(market)
    heads, *rows = shown(day)
    assert heads[:2] == ["event", "seq"] and "price" in heads and "price_fen" not in heads
    assert len(rows) == len(day)
    (trade,) = [dict(zip(heads, row, strict=True)) for row in rows if row[0] == "trade"]
    assert (trade["price"], trade["tonnes"], trade["buyer"]) == ("97.50", "40", "alice")
    assert trade["reason"] == ""
    # A name is no HTML.
    (refused,) = [row for row in rows if row[0] == "order_rejected"]
    assert "<b>3" in refused and "<b>" not in day._repr_html_()
    (single,) = shown(day[0])[1:]
    assert single[0] == day[0].event
    assert "no events" in Events()._repr_html_()


def test_lists_of_events_put_together_still_show_themselves(market: Market) -> None:
    opened, phase = market.open_day("2025-07-16"), market.phase("listed")
    for both in (opened + phase, Events([*opened, *phase])):
        assert type(both) is Events and len(shown(both)) == 1 + len(both)
    assert opened + phase == list(opened) + list(phase)


def test_money_of_a_days_close_is_shown_in_yuan(market: Market) -> None:
    day_of(market)
    heads, *rows = shown(market.close_day())
    closed = [dict(zip(heads, row, strict=True)) for row in rows if row[0] == "day_closed"]
    assert closed[0]["amount listed"] == "3900.00" and closed[0]["volume listed"] == "40"


def test_of_many_events_some_are_shown_and_the_rest_counted(market: Market) -> None:
    (event,) = market.deposit("carol", cash="1.00")
    assert len(shown(Events([event] * 100))) == 1 + ROWS_SHOWN
    assert "and 40 more" in events_html([event] * 100)


def test_a_market_shows_its_products_and_accounts(market: Market) -> None:
    day_of(market)
    before = market.state_hash()
    cells = shown(market)
    heads, first = cells[:2]
    product = dict(zip(heads, first, strict=True))
    assert product["product"] == "CEA23" and product["reference"] == "97.49"
    assert (product["bid"], product["t bid"]) == ("97.50", "60")
    assert (product["ask"], product["t asked"]) == ("98.00", "30")
    accounts = {row[0]: row for row in cells if row[0] in ("alice", "bob")}
    assert accounts["alice"][-1] == "CEA23 40 t" and "CEA23" in accounts["bob"][-1]
    assert market.state_hash() == before
    market.halt("CEA23")
    assert shown(market)[1][1] == "halted"


def test_a_book_shows_its_best_levels_with_the_spread_in_the_middle() -> None:
    book = OrderBook(1, 1_000, order_count_max=100)
    for number in range(1, 21):
        book.enter(number, Side.BUY, 500 - number, 10)
        book.enter(100 + number, Side.SELL, 500 + number, 7)
    heads, *rows = shown(book)
    assert heads == ["orders", "t bid", "price", "t asked", "orders"]
    assert [int(row[2]) for row in rows] == [*range(510, 500, -1), *range(499, 489, -1)]
    assert rows[9] == ["", "", "501", "7", "1"] and rows[10] == ["1", "10", "499", "", ""]
    assert shown(OrderBook(1, 10, order_count_max=1)) == [heads]


def test_statements_and_bulletins_show_a_day() -> None:
    market = Market("cea", reference_prices={"CEA23": "97.49"})
    statements, bulletins = MarketStatements(market), MarketBulletins(market)
    events = market.deposit("alice", cash="100000.00")
    events += market.deposit("bob", product="CEA23", tonnes=500)
    events += day_of(market) + market.close_day()
    (bulletin,) = bulletins.take(events)
    assert repr(bulletin) == "<Bulletin cea 2025-07-16: close 97.50, 40 t of 1 products>"
    heads, product, composite = shown(bulletin)
    assert product[0] == "CEA23" and product[4] == "97.50" and product[-2:] == ["40", "3900.00"]
    assert composite[0] == "COMCEA" and len(heads) == len(product)
    alice, bob = statements.take(events)
    assert repr(alice) == (
        "<Statement alice 2025-07-16: cash opening 0.00, closing 96100.00, 2 movements>"
    )
    rows = shown(alice)
    assert [row[0] for row in rows[1:]] == ["opening", "deposited", "trade buy", "closing"]
    assert rows[-1][1] == "CEA23 40 t" and rows[-1][-1] == "96100.00"
    assert shown(bob)[-1][1] == "CEA23 460 t"


def test_text_in_a_cell_is_no_html_and_numbers_stand_to_the_right() -> None:
    text = html_table(("<i>",), [("<script>",), ("1,000.50",), (7,), (None,)], caption="a & b")
    assert "<script>" not in text and "<i>" not in text and "a &amp; b" in text
    assert Cells(text).rows == [["<i>"], ["<script>"], ["1,000.50"], ["7"], [""]]
    assert re.findall("text-align:(right|left)\">(1,000.50|&lt;script&gt;|7)<", text) == [
        ("left", "&lt;script&gt;"), ("right", "1,000.50"), ("right", "7"),
    ]  # fmt: skip


# -- Tables ----------------------------------------------------------------------------------------


def rows_of(table: EventsTable) -> Iterator[list[dict[str, object]]]:
    """The rows as each library gives them back, what is absent as None."""
    frame = table.to_pandas()
    yield frame.astype(object).where(frame.notna(), None).to_dict("records")
    yield table.to_polars().to_dicts()
    yield table.to_arrow().to_pylist()


def test_named_events_are_the_same_table_in_three_libraries(market: Market) -> None:
    events = day_of(market) + market.close_day()
    table = events_table(events)
    assert len(table) == len(events) and table._repr_html_() == events_html(events)
    for rows in rows_of(table):
        for row, event in zip(rows, events, strict=True):
            said = {name: value for name, value in row.items() if value is not None}
            assert said == {name: event[name] for name in event if event[name] is not None}
            assert all(type(row[name]) is type(event[name]) for name in said)
    frame = table.to_pandas()
    assert str(frame["price_fen"].dtype) == "Int64" and str(frame["seq"].dtype) == "int64"
    assert str(frame["price_yuan"].dtype) == "float64"
    assert len(events_table([])) == len(events_table([]).to_polars()) == 0


def records_of_a_day() -> np.ndarray:
    book = OrderBook(1, 20_000, order_count_max=100)
    commands, events = np.zeros(4, COMMAND_DTYPE), np.zeros(64, EVENT_DTYPE)
    for number, row in enumerate(commands, start=1):
        row["kind"], row["side"] = CommandKind.ENTER, Side.BUY if number % 2 else Side.SELL
        row["order_id"], row["price"], row["tonnes"], row["tif"] = number, 9_750, 10, Tif.DAY
    consumed, produced = book.process(commands, events)
    assert consumed == 4
    return events[:produced]


def test_records_are_a_table_with_money_in_fen_and_yuan() -> None:
    records = records_of_a_day()
    table = events_table(records)
    assert len(table) == len(records) > 4
    for rows in rows_of(table):
        assert {row["price_fen"] for row in rows} == {9_750}
        assert {row["price_yuan"] for row in rows} == {97.5}
        assert {"ORDER_ACCEPTED", "TRADE"} <= {row["kind"] for row in rows}
        assert not {"price", "cash"} & set(rows[0])


def test_what_is_no_table_of_events_is_refused_with_words(market: Market) -> None:
    with pytest.raises(TypeError, match="expected named events or records, got int at 1"):
        events_table([market.open_day("2025-07-16")[0], 5])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="expected records of EVENT_DTYPE, got int64"):
        events_table(np.zeros(3, np.int64))
    records = records_of_a_day()
    records["kind"][2] = EventKind.DAY_CLOSED
    with pytest.raises(ValueError, match="none of DAY_CLOSED.* in row 2; `Market.events_named`"):
        events_table(records)
    closed = [event for event in day_of_closed() if event.event == "day_closed"]
    huge = replace(closed[0].amount, listed="92233720368547758.08")
    with pytest.raises(ValueError, match="amount_listed_fen: expected at most 64 bits"):
        events_table([replace(closed[0], amount=huge)])


def day_of_closed() -> list:
    market = Market("cea", reference_prices={"CEA23": "97.49"})
    market.open_day("2025-07-16")
    return market.close_day()


@pytest.mark.parametrize(
    ("module", "method", "install"),
    [
        ("pandas", "to_pandas", "pip install 'pandas'"),
        ("polars", "to_polars", "pip install 'polars'"),
        ("pyarrow", "to_arrow", r"pip install 'cea-exchange\[arrow\]'"),
    ],
)
def test_a_library_that_is_not_there_is_named_with_how_to_get_it(
    module: str, method: str, install: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = [events_table(day_of_closed()), events_table(records_of_a_day())]
    monkeypatch.setitem(sys.modules, module, None)
    for table in tables:
        with pytest.raises(ModuleNotFoundError, match=f"{method} needs {module}: {install}"):
            getattr(table, method)()


def test_the_converters_of_records_are_at_the_top_level() -> None:
    records = records_of_a_day()
    lengths = {len(to_pandas(records)), to_polars(records).height, to_arrow(records).num_rows}
    assert lengths == {len(records)}

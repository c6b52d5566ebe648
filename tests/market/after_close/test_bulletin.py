"""The bulletin after the close, from named events and from records, and its written forms."""

import csv
import io
import sys
import tracemalloc
from collections import Counter
from decimal import Decimal
from itertools import chain
from random import Random

import msgspec
import numpy as np
import pytest

from cea_exchange import Market
from cea_exchange.cli.reports.bulletin import Form, write
from cea_exchange.domain.documents import bulletin as bulletin_module
from cea_exchange.domain.documents.bulletin import BulletinBuilder, ByMethod, Traded
from cea_exchange.domain.documents.bulletin_forms import (
    bulletin_json,
    bulletin_parse,
    bulletin_text,
    bulletins_csv,
    bulletins_parquet,
    subject_name,
)
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import DAY_CLOSED_DTYPE, EVENT_DTYPE, EventKind, Method
from cea_exchange.matching.bulletins import MarketBulletins
from cea_exchange.matching.script import script_events
from support.market.market_records import entered
from support.market.market_scripts import SCRIPTS

PRODUCTS = {"CEA23": "97.49", "CEA24": "90.00", "CEA25": "80.01"}


def builder_of(products=PRODUCTS, **settings):
    builder = BulletinBuilder(load_profile("cea"), **settings)
    for product, price in products.items():
        builder.declare(product, int(price.replace(".", "")))
    return builder


class Trading:
    """An embedded market of which every event is kept, named; trades are made one by one."""

    def __init__(self, products=PRODUCTS, market_class=Market):
        self.market = market_class("cea", products)
        self.events = []
        self.count = 0
        for product in products:
            self.events += self.market.deposit("seller", product=product, tonnes=10**9)
        self.events += self.market.deposit("buyer", cash="900000000000.00")

    def open(self, day):
        self.events += self.market.open_day(day)
        self.events += self.market.phase("listed")

    def trade(self, product, price, tonnes):
        self.count += 1
        order = {"price": price, "tonnes": tonnes, "order_id": str(self.count)}
        self.events += self.market.enter("seller", product, "sell", **order)
        self.events += self.market.enter("buyer", product, "buy", **order)

    def close(self):
        self.events += self.market.close_day()


def test_a_day_of_two_products():
    """CEA-INF-01: prices, change, and what was traded, by product and in all."""
    trading = Trading({"CEA23": "97.49", "CEA24": "90.00"})
    trading.open("2025-07-16")
    trading.trade("CEA23", "98.00", 100)
    trading.trade("CEA23", "97.00", 50)
    trading.close()
    (bulletin,) = builder_of({"CEA23": "97.49", "CEA24": "90.00"}).take(trading.events)
    quote, idle, composite = (bulletin.quote(code) for code in ("CEA23", "CEA24", "COMCEA"))
    assert (quote.open, quote.high, quote.low, quote.close) == (9800, 9800, 9700, 9767)
    assert (quote.last_close, quote.change, quote.change_rate) == (9749, 18, 18)
    assert quote.day == ByMethod(listed=Traded(150, 1_465_000)) == quote.year == quote.total
    assert (idle.open, idle.high, idle.low, idle.close, idle.change) == (9000, None, None, 9000, 0)
    assert composite.day.total == Traded(150, 1_465_000)
    # The weights are equal: (98.00 + 90.00) / 2, (97.00 + 90.00) / 2, (97.67 + 90.00) / 2.
    assert (composite.open, composite.high, composite.low) == (9400, 9400, 9350)
    assert (composite.close, composite.last_close) == (9384, 9375)


def test_the_change_is_rounded_half_up_by_its_size():
    trading = Trading({"CEA23": "80.00"})
    for day, price in (("2025-07-16", "80.02"), ("2025-07-17", "80.00")):
        trading.open(day)
        trading.trade("CEA23", price, 1)
        trading.close()
    up, down = builder_of({"CEA23": "80.00"}).take(trading.events)
    # 0.02 of 80.00 is 0.025%; -0.02 of 80.02 is -0.02499%.
    assert (up.composite.change_rate, down.composite.change_rate) == (3, -2)


def path_brute_force(trades, references):
    """Return the extremes of the composite, computed anew in full after each trade."""
    lasts = dict(references)
    seen = []
    for product, price in trades:
        lasts[product] = price
        seen.append((2 * sum(lasts.values()) + len(lasts)) // (2 * len(lasts)))
    return (max(seen), min(seen)) if seen else (None, None)


@pytest.mark.parametrize("seed", range(20))
def test_the_composites_high_and_low_are_the_extremes_of_its_path(seed, monkeypatch):
    """CEA-INF-02, from named events and from records in pieces of any size."""
    random = Random(seed)
    monkeypatch.setattr(bulletin_module, "_TRADES_AT_A_TIME", random.randrange(1, 9))
    trading = Trading()
    references = {product: int(price.replace(".", "")) for product, price in PRODUCTS.items()}
    trades = []
    trading.open("2025-07-16")
    for _ in range(random.randrange(30)):
        product = random.choice(list(PRODUCTS))
        fen = references[product] + random.randrange(-300, 300)
        trades.append((product, fen))
        trading.trade(product, f"{fen // 100}.{fen % 100:02d}", random.randrange(1, 50))
    trading.close()
    (bulletin,) = builder_of().take(trading.events)
    composite = bulletin.composite
    assert (composite.high, composite.low) == path_brute_force(trades, references)
    rows, builder, found = records_of(trading.events), builder_of(), []
    while len(rows):
        size = random.randrange(1, 12)
        found += builder.take_records(rows[:size])
        rows = rows[size:]
    assert found == [bulletin]


def records_of(events):
    """Play the trades of named events once more, and return the core's own records."""
    market = Market("cea", PRODUCTS)
    rows = []
    for event in events:
        match event["event"]:
            case "deposited" if event["cash"] is None:
                market.deposit(event["account"], product=event["product"], tonnes=event["tonnes"])
            case "deposited":
                market.deposit(event["account"], cash=event["cash"])
            case "day_opened":
                day = int(event["date"].replace("-", ""))
                rows += [market.core.day_open(day), market.core.phase_set(2)]
            case "order_accepted":
                rows.append(entered(market, event))
            case "composite_closed":
                rows.append(market.core.day_close())
    return np.concatenate(rows)


def test_a_days_trades_take_little_memory():
    """Of a trade its product and price are kept until the close, and nothing else beside them."""
    trading, builder = Trading(), builder_of()
    trading.open("2025-07-16")
    trading.close()
    opened, *rest = np.split(records_of(trading.events), [1])
    trades = np.zeros(8_000, EVENT_DTYPE)
    trades["kind"], trades["method"] = EventKind.TRADE, Method.LISTED
    trades["product_index"] = np.arange(len(trades)) % len(PRODUCTS)
    trades["price"] = 9_000 + np.arange(len(trades)) % 100
    builder.take_records(opened)
    tracemalloc.start()
    try:
        for _ in range(50):
            builder.take_records(trades)
        (bulletin,) = builder.take_records(*rest)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert bulletin.composite.high > bulletin.composite.low
    assert peak_bytes < 20 * 50 * len(trades)


def test_a_product_that_does_not_weigh_moves_no_composite():
    """CEA-INF-02: in 2026 the composite is CEA25 alone."""
    trading = Trading()
    trading.open("2026-01-05")
    trading.trade("CEA23", "98.00", 10)
    trading.close()
    trading.open("2026-01-06")
    trading.trade("CEA25", "81.00", 10)
    trading.trade("CEA23", "99.00", 10)
    trading.close()
    first, second = builder_of().take(trading.events)
    assert (first.composite.high, first.composite.low, first.composite.close) == (None, None, 8001)
    composite = second.composite
    assert (composite.open, composite.high, composite.low, composite.close) == (8100,) * 4
    assert composite.day.total == Traded(20, 810 * 100 + 990 * 100)


def test_the_year_begins_anew_and_the_sum_of_all_does_not():
    trading = Trading({"CEA23": "97.49"})
    for day, tonnes in (("2024-12-30", 10), ("2024-12-31", 20), ("2025-01-02", 5)):
        trading.open(day)
        trading.trade("CEA23", "97.49", tonnes)
        trading.close()
    bulletins = builder_of({"CEA23": "97.49"}).take(trading.events)
    sums = [(b.quote("CEA23").year.total.volume, b.composite.total.total.volume) for b in bulletins]
    assert sums == [(10, 10), (30, 30), (5, 35)]
    assert [b.composite.year for b in bulletins] == [b.quote("CEA23").year for b in bulletins]


def test_a_builder_goes_on_from_the_bulletin_before():
    trading = Trading({"CEA23": "97.49"})
    for day in ("2025-07-16", "2025-07-17", "2025-07-18"):
        trading.open(day)
        trading.trade("CEA23", "98.00", 10)
        trading.close()
    whole = builder_of({"CEA23": "97.49"}).take(trading.events)
    read = bulletin_parse(bulletin_json(whole[0]), "bulletin")
    assert read == whole[0]
    opened = [i for i, event in enumerate(trading.events) if event["event"] == "day_opened"]
    later = builder_of({"CEA23": "98.00"}, after=read)
    assert later.take(trading.events[opened[1] :]) == whole[1:]


def test_opening_figures_are_written_by_hand():
    """What the market had traded before this system began is carried on from."""
    opening = {
        "quotPoin": "2024-12-31",
        "market": "cea",
        "composite": {
            "subjCode": "COMCEA",
            "closPric": "97.49",
            "methods": [
                {"methodCode": 10, "totalVolume": 118_000_000, "totalAmount": "7200000000.00"},
                {"methodCode": 20, "totalVolume": 512_000_000, "totalAmount": "35833000000.00"},
            ],
        },
    }
    after = bulletin_parse(msgspec.json.encode(opening), "opening.json")
    trading = Trading({"CEA23": "97.49"})
    trading.open("2025-01-02")
    trading.trade("CEA23", "98.00", 10)
    trading.close()
    (bulletin,) = builder_of({"CEA23": "97.49"}, after=after).take(trading.events)
    composite = bulletin.composite
    assert composite.total.total == Traded(630_000_010, 4_303_300_000_000 + 98_000)
    assert composite.year.total == Traded(10, 98_000) == bulletin.quote("CEA23").total.total
    assert composite.change == 51


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (b'"quotPoin": "2024-12-32"', "date"),
        (b'"quotPoin": 5', "quotPoin"),
        (b'"market": "cea", "opening": 1', "opening"),
    ],
)
def test_what_is_no_bulletin_is_refused_with_its_place(change, message):
    text = b'{"quotPoin": "2024-12-31", "market": "cea", "composite": {"subjCode": "COMCEA"}}'
    field = change.partition(b":")[0]
    spoiled = text.replace(b'"composite": {', b'"composite": {"closPric": "1.00", ')
    start = spoiled.index(field)
    end = spoiled.index(b",", start)
    with pytest.raises(ValueError, match=rf"opening.json: expected a bulletin, .*{message}"):
        bulletin_parse(spoiled[:start] + change + spoiled[end:], "opening.json")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"closPric": "0.00"}, "COMCEA: closPric, lastClosPric: expected above 0, got"),
        ({"closPric": "-1.00"}, "COMCEA: closPric, lastClosPric: expected above 0, got"),
        (
            {"closPric": "1.00", "lastClosPric": "0.00"},
            "COMCEA: closPric, lastClosPric: expected above 0, got",
        ),
        ({"totalAmount": "-5.00"}, "COMCEA: expected what a market can trade, got 5 t, -500 fen"),
        ({"totalVolume": 1 << 62}, "expected what a market can trade"),
        ({"totalAmount": f"{10**40}.00"}, "expected what a market can trade"),
        ({"products": ["CEA24", "CEA24"]}, "expected each product once, got CEA24, CEA24"),
    ],
)
def test_opening_figures_that_no_market_has_are_refused(fields, message):
    """CEA-INF-01: written by hand, they would end up in each bulletin after them."""
    sums = {"methodCode": 10, "totalVolume": 5, "totalAmount": "500.00"}
    sums |= {name: value for name, value in fields.items() if name in sums}
    prices = {name: value for name, value in fields.items() if name.endswith("Pric")}
    quote = {"closPric": "97.49", **prices, "methods": [sums]}
    document = {
        "quotPoin": "2024-12-31",
        "market": "cea",
        "composite": {"subjCode": "COMCEA", **quote},
        "products": [
            {"subjCode": code, "closPric": "97.49"} for code in fields.get("products", [])
        ],
    }
    with pytest.raises(ValueError, match=f"opening.json: expected a bulletin, .*{message}"):
        bulletin_parse(msgspec.json.encode(document), "opening.json")


def test_blocks_move_volume_and_no_price():
    """CEA-INF-01: what was traded between accounts of one group is shown apart."""
    market = Market("cea", {"CEA23": "97.49"})
    market.declare_account("seller", "one")
    market.declare_account("buyer", "one")
    events = market.deposit("seller", product="CEA23", tonnes=10**6)
    events += market.deposit("buyer", cash="900000000.00")
    events += market.open_day("2025-07-16") + market.phase("listed_and_block")
    terms = {"price": "80.00", "tonnes": 150_000, "counterparty": "buyer"}
    events += market.block_offer("seller", "CEA23", "sell", block_id="b1", **terms)
    events += market.block_accept("buyer", "b1")
    events += market.close_day()
    (bulletin,) = builder_of({"CEA23": "97.49"}).take(events)
    quote = bulletin.quote("CEA23")
    assert (quote.high, quote.low, quote.close) == (None, None, 9749)
    assert quote.day == ByMethod(block=Traded(150_000, 150_000 * 8_000))
    assert quote.volume_intra_group == bulletin.composite.volume_intra_group == 150_000
    document = msgspec.json.decode(bulletin_json(bulletin))
    assert document["products"][0]["methods"][1]["tradeAmount"] == "12000000.00"
    assert document["products"][0]["dealQty"] == 0
    assert document["composite"]["tradeVolume"] == 150_000
    assert document["composite"]["intraGroupVolume"] == 150_000
    assert "Of the block volume 150,000 t between accounts of one group." in bulletin_text(bulletin)


def test_a_product_nobody_declared_is_refused():
    trading = Trading({"CEA23": "97.49"})
    trading.open("2025-07-16")
    trading.close()
    builder = BulletinBuilder(load_profile("cea"))
    with pytest.raises(ValueError, match="expected one with its reference price, got 'CEA23'"):
        builder.take(trading.events)


def test_a_reference_price_by_notice_is_what_the_change_is_measured_from():
    trading = Trading({"CEA23": "97.49"})
    trading.events += trading.market.open_day("2025-07-16")
    trading.events += trading.market.reference_price("CEA23", "50.00")
    trading.close()
    (bulletin,) = builder_of({"CEA23": "97.49"}).take(trading.events)
    assert bulletin.quote("CEA23").last_close == bulletin.quote("CEA23").close == 5000


def test_amounts_beyond_64_bits_are_summed():
    """Day sums have 128 bits."""
    builder = builder_of({"CEA23": "97.49"})
    rows = np.zeros(2, EVENT_DTYPE)
    rows["kind"] = EventKind.DAY_CLOSED, EventKind.COMPOSITE_CLOSED
    rows["trading_date"] = 20250716
    rows["price"] = 9749
    closed = rows[:1].view(DAY_CLOSED_DTYPE)
    closed["open"] = closed["close"] = 9749
    closed["volume_block"] = 7
    closed["amount_block_low"], closed["amount_block_high"] = 3, 5
    (bulletin,) = builder.take_records(rows)
    assert bulletin.quote("CEA23").total.block == Traded(7, 5 * 2**64 + 3)
    assert Decimal(bulletin_rows(bulletin)[1]["blockTotalAmount"]) * 100 == 5 * 2**64 + 3


def bulletin_rows(bulletin):
    return list(csv.DictReader(io.StringIO(bulletins_csv([bulletin]))))


def some_bulletins():
    trading = Trading({"CEA23": "97.49", "CEA24": "90.00"})
    for day in ("2025-07-16", "2025-07-17"):
        trading.open(day)
        trading.trade("CEA23", "98.00", 1_234)
        trading.close()
    return builder_of({"CEA23": "97.49", "CEA24": "90.00"}).take(trading.events)


def both_ways(trading, references):
    """The bulletins of a trading's named events; those of its records must be the same."""
    named, recorded = builder_of(references), builder_of(references)
    found = named.take(trading.events) + named.finish()
    rows = trading.rows()
    size = 3
    pieces = [rows[first : first + size] for first in range(0, len(rows), size)]
    reported = [each for piece in pieces for each in recorded.take_records(piece)]
    assert found == reported + recorded.finish()
    return found


class RecordedTrading(Trading):
    """One of which the records are kept too."""

    def __init__(self, products):
        self.parts = []
        outer = self

        class RecordedMarket(Market):
            def _named(self, rows, asked):
                outer.parts.append(rows.copy())
                return super()._named(rows, asked)

        super().__init__(products, market_class=RecordedMarket)

    def rows(self):
        return np.concatenate(self.parts)


def test_high_and_low_are_what_the_composite_stood_at_though_a_product_was_delisted_since():
    """CEA-INF-02: each point weighs what was listed then."""
    references = {"CEA23": "100.00", "CEA24": "50.00", "CEA22": "30.00"}
    trading = RecordedTrading(references)
    trading.open("2025-07-16")
    trading.trade("CEA23", "106.00", 10)  # (106 + 50 + 30) / 3 = 62.00
    trading.trade("CEA22", "27.00", 10)  # (106 + 50 + 27) / 3 = 61.00
    trading.events += trading.market.delist_product("CEA22")
    trading.trade("CEA24", "54.00", 10)  # (106 + 54) / 2 = 80.00
    trading.trade("CEA23", "92.00", 10)  # (92 + 54) / 2 = 73.00
    trading.close()
    (bulletin,) = both_ways(trading, references)
    assert (bulletin.composite.high, bulletin.composite.low) == (8_000, 6_100)
    # 99.00 and 54.00; what is not listed any more has no part in open and close.
    assert (bulletin.composite.open, bulletin.composite.close) == (8_000, 7_650)


def test_another_product_takes_the_weight_of_one_that_is_delisted():
    """CEA-INF-02, CEA-PRC-04: in 2026 CEA25 alone, without it all others; on its last price."""
    references = {"CEA24": "50.00", "CEA25": "70.00"}
    trading = RecordedTrading(references)
    trading.open("2026-01-05")
    trading.trade("CEA25", "71.00", 10)
    trading.trade("CEA24", "45.00", 10)  # weighs nothing
    trading.trade("CEA25", "69.00", 10)
    trading.events += trading.market.delist_product("CEA25")
    trading.trade("CEA24", "46.00", 10)
    trading.close()
    (bulletin,) = both_ways(trading, references)
    assert (bulletin.composite.high, bulletin.composite.low) == (7_100, 4_600)


def test_a_day_that_closes_with_nothing_listed_keeps_the_last_composite():
    """CEA-INF-02, CEA-PRD-03."""
    references = {"CEA23": "100.00", "CEA24": "50.00"}
    trading = RecordedTrading(references)
    trading.open("2025-07-16")
    trading.trade("CEA23", "102.00", 10)
    trading.events += trading.market.delist_product("CEA23")
    trading.events += trading.market.delist_product("CEA24")
    trading.close()
    trading.open("2025-07-17")
    trading.close()
    first, second = both_ways(trading, references)
    composite = first.composite
    assert (composite.open, composite.close, composite.last_close) == (7_500, 7_500, 7_500)
    assert (composite.high, composite.low) == (None, None)
    assert composite.day.listed == Traded(10, 102_000)
    # All products are told of, traded or not.
    assert [quote.code for quote in first.products] == ["CEA23", "CEA24"]
    assert (second.composite.close, second.composite.high) == (7_500, None)
    assert [quote.close for quote in second.products] == [10_200, 5_000]


def test_the_layout_is_the_exchanges_own():
    """CEA-INF-01: field names, method codes; the quote's quantity is listed volume; no trade, 0."""
    document = msgspec.json.decode(bulletin_json(some_bulletins()[1]))
    assert document["quotPoin"] == "2025-07-17"
    quote, idle = document["products"]
    names = ("subjCode", "subjName", "openPric", "highPric", "lowPric", "closPric", "lastClosPric",
             "chanPric", "chanRate", "dealQty", "dealAmt")  # fmt: skip
    assert [quote[name] for name in names] == [
        "CEA23", "碳排放配额23", "98.00", "98.00", "98.00", "98.00", "98.00",
        "0.00", "0.00", 1_234, "120932.00",
    ]  # fmt: skip
    assert (idle["highPric"], idle["lowPric"], idle["openPric"]) == ("0.00", "0.00", "90.00")
    listed = quote["methods"][0]
    assert [each["methodCode"] for each in quote["methods"]] == [10, 20, 21]
    assert (listed["tradeVolume"], listed["yearVolume"], listed["totalVolume"]) == (
        1_234, 2_468, 2_468,
    )  # fmt: skip
    assert document["composite"]["subjName"] == "综合价格行情"
    assert subject_name("CEA19-20") == "碳排放配额19-20"
    assert subject_name("CCER-01-002") == "CCER-01-002"


def test_no_name_in_csv_is_a_formula():
    """CEA-PER-04; prices and changes below 0 stay numbers."""
    (bulletin, _) = some_bulletins()
    composite, quote, idle = bulletin_rows(bulletin)
    changed = msgspec.structs.replace(bulletin.products[0], code="=1+1")
    bulletin = msgspec.structs.replace(bulletin, products=(changed, *bulletin.products[1:]))
    rows = bulletin_rows(bulletin)
    assert rows == [composite, quote | {"subjCode": "'=1+1", "subjName": "'=1+1"}, idle]


def test_csv_and_parquet_have_the_same_rows():
    from pyarrow import parquet

    bulletins = some_bulletins()
    read = list(csv.DictReader(io.StringIO(bulletins_csv(bulletins))))
    table = parquet.read_table(io.BytesIO(bulletins_parquet(bulletins)))
    assert [row["subjCode"] for row in read] == ["COMCEA", "CEA23", "CEA24"] * 2
    assert [{k: str(v) for k, v in row.items()} for row in table.to_pylist()] == read
    assert str(table.schema.field("closPric").type) == "decimal128(18, 2)"
    assert "double" not in {str(field.type) for field in table.schema}


def test_parquet_without_pyarrow_says_which_extra_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'cea-exchange\[arrow\]'"):
        bulletins_parquet(some_bulletins())


def test_the_text_is_for_a_person():
    text = bulletin_text(some_bulletins()[1])
    assert "Daily bulletin 每日行情  2025-07-17  market cea" in text
    assert "open 开盘价 94.00, high 最高价 94.00, low 最低价 94.00, close 收盘价 94.00" in text
    assert "Since the market began 累计: 2,468 t 成交量, 241,864.00 yuan 成交额." in text
    assert all(line == line.rstrip() for line in text.splitlines())
    (row,) = [line for line in text.splitlines() if line.split()[:2] == ["CEA24", "90.00"]]
    assert row.split() == ["CEA24", "90.00", "-", "-", "90.00", "90.00", "0.00", "0.00"]


def test_a_terminal_sees_tables_and_a_file_has_the_bytes_of_the_text(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    bulletin = some_bulletins()[1]
    write([bulletin], Form.text, tmp_path / "day.txt")
    assert (tmp_path / "day.txt").read_text() == bulletin_text(bulletin)
    write([bulletin], Form.text, None)
    seen = capsys.readouterr().out
    assert "───" in seen and "───" not in bulletin_text(bulletin)
    assert any(line.split()[:2] == ["CEA24", "90.00"] for line in seen.splitlines())


GOLDEN = sorted(p.stem for p in SCRIPTS.glob("*.jsonl") if ".events" not in p.name)


@pytest.mark.parametrize("name", GOLDEN)
def test_the_bulletins_of_every_golden_script_follow_from_its_trades(name):
    """Of vintages and of the voluntary market's subjects, by all methods; listings too."""
    market = Market("ccer" if name.startswith("ccer_") else "cea")
    bulletins, traded, total = MarketBulletins(market), Counter(), Traded()
    published = 0
    with (SCRIPTS / f"{name}.jsonl").open("rb") as lines:
        for events in chain(script_events(lines, market, name), [None]):
            if events is None:
                events = market.close_day() if market.core.day_is_open else []
            for event in events:
                if event.event == "trade":
                    fen = int(event.price.replace(".", "")) * event.tonnes
                    traded[event.product, event.method] += event.tonnes
                    total += Traded(event.tonnes, fen)
            for bulletin in bulletins.take(events):
                published += 1
                assert bulletin.composite.code == f"COM{market.profile.name.upper()}"
                assert bulletin.composite.total.total == total
                for quote in bulletin.products:
                    for method in Method:
                        key = quote.code, method.name.lower()
                        assert quote.day.of(method).volume == traded.pop(key, 0)
                assert not +traded
                assert bulletin_parse(bulletin_json(bulletin), name) == bulletin
    assert published


def test_a_day_without_a_composite_has_a_bulletin_too():
    """CEA-PRD-03: where no product is listed any more, what it traded that day is published."""
    market = Market("cea", {"CEA23": "97.49"})
    bulletins = MarketBulletins(market)
    parts = [
        market.deposit("seller", product="CEA23", tonnes=10),
        market.deposit("buyer", cash="10000.00"),
        market.open_day("2025-07-16"),
        market.phase("listed"),
        market.enter("seller", "CEA23", "sell", price="98.00", tonnes=10, order_id="1"),
        market.enter("buyer", "CEA23", "buy", price="98.00", tonnes=10, order_id="1"),
        market.delist_product("CEA23"),
        market.close_day(),
    ]
    assert parts[-1][-1].event == "day_closed"
    (bulletin,) = (each for events in parts for each in bulletins.take(events))
    assert bulletin.quote("CEA23").close == 9800
    composite = bulletin.composite
    assert (composite.open, composite.high, composite.low) == (9749, None, None)
    assert (composite.close, composite.change_rate) == (9749, 0)
    assert composite.total.total == Traded(10, 98_000)
    named = [event for events in parts for event in events]
    late = builder_of({"CEA23": "97.49"})
    assert late.take(named) == []
    assert late.take(Market("cea").open_day("2025-07-17")) == [bulletin]

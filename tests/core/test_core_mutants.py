"""What mutants of the compiled core showed to be untested, see tests/mutation/README.md.

Contents: one thread at a time, memory, limits of settings, many at once, embedding.
"""

import importlib.util
import os
import random
import subprocess
import sys
import sysconfig
from pathlib import Path

import google_crc32c
import msgspec
import numpy as np
import pytest

from cea_exchange._book import OrderBook
from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.records import (
    COMMAND_DTYPE,
    DAY_CLOSED_DTYPE,
    EVENT_DTYPE,
    LEVEL_DTYPE,
    OPERATOR_ANY,
    ORDER_DTYPE,
    PRODUCT_NONE,
    CommandKind,
    EventKind,
    Phase,
    Reason,
    Side,
    Tif,
)
from cea_exchange.matching.reference import ReferenceMarket
from support.market.market_flow import rules_make


def environment():
    """That of a process which finds the same modules."""
    folders = [os.path.abspath(folder) for folder in sys.path if folder]
    return os.environ | {"PYTHONPATH": os.pathsep.join(folders)}


def a_market(rules=None, **settings):
    """Two accounts, one product at 100.00 yuan, listed trading, an order of each account."""
    market = CompiledMarket(rules or rules_make(), **settings)
    market.product_declare(777, 10_000)
    for index in range(2):
        market.account_declare(1_000 + index)
        market.deposit(index, PRODUCT_NONE, 10**9)
        market.deposit(index, 0, 5_000)
    market.day_open(20250716)
    market.phase_set(Phase.LISTED)
    return market


# -- One thread at a time --------------------------------------------------------------------------

BOOK_CALLS = {
    "enter": (1, Side.BUY, 5, 1),
    "cancel": (1,),
    "amend": (1, 5, 1),
    "process": (np.zeros(0, COMMAND_DTYPE), np.zeros(0, EVENT_DTYPE)),
    "depth": (),
    "depth_into": (Side.BUY, np.zeros(1, LEVEL_DTYPE)),
    "orders": (Side.BUY, 5),
    "orders_into": (np.zeros(1, ORDER_DTYPE),),
    "order": (1,),
    "__contains__": (1,),
    "check": (),
    "state_hash": (),
    "snapshot": (),
    "copy": (),
    "__getattribute__": ("best_bid",),
    "__getattribute__ ": ("best_ask",),
}

MARKET_CALLS = {
    "product_declare": (778, 10_000),
    "account_declare": (2_000,),
    "process": (np.zeros(0, COMMAND_DTYPE), np.zeros(0, EVENT_DTYPE)),
    "deposit": (0, 0, 1),
    "withdraw": (0, 0, 1),
    "day_open": (20250717,),
    "day_close": (),
    "phase_set": (Phase.BREAK,),
    "halt": (0,),
    "resume": (0,),
    "suspend": (0,),
    "orders_cancel": (0, OPERATOR_ANY, Reason.KILLED),
    "operators_cancel": ([(0, 0)],),
    "trade_bust": (bytes(160),),
    "trade_bust_fault": (bytes(160),),
    "restore": (0,),
    "reference_price_set": (0, 9_000),
    "checkpoint": (),
    "last_client_order_id": (0, 0),
    "report_seq": (0,),
    "account": (0,),
    "order": (1,),
    "best": (0, Side.BUY),
    "depth": (0, Side.BUY, 5),
    "orders_at": (0, Side.BUY, 10_000),
    "orders_of": (0,),
    "product": (0,),
    "state_hash": (),
    "holdings_hash": (),
    "check": (),
    "snapshot": (),
    "copy": (),
}


def refusals(calls, target):
    """Which calls on `target` were refused because somebody is inside."""
    refused = set()
    for name, arguments in calls.items():
        try:
            getattr(target, name.strip())(*arguments)
        except RuntimeError as error:
            assert "another thread is inside this" in str(error)
            refused.add(name)
    return refused


def test_no_call_comes_in_while_a_book_is_copied_out(monkeypatch):
    """The checksum of a snapshot is taken by another package: it stands for a second thread."""
    book = OrderBook(0, 10, order_count_max=10)
    book.enter(1, Side.BUY, 5, 3)
    before, found = book.state_hash(), []
    real = google_crc32c.value

    def inside(data):
        found.append(refusals(BOOK_CALLS, book))
        return real(data)

    monkeypatch.setattr(google_crc32c, "value", inside)
    book.snapshot()
    assert [set(BOOK_CALLS)] == found
    monkeypatch.undo()
    assert set() == refusals(BOOK_CALLS, book.copy())
    assert before == book.state_hash()


def test_no_call_comes_in_while_a_market_is_copied_out(monkeypatch):
    """Likewise, where the orders of its snapshot are put in order."""
    market = a_market()
    before, found = market.state_hash(), []
    real = np.diff

    def inside(*arguments, **settings):
        found.append(refusals(MARKET_CALLS, market))
        return real(*arguments, **settings)

    monkeypatch.setattr(np, "diff", inside)
    market.snapshot()
    assert [set(MARKET_CALLS)] == found
    monkeypatch.undo()
    assert before == market.state_hash()


def test_no_call_comes_in_during_an_act(monkeypatch):
    """Other acts make room for their rows before they begin, and then run nobody's code."""
    market, found = a_market(), []
    real = np.zeros

    def inside(*arguments, **settings):
        if not found:
            found.append(set())
            found[0] |= refusals(MARKET_CALLS, market)
        return real(*arguments, **settings)

    monkeypatch.setattr(np, "zeros", inside)
    market.operators_cancel([(0, 0)])
    assert [set(MARKET_CALLS)] == found
    monkeypatch.undo()
    market.check()
    market.state_hash()


# -- Memory ----------------------------------------------------------------------------------------


def test_a_book_gives_its_address_space_back():
    """2 TiB of levels, 256 GiB of orders and 128 GiB of ids: all there is holds 50 of them."""
    for _ in range(1_000):
        OrderBook(0, (1 << 36) - 1, order_count_max=(1 << 32) - 3)


def filled_book():
    book = OrderBook(0, 10, order_count_max=10)
    book.enter(1, Side.BUY, 5, 3)


def filled_market():
    """More accounts and products than it has room for at first."""
    market = a_market()
    for key in range(100):
        market.account_declare(5_000 + key)
    for key in range(5):
        market.product_declare(key, 10_000)


@pytest.mark.skipif(sys.platform != "linux", reason="the address space is read from /proc")
@pytest.mark.parametrize("make", [filled_book, filled_market])
def test_what_is_dropped_leaves_nothing_behind(make):
    """Not even the smallest of its arrays, a page each."""
    count, pages = 1_000, []
    for _ in range(2):
        for _ in range(count):
            make()
        pages.append(int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]))
    assert count // 2 > pages[1] - pages[0]


OUT_OF_MEMORY = """
import resource
from cea_exchange.core.market import CompiledMarket
from cea_exchange.core.market import CompiledMarket
from support.market.market_flow import rules_make

market = CompiledMarket(rules_make(order_count_max=1))
for key in range(4):
    market.product_declare(key, 10_000)
for key in range(64):
    market.account_declare(key)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
_, most = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (used + (24 << 20), most))
before = market.state_hash()
key = 64
try:
    while key < 1 << 20:
        if key & (key - 1) == 0:
            # Only now may more memory be wanted.
            before = market.state_hash()
        market.account_declare(key)
        key += 1
except MemoryError:
    assert before == market.state_hash()
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    assert key == market.account_declare(key)
    market.check()
    print("none left")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit on address space is Linux's")
def test_a_market_without_memory_says_so_and_stays_as_it_was():
    finished = subprocess.run(
        [sys.executable, "-c", OUT_OF_MEMORY], capture_output=True, text=True, env=environment()
    )
    assert finished.stdout == "none left\n", finished.stderr


# -- Limits of settings ----------------------------------------------------------------------------


def test_settings_may_be_as_large_and_as_small_as_the_documents_say():
    market = CompiledMarket(rules_make(listed_band_bp=10_000), order_count_max=1)
    assert 1 == market.order_count_max
    assert 0 == market.product_declare(1, 10_000_000)
    assert (1, 10_000_000) == (market.product(0)["band_low"], market.product(0)["band_high"])
    with pytest.raises(ValueError, match="listed_band_bp"):
        CompiledMarket(rules_make(listed_band_bp=10_001))
    for count in (0, (1 << 32) - 2):
        with pytest.raises(ValueError, match="order_count_max"):
            CompiledMarket(rules_make(), order_count_max=count)
        with pytest.raises(ValueError, match="order_count_max"):
            OrderBook(0, 10, order_count_max=count)
    assert 1 == OrderBook(0, 10, order_count_max=1).order_count_max


def test_an_empty_book_is_restored_too():
    book = OrderBook(3, 10, order_count_max=7, self_trade="reject")
    copy = book.copy()
    assert book.state_hash() == copy.state_hash()
    assert (3, 10, 7, 0) == (copy.price_min, copy.price_max, copy.order_count_max, len(copy))


def test_a_restored_market_has_room_as_before_or_as_asked():
    market = a_market(order_count_max=7)
    data, rules = market.snapshot(), market.rules
    assert 7 == CompiledMarket.from_snapshot(rules, data).order_count_max
    assert 9 == CompiledMarket.from_snapshot(rules, data, 9).order_count_max


def test_a_restored_account_has_what_is_locked_and_what_was_bought_today():
    """Both at once: what was bought today can't be what a sell has locked."""
    market, rows = a_market(), np.zeros(2, EVENT_DTYPE)
    command = np.zeros(1, COMMAND_DTYPE)
    command["kind"], command["side"], command["client_order_id"] = CommandKind.ENTER, Side.SELL, 1
    command["price"], command["tonnes"] = 10_000, 3_000
    assert (1, 2) == market.process(command, rows)
    state = msgspec.msgpack.decode(market.snapshot())
    assert [[0, 5_000, 0]] == state["accounts"][0]["holdings"]
    for bought_today in (2_000, 2_001):
        state["accounts"][0]["holdings"] = [[0, 5_000, bought_today]]
        data = msgspec.msgpack.encode(state)
        if bought_today == 2_000:
            restored = CompiledMarket.from_snapshot(market.rules, data)
            assert {0: (5_000, 3_000, 2_000)} == restored.account(0)["holdings"]
        else:
            with pytest.raises(ValueError, match="locked and bought today"):
                CompiledMarket.from_snapshot(market.rules, data)


def test_a_day_may_trade_more_than_64_bits_of_money():
    """No order is that large, and no account that rich, but the day's sum has no limit."""
    tonnes, count = 100_000_000_000, 40
    market = a_market(rules_make(holdings_checked=False, block_tonnes_min=0, listed_band_bp=0))
    rows = np.zeros(4, EVENT_DTYPE)
    for number in range(1, 2 * count + 1):
        command = np.zeros(1, COMMAND_DTYPE)
        command["kind"], command["side"] = CommandKind.ENTER, 1 + number % 2
        command["account_index"], command["client_order_id"] = number % 2, number
        command["price"], command["tonnes"] = 10_000_000, tonnes
        assert 1 == market.process(command, rows)[0]
    amount = count * tonnes * 10_000_000
    assert amount > 1 << 65
    for core in (CompiledMarket, ReferenceMarket):
        restored = core.from_snapshot(market.rules, market.snapshot())
        assert amount == restored.product(0)["amount"]
        assert market.state_hash() == restored.state_hash()
    closed = market.day_close()
    closed = closed[closed["kind"] == EventKind.DAY_CLOSED].view(DAY_CLOSED_DTYPE)[0]
    assert amount == int(closed["amount_listed_high"]) << 64 | int(closed["amount_listed_low"])
    assert (count * tonnes, 10_000_000) == (closed["volume_listed"], closed["close"])


# -- Many at once ----------------------------------------------------------------------------------


@pytest.mark.parametrize("self_trade", ["allow", "cancel_resting"])
def test_one_call_may_give_any_number_of_trades_and_cancels(self_trade):
    """More than the book keeps room for, twice."""
    book = OrderBook(0, 10, order_count_max=1_000, self_trade=self_trade)
    for count in (100, 900):
        for order_id in range(count):
            book.enter(order_id, Side.SELL, 5, 2, owner=order_id % 2)
        result = book.enter(count, Side.BUY, 5, 2 * count, owner=1)
        trades = [(order_id, order_id % 2, 5, 2) for order_id in range(count)]
        own = self_trade != "allow"
        assert tuple(trades[:: 1 + own]) == result.trades
        assert (tuple(range(1, count, 2)) if own else ()) == result.orders_canceled
        assert count * own == result.tonnes_open
        assert own == (count in book)
        book.cancel(count)


# -- Embedding -------------------------------------------------------------------------------------

DRIVER = """
from libc.stdint cimport int64_t

from cea_exchange._book cimport *
from cea_exchange._ladder cimport Order
from cea_exchange._records cimport *
from cea_exchange._stream cimport EventSink, sink_of


def apply(
    OrderBook book, const unsigned char[::1] command, unsigned char[::1] rows, capacity, kinds,
):
    cdef EventSink sink = sink_of(<EventRecord*>&rows[0], capacity, kinds)
    needed = book_apply(&book.state, <const CommandRecord*>&command[0], &sink)
    return needed, sink.count


def call(OrderBook book, const unsigned char[::1] command, unsigned char[::1] rows, capacity):
    cdef const CommandRecord* row = <const CommandRecord*>&command[0]
    cdef EventSink sink = sink_of(<EventRecord*>&rows[0], capacity, 0xFFFFFFFF)
    if row.kind == COMMAND_KIND_ENTER:
        return book_enter(
            &book.state, &sink, row.order_id, row.side, row.price, row.tonnes, row.account_index,
            row.tif, row.flags, row.pick_order_id,
        ), sink.count
    if row.kind == COMMAND_KIND_CANCEL:
        return book_cancel(&book.state, &sink, row.order_id), sink.count
    return book_amend(&book.state, &sink, row.order_id, row.price, row.tonnes), sink.count


def enter_plain(OrderBook book, order_id, side, price, tonnes, owner):
    cdef EventSink sink = sink_of(NULL, 0, 0)
    return book_enter(&book.state, &sink, order_id, side, price, tonnes, owner)


def outcome(OrderBook book):
    cdef Outcome* outcome = &book.state.outcome
    return outcome.reason, outcome.tonnes_open, outcome.tonnes_canceled


def best(OrderBook book, side):
    cdef int64_t price = 0
    return price if book_best(&book.state, side, &price) else None


def tonnes_open(OrderBook book, order_id):
    cdef const Order* order = book_order(&book.state, order_id)
    return None if order == NULL else order.tonnes_open


def tonnes_at(OrderBook book, price):
    return book_tonnes_at(&book.state, price)
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """A compiled module that knows the book from its declarations only."""
    folder = tmp_path_factory.mktemp("driver")
    (folder / "driver.pyx").write_text(DRIVER, encoding="utf-8")
    source = Path(sys.modules["cea_exchange"].__file__).parents[1]
    cython = [sys.executable, "-m", "cython", "-3", "-I", str(source), "driver.pyx"]
    library = folder / f"driver{sysconfig.get_config_var('EXT_SUFFIX')}"
    link = [*sysconfig.get_config_var("LDSHARED").split(), "-fPIC", "-O1", "-w", "driver.c"]
    link += [f"-I{sysconfig.get_paths()['include']}", "-o", str(library)]
    for command in (cython, link):
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
    spec = importlib.util.spec_from_file_location("driver", library)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def commands_of(seed, count):
    """Commands that mostly meet each other, and some that are refused."""
    chance = random.Random(seed)
    commands = np.zeros(count, COMMAND_DTYPE)
    for row in commands:
        kind = chance.choices((CommandKind.ENTER, CommandKind.CANCEL, CommandKind.AMEND), (7, 1, 2))
        row["kind"], row["order_id"] = kind[0], chance.randrange(1, 40)
        if row["kind"] != CommandKind.CANCEL:
            row["price"], row["tonnes"] = chance.randrange(-1, 12), chance.randrange(0, 9)
        if row["kind"] == CommandKind.ENTER:
            row["side"], row["account_index"] = chance.choice((1, 2)), chance.randrange(3)
            row["tif"] = chance.choice((Tif.DAY, Tif.DAY, Tif.IOC, Tif.FOK))
            row["flags"] = chance.random() < 0.1
            row["pick_order_id"] = chance.randrange(1, 40) if chance.random() < 0.1 else 0
    return commands


BOOK_KINDS = (
    EventKind.ORDER_ACCEPTED,
    EventKind.ORDER_RESTED,
    EventKind.ORDER_AMENDED,
    EventKind.ORDER_CANCELED,
    EventKind.ORDER_REJECTED,
    EventKind.TRADE,
)


@pytest.mark.parametrize("self_trade", ["allow", "reject", "cancel_resting", "cancel_both"])
def test_a_sink_takes_the_kinds_it_names_and_never_more_rows_than_it_has(driver, self_trade):
    """Whatever it takes, the book does the same, and too few rows are told before anything is."""
    settings = {"order_count_max": 12, "self_trade": self_trade, "levels_max": 3}
    shown, filtered, called = (OrderBook(0, 10, **settings) for _ in range(3))
    chance = random.Random(self_trade)
    for command in commands_of(self_trade, 1_500):
        all_rows, rows, plain = (np.zeros(40, EVENT_DTYPE) for _ in range(3))
        command = np.array([command])
        assert 1 == shown.process(command, all_rows)[0]
        all_rows = all_rows[all_rows["kind"] != 0]
        kinds = sum(1 << kind for kind in BOOK_KINDS if chance.random() < 0.5)
        expected = all_rows[(kinds >> all_rows["kind"].astype(int)) & 1 == 1]
        octets, before = command.view("u1"), filtered.state_hash()
        for capacity in range(len(expected)):
            needed, count = driver.apply(filtered, octets, rows.view("u1"), capacity, kinds)
            assert (len(expected), 0) == (needed, count)
            assert before == filtered.state_hash() and not rows["kind"].any()
        done = driver.apply(filtered, octets, rows.view("u1"), len(expected), kinds)
        assert (0, len(expected)) == done
        assert expected.tobytes() == rows[: len(expected)].tobytes()
        assert not rows[len(expected) :]["kind"].any()
        assert (0, len(all_rows)) == driver.call(called, octets, plain.view("u1"), 40)
        assert all_rows.tobytes() == plain[: len(all_rows)].tobytes()
        assert shown.state_hash() == filtered.state_hash() == called.state_hash()
        assert driver.outcome(filtered) == driver.outcome(called) == driver.outcome(shown)
        assert (shown.best_bid, shown.best_ask) == (driver.best(called, 1), driver.best(called, 2))


def test_queries_of_an_embedded_book(driver):
    book = OrderBook(10, 20, order_count_max=10)
    assert [None, None] == [driver.best(book, side) for side in (Side.BUY, Side.SELL)]
    for order_id, tonnes in ((1, 4), (2, 5)):
        assert 0 == driver.enter_plain(book, order_id, Side.BUY, 10, tonnes, 7)
    assert 0 == driver.enter_plain(book, 3, Side.SELL, 20, 6, 8)
    assert (0, 6, 0) == driver.outcome(book)
    assert [10, 20] == [driver.best(book, side) for side in (Side.BUY, Side.SELL)]
    assert [4, 6, None] == [driver.tonnes_open(book, order_id) for order_id in (1, 3, 4)]
    assert [0, 9, 0, 6, 0] == [driver.tonnes_at(book, price) for price in (9, 10, 11, 20, 21)]
    assert 8 == book.order(3)["owner"] and not book.order(3)["post_only"]
    most = (1 << 63) - 1
    book.enter(5, Side.BUY, 15, most - 1)
    assert most - 1 == driver.tonnes_at(book, 15)
    book.enter(6, Side.BUY, 15, 1)
    assert most == driver.tonnes_at(book, 15)
    book.enter(7, Side.BUY, 15, most)
    assert most == driver.tonnes_at(book, 15)


@pytest.mark.parametrize("fields", [{"kind": 4}, {"kind": 0}, {"side": 3}, {"reserved": 1}])
def test_what_is_no_command_does_nothing(driver, fields):
    book = OrderBook(10, 20, order_count_max=10)
    command = np.zeros(1, COMMAND_DTYPE)
    command["kind"], command["side"], command["price"], command["tonnes"] = 1, 1, 15, 1
    for name, value in fields.items():
        command[name] = value
    before = book.state_hash()
    rows = np.zeros(4, EVENT_DTYPE)
    assert (-1, 0) == driver.apply(book, command.view("u1"), rows.view("u1"), 4, 0xFFFFFFFF)
    assert before == book.state_hash()

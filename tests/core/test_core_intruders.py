"""Nobody gets into a core at the wrong time: not by a snapshot, a collector's call or a thread."""

import gc
import mmap
import threading

import msgspec
import numpy as np
import pytest

from cea_exchange._book import OrderBook
from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import (
    COMMAND_DTYPE,
    EVENT_DTYPE,
    ORDER_DTYPE,
    PRODUCT_NONE,
    CommandKind,
    EventKind,
    Phase,
    Reason,
    Side,
)
from cea_exchange.matching.reference import ReferenceMarket

RULES = load_profile("cea").rules
CORES = (CompiledMarket, ReferenceMarket)


def a_market(core=CompiledMarket, rules=RULES, accounts=2):
    """Listed trading in one product at 100.00 yuan, every account rich."""
    market = core(rules)
    market.product_declare(777, 10_000)
    for index in range(accounts):
        market.account_declare(1_000 + index)
        market.deposit(index, PRODUCT_NONE, 10**15)
        market.deposit(index, 0, 10**9)
    market.day_open(20250716)
    market.phase_set(Phase.LISTED)
    return market


def enters(count, side, price, tonnes, account=0, first_id=1):
    commands = np.zeros(count, COMMAND_DTYPE)
    commands["kind"], commands["side"] = CommandKind.ENTER, side
    commands["price"], commands["tonnes"] = price, tonnes
    commands["account_index"] = account
    commands["client_order_id"] = np.arange(first_id, first_id + count)
    return commands


def processed(market, commands):
    events = np.zeros(4 * len(commands) + 4, EVENT_DTYPE)
    consumed, produced = market.process(commands, events)
    assert consumed == len(commands)
    return events[:produced]


# -- Snapshots -------------------------------------------------------------------------------------


def spoiled(market, **changes):
    return msgspec.msgpack.encode(msgspec.msgpack.decode(market.snapshot()) | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"order_id_last": (1 << 64) - 1},
        {"order_id_last": (1 << 63) - 1},
        {"order_id_last": 1 << 62},
        {"order_id_last": 1 << 41},
        {"phase": 9},
        {"phase": 255},
        {"day_is_open": 0},
        {"products": 1},
        {"accounts": [{}]},
    ],
)
def test_a_snapshot_of_no_market_is_refused(changes):
    market = a_market()
    processed(market, enters(1, Side.SELL, 10_000, 10))
    with pytest.raises(ValueError):
        CompiledMarket.from_snapshot(RULES, spoiled(market, **changes))


def test_a_snapshot_of_a_crossed_book_is_refused():
    market = a_market()
    processed(market, enters(1, Side.SELL, 10_000, 10))
    processed(market, enters(1, Side.BUY, 9_900, 10, account=1))
    orders = np.frombuffer(msgspec.msgpack.decode(market.snapshot())["orders"], ORDER_DTYPE).copy()
    orders["price"] = [9_900, 10_000]
    with pytest.raises(ValueError, match="crossed"):
        CompiledMarket.from_snapshot(RULES, spoiled(market, orders=orders.tobytes()))


# -- The garbage collector -------------------------------------------------------------------------


@pytest.fixture
def collector_calls():
    """Register a call for every collection, which then comes at every allocation."""
    registered = []

    def register(call):
        def collected(phase, info):
            if phase == "start":
                call()

        registered.append(collected)
        gc.callbacks.append(collected)
        gc.set_threshold(1)

    threshold = gc.get_threshold()
    yield register
    gc.set_threshold(*threshold)
    for collected in registered:
        gc.callbacks.remove(collected)


def test_what_the_collector_runs_may_not_enter_a_market_during_an_act(collector_calls):
    market = a_market()
    processed(market, enters(400, Side.SELL, 10_000, 1))
    refused = []

    def intrude():
        try:
            market.process(np.zeros(0, COMMAND_DTYPE), np.zeros(0, EVENT_DTYPE))
        except RuntimeError as error:
            refused.append(str(error))

    collector_calls(intrude)
    events = market.day_close()
    assert 1 + 400 + 1 + 1 == len(events)
    assert 400 == np.count_nonzero(events["kind"] == EventKind.ORDER_EXPIRED)
    snapshot = market.snapshot()
    assert {"another thread is inside this market"} == set(refused)
    assert CompiledMarket.from_snapshot(RULES, snapshot).state_hash() == market.state_hash()


def test_what_the_collector_runs_may_not_enter_a_book_that_makes_a_result(collector_calls):
    # More trades than Python keeps used tuples for, which it takes without a collection.
    count = 3_000
    book = OrderBook(1, 100, order_count_max=count)
    for order_id in range(count):
        book.enter(order_id, Side.SELL, 50, 1, owner=order_id)
    refused = []

    def intrude():
        try:
            book.enter(9_999, Side.BUY, 1, 1)
            book.cancel(9_999)
        except RuntimeError as error:
            refused.append(str(error))

    collector_calls(intrude)
    trades = book.enter(5_000, Side.BUY, 50, count, owner=7).trades
    assert tuple((order_id, order_id, 50, 1) for order_id in range(count)) == trades
    assert {"another thread is inside this book"} == set(refused)


# -- Memory ----------------------------------------------------------------------------------------


def test_no_command_is_read_where_there_is_none():
    """An array without rows may end where the process' memory does."""
    page = mmap.mmap(-1, mmap.PAGESIZE)
    commands = np.ndarray((0,), COMMAND_DTYPE, page, offset=mmap.PAGESIZE)
    book = OrderBook(1, 100, order_count_max=10)
    assert (0, 0) == book.process(commands, np.zeros(1, EVENT_DTYPE))
    assert (0, 0) == a_market().process(commands, np.zeros(1, EVENT_DTYPE))


def test_an_array_written_to_by_another_thread_breaks_no_market():
    market = a_market()
    commands = enters(4_000, Side.SELL, 10_000, 1)
    done = threading.Event()

    def write():
        while not done.is_set():
            commands["account_index"] = 0xFFFFFFF0
            commands["flags"] = 0
            commands["account_index"] = 0

    writer = threading.Thread(target=write)
    writer.start()
    events = np.zeros(3 * len(commands), EVENT_DTYPE)
    for _ in range(30):
        market.process(commands, events)
        commands["client_order_id"] += len(commands)
    done.set()
    writer.join()
    market.check()


# -- Amounts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("core", CORES)
def test_what_an_order_trades_over_all_its_amends_stays_below_the_limit(core):
    """Rule CEA-ORD-04: fees accrue on this sum."""
    rules = msgspec.structs.replace(RULES, block_tonnes_min=0, holdings_checked=False)
    market = a_market(core, rules)
    half = (1 << 59) // 10_000
    processed(market, enters(1, Side.BUY, 10_000, half))
    processed(market, enters(1, Side.SELL, 10_000, half - 1, account=1))
    amend = np.zeros(2, COMMAND_DTYPE)
    amend["kind"], amend["order_id"], amend["price"] = CommandKind.AMEND, 1, 10_000
    amend["client_order_id"] = [2, 3]
    amend["tonnes"] = [half + 2_000_000_000, half]
    reasons = [event["reason"] for event in processed(market, amend)]
    assert Reason.AMOUNT_TOO_LARGE == reasons[0]
    assert {Reason.NONE} == set(reasons[1:])

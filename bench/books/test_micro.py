"""Micro benchmarks with pytest-benchmark: `python -m pytest bench/books/test_micro.py`.

Views, snapshots and hashes of a book of a million orders, and single calls from Python.
`make test` does not collect them.
"""

import numpy as np
import pytest

from bench.books.tally import id_mixed
from bench.books.workloads import LADDER, OPENING, flow_of
from cea_exchange import OrderBook
from cea_exchange.domain.records import (
    COMMAND_DTYPE,
    EVENT_DTYPE,
    LEVEL_DTYPE,
    ORDER_DTYPE,
    CommandKind,
    Side,
)

pytest.importorskip("pytest_benchmark")

ORDERS = 1_000_000
MIDDLE = sum(LADDER) // 2


@pytest.fixture(scope="module", params=["dense ids", "arbitrary ids"])
def large_book(request) -> OrderBook:
    """A book of a million orders; no benchmark changes it."""
    book = OrderBook(*LADDER, order_count_max=ORDERS)
    commands = flow_of(1, ORDERS, ORDERS + 1).draw(ORDERS, OPENING)
    if request.param == "arbitrary ids":
        commands["order_id"] = id_mixed(commands["order_id"])
    events = np.zeros(1, EVENT_DTYPE)
    consumed, _ = book.process(commands, events, True)
    assert consumed == len(book) == ORDERS
    return book


@pytest.fixture
def small_book() -> OrderBook:
    """Ten thousand orders on both sides of the middle."""
    book = OrderBook(*LADDER, order_count_max=20_000)
    for number in range(10_000):
        side = Side.BUY if number % 2 else Side.SELL
        away = 1 + number % 500
        book.enter(number + 1, side, MIDDLE - away if side == Side.BUY else MIDDLE + away, 10)
    return book


def test_enter_that_rests_and_cancel(benchmark, small_book):
    enter, cancel = small_book.enter, small_book.cancel

    def both():
        enter(100_000, 1, MIDDLE - 3, 10)
        cancel(100_000)

    benchmark(both)


def test_enter_that_trades(benchmark, small_book):
    enter = small_book.enter

    def both():
        enter(100_000, 2, MIDDLE, 10)
        assert enter(100_001, 1, MIDDLE, 10).trades

    benchmark(both)


def test_amend_that_keeps_its_place(benchmark, small_book):
    small_book.enter(100_000, 1, MIDDLE - 3, 1 << 40)
    tonnes = iter(range((1 << 40) - 1, 0, -1))
    amend = small_book.amend
    benchmark(lambda: amend(100_000, MIDDLE - 3, next(tonnes)))


def test_process_of_one_command(benchmark, small_book):
    commands = np.zeros(2, COMMAND_DTYPE)
    commands["order_id"] = 100_000
    commands["kind"] = CommandKind.ENTER, CommandKind.CANCEL
    commands[0]["side"], commands[0]["price"], commands[0]["tonnes"] = 1, MIDDLE - 3, 10
    enter, cancel = commands[:1], commands[1:]
    events = np.zeros(4, EVENT_DTYPE)

    def both():
        small_book.process(enter, events)
        small_book.process(cancel, events)

    benchmark(both)


def test_best_prices(benchmark, large_book):
    benchmark(lambda: (large_book.best_bid, large_book.best_ask))


def test_depth_of_five_levels_as_lists(benchmark, large_book):
    benchmark(large_book.depth, 5)


def test_depth_of_all_levels_into_an_array(benchmark, large_book):
    levels = np.zeros(LADDER[1] - LADDER[0] + 1, LEVEL_DTYPE)
    assert benchmark(large_book.depth_into, 1, levels) > 0


def test_all_orders_into_an_array(benchmark, large_book):
    orders = np.zeros(ORDERS, ORDER_DTYPE)
    assert benchmark(large_book.orders_into, orders) == ORDERS


def test_snapshot_of_a_million_orders(benchmark, large_book):
    assert len(benchmark(large_book.snapshot)) > ORDERS


def test_restore_of_a_million_orders(benchmark, large_book):
    data = large_book.snapshot()
    assert len(benchmark.pedantic(OrderBook.restore, (data,), rounds=5)) == ORDERS


def test_hash_of_a_million_orders(benchmark, large_book):
    assert benchmark(large_book.state_hash) == large_book.state_hash()


def test_opening_a_book(benchmark):
    benchmark(OrderBook, *LADDER, order_count_max=1_000_000)

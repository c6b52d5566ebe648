"""The bare order book: one product, integers only."""

import random
import threading

import numpy as np
import pytest

from cea_exchange._book import OrderBook, OrderResult
from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    COMMAND_DTYPE,
    EVENT_DTYPE,
    CommandKind,
    EventKind,
    Reason,
    Side,
    Tif,
)

pytestmark = pytest.mark.core

U64_MAX = (1 << 64) - 1


def a_book(price_min=0, price_max=1_000, **settings):
    return OrderBook(price_min, price_max, **{"order_count_max": 100, **settings})


def outcome(result: OrderResult):
    return result.reason, result.tonnes_open, result.tonnes_canceled, result.trades


def commands_of(*rows: dict) -> np.ndarray:
    commands = np.zeros(len(rows), COMMAND_DTYPE)
    for place, row in enumerate(rows):
        for name, value in row.items():
            commands[place][name] = value
    return commands


def enter_row(order_id, side, price, tonnes, owner=0, **fields):
    return {
        "kind": CommandKind.ENTER,
        "order_id": order_id,
        "side": side,
        "price": price,
        "tonnes": tonnes,
        "account_index": owner,
        **fields,
    }


# -- One order at a time ---------------------------------------------------------------------------


def test_an_order_rests_where_nothing_meets_it():
    book = a_book()
    assert (Reason.NONE, 10, 0, ()) == outcome(book.enter(7, Side.BUY, 50, 10))
    assert (50, None) == (book.best_bid, book.best_ask)
    assert [7] == book.orders(Side.BUY, 50)
    assert [] == book.orders(Side.SELL, 50)
    assert 1 == len(book)
    assert 7 in book


def test_the_trade_price_is_the_resting_one_and_older_orders_go_first():
    book = a_book()
    book.enter(1, Side.SELL, 51, 5, owner=11)
    book.enter(2, Side.SELL, 50, 5, owner=12)
    book.enter(3, Side.SELL, 50, 5, owner=13)
    result = book.enter(4, Side.BUY, 60, 12)
    assert ((2, 12, 50, 5), (3, 13, 50, 5), (1, 11, 51, 2)) == result.trades
    assert (0, 0) == (result.tonnes_open, result.tonnes_canceled)
    assert ([], [(51, 3, 1)]) == book.depth(5)


def test_ids_are_any_64_bits_and_free_again_when_the_order_is_gone():
    book = a_book()
    for order_id in (0, (1 << 26) - 1, 1 << 26, 1 << 63, U64_MAX):
        assert book.enter(order_id, Side.BUY, 5, 1).accepted
        assert Reason.ORDER_ID_DUPLICATE == book.enter(order_id, Side.BUY, 5, 1).reason
        assert 1 == book.cancel(order_id).tonnes_canceled
        assert Reason.ORDER_UNKNOWN == book.cancel(order_id).reason
    assert 0 == len(book)


def test_many_hashed_ids_survive_removals_in_any_order():
    book = a_book(order_count_max=5_000)
    generator = random.Random(3)
    ids = [generator.randrange(1 << 26, 1 << 64) for _ in range(5_000)]
    for order_id in ids:
        book.enter(order_id, Side.BUY, order_id % 1_000, 1)
    generator.shuffle(ids)
    for order_id in ids[:4_000]:
        assert book.cancel(order_id).accepted
    book.check()
    assert all(order_id in book for order_id in ids[4_000:])
    assert not any(order_id in book for order_id in ids[:4_000])


@pytest.mark.parametrize(
    ("low", "high"),
    [(0, 100_000_000), (5, 5), (0, 63), (0, 64), (1, 4_097), (-40, 40), (-(1 << 62), -(1 << 61))],
)
def test_any_range_of_ticks(low, high):
    if high - low >= 1 << 36:
        with pytest.raises(ValueError, match="ticks"):
            a_book(low, high)
        return
    book = a_book(low, high)
    assert book.enter(1, Side.BUY, low, 1).accepted
    assert book.enter(2, Side.SELL, high, 1).accepted
    assert Reason.PRICE_OUT_OF_BAND == book.enter(3, Side.BUY, low - 1, 1).reason
    assert Reason.PRICE_OUT_OF_BAND == book.enter(3, Side.SELL, high + 1, 1).reason
    book.check()


def test_ioc_fok_and_post_only():
    book = a_book()
    book.enter(1, Side.SELL, 50, 5)
    assert Reason.FOK_NOT_FILLABLE == book.enter(2, Side.BUY, 50, 6, tif=Tif.FOK).reason
    assert Reason.POST_ONLY_WOULD_TRADE == book.enter(2, Side.BUY, 50, 6, post_only=True).reason
    assert ([], [(50, 5, 1)]) == book.depth()
    result = book.enter(2, Side.BUY, 50, 6, tif=Tif.IOC)
    assert (Reason.IOC, 0, 1, ((1, 0, 50, 5),)) == outcome(result)
    assert result.accepted


def test_self_trade_policies():
    book = a_book(self_trade="reject")
    book.enter(1, Side.SELL, 50, 5, owner=9)
    assert Reason.SELF_TRADE == book.enter(2, Side.BUY, 50, 1, owner=9).reason
    assert 5 == book.order(1)["tonnes_open"]
    book = a_book(self_trade="allow")
    book.enter(1, Side.SELL, 50, 5, owner=9)
    assert ((1, 9, 50, 1),) == book.enter(2, Side.BUY, 50, 1, owner=9).trades


def test_levels_max_cancels_what_still_crosses():
    book = a_book(levels_max=2)
    for price in (50, 51, 52):
        book.enter(price, Side.SELL, price, 1)
    result = book.enter(1, Side.BUY, 52, 3)
    assert (Reason.LEVELS_EXHAUSTED, 0, 1) == outcome(result)[:3]
    assert (2, 52) == (len(result.trades), book.best_ask)


def test_a_pick_takes_the_named_order_only():
    book = a_book()
    book.enter(1, Side.SELL, 50, 5)
    book.enter(2, Side.SELL, 50, 5)
    book.enter(3, Side.SELL, 51, 5)
    assert Reason.PICK_NOT_AVAILABLE == book.enter(9, Side.BUY, 60, 1, pick_order_id=3).reason
    result = book.enter(9, Side.BUY, 60, 6, pick_order_id=2)
    assert (Reason.PICK_REMAINDER, 0, 1, ((2, 0, 50, 5),)) == outcome(result)
    assert [1] == book.orders(Side.SELL, 50)


def test_amend_keeps_the_place_only_for_fewer_tonnes_at_the_same_price():
    book = a_book()
    for order_id in (1, 2, 3):
        book.enter(order_id, Side.BUY, 50, 10)
    assert 4 == book.amend(1, 50, 4).tonnes_open
    assert [1, 2, 3] == book.orders(Side.BUY, 50)
    assert 4 == book.amend(1, 50, 4).tonnes_open
    assert [2, 3, 1] == book.orders(Side.BUY, 50)
    book.enter(4, Side.SELL, 55, 3)
    assert ((4, 0, 55, 3),) == book.amend(2, 60, 10).trades
    assert (60, None) == (book.best_bid, book.best_ask)
    assert Reason.TONNES_NOT_POSITIVE == book.amend(2, 60, 0).reason
    assert 7 == book.order(2)["tonnes_open"]


def test_a_full_book_refuses_what_would_rest_and_no_more():
    book = a_book(order_count_max=2)
    book.enter(1, Side.SELL, 50, 1)
    book.enter(2, Side.SELL, 51, 1)
    assert Reason.CAPACITY == book.enter(3, Side.SELL, 52, 1).reason
    assert 1 == book.enter(3, Side.BUY, 50, 2).tonnes_open
    book.check()


def test_level_sums_go_beyond_64_bits():
    book = a_book()
    for order_id in range(5):
        book.enter(order_id, Side.BUY, 1, (1 << 63) - 1)
    assert [(1, 5 * ((1 << 63) - 1), 5)] == book.depth()[0]
    book.check()


def test_a_copy_goes_its_own_way():
    book = a_book()
    book.enter(1, Side.BUY, 5, 1)
    book.enter(1 << 40, Side.BUY, 5, 1)
    other = book.copy()
    other.cancel(1)
    other.check()
    assert [1, 1 << 40] == book.orders(Side.BUY, 5)
    assert [1 << 40] == other.orders(Side.BUY, 5)


# -- Misuse ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((1.0, 1, 50, 1), TypeError),
        ((True, 1, 50, 1), TypeError),
        ((-1, 1, 50, 1), ValueError),
        ((1 << 64, 1, 50, 1), ValueError),
        ((1, 3, 50, 1), ValueError),
        ((1, True, 50, 1), TypeError),
        ((1, 1, 50.0, 1), TypeError),
        ((1, 1, np.float64(50), 1), TypeError),
        ((1, 1, 1 << 63, 1), ValueError),
        ((1, 1, 50, "1"), TypeError),
        ((1, 1, 50, 1, -1), ValueError),
    ],
)
def test_wrong_types_and_ranges_raise_and_change_nothing(arguments, error):
    book = a_book()
    with pytest.raises(error):
        book.enter(*arguments)
    assert 0 == len(book)


def test_wrong_settings_raise():
    for settings in ({"self_trade": "maybe"}, {"order_count_max": 0}, {"levels_max": -1}):
        with pytest.raises(ValueError):
            a_book(**settings)
    with pytest.raises(ValueError, match="price_max"):
        a_book(5, 4)
    with pytest.raises(ValueError, match="self_trade: expected one of allow"):
        a_book(self_trade=1)


@pytest.mark.parametrize("given", [(1, 100), (1, 100, 1000), (1, 100, 1000, "allow")])
def test_a_book_says_how_its_size_is_given(given):
    wanted = r"order_count_max: expected one, by name, got none: OrderBook\(1, 100, order_count_"
    with pytest.raises(TypeError, match=wanted):
        OrderBook(*given)
    with pytest.raises(TypeError, match=wanted):
        OrderBook(1, 100, 5, order_count_max=1000)


def test_a_book_says_which_sides_there_are():
    with pytest.raises(TypeError, match=r"side: expected int, 1 \(buy\) or 2 \(sell\), got str"):
        a_book().enter(1, "buy", 50, 1)


def test_a_book_and_a_result_say_what_they_are():
    book = a_book(1, 100, order_count_max=9)
    assert repr(book) == "<OrderBook 1..100: 0 of 9 orders, bid None, ask None>"
    book.enter(1, Side.BUY, 5, 10)
    book.enter(2, Side.SELL, 7, 10)
    assert repr(book) == "<OrderBook 1..100: 2 of 9 orders, bid 5, ask 7>"
    refused = book.enter(2, Side.SELL, 7, 10)
    assert repr(refused).startswith("OrderResult(reason=ORDER_ID_DUPLICATE, tonnes_open=0,")


def test_process_refuses_other_arrays_and_malformed_rows():
    book = a_book()
    commands = commands_of(enter_row(1, 1, 5, 1), enter_row(2, 3, 5, 1))
    events = np.zeros(4, EVENT_DTYPE)
    with pytest.raises(ValueError, match=r"commands\[1\]"):
        book.process(commands, events)
    with pytest.raises(TypeError):
        book.process(events, events)
    with pytest.raises(TypeError):
        book.process(commands[::2], np.zeros(8, EVENT_DTYPE)[::2])
    events.flags.writeable = False
    with pytest.raises(TypeError):
        book.process(commands[:1], events)
    assert 0 == len(book)


# -- Batches ---------------------------------------------------------------------------------------


def test_process_says_what_happened():
    book = a_book()
    commands = commands_of(
        enter_row(1, Side.SELL, 50, 5, owner=3, product_index=8),
        enter_row(2, Side.BUY, 51, 7, owner=4),
        {"kind": CommandKind.AMEND, "order_id": 2, "price": 51, "tonnes": 1},
        {"kind": CommandKind.CANCEL, "order_id": 2},
        {"kind": CommandKind.CANCEL, "order_id": 2},
    )
    events = np.zeros(20, EVENT_DTYPE)
    assert (5, 8) == book.process(commands, events)
    kinds = [EventKind(kind).name for kind in events["kind"][:8]]
    assert ["ORDER_ACCEPTED", "ORDER_RESTED"] == kinds[:2]
    assert ["ORDER_ACCEPTED", "TRADE", "ORDER_RESTED"] == kinds[2:5]
    assert ["ORDER_AMENDED", "ORDER_CANCELED", "ORDER_REJECTED"] == kinds[5:]
    assert list(range(1, 9)) == events["seq"][:8].tolist()
    trade = events[3]
    assert (4, 3, 2, 1, 50, 5, 2) == tuple(
        int(trade[name])
        for name in (
            "account_index counter_account_index order_id counter_order_id price tonnes tonnes_open"
        ).split()
    )
    assert 8 == events[0]["product_index"]
    assert ACCOUNT_NONE == events[0]["counter_account_index"]


def test_a_short_buffer_stops_before_the_command_that_does_not_fit():
    book = a_book()
    for order_id in range(1, 4):
        book.enter(order_id, Side.SELL, 50, 1)
    commands = commands_of(enter_row(9, Side.BUY, 50, 5), enter_row(10, Side.BUY, 1, 1))
    for rows in range(5):
        assert (0, 0) == book.process(commands, np.zeros(rows, EVENT_DTYPE))
        assert 5 == book.rows_needed
        assert 3 == len(book)
    assert (1, 5) == book.process(commands, np.zeros(6, EVENT_DTYPE))
    assert 2 == book.rows_needed
    assert (1, 2) == book.process(commands[1:], np.zeros(2, EVENT_DTYPE))
    assert 0 == book.rows_needed


def test_trades_only_writes_trades_and_counts_the_rest():
    books = a_book(), a_book()
    commands = commands_of(enter_row(1, Side.SELL, 50, 1), enter_row(2, Side.BUY, 50, 1))
    whole, trades = np.zeros(9, EVENT_DTYPE), np.zeros(9, EVENT_DTYPE)
    assert (2, 4) == books[0].process(commands, whole)
    assert (2, 1) == books[1].process(commands, trades, True)
    assert whole[3] == trades[0]


def test_a_second_thread_in_the_same_book_raises():
    book = a_book(order_count_max=1_000_000)
    commands = np.zeros(400_000, COMMAND_DTYPE)
    commands["kind"] = CommandKind.ENTER
    commands["side"] = Side.BUY
    commands["price"] = 5
    commands["tonnes"] = 1
    commands["order_id"] = np.arange(1, len(commands) + 1)
    events = np.zeros(2 * len(commands), EVENT_DTYPE)
    refused = []
    worker = threading.Thread(target=book.process, args=(commands, events))
    worker.start()
    while worker.is_alive():
        try:
            book.depth(1)
        except RuntimeError as error:
            refused.append(str(error))
            break
    worker.join()
    assert ["another thread is inside this book"] == refused
    assert len(commands) == len(book)


def test_no_commands_are_no_work():
    book = a_book()
    assert (0, 0) == book.process(np.zeros(0, COMMAND_DTYPE), np.zeros(0, EVENT_DTYPE))
    assert 0 == book.rows_needed


REGION = 1 << 14
"""Ids that the index finds all by table, or all by hash."""


def ids_one_by_one(family: str, count: int) -> list[int]:
    """Ids in the order in which they come."""
    in_order = list(range(REGION - 100, REGION - 100 + count))
    draw = random.Random(7)
    match family:
        case "in order":
            return in_order
        case "shuffled":
            return draw.sample(in_order, count)
        case "shards":
            return [(number % 5 << 20) + number // 5 for number in range(count)]
        case "over the table's end":
            return [(1 << 26) - count // 2 + number for number in range(count)]
        case _:
            return list({draw.getrandbits(64) for _ in range(count)})


@pytest.mark.parametrize(
    "family", ["in order", "shuffled", "shards", "over the table's end", "anywhere"]
)
def test_ids_are_known_one_by_one_and_in_batches(family):
    """Single commands and batches meet the same ids: a region keeps the place of its first one."""
    count = 20_000
    book = a_book(order_count_max=count, touch_memory=False)
    draw, live = random.Random(3), set()
    events = np.zeros(2 * count, EVENT_DTYPE)
    for start in range(0, count, 1_000):
        some = ids_one_by_one(family, count)[start : start + 1_000]
        rows = [enter_row(order_id, Side.BUY, 50, 1) for order_id in some]
        if start // 1_000 % 3 == 2:
            assert (len(rows), 2 * len(rows)) == book.process(commands_of(*rows), events)
        else:
            for order_id in some:
                assert book.enter(order_id, Side.BUY, 50, 1).accepted
        live.update(some)
        assert not any(book.enter(each, Side.BUY, 50, 1).accepted for each in some[:50])
        for order_id in draw.sample(sorted(live), 700):
            assert book.cancel(order_id).accepted
            assert not book.cancel(order_id).accepted
            live.remove(order_id)
        assert len(live) == len(book)
    book.check()
    assert all(order_id in book for order_id in live)
    copied = book.copy()
    copied.check()
    assert all(copied.cancel(order_id).accepted for order_id in live)
    assert len(copied) == 0

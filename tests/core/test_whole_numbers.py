"""Whole numbers of other libraries are taken wherever an int is; what is none is refused."""

from enum import IntEnum
from numbers import Integral

import numpy as np
import pytest

from cea_exchange import (
    PRODUCT_NONE,
    AwardRules,
    Market,
    OrderBook,
    Phase,
    Reason,
    Side,
    Tif,
    award_arrays,
    clear_auction,
    load_profile,
)
from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.units import cash_format, tonnes_check, whole_number
from cea_exchange.matching.award import Bid, award
from cea_exchange.matching.reference import ReferenceMarket

CORES = (CompiledMarket, ReferenceMarket)
INTEGERS = [np.int64, np.int32, np.uint16, np.uint64]
NO_INTEGERS = [1.0, np.float64(1), True, np.bool_(True), "1", None, np.array([1]), 1 + 0j]


class Lots(IntEnum):
    """A user's own numbers."""

    ONE = 1
    SEVENTY = 70


class Scripted(Integral):
    """A whole number that runs a script before it says what it is."""

    def __init__(self, *values, script=lambda: None):
        self._values, self._script = list(values), script

    def __index__(self):
        self._script()
        return self._values.pop(0) if len(self._values) > 1 else self._values[0]

    def _none(self, *_):
        raise AssertionError("nobody calculates with it")

    __int__ = __index__
    __abs__ = __add__ = __and__ = __ceil__ = __eq__ = __floor__ = __floordiv__ = _none
    __invert__ = __le__ = __lshift__ = __lt__ = __mod__ = __mul__ = __neg__ = __or__ = _none
    __pos__ = __pow__ = __radd__ = __rand__ = __rfloordiv__ = __rlshift__ = __rmod__ = _none
    __rmul__ = __ror__ = __round__ = __rpow__ = __rrshift__ = __rshift__ = __rtruediv__ = _none
    __rxor__ = __truediv__ = __trunc__ = __xor__ = __hash__ = _none


@pytest.mark.parametrize("kind", [*INTEGERS, Scripted])
def test_an_int_is_made_of_a_whole_number(kind):
    number = whole_number(kind(70), "tonnes")
    assert (number, type(number)) == (70, int)
    assert whole_number(Lots.SEVENTY, "tonnes") == 70
    assert cash_format(kind(9_749)) == "97.49" and tonnes_check(kind(5), "tonnes") == 5


@pytest.mark.parametrize("value", NO_INTEGERS)
def test_what_is_no_whole_number_is_refused_by_name(value):
    with pytest.raises(TypeError, match=f"^tonnes: expected int, got {type(value).__name__}$"):
        whole_number(value, "tonnes")


@pytest.mark.parametrize("flag", [True, False])
def test_numpys_yes_and_no_are_a_books(flag):
    said = []
    for yes in (flag, np.bool_(flag)):
        book = OrderBook(1, 200, order_count_max=50, touch_memory=yes, pick_allowed=yes)
        book.enter(1, Side.BUY, 90, 10, 7)
        said.append((str(book.enter(2, Side.SELL, 90, 10, 8, post_only=yes)), book.state_hash()))
    assert said[0] == said[1]


def book_run(whole):
    """All that takes a number of a book; `whole` makes it."""
    book = OrderBook(
        whole(1), whole(200), order_count_max=whole(50), self_trade="reject", levels_max=whole(3)
    )
    said = []
    for order_id, side, price in ((1, Side.BUY, 90), (2, Side.SELL, 95), (3, Side.SELL, 96)):
        said.append(book.enter(whole(order_id), whole(side), whole(price), whole(10), whole(7)))
    said.append(book.enter(whole(4), Side.BUY, whole(96), whole(5), tif=whole(Tif.IOC)))
    said.append(book.enter(5, 1, 95, 2, pick_order_id=whole(2)))
    said.append(book.amend(whole(3), whole(97), whole(8)))
    said.append(book.cancel(whole(1)))
    looks = [whole(3) in book, book.order(whole(2)), book.orders(whole(2), whole(97))]
    other = OrderBook.restore(book.snapshot(), whole(60))
    looks += [book.depth(whole(5)), book.state_hash(), other.order_count_max]
    return [str(result) for result in said] + looks


@pytest.mark.parametrize("kind", INTEGERS)
def test_a_book_takes_them(kind):
    assert book_run(kind) == book_run(int)


@pytest.mark.parametrize("value", [value for value in NO_INTEGERS if value is not None])
def test_a_book_refuses_what_is_none(value):
    book = OrderBook(1, 100, order_count_max=10)
    calls = [
        lambda: book.enter(value, 1, 50, 1),
        lambda: book.enter(1, value, 50, 1),
        lambda: book.enter(1, 1, value, 1),
        lambda: book.enter(1, 1, 50, value),
        lambda: book.enter(1, 1, 50, 1, value),
        lambda: book.enter(1, 1, 50, 1, tif=value),
        lambda: book.cancel(value),
        lambda: book.depth(value),
        lambda: OrderBook(value, 100, order_count_max=10),
        lambda: OrderBook(1, 100, order_count_max=value),
    ]
    for call in calls:
        with pytest.raises(TypeError, match="expected int,"):
            call()
    assert len(book) == 0


def test_a_books_limits_do_not_wrap():
    with pytest.raises(ValueError, match="expected at most .* ticks"):
        OrderBook(np.int64(-(2**63)), np.int64(2**63 - 1), order_count_max=10)


def core_run(core, whole):
    """All that takes a number of a market's core, as one day of it; `whole` makes it."""
    market = core(load_profile("cea").rules, whole(100))
    assert market.product_declare(whole(77), whole(10_000), whole(3)) == 0
    for account in range(2):
        market.account_declare(whole(1_000 + account), whole(account))
    said = [
        market.deposit(whole(0), whole(PRODUCT_NONE), whole(50_000_000)),
        market.deposit(whole(1), whole(0), whole(5_000), whole(1)),
        market.withdraw(whole(1), whole(0), whole(5), whole(2)),
        market.day_open(whole(20250716), [whole(4)]),
        market.reference_price_set(whole(0), whole(10_100)),
        market.phase_set(whole(Phase.LISTED)),
        market.bidding_open(
            whole(5),
            whole(1),
            whole(0),
            side=whole(2),
            tonnes=whole(100),
            limit=whole(10_000),
            pricing=whole(1),
            opens_at=whole(0),
            closes_at=whole(0),
            window=whole(2),
            reserve_price=whole(0),
        ),
        market.halt(whole(0)),
        market.resume(whole(0)),
        market.suspend(whole(0)),
        market.restore(whole(0)),
        market.orders_cancel(whole(0), whole(1), whole(Reason.DISCONNECTED)),
        market.operators_cancel([(whole(0), whole(1))]),
        market.product_delist(whole(0)),
        market.product_list(whole(0), whole(10_200)),
    ]
    looks = [
        market.account(whole(0)),
        market.product(whole(0)),
        market.best(whole(0), whole(1)),
        market.depth(whole(0), whole(1), whole(2)),
        market.orders_at(whole(0), whole(1), whole(9_900)),
        market.orders_of(whole(1)),
        market.report_seq(whole(1)),
        market.last_client_order_id(whole(1), whole(0)),
        market.order(whole(3)),
        market.block(whole(3)),
        market.bidding(whole(1)),
        market.blocks_seen(whole(0), whole(1), whole(9)),
        market.state_hash(),
    ]
    said.append(market.day_close())
    # A number kept as it came would not be written, or wrap.
    restored = core.from_snapshot(market.rules, market.snapshot(), whole(200))
    assert restored.state_hash() == market.state_hash()
    return [rows.tobytes() for rows in said] + looks


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("kind", [np.int64, np.uint64])
def test_both_cores_take_them(core, kind):
    assert core_run(core, kind) == core_run(CompiledMarket, int)


@pytest.mark.parametrize("value", NO_INTEGERS)
@pytest.mark.parametrize("core", CORES)
def test_both_cores_refuse_what_is_none(core, value):
    market = core(load_profile("cea").rules)
    market.product_declare(77, 10_000)
    market.account_declare(1_000)
    market.day_open(20250716)
    before = market.state_hash()
    calls = [
        lambda: market.deposit(value, 0, 1),
        lambda: market.deposit(0, value, 1),
        lambda: market.deposit(0, 0, value),
        lambda: market.phase_set(value),
        lambda: market.reference_price_set(0, value),
        lambda: market.product_declare(78, value),
        lambda: market.depth(0, 1, value),
        lambda: market.halt(value),
    ]
    for call in calls:
        with pytest.raises(TypeError, match="expected int,"):
            call()
    assert market.state_hash() == before


@pytest.mark.parametrize("core", CORES)
def test_a_market_takes_them(core):
    said = []
    for whole in (int, np.int64):
        market = Market("cea", reference_prices={"CEA23": "97.49"}, core=core)
        market.deposit("alice", cash="1000000.00")
        said.append(market.deposit("bob", product="CEA23", tonnes=whole(5_000)))
        market.open_day("2025-07-16")
        market.phase("listed_and_block")
        terms = {"price": "97.50", "tonnes": whole(60)}
        said[-1] += market.enter("bob", "CEA23", "sell", order_id="b1", **terms)
        said[-1] += market.amend("bob", "b1", price="97.60", tonnes=whole(50))
        said[-1] += market.block_offer("bob", "CEA23", "sell", block_id="k1", **terms)
        said[-1] += market.withdraw("bob", product="CEA23", tonnes=whole(1))
        said[-1].append(market.depth("CEA23", "sell", whole(1)))
        said[-1].append(market.state())
    assert said[0] == said[1]


def test_an_award_takes_them():
    bids = [("a", "60.00", 70), ("b", "58.00", 50)]
    plain = clear_auction(bids, 100, bidder_cap_bp=6_000, bid_tonnes_min=2)
    numpy_bids = [(account, price, np.int64(tonnes)) for account, price, tonnes in bids]
    settings = {"bidder_cap_bp": np.int64(6_000), "bid_tonnes_min": np.uint8(2)}
    assert clear_auction(numpy_bids, np.int64(100), **settings) == plain
    # 2^59 - 1 tonnes x 6000 basis points would wrap in 64 bits.
    rules, most = AwardRules(bidder_cap_bp=np.int64(6_000)), (1 << 59) - 1
    numbers = np.array([(1, most, 1, 0, 1), (1, 5, 2, 0, 1)])
    fills, *_ = award_arrays(numbers, np.int64(most), rules)
    rows = [Bid(*numbers[row, :4], True) for row in range(2)]
    assert award(rows, np.int64(most), rules).fills == tuple(fills.tolist())
    assert fills.tolist() == [most * 6_000 // 10_000, 5]


# -- Numbers that run somebody's code --------------------------------------------------------------


def test_a_number_that_declares_products_meanwhile_finds_the_book_where_it_is():
    market = CompiledMarket(load_profile("cea").rules)
    market.product_declare(0, 10_000)
    market.day_open(20250716)

    def declare():
        for key in range(1, 200):
            market.product_declare(key, 10_000)

    assert market.depth(0, Scripted(1, script=declare), 5) == []
    assert market.product(199) == market.product(0)


def test_a_number_that_changes_its_mind_is_read_once():
    market = CompiledMarket(load_profile("cea").rules)
    market.account_declare(1)
    for look in (market.account, market.orders_of, market.report_seq):
        assert look(Scripted(0, 1 << 31)) == look(0)
    assert market.last_client_order_id(Scripted(0, 1 << 31), 0) == 0

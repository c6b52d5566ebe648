"""A copied or pickled market or book goes on exactly as the original would, and apart from it."""

import copy
import pickle
import threading
import weakref

import numpy as np
import pytest

from cea_exchange import (
    COMMAND_DTYPE,
    EVENT_DTYPE,
    CommandKind,
    Market,
    OrderBook,
    Side,
)
from cea_exchange.core.market import CompiledMarket
from cea_exchange.matching.reference import ReferenceMarket

CORES = (CompiledMarket, ReferenceMarket)
WAYS = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda original: pickle.loads(pickle.dumps(original)),
    "method": lambda original: original.copy(),
}
every_way = pytest.mark.parametrize("way", WAYS)


def a_market(core: type, kind: type[Market] = Market) -> Market:
    """An open day with orders, a block and a bidding, some of them entered as records."""
    market = kind("cea", reference_prices={"CEA23": "97.49", "CEA24": "90.00"}, core=core)
    for account in ("alice", "bob"):
        market.deposit(account, cash="100000000.00")
        market.deposit(account, product="CEA23", tonnes=500_000)
    market.open_day("2025-07-16")
    market.phase("listed_and_block")
    market.enter("alice", "CEA23", Side.BUY, price="97.40", tonnes=100, order_id="a1")
    market.enter("bob", "CEA23", Side.SELL, price="97.60", tonnes=50, order_id="b1")
    market.block_offer(
        "bob", "CEA23", "sell", price="97.00", tonnes=100_000, block_id="k1", counterparty="alice"
    )
    as_record(market, CommandKind.ENTER, 41, side=Side.SELL, price=9_770, tonnes=30)
    return market


def as_record(market: Market, kind: CommandKind, client_order_id: int, **terms: int) -> list:
    """Bob's command as a record, as a program that does not use names sends it."""
    command = np.zeros(1, COMMAND_DTYPE)
    command["kind"], command["client_order_id"] = kind, client_order_id
    command["account_index"] = market.account_index("bob")
    command["trading_date"] = 20250716
    for name, value in terms.items():
        command[name] = value
    events = np.zeros(8, EVENT_DTYPE)
    _, produced = market.process(command, events)
    return market.events_named(events[:produced])


def gone_on(market: Market) -> list:
    """All that happens in the rest of the day and in the next."""
    recorded = int(market.core.order_id_last)
    said = [
        *market.enter("bob", "CEA23", "sell", price="97.40", tonnes=40, order_id="b2"),
        *as_record(market, CommandKind.AMEND, 900, order_id=recorded, price=9_765, tonnes=20),
        *market.enter("alice", "CEA23", "buy", price="97.70", tonnes=60, order_id="a2"),
        *market.enter("alice", "CEA23", "buy", price="97.70", tonnes=60, order_id="a1"),
        *market.cancel("alice", "a1"),
        *market.block_accept("alice", "k1"),
        *market.close_day(),
        *market.clock("2025-07-17T09:30:00+08:00"),
        market.state(),
    ]
    assert {event.event for event in said} >= {"trade", "order_amended", "day_closed", "state"}
    return said


@every_way
@pytest.mark.parametrize("core", CORES)
def test_a_copied_market_goes_on_as_the_original_would(way: str, core: type) -> None:
    market, untouched = a_market(core), a_market(core).state_hash()
    other = WAYS[way](market)
    assert type(other.core) is core and other.core is not market.core
    said = gone_on(other)
    assert market.state_hash() == untouched != other.state_hash()
    assert gone_on(market) == said
    market.check()
    other.check()


@every_way
@pytest.mark.parametrize("core", CORES)
def test_a_core_is_copied_too(way: str, core: type) -> None:
    market = a_market(core).core
    other = WAYS[way](market)
    before = market.state_hash()
    other.day_close()
    assert (market.state_hash(), type(other)) == (before, core) and before != other.state_hash()
    assert market.day_close().tobytes() and market.state_hash() == other.state_hash()


def a_book(kind: type[OrderBook] = OrderBook) -> OrderBook:
    book = kind(
        -50, 200, order_count_max=9, self_trade="cancel_resting", levels_max=2, pick_allowed=False
    )
    for order_id, side, price in ((1, 1, 90), (2, 1, 91), (3, 2, 95), (4, 2, 96), (5, 2, 97)):
        book.enter(order_id, side, price, 10, order_id % 2)
    book.cancel(1)
    return book


def book_gone_on(book: OrderBook) -> list:
    """Events, their numbers included, of a flow that meets every setting of the book."""
    commands = np.zeros(14, COMMAND_DTYPE)
    commands["kind"], commands["order_id"] = CommandKind.ENTER, np.arange(10, 24)
    commands["side"], commands["price"] = Side.BUY, -20
    commands["price"][:2], commands["tonnes"] = 150, 10
    commands["tonnes"][0], commands["account_index"] = 25, 1
    events = np.zeros(64, EVENT_DTYPE)
    consumed, produced = book.process(commands, events)
    assert consumed == len(commands)
    return [events[:produced].tolist(), book.depth(), book.state_hash()]


@every_way
def test_a_copied_book_goes_on_as_the_original_would(way: str) -> None:
    book, untouched = a_book(), a_book().state_hash()
    other = WAYS[way](book)
    said = book_gone_on(other)
    assert book.state_hash() == untouched != other.state_hash()
    assert book_gone_on(book) == said
    book.check()
    other.check()


class Noted(Market):
    """A user's market with something of its own."""


class NotedBook(OrderBook):
    """A user's book with something of its own."""


@pytest.mark.parametrize("way", ["copy", "deepcopy", "pickle"])
def test_what_a_users_class_has_beside_goes_along(way: str) -> None:
    for original in (a_market(CompiledMarket, Noted), a_book(NotedBook)):
        original.notes = ["mine"]
        other = WAYS[way](original)
        assert type(other) is type(original) and other.notes == ["mine"]
        assert (other.notes is original.notes) == (way == "copy")
        assert other.state_hash() == original.state_hash()
        assert weakref.ref(other)() is other


@pytest.mark.parametrize("way", ["deepcopy", "pickle"])
def test_two_names_of_one_market_stay_one(way: str) -> None:
    market = a_market(CompiledMarket)
    one, two = WAYS[way]([market, market])
    assert one is two is not market


@every_way
def test_a_market_is_not_copied_from_under_a_thread_inside(way: str) -> None:
    market = a_market(ReferenceMarket)
    inside, leave = threading.Event(), threading.Event()

    class Slow(ReferenceMarket):
        def deposit(self, *given: int) -> np.ndarray:
            inside.set()
            assert leave.wait(10)
            return super().deposit(*given)

    market.core.__class__ = Slow
    thread = threading.Thread(target=market.deposit, args=("alice",), kwargs={"cash": "1.00"})
    thread.start()
    assert inside.wait(10)
    with pytest.raises(RuntimeError, match="another thread"):
        WAYS[way](market)
    leave.set()
    thread.join()

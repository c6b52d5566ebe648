"""How many orders an account may have on the books, and the room that is kept for others."""

from typing import Any

import pytest

from cea_exchange import Market
from cea_exchange.domain.profile import load_profile
from cea_exchange.matching.script import command_play
from support.market.market_scripts import CORES, OPENING, buy, cea_with, sell


def market_of(core: Any, profile: Any) -> Market:
    market = Market(profile, core=core)
    for line in OPENING:
        command_play(line, market)
    return market


def shown(market: Market, line: dict[str, Any]) -> str:
    events = command_play(line, market)
    market.check()
    return getattr(events[0], "reason", None) or events[-1]["event"]


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.__name__)
def test_an_account_has_so_many_orders_on_the_books_at_most(core: Any) -> None:
    """CEA-ORD-12: what trades, is cancelled or cancels itself counts no more."""
    market = market_of(core, cea_with(orders_open_max=2))
    assert shown(market, buy("a1", "99.00", 5)) == "order_rested"
    assert shown(market, buy("a2", "99.00", 5)) == "order_rested"
    assert shown(market, buy("a3", "99.00", 5)) == "CAPACITY"
    assert shown(market, buy("a4", "99.00", 5) | {"tif": "ioc"}) != "CAPACITY"
    assert shown(market, sell("b1", "100.00", 5)) == "order_rested"
    # One that trades whole rests nowhere; of another something would be left.
    assert shown(market, buy("a5", "100.00", 5)) == "trade"
    assert shown(market, sell("b2", "100.00", 5)) == "order_rested"
    assert shown(market, buy("a6", "100.00", 9)) == "CAPACITY"
    amend = {"cmd": "amend", "id": "a1", "account": "alice", "price": "98.00", "tonnes": 9}
    assert shown(market, amend) == "order_rested"
    assert shown(market, sell("b3", "99.00", 5)) == "trade"
    assert shown(market, buy("a7", "98.00", 5)) == "order_rested"
    assert shown(market, buy("a8", "98.00", 5)) == "CAPACITY"
    assert shown(market, {"cmd": "cancel", "id": "a7", "account": "alice"}) == "REQUESTED"
    assert shown(market, buy("a9", "98.00", 5)) == "order_rested"


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.__name__)
def test_the_last_room_is_kept_for_accounts_with_few_orders(core: Any) -> None:
    """CEA-ORD-13: no few accounts shut out all others."""
    profile = cea_with(order_count_max=6, orders_kept_bp=5_000, orders_kept_each=2)
    market = market_of(core, profile)
    for number in range(3):
        assert shown(market, buy(f"a{number}", "99.00", 5)) == "order_rested"
    assert shown(market, buy("a4", "99.00", 5)) == "CAPACITY"
    for number in range(2):
        assert shown(market, sell(f"b{number}", "100.00", 5)) == "order_rested"
    assert shown(market, sell("b3", "100.00", 5)) == "CAPACITY"
    assert shown(market, {"cmd": "cancel", "id": "a0", "account": "alice"}) == "REQUESTED"
    # Still more than what is kept is taken.
    assert shown(market, buy("a5", "99.00", 5)) == "CAPACITY"
    assert shown(market, sell("b4", "99.00", 20)) == "CAPACITY"
    assert shown(market, sell("b5", "99.00", 10)) == "trade"
    assert shown(market, buy("a6", "99.00", 5)) == "order_rested"


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.__name__)
def test_orders_are_counted_on_in_a_copy_a_restored_market_and_on_the_next_day(core: Any) -> None:
    """CEA-ORD-12"""
    market = market_of(core, cea_with(orders_open_max=1))
    assert shown(market, buy("a1", "99.00", 5)) == "order_rested"
    for other in (market.copy(), Market.restore(market.snapshot(), core=core), market):
        assert shown(other, buy("a2", "99.00", 5)) == "CAPACITY"
    command_play({"cmd": "close_day"}, market)
    market.open_day("2025-07-17")
    market.phase("listed")
    assert shown(market, buy("a3", "99.00", 5)) == "order_rested"
    assert shown(market, buy("a4", "99.00", 5)) == "CAPACITY"


def test_the_markets_limits() -> None:
    """CEA-ORD-12, CEA-ORD-13: an eighth of the room is kept; whoever replays has no limit."""
    rules = load_profile("cea").rules
    assert (rules.orders_open_max, rules.orders_kept_each) == (20_000, 100)
    assert rules.orders_kept_bp == load_profile("ccer").rules.orders_kept_bp == 1_250
    free = load_profile("open").rules
    assert (free.orders_open_max, free.orders_kept_bp) == (0, 0)

"""Days of more tonnes than 64 bits hold: no order is that large, but their sum has no limit."""

import msgspec
import numpy as np
import pytest

from cea_exchange import Market
from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.documents.bulletin_forms import bulletin_json, bulletin_parse
from cea_exchange.domain.documents.day_totals import day_volume
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import (
    COMMAND_DTYPE,
    DAY_CLOSED_DTYPE,
    EVENT_DTYPE,
    PRODUCT_NONE,
    CommandKind,
    EventKind,
    Method,
    Phase,
    Reason,
    Side,
)
from cea_exchange.matching.bulletins import MarketBulletins
from cea_exchange.matching.events import event_line
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.protocol import control
from cea_exchange.protocol.framing import market_data_records
from cea_exchange.venue.market import public_maps
from cea_exchange.venue.market.state_machine import VenueStateMachine
from cea_exchange.venue.operations import admin_views
from support.market.market_flow import rules_make


@pytest.mark.parametrize("core", [CompiledMarket, ReferenceMarket])
def test_a_day_may_trade_more_than_64_bits_of_tonnes(core):
    """CEA-LST-08: the close is right; hash, snapshot and record have all bits."""
    tonnes, count = (1 << 60) // 100, 1_700
    bands = {"listed_band_bp": 0, "block_band_bp": 0}
    rules = rules_make(holdings_checked=False, block_tonnes_min=0, **bands)
    market = core(rules)
    market.product_declare(777, 98)
    for account_key in (1_000, 1_001):
        market.account_declare(account_key)
    market.day_open(20250716)
    market.phase_set(Phase.LISTED_AND_BLOCK)
    rows = np.zeros(4, EVENT_DTYPE)
    command = np.zeros(1, COMMAND_DTYPE)
    for number in range(1, 2 * count + 1):
        command["kind"], command["side"] = CommandKind.ENTER, 1 + number % 2
        command["account_index"], command["client_order_id"] = number % 2, number
        # The first half trades at 98 fen, the others at 99.
        command["price"], command["tonnes"] = 98 + (number > count), tonnes
        assert 1 == market.process(command, rows)[0]
    for number in range(1, 2 * count + 1, 2):
        command["kind"], command["side"] = CommandKind.BLOCK_OFFER, Side.SELL
        command["account_index"], command["client_order_id"] = 0, 2 * count + number
        assert 1 == market.process(command, rows)[0]
        command["kind"], command["side"] = CommandKind.BLOCK_ACCEPT, 0
        command["order_id"], command["account_index"] = rows[0]["order_id"], 1
        assert 1 == market.process(command, rows)[0]
        command["order_id"] = 0
    volume = count * tonnes
    assert volume > 1 << 64
    states = [market.state_hash()]
    for other in (CompiledMarket, ReferenceMarket):
        restored = other.from_snapshot(market.rules, market.snapshot())
        restored.check()
        product = restored.product(0)
        assert (volume, volume) == (product["volume"], product["block_volume"])
        assert restored.snapshot() == market.snapshot()
        states.append(restored.state_hash())
    assert 1 == len(set(states))
    # Another volume is another state, though its low 64 bits are the same.
    state = msgspec.msgpack.decode(market.snapshot())
    state["products"][0][-4] += 1
    other = core.from_snapshot(market.rules, msgspec.msgpack.encode(state))
    assert other.state_hash() != market.state_hash()
    events = market.day_close()
    (public,) = market_data_records(events[events["kind"] == EventKind.DAY_CLOSED])
    assert (99, (1 << 63) - 1) == (public["price"], public["tonnes"])
    (closed,) = events[events["kind"] == EventKind.DAY_CLOSED].view(DAY_CLOSED_DTYPE)
    assert 99 == closed["close"]  # 98.5, half up
    for method in (Method.LISTED, Method.BLOCK):
        assert volume == day_volume(closed, method)
    assert closed["volume_listed_high"] == 1


def test_an_open_market_takes_any_number_of_large_orders():
    """A day's volume was a negative number from 2^63 on, and the reference ended."""
    shown = []
    for core in (CompiledMarket, ReferenceMarket):
        market = Market("open", {"A": "100.00"}, core=core)
        bulletins = MarketBulletins(market)
        events = market.open_day("2025-07-16")
        for account in ("alice", "bob"):
            market.declare_account(account)
        events += market.phase("listed")
        for number in range(20):
            order = {"price": "0.01", "tonnes": (1 << 60) - 1}
            events += market.enter("bob", "A", "sell", **order, order_id=f"s{number}")
            events += market.enter("alice", "A", "buy", **order, order_id=f"b{number}")
        events += market.close_day()
        shown.append([event_line(event) for event in events])
        closed = next(event for event in events if event.event == "day_closed")
        assert ("0.01", 20 * ((1 << 60) - 1)) == (closed.close, closed.volume.listed)
        (bulletin,) = bulletins.take(events)
        # Years are summed up of it, in 64 bits.
        assert bulletin.composite.total.listed.volume == (1 << 62) - 1
        assert bulletin_parse(bulletin_json(bulletin), "told") == bulletin
    assert shown[0] == shown[1]


def test_a_venue_tells_a_level_and_a_volume_of_more_than_64_bits():
    """In maps they are at most 2^63 - 1: MessagePack has no more."""
    machine = VenueStateMachine(load_profile("open"))
    machine.apply_control(control.ProductDeclared(product="A", reference_price=100))
    for account in ("alice", "bob"):
        machine.apply_control(control.AccountDeclared(account=account))
    machine.apply_control(control.DayOpen(date=20250716))
    machine.apply_control(control.PhaseSet(phase=Phase.LISTED))
    command = np.zeros(1, COMMAND_DTYPE)
    command["kind"], command["price"], command["tonnes"] = CommandKind.ENTER, 1, (1 << 60) - 1
    for side, count in ((Side.SELL, 40), (Side.BUY, 20)):
        for number in range(1, count + 1):
            command["side"], command["account_index"] = side, int(side) - 1
            command["client_order_id"] = number
            machine.core.process(command, np.zeros(4, EVENT_DTYPE))
    most = (1 << 63) - 1
    assert public_maps.depth(machine, 0)["asks"] == [[1, most, 20]]
    assert public_maps.book(machine, 0)["asks"][0]["tonnes"] == most
    so_far = public_maps.market(machine)
    assert so_far["products"][0]["volume"]["listed"] == most
    assert so_far["products"][0]["close"] == 1
    statistics = admin_views.statistics(machine)
    assert statistics["products"]["A"]["volume"] == most
    for shown in (so_far, statistics, public_maps.depth(machine, 0), public_maps.book(machine, 0)):
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(shown)) == shown


@pytest.mark.parametrize("core", [CompiledMarket, ReferenceMarket])
def test_proceeds_of_a_day_beyond_64_bits_still_may_not_leave(core):
    """CEA-FND-05: the same cash goes to and fro, and each time it is proceeds."""
    market = core(rules_make(block_tonnes_min=0, listed_band_bp=0))
    market.product_declare(777, 10_000_000)
    tonnes = (1 << 59) // 10_000_000
    amount = 10_000_000 * tonnes
    for index in range(2):
        market.account_declare(1_000 + index)
        market.deposit(index, 0, 40 * tonnes)
    market.deposit(0, PRODUCT_NONE, amount)
    market.day_open(20250716)
    market.phase_set(Phase.LISTED)
    command, rows = np.zeros(1, COMMAND_DTYPE), np.zeros(4, EVENT_DTYPE)
    command["kind"], command["price"], command["tonnes"] = CommandKind.ENTER, 10_000_000, tonnes
    trades = []
    for number in range(1, 36):
        seller = number % 2
        for account, side in ((1 - seller, Side.BUY), (seller, Side.SELL)):
            command["side"], command["account_index"] = side, account
            command["client_order_id"] += 1
            _, count = market.process(command, rows)
        trades += [row.tobytes() for row in rows[:count] if row["kind"] == EventKind.TRADE]
    assert len(trades) == 35
    assert market.account(1)["cash"] == amount
    assert market.account(1)["proceeds_today"] == market.account(0)["proceeds_today"] == 1 << 62
    (refused,) = market.withdraw(1, PRODUCT_NONE, 1)
    assert refused["reason"] == Reason.PROCEEDS_OF_TODAY
    # A trade that is undone does not set free what others brought.
    (busted, *_) = market.trade_bust(trades[-1])
    assert busted["reason"] == Reason.NONE
    market.deposit(1, PRODUCT_NONE, 5)
    (refused,) = market.withdraw(1, PRODUCT_NONE, 5)
    assert refused["reason"] == Reason.PROCEEDS_OF_TODAY
    other = core.from_snapshot(market.rules, market.snapshot())
    assert other.state_hash() == market.state_hash()
    market.check()
    market.day_close()
    market.day_open(20250717)
    assert market.withdraw(1, PRODUCT_NONE, 5)["kind"] == EventKind.WITHDRAWN

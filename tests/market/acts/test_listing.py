"""A product is listed and delisted, by an operator's act or by notice, on both cores."""

from datetime import date

import pytest

from cea_exchange import Market
from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.profile import ProfileError, profile_parse
from cea_exchange.domain.records import EventKind, Phase
from cea_exchange.matching.bulletins import MarketBulletins
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.protocol import control
from cea_exchange.venue.market.state_machine import VenueStateMachine
from support.market.noticed_markets import (
    CEA_TEXT,
    FIRST,
    SECOND,
    enter,
    listed,
    notice,
    profile_with,
    reason,
)


@pytest.fixture(params=[CompiledMarket, ReferenceMarket], ids=["compiled", "reference"])
def core(request):
    return request.param


def market_of(core, *notices, products=("CEA23", "CEA24")):
    prices = dict.fromkeys(products, "100.00")
    market = Market(profile_with(*notices), prices, core=core)
    for account in ("alice", "bob"):
        market.deposit(account, cash="100000000.00")
        for product in products:
            market.deposit(account, product=product, tonnes=500_000)
    return market


def shown(events):
    return [event.event for event in events]


def of_kind(events, name):
    return [event for event in events if event.event == name]


def test_delisting_ends_what_is_open_and_no_more(core):
    """CEA-PRD-03: orders in order of acceptance, then blocks; the other product goes on."""
    market = market_of(core)
    listed(market, FIRST)
    enter(market, "alice", "buy", "99.00", 5, "a1")
    enter(market, "bob", "sell", "101.00", 7, "b1")
    market.enter("bob", "CEA23", "sell", price="101.00", tonnes=3, order_id="b2")
    market.phase("listed_and_block")
    market.block_offer("bob", "CEA24", "sell", price="100.00", tonnes=100_000, block_id="x")
    market.block_enquiry("alice", "CEA24", "buy", block_id="y")
    events = market.delist_product("CEA24")
    ends = ["order_canceled"] * 2 + ["block_withdrawn"] * 2
    assert shown(events) == ["product_delisted", *ends]
    assert [event.id for event in events[1:]] == ["a1", "b1", "x", "y"]
    assert {event.reason for event in events[1:]} == {"PRODUCT_DELISTED"}
    state = market.state()
    assert state.accounts["alice"].cash_locked == "0.00"
    assert state.accounts["bob"].holdings["CEA24"].locked == 0
    assert state.accounts["bob"].holdings["CEA23"].locked == 3
    assert (state.books["CEA24"].listed, state.books["CEA23"].listed) == (False, True)
    assert market.delist_product("CEA24") == []
    market.check()


def test_delisting_ends_biddings_and_their_bids(core):
    """CEA-PRD-03, CEA-BID-08: what they had locked returns."""
    market = market_of(core)
    listed(market, FIRST)
    market.bidding_open(
        "bob", "CEA24", tonnes=100_000, floor="100.00", pricing="uniform", bidding_id="n"
    )
    market.bid("alice", "n", price="100.00", tonnes=10, bid_id="q")
    events = market.delist_product("CEA24")
    assert shown(events) == ["product_delisted", "bid_canceled", "bidding_canceled"]
    assert {event.reason for event in events[1:]} == {"PRODUCT_DELISTED"}
    assert market.state().accounts["bob"].holdings["CEA24"].locked == 0
    refused = market.bidding_open(
        "bob", "CEA24", tonnes=100_000, floor="100.00", pricing="uniform", bidding_id="m"
    )
    assert reason(refused) == "PRODUCT_UNKNOWN"
    market.check()


def test_a_delisted_product_takes_no_part_in_trading(core):
    """CEA-PRD-03"""
    market = market_of(core)
    market.delist_product("CEA24")
    listed(market, FIRST)
    assert reason(enter(market, "alice", "buy", "100.00", 1, "a")) == "PRODUCT_UNKNOWN"
    market.phase("listed_and_block")
    for act in (market.block_offer, market.block_enquiry):
        events = act("bob", "CEA24", "sell", price="100.00", tonnes=100_000, block_id="x")
        assert reason(events) == "PRODUCT_UNKNOWN"


def test_holdings_stay_and_can_still_be_transferred(core):
    """CEA-PRD-03"""
    market = market_of(core)
    market.delist_product("CEA24")
    assert shown(market.withdraw("alice", product="CEA24", tonnes=100)) == ["withdrawn"]
    assert shown(market.deposit("alice", product="CEA24", tonnes=50)) == ["deposited"]
    assert market.account("alice").holdings["CEA24"].tonnes == 499_950


def test_it_leaves_the_composite_and_the_closes(core):
    """CEA-PRD-03, CEA-PRC-04: what was traded before is told of the day once more."""
    market = market_of(core)
    bulletins = MarketBulletins(market)
    made = []
    for day in (FIRST, SECOND):
        events = market.open_day(day) + market.phase("listed")
        if day == FIRST:
            events += enter(market, "alice", "buy", "110.00", 10, "a")
            events += enter(market, "bob", "sell", "110.00", 10, "b")
            events += market.enter("bob", "CEA23", "sell", price="90.00", tonnes=1, order_id="c")
            events += market.enter("alice", "CEA23", "buy", price="90.00", tonnes=1, order_id="d")
            events += market.delist_product("CEA24")
        closing = market.close_day()
        made += bulletins.take(events + closing)
        closed = [event.product for event in of_kind(closing, "day_closed")]
        assert closed == (["CEA23", "CEA24"] if day == FIRST else ["CEA23"])
        assert [event.price for event in of_kind(closing, "composite_closed")] == ["90.00"]
    assert [bulletin.composite.close for bulletin in made] == [9_000, 9_000]
    assert [len(bulletin.products) for bulletin in made] == [2, 1]
    # What it stood at: (100.00 + 110.00) / 2, then (90.00 + 110.00) / 2 (CEA-INF-02).
    assert (made[0].composite.high, made[0].composite.low) == (10_500, 10_000)


def test_a_day_ends_with_a_close_even_where_nothing_is_listed(core):
    """CEA-PRD-03: or the registry would wait for the day's end for ever."""
    market = market_of(core)
    for product in ("CEA23", "CEA24"):
        market.delist_product(product)
    listed(market, FIRST)
    closing = market.close_day()
    assert shown(closing) == ["phase_changed", "day_closed", "day_closed"]


def test_a_product_is_listed_again_with_a_first_reference_price(core):
    """CEA-PRD-03"""
    market = market_of(core)
    market.delist_product("CEA24")
    listed(market, FIRST)
    market.close_day()
    (event,) = market.list_product("CEA24", "50.00")
    assert (event.event, event.product, event.price) == ("product_listed", "CEA24", "50.00")
    assert market.list_product("CEA24", "60.00") == []
    market.open_day(SECOND)
    book = market.state().books["CEA24"]
    assert (book.band_low, book.band_high, book.listed) == ("45.00", "55.00", True)
    market.phase("listed")
    assert reason(enter(market, "alice", "buy", "50.00", 1, "a")) is None


def test_listing_is_refused_where_it_can_not_be(core):
    """CEA-PRD-03: as a reference price, until the day's first listed phase."""
    market = market_of(core)
    market.delist_product("CEA24")
    market.open_day(FIRST)
    for act, command in (
        (lambda: market.list_product("CEA99", "1.00"), "list"),
        (lambda: market.delist_product("CEA99"), "delist"),
    ):
        (event,) = act()
        assert (event.command, event.reason, event.product) == (command, "PRODUCT_UNKNOWN", "CEA99")
    market.phase("listed")
    assert reason(market.list_product("CEA24", "1.00")) == "PHASE_CLOSED"
    market.close_day()
    assert reason(market.list_product("CEA24", "100000.01")) == "AMOUNT_TOO_LARGE"
    assert shown(market.list_product("CEA24", "100000.00")) == ["product_listed"]


# -- By notice ------------------------------------------------------------------------------------


def test_a_notice_lists_and_delists_on_its_day(core):
    """CEA-PRD-03, CEA-NTC-01"""
    market = market_of(
        core,
        notice(date(2025, 3, 1), list={"CEA25": "80.00"}, delist='["CEA23"]'),
        products=("CEA23", "CEA24", "CEA25"),
    )
    listed(market, FIRST)
    first = market.enter("alice", "CEA25", "buy", price="100.00", tonnes=1, order_id="a")
    assert reason(first) == "PRODUCT_UNKNOWN"
    events = listed(market, SECOND)
    assert shown(events) == ["day_opened", "phase_changed", "product_delisted", "product_listed"]
    second = market.enter("alice", "CEA25", "buy", price="80.00", tonnes=1, order_id="b")
    assert reason(second) is None
    gone = market.enter("alice", "CEA23", "buy", price="100.00", tonnes=1, order_id="c")
    assert reason(gone) == "PRODUCT_UNKNOWN"
    closing = market.close_day()
    (composite,) = of_kind(closing, "composite_closed")
    assert composite.price == "90.00"


def test_a_product_that_is_declared_later_is_as_the_notices_say(core):
    """CEA-PRD-03"""
    market = market_of(core, notice(date(2025, 3, 1), list={"CEA25": "80.00"}, delist='["CEA22"]'))
    listed(market, SECOND)
    for product in ("CEA22", "CEA25"):
        market.declare_product(product, "70.00")
    books = market.state().books
    assert (books["CEA22"].listed, books["CEA25"].listed) == (False, True)


def test_what_notices_say_of_a_product_day_by_day():
    """CEA-PRD-03"""
    profile = profile_with(
        notice(date(2025, 3, 1), list={"CEA25": "80.00"}),
        notice(date(2025, 4, 1), delist='["CEA25", "CEA23"]'),
        notice(date(2025, 5, 1), list={"CEA23": "50.00"}),
    )
    days = [None, date(2025, 2, 28), date(2025, 3, 1), date(2025, 4, 1), date(2025, 5, 1)]
    for product, expected in (
        ("CEA25", [False, False, True, False, False]),
        ("CEA23", [True, True, True, False, True]),
        ("CEA24", [True] * 5),
    ):
        assert [profile.is_listed(product, day) for day in days] == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (notice(list={"CEA25": "80.0"}), "matching regex"),
        (notice(list={"CEA 25": "80.00"}), "product"),
        (notice(delist='[""]'), "product"),
        (notice(list={"CEA25": "80.00"}, delist='["CEA25"]'), "expected CEA25 once, got it twice"),
        (notice(delist='["CEA25", "CEA25"]'), "expected CEA25 once, got it twice"),
    ],
)
def test_a_wrong_listing_is_refused_with_its_place(text, message):
    with pytest.raises(ProfileError, match=message):
        profile_parse(CEA_TEXT + text, "site/cea.toml")


# -- Snapshots, and the venue's machine -----------------------------------------------------------


def test_a_delisted_product_is_so_after_a_restart(core):
    """CEA-PRD-03: on either core, in hash and snapshot."""
    market = market_of(core)
    plain = market.state_hash()
    market.halt("CEA23")
    market.delist_product("CEA24")
    for other in (CompiledMarket, ReferenceMarket):
        again = Market.restore(market.snapshot(), core=other)
        assert again.state_hash() == market.state_hash() != plain
        books = again.state().books
        assert [(b.halted, b.listed) for b in books.values()] == [(True, True), (False, False)]


def test_an_operators_act_is_journaled_and_replayed(core):
    """CEA-PRD-03, CEA-OPR-01"""
    machine = VenueStateMachine(profile_with(), core)
    for act in (
        control.ProductDeclared(product="CEA24", reference_price=10_000),
        control.ProductDelist(by="an", why="carried over", product="CEA24"),
        control.DayOpen(date=20250303),
        control.PhaseSet(phase=Phase.BREAK),
        control.ProductList(by="an", why="by mistake", product="CEA24", price=9_000),
    ):
        events = machine.apply_control(control.control_decode(control.control_encode(act)))
    assert events["kind"].tolist() == [EventKind.PRODUCT_LISTED]
    assert machine.core.product(0)["reference_price"] == 9_000
    unknown = machine.apply_control(control.ProductDelist(by="an", why="x", product="CEA99"))
    assert unknown["kind"].tolist() == [EventKind.ORDER_REJECTED]

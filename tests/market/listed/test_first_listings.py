"""First listings in an embedded market whose exchange confirms them: profile `ccer`."""

import copy

import pytest

from cea_exchange import Market
from cea_exchange.core.market import CompiledMarket
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.matching.script import ScriptError, script_events
from support.market.noticed_markets import notice, profile_with, reason

OLD, NEW = "CCER-14-001-2023", "CCER-14-001-2024"


@pytest.fixture(params=[CompiledMarket, ReferenceMarket], ids=["compiled", "reference"])
def market(request):
    """A market in its first day; a second product was declared after it opened."""
    market = Market("ccer", {OLD: "80.00"}, core=request.param)
    market.deposit("alice", cash="100000.00")
    market.open_day("2025-07-16")
    market.phase("listed")
    market.declare_product(NEW, "70.00")
    return market


def bought(market, product, price):
    number = market.event_seq
    return reason(
        market.enter("alice", product, "buy", price=price, tonnes=1, order_id=f"a{number}")
    )


def next_day(market, day):
    market.close_day()
    events = market.open_day(day)
    market.phase("listed")
    return [event.product for event in events if event.event == "product_listed"]


def test_a_market_begins_with_what_was_declared_before_its_first_day(market):
    """CCER-PRD-02."""
    assert bought(market, OLD, "80.00") is None
    assert bought(market, NEW, "70.00") == "PRODUCT_UNKNOWN"


def test_a_confirmed_product_is_traded_from_the_next_day_at_its_declared_price(market):
    """CCER-PRD-02."""
    assert market.confirm_listing(NEW) == []
    assert bought(market, NEW, "70.00") == "PRODUCT_UNKNOWN"
    assert next_day(market, "2025-07-17") == [NEW]
    assert bought(market, NEW, "77.01") == "PRICE_OUT_OF_BAND"
    assert bought(market, NEW, "77.00") is None
    assert next_day(market, "2025-07-18") == []


def test_it_waits_until_it_is_confirmed(market):
    """CCER-PRD-02."""
    assert next_day(market, "2025-07-17") == []
    with pytest.raises(ValueError, match="list: expected a product that does not wait"):
        market.list_product(NEW, "70.00")
    market.confirm_listing(NEW)
    with pytest.raises(ValueError, match="not confirmed, .* is since 2025-07-17"):
        market.confirm_listing(NEW)
    assert next_day(market, "2025-07-18") == [NEW]
    with pytest.raises(ValueError, match="confirm_listing: expected a product that waits"):
        market.confirm_listing(NEW)


def test_a_confirmation_counts_on_its_date_by_the_clock():
    """CCER-PRD-02: on a Friday evening, it is Monday's opening that lists."""
    market = Market("ccer", {OLD: "80.00"})
    market.clock("2025-07-18T10:00:00+08:00")
    market.declare_product(NEW, "70.00")
    market.clock("2025-07-20T10:00:00+08:00")
    market.confirm_listing(NEW)
    events = market.clock("2025-07-21T09:30:00+08:00")
    assert [event.product for event in events if event.event == "product_listed"] == [NEW]


@pytest.mark.parametrize("kept", [copy.copy, lambda market: Market.restore(market.snapshot())])
def test_a_copy_and_a_snapshot_keep_what_waits(market, kept):
    """CCER-PRD-02."""
    market.confirm_listing(NEW)
    other = kept(market)
    assert next_day(other, "2025-07-17") == [NEW]
    assert next_day(market, "2025-07-17") == [NEW]


def test_what_a_notice_lists_and_other_profiles_products_do_not_wait():
    """CCER-PRD-02, CEA-PRD-03."""
    listed = profile_with(notice(list={NEW: "70.00"}), text=Market("ccer").profile.text)
    for market, product in ((Market(listed), NEW), (Market("cea"), "CEA24")):
        market.open_day("2025-07-16")
        market.declare_product(product, "70.00")
        with pytest.raises(ValueError, match="expected a product that waits"):
            market.confirm_listing(product)


def test_a_script_confirms_and_is_stopped_where_nothing_waits():
    """CCER-PRD-02."""
    lines = [
        b'{"cmd": "open_day", "date": "2025-07-16"}',
        b'{"cmd": "product", "product": "CCER-14-001-2024", "reference_price": "70.00"}',
        b'{"cmd": "confirm_listing", "product": "CCER-14-001-2024"}',
        b'{"cmd": "close_day"}',
        b'{"cmd": "open_day", "date": "2025-07-17"}',
        b'{"cmd": "confirm_listing", "product": "CCER-14-001-2024"}',
    ]
    events = script_events(lines, Market("ccer"), "listing")
    played = [[event.event for event in next(events)] for _ in range(5)]
    assert "product_listed" in played[4] and "product_listed" not in played[0]
    with pytest.raises(ScriptError, match="listing:6: confirm_listing: expected a product that"):
        next(events)

"""Profile `ccer`: listed trading only, by price then time; what no text confirms is marked."""

import pytest

from cea_exchange import Market
from cea_exchange.cli.main import run
from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import Phase
from cea_exchange.matching.reference import ReferenceMarket
from support.market.noticed_markets import notice, profile_with, reason

CCER = load_profile("ccer")
P = "CCER-01-002-0001-2024"


@pytest.fixture(params=[CompiledMarket, ReferenceMarket], ids=["compiled", "reference"])
def core(request):
    return request.param


def test_ccer_holds_what_was_seen_of_that_market():
    """CCER-LST-01, CCER-LST-02, CCER-LST-03, CCER-LST-04, CCER-MKT-01, CCER-FND-01, CCER-ACC-01"""
    rules = CCER.rules
    assert (rules.listed_band_bp, rules.block_band_bp, rules.levels_max) == (1000, 3000, 1)
    assert (rules.pick_allowed, rules.self_trade) == (False, "reject")
    assert (rules.block_allowed, rules.bidding_allowed) == (False, False)
    assert (rules.gap_trading_days, rules.gap_scope) == (5, "instrument")
    assert (CCER.participants, CCER.listing_confirmed) == ("organisations", True)
    assert (rules.holdings_checked, rules.operators_max, CCER.public_levels) == (True, 5, 5)


def test_ccer_has_hours_of_its_own():
    """CCER-DAY-01: blocks, once they are traded, have the hours of listed trading."""
    assert [(time, phase) for time, phase in CCER.sessions] == [
        ("09:30", Phase.LISTED_AND_BLOCK), ("11:30", Phase.BREAK),
        ("13:00", Phase.LISTED_AND_BLOCK), ("15:00", Phase.CLOSED),
    ]


def test_ccer_marks_what_no_text_confirms(capsys):
    """CCER-MKT-02, CCER-FND-02, CCER-FND-03, CCER-FEE-01"""
    marked = {setting.name for setting in CCER.settings if setting.unconfirmed}
    assert marked == {
        *("band_rounding", "block_tonnes_min", "gap_scope"),
        *("bidding_tonnes_min", "bidding_band_bp", "bid_tonnes_min", "bidding_tie"),
        *("bidding_undersubscription", "bidding_reserve", "bidder_cap_bp", "bidder_group_cap_bp"),
        *("noncompetitive_max_bp", "holding_limit_tonnes", "large_holder_tonnes"),
        *("block_buy_fee_bp", "block_sell_fee_bp", "bidding_buy_fee_bp", "bidding_sell_fee_bp"),
    }
    assert run(["profile", "show", "ccer"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert sum(line.endswith("unconfirmed") for line in shown) == len(marked)
    assert not [setting for setting in load_profile("cea").settings if setting.unconfirmed]


def test_an_account_has_five_operators_at_most(core):
    """CCER-ACC-01"""
    market = Market("ccer", {P: "100.00"}, core=core)
    market.deposit("alice", cash="100000.00")
    market.open_day("2025-07-16")
    market.phase("listed")
    market.enter("alice", P, "buy", price="100.00", tonnes=1, order_id="a")
    reasons = {}
    for operator_index in (4, 5, 15, 16):
        command = market._command.copy()
        command["client_order_id"] += 1
        command["operator_index"] = operator_index
        _, count = market.process(command, market._events)
        reasons[operator_index] = reason(market.events_named(market._events[:count]))
    assert reasons == {4: None, **dict.fromkeys((5, 15, 16), "ACCOUNT_UNKNOWN")}


def test_blocks_and_biddings_open_by_notice(core):
    """CCER-MKT-01: in due course; nothing else has to change."""
    allowed = {"block_allowed": "true", "bidding_allowed": "true", "block_tonnes_min": "100_000"}
    profile = profile_with(notice(**allowed), text=CCER.text)
    market = Market(profile, {P: "100.00"}, core=core)
    market.deposit("bob", product=P, tonnes=300_000)
    reported = []
    for number, day in enumerate(("2025-02-27", "2025-03-03")):
        market.open_day(day)
        market.phase("listed_and_block")
        events = market.block_offer(
            "bob", P, "sell", price="100.00", tonnes=100_000, block_id=f"x{number}"
        )
        reported.append(reason(events))
        events = market.bidding_open(
            "bob", P, tonnes=100_000, floor="100.00", pricing="uniform",
            bidding_id=f"n{number}",
        )
        reported.append(reason(events))
        market.close_day()
    assert reported == ["PHASE_CLOSED", "PHASE_CLOSED", None, None]

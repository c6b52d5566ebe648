"""Notices: values of the profile that change from a trading day on, on both cores."""

from datetime import date

import numpy as np
import pytest

from cea_exchange import Market
from cea_exchange.cli.main import run
from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.profile import ProfileError, load_profile, profile_parse
from cea_exchange.domain.records import EVENT_DTYPE, EventKind, Phase, Side
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.protocol import control
from cea_exchange.venue.market.state_machine import VenueStateMachine
from support.market.market_scripts import cea_with
from support.market.noticed_markets import (
    CEA_TEXT,
    FIRST,
    SECOND,
    THIRD,
    enter,
    listed,
    notice,
    profile_with,
    reason,
)


@pytest.fixture(params=[CompiledMarket, ReferenceMarket], ids=["compiled", "reference"])
def core(request):
    return request.param


def market_with(core, *notices, **options):
    market = Market(profile_with(*notices, **options), {"CEA24": "100.00"}, core=core)
    for account in ("alice", "bob"):
        market.deposit(account, cash="100000000.00")
        market.deposit(account, product="CEA24", tonnes=500_000)
    return market


def test_the_listed_band_is_another_from_the_day_of_the_notice_on(core):
    """CEA-NTC-01: from the first trading day on or after its date; the middle is the close."""
    market = market_with(core, notice(listed_band_bp=500))
    listed(market, FIRST)
    assert reason(enter(market, "alice", "buy", "90.00", 1, "a")) is None
    listed(market, SECOND)
    book = market.state().books["CEA24"]
    assert (book.band_low, book.band_high) == ("95.00", "105.00")
    assert reason(enter(market, "alice", "buy", "94.99", 1, "b")) == "PRICE_OUT_OF_BAND"
    assert reason(enter(market, "alice", "buy", "95.00", 1, "c")) is None


def test_a_later_notice_changes_only_what_it_names(core):
    """CEA-NTC-01"""
    market = market_with(
        core,
        notice(date(2025, 3, 1), listed_band_bp=500, fee_bp=10),
        notice(date(2025, 3, 4), listed_band_bp=300),
    )
    for day, band, fee in ((FIRST, 1000, 0), (SECOND, 500, 10), (THIRD, 300, 10)):
        listed(market, day)
        assert (market.core.rules.listed_band_bp, market.core.rules.fee_bp) == (band, fee)


def test_nothing_changes_while_a_day_is_open_or_between_days(core):
    """CEA-NTC-01: rules change at an opening, when no lock stands."""
    market = market_with(core, notice(fee_bp=100, listed_band_bp=500))
    listed(market, FIRST)
    enter(market, "alice", "buy", "90.00", 10, "a")
    assert market.account("alice").cash_locked == "900.00"
    market.close_day()
    assert market.core.rules.listed_band_bp == 1000
    listed(market, SECOND)
    enter(market, "alice", "buy", "100.00", 10, "b")
    assert market.account("alice").cash_locked == "1010.00"


def test_sizes_and_the_block_band_change_by_notice(core):
    """CEA-NTC-01, CEA-LST-01, CEA-BLK-01, CEA-BLK-02"""
    market = market_with(
        core, notice(listed_tonnes_max=50_000, block_tonnes_min=60_000, block_band_bp=2_000)
    )
    for day, largest, smallest, lowest in (
        (FIRST, 99_999, 100_000, "70.00"),
        (SECOND, 50_000, 60_000, "80.00"),
    ):
        listed(market, day)
        too_large = enter(market, "alice", "sell", "100.00", largest + 1, f"{day}1")
        assert reason(too_large) == "LISTED_TONNES_TOO_LARGE"
        assert reason(enter(market, "alice", "sell", "100.00", largest, f"{day}2")) is None
        market.phase("listed_and_block")
        for tonnes, price, refusal in (
            (smallest - 1, lowest, "BLOCK_TONNES_TOO_SMALL"),
            (smallest, f"{float(lowest) - 0.01:.2f}", "PRICE_OUT_OF_BAND"),
            (smallest, lowest, None),
        ):
            offered = market.block_offer(
                "bob", "CEA24", "sell", price=price, tonnes=tonnes, block_id=f"{day}{refusal}"
            )
            assert reason(offered) == refusal


def test_a_listed_maximum_never_reaches_a_block(core):
    """CEA-LST-01"""
    market = market_with(core, notice(listed_tonnes_max=200_000))
    listed(market, SECOND)
    too_large = enter(market, "alice", "sell", "100.00", 100_000, "a")
    assert reason(too_large) == "LISTED_TONNES_TOO_LARGE"


def test_the_holding_limit_changes_by_notice(core):
    """CEA-FND-06"""
    market = market_with(core, notice(holding_limit_tonnes=500_010))
    listed(market, SECOND)
    assert reason(enter(market, "alice", "buy", "100.00", 11, "a")) == "HOLDING_LIMIT"
    assert reason(enter(market, "alice", "buy", "100.00", 10, "b")) is None
    assert reason(enter(market, "alice", "buy", "100.00", 1, "c")) == "HOLDING_LIMIT"


def test_the_first_days_reference_price_comes_by_notice(core):
    """CEA-NTC-02"""
    prices = {"CEA24": "48.00", "CEA99": "1.00"}
    market = market_with(core, notice(reference_prices=prices))
    events = listed(market, SECOND)
    changed = [event for event in events if event.event == "reference_price_changed"]
    assert [(event.product, event.price) for event in changed] == [("CEA24", "48.00")]
    book = market.state().books["CEA24"]
    assert (book.band_low, book.band_high) == ("43.20", "52.80")
    # It is the price of that day, and of no later one.
    market.phase("closed")
    assert not [e for e in listed(market, THIRD) if e.event == "reference_price_changed"]


# -- Large holders --------------------------------------------------------------------------------


def large(events):
    return [
        (event.account, event.product, event.tonnes)
        for event in events
        if event.event == "large_holder"
    ]


def large_from(tonnes):
    return CEA_TEXT.replace(
        "order_count_max",
        f'large_holder_tonnes = {{value = {tonnes}, rule = "CEA-FND-08"}}\norder_count_max',
        1,
    ).replace("large_holder_tonnes = {value = 0, ", "# ", 1)


def test_who_comes_to_hold_the_threshold_is_told_once(core):
    """CEA-FND-08"""
    market = market_with(core, text=large_from(500_010))
    listed(market, FIRST)
    enter(market, "bob", "sell", "100.00", 100, "s1")
    assert large(enter(market, "alice", "buy", "100.00", 9, "b1")) == []
    assert large(enter(market, "alice", "buy", "100.00", 1, "b2")) == [("alice", "CEA24", 500_010)]
    assert large(enter(market, "alice", "buy", "100.00", 5, "b3")) == []
    reported = enter(market, "alice", "buy", "100.00", 5, "b4")
    assert [event.event for event in reported] == ["order_accepted", "trade"]


def test_a_maker_is_told_right_after_its_trade(core):
    """CEA-FND-08: several of one taker's trades may make large holders."""
    market = market_with(core, text=large_from(500_004))
    market.declare_account("carol")
    market.deposit("carol", product="CEA24", tonnes=1_000)
    listed(market, FIRST)
    enter(market, "alice", "buy", "100.00", 4, "a1")
    enter(market, "bob", "buy", "100.00", 3, "b1")
    enter(market, "bob", "buy", "99.00", 1, "b2")
    reported = enter(market, "carol", "sell", "99.00", 8, "c1")
    assert [event.event for event in reported] == [
        "order_accepted", "trade", "large_holder", "trade", "trade", "large_holder",
    ]
    assert large(reported) == [("alice", "CEA24", 500_004), ("bob", "CEA24", 500_004)]


def test_deposits_and_blocks_make_large_holders_too(core):
    """CEA-FND-08"""
    market = market_with(core, text=large_from(600_000))
    assert large(market.deposit("alice", product="CEA24", tonnes=99_999)) == []
    reported = market.deposit("alice", product="CEA24", tonnes=1)
    assert [event.event for event in reported] == ["deposited", "large_holder"]
    listed(market, FIRST)
    market.phase("listed_and_block")
    market.block_offer("alice", "CEA24", "sell", price="100.00", tonnes=100_000, block_id="x")
    reported = market.block_accept("bob", "x")
    assert [event.event for event in reported] == ["trade", "large_holder"]
    assert large(reported) == [("bob", "CEA24", 600_000)]


def test_a_lower_threshold_tells_at_the_opening_who_reaches_it(core):
    """CEA-FND-08, CEA-NTC-01"""
    market = market_with(
        core,
        notice(date(2025, 3, 1), large_holder_tonnes=500_000),
        notice(date(2025, 3, 4), large_holder_tonnes=400_000),
    )
    market.deposit("carol", product="CEA24", tonnes=400_000)
    assert large(listed(market, FIRST)) == []
    assert large(listed(market, SECOND)) == [
        ("alice", "CEA24", 500_000), ("bob", "CEA24", 500_000),
    ]
    assert large(listed(market, THIRD)) == [("carol", "CEA24", 400_000)]


# -- Snapshots, both cores ------------------------------------------------------------------------


def test_a_market_comes_back_with_the_rules_of_its_day(core):
    market = market_with(core, notice(listed_band_bp=500, fee_bp=10, large_holder_tonnes=600_000))
    listed(market, FIRST)
    enter(market, "alice", "buy", "90.00", 10, "a")
    for other in (Market.restore(market.snapshot(), core=core), market.copy()):
        assert other.core.rules.listed_band_bp == 1000
        listed(other, SECOND)
        assert other.core.rules.listed_band_bp == 500
    listed(market, SECOND)
    enter(market, "alice", "buy", "96.00", 10, "b")
    again = Market.restore(market.snapshot(), core=core)
    assert again.core.rules.fee_bp == 10
    assert again.state_hash() == market.state_hash()
    assert reason(enter(again, "alice", "buy", "94.99", 1, "c")) == "PRICE_OUT_OF_BAND"
    again.check()


def test_both_cores_need_the_same_room_and_give_the_same_events():
    """A buffer that may be too small for large holders stops before the command, on both."""
    markets = [
        market_with(kind, text=large_from(500_001)) for kind in (CompiledMarket, ReferenceMarket)
    ]
    reported = []
    for market in markets:
        listed(market, FIRST)
        enter(market, "bob", "sell", "100.00", 5, "s1")
        enter(market, "bob", "sell", "100.00", 5, "s2")
        command = market._command.copy()
        command["account_index"], command["side"], command["tonnes"] = 0, 1, 7
        command["price"], command["client_order_id"], command["kind"] = 10_000, 9, 1
        command["product_index"], command["order_id"] = 0, 0
        answers = []
        for rows in range(6):
            events = np.zeros(rows, market._events.dtype)
            answers.append((market.process(command, events), market.rows_needed))
        reported.append((answers, events.tobytes(), market.state_hash()))
    assert reported[0] == reported[1]
    assert reported[0][0][3:] == [((0, 0), 5), ((0, 0), 5), ((1, 4), 0)]


def test_where_no_holdings_are_kept_nobody_becomes_large_and_no_row_is_asked_for_it(core):
    """CEA-FND-08"""
    profile = cea_with(holdings_checked=False, large_holder_tonnes=1)
    market = Market(profile, {"CEA24": "100.00"}, core=core)
    market.open_day("2025-07-16")
    market.phase("listed")
    for account in ("alice", "bob"):
        market.declare_account(account)
    enter(market, "bob", "sell", "100.00", 5, "s1")
    command = market._command.copy()
    command["account_index"], command["side"], command["client_order_id"] = 0, Side.BUY, 9
    assert market.process(command, np.zeros(1, EVENT_DTYPE)) == (0, 0)
    assert market.rows_needed == 2
    assert market.process(command, np.zeros(2, EVENT_DTYPE)) == (1, 2)


def test_where_no_holdings_are_kept_a_notice_makes_nobody_large_either(core):
    """CEA-FND-08, CEA-NTC-01: what was paid in is no holding there."""
    text = cea_with(holdings_checked=False).text
    market = market_with(core, notice(large_holder_tonnes=400_000), text=text)
    assert large(listed(market, FIRST)) == []
    opened = listed(market, SECOND)
    assert market.core.rules.large_holder_tonnes == 400_000
    assert [event.event for event in opened[:2]] == ["day_opened", "phase_changed"]
    assert large(opened + market.deposit("alice", product="CEA24", tonnes=1)) == []


def test_a_venues_machine_takes_notices_up_at_the_opening_and_after_a_restart(core):
    """CEA-NTC-01, CEA-NTC-02"""
    prices = {"CEA24": "48.00", "CEA99": "1.00"}
    profile = profile_with(notice(listed_band_bp=500, reference_prices=prices))
    machine = VenueStateMachine(profile, core)
    machine.apply_control(control.ProductDeclared(product="CEA24", reference_price=10_000))
    for day, band in ((20250227, (9_000, 11_000)), (20250303, (4_560, 5_040))):
        events = machine.apply_control(control.DayOpen(date=day))
        shown = machine.core.product(0)
        assert (shown["band_low"], shown["band_high"]) == band
        machine.apply_control(control.PhaseSet(phase=Phase.LISTED))
        machine = VenueStateMachine.restore(profile, machine.snapshot(), core)
        shown = machine.core.product(0)
        assert (shown["band_low"], shown["band_high"]) == band
        machine.apply_control(control.DayClose())
    assert [EventKind(kind).name for kind in events["kind"]] == [
        "DAY_OPENED", "PHASE_CHANGED", "REFERENCE_PRICE_CHANGED",
    ]


# -- As data --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (notice(listed_band=5), "unknown field `listed_band`"),
        (notice(listed_band_bp=10_001), "<= 10000"),
        (notice(block_tonnes_min=-1), ">= 0"),
        (notice(), "expected something to change, got nothing"),
        (notice(fee_bp=1, why=""), r"length >= 1 - at `\$.notice\[0\].why`"),
        (notice(fee_bp=1, rule="6.17"), r"at `\$.notice\[0\].rule`"),
        (notice(fee_bp=1) + notice(fee_bp=2), r"expected ascending dates, .* at `\$.notice\[1\]`"),
        (notice(reference_prices={"CEA24": "48"}), "matching regex"),
        (notice(reference_prices={"CEA 24": "48.00"}), "product"),
        (notice(reference_prices={"CEA24": "0.00"}), r"at `\$.notice\[0\]`"),
        (notice(reference_prices={"CEA24": "100000.01"}), "CEA24: expected at most 100000.00, got"),
        (notice(list={"CEA24": "100000.01"}), "CEA24: expected at most 100000.00, got"),
        # Past the check, they would stop the market at that day's opening.
        (notice(fee_min_fen=(1 << 60) + 1), "<= 1152921504606846976"),
        (notice(block_tonnes_min=(1 << 60) + 1), "<= 1152921504606846976"),
        (notice(listed_tonnes_max=(1 << 60) + 1), "<= 1152921504606846976"),
        (notice(bidding_tonnes_min=(1 << 60) + 1), "<= 1152921504606846976"),
        (notice(bid_tonnes_min=(1 << 60) + 1), "<= 1152921504606846976"),
    ],
)
def test_a_wrong_notice_is_refused_with_its_place(text, message):
    with pytest.raises(ProfileError, match=message):
        profile_parse(CEA_TEXT + text, "site/cea.toml")


@pytest.mark.parametrize(
    ("names", "most"),
    [
        (("listed_band_bp", "block_band_bp", "bidding_band_bp", "fee_bp"), 10_000),
        (("block_tonnes_min", "listed_tonnes_max", "bidding_tonnes_min"), 1 << 60),
        (("bid_tonnes_min", "fee_min_fen"), 1 << 60),
        (("holding_limit_tonnes", "large_holder_tonnes"), (1 << 62) - 1),
    ],
)
def test_the_most_that_a_notice_may_say_a_market_takes_up(core, names, most):
    """CEA-NTC-01: who reads a profile is as strict as the market that opens by it."""
    for name in names:
        with pytest.raises(ProfileError, match=name):
            profile_with(notice(**{name: most + 1}))
        market = market_with(core, notice(**{name: most}))
        market.open_day(SECOND)
        assert getattr(market.profile.rules.on(20250303), name) == most


def test_a_notice_changes_the_profiles_hash():
    plain, noticed = load_profile("cea"), profile_with(notice(fee_bp=1))
    assert plain.profile_hash() != noticed.profile_hash()
    assert profile_with(notice(fee_bp=1, why="x")).profile_hash() != noticed.profile_hash()


def test_the_command_line_shows_what_is_in_force_on_a_day(tmp_path, capsys):
    path = tmp_path / "noticed.toml"
    path.write_text(CEA_TEXT + notice(listed_band_bp=500, fee_bp=10), encoding="utf-8")

    def reported(*arguments, status=0):
        assert run(["profile", *arguments]) == status
        return capsys.readouterr().out

    assert "listed_band_bp 500, fee_bp 10 (relief)" in reported("show", str(path))
    before, after = (reported("show", str(path), "--date", day) for day in (FIRST, SECOND))
    assert "listed_band_bp                   1000 " in before and "relief" not in before
    assert "listed_band_bp                   500 " in after
    assert after.count("from 2025-03-01: relief") == 2
    assert "(1 of them notices)" in reported("check", str(path))
    assert reported("diff", "cea", str(path), "--date", FIRST) == ""
    assert "fee_bp" in reported("diff", "cea", str(path), "--date", SECOND, status=1)
    assert reported("show", str(path), "--date", "soon", status=2) == ""


def test_cea_sets_no_threshold_for_large_holders():
    """CEA-FND-08: none is published."""
    assert load_profile("cea").rules.large_holder_tonnes == 0

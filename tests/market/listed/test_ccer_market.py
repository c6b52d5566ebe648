"""The voluntary market's worked examples: base price, gap, fee and the best level alone."""

import pytest

from cea_exchange import Market
from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.profile import ProfileError, load_profile, profile_parse
from cea_exchange.domain.records import Method, Side
from cea_exchange.matching.reference import ReferenceMarket
from support.market.noticed_markets import listed, notice, profile_with, reason

CCER = load_profile("ccer")
P, Q = "CCER-01-002-0001-2024", "CCER-14-001-0007-2024"


@pytest.fixture(params=[CompiledMarket, ReferenceMarket], ids=["compiled", "reference"])
def core(request):
    return request.param


def market_of(core, price="70.00", profile=CCER, tonnes=5_000):
    """Two projects' reductions; alice, bob and carol have cash and tonnes of both."""
    market = Market(profile, {P: price, Q: price}, core=core)
    for account in ("alice", "bob", "carol"):
        market.deposit(account, cash="10000000.00")
        for product in (P, Q):
            market.deposit(account, product=product, tonnes=tonnes)
    return market


_ids = iter(range(1, 1_000_000))


def order(market, account, side, price, tonnes, product=P, order_id=None):
    """Enter an order; return its events."""
    return market.enter(
        account, product, side, price=price, tonnes=tonnes, order_id=order_id or f"o{next(_ids)}"
    )


def trade(market, seller, buyer, price, tonnes, product=P):
    """Let two accounts trade; return the trade's event."""
    assert reason(order(market, seller, "sell", price, tonnes, product)) is None
    events = order(market, buyer, "buy", price, tonnes, product)
    (traded,) = [event for event in events if event.event == "trade"]
    return traded


def trading_on(market, day):
    """Let the clock run to a day's morning session."""
    market.clock(f"{day}T09:30:00+08:00")
    assert market.trading_date.isoformat() == day


def ask(market, account, side, product=P, price="70.00"):
    """Return why an order is refused, and take it back where it is not."""
    events = order(market, account, side, price, 1, product, order_id := f"a{next(_ids)}")
    if reason(events) is None:
        market.cancel(account, order_id)
    return reason(events)


# -- Base price (RB 31.6, 31.7) -------------------------------------------------------------------


def bands(market, product=P):
    """Return the listed and the block band of a product."""
    shown = market.core.product(market.product_index(product))
    return [
        (shown[f"{kind}band_low"], shown[f"{kind}band_high"]) for kind in ("", "block_")
    ]


def test_the_base_price_is_the_last_days_mean_and_its_bands_follow(core):
    """CCER-LST-05, CCER-LST-01: 70.75 x 1,200 and 70.77 x 800 give 70.758, so 70.76."""
    market = market_of(core, "70.75")
    listed(market, "2026-03-02")
    trade(market, "alice", "bob", "70.75", 1_200)
    trade(market, "alice", "carol", "70.77", 800)
    listed(market, "2026-03-03")
    assert bands(market) == [(6368, 7784), (4953, 9199)]
    listed(market, "2026-03-04")
    assert bands(market) == [(6368, 7784), (4953, 9199)]  # a day without trades


def test_half_a_fen_of_the_base_price_is_rounded_up(core):
    """CCER-LST-05: 70.75 x 1 and 70.76 x 1."""
    market = market_of(core, "70.75")
    listed(market, "2026-03-02")
    trade(market, "alice", "bob", "70.75", 1)
    trade(market, "alice", "bob", "70.76", 1)
    market.close_day()
    assert market.core.product(0)["reference_price"] == 7076


def test_blocks_do_not_move_the_base_price(core):
    """CCER-LST-05, CCER-BLK-01"""
    profile = profile_with(notice(block_allowed="true", block_tonnes_min="100_000"), text=CCER.text)
    market = market_of(core, "70.76", profile, tonnes=200_000)
    market.deposit("bob", cash="90000000.00")
    market.open_day("2026-03-02")
    market.phase("listed_and_block")
    market.block_offer(
        "alice", P, "sell", price="49.53", tonnes=100_000, block_id="x", counterparty="bob"
    )
    assert reason(market.block_accept("bob", "x")) is None
    assert market.core.product(0)["block_volume"] == 0
    assert reason(market.block_confirm("x")) is None
    assert market.core.product(0)["block_volume"] == 100_000
    market.close_day()
    assert market.core.product(0)["reference_price"] == 7076


# -- Gap (RB 31.10, 31.11) ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bought", "refused", "taken"),
    [
        ("2026-03-02", ["2026-03-02", "2026-03-03", "2026-03-06"], "2026-03-09"),
        ("2025-09-29", ["2025-09-30", "2025-10-09", "2025-10-13"], "2025-10-14"),
    ],
)
@pytest.mark.parametrize("side", ["buy", "sell"])
def test_five_trading_days_lie_between_a_purchase_and_a_sale(core, side, bought, refused, taken):
    """CCER-FND-03: from Monday to Monday, over holidays; old stock waits too."""
    other = "sell" if side == "buy" else "buy"
    market = market_of(core)
    trading_on(market, bought)
    buyer, seller = ("bob", "alice") if side == "buy" else ("alice", "bob")
    trade(market, seller, buyer, "70.00", 10)
    for day in refused:
        trading_on(market, day)
        assert ask(market, "bob", other) == "WITHIN_GAP"
        assert ask(market, "bob", side) is None
    trading_on(market, taken)
    assert ask(market, "bob", other) is None


def test_a_later_trade_makes_the_wait_begin_anew(core):
    """CCER-FND-03"""
    market = market_of(core)
    for day in ("2026-03-02", "2026-03-05"):
        trading_on(market, day)
        trade(market, "alice", "bob", "70.00", 10)
    trading_on(market, "2026-03-11")
    assert ask(market, "bob", "sell") == "WITHIN_GAP"
    assert market.account("bob").gaps[P].sale_days == 1
    trading_on(market, "2026-03-12")
    assert ask(market, "bob", "sell") is None
    assert market.account("bob").gaps == {}


def test_what_is_paid_in_waits_and_what_was_there_may_leave(core):
    """CCER-FND-03: a transfer is no sale, and brings nothing that may be sold earlier."""
    market = market_of(core)
    trading_on(market, "2026-03-02")
    trade(market, "alice", "bob", "70.00", 10)
    market.deposit("bob", product=P, tonnes=100)
    assert ask(market, "bob", "sell") == "WITHIN_GAP"
    assert market.withdraw("bob", product=P, tonnes=5_100)[0].event == "withdrawn"
    # CCER-FND-01: what was bought today is not delivered yet.
    assert reason(market.withdraw("bob", product=P, tonnes=1)) == "ALLOWANCES_BOUGHT_TODAY"
    trading_on(market, "2026-03-03")
    assert market.withdraw("bob", product=P, tonnes=10)[0].event == "withdrawn"


def test_the_cash_of_a_sale_buys_another_project_at_once(core):
    """CCER-FND-03: sell P at 10:00, buy Q with the cash at 10:01."""
    market = market_of(core)
    market.withdraw("bob", cash="10000000.00")
    trading_on(market, "2026-03-02")
    trade(market, "bob", "alice", "70.00", 10)
    assert reason(order(market, "bob", "buy", "69.00", 10, Q)) is None


def test_the_gap_may_be_of_all_projects(core):
    """CCER-FND-03: with the scope `product` another project's sale is refused too."""
    text = CCER.text.replace('gap_scope = {value = "instrument"', 'gap_scope = {value = "product"')
    market = market_of(core, profile=profile_parse(text, "ccer, the strict reading"))
    trading_on(market, "2026-03-02")
    trade(market, "alice", "bob", "70.00", 10)
    assert ask(market, "bob", "sell", Q) == "WITHIN_GAP"
    assert ask(market, "alice", "buy", Q) == "WITHIN_GAP"
    assert set(market.account("bob").gaps) == {P, Q}
    order(market, "carol", "sell", "70.00", 1, Q)
    assert ask(market, "carol", "buy", P) == "OTHER_SIDE_OPEN"


def test_an_account_stands_on_one_side_of_a_project(core):
    """CCER-FND-04: an open sale keeps it from buying, and the other way round."""
    market = market_of(core)
    trading_on(market, "2026-03-02")
    order(market, "alice", "sell", "75.00", 1, order_id="s")
    assert ask(market, "alice", "buy") == "OTHER_SIDE_OPEN"
    assert ask(market, "alice", "buy", Q) is None
    market.cancel("alice", "s")
    order(market, "alice", "buy", "65.00", 1)
    assert ask(market, "alice", "sell", price="75.00") == "OTHER_SIDE_OPEN"


def test_blocks_and_biddings_begin_a_gap_and_keep_to_it(core):
    """CCER-FND-03, CCER-FND-04, CCER-BLK-01: any trading method counts, a block once confirmed."""
    allowed = {"block_allowed": "true", "bidding_allowed": "true", "block_tonnes_min": "100_000"}
    profile = profile_with(notice(**allowed), text=CCER.text)
    market = market_of(core, profile=profile, tonnes=400_000)
    market.open_day("2026-03-02")
    market.phase("listed_and_block")
    terms = {"price": "70.00", "tonnes": 100_000}
    for account in ("bob", "carol"):
        market.deposit(account, cash="90000000.00")
    market.block_offer("alice", P, "sell", **terms, block_id="x", counterparty="bob")
    assert ask(market, "alice", "buy") == "OTHER_SIDE_OPEN"
    assert reason(market.block_accept("bob", "x")) is None
    assert ask(market, "bob", "sell") == ask(market, "alice", "buy") == "OTHER_SIDE_OPEN"
    assert reason(market.block_confirm("x")) is None
    assert ask(market, "bob", "sell") == ask(market, "alice", "buy") == "WITHIN_GAP"
    refused = market.block_offer("bob", P, "sell", **terms, block_id="y", counterparty="carol")
    assert reason(refused) == "WITHIN_GAP"
    market.bidding_open(
        "alice", Q, tonnes=100_000, floor="70.00", pricing="uniform", bidding_id="n"
    )
    assert reason(market.bid("bob", "n", price="70.00", tonnes=100_000, bid_id="b")) is None
    assert ask(market, "bob", "sell", Q) == "OTHER_SIDE_OPEN"
    market.bidding_close("n")
    assert ask(market, "bob", "sell", Q) == "WITHIN_GAP"


def test_blocks_biddings_and_bids_are_refused_for_the_same_reasons(core):
    """CCER-FND-03, CCER-FND-04"""
    allowed = {"block_allowed": "true", "bidding_allowed": "true", "block_tonnes_min": "100_000"}
    profile = profile_with(notice(**allowed), text=CCER.text)
    market = market_of(core, profile=profile, tonnes=400_000)
    market.open_day("2026-03-02")
    market.phase("listed_and_block")
    terms = {"floor": "70.00", "pricing": "uniform", "tonnes": 100_000}
    market.bidding_open("alice", P, **terms, bidding_id="n")
    bought = {"price": "70.00", "tonnes": 1}
    order(market, "bob", "sell", "75.00", 1, order_id="s")
    block = market.block_offer("bob", P, "buy", price="70.00", tonnes=100_000, block_id="x")
    assert reason(block) == "OTHER_SIDE_OPEN"
    assert reason(market.bid("bob", "n", **bought, bid_id="b1")) == "OTHER_SIDE_OPEN"
    order(market, "carol", "buy", "75.00", 1)
    assert reason(market.bid("bob", "n", **bought, bid_id="b2")) == "WITHIN_GAP"
    assert reason(market.bidding_open("carol", P, **terms, bidding_id="m")) == "WITHIN_GAP"
    order(market, "bob", "buy", "65.00", 1, Q)
    other = market.bidding_open("bob", Q, **terms, bidding_id="o")
    assert reason(other) == "OTHER_SIDE_OPEN"


def test_a_gap_goes_with_snapshots_and_hashes(core):
    """CCER-FND-03: what decides the next command is state."""
    market = market_of(core)
    trading_on(market, "2026-03-02")
    before = market.core.state_hash()
    trade(market, "alice", "bob", "70.00", 10)
    market.close_day()
    for other in (CompiledMarket, ReferenceMarket):
        restored = other.from_snapshot(CCER.rules, market.core.snapshot())
        assert restored.state_hash() == market.core.state_hash() != before
        assert restored.account(1)["gaps"] == {0: (5, 0)}
        restored.day_open(20260303)
        assert restored.account(1)["gaps"] == {0: (4, 0)}


# -- Fee (RB 31.19) -------------------------------------------------------------------------------


def test_each_side_pays_six_per_mille(core):
    """CCER-FEE-01: 424.56 of 70,760.00 from each; of 495.32 it is 2.98, rounded up."""
    market = market_of(core, "70.76")
    listed(market, "2026-03-02")
    shown = trade(market, "alice", "bob", "70.76", 1_000)
    assert (shown.buy_fee, shown.sell_fee) == ("424.56", "424.56")
    shown = trade(market, "alice", "carol", "70.76", 7)
    assert (shown.buy_fee, shown.sell_fee) == ("2.98", "2.98")
    assert market.account("alice").cash == "10070827.78"
    assert market.account("carol").cash == "9999501.70"


def test_a_purchase_locks_its_fee_too(core):
    """CCER-FEE-01, CCER-FND-01"""
    market = market_of(core, "70.76")
    market.withdraw("bob", cash="10000000.00")
    market.deposit("bob", cash="71184.55")
    listed(market, "2026-03-02")
    assert reason(order(market, "bob", "buy", "70.76", 1_000)) == "CASH_INSUFFICIENT"
    market.deposit("bob", cash="0.01")
    assert reason(order(market, "bob", "buy", "70.76", 1_000)) is None
    assert market.account("bob").cash_locked == "71184.56"


def test_a_method_and_a_side_may_have_a_fee_of_their_own():
    """CEA-FEE-01"""
    rates = [CCER.rules.fee_bp_of(method, side) for method in Method for side in Side if method]
    assert rates == [60, 60, 0, 0, 0, 0]
    text = CCER.text.replace("block_sell_fee_bp = {value = 0", "block_sell_fee_bp = {value = 400")
    changed = profile_parse(text, "ccer").rules
    assert changed.fee_bp_of(Method.BLOCK, Side.SELL) == 400
    assert changed.fee_bp_of(Method.BLOCK, Side.BUY) == 0


# -- The best level (RB 31.5) ---------------------------------------------------------------------


def test_only_the_best_price_is_taken(core):
    """CCER-LST-03, CCER-LST-02: 70.01 is not there to be taken while 70.00 stands."""
    market = market_of(core)
    listed(market, "2026-03-02")
    order(market, "alice", "sell", "70.00", 100, order_id="first")
    order(market, "carol", "sell", "70.00", 50, order_id="second")
    order(market, "carol", "sell", "70.01", 500, order_id="behind")
    events = order(market, "bob", "buy", "70.01", 120)
    trades = [event for event in events if event.event == "trade"]
    assert [(event.sell_id, event.tonnes) for event in trades] == [("first", 100), ("second", 20)]
    events = order(market, "bob", "buy", "70.01", 40)
    assert [event.tonnes for event in events if event.event == "trade"] == [30]
    assert (events[-1].event, events[-1].reason) == ("order_canceled", "LEVELS_EXHAUSTED")
    events = order(market, "bob", "buy", "70.01", 10)
    assert [event.sell_id for event in events if event.event == "trade"] == ["behind"]


def test_a_halt_does_not_make_the_session_longer(core):
    """CCER-DAY-01: halted from 10:00 to 10:40, the morning still ends at 11:30."""
    market = market_of(core)
    market.clock("2026-03-02T10:00:00+08:00")
    market.halt()
    market.clock("2026-03-02T10:40:00+08:00")
    market.resume()
    market.clock("2026-03-02T11:29:59+08:00")
    assert ask(market, "bob", "buy") is None
    market.clock("2026-03-02T11:30:00+08:00")
    assert ask(market, "bob", "buy") == "PHASE_CLOSED"


# -- Exceed and reach (RB3 31.20, worked example 14) ----------------------------------------------

LIMITED = profile_with(
    notice(since="2025-03-01", holding_limit_tonnes="1_000_000", large_holder_tonnes="800_000"),
    text=CCER.text,
)


def test_what_exceeds_a_limit_is_more_than_it(core):
    """CCER-FND-02: of 1,000,000 with 950,000 held and 30,000 open, 20,000 are taken."""
    market = market_of(core, profile=LIMITED, tonnes=950_000)
    market.deposit("bob", cash="90000000.00")
    market.open_day("2026-03-02")
    market.phase("listed")
    assert reason(order(market, "bob", "buy", "69.00", 30_000)) is None
    assert reason(order(market, "bob", "buy", "69.00", 20_001)) == "HOLDING_LIMIT"
    assert reason(order(market, "bob", "buy", "69.00", 20_000)) is None
    assert reason(order(market, "bob", "buy", "69.00", 1)) == "HOLDING_LIMIT"


@pytest.mark.parametrize(("bought", "reported"), [(99_999, []), (100_000, ["bob"])])
def test_who_reaches_a_large_holding_reports_it(core, bought, reported):
    """CCER-FND-02: 80% of the limit itself counts, 799,999 t do not."""
    market = market_of(core, profile=LIMITED, tonnes=700_000)
    market.open_day("2026-03-02")
    market.phase("listed")
    assert reason(order(market, "alice", "sell", "70.00", bought)) is None
    events = order(market, "bob", "buy", "70.00", bought)
    assert [each.account for each in events if each.event == "large_holder"] == reported


def test_a_listed_order_may_be_of_any_size_until_a_notice_names_a_blocks(core):
    """CCER-MKT-02: 100,000 t is no size that a text confirms, and binds nobody."""
    market = market_of(core, tonnes=400_000)
    market.open_day("2026-03-02")
    market.phase("listed")
    assert reason(order(market, "alice", "sell", "70.00", 100_000)) is None
    assert CCER.rules.listed_tonnes_most == CCER.rules.bidding_tonnes_min == 0
    text = CCER.text + notice(since="2026-03-03", block_tonnes_min="100_000")
    named = market_of(core, profile=profile_parse(text, "named"), tonnes=400_000)
    named.open_day("2026-03-03")
    named.phase("listed")
    assert reason(order(named, "alice", "sell", "70.00", 100_000)) == "LISTED_TONNES_TOO_LARGE"


def test_no_notice_allows_blocks_without_their_size():
    """CCER-MKT-02"""
    with pytest.raises(ProfileError, match="block_tonnes_min: expected a size, got none"):
        profile_with(notice(block_allowed="true"), text=CCER.text)

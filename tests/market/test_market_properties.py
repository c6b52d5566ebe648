"""What holds of the market whatever comes: conservation, refusals, replay, snapshots."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.profile import MarketRules
from cea_exchange.domain.records import (
    BIDDING_OPENED_DTYPE,
    PRODUCT_NONE,
    EventKind,
    Method,
    Pricing,
    Reason,
    Side,
)
from cea_exchange.matching.reference import ReferenceMarket
from support.market.drawn_steps import steps_drawn
from support.market.market_flow import (
    ACCOUNT_COUNT,
    REFERENCE_PRICES,
    RULES,
    Flow,
    Step,
    act_do,
    rules_make,
    steps_seeded,
    view_of,
)
from support.rounds import examples

pytestmark = [pytest.mark.property, pytest.mark.random]

CORES = (ReferenceMarket, CompiledMarket)
REFUSALS = (EventKind.ORDER_REJECTED, EventKind.TRANSFER_REJECTED)
COUNTERS_MOVED = ("command_seq", "event_seq", "settlement_seq", "transfer_seq")

steps_strategy = steps_drawn(40, 80)
modest = settings(
    max_examples=examples(10),
    derandomize=True,
    database=None,
)

both_cores = pytest.mark.parametrize("make_core", CORES)
all_rules = pytest.mark.parametrize("rules_name", RULES)

RULES_PRICE_ALONE = (
    rules_make(
        name="biddings",
        bidding_tonnes_min=6,
        fee_bp=37,
        fee_min_fen=500,
        holding_limit_tonnes=300,
        order_count_max=12,
        bidding_tie="pro_rata",
    ),
    rules_make(
        name="auctions",
        bidding_tonnes_min=6,
        bid_tonnes_min=2,
        bidding_tie="random",
        band_rounding="inward",
    ),
    RULES["mixed"],
    RULES["open"],
)
"""Without caps, bids at no price and reserve prices: a bid's price alone ranks it."""


@both_cores
@all_rules
def test_cash_and_tonnes_are_conserved(make_core: Callable[..., Any], rules_name: str) -> None:
    """What came in is held, was taken out again, or is fees; trades make and lose nothing.

    A bust that moved anything gives the fees back.
    """

    @modest
    @given(steps_strategy)
    def conserved(steps: list[Step]) -> None:
        flow = Flow((make_core,), RULES[rules_name])
        for step in steps:
            # Every event must be there to be counted.
            flow.take(step._replace(act=step.act | 1))
        events, market = flow.events, flow.market
        got = events[events["kind"] == EventKind.DEPOSITED]
        left = events[events["kind"] == EventKind.WITHDRAWN]
        trades = events[events["kind"] == EventKind.TRADE]
        accounts = [market.account(index) for index in range(ACCOUNT_COUNT)]
        busts = events[events["kind"] == EventKind.TRADE_BUSTED]
        busts = busts[busts["reason"] == Reason.NONE]
        fees = sum(
            total(trades[side]) - total(busts[side]) for side in ("buy_fee", "sell_fee")
        )
        cash = sum(account["cash"] for account in accounts)
        assert cash + fees == total(got["cash"]) - total(left["cash"])
        for product in range(len(REFERENCE_PRICES)):
            held = sum(account["holdings"].get(product, (0,))[0] for account in accounts)
            arrived_in = total(got["tonnes"][got["product_index"] == product])
            assert held == arrived_in - total(left["tonnes"][left["product_index"] == product])

    conserved()


def total(column: np.ndarray) -> int:
    """Sum without the wrap-around of int64."""
    return sum(column.tolist())


@both_cores
@all_rules
def test_refusal_changes_nothing_that_shows(make_core: Callable[..., Any], rules_name: str) -> None:
    """Books, accounts, products and ids are as before; only the numbering of events went on."""
    flow = Flow((make_core,), RULES[rules_name])
    refused = 0
    for step in steps_seeded(11, 250):
        flow.take(step)
        name, arguments = flow.acts[-1]
        before = view_of(flow.market)
        copy = flow.market.copy()
        _, events = act_do(copy, name, arguments)
        if events is not None and len(events) and np.isin(events["kind"], REFUSALS).all():
            refused += 1
            after = view_of(copy)
            assert before | {"reports": None} == after | {"reports": None}
            assert flow.market.holdings_hash() == copy.holdings_hash()
    assert refused > 50


@all_rules
def test_refusal_leaves_the_state_hash_but_for_counters(rules_name: str) -> None:
    """With its counters put back, a market that refused hashes as before."""
    flow = Flow((ReferenceMarket,), RULES[rules_name])
    for step in steps_seeded(12, 150):
        flow.take(step)
        before = flow.market.copy()
        name, arguments = flow.acts[-1]
        after = flow.market.copy()
        _, events = act_do(after, name, arguments)
        if events is None or not len(events) or not np.isin(events["kind"], REFUSALS).all():
            continue
        for counter in COUNTERS_MOVED:
            setattr(after._state, counter, getattr(before, counter))
        accounts = zip(before._state.accounts, after._state.accounts, strict=True)
        for account_before, account_after in accounts:
            account_after.report_seq = account_before.report_seq
        assert before.state_hash() == after.state_hash()


@both_cores
@all_rules
def test_replay_gives_the_same_events_and_hash(
    make_core: Callable[..., Any], rules_name: str
) -> None:
    """The same acts on a fresh market: the same market."""
    flow = Flow((make_core,), RULES[rules_name])
    flow.run(steps_seeded(21, 300))
    fresh = make_core(RULES[rules_name])
    replayed = [act_do(fresh, name, arguments)[1] for name, arguments in flow.acts]
    events = np.concatenate([rows for rows in replayed if rows is not None])
    assert flow.events.tobytes() == events.tobytes()
    assert flow.market.state_hash() == fresh.state_hash()


@both_cores
@all_rules
def test_snapshot_and_tail_give_the_same_market(
    make_core: Callable[..., Any], rules_name: str
) -> None:
    """A restored market is the market: same hash now, same events and hash ever after."""
    flow = Flow((make_core,), RULES[rules_name])
    for seed in (31, 32, 33):
        flow.run(steps_seeded(seed, 60))
        restored = make_core.from_snapshot(RULES[rules_name], flow.market.snapshot())
        copied = flow.market.copy()
        assert flow.market.state_hash() == restored.state_hash() == copied.state_hash()
        assert view_of(flow.market) == view_of(restored) == view_of(copied)
        done, written = len(flow.acts), len(flow.events)
        flow.run(steps_seeded(seed + 100, 60))
        for other in (restored, copied):
            tail = [act_do(other, name, arguments)[1] for name, arguments in flow.acts[done:]]
            events = np.concatenate([rows for rows in tail if rows is not None])
            assert flow.events[written:].tobytes() == events.tobytes()
            assert flow.market.state_hash() == other.state_hash()
            other.check()


@all_rules
def test_a_snapshot_of_either_market_restores_the_other(rules_name: str) -> None:
    """One format: compiled bytes make a reference market, and the other way round."""
    rules = RULES[rules_name]
    flow = Flow(CORES, rules)
    flow.run(steps_seeded(61, 200))
    for source, make_core in zip(flow.cores, reversed(CORES), strict=True):
        restored = make_core.from_snapshot(rules, source.snapshot())
        restored.check()
        assert source.state_hash() == restored.state_hash()
        assert view_of(source) == view_of(restored)


@both_cores
@all_rules
def test_trades_keep_to_band_and_resting_price(
    make_core: Callable[..., Any], rules_name: str
) -> None:
    """No trade lies outside its band, and none has other terms than the maker's.

    CEA-LST-04, CEA-BLK-01, CEA-BLK-02, CEA-BLK-04: a block trades whole, at what is on the table.
    Biddings: below.
    """
    flow = Flow((make_core,), RULES[rules_name])
    resting: dict[int, int] = {}
    on_the_table: dict[int, tuple[int, int]] = {}
    for step in steps_seeded(41, 400):
        acts_before = len(flow.events_all)
        flow.take(step._replace(act=step.act | 1))
        for event in (row for rows in flow.events_all[acts_before:] for row in rows):
            kind, order_id = int(event["kind"]), int(event["order_id"])
            price, tonnes = int(event["price"]), int(event["tonnes"])
            if kind == EventKind.ORDER_RESTED:
                resting[order_id] = price
            elif kind in (EventKind.BLOCK_OFFERED, EventKind.BLOCK_COUNTERED):
                on_the_table[order_id] = price, tonnes
            elif kind == EventKind.TRADE and event["method"] != Method.BIDDING:
                product = flow.market.product(int(event["product_index"]))
                band = "block_band" if event["method"] == Method.BLOCK else "band"
                assert product[f"{band}_low"] <= price <= product[f"{band}_high"]
                assert int(event["cash"]) == price * tonnes
                if event["method"] == Method.BLOCK:
                    assert on_the_table.pop(order_id) == (price, tonnes)
                    assert tonnes >= flow.rules.block_tonnes_min
                else:
                    assert resting[int(event["counter_order_id"])] == price
    assert resting
    assert on_the_table or rules_name != "blocks"


@both_cores
@pytest.mark.parametrize("rules", RULES_PRICE_ALONE, ids=lambda rules: rules.name)
def test_awards_rank_the_bids(make_core: Callable[..., Any], rules: MarketRules) -> None:
    """CEA-BID-02, CEA-BID-06, CEA-AWD-01, CEA-AWD-02, of every bidding that closed.

    No more is won than offered, no loser bid better than a winner, all bids and prices lie in the
    range, and at one price all pay the worst winning bid's.
    """
    flow = Flow((make_core,), rules)
    terms: dict[int, Any] = {}
    bids: dict[int, dict[int, tuple[int, int]]] = {}
    sold: list[tuple[int, int, int]] = []
    closed = 0
    for step in steps_seeded(71, 700):
        before = len(flow.events_all)
        flow.take(step._replace(act=step.act | 1))
        for rows in flow.events_all[before:]:
            for place, event in enumerate(rows):
                kind, order_id = int(event["kind"]), int(event["order_id"])
                inside = int(event["counter_order_id"])
                price, tonnes = int(event["price"]), int(event["tonnes"])
                if kind == EventKind.BIDDING_OPENED:
                    terms[order_id] = rows[place : place + 1].view(BIDDING_OPENED_DTYPE)[0]
                    bids[order_id] = {}
                elif kind == EventKind.BID_ACCEPTED:
                    assert terms[inside]["floor"] <= price <= terms[inside]["ceiling"]
                    bids[inside][order_id] = price, tonnes
                elif kind == EventKind.BID_CANCELED:
                    assert bids[inside].pop(order_id) == (price, tonnes)
                elif kind == EventKind.TRADE and event["method"] == Method.BIDDING:
                    sold.append((order_id, price, tonnes))
                elif kind == EventKind.BIDDING_CLOSED:
                    award_check(terms.pop(order_id), bids.pop(order_id), sold, event)
                    sold, closed = [], closed + 1
                elif kind == EventKind.BIDDING_CANCELED:
                    assert bids.pop(order_id) == {}
    assert closed > 1
    assert not sold


def award_check(
    terms: np.void, bids: dict[int, tuple[int, int]], sold: list[tuple[int, int, int]], end: np.void
) -> None:
    """What holds of one award, whatever the profile says of ties."""
    sign = 1 if terms["side"] == Side.SELL else -1
    won = {order_id: tonnes for order_id, _, tonnes in sold}
    assert len(won) == len(sold), "one trade for each winner"
    assert sum(won.values()) == int(end["tonnes"]) <= int(terms["tonnes"])
    assert int(end["tonnes"]) == min(int(terms["tonnes"]), sum(t for _, t in bids.values()))
    prices = [sign * bids[order_id][0] for order_id in won]
    assert prices == sorted(prices, reverse=True), "the best first"
    lost = [sign * p for order_id, (p, t) in bids.items() if won.get(order_id, 0) < t]
    assert not won or not lost or max(lost) <= min(prices)
    assert int(end["price"]) == (sign * min(prices) if won else 0)
    for order_id, price, tonnes in sold:
        assert 0 < tonnes <= bids[order_id][1]
        uniform = terms["pricing"] == Pricing.UNIFORM
        assert price == (int(end["price"]) if uniform else bids[order_id][0])


@both_cores
def test_locks_are_released_when_nothing_is_open(make_core: Callable[..., Any]) -> None:
    """After a day's close no cash and no allowances are locked, whatever traded."""
    for rules in RULES.values():
        flow = Flow((make_core,), rules)
        flow.run(steps_seeded(51, 200))
        if flow.market.day_is_open:
            flow.do("day_close")
        flow.market.check()
        assert flow.market.live_order_count == 0
        assert flow.market.block_ids() == []
        assert not any(flow.market.bids(id) for id in flow.market.bidding_ids())
        for account_index in range(ACCOUNT_COUNT):
            account = flow.market.account(account_index)
            assert account["cash_locked"] == 0
            assert all(locked == 0 for _, locked, _ in account["holdings"].values())


@both_cores
def test_orders_of_different_products_do_not_meet(make_core: Callable[..., Any]) -> None:
    """What one product's orders do does not depend on when the other's come."""
    holdings, flows = [], []
    for product_first in (0, 1):
        flow = Flow((make_core,), RULES["cea"])
        for product_index in (product_first, 1 - product_first):
            sides = ((Side.SELL, 0), (Side.BUY, 1))
            for side, account_index in sides:
                command = flow._signed(
                    Step(0, 2 * account_index, product_index, 0, 0, 0), 1, account_index
                )
                command["side"] = side
                command["product_index"] = product_index
                command["price"] = REFERENCE_PRICES[product_index]
                command["tonnes"] = 10
                flow.process(command)
        holdings.append(flow.market.holdings_hash())
        flows.append(flow)
    assert holdings[0] == holdings[1]
    assert all(flow.market.trade_id == 2 for flow in flows)
    assert flows[0].market.account(0)["holdings"] != {}
    assert flows[0].market.best(0, Side.BUY) == 0
    assert PRODUCT_NONE not in flows[0].market.account(0)["holdings"]

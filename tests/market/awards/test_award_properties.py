"""What must hold of every award, whatever the bids and the rules, on both cores."""

from collections import defaultdict
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cea_exchange.matching.award import AwardRules, Bid
from support.market.award_brute import (
    awardable,
    best_outcomes,
    clearing_of,
    counting,
    demand,
    first_in_time,
)
from support.market.award_cores import CORES

pytestmark = pytest.mark.property

TIES = ("time", "random", "pro_rata")
SIDES = ("sell", "buy")
PRICE_TOP = 10_000_000
CAPS = st.sampled_from([0, 1_000, 2_500, 3_333, 5_000, 10_000])


@st.composite
def bid_lists(draw, size, price_most, tonnes_most, competitive_only=True):
    """Bids of a few accounts, each in one group."""
    bids = []
    for _ in range(draw(st.integers(0, size))):
        account = draw(st.integers(0, max(2, size // 4)))
        competitive = competitive_only or draw(st.integers(0, 3)) > 0
        bids.append(
            Bid(
                price=draw(st.integers(1, price_most)) if competitive else 0,
                tonnes=draw(st.integers(1, tonnes_most)),
                account_index=account,
                group_index=account % 3,
                competitive=competitive,
            )
        )
    return bids


def rules_of(**fixed):
    choices = {
        "side": st.sampled_from(SIDES),
        "tie": st.sampled_from(TIES),
        "tie_seed": st.integers(0, (1 << 64) - 1),
        "undersubscription": st.sampled_from(["award_all", "cancel"]),
        "bid_tonnes_min": st.integers(1, 3),
        "reserve_price_fen": st.integers(0, 6),
        "reserve_rule": st.sampled_from(["exclude", "cancel"]),
        "bidder_cap_bp": CAPS,
        "group_cap_bp": CAPS,
        "noncompetitive_max_bp": st.sampled_from([0, 1_000, 3_333, 10_000]),
    }
    return st.builds(AwardRules, **(choices | {name: st.just(v) for name, v in fixed.items()}))


SMALL = bid_lists(size=5, price_most=4, tonnes_most=3)
LARGE = bid_lists(size=80, price_most=12, tonnes_most=400)
MIXED = bid_lists(size=14, price_most=6, tonnes_most=9, competitive_only=False)
FIRM = {"undersubscription": "award_all", "reserve_rule": "exclude"}

on_both_cores = pytest.mark.parametrize("clear", CORES.values(), ids=CORES)


@on_both_cores
@settings(max_examples=120)
@given(bids=SMALL, offered=st.integers(1, 12), rules=rules_of(tie="time", **FIRM))
def test_an_award_is_the_best_of_all_outcomes(clear, bids, offered, rules):
    """Every way to fill the bids is tried: CEA-AWD-01, CEA-AWD-07."""
    found = clear(bids, offered, rules)
    most, best = best_outcomes(bids, offered, rules)
    assert found.tonnes == most
    assert found.fills == first_in_time(bids, best, rules)


@on_both_cores
@settings(max_examples=120)
@given(bids=SMALL, offered=st.integers(1, 12), rules=rules_of(**FIRM))
def test_however_ties_are_broken_the_award_is_worth_most(clear, bids, offered, rules):
    found = clear(bids, offered, rules)
    assert found.fills in best_outcomes(bids, offered, rules)[1]


@on_both_cores
@settings(max_examples=120)
@given(bids=LARGE, offered=st.integers(1, 12_000), rules=rules_of(**FIRM))
def test_a_large_award_is_the_demand_at_every_price(clear, bids, offered, rules):
    """So it is worth most, too: no award gives any price and the better ones more."""
    found = clear(bids, offered, rules)
    curve = demand(bids, offered, rules)
    better = [
        (
            price,
            sum(
                fill
                for bid, fill in zip(bids, found.fills, strict=True)
                if (bid.price >= price if rules.side == "sell" else bid.price <= price)
            ),
        )
        for price, _ in curve
    ]
    assert better == curve
    assert found.clearing_price == clearing_of(curve)


@on_both_cores
@settings(max_examples=150)
@given(bids=MIXED, offered=st.integers(1, 60), rules=rules_of())
def test_nothing_is_awarded_twice_and_a_cancelled_award_is_none(clear, bids, offered, rules):
    """CEA-AWD-02, CEA-AWD-04, CEA-AWD-05, CEA-AWD-06."""
    found = clear(bids, offered, rules)
    assert found.tonnes <= offered
    assert all(0 <= fill <= bid.tonnes for fill, bid in zip(found.fills, bids, strict=True))
    winners = [bid for fill, bid in zip(found.fills, bids, strict=True) if fill]
    assert all(bid.tonnes >= rules.bid_tonnes_min for bid in winners)
    if found.cancelled_reason is not None or not winners:
        assert found.clearing_price is None and not winners
        return
    prices = [bid.price for bid in winners if bid.competitive]
    worst = min if rules.side == "sell" else max
    assert found.clearing_price == worst(prices, default=rules.reserve_price_fen)
    if rules.reserve_price_fen and rules.side == "sell":
        assert found.clearing_price >= rules.reserve_price_fen
    if rules.reserve_price_fen and rules.side == "buy":
        assert found.clearing_price <= rules.reserve_price_fen
    if rules.undersubscription == "cancel":
        assert found.tonnes == offered


@on_both_cores
@settings(max_examples=150)
@given(bids=MIXED, offered=st.integers(1, 60), rules=rules_of())
def test_no_bidder_group_or_noncompetitive_bids_win_more_than_their_share(
    clear, bids, offered, rules
):
    """CEA-AWD-07, CEA-AWD-08."""
    bidders, groups, noncompetitive = defaultdict(int), defaultdict(int), 0
    for bid, fill in zip(bids, clear(bids, offered, rules).fills, strict=True):
        bidders[bid.account_index] += fill
        groups[bid.group_index] += fill if bid.group_index else 0
        noncompetitive += 0 if bid.competitive else fill
    assert noncompetitive <= Fraction(offered * rules.noncompetitive_max_bp, 10_000)
    for won, share in ((bidders, rules.bidder_cap_bp), (groups, rules.group_cap_bp)):
        assert max(won.values(), default=0) <= Fraction(offered * (share or 10_000), 10_000)


@on_both_cores
@settings(max_examples=150)
@given(
    bids=LARGE,
    offered=st.integers(1, 9_000),
    rules=rules_of(bidder_cap_bp=0, group_cap_bp=0, **FIRM),
)
def test_no_loser_ranks_above_a_winner(clear, bids, offered, rules):
    """CEA-AWD-01, CEA-AWD-03; a bid that won less than it asked for counts as a loser."""
    sign = -1 if rules.side == "sell" else 1
    fills = clear(bids, offered, rules).fills
    rank = [(sign * bid.price, i if rules.tie == "time" else 0) for i, bid in enumerate(bids)]
    losers = [rank[i] for i in counting(bids, rules) if fills[i] < bids[i].tonnes]
    winners = [rank[i] for i, fill in enumerate(fills) if fill]
    assert not losers or not winners or min(losers) >= max(winners)


class Lots:
    """splitmix64 as its author wrote it: a state that each call moves on."""

    def __init__(self, seed):
        self.state = seed

    def draw(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        return z ^ (z >> 31)


@on_both_cores
@settings(max_examples=100)
@given(
    tonnes=st.lists(st.integers(1, 50), min_size=1, max_size=20),
    offered=st.integers(1, 900),
    seed=st.integers(0, (1 << 64) - 1),
)
def test_lots_decide_as_if_the_bids_had_come_in_their_order(clear, tonnes, offered, seed):
    """CEA-AWD-03."""
    bids = [Bid(7, each, i) for i, each in enumerate(tonnes)]
    lots = Lots(seed)
    drawn = {i: lots.draw() for i in range(len(bids))}
    order = sorted(drawn, key=drawn.get)
    by_time = clear([bids[i] for i in order], offered, AwardRules()).fills
    found = clear(bids, offered, AwardRules(tie="random", tie_seed=seed)).fills
    assert tuple(found[i] for i in order) == by_time


@on_both_cores
@settings(max_examples=150)
@given(
    tonnes=st.lists(st.integers(1, 50) | st.integers(1, 1 << 50), min_size=1, max_size=20),
    offered=st.integers(1, 900) | st.integers(1, 1 << 50),
)
def test_who_shares_gets_its_exact_share_but_for_less_than_a_tonne(clear, tonnes, offered):
    """CEA-AWD-03."""
    bids = [Bid(7, each, i) for i, each in enumerate(tonnes)]
    fills = clear(bids, offered, AwardRules(tie="pro_rata")).fills
    assert sum(fills) == min(offered, sum(tonnes))
    left = [
        Fraction(sum(fills) * each, sum(tonnes)) - fill
        for each, fill in zip(tonnes, fills, strict=True)
    ]
    assert all(-1 < fraction < 1 for fraction in left)
    # Who was rounded up had a larger fraction than who was not, or the same and came earlier.
    up = [(-(fraction + 1), i) for i, fraction in enumerate(left) if fraction < 0]
    down = [(-fraction, i) for i, fraction in enumerate(left) if fraction >= 0]
    assert not up or max(up) < min(down)


@on_both_cores
@settings(max_examples=150)
@given(bids=MIXED, offered=st.integers(1, 60), rules=rules_of(), data=st.data())
def test_a_better_price_never_wins_less(clear, bids, offered, rules, data):
    competitive = [i for i, bid in enumerate(bids) if bid.competitive]
    if not competitive:
        return
    index = data.draw(st.sampled_from(competitive))
    step = data.draw(st.integers(1, 5)) * (1 if rules.side == "sell" else -1)
    better = list(bids)
    better[index] = bids[index]._replace(price=max(1, bids[index].price + step))
    before = clear(bids, offered, rules)
    assert clear(better, offered, rules).fills[index] >= before.fills[index]


@on_both_cores
@settings(max_examples=100)
@given(
    bids=LARGE,
    offered=st.integers(1, 9_000),
    more=st.integers(1, 500),
    rules=rules_of(side="sell", bidder_cap_bp=0, group_cap_bp=0, **FIRM),
)
def test_more_on_offer_is_never_dearer(clear, bids, offered, more, rules):
    before, after = clear(bids, offered, rules), clear(bids, offered + more, rules)
    assert after.tonnes >= before.tonnes
    assert before.clearing_price is None or after.clearing_price <= before.clearing_price


@on_both_cores
@settings(max_examples=150)
@given(bids=MIXED, offered=st.integers(1, 60), rules=rules_of(side="sell", reserve_price_fen=0))
def test_one_buyer_is_the_mirror_of_one_seller(clear, bids, offered, rules):
    """CEA-AWD-09."""
    mirrored = [
        bid._replace(price=PRICE_TOP - bid.price) if bid.competitive else bid for bid in bids
    ]
    sold = clear(bids, offered, rules)
    bought = clear(mirrored, offered, replace(rules, side="buy"))
    assert (bought.fills, bought.cancelled_reason) == (sold.fills, sold.cancelled_reason)
    if sold.clearing_price is not None:
        assert bought.clearing_price == PRICE_TOP - sold.clearing_price


@on_both_cores
@settings(max_examples=100)
@given(bids=MIXED, offered=st.integers(1, 60), rules=rules_of(reserve_rule="exclude"))
def test_what_is_short_is_what_could_not_all_be_awarded(clear, bids, offered, rules):
    """CEA-AWD-04: cancelled where, and only where, awarding all leaves something."""
    all_awarded = clear(bids, offered, replace(rules, undersubscription="award_all"))
    found = clear(bids, offered, replace(rules, undersubscription="cancel"))
    is_short = all_awarded.tonnes < offered
    assert (found.cancelled_reason == "BIDS_SHORT") == is_short
    if not is_short:
        assert found == all_awarded
    if all(bid.competitive for bid in bids):
        assert all_awarded.tonnes == awardable(bids, counting(bids, rules), offered, rules)

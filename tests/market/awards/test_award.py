"""Who wins a bidding or an auction, rule by rule, on both cores."""

import re

import numpy as np
import pytest

from cea_exchange.core.award import award_arrays
from cea_exchange.matching.award import AwardRules, Bid, award, lot, pro_rata
from support.market.award_cores import CORES


@pytest.fixture(params=CORES)
def clear(request):
    return CORES[request.param]


def offers(*prices_and_tonnes):
    """Return one bid for each (price, tonnes), every one of another account."""
    return [Bid(price, tonnes, place) for place, (price, tonnes) in enumerate(prices_and_tonnes)]


def test_the_better_price_wins_then_the_earlier_and_the_marginal_bid_in_part(clear):
    """CEA-AWD-01."""
    found = clear(offers((9, 50), (10, 60), (9, 50), (11, 10)), 100, AwardRules())
    assert found == ((30, 60, 0, 10), 9, None)
    assert found.tonnes == 100


def test_winners_pay_the_lowest_winning_bid_or_their_own():
    """CEA-AWD-02."""
    bids = offers((12, 10), (10, 10), (11, 10), (9, 1))
    clearing_price = award(bids, 30, AwardRules()).clearing_price
    assert clearing_price == 10
    assert [AwardRules().paid(bid, clearing_price) for bid in bids[:3]] == [10, 10, 10]
    own = AwardRules(pricing="pay_as_bid")
    assert award(bids, 30, own).clearing_price == 10
    assert [own.paid(bid, clearing_price) for bid in bids[:3]] == [12, 10, 11]


def test_lots_are_the_outputs_of_splitmix64():
    """CEA-AWD-03; the generator's first outputs from 1234567, as its users publish them."""
    published = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert [lot(1234567, index) for index in range(5)] == published


def test_the_lowest_lots_win_at_the_marginal_price_and_only_there(clear):
    """CEA-AWD-03: lots are drawn for places 0 to 4, the best bid needs none."""
    bids = offers((9, 10), (9, 10), (10, 10), (9, 10), (9, 10))
    rules = AwardRules(tie="random", tie_seed=1234567)
    # In ascending order of their lots: places 1, 3, 0, 4.
    assert clear(bids, 35, rules).fills == (5, 10, 10, 10, 0)


def test_bids_at_the_marginal_price_share_in_proportion(clear):
    """CEA-AWD-03: 50 x 10 / 60 = 8 2/6, 50 x 20 / 60 = 16 4/6, 50 x 30 / 60 = 25."""
    bids = offers((9, 10), (10, 50), (9, 20), (9, 30))
    assert clear(bids, 100, AwardRules(tie="pro_rata")).fills == (8, 50, 17, 25)


def test_equal_fractions_go_to_the_earlier():
    """CEA-AWD-03."""
    assert pro_rata([1, 1, 1, 1], 2) == [1, 1, 0, 0]
    assert pro_rata([5, 5, 5], 10) == [4, 3, 3]


@pytest.mark.parametrize(
    ("undersubscription", "expected"),
    [("award_all", ((40, 59), 9, None)), ("cancel", ((0, 0), None, "BIDS_SHORT"))],
)
def test_too_few_bids_win_all_or_cancel(clear, undersubscription, expected):
    """CEA-AWD-04."""
    rules = AwardRules(undersubscription=undersubscription)
    assert clear(offers((10, 40), (9, 59)), 100, rules) == expected


def test_bids_for_all_that_is_offered_are_not_short(clear):
    """CEA-AWD-04."""
    rules = AwardRules(undersubscription="cancel")
    assert clear(offers((10, 40), (9, 60)), 100, rules) == ((40, 60), 9, None)


def test_a_bid_below_the_minimum_does_not_count(clear):
    """CEA-AWD-05."""
    rules = AwardRules(bid_tonnes_min=10)
    assert clear(offers((12, 9), (11, 10), (10, 90)), 100, rules).fills == (0, 10, 90)


def test_bids_under_the_reserve_do_not_count(clear):
    """CEA-AWD-06."""
    rules = AwardRules(reserve_price_fen=10)
    assert clear(offers((9, 50), (10, 50), (11, 20)), 100, rules) == ((0, 50, 20), 10, None)


def test_a_clearing_price_under_the_reserve_cancels(clear):
    """CEA-AWD-06."""
    rules = AwardRules(reserve_price_fen=10, reserve_rule="cancel")
    short = clear(offers((9, 50), (10, 50), (11, 20)), 100, rules)
    assert short == ((0, 0, 0), None, "RESERVE_NOT_MET")
    enough = clear(offers((9, 50), (10, 50), (11, 50)), 100, rules)
    assert enough == ((0, 50, 50), 10, None)


def test_what_a_bidder_and_a_group_may_win_is_capped_best_price_first(clear):
    """CEA-AWD-07: 40 t a bidder, 55 t a group."""
    rules = AwardRules(bidder_cap_bp=4_000, group_cap_bp=5_500)
    bids = [
        Bid(9, 30, account_index=1, group_index=7),
        Bid(12, 30, account_index=1, group_index=7),
        Bid(11, 30, account_index=2, group_index=7),
        Bid(10, 90, account_index=3),
    ]
    # The group has 30 + 25, of which bidder 1 has 30; its 9 finds the group's room used up.
    assert clear(bids, 100, rules) == ((0, 30, 25, 40), 10, None)


def test_noncompetitive_bids_win_first_at_the_clearing_price(clear):
    """CEA-AWD-08: 20 t of 100 for two bids of 30: 10 each."""
    rules = AwardRules(noncompetitive_max_bp=2_000, pricing="pay_as_bid")
    bids = [Bid(10, 75, 0), Bid(0, 30, 1, competitive=False), Bid(0, 30, 2, competitive=False)]
    bids += [Bid(9, 75, 3)]
    assert clear(bids, 100, rules) == ((75, 10, 10, 5), 9, None)
    assert rules.paid(bids[1], 9) == 9


def test_noncompetitive_bids_without_a_price_pay_the_reserve_or_do_not_count(clear):
    """CEA-AWD-08."""
    bids = [Bid(0, 30, 1, competitive=False)]
    rules = AwardRules(noncompetitive_max_bp=10_000)
    assert clear(bids, 100, rules) == ((0,), None, None)
    rules = AwardRules(noncompetitive_max_bp=10_000, reserve_price_fen=7)
    assert clear(bids, 100, rules) == ((30,), 7, None)
    # They could take it all, and then nobody would have named a price.
    bids = [Bid(0, 100, 1, competitive=False), Bid(8, 40, 2)]
    rules = AwardRules(noncompetitive_max_bp=10_000)
    assert clear(bids, 100, rules) == ((0, 40), 8, None)


def test_with_one_buyer_the_lowest_bids_win(clear):
    """CEA-AWD-09."""
    rules = AwardRules(side="buy", reserve_price_fen=11)
    assert clear(offers((12, 50), (9, 50), (11, 60)), 100, rules) == ((0, 50, 50), 11, None)


def test_no_bids_award_nothing(clear):
    """CEA-AWD-04."""
    assert clear([], 100, AwardRules()) == ((), None, None)
    assert clear([], 100, AwardRules(undersubscription="cancel")) == ((), None, "BIDS_SHORT")


@pytest.mark.parametrize(
    ("bid", "message"),
    [
        (Bid(0, 1, 0), "bids[0].price: expected within 1..10000000, got 0"),
        (Bid(10_000_001, 1, 0), "bids[0].price: expected within 1..10000000, got 10000001"),
        (Bid(5, 1, 0, competitive=False), "bids[0].price: expected within 0..0, got 5"),
        (Bid(1, 0, 0), f"bids[0].tonnes: expected within 1..{(1 << 60) - 1}, got 0"),
        (Bid(1, 1, -1), f"bids[0].account_index: expected within 0..{(1 << 32) - 1}, got -1"),
        (Bid(1, 1, 0, 1 << 32), f"bids[0].group_index: expected within 0..{(1 << 32) - 1}, got 4"),
        (Bid(2, 1 << 59, 0), "bids[0]: price x tonnes: expected below 2^60 fen"),
    ],
)
def test_numbers_beyond_their_range_are_refused(clear, bid, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        clear([bid], 100, AwardRules())


@pytest.mark.parametrize("offered_tonnes", [0, -1, 1 << 60])
def test_tonnes_offered_beyond_their_range_are_refused(clear, offered_tonnes):
    with pytest.raises(ValueError, match="offered_tonnes: expected within 1"):
        clear([], offered_tonnes, AwardRules())


def test_what_is_no_whole_number_is_refused(clear):
    with pytest.raises(TypeError, match="offered_tonnes: expected int, got float"):
        clear([], 1.5, AwardRules())
    with pytest.raises(TypeError, match=r"bids\[0\].price: expected int, got float"):
        award([Bid(1.5, 1, 0)], 100, AwardRules())
    with pytest.raises(TypeError, match="bids: expected int64 with two dimensions, got float64"):
        award_arrays(np.zeros((1, 5)), 100, AwardRules())
    with pytest.raises(TypeError, match=r"bids: expected the shape \(n, 5\)"):
        award_arrays(np.zeros((1, 4), np.int64), 100, AwardRules())


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"side": "both"}, "side: expected sell or buy, got 'both'"),
        ({"tie": "size"}, "tie: expected time or random or pro_rata, got 'size'"),
        ({"bidder_cap_bp": 10_001}, "bidder_cap_bp: expected within 0..10000, got 10001"),
        ({"tie_seed": -1}, "tie_seed: expected within 0..18446744073709551615, got -1"),
    ],
)
def test_settings_beyond_their_range_are_refused(setting, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        AwardRules(**setting)

"""The compiled award and the plain one decide alike, for bids and rules of every kind."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cea_exchange.matching.award import AwardRules, Bid, award
from support.market.award_cores import award_compiled

pytestmark = pytest.mark.differential

BASIS_POINTS = st.sampled_from([0, 1, 500, 3_333, 5_000, 10_000])
TONNES = st.integers(1, 30) | st.integers(1, (1 << 60) // 5)


@st.composite
def bids(draw):
    competitive = draw(st.integers(0, 3)) > 0
    return Bid(
        price=draw(st.integers(1, 5)) if competitive else 0,
        tonnes=draw(TONNES),
        account_index=draw(st.sampled_from([0, 1, 2, 0xFFFFFFFF])),
        group_index=draw(st.integers(0, 2)),
        competitive=competitive,
    )


RULES = st.builds(
    AwardRules,
    side=st.sampled_from(["sell", "buy"]),
    pricing=st.sampled_from(["uniform", "pay_as_bid"]),
    tie=st.sampled_from(["time", "random", "pro_rata"]),
    tie_seed=st.integers(0, (1 << 64) - 1),
    undersubscription=st.sampled_from(["award_all", "cancel"]),
    bid_tonnes_min=st.integers(1, 5),
    reserve_price_fen=st.integers(0, 6),
    reserve_rule=st.sampled_from(["exclude", "cancel"]),
    bidder_cap_bp=BASIS_POINTS,
    group_cap_bp=BASIS_POINTS,
    noncompetitive_max_bp=BASIS_POINTS,
)


@settings(max_examples=600)
@given(st.lists(bids(), max_size=12), st.integers(1, 60) | st.integers(1, (1 << 60) - 1), RULES)
def test_the_compiled_award_is_the_plain_one(offers, offered_tonnes, rules):
    assert award_compiled(offers, offered_tonnes, rules) == award(offers, offered_tonnes, rules)

"""What an auction by the authority has beyond a bidding: in the market, on both cores."""

import pytest

from support.market.bidding_scripts import (
    bid,
    close,
    locked,
    notice,
    play_biddings,
    shown,
    trades,
    wanted,
)
from support.market.market_scripts import Line, cea_with

STATE: Line = {"cmd": "state"}
GROUP: list[Line] = [
    {"cmd": "account", "account": "north", "group": "N"},
    {"cmd": "account", "account": "south", "group": "N"},
    {"cmd": "deposit", "account": "north", "cash": "50000000.00"},
    {"cmd": "deposit", "account": "south", "cash": "50000000.00"},
]


def any_price(id: str, account: str, tonnes: int) -> Line:
    """A non-competitive bid."""
    return {"cmd": "bid", "id": id, "account": account, "bidding": "B1", "tonnes": tonnes}


def test_bids_under_the_reserve_price_win_nothing() -> None:
    """CEA-AWD-06: the floor of 87.74 is told, the reserve price of 95.00 is not."""
    bids = [bid("a1", "alice", "94.99"), bid("b1", "bob", "95.00")]
    events = play_biddings([notice("B1", reserve_price="95.00"), *bids, STATE, close()])
    assert trades(events) == [("b1", "95.00", 50_000)]
    assert events[-1].tonnes == 50_000
    assert not hasattr(events[0], "reserve_price")
    assert events[3].biddings[0].reserve_price == "95.00"


def test_a_clearing_price_under_the_reserve_price_cancels() -> None:
    """CEA-AWD-06: what was locked returns."""
    profile = cea_with(bidding_reserve='"cancel"')
    bids = [bid("a1", "alice", "94.99"), bid("b1", "bob", "95.00")]
    events = play_biddings([notice("B1", reserve_price="95.00"), *bids, close(), STATE], profile)
    assert shown(events)[3:-1] == ["bid_canceled", "bid_canceled", "bidding_canceled"]
    assert {event.reason for event in events[3:-1]} == {"RESERVE_NOT_MET"}
    assert locked(events[-1], "alice") == ("0.00", 0) == locked(events[-1], "seller")
    bids = [bid("a1", "alice", "94.99"), bid("b1", "bob", "95.00", 100_000)]
    events = play_biddings([notice("B1", reserve_price="95.00"), *bids, close()], profile)
    assert trades(events) == [("b1", "95.00", 100_000)]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (notice("B1", reserve_price="87.73"), "BIDDING_FLOOR_NOT_ALLOWED"),
        (notice("B1", reserve_price="87.74"), "bidding_opened"),
        (notice("B1", reserve_price="107.24"), "bidding_opened"),
        (notice("B1", reserve_price="107.25"), "BIDDING_FLOOR_NOT_ALLOWED"),
        (notice("B1", reserve_price="99999999.00"), "BIDDING_FLOOR_NOT_ALLOWED"),
        (wanted("B1", reserve_price="107.25"), "BIDDING_FLOOR_NOT_ALLOWED"),
    ],
)
def test_a_reserve_price_lies_in_the_range_of_bids(lines: Line, expected: str) -> None:
    """CEA-AWD-06."""
    assert shown(play_biddings([lines])) == [expected]


def test_bidders_and_groups_win_their_share_at_most() -> None:
    """CEA-AWD-07: 40,000 t a bidder, 50,000 t a group, the best price first."""
    profile = cea_with(bidder_cap_bp=4_000, bidder_group_cap_bp=5_000)
    bids = [
        bid("n1", "north", "100.00", 60_000),
        bid("s1", "south", "99.00", 60_000),
        bid("b1", "bob", "98.00", 60_000),
        bid("a1", "alice", "97.00", 60_000),
    ]
    events = play_biddings([*GROUP, notice("B1"), *bids, close()], profile)
    assert trades(events) == [
        ("n1", "97.00", 40_000),
        ("s1", "97.00", 10_000),
        ("b1", "97.00", 40_000),
        ("a1", "97.00", 10_000),
    ]


def test_noncompetitive_bids_win_first_at_the_clearing_price() -> None:
    """CEA-AWD-08: 10,000 t of 100,000 for two bids of 10,000 and 30,000; pay as bid."""
    profile = cea_with(noncompetitive_max_bp=1_000)
    lines = [
        *GROUP,
        notice("B1", pricing="pay_as_bid"),
        any_price("n1", "north", 10_000),
        bid("a1", "alice", "99.00", 50_000),
        any_price("s1", "south", 30_000),
        bid("b1", "bob", "98.00", 50_000),
        STATE,
        close(),
    ]
    events = play_biddings(lines, profile)
    assert events[len(GROUP) - 2 + 1].price is None
    state = next(event for event in events if event.event == "state")
    # Without a price of its own a bid may come to cost the ceiling: 10000 x 107.24.
    assert locked(state, "north") == ("1072400.00", 0)
    assert [each.price for each in state.biddings[0].bids] == [None, "99.00", None, "98.00"]
    assert trades(events) == [
        ("n1", "98.00", 2_500),
        ("s1", "98.00", 7_500),
        ("a1", "99.00", 50_000),
        ("b1", "98.00", 40_000),
    ]


def test_noncompetitive_offers_of_sellers() -> None:
    """CEA-AWD-08, CEA-AWD-09: one buyer; bob's 5,000 t first, at the seller's price."""
    profile = cea_with(noncompetitive_max_bp=1_000)
    bids = [any_price("b1", "bob", 5_000), bid("s1", "seller", "90.00", 200_000)]
    events = play_biddings([wanted("B1"), *bids, close()], profile)
    assert trades(events) == [("b1", "90.00", 5_000), ("s1", "90.00", 95_000)]


def test_a_bid_needs_a_price_where_the_profile_has_no_other_bids() -> None:
    """CEA-AWD-08."""
    assert shown(play_biddings([notice("B1"), any_price("a1", "alice", 5)])) == [
        "bidding_opened",
        "BID_OUT_OF_RANGE",
    ]


def test_a_noncompetitive_bid_is_covered_at_the_ceiling() -> None:
    """CEA-AWD-08, CEA-BID-05: 50000000.00 yuan are 466,243 t at 107.24."""
    profile = cea_with(noncompetitive_max_bp=1_000)
    lines = [notice("B1"), any_price("a1", "alice", 466_244), any_price("a2", "alice", 466_243)]
    assert shown(play_biddings(lines, profile))[1:] == ["CASH_INSUFFICIENT", "bid_accepted"]

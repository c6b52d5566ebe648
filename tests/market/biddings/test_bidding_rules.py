"""The rules of single-direction bidding, each played on both cores."""

import json

import pytest

from cea_exchange.matching.events import Event, event_line
from support.market.bidding_scripts import (
    at,
    bid,
    bid_cancel,
    cancel,
    close,
    locked,
    notice,
    play_biddings,
    shown,
    trades,
    wanted,
)
from support.market.market_scripts import buy, cea_with, sell

STATE = {"cmd": "state"}
CLOSE_DAY = {"cmd": "close_day"}
B1 = notice("B1")


def fields(event: Event) -> dict:
    """The JSON of an event, without its number."""
    written = json.loads(event_line(event))
    del written["seq"]
    return written


def last(events: list[Event], name: str) -> Event:
    """The last event of a name."""
    return [event for event in events if event.event == name][-1]


def test_a_bidding_is_announced_with_its_range() -> None:
    """CEA-BID-01, CEA-BID-02: 100,000 t; from the floor to the close plus 10%, half up."""
    window = {"opens_at": "2025-07-16T02:30:00+00:00", "closes_at": "2025-07-16T11:00:00+08:00"}
    (opened,) = play_biddings([notice("B1", **window)])
    assert fields(opened) == {
        "event": "bidding_opened",
        "id": "B1",
        "account": "seller",
        "product": "CEA23",
        "side": "sell",
        "tonnes": 100_000,
        "floor": "87.74",
        "ceiling": "107.24",
        "pricing": "uniform",
        "opens_at": "2025-07-16T10:30:00+08:00",
        "closes_at": "2025-07-16T11:00:00+08:00",
    }
    (opened,) = play_biddings([notice("B1", floor="97.49", pricing="pay_as_bid")])
    assert (opened.floor, opened.ceiling, opened.pricing) == ("97.49", "107.24", "pay_as_bid")
    assert opened.opens_at is None and opened.closes_at is None
    (opened,) = play_biddings([wanted("B1")])
    assert (opened.side, opened.floor, opened.ceiling) == ("buy", "87.74", "107.24")
    (opened,) = play_biddings([notice("B1", floor="87.75")], cea_with(band_rounding='"inward"'))
    assert (opened.floor, opened.ceiling) == ("87.75", "107.23")


def test_the_range_stays_as_announced() -> None:
    """CEA-BID-02: a new reference price is for later biddings."""
    lines = [B1, {"cmd": "reference_price", "product": "CEA23", "price": "50.00"}]
    events = play_biddings([*lines, bid("a1", "alice", "95.00"), notice("B2", floor="45.00")])
    assert shown(events)[-2:] == ["bid_accepted", "bidding_opened"]
    assert (events[-1].floor, events[-1].ceiling) == ("45.00", "55.00")


def test_a_window_of_its_own_time() -> None:
    """CEA-BID-03: from its beginning on, until before its end, in a phase without trading too."""
    window = {"opens_at": "2025-07-16T11:40:00+08:00", "closes_at": "2025-07-16T12:10:00+08:00"}
    lines = [notice("B1", **window)]
    for number, time in enumerate(("11:39", "11:40", "12:09", "12:10")):
        lines += [at(time), bid(f"a{number}", "alice", tonnes=1)]
    assert shown(play_biddings(lines)) == [
        "bidding_opened",
        "phase_changed",
        "phase_changed",
        "BIDDING_NOT_OPEN",
        "bid_accepted",
        "bid_accepted",
        "trade",
        "trade",
        "bidding_closed",
        "BIDDING_NOT_OPEN",
    ]


def test_a_clock_that_jumps_runs_all_in_order() -> None:
    """CEA-BID-03: at one instant biddings close, then open, then the phase changes."""
    noon = "2025-07-16T13:00:00+08:00"
    lines = [
        notice("B1", closes_at=noon),
        notice("B2", opens_at=noon, closes_at="2025-07-16T15:00:00+08:00"),
        bid("a1", "alice"),
        at("13:00"),
        bid("a2", "alice", bidding="B2"),
        at("15:00"),
    ]
    assert shown(play_biddings(lines))[2:] == [
        "bid_accepted",
        "phase_changed",
        "phase_changed",
        "trade",
        "bidding_closed",
        "phase_changed",
        "bid_accepted",
        "trade",
        "bidding_closed",
        "phase_changed",
        "day_closed",
        "composite_closed",
    ]
    # In one go the second opens where the first closes, and nobody can bid in it.
    events = play_biddings([*lines[:3], at("15:00")])
    assert [e.id for e in events if e.event == "bidding_closed"] == ["B1", "B2"]
    assert [e.tonnes for e in events if e.event == "bidding_closed"] == [50_000, 0]


def test_several_close_at_one_instant_as_they_were_announced() -> None:
    """CEA-BID-03: and those that close earlier before them."""
    ends = {"B3": "11:00", "B1": "11:00", "B2": "10:00"}
    lines = [
        notice(id, closes_at=f"2025-07-16T{time}:00+08:00") for id, time in ends.items()
    ]
    events = play_biddings([*lines, at("11:00")])
    assert [e.id for e in events if e.event == "bidding_closed"] == ["B2", "B3", "B1"]


def test_without_an_end_the_day_closes_it_first() -> None:
    """CEA-BID-03: awarded before the phase changes and orders expire, announced ones too."""
    lines = [
        {"cmd": "phase", "phase": "listed"},
        buy("o1", "90.00", 1, "bob"),
        B1,
        notice("B2", opens_at="2025-07-16T14:00:00+08:00"),
        bid("a1", "alice"),
        CLOSE_DAY,
    ]
    assert shown(play_biddings(lines))[-7:] == [
        "trade",
        "bidding_closed",
        "bidding_closed",
        "phase_changed",
        "order_expired",
        "day_closed",
        "composite_closed",
    ]


def test_locks_from_the_announcement_to_the_award() -> None:
    """CEA-BID-04, CEA-BID-05: the seller's tonnes, price x tonnes and the fee of each bid."""
    profile = cea_with(fee_bp=10, fee_min_fen=500)
    window = {"opens_at": "2025-07-16T10:00:00+08:00"}
    lines = [notice("B1", **window), STATE, at("10:00"), bid("a1", "alice", "95.00", 60_000)]
    lines += [bid("b1", "bob", "94.00", 60_000), bid("b2", "bob", "90.00", 10), STATE]
    lines += [bid_cancel("b2", "bob"), STATE, close(), STATE]
    announced, full, less, after = (
        e for e in play_biddings(lines, profile) if e.event == "state"
    )
    assert locked(announced, "seller") == ("0.00", 100_000)
    assert locked(full, "alice") == ("5705700.00", 0)
    # 90.00 x 10 t owes the least fee, 5.00.
    assert locked(full, "bob") == ("5646545.00", 0)
    assert locked(less, "bob") == ("5645640.00", 0)
    assert locked(after, "seller") == locked(after, "alice") == locked(after, "bob") == ("0.00", 0)
    # What alice did not need at the clearing price is hers again.
    assert after.accounts["alice"].cash == "44354360.00"
    assert after.accounts["seller"].holdings["CEA23"].tonnes == 400_000
    # The seller's fee accrues on 100,000 t x 94.00 as one order's: 9400.00.
    assert after.accounts["seller"].cash == "9390600.00"


def test_fees_of_a_bidding_are_one_orders() -> None:
    """CEA-BID-07: the minimum falls due once for the seller, and for each bid."""
    profile = cea_with(fee_bp=0, fee_min_fen=500)
    lines = [B1, bid("a1", "alice", tonnes=10), bid("a2", "alice", tonnes=10), close()]
    found = [e for e in play_biddings(lines, profile) if e.event == "trade"]
    assert [(e.buy_fee, e.sell_fee) for e in found] == [("5.00", "5.00"), ("5.00", "0.00")]
    lines = [wanted("B1"), bid("b1", "bob", tonnes=10), bid("b2", "bob", tonnes=10), close()]
    found = [e for e in play_biddings(lines, profile) if e.event == "trade"]
    assert [(e.buy_fee, e.sell_fee) for e in found] == [("5.00", "5.00"), ("0.00", "5.00")]


AWARDED = [
    bid("a1", "alice", "95.00", 40_000),
    bid("b1", "bob", "96.00", 30_000),
    bid("b2", "bob", "95.00", 40_000),
    bid("a2", "alice", "94.00", 40_000),
    close(),
]


def test_the_best_price_wins_then_the_earliest() -> None:
    """CEA-BID-06, CEA-AWD-01, CEA-AWD-02: the marginal bid in part, all at its price."""
    events = play_biddings([B1, *AWARDED])
    won = [("b1", 30_000), ("a1", 40_000), ("b2", 30_000)]
    assert trades(events) == [(id, "95.00", tonnes) for id, tonnes in won]
    assert fields(events[-1]) == {
        "event": "bidding_closed",
        "id": "B1",
        "account": "seller",
        "product": "CEA23",
        "clearing_price": "95.00",
        "tonnes": 100_000,
        "bidders": 2,
    }
    assert fields(last(events, "trade")) == {
        "event": "trade",
        "product": "CEA23",
        "method": "bidding",
        "price": "95.00",
        "tonnes": 30_000,
        "buyer": "bob",
        "seller": "seller",
        "buy_id": "b2",
        "sell_id": "B1",
        "aggressor": "buy",
        "intra_group": False,
        "buy_fee": "0.00",
        "sell_fee": "0.00",
        "trade_id": 3,
    }


def test_pay_as_bid() -> None:
    """CEA-AWD-02: each its own price; the clearing price is still the lowest that won."""
    events = play_biddings([notice("B1", pricing="pay_as_bid"), *AWARDED])
    assert [(id, price) for id, price, _ in trades(events)] == [
        ("b1", "96.00"),
        ("a1", "95.00"),
        ("b2", "95.00"),
    ]
    assert events[-1].clearing_price == "95.00"


def test_one_buyer_and_many_sellers() -> None:
    """CEA-BID-01, CEA-AWD-09: the lowest win, at the highest of their prices."""
    opening = [
        {"cmd": "deposit", "account": "dave", "product": "CEA23", "tonnes": 100_000},
        wanted("B1"),
        STATE,
        bid("b1", "bob", "96.00", 60_000),
        bid("d1", "dave", "90.00", 70_000),
        STATE,
        close(),
        STATE,
    ]
    events = play_biddings(opening)
    before, full, after = (event for event in events if event.event == "state")
    assert locked(before, "alice") == ("10724000.00", 0)
    assert locked(full, "bob") == ("0.00", 60_000)
    assert trades(events) == [("d1", "96.00", 70_000), ("b1", "96.00", 30_000)]
    assert last(events, "trade").aggressor == "sell"
    assert (last(events, "trade").buy_id, last(events, "trade").sell_id) == ("B1", "b1")
    assert last(events, "bidding_closed").clearing_price == "96.00"
    assert after.accounts["alice"].cash == "40400000.00"
    assert locked(after, "alice") == locked(after, "bob") == ("0.00", 0)


def test_too_few_bids() -> None:
    """CEA-AWD-04: all are filled, the rest goes back; or the profile cancels."""
    lines = [B1, bid("a1", "alice", tonnes=99_999), close(), STATE]
    events = play_biddings(lines)
    assert trades(events) == [("a1", "95.00", 99_999)]
    assert locked(events[-1], "seller") == ("0.00", 0)
    events = play_biddings(lines, cea_with(bidding_undersubscription='"cancel"'))
    assert shown(events[1:]) == ["bid_accepted", "bid_canceled", "bidding_canceled", "state"]
    assert (events[2].reason, events[3].reason) == ("BIDS_SHORT", "BIDS_SHORT")
    assert locked(events[-1], "seller") == locked(events[-1], "alice") == ("0.00", 0)
    events = play_biddings([B1, close()])
    assert (events[-1].clearing_price, events[-1].tonnes, events[-1].bidders) == (None, 0, 0)


def test_ties_as_the_profile_says() -> None:
    """CEA-AWD-03: by time, in proportion, or by lots drawn from the bidding's name."""
    lines = [B1, bid("a1", "alice", tonnes=60_000), bid("b1", "bob", tonnes=90_000), close()]
    assert trades(play_biddings(lines)) == [("a1", "95.00", 60_000), ("b1", "95.00", 40_000)]
    shared = trades(play_biddings(lines, cea_with(bidding_tie='"pro_rata"')))
    assert shared == [("a1", "95.00", 40_000), ("b1", "95.00", 60_000)]
    drawn = set()
    for name in "ABCDEFGH":
        named = [
            line | ({"bidding": name} if line["cmd"] == "bid" else {"id": name}) for line in lines
        ]
        found = trades(play_biddings(named, cea_with(bidding_tie='"random"')))
        drawn.add(tuple(tonnes for _, _, tonnes in found))
    assert drawn == {(60_000, 40_000), (10_000, 90_000)}


def test_what_was_won_is_not_sellable_today() -> None:
    """CEA-FND-04, CEA-BID-09: T+1; and the seller's proceeds buy at once."""
    lines = [{"cmd": "phase", "phase": "listed"}, B1, bid("a1", "alice", tonnes=100), close()]
    lines += [sell("s1", "97.00", 1, "alice"), buy("s2", "97.00", 1, "seller")]
    assert shown(play_biddings(lines))[-3:] == [
        "ALLOWANCES_BOUGHT_TODAY",
        "order_accepted",
        "order_rested",
    ]
    lines += [at("09:30", 17), sell("s3", "97.00", 1, "alice")]
    assert shown(play_biddings(lines))[-1] == "order_rested"


def test_a_bidding_moves_no_price() -> None:
    """CEA-BID-09: volume and amount of its own; open, high, low and close are listed trading's."""
    closed = last(play_biddings([B1, *AWARDED, CLOSE_DAY]), "day_closed")
    assert (closed.open, closed.high, closed.low, closed.close) == ("97.49", None, None, "97.49")
    assert (closed.volume.listed, closed.volume.block, closed.volume.bidding) == (0, 0, 100_000)
    assert closed.amount.bidding == "9500000.00"


@pytest.mark.parametrize("product", [{}, {"product": "CEA23"}])
def test_a_halt_stops_bids_and_ends_what_closes_under_it(product: dict) -> None:
    """CEA-BID-08: neither bids nor withdrawals; lifted in time, it is awarded; else cancelled."""
    halt, resume = {"cmd": "halt"} | product, {"cmd": "resume"} | product
    lines = [notice("B1", closes_at="2025-07-16T10:00:00+08:00"), bid("a1", "alice"), halt]
    events = play_biddings([*lines, at("09:20"), resume, at("10:00")])
    assert shown(events)[-2:] == ["trade", "bidding_closed"]
    for end in (at("10:00"), close(), CLOSE_DAY):
        events = play_biddings([*lines, bid("a2", "alice"), bid_cancel("a1", "alice"), end, STATE])
        canceled = [e for e in events if e.event in ("bid_canceled", "bidding_canceled")]
        assert [(e.event, e.reason) for e in canceled] == [
            ("bid_canceled", "HALTED"),
            ("bidding_canceled", "HALTED"),
        ]
        assert locked(events[-1], "seller") == locked(events[-1], "alice") == ("0.00", 0)


def test_the_operator_cancels_at_any_time() -> None:
    """CEA-BID-08: before it opens, and under a halt; a bid_canceled for each bid comes first."""
    lines = [B1, bid("a1", "alice"), bid("b1", "bob"), {"cmd": "halt"}, cancel(), STATE]
    events = play_biddings(lines)
    assert [fields(event) for event in events[4:7]] == [
        {
            "event": "bid_canceled",
            "id": id,
            "bidding": "B1",
            "account": account,
            "product": "CEA23",
            "price": "95.00",
            "tonnes": 50_000,
            "reason": "REQUESTED",
        }
        for id, account in (("a1", "alice"), ("b1", "bob"))
    ] + [
        {
            "event": "bidding_canceled",
            "id": "B1",
            "account": "seller",
            "product": "CEA23",
            "reason": "REQUESTED",
        }
    ]
    assert locked(events[-1], "seller") == locked(events[-1], "bob") == ("0.00", 0)
    later = notice("B1", opens_at="2025-07-16T10:30:00+08:00")
    assert shown(play_biddings([later, cancel(), at("11:00")]))[1] == "bidding_canceled"


def test_a_suspension_ends_bids_then_biddings() -> None:
    """CEA-BID-08, CEA-DAY-06: orders first, then bids, then own biddings with the others' bids."""
    lines = [
        {"cmd": "phase", "phase": "listed"},
        notice("B1"),
        notice("B2", "bob"),
        bid("a1", "alice", bidding="B2"),
        bid("b1", "bob"),
        buy("o1", "90.00", 1, "bob"),
        {"cmd": "suspend", "account": "bob"},
        STATE,
        close(),
    ]
    events = play_biddings(lines)
    place = shown(events).index("account_suspended")
    assert [(e.event, getattr(e, "id", None)) for e in events[place : place + 5]] == [
        ("account_suspended", None),
        ("order_canceled", "o1"),
        ("bid_canceled", "b1"),
        ("bid_canceled", "a1"),
        ("bidding_canceled", "B2"),
    ]
    assert {e.reason for e in events[place + 1 : place + 5]} == {"SUSPENDED"}
    state = events[place + 5]
    assert locked(state, "alice") == locked(state, "bob") == ("0.00", 0)
    assert events[-1].event == "bidding_closed" and events[-1].bidders == 0


def test_names_are_free_again_the_next_day() -> None:
    """A bidding's id is the market's for a day, a bid's the account's; orders' ids are others."""
    lines = [
        {"cmd": "phase", "phase": "listed"},
        B1,
        bid("a1", "alice", tonnes=1),
        bid("a1", "bob", tonnes=1),
        buy("a1", "90.00", 1, "alice"),
        at("09:00", 17),
        B1,
        bid("a1", "alice", tonnes=1),
    ]
    events = shown(play_biddings(lines))
    assert events.count("bid_accepted") == 3
    assert events.count("bidding_opened") == 2
    assert "ORDER_ID_DUPLICATE" not in events


def test_state_shows_what_is_open() -> None:
    """The operator's view: biddings that have not ended, and their bids in order of time."""
    lines = [B1, notice("B2", opens_at="2025-07-16T10:30:00+08:00"), notice("B3"), cancel("B3")]
    state = play_biddings([*lines, bid("b1", "bob"), bid("a1", "alice"), STATE])[-1]
    assert [(b.id, b.state) for b in state.biddings] == [("B1", "open"), ("B2", "announced")]
    assert [(bid.id, bid.account, bid.tonnes) for bid in state.biddings[0].bids] == [
        ("b1", "bob", 50_000),
        ("a1", "alice", 50_000),
    ]

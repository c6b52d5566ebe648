"""The rules of block trading, each played on both cores."""

import json

import pytest

from cea_exchange.matching.events import Event, event_line
from support.market.block_scripts import (
    accept,
    counter,
    enquiry,
    locked,
    offer,
    play_blocks,
    reject,
    shown,
    withdraw,
)
from support.market.market_scripts import buy, cea_with, sell

pytestmark = pytest.mark.core

STATE = {"cmd": "state"}
CLOSE = {"cmd": "close_day"}
DIRECTED = offer("o1", "bob", "sell", "100.00", 200_000, counterparty="alice")


def last_fields(lines: list[dict], event: str) -> dict:
    """The JSON of the last event of a kind, without its number."""
    found = [e for e in play_blocks(lines) if e.event == event][-1]
    fields = json.loads(event_line(found))
    del fields["seq"]
    return fields


def day_closed(events: list[Event]) -> Event:
    """The last close."""
    return [event for event in events if event.event == "day_closed"][-1]


def test_a_block_begins_where_a_listed_order_ends() -> None:
    """CEA-BLK-01: 100,000 t are a block, 99,999 t are none."""
    lines = [offer("o1", "bob", "sell", tonnes=100_000), offer("o2", "bob", "sell", tonnes=99_999)]
    lines += [sell("b1", "97.49", 100_000), sell("b2", "97.49", 99_999)]
    assert shown(play_blocks(lines)) == [
        "offered",
        "BLOCK_TONNES_TOO_SMALL",
        "LISTED_TONNES_TOO_LARGE",
        "order_accepted",
        "order_rested",
    ]


def test_the_band_is_thirty_percent() -> None:
    """CEA-BLK-02, CEA-LST-03: at 97.49 from 68.24 to 126.74; inwards from 68.25 to 126.73."""
    prices = ("68.23", "68.24", "68.25", "126.73", "126.74", "126.75")
    for profile, taken in (("cea", 4), (cea_with(band_rounding='"inward"'), 2)):
        reasons = [
            shown(play_blocks([offer("o", "bob", "sell", price)], profile))[0] for price in prices
        ]
        assert reasons.count("offered") == taken, profile
        assert reasons == reasons[::-1]


@pytest.mark.parametrize("phase", ["pre_open", "listed", "break", "closed"])
def test_the_session(phase: str) -> None:
    """CEA-BLK-03: blocks are traded in the block session; what ends one passes till the close."""
    lines = [
        DIRECTED,
        {"cmd": "phase", "phase": phase},
        enquiry("e1", "alice", "buy"),
        offer("o2", "bob", "sell"),
        counter("o1", "alice"),
        accept("o1", "alice"),
    ]
    ends = [reject("o1", "alice"), withdraw("o1", "bob")]
    for end, event in zip(ends, ("rejected", "withdrawn"), strict=True):
        events = shown(play_blocks([*lines, end]))
        assert events[2:6] == ["PHASE_CLOSED"] * 4
        assert events[6] == ("PHASE_CLOSED" if phase == "closed" else event)


@pytest.mark.parametrize("halt", [{"cmd": "halt"}, {"cmd": "halt", "product": "CEA23"}])
def test_what_ends_a_negotiation_passes_a_halt(halt: dict) -> None:
    """CEA-BLK-03, CEA-DAY-05: nobody is held in an offer that can't trade."""
    assert shown(play_blocks([DIRECTED, halt, reject("o1", "alice")]))[-1] == "rejected"
    assert shown(play_blocks([DIRECTED, halt, withdraw("o1", "bob")]))[-1] == "withdrawn"


def test_turns() -> None:
    """CEA-BLK-04: only the side that did not speak last may accept, reject or counter."""
    lines = [
        DIRECTED,
        accept("o1", "bob"),
        counter("o1", "alice", "95.00", 150_000),
        reject("o1", "alice"),
        counter("o1", "bob", "97.00", 150_000),
        counter("o1", "bob", "97.00", 150_000),
        accept("o1", "alice"),
    ]
    assert shown(play_blocks(lines)) == [
        "offered",
        "COUNTERPARTY_MISMATCH",
        "countered",
        "COUNTERPARTY_MISMATCH",
        "countered",
        "COUNTERPARTY_MISMATCH",
        "trade",
    ]
    assert last_fields(lines, "block_countered") == {
        "event": "block_countered",
        "id": "o1",
        "account": "bob",
        "product": "CEA23",
        "side": "sell",
        "price": "97.00",
        "tonnes": 150_000,
    }
    trade = last_fields(lines, "trade")
    assert trade == {
        "event": "trade",
        "product": "CEA23",
        "method": "block",
        "price": "97.00",
        "tonnes": 150_000,
        "buyer": "alice",
        "seller": "bob",
        "buy_id": "o1",
        "sell_id": "o1",
        "aggressor": "buy",
        "intra_group": True,
        "buy_fee": "0.00",
        "sell_fee": "0.00",
        "trade_id": 1,
    }


def test_the_offerer_may_be_the_one_who_accepts() -> None:
    """CEA-BLK-04: of a counter-offer; then it is the aggressor."""
    trade = last_fields([DIRECTED, counter("o1", "alice", "95.00"), accept("o1", "bob")], "trade")
    assert (trade["aggressor"], trade["price"], trade["buyer"]) == ("sell", "95.00", "alice")


def test_the_first_who_may_takes_an_open_offer_or_a_groups() -> None:
    """CEA-BLK-04: as it stands."""
    for addressee in ({}, {"to_group": "power"}):
        lines = [offer("o1", "bob", "sell", **addressee), accept("o1", "alice")]
        lines += [accept("o1", "carol")]
        assert shown(play_blocks(lines))[1:] == ["trade", "BLOCK_UNKNOWN"]
    assert last_fields(lines, "block_offered")["to_group"] == "power"
    assert last_fields(lines, "block_offered")["counterparty"] is None


def test_who_may_withdraw() -> None:
    """CEA-BLK-04: who offered, at any time, and who has countered; the event names the offer."""
    assert shown(play_blocks([DIRECTED, withdraw("o1", "alice")]))[-1] == "COUNTERPARTY_MISMATCH"
    countered = [DIRECTED, counter("o1", "alice", "95.00")]
    for who in ("alice", "bob"):
        assert last_fields([*countered, withdraw("o1", who)], "block_withdrawn") == {
            "event": "block_withdrawn",
            "id": "o1",
            "account": "bob",
            "product": "CEA23",
            "side": "sell",
            "price": "95.00",
            "tonnes": 100_000,
            "by": who,
            "reason": "REQUESTED",
        }


def test_an_offer_locks_what_it_would_deliver() -> None:
    """CEA-BLK-05: a sale its tonnes, a purchase price x tonnes and the fee; its end returns it."""
    profile = cea_with(fee_bp=10, fee_min_fen=500)
    sale = [offer("o1", "bob", "sell", "100.00"), STATE]
    assert locked(play_blocks(sale, profile)[-1], "bob") == ("0.00", 100_000)
    purchase = [offer("o1", "alice", "buy", "100.00", counterparty="bob"), STATE]
    assert locked(play_blocks(purchase, profile)[-1], "alice") == ("10010000.00", 0)
    for end in (withdraw("o1", "alice"), reject("o1", "bob"), CLOSE):
        assert locked(play_blocks([*purchase, end, STATE], profile)[-1], "alice") == ("0.00", 0)


def test_fees_of_a_block() -> None:
    """CEA-FEE-01: one trade, one fee a side, rounded up."""
    profile = cea_with(fee_bp=1)
    lines = [offer("o1", "bob", "sell", "97.49", 100_001), accept("o1", "alice"), STATE]
    _, trade, state = play_blocks(lines, profile)
    assert (trade.buy_fee, trade.sell_fee) == ("974.91", "974.91")
    assert state.accounts["alice"].cash == "40249927.60"
    assert state.accounts["bob"].cash == "9748122.58"


def test_a_counter_may_only_lower_the_others_lock() -> None:
    """CEA-BLK-06: bob sells 200,000 t; what he never agreed to is not taken from him."""
    lines = [DIRECTED, counter("o1", "alice", "90.00", 120_000), STATE]
    state = play_blocks(lines)[-1]
    assert locked(state, "bob") == ("0.00", 120_000)
    assert locked(state, "alice") == ("10800000.00", 0)
    # More than he offered stays at what he has locked, until he accepts.
    lines = [*lines, counter("o1", "bob", "80.00", 110_000)]
    lines = [*lines, counter("o1", "alice", "100.00", 300_000), STATE]
    state = play_blocks(lines)[-1]
    assert locked(state, "bob") == ("0.00", 110_000)
    assert locked(state, "alice") == ("30000000.00", 0)
    _, *_, trade, state = play_blocks([*lines, accept("o1", "bob"), STATE])
    assert (trade.event, trade.tonnes) == ("trade", 300_000)
    assert locked(state, "bob") == locked(state, "alice") == ("0.00", 0)


def test_what_a_counter_raises_is_checked_when_it_is_accepted() -> None:
    """CEA-BLK-06: bob has 500,000 t and sells them elsewhere meanwhile."""
    lines = [
        offer("o1", "bob", "sell", "70.00", counterparty="alice"),
        counter("o1", "alice", "70.00", 450_000),
        offer("o2", "bob", "sell", tonnes=100_000),
        accept("o1", "bob"),
        withdraw("o2", "bob"),
        accept("o1", "bob"),
    ]
    assert shown(play_blocks(lines))[2:] == [
        "offered",
        "ALLOWANCES_INSUFFICIENT",
        "withdrawn",
        "trade",
    ]


def test_what_one_has_locked_in_a_block_is_free_for_a_counter_in_it() -> None:
    """CEA-BLK-05, CEA-BLK-06: carol has 20 million yuan, most of them locked in it."""
    lines = [
        offer("o1", "carol", "buy", "97.00", 200_000, counterparty="bob"),
        counter("o1", "bob", "97.49", 200_000),
        counter("o1", "carol", "98.00", 200_000),
        accept("o1", "bob"),
        offer("o2", "bob", "sell", "97.00", 300_000, counterparty="alice"),
        counter("o2", "alice", "97.00", 250_000),
        counter("o2", "bob", "97.10", 300_000),
    ]
    assert shown(play_blocks(lines)) == [
        "offered", "countered", "countered", "trade", "offered", "countered", "countered",
    ]  # fmt: skip


def test_enquiries() -> None:
    """CEA-BLK-07: an enquiry locks nothing, is answered again and again, its owner ends it."""
    lines = [
        enquiry("e1", "alice", "buy", to_group="power"),
        offer("o1", "bob", "sell", counterparty="alice", enquiry="e1"),
        offer("o2", "bob", "sell", "90.00", counterparty="alice", enquiry="e1"),
        offer("o3", "carol", "sell", counterparty="alice", enquiry="e1"),
        accept("o2", "alice"),
        withdraw("e1", "bob"),
        withdraw("e1", "alice"),
        offer("o3", "bob", "sell", counterparty="alice", enquiry="e1"),
        accept("o1", "alice"),
    ]
    assert shown(play_blocks(lines)) == [
        "enquired",
        "offered",
        "offered",
        "COUNTERPARTY_MISMATCH",
        "trade",
        "COUNTERPARTY_MISMATCH",
        "withdrawn",
        "BLOCK_UNKNOWN",
        "trade",
    ]
    assert last_fields(lines[:1], "block_enquired") == {
        "event": "block_enquired",
        "id": "e1",
        "account": "alice",
        "product": "CEA23",
        "side": "buy",
        "price": None,
        "tonnes": None,
        "counterparty": None,
        "to_group": "power",
        "enquiry": None,
    }
    assert last_fields(lines[:2], "block_offered")["enquiry"] == "e1"
    assert locked(play_blocks([lines[0], STATE])[-1], "alice") == ("0.00", 0)
    named = enquiry("e1", "dave", "buy", price="97.49", tonnes=100_000, counterparty="bob")
    assert last_fields([named], "block_enquired")["price"] == "97.49"


def test_an_answer_to_an_enquiry_is_directed_at_who_asked() -> None:
    """CEA-BLK-07, CEA-BLK-11: nobody need be named, of whom an open enquiry does not tell."""
    lines = [enquiry("e1", "alice", "buy"), offer("o1", "bob", "sell", enquiry="e1")]
    assert last_fields(lines, "block_offered")["counterparty"] == "alice"
    named = [lines[0], offer("o1", "bob", "sell", counterparty="alice", enquiry="e1")]
    assert play_blocks([*lines, STATE]) == play_blocks([*named, STATE])
    (block,) = [b for b in play_blocks([*lines, STATE])[-1].blocks if not b.enquiry]
    assert (block.counterparty, block.tonnes_locked) == ("alice", 100_000)
    more = [*lines, accept("o1", "carol"), counter("o1", "alice"), withdraw("e1", "alice")]
    more += [accept("o1", "bob"), offer("o2", "bob", "sell", enquiry="e1")]
    assert shown(play_blocks(more)) == [
        "enquired",
        "offered",
        "COUNTERPARTY_MISMATCH",
        "countered",
        "withdrawn",
        "trade",
        "BLOCK_UNKNOWN",
    ]


def test_blocks_never_move_the_prices_of_the_day() -> None:
    """CEA-BLK-08: volume and amount by method; open, high, low and close are of listed trades."""
    block = [offer("o1", "bob", "sell", "120.00"), accept("o1", "carol")]
    events = play_blocks([*block, CLOSE])
    closed = day_closed(events)
    assert (closed.open, closed.high, closed.low, closed.close) == ("97.49", None, None, "97.49")
    assert (closed.volume.block, closed.amount.block) == (100_000, "12000000.00")
    listed = [sell("b1", "98.00", 10), buy("a1", "98.00", 10)]
    closed = day_closed(play_blocks([*block, *listed, CLOSE]))
    assert (closed.open, closed.high, closed.low, closed.close) == ("98.00",) * 4
    assert (closed.volume.listed, closed.volume.block) == (10, 100_000)
    assert (closed.amount.listed, closed.amount.block) == ("980.00", "12000000.00")


def test_deals_within_a_group_are_flagged() -> None:
    """CEA-BLK-09: in the trade and in the day's statistics."""
    lines = [
        offer("o1", "bob", "sell", tonnes=150_000),
        accept("o1", "alice"),
        offer("o2", "bob", "sell"),
        accept("o2", "carol"),
        CLOSE,
    ]
    events = play_blocks(lines)
    trades = [event for event in events if event.event == "trade"]
    assert [trade.intra_group for trade in trades] == [True, False]
    closed = day_closed(events)
    assert (closed.volume.block, closed.volume_intra_group) == (250_000, 150_000)
    next_day = [*lines, {"cmd": "open_day", "date": "2025-07-17"}, CLOSE]
    closed = day_closed(play_blocks(next_day))
    assert (closed.volume.block, closed.volume_intra_group) == (0, 0)


def test_accounts_without_a_group_are_of_no_group_together() -> None:
    """CEA-BLK-09."""
    lines = [
        {"cmd": "account", "account": "erin"},
        {"cmd": "deposit", "account": "erin", "product": "CEA23", "tonnes": 100_000},
        {"cmd": "deposit", "account": "dave", "cash": "10000000.00"},
        offer("o1", "erin", "sell"),
        accept("o1", "dave"),
        CLOSE,
    ]
    closed = day_closed(play_blocks(lines))
    assert (closed.volume.block, closed.volume_intra_group) == (100_000, 0)


def test_what_is_open_lapses_at_the_close() -> None:
    """CEA-BLK-10: after the orders, oldest first; ids are free again the day after."""
    lines = [
        DIRECTED,
        counter("o1", "alice", "95.00"),
        enquiry("e1", "carol", "buy"),
        sell("b1", "100.00", 10),
        CLOSE,
        STATE,
        {"cmd": "open_day", "date": "2025-07-17"},
        {"cmd": "phase", "phase": "listed_and_block"},
        accept("o1", "bob"),
        DIRECTED,
    ]
    events = play_blocks(lines)
    assert shown(events)[5:] == [
        "phase_changed",
        "order_expired",
        "lapsed",
        "lapsed",
        "day_closed",
        "composite_closed",
        "state",
        "day_opened",
        "phase_changed",
        "phase_changed",
        "BLOCK_UNKNOWN",
        "offered",
    ]
    lapsed = last_fields(lines[:2] + [CLOSE], "block_lapsed")
    assert (lapsed["account"], lapsed["price"], lapsed["by"]) == ("bob", "95.00", None)
    assert [locked(events[11], who) for who in ("alice", "bob")] == [("0.00", 0)] * 2


def test_a_suspension_ends_what_the_account_is_in() -> None:
    """CEA-DAY-06, CEA-BLK-10: its offers, enquiries and the negotiations it has countered in."""
    lines = [
        offer("o1", "carol", "sell", counterparty="alice"),
        offer("o2", "bob", "sell", counterparty="alice"),
        counter("o2", "alice", "95.00"),
        enquiry("e1", "alice", "buy"),
        offer("o3", "alice", "buy"),
        buy("a1", "97.00", 10),
        {"cmd": "suspend", "account": "alice"},
        STATE,
    ]
    events = play_blocks(lines)
    assert shown(events)[7:-1] == [
        "account_suspended",
        "order_canceled",
        "withdrawn",
        "withdrawn",
        "withdrawn",
    ]
    assert [(e.id, e.account, e.by, e.reason) for e in events[9:12]] == [
        ("o2", "bob", "alice", "SUSPENDED"),
        ("e1", "alice", "alice", "SUSPENDED"),
        ("o3", "alice", "alice", "SUSPENDED"),
    ]
    assert [block.id for block in events[-1].blocks] == ["o1"]
    assert locked(events[-1], "alice") == locked(events[-1], "bob") == ("0.00", 0)


def test_bought_today_by_block_is_not_sold_today() -> None:
    """CEA-FND-04, CEA-FND-05: T+1 holds for blocks too; proceeds may be spent at once."""
    lines = [
        offer("o1", "bob", "sell"),
        accept("o1", "alice"),
        sell("a1", "97.49", 1, account="alice"),
        {"cmd": "withdraw", "account": "bob", "cash": "0.01"},
        buy("b1", "97.00", 1, account="bob"),
        CLOSE,
        {"cmd": "open_day", "date": "2025-07-17"},
        {"cmd": "phase", "phase": "listed_and_block"},
        offer("o2", "alice", "sell"),
    ]
    events = play_blocks(lines)
    assert shown(events)[2] == "ALLOWANCES_BOUGHT_TODAY"
    assert (events[3].event, events[3].reason) == ("transfer_rejected", "PROCEEDS_OF_TODAY")
    assert shown(events)[4:6] == ["order_accepted", "order_rested"]
    assert shown(events)[-1] == "offered"

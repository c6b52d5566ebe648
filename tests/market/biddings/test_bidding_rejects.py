"""Every reason a bidding command is refused for, on both cores, and which comes first."""

from typing import Any

import pytest

from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import Reason
from cea_exchange.matching.market import Market
from cea_exchange.matching.script import ScriptError, command_play
from support.market.bidding_scripts import (
    BIDDING_OPENING,
    LINES,
    at,
    bid,
    bid_cancel,
    cancel,
    close,
    locked,
    notice,
    play_biddings,
    shown,
    wanted,
)
from support.market.market_scripts import CORES, buy, cea_with, restrict, sell

STATE = {"cmd": "state"}
CLOSE_DAY = {"cmd": "close_day"}
HALT = {"cmd": "halt"}
HALT_PRODUCT = {"cmd": "halt", "product": "CEA23"}
B1 = notice("B1")
LATER = notice("B1", opens_at="2025-07-16T10:30:00+08:00", closes_at="2025-07-16T11:00:00+08:00")

REFUSED = {
    "PRODUCT_UNKNOWN": [[notice("B1", product="CEA99")]],
    "ACCOUNT_UNKNOWN": [
        [notice("B1", "mallory")],
        [B1, bid("m1", "mallory")],
        [bid_cancel("m1", "mallory")],
    ],
    "ORDER_UNKNOWN": [
        [bid_cancel("a1", "alice")],
        [B1, bid("a1", "alice"), bid_cancel("a1", "bob")],
        [B1, bid("a1", "alice"), bid_cancel("a1", "alice"), bid_cancel("a1", "alice")],
        [B1, bid("a1", "alice"), close(), bid_cancel("a1", "alice")],
        [B1, bid("a1", "alice"), cancel(), bid_cancel("a1", "alice")],
    ],
    "BIDDING_UNKNOWN": [
        [bid("a1", "alice")],
        [close()],
        [cancel()],
        [B1, bid("a1", "alice"), bid("a2", "alice", bidding="a1")],
        [B1, CLOSE_DAY, at("09:00", 17), bid("a1", "alice")],
    ],
    "ORDER_ID_DUPLICATE": [
        [B1, notice("B1", "bob")],
        [B1, cancel(), B1],
        [B1, close(), B1],
        [B1, bid("a1", "alice"), bid("a1", "alice")],
        [B1, bid("a1", "alice"), bid_cancel("a1", "alice"), bid("a1", "alice")],
    ],
    "ACCOUNT_SUSPENDED": [
        [{"cmd": "suspend", "account": "seller"}, B1],
        [B1, {"cmd": "suspend", "account": "alice"}, bid("a1", "alice")],
    ],
    "RESTRICTED": [
        [restrict("seller", "sales"), B1],
        [B1, restrict("alice", "purchases"), bid("a1", "alice")],
    ],
    "PHASE_CLOSED": [
        [CLOSE_DAY, B1],
        [HALT, B1],
        [B1, HALT, bid("a1", "alice")],
        [B1, bid("a1", "alice"), HALT, bid_cancel("a1", "alice")],
        [B1, CLOSE_DAY, bid("a1", "alice")],
        [B1, CLOSE_DAY, close()],
        [B1, CLOSE_DAY, cancel()],
    ],
    "PRODUCT_HALTED": [
        [HALT_PRODUCT, B1],
        [B1, HALT_PRODUCT, bid("a1", "alice")],
        [B1, bid("a1", "alice"), HALT_PRODUCT, bid_cancel("a1", "alice")],
    ],
    "BIDDING_NOT_OPEN": [
        [LATER, bid("a1", "alice")],
        [LATER, close()],
        [LATER, at("11:00"), bid("a1", "alice")],
        [B1, close(), bid("a1", "alice")],
        [B1, close(), close()],
        [B1, close(), cancel()],
        [B1, cancel(), bid("a1", "alice")],
        [B1, cancel(), cancel()],
        [notice("B1", closes_at="2025-07-16T09:00:00+08:00")],
        [notice("B1", opens_at="2025-07-15T14:00:00+08:00")],
        [notice("B1", opens_at="2025-07-17T10:00:00+08:00")],
        [notice("B1", opens_at="2025-07-16T15:00:00+08:00")],
        [notice("B1", closes_at="2025-07-16T15:01:00+08:00")],
        [notice("B1", opens_at="1969-07-16T11:00:00+08:00")],
        [notice("B1", closes_at="9999-07-16T11:00:00+08:00")],
        [notice("B1", closes_at="2025-07-17T11:00:00+08:00")],
        [notice("B1", opens_at="2025-07-16T11:00:00+08:00", closes_at="2025-07-16T11:00:00+08:00")],
        [notice("B1", opens_at="2025-07-16T11:00:00+08:00", closes_at="2025-07-16T10:00:00+08:00")],
    ],
    "TONNES_NOT_POSITIVE": [
        [notice("B1", tonnes=0)],
        [notice("B1", tonnes=-100_000)],
        [B1, bid("a1", "alice", tonnes=0)],
        [B1, bid("a1", "alice", tonnes=-1)],
    ],
    "AMOUNT_TOO_LARGE": [
        [notice("B1", tonnes=1 << 60)],
        [notice("B1", floor="100000.01")],
        [B1, bid("a1", "alice", tonnes=1 << 60)],
        [B1, bid("a1", "alice", "100000.01")],
    ],
    "BIDDING_TONNES_TOO_SMALL": [[notice("B1", tonnes=99_999)], [wanted("B1", tonnes=1)]],
    "BIDDING_FLOOR_NOT_ALLOWED": [
        [notice("B1", floor="87.75")],
        [notice("B1", floor="97.48")],
        [notice("B1", floor="107.24")],
        [wanted("B1", ceiling="107.23")],
        [wanted("B1", ceiling="87.74")],
    ],
    "BID_OUT_OF_RANGE": [
        [B1, bid("a1", "alice", "87.73")],
        [B1, bid("a1", "alice", "107.25")],
        [notice("B1", floor="97.49"), bid("a1", "alice", "97.48")],
        [wanted("B1"), bid("b1", "bob", "87.73")],
        [wanted("B1", ceiling="97.49"), bid("b1", "bob", "97.50")],
    ],
    "CASH_INSUFFICIENT": [
        [B1, bid("d1", "dave", tonnes=1)],
        [B1, bid("a1", "alice", "100.00", 400_000), bid("a2", "alice", "100.00", 100_001)],
        [wanted("B1", tonnes=500_000)],
    ],
    "ALLOWANCES_INSUFFICIENT": [
        [notice("B1", tonnes=500_001)],
        [B1, notice("B2", tonnes=400_001)],
        [wanted("B1"), bid("b1", "bob", tonnes=100_000), bid("b2", "bob", tonnes=50_001)],
    ],
    "ALLOWANCES_BOUGHT_TODAY": [
        [B1, bid("a1", "alice", tonnes=100_000), close(), notice("B2", "alice")],
    ],
    "SELF_TRADE": [[notice("B1", "bob"), bid("b1", "bob", tonnes=1)]],
}

CASES = [(reason, lines) for reason, scripts in REFUSED.items() for lines in scripts]


@pytest.mark.parametrize(("reason", "lines"), CASES)
def test_refused(reason: str, lines: list[dict]) -> None:
    """The last command is refused, and for this reason; it is told as it came."""
    rejected, line = play_biddings(lines)[-1], lines[-1]
    is_of_bid = line["cmd"] in ("bid", "bid_cancel")
    assert rejected.event == ("bid_rejected" if is_of_bid else "order_rejected")
    assert rejected.reason == reason
    assert rejected.command == line["cmd"]
    assert (rejected.id, rejected.account) == (line["id"], line.get("account"))
    if not reason.endswith("_UNKNOWN"):
        assert rejected.product == line.get("product", "CEA23")


def test_holding_limit() -> None:
    """CEA-FND-06: bids and a purchase count, with orders, and orders with them."""
    profile = cea_with(holding_limit_tonnes=150_000)
    lines = [{"cmd": "phase", "phase": "listed"}, B1, bid("a1", "alice", tonnes=100_000)]
    assert shown(play_biddings([*lines, bid("a2", "alice", tonnes=50_001)], profile))[-1] == (
        "HOLDING_LIMIT"
    )
    happened = shown(play_biddings([*lines, buy("o1", "97.00", 50_001)], profile))
    assert happened[-1] == "HOLDING_LIMIT"
    assert shown(play_biddings([*lines, buy("o1", "97.00", 50_000)], profile))[-1] == "order_rested"
    assert shown(play_biddings([wanted("B1", tonnes=150_001)], profile)) == ["HOLDING_LIMIT"]
    bought = [wanted("B2"), bid("a1", "alice", tonnes=50_000), bid("a2", "alice", tonnes=1)]
    assert shown(play_biddings([B1, *bought], profile))[-2:] == ["bid_accepted", "HOLDING_LIMIT"]


def test_capacity() -> None:
    """CEA-ORD-05: biddings of a day, and live bids, have room for as many as orders have."""
    profile = cea_with(order_count_max=1)
    lines = [{"cmd": "phase", "phase": "listed"}, sell("o1", "97.49", 1), B1, notice("B2")]
    assert shown(play_biddings(lines, profile))[-2:] == ["bidding_opened", "CAPACITY"]
    lines = [B1, bid("a1", "alice", tonnes=1), bid("b1", "bob", tonnes=1)]
    assert shown(play_biddings(lines, profile))[-2:] == ["bid_accepted", "CAPACITY"]
    lines += [bid_cancel("a1", "alice"), bid("b1", "bob", tonnes=1)]
    assert shown(play_biddings(lines, profile))[-2:] == ["bid_canceled", "bid_accepted"]


def test_an_account_has_so_many_bids_at_most() -> None:
    """CEA-BID-12: else many small bids at the floor could keep all others out."""
    profile = cea_with(bids_open_max=2)
    lines = [
        notice("B1"),
        bid("a1", "alice", tonnes=1),
        notice("B2"),
        bid("a2", "alice", tonnes=1, bidding="B2"),
        bid("a3", "alice", tonnes=1),
        bid("b1", "bob", tonnes=1),
        bid_cancel("a1", "alice"),
        bid("a4", "alice", tonnes=1),
        close("B2"),
        bid("a5", "alice", tonnes=1),
        bid("a6", "alice", tonnes=1),
    ]
    happened = shown(play_biddings(lines, profile))
    said = [what for what in happened if not what.startswith("bidding_")]
    assert said == (
        ["bid_accepted", "bid_accepted", "CAPACITY", "bid_accepted"]
        + ["bid_canceled", "bid_accepted", "trade", "bid_accepted", "CAPACITY"]
    )
    assert "CAPACITY" not in shown(play_biddings(lines, cea_with(bids_open_max=0)))
    assert load_profile("cea").rules.bids_open_max == 1000


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.__name__)
def test_bids_are_counted_on_in_a_copy_and_a_restored_market(core: Any) -> None:
    """CEA-BID-12"""
    market = Market(cea_with(bids_open_max=1), core=core)
    for line in [*BIDDING_OPENING, notice("B1"), bid("a1", "alice")]:
        command_play(line, market)
    for other in (market.copy(), Market.restore(market.snapshot(), core=core), market):
        assert shown(command_play(bid("a2", "alice"), other)) == ["CAPACITY"]
        command_play({"cmd": "suspend", "account": "alice"}, other)
        command_play({"cmd": "restore", "account": "alice"}, other)
        assert shown(command_play(bid("a2", "alice"), other)) == ["bid_accepted"]
        other.check()


def test_a_bid_has_a_least_size_if_the_profile_says_so() -> None:
    """CEA-AWD-05: one tonne will do else."""
    lines = [B1, bid("a1", "alice", tonnes=499), bid("a2", "alice", tonnes=500)]
    reasons = shown(play_biddings(lines, cea_with(bid_tonnes_min=500)))
    assert reasons == ["bidding_opened", "BIDDING_TONNES_TOO_SMALL", "bid_accepted"]
    assert shown(play_biddings([B1, bid("a1", "alice", tonnes=1)]))[-1] == "bid_accepted"


def test_every_reason_of_biddings_is_reached() -> None:
    """A new reason up to SELF_TRADE needs a script here, or a word why a bidding can't have it."""
    elsewhere = {"LISTED_TONNES_TOO_LARGE", "BLOCK_TONNES_TOO_SMALL", "BLOCK_UNKNOWN"}
    elsewhere |= {"TERMS_FIXED"}
    elsewhere |= {"COUNTERPARTY_MISMATCH", "PRICE_OUT_OF_BAND", "PROCEEDS_OF_TODAY"}
    elsewhere |= {"PICK_NOT_AVAILABLE"}
    # tests/market/listed/test_ccer_market.py, where the profile has a gap.
    elsewhere |= {"WITHIN_GAP", "OTHER_SIDE_OPEN"}
    before = list(Reason)[1 : list(Reason).index(Reason.POST_ONLY_WOULD_TRADE)]
    reached = {*REFUSED, "HOLDING_LIMIT"}
    assert reached == {reason.name for reason in before} - elsewhere


def test_of_several_reasons_the_first_is_given() -> None:
    """CEA-ORD-10: each line mends the reason before it, and meets the next."""
    over = "2025-07-16T09:00:00+08:00"
    lines = [
        notice("B1"),
        {"cmd": "suspend", "account": "dave"},
        HALT_PRODUCT,
        HALT,
        notice("B1", "mallory", 0, product="CEA99", floor="1.00", closes_at=over),
        notice("B1", "mallory", 0, floor="1.00", closes_at=over),
        notice("B1", "dave", 0, floor="1.00", closes_at=over),
        notice("B2", "dave", 0, floor="1.00", closes_at=over),
        {"cmd": "restore", "account": "dave"},
        notice("B2", "dave", 0, floor="1.00", closes_at=over),
        {"cmd": "resume"},
        notice("B2", "dave", 0, floor="1.00", closes_at=over),
        {"cmd": "resume", "product": "CEA23"},
        notice("B2", "dave", 0, floor="1.00", closes_at=over),
        notice("B2", "dave", 0, floor="1.00"),
        notice("B2", "dave", 1, floor="100000.01"),
        notice("B2", "dave", 1, floor="1.00"),
        notice("B2", "dave", floor="1.00"),
        notice("B2", "dave"),
    ]
    reasons = [e.reason for e in play_biddings(lines) if e.event == "order_rejected"]
    assert reasons == [
        "PRODUCT_UNKNOWN",
        "ACCOUNT_UNKNOWN",
        "ORDER_ID_DUPLICATE",
        "ACCOUNT_SUSPENDED",
        "PHASE_CLOSED",
        "PRODUCT_HALTED",
        "BIDDING_NOT_OPEN",
        "TONNES_NOT_POSITIVE",
        "AMOUNT_TOO_LARGE",
        "BIDDING_TONNES_TOO_SMALL",
        "BIDDING_FLOOR_NOT_ALLOWED",
        "ALLOWANCES_INSUFFICIENT",
    ]


def test_of_several_reasons_against_a_bid_the_first_is_given() -> None:
    """CEA-ORD-10, for bids: the applicant's own meets all of them in turn."""
    lines = [
        notice("B1", "bob", opens_at="2025-07-16T09:30:00+08:00"),
        notice("B2", "seller"),
        bid("b1", "bob", tonnes=1, bidding="B2"),
        HALT_PRODUCT,
        HALT,
        bid("b1", "mallory", "1.00", 0, bidding="B9"),
        bid("b1", "bob", "1.00", 0, bidding="B9"),
        bid("b1", "bob", "1.00", 0),
        bid("b2", "bob", "1.00", 0),
        {"cmd": "resume"},
        bid("b2", "bob", "1.00", 0),
        {"cmd": "resume", "product": "CEA23"},
        bid("b2", "bob", "1.00", 0),
        at("09:30"),
        bid("b2", "bob", "1.00", 0),
        bid("b2", "bob", "100000.01", 1),
        bid("b2", "bob", "1.00", 1_000_000),
        bid("b2", "bob", "87.74", 1_000_000),
        bid("b2", "bob", "87.74", 1),
    ]
    reasons = [e.reason for e in play_biddings(lines) if e.event == "bid_rejected"]
    assert reasons == [
        "ACCOUNT_UNKNOWN",
        "BIDDING_UNKNOWN",
        "ORDER_ID_DUPLICATE",
        "PHASE_CLOSED",
        "PRODUCT_HALTED",
        "BIDDING_NOT_OPEN",
        "TONNES_NOT_POSITIVE",
        "AMOUNT_TOO_LARGE",
        "BID_OUT_OF_RANGE",
        "CASH_INSUFFICIENT",
        "SELF_TRADE",
    ]


def test_a_refusal_changes_nothing() -> None:
    """Bids and locks stay as they were; a refused id stays free."""
    bad = [bid("a2", "alice", "87.73"), bid("b1", "bob", tonnes=0), notice("B2", tonnes=1)]
    lines = [B1, bid("a1", "alice"), STATE, *bad, STATE, bid("a2", "alice"), notice("B2")]
    events = play_biddings(lines)
    before, after = (event for event in events if event.event == "state")
    assert before.biddings == after.biddings
    for account in ("alice", "bob", "seller"):
        assert locked(before, account) == locked(after, account)
    assert shown(events)[-2:] == ["bid_accepted", "bidding_opened"]


def without(line: dict, field: str) -> dict:
    """The line without a field."""
    return {name: value for name, value in line.items() if name != field}


SCRIPT_ERRORS = {
    "a floor and a ceiling": notice("B1", ceiling="107.24"),
    "no limit": notice("B1", floor=None),
    "a ceiling of a sale": notice("B1", floor=None, ceiling="107.24"),
    "a floor of a purchase": wanted("B1", ceiling=None, floor="87.74"),
    "no pricing": notice("B1", pricing=None),
    "no such pricing": notice("B1", pricing="dutch"),
    "no such side": notice("B1", side="hold"),
    "a time without offset": notice("B1", opens_at="2025-07-16T10:30:00"),
    "tonnes as text": notice("B1", tonnes="100000"),
    "a bid without a bidding": without(bid("a1", "alice"), "bidding"),
    "a bid with a side": bid("a1", "alice") | {"side": "buy"},
    "a bid beyond 64 bits": bid("a1", "alice", tonnes=1 << 63),
    "a bid of three decimals": bid("a1", "alice", "95.000"),
    "a withdrawal at a price": bid_cancel("a1", "alice") | {"price": "1.00"},
    "a close by somebody": close() | {"account": "seller"},
    "null": notice("B1") | {"opens_at": None},
}


@pytest.mark.parametrize("line", SCRIPT_ERRORS.values(), ids=SCRIPT_ERRORS)
def test_what_is_no_bidding_command_stops_the_script(line: dict) -> None:
    """A script error with file and line, not a refusal."""
    with pytest.raises(ScriptError, match=rf"^script:{LINES + 1}: "):
        play_biddings([line])

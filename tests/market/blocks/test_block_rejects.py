"""Every reason a block command is refused for, on both cores, and which comes first."""

from typing import Any

import pytest

from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import Reason
from cea_exchange.matching.market import Market
from cea_exchange.matching.script import ScriptError, command_play
from support.market.block_scripts import (
    BLOCK_OPENING,
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
from support.market.market_scripts import CORES, buy, cea_with, restrict, sell

pytestmark = pytest.mark.core

STATE = {"cmd": "state"}
CLOSED = {"cmd": "phase", "phase": "closed"}
LISTED = {"cmd": "phase", "phase": "listed"}
DIRECTED = offer("o1", "bob", "sell", counterparty="alice")

REFUSED = {
    "PRODUCT_UNKNOWN": [
        [offer("o1", "bob", "sell", product="CEA99")],
        [enquiry("e1", "bob", "sell", product="CEA99")],
    ],
    "ACCOUNT_UNKNOWN": [
        [offer("o1", "mallory", "sell")],
        [offer("o1", "bob", "sell", counterparty="mallory")],
        [offer("o1", "bob", "sell", to_group="cement")],
        [enquiry("e1", "bob", "sell", to_group="cement")],
        [DIRECTED, accept("o1", "mallory")],
        [withdraw("o1", "mallory")],
    ],
    "BLOCK_UNKNOWN": [
        [accept("o1", "alice")],
        [reject("o1", "alice")],
        [withdraw("o1", "alice")],
        [counter("o1", "alice")],
        [DIRECTED, accept("o1", "alice"), accept("o1", "alice")],
        [enquiry("e1", "alice", "buy"), accept("e1", "bob")],
        [enquiry("e1", "alice", "buy"), counter("e1", "bob")],
        [enquiry("e1", "alice", "buy"), reject("e1", "bob")],
        [offer("o1", "bob", "sell", counterparty="alice", enquiry="e1")],
        [DIRECTED, offer("o2", "alice", "buy", counterparty="bob", enquiry="o1")],
    ],
    "ORDER_ID_DUPLICATE": [
        [DIRECTED, offer("o1", "carol", "sell")],
        [DIRECTED, withdraw("o1", "bob"), enquiry("o1", "carol", "sell")],
    ],
    "ACCOUNT_SUSPENDED": [
        [{"cmd": "suspend", "account": "bob"}, offer("o1", "bob", "sell")],
        [DIRECTED, {"cmd": "suspend", "account": "alice"}, accept("o1", "alice")],
    ],
    "RESTRICTED": [
        [restrict("bob", "sales"), offer("o1", "bob", "sell")],
        [DIRECTED, restrict("alice", "purchases"), accept("o1", "alice")],
    ],
    "PHASE_CLOSED": [
        [LISTED, offer("o1", "bob", "sell")],
        [LISTED, enquiry("e1", "bob", "sell")],
        [DIRECTED, LISTED, accept("o1", "alice")],
        [DIRECTED, LISTED, counter("o1", "alice")],
        [DIRECTED, CLOSED, reject("o1", "alice")],
        [DIRECTED, CLOSED, withdraw("o1", "bob")],
        [DIRECTED, {"cmd": "halt"}, accept("o1", "alice")],
    ],
    "PRODUCT_HALTED": [
        [{"cmd": "halt", "product": "CEA23"}, offer("o1", "bob", "sell")],
        [DIRECTED, {"cmd": "halt", "product": "CEA23"}, counter("o1", "alice")],
    ],
    "COUNTERPARTY_MISMATCH": [
        [offer("o1", "bob", "sell", counterparty="bob")],
        [DIRECTED, accept("o1", "bob")],
        [DIRECTED, accept("o1", "carol")],
        [DIRECTED, reject("o1", "bob")],
        [DIRECTED, counter("o1", "bob")],
        [DIRECTED, withdraw("o1", "alice")],
        [DIRECTED, counter("o1", "alice"), accept("o1", "alice")],
        [DIRECTED, counter("o1", "alice"), counter("o1", "alice")],
        [DIRECTED, counter("o1", "alice"), withdraw("o1", "carol")],
        [offer("o1", "bob", "sell"), accept("o1", "bob")],
        [offer("o1", "bob", "sell"), counter("o1", "alice")],
        [offer("o1", "bob", "sell"), reject("o1", "alice")],
        [offer("o1", "bob", "sell", to_group="power"), accept("o1", "carol")],
        [offer("o1", "bob", "sell", to_group="power"), counter("o1", "alice")],
        [enquiry("e1", "alice", "buy"), withdraw("e1", "bob")],
        [enquiry("e1", "alice", "buy"), offer("o1", "alice", "sell", enquiry="e1")],
        [
            enquiry("e1", "alice", "buy"),
            offer("o1", "bob", "sell", to_group="power", enquiry="e1"),
        ],
        [
            enquiry("e1", "alice", "buy"),
            offer("o1", "bob", "buy", counterparty="alice", enquiry="e1"),
        ],
        [
            enquiry("e1", "alice", "buy"),
            offer("o1", "bob", "sell", counterparty="carol", enquiry="e1"),
        ],
        [
            enquiry("e1", "alice", "buy", to_group="steel"),
            offer("o1", "bob", "sell", counterparty="alice", enquiry="e1"),
        ],
        [
            {"cmd": "product", "product": "CEA24", "reference_price": "97.49"},
            enquiry("e1", "alice", "buy"),
            offer("o1", "bob", "sell", product="CEA24", counterparty="alice", enquiry="e1"),
        ],
    ],
    "TONNES_NOT_POSITIVE": [
        [offer("o1", "bob", "sell", tonnes=0)],
        [offer("o1", "bob", "sell", tonnes=-100_000)],
        [enquiry("e1", "bob", "sell", tonnes=0)],
        [DIRECTED, counter("o1", "alice", tonnes=0)],
    ],
    "AMOUNT_TOO_LARGE": [
        [offer("o1", "bob", "sell", "100000.01")],
        [offer("o1", "bob", "sell", tonnes=1 << 60)],
        [enquiry("e1", "bob", "sell", price="100000.01")],
    ],
    "BLOCK_TONNES_TOO_SMALL": [
        [offer("o1", "bob", "sell", tonnes=99_999)],
        [enquiry("e1", "bob", "sell", tonnes=99_999)],
        [DIRECTED, counter("o1", "alice", tonnes=99_999)],
    ],
    "PRICE_OUT_OF_BAND": [
        [offer("o1", "bob", "sell", "126.75")],
        [offer("o1", "bob", "sell", "68.23")],
        [enquiry("e1", "bob", "sell", price="126.75")],
        [DIRECTED, counter("o1", "alice", "68.23")],
    ],
    "CASH_INSUFFICIENT": [
        [offer("o1", "dave", "buy")],
        [offer("o1", "bob", "sell", counterparty="dave"), accept("o1", "dave")],
        [offer("o1", "bob", "sell", counterparty="dave"), counter("o1", "dave")],
    ],
    "ALLOWANCES_INSUFFICIENT": [
        [offer("o1", "bob", "sell", tonnes=500_001)],
        [offer("o1", "alice", "buy", counterparty="dave"), accept("o1", "dave")],
        [offer("o1", "bob", "sell", tonnes=300_000), offer("o2", "bob", "sell", tonnes=200_001)],
    ],
    "ALLOWANCES_BOUGHT_TODAY": [
        [DIRECTED, accept("o1", "alice"), offer("o2", "alice", "sell")],
    ],
}

CASES = [(reason, lines) for reason, scripts in REFUSED.items() for lines in scripts]


@pytest.mark.parametrize(("reason", "lines"), CASES)
def test_refused(reason: str, lines: list[dict]) -> None:
    """The last command is refused, and for this reason; it is told as it came."""
    rejected = play_blocks(lines)[-1]
    assert rejected.event == "order_rejected"
    assert rejected.reason == reason
    assert rejected.command == lines[-1]["cmd"]
    assert (rejected.id, rejected.account) == (lines[-1]["id"], lines[-1]["account"])
    if reason not in ("PRODUCT_UNKNOWN", "ACCOUNT_UNKNOWN", "BLOCK_UNKNOWN"):
        assert rejected.product == lines[-1].get("product", "CEA23")


def test_holding_limit() -> None:
    """CEA-BLK-05: blocks count in the limit of listed orders, and the other way round."""
    profile = cea_with(holding_limit_tonnes=150_000)
    wants = offer("o1", "alice", "buy", counterparty="bob")
    assert shown(play_blocks([wants, buy("a1", "97.00", 50_001)], profile))[-1] == "HOLDING_LIMIT"
    assert shown(play_blocks([wants, buy("a1", "97.00", 50_000)], profile))[-1] == "order_rested"
    assert shown(play_blocks([buy("a1", "97.00", 50_001), wants], profile))[-1] == "HOLDING_LIMIT"
    sells = offer("o1", "bob", "sell", tonnes=150_001)
    assert shown(play_blocks([sells, accept("o1", "alice")], profile))[-1] == "HOLDING_LIMIT"
    # The own side of a negotiation counts once, at the terms that are asked for.
    raised = [wants, counter("o1", "bob", tonnes=120_000), counter("o1", "alice", tonnes=150_000)]
    assert shown(play_blocks(raised, profile))[-1] == "countered"


def test_capacity() -> None:
    """CEA-ORD-05: no more blocks may be open than there is room for; orders are counted apart."""
    profile = cea_with(order_count_max=1)
    lines = [sell("b1", "97.49", 1), offer("o1", "bob", "sell"), enquiry("e1", "carol", "buy")]
    assert shown(play_blocks(lines, profile))[-2:] == ["offered", "CAPACITY"]
    lines += [withdraw("o1", "bob"), enquiry("e1", "carol", "buy")]
    assert shown(play_blocks(lines, profile))[-2:] == ["withdrawn", "enquired"]


def test_an_account_has_so_many_enquiries_open_at_most() -> None:
    """CEA-BLK-12: else one account could take, for nothing, all the room there is for blocks."""
    profile = cea_with(enquiries_open_max=2)
    lines = [enquiry(f"e{count}", "alice", "buy") for count in range(1, 5)]
    full = ["enquired", "enquired", "CAPACITY", "CAPACITY"]
    assert shown(play_blocks(lines, profile)) == full
    lines += [enquiry("e5", "carol", "buy"), offer("o1", "alice", "buy")]
    assert shown(play_blocks(lines, profile))[4:] == ["enquired", "offered"]
    lines += [withdraw("e1", "alice"), enquiry("e6", "alice", "buy"), enquiry("e7", "alice", "buy")]
    assert shown(play_blocks(lines, profile))[6:] == ["withdrawn", "enquired", "CAPACITY"]
    assert shown(play_blocks(lines[:4], cea_with(enquiries_open_max=0))) == ["enquired"] * 4
    assert load_profile("cea").rules.enquiries_open_max == 1000


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.__name__)
def test_open_enquiries_are_counted_on_in_a_copy_and_a_restored_market(core: Any) -> None:
    """CEA-BLK-12"""
    market = Market(cea_with(enquiries_open_max=1), core=core)
    for line in [*BLOCK_OPENING, enquiry("e1", "alice", "buy")]:
        command_play(line, market)
    for other in (market.copy(), Market.restore(market.snapshot(), core=core), market):
        assert shown(command_play(enquiry("e2", "alice", "buy"), other)) == ["CAPACITY"]
        command_play({"cmd": "close_day"}, other)
        command_play({"cmd": "open_day", "date": "2025-07-17"}, other)
        command_play({"cmd": "phase", "phase": "listed_and_block"}, other)
        assert shown(command_play(enquiry("e2", "alice", "buy"), other)) == ["enquired"]
        other.check()


def test_every_reason_of_blocks_is_reached() -> None:
    """A new reason before SELF_TRADE needs a script here, or a word why a block can't have it."""
    of_orders = {"ORDER_UNKNOWN", "LISTED_TONNES_TOO_LARGE"}
    of_transfers = {"PROCEEDS_OF_TODAY"}
    of_biddings = {reason.name for reason in Reason if reason.name.startswith("BID")}
    before = list(Reason)[1 : list(Reason).index(Reason.PICK_NOT_AVAILABLE)]
    # tests/market/listed/test_ccer_market.py, where the profile has a gap.
    of_gaps = {"WITHIN_GAP", "OTHER_SIDE_OPEN"}
    # tests/market/listed/test_regional_rules.py, where the profile fixes terms.
    of_pilots = {"TERMS_FIXED"}
    reached = {*REFUSED, "HOLDING_LIMIT"}
    assert reached == {reason.name for reason in before} - of_orders - (
        of_transfers | of_biddings | of_gaps | of_pilots
    )


def test_of_several_reasons_the_first_is_given() -> None:
    """CEA-ORD-10: each line mends the reason before it, and meets the next."""
    suspend = {"cmd": "suspend", "account": "dave"}
    lines = [
        enquiry("e1", "carol", "sell"),
        suspend,
        LISTED,
        {"cmd": "halt", "product": "CEA23"},
        offer("e1", "mallory", "buy", "1.00", 0, product="CEA99", enquiry="e9"),
        offer("e1", "mallory", "buy", "1.00", 0, enquiry="e9"),
        offer("e1", "dave", "buy", "1.00", 0, enquiry="e9"),
        offer("e1", "dave", "buy", "1.00", 0, enquiry="e1"),
        offer("o1", "dave", "buy", "1.00", 0, enquiry="e1"),
        {"cmd": "restore", "account": "dave"},
        offer("o1", "dave", "buy", "1.00", 0, enquiry="e1"),
        {"cmd": "phase", "phase": "listed_and_block"},
        offer("o1", "dave", "buy", "1.00", 0, enquiry="e1"),
        {"cmd": "resume", "product": "CEA23"},
        offer("o1", "dave", "buy", "1.00", 0, counterparty="alice", enquiry="e1"),
        offer("o1", "dave", "buy", "1.00", 0, enquiry="e1"),
        offer("o1", "dave", "buy", "100000.01", 99_999),
        offer("o1", "dave", "buy", "1.00", 99_999),
        offer("o1", "dave", "buy", "1.00"),
        offer("o1", "dave", "buy"),
    ]
    reasons = [e.reason for e in play_blocks(lines) if e.event == "order_rejected"]
    assert reasons == [
        "PRODUCT_UNKNOWN",
        "ACCOUNT_UNKNOWN",
        "BLOCK_UNKNOWN",
        "ORDER_ID_DUPLICATE",
        "ACCOUNT_SUSPENDED",
        "PHASE_CLOSED",
        "PRODUCT_HALTED",
        "COUNTERPARTY_MISMATCH",
        "TONNES_NOT_POSITIVE",
        "AMOUNT_TOO_LARGE",
        "BLOCK_TONNES_TOO_SMALL",
        "PRICE_OUT_OF_BAND",
        "CASH_INSUFFICIENT",
    ]


def test_a_refusal_changes_nothing() -> None:
    """The offer stays as it was, and its id and the refused one's stay free or taken."""
    lines = [DIRECTED, STATE, counter("o1", "alice", "68.23"), accept("o1", "carol"), STATE]
    _, before, *_, after = play_blocks(lines)
    assert before.blocks == after.blocks
    assert locked(before, "bob") == locked(after, "bob") == ("0.00", 100_000)
    events = play_blocks([offer("o1", "bob", "sell", "1.00"), offer("o1", "carol", "sell")])
    assert shown(events) == ["PRICE_OUT_OF_BAND", "offered"]


BOTH = {"counterparty": "alice", "to_group": "power"}
SCRIPT_ERRORS = {
    "a counterparty and a group": offer("o1", "bob", "sell", **BOTH),
    "an enquiry to both": enquiry("e1", "bob", "sell", **BOTH),
    "no price": {k: v for k, v in DIRECTED.items() if k != "price"},
    "an enquiry with an enquiry": enquiry("e1", "bob", "sell", enquiry="e0"),
    "a counter without tonnes": {k: v for k, v in counter("o1", "bob").items() if k != "tonnes"},
    "an acceptance at a price": accept("o1", "alice") | {"price": "1.00"},
    "no such side": offer("o1", "bob", "hold"),
    "null": DIRECTED | {"enquiry": None},
    "a price of three decimals": DIRECTED | {"price": "97.490"},
    "tonnes as text": DIRECTED | {"tonnes": "100000"},
    "tonnes beyond 64 bits": DIRECTED | {"tonnes": 1 << 63},
}


@pytest.mark.parametrize("line", SCRIPT_ERRORS.values(), ids=SCRIPT_ERRORS)
def test_what_is_no_block_command_stops_the_script(line: dict) -> None:
    """A script error with file and line, not a refusal."""
    with pytest.raises(ScriptError, match=r"^script:12: "):
        play_blocks([line])

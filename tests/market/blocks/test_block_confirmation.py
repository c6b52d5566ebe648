"""Blocks that the exchange confirms, each rule played on both cores."""

import json
from collections.abc import Mapping

import pytest

from cea_exchange.domain.profile import Profile, profile_parse
from cea_exchange.matching.events import Event, event_line
from support.market.block_scripts import (
    accept,
    confirm,
    counter,
    locked,
    offer,
    play_blocks,
    refuse,
    reject,
    shown,
    withdraw,
)
from support.market.market_scripts import cea_with

pytestmark = pytest.mark.core

STATE = {"cmd": "state"}
CLOSE = {"cmd": "close_day"}
BOB_SELLS = offer("o1", "bob", "sell", "100.00", 200_000, counterparty="alice")
TO_ALL = offer("o1", "bob", "sell", "100.00", 200_000)


def confirming(**values: int | str) -> Profile:
    """The profile `cea`, where the exchange confirms blocks."""
    text = cea_with(**values).text
    asked = 'block_confirmed = {value = true, rule = "CCER-BLK-01"}'
    return profile_parse(text.replace("block_tonnes_min", f"{asked}\nblock_tonnes_min", 1), "cea")


def played(*lines: Mapping[str, object], **values: int | str) -> list[Event]:
    """What comes of lines where the exchange confirms blocks."""
    return play_blocks(lines, confirming(**values))


def test_a_block_trades_when_the_exchange_confirms_it() -> None:
    """CCER-BLK-01: not when both sides agree, and at the terms that they agreed on."""
    events = played(BOB_SELLS, counter("o1", "alice", "95.00", 150_000), accept("o1", "bob"), STATE)
    assert shown(events)[:3] == ["offered", "countered", "agreed"]
    agreed = json.loads(event_line(events[2]))
    assert (agreed["account"], agreed["price"], agreed["tonnes"]) == ("bob", "95.00", 150_000)
    assert locked(events[-1], "alice") == ("14250000.00", 0)
    assert locked(events[-1], "bob") == ("0.00", 150_000)
    events = played(
        BOB_SELLS,
        counter("o1", "alice", "95.00", 150_000),
        accept("o1", "bob"),
        confirm("o1"),
        STATE,
    )
    trade = json.loads(event_line(events[3]))
    assert (trade["event"], trade["buyer"], trade["seller"]) == ("trade", "alice", "bob")
    assert (trade["price"], trade["tonnes"], trade["method"]) == ("95.00", 150_000, "block")
    state = events[-1].accounts
    assert (state["alice"].cash, state["bob"].cash) == ("35750000.00", "14250000.00")
    assert state["bob"].holdings["CEA23"].tonnes == 350_000
    assert locked(events[-1], "alice") == ("0.00", 0) == locked(events[-1], "bob")


def test_what_is_agreed_neither_side_takes_back() -> None:
    """CCER-BLK-01: only the exchange has a word then."""
    after = (
        withdraw("o1", "bob"),
        reject("o1", "alice"),
        counter("o1", "bob", "99.00", 200_000),
        accept("o1", "alice"),
        accept("o1", "bob"),
        accept("o1", "carol"),
    )
    events = shown(played(BOB_SELLS, accept("o1", "alice"), *after, confirm("o1")))
    assert events == ["offered", "agreed", *["COUNTERPARTY_MISMATCH"] * 6, "trade"]


def test_the_exchange_may_refuse_it_and_what_was_locked_returns() -> None:
    """CCER-BLK-01: in every phase of the day, a halt included."""
    halt = {"cmd": "halt"}
    events = played(BOB_SELLS, accept("o1", "alice"), halt, refuse("o1"), STATE)
    refused = json.loads(event_line(events[3]))
    assert (refused["event"], refused["reason"]) == ("block_withdrawn", "NOT_CONFIRMED")
    assert locked(events[-1], "alice") == ("0.00", 0) == locked(events[-1], "bob")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"cmd": "halt"}, "PHASE_CLOSED"),
        ({"cmd": "halt", "product": "CEA23"}, "PRODUCT_HALTED"),
        ({"cmd": "phase", "phase": "break"}, "PHASE_CLOSED"),
        ({"cmd": "phase", "phase": "listed"}, "PHASE_CLOSED"),
    ],
)
def test_it_is_confirmed_in_a_session_of_blocks(line: dict[str, str], reason: str) -> None:
    """CCER-BLK-01, CEA-BLK-03, CEA-DAY-05."""
    assert shown(played(BOB_SELLS, accept("o1", "alice"), line, confirm("o1")))[-1] == reason


def test_only_what_is_agreed_waits_for_the_exchange() -> None:
    """CCER-BLK-01: neither an open offer, nor what is over, nor a block there never was."""
    lines = [
        BOB_SELLS,
        confirm("o1"),
        refuse("o1"),
        confirm("o2"),
        accept("o1", "alice"),
        confirm("o1"),
        confirm("o1"),
        refuse("o1"),
    ]
    unknown = "BLOCK_UNKNOWN"
    assert shown(played(*lines)) == [
        *("offered", unknown, unknown, unknown, "agreed", "trade", unknown, unknown)
    ]


def test_what_the_close_finds_unconfirmed_lapses() -> None:
    """CCER-BLK-01, CEA-BLK-10."""
    events = played(BOB_SELLS, accept("o1", "alice"), CLOSE, STATE)
    assert "lapsed" in shown(events)
    assert "trade" not in shown(events)
    assert locked(events[-1], "alice") == ("0.00", 0) == locked(events[-1], "bob")


@pytest.mark.parametrize("party", ["alice", "bob"])
def test_a_suspension_of_either_side_ends_it(party: str) -> None:
    """CCER-BLK-01, CEA-DAY-06: also of who only accepted."""
    events = played(BOB_SELLS, accept("o1", "alice"), {"cmd": "suspend", "account": party}, STATE)
    ended = next(event for event in events if event.event == "block_withdrawn")
    assert (ended.reason, ended.by) == ("SUSPENDED", party)
    assert locked(events[-1], "alice") == ("0.00", 0) == locked(events[-1], "bob")


def test_an_offer_to_all_is_its_two_sides_only_once_it_is_agreed() -> None:
    """CCER-BLK-01, CEA-BLK-11: the first who accepts has it, whatever becomes of it."""
    events = played(TO_ALL, accept("o1", "alice"), accept("o1", "carol"), refuse("o1"))
    assert shown(events) == ["offered", "agreed", "COUNTERPARTY_MISMATCH", "withdrawn"]
    group = offer("o1", "bob", "sell", "100.00", 200_000, to_group="power")
    assert shown(played(group, accept("o1", "alice"), confirm("o1")))[-1] == "trade"


def test_fees_and_cover_are_as_of_any_block() -> None:
    """CCER-BLK-01, CEA-FEE-01, CEA-BLK-05: locked when it is agreed, paid when it trades."""
    terms = {"fee_bp": 60, "fee_min_fen": 0}
    events = played(BOB_SELLS, accept("o1", "alice"), STATE, **terms)
    assert locked(events[-1], "alice") == ("20120000.00", 0)
    (trade,) = [
        event
        for event in played(BOB_SELLS, accept("o1", "alice"), confirm("o1"), **terms)
        if event.event == "trade"
    ]
    assert (trade.buy_fee, trade.sell_fee) == ("120000.00", "120000.00")
    assert shown(played(BOB_SELLS, accept("o1", "alice"), confirm("o1"), confirm("o1")))[-1] == (
        "BLOCK_UNKNOWN"
    )
    poor = offer("o2", "bob", "sell", "100.00", 300_000, counterparty="carol")
    assert shown(played(poor, accept("o2", "carol"), **terms))[-1] == "CASH_INSUFFICIENT"


def test_without_the_rule_nothing_waits() -> None:
    """CEA-BLK-04, CCER-BLK-01: an acceptance trades at once, and there is nothing to confirm."""
    events = shown(play_blocks([BOB_SELLS, accept("o1", "alice"), confirm("o1"), refuse("o1")]))
    assert events == ["offered", "trade", "BLOCK_UNKNOWN", "BLOCK_UNKNOWN"]

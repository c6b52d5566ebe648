"""Rules of the regional pilots that the national market lacks, on both cores alike."""

from typing import Any

import msgspec
import numpy as np
import pytest

from cea_exchange.domain.records import DAY_CLOSED_DTYPE, EVENT_DTYPE, EventKind, Reason
from cea_exchange.matching.events import event_line
from market.listed.test_closing_prices_and_bands import both_cores, market_of, trade
from support.market.market_scripts import OPENING, Line, buy, cea_with, play, play_more, sell


def deals(*terms: tuple[str, int]) -> list[Line]:
    """Listed trades of so many tonnes, at these prices."""
    lines = []
    for number, (price, tonnes) in enumerate(terms):
        lines += [sell(f"s{number}", price, tonnes), buy(f"b{number}", price, tonnes)]
    return lines


def day_of(*terms: tuple[str, int], **rules: int) -> Any:
    """How a day of such trades is told under such rules; the previous close is 100.00."""
    events = play_more([*deals(*terms), {"cmd": "close_day"}], cea_with(**rules))
    (day,) = [event for event in events if type(event).__name__ == "DayClosed"]
    return day


@pytest.mark.parametrize(
    ("tonnes", "rules", "close"),
    [
        # Worked example 21: a thin day, with and without Guangdong's rule.
        (10, {}, "110.00"),
        (10, {"close_tonnes_over": 100}, "100.00"),
        (100, {"close_tonnes_over": 100}, "100.00"),
        (101, {"close_tonnes_over": 100}, "110.00"),
    ],
)
def test_a_day_of_few_tonnes_makes_no_close(tonnes: int, rules: dict, close: str) -> None:
    """PLT-PRC-03."""
    assert day_of(("110.00", tonnes), **rules).close == close


def test_the_open_is_the_previous_close() -> None:
    """PLT-PRC-01."""
    assert day_of(("103.00", 1), ("97.00", 1)).open == "103.00"
    day = day_of(("103.00", 1), ("97.00", 1), open_at_close=True)
    assert (day.open, day.high, day.low) == ("100.00", "103.00", "97.00")


def test_the_close_is_made_of_the_last_trades() -> None:
    """PLT-PRC-04: two of 105.00 x 2 and 90.00 x 1."""
    terms = (("95.00", 50), ("105.00", 2), ("90.00", 1))
    assert day_of(*terms).close == "95.28"
    assert day_of(*terms, close_trades_last=2).close == "100.00"
    assert day_of(*terms, close_trades_last=1).close == "90.00"
    assert day_of(*terms, close_trades_last=32).close == "95.28"


def closed(market: Any) -> int:
    """Close the day; return the product's close in fen."""
    rows = market.day_close()
    return int(rows[rows["kind"] == EventKind.DAY_CLOSED].view(DAY_CLOSED_DTYPE)["close"][0])


def last_trade(market: Any, price: int, tonnes: int) -> bytes:
    """Let the two trade; return the trade's record."""
    seq = market.event_seq
    trade(market, 0, price, tonnes)
    row = np.zeros(1, EVENT_DTYPE)
    row["kind"], row["method"], row["side"] = EventKind.TRADE, 1, 1
    row["account_index"], row["counter_account_index"] = 0, 1
    row["price"], row["tonnes"], row["cash"] = price, tonnes, price * tonnes
    row["trade_id"], row["settlement_seq"] = market.trade_id, market.settlement_seq
    row["seq"], row["trading_date"] = seq + 1, 20250716
    return row.tobytes()


@both_cores
def test_a_trade_that_is_undone_counts_for_none_of_the_last(make_core: type) -> None:
    """PLT-PRC-04: none takes its place; a market that is copied in between agrees."""
    market = market_of(make_core, 10_000, close_trades_last=2)
    last_trade(market, 9_500, 50)
    first, second = last_trade(market, 10_500, 2), last_trade(market, 9_100, 1)
    assert market.trade_bust(first)["reason"][-1] == Reason.NONE
    market = market.copy()
    market.check()
    assert closed(market.copy()) == 9_100
    market.trade_bust(second)
    assert closed(market) == 10_000


@both_cores
@pytest.mark.parametrize(
    "kept",
    [
        [[0, 1, 10_000, 1], [0, 2, 10_000, 1], [0, 3, 10_000, 1]],
        [[0, 2, 10_000, 1], [0, 1, 10_000, 1]],
        [[0, 9, 10_000, 1]],
        [[0, 1, 0, 1]],
        [[0, 1, 10_000, -1]],
    ],
)
def test_a_snapshot_with_other_last_trades_is_refused(make_core: type, kept: list) -> None:
    """PLT-PRC-04."""
    market = market_of(make_core, 10_000, close_trades_last=2)
    for _ in range(3):
        last_trade(market, 10_000, 1)
    state = msgspec.msgpack.decode(market.snapshot())
    assert [row[1] for row in state["last_trades"]] == [2, 3]
    state["last_trades"] = kept
    with pytest.raises(ValueError, match="last_trades"):
        type(market).from_snapshot(market.rules, msgspec.msgpack.encode(state))


BLOCKS: list[Line] = [
    {"cmd": "deposit", "account": "alice", "cash": "200000000.00"},
    {"cmd": "deposit", "account": "bob", "product": "CEA23", "tonnes": 2_000_000},
    {"cmd": "phase", "phase": "listed_and_block"},
]


def offer(id: str, price: str, tonnes: int, **more: Any) -> Line:
    """A block offer of bob's."""
    terms = {"product": "CEA23", "side": "sell", "price": price, "tonnes": tonnes}
    return {"cmd": "block_offer", "id": id, "account": "bob"} | terms | more


def test_blocks_count_for_the_close_and_biddings_do_not() -> None:
    """PLT-PRC-02: 100 t at 95.00 and 100,000 t at 110.00."""
    lines = [
        *BLOCKS,
        *deals(("95.00", 100)),
        offer("o1", "110.00", 100_000),
        {"cmd": "block_accept", "id": "o1", "account": "alice"},
        {
            **{"cmd": "bidding_open", "id": "B", "account": "bob", "product": "CEA23"},
            **{"tonnes": 100_000, "floor": "90.00", "pricing": "uniform"},
        },
        {
            **{"cmd": "bid", "id": "b", "bidding": "B", "account": "alice"},
            **{"price": "90.00", "tonnes": 9},
        },
        {"cmd": "close_day"},
    ]
    profile = cea_with(close_with_blocks=True)
    days = [e for e in play_more(lines, profile) if type(e).__name__ == "DayClosed"]
    assert [day.close for day in days] == ["109.99"]
    days = [e for e in play_more(lines) if type(e).__name__ == "DayClosed"]
    assert [day.close for day in days] == ["95.00"]


@pytest.mark.parametrize(
    ("tonnes", "reason"),
    [(499_999, "PRICE_OUT_OF_BAND"), (500_000, "PRICE_OUT_OF_BAND"), (500_001, None)],
)
def test_above_a_size_a_block_has_no_band(tonnes: int, reason: str | None) -> None:
    """PLT-BLK-02: worked example 25, 31% above the previous close."""
    lines = [*BLOCKS, offer("o1", "131.00", tonnes)]
    (*_, event) = play_more(lines, cea_with(block_free_tonnes=500_000))
    assert getattr(event, "reason", None) == reason


def test_the_terms_of_a_fixed_price_transfer_stand() -> None:
    """PLT-BLK-01: no enquiry, no counter-offer; who may takes it, or rejects it."""
    lines = [
        *BLOCKS,
        {
            **{"cmd": "block_enquiry", "id": "q", "account": "alice"},
            **{"product": "CEA23", "side": "buy"},
        },
        offer("o1", "110.00", 100_000, counterparty="alice"),
        {
            **{"cmd": "block_counter", "id": "o1", "account": "alice"},
            **{"price": "109.00", "tonnes": 100_000},
        },
        {"cmd": "block_accept", "id": "o1", "account": "alice"},
    ]
    events = play_more(lines, cea_with(block_terms_fixed=True))[3:]
    assert [getattr(event, "reason", None) for event in events] == [
        *("TERMS_FIXED", None, "TERMS_FIXED", None)
    ]
    assert type(events[-1]).__name__ == "Trade"


ALLOCATED = {"cmd": "allocation", "account": "alice", "tonnes": 400}
JOINT = {"holding_limit_tonnes": 600, "holding_limit_joint": True}


def limit_lines(group: str) -> list[Line]:
    """Alice and carol, both with cash, before a day that has two products."""
    grouped = {"group": group} if group else {}
    product, alice, bob = OPENING[:3]
    return [
        *(product, alice | grouped, bob),
        {"cmd": "account", "account": "carol", **grouped},
        {"cmd": "product", "product": "CEA24", "reference_price": "100.00"},
        {"cmd": "deposit", "account": "carol", "cash": "1000000.00"},
        {"cmd": "deposit", "account": "carol", "product": "CEA24", "tonnes": 300},
        *OPENING[3:],
        ALLOCATED,
    ]


@pytest.mark.parametrize(
    ("group", "tonnes", "reason"),
    [
        # 600 and 400 allocated to alice, less 300 of carol's and her open buy of 200.
        ("power", 500, None),
        ("power", 501, "HOLDING_LIMIT"),
        ("", 1_000, None),
        ("", 1_001, "HOLDING_LIMIT"),
    ],
)
def test_a_joint_limit_is_of_a_group_and_all_products(
    group: str, tonnes: int, reason: str | None
) -> None:
    """PLT-FND-01."""
    lines = [
        *limit_lines(group),
        buy("c1", "90.00", 200, "carol"),
        buy("a1", "90.00", tonnes),
    ]
    (*_, event) = play(lines, cea_with(**JOINT))
    assert getattr(event, "reason", None) == reason


def test_an_amended_order_takes_its_own_place_in_a_joint_limit() -> None:
    """PLT-FND-01: 500 t are open; 501 t would be too many, at whatever price."""
    lines = [
        *limit_lines("power"),
        buy("c1", "90.00", 200, "carol"),
        buy("a1", "90.00", 500),
        {"cmd": "amend", "id": "a1", "account": "alice", "price": "91.00", "tonnes": 500},
        {"cmd": "amend", "id": "a1", "account": "alice", "price": "91.00", "tonnes": 501},
    ]
    (*_, last) = play(lines, cea_with(**JOINT))
    assert last.reason == "HOLDING_LIMIT"


def test_an_allocation_of_an_unknown_account_is_refused_and_the_script_goes_on() -> None:
    """PLT-FND-01, CEA-ORD-10: the refusal is an event, as for other acts of the operator."""
    unknown = {"cmd": "allocation", "account": "mallory", "tonnes": 400}
    refused, state = play([*limit_lines(""), unknown, {"cmd": "state"}], cea_with(**JOINT))[-2:]
    assert (refused.event, refused.reason) == ("order_rejected", "ACCOUNT_UNKNOWN")
    assert (refused.command, refused.account, refused.id) == ("allocation", "mallory", None)
    assert {name: each.allocation for name, each in state.accounts.items()} == {
        "alice": 400,
        "bob": 0,
        "carol": 0,
    }
    assert b'"allocation":400' in event_line(state)


@both_cores
def test_an_allocation_is_noted_of_an_account_that_there_is(make_core: type) -> None:
    """PLT-FND-01."""
    market = market_of(make_core, 10_000)
    before = market.state_hash()
    market.allocation_note(1, 7)
    assert market.state_hash() != before
    assert market.copy().state_hash() == market.state_hash()
    assert not len(market.allocation_note(1, 8))
    assert market.account(1)["allocation"] == 8
    with pytest.raises(ValueError, match="tonnes"):
        market.allocation_note(1, 1 << 62)

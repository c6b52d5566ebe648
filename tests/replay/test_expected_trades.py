"""Order files replayed against the trades that have to come out."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from cea_exchange.cli.main import run
from cea_exchange.domain.records import EVENT_DTYPE, EventKind
from cea_exchange.matching.flow.expected_trades import (
    AHEAD_MAX,
    ExpectedColumns,
    Trade,
    TradeComparison,
)
from cea_exchange.matching.flow.order_flow import Tick

FLOW = """\
action,order_id,side,price,tonnes
enter,1,buy,97.50,5
enter,2,buy,97.50,5
enter,3,buy,97.40,5
enter,4,sell,97.40,12
"""
TRADES = """\
price,tonnes,order_id,counter_order_id,side,time
97.50,5,4,1,sell,09:30
97.5,5,4,2,sell,09:30
97.400,2,4,3,sell,09:30
"""


@pytest.fixture
def replay(tmp_path: Path, capfd: pytest.CaptureFixture):
    def play(trades: str, *more: str) -> tuple[int, dict, str]:
        (tmp_path / "flow.csv").write_text(FLOW)
        (tmp_path / "trades.csv").write_text(trades)
        status = run(
            ["replay", str(tmp_path / "flow.csv"), "--tick", "0.01", "--json"]
            + ["--expect", str(tmp_path / "trades.csv"), *more]
        )
        output, errors = capfd.readouterr()
        return status, json.loads(output) if output else {}, errors

    return play


def test_trades_as_expected(replay) -> None:
    status, report, errors = replay(TRADES)
    assert (status, errors) == (0, "")
    assert (report["trades_as_expected"], report["differences"]) == (3, [])


def test_an_event_file_is_a_record_of_its_trades(replay, tmp_path: Path) -> None:
    events = tmp_path / "events.csv"
    assert replay(TRADES, "--events", str(events))[0] == 0
    status, report, _ = replay(events.read_text())
    assert (status, report["trades_as_expected"]) == (0, 3)


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (
            "97.5,5,4,2,sell",
            "97.5,5,4,3,sell",
            (
                2,
                "trade_other",
                "expected 5 at 97.50, side sell, order_id 4, counter_order_id 3; "
                "made 5 at 97.50, side sell, order_id 4, counter_order_id 2",
            ),
        ),
        (
            "97.5,5,4,2,sell,09:30\n",
            "",
            (2, "trade_extra", "made 5 at 97.50, side sell, order_id 4, counter_order_id 2"),
        ),
        (
            "97.5,5,4,2,sell,09:30\n",
            "97.5,5,4,2,sell,09:30\n97.5,1,9,9,buy,\n",
            (3, "trade_missing", "expected 1 at 97.50, side buy, order_id 9, counter_order_id 9"),
        ),
        (
            "97.400,2,4,3,sell,09:30\n",
            "",
            (3, "trade_extra", "made 2 at 97.40, side sell, order_id 4, counter_order_id 3"),
        ),
        (
            "97.400,2,4,3,sell,09:30\n",
            "97.400,2,4,3,sell,09:30\n97.4,3,5,3,sell,\n",
            (4, "trade_missing", "expected 3 at 97.40, side sell, order_id 5, counter_order_id 3"),
        ),
    ],
)
def test_one_trade_that_differs_is_one_difference(
    old: str, new: str, found: tuple[int, str, str], replay
) -> None:
    assert old in TRADES
    status, report, errors = replay(TRADES.replace(old, new))
    assert status == 1
    number, kind, text = found
    assert report["differences"] == [{"trade": number, "kind": kind, "text": text}]
    assert list(report["differences_by_kind"]) == [kind]
    assert f"trades.csv: trade {number}: {text}\n" in errors


@pytest.mark.parametrize(
    ("trades", "shown"),
    [
        ("price,size\n97.5,1\n", ":1: expected a column tonnes, there is none"),
        ("price,tonnes,price\n", ":1: expected each column once, got price twice"),
        ("price,tonnes\n97.5\n", ":2: expected 2 columns, got 1"),
        ("price,tonnes\n97.5,1\n97.501,1\n", ":3: expected a price of at most 2 decimals, got"),
        ("price,tonnes\n97.5,one\n", ":2: expected a whole number of at most 63 bits in column 2"),
        (f"price,tonnes\n97.5,{1 << 63}\n", "of at most 63 bits in column 2, got '922337203685"),
        ("price,tonnes,side\n97.5,1,bid\n", ":2: expected buy or sell in column 3, got 'bid'"),
    ],
)
def test_a_record_that_can_not_be_read_is_named(trades: str, shown: str, replay) -> None:
    status, report, errors = replay(trades)
    assert (status, report, errors.count("\n")) == (2, {}, 1)
    assert shown in errors


def compared(
    made: list[Trade], expected: list[Trade], draw: random.Random
) -> tuple[int, list[tuple[int, str]]]:
    """Trades equal, and the differences; both come in parts of any length."""
    found: list[tuple[int, str]] = []

    def parts(trades: list[Trade]):
        place = 0
        while place < len(trades):
            length = draw.randrange(1, 200)
            yield trades[place : place + length]
            place += length

    comparison = TradeComparison(
        ExpectedColumns("price,tonnes", Tick()),
        parts(expected),
        lambda number, kind, text: found.append((number, str(kind))),
    )
    for some in parts(made):
        events = np.zeros(len(some), EVENT_DTYPE)
        events["kind"] = EventKind.TRADE
        events["price"] = [price for price, _ in some]
        events["tonnes"] = [tonnes for _, tonnes in some]
        comparison.take(events)
    comparison.finish()
    return comparison.equal, found


@pytest.mark.parametrize("seed", range(20))
def test_trades_lost_put_in_and_changed_are_found_one_by_one(seed: int) -> None:
    """However the flow is cut; what lies between them is equal."""
    draw = random.Random(seed)
    expected = [(100, number) for number in range(1, 1_500)]
    made = list(expected)
    planted = []
    for place in range(20, 1_450, 70):
        kind = draw.choice(("trade_missing", "trade_extra", "trade_other"))
        at = made.index((100, place))
        if kind == "trade_missing":
            made.pop(at)
        elif kind == "trade_extra":
            made.insert(at, (7, place))
        else:
            made[at] = (7, place)
        planted.append((place, kind))
    equal, found = compared(made, expected, draw)
    assert found == planted
    assert equal == len(expected) - sum(kind != "trade_extra" for _, kind in planted)


@pytest.mark.parametrize("count", [0, 1, 3 * AHEAD_MAX])
def test_records_that_have_nothing_in_common_end(count: int) -> None:
    draw = random.Random(1)
    made, expected = [(1, 1)] * count, [(2, 2)] * (2 * AHEAD_MAX)
    equal, found = compared(made, expected, draw)
    kinds = [kind for _, kind in found]
    assert equal == 0
    both = min(len(made), len(expected))
    assert kinds.count("trade_other") == both
    assert kinds.count("trade_extra") == len(made) - both
    assert kinds.count("trade_missing") == len(expected) - both

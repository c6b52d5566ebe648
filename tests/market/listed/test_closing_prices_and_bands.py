"""Closing prices (CEA-LST-08, CEA-PRC-01, CEA-PRC-03) and bands against the rulebook's vectors."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.records import (
    COMMAND_DTYPE,
    DAY_CLOSED_DTYPE,
    EVENT_DTYPE,
    PRODUCT_NONE,
    CommandKind,
    EventKind,
    Phase,
    Side,
)
from cea_exchange.matching.reference import ReferenceMarket
from support.market.market_flow import rules_make

pytestmark = pytest.mark.property

CORES = (ReferenceMarket, CompiledMarket)
both_cores = pytest.mark.parametrize("make_core", CORES)


def market_of(make_core: Callable[..., Any], *reference_prices: int, **rules: Any) -> Any:
    """An open market with a rich buyer (account 0) and a rich seller (account 1)."""
    market = make_core(rules_make(**rules))
    for product_key, price in enumerate(reference_prices, start=1):
        market.product_declare(product_key, price)
    for account_key in (1, 2):
        market.account_declare(account_key)
    market.deposit(0, PRODUCT_NONE, 1 << 60)
    for product_index in range(len(reference_prices)):
        market.deposit(1, product_index, 1 << 40)
    market.day_open(20250716)
    market.phase_set(Phase.LISTED)
    return market


def trade(market: Any, product_index: int, price: int, tonnes: int) -> None:
    """Let the two trade at a price."""
    commands = np.zeros(2, COMMAND_DTYPE)
    commands["kind"] = CommandKind.ENTER
    commands["side"] = (Side.SELL, Side.BUY)
    commands["account_index"] = (1, 0)
    commands["client_order_id"] = market.command_seq + 1
    commands["product_index"] = product_index
    commands["price"] = price
    commands["tonnes"] = tonnes
    events = np.zeros(4, EVENT_DTYPE)
    assert market.process(commands, events) == (2, 4)
    assert events["kind"][3] == EventKind.TRADE


def closes_of(market: Any) -> tuple[list[tuple[int, ...]], list[int]]:
    """Close the day: each product's statistics, and the composite prices."""
    events = market.day_close()
    rows = events[events["kind"] == EventKind.DAY_CLOSED].view(DAY_CLOSED_DTYPE)
    names = ("open", "high", "low", "close", "volume_listed", "amount_listed_low")
    composite = events["price"][events["kind"] == EventKind.COMPOSITE_CLOSED].tolist()
    return [tuple(int(row[name]) for name in names) for row in rows], composite


@both_cores
def test_close_is_the_mean_weighted_by_tonnes(make_core: Callable[..., Any]) -> None:
    """The vector of RULEBOOK section 15 (CEA-LST-08)."""
    market = market_of(make_core, 9749)
    for price, tonnes in ((9750, 1_000), (9749, 99_999), (9801, 7)):
        trade(market, 0, price, tonnes)
    amount = 9750 * 1_000 + 9749 * 99_999 + 9801 * 7
    assert closes_of(market)[0] == [(9750, 9801, 9749, 9749, 101_006, amount)]
    assert market.product(0)["reference_price"] == 9749


@both_cores
@pytest.mark.parametrize(
    ("trades", "close"),
    [
        ([(100, 1), (101, 1)], 101),
        ([(100, 2), (101, 1)], 100),
        ([(100, 1), (101, 2)], 101),
        ([(99, 1), (100, 1)], 100),
        ([(99, 3), (100, 1), (98, 4)], 99),
    ],
)
def test_close_is_rounded_half_up(
    make_core: Callable[..., Any], trades: list[tuple[int, int]], close: int
) -> None:
    """Exactly a half goes up."""
    market = market_of(make_core, 100)
    for price, tonnes in trades:
        trade(market, 0, price, tonnes)
    assert closes_of(market)[0][0][3] == close


@both_cores
def test_day_without_trades_carries_the_close(make_core: Callable[..., Any]) -> None:
    """Open and close are the previous close, high and low are none."""
    market = market_of(make_core, 9749, 100)
    trade(market, 1, 103, 5)
    assert closes_of(market) == (
        [(9749, 0, 0, 9749, 0, 0), (103, 103, 103, 103, 5, 515)],
        [4926],
    )
    market.day_open(20250717)
    assert market.product(1)["band_low"] == 93
    assert closes_of(market)[0] == [(9749, 0, 0, 9749, 0, 0), (103, 0, 0, 103, 0, 0)]


@both_cores
def test_amount_of_a_day_may_pass_64_bits(make_core: Callable[..., Any]) -> None:
    """The sum of price x tonnes is 128 bits wide in the record and in the mean."""
    rules = {"holdings_checked": False, "listed_band_bp": 0, "block_tonnes_min": 0}
    market = market_of(make_core, 10_000_000, **rules)
    tonnes = (1 << 60) // 10_000_000
    for _ in range(40):
        trade(market, 0, 10_000_000, tonnes)
    events = market.day_close()
    row = events[events["kind"] == EventKind.DAY_CLOSED].view(DAY_CLOSED_DTYPE)[0]
    amount = int(row["amount_listed_low"]) + (int(row["amount_listed_high"]) << 64)
    assert amount == 40 * tonnes * 10_000_000 > 1 << 65
    assert int(row["close"]) == 10_000_000


BANDS = {9749: (8774, 10724), 5296: (4766, 5826), 5746: (5171, 6321), 6999: (6299, 7699), 5: (5, 6)}


@both_cores
@pytest.mark.parametrize(("reference_price", "band"), BANDS.items())
def test_band_is_rounded_half_up(
    make_core: Callable[..., Any], reference_price: int, band: tuple[int, int]
) -> None:
    """The vectors of RULEBOOK section 15 (CEA-LST-02, CEA-LST-03)."""
    product = market_of(make_core, reference_price).product(0)
    assert (product["band_low"], product["band_high"]) == band


@both_cores
@pytest.mark.parametrize(
    ("reference_price", "band"), [(9749, (8775, 10723)), (5, (5, 5)), (10, (9, 11)), (1, (1, 1))]
)
def test_band_may_be_rounded_inward(
    make_core: Callable[..., Any], reference_price: int, band: tuple[int, int]
) -> None:
    """A profile may say so; the reference price itself always lies inside."""
    product = market_of(make_core, reference_price, band_rounding="inward").product(0)
    assert (product["band_low"], product["band_high"]) == band


@pytest.mark.parametrize("rounding", ["half_up", "inward"])
def test_bands_agree_at_every_price(rounding: str) -> None:
    """Both markets draw the same band, for any price and width."""

    @settings(max_examples=60, derandomize=True, database=None)
    @given(st.integers(1, 10_000_000), st.integers(0, 3_000))
    def agree(price: int, width: int) -> None:
        rules = {"listed_band_bp": width, "band_rounding": rounding}
        expected, actual = (market_of(core, price, **rules).product(0) for core in CORES)
        assert expected == actual
        assert 1 <= expected["band_low"] <= price <= expected["band_high"] <= 10_000_000

    agree()


@both_cores
def test_prices_beyond_the_band_are_refused_at_its_edges(make_core: Callable[..., Any]) -> None:
    """At 97.49: 87.74 and 107.24 are the last prices that pass."""
    market = market_of(make_core, 9749)
    commands = np.zeros(4, COMMAND_DTYPE)
    commands["kind"] = CommandKind.ENTER
    commands["side"] = Side.SELL
    commands["account_index"] = 1
    commands["client_order_id"] = (1, 2, 3, 4)
    commands["price"] = (8773, 8774, 10724, 10725)
    commands["tonnes"] = 1
    events = np.zeros(8, EVENT_DTYPE)
    assert market.process(commands, events) == (4, 6)
    answers = [EventKind(kind).name for kind in events["kind"][:6].tolist()]
    assert answers == (
        ["ORDER_REJECTED"] + ["ORDER_ACCEPTED", "ORDER_RESTED"] * 2 + ["ORDER_REJECTED"]
    )

"""Every state that a market can reach is restored and copied, at the limits of amounts too."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.profile import MarketRules, load_profile
from cea_exchange.domain.records import (
    COMMAND_DTYPE,
    EVENT_DTYPE,
    PRODUCT_NONE,
    CommandKind,
    Reason,
    Side,
)
from cea_exchange.matching.reference import ReferenceMarket
from market.listed.test_closing_prices_and_bands import both_cores, market_of, trade
from support.market.drawn_steps import steps_drawn
from support.market.market_flow import Flow, Step
from support.rounds import examples

pytestmark = [pytest.mark.property, pytest.mark.random]

CORES = (ReferenceMarket, CompiledMarket)
AMOUNT_LIMIT = 1 << 60
CASH_EACH = 1 << 60
TONNES_EACH = 1 << 58


def rules_of(profile: str, **changes: Any) -> MarketRules:
    """The rules that a profile began with, without its notices and with room for few orders."""
    rules = load_profile(profile).rules
    return replace(rules, changes=(), order_count_max=64, **changes)


RULES = {
    "hubei": rules_of("hubei"),
    "hubei_unchecked": rules_of("hubei", holdings_checked=False, listed_band_bp=0),
    "ccer": rules_of("ccer", close_trades_last=32),
}


class FlowAtLimits(Flow):
    """Acts of rich accounts, most of them of amounts next to the limit of an order."""

    def __init__(self, rules: MarketRules) -> None:
        super().__init__(CORES, rules)
        for account_index in range(6):
            if account_index < 3:
                self.do("deposit", account_index, PRODUCT_NONE, CASH_EACH, 0)
            for product_index in range(3):
                self.do("deposit", account_index, product_index, TONNES_EACH, 0)

    @staticmethod
    def _tonnes_of(step: Step, price: int) -> int:
        """The most tonnes that an order may have, fewer, or one more."""
        most = (AMOUNT_LIMIT - 1) // max(price, 1)
        return (most, most, most - 1, most // 2, most // 2, most // 3, 7, most + 1)[step.tonnes % 8]

    def _block_tonnes(self, step: Step, price: int) -> int:
        return self._tonnes_of(step, price)

    def _bidding_tonnes(self, step: Step, limit: int) -> int:
        return self._tonnes_of(step, limit)

    def take(self, step: Step) -> None:
        """Do what a step says; both cores' states must then be restored and copied by both."""
        super().take(step)
        hashed = self.market.state_hash()
        for core in self.cores:
            data = core.snapshot()
            others = [make.from_snapshot(self.rules, data) for make in CORES]
            for other in (*others, core.copy()):
                other.check()
                assert other.state_hash() == hashed
                assert other.snapshot() == data


@pytest.mark.parametrize("rules_name", RULES)
def test_every_reachable_state_is_restored_and_copied(rules_name: str) -> None:
    """Whatever acts came, of whatever amounts."""

    @settings(max_examples=examples(5), derandomize=True, database=None)
    @given(steps_drawn(20, 60))
    def restored(steps: list[Step]) -> None:
        flow = FlowAtLimits(RULES[rules_name])
        flow.run(steps)

    restored()


@both_cores
@pytest.mark.parametrize("price", [1, 3, 64, 100, 9_749, 10_000_000])
def test_the_largest_trade_is_one_that_a_close_is_made_of(
    make_core: Callable[..., Any], price: int
) -> None:
    """PLT-PRC-04, CEA-ORD-04: what a market takes, a market that is restored has taken too."""
    market = market_of(
        make_core, price, close_trades_last=10, holdings_checked=False, block_tonnes_min=1 << 60
    )
    trade(market, 0, price, (AMOUNT_LIMIT - 1) // price)
    copied = market.copy()
    copied.check()
    assert copied.state_hash() == market.state_hash()
    assert np.array_equal(copied.day_close(), market.day_close())


@pytest.mark.parametrize("last", [1, 2, 10])
def test_trades_at_the_bound_are_restored_copied_and_closed_of(last: int) -> None:
    """PLT-PRC-04, CEA-ORD-04: floor(2^60 / price) tonnes or next to it, at any price, really trade.

    One tonne beyond the bound is refused, and changes nothing.
    """
    amounts = st.tuples(st.integers(1, 10_000_000), st.lists(st.integers(0, 3), min_size=1))

    @settings(max_examples=examples(60), derandomize=True, database=None)
    @given(amounts)
    def traded(drawn: tuple[int, list[int]]) -> None:
        price, fewer = drawn
        most = (AMOUNT_LIMIT - 1) // price
        tonnes = [most, *(max(most - less, 1) for less in fewer[:11])]
        rules = {"close_trades_last": last, "holdings_checked": False, "listed_band_bp": 0}
        markets = [market_of(core, price, block_tonnes_min=AMOUNT_LIMIT, **rules) for core in CORES]
        for each in tonnes:
            for market in markets:
                trade(market, 0, price, each)
            _same_when_restored(markets)
        assert [_refused(market, price, most + 1) for market in markets] == [True, True]
        assert [market.product(0)["volume"] for market in markets] == [sum(tonnes)] * 2
        closes = [market.day_close() for market in markets]
        assert np.array_equal(*closes)
        _same_when_restored(markets)

    traded()


def _refused(market: Any, price: int, tonnes: int) -> bool:
    """Enter an order beyond the bound; return whether it was refused for its amount."""
    command = np.zeros(1, COMMAND_DTYPE)
    command["kind"], command["side"], command["account_index"] = CommandKind.ENTER, Side.SELL, 1
    command["client_order_id"] = market.command_seq + 1
    command["price"], command["tonnes"] = price, tonnes
    events = np.zeros(1, EVENT_DTYPE)
    assert market.process(command, events) == (1, 1)
    return int(events["reason"][0]) == Reason.AMOUNT_TOO_LARGE


def _same_when_restored(markets: list[Any]) -> None:
    """Both cores are in one state, and each takes the other's snapshot and its own."""
    data = markets[0].snapshot()
    hashed = markets[0].state_hash()
    for market in markets:
        assert market.snapshot() == data
        for other in (*(make.from_snapshot(market.rules, data) for make in CORES), market.copy()):
            other.check()
            assert other.state_hash() == hashed
            assert other.snapshot() == data

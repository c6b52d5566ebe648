"""Bulletins of random days of every method say what was traded, whatever comes."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.documents.bulletin import Bulletin, BulletinBuilder
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import EventKind, Method, Reason
from support.market.drawn_steps import steps_drawn
from support.market.market_flow import REFERENCE_PRICES, RULES, Flow, Step

pytestmark = pytest.mark.property

PRODUCTS = ("CEA23", "CEA24", "CEA25")
steps_strategy = steps_drawn(60, 140)


def traded_by_day(events: np.ndarray) -> dict[int, Counter]:
    """Tonnes by product and method, of each day, less what was busted on its own day."""
    days: dict[int, Counter] = {}
    made_on: dict[int, int] = {}
    for row in events:
        kind, date = int(row["kind"]), int(row["trading_date"])
        key = PRODUCTS[row["product_index"] % 3], Method(int(row["method"]) or 1)
        if kind == EventKind.TRADE:
            made_on[int(row["trade_id"])] = date
            days.setdefault(date, Counter())[key] += int(row["tonnes"])
        elif kind == EventKind.TRADE_BUSTED and row["reason"] == Reason.NONE:
            if date and made_on[int(row["trade_id"])] == date:
                days[date][key] -= int(row["tonnes"])
    return days


@pytest.mark.parametrize("rules_name", list(RULES))
def test_a_bulletin_says_what_was_traded(rules_name: str) -> None:
    """CEA-INF-01, of listed trading, blocks, biddings, busts and delistings, in any pieces."""

    @settings(
        max_examples=10,
        derandomize=True,
        database=None,
    )
    @given(steps_strategy, st.integers(1, 40))
    def holds(steps: list[Step], size: int) -> None:
        flow = Flow((CompiledMarket,), RULES[rules_name])
        for step in steps:
            # Every event must be there to be counted.
            flow.take(step._replace(act=step.act | 1))
        if flow.market.day_is_open:
            flow.do("day_close")
        events, builder = flow.events, BulletinBuilder(load_profile("cea"))
        for product, price in zip(PRODUCTS, REFERENCE_PRICES, strict=True):
            builder.declare(product, price)
        bulletins: list[Bulletin] = []
        for first in range(0, len(events), size):
            bulletins += builder.take_records(events[first : first + size])
        bulletins += builder.finish()
        held_against(bulletins, traded_by_day(events), RULES[rules_name].open_at_close)

    holds()


def held_against(
    bulletins: list[Bulletin], days: dict[int, Counter], open_at_close: bool = False
) -> None:
    total: Counter = Counter()
    for bulletin in bulletins:
        traded = days.pop(bulletin.trading_date, Counter())
        total += traded
        for quote in bulletin.products:
            for method in Method:
                assert quote.day.of(method).volume == traded.pop((quote.code, method), 0)
                assert quote.total.of(method).volume == total[quote.code, method]
            if quote.high is None:
                assert quote.day.listed.volume == 0 and quote.open == quote.last_close
            else:
                # PLT-PRC-01: until the profile's rules change, a day opens at the close before.
                is_close = open_at_close and quote.open == quote.last_close
                assert is_close or quote.low <= quote.open <= quote.high
                assert quote.low <= quote.high
        assert not +traded
        composite = bulletin.composite
        assert composite.total.total.volume == sum(total.values())
        if composite.high is not None:
            assert composite.low <= composite.high
    assert not any(+traded for traded in days.values())

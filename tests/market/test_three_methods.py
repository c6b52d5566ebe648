"""Listed, block and bidding trades mixed, over days and restarts: what a registry would check.

An auditor keeps books of its own from the events alone, as a registry does from its stream, and
compares them with the market's: the invariants of the rulebook that concern the market.
"""

from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.records import (
    DAY_CLOSED_DTYPE,
    PRODUCT_NONE,
    EventKind,
    Method,
    Phase,
    Side,
)
from cea_exchange.matching.reference import ReferenceMarket
from support.market.drawn_steps import steps_drawn
from support.market.market_flow import (
    ACCOUNT_COUNT,
    REFERENCE_PRICES,
    Flow,
    Step,
    rules_make,
    steps_seeded,
)

pytestmark = pytest.mark.property

RULES = rules_make(
    name="mixed", block_tonnes_min=20, bidding_tonnes_min=20, fee_bp=37, fee_min_fen=50
)
BUSTS = (249, 255)
"""Acts of a flow that undo trades: they have tests of their own."""
BANDS = {Method.LISTED: "band", Method.BLOCK: "block_band"}

steps_strategy = steps_drawn(60, 110)


class Auditor:
    """Balances, today's purchases and the day's sums, from events."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.cash = Counter[int]()
        self.tonnes = Counter[tuple[int, int]]()
        self.bought = Counter[tuple[int, int]]()
        self.closes = dict(enumerate(REFERENCE_PRICES))
        self.listed: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self.volumes = Counter[tuple[int, Method]]()
        self.settled: dict[str, int] = {"trade_id": 0, "settlement_seq": 0}
        self.paid_in = self.fees = 0
        self.methods = Counter[Method]()
        self.place = 0

    def follow(self) -> None:
        """Take the events that came since, and compare."""
        for rows in self.flow.events_all[self.place :]:
            for index, event in enumerate(rows):
                self._take(event, rows[index : index + 1])
        self.place = len(self.flow.events_all)
        self._compare(self.flow.market)

    def _take(self, event: np.void, row: np.ndarray) -> None:
        kind, product = EventKind(int(event["kind"])), int(event["product_index"])
        if event["settlement_seq"]:
            # The stream has no gap and no repeat: each deal settles exactly once (8).
            assert int(event["settlement_seq"]) == self.settled["settlement_seq"] + 1
            self.settled["settlement_seq"] += 1
        if kind in (EventKind.DEPOSITED, EventKind.WITHDRAWN):
            sign = 1 if kind == EventKind.DEPOSITED else -1
            account = int(event["account_index"])
            if product == PRODUCT_NONE:
                self.cash[account] += sign * int(event["cash"])
                self.paid_in += sign * int(event["cash"])
            else:
                self.tonnes[account, product] += sign * int(event["tonnes"])
        elif kind == EventKind.TRADE:
            self._settle(event, product)
        elif kind == EventKind.DAY_OPENED:
            self.bought.clear()
            self.listed.clear()
            self.volumes.clear()
        elif kind in (EventKind.REFERENCE_PRICE_CHANGED, EventKind.PRODUCT_LISTED):
            self.closes[product] = int(event["price"])
        elif kind == EventKind.DAY_CLOSED:
            self._day_check(row.view(DAY_CLOSED_DTYPE)[0], product)

    def _settle(self, event: np.void, product: int) -> None:
        """Both legs of a deal; what is sold was neither locked elsewhere nor bought today (4)."""
        assert int(event["trade_id"]) == self.settled["trade_id"] + 1
        self.settled["trade_id"] += 1
        method, tonnes, price = (int(event[name]) for name in ("method", "tonnes", "price"))
        parties = [int(event["account_index"]), int(event["counter_account_index"])]
        buyer, seller = parties if event["side"] == Side.BUY else parties[::-1]
        fees = int(event["buy_fee"]), int(event["sell_fee"])
        assert int(event["cash"]) == price * tonnes
        self.cash[buyer] -= price * tonnes + fees[0]
        self.cash[seller] += price * tonnes - fees[1]
        self.fees += sum(fees)
        self.tonnes[buyer, product] += tonnes
        self.bought[buyer, product] += tonnes
        self.tonnes[seller, product] -= tonnes
        assert self.tonnes[seller, product] >= self.bought[seller, product]
        self.methods[Method(method)] += 1
        self.volumes[product, Method(method)] += tonnes
        self._terms_check(Method(method), product, price, tonnes)

    def _terms_check(self, method: Method, product: int, price: int, tonnes: int) -> None:
        """Every price in its band, listed deals small, blocks large (5)."""
        rules, shown = self.flow.rules, self.flow.market.product(product)
        if method in BANDS:
            assert shown[f"{BANDS[method]}_low"] <= price <= shown[f"{BANDS[method]}_high"]
        if method == Method.LISTED:
            assert tonnes < rules.block_tonnes_min
            self.listed[product].append((price, tonnes))
        elif method == Method.BLOCK:
            assert tonnes >= rules.block_tonnes_min

    def _day_check(self, day: np.void, product: int) -> None:
        """The close is the listed deals' mean, half up; blocks and biddings never move it (6)."""
        deals = self.listed[product]
        volume = sum(tonnes for _, tonnes in deals)
        if volume:
            amount = sum(price * tonnes for price, tonnes in deals)
            self.closes[product] = (2 * amount + volume) // (2 * volume)
        assert int(day["close"]) == self.closes[product]
        assert int(day["high"]) == max((price for price, _ in deals), default=0)
        for method in Method:
            assert int(day[f"volume_{method.name.lower()}"]) == self.volumes[product, method]

    def _compare(self, market: Any) -> None:
        """Holdings and cash as the market has them, what is locked within (1, 2, 3)."""
        market.check()
        accounts = [market.account(index) for index in range(ACCOUNT_COUNT)]
        for index, account in enumerate(accounts):
            assert account["cash"] == self.cash[index]
            assert 0 <= account["cash_locked"] <= account["cash"]
            for product in range(len(REFERENCE_PRICES)):
                tonnes, locked, bought = account["holdings"].get(product, (0, 0, 0))
                assert tonnes == self.tonnes[index, product]
                assert bought == self.bought[index, product]
                assert 0 <= locked <= tonnes - bought
        assert sum(account["cash"] for account in accounts) + self.fees == self.paid_in


def run(steps: list[Step]) -> Auditor:
    """Take steps; now and then the market goes on as the other core, from a snapshot."""
    flow = Flow((CompiledMarket,), RULES)
    auditor = Auditor(flow)
    for count, step in enumerate(steps, start=1):
        # Odd acts tell all their events, which the books need.
        flow.take(step._replace(act=227 if step.act | 1 in BUSTS else step.act | 1))
        auditor.follow()
        if count % 20 == 0:
            other = (ReferenceMarket, CompiledMarket)[count // 20 % 2]
            flow.cores = [other.from_snapshot(flow.rules, flow.market.snapshot())]
        if count % 35 == 0 and flow.market.day_is_open:
            flow.do("day_close")
            auditor.follow()
            flow._day_next()
            flow.do("phase_set", int(Phase.LISTED_AND_BLOCK))
    return auditor


def test_the_books_of_an_auditor_are_the_markets() -> None:
    """Invariants 1 to 6 and 8, after every act of any sequence, over days and restarts."""

    @settings(
        max_examples=12,
        derandomize=True,
        database=None,
    )
    @given(steps_strategy)
    def audited(steps: list[Step]) -> None:
        run(steps)

    audited()


def test_all_methods_trade_in_one_flow() -> None:
    """The sequences above would prove nothing of a method that never trades."""
    methods = sum((run(steps_seeded(seed, 400)).methods for seed in range(81, 88)), Counter())
    assert all(methods[method] > 5 for method in Method), methods

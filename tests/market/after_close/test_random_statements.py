"""Statements of random days of every method hold to the fen, whatever comes."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.documents.statement import (
    Holding,
    Position,
    Statement,
    StatementBuilder,
    opening_of,
    steps_of_reports,
)
from cea_exchange.domain.records import EVENT_DTYPE, EventKind
from cea_exchange.venue._reports import reports_by_account
from support.market.drawn_steps import steps_drawn
from support.market.market_flow import ACCOUNT_COUNT, RULES, Flow, Step, steps_seeded

pytestmark = pytest.mark.property

PRODUCTS = ("CEA23", "CEA24", "CEA25")
steps_strategy = steps_drawn(60, 140)


class StatedFlow(Flow):
    """A flow whose accounts get statements as its days close, held against the market."""

    def __init__(self, rules: Any):
        self.builders = [StatementBuilder(f"a{index}") for index in range(ACCOUNT_COUNT)]
        self.statements: list[list[Statement]] = [[] for _ in range(ACCOUNT_COUNT)]
        self.steps: list[list[Any]] = [[] for _ in range(ACCOUNT_COUNT)]
        super().__init__((CompiledMarket,), rules)

    def answer(self, name: str, *arguments: Any) -> None:
        """Do an act, and take what came of it into the statements."""
        known = len(self.events_all)
        super().answer(name, *arguments)
        for rows in self.events_all[known:]:
            for account, payload in reports_by_account(rows):
                reports = np.frombuffer(payload, EVENT_DTYPE)
                for step in steps_of_reports(reports, account, PRODUCTS):
                    self.builders[account].take(step)
                    self.steps[account].append(step)
            closed = rows[rows["kind"] == EventKind.DAY_CLOSED]
            if len(closed):
                date = int(closed["trading_date"][0])
                for index, builder in enumerate(self.builders):
                    statement = builder.close(date, self.position(index))
                    self.statements[index].append(statement)

    def position(self, index: int) -> Position:
        """What the market says an account has."""
        held = self.market.account(index)
        holdings = {PRODUCTS[key]: Holding(*figures) for key, figures in held["holdings"].items()}
        return Position(held["cash"], held["cash_locked"], holdings)


@pytest.mark.parametrize("rules_name", [name for name in RULES if name != "open"])
def test_opening_and_movements_give_the_closing(rules_name: str) -> None:
    """CEA-INF-03, with listed trading, blocks, transfers, busts, fees, over several days."""

    @settings(
        max_examples=12,
        derandomize=True,
        database=None,
    )
    @given(steps_strategy)
    def holds(steps: list[Step]) -> None:
        flow = StatedFlow(RULES[rules_name])
        for step in steps:
            # Every event must be there to be counted.
            flow.take(step._replace(act=step.act | 1))
        if not flow.market.day_is_open:
            flow._day_next()
        flow.do("day_close")
        for index, statements in enumerate(flow.statements):
            follow_each_other_check(statements)
            position = flow.position(index)
            assert opening_of(position, flow.steps[index]) == Position()
            assert statements[-1].closing.cash == position.cash
            locks = [lock for each in statements for lock in each.locks]
            assert all(0 <= lock.traded <= lock.tonnes for lock in locks)
            assert all(lock.end != "open" for lock in locks)

    holds()


def follow_each_other_check(statements: list[Statement]) -> None:
    """A day opens with what the last one closed with, nothing locked, all sellable."""
    assert statements[0].opening == Position()
    for earlier, later in itertools.pairwise(statements):
        assert later.opening.cash == earlier.closing.cash
        held = {name: Holding(each.tonnes) for name, each in earlier.closing.holdings.items()}
        assert later.opening.holdings == held
    for statement in statements:
        statement.check()
        assert statement.closing.cash_locked == 0
        assert not any(held.locked for held in statement.closing.holdings.values())


@pytest.mark.parametrize("rules_name", ["cea", "fees", "blocks", "biddings", "mixed"])
def test_random_days_have_what_they_are_to_test(rules_name: str) -> None:
    flow = StatedFlow(RULES[rules_name])
    for step in steps_seeded(5, 2_500):
        flow.take(step._replace(act=step.act | 1))
    statements = [each for of_account in flow.statements for each in of_account]
    kinds = {each.kind for statement in statements for each in statement.movements}
    assert kinds == {"trade", "trade_busted", "deposited", "withdrawn"}
    ends = {lock.end for statement in statements for lock in statement.locks}
    assert {"filled", "REQUESTED", "order_expired"} <= ends
    assert any(h.bought_today for s in statements for h in s.closing.holdings.values())
    assert len(flow.statements[0]) > 5
    methods = {each.method for statement in statements for each in statement.movements}
    if rules_name in ("blocks", "mixed"):
        assert "block" in methods
    if rules_name in ("biddings", "mixed"):
        assert "bidding" in methods
    if rules_name != "cea":
        assert any(each.fees for each in statements)

"""Balances in memory: whatever is taken back is as it was, at every level."""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cea_exchange.ledger.balances import Balances
from cea_exchange.ledger.double_entry import AMOUNT_LIMIT, CASH_ASSET, Compartment, Holding

TRADING = int(Compartment.TRADING)
accounts = st.integers(-4, 9)
assets = st.sampled_from([CASH_ASSET, 0, 1, 5])
compartments = st.sampled_from([1, TRADING])


class Levels(RuleBasedStateMachine):
    """Balances beside a stack of plain dicts."""

    def __init__(self):
        super().__init__()
        self.balances = Balances()
        self.levels = [{}]

    @rule(account=accounts, asset=assets, compartment=compartments, amount=st.integers(0, 99))
    def update(self, account, asset, compartment, amount):
        holding = Holding(account, asset, compartment)
        self.balances.update({holding: amount})
        self.levels[-1][holding] = amount

    @rule(
        trades=st.lists(
            st.tuples(st.integers(0, 9), st.integers(1, 9), st.sampled_from([0, 1, 5])).flatmap(
                lambda key: st.tuples(st.just(key), st.integers(1, 9), st.integers(0, 9))
            ),
            min_size=1,
            max_size=6,
        )
    )
    def trades_apply(self, trades):
        """One after the other, all or none."""
        after = dict(self.levels[-1])
        fits = True
        rows = []
        for (buyer, step, product), tonnes, cash in trades:
            seller = (buyer + step) % 10
            rows.append((buyer, seller, product, tonnes, cash, max(0, cash - 1)))
            for account, asset, amount in (
                (buyer, CASH_ASSET, -cash),
                (seller, CASH_ASSET, max(0, cash - 1)),
                (seller, product, -tonnes),
                (buyer, product, tonnes),
            ):
                holding = Holding(account, asset, TRADING)
                after[holding] = after.get(holding, 0) + amount
                fits = fits and after[holding] >= 0
        columns = np.array(rows, np.int64).T
        assert fits == self.balances.trades_apply(*columns)
        if fits:
            self.levels[-1] = after

    @rule()
    def level_begin(self):
        self.balances.level_begin()
        self.levels.append(dict(self.levels[-1]))

    @precondition(lambda self: len(self.levels) > 1)
    @rule()
    def level_keep(self):
        self.balances.level_keep()
        self.levels[-2:] = [self.levels[-1]]

    @precondition(lambda self: len(self.levels) > 1)
    @rule()
    def level_undo(self):
        self.balances.level_undo()
        del self.levels[-1]

    @invariant()
    def same(self):
        held = sorted((*holding, amount) for holding, amount in self.levels[-1].items() if amount)
        assert held == self.balances.rows()
        for holding, amount in self.levels[-1].items():
            assert amount == self.balances[holding]


TestLevels = Levels.TestCase
TestLevels.settings = settings(max_examples=60, stateful_step_count=30)


def test_a_holding_stays_below_its_limit_though_sums_wrap():
    balances = Balances()
    most = AMOUNT_LIMIT - 1
    balances.update({Holding(0, CASH_ASSET, TRADING): most, Holding(1, 0, TRADING): most})
    one = [np.array([value], np.int64) for value in (0, 1, 0, 1, most, most)]
    assert balances.trades_apply(*one)
    assert balances[Holding(1, CASH_ASSET, TRADING)] == most
    more = [np.array([value, value], np.int64) for value in (2, 3, 0, 1, 0, most)]
    balances.update({Holding(3, 0, TRADING): 2})
    assert not balances.trades_apply(*more)

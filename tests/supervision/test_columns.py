"""Columns say what the market itself says: the book, what ended how, holdings."""


import numpy as np
import pytest

from cea_exchange.domain.records import Side
from cea_exchange.supervision.columns.book import LevelsAt
from cea_exchange.supervision.columns.holdings import holding_changes
from cea_exchange.supervision.columns.market import Columns
from cea_exchange.supervision.columns.sums import running_sums
from cea_exchange.supervision.tape import control_groups
from support.supervision.market_days import PRODUCT, MarketDays
from support.supervision.random_days import random_day

pytestmark = pytest.mark.property

@pytest.mark.parametrize("seed", range(6))
def test_steps_add_up_to_the_book_that_the_market_has(seed):
    days, seen = random_day(seed)
    columns = Columns(days.tape())
    for side in (Side.BUY, Side.SELL):
        levels = LevelsAt(columns, 0, side)
        for moment in seen:
            levels.move(moment["row"])
            prices, tonnes = levels.best(100)
            expected = [(price, open_there) for price, open_there, _ in moment[side]]
            assert list(zip(prices.tolist(), tonnes.tolist(), strict=True)) == expected


@pytest.mark.parametrize("seed", range(3))
def test_holdings_change_to_what_accounts_have(seed):
    days, _ = random_day(seed)
    columns = Columns(days.tape())
    changes = holding_changes(columns)
    for index, account in enumerate(columns.tape.accounts):
        held = days.market.account(account).holdings[PRODUCT].tonnes
        assert int(changes["tonnes"][changes["account"] == index].sum()) == held


def test_an_order_says_how_it_ended():
    days = MarketDays("A", "B")
    days.at("09:31:00")
    gone = days.enter("A", "sell", "90.00", 50)
    days.enter("B", "buy", "90.00", 20)
    days.cancel("A", gone)
    days.enter("A", "sell", "91.00", 10)
    days.close()
    orders = Columns(days.tape()).orders
    assert orders["canceled"].tolist() == [30, 0, 0]
    assert orders["is_canceled"].tolist() == [True, False, False]


def test_a_trade_that_was_undone_is_none():
    days = MarketDays("A", "B")
    days.at("09:31:00")
    days.deal("A", "B", "90.00", 50)
    days.deal("A", "B", "90.00", 70)
    trade = days.tape().events[-1:].tobytes()
    days.market.core.trade_bust(trade)
    days.close()
    assert Columns(days.tape()).trades["tonnes"].tolist() == [50]


def test_one_will_is_a_declared_group_and_what_links_say():
    """Rules: CEA-SVL-02."""
    wills = control_groups(("A", "B", "C", "D"), ("", "G", "G", ""), (("D", "C"),))
    assert wills[1] == wills[2] == wills[3] != wills[0]
    with pytest.raises(ValueError, match="link: expected accounts of this market, got 'X'"):
        control_groups(("A",), ("",), (("A", "X"),))


def test_running_sums_are_those_of_a_loop():
    draw = np.random.default_rng(1)
    keys, values = draw.integers(0, 5, 200), draw.integers(-9, 9, 200)
    sums = running_sums(keys, np.arange(200), values)
    for key in range(5):
        for first, last in ((0, 199), (10, 20), (50, 50), (198, 230)):
            rows = np.arange(200)
            mine = (keys == key) & (rows >= first) & (rows <= last)
            found = sums.between(np.array([key]), np.array([first]), np.array([last]))
            assert found[0] == values[mine].sum()

"""Who holds much: by will, over accounts and vintages; RB3's example 14."""

import pytest

from cea_exchange.supervision.columns.market import Columns
from cea_exchange.supervision.large_holders import holders, limit_of
from cea_exchange.supervision.limits import limits_packaged
from cea_exchange.supervision.patterns.context import Context, Facts
from support.supervision.market_days import MarketDays


def context_of(days: MarketDays, **facts) -> Context:
    known = Facts(**facts)
    return Context(Columns(days.tape(), known.links), limits_packaged(), known)


@pytest.mark.parametrize(
    ("tonnes", "must_report", "exceeds"),
    [
        (799_999, False, False),
        (800_000, True, False),
        (1_000_000, True, False),
        (1_000_001, True, True),
    ],
)
def test_reaching_four_fifths_reports_and_reaching_the_limit_does_not_exceed_it(
    tonnes, must_report, exceeds
):
    """CEA-SVL-21, CEA-SVL-22."""
    days = MarketDays("A", tonnes=tonnes)
    (holder,) = holders(context_of(days, holding_limit_tonnes=1_000_000))
    assert (holder.must_report, holder.exceeds) == (must_report, exceeds)


def test_a_firms_allocation_counts_on_top():
    """CEA-SVL-22: Beijing's rules of 2014, 2,400,000 t allocated."""
    context = context_of(
        MarketDays("A:G", "B:G", "C"),
        holding_limit_tonnes=1_000_000,
        allocation_tonnes={"A": 2_000_000, "B": 400_000},
    )
    assert limit_of(context, ("A", "B")) == 3_400_000
    assert limit_of(context, ("C",)) == 1_000_000


def test_accounts_of_one_will_vintages_and_open_buys_add_up():
    """CEA-SVL-22."""
    days = MarketDays("A:G", "B:G", "C", "D", tonnes=100_000)
    days.play(cmd="product", product="CEA23", reference_price="80.00")
    days.play(cmd="deposit", account="C", product="CEA23", tonnes=50_000)
    days.at("10:00:00")
    order = days.enter("A", "buy", "89.00", 30_000)
    days.deal("D", "B", "90.00", 20_000)
    found = {h.accounts: h.tonnes for h in holders(context_of(days, links=(("A", "C"),)))}
    assert found == {("A", "B", "C"): 400_000, ("D",): 80_000}
    days.cancel("A", order)
    found = {h.accounts: h.tonnes for h in holders(context_of(days, links=(("A", "C"),)))}
    assert found == {("A", "B", "C"): 370_000, ("D",): 80_000}


def test_without_a_limit_nobody_reports():
    (holder,) = holders(context_of(MarketDays("A", tonnes=9_000_000)))
    assert (holder.limit, holder.must_report, holder.exceeds) == (0, False, False)

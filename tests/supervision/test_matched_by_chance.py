"""Matched orders and chance: busy accounts match now and then, two who collude too often."""

import random
from fractions import Fraction

import pytest

from cea_exchange.supervision.patterns.matched import _rare_from
from support.supervision.market_days import MarketDays, clock

SIZES = (100, 200, 500)


def busy_day(
    seed: int, *, times: int = 0, who: tuple[str, str] = ("X", "Y"), orders: int = 600
) -> MarketDays:
    """Every 24 s somebody sells one of three sizes, and somebody buys one of them 2 s later.

    The two in `who` do the same with each other so many times more, in between.
    """
    draw = random.Random(seed)
    names = [f"H{number:02}" for number in range(8)]
    days = MarketDays(*names, "X", "Y")

    def deal(second: int, seller: str, buyer: str, offered: int, bought: int) -> None:
        days.at(clock(second))
        order = days.enter(seller, "sell", "90.00", offered)
        days.at(clock(second + 2))
        days.enter(buyer, "buy", "90.00", bought, tif="ioc")
        days.cancel(seller, order)

    for number in range(orders):
        deal(number * 24, *draw.sample(names, 2), draw.choice(SIZES), draw.choice(SIZES))
        if number % 10 == 5 and number // 10 < times:
            deal(number * 24 + 12, *who, 150, 150)
    days.close()
    return days


def test_accounts_that_trade_all_day_match_by_chance_and_that_is_no_alert():
    """Rules: CEA-SVL-05. Many pairs match three times and more, and each is as busy as the rest."""
    for seed in range(4):
        days = busy_day(seed)
        assert [a for a in days.alerts("matched_orders") if a.grade != "watch"] == []


def test_two_who_collude_among_the_busy_are_found_by_what_chance_gives_them():
    """Rules: CEA-SVL-05. Who does nothing else needs three times, who trades all day needs more."""
    for who, times, found in (
        (("X", "Y"), 2, False),
        (("X", "Y"), 3, True),
        (("H00", "H01"), 3, False),
        (("H00", "H01"), 30, True),
    ):
        alerts = busy_day(9, times=times, who=who).alerts("matched_orders")
        graver = [alert for alert in alerts if alert.grade != "watch"]
        assert [alert.accounts for alert in graver] == [who] * found, (who, times)
        for alert in graver:
            assert alert.figures[0].value >= alert.figures[0].threshold
            assert (alert.figures[0].threshold == 3) == (who == ("X", "Y"))


@pytest.mark.parametrize(
    ("mean", "allowed", "expected"),
    [
        # Of the Poisson tables: P(N >= 1 | 0.001) = 0.0009995, P(N >= 2 | 0.1) = 0.00468.
        ("0.001", "1/1000", 1),
        ("0.001", "1/1100", 2),
        ("0.1", "1/200", 2),
        ("0.1", "1/220", 3),
        # P(N >= 24 | 10) = 0.000118 and P(N >= 25 | 10) = 0.000047.
        ("10", "1/10000", 25),
        ("0", "1/1000000", 1),
        # Beyond the largest mean that is summed it is a bound: 1,150 would be enough by tables.
        ("1000", "1/1000000", 1173),
    ],
)
def test_the_number_that_chance_reaches_too_seldom(mean, allowed, expected):
    assert _rare_from(Fraction(mean), Fraction(allowed)) == expected

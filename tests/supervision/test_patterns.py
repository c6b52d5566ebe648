"""Each pattern at its thresholds: found there, and not a step before."""

import pandas as pd
import pytest

from cea_exchange.supervision.limits import LimitsError, limits_packaged, limits_parse
from cea_exchange.supervision.patterns.context import Facts
from cea_exchange.supervision.surveillance import PATTERNS, not_looked_for, surveil
from support.supervision.market_days import PRODUCT, MarketDays, figures

NEXT_DAY = "2025-07-17"


def grades(alerts):
    return [alert.grade for alert in alerts]


# -- Within a group --------------------------------------------------------------------------------


def washed(times: int, tonnes: int, *, elsewhere: int = 0) -> MarketDays:
    days = MarketDays("A:G", "B:G", "O", "P")
    days.at("10:00:00")
    for _ in range(5):
        days.deal("O", "P", "90.00", 90_000)
    for _ in range(times):
        days.deal("A", "B", "90.00", tonnes // times)
    for account in ("A", "B") if elsewhere else ():
        days.deal("O", account, "90.00", elsewhere)
        days.deal(account, "P", "90.00", elsewhere)
    days.at("14:00:00")
    days.deal("O", "P", "90.00", 10_000)
    days.close()
    return days


@pytest.mark.parametrize(
    ("times", "tonnes", "expected"),
    [
        (1, 60_000, ["alert"]),
        (5, 1_000, ["alert"]),
        (5, 995, ["watch"]),
        (4, 1_000, ["watch"]),
        (3, 3_000, []),
        (5, 700, []),
    ],
)
def test_a_tenth_of_the_day_or_five_trades_of_one_will_are_an_alert(times, tonnes, expected):
    """Rules: CEA-SVL-03."""
    assert grades(washed(times, tonnes).alerts("wash_group")) == expected


def test_two_desks_that_mostly_trade_with_others_meet_by_chance():
    """Rules: CEA-SVL-03. Each of them buys as much elsewhere as it sells."""
    assert grades(washed(6, 6_000, elsewhere=90_000).alerts("wash_group")) == []
    assert grades(washed(6, 6_000, elsewhere=8_000).alerts("wash_group")) == ["alert"]


def test_three_times_each_way_between_accounts_of_one_will_are_an_alert():
    """Rules: CEA-SVL-18."""
    for times, expected in ((3, ["alert"]), (2, [])):
        days = MarketDays("A:G", "B:G")
        days.at("10:00:00")
        for _ in range(times):
            days.deal("A", "B", "90.00", 100)
            days.deal("B", "A", "90.00", 100)
        days.close()
        assert grades(days.alerts("reverse_trades")) == expected


def test_value_that_is_passed_on_over_three_round_trips_is_an_alert_of_strangers_too():
    """Rules: CEA-SVL-18. Each day A buys as blocks 6% over the mean, and sells at it."""
    for price, expected in (("95.40", ["alert"]), ("91.00", [])):
        days = MarketDays("A", "B", "O", "P")
        for number in (14, 15, 16):
            day = f"2025-07-{number}"
            days.at("13:30:00", day)
            days.deal("O", "P", "90.00", 50_000)
            days.block("B", "A", price, 100_000)
            days.block("A", "B", "90.00", 100_000)
            days.close(day)
        assert grades(days.alerts("reverse_trades")) == expected


# -- Windows of days -------------------------------------------------------------------------------


def spread_over(place: int, *deals: tuple[str, str]) -> MarketDays:
    """A and B of one will, and C; all deals but the last on the first day, that one days later."""
    days = MarketDays("A:G", "B:G", "C")
    dates = [f"{date:%Y-%m-%d}" for date in pd.bdate_range("2025-07-01", periods=place + 1)]
    for date in dates:
        days.at("10:00:00", date)
        now = {dates[0]: deals[:-1], dates[-1]: deals[-1:]}.get(date, ())
        for seller, buyer in now:
            days.deal(seller, buyer, "90.00", 5_000)
        days.close(date)
    return days


@pytest.mark.parametrize(
    ("pattern", "days", "deals"),
    [
        ("matched_orders", 20, [("A", "C")] * 3),
        ("reverse_trades", 60, [("A", "B"), ("B", "A")] * 3),
        ("wash_ring", 20, [("A", "B"), ("B", "C"), ("C", "A")]),
    ],
)
def test_deals_within_a_patterns_days_belong_together(pattern, days, deals):
    """Rules: CEA-SVL-04, CEA-SVL-05, CEA-SVL-18: one trading day more is too many."""
    assert grades(spread_over(days - 1, *deals).alerts(pattern)) == ["alert"]
    assert "alert" not in grades(spread_over(days, *deals).alerts(pattern))


@pytest.mark.parametrize(("bought_on", "expected"), [(1, ["alert"]), (19, ["alert"]), (20, [])])
def test_a_corner_is_made_while_the_price_rose_over_twenty_trading_days(bought_on, expected):
    """Rules: CEA-SVL-14: declared at 90.00, 99.00 on the first day, 108.90 from the second on.

    The twentieth day is still measured from 90.00, the twenty-first from 99.00.
    """
    days = MarketDays("X", "O", "P", tonnes=0)
    days.play(cmd="deposit", account="O", product=PRODUCT, tonnes=3_000_000)
    dates = [f"{date:%Y-%m-%d}" for date in pd.bdate_range("2025-11-03", periods=23)]
    for number, date in enumerate(dates):
        days.at("13:30:00", date)
        price = "99.00" if number == 0 else "108.90"
        days.deal("O", "P", price, 100)
        if number == bought_on:
            for _ in range(6):
                days.block("O", "X", price, 100_000)
        days.close(date)
    found = days.alerts("corner", Facts(float_tonnes={PRODUCT: 1_000_000}))
    assert grades(alert for alert in found if alert.accounts == ("X",)) == expected


# -- The limit, floors -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tonnes", "rest_s", "times", "expected"),
    [
        (5_000, 300, 2, ["alert"]),
        (4_000, 300, 2, []),
        (5_000, 299, 2, []),
        (5_000, 300, 1, []),
    ],
)
def test_a_third_of_the_queue_at_the_limit_taken_away_twice(tonnes, rest_s, times, expected):
    """Rules: CEA-SVL-08. Others have 10,000 t in the queue."""
    days = MarketDays("X", "O")
    days.at("09:31:00")
    days.enter("O", "buy", "99.00", 10_000)
    for number in range(times):
        days.at(f"10:{20 * number:02}:00")
        order = days.enter("X", "buy", "99.00", tonnes)
        days.at(f"10:{20 * number + rest_s // 60:02}:{rest_s % 60:02}")
        days.cancel("X", order)
    days.close()
    assert grades(days.alerts("limit_queue")) == expected


@pytest.mark.parametrize(
    ("days_held", "until", "price_step", "expected"),
    [
        (3, "10:31:30", 0, ["alert"]),
        (2, "10:31:30", 0, []),
        (3, "10:10:00", 0, []),
        (3, "10:31:30", 100, []),
    ],
)
def test_most_of_a_side_at_one_price_for_an_hour_on_three_days(
    days_held, until, price_step, expected
):
    """Rules: CEA-SVL-13."""
    days = MarketDays("X", "O")
    for number in range(days_held):
        day = f"2025-07-{14 + number}"
        days.at("09:30:30", day)
        days.enter("O", "buy", "89.00", 9_000)
        price = f"{(8_900 + number * price_step) / 100:.2f}"
        order = days.enter("X", "buy", price, 9_500)
        days.at(until, day)
        days.cancel("X", order)
        days.close(day)
    # O, alone on its side afterwards, is what the rule calls a patient order.
    assert grades(a for a in days.alerts("building") if a.accounts == ("X",)) == expected


# -- How orders are entered ------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "expected"), [(501, ["alert"]), (440, ["watch"]), (300, [])])
def test_five_hundred_orders_that_live_a_second(count, expected):
    """Rules: CEA-SVL-09. Spread over the day, so that no ten minutes have a hundred of them."""
    days = MarketDays("X", "O")
    for number in range(count):
        second = 9 * 3600 + 1860 + number * 13
        if second > 41_400:
            second += 5400
        clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
        days.at(clock)
        order = days.enter("X", "buy", "89.00", 10)
        days.at(f"{clock}.900")
        days.cancel("X", order)
    days.close()
    assert grades(days.alerts("dense_entry")) == expected


@pytest.mark.parametrize(
    ("count", "tonnes", "expected"),
    [(50, 80_000, ["alert"]), (49, 80_000, ["watch"]), (39, 80_000, []), (50, 79_999, [])],
)
def test_fifty_orders_of_nearly_a_block_that_are_taken_away(count, tonnes, expected):
    """Rules: CEA-SVL-09. A listed order has 99,999 t at most, four fifths of that are 79,999.2."""
    days = MarketDays("X", "O")
    for number in range(count):
        days.at(f"{13 + number // 30}:{number % 30 * 2:02}:00")
        order = days.enter("X", "buy", "89.00", tonnes)
        days.at(f"{13 + number // 30}:{number % 30 * 2 + 1:02}:00")
        days.cancel("X", order)
    days.close()
    assert grades(days.alerts("dense_entry")) == expected


@pytest.mark.parametrize(("count", "expected"), [(100, ["alert"]), (79, [])])
def test_a_hundred_orders_in_ten_minutes_without_a_trade(count, expected):
    """Rules: CEA-SVL-09."""
    days = MarketDays("X", "O")
    for number in range(count):
        days.at(f"10:{number * 5 // 60:02}:{number * 5 % 60:02}")
        order = days.enter("X", "buy", "89.00", 10)
        days.at(f"10:{number * 5 // 60:02}:{number * 5 % 60 + 3:02}")
        days.cancel("X", order)
    days.close()
    assert grades(days.alerts("dense_entry")) == expected


@pytest.mark.parametrize(
    ("price", "tonnes", "expected"),
    [("94.50", 10_000, ["alert"]), ("94.40", 10_000, ["watch"]), ("94.50", 7_000, [])],
)
def test_ten_thousand_tonnes_five_percent_off_the_latest_deal(price, tonnes, expected):
    """Rules: CEA-SVL-19."""
    days = MarketDays("X", "O", "P")
    days.at("10:00:00")
    days.deal("O", "P", "90.00", 10)
    days.enter("X", "sell", price, tonnes)
    days.close()
    assert grades(days.alerts("off_price")) == expected


# -- Ramping ---------------------------------------------------------------------------------------


def ramped(*, top: str = "91.80", sold: int = 1_500, sold_at: str = "10:30:00") -> MarketDays:
    """X buys 3,000 t up to a price, and sells some into what it made."""
    days = MarketDays("X", "O", "P")
    days.at("10:00:00")
    days.deal("O", "P", "90.00", 3_000)
    days.at("10:04:00")
    for price in ("90.10", "90.90", top):
        days.enter("O", "sell", price, 1_000)
        days.enter("X", "buy", price, 1_000)
    day = NEXT_DAY if sold_at.startswith("next ") else "2025-07-16"
    days.at(sold_at.removeprefix("next "), day)
    days.deal("X", "P", "90.50", sold)
    days.close(day)
    return days


def test_a_push_of_two_percent_of_which_half_comes_back_is_an_alert():
    """Rules: CEA-SVL-10."""
    (alert,) = ramped().alerts("ramping")
    assert (alert.grade, alert.accounts) == ("alert", ("X",))
    assert figures(alert)["move per mille"] == 20
    assert figures(alert)["traded back per mille"] == 500


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"top": "91.70"}, ["watch"]),
        ({"sold": 1_000}, []),
        ({"sold_at": "10:35:00"}, []),
        ({"sold_at": "next 10:00:00"}, ["alert"]),
    ],
)
def test_a_lesser_push_or_one_that_stays_is_none(changed, expected):
    """Rules: CEA-SVL-10. What is kept is a purchase; the next day is the way back under T+1."""
    assert grades(ramped(**changed).alerts("ramping")) == expected


# -- Blocks and biddings ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "bought_at", "tonnes", "expected"),
    [
        ("A", "13:10:00", 6_000, ["A"]),
        ("A", "13:10:00", 3_000, ["A"]),
        ("A", "13:10:00", 1_100, []),
        ("A", "10:00:00", 6_000, []),
        ("B", "13:10:00", 6_000, []),
        ("O", "13:10:00", 6_000, []),
    ],
)
def test_who_buys_ahead_of_a_block_of_its_own_will(who, bought_at, tonnes, expected):
    """Rules: CEA-SVL-16. B buys the block; A is of its will, and 50,000 t are a mean day."""
    days = MarketDays("A:G", "B:G", "O", "P")
    days.at("10:00:00")
    days.deal("O", "P", "90.00", 50_000)
    days.close()
    days.at(bought_at, NEXT_DAY)
    days.deal("P", who, "90.00", tonnes)
    days.at("13:50:00", NEXT_DAY)
    days.block("P", "B", "90.00", 200_000)
    days.close(NEXT_DAY)
    found = days.alerts("front_running")
    assert [name for alert in found for name in alert.accounts] == expected


def test_a_twentieth_of_a_mean_day_is_enough_where_it_is_all_that_an_account_bought():
    """Rules: CEA-SVL-16."""
    for elsewhere, expected in ((500, ["A"]), (2_000, [])):
        days = MarketDays("A:G", "B:G", "O", "P")
        days.at("10:00:00")
        days.deal("O", "P", "90.00", 50_000)
        days.deal("O", "A", "90.00", elsewhere)
        days.close()
        days.at("13:10:00", NEXT_DAY)
        days.deal("P", "A", "90.00", 2_500)
        days.at("13:50:00", NEXT_DAY)
        days.block("P", "B", "90.00", 200_000)
        days.close(NEXT_DAY)
        found = days.alerts("front_running")
        assert [name for alert in found for name in alert.accounts] == expected


@pytest.mark.parametrize(
    ("sold_back", "elsewhere", "expected"),
    [(1_500, 0, ["X"]), (1_000, 0, []), (3_000, 1_000, []), (0, 0, [])],
)
def test_an_associate_that_nobody_declared_trades_little_else_and_turns_round(
    sold_back, elsewhere, expected
):
    """Rules: CEA-SVL-16. X buys 3,000 t before B's block, and sells some of it after."""
    days = MarketDays("X", "B", "O", "P")
    days.at("10:00:00")
    days.deal("O", "P", "90.00", 50_000)
    if elsewhere:
        days.deal("O", "X", "90.00", elsewhere)
    days.close()
    days.at("13:10:00", NEXT_DAY)
    days.deal("P", "X", "90.00", 3_000)
    days.at("13:50:00", NEXT_DAY)
    days.block("P", "B", "90.00", 200_000)
    days.at("14:20:00", NEXT_DAY)
    if sold_back:
        days.deal("X", "P", "91.00", sold_back)
    days.close(NEXT_DAY)
    graver = [alert for alert in days.alerts("front_running") if alert.grade == "alert"]
    assert [name for alert in graver for name in alert.accounts] == expected


@pytest.mark.parametrize(
    ("price", "back", "expected"),
    [("112.50", True, ["alert"]), ("112.50", False, []), ("109.80", True, ["watch"])],
)
def test_a_block_a_quarter_off_whose_pair_trades_back(price, back, expected):
    """Rules: CEA-SVL-20."""
    days = MarketDays("A", "B", "O", "P")
    days.at("13:30:00")
    days.deal("O", "P", "90.00", 5_000)
    days.block("A", "B", price, 100_000)
    days.close()
    days.at("10:00:00", NEXT_DAY)
    if back:
        days.deal("B", "A", "90.00", 500)
    days.close(NEXT_DAY)
    assert grades(days.alerts("block_edge")) == expected


def bid_in(bids: list[tuple[str, str, int, str]]) -> MarketDays:
    """A bidding of 100,000 t by O: who bids, at which price, how much, when."""
    days = MarketDays("A:G", "B:G", "C", "D", "O")
    days.at("10:00:00")
    terms = {"tonnes": 100_000, "floor": "90.00", "pricing": "uniform"}
    days.play(cmd="bidding_open", id="b", account="O", product=PRODUCT, **terms)
    for number, (account, price, tonnes, time) in enumerate(bids):
        days.at(time)
        days.play(
            cmd="bid", id=f"{number}", bidding="b", account=account, price=price, tonnes=tonnes
        )
    days.at("10:30:00")
    days.play(cmd="bidding_close", id="b")
    days.close()
    return days


def test_accounts_of_one_will_that_win_half_of_a_bidding_together():
    """Rules: CEA-SVL-17."""
    bids = [("A", "95.00", 25_000, "10:01:00"), ("B", "94.00", 25_000, "10:02:00")]
    others = [("C", "93.00", 50_000, "10:03:00")]
    (alert,) = bid_in(bids + others).alerts("bid_ring")
    assert (alert.grade, alert.accounts) == ("alert", ("A", "B"))
    alone = [("A", "95.00", 50_000, "10:01:00"), *others]
    assert bid_in(alone).alerts("bid_ring") == []


def test_three_bids_of_one_price_in_one_second():
    """Rules: CEA-SVL-17."""
    bids = [(name, "95.00", 20_000, "10:01:00.500") for name in ("A", "C", "D")]
    (alert,) = bid_in(bids).alerts("bid_ring")
    assert (alert.grade, alert.accounts) == ("alert", ("A", "C", "D"))
    later = [*bids[:2], ("D", "95.00", 20_000, "10:01:01")]
    assert bid_in(later).alerts("bid_ring") == []


# -- All of them -----------------------------------------------------------------------------------


def test_an_empty_market_has_no_alerts():
    days = MarketDays("A", "B")
    assert surveil(days.tape()) == []
    days.close()
    assert surveil(days.tape(), facts=Facts(holding_limit_tonnes=9_000_000)) == []


def test_each_pattern_has_limits_with_a_rule_of_its_own_and_a_source():
    """Rules: CEA-SVL-01."""
    limits = limits_packaged()
    rules = [getattr(limits, name).rule for name in PATTERNS]
    assert len(set(rules)) == len(PATTERNS)
    assert all(getattr(limits, name).source.startswith("RB3 34.") for name in PATTERNS)


def test_what_facts_are_missing_for_is_said():
    days = MarketDays("A")
    assert [item.pattern for item in not_looked_for(days.tape(), Facts())] == ["corner", "evasion"]
    known = Facts(float_tonnes={PRODUCT: 1}, holding_limit_tonnes=1)
    assert not_looked_for(days.tape(), known) == []


def test_limits_that_do_not_fit_name_the_place():
    with pytest.raises(LimitsError, match=r"own.toml: Expected `int`, got `str` - at `\$"):
        limits_parse('warning_per_mille = "much"', "own.toml")

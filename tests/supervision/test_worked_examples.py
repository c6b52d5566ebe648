"""The rulebook's worked examples on surveillance (14, 16 to 21, 26), as they stand there."""

from cea_exchange.supervision.patterns.context import Facts
from support.supervision.market_days import PRODUCT, MarketDays, figures

# -- Rings and matched orders ----------------------------------------------------------------------


def ring_of(tonnes: int, day_total: int) -> MarketDays:
    """A to B to C to A, at 90.00, 90.20 and 90.40, within a day of so many tonnes."""
    days = MarketDays("A", "B", "C", "D", "E")
    days.at("09:40:00")
    days.deal("A", "B", "90.00", tonnes)
    days.at("10:40:00")
    days.deal("B", "C", "90.20", tonnes)
    days.at("11:20:00")
    days.deal("C", "A", "90.40", tonnes)
    rest = day_total - 3 * tonnes
    while rest > 0:
        days.deal("D", "E", "90.10", min(rest, 70_000))
        rest -= 70_000
    days.close()
    return days


def test_a_ring_that_is_three_tenths_of_the_day_is_found():
    """Rules: CEA-SVL-04."""
    (alert,) = ring_of(40_000, 400_000).alerts("wash_ring")
    assert alert.grade == "alert"
    assert alert.accounts == ("A", "B", "C")
    assert figures(alert) == {
        "largest net per mille of gross": 0,
        "largest difference of value per mille": 5,
        "share of volume per mille": 300,
    }


def test_a_ring_of_nine_percent_is_watched_and_no_alert():
    """Rules: CEA-SVL-01, CEA-SVL-04."""
    (alert,) = ring_of(12_000, 400_000).alerts("wash_ring")
    assert alert.grade == "watch"
    assert figures(alert)["share of volume per mille"] == 90


def ring_of_accounts(count: int) -> list:
    """So many accounts pass 12,000 t on, each to the next, who alone trade on the day."""
    names = [f"A{number}" for number in range(count)]
    days = MarketDays(*names)
    days.at("09:40:00")
    for place, seller in enumerate(names):
        days.deal(seller, names[(place + 1) % count], "90.00", 12_000)
    days.close()
    return [alert.accounts for alert in days.alerts("wash_ring")]


def test_a_ring_has_three_to_six_accounts():
    """Rules: CEA-SVL-04."""
    for count, found in ((2, 0), (3, 1), (6, 1), (7, 0)):
        assert len(ring_of_accounts(count)) == found, count


def test_a_ring_leaves_holdings_as_they_were_within_a_hundredth():
    """Rules: CEA-SVL-04: the last of three passes on less than it got."""
    # 198 of 19,802 are 9.999 per mille, 199 are 10.05.
    for kept, expected in ((198, ["alert"]), (199, ["watch"]), (222, ["watch"]), (300, [])):
        days = MarketDays("A", "B", "C")
        days.at("09:40:00")
        days.deal("A", "B", "90.00", 10_000)
        days.deal("B", "C", "90.00", 10_000)
        days.deal("C", "A", "90.00", 10_000 - kept)
        days.close()
        grades = [alert.grade for alert in days.alerts("wash_ring")]
        assert grades == expected, kept


def test_a_trade_of_a_tenth_of_the_largest_between_two_is_part_of_the_ring():
    """Rules: CEA-SVL-04: a smaller trade happened by chance, and does not spoil the balance."""
    for back, expected in ((999, ["alert"]), (1_000, [])):
        days = MarketDays("A", "B", "C")
        days.at("09:40:00")
        for seller, buyer in (("A", "B"), ("B", "C"), ("C", "A")):
            days.deal(seller, buyer, "90.00", 10_000)
        days.deal("A", "B", "90.00", back)
        days.close()
        grades = [alert.grade for alert in days.alerts("wash_ring")]
        assert grades == expected, back


def matched_times(
    times: int, *, apart_s: int = 3, as_block: bool = False, bought: int = 10_000
) -> MarketDays:
    """The same pair and price on so many days, seconds apart; 10,000 t are offered."""
    days = MarketDays("A", "B")
    for number in range(times):
        day = f"2025-07-{14 + number}"
        days.at("13:40:00", day)
        if as_block:
            days.block("A", "B", "90.00", 100_000)
            continue
        order = days.enter("A", "sell", "90.00", 10_000)
        days.at(f"13:40:{apart_s:02}", day)
        days.enter("B", "buy", "90.00", bought, pick=order)
    days.close("2025-07-18")
    return days


def test_the_third_matched_pair_of_orders_is_an_alert_the_second_is_none():
    """Rules: CEA-SVL-05."""
    (alert,) = matched_times(3).alerts("matched_orders")
    assert (alert.grade, alert.accounts) == ("alert", ("A", "B"))
    assert figures(alert) == {"times": 3, "slowest ms": 3000}
    assert matched_times(2).alerts("matched_orders") == []


def test_orders_further_apart_and_blocks_do_not_match():
    """Rules: CEA-SVL-05."""
    assert matched_times(3, apart_s=5).alerts("matched_orders")
    assert matched_times(3, apart_s=6).alerts("matched_orders") == []
    assert matched_times(3, as_block=True).alerts("matched_orders") == []


def test_orders_match_whose_sizes_differ_by_at_most_a_hundredth():
    """Rules: CEA-SVL-05."""
    assert matched_times(3, bought=9_900).alerts("matched_orders")
    assert matched_times(3, bought=9_899).alerts("matched_orders") == []


# -- False orders ----------------------------------------------------------------------------------


def spoofed(large: int, episodes: int) -> MarketDays:
    """X offers 4,000 t, bids `large` a tick below the touch, and cancels 30 s after its fill."""
    days = MarketDays("X", "O", "P")
    days.at("09:31:00")
    days.enter("O", "buy", "89.90", 12_000)
    for number in range(episodes):
        minute = 35 + 7 * number
        days.at(f"09:{minute}:00")
        days.enter("X", "sell", "90.00", 4_000)
        order = days.enter("X", "buy", "89.89", large)
        days.at(f"09:{minute + 1}:00")
        days.enter("P", "buy", "90.00", 4_000)
        days.at(f"09:{minute + 1}:30")
        days.cancel("X", order)
    days.close()
    return days


def test_a_spoof_of_twenty_to_one_is_an_episode_and_the_third_a_grave_case():
    """Rules: CEA-SVL-06."""
    (one,) = spoofed(80_000, 1).alerts("spoofing")
    assert (one.grade, one.accounts) == ("watch", ("X",))
    assert figures(one) == {
        "large side t": 80_000,
        "large side to fill": 20,
        "share of best five per mille": 870,
        "canceled per mille": 1000,
        "episodes": 1,
    }
    (three,) = spoofed(80_000, 3).alerts("spoofing")
    assert (three.grade, figures(three)["episodes"]) == ("high", 3)


def test_a_large_order_of_seven_and_a_half_to_one_is_no_spoof():
    """Rules: CEA-SVL-06."""
    assert spoofed(30_000, 3).alerts("spoofing") == []


def layered(own: tuple[int, int, int], times: int) -> MarketDays:
    """X is on three of the best five levels of 100,000 t, sells a little so often, takes two away.

    And has 11,000 t far below, which stay.
    """
    days = MarketDays("X", "O")
    days.at("09:31:00")
    others = 100_000 - sum(own)
    for price in ("90.00", "89.99", "89.98", "89.97", "89.96"):
        days.enter("O", "buy", price, others // 5)
    prices = ("89.99", "89.98", "89.97")
    orders = [days.enter("X", "buy", *terms) for terms in zip(prices, own, strict=True)]
    days.enter("X", "buy", "85.00", 11_000)
    for number in range(times):
        days.at(f"10:{6 * number:02}:00")
        days.enter("X", "sell", "90.00", 100)
    days.at("11:00:00")
    for order in orders[:2]:
        days.cancel("X", order)
    days.close()
    return days


def test_layers_of_a_third_of_the_best_five_four_times_are_an_alert():
    """Rules: CEA-SVL-07."""
    (alert,) = layered((12_500, 12_500, 8_000), 4).alerts("layering")
    assert (alert.grade, alert.accounts) == ("alert", ("X",))
    assert figures(alert) == {
        "episodes": 4,
        "own levels of best five": 3,
        "share of best five per mille": 330,
        "canceled per mille": 568,
    }


def test_three_times_are_not_more_than_three():
    """Rules: CEA-SVL-07."""
    assert layered((12_500, 12_500, 8_000), 3).alerts("layering") == []


def test_a_tonne_over_three_tenths_of_the_best_five_is_more_than_that():
    """Rules: CEA-SVL-07. 300.01 per mille are over 300."""
    (alert,) = layered((11_000, 11_000, 8_001), 4).alerts("layering")
    assert alert.grade == "alert"


def test_three_tenths_of_the_best_five_are_not_more_than_that():
    """Rules: CEA-SVL-07. 29,900 t, as each sale makes the book a little smaller."""
    assert layered((11_000, 11_000, 7_900), 4).alerts("layering") == []


def test_a_busy_desk_that_cancels_and_trades_nothing_is_honest():
    """Rules: CEA-SVL-06, CEA-SVL-07, CEA-SVL-09. Forty orders of 500 t, 38 cancelled."""
    days = MarketDays("X", "O")
    days.at("09:31:00")
    days.enter("O", "buy", "89.90", 12_000)
    for number in range(40):
        days.at(f"10:{number:02}:00")
        order = days.enter("X", "buy", "89.90", 500)
        if number < 38:
            days.cancel("X", order)
    days.close()
    for pattern in ("spoofing", "layering", "dense_entry"):
        assert days.alerts(pattern) == [], pattern


# -- The close -------------------------------------------------------------------------------------


def closed_with(tonnes: int, price: str) -> MarketDays:
    """50,000 t at 90.00 by 14:55, and X buys after it."""
    days = MarketDays("X", "O", "P")
    days.at("14:00:00")
    days.deal("O", "P", "90.00", 50_000)
    days.at("14:56:00")
    days.deal("O", "X", price, tonnes)
    days.close()
    return days


def test_six_thousand_tonnes_at_94_after_1455_mark_the_close():
    """Rules: CEA-SVL-11."""
    days = closed_with(6_000, "94.00")
    (alert,) = days.alerts("marking_close")
    assert (alert.grade, alert.accounts) == ("alert", ("X",))
    assert figures(alert) == {
        "share of the last minutes per mille": 1000,
        "share of the day per mille": 107,
        "move per mille": 44,
        "effect on the close per 100,000": 476,
    }
    assert days.market.core.product(0)["reference_price"] == 9_043


def test_five_hundred_tonnes_are_too_few_to_mark_a_close():
    """Rules: CEA-SVL-11."""
    assert closed_with(500, "94.00").alerts("marking_close") == []


def test_ten_tonnes_that_are_the_whole_day_and_move_the_close_name_both_sides():
    """Rules: CEA-SVL-12. Five such days come from 90.00 to 144.95 with 50 t."""
    days = MarketDays("A", "B")
    dates = [f"2025-07-{number}" for number in (14, 15, 16, 17, 18)]
    for date, price in zip(dates, ("99.00", "108.90", "119.79", "131.77", "144.95"), strict=True):
        days.at("10:00:00", date)
        days.deal("A", "B", price, 10)
        days.close(date)
    found = days.alerts("thin_close")
    assert [alert.grade for alert in found] == ["alert"] * 5
    assert {alert.accounts for alert in found} == {("A", "B")}
    assert "144.95" in found[-1].sentence


# -- Holdings --------------------------------------------------------------------------------------


def cornered(
    need: dict[str, dict[str, int]],
    *,
    held: int = 2_600_000,
    dates: tuple[str, str] = ("2025-11-28", "2025-12-01"),
    close: str = "96.80",
) -> list:
    """A group has `held` t of 5,000,000, and the price rises from 80.00 to `close` in two days."""
    days = MarketDays("A:G", "B:G", "O", "P", tonnes=held // 2, reference="80.00")
    for date, price in zip(dates, ("88.00", close), strict=True):
        days.at("10:00:00", date)
        days.deal("O", "P", price, 5_000)
        days.close(date)
    facts = Facts(float_tonnes={PRODUCT: 5_000_000}, need_tonnes=need)
    return [alert for alert in days.alerts("corner", facts) if alert.accounts == ("A", "B")]


def test_half_of_the_float_in_a_rising_market_before_the_deadline_is_a_corner():
    """Rules: CEA-SVL-02, CEA-SVL-14."""
    (alert,) = cornered({})
    assert alert.grade == "alert"
    assert figures(alert) == {
        "share of the float per mille": 520,
        "price over twenty days per mille": 210,
    }


def test_what_a_group_must_surrender_itself_is_netted():
    """Rules: CEA-SVL-14."""
    (alert,) = cornered({"A": {PRODUCT: 1_000_000}, "B": {PRODUCT: 500_000}})
    assert alert.grade == "watch"
    assert figures(alert)["share of the float per mille"] == 314


def test_a_corner_is_an_alert_from_half_of_the_float_and_watched_from_three_tenths():
    """Rules: CEA-SVL-01, CEA-SVL-14."""
    expected = {2_500_000: ["alert"], 2_499_998: ["watch"], 1_500_000: ["watch"], 1_490_000: []}
    for held, grades in expected.items():
        assert [alert.grade for alert in cornered({}, held=held)] == grades, held


def test_a_corner_needs_a_price_that_rose_by_a_fifth():
    """Rules: CEA-SVL-14."""
    for close, count in (("96.00", 1), ("95.90", 0)):
        assert len(cornered({}, close=close)) == count, close


def test_a_corner_is_looked_for_in_the_sixty_days_before_the_deadline():
    """Rules: CEA-SVL-14: from 1 November to 31 December."""
    cases = {
        ("2024-10-30", "2024-10-31"): 0,
        ("2024-10-31", "2024-11-01"): 1,
        ("2024-12-30", "2024-12-31"): 1,
    }
    for dates, count in cases.items():
        assert len(cornered({}, dates=dates)) == count, dates


def test_a_limit_is_reached_at_a_million_and_passed_by_one_tonne_more():
    """Rules: CEA-SVL-15. Held 950,000 t together; 50,000 more reach the limit, 50,001 exceed it."""
    for tonnes, expected in ((50_000, "watch"), (50_001, "alert")):
        days = MarketDays("A:G", "B:G", "O", tonnes=475_000)
        days.at("10:00:00")
        days.enter("A", "buy", "89.00", tonnes)
        days.close()
        (alert,) = days.alerts("evasion", Facts(holding_limit_tonnes=1_000_000))
        assert (alert.grade, alert.accounts) == (expected, ("A", "B")), tonnes

"""Rounds of false orders: each place, trade and cancel counts, however soon the next follows."""

import pytest

from support.supervision.market_days import MarketDays, clock, figures


def rounds(times: int, apart_s: int, layers: tuple[int, ...], *, ends_by: str = "cancel"):
    """X shows bids below the best, sells 1,000 t and takes the bids away; 20 s for each round."""
    days = MarketDays("X", "O", "P")
    days.at(clock(0))
    for price in ("89.90", "89.80", "89.70", "89.60", "89.50"):
        days.enter("O", "buy", price, 4_000)
    for number in range(times):
        start = 60 + number * apart_s
        days.at(clock(start))
        days.enter("X", "sell", "90.00", 1_000)
        shown = [
            days.enter("X", "buy", f"{89.80 - place / 10:.2f}", tonnes)
            for place, tonnes in enumerate(layers)
        ]
        days.at(clock(start + 10))
        days.enter("P", "buy", "90.00", 1_000)
        days.at(clock(start + 20))
        for order in shown:
            if ends_by == "cancel":
                days.cancel("X", order)
            else:
                price = "82.00" if ends_by == "price" else "89.80"
                days.play(cmd="amend", id=order, account="X", price=price, tonnes=10)
    days.close()
    return days


@pytest.mark.parametrize("apart_s", [25, 60, 240, 299, 310, 900])
def test_rounds_count_whatever_the_time_between_them(apart_s):
    """Rules: CEA-SVL-06, CEA-SVL-07."""
    (spoof,) = rounds(5, apart_s, (12_000, 12_000, 12_000)).alerts("spoofing")
    assert (spoof.grade, spoof.accounts, figures(spoof)["episodes"]) == ("high", ("X",), 5)
    (layer,) = rounds(5, apart_s, (4_000, 4_000, 4_000)).alerts("layering")
    assert (layer.grade, layer.accounts, figures(layer)["episodes"]) == ("alert", ("X",), 5)


def test_three_spoofs_and_four_layerings_are_the_least_in_quick_rounds_too():
    """Rules: CEA-SVL-06, CEA-SVL-07."""
    for times, expected in ((2, "watch"), (3, "high")):
        (alert,) = rounds(times, 60, (20_000,)).alerts("spoofing")
        assert alert.grade == expected
    for times, expected in ((3, []), (4, ["alert"])):
        found = rounds(times, 60, (4_000, 4_000, 4_000)).alerts("layering")
        assert [alert.grade for alert in found] == expected


@pytest.mark.parametrize("ends_by", ["price", "tonnes"])
def test_an_order_amended_far_away_or_to_little_is_taken_away(ends_by):
    """Rules: CEA-SVL-06."""
    (alert,) = rounds(4, 60, (20_000,), ends_by=ends_by).alerts("spoofing")
    assert (alert.grade, figures(alert)["episodes"]) == ("high", 4)


def test_many_fills_against_one_order_that_stands_are_one_round():
    """Rules: CEA-SVL-06. The order is taken away once, behind the last of them."""
    days = MarketDays("X", "O", "P")
    days.at(clock(0))
    days.enter("O", "buy", "89.90", 4_000)
    order = days.enter("X", "buy", "89.80", 60_000)
    for number in range(5):
        days.at(clock(60 + 60 * number))
        days.enter("X", "sell", "90.00", 100)
        days.enter("P", "buy", "90.00", 100)
    days.at(clock(400))
    days.cancel("X", order)
    days.close()
    (alert,) = days.alerts("spoofing")
    assert (alert.grade, figures(alert)["episodes"]) == ("watch", 1)

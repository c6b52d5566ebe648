"""Triggers of market adjustment: the worked examples of section 36, each side of a figure."""

from collections.abc import Sequence
from datetime import date, timedelta

import pytest

from cea_exchange.adjustment.days import Day, days_parse, months_before
from cea_exchange.adjustment.triggers import Facts, Standing, standing, triggers_read

TRIGGERS = triggers_read()
MONDAY = date(2024, 9, 2)


def stands(name: str, days: Sequence[Day], facts: Facts | None = None, **more: list) -> Standing:
    return standing(name, TRIGGERS[name], days, facts, **more)


def run_of(*moves: int) -> list[Day]:
    """Weekdays from a Monday on, each of whose closes lies so many fen from the one before."""
    days, close, day = [], 10_000, MONDAY
    for move in moves:
        before, close = close, close + move
        days.append(Day(day, before, close, 100, 100 * close))
        day += timedelta(days=3 if day.weekday() == 4 else 1)
    return days


def limit_move(days: list[Day]) -> Day:
    """The next day, whose close is at the upper limit."""
    last = days[-1]
    close = (last.close * 11_000 + 5_000) // 10_000
    return Day(last.date + timedelta(days=1), last.close, close, 100, 100 * close)


def days_with_limits(*places: int, count: int) -> list[Day]:
    """So many days; at these places, from 1 on, the close is at the upper limit."""
    days: list[Day] = []
    first = Day(MONDAY - timedelta(days=1), 10_000, 10_000, 100, 1_000_000)
    for place in range(1, count + 1):
        last = days[-1] if days else first
        at = last.date + timedelta(days=1)
        if place in places:
            days.append(limit_move([*days] or [first]))
        else:
            days.append(Day(at, last.close, last.close, 100, 100 * last.close))
    return days


@pytest.mark.parametrize(
    ("places", "count", "expected"),
    [
        # Worked example 22: six in 20 days trigger, five do not, the sixth on day 21 does not.
        ((1, 2, 3, 4, 5, 20), 20, "sale"),
        ((1, 2, 3, 4, 5), 20, None),
        ((1, 2, 3, 4, 5, 21), 21, None),
    ],
)
def test_hubei_six_limit_closes_of_20_days(
    places: tuple, count: int, expected: str | None
) -> None:
    """CEA-ADJ-06."""
    found = stands("hubei_limit_closes", days_with_limits(*places, count=count))
    assert (found.stands, found.rule) == (expected, "CEA-ADJ-06")


def test_hubei_closes_at_the_lower_limit_let_it_buy() -> None:
    """CEA-ADJ-06: each side counts for itself, by limits rounded half up."""
    days = [
        Day(MONDAY + timedelta(days=n), 4_005, close, 100, 100 * close)
        for n, close in enumerate([3_605] * 6 + [4_406] * 5)
    ]
    assert stands("hubei_limit_closes", days).stands == "purchase"
    near = [Day(day.date, 4_005, 3_606, 100, 1) for day in days]
    assert stands("hubei_limit_closes", near).stands is None


@pytest.mark.parametrize(
    ("price", "expected"),
    [(15_000, None), (15_001, "sale"), (2_000, None), (1_999, "purchase")],
)
def test_beijing_a_mean_of_ten_days_outside_the_corridor(
    price: int, expected: str | None
) -> None:
    """CEA-ADJ-07: its ends belong to it."""
    days = [Day(MONDAY + timedelta(days=n), price, price, 7, 7 * price) for n in range(10)]
    assert stands("beijing_corridor", days).stands == expected
    assert stands("beijing_corridor", days[:9]).stands is None


def shenzhen(recent_amount: int, close: int) -> list[Day]:
    """A mean of 24 months of 32.00, which the last six are part of; then a last close."""
    last = date(2024, 11, 1)
    old = Day(date(2023, 3, 1), 3_200, 3_200, 0, 0)
    recent_tonnes = 1_000
    # 3 x 32.00: so much was sold before, that all together come to a mean of 32.00.
    before_tonnes = 100_000
    before_amount = 3_200 * (before_tonnes + recent_tonnes) - 9_600 * recent_tonnes
    return [
        old,
        Day(date(2023, 6, 1), 3_200, 3_200, before_tonnes, before_amount),
        Day(date(2024, 10, 1), 9_600, 9_600, recent_tonnes, recent_amount),
        Day(last, close, close, 0, 0),
    ]


HIGHEST = Facts(others_highest_close=12_500)


@pytest.mark.parametrize(
    ("recent_amount", "close", "expected"),
    [
        # Worked example 23.
        (9_600_000, 13_000, "release"),
        (9_599_000, 13_000, None),
        (9_600_000, 12_400, None),
        (9_600_000, 12_500, None),
    ],
)
def test_shenzhen_a_close_above_all_others_and_three_times_the_mean(
    recent_amount: int, close: int, expected: str | None
) -> None:
    """CEA-ADJ-08."""
    found = stands("shenzhen_price", shenzhen(recent_amount, close), HIGHEST)
    assert found.stands == expected
    assert found.floor == (9_600 if expected else None)


def test_shenzhen_a_week_three_times_the_lowest_of_24() -> None:
    """CEA-ADJ-08: the other way in which it stands; the 25th week before counts no more."""
    this = Day(MONDAY, 9_000, 13_000, 1, 9_000)
    weak = MONDAY - timedelta(weeks=24)
    for day, expected in ((weak, "release"), (weak - timedelta(days=1), None)):
        days = [Day(day, 3_000, 3_000, 1, 3_000), Day(MONDAY - timedelta(weeks=2), 1, 1, 9, 81_000)]
        assert stands("shenzhen_price", [*days, this], HIGHEST).stands == expected


def test_shenzhen_rests_two_months_after_a_release() -> None:
    """CEA-ADJ-10."""
    days = shenzhen(9_600_000, 13_000)
    for acted, expected in (
        (date(2024, 9, 2), None),
        (date(2024, 9, 1), "release"),
        (date(2024, 11, 1), "release"),
    ):
        assert stands("shenzhen_price", days, HIGHEST, acted_on=[acted]).stands == expected


def test_shenzhen_less_than_a_fifth_circulates() -> None:
    """CEA-ADJ-09."""
    for tonnes, expected in ((199, "release"), (200, None)):
        facts = Facts(issued_tonnes=1_000, circulating_tonnes=tonnes)
        assert stands("shenzhen_liquidity", run_of(0), facts).stands == expected


def test_what_is_not_known_lets_nobody_act() -> None:
    """CEA-ADJ-08, CEA-ADJ-09."""
    for name in ("shenzhen_price", "shenzhen_liquidity"):
        found = stands(name, shenzhen(9_600_000, 13_000))
        assert found.stands is None and "not known" in found.said


def test_triggers_of_ones_own_are_read_as_strictly(tmp_path) -> None:
    """CEA-ADJ-06 to CEA-ADJ-09: as data."""
    file = tmp_path / "triggers.toml"
    mine = (
        '[mine]\nrule = "CEA-ADJ-07"\nsource = "x"\nconfidence = "D"\nabove = "sale"\n'
        '[mine.test]\nkind = "mean_outside"\ndays = 1\nabove_price = 10_000\nbelow_price = 1\n'
    )
    file.write_text(mine)
    (trigger,) = triggers_read(file).values()
    assert standing("mine", trigger, run_of(1)).stands == "sale"
    assert standing("mine", trigger, run_of(0)).stands is None
    for old, new in (("mean_outside", "no_such"), ("days = 1\n", ""), ("days = 1", "days = 0")):
        file.write_text(mine.replace(old, new))
        with pytest.raises(ValueError, match=r"[.]test"):
            triggers_read(file)


def test_days_are_read_with_their_lines() -> None:
    head = "date,last_close,close,tonnes,amount"
    lines = [head, "2024-09-02,40.05,44.06,100,4406.00", "2024-09-03,44.06,44.06,0,0.00"]
    first, second = days_parse(lines)
    assert (first.close, first.amount, second.date) == (4_406, 440_600, date(2024, 9, 3))
    for wrong, said in (
        (lines[1].replace("100,", "1e2,"), "^2: tonnes"),
        ("x,1,2", "^2: "),
        ("2024-09-02,40.05,44.06,100", "^2: "),
    ):
        with pytest.raises(ValueError, match=said):
            days_parse([head, wrong])
    with pytest.raises(ValueError, match="^3: date: expected after"):
        days_parse([head, lines[2], lines[1]])
    with pytest.raises(ValueError, match="^1: expected columns"):
        days_parse(["date,close"])


def test_months_end_where_a_month_does() -> None:
    assert months_before(date(2024, 8, 31), 6) == date(2024, 2, 29)
    assert months_before(date(2024, 1, 15), 1) == date(2023, 12, 15)

"""The balance value of a sector, exact, and against a search by halves."""

import random
from decimal import Decimal
from fractions import Fraction

import pytest

from cea_exchange.domain.compliance.plans import balance_value, plan
from cea_exchange.domain.compliance.plans.balance import allowed, rate
from support.refusing import refuses

RULES = plan(2026).industry
THREE = [(1_000_000, "0.80"), (2_000_000, "0.84"), (500_000, "0.95")]


def plants(rows):
    return [(tonnes, Decimal(intensity)) for tonnes, intensity in rows]


@pytest.mark.parametrize(
    ("intensity", "tonnes"),
    [
        ("0.8000", 1_239_083),
        ("0.8610", 1_225_307),
        ("0.6560", 1_271_604),
        ("0.6561", 1_271_581),
        ("0.9840", 1_197_529),
        ("1.0000", 1_197_529),
    ],
)
def test_what_a_plant_gets_by_how_it_compares(intensity, tonnes):
    """CEA-PLN-19, example 30: BP 0.8200, E 1,234,567."""
    assert allowed(1_234_567, Fraction("0.82"), Fraction(intensity), RULES) == tonnes


def test_a_balance_value_of_three():
    """CEA-PLN-21, CEA-PLN-22, example 31."""
    value = balance_value(plants(THREE), RULES)
    assert round(value, 6) == Fraction("0.844286")
    given = [allowed(tonnes, value, Fraction(i), RULES) for tonnes, i in THREE]
    assert given == [1_007_868, 2_001_522, 490_609]


def test_a_balance_value_with_a_plant_at_the_limit():
    """CEA-PLN-21, example 32: the plain mean, 0.88, is wrong."""
    rows = [*THREE[:2], (500_000, "1.20")]
    value = balance_value(plants(rows), RULES)
    assert round(value, 6) == Fraction("0.855172")
    given = [allowed(tonnes, value, Fraction(i), RULES) for tonnes, i in rows]
    assert given == [1_009_677, 2_005_322, 485_000]


def test_any_sector_is_given_what_it_emitted():
    """CEA-PLN-21: exactly, before rounding; and a search by halves comes to the same value."""
    draw = random.Random(17)
    for _ in range(40):
        rows = [
            (draw.randrange(1, 3_000_000), Decimal(draw.randrange(3000, 30_000)).scaleb(-4))
            for _ in range(draw.randrange(1, 40))
        ]
        value = balance_value(rows, RULES)
        assert sum(tonnes * rate(value, Fraction(i), RULES) for tonnes, i in rows) == 0
        low, high = Fraction(1, 10), Fraction(10)
        for _ in range(50):
            middle = (low + high) / 2
            over = sum(tonnes * rate(middle, Fraction(i), RULES) for tonnes, i in rows) >= 0
            low, high = (low, middle) if over else (middle, high)
        assert abs(value - high) < Fraction(1, 10**12)


def test_plants_so_unlike_that_many_values_balance_have_the_lowest():
    """CEA-PLN-22: 0.5 is at its limit from 0.625 on, 1.0 up to 0.8333."""
    value = balance_value(plants([(100, "0.5"), (100, "1.0")]), RULES)
    assert value == Fraction("0.625")


def test_one_plant_is_its_own_measure():
    assert balance_value(plants([(100, "0.5")]), RULES) == Fraction("0.5")


def test_no_plant_has_no_value():
    with refuses("AMOUNT_UNSOUND: plants: expected some that emitted"):
        balance_value([(0, Decimal(1))], RULES)

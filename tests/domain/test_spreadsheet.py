"""Cells that stand for decimals: what they mean, and what means nothing."""

import random

import pytest

from cea_exchange.domain.spreadsheet import CellsMended, meant


@pytest.mark.parametrize(
    ("text", "decimal"),
    [
        ("19.579999999999998", "19.58"),
        ("0.30000000000000004", "0.30"),
        ("97.49000000000001", "97.49"),
        ("199999.99999999997", "200000.00"),
        ("4E+06", "4000000.00"),
        ("1.958e1", "19.58"),
        ("4.2e+6", "4200000.00"),
    ],
)
def test_what_a_binary_fraction_means(text, decimal):
    assert meant(text) == decimal


@pytest.mark.parametrize(
    "text",
    [
        *("", "19.58", "19.5", "20", "19.580000", "7.777", "7.7700001", "19.57999", "-1.0e3"),
        *("19.575000000000003", "1e-5", "1e99", "1.5e-1x", "nan", "19.58000001", "0." + "3" * 60),
    ],
)
def test_what_is_no_such_text_or_means_nothing(text):
    assert meant(text) is None


def test_sums_and_products_of_a_machines_fractions_come_back():
    """Whatever the machine makes of a price in cents."""
    draw = random.Random(1)
    for _ in range(2_000):
        cents = draw.randrange(1, 10_000_000)
        text = repr(sum([cents / 300] * 3))
        decimal = meant(text)
        assert decimal is None or decimal == f"{cents / 100:.2f}"
        if len(text.partition(".")[2]) > 2 and "e" not in text:
            assert decimal is not None


def test_a_warning_names_the_first_cell_and_how_many_there_are():
    cells = CellsMended()
    row = {"a": "1.5", "b": "19.579999999999998", "c": None}
    cells.mend(row, ("a", "b", "c", "d"), 7)
    assert row == {"a": "1.5", "b": "19.58", "c": None}
    shown = "file.csv:7: b: 19.579999999999998 is read as 19.58, as a spreadsheet means it"
    assert cells.warning("file.csv") == shown
    cells.mend({"a": "4e6"}, ("a",), 8)
    assert cells.warning("file.csv") == shown + " (the first of 2)"
    assert CellsMended().warning("file.csv") is None

"""How numbers, units and dates are written in each language."""

import pytest

from cea_exchange.screens.reading import READINGS, direction

ZH, EN = READINGS["zh"], READINGS["en"]


def test_prices_and_tonnes_keep_all_their_digits():
    assert ZH.price(9750) == "97.50"
    assert EN.tonnes(1_234_567) == "1,234,567"
    assert EN.price(None) == EN.price(0) == EN.tonnes(None) == "–"


def test_an_amount_is_read_as_fen_or_as_the_daemons_write_it():
    assert ZH.yuan(123_456_789) == ZH.yuan("1234567.89") == "1,234,567.89"
    assert ZH.yuan(-5) == "−0.05"


@pytest.mark.parametrize(
    ("number", "zh", "en"),
    [
        (9_999, "9,999", "9,999"),
        (12_345, "1.23万", "12,345"),
        (1_500_000, "150.00万", "1.50 m"),
        (123_456_789, "1.23亿", "123.46 m"),
        (5_600_000_000, "56.00亿", "5.60 bn"),
    ],
)
def test_a_large_number_is_short_in_the_units_of_its_language(number, zh, en):
    assert ZH.short(number) == zh
    assert EN.short(number) == en


def test_a_change_has_its_sign_and_is_half_up_by_its_size():
    assert (EN.change(9749, 9700), EN.change_rate(9749, 9700)) == ("+0.49", "+0.51%")
    assert (EN.change(9651, 9700), EN.change_rate(9651, 9700)) == ("−0.49", "−0.51%")
    assert EN.change_rate(9700, 9700) == "0.00%"
    assert [direction(*pair) for pair in ((2, 1), (1, 2), (1, 1), (None, 1))] == [
        *("up", "down", "flat", "flat")
    ]


def test_days_and_times_are_shanghais():
    assert ZH.day(20250716) == ZH.day("2025-07-16") == "2025年7月16日"
    assert EN.day(20250716) == "16 Jul 2025"
    assert EN.moment("2025-07-16T01:30:00+00:00") == "16 Jul 2025 09:30:00"
    assert EN.clock(1_752_629_400_000_000_000) == "09:30:00"

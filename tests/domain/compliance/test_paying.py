"""What being late adds: by parts, to what is not paid, never during an appeal."""

from datetime import date, timedelta

import pytest

from cea_exchange.domain.compliance.enforcement.paying import Paid, Part, Span, late_added

DUE = date(2025, 10, 9)


def late(days):
    return DUE + timedelta(days=days)


@pytest.mark.parametrize(
    ("days_late", "added"), [(0, 0), (10, 300_000), (33, 990_000), (34, 1_000_000), (99, 1_000_000)]
)
def test_a_late_fine_grows_to_as_much_again(days_late, added):
    """CEA-LAW-24, example 38: of 1,000,000 yuan."""
    assert late_added([Part(DUE, 1_000_000_00)], [], late(days_late)) == added * 100


@pytest.mark.parametrize("days", [0, 1, 10, 33, 34, 60])
@pytest.mark.parametrize("fine", [1_000_000, 999_999, 33, 1])
def test_one_part_that_nobody_pays_is_three_percent_a_day(fine, days):
    """CEA-LAW-24, example 38: to the fen as for all days at once."""
    assert late_added([Part(DUE, fine)], [], late(days)) == min(fine, fine * 3 * days // 100)


def test_only_what_is_overdue_and_not_paid_grows():
    """CEA-LAW-24."""
    parts = [Part(DUE, 400), Part(late(10), 600)]
    assert late_added(parts, [Paid(DUE, 400)], late(10)) == 0
    assert late_added(parts, [Paid(DUE, 400)], late(20)) == 180
    # 100 of the first is missing for 10 days, and all of the second for 10 more.
    assert late_added(parts, [Paid(DUE, 300)], late(20)) == 60 + 180
    assert late_added(parts, [Paid(late(5), 1_000)], late(60)) == 60


@pytest.mark.parametrize(
    ("span", "counted"),
    [
        (Span(late(1), late(5)), 5),
        (Span(late(-30), late(-1)), 10),
        (Span(late(6)), 5),
        (Span(late(-5)), 0),
    ],
)
def test_days_of_review_and_suit_do_not_count(span, counted):
    """CEA-LAW-24."""
    assert late_added([Part(DUE, 1_000)], [], late(10), [span]) == 30 * counted

"""The fine for a shortfall, and what is taken off next year's allowances."""

import csv
from datetime import date

import pytest
from msgspec.structs import replace

from cea_exchange.domain.compliance.penalties import (
    Correction,
    FineRange,
    Traded,
    month_before,
    traded_in,
)
from cea_exchange.domain.compliance.rules import ComplianceRules
from cea_exchange.domain.reference_prices import DailyFigures, load_daily
from support.places import ROOT
from support.refusing import refuses

RULES = ComplianceRules.load()
REFUSED = Correction(
    document="HB 7", ordered_on=20260105, until=20260205, refused_on=20260206
)
DAILY_PATH = (
    ROOT.parent / "shared" / "data" / "cea" / "cea_daily_2021_2024.csv"
)


def day(number, listed=(0, 0), block=(0, 0), bidding=(0, 0)):
    return DailyFigures(
        date(number // 10_000, number // 100 % 100, number % 100), 0, 0, 0, 7463,
        *listed, *block, *bidding,
    )  # fmt: skip


def deducted(obligation, decided_on, correction, rules=RULES):
    return rules.penalties.deduction_for(
        obligation, 300, decided_on, correction=correction, adjustment=rules.adjustment
    )


@pytest.mark.parametrize("year", [2019, 2020, 2021, 2022])
def test_the_fixed_fine_of_the_first_cycles(year):
    """CEA-PEN-03: 20,000 to 30,000 yuan, whatever is missing."""
    assert RULES.penalties.fine(year, 1, None) == FineRange(least=2_000_000, most=3_000_000)
    big = Traded(amount=10**9, tonnes=1)
    assert RULES.penalties.fine(year, 10**6, big) == FineRange(least=2_000_000, most=3_000_000)


def test_from_2025_on_the_fine_has_two_stages():
    """CEA-PEN-06: fixed with the order, then 5 to 10 times the value of what is still missing."""
    traded = Traded(amount=9800 * 10, tonnes=10)
    first = FineRange(least=100_000_000, most=500_000_000)
    assert [RULES.penalties.fine(year, 1, None) for year in (2025, 2031)] == [first, first]
    assert RULES.penalties.fine(2025, 10**6, traded) == first
    assert RULES.penalties.fine_after_term(2025, 700, traded) == FineRange(
        least=5 * 700 * 9800, most=10 * 700 * 9800
    )


def test_a_second_fine_needs_its_year_a_shortfall_and_a_price():
    """CEA-PEN-06."""
    traded = Traded(amount=9800, tonnes=1)
    with refuses("YEAR_OUT_OF_RANGE: year: expected 2025 or later to have a second fine"):
        RULES.penalties.fine_after_term(2024, 1, traded)
    with refuses("NOTHING_SHORT: missing: expected 1 t or more, got 0"):
        RULES.penalties.fine_after_term(2025, 0, traded)
    with refuses("AMOUNT_UNSOUND: fine of year 2025: expected a mean price before the"):
        RULES.penalties.fine_after_term(2025, 1, None)


def test_the_fine_is_5_to_10_times_the_value():
    """CEA-PEN-01: 100,000 t at 74.63 yuan."""
    traded = Traded(amount=7463 * 30_000_000, tonnes=30_000_000)
    assert RULES.penalties.fine(2024, 100_000, traded) == FineRange(
        least=5 * 100_000 * 7463, most=10 * 100_000 * 7463
    )


@pytest.mark.parametrize(
    ("amount", "tonnes", "shortfall", "least", "most"),
    [
        (10, 3, 1, 15, 30),  # 3 fen, not 3.33
        (5, 2, 1, 15, 30),  # 3 fen, half up
        (7_385_561_333_79, 75_365_531, 865_300, 423_997_000_00, 847_994_000_00),
        (3_087_125_599_11, 47_183_299, 10_000, 3_271_500_00, 6_543_000_00),
    ],
)
def test_the_mean_is_rounded_to_the_fen_as_the_letter_has_it(
    amount, tonnes, shortfall, least, most
):
    """CEA-PEN-01, CEA-PEN-02, examples 34 and 35: the third is a real decision, of 98.00 yuan."""
    traded = Traded(amount=amount, tonnes=tonnes)
    assert RULES.penalties.fine(2023, shortfall, traded) == FineRange(least=least, most=most)


def test_no_fine_without_a_shortfall_or_a_price():
    """CEA-PEN-01."""
    with refuses("NOTHING_SHORT: shortfall: expected 1 t or more, got 0"):
        RULES.penalties.fine(2024, 0, Traded(amount=1, tonnes=1))
    for nothing in (None, Traded(amount=0, tonnes=0)):
        with refuses("AMOUNT_UNSOUND: fine of year 2024: expected a mean price before"):
            RULES.penalties.fine(2024, 1, nothing)


def test_the_month_before_the_deadline():
    """CEA-PEN-02: 1 to 31 December, every method."""
    deadline = RULES.obligations.obligation(2024, 1).deadline
    first, last = month_before(deadline)
    assert (first, last) == (20251201, 20251231)
    days = [
        day(20251128, listed=(7, 700)),
        day(20251201, listed=(1, 7000), block=(2, 12_000)),
        day(20251231, bidding=(4, 30_000)),
        day(20260105, listed=(9, 900)),
    ]
    traded = traded_in(days, first, last)
    assert traded == Traded(amount=49_000, tonnes=7)
    assert traded.mean_price == 7000
    assert traded_in(days[:1], first, last) == Traded(amount=0, tonnes=0)


def test_a_mean_price_for_reading_is_rounded_half_up():
    """CEA-PEN-02."""
    assert Traded(amount=5, tonnes=2).mean_price == 3
    assert Traded(amount=7, tonnes=3).mean_price == 2


def test_the_mean_of_the_real_december_2024():
    """CEA-PEN-02: all methods are the day's own totals."""
    if not DAILY_PATH.exists():
        pytest.skip("the daily statistics (shared/data/cea beside the repository) are not here")
    traded = traded_in(load_daily(DAILY_PATH), *month_before(20241231))
    with DAILY_PATH.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["date"].startswith("2024-12")]
    assert traded.tonnes == sum(int(row["total_volume"]) for row in rows)
    amount = sum(round(float(row["total_amount"]) * 100) for row in rows)
    assert abs(traded.amount - amount) <= 100 * len(rows)


def test_next_years_allowances_are_cut_by_what_is_missing():
    """CEA-PEN-04; not by a new decision from 15 August 2026 on (CEA-ALC-11)."""
    obligation = RULES.obligations.obligation(2024, 1_000)
    deduction = deducted(obligation, 20260301, REFUSED)
    assert (deduction.cause, deduction.tonnes, deduction.decided_on) == ("unpaid", 300, 20260301)
    with refuses("TOO_EARLY: deduction: expected after the deadline 20251231"):
        deducted(obligation, 20251231, REFUSED)
    with refuses("VINTAGE_NOT_ELIGIBLE: .*to be decided before 20260815"):
        deducted(obligation, 20260815, REFUSED)


def test_an_order_and_its_term_come_before_a_deduction():
    """CEA-PEN-05: of 2019 to 2022 the term in vain will do, after that it takes a refusal."""
    for year in range(2019, 2025):
        obligation = RULES.obligations.obligation(year, 1_000)
        with refuses("CORRECTION_NOT_ORDERED: .*a correction order before it"):
            deducted(obligation, 20260301, None)
        with refuses("TOO_EARLY: .*after 20260205, the term of correction order HB 7"):
            deducted(obligation, 20260205, REFUSED)
        if year >= 2023:
            with refuses("CORRECTION_NOT_REFUSED: .*got none [(]CEA-PEN-05[)]"):
                deducted(obligation, 20260301, replace(REFUSED, refused_on=0))
        else:
            assert deducted(obligation, 20260301, replace(REFUSED, refused_on=0)).tonnes == 300


def test_nothing_is_deducted_for_what_is_due_under_the_code():
    """CEA-PEN-04: 2025 and later; also where the draft of CEA-ALC-11 is left out."""
    adopted = ComplianceRules.load(drafts=False)
    for rules in (RULES, adopted):
        for year in (2025, 2026):
            obligation = rules.obligations.obligation(year, 1_000)
            with refuses(f"YEAR_OUT_OF_RANGE: .*to be deducted, got {year} .CEA-PEN-04"):
                deducted(obligation, 20280301, REFUSED, rules)

"""How much of the old vintages is carried over, by whom and when."""

import pytest
from msgspec.structs import replace

from cea_exchange.domain.compliance.carryover import EndPosition, Run, VintageTrade
from cea_exchange.domain.compliance.rules import ComplianceRules
from support.refusing import refuses

RULES = ComplianceRules.load().carryover
ENOUGH = EndPosition(trading=0, registration=1_000_000)
NOTICED = 20260120


@pytest.mark.parametrize(
    ("net_sales", "limit"),
    [(0, 10_000), (1, 10_001), (2, 10_003), (3, 10_004), (100_000, 160_000)],
)
def test_t_is_the_base_and_one_and_a_half_times_net_sales(net_sales, limit):
    """CEA-CRY-01: rounded down."""
    assert RULES.limit(net_sales, ENOUGH) == limit


def test_the_industries_have_a_larger_base():
    """CEA-CRY-01: steel, cement, aluminium; nobody knows of whom no sector was told."""
    much = EndPosition(trading=1_000_000, registration=0)
    for sector, base in (("steel", 100_000), ("cement", 100_000), ("power", 10_000), ("", 10_000)):
        assert RULES.limit(10, much, sector) == base + 15


def test_net_sales_are_of_old_vintages_in_the_window():
    """CEA-CRY-02."""
    sold = VintageTrade(trading_date=20240101, vintage=2020, sold=100)
    assert RULES.net_sales([sold]) == 100
    assert RULES.net_sales([replace(sold, trading_date=20251231, vintage=2024)]) == 100
    assert RULES.net_sales([replace(sold, trading_date=20231231)]) == 0
    assert RULES.net_sales([replace(sold, trading_date=20260101)]) == 0
    assert RULES.net_sales([replace(sold, vintage=2025)]) == 0
    bought = VintageTrade(trading_date=20250630, vintage=2023, bought=40)
    assert RULES.net_sales([sold, bought]) == 60
    assert RULES.net_sales([bought]) == 0
    assert RULES.net_sales([bought, replace(sold, sold=30)]) == 0
    with pytest.raises(ValueError, match="bought: expected within"):
        RULES.net_sales([replace(bought, bought=-1)])


def test_t_is_at_most_the_position():
    """CEA-CRY-03: what a court froze counts."""
    assert RULES.limit(0, EndPosition(trading=3_000, registration=4_000, frozen=2_999)) == 9_999
    assert RULES.limit(0, EndPosition(trading=3_000, registration=4_000, frozen=3_001)) == 10_000
    assert RULES.limit(0, EndPosition(trading=0, registration=0)) == 0
    with pytest.raises(ValueError, match="frozen: expected within"):
        RULES.limit(0, EndPosition(trading=5, registration=0, frozen=-1))


@pytest.mark.parametrize(
    ("completed_on", "reason"),
    [
        ({2023: 20241231, 2024: 20251231}, None),
        ({2024: 20251231}, None),
        ({}, None),
        ({2023: 20250101, 2024: 20251231}, "year 2023: expected surrendered in full by 20241231"),
        ({2023: 20241231, 2024: 20260101}, "by 20251231, got on 20260101"),
        ({2023: 20241231, 2024: None}, "by 20251231, got not at all"),
        ({2022: None, 2023: 20241231, 2024: 20251231}, None),
    ],
)
def test_who_surrendered_in_time_may(completed_on, reason):
    """CEA-CRY-04."""
    found = RULES.ineligibility(completed_on)
    assert (found is None) if reason is None else reason in found


@pytest.mark.parametrize(
    ("applied_on", "run"),
    [
        (NOTICED, Run(number=1, processed_by=20260327)),
        (20260320, Run(number=1, processed_by=20260327)),
        (20260321, Run(number=2, processed_by=20260626)),
        (20260610, Run(number=2, processed_by=20260626)),
    ],
)
def test_two_runs(applied_on, run):
    """CEA-CRY-06."""
    assert RULES.run_of(applied_on, NOTICED) == run
    assert RULES.run_of(applied_on, NOTICED, was_frozen=True) == run


def test_too_early_and_too_late():
    """CEA-CRY-05; whom a freeze kept from it comes later."""
    with refuses("TOO_EARLY: .*not before the notice of 20260120, got on 20260119"):
        RULES.run_of(20260119, NOTICED)
    with refuses("TOO_LATE: application: expected by 20260610, got on 20260611"):
        RULES.run_of(20260611, NOTICED)
    assert RULES.run_of(20260611, NOTICED, was_frozen=True) == Run(number=3, processed_by=None)
    assert RULES.notice_by.number == 20260131


def test_applications_stay_within_what_is_held_and_t():
    """CEA-CRY-05; only vintages up to 2024 (CEA-CRY-01)."""
    held = {2020: 500, 2024: 700, 2025: 900}

    def apply(tonnes, before=0, limit=1_000):
        return RULES.application(tonnes, held=held, applied_before=before, limit=limit)

    assert apply({2020: 500, 2024: 500}) == 1_000
    assert apply({2024: 700}, before=300) == 700
    for tonnes, before, message in (
        ({2020: 501}, 0, "CARRYOVER_LIMIT: vintage 2020: expected at most the 500 t available"),
        ({2021: 1}, 0, "CARRYOVER_LIMIT: vintage 2021: expected at most the 0 t available, got 1"),
        ({2025: 1}, 0, "VINTAGE_NOT_ELIGIBLE: vintage: expected 2024 or earlier, got 2025"),
        ({2024: 0}, 0, "AMOUNT_UNSOUND: tonnes of vintage 2024: expected positive, got 0"),
        ({2020: -1}, 0, "expected within"),
        ({2020: 500, 2024: 501}, 0, "CARRYOVER_LIMIT: .*at most 1000 t together, got 0 [+] 1001"),
        ({2024: 700}, 301, "CARRYOVER_LIMIT: .*at most 1000 t together, got 301 [+] 700"),
    ):
        with refuses(message, ValueError):
            apply(tonnes, before)

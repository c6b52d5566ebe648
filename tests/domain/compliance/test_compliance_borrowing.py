"""How much of 2023 may be borrowed for 2021 and 2022."""

import pytest

from cea_exchange.domain.compliance.rules import ComplianceRules
from support.refusing import refuses

BORROWING = ComplianceRules.load().borrowing


@pytest.mark.parametrize("year", [2021, 2022])
@pytest.mark.parametrize(
    ("verified", "allocated", "most"),
    [(2_000_000, 1_760_000, 120_000), (100, 90, 5), (1_001, 900, 50), (10, 0, 5)],
)
def test_at_most_half_of_what_is_short(year, verified, allocated, most):
    """CEA-BOR-01: the rulebook's example first."""
    assert most == BORROWING.most(year, verified, allocated)


@pytest.mark.parametrize(
    ("verified", "allocated"), [(10_000, 9_001), (1_009, 909), (100, 100), (100, 200), (0, 0)]
)
def test_below_10_percent_nothing_is_borrowed(verified, allocated):
    """CEA-BOR-01: 9.99% is not 10%."""
    with refuses(f"BORROWING_NOT_SHORT: .*10% short of the {verified} t verified"):
        BORROWING.most(2021, verified, allocated)


@pytest.mark.parametrize("year", [2019, 2020, 2023, 2024])
def test_for_other_years_nothing_is_borrowed(year):
    """CEA-BOR-01."""
    with refuses(f"YEAR_OUT_OF_RANGE: .*to be borrowed for, got {year}"):
        BORROWING.most(year, 100, 10)

"""A unit's year in whole tonnes."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cea_exchange.domain.compliance.accounting.exact import half_up
from cea_exchange.platform.allocation.unit_years import whole_tonnes

HUNDREDTHS = st.integers(0, 10**9).map(lambda n: Decimal(n) / 100)


@given(st.dictionaries(st.text("ABC123-", min_size=1, max_size=4), HUNDREDTHS, min_size=1))
def test_whole_tonnes_of_units_add_up_to_the_entitys(exact):
    """CEA-PLK-05."""
    total = int(half_up(sum(exact.values(), Decimal(0)), 0))
    whole = whole_tonnes(exact, total)
    assert sum(whole.values()) == total
    assert all(abs(whole[name] - exact[name]) < 1 for name in exact)


@pytest.mark.parametrize(
    ("exact", "whole"),
    [
        (("241375.47", "198234.555"), [241_375, 198_235]),
        (("10.40", "20.40"), [11, 20]),
        (("10.30", "20.50"), [10, 21]),
    ],
)
def test_what_is_missing_goes_to_those_that_lost_most(exact, whole):
    """CEA-PLK-05."""
    units = {str(number): Decimal(value) for number, value in enumerate(exact)}
    total = int(half_up(sum(units.values(), Decimal(0)), 0))
    assert list(whole_tonnes(units, total).values()) == whole

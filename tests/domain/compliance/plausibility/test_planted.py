"""What the cross-checks find of planted errors, and how little they name in vain."""

import pytest

from bench.filings.planting import KINDS, plant
from bench.filings.recall import Recall
from bench.filings.year import nation
from cea_exchange.domain.compliance.plausibility import detect, gather

HALF_OF_THEM = {"fuel cut by a thirtieth"}
"""Within what honest months differ: only all witnesses together show it, and not each time."""


@pytest.fixture(scope="module")
def recall():
    planted = plant(nation(2, scale=10), 2, 6)
    filings = gather(planted.nation.units, planted.nation.filed, planted.spliced)
    return Recall(detect(filings), planted.where, len(filings.unit))


def test_every_kind_of_error_is_found_and_one_of_them_half_the_time(recall):
    """CEA-VER-03, CEA-VER-04, CEA-VER-08."""
    assert len(recall.rows) == len(KINDS) > 20
    for kind, found, planted, _ in recall.rows:
        assert planted > 0, kind
        assert (2 * found >= planted) if kind in HALF_OF_THEM else (found == planted), kind


def test_hardly_a_month_is_named_in_vain(recall):
    assert recall.months > 5000
    assert recall.false * 500 < recall.months
    assert max(recall.false_by.values()) <= recall.false <= sum(recall.false_by.values())


def test_a_clean_year_is_the_same_from_the_same_seed():
    assert nation(3, scale=100) == nation(3, scale=100) != nation(4, scale=100)

"""A small nation's compliance year passes while both sides are killed, on both databases."""

import sys

import msgspec
import pytest

from support.places import ROOT

sys.path.insert(0, str(ROOT))  # bench/ is no part of the package

from torture import compliance_year

pytestmark = pytest.mark.crash

SMALL = {"seed": 1, "scale": 200, "kills": 6}


@pytest.mark.nightly
@pytest.mark.postgres_at_night
def test_the_registry_has_what_the_rules_alone_make_of_the_same_figures(tmp_path, two_addresses):
    """CEA-PLK-01, CEA-PLK-02: totals equal, line by line, and the books are clean."""
    report = compliance_year.Year(tmp_path, two_addresses, **SMALL).run()
    assert (report.enterprises, report.kills) == (15, 6)
    assert report.allowances > 0 < report.due_tonnes


@pytest.mark.nightly
def test_what_the_rules_do_not_give_is_noticed(tmp_path, monkeypatch):
    """It can fail: a unit more than was filed is another sum."""
    honest = compliance_year.plan_units

    def one_more(year):
        for unit in honest(year):
            yield unit.__class__(
                **(msgspec.structs.asdict(unit) | {"emissions": unit.emissions + 1})
            )

    monkeypatch.setattr(compliance_year, "plan_units", one_more)
    run = compliance_year.Year(tmp_path, (None, None), seed=1, scale=480, kills=0)
    with pytest.raises(compliance_year.YearFailed):
        run.run()

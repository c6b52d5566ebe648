"""The bench of a nation's year says nothing that was not held against the rules, in its bounds."""

import sys
from decimal import Decimal

import pytest

from support.places import ROOT

sys.path.insert(0, str(ROOT))  # bench/ is no part of the package

from bench.filings import platform_year
from bench.filings.month_tables import PER_MONTH, NationFiles

SCALE = 100


@pytest.mark.postgres_at_night
@pytest.mark.parametrize("spoilt", [False, True])
def test_a_hundredth_of_a_nation_passes_and_a_spoilt_one_is_noticed(
    tmp_path, database_address, monkeypatch, spoilt
):
    """Its processor's seconds are a hundredth of a minute's, many times over: it may be slow."""
    years = NationFiles(tmp_path / "nation", 1, SCALE, PER_MONTH)
    bench = platform_year.YearBench(tmp_path, database_address, years)
    if spoilt:
        honest = platform_year.entity_emissions
        monkeypatch.setattr(
            platform_year, "entity_emissions", lambda units: honest([*units, Decimal(1)])
        )
        with pytest.raises(AssertionError, match="expected"):
            bench.run()
    else:
        bench.run()
        assert bench.lap("load").cpu_s + bench.lap("check").cpu_s < 10 * 60 / SCALE
        assert bench.lap("allocate").cpu_s < 10 * 5 / SCALE + 1
        assert max(bench.pages_ms) > 0 < bench.findings
    bench.platform.close()

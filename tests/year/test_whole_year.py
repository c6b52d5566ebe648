"""2024 with 3,378 entities and a million orders: every entity as the rules make it."""

import json
import subprocess
import sys

import pytest

from cea_exchange.year.setting import YearSetting
from support.year.recomputed import recomputed

pytestmark = [pytest.mark.e2e, pytest.mark.nightly]

WHOLE = YearSetting(year=2024, entities=3_378, seed=7, orders=3_378 * 300)
MIB_MAX = 2_048
PLAYED = """
import resource, sys
from cea_exchange.cli.main import run
status = run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1_024, file=sys.stderr)
sys.exit(status)
"""


def test_3378_of_3378_entities_are_as_the_rules_and_the_input_alone_make_them(tmp_path):
    """CEA-PLN-13, CEA-SUR-01: allocation, obligation, balance and surrender; less than 2 GiB."""
    folder = tmp_path / "out"
    command = ["year", "2024", "--entities", "3378", "--seed", "7", "--out", str(folder), "--json"]
    finished = subprocess.run(
        [sys.executable, "-c", PLAYED, *command], capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stderr
    outcome = json.loads(finished.stdout)
    assert outcome["figures"]["entities"] == WHOLE.entities
    assert outcome["figures"]["orders"] == WHOLE.orders > 1_000_000
    assert int(finished.stderr.split()[-1]) < MIB_MAX
    expected = recomputed(folder, WHOLE)
    assert len(expected.allocated) == WHOLE.entities
    assert expected.differences() == []

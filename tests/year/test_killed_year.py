"""A year that is killed goes on to the same end, whatever it was doing."""

import random
import signal
import subprocess
import sys
import time

import pytest

from support.year.small import SMALL, hashes, options, played

pytestmark = [pytest.mark.crash, pytest.mark.nightly]

COMMAND = [sys.executable, "-m", "cea_exchange.cli.main", "year", *options(SMALL), "--out"]


def test_a_year_killed_five_times_comes_to_the_same_tables(tmp_path):
    """Between two days or within one, in an act or while where it stands is being kept."""
    played(tmp_path / "whole")
    folder, drawn = tmp_path / "out", random.Random(1)
    for _ in range(5):
        process = subprocess.Popen([*COMMAND, str(folder)], stdout=subprocess.DEVNULL)
        time.sleep(drawn.uniform(0.8, 3.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
    finished = subprocess.run([*COMMAND, str(folder)], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert hashes(folder) == hashes(tmp_path / "whole")

"""`cluster demo` with a relative folder, and its leader killed by hand."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from cea_exchange.control_plane.signals import module_command

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SECONDS = 12


def test_the_demo_runs_in_a_relative_folder_and_reports_the_outage_after_a_kill(tmp_path: Path):
    (tmp_path / "below").mkdir()
    command = [*module_command("cea_exchange.cli.main"), "cluster", "demo", "--json"]
    command += ["--seconds", str(SECONDS), "--data", "../folder"]
    shown, killed = [], None
    with (tmp_path / "found.json").open("wb") as found, subprocess.Popen(
        command, stdout=found, stderr=subprocess.PIPE, text=True, cwd=tmp_path / "below"
    ) as demo:
        for line in demo.stderr:
            shown.append(line)
            if leads := re.match(r" *kill -9 (\d+) +# venue-\d +leads", line):
                killed = int(leads[1])
            # The first line after trading began has no commands yet.
            if killed and re.match(r" +venue-\d leads .* venue-1 [1-9]", line):
                os.kill(killed, signal.SIGKILL)
                killed = None
    assert demo.returncode == 0, "".join(shown)
    assert (tmp_path / "folder" / "venue-1" / "venue.toml").exists()
    (load,) = json.loads((tmp_path / "found.json").read_text())["load"]
    assert load["unanswered"] == 0
    longest = max(load["outages"], key=lambda outage: outage["length_s"])
    assert 0.25 <= longest["length_s"] <= load["done_s"]
    assert 0 <= longest["start_s"] < SECONDS
    lines = [line for line in shown if line.startswith("- outage: no order was answered for ")]
    assert len(lines) == len(load["outages"])
    assert f"{longest['length_s']:.1f} s, from second {longest['start_s']:.1f}" in "".join(lines)

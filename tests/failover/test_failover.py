"""Whatever happens to whom, nothing acknowledged is lost, doubled or reordered."""

import json
import os
import subprocess
import sys

import pytest

from failover.acts import Acts
from failover.faults import CUTS, WEIGHTS, faults_draw
from torture.run import python_path

LIMIT_S = 1_200


@pytest.mark.unit
def test_a_seed_draws_the_same_faults_and_every_kind_comes():
    kinds = list(WEIGHTS)
    faults = faults_draw(7, 200, kinds)
    assert faults == faults_draw(7, 200, kinds) != faults_draw(8, 200, kinds)
    assert {fault.kind for fault in faults} == set(kinds)
    assert any(fault.is_paired for fault in faults)
    rolling = [place for place, fault in enumerate(faults) if fault.kind == "rolling"]
    assert not any(faults[place].is_paired or faults[place - 1].is_paired for place in rolling[1:])


@pytest.mark.unit
def test_without_a_network_of_its_own_nobody_is_cut_off():
    assert not {*CUTS, "full_disk"} & {*Acts.kinds(None, {})}


@pytest.mark.e2e
@pytest.mark.crash
@pytest.mark.nightly
def test_faults_of_every_kind_lose_nothing(tmp_path):
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "failover", "--faults", "30", "--seed", "11"]
    ran = subprocess.run(
        [*command, "--json", str(report), "--data", str(tmp_path / "data")],
        env={**os.environ, "PYTHONPATH": python_path()},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = json.loads(report.read_text())
    assert found["discrepancies"] == []
    assert sum(len(each["acts"]) for each in found["outages"]) == 30
    assert found["checked"]["trades"] > 100 and found["checked"]["venues"] == 3
    assert found["epochs"] > 2

"""Whatever happens to whom, nothing acknowledged is lost, doubled or reordered."""

import json
import os
import subprocess
import sys

import pytest

from failover.acts import Acts
from failover.faults import CUTS, OF_OTHERS, WEIGHTS, faults_draw
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


@pytest.mark.unit
def test_a_run_can_meet_some_of_them_only():
    faults = faults_draw(7, 100, list(WEIGHTS), ("other",))
    assert {fault.who for fault in faults} == {"other"}
    assert {fault.kind for fault in faults} == {*OF_OTHERS}
    with pytest.raises(ValueError, match="whom: expected somebody whom a fault can meet, got me"):
        faults_draw(7, 100, list(WEIGHTS), ("me",))


@pytest.mark.e2e
@pytest.mark.crash
@pytest.mark.nightly
def test_without_a_network_it_runs_on_the_loopback_and_says_so(tmp_path):
    more = ("--faults", "6", "--loopback", "--tls", "--kinds", "kill,freeze")
    ran, found = failover_run(tmp_path, *more, "--seed", "3")
    assert "on the loopback: nobody is cut off, and no disk is full" in ran.stdout
    assert {act[0] for each in found["outages"] for act in each["acts"]} == {"kill", "freeze"}
    assert found["checked"]["trades"] > 100


@pytest.mark.e2e
@pytest.mark.crash
@pytest.mark.nightly
def test_the_registry_and_the_ways_in_are_met_and_reported(tmp_path):
    ran, found = failover_run(tmp_path, "--faults", "10", "--whom", "other", "--seed", "5")
    for role in ("registry", "a way in"):
        assert role in ran.stdout
    assert {act[2] for each in found["outages"] for act in each["acts"]} == {"registry", "a way in"}


@pytest.mark.e2e
@pytest.mark.crash
@pytest.mark.nightly
def test_faults_of_every_kind_lose_nothing(tmp_path):
    _, found = failover_run(tmp_path, "--faults", "30", "--seed", "11")
    assert sum(len(each["acts"]) for each in found["outages"]) == 30
    assert found["checked"]["trades"] > 100 and found["checked"]["venues"] == 3
    assert found["epochs"] > 2


def failover_run(tmp_path, *arguments):
    """Run it, see that nothing is wrong, and return the process and its report."""
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "failover", *arguments]
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
    return ran, found

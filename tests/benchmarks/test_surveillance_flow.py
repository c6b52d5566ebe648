"""Recorded flow is played and looked through; what is dense in it is found."""

import json
import sys

import pytest

from cea_exchange.domain.profile import load_profile
from cea_exchange.supervision.sources import script_tape
from support.places import ROOT

sys.path.insert(0, str(ROOT))  # bench/ is no part of the package

from bench import surveillance_flow

pytestmark = pytest.mark.unit


def looked(monkeypatch, capsys, *typed):
    """Return what the program says of a flow."""
    monkeypatch.setattr(sys, "argv", ["surveillance_flow", *map(str, typed)])
    surveillance_flow.main()
    return capsys.readouterr().out.splitlines()


def test_an_execution_is_anothers_order_and_a_cancel_is_of_its_own(tmp_path, monkeypatch, capsys):
    """LOBSTER's: two orders, one of which is taken in part, the rest of it deleted."""
    flow, script = tmp_path / "message.csv", tmp_path / "day.jsonl"
    lines = ("34200.5,1,7,300,5853300,-1", "34201.0,1,8,100,5853200,1",
             "34202.25,4,7,200,5853300,-1", "34203.0,3,7,100,5853300,-1")  # fmt: skip
    flow.write_text("\n".join(lines) + "\n")
    said = looked(monkeypatch, capsys, flow, "--accounts", 2, "--write", script)
    assert said[0].endswith("3 orders, 1 trades") and said[-1] == "0 alerts"
    commands = [json.loads(line) for line in script.read_text().splitlines()]
    assert [each["cmd"] for each in commands if each["cmd"] != "clock"] == [
        *("product", "account", "account", "enter", "enter", "enter", "cancel")
    ]
    assert commands[3] == {"cmd": "clock", "at": "2025-01-02T09:30:00.500000+08:00"}
    with script.open("rb") as file:
        tape = script_tape(file, load_profile("open"), "day")
    assert f"{len(tape.events):,} events" in said[0]


def test_what_is_entered_and_taken_away_by_the_hundred_is_found(tmp_path, monkeypatch, capsys):
    """CEA-SVL-09, of one owner, and not where orders are two owners'."""
    flow = tmp_path / "message.csv"
    lines = []
    for number in range(1, 601):
        at = 34_200 + 20 * number
        lines += [f"{at}.0,1,{number},10,100000,1", f"{at}.5,3,{number},10,100000,1"]
    flow.write_text("\n".join(lines) + "\n")
    (_, alert, _) = looked(monkeypatch, capsys, flow, "--accounts", 1)
    assert alert.split() == ["dense_entry", "alert", "1"]
    assert looked(monkeypatch, capsys, flow, "--accounts", 2)[-1] == "0 alerts"


def test_what_is_no_flow_is_refused(tmp_path, monkeypatch, capsys):
    flow = tmp_path / "flow.csv"
    flow.write_text("a,b\n")
    with pytest.raises(SystemExit) as ended:
        looked(monkeypatch, capsys, flow)
    assert ended.value.code == 2 and "expected a header with `action`" in capsys.readouterr().err

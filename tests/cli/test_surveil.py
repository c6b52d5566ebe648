"""`surveil`: alerts of a script and of a venue's days, each with a script that shows it."""

import json
import sys
import time

import pytest

from cea_exchange.cli.errors import CommandError
from cea_exchange.cli.main import run
from cea_exchange.cli.reports.surveil import VenueAlerts, WholeLook
from cea_exchange.domain.records import Side
from cea_exchange.protocol import control
from cea_exchange.supervision.limits import limits_packaged
from cea_exchange.supervision.patterns.context import NO_FACTS
from support.journal.small_market import day_begin, orders, sequencer_open

TRADE = {"product": "CEA24", "price": "90.00", "tonnes": 2000}
COMMANDS = [
    {"cmd": "product", "product": "CEA24", "reference_price": "90.00"},
    {"cmd": "account", "account": "A", "group": "G"},
    {"cmd": "account", "account": "B", "group": "G"},
    {"cmd": "deposit", "account": "B", "cash": "1000000.00"},
    {"cmd": "deposit", "account": "A", "product": "CEA24", "tonnes": 5000},
    {"cmd": "clock", "at": "2025-07-16T10:00:00+08:00"},
    {"cmd": "enter", "id": "1", "account": "A", "side": "sell", **TRADE},
    {"cmd": "enter", "id": "2", "account": "B", "side": "buy", **TRADE},
    {"cmd": "clock", "at": "2025-07-16T15:00:00+08:00"},
]
WASH = "".join(json.dumps(command) + "\n" for command in COMMANDS)


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "day.jsonl"
    path.write_text(WASH)
    return path


def alerts_of(capsys):
    """The alerts; the last line says what was not examined."""
    *alerts, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert list(last) == ["not_examined"]
    return alerts


def test_an_alert_has_figures_a_sentence_and_a_script_that_run_plays(script, tmp_path, capsys):
    """Rules: CEA-SVL-01, CEA-SVL-03."""
    folder = tmp_path / "alerts"
    assert run(["surveil", str(script), "--reproducers", str(folder), "--json"]) == 0
    (alert,) = alerts_of(capsys)
    assert (alert["pattern"], alert["rule"], alert["grade"]) == (
        "wash_group",
        "CEA-SVL-03",
        "alert",
    )
    assert alert["accounts"] == ["A", "B"]
    assert {
        "name": "share of the day per mille",
        "value": 1000,
        "relation": ">=",
        "threshold": 100,
    } in alert["figures"]
    assert "A, B, of one will, traded 2000 t" in alert["sentence"]
    reproducer = alert["reproducer"]
    assert run(["run", reproducer]) == 0
    assert '"event":"trade"' in capsys.readouterr().out
    assert run(["surveil", reproducer, "--json"]) == 0
    (again,) = alerts_of(capsys)
    assert again["sentence"] == alert["sentence"]


def test_what_can_not_be_looked_for_is_said(script, capsys):
    assert run(["surveil", str(script)]) == 0
    shown = capsys.readouterr().out
    assert "not looked for: corner, no float is given (float_tonnes)" in shown
    assert "alert  20250716  wash_group" in shown


def test_json_lists_the_patterns_that_were_not_examined_and_why(script, tmp_path, capsys):
    def not_examined(*options):
        assert run(["surveil", str(script), "--json", *options]) == 0
        return json.loads(capsys.readouterr().out.splitlines()[-1])["not_examined"]

    assert not_examined() == [
        {"pattern": "corner", "why": "no float is given (float_tonnes)"},
        {"pattern": "evasion", "why": "no holding limit is in force or given"},
    ]
    assert [item["pattern"] for item in not_examined("--profile", "open")][-1] == "limit_queue"
    facts = tmp_path / "facts.json"
    facts.write_text('{"float_tonnes": {"CEA24": 9000}, "holding_limit_tonnes": 9000}')
    assert not_examined("--facts", str(facts)) == []


def test_a_day_is_chosen_and_limits_are_ones_own(script, tmp_path, capsys):
    assert run(["surveil", str(script), "--date", "2025-07-17", "--json"]) == 0
    assert alerts_of(capsys) == []
    limits = tmp_path / "limits.toml"
    limits.write_text("warning_per_mille = 800\n")
    assert run(["surveil", str(script), "--limits", str(limits)]) == 2
    assert "limits.toml: Object missing required field" in capsys.readouterr().err


def test_accounts_that_facts_link_are_of_one_will(script, tmp_path, capsys):
    """Rules: CEA-SVL-02."""
    script.write_text(WASH.replace(', "group": "G"', ""))
    assert run(["surveil", str(script), "--json"]) == 0
    assert alerts_of(capsys) == []
    facts = tmp_path / "facts.json"
    facts.write_text('{"links": [["A", "B"]]}')
    assert run(["surveil", str(script), "--facts", str(facts), "--json"]) == 0
    assert [alert["pattern"] for alert in alerts_of(capsys)] == ["wash_group"]
    facts.write_text('{"links": [["A", "Z"]]}')
    assert run(["surveil", str(script), "--facts", str(facts)]) == 2
    assert "expected accounts of this market, got 'Z'" in capsys.readouterr().err


def test_large_holders_are_printed_with_their_limits(script, tmp_path, capsys):
    """Rules: CEA-SVL-21."""
    facts = tmp_path / "facts.json"
    facts.write_text('{"holding_limit_tonnes": 6000}')
    assert run(["surveil", str(script), "--holders", "--facts", str(facts)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.split() == "5000 833 per mille of 6000 reports A, B".split()


def test_a_venues_days_are_read_from_its_journal(tmp_path, capsys):
    sequencer = sequencer_open(tmp_path)
    day_begin(sequencer)
    # The whole day is fifty tonnes at the upper limit.
    sequencer.run_records(orders((0, 1, Side.SELL, 10724, 50), (1, 1, Side.BUY, 10724, 50)))
    sequencer.run_controls([control.DayClose()])
    sequencer.close()
    assert run(["surveil", str(tmp_path), "--json"]) == 0
    (alert,) = [a for a in alerts_of(capsys) if a["pattern"] == "thin_close"]
    assert alert["accounts"] == ["alice", "bob"]


def test_a_venue_that_is_followed_has_each_alert_said_once(tmp_path):
    sequencer = sequencer_open(tmp_path)
    day_begin(sequencer)
    alerts = VenueAlerts(tmp_path, None, limits_packaged(), NO_FACTS, None)
    assert alerts.new()[1] == []
    sequencer.run_records(orders((0, 1, Side.SELL, 10300, 50), (1, 1, Side.BUY, 10300, 50)))
    (alert,) = alerts.new()[1]
    assert (alert.pattern, alert.grade) == ("thin_close", "alert")
    assert alerts.new()[1] == []
    sequencer.run_records(orders((0, 2, Side.SELL, 10300, 20), (1, 2, Side.BUY, 10300, 20)))
    assert alerts.new()[1] == []
    sequencer.close()


def test_a_look_at_the_whole_goes_on_beside_looks_at_the_recent_part(tmp_path):
    sequencer = sequencer_open(tmp_path)
    day_begin(sequencer)
    alerts = VenueAlerts(tmp_path, None, limits_packaged(), NO_FACTS, None)
    sequencer.run_records(orders((0, 1, Side.SELL, 10300, 50), (1, 1, Side.BUY, 10300, 50)))
    tape, found = alerts.recent()
    # That the day is so thin only a look at all of it tells.
    assert (len(tape.events) > 0, found) == (True, [])
    look = alerts.whole_begin()
    while (whole := look.found()) is None:
        time.sleep(0.01)
    assert [alert.pattern for alert in alerts.unknown(whole)] == ["thin_close"]
    assert alerts.unknown(whole) == []
    sequencer.close()


def test_a_look_that_ends_without_an_answer_is_told():
    look = WholeLook(None, lambda: sys.exit(3))
    with pytest.raises(CommandError, match="ended without an answer"):
        while look.found() is None:
            time.sleep(0.01)


def test_a_folder_that_is_no_venues_is_refused(tmp_path, capsys):
    assert run(["surveil", str(tmp_path)]) == 2
    assert "expected a data folder with a journal" in capsys.readouterr().err

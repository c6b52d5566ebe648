"""Case files at a running venue: opened of alerts, added to, closed by two, never changed."""

import json
import re

import msgspec
import pytest

from cea_exchange.cli.main import run
from cea_exchange.protocol.operators import OperatorSetting
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.venue.cases.case_log import DOCUMENTS, case_files_read
from cea_exchange.venue.maintenance.backup import backup
from cea_exchange.venue.operations.admin_client import AdminError, admin_ask
from cea_exchange.venue.operations.look_log import looks_read
from support.venue.venue_world import PRODUCT, enter, world_open

pytestmark = pytest.mark.e2e

ROLES = {"an": "operator", "bo": "operator", "reg": "regulator"}
ALERT = {
    "pattern": "spoofing",
    "rule": "CEA-SVL-06",
    "grade": "high",
    "trading_date": 20241231,
    "product": PRODUCT,
    "accounts": ["bob"],
    "counterparties": ["alice"],
    "first_seq": 1,
    "last_seq": 9,
    "figures": [{"name": "times the fill", "value": 20, "relation": ">=", "threshold": 10}],
    "sentence": "bob entered 80000 t and took them away",
    "gain_fen": {"realised": 60_000_000, "marked": 0},
}


@pytest.fixture
def world(tmp_path):
    operators = tuple(
        OperatorSetting(name=name, key=f"keys/{name}.public", role=role)
        for name, role in ROLES.items()
    )
    with world_open(tmp_path, operators=operators, admin_keys=()) as world:
        for name in ROLES:
            CurveKeys.new().save(tmp_path / "keys", name)
        world.admin_key = "an"
        world.listed()
        alice, bob = world.logged_on("alice"), world.logged_on("bob")
        alice.command(enter(1, "buy", 9_700, 10))
        alice.reports(2)
        bob.command(enter(1, "sell", 9_700, 10))
        bob.reports(2)
        yield world


@pytest.fixture
def alerts(tmp_path):
    script = tmp_path / "script.jsonl"
    script.write_text('{"cmd": "product"}\n')
    path = tmp_path / "alerts.jsonl"
    path.write_text(json.dumps({**ALERT, "reproducer": str(script)}) + "\n")
    return path


def command(world, *words, key="an"):
    return run(["venue", *map(str, words), "--data", str(world.data), "--key", key])


def approved(world, capsys, *words):
    """Let an propose it and bo agree."""
    capsys.readouterr()
    assert command(world, *words, "--json") == 0
    # The daemon of the same process says what it does, too.
    found = re.search(r'"proposal":([0-9]+)', capsys.readouterr().out)
    return admin_ask(world.data, {"op": "approve", "number": int(found[1])}, key="bo")


def test_a_case_goes_from_alerts_to_its_outcome_and_shows_all_of_it(
    world, alerts, tmp_path, capsys
):
    """CEA-CAS-01 to CEA-CAS-04, CEA-ABU-01: opened, noted, documented, measured, closed."""
    report = tmp_path / "report.pdf"
    report.write_bytes(b"what bob says")
    assert command(world, "case", "open", "C1", "spoofing by bob", "--alerts", alerts) == 0
    assert command(world, "case", "note", "C1", "bob was called") == 0
    assert command(world, "case", "document", "C1", "report", "--file", report) == 0
    assert command(world, "case", "document", "C1", "a paper", "--sha256", 64 * "a") == 0
    restricted = ("measure", "restrict", "bob", "--purchases", "--case", "C1", "--why", "spoofed")
    assert approved(world, capsys, *restricted)["measure"] == 1
    penalty = approved(world, capsys, "case", "penalty", "C1", "manipulation")
    assert "CEA-ABU-01" in penalty["what"]
    closing = ("case", "close", "C1", "to_authority", "--why", "the authority decides")
    approved(world, capsys, *closing)
    shown = admin_ask(world.data, {"op": "case", "case": "C1"}, key="reg")["case"]
    kinds = [entry["body"]["kind"] for entry in shown["entries"]]
    assert kinds == [
        *("opened", "alert_taken", "note", "document", "document"),
        *("penalty_computed", "closed"),
    ]
    assert [(entry["by"], entry["second"]) for entry in shown["entries"]][-2:] == [("an", "bo")] * 2
    assert shown["accounts"] == ["bob"]
    assert [measure["account"] for measure in shown["measures"]] == ["bob"]
    kept = {path.read_bytes() for path in (world.data / DOCUMENTS).iterdir()}
    assert kept == {b"what bob says", b'{"cmd": "product"}\n'}
    # bob sold 10 t at 97.00 and nothing closed the day: nothing was gained.
    body = shown["entries"][-2]["body"]
    assert (body["least"], body["most"]) == (50_000_000, 500_000_000)
    assert [look.what for look in looks_read(world.data)][-1] == "case"


def test_nothing_is_entered_behind_a_close_and_no_measure_taken(world, capsys):
    """CEA-CAS-01."""
    admin_ask(world.data, {"op": "case_open", "case": "C1", "title": "x"}, key="an")
    approved(world, capsys, "case", "close", "C1", "no_abuse", "--why", "explained")
    for request in (
        {"op": "case_note", "case": "C1", "text": "late"},
        {"op": "measure_take", "account": "bob", "step": 1, "case": "C1", "why": "x"},
        {"op": "case_close", "case": "C1", "outcome": "measures", "why": "x"},
    ):
        with pytest.raises(AdminError, match="CASE_CLOSED"):
            admin_ask(world.data, request, key="an")


@pytest.mark.parametrize(
    ("request_fields", "words"),
    [
        ({"op": "case_note", "case": "C9", "text": "x"}, "CASE_UNKNOWN"),
        ({"op": "case", "case": "C9"}, "CASE_UNKNOWN"),
        ({"op": "case_open", "case": "C1", "title": "x"}, "CASE_TAKEN: .*open already"),
        ({"op": "case_document", "case": "C1", "title": "x"}, "BAD_REQUEST: .*a SHA-256"),
        (
            {"op": "case_document", "case": "C1", "title": "x", "sha256": "abc"},
            "BAD_REQUEST",
        ),
        ({"op": "case_note", "case": "C1", "text": " "}, "BAD_REQUEST"),
        (
            {"op": "case_close", "case": "C1", "outcome": "forgotten", "why": "x"},
            "BAD_REQUEST",
        ),
        ({"op": "case_alerts", "case": "C1", "alerts": []}, "BAD_REQUEST"),
        (
            {"op": "case_alerts", "case": "C1", "alerts": [{**ALERT, "accounts": ["eve"]}]},
            "ACCOUNT_UNKNOWN: .*expected a declared account, got 'eve'",
        ),
        (
            {"op": "case_alerts", "case": "C1", "alerts": [{**ALERT, "last_seq": 10**9}]},
            "DATE_OUT_OF_RANGE: .*expected events up to",
        ),
    ],
)
def test_what_does_not_fit_a_case_is_refused_by_its_code(world, request_fields, words):
    """CEA-CAS-01, CEA-CAS-02."""
    admin_ask(world.data, {"op": "case_open", "case": "C1", "title": "x"}, key="an")
    before = case_files_read(world.data)
    for alert in request_fields.get("alerts", ()):
        alert["kind"] = "alert_taken"
    with pytest.raises(AdminError, match=words):
        admin_ask(world.data, request_fields, key="an")
    assert case_files_read(world.data) == before
    with pytest.raises(AdminError, match="NOT_PERMITTED"):
        admin_ask(world.data, {"op": "case_note", "case": "C1", "text": "x"}, key="reg")


def test_an_exported_case_is_held_against_the_journal_and_its_papers(
    world, alerts, tmp_path, capsys
):
    """CEA-CAS-01, CEA-CAS-03: a changed word, a changed paper, a gain that the journal has not."""
    assert command(world, "case", "open", "C1", "spoofing by bob", "--alerts", alerts) == 0
    approved(world, capsys, "case", "penalty", "C1", "disturbance", "--gain", "700000.00")
    out = tmp_path / "C1.json"
    assert command(world, "case", "show", "C1", "--out", out) == 0
    page = tmp_path / "C1.html"
    assert command(world, "case", "show", "C1", "--out", page) == 0
    assert "bob entered 80000 t" in page.read_text()
    world.stop()
    check = ["venue", "case", "check", str(out), "--data", str(world.data)]
    assert run(check) == 1
    assert "entry 3: 70000000 fen gained, by the journal 0" in capsys.readouterr().err
    said = msgspec.json.decode(out.read_bytes())
    said["entries"][1]["body"]["sentence"] = "alice did it"
    out.write_bytes(msgspec.json.encode(said))
    assert run(check) == 1
    assert "entry 2: expected hash" in capsys.readouterr().err
    (paper,) = (world.data / DOCUMENTS).iterdir()
    paper.write_bytes(b"other")
    assert run(["venue", "case", "check", "--data", str(world.data)]) == 1
    assert "its bytes are not those of its name" in capsys.readouterr().err


def test_a_case_outlives_a_restart_and_goes_along_with_a_backup(
    world, alerts, tmp_path_factory
):
    """CEA-CAS-01."""
    assert command(world, "case", "open", "C1", "spoofing by bob", "--alerts", alerts) == 0
    request = {"op": "case", "case": "C1"}
    before = admin_ask(world.data, request, key="reg")
    world.stop()
    world.start()
    world.ready()
    assert admin_ask(world.data, request, key="reg") == before
    copied = backup(world.data, tmp_path_factory.mktemp("copies") / "copy")
    (paper,) = (world.data / DOCUMENTS).iterdir()
    assert f"{DOCUMENTS}/{paper.name}" in [file.path for file in copied.files]


def test_a_file_that_is_no_alert_is_told_with_its_line(world, tmp_path, capsys):
    path = tmp_path / "alerts.jsonl"
    path.write_text("\n{}\n")
    assert command(world, "case", "open", "C1", "x", "--alerts", path) == 2
    assert f"{path}:2: expected an alert" in capsys.readouterr().err
    path.write_text("\n")
    assert command(world, "case", "open", "C1", "x", "--alerts", path) == 2
    assert "expected alerts, there are none" in capsys.readouterr().err

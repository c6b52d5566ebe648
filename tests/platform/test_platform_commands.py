"""What a firm's person types and what comes back: files that are wrong, copies, the calendar."""

import json
import shutil
from decimal import Decimal
from hashlib import sha256

import pytest

from cea_exchange.cli.main import run
from cea_exchange.files.writing import table_bytes
from cea_exchange.platform.filings.month_files import MONTH_FIGURES
from cea_exchange.platform.filings.plan_files import PLANNED_FIGURES
from cea_exchange.platform.rehearsal import year_figures
from support.platform.platform_process import PlatformProcess
from support.platform.platform_world import planned_figures

pytestmark = [pytest.mark.e2e, pytest.mark.postgres_at_night]


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    """A platform whose firm has brought its document, and filed nothing yet."""
    with PlatformProcess(tmp_path_factory.mktemp("platform") / "data") as process:
        process.bring("scale-2024.csv")
        yield process


@pytest.fixture
def typed(platform, monkeypatch, capsys):
    """Return the status and what was said of a command."""
    monkeypatch.chdir(platform.data)
    monkeypatch.setenv("CEA_EXCHANGE_DATA", str(platform.data))

    def typed(command, key="li"):
        status = run(["platform", *command.split(), *(["--key", key] if key else [])])
        said = capsys.readouterr()
        return status, said.err or said.out

    return typed


def figure(line, **terms):
    """Return January's figures with one of them otherwise, as a file."""
    rows = [row for row in year_figures() if row.month == 202401]
    fields = {name: getattr(rows[line - 2], name) for name in rows[0].__struct_fields__}
    rows[line - 2] = type(rows[0])(**(fields | terms))
    return table_bytes(MONTH_FIGURES, rows, ".csv")


def january():
    return table_bytes(
        MONTH_FIGURES, [row for row in year_figures() if row.month == 202401], ".csv"
    )


WRONG = {
    "a unit that is another one's": (
        figure(2, measure="kg"),
        ":2: measure: A.bituminous: expected in t, got in kg",
    ),
    "a negative figure": (
        january().replace(b"125000.00", b"-125000.00"),
        ":2: value: A.bituminous: expected 0 t or more, got -125000.00",
    ),
    "an absurd figure": (figure(3, value=54), ":3: value: B.bituminous: expected within"),
    "an amount beyond reason": (figure(2, value=10**11), ":2: value: A.bituminous: expected"),
    "a month twice": (
        table_bytes(MONTH_FIGURES, year_figures()[:7] * 2, ".csv"),
        ":9: parameter: expected each unit and month and parameter once",
    ),
    "totals that don't add up": (
        january().replace(b"125000.00", b"125000.01", 1),
        "value: expected",
    ),
    "a unit that is not the firm's": (
        figure(2, unit="E2-1"),
        ":2: unit: expected a unit that E1 had in the month, got E2-1",
    ),
    "a document that nobody brought": (
        figure(2, evidence=sha256(b"none").hexdigest()),
        ":2: evidence: expected a document that was brought",
    ),
    "a measured figure without a document": (
        figure(2, evidence=""),
        ":2: evidence: expected the document that A.bituminous was measured by, got nothing",
    ),
    "a month that is not over": (
        january().replace(b"2024-01", b"2026-01"),
        ":2: month: expected a month that ended before 20260110, got 202601 (CEA-MRV-01)",
    ),
    "a month that none is": (january().replace(b"2024-01", b"2024-13", 1), ":2: month: expected"),
    "a number that is none": (january().replace(b"125000.00", b"=1+1", 1), ":2: value: expected"),
    "no table": (b"\xff\xfe\x00", ":1: expected"),
    "nothing": (b"", ":1: expected"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_file_is_refused_whole_with_line_rule_and_remedy(platform, typed, what):
    """CEA-FIL-01: and the platform goes on."""
    content, said = WRONG[what]
    (platform.data / "wrong.csv").write_bytes(content)
    status, found = typed("month enter E1 wrong.csv")
    assert status == 2, found
    assert "wrong.csv" + (said if said[0] == ":" else "") in found and said in found, found
    assert "mend each line that is named, and enter it again (CEA-FIL-01)" in found
    assert platform.ask("an", "status")["filings"] == 0


def test_the_signature_of_a_wrong_person_signs_nothing(platform, typed):
    """CEA-ENT-14."""
    status, found = typed("report sign E1 2024", key="li")
    assert status == 2 and "NOT_PERMITTED" in found and "signatory" in found
    status, found = typed("month enter E1 e1-2024.csv", key="nobody")
    assert status == 2 and "nobody" in found
    assert platform.ask("an", "status")["filings"] == 0


@pytest.mark.parametrize(
    "command",
    ["month file E1 202401", "month file E1 2024-13", "due E1 --until 20260331"],
)
def test_a_day_or_month_that_is_not_typed_as_iso_has_it_is_refused(typed, command):
    status, found = typed(command, key="wang")
    assert status == 2 and "such as 202" in found.replace("'", ""), found


def test_the_calendar_says_what_is_missing_by_a_day(typed):
    """CEA-MRV-01, CEA-MRV-12."""
    status, found = typed("due E1 --until 2024-04-30")
    rows = [line.split() for line in found.splitlines()]
    assert status == 0
    assert ["E1", "plan", "2024", "2023-12-31", "missing"] in rows
    assert ["E1", "month", "2024-02", "2024-04-09", "missing"] in rows
    assert ["E1", "month", "2024-03", "2024-05-10", "missing"] not in rows


def test_a_plan_is_typed_and_a_wrong_one_is_refused_with_its_line(platform, typed):
    """CEA-MRV-10, CEA-FIL-01."""
    words = "--boundary boiler-1 --quality weekly"
    for name, changed in (("wrong", {"accuracy": Decimal(0)}), ("sound", {})):
        content = table_bytes(PLANNED_FIGURES, planned_figures(**changed), ".csv")
        (platform.data / f"{name}.csv").write_bytes(content)
    status, found = typed(f"plan enter E1 2026 wrong.csv {words}")
    assert status == 2, found
    assert "wrong.csv:2: accuracy: expected the class of scale 1 in percent, got 0" in found
    assert "mend each line that is named" in found
    assert typed(f"plan enter E1 2026 sound.csv {words}")[0] == 0
    assert typed("plan file E1 2026", key="wang")[0] == 0
    for key in ("chen", "sun"):
        assert typed("filing pass E1 plan 2026", key=key)[0] == 0
    status, found = typed("plan show E1 2026")
    assert status == 0 and "second_source" in found and "boiler-1" in found, found


def test_a_month_that_was_entered_before_is_taken_with_a_reason_only(platform, typed):
    """CEA-MRV-08: a month twice, in two files."""
    (platform.data / "january.csv").write_bytes(january())
    assert typed("month enter E1 january.csv")[0] == 0
    status, found = typed("month enter E1 january.csv")
    missing = "REASON_MISSING: reason: expected the reason for another version"
    assert status == 2 and missing in found
    assert typed("month enter E1 january.csv --reason typed-again")[0] == 0


def test_the_month_of_who_entered_it_is_not_filed_by_a_firm_of_others(platform, typed):
    """CEA-ENT-14: of the city or the province nobody signs for the firm."""
    for key in ("chen", "sun", "wu", "li"):
        status, found = typed("month file E1 2024-01", key=key)
        assert status == 2 and "NOT_PERMITTED" in found, found


# -- copies ---------------------------------------------------------------------------------------


def test_a_copy_that_is_made_while_it_works_is_restored_and_goes_on(
    tmp_path, monkeypatch, capsys, database_address
):
    def typed(*words):
        status = run(["platform", *map(str, words)])
        said = capsys.readouterr()
        return status, said.err or said.out

    data, copy = tmp_path / "data", tmp_path / "copy"
    with PlatformProcess(data, database_address) as platform:
        platform.year_verified()
        monkeypatch.setenv("CEA_EXCHANGE_DATA", str(data))
        assert typed("backup", "--out", copy)[0] == 0
        assert typed("verify")[1].startswith("verified")
        platform.stop()
    other = tmp_path / "other"
    monkeypatch.setenv("CEA_EXCHANGE_DATA", str(other))
    other.mkdir()
    shutil.copytree(data / "keys", other / "keys")
    status, said = typed("restore", copy)
    assert status == 0 and said.startswith("reconciled at link"), said
    with PlatformProcess(other) as restored:
        shown = restored.ask("li", "result_show", enterprise="E1", year=2024)
        assert (shown["tonnes"], shown["version"]) == (2_957_724, 1)
        given = restored.ask("sun", "allocation_compute", province=33, year=2024, stage="final")
        assert given["tonnes"] == 2_847_600
        restored.stop()
    assert typed("reconcile")[0] == 0
    status, said = typed("audit")
    assert (status, said.splitlines()[-1][:13]) == (0, "All is well: ")
    status, said = typed("audit", "--json")
    found = json.loads(said)
    assert (status, found["summary"]) == (0, {"queries": len(found) - 1, "all_well": True})
    copy.write_bytes(copy.read_bytes()[:-1] + b"!")
    status, said = typed("restore", copy)
    assert status == 2 and "SHA-256" in said

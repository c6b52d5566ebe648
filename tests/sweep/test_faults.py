"""What fails, is damaged, or is another's: kept, named, refused; nothing of it is lost."""

import json
import subprocess
import sys

import pytest

from cea_exchange.cli.main import run as command
from cea_exchange.protocol.folder_lock import FolderInUse, FolderLock
from cea_exchange.sweep import folder as folders
from cea_exchange.sweep.folder import OtherSweep
from cea_exchange.sweep.run import SweepRun
from support.sweep.small import SMALL, files_of, plan_at, swept

pytestmark = pytest.mark.e2e

FIRMS = """
import os, pathlib, signal
from cea_exchange.year.firms.firms import Firms

class Fussy(Firms):
    "Of seed 6 it has enough of it."
    def surrenders(self, day, firm):
        if self.seed == 6 and day.is_owed:
            raise ValueError("too fussy for this")
        return super().surrenders(day, firm)

class Doomed(Firms):
    "Of seed 6 its process is killed, once."
    def surrenders(self, day, firm):
        mark = pathlib.Path(__file__).with_name("was_killed")
        if self.seed == 6 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().surrenders(day, firm)
"""


class Killed(BaseException):
    """The process ends here."""


TWO = SMALL.partition("[grid]")[0]


def of_firms(folder, name, monkeypatch):
    (folder / "fussy.py").write_text(FIRMS, encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    sys.modules.pop("fussy", None)
    return plan_at(folder, TWO.replace("entities", f"firms = 'fussy:{name}'\nentities"))


@pytest.mark.nightly
def test_a_year_that_fails_is_kept_with_its_error_and_the_others_go_on(tmp_path, monkeypatch):
    plan = of_firms(tmp_path, "Fussy", monkeypatch)
    standing, outcome = swept(tmp_path / "out", plan)
    assert (standing.played, standing.failed) == (2, 1)
    (failed,) = outcome.failed
    assert failed.error.startswith("ValueError: too fussy for this (at ")
    assert "--seed 6" in failed.command and "--firms fussy:Fussy" in failed.command
    assert "too fussy for this" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    # What a year comes to it comes to again: nothing is played.
    before = files_of(tmp_path / "out")
    swept(tmp_path / "out", plan)
    assert files_of(tmp_path / "out") == before
    assert len((tmp_path / "out" / "played.csv").read_text().split()) == 2


@pytest.mark.nightly
def test_a_process_that_is_killed_fails_its_year_alone_which_is_played_again(tmp_path, monkeypatch):
    plan = of_firms(tmp_path, "Doomed", monkeypatch)
    standing, outcome = swept(tmp_path / "out", plan, processes=1)
    assert (standing.played, standing.failed) == (2, 1)
    assert outcome.failed[0].error.endswith("expected a result, got its end by signal SIGKILL")
    standing, again = swept(tmp_path / "out", plan)
    assert standing.failed == 0 and again.failed == []
    swept(tmp_path / "unharmed", plan)
    assert files_of(tmp_path / "out") == files_of(tmp_path / "unharmed")


def test_a_plan_may_add_cells_and_lose_none(tmp_path):
    plan = plan_at(tmp_path, TWO)
    swept(tmp_path / "out", plan)
    more = plan_at(tmp_path, TWO.replace("count = 2", "count = 3"), "more.toml")
    standing = SweepRun(more, tmp_path / "out").look()
    assert (standing.cells, standing.played) == (3, 2)
    assert standing.cpu_s_each > 0
    other = plan_at(tmp_path, TWO.replace("first = 5", "first = 6"), "other.toml")
    before = files_of(tmp_path / "out")
    with pytest.raises(OtherSweep, match="all of the 3 cells there, got one without 1 of them"):
        swept(tmp_path / "out", other)
    assert files_of(tmp_path / "out") == before


def test_a_sweep_that_is_killed_while_its_folder_is_made_goes_on(tmp_path, monkeypatch):
    plan = plan_at(tmp_path, SMALL)
    write, writes = folders.written, 0

    def killed_at(last):
        def written(path, content):
            nonlocal writes
            writes += 1
            if writes == last:
                path.with_name(f"{path.name}.draft").write_bytes(content[:1])
                raise Killed
            write(path, content)

        return written

    for last in range(1, 6):
        writes, out = 0, tmp_path / f"out-{last}"
        monkeypatch.setattr(folders, "written", killed_at(last))
        with pytest.raises(Killed):
            swept(out, plan, cells_max=1)
        monkeypatch.setattr(folders, "written", write)
        standing, _ = swept(out, plan, cells_max=1)
        assert standing.played == 1
        assert not list(out.rglob("*.draft"))
    # As where the disk was full.
    times = out / "played.csv"
    times.write_bytes(times.read_bytes()[:-12])
    standing, _ = swept(out, plan, cells_max=1)
    assert standing.played == 2


def test_what_is_not_a_sweep_of_this_program_is_left_as_it_is(tmp_path, monkeypatch):
    plan = plan_at(tmp_path, TWO)
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "letter.txt").write_text("mine")
    with pytest.raises(OtherSweep, match="expected a new or an empty folder, or a sweep's"):
        swept(tmp_path / "others", plan)
    assert [file.name for file in (tmp_path / "others").iterdir()] == ["letter.txt"]
    swept(tmp_path / "out", plan, cells_max=1)
    before = files_of(tmp_path / "out")
    monkeypatch.setattr(folders, "program_hash", lambda: "0123456789abcdef")
    with pytest.raises(OtherSweep, match="of this program .0123456789abcdef., got those of"):
        swept(tmp_path / "out", plan)
    assert files_of(tmp_path / "out") == before


@pytest.mark.parametrize(
    ("damaged", "words"),
    [
        (lambda text: text[:40], "expected what a cell came to, got"),
        (lambda text: text.replace('"cell": "', '"cell": "0'), "expected cell .* got 0"),
        (lambda text: text.replace('"program": "', '"program": "f'), "expected .* got .* of f"),
    ],
)
def test_a_damaged_cell_is_named(tmp_path, damaged, words):
    plan = plan_at(tmp_path, TWO.replace("count = 2", "count = 1"))
    out = tmp_path / "out"
    folders.SweepFolder(out, plan, cells := SweepRun(plan, out).cells)
    text = json.dumps({"cell": cells[0].id, "program": folders.program_hash()})
    (out / "cells" / f"{cells[0].id}.json").write_text(damaged(text), encoding="utf-8")
    with pytest.raises(OtherSweep, match=f"{cells[0].id}.json: {words}"):
        SweepRun(plan, out).look()


def test_two_at_once_are_refused(tmp_path):
    plan = plan_at(tmp_path, TWO)
    with FolderLock(tmp_path / "out", folders.LOCK), pytest.raises(FolderInUse):
        swept(tmp_path / "out", plan)


def test_the_command_refuses_with_one_line_and_makes_no_folder(tmp_path, capfd):
    plan_at(tmp_path, SMALL.replace("500,", "99999,"))
    words = ["sweep", str(tmp_path / "plan.toml"), "--out", str(tmp_path / "out")]
    assert command(words) == 2
    _, said = capfd.readouterr()
    assert said.count("\n") == 1 and "with profile.listed_band_bp = 99999" in said
    plan_at(tmp_path)
    assert command([*words, "--look"]) == 0
    shown, _ = capfd.readouterr()
    assert "4 points, 4 years: 0 played" in shown
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["pyarrow", "SALib", "tomli_w"])
def test_a_library_that_is_missing_is_named_with_its_extra(tmp_path, name):
    plan_at(tmp_path, SMALL + """
[sensitivity]
method = "morris"
samples = 4
[sensitivity.ranges]
firms.offset_one_in = {from = 1, to = 4}
""")
    missing = f"import sys; sys.modules[{name!r}] = None"
    code = f"{missing}; from cea_exchange.cli.main import main; main()"
    words = ["sweep", str(tmp_path / "plan.toml"), "--out", str(tmp_path / "out")]
    finished = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True
    )
    assert finished.returncode == 2
    assert f"needs {name}: pip install 'cea-exchange[sweep]'" in finished.stderr
    assert not (tmp_path / "out").exists()

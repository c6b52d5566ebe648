"""A sweep is the same bytes whoever plays it, and however often it is stopped."""

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pyarrow.parquet
import pytest

from cea_exchange.sweep.outcome.figures import TITLES
from support.patience import patience
from support.places import ROOT
from support.sweep.small import files_of, plan_at, swept

pytestmark = pytest.mark.e2e

COMMAND = [sys.executable, "-m", "cea_exchange.cli.main"]
PAGE = ROOT / "protocol" / "sweep.md"
RESULTS = {"points.parquet", "sensitivities.parquet", "report.html", "summary.json"}


def typed(*words, **how):
    return subprocess.run([*COMMAND, *map(str, words)], capture_output=True, text=True, **how)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder with the page's sweep by one process, its plan, and what came of it."""
    folder = tmp_path_factory.mktemp("sweep")
    text = PAGE.read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
    plan = plan_at(folder, text)
    standing, outcome = swept(folder / "out", plan, processes=1)
    assert standing.is_over and standing.failed == 0
    return folder / "out", plan, outcome


def test_every_point_has_its_row_and_can_be_traced(whole):
    out, _, outcome = whole
    rows = pyarrow.parquet.read_table(out / "points.parquet").to_pylist()
    assert [(row["seed"], row["varied.profile.listed_band_bp"]) for row in rows] == [
        *((1, 50), (2, 50), (1, 1_000), (2, 1_000))
    ]
    for row in rows:
        assert row["agrees"] and row["error"] == ""
        assert all(isinstance(row[figure], int) for figure in TITLES)
        assert row["entities"] == 6 and row["orders"] == 120 and row["trading_days"] == 8
        assert row["due_tonnes"] > 0 < row["volume_tonnes"]
        content = (out / "cells" / f"{row['cell']}.json").read_bytes()
        assert row["result"] == hashlib.sha256(content).hexdigest()
        profile = (out / "files" / row["profile"]).read_text(encoding="utf-8")
        assert f"value = {row['varied.profile.listed_band_bp']}" in profile
        assert row["cell"] in (out / "report.html").read_text(encoding="utf-8")
    # A wider band lets prices go further on a day.
    narrow, wide = (max(row["largest_move_bp"] for row in rows[at : at + 2]) for at in (0, 2))
    assert narrow <= 50 < wide <= 1_000
    assert outcome.points == outcome.cells == 4 and outcome.failed == []
    assert outcome.hash in (out / "report.html").read_text(encoding="utf-8")
    assert json.loads((out / "summary.json").read_text())["hash"] == outcome.hash


@pytest.mark.nightly
def test_a_cell_played_by_its_command_comes_to_the_same_tables(whole, tmp_path):
    out, *_ = whole
    row = pyarrow.parquet.read_table(out / "points.parquet").to_pylist()[3]
    shutil.copytree(out / "files", tmp_path / "files")
    words = row["command"].split()
    assert words[:2] == ["cea-exchange", "year"]
    finished = typed(*words[1:], cwd=tmp_path / "files")
    assert finished.returncode == 0, finished.stderr
    kept = json.loads((out / "cells" / f"{row['cell']}.json").read_text(encoding="utf-8"))
    tables = tmp_path / "files" / row["cell"] / "tables"
    assert len(kept["tables"]) > 8
    assert kept["tables"] == {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in tables.glob("*.csv")
    }


def test_two_processes_stopped_after_each_cell_come_to_the_same_bytes(whole, tmp_path):
    out, plan, outcome = whole
    standing, nothing = swept(tmp_path / "out", plan, cells_max=1)
    assert (standing.played, nothing) == (1, None)
    assert RESULTS.isdisjoint(files_of(tmp_path / "out"))
    standing, again = swept(tmp_path / "out", plan)
    assert standing.is_over and again.hash == outcome.hash
    assert files_of(tmp_path / "out") == files_of(out)


def cells_in(folder):
    return [*(folder / "cells").glob("*.json")] if (folder / "cells").exists() else []


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        pytest.param("SIGINT", 130, marks=pytest.mark.nightly),
        pytest.param("SIGKILL", -signal.SIGKILL, marks=pytest.mark.nightly),
    ],
)
def test_a_sweep_that_is_stopped_goes_on_to_the_same_bytes(whole, tmp_path, ending, status):
    """Whole cells only, nobody plays on, and the same command goes on."""
    out, plan, _ = whole
    words = ["sweep", str(plan.folder / "plan.toml"), "--out", str(tmp_path / "out")]
    process = subprocess.Popen(
        [*COMMAND, *words, "--processes", "1"], stderr=subprocess.PIPE, text=True
    )
    while not cells_in(tmp_path / "out"):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    playing = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(getattr(signal, ending))
    _, said = process.communicate(timeout=60 * patience())
    assert process.returncode == status, said
    assert playing and psutil.wait_procs(playing, timeout=60 * patience())[1] == []
    if ending == "SIGINT":
        assert "the same goes on" in said
        assert [*(tmp_path / "out" / "work").iterdir()] == []
    assert 0 < len(cells_in(tmp_path / "out")) < 4
    finished = typed(*words, "--json", timeout=120 * patience())
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == json.dumps(
        json.loads((out / "summary.json").read_text()), indent=2
    ) + "\n"
    assert files_of(tmp_path / "out") == files_of(out)

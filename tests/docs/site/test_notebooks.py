"""The notebooks run as they are shipped: all of their cells, and the assertions in them."""

import json
import os
import subprocess
import sys

import pytest

from support.places import ROOT

FOLDER = ROOT / "examples" / "notebooks"
NAMES = ("compliance_year", "day_with_agents", "first_trade", "recorded_flow", "what_if")
RUN_S_MAX = 120

# A notebook's own way: IPython runs a cell, the last expression is shown as a notebook shows it.
RUNNER = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell

shown = []
for path in sys.argv[1:]:
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.display_formatter.active_types = ["text/plain", "text/html", "image/png"]
    for number, cell in enumerate(json.load(open(path, encoding="utf-8"))["cells"]):
        if cell["cell_type"] != "code":
            continue
        done = shell.run_cell("".join(cell["source"]), store_history=True)
        if not done.success:
            sys.exit(f"{path}: cell {number} failed")
        if done.result is not None:
            data, _ = shell.display_formatter.format(done.result)
            shown.append((path, number, sorted(data)))
print("shown", json.dumps(shown))
"""


def notebook(name):
    return json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))


def test_all_notebooks_are_run_and_stripped_of_outputs():
    assert tuple(sorted(path.stem for path in FOLDER.glob("*.ipynb"))) == NAMES
    for name in NAMES:
        cells = notebook(name)["cells"]
        assert cells[0]["cell_type"] == "markdown" and cells[0]["source"][0].startswith("# ")
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
        asserted = sum("assert " in "".join(cell["source"]) for cell in code)
        assert asserted >= 2, f"{name} holds nothing to what it shows"


@pytest.mark.nightly
def test_every_notebook_runs_and_shows_tables_and_plots(tmp_path):
    pytest.importorskip("IPython")
    pytest.importorskip("pandas")
    pytest.importorskip("matplotlib")
    # In one interpreter, so that what they import is imported once.
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, *(f"{FOLDER / name}.ipynb" for name in NAMES)],
        capture_output=True, text=True, timeout=RUN_S_MAX, cwd=FOLDER,
        env={**os.environ, "MPLBACKEND": "agg", "IPYTHONDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-2_000:]
    shown = json.loads(done.stdout.rpartition("shown ")[2])
    kinds = {name: set() for name in NAMES}
    for path, _, formats in shown:
        kinds[path.rpartition("/")[2].removesuffix(".ipynb")].update(formats)
    assert all("text/html" in formats for formats in kinds.values()), kinds
    drawn = {name for name, formats in kinds.items() if "image/png" in formats}
    # What pyplot draws a kernel shows by itself; the package's own plots show themselves.
    assert drawn == {"compliance_year", "first_trade"}

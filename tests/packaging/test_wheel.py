"""A built wheel, installed into an empty environment, runs a market script."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

TYPED = ("py.typed", "_accounts.pyi", "_book.pyi", "_market.pyi")

SCRIPT = """\
{"cmd": "product", "product": "CEA23", "reference_price": "97.49"}
{"cmd": "account", "account": "alice"}
{"cmd": "account", "account": "bob"}
{"cmd": "deposit", "account": "alice", "cash": "1000000.00"}
{"cmd": "deposit", "account": "bob", "product": "CEA23", "tonnes": 500}
{"cmd": "clock", "at": "2024-12-31T09:30:00+08:00"}
{"cmd":"enter","id":"a1","account":"alice","product":"CEA23",\
"side":"buy","price":"97.50","tonnes":100}
{"cmd":"enter","id":"b1","account":"bob","product":"CEA23",\
"side":"sell","price":"97.40","tonnes":40}
"""


# The source tree must not be found by accident, by pip least of all.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def run(*command: object, **options: object) -> subprocess.CompletedProcess:
    finished = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=400,
        env=ENVIRONMENT,
        **options,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished


def test_installed_wheel_runs_a_script_from_packaged_profile_and_calendar(tmp_path: Path) -> None:
    # By way of a source archive: nothing an earlier build has left in the tree gets in.
    run(sys.executable, "-m", "build", "--outdir", tmp_path / "dist", ROOT)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    assert {f"cea_exchange/{name}" for name in TYPED} <= packed
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    location = run(
        python, "-c", "import cea_exchange; print(cea_exchange.__file__)", cwd=tmp_path
    ).stdout
    assert str(tmp_path / "venv") in location

    command = tmp_path / "venv" / "bin" / "cea-exchange"
    events = [
        json.loads(line) for line in run(command, "run", "-", input=SCRIPT).stdout.splitlines()
    ]
    (trade,) = [event for event in events if event["event"] == "trade"]
    assert (trade["price"], trade["tonnes"], trade["buyer"]) == ("97.50", 40, "alice")
    for profile in ("cea", "open"):
        run(command, "profile", "show", profile)
    # Seen from a fixed date: a calendar that has ended is exit status 1.
    for calendar in ("cn_carbon", "every_day"):
        run(command, "calendar", "check", calendar, "--today", "2026-01-05")
    # Imports the module of every command.
    run(command, "--help")

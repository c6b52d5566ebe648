"""What the package runs as a process takes no module of the folder that it is started in."""

import re
import subprocess
import sys

from cea_exchange.control_plane.signals import module_command
from support.patience import patience
from support.places import ROOT

TRAPS = ("csv", "json", "structlog", "zmq")
FORKS = """
from multiprocessing import get_context
from cea_exchange.sweep.executors.local import _server_start

if __name__ == "__main__":
    context = get_context("forkserver")
    context.set_forkserver_preload(["csv"])
    _server_start()
    process = context.Process(target=print, args=("played",))
    process.start()
    process.join()
"""


def test_a_module_that_lies_in_the_working_directory_is_not_run(tmp_path):
    """A front of a daemon would have run it with the daemon's keys; a sweep's years all failed."""
    for name in TRAPS:
        (tmp_path / f"{name}.py").write_text('open("taken", "w")\nraise SystemExit("taken")\n')
    (tmp_path / "elsewhere").mkdir()
    script = tmp_path / "elsewhere" / "forks.py"
    script.write_text(FORKS)
    profile = module_command("cea_exchange.cli.main", "profile", "show", "cea")
    for command in (profile, (sys.executable, str(script))):
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=60 * patience()
        )
        assert done.returncode == 0, done.stderr
    assert done.stdout == "played\n"
    assert not (tmp_path / "taken").exists()


def test_every_module_that_is_run_is_run_so():
    found = [
        path.name for path in (ROOT / "src").rglob("*.py")
        if re.search(r'sys\.executable,\s*"-m"', path.read_text(encoding="utf-8"))
    ]
    assert found == []

"""A daemon that starts on a disk with little room: ready, or one error line and an exit.

Each size is the room that is left on a file system of the daemon's own. The start fails at another
file with each: the lock, the database and what SQLite keeps beside it, the endpoints.
"""

import json
import re
import shutil
import subprocess
import sys

import pytest

from cea_exchange.loadtest.local_exchange import LocalExchange
from cea_exchange.platform.rehearsal import rehearsal_prepare
from support.patience import patience

pytestmark = [pytest.mark.e2e, pytest.mark.crash]

DAEMONS = ("venue", "registry", "platform")
LEFT_KIB = (0, 40, 56, 2_048)
LEFT_KIB_AT_NIGHT = (4, 12, 28, 34, 48, 52, 60, 72, 96, 128, 256, 512)
DISK_KIB = 65_536
START_S = 60.0
ON_A_SMALL_DISK = """
set -e
mount -t tmpfs -o size={disk}k tmpfs {mounted}
cp -r {prepared}/. {mounted}
# Block by block to the end, then the room that is left.
cat /dev/zero > {mounted}/ballast 2> /dev/null || true
truncate -s -{left}k {mounted}/ballast
exec "$@"
"""


def can_be_mounted():
    """Return whether this user has namespaces of mounts and may mount in them."""
    tried = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return shutil.which("unshare") is not None and not subprocess.call(
        tried, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder with keys and settings of each daemon, in which none has been started."""
    if not can_be_mounted():
        pytest.skip("this user may not mount a file system of its own")
    folder = tmp_path_factory.mktemp("prepared")
    LocalExchange(folder).prepare([], {"CEA24": 9749}, start="2025-01-02T08:30:00+08:00")
    rehearsal_prepare(folder, None)
    return folder


def started(prepared, mounted, daemon, left_kib):
    """Start a daemon with that room; return its status, None while it runs, and what it says."""
    script = ON_A_SMALL_DISK.format(
        disk=DISK_KIB, left=left_kib, prepared=prepared, mounted=mounted
    )
    serve = (sys.executable, "-m", "cea_exchange.cli.main", daemon, "serve")
    with subprocess.Popen(
        [
            *("unshare", "--mount", "sh", "-c", script, "sh"),
            *(*serve, "--config", str(mounted / f"{daemon}.toml"), "--data", str(mounted)),
        ],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if re.search(rf'"event": "({daemon}_)?ready"', line):
                process.terminate()
        process.wait(START_S * patience())
    return process.returncode, lines


@pytest.mark.parametrize(
    "left_kib",
    [*LEFT_KIB, *(pytest.param(left, marks=pytest.mark.nightly) for left in LEFT_KIB_AT_NIGHT)],
)
@pytest.mark.parametrize("daemon", DAEMONS)
def test_it_is_ready_or_ends_with_one_line(prepared, tmp_path, daemon, left_kib):
    status, lines = started(prepared, tmp_path, daemon, left_kib)
    said = "".join(lines)
    errors = [line for line in lines if not line.startswith("{")]
    if status == 0:
        assert left_kib and "ready" in said, said
        return
    assert status in (1, 2), (status, said)
    assert len(errors) == 1 and errors[0].startswith("cea-exchange: "), said
    assert "Traceback" not in said and '"crash"' not in said, said
    events = [json.loads(line)["event"] for line in lines if line.startswith("{")]
    assert not [event for event in events if event.endswith("ready")], said

"""The strict type checker of somebody who uses this source tree as a library."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

from support.patience import patience
from support.places import ROOT

SOURCE = ROOT / "src"
CACHE = ROOT / ".mypy_cache" / "users"
"""Kept between runs: what a program imports is read once, not by each test that checks one."""


def type_check(folder: Path, *programs: Path) -> subprocess.CompletedProcess[str]:
    """Check programs in a folder, without the settings of this project: a user has none of them."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        # Two at a time would write into each other's cache.
        fcntl.flock(lock, fcntl.LOCK_EX)
        return subprocess.run(
            [
                *(sys.executable, "-m", "mypy", "--config-file=", "--strict"),
                *("--follow-imports=silent", *map(str, programs)),
            ],
            capture_output=True,
            text=True,
            timeout=200 * patience(),
            cwd=folder,
            env={**os.environ, "MYPYPATH": str(SOURCE), "MYPY_CACHE_DIR": str(CACHE)},
        )

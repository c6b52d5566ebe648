"""What a run was made on, without names of hosts or people."""

import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

from bench.measuring.native import BENCH, FLAGS, compiler


def cpu_model() -> str:
    """The processor's name."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def machine_slug() -> str:
    """The processor's name as part of a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", f"{platform.machine()} {cpu_model()}".lower()).strip("-")


def commit() -> str:
    """The commit measured, with a plus where files differ from it."""
    command = ["git", "describe", "--always", "--dirty=+", "--abbrev=12"]
    try:
        asked = subprocess.run(command, check=False, capture_output=True, text=True, cwd=BENCH)
    except OSError:
        return "unknown"
    return asked.stdout.strip() or "unknown"


def machine() -> dict[str, str]:
    """What else explains a figure."""
    asked = subprocess.run(
        [compiler(), "--version"], check=False, capture_output=True, text=True
    ).stdout
    return {
        "cpu": cpu_model(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "commit": commit(),
        "compiler": asked.splitlines()[0] if asked else "unknown",
        "ladder_flags": " ".join(FLAGS),
    }

"""A page is walked as its reader would: each block typed, what is printed held to what is shown.

A block marked `sh` is typed; one marked `text` behind it is all that it prints, where `...` stands
for what is different each time: within a line for some of it, on a line of its own for any lines.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

WALK_S_MAX = 300
_BLOCK = re.compile(r"^```sh\n(.*?)^```\n(?:\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
_MARK = "=== step"

# A reader's fresh environment; by day it is this source tree that is found in it.
_STAND_INS = {
    "python3": 'test "$2" = "venv" && mkdir -p "$3/bin" && touch "$3/bin/activate"\n',
    "pip": "",
    "python": f'exec {sys.executable} "$@"\n',
    "cea-exchange": f'exec {sys.executable} -m cea_exchange.cli.main "$@"\n',
}


class Step(NamedTuple):
    """A block to be typed, and what the page shows behind it."""

    typed: str
    shown: str | None


def steps_of(page: str) -> list[Step]:
    """Return the blocks of a page's text, in their order."""
    return [Step(typed, shown or None) for typed, shown in _BLOCK.findall(page)]


def prints(shown: str, said: str) -> bool:
    """Return whether what was said is what a page shows."""
    pattern = ""
    for line in shown.splitlines():
        part = re.escape(line).replace(r"\.\.\.", ".*")
        # What fills a column up stands in no page.
        pattern += r"(?:.*\n)*?" if line.strip() == "..." else rf"{part} *\n"
    return re.fullmatch(pattern, said) is not None


def stand_ins_make(folder: Path) -> dict[str, str]:
    """Return an environment in which `pip install cea-exchange` gives this source tree."""
    folder.mkdir()
    for name, text in _STAND_INS.items():
        program = folder / name
        program.write_text(f"#!/bin/sh\n{text}")
        program.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


class Walked(NamedTuple):
    """What each step has said, how many seconds the whole took."""

    said: list[str]
    seconds: float


def walk(steps: list[Step], folder: Path, environment: dict[str, str]) -> Walked:
    """Type a page's blocks in one shell, in a new folder; each must succeed."""
    parts = [f"echo '{_MARK} {number}'\n{step.typed}" for number, step in enumerate(steps)]
    script = folder.with_suffix(".sh")
    script.write_text("set -e\n" + "".join(parts))
    folder.mkdir()
    began_s = time.monotonic()
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("CEA", "LC_"))}
    # What a shell leaves running goes with it: it leads a group of its own.
    shell = subprocess.Popen(
        ["bash", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder,
        start_new_session=True, env=kept | {"LANG": "C.UTF-8"} | environment,
    )  # fmt: skip
    try:
        output, _ = shell.communicate(timeout=WALK_S_MAX)
    finally:
        group_end(shell.pid)
    assert shell.returncode == 0, output[-3_000:]
    said = re.split(rf"^{_MARK} \d+\n", output, flags=re.MULTILINE)[1:]
    return Walked(said, time.monotonic() - began_s)


def group_end(leader: int) -> None:
    """End what is left of a shell and of what it has begun."""
    try:
        os.killpg(leader, 15)
    except ProcessLookupError:
        return

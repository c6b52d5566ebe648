"""A run of the command line: its exit status, standard error, memory and time.

The kernel counts the memory of the process that starts another one as the other one's. So a small
process, this module as a program, starts the command and measures it.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

COMMAND = Path(sys.executable).parent / "cea-exchange"
ENDED_AFTER_S = 120
"""Seconds after which a command and its children are killed: no valid file takes as long."""


class Run(NamedTuple):
    """The result of one run.

    Attributes
    ----------
    status
        Exit status; minus the signal's number if a signal ended the command.
    memory_mib
        The most that the command, or one of its children, had in memory.
    """

    status: int
    errors: str
    memory_mib: float
    seconds: float


def measured(folder: Path, arguments: list[str | bytes]) -> Run:
    """Run `cea-exchange` with a folder as its working directory."""
    report, errors = folder / "measured.json", folder / "errors.txt"
    own = [sys.executable, "-I", "-S", __file__, str(report), str(COMMAND), *arguments]
    with errors.open("wb") as file:
        subprocess.run(
            own,
            check=True,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=file,
        )
    figures = json.loads(report.read_text())
    return Run(errors=errors.read_text("utf-8", "backslashreplace"), **figures)


def command_measure(report: str, command: list[str]) -> None:
    """Start a command in a session of its own and write what it took."""
    began = time.monotonic()
    process = os.posix_spawn(command[0], command, os.environ, setsid=True)
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(process, signal.SIGKILL))
    signal.alarm(ENDED_AFTER_S)
    _, status, usage = os.wait4(process, 0)
    figures = {
        "status": os.waitstatus_to_exitcode(status),
        "memory_mib": usage.ru_maxrss / 1024,
        "seconds": time.monotonic() - began,
    }
    Path(report).write_text(json.dumps(figures))


if __name__ == "__main__":
    command_measure(sys.argv[1], sys.argv[2:])

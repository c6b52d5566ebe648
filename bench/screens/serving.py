"""Boards and consoles as the processes that users start."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAM = [sys.executable, "-m", "cea_exchange.cli.main"]


@contextmanager
def served(*words: str | Path) -> Iterator[tuple[str, int]]:
    """Serve screens; give the address that is printed, and the process. It must end in order."""
    with subprocess.Popen(
        [*PROGRAM, *map(str, words)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), process.pid
        finally:
            process.terminate()
    assert process.returncode == 0, process.returncode

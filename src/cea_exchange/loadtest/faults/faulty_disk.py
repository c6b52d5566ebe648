"""`cea-exchange venue` on a disk that can be full, or slow: DATA/fault says what it is now.

`full` is a disk without room for another byte, `slow MS` one whose every sync takes so long more.
"""

import errno
import functools
import os
import runpy
import sys
import time
from pathlib import Path

from cea_exchange.journal.storage import OsFile, OsStorage
from cea_exchange.venue import daemon

FAULT_FILE = "fault"
COMMAND_LINE = "cea_exchange.cli.main"


class FaultyFile(OsFile):
    """A file on it."""

    def __init__(self, descriptor: int, fault: Path) -> None:
        super().__init__(descriptor)
        self._fault = fault

    def write(self, offset: int, data: bytes) -> None:
        """Write, if there is room."""
        if _now(self._fault) == "full" and offset + len(data) > self.size():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().write(offset, data)

    def sync(self) -> None:
        """Sync, as fast as it can."""
        kind, _, milliseconds = _now(self._fault).partition(" ")
        if kind == "slow":
            time.sleep(int(milliseconds) / 1000)
        super().sync()


class FaultyStorage(OsStorage):
    """The file system of it."""

    def __init__(self, fault: Path) -> None:
        self._fault = fault

    def create(self, path: Path) -> FaultyFile:
        """Create a file, or empty the one of that name."""
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        return FaultyFile(os.open(path, flags, 0o640), self._fault)

    def open(self, path: Path) -> FaultyFile:
        """Open an existing file."""
        return FaultyFile(os.open(path, os.O_RDWR | os.O_CLOEXEC), self._fault)


def _now(fault: Path) -> str:
    try:
        return fault.read_text()
    except FileNotFoundError:
        return ""


def main(arguments: list[str]) -> None:
    """Run the venue; arguments are those of `venue`."""
    fault = Path(arguments[arguments.index("--data") + 1]) / FAULT_FILE
    with_faults = functools.partial(daemon.VenueDaemon, storage=FaultyStorage(fault))
    daemon.VenueDaemon = with_faults  # type: ignore[assignment,misc]
    # The command line is above this room, so it is run and not imported.
    sys.argv = ["cea-exchange", "venue", *arguments]
    runpy.run_module(COMMAND_LINE, run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])

"""`cea-exchange venue serve` on a disk with faults: a file DATA/fault names the one it has now.

`sync` is a disk whose fdatasync fails, `full` one without room for another byte.
"""

import errno
import functools
import os
import sys
from pathlib import Path

from cea_exchange.cli.main import run
from cea_exchange.journal.storage import OsFile, OsStorage
from cea_exchange.venue import daemon

FAULT = Path(sys.argv[sys.argv.index("--data") + 1]) / "fault"


def fault():
    return FAULT.read_text() if FAULT.exists() else ""


class FaultyFile(OsFile):
    def write(self, offset, data):
        if fault() == "full" and offset + len(data) > self.size():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().write(offset, data)

    def sync(self):
        if fault() == "sync":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().sync()


class FaultyStorage(OsStorage):
    def create(self, path):
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        return FaultyFile(os.open(path, flags, 0o640))

    def open(self, path):
        return FaultyFile(os.open(path, os.O_RDWR | os.O_CLOEXEC))


if __name__ == "__main__":
    daemon.VenueDaemon = functools.partial(daemon.VenueDaemon, storage=FaultyStorage())
    sys.exit(run(["venue", "serve", *sys.argv[1:]]))

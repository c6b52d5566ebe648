"""One process per data folder."""

import fcntl
import os
from pathlib import Path

from cea_exchange.journal.errors import FolderInUse


class FolderLock:
    """Hold a data folder until `release`, or until the process ends in whatever way.

    Parameters
    ----------
    directory : Path
        The data folder; created when missing.
    name : str
        The lock file in it: daemons that share a folder take different names.

    Raises
    ------
    FolderInUse
        If another process, or another lock of this one, holds it; names the holder.
    """

    def __init__(self, directory: Path, name: str = "lock"):
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / name
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            raise FolderInUse(f"{directory} is in use by process {holder or 'unknown'}") from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let the next process in. The file stays: removing it would race with who waits for it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> "FolderLock":
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()

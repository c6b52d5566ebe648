"""One process per data folder."""

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Self


class FolderInUse(Exception):
    """Another process holds the folder."""


class FolderLock:
    """Hold a data folder until `release`, or until the process ends in whatever way.

    The folder itself is locked: a file in it could be removed, and made anew, from under the lock.

    Parameters
    ----------
    directory : Path
        The data folder; created when missing. Daemons that share one hold a folder each in it.
    name : str
        The file in it that says which process holds it. It is locked too.

    Raises
    ------
    FolderInUse
        If another process, or another lock of this one, holds it; names the holder.
    """

    def __init__(self, directory: Path, name: str = "lock"):
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / name
        self._descriptors: list[int] = []
        self._open(directory, os.O_RDONLY | os.O_DIRECTORY)
        # Versions before locked the file alone.
        self._open(self.path, os.O_RDWR | os.O_CREAT)
        file = self._descriptors[-1]
        try:
            for descriptor in self._descriptors:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(file, 32, 0).decode("ascii", "replace").strip()
            self.release()
            raise FolderInUse(f"{directory} is in use by process {holder or 'unknown'}") from None
        # On a full disk nobody is named to who comes second; it is refused all the same.
        with contextlib.suppress(OSError):
            os.ftruncate(file, os.pwrite(file, f"{os.getpid()}\n".encode(), 0))

    def release(self) -> None:
        """Let the next process in. The file stays: it says nothing once nobody holds it."""
        while self._descriptors:
            os.close(self._descriptors.pop())

    def _open(self, path: Path, flags: int) -> None:
        self._descriptors.append(os.open(path, flags | os.O_CLOEXEC, 0o640))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()

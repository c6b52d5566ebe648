"""The file operations the journal and the event store need, and nothing more.

Tests put a layer in their place that forgets what was not synced
(`tests/support/journal/volatile_storage.py`), so every durability step has to pass through here.
"""

import errno
import mmap
import os
from pathlib import Path
from typing import Protocol

DRAFT_SUFFIX = ".new"
"""Ending of a file that was not finished; whoever opens the directory removes it."""
NO_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP})
"""What the system says where a second name for a file can't be had; a copy can."""


class StorageFile(Protocol):
    """One open file, written at explicit offsets."""

    def size(self) -> int:
        """Return the length in bytes."""

    def read(self, offset: int, count: int) -> bytes:
        """Return up to `count` bytes from `offset`; fewer only at the end of the file."""

    def write(self, offset: int, data: bytes) -> None:
        """Write all of `data`, or raise OSError with any part of it written; it may be retried."""

    def truncate(self, size: int) -> None:
        """Cut the file to `size` bytes."""

    def sync(self) -> None:
        """Return once data and length are on disk (fdatasync)."""

    def close(self) -> None:
        """Release the file; says nothing about durability."""


class Storage(Protocol):
    """A file system. Names become durable with `sync_directory`, contents with `sync`."""

    def make_directory(self, directory: Path) -> None:
        """Create a directory and its parents where missing, durably."""

    def names(self, directory: Path) -> list[str]:
        """Return the sorted names in a directory; empty when there is none."""

    def create(self, path: Path) -> StorageFile:
        """Create a file, or empty the one of that name."""

    def open(self, path: Path) -> StorageFile:
        """Open an existing file for reading and writing."""

    def read(self, path: Path) -> bytes:
        """Return a whole file; needs no write permission."""

    def map(self, path: Path) -> bytes | mmap.mmap:
        """Return a whole file as `read` does, in memory only where it is looked at."""

    def rename(self, old: Path, new: Path) -> None:
        """Rename within a directory, replacing `new`."""

    def link(self, old: Path, new: Path) -> bool:
        """Give a file a second name; False where the two are on different file systems."""

    def remove(self, path: Path) -> None:
        """Remove a file."""

    def sync_directory(self, directory: Path) -> None:
        """Return once the names in a directory are on disk."""


class OsFile:
    """A file of the operating system, by descriptor."""

    def __init__(self, descriptor: int):
        self._descriptor = descriptor

    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def read(self, offset: int, count: int) -> bytes:
        parts = []
        while count > 0:
            part = os.pread(self._descriptor, count, offset)
            if not part:
                break
            parts.append(part)
            offset += len(part)
            count -= len(part)
        return b"".join(parts)

    def write(self, offset: int, data: bytes) -> None:
        view = memoryview(data)
        # A disk that fills up takes part of a write first; the next call then says ENOSPC.
        while view:
            written = os.pwrite(self._descriptor, view, offset)
            view = view[written:]
            offset += written

    def truncate(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)

    def sync(self) -> None:
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)


class OsStorage:
    """The file system of the operating system."""

    def make_directory(self, directory: Path) -> None:
        directory = Path(directory)
        if directory.is_dir():
            return
        self.make_directory(directory.parent)
        directory.mkdir(exist_ok=True)
        self.sync_directory(directory.parent)

    def names(self, directory: Path) -> list[str]:
        try:
            return sorted(os.listdir(directory))
        except FileNotFoundError:
            return []

    def create(self, path: Path) -> OsFile:
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        return OsFile(os.open(path, flags, 0o640))

    def open(self, path: Path) -> OsFile:
        return OsFile(os.open(path, os.O_RDWR | os.O_CLOEXEC))

    def read(self, path: Path) -> bytes:
        return Path(path).read_bytes()

    def map(self, path: Path) -> bytes | mmap.mmap:
        with Path(path).open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                return b""
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def rename(self, old: Path, new: Path) -> None:
        os.rename(old, new)

    def link(self, old: Path, new: Path) -> bool:
        try:
            os.link(old, new)
        except OSError as error:
            if error.errno not in NO_LINK:
                raise
            return False
        return True

    def remove(self, path: Path) -> None:
        os.unlink(path)

    def sync_directory(self, directory: Path) -> None:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def create_whole(storage: Storage, path: Path, contents: bytes) -> StorageFile:
    """Create a file that, after any crash, is either not there or has all of `contents`."""
    draft = path.with_name(path.name + DRAFT_SUFFIX)
    file = storage.create(draft)
    try:
        file.write(0, contents)
        file.sync()
        storage.rename(draft, path)
        storage.sync_directory(path.parent)
    except BaseException:
        file.close()
        raise
    return file

"""A file system in memory that forgets, at `crash()`, whatever was not synced.

A killed process leaves the page cache to the kernel; a machine that loses power doesn't. Contents
survive from `sync` on, names from `sync_directory` on. With a random generator a crash keeps a
part of the unsynced writes: what a disk may do, too.
"""

import errno
import random
from pathlib import Path

from cea_exchange.journal.storage import OsStorage


class _Inode:
    """A file's contents: as the process sees them, and as the disk has them."""

    def __init__(self):
        self.current = bytearray()
        self.durable = b""
        self.unsynced: list[tuple[int, bytes | None]] = []

    def apply(self, offset: int, data: bytes | None) -> None:
        """Write `data` at `offset`; None cuts the file there."""
        if data is None:
            del self.current[offset:]
            self.current.extend(bytes(offset - len(self.current)))
            return
        self.current.extend(bytes(max(0, offset - len(self.current))))
        self.current[offset : offset + len(data)] = data

    def sync(self) -> None:
        self.durable = bytes(self.current)
        self.unsynced.clear()

    def crash(self, generator: random.Random | None, reordered: bool) -> None:
        unsynced, self.unsynced = self.unsynced, []
        self.current = bytearray(self.durable)
        if generator is not None:
            kept = generator.randrange(len(unsynced) + 1)
            for index, (offset, data) in enumerate(unsynced):
                if (generator.random() < 0.5) if reordered else (index < kept):
                    self.apply(offset, data)
                elif data and (reordered or index == kept):
                    self.apply(offset, data[: generator.randrange(len(data))])
                if not reordered and index == kept:
                    break
        self.durable = bytes(self.current)


class VolatileFile:
    """An open file; unusable after a crash, as its process is gone."""

    def __init__(self, storage: "VolatileStorage", inode: _Inode):
        self._storage = storage
        self._inode = inode
        self._boot = storage.boot

    def size(self) -> int:
        self._alive_check()
        return len(self._inode.current)

    def read(self, offset: int, count: int) -> bytes:
        self._alive_check()
        return bytes(self._inode.current[offset : offset + count])

    def write(self, offset: int, data: bytes) -> None:
        self._alive_check()
        data = bytes(data)
        grown = max(0, offset + len(data) - self.size())
        free = self._storage.bytes_free
        if free is None or grown <= free:
            taken = data
        else:
            taken, grown = data[: len(data) - grown + free], free
        self._change(offset, taken, grown)
        if len(taken) < len(data):
            raise OSError(errno.ENOSPC, "No space left on device")

    def truncate(self, size: int) -> None:
        self._alive_check()
        if self._storage.truncate_fails:
            raise OSError(errno.EIO, "Input/output error")
        self._change(size, None, size - self.size())

    def sync(self) -> None:
        self._alive_check()
        if self._storage.sync_fails:
            raise OSError(errno.EIO, "Input/output error")
        self._storage.sync_count += 1
        if not self._storage.syncs_ignored:
            self._inode.sync()

    def close(self) -> None:
        pass

    def _change(self, offset: int, data: bytes | None, grown: int) -> None:
        if self._storage.bytes_free is not None:
            self._storage.bytes_free -= grown
        self._inode.unsynced.append((offset, data))
        self._inode.apply(offset, data)

    def _alive_check(self) -> None:
        if self._boot != self._storage.boot:
            raise OSError(errno.EBADF, "the file was open when the machine crashed")


class VolatileStorage:
    """Stands in for `OsStorage` in tests.

    Attributes
    ----------
    bytes_free : int or None
        By how much files may grow before ENOSPC; None is endless.
    sync_fails, truncate_fails : bool
        Raise EIO there.
    syncs_ignored : bool
        Report success and keep nothing: the canary, a disk that lies.
    sync_count : int
        File syncs so far.
    """

    def __init__(self):
        self.boot = 0
        self.bytes_free: int | None = None
        self.sync_fails = False
        self.truncate_fails = False
        self.syncs_ignored = False
        self.sync_count = 0
        self._names: dict[Path, _Inode] = {}
        self._durable_names: dict[Path, _Inode] = {}

    def crash(self, generator: random.Random | None = None, *, reordered: bool = False) -> None:
        """Lose power: unsynced names and contents are gone.

        Parameters
        ----------
        generator : Random, optional
            Chooses a part of each file's unsynced writes to be kept, one of them torn.
        reordered : bool
            Any of the writes may be kept, with zeros in the holes, and not only the first ones.
        """
        self.boot += 1
        self._names = dict(self._durable_names)
        for inode in self._names.values():
            inode.crash(generator, reordered)

    def make_directory(self, directory: Path) -> None:
        pass

    def names(self, directory: Path) -> list[str]:
        return sorted(path.name for path in self._names if path.parent == Path(directory))

    def create(self, path: Path) -> VolatileFile:
        inode = self._names.setdefault(Path(path), _Inode())
        file = VolatileFile(self, inode)
        if inode.current:
            file.truncate(0)
        return file

    def open(self, path: Path) -> VolatileFile:
        return VolatileFile(self, self._inode(path))

    def read(self, path: Path) -> bytes:
        return bytes(self._inode(path).current)

    def map(self, path: Path) -> bytes:
        return self.read(path)

    def rename(self, old: Path, new: Path) -> None:
        self._names[Path(new)] = self._inode(old)
        del self._names[Path(old)]

    def link(self, old: Path, new: Path) -> bool:
        self._names[Path(new)] = self._inode(old)
        return True

    def remove(self, path: Path) -> None:
        self._inode(path)
        del self._names[Path(path)]

    def sync_directory(self, directory: Path) -> None:
        kept = {p: i for p, i in self._durable_names.items() if p.parent != Path(directory)}
        here = {p: i for p, i in self._names.items() if p.parent == Path(directory)}
        self._durable_names = kept | here

    def _inode(self, path: Path) -> _Inode:
        try:
            return self._names[Path(path)]
        except KeyError:
            raise FileNotFoundError(errno.ENOENT, "No such file", str(path)) from None


def copy_out(storage: VolatileStorage, source: Path, target: Path) -> None:
    """Write a directory of the storage to a real one, for tools that read real files."""
    OsStorage().make_directory(target)
    for name in storage.names(source):
        (Path(target) / name).write_bytes(storage.read(Path(source) / name))

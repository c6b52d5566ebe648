"""Text files of any size, line by line into arrays, and a bar that shows how far they are read."""

import gzip
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from cea_exchange.cli.errors import CommandError, bad_input
from cea_exchange.cli.language import said
from cea_exchange.domain.profile import ProfileError, load_profile, profile_names
from cea_exchange.user_files.opening import file_open

BLOCK_BYTES = 4 << 20
"""Bytes read at a time."""
PART_ROWS = 8_192
"""Lines taken at a time; their numbers should fit the processor's cache."""
LINE_BYTES_MAX = 1 << 20
LINE_END = ord("\n")
GZIP_MAGIC = b"\x1f\x8b"

LineReader = Callable[[memoryview, int], tuple[int, int, str | None]]
"""Takes text and the first row to fill; returns rows, bytes, and what is wrong with the next."""


class FlowFile:
    """A text file, plain or gzip, of which a block is in memory at a time.

    Parameters
    ----------
    path : Path
        Errors name it.

    Attributes
    ----------
    line : int
        Lines taken so far.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.line = 0
        # What was read lies in the first; the next block goes to the other, behind what is left.
        self._buffers = [bytearray(0), bytearray(0)]
        self._data = memoryview(b"")
        self._ended = False
        try:
            self._raw = file_open(path, "a file to read")
            magic = self._raw.read(len(GZIP_MAGIC))
            self._raw.seek(0)
        except OSError as error:
            raise self._unreadable(error) from error
        is_gzip = magic == GZIP_MAGIC
        self._stream = gzip.GzipFile(fileobj=self._raw) if is_gzip else self._raw

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stream.close()
        self._raw.close()

    @property
    def position(self) -> int:
        """Return how many bytes of the file are read."""
        return self._raw.tell()

    def first_line(self) -> bytes:
        """Return the next line without its end and without taking it; empty if there is none."""
        return self._line().rstrip(b"\r")

    def skip_line(self) -> None:
        """Pass over the next line."""
        self._data = self._data[len(self._line()) + 1 :]
        self.line += 1

    def _line(self) -> bytes:
        while True:
            line, end, _ = bytes(self._data[: LINE_BYTES_MAX + 1]).partition(b"\n")
            if end or not self._more():
                return line

    def fill(self, count: int, read: LineReader) -> int:
        """Take lines until so many are taken or the file ends; return how many it were.

        Raises CommandError: with file and line, what was expected and what came.
        """
        filled = 0
        while filled < count:
            rows, consumed, fault = read(self._data, filled)
            self._data = self._data[consumed:]
            self.line += rows
            filled += rows
            if fault is not None:
                if self._rest_is_blank():
                    break
                raise self.error(self.line + 1, fault)
            if filled < count and not self._more():
                break
        return filled

    def lines(self) -> Iterator[str]:
        """Yield the lines that are left, without their ends."""
        found: list[bytes] = []

        def read(data: memoryview, at: int) -> tuple[int, int, str | None]:
            whole = bytes(data).rpartition(b"\n")
            found.extend(whole[0].split(b"\n") if whole[1] else [])
            return len(found), len(whole[0] + whole[1]), None

        # A block at a time: as many lines as it has.
        while self.fill(1, read):
            yield from (line.rstrip(b"\r").decode("utf-8", "replace") for line in found)
            found.clear()

    def error(self, line: int, text: str) -> CommandError:
        """Return the error about a line."""
        return CommandError(f"{self.path}:{line}: {text}")

    def _more(self) -> bool:
        """Append the next block to what is left; False if there is none."""
        if self._ended:
            return False
        if len(self._data) > LINE_BYTES_MAX:
            raise self.error(self.line + 1, f"expected a line of at most {LINE_BYTES_MAX} bytes")
        kept = len(self._data)
        if len(self._buffers[1]) < kept + BLOCK_BYTES:
            self._buffers[1] = bytearray(2 * kept + BLOCK_BYTES)
        room = memoryview(self._buffers[1])
        room[:kept] = self._data
        try:
            count = self._stream.readinto(room[kept : kept + BLOCK_BYTES])
        except (OSError, EOFError, zlib.error) as error:
            raise self._unreadable(error) from error
        if not count:
            self._ended = True
            if not kept or self._data[-1] == LINE_END:
                return False
            # A last line may lack its end.
            room[kept] = LINE_END
            count = 1
        self._data = room[: kept + count]
        self._buffers.reverse()
        return True

    def _rest_is_blank(self) -> bool:
        while not bytes(self._data).strip(b" \t\r\n"):
            self._data = memoryview(b"")
            if not self._more():
                return True
        return False

    def _unreadable(self, error: Exception) -> CommandError:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        return CommandError(f"{self.path}: expected a file to read: {reason}")


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error while it is a terminal; yields what moves it.

    Parameters
    ----------
    title : str
        What is going on.
    total : int
        The last value that the bar is moved to.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(said(title), total=total)
        yield lambda done: bar.update(task, completed=done)


@contextmanager
def folder_new(folder: Path | None, command: str) -> Iterator[Path]:
    """Yield an empty folder: the user's, which stays, or one that goes away."""
    if folder is None:
        with tempfile.TemporaryDirectory(prefix=f"cea-exchange-{command}-") as name:
            yield Path(name)
        return
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise CommandError(f"{folder}: expected a new or an empty folder")
    yield folder


def profile_given(name: str) -> str:
    """Return a profile as a daemon of another folder finds it: its name, or where its file is.

    Raises CommandError: there is none such, or it is not as profiles are.
    """
    with bad_input(ProfileError):
        load_profile(name)
    return name if name in profile_names() else str(Path(name).resolve())

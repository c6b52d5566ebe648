"""Boards and consoles as the processes that users start."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from support.patience import patience

PROGRAM = [sys.executable, "-m", "cea_exchange.cli.main"]


class Served:
    """A board, or a console, that is served until it is closed.

    Attributes
    ----------
    entrance : str
        The address that it has printed: of a console the one that works once.
    """

    def __init__(self, arguments: Sequence[str | Path], log: Path) -> None:
        self._log = log.open("ab")
        self._process = subprocess.Popen(
            [*PROGRAM, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self.entrance = self.next_line()
        assert self.entrance.startswith("http://"), log.read_text()

    @classmethod
    def board(cls, folder: Path, *more: str) -> Self:
        """Serve the public board of a market."""
        return cls(["board", "serve", "--data", folder, *more], folder / "board.log")

    @classmethod
    def console(cls, folder: Path, key: str, *more: str) -> Self:
        """Serve the console of whom a key belongs to."""
        keys = folder / "keys" / key
        words = ["screen", "--keys", keys, "--data", folder, "--no-browser", *more]
        return cls(words, folder / f"console-{key}.log")

    @property
    def address(self) -> str:
        """Where its pages are, without the last stroke."""
        return "/".join(self.entrance.split("/")[:3])

    @property
    def process_id(self) -> int:
        """Its process."""
        return self._process.pid

    def next_line(self) -> str:
        """Return what it prints next."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Ask it to end, and see that it does."""
        if self._process.poll() is None:
            self._process.terminate()
            assert self._process.wait(15 * patience()) == 0
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

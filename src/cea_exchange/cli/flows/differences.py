"""Differences between a replay and its record: counted by kind, and every one of them shown."""

import sys
from collections.abc import Iterator, Mapping
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Any, Self

import msgspec
import typer

MEMORY_BYTES_MAX = 1 << 20
"""What is more than that waits in a temporary file: a record may differ everywhere."""


class DifferenceLog:
    """Takes differences as they are found, and shows them at the end.

    Parameters
    ----------
    place : str
        What they are numbered by: `message` or `trade`.
    reasons : mapping of str to str
        The kinds there are, and what each means.

    Attributes
    ----------
    count : int
    first : (int, str, str) or None
        Number, kind and text.
    """

    def __init__(self, place: str, reasons: Mapping[str, str]) -> None:
        self.count = 0
        self.first: tuple[int, str, str] | None = None
        self._place = place
        self._reasons = reasons
        self._counts = dict.fromkeys(reasons, 0)
        self._file = SpooledTemporaryFile(MEMORY_BYTES_MAX)  # noqa: SIM115 - closed in `__exit__`

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, number: int, kind: str, text: str) -> None:
        """Take a difference."""
        if self.first is None:
            self.first = (number, kind, text)
        self.count += 1
        self._counts[kind] += 1
        content = {self._place: number, "kind": kind, "text": text}
        self._file.write(msgspec.json.encode(content) + b"\n")

    def summary(self) -> str:
        """Return the first one's text, and how many there are if it is not the only one."""
        assert self.first is not None
        more = f" (the first of {self.count} differences)" if self.count > 1 else ""
        return self.first[2] + more

    def show(self) -> None:
        """Print how many there are of each kind and why, then all of them."""
        if not self.count:
            return
        typer.echo(f"{'differences':<26} {self.count}")
        for kind, count in self._counts.items():
            if count:
                typer.echo(f"  {kind:<24} {count}: {self._reasons[kind]}")
        for line in self._lines():
            content = msgspec.json.decode(line)
            number, kind, text = content.values()
            typer.echo(f"{self._place} {number}: {kind}: {text}")

    def show_json(self, summary: dict[str, Any]) -> None:
        """Print a summary as JSON, with the differences in it."""
        by_kind = {
            kind: {"count": count, "reason": self._reasons[kind]}
            for kind, count in self._counts.items()
            if count
        }
        content = msgspec.json.encode(summary | {"differences_by_kind": by_kind}).decode()
        sys.stdout.write(content[:-1] + ',"differences":[')
        for place, line in enumerate(self._lines()):
            sys.stdout.write("," * (place > 0) + line.decode().rstrip("\n"))
        sys.stdout.write("]}\n")

    def _lines(self) -> Iterator[bytes]:
        self._file.seek(0)
        return iter(self._file)

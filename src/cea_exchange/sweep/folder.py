"""A sweep's folder: what it is of, and a file of each cell that was played.

    sweep.json          which program's and which plan's it is
    plan.toml           the plan
    cells.txt           its cells, one a line, in the plan's order
    files/              the profiles and plans of its cells, named by what is in them
    cells/ID.json       what a cell came to: whole, or not there
    played.csv          how long each took; no part of what the sweep came to
"""

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from cea_exchange.sweep.cell import Cell, CellResult, Played, program_hash
from cea_exchange.sweep.plan_file import SweepPlan

HEAD, PLAN, LIST, TIMES = "sweep.json", "plan.toml", "cells.txt", "played.csv"
TIMES_COLUMNS = 4
FILES, CELLS, WORK = "files", "cells", "work"
LOCK = "lock"


class OtherSweep(ValueError):
    """A folder has something else in it; the message says what was expected, and what was got."""


class Head(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which program's a sweep is: results of two are not put together."""

    format: int = 1
    program: str


class SweepFolder:
    """A sweep on disk; one process at a time may have it open.

    Parameters
    ----------
    path
        New or empty, or of a sweep each of whose cells the plan has too.

    Raises
    ------
    OtherSweep
        It has something else in it, or another program's, or cells that are not in the plan.
    """

    def __init__(self, path: Path, plan: SweepPlan, cells: Sequence[Cell]) -> None:
        self.path = path
        folder_check(path, cells)
        path.mkdir(parents=True, exist_ok=True)
        # First: whoever is killed from here on has begun a sweep, and goes on with it.
        written(path / HEAD, _encoded(Head(program=program_hash())))
        for name in (FILES, CELLS, WORK):
            (path / name).mkdir(exist_ok=True)
        # Of a sweep that was killed: nobody plays it any more.
        for left in self.work.iterdir():
            shutil.rmtree(left, ignore_errors=True)
        texts = {name: text for cell in cells for name, text in cell.files().items()}
        for name, text in sorted(texts.items()):
            # What is called by its content has it.
            if not (path / FILES / name).exists():
                written(path / FILES / name, text.encode("utf-8"))
        written(path / PLAN, plan.text)
        # Last: before it is there no cell of it is.
        written(path / LIST, "".join(f"{cell.id}\n" for cell in cells).encode())
        times = path / TIMES
        lines = times.read_text(encoding="ascii").split() if times.exists() else []
        # A line that a kill or a full disk cut short says nothing.
        rows = [row for line in lines if len(row := line.split(",")) == TIMES_COLUMNS]
        self._cpu_s = [float(row[2]) for row in rows]

    @property
    def work(self) -> Path:
        """Return where cells of this machine are played."""
        return self.path / WORK

    def results(self) -> dict[str, CellResult]:
        """Return what was played, by the cells' ids.

        Raises
        ------
        OtherSweep
            A file is not what it must be.
        """
        found = {}
        for file in sorted((self.path / CELLS).glob("*.json")):
            try:
                result = msgspec.json.decode(file.read_bytes(), type=CellResult)
            except msgspec.MsgspecError as error:
                raise OtherSweep(f"{file}: expected what a cell came to, got {error}") from error
            if (result.cell, result.program) != (file.stem, program_hash()):
                raise OtherSweep(
                    f"{file}: expected cell {file.stem} of program {program_hash()},"
                    f" got {result.cell} of {result.program}"
                )
            found[result.cell] = result
        return found

    def keep(self, played: Played, executor: str) -> None:
        """Keep what a cell came to: all of it, or nothing."""
        result = played.result
        written(self.path / CELLS / f"{result.cell}.json", result.encoded())
        with (self.path / TIMES).open("a", encoding="ascii", newline="") as file:
            file.write(f"{result.cell},{executor},{played.cpu_s:.2f},{played.peak_mib:.0f}\n")
        self._cpu_s.append(played.cpu_s)

    def cpu_s_each(self) -> float | None:
        """Return the seconds of a processor that a cell took in the mean; None before any."""
        return sum(self._cpu_s) / len(self._cpu_s) if self._cpu_s else None


def folder_check(path: Path, cells: Sequence[Cell]) -> None:
    """See that a folder may be, or become, that of a sweep; nothing in it is changed.

    Raises
    ------
    OtherSweep
        It may not.
    """
    if is_new(path):
        return
    try:
        head = msgspec.json.decode((path / HEAD).read_bytes(), type=Head)
    except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError) as error:
        raise OtherSweep(
            f"{path}: expected a new or an empty folder, or a sweep's, got others: {error}"
        ) from error
    if head.program != program_hash():
        raise OtherSweep(
            f"{path}: expected cells of this program ({program_hash()}), got those of"
            f" {head.program}: sweep in a new folder"
        )
    listed = path / LIST
    before = listed.read_text(encoding="ascii").split() if listed.exists() else []
    kept = {cell.id for cell in cells}
    lost = [cell for cell in before if cell not in kept]
    if lost:
        raise OtherSweep(
            f"{path}: expected a plan with all of the {len(before)} cells there, got one"
            f" without {len(lost)} of them, such as {lost[0]}: a plan may only add cells"
        )


def is_new(path: Path) -> bool:
    """Tell whether there is nothing of a sweep, or of anything else, in a folder."""
    return not path.exists() or (
        path.is_dir() and all(entry.name in (LOCK, _draft(HEAD)) for entry in path.iterdir())
    )


def written(path: Path, content: bytes) -> None:
    """Write a file: whoever reads it finds all of it, or what was there before."""
    draft = path.with_name(_draft(path.name))
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)


def _draft(name: str) -> str:
    return f"{name}.draft"


def distinct(cells: Iterable[Cell]) -> list[Cell]:
    """Return each cell once: several points may be the same year."""
    return [*{cell.id: cell for cell in cells}.values()]


def _encoded(head: Head) -> bytes:
    return msgspec.json.format(msgspec.json.encode(head)) + b"\n"

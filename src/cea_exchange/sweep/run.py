"""A sweep from its plan to its results: what was played is kept, what is left is played."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal, NamedTuple

from cea_exchange.protocol.folder_lock import FolderLock
from cea_exchange.sweep import libraries
from cea_exchange.sweep.cell import CellResult, Played
from cea_exchange.sweep.executors.local import locally_played
from cea_exchange.sweep.executors.on_ray import played_on_ray
from cea_exchange.sweep.folder import LOCK, SweepFolder, distinct, folder_check, is_new
from cea_exchange.sweep.outcome.figures import figures_check
from cea_exchange.sweep.outcome.outcome import Outcome
from cea_exchange.sweep.outcome.writing import outcome_removed, outcome_written
from cea_exchange.sweep.plan_file import SweepPlan
from cea_exchange.sweep.points import points_of

Executor = Literal["local", "ray"]


class Standing(NamedTuple):
    """How far a sweep is.

    Attributes
    ----------
    points, cells
        Points of the plan; the years they are, each once.
    played, failed
        Cells that are kept, and those of them that failed.
    cpu_s_each
        Seconds of a processor of a cell in the mean, by those that were played; None before any.
    """

    points: int
    cells: int
    played: int
    failed: int
    cpu_s_each: float | None

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to be played."""
        return self.played == self.cells


Progress = Callable[[Standing], None]


class SweepRun:
    """A sweep in a folder.

    Parameters
    ----------
    folder
        New or empty, or of a sweep each of whose cells the plan has too: it goes on.

    Raises
    ------
    ValueError
        The plan, or what the folder has in it, can't be used.
    LibraryMissing
        What is needed for it is not installed.
    """

    def __init__(self, plan: SweepPlan, folder: Path) -> None:
        libraries.columnar()
        figures_check(plan.figures)
        self.plan, self.folder = plan, folder
        self.points = points_of(plan)
        self.cells = distinct(point.cell for point in self.points)
        self._results: dict[str, CellResult] = {}
        self._cpu_s_each: float | None = None

    def look(self) -> Standing:
        """Return how far it is; nothing is played, and no folder made."""
        folder_check(self.folder, self.cells)
        if not is_new(self.folder):
            with FolderLock(self.folder, LOCK):
                self._open()
        return self._standing()

    def run(
        self,
        *,
        processes: int,
        executor: Executor = "local",
        cells_max: int | None = None,
        progress: Progress = lambda standing: None,
    ) -> tuple[Standing, Outcome | None]:
        """Play what is left, and write what all came to, once all is played.

        Parameters
        ----------
        processes
            So many cells at a time.
        cells_max
            Stop after so many.
        progress
            Is given where the sweep stands, after each cell.

        Raises
        ------
        FolderInUse
            Another process plays it.
        """
        if executor == "ray":
            libraries.ray()
        # Before anything is made in it.
        folder_check(self.folder, self.cells)
        with FolderLock(self.folder, LOCK):
            folder = self._open()
            left = [cell for cell in self.cells if cell.id not in self._results][:cells_max]
            if left:
                outcome_removed(self.folder)
            progress(self._standing())
            asked: Iterator[Played] = (
                locally_played(left, processes, folder.work)
                if executor == "local"
                else played_on_ray(left, processes)
            )
            # What is being played ends with this, however this ends.
            with closing(asked):  # type: ignore[type-var]  # a generator
                for played in asked:
                    folder.keep(played, executor)
                    self._results[played.result.cell] = played.result
                    self._cpu_s_each = folder.cpu_s_each()
                    progress(self._standing())
            standing = self._standing()
            if not standing.is_over:
                return standing, None
            return standing, outcome_written(self.folder, self.plan, self.points, self._results)

    def _open(self) -> SweepFolder:
        folder = SweepFolder(self.folder, self.plan, self.cells)
        # What a machine was in the way of is played again.
        found = folder.results()
        self._results = {
            cell.id: found[cell.id]
            for cell in self.cells
            if cell.id in found and found[cell.id].fault != "machine"
        }
        self._cpu_s_each = folder.cpu_s_each()
        return folder

    def _standing(self) -> Standing:
        return Standing(
            points=len(self.points),
            cells=len(self.cells),
            played=len(self._results),
            failed=sum(not result.agrees for result in self._results.values()),
            cpu_s_each=self._cpu_s_each,
        )

"""The results of a sweep in short: its hash, failures, how figures spread, what they depend on."""

import hashlib
from collections.abc import Mapping, Sequence

from msgspec import Struct

from cea_exchange.sweep.cell import CellResult, program_hash
from cea_exchange.sweep.folder import distinct
from cea_exchange.sweep.outcome.figures import Spread, spread_of
from cea_exchange.sweep.plan_file import SweepPlan
from cea_exchange.sweep.points import Point
from cea_exchange.sweep.sensitivity import Analysis, analysis_of


class FailedCell(Struct, frozen=True, kw_only=True):
    """A cell that failed, or whose systems do not agree, and what plays it again."""

    cell: str
    error: str
    command: str


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of a sweep.

    Attributes
    ----------
    hash
        SHA-256 of every point's cell, and of what it came to, byte by byte.
    figures
        Figure -> how it spreads over the points whose cells came to their end.
    """

    title: str
    program: str
    plan: str
    points: int
    cells: int
    hash: str
    failed: list[FailedCell]
    figures: dict[str, Spread]
    analysis: Analysis


def outcome_of(
    plan: SweepPlan, points: Sequence[Point], results: Mapping[str, CellResult]
) -> Outcome:
    """Return what a sweep that is over came to."""
    cells = distinct(point.cell for point in points)
    figures = {}
    for figure in plan.figures:
        values = [results[point.cell.id].figures.get(figure) for point in points]
        if (spread := spread_of([value for value in values if value is not None])) is not None:
            figures[figure] = spread
    return Outcome(
        title=plan.title,
        program=program_hash(),
        plan=hashlib.sha256(plan.text).hexdigest(),
        points=len(points),
        cells=len(cells),
        hash=_hash(points, results),
        failed=[
            FailedCell(cell=cell.id, error=_error(results[cell.id]), command=cell.command())
            for cell in cells
            if not results[cell.id].agrees
        ],
        figures=figures,
        analysis=analysis_of(plan, points, results),
    )


def _hash(points: Sequence[Point], results: Mapping[str, CellResult]) -> str:
    content = hashlib.sha256()
    for point in points:
        result = hashlib.sha256(results[point.cell.id].encoded()).hexdigest()
        content.update(f"{point.number} {point.cell.id} {result}\n".encode())
    return content.hexdigest()


def _error(result: CellResult) -> str:
    if result.error:
        return result.error
    apart = next(each for each in result.reconciled if not each.agrees)
    return f"{apart.name}: {apart.differences[0]}"

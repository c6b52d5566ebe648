"""Writes the results of a sweep, and removes them where the sweep goes on."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from cea_exchange.sweep.cell import CellResult
from cea_exchange.sweep.folder import written
from cea_exchange.sweep.outcome.outcome import Outcome, outcome_of
from cea_exchange.sweep.outcome.report import report_page
from cea_exchange.sweep.outcome.tables import points_written, sensitivities_written
from cea_exchange.sweep.plan_file import SweepPlan
from cea_exchange.sweep.points import Point

POINTS, SENSITIVITIES = "points.parquet", "sensitivities.parquet"
REPORT, SUMMARY = "report.html", "summary.json"


def outcome_removed(folder: Path) -> None:
    """Remove what came of a sweep: it is not over, and it would be of another."""
    for name in (POINTS, SENSITIVITIES, REPORT, SUMMARY):
        (folder / name).unlink(missing_ok=True)


def outcome_written(
    folder: Path, plan: SweepPlan, points: Sequence[Point], results: Mapping[str, CellResult]
) -> Outcome:
    """Write what came of a sweep that is over, and return it."""
    outcome = outcome_of(plan, points, results)
    points_written(folder / POINTS, plan.names(), points, results)
    sensitivities_written(folder / SENSITIVITIES, outcome.analysis.sensitivities)
    written(folder / REPORT, report_page(plan, points, results, outcome).encode("utf-8"))
    written(folder / SUMMARY, msgspec.json.format(msgspec.json.encode(outcome)) + b"\n")
    return outcome

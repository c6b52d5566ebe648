"""What figures depend on, by SALib.

Every point is played with the same seeds, and analysed by the mean of them. What a figure comes to
is whole; what depends on what is an estimate, and has a confidence of 95%.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from cea_exchange.sweep.cell import CellResult
from cea_exchange.sweep.libraries import salib
from cea_exchange.sweep.plan_file import SensitivityPlan, SweepPlan
from cea_exchange.sweep.points import Point
from cea_exchange.sweep.sampling import problem_of, sampled

RESAMPLES = 200
COLUMNS = {
    "sobol": {"s1": "S1", "s1_conf": "S1_conf", "st": "ST", "st_conf": "ST_conf"},
    "morris": {name: name for name in ("mu", "mu_star", "mu_star_conf", "sigma")},
}
"""Ours -> SALib's."""
CONFIDENCE_MOST = 0.1
"""Of a part of the variance: where it is known less well, more samples are asked for."""


class Sensitivity(Struct, frozen=True, kw_only=True):
    """What a parameter does to a figure, in one combination of what else is varied.

    Attributes
    ----------
    points
        So many were analysed.
    s1, st
        Of Sobol: the part of the figure's variance that the parameter makes alone, and together
        with others.
    mu, mu_star, sigma
        Of Morris: the mean of its effects, of their size, and how they differ, in the figure's
        unit for the whole range.
    """

    combination: int
    figure: str
    parameter: str
    method: Literal["sobol", "morris"]
    points: int
    s1: float | None = None
    s1_conf: float | None = None
    st: float | None = None
    st_conf: float | None = None
    mu: float | None = None
    mu_star: float | None = None
    mu_star_conf: float | None = None
    sigma: float | None = None


class Analysis(Struct, frozen=True, kw_only=True):
    """What was analysed, and what is to be known of it: too few samples, figures left out."""

    sensitivities: list[Sensitivity]
    notes: list[str]


def analysis_of(
    plan: SweepPlan, points: Sequence[Point], results: Mapping[str, CellResult]
) -> Analysis:
    """Return what the plan's figures depend on; nothing where it has no ranges."""
    found: list[Sensitivity] = []
    notes: list[str] = []
    if plan.sensitivity is None:
        return Analysis(sensitivities=found, notes=notes)
    for number, place, of_combination in _combinations(plan, points):
        faults = [each.cell.id for each in of_combination if results[each.cell.id].fault]
        if faults:
            notes.append(f"{place}not analysed, as cells failed, such as {faults[0]}")
            continue
        for figure in plan.figures:
            means = _means(of_combination, results, figure)
            if min(means) == max(means):
                notes.append(f"{place}{figure} is {means[0]:g} at every point")
                continue
            rows, said = _analysed(plan, plan.sensitivity, means)
            found += [
                Sensitivity(
                    combination=number,
                    figure=figure,
                    parameter=name,
                    method=plan.sensitivity.method,
                    points=len(means),
                    **row,
                )
                for name, row in zip(plan.ranges, rows, strict=True)
            ]
            notes += [f"{place}{figure}: {words}" for words in said]
    return Analysis(sensitivities=found, notes=notes)


def _combinations(
    plan: SweepPlan, points: Sequence[Point]
) -> Iterator[tuple[int, str, list[Point]]]:
    """Yield each combination's number, what it is in words, and its points."""
    by_number: dict[int, list[Point]] = {}
    for point in points:
        by_number.setdefault(point.combination, []).append(point)
    for number, found in by_number.items():
        fixed = {name: v for name, v in found[0].values.items() if name not in plan.ranges}
        words = ", ".join(f"{name} = {value}" for name, value in fixed.items())
        yield number, f"with {words}: " if words else "", found


def _means(
    points: Sequence[Point], results: Mapping[str, CellResult], figure: str
) -> list[float]:
    """Return a figure's mean over the seeds, by sample."""
    by_sample: dict[int, list[int]] = {}
    for point in points:
        by_sample.setdefault(point.sample, []).append(results[point.cell.id].figures[figure])
    return [sum(values) / len(values) for _, values in sorted(by_sample.items())]


def _analysed(
    plan: SweepPlan, sensitivity: SensitivityPlan, means: Sequence[float]
) -> tuple[list[dict[str, float]], list[str]]:
    """Return what each parameter does to a figure, and what is to be said of it."""
    names = [*plan.ranges]
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        found = _estimated(sensitivity, names, means)
    said = [" ".join(str(each.message).split()) for each in warned]
    rows = [
        {column: float(found[name][place]) for column, name in COLUMNS[sensitivity.method].items()}
        for place in range(len(names))
    ]
    widest = max((row["st_conf"] for row in rows if "st_conf" in row), default=0.0)
    if widest > CONFIDENCE_MOST:
        said.append(
            f"parts of the variance are known to within {widest:.2f} only: expected"
            f" {CONFIDENCE_MOST} or less, which more samples than {sensitivity.samples} give"
        )
    return rows, said


def _estimated(
    sensitivity: SensitivityPlan, names: Sequence[str], means: Sequence[float]
) -> Mapping[str, Any]:
    import numpy as np

    library, problem, values = salib(), problem_of(names), np.array(means)
    common = {"num_resamples": RESAMPLES, "seed": sensitivity.seed}
    found: Mapping[str, Any]
    if sensitivity.method == "sobol":
        analyze = library.analyze.sobol.analyze
        found = analyze(problem, values, calc_second_order=False, **common)
    else:
        parts = np.array(sampled(sensitivity, names))
        analyze = library.analyze.morris.analyze
        found = analyze(problem, parts, values, num_levels=sensitivity.levels, **common)
    return found

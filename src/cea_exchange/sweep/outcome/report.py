"""A sweep's report: one HTML page that needs nothing from outside."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from html import escape

import msgspec

from cea_exchange.sweep.cell import CellResult
from cea_exchange.sweep.outcome.figures import (
    TITLES,
    figure_shown,
    figure_title,
    spread_of,
    unit_of,
)
from cea_exchange.sweep.outcome.outcome import Outcome
from cea_exchange.sweep.outcome.plots import by_parameter, sensitivities, spreads
from cea_exchange.sweep.plan_file import SweepPlan, Value
from cea_exchange.sweep.points import Point
from cea_exchange.sweep.sensitivity import Sensitivity
from cea_exchange.year.outcome.page import page, table
from cea_exchange.year.outcome.plots import PlotsMissing

POINTS_MAX, FAILED_MAX, COMBINATIONS_MAX, VALUES_MAX = 100, 50, 6, 24
"""Of each so many are shown; the tables have all."""
METHODS = {
    "sobol": "Sobol's indices: the part of a figure's variance over the ranges that a parameter"
    " makes alone, and together with others. Lines: confidence of 95%.",
    "morris": "Morris' elementary effects: the mean size of what a parameter changes a figure by,"
    " over its whole range, in the figure's unit. Lines: confidence of 95%.",
}


def report_page(
    plan: SweepPlan,
    points: Sequence[Point],
    results: Mapping[str, CellResult],
    outcome: Outcome,
) -> str:
    """Return the report; without matplotlib it has no plots."""
    ended = [point for point in points if results[point.cell.id].figures]
    parts = [
        f"<h1>{escape(plan.title)}</h1>",
        f"<p>{outcome.points:,} points, {outcome.cells:,} compliance years, seeds"
        f" {_seeds(plan.seeds)}. The nation, its firms and what they do are made up; what decides"
        " about them is the real systems' code. A figure says what the model does, and nothing of"
        " the real market.</p>",
        *_failed(outcome),
        "<h2>What is varied</h2>",
        table(("parameter", "as", "values"), _varied(plan), ()),
        f"<p class=note>In common: {escape(_common(plan))}.</p>",
    ]
    if ended:
        parts += [
            "<h2>Spread over all points</h2>",
            table(
                ("figure", "least", "lower quartile", "median", "upper quartile", "most", "mean"),
                _spread_rows(outcome),
                range(1, 7),
            ),
            *_plotted(partial(spreads, plan.figures, points, results)),
            *_by_parameters(plan, ended, results),
            *_sensitivity_parts(plan, outcome),
        ]
    parts += [
        "<h2>Where it comes from</h2>",
        table(
            ("", "hash"),
            [
                ("this sweep: every cell, and what it came to (SHA-256)", outcome.hash),
                ("the plan (SHA-256)", outcome.plan),
                ("the program", outcome.program),
            ],
        ),
        *_points(plan, points, results),
    ]
    return page(plan.title, parts)


# -- What is played --------------------------------------------------------------------------------


def _seeds(seeds: Sequence[int]) -> str:
    first, last = seeds[0], seeds[-1]
    if len(seeds) > 2 and list(seeds) == list(range(first, last + 1)):
        return f"{first} to {last}"
    shown = ", ".join(map(str, seeds[:10]))
    return shown if len(seeds) <= 10 else f"{shown}, … ({len(seeds)})"


def _varied(plan: SweepPlan) -> Iterator[tuple[str, str, str]]:
    for name, values in plan.grid.items():
        yield name, "grid", ", ".join(map(str, values))
    for name in plan.rows[0] if plan.rows else ():
        yield name, "rows", ", ".join(str(row[name]) for row in plan.rows)
    for name, found in plan.ranges.items():
        assert plan.sensitivity is not None
        how = f"{plan.sensitivity.samples} samples, {plan.sensitivity.method}"
        yield name, how, f"{found.least} to {found.most} by {found.step}"


def _common(plan: SweepPlan) -> str:
    varied = plan.names()
    return ", ".join(
        f"{name} {value}"
        for name, value in msgspec.structs.asdict(plan.year).items()
        if name not in varied and value not in ("", None)
    )


def _failed(outcome: Outcome) -> Iterator[str]:
    if not outcome.failed:
        return
    count = len(outcome.failed)
    yield f"<h2 class=differ>{count:,} of {outcome.cells:,} years failed</h2>"
    rows = [(each.cell, each.error, each.command) for each in outcome.failed[:FAILED_MAX]]
    yield table(("cell", "what is wrong", "plays it again, in files/"), rows)
    if count > FAILED_MAX:
        yield f"<p class=note>The first {FAILED_MAX}; points.parquet has all.</p>"


# -- Figures ---------------------------------------------------------------------------------------


def _spread_rows(outcome: Outcome) -> Iterator[tuple[str, ...]]:
    for figure, spread in outcome.figures.items():
        values = (
            *(spread.least, spread.lower_quartile, spread.median),
            *(spread.upper_quartile, spread.most, spread.mean),
        )
        yield figure_title(figure), *(figure_shown(figure, value) for value in values)


def _by_parameters(
    plan: SweepPlan, points: Sequence[Point], results: Mapping[str, CellResult]
) -> Iterator[str]:
    for name in plan.names():
        yield f"<h2>By {escape(name)}</h2>"
        yield from _plotted(partial(by_parameter, name, plan.figures, points, results))
        by_value: dict[Value, list[Point]] = {}
        for point in points:
            by_value.setdefault(point.values[name], []).append(point)
        if name not in plan.ranges and len(by_value) <= VALUES_MAX:
            head = (name, "points", *(figure_title(figure) for figure in plan.figures))
            rows = [
                _medians(plan.figures, value, found, results) for value, found in by_value.items()
            ]
            yield table(head, rows, range(1, len(head)))
            yield "<p class=note>Medians over the points of each value.</p>"


def _medians(
    figures: Sequence[str],
    value: Value,
    points: Sequence[Point],
    results: Mapping[str, CellResult],
) -> tuple[str, ...]:
    shown = []
    for figure in figures:
        spread = spread_of([results[point.cell.id].figures[figure] for point in points])
        shown.append(figure_shown(figure, spread.median) if spread else "")
    return str(value), f"{len(points):,}", *shown


def _sensitivity_parts(plan: SweepPlan, outcome: Outcome) -> Iterator[str]:
    if plan.sensitivity is None:
        return
    yield "<h2>What figures depend on</h2>"
    yield f"<p>{METHODS[plan.sensitivity.method]}</p>"
    by_combination: dict[int, list[Sensitivity]] = {}
    for each in outcome.analysis.sensitivities:
        by_combination.setdefault(each.combination, []).append(each)
    for number, found in [*by_combination.items()][:COMBINATIONS_MAX]:
        title = f"Combination {number}" if len(by_combination) > 1 else "What figures depend on"
        if len(by_combination) > 1:
            yield f"<h3>{title}</h3>"
        yield from _plotted(partial(sensitivities, title, plan.figures, found))
        yield table(*_sensitivity_table(found), range(2, 6))
    if len(by_combination) > COMBINATIONS_MAX:
        yield (
            f"<p class=note>The first {COMBINATIONS_MAX} combinations of {len(by_combination):,};"
            " sensitivities.parquet has all.</p>"
        )
    if outcome.analysis.notes:
        notes = "".join(f"<li>{escape(note)}</li>" for note in outcome.analysis.notes)
        yield f"<p>To be known of it:</p><ul>{notes}</ul>"


def _sensitivity_table(
    found: Sequence[Sensitivity],
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    if found[0].method == "sobol":
        head = ("figure", "parameter", "with others", "±", "alone", "±")
        rows = [
            (
                *(TITLES[each.figure], each.parameter),
                *(f"{part or 0:.3f}" for part in (each.st, each.st_conf, each.s1, each.s1_conf)),
            )
            for each in found
        ]
        return head, rows
    head = ("figure", "parameter", "mean size", "±", "mean", "deviation")
    rows = []
    for each in found:
        unit = unit_of(each.figure)
        parts = (each.mu_star, each.mu_star_conf, each.mu, each.sigma)
        shown = (f"{(part or 0) / unit.one:,.{unit.places + 1}f}" for part in parts)
        rows.append((figure_title(each.figure), each.parameter, *shown))
    return head, rows


# -- Points ----------------------------------------------------------------------------------------


def _points(
    plan: SweepPlan, points: Sequence[Point], results: Mapping[str, CellResult]
) -> Iterator[str]:
    names = plan.names()
    first = plan.figures[: max(1, 4 - len(names))]
    head = ("point", "seed", *names, *(figure_title(figure) for figure in first), "cell", "files")
    rows = []
    for point in points[:POINTS_MAX]:
        figures = results[point.cell.id].figures
        shown = (figure_shown(each, figures[each]) if figures else "failed" for each in first)
        values = (str(point.values[name]) for name in names)
        files = ", ".join(point.cell.files())
        rows.append(
            (f"{point.number}", f"{point.seed}", *values, *shown, point.cell.id, files)
        )
    yield table(head, rows, range(2 + len(names) + len(first)))
    yield (
        f"<p class=note>{_of_all(len(rows), len(points))} Each with all figures, the hash of its"
        " tables, and the command that plays it again, is in points.parquet.</p>"
    )


def _of_all(shown: int, count: int) -> str:
    return f"The first {shown} points of {count:,}." if shown < count else ""


def _plotted(draw: Callable[[], str]) -> Iterator[str]:
    try:
        yield f"<div class=wide>{draw()}</div>"
    except PlotsMissing as error:
        yield f"<p class=note>No plots: it {escape(str(error))}.</p>"

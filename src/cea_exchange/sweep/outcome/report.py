"""A sweep's report: one HTML page that needs nothing from outside."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from html import escape

import msgspec

from cea_exchange.plots.figures import PlotsMissing
from cea_exchange.sweep.cell import CellResult
from cea_exchange.sweep.outcome.figures import (
    TITLES,
    figure_said,
    figure_shown,
    parameter_shown,
    spread_of,
    unit_of,
)
from cea_exchange.sweep.outcome.outcome import Outcome
from cea_exchange.sweep.outcome.plots import by_parameter, sensitivities, spreads, that_vary
from cea_exchange.sweep.plan_file import SweepPlan, Value
from cea_exchange.sweep.points import Point
from cea_exchange.sweep.sensitivity import Sensitivity
from cea_exchange.year.outcome.page import heading, no_plots, page, table
from cea_exchange.year.outcome.report import MADE_UP
from cea_exchange.year.outcome.speech import say

POINTS_MAX, FAILED_MAX, COMBINATIONS_MAX, VALUES_MAX = 30, 50, 6, 8
"""Of each so many are shown; the tables have all."""
NOTHING_OF_THE_MARKET = (
    "A figure says what the model does, and nothing of the real market."
)
POINTS_KEPT = (
    "Each with all figures, its files, the hash of its tables, and the command that plays it"
    " again, is in points.parquet."
)
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
    played = say(
        "{:,} points, {:,} compliance years, seeds {}.",
        outcome.points, outcome.cells, _seeds(plan.seeds),
    )  # fmt: skip
    parts = [
        f"<h1>{escape(plan.title)}</h1>",
        f"<p>{played} {say(MADE_UP)} {say(NOTHING_OF_THE_MARKET)}</p>",
        *_failed(outcome),
        heading("What is varied"),
        table(_heads("parameter", "as", "values"), _varied(plan), ()),
        f"<p class=note>{say('In common: {}.', escape(_common(plan)))}</p>",
    ]
    if ended:
        shown = that_vary(plan.figures, points, results)
        parts += [
            heading("Spread over all points"),
            table(
                _heads(
                    *("figure", "least", "lower quartile", "median", "upper quartile", "most"),
                    "mean",
                ),
                _spread_rows(outcome),
                range(1, 7),
            ),
            *_plotted(partial(spreads, shown, points, results), shown),
            *_by_parameters(plan, ended, results, shown),
            *_sensitivity_parts(plan, points, outcome),
        ]
    parts += [
        heading("Where it comes from"),
        table(
            _heads("of", "hash"),
            [
                (say("this sweep: every cell, and what it came to (SHA-256)"), outcome.hash),
                (say("the plan (SHA-256)"), outcome.plan),
                (say("the program"), outcome.program),
            ],
        ),
        *_points(plan, points, results),
    ]
    return page(plan.title, parts)


# -- What is played --------------------------------------------------------------------------------


def _heads(*english: str) -> tuple[str, ...]:
    return tuple(map(say, english))


def _seeds(seeds: Sequence[int]) -> str:
    first, last = seeds[0], seeds[-1]
    if len(seeds) > 2 and list(seeds) == list(range(first, last + 1)):
        return say("{} to {}", first, last)
    shown = ", ".join(map(str, seeds[:10]))
    return shown if len(seeds) <= 10 else f"{shown}, … ({len(seeds)})"


def _varied(plan: SweepPlan) -> Iterator[tuple[str, str, str]]:
    for name, values in plan.grid.items():
        yield name, say("grid"), ", ".join(map(str, values))
    for name in plan.rows[0] if plan.rows else ():
        yield name, say("rows"), ", ".join(str(row[name]) for row in plan.rows)
    for name, found in plan.ranges.items():
        assert plan.sensitivity is not None
        how = say("{} samples, {}", plan.sensitivity.samples, plan.sensitivity.method)
        yield name, how, say("{} to {} by {}", found.least, found.most, found.step)


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
    yield f"<h2 class=differ>{say('{:,} of {:,} years failed', count, outcome.cells)}</h2>"
    rows = [(each.cell, each.error, each.command) for each in outcome.failed[:FAILED_MAX]]
    yield table(_heads("cell", "what is wrong", "plays it again, in files/"), rows)
    if count > FAILED_MAX:
        yield f"<p class=note>{say('The first {}; points.parquet has all.', FAILED_MAX)}</p>"


# -- Figures ---------------------------------------------------------------------------------------


def _spread_rows(outcome: Outcome) -> Iterator[tuple[str, ...]]:
    for figure, spread in outcome.figures.items():
        values = (
            *(spread.least, spread.lower_quartile, spread.median),
            *(spread.upper_quartile, spread.most, spread.mean),
        )
        yield figure_said(figure), *(figure_shown(figure, value) for value in values)


def _by_parameters(
    plan: SweepPlan,
    points: Sequence[Point],
    results: Mapping[str, CellResult],
    plotted: Sequence[str],
) -> Iterator[str]:
    for name in plan.names():
        yield f"<h2>{say('By {}', escape(name))}</h2>"
        yield from _plotted(partial(by_parameter, name, plotted, points, results), plotted)
        by_value: dict[Value, list[Point]] = {}
        for point in points:
            by_value.setdefault(point.values[name], []).append(point)
        if name not in plan.ranges and len(by_value) <= VALUES_MAX:
            head = (say("median, with {}", parameter_shown(name)), *map(str, by_value))
            counts = (say("points"), *(f"{len(found):,}" for found in by_value.values()))
            rows = [_medians(figure, [*by_value.values()], results) for figure in plan.figures]
            yield table(head, [counts, *rows], range(1, len(head)))


def _medians(
    figure: str, by_value: Sequence[Sequence[Point]], results: Mapping[str, CellResult]
) -> tuple[str, ...]:
    shown = []
    for points in by_value:
        spread = spread_of([results[point.cell.id].figures[figure] for point in points])
        shown.append(figure_shown(figure, spread.median) if spread else "")
    return figure_said(figure), *shown


def _sensitivity_parts(
    plan: SweepPlan, points: Sequence[Point], outcome: Outcome
) -> Iterator[str]:
    if plan.sensitivity is None:
        return
    title = "What figures depend on"
    yield f"{heading(title)}<p>{escape(say(METHODS[plan.sensitivity.method]))}</p>"
    by_combination: dict[int, list[Sensitivity]] = {}
    for each in outcome.analysis.sensitivities:
        by_combination.setdefault(each.combination, []).append(each)
    values = {point.combination: point.values for point in points}
    for number, found in [*by_combination.items()][:COMBINATIONS_MAX]:
        fixed = {name: v for name, v in values[number].items() if name not in plan.ranges}
        words = ", ".join(f"{name} = {value}" for name, value in fixed.items())
        if words:
            yield f"<h3>{say('With {}', escape(words))}</h3>"
        yield from _plotted(partial(sensitivities, f"{title} {words}", plan.figures, found), found)
        yield _sensitivity_table(plan, found)
    if len(by_combination) > COMBINATIONS_MAX:
        shown = "The first {} combinations of {:,}; sensitivities.parquet has all."
        yield f"<p class=note>{say(shown, COMBINATIONS_MAX, len(by_combination))}</p>"
    if outcome.analysis.notes:
        notes = "".join(f"<li>{escape(note)}</li>" for note in outcome.analysis.notes)
        yield f"<p>{say('To be known of it:')}</p><ul>{notes}</ul>"


def _sensitivity_table(plan: SweepPlan, found: Sequence[Sensitivity]) -> str:
    """Return a row a figure, a column a parameter."""
    by_figure: dict[str, list[Sensitivity]] = {}
    for each in found:
        by_figure.setdefault(each.figure, []).append(each)
    is_sobol = found[0].method == "sobol"
    shows = say("with others (alone)" if is_sobol else "mean size")
    head = (shows, *map(parameter_shown, plan.ranges))
    rows = [
        (
            say(TITLES[figure]) if is_sobol else figure_said(figure),
            *map(_sobol if is_sobol else _morris, of_figure),
        )
        for figure, of_figure in by_figure.items()
    ]
    return table(head, rows, range(1, len(head)))


def _sobol(each: Sensitivity) -> str:
    return f"{each.st or 0:.2f} ± {each.st_conf or 0:.2f} ({each.s1 or 0:.2f})"


def _morris(each: Sensitivity) -> str:
    unit = unit_of(each.figure)
    size, confidence = ((part or 0) / unit.one for part in (each.mu_star, each.mu_star_conf))
    return f"{size:,.{unit.places}f} ± {confidence:,.{unit.places}f}"


# -- Points ----------------------------------------------------------------------------------------


def _points(
    plan: SweepPlan, points: Sequence[Point], results: Mapping[str, CellResult]
) -> Iterator[str]:
    names = plan.names()
    first = plan.figures[: max(1, 5 - len(names))]
    head = (
        *(*_heads("point", "seed", "cell"), *map(parameter_shown, names)),
        *map(figure_said, first),
    )
    rows = []
    for point in points[:POINTS_MAX]:
        figures = results[point.cell.id].figures
        shown = (figure_shown(each, figures[each]) if figures else say("failed") for each in first)
        values = (str(point.values[name]) for name in names)
        rows.append((f"{point.number}", f"{point.seed}", point.cell.id, *values, *shown))
    yield f"<h3>{say('Points')}</h3>"
    yield table(head, rows, range(len(head)))
    yield f"<p class=note>{_of_all(len(rows), len(points))} {say(POINTS_KEPT)}</p>"


def _of_all(shown: int, count: int) -> str:
    return say("The first {} points of {:,}.", shown, count) if shown < count else ""


def _plotted(draw: Callable[[], str], what: Sequence[object]) -> Iterator[str]:
    if not what:
        return
    try:
        yield f"<div class=wide tabindex=0>{draw()}</div>"
    except PlotsMissing as error:
        yield no_plots(error)

"""The plots of a sweep: a small one for each figure, as SVG to stand in a page."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cea_exchange.plots.figures import svg
from cea_exchange.sweep.cell import CellResult
from cea_exchange.sweep.outcome.figures import TITLES, figure_title, parameter_shown, unit_of
from cea_exchange.sweep.plan_file import Value
from cea_exchange.sweep.points import Point
from cea_exchange.sweep.sensitivity import Sensitivity

COLUMNS = 3
INCHES_WIDE, INCHES_EACH = 10.0, 2.5
BINS_MAX = 24
BOXES_MAX = 12
"""More values than these are points of a cloud."""
VALUE_MAX = 18
GRAY, BLUE, ORANGE = "#6b7280", "#1f6feb", "#d9730d"

Draw = Callable[[Any, str], None]


def that_vary(
    figures: Sequence[str], points: Sequence[Point], results: Mapping[str, CellResult]
) -> list[str]:
    """Return the figures that are not the same at all points: of the others there is no plot."""
    return [
        figure
        for figure in figures
        if len({value for _, value in _values(figure, points, results)}) > 1
    ]


def spreads(
    figures: Sequence[str], points: Sequence[Point], results: Mapping[str, CellResult]
) -> str:
    """Return how each figure spreads over all points."""

    def draw(axes: Any, figure: str) -> None:
        values = [value for _, value in _values(figure, points, results)]
        axes.hist(values, bins=min(BINS_MAX, max(4, len({*values}))), color=BLUE, alpha=0.85)
        axes.set(ylabel="points")
        _titled(axes, figure, "x")

    return _small_plots("Spread over all points", figures, draw)


def by_parameter(
    name: str,
    figures: Sequence[str],
    points: Sequence[Point],
    results: Mapping[str, CellResult],
) -> str:
    """Return how each figure lies by the values of what is varied."""
    found = {point.values[name] for point in points}
    is_number = all(isinstance(value, int) for value in found)
    values = sorted(found) if is_number else sorted(found, key=_order)

    def draw(axes: Any, figure: str) -> None:
        of_figure = _values(figure, points, results)
        if len(values) > BOXES_MAX:
            places = [_order(point.values[name])[1] for point, _ in of_figure]
            axes.scatter(places, [value for _, value in of_figure], s=9, color=BLUE, alpha=0.6)
        else:
            boxes = [[v for point, v in of_figure if point.values[name] == each] for each in values]
            _boxes(axes, boxes, [_short(value) for value in values])
        _titled(axes, figure, "y")

    return _small_plots(f"By {name}", figures, draw)


def sensitivities(title: str, figures: Sequence[str], found: Sequence[Sensitivity]) -> str:
    """Return what each figure depends on, in one combination."""

    def draw(axes: Any, figure: str) -> None:
        rows = [each for each in found if each.figure == figure]
        (_sobol if rows[0].method == "sobol" else _morris)(axes, rows)
        axes.set_title(TITLES[figure], fontsize=9, loc="left")

    shown = [figure for figure in figures if any(each.figure == figure for each in found)]
    return _small_plots(title, shown, draw, each_inches=1.2 + 0.34 * _parameters(found))


# -- In detail -------------------------------------------------------------------------------------


def _small_plots(
    title: str, figures: Sequence[str], draw: Draw, each_inches: float = INCHES_EACH
) -> str:
    rows = -(-len(figures) // COLUMNS)

    def draw_all(canvas: Any) -> None:
        grid = canvas.subplots(rows, COLUMNS, squeeze=False)
        for place, axes in enumerate(grid.flat):
            if place < len(figures):
                draw(axes, figures[place])
                axes.tick_params(labelsize=8)
                axes.grid(alpha=0.3)
                axes.set_axisbelow(True)
                axes.spines[["top", "right"]].set_visible(False)
            else:
                axes.set_visible(False)

    return svg(title, draw_all, (INCHES_WIDE, each_inches * rows))


def _values(
    figure: str, points: Sequence[Point], results: Mapping[str, CellResult]
) -> list[tuple[Point, float]]:
    """Return a figure of each point whose cell came to its end, in the unit it is shown in."""
    one = unit_of(figure).one
    ended = [(point, results[point.cell.id].figures) for point in points]
    return [(point, figures[figure] / one) for point, figures in ended if figures]


def _boxes(axes: Any, boxes: Sequence[Sequence[float]], labels: Sequence[str]) -> None:
    axes.boxplot(
        boxes,
        tick_labels=labels,
        widths=0.55,
        patch_artist=True,
        boxprops={"facecolor": "#cfe0fb", "edgecolor": BLUE},
        medianprops={"color": ORANGE, "linewidth": 1.6},
        whiskerprops={"color": BLUE},
        capprops={"color": BLUE},
        flierprops={"markersize": 3, "markeredgecolor": GRAY},
    )
    if max(map(len, labels)) > 6:
        axes.tick_params(axis="x", labelrotation=30)


def _titled(axes: Any, figure: str, of_values: str) -> None:
    axes.set_title(figure_title(figure), fontsize=9, loc="left")
    axes.ticklabel_format(axis=of_values, useOffset=False, style="plain")


def _sobol(axes: Any, rows: Sequence[Sensitivity]) -> None:
    places = range(len(rows))
    for shift, colour, part, confidence, label in (
        (-0.2, BLUE, "st", "st_conf", "with others"),
        (0.2, ORANGE, "s1", "s1_conf", "alone"),
    ):
        axes.barh(
            [place + shift for place in places],
            [getattr(row, part) for row in rows],
            xerr=[getattr(row, confidence) for row in rows],
            height=0.36,
            color=colour,
            ecolor=GRAY,
            capsize=2,
            label=label,
        )
    axes.set(xlim=(min(0, axes.get_xlim()[0]), max(1, axes.get_xlim()[1])))
    _named(axes, rows)
    axes.legend(fontsize=7, loc="lower right")


def _morris(axes: Any, rows: Sequence[Sensitivity]) -> None:
    one = unit_of(rows[0].figure)
    axes.barh(
        range(len(rows)),
        [(row.mu_star or 0) / one.one for row in rows],
        xerr=[(row.mu_star_conf or 0) / one.one for row in rows],
        height=0.6,
        color=BLUE,
        ecolor=GRAY,
        capsize=2,
    )
    axes.set_xlabel(one.name, fontsize=8)
    axes.set_xlim(left=0)
    _named(axes, rows)


def _named(axes: Any, rows: Sequence[Sensitivity]) -> None:
    axes.set_yticks(range(len(rows)), [parameter_shown(row.parameter) for row in rows])
    axes.invert_yaxis()


def _parameters(found: Sequence[Sensitivity]) -> int:
    return len({each.parameter for each in found})


def _short(value: Value) -> str:
    """Return a value as there is room for it."""
    text = str(value)
    return text if len(text) <= VALUE_MAX else f"…{text[1 - VALUE_MAX:]}"


def _order(value: Value) -> tuple[bool, float, str]:
    """Return by what a value is put among others: numbers by size, before texts."""
    try:
        return False, float(value), str(value)
    except ValueError:
        return True, 0.0, str(value)

"""Charts as SVG text, for a page that loads nothing from anywhere."""

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 860, 220
LEFT, RIGHT, TOP, BOTTOM = 78, 12, 10, 26
COLOURS = ("#1f6f8b", "#c8553d", "#5a8f3d", "#7a5195", "#b8860b", "#4a4a4a", "#d45087", "#2a9d8f")
TICKS = 5


class Line(NamedTuple):
    """One line of a chart; where y is None there is a hole."""

    name: str
    x: Sequence[float]
    y: Sequence[float | None]


class Mark(NamedTuple):
    """Something that happened at an x."""

    x: float
    text: str


def chart(
    lines: Sequence[Line],
    *,
    shown: Callable[[float], str],
    x_shown: Callable[[float], str],
    marks: Sequence[Mark] = (),
    logarithmic: bool = False,
) -> str:
    """Return a chart of some lines.

    Parameters
    ----------
    shown, x_shown : callable
        Write a value of either axis.
    marks
        Drawn as vertical lines, their words when pointed at.
    logarithmic : bool
        Whether the y axis is; values that are not positive are left out then.
    """
    parts_of = [list(_parts(line, logarithmic)) for line in lines]
    everything = [point for parts in parts_of for part in parts for point in part]
    if not everything:
        return '<p class="none">nothing was seen</p>'
    xs = [x for x, _ in everything]
    ys = [y for _, y in everything]
    # All charts of a run begin with it, and a mark is never outside of its own.
    x_axis = _Axis(min(0.0, *xs), max([*xs, *(mark.x for mark in marks)]), LEFT, WIDTH - RIGHT)
    low = min(ys) if logarithmic else min(0.0, *ys)
    y_axis = _Axis(low, max(ys), HEIGHT - BOTTOM, TOP, logarithmic)
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">']
    parts += _grid(x_axis, y_axis, shown, x_shown)
    for mark in marks:
        x = x_axis.place(mark.x)
        parts.append(
            f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}">'
            f"<title>{escape(mark.text)}</title></line>"
        )
    for number, runs in enumerate(parts_of):
        colour = COLOURS[number % len(COLOURS)]
        for each in runs:
            path = " ".join(f"{x_axis.place(x):.1f},{y_axis.place(y):.1f}" for x, y in each)
            parts.append(f'<polyline points="{path}" stroke="{colour}"/>')
    parts.append("</svg>")
    return "".join(parts) + _legend(lines)


def _parts(line: Line, logarithmic: bool) -> Iterator[list[tuple[float, float]]]:
    """Yield the points of a line from hole to hole."""
    part: list[tuple[float, float]] = []
    for x, y in zip(line.x, line.y, strict=True):
        if y is not None and _fits(y, logarithmic):
            part.append((x, y))
        elif part:
            yield part
            part = []
    if part:
        yield part


def _fits(value: float, logarithmic: bool) -> bool:
    return math.isfinite(value) and (value > 0 or not logarithmic)


def _legend(lines: Sequence[Line]) -> str:
    if len(lines) < 2:
        return ""
    words = (
        f'<span style="color:{COLOURS[number % len(COLOURS)]}">&#9632; {escape(line.name)}</span>'
        for number, line in enumerate(lines)
    )
    return f'<p class="legend">{" ".join(words)}</p>'


class _Axis:
    """Values to places."""

    def __init__(
        self, low: float, high: float, first: float, last: float, logarithmic: bool = False
    ) -> None:
        self.logarithmic = logarithmic
        self._low, self._high = (self._scaled(low), self._scaled(high))
        if self._high == self._low:
            self._high = self._low + 1
        self._first, self._last = first, last

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value

    def place(self, value: float) -> float:
        share = (self._scaled(value) - self._low) / (self._high - self._low)
        return self._first + share * (self._last - self._first)

    def ticks(self) -> list[float]:
        """Return round values within."""
        if self.logarithmic:
            first, last = math.floor(self._low), math.ceil(self._high)
            decades: list[float] = [10.0**power for power in range(first, last + 1)]
            within = [each for each in decades if self._low <= math.log10(each) <= self._high]
            return within if len(within) > 1 else [10**self._low, 10**self._high]
        raw = (self._high - self._low) / TICKS
        unit = 10.0 ** math.floor(math.log10(raw))
        step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= raw)
        first = math.ceil(self._low / step)
        return [step * number for number in range(first, math.floor(self._high / step) + 1)]


def _grid(
    x_axis: _Axis,
    y_axis: _Axis,
    shown: Callable[[float], str],
    x_shown: Callable[[float], str],
) -> list[str]:
    parts = []
    for value in y_axis.ticks():
        y = y_axis.place(value)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{escape(shown(value))}</text>'
        )
    for value in x_axis.ticks():
        x = x_axis.place(value)
        parts.append(
            f'<text x="{x:.1f}" y="{HEIGHT - 8}" text-anchor="middle">'
            f"{escape(x_shown(value))}</text>"
        )
    return parts

"""The points of a plan: every seed with every combination of what is varied, each with its cell."""

from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from itertools import product
from typing import NamedTuple

from cea_exchange.sweep.cell import Cell
from cea_exchange.sweep.parameters import Maker, name_check
from cea_exchange.sweep.plan_file import CELLS_MAX, PlanError, Range, SweepPlan, Value
from cea_exchange.sweep.sampling import sampled


class Point(NamedTuple):
    """One of what is played.

    Attributes
    ----------
    combination
        The number of the combination of grid and rows that it belongs to.
    sample
        The number of its point among those of the ranges; 0 where there are none.
    values
        Of what is varied, by name.
    """

    number: int
    seed: int
    combination: int
    sample: int
    values: dict[str, Value]
    cell: Cell


def points_of(plan: SweepPlan) -> list[Point]:
    """Return the points of a plan, each checked: of what is wrong nothing is played.

    Raises
    ------
    PlanError
        A parameter or a value can't be.
    """
    for name in plan.names():
        name_check(name)
    combinations = list(_combinations(plan))
    samples = list(_samples(plan))
    count = len(combinations) * len(samples) * len(plan.seeds)
    if count > CELLS_MAX:
        raise PlanError(f"points: expected at most {CELLS_MAX:,}, got {count:,}")
    maker = Maker(plan.year, plan.folder)
    points: list[Point] = []
    for number, fixed in enumerate(combinations):
        for sample, drawn in enumerate(samples):
            values = fixed | drawn
            for seed in plan.seeds:
                try:
                    cell = maker.cell(seed, values)
                except (ValueError, OSError) as error:
                    named = ", ".join(f"{name} = {value!r}" for name, value in values.items())
                    raise PlanError(f"with {named or 'nothing varied'}: {error}") from error
                points.append(Point(len(points), seed, number, sample, values, cell))
    return points


def _combinations(plan: SweepPlan) -> Iterator[dict[str, Value]]:
    for values in product(*plan.grid.values()):
        for row in plan.rows or [{}]:
            yield dict(zip(plan.grid, values, strict=True)) | row


def _samples(plan: SweepPlan) -> Iterator[dict[str, Value]]:
    if plan.sensitivity is None:
        yield {}
        return
    steps = {name: steps_of(name, found) for name, found in plan.ranges.items()}
    is_morris = plan.sensitivity.method == "morris"
    for name, values in steps.items():
        if is_morris and len(values) < plan.sensitivity.levels:
            raise PlanError(
                f"sensitivity.ranges.{name}: expected as many values as levels"
                f" ({plan.sensitivity.levels}) or more, got {len(values)}"
            )
    for row in sampled(plan.sensitivity, [*steps]):
        yield {
            name: values[_place(part, len(values), is_morris)]
            for (name, values), part in zip(steps.items(), row, strict=True)
        }


def _place(part: float, count: int, is_morris: bool) -> int:
    """Return which of so many values a sampled part (0 to 1) of a range is.

    Of Sobol each value stands for as much of the range; of Morris both ends are tried themselves.
    """
    if is_morris:
        return round(part * (count - 1))
    return min(int(part * count), count - 1)


def steps_of(name: str, found: Range) -> Sequence[Value]:
    """Return the values of a range, ascending.

    Raises
    ------
    PlanError
        There are not two of them.
    """
    place = f"sensitivity.ranges.{name}"
    got = f"{found.least!r} to {found.most!r} by {found.step!r}"
    if isinstance(found.least, int) and isinstance(found.most, int) and isinstance(found.step, int):
        if found.step < 1 or found.most - found.least < found.step:
            raise PlanError(
                f"{place}: expected a step of 1 or more, and two values or more, got {got}"
            )
        return range(found.least, found.most + 1, found.step)
    try:
        least, most, step = (Decimal(str(each)) for each in (found.least, found.most, found.step))
        is_sound = all(each.is_finite() for each in (least, most, step))
    except InvalidOperation:
        is_sound = False
    if not is_sound or step <= 0 or most - least < step:
        raise PlanError(
            f"{place}: expected whole numbers, or decimals as text, and two values or more,"
            f" got {got}"
        )
    count = int((most - least) / step) + 1
    if count > CELLS_MAX:
        raise PlanError(f"{place}: expected at most {CELLS_MAX:,} values, got {count:,}")
    return [f"{least + step * number:f}" for number in range(count)]

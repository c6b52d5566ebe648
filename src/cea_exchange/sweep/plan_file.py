"""A sweep's plan as its file has it: what all years have in common, and what is varied."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from cea_exchange.domain.ruled import BasisPoints
from cea_exchange.user_files.formats import toml_parse
from cea_exchange.user_files.opening import TEXT_BYTES_MAX, bytes_read, text_of
from cea_exchange.year.setting import FIRMS, ORDERS_EACH, YEARS

CELLS_MAX = 1_000_000
"""More combinations than these are refused: they would take a machine years."""
SEEDS_MAX = 100_000

Value = int | bool | str
Seed = Annotated[int, Meta(ge=0, lt=1 << 62)]


class PlanError(ValueError):
    """A plan can't be used; the message says what was expected, what was got, and where."""


class CommonYear(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a year is played with, as options of `cea-exchange year`; each may be varied.

    Attributes
    ----------
    orders_each
        Listed orders of an enterprise in the year.
    days
        Trading days, spread over the year; 0: all.
    profile
        The market's rules: a name, or a file beside the plan.
    plan
        An allocation plan, a file beside the plan; empty: the packaged one.
    offset_share_bp
        Which share of what is due CCERs may cover, set by the authority; None: the rule's.
    """

    year: Annotated[int, Meta(ge=YEARS[0], le=YEARS[-1])]
    entities: Annotated[int, Meta(ge=2, le=10_000)] = 100
    orders_each: Annotated[int, Meta(ge=1, le=100_000)] = ORDERS_EACH
    days: Annotated[int, Meta(ge=0, le=366)] = 0
    firms: str = FIRMS
    profile: str = "cea"
    plan: str = ""
    offset_share_bp: BasisPoints | None = None


class SeedRange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Seeds one after the other."""

    first: Seed = 1
    count: Annotated[int, Meta(ge=1, le=SEEDS_MAX)]


class Range(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename={"least": "from", "most": "to"},
):
    """Values from one to another, both included, a step apart: whole numbers, or decimals as text.

    The values are of the kind that the three are written in: 100, or "0.15".
    """

    least: int | str
    most: int | str
    step: int | str = 1


class SensitivityPlan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How ranges are sampled, so that it can be seen what the figures depend on.

    Attributes
    ----------
    method
        ``sobol``: which part of a figure's variance comes of which parameter. ``morris``: fewer
        years, for which of many parameters matter at all.
    samples
        Of Sobol a power of two; of Morris trajectories. Of D parameters Sobol makes
        ``samples * (D + 2)`` points, Morris ``samples * (D + 1)``.
    seed
        Of the points.
    levels
        Of Morris: values that each parameter is tried at.
    """

    method: Literal["sobol", "morris"]
    samples: Annotated[int, Meta(ge=4, le=65_536)]
    seed: Annotated[int, Meta(ge=0, lt=1 << 32)] = 1
    levels: Annotated[int, Meta(ge=4, le=32)] = 4
    ranges: dict[str, Any]


class PlanFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shape of a plan.

    Attributes
    ----------
    seeds
        Every point is played with each.
    grid
        Parameter -> values: every combination of them is played.
    rows
        Combinations as they stand, each of the same parameters.
    figures
        What the report is about, the first of all first.
    """

    title: Annotated[str, Meta(min_length=1, max_length=200)]
    year: CommonYear
    seeds: SeedRange | Annotated[tuple[Seed, ...], Meta(min_length=1, max_length=SEEDS_MAX)]
    grid: dict[str, Any] = {}
    rows: tuple[dict[str, Any], ...] = ()
    sensitivity: SensitivityPlan | None = None
    figures: Annotated[tuple[str, ...], Meta(min_length=1)] = (
        *("mean_fen", "close_fen", "largest_move_bp", "volume_tonnes", "block_share_bp"),
        *("bidding_tonnes", "offset_tonnes", "surrendered_bp", "short_tonnes"),
    )


class SweepPlan(Struct, frozen=True, kw_only=True):
    """A plan that was read: names are whole, values of the kinds they may be.

    Attributes
    ----------
    text
        The file's bytes.
    folder
        Where its files are looked for.
    grid, rows, ranges
        By the parameters' names, such as ``profile.listed_band_bp``.
    """

    text: bytes
    folder: Path
    title: str
    year: CommonYear
    seeds: tuple[int, ...]
    grid: dict[str, list[Value]]
    rows: list[dict[str, Value]]
    sensitivity: SensitivityPlan | None
    ranges: dict[str, Range]
    figures: tuple[str, ...]

    def names(self) -> list[str]:
        """Return the parameters that are varied, in the plan's order."""
        return [*self.grid, *(self.rows[0] if self.rows else ()), *self.ranges]


def plan_read(path: Path) -> SweepPlan:
    """Read a plan.

    Raises
    ------
    UserFileError
        It can't be read.
    PlanError
        It is no plan.
    """
    text = bytes_read(path, "a plan", TEXT_BYTES_MAX)
    tables = text_of(text, path, "a plan")
    try:
        file = msgspec.convert(toml_parse(tables), PlanFile, strict=True)
    except ValueError as error:
        raise PlanError(f"{path}: {error}") from error
    try:
        return _plan(path, text, file)
    except PlanError as error:
        raise PlanError(f"{path}: {error}") from error


def _plan(path: Path, text: bytes, file: PlanFile) -> SweepPlan:
    if isinstance(file.seeds, SeedRange):
        seeds = tuple(range(file.seeds.first, file.seeds.first + file.seeds.count))
    else:
        seeds = file.seeds
    if len({*seeds}) < len(seeds):
        raise PlanError(f"seeds: expected each once, got {list(seeds)}")
    sensitivity = file.sensitivity
    read = SweepPlan(
        text=text,
        folder=path.parent,
        title=file.title,
        year=file.year,
        seeds=seeds,
        grid={name: _values(name, found) for name, found in _flat(file.grid)},
        rows=_rows(file.rows),
        sensitivity=sensitivity,
        ranges=_ranges(sensitivity.ranges) if sensitivity else {},
        figures=file.figures,
    )
    names = read.names()
    for name in names:
        if names.count(name) > 1:
            raise PlanError(f"{name}: expected to be varied in one place, got it in several")
    if sensitivity is not None and not read.ranges:
        raise PlanError("sensitivity.ranges: expected a range or more, got none")
    return read


def _flat(named: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield whole names: `profile.x = [1]` and `"profile.x" = [1]` are the same."""
    for name, value in named.items():
        if isinstance(value, dict) and "from" not in value:
            yield from _flat(value, f"{before}{name}.")
        else:
            yield before + name, value


def _values(name: str, found: Any) -> list[Value]:
    place = f"grid.{name}"
    if not isinstance(found, list) or not found:
        raise PlanError(f"{place}: expected a list of values, got {found!r}")
    values = [_value(f"{place}[{number}]", value) for number, value in enumerate(found)]
    if len({(type(value), value) for value in values}) < len(values):
        raise PlanError(f"{place}: expected each value once, got {found!r}")
    return values


def _value(place: str, value: Any) -> Value:
    if not isinstance(value, int | str):
        raise PlanError(
            f"{place}: expected a whole number, true, false or a text, got {value!r}"
        )
    return value


def _rows(tables: tuple[dict[str, Any], ...]) -> list[dict[str, Value]]:
    rows: list[dict[str, Value]] = []
    for number, found in enumerate(tables):
        place = f"rows[{number}]"
        row = {name: _value(f"{place}.{name}", value) for name, value in _flat(found)}
        if not row or (rows and row.keys() != rows[0].keys()):
            names = ", ".join(rows[0]) if rows else "a parameter or more"
            raise PlanError(f"{place}: expected {names}, got {', '.join(row) or 'nothing'}")
        if row in rows:
            raise PlanError(f"{place}: expected each row once, got it as rows[{rows.index(row)}]")
        rows.append(row)
    return rows


def _ranges(found: Mapping[str, Any]) -> dict[str, Range]:
    ranges = {}
    for name, value in _flat(found):
        try:
            ranges[name] = msgspec.convert(value, Range, strict=True)
        except msgspec.ValidationError as error:
            place = f"sensitivity.ranges.{name}"
            raise PlanError(
                f"{place}: expected {{from = ..., to = ...}}, got {value!r}: {error}"
            ) from error
    return ranges

"""The tables of a sweep as Parquet: a row a point, and a row a sensitivity."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from cea_exchange.sweep.cell import CellResult, hash_of
from cea_exchange.sweep.libraries import columnar
from cea_exchange.sweep.outcome.figures import TITLES
from cea_exchange.sweep.plan_file import Value
from cea_exchange.sweep.points import Point
from cea_exchange.sweep.sensitivity import Sensitivity


def points_written(
    path: Path, names: Sequence[str], points: Sequence[Point], results: Mapping[str, CellResult]
) -> None:
    """Write a row for each point: what it is, what it came to, and what that can be traced to."""
    rows = [_row(point, results[point.cell.id]) for point in points]
    varied = {name: [row["values"][name] for row in rows] for name in names}
    columns: dict[str, list[Any]] = {
        name: [row[name] for row in rows]
        for name in (*("point", "combination", "sample", "seed", "cell"),)
    }
    columns |= {f"varied.{name}": _of_one_kind(values) for name, values in varied.items()}
    columns |= {
        figure: [row["figures"].get(figure) for row in rows]
        for figure in TITLES
    }
    columns |= {
        name: [row[name] for row in rows]
        for name in (
            *("agrees", "fault", "error", "profile", "plan", "firms_hash", "program"),
            *("tables", "result", "command"),
        )
    }
    numbers = {"point", "combination", "sample", "seed", *TITLES}
    _written(path, columns, numbers)


def _row(point: Point, result: CellResult) -> dict[str, Any]:
    cell = point.cell
    profile, *plan = cell.files()
    tables = msgspec.json.encode(result.tables, order="deterministic")
    return {
        "point": point.number,
        "combination": point.combination,
        "sample": point.sample,
        "seed": point.seed,
        "cell": cell.id,
        "values": point.values,
        "figures": result.figures,
        "agrees": result.agrees,
        "fault": result.fault,
        "error": result.error,
        "profile": profile,
        "plan": plan[0] if plan else "",
        "firms_hash": cell.firms_hash,
        "program": result.program,
        "tables": hash_of(tables) if result.tables else "",
        "result": hashlib.sha256(result.encoded()).hexdigest(),
        "command": cell.command(),
    }


def _of_one_kind(values: Sequence[Value]) -> list[Value]:
    """Return values as they are, or as texts where they are of several kinds."""
    return [*values] if len({type(value) for value in values}) == 1 else [*map(str, values)]


def sensitivities_written(path: Path, found: Sequence[Sensitivity]) -> None:
    """Write a row for each figure, parameter and combination that was analysed."""
    fields = Sensitivity.__struct_fields__
    columns = {name: [getattr(each, name) for each in found] for name in fields}
    _written(path, columns, {"combination", "points"})


def _written(path: Path, columns: Mapping[str, list[Any]], numbers: set[str]) -> None:
    pyarrow = columnar()
    arrays = {
        name: pyarrow.array(values, pyarrow.int64() if name in numbers else None)
        for name, values in columns.items()
    }
    draft = path.with_name(f"{path.name}.draft")
    pyarrow.parquet.write_table(pyarrow.table(arrays), draft)
    draft.rename(path)

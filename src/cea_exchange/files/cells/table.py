"""The cells of a file before they are understood, and how many there may be."""

from typing import Any, NamedTuple

from cea_exchange.files.findings import Findings

ROW_COUNT_MAX = 50_000
"""Ten times as many as there are entities."""
COLUMN_COUNT_MAX = 32
CELL_COUNT_MAX = 200_000
"""Cells of a file, empty ones in front of others included.

The largest file that is right has a row for each of 3,600 entities, or two for an entity with two
units, and the widest form (the plan file, the cancellation proofs) has 14 columns: 100,800 cells.
This is twice as many. Each cell costs a reader of workbooks some 5 microseconds.
"""

CellRow = tuple[int, tuple[Any, ...]]
"""The line and what stands in it."""


class CellTable(NamedTuple):
    """A file's cells."""

    heads: tuple[Any, ...]
    """The columns' names."""
    heads_line: int | None
    rows: list[CellRow]
    """Without blank ones at the end."""


def blanks_dropped(rows: list[CellRow]) -> list[CellRow]:
    """Drop the rows at the end that have nothing in any cell."""
    count = len(rows)
    while count and all(cell is None for cell in rows[count - 1][1]):
        count -= 1
    return rows[:count]


def size_check(findings: Findings, *, rows: int, columns: int, cells: int | None = None) -> None:
    """Refuse a table that is larger than any of these files can be.

    Parameters
    ----------
    cells
        Cells so far; None: each row has one in each column.
    """
    if rows > ROW_COUNT_MAX:
        raise findings.refuse(None, f"expected at most {ROW_COUNT_MAX} rows, got more")
    if columns > COLUMN_COUNT_MAX:
        raise findings.refuse(None, f"expected at most {COLUMN_COUNT_MAX} columns, got more")
    cells_check(findings, rows * columns if cells is None else cells)


def cells_check(findings: Findings, cells: int) -> None:
    """Refuse a table of more cells than any of these files can have."""
    if cells > CELL_COUNT_MAX:
        raise findings.refuse(None, f"expected at most {CELL_COUNT_MAX} cells, got more")

"""The cells of a file before they are understood, and how many there may be."""

from typing import Any, NamedTuple

from cea_exchange.files.findings import Findings

ROW_COUNT_MAX = 50_000
"""Ten times as many as there are entities."""
COLUMN_COUNT_MAX = 32

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


def size_check(findings: Findings, *, rows: int, columns: int) -> None:
    """Refuse a table that is larger than any of these files can be."""
    if rows > ROW_COUNT_MAX:
        raise findings.refuse(None, f"expected at most {ROW_COUNT_MAX} rows, got more")
    if columns > COLUMN_COUNT_MAX:
        raise findings.refuse(None, f"expected at most {COLUMN_COUNT_MAX} columns, got more")

"""Month files: the figures of an enterprise's units, month by month, each with what it rests on."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from msgspec import Struct

from cea_exchange.files.cells.source import SourceFile
from cea_exchange.files.findings import Finding
from cea_exchange.files.kinds import DIGEST, EXACT, MONTH, NAME, Choice
from cea_exchange.files.layout import Column, Layout, Totals
from cea_exchange.files.reading import table_read

MEASURED, DEFAULT, MISSING = "measured", "default", "missing"
SECOND = "second_source"
"""What a missing quantity is kept as: never typed."""


class FiledFigure(Struct, frozen=True, kw_only=True):
    """One figure of one unit and month."""

    enterprise: str
    unit: str
    month: int
    """yyyymm."""
    parameter: str
    """Its id in the sector's guideline: ``A.bituminous``."""
    value: Decimal
    measure: str
    """In which it is counted: ``t``."""
    origin: str
    """``measured``; ``default``: the guideline's value stands here; ``missing``: what stands for it
    is put in its place, and its own value is 0."""
    evidence: str
    """SHA-256 of the document it rests on; a default rests on none."""


MONTH_FIGURES: Layout[FiledFigure] = Layout(
    title="month file",
    row=FiledFigure,
    columns=(
        Column("enterprise", NAME),
        Column("unit", NAME),
        Column("month", MONTH),
        Column("parameter", NAME),
        Column("value", EXACT),
        Column("measure", NAME),
        Column("origin", Choice(MEASURED, DEFAULT, MISSING)),
        Column("evidence", DIGEST, empty=""),
    ),
    totals=Totals(mark="parameter", summed=("value",), by="unit", kind=EXACT),
    once=("unit", "month", "parameter"),
    same=("enterprise",),
)


class UnitMonth(NamedTuple):
    """A unit and a month."""

    unit: str
    month: int


Lines = Sequence[tuple[int, FiledFigure]]
"""Figures, each with its line."""


def by_unit_month(lines: Lines) -> dict[UnitMonth, Lines]:
    """Return the figures of each unit and month, in the order in which they come."""
    found: dict[UnitMonth, list[tuple[int, FiledFigure]]] = {}
    for line, figure in lines:
        found.setdefault(UnitMonth(figure.unit, figure.month), []).append((line, figure))
    return dict(found)


def months_read(
    source: SourceFile, check: Callable[[Lines], Iterator[Finding]]
) -> dict[UnitMonth, Lines]:
    """Read a month file.

    Parameters
    ----------
    source
        The file as it came.
    check
        What else figures must be, such as of units there are; only of a file that is sound.

    Raises
    ------
    FileRefused
        With everything that is wrong, each with its line.

    Notes
    -----
    Rules: CEA-FIL-01.
    """
    table = table_read(source, MONTH_FIGURES, check)
    return by_unit_month(list(zip(table.lines, table.rows, strict=True)))

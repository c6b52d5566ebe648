"""Plan files: how each figure of an enterprise's units is measured, a line a unit and parameter."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Literal, get_args

from msgspec import Struct

from cea_exchange.files.cells.source import SourceFile
from cea_exchange.files.findings import Finding
from cea_exchange.files.kinds import EXACT, NAME, Choice, Whole, Words
from cea_exchange.files.layout import Column, Layout, Totals
from cea_exchange.files.reading import table_read

Method = Literal["default", "second_source"]
"""What stands for a figure that is missing: the guideline's value, or another source's."""
Basis = Literal["as_fired", "as_received"]
"""The basis on which coal is weighed and sampled: as fired, or as received."""
CALIBRATION_MONTHS_MAX = 12


class PlannedFigure(Struct, frozen=True, kw_only=True):
    """How one figure of one unit is measured.

    Attributes
    ----------
    facility
        What it is measured of: a boiler, a generator, a kiln.
    meter
        Which one; empty: a laboratory, or a count, without any.
    accuracy
        The meter's class, in percent; 0 without one.
    calibration_months
        At most so many between two calibrations; 0 without a meter.
    ledger
        Where it is written down.
    basis
        Of a solid fuel of a power unit, a `Basis`; of anything else empty.
    """

    enterprise: str
    unit: str
    facility: str
    parameter: str
    source: str
    meter: str
    place: str
    frequency: str
    accuracy: Decimal
    calibration_months: int
    missing_data: Method
    department: str
    ledger: str
    basis: str = ""


PLANNED_FIGURES: Layout[PlannedFigure] = Layout(
    title="plan file",
    row=PlannedFigure,
    columns=(
        Column("enterprise", NAME),
        Column("unit", NAME),
        Column("facility", Words()),
        Column("parameter", NAME),
        Column("source", Words()),
        Column("meter", Words(), empty=""),
        Column("place", Words()),
        Column("frequency", Words()),
        Column("accuracy", EXACT, empty=Decimal(0)),
        Column("calibration_months", Whole(0, CALIBRATION_MONTHS_MAX + 1, "months"), empty=0),
        Column("missing_data", Choice(*get_args(Method))),
        Column("department", Words()),
        Column("ledger", Words()),
        Column("basis", Choice(*get_args(Basis)), empty=""),
    ),
    totals=Totals(mark="parameter", summed=("calibration_months",), by="unit"),
    once=("unit", "parameter"),
    same=("enterprise",),
)

PlanLines = Sequence[tuple[int, PlannedFigure]]
"""Planned figures, each with its line."""


def plan_read(
    source: SourceFile, check: Callable[[PlanLines], Iterator[Finding]]
) -> tuple[PlannedFigure, ...]:
    """Read a plan file.

    Raises
    ------
    FileRefused
        With everything that is wrong, each with its line.

    Notes
    -----
    Rules: CEA-FIL-01, CEA-MRV-10.
    """
    return table_read(source, PLANNED_FIGURES, check).rows

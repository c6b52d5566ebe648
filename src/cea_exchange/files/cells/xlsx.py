"""The cells of an XLSX workbook: one sheet, all of it in sight, values and no formulas' promises.

What a person who opens the workbook would not see, or see otherwise, is refused: hidden sheets,
rows and columns, merged cells, formulas whose result is not kept in the file.
"""

import io
import warnings
from collections.abc import Iterator
from string import ascii_uppercase
from typing import Any

from cea_exchange.files.cells.table import CellTable, blanks_dropped
from cea_exchange.files.cells.xlsx_parts import (
    ESCAPE_FORM,
    PartError,
    PartTooLarge,
    SheetScan,
    parts_scan,
)
from cea_exchange.files.findings import Findings


def xlsx_cells(data: bytes, findings: Findings) -> CellTable:
    """Take a workbook's only sheet apart."""
    openpyxl = openpyxl_needed()
    try:
        scan = parts_scan(data)
        workbook = _workbook(openpyxl, data)
        sheet = _only_sheet(workbook, findings)
        rows = blanks_dropped(list(_rows(sheet, scan, findings)))
    except PartTooLarge as error:
        raise findings.refuse(None, str(error)) from None
    except PartError as error:
        raise findings.refuse(None, f"expected an XLSX workbook, got {error}") from None
    heads = rows[0][1] if rows else ()
    while heads and heads[-1] is None:
        heads = heads[:-1]
    _sight_check(scan, len(rows), len(heads), findings)
    return CellTable(heads, 1, rows[1:])


def openpyxl_needed() -> Any:
    """Return the package; ModuleNotFoundError says which extra brings it."""
    try:
        import openpyxl
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "XLSX needs openpyxl: pip install 'cea-exchange[xlsx]'", name="openpyxl"
        ) from None
    return openpyxl


def _workbook(openpyxl: Any, data: bytes) -> Any:
    with warnings.catch_warnings():
        # It warns of styles and extensions it passes over; only cells matter here.
        warnings.simplefilter("ignore")
        try:
            return openpyxl.load_workbook(
                io.BytesIO(data), read_only=True, data_only=True, keep_links=False
            )
        except MemoryError:
            raise
        except Exception as error:
            # Where a part is missing or odd, openpyxl raises whatever its code runs into.
            raise PartError(f"parts that don't fit together: {error}") from None


def _only_sheet(workbook: Any, findings: Findings) -> Any:
    if not workbook.worksheets:
        raise PartError("no sheet")
    first, *others = workbook.worksheets
    if first.sheet_state != "visible":
        findings.add(None, None, f"expected the first sheet in sight, got {first.title!r} hidden")
    for sheet in others:
        if any(cell.value is not None for row in _cells(sheet) for cell in row):
            findings.add(None, None, f"expected one sheet, got another with data, {sheet.title!r}")
    findings.raise_any()
    return first


def _cells(sheet: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the cells of each row, as wide as it is; the sheet's own size may be another."""
    sheet.reset_dimensions()
    try:
        yield from sheet.iter_rows()
    except MemoryError:
        raise
    except Exception as error:
        # As above: a cell that names a text or style that is not there, for one.
        raise PartError(f"a cell in {sheet.title!r} that can't be read: {error}") from None


def _rows(sheet: Any, scan: SheetScan, findings: Findings) -> Iterator[tuple[int, tuple[Any, ...]]]:
    for line, row in enumerate(_cells(sheet), 1):
        values = [None if cell.value == "" else cell.value for cell in row]
        for column, (cell, value) in enumerate(zip(row, values, strict=True), 1):
            if isinstance(value, str) and ESCAPE_FORM.search(value):
                text = f"expected text without an escape such as _x000D_, got {value[:80]!r}"
                findings.add(line, _letters(column), text)
            elif cell.data_type == "e":
                findings.add(line, _letters(column), f"expected a value, got {cell.value}")
            elif value is None and (line, column) in scan.formulas:
                text = "expected a value, got a formula without its result"
                findings.add(line, _letters(column), text)
        yield line, tuple(values)


def _sight_check(scan: SheetScan, row_count: int, column_count: int, findings: Findings) -> None:
    """Note what of a sheet isn't seen as it is."""
    for line, cells in scan.merged:
        findings.add(line, None, f"expected no merged cells, got {cells}")
    for line in scan.hidden_rows:
        if line <= row_count:
            findings.add(line, None, "expected a row in sight, got one that is hidden")
    for column in sorted(scan.hidden_columns):
        if column <= column_count:
            text = "expected a column in sight, got one that is hidden"
            findings.add(None, _letters(column), text)


def _letters(column: int) -> str:
    """Return what a sheet calls a column."""
    first, last = divmod(column - 1, len(ascii_uppercase))
    return (ascii_uppercase[first - 1] if first else "") + ascii_uppercase[last]

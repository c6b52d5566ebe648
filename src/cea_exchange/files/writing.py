"""Write entries by their layout, with totals; `table_read` gives the same entries back.

The same entries always give the same bytes: nothing of the day or the machine is written.
"""

import csv
import io
import zipfile
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from cea_exchange.files.cells.parquet import pyarrow_needed
from cea_exchange.files.cells.xlsx import openpyxl_needed
from cea_exchange.files.cells.xlsx_parts import ESCAPE_FORM, UNDERSCORE_ESCAPE
from cea_exchange.files.kinds import SPREADSHEET_INTEGER_MAX
from cea_exchange.files.layout import TOTAL_MARK, Layout

Row = TypeVar("Row")

_MOMENT = (1980, 1, 1, 0, 0, 0)
"""Of every part of a workbook: the first moment a zip archive can name."""


def table_bytes(layout: Layout[Row], rows: Sequence[Row], form: str) -> bytes:
    """Return a file of entries.

    Parameters
    ----------
    layout
        The kind of file.
    rows
        Its entries; the totals are added.
    form : str
        One of `formats.WRITTEN`, such as `.csv`.

    Raises
    ------
    ModuleNotFoundError
        Without the package that writes the format; the message says which extra brings it.
    """
    if form not in _WRITERS:
        raise ValueError(f"form: expected one of {', '.join(_WRITERS)}, got {form!r}")
    return _WRITERS[form](layout, rows)


def _total_rows(layout: Layout[Row], rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the control totals; a column that is not named is empty."""
    totals, common = layout.totals, {}
    if rows:
        common = {name: getattr(rows[0], name) for name in layout.same}
    found = []
    for group, sums in layout.sums(rows).items():
        by = {totals.by: group} if totals.by and group is not None else {}
        found.append({**common, **by, totals.mark: TOTAL_MARK, **sums})
    return found


def _csv(layout: Layout[Row], rows: Sequence[Row]) -> bytes:
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow(layout.names)
    for row in _dicts(layout, rows):
        values = ((column.kind, row.get(column.name)) for column in layout.columns)
        writer.writerow("" if value is None else kind.text(value) for kind, value in values)
    return output.getvalue().encode("utf-8")


def _dicts(layout: Layout[Row], rows: Sequence[Row]) -> list[dict[str, Any]]:
    entries = [{name: getattr(row, name) for name in layout.names} for row in rows]
    return entries + _total_rows(layout, rows)


def _cells(layout: Layout[Row], rows: Sequence[Row]) -> list[list[Any]]:
    """Return entries and totals as typed cells."""
    return [
        [
            None if row.get(name) is None else kind.cell(row[name])
            for name, kind, _ in layout.columns
        ]
        for row in _dicts(layout, rows)
    ]


# -- XLSX -----------------------------------------------------------------------------------------


def _xlsx(layout: Layout[Row], rows: Sequence[Row]) -> bytes:
    workbook = openpyxl_needed().Workbook()
    sheet = workbook.active
    sheet.title = layout.title
    for line, row in enumerate([layout.names, *_cells(layout, rows)], 1):
        for column, value in enumerate(row, 1):
            text = _xlsx_text(value)
            cell = sheet.cell(line, column, value if text is None else text)
            if text is not None:
                # A name such as =A1 is text, no formula.
                cell.data_type = "s"
    output = io.BytesIO()
    workbook.save(output)
    return timeless(output.getvalue())


def _xlsx_text(value: Any) -> str | None:
    """Return what is written as text; None: a number, truth value, date or nothing."""
    if type(value) is int and value > SPREADSHEET_INTEGER_MAX:
        return str(value)
    if not isinstance(value, str):
        return None
    if ESCAPE_FORM.search(value) or UNDERSCORE_ESCAPE.decode() in value:
        raise ValueError(f"text in XLSX: expected no escape as _x000D_, got {value!r}")
    return value


def timeless(workbook: bytes) -> bytes:
    """Pack a workbook anew without the moment it was made."""
    output = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook)) as made,
        zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in made.namelist():
            content = made.read(name)
            if name == "docProps/core.xml":
                content = _CORE
            part = zipfile.ZipInfo(name, _MOMENT)
            part.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(part, content)
    return output.getvalue()


_CORE = (
    b'<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/'
    b'core-properties" />'
)


# -- Parquet and JSON Lines -----------------------------------------------------------------------


def _parquet(layout: Layout[Row], rows: Sequence[Row]) -> bytes:
    pyarrow, parquet = pyarrow_needed()
    types = {
        "string": pyarrow.string(),
        "int64": pyarrow.int64(),
        "bool": pyarrow.bool_(),
        "date32": pyarrow.date32(),
    }
    schema = pyarrow.schema([(column.name, types[column.kind.arrow]) for column in layout.columns])
    columns = [list(column) for column in zip(*_cells(layout, rows), strict=True)]
    table = pyarrow.table(
        [pyarrow.array(*each) for each in zip(columns, schema.types, strict=True)], schema=schema
    )
    output = io.BytesIO()
    parquet.write_table(table, output, write_page_checksum=True)
    return output.getvalue()


def _json_lines(_layout: Layout[Row], rows: Sequence[Row]) -> bytes:
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


_WRITERS: dict[str, Callable[[Layout[Any], Sequence[Any]], bytes]] = {
    ".csv": _csv,
    ".xlsx": _xlsx,
    ".parquet": _parquet,
    ".jsonl": _json_lines,
}

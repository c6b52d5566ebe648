"""The cells of a CSV file; line numbers are those an editor shows."""

import codecs
import csv
import io
from typing import Literal

from cea_exchange.domain.naming import csv_name_read
from cea_exchange.files.cells.table import CellTable, blanks_dropped, size_check
from cea_exchange.files.findings import Findings

Encoding = Literal["utf-8", "gb18030"]


def csv_cells(data: bytes, encoding: Encoding, findings: Findings) -> CellTable:
    """Take a CSV file apart: commas, double quotes, any line ends; an empty field is no cell."""
    text = _decoded(data, encoding, findings)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows = []
    line = 1
    try:
        for fields in reader:
            # A row starts behind the last line of the one before; a quoted field may span lines.
            rows.append((line, tuple(csv_name_read(field) or None for field in fields)))
            line = reader.line_num + 1
            size_check(findings, rows=len(rows) - 1, columns=len(fields))
    except csv.Error as error:
        raise findings.refuse(line, f'expected CSV with commas and ", got {error}') from None
    heads = rows[0][1] if rows else ()
    return CellTable(heads, 1, blanks_dropped(rows[1:]))


def _decoded(data: bytes, encoding: Encoding, findings: Findings) -> str:
    start = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    if start and encoding != "utf-8":
        raise findings.refuse(1, f"expected {encoding}, got the mark of UTF-8")
    try:
        return data[start:].decode(encoding)
    except UnicodeDecodeError as error:
        bad = start + error.start
        line = data.count(b"\n", 0, bad) + 1
        hint = "" if encoding != "utf-8" else " (if it is GB18030, say so)"
        text = f"expected {encoding}, got the byte 0x{data[bad]:02x}{hint}"
        raise findings.refuse(line, text) from None

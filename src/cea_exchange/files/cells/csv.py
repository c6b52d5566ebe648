"""The cells of a CSV file; line numbers are those an editor shows."""

import codecs
import csv
import io
from typing import Literal

from cea_exchange.domain.naming import csv_name_read
from cea_exchange.files.cells.table import CellRow, CellTable, blanks_dropped, size_check
from cea_exchange.files.findings import Findings

Encoding = Literal["utf-8", "gb18030", "gbk", "gb2312"]
# GB18030 contains GBK, which contains GB2312: what is called the smaller one often is the larger.
CODECS: dict[Encoding, str] = {
    "utf-8": "utf-8",
    "gb18030": "gb18030",
    "gbk": "gb18030",
    "gb2312": "gb18030",
}
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    "\ufeff".encode("gb18030"): "gb18030",
}


def csv_cells(data: bytes, encoding: Encoding, findings: Findings) -> CellTable:
    """Take a CSV file apart: commas, double quotes, any line ends; an empty field is no cell."""
    text = _decoded(data, encoding, findings)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[CellRow] = []
    line, cells = 1, 0
    try:
        for fields in reader:
            cells += len(fields)
            size_check(findings, rows=len(rows), columns=len(fields), cells=cells)
            # A row starts behind the last line of the one before; a quoted field may span lines.
            rows.append((line, tuple(csv_name_read(field) or None for field in fields)))
            line = reader.line_num + 1
    except csv.Error as error:
        raise findings.refuse(line, f'expected CSV with commas and ", got {error}') from None
    heads = rows[0][1] if rows else ()
    return CellTable(heads, 1, blanks_dropped(rows[1:]))


def _decoded(data: bytes, encoding: Encoding, findings: Findings) -> str:
    codec = CODECS[encoding]
    mark = next((mark for mark in _MARKS if data.startswith(mark)), b"")
    if mark and _MARKS[mark] != codec:
        raise findings.refuse(1, f"expected {encoding}, got the mark of {_MARKS[mark].upper()}")
    try:
        return data[len(mark) :].decode(codec)
    except UnicodeDecodeError as error:
        bad = len(mark) + error.start
        line = data.count(b"\n", 0, bad) + 1
        hint = "" if codec != "utf-8" else " (if it is GB18030, say so)"
        text = f"expected {encoding}, got the byte 0x{data[bad]:02x}{hint}"
        raise findings.refuse(line, text) from None

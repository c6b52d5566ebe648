"""Checks what an XLSX archive holds before anything builds objects from it.

Every part is unpacked once, within bounds, and read as a stream. That finds what a reader of cells
passes over in silence: cells twice or out of order, hidden rows and columns, merged cells, and
formulas; and what would make it grow without bound.
"""

import io
import re
import struct
import zipfile
import zlib
from xml.parsers import expat

from cea_exchange.files.cells.table import CELL_COUNT_MAX, COLUMN_COUNT_MAX, ROW_COUNT_MAX

UNPACKED_BYTES_MAX = 32 << 20
"""Of all parts of the workbook together: a packed file of some KB may hold gigabytes."""

ELEMENT_COUNT_MAX = 8 * CELL_COUNT_MAX
"""Of all parts: a cell with text has an element, its value's, and three or four of its text."""
MERGED_COUNT_MAX = ROW_COUNT_MAX
"""Ranges of merged cells that are named. Each is refused, and nobody reads a longer list."""

ESCAPE_FORM = re.compile(r"_x[0-9A-Fa-f]{4}_")
"""Spreadsheets read this as another character."""
UNDERSCORE_ESCAPE = b"x005F_"
"""Part of the escape of an underscore; openpyxl drops it from text wherever it stands."""

_UNPACKING_ERRORS = (
    zlib.error, struct.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError,
)  # fmt: skip
"""What zipfile raises of archives that are damaged, encrypted or packed in an unknown way."""

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_CELL_FORM = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")


class PartError(Exception):
    """The workbook is not one that is read; its text says what came."""


class PartTooLarge(PartError):
    """The workbook has more than any file that is read; its text says how much may be."""


class SheetScan:
    """What is to be known of the sheets before their cells are read.

    Attributes
    ----------
    formulas : set of (int, int)
        Row and column of each cell that is computed.
    merged : list of (int, str)
        First row and range of merged cells.
    hidden_rows : list of int
    hidden_columns : set of int
        Numbers from 1.
    """

    def __init__(self) -> None:
        self.formulas: set[tuple[int, int]] = set()
        self.merged: list[tuple[int, str]] = []
        self.hidden_rows: list[int] = []
        self.hidden_columns: set[int] = set()
        self._row = self._column = 0
        self._cells = self._elements = 0
        self._handlers = {
            f"{_MAIN} worksheet": self._worksheet,
            f"{_MAIN} row": self._row_begun,
            f"{_MAIN} c": self._cell,
            f"{_MAIN} f": self._formula,
            f"{_MAIN} mergeCell": self._merge,
            f"{_MAIN} col": self._columns,
        }

    def element(self, name: str, attributes: dict[str, str]) -> None:
        """Take in the start of an element."""
        self._elements += 1
        if self._elements > ELEMENT_COUNT_MAX:
            raise PartTooLarge(f"expected at most {ELEMENT_COUNT_MAX} elements, got more")
        handler = self._handlers.get(name)
        if handler is not None:
            handler(attributes)

    def _worksheet(self, _attributes: dict[str, str]) -> None:
        self._row = self._column = 0

    def _row_begun(self, attributes: dict[str, str]) -> None:
        row = int(attributes.get("r", self._row + 1))
        if not self._row < row <= ROW_COUNT_MAX + 1:
            raise PartError(f"row {row} behind row {self._row}, or more than {ROW_COUNT_MAX} rows")
        self._row, self._column = row, 0
        if _is_out_of_sight(attributes, "ht"):
            self.hidden_rows.append(row)

    def _cell(self, attributes: dict[str, str]) -> None:
        row, column = self._row, self._column + 1
        if "r" in attributes:
            row, column = _coordinates(attributes["r"])
        if row != self._row or not self._column < column <= COLUMN_COUNT_MAX:
            place = attributes.get("r", f"column {column}")
            raise PartError(f"cell {place} out of its order, or beyond {COLUMN_COUNT_MAX} columns")
        # A reader makes cells for those that are left out as well.
        self._cells += column - self._column
        if self._cells > CELL_COUNT_MAX:
            raise PartTooLarge(f"expected at most {CELL_COUNT_MAX} cells, got more")
        self._column = column

    def _formula(self, _attributes: dict[str, str]) -> None:
        self.formulas.add((self._row, self._column))

    def _merge(self, attributes: dict[str, str]) -> None:
        if len(self.merged) == MERGED_COUNT_MAX:
            raise PartTooLarge(f"expected no merged cells, got more than {MERGED_COUNT_MAX}")
        cells = attributes["ref"]
        self.merged.append((_coordinates(cells.partition(":")[0])[0], cells))

    def _columns(self, attributes: dict[str, str]) -> None:
        if _is_out_of_sight(attributes, "width"):
            last = min(int(attributes["max"]), COLUMN_COUNT_MAX)
            self.hidden_columns.update(range(max(1, int(attributes["min"])), last + 1))


def parts_scan(data: bytes) -> SheetScan:
    """Look through all parts of an archive.

    Raises
    ------
    PartError
        If it is none, is damaged, or is more than it should be.
    """
    scan = SheetScan()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
            # zipfile unpacks no more of a part than its entry says.
            if sum(part.file_size for part in parts) > UNPACKED_BYTES_MAX:
                raise PartError(f"more than {UNPACKED_BYTES_MAX} bytes unpacked")
            if len({part.filename for part in parts}) < len(parts):
                raise PartError("a part twice")
            for part in parts:
                _part_scan(part.filename, archive.read(part), scan)
    except zipfile.BadZipFile as error:
        hint = " (old and encrypted workbooks are none)" * (not data.startswith(b"PK"))
        raise PartError(f"a damaged zip archive or none{hint}: {error}") from None
    except _UNPACKING_ERRORS as error:
        raise PartError(f"a damaged zip archive: {error}") from None
    return scan


def _part_scan(name: str, content: bytes, scan: SheetScan) -> None:
    parser = expat.ParserCreate(namespace_separator=" ")

    def doctype_refuse(*_: object) -> None:
        raise PartError(f"a DOCTYPE in {name}, by which text can grow without bound")

    parser.StartDoctypeDeclHandler = doctype_refuse
    parser.StartElementHandler = scan.element
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, KeyError, ValueError) as error:
        # Pictures and the like are no XML; they are not looked at later either.
        if name.endswith((".xml", ".rels")):
            raise PartError(f"{name}, which is damaged: {error}") from None
    if UNDERSCORE_ESCAPE in content:
        raise PartError(f"the escape _x005F_ in {name}")


def _is_out_of_sight(attributes: dict[str, str], extent: str) -> bool:
    return attributes.get("hidden") in ("1", "true") or attributes.get(extent) == "0"


def _coordinates(text: str) -> tuple[int, int]:
    """Return row and column of a cell such as B12."""
    match = _CELL_FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"no cell is called {text[:40]!r}")
    column = 0
    for letter in match[1]:
        column = 26 * column + ord(letter) - ord("A") + 1
    return int(match[2]), column

"""A table of cells as it travels from the process that read it to the daemon.

MessagePack has no dates and decimals, and no integers beyond 64 bits: those travel as text with a
mark of their type. A result is data only, so a process that a bad file took over can send nothing
that runs.
"""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec

from cea_exchange.files.cells.table import CellTable
from cea_exchange.files.findings import FileRefused, Finding, Findings


class CellsRead(msgspec.Struct, frozen=True, array_like=True):
    """Result of a reading: a table, or findings that refuse it, or the package that is missing.

    A table may have findings too: reading goes on, and they are reported with all others.
    """

    table: tuple[tuple[Any, ...], int | None, list[tuple[int, tuple[Any, ...]]]] | None
    findings: list[tuple[int | None, str | None, str]]
    count: int
    missing: str = ""


class Odd:
    """A cell of a type that no column takes, such as a list or a duration."""


# datetime is a date, so it stands first.
_MARKS: tuple[tuple[type, int, Callable[[Any], str], Callable[[str], Any]], ...] = (
    (datetime, 1, datetime.isoformat, datetime.fromisoformat),
    (date, 2, date.isoformat, date.fromisoformat),
    (time, 3, time.isoformat, time.fromisoformat),
    (Decimal, 4, str, Decimal),
    (int, 5, hex, lambda text: int(text, 16)),
)
_ODD = 6
_READERS = {mark: read for _, mark, _, read in _MARKS}
_PLAIN = (str, float, bool, type(None))
_INTEGER_LIMIT = 1 << 63


def cells_written(read: Callable[[Findings], CellTable], characters_max: int) -> bytes:
    """Return what `read` finds in a file, as it travels.

    Parameters
    ----------
    characters_max
        Of all cells with text together. A workbook keeps a long text once, however many cells show
        it, and here each has its own.
    """
    findings = Findings("")
    table, missing = None, ""
    try:
        heads, line, rows = read(findings)
        if sum(map(_characters, (heads, *(cells for _, cells in rows)))) > characters_max:
            text = f"expected at most {characters_max} characters in all cells, got more"
            raise findings.refuse(None, text)
        table = (_row(heads), line, [(number, _row(cells)) for number, cells in rows])
    except FileRefused:
        pass
    except ModuleNotFoundError as error:
        missing = str(error)
    first = [(each.line, each.column, each.text) for each in findings.first]
    return msgspec.msgpack.encode(CellsRead(table, first, findings.count, missing))


def cells_taken(written: bytes, findings: Findings) -> CellTable:
    """Return the table that another process read, and add what it found.

    Raises
    ------
    FileRefused
        If the other process refused the file.
    ModuleNotFoundError
        If it lacked a package.
    """
    found = _DECODER.decode(written)
    if found.missing:
        raise ModuleNotFoundError(found.missing)
    findings.take([Finding(*each) for each in found.findings], found.count)
    if found.table is None:
        raise findings.refusal()
    return CellTable(*found.table)


def _characters(cells: tuple[Any, ...]) -> int:
    return sum(len(cell) for cell in cells if isinstance(cell, str))


def _row(cells: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(cell if type(cell) in _PLAIN else _marked(cell) for cell in cells)


def _marked(cell: Any) -> Any:
    if isinstance(cell, int) and -_INTEGER_LIMIT <= cell < _INTEGER_LIMIT:
        return int(cell)
    for kind, mark, write, _ in _MARKS:
        if isinstance(cell, kind):
            return msgspec.msgpack.Ext(mark, write(cell).encode())
    if isinstance(cell, timedelta):
        return msgspec.msgpack.Ext(_ODD, b"timedelta")
    return msgspec.msgpack.Ext(_ODD, type(cell).__name__.encode())


def _unmarked(mark: int, data: memoryview) -> Any:
    text = bytes(data).decode()
    return _odd(text) if mark == _ODD else _READERS[mark](text)


@cache
def _odd(name: str) -> Odd:
    """Return a cell of a type of that name: errors name it."""
    odd: Odd = type(name, (Odd,), {})()
    return odd


_DECODER = msgspec.msgpack.Decoder(CellsRead, ext_hook=_unmarked)

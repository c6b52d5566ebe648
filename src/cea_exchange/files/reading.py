"""Read a table by its layout: every cell, every row, all that must be the same, and the totals.

A file is taken whole or not at all. What is wrong is collected, so that whoever sent it mends it
once; nothing is guessed, rounded or passed over.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from cea_exchange.files.cells.source import SourceFile
from cea_exchange.files.findings import Finding, Findings
from cea_exchange.files.kinds import got
from cea_exchange.files.layout import REQUIRED, TOTAL_MARK, Column, Layout

Row = TypeVar("Row")
EntriesCheck = Callable[[Sequence[tuple[int, Row]]], Iterator[Finding]]
"""Takes entries with their lines, all of them sound by themselves; yields what else is wrong."""


@dataclass(frozen=True)
class FileTable(Generic[Row]):
    """What a file says."""

    file: str
    """Its name."""
    sha256: str
    """Hash of its bytes: a second file with the same is the same one again."""
    rows: tuple[Row, ...]
    """Entries in the file's order, without the totals."""
    lines: tuple[int, ...]
    """Where each entry stands."""


def table_read(source: SourceFile, layout: Layout[Row], check: EntriesCheck[Row]) -> FileTable[Row]:
    """Read a file.

    Parameters
    ----------
    source
        The file as it came.
    layout
        What it must look like.
    check
        What else entries must be, such as of accounts there are.

    Raises
    ------
    FileRefused
        With everything that is wrong, each with its line.

    Notes
    -----
    Rules: CEA-FIL-01, CEA-FIL-02.
    """
    findings = Findings(source.name)
    table = source.cells(findings)
    places = _places(table.heads, table.heads_line, layout, findings)
    findings.raise_any()
    reader = _Reader(layout, places, len(table.heads), findings)
    for line, cells in table.rows:
        reader.take(line, cells)
    if not reader.entries and not findings.count:
        findings.add(table.heads_line, None, "expected at least one entry, got none")
    findings.raise_any()
    reader.totals_check()
    reader.alike_check()
    for finding in check(reader.entries):
        findings.add(*finding)
    findings.raise_any()
    return FileTable(
        file=source.name,
        sha256=source.sha256,
        rows=tuple(entry for _, entry in reader.entries),
        lines=tuple(line for line, _ in reader.entries),
    )


def _places(
    heads: Sequence[Any], line: int | None, layout: Layout[Any], findings: Findings
) -> dict[str, int]:
    """Return where each column stands, in any order; note those missing, unknown and twice."""
    places: dict[str, int] = {}
    if not heads:
        findings.add(line, None, f"expected the columns {', '.join(layout.names)}, got nothing")
        return places
    for place, head in enumerate(heads):
        if head not in layout.names:
            expected = ", ".join(layout.names)
            findings.add(line, None, f"expected the columns {expected}, got {got(head)}")
        elif head in places:
            findings.add(line, head, "expected the column once, got twice")
        else:
            places[head] = place
    for column in layout.columns:
        if column.name not in places and column.empty is REQUIRED:
            text = f"expected the column in every {layout.title}, got none"
            findings.add(line, column.name, text)
    return places


TEXTS_KEPT_MAX = 4_096
"""Of one file; names and words come in row after row, and are read once."""


class _Reader(Generic[Row]):
    """Takes rows one by one; keeps entries and totals apart."""

    def __init__(
        self, layout: Layout[Row], places: dict[str, int], width: int, findings: Findings
    ) -> None:
        self._layout = layout
        self._places = places
        self._width = width
        self._findings = findings
        self.entries: list[tuple[int, Row]] = []
        self._totals: list[tuple[int, dict[str, Any]]] = []
        self._read: dict[tuple[int, str], Any] = {}

    def take(self, line: int, cells: tuple[Any, ...]) -> None:
        """Read a row."""
        if all(cell is None for cell in cells):
            self._findings.add(line, None, "expected an entry, got a blank line")
            return
        surplus = [cell for cell in cells[self._width :] if cell is not None]
        if surplus:
            text = f"expected {self._width} cells as in the heads, got {got(surplus[0])} behind"
            self._findings.add(line, None, text)
            return
        row = {
            name: cells[place] if place < len(cells) else None
            for name, place in self._places.items()
        }
        if row[self._layout.totals.mark] == TOTAL_MARK:
            self._total(line, row)
        elif self._totals:
            self._findings.add(line, None, f"expected no entry behind a {TOTAL_MARK} row, got one")
        else:
            self._entry(line, row)

    def _entry(self, line: int, row: dict[str, Any]) -> None:
        values, count = {}, self._findings.count
        for column in self._layout.columns:
            values[column.name] = self._value(line, column, row.get(column.name))
        if self._findings.count == count:
            self.entries.append((line, self._layout.row(**values)))

    def _total(self, line: int, row: dict[str, Any]) -> None:
        """Read a control total: its group and sums, what is the same everywhere, nothing else."""
        totals, values = self._layout.totals, {}
        for column in self._layout.columns:
            name, cell = column.name, row.get(column.name)
            if name in totals.summed:
                is_there = name in self._places
                sum_column = Column(name, totals.kind)
                # A column that is not there is empty in every entry, and sums to nothing.
                values[name] = self._value(line, sum_column, cell) if is_there else 0
            elif cell is None or name == totals.mark:
                values[name] = None
            elif name == totals.by or name in self._layout.same:
                values[name] = self._value(line, column, cell)
            else:
                text = f"expected nothing in a {TOTAL_MARK} row, got {got(cell)}"
                self._findings.add(line, name, text)
        self._totals.append((line, values))

    def _value(self, line: int, column: Column, cell: Any) -> Any:
        if cell is None and column.empty is not REQUIRED:
            return column.empty
        key = (id(column.kind), cell)
        if isinstance(cell, str) and key in self._read:
            return self._read[key]
        try:
            value = column.kind.read(cell)
        except ValueError as error:
            self._findings.add(line, column.name, str(error))
            return None
        if isinstance(cell, str) and len(self._read) < TEXTS_KEPT_MAX:
            self._read[key] = value
        return value

    def totals_check(self) -> None:
        """Compare the control totals with what the entries add up to."""
        totals, add = self._layout.totals, self._findings.add
        sums = self._layout.sums([entry for _, entry in self.entries])
        missing = dict.fromkeys(sums)
        for line, total in self._totals:
            group = total[totals.by] if totals.by else None
            if group not in missing:
                fault = "a second one" if group in sums else "one without entries"
                text = f"expected one {TOTAL_MARK} row of {self._of(group)} with its entries"
                add(line, totals.mark, f"{text}, got {fault}")
                continue
            del missing[group]
            for name in totals.summed:
                if total[name] != sums[group][name]:
                    text = f"expected {sums[group][name]}, the sum of {self._of(group)}"
                    add(line, name, f"{text}, got {total[name]}")
            if group is None and missing:
                add(line, None, f"expected the {TOTAL_MARK} row of the file last, got earlier")
        last = max(line for line, _ in [*self.entries, *self._totals])
        for group in missing:
            add(last, totals.mark, f"expected a {TOTAL_MARK} row of {self._of(group)}, got none")

    def _of(self, group: Any) -> str:
        return "the file" if group is None else f"{self._layout.totals.by} {group}"

    def alike_check(self) -> None:
        """Compare what all rows have alike, and find what no two entries may have alike."""
        layout, add = self._layout, self._findings.add
        first_line, first = self.entries[0]
        for name in layout.same:
            expected = getattr(first, name)
            values = [(line, getattr(entry, name)) for line, entry in self.entries]
            # A total need not repeat what all entries say.
            values += [(line, row[name]) for line, row in self._totals if row.get(name) is not None]
            for line, value in values:
                if value != expected:
                    add(line, name, f"expected {expected} as in line {first_line}, got {value}")
        seen: dict[str, int] = {}
        for line, entry in self.entries:
            value = " ".join(str(getattr(entry, name)) for name in layout.once)
            if value in seen:
                what = " and ".join(layout.once)
                text = f"expected each {what} once, got {value} of line {seen[value]} again"
                add(line, layout.once[-1], text)
            seen.setdefault(value, line)

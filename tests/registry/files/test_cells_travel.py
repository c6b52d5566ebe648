"""Cells that another process read are those that this one would have read."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest

from cea_exchange.files.cells.table import CELL_COUNT_MAX, CellTable
from cea_exchange.files.cells.travel import cells_taken, cells_written
from cea_exchange.files.findings import FINDINGS_MAX, FileRefused, Findings
from cea_exchange.files.kinds import got
from support.large_workbooks import MAIN, TEXT, sheet_of, with_parts, workbook_of
from support.registry.registry_tables import read

CELLS = (
    *(None, "text", "煤", True, 0, -5, 2**63 - 1, -(2**63), 2**63, -(10**30), 1.5, float("inf")),
    *(date(2024, 2, 29), datetime(2024, 2, 29, 1, 2, 3, 4), datetime(2024, 1, 1, tzinfo=UTC)),
    *(time(1, 2, 3), Decimal("1.50"), Decimal("NaN")),
)


def travelled(heads, rows):
    return cells_taken(cells_written(lambda _: CellTable(heads, 1, rows), 1_000), Findings("a"))


def test_every_cell_arrives_with_its_type():
    table = travelled(("a", None), [(2, CELLS), (5, ())])
    assert repr(table.rows) == repr([(2, CELLS), (5, ())])
    assert (table.heads, table.heads_line) == (("a", None), 1)


def test_a_cell_that_no_column_takes_keeps_the_name_of_its_type():
    odd = ([1], {"a": 1}, b"bytes", timedelta(1))
    ((_, cells),) = travelled((), [(2, odd)]).rows
    assert [got(cell) for cell in cells] == [got(cell) for cell in odd]


def test_findings_arrive_and_so_does_a_refusal_and_a_package_that_is_missing():
    def many(findings):
        for line in range(FINDINGS_MAX + 7):
            findings.add(line, "A", "expected no merged cells")
        return CellTable((), 1, [])

    findings = Findings("a")
    findings.add(None, None, "before")
    assert cells_taken(cells_written(many, 9), findings).rows == []
    assert findings.count == FINDINGS_MAX + 8 and len(findings.first) == FINDINGS_MAX

    def bad(findings):
        raise findings.refuse(3, "expected another")

    with pytest.raises(FileRefused, match="b:3: expected another"):
        cells_taken(cells_written(bad, 9), Findings("b"))

    def missing(_findings):
        raise ModuleNotFoundError("XLSX needs openpyxl")

    with pytest.raises(ModuleNotFoundError, match="XLSX needs openpyxl"):
        cells_taken(cells_written(missing, 9), Findings("b"))


def refusal(path, content):
    path.write_bytes(content)
    with pytest.raises(FileRefused) as caught:
        read(path)
    return str(caught.value).removeprefix(str(path))


def test_cells_beyond_the_bound_are_refused(tmp_path):
    """CEA-FIL-01: those that a reader makes for gaps count too."""
    path = tmp_path / "a.xlsx"
    too_many = f": expected at most {CELL_COUNT_MAX} cells, got more"
    assert too_many == refusal(path, workbook_of(6_251, 32))
    assert too_many == refusal(path, workbook_of(50_001, 32))
    gaps = '<row><c r="AF{0}"><v>1</v></c></row>'
    rows = "".join(gaps.format(line) for line in range(1, 6_252))
    sheet = f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'
    assert too_many == refusal(path, with_parts(sheet=sheet))
    csv = tmp_path / "a.csv"
    row = b",".join([b"1"] * 32) + b"\n"
    assert too_many == refusal(csv, row * 6_251)
    assert "columns" in refusal(csv, b"," * (4 << 20))


def test_elements_and_merged_cells_beyond_the_bound_are_refused(tmp_path):
    path = tmp_path / "a.xlsx"
    strings = f'<sst xmlns="{MAIN}">{"<si/>" * 1_600_001}</sst>'
    assert "expected at most 1600000 elements, got more" in refusal(
        path, with_parts(strings=strings)
    )
    merged = "<mergeCells>" + '<mergeCell ref="A1:B2"/>' * 50_001 + "</mergeCells>"
    sheet = sheet_of(1, 1, TEXT).replace("</worksheet>", f"{merged}</worksheet>")
    assert "expected no merged cells, got more than 50000" in refusal(path, with_parts(sheet=sheet))

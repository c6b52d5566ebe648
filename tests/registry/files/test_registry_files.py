"""Files of the registry: what is taken, in each format, and how they are written."""

import hashlib
import io
import json
import re
import sys
import zipfile
from datetime import date, datetime
from functools import partial

import openpyxl
import pyarrow
import pytest
from pyarrow import parquet

from cea_exchange.registry.files import (
    ALLOCATION,
    CANCELLATION_PROOFS,
    OBLIGATIONS,
    CancellationProof,
    FileRefused,
    Obligation,
    SourceFile,
    allocation_read,
    cancellation_proofs_read,
    obligations_read,
    table_bytes,
    units_read,
)
from support.places import ROOT
from support.registry.registry_tables import (
    ALLOCATION_CSV,
    ALLOCATIONS,
    HEADS,
    LINES,
    PROVINCES,
    allocation,
    cell_replace,
    part_edit,
    read,
    strings_share,
    workbook_save,
)

# -- What is taken --------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [".csv", ".xlsx", ".parquet"])
@pytest.mark.parametrize("name", ["=1+1", "'=1+1", "@A", "'A", "A=1"])
def test_a_name_like_a_formula_is_written_as_text_and_read_as_it_was(tmp_path, name, form):
    """CEA-PER-04."""
    path = tmp_path / f"allocation{form}"
    path.write_bytes(table_bytes(ALLOCATION, [allocation(name, 11, 5)], form))
    assert [row.account for row in read(path, provinces={name: 11}).rows] == [name]
    if form == ".csv":
        marked = "'" + name if name.startswith(("=", "'=", "@")) else name
        assert path.read_text().splitlines()[1].split(",")[4] == marked


@pytest.mark.parametrize(
    "text",
    [
        ALLOCATION_CSV,
        "\ufeff" + ALLOCATION_CSV,
        ALLOCATION_CSV.replace("\n", "\r\n"),
        ALLOCATION_CSV.replace("\n", "\r"),
        ALLOCATION_CSV + "\n,,,,,,\n\n",
        ALLOCATION_CSV.rstrip(),
        ALLOCATION_CSV.replace("P0001", '"P0001"').replace("yes", "TRUE"),
        ALLOCATION_CSV.replace("2024,CEA24,final,,TOTAL", ",,,,TOTAL"),
    ],
    ids=["as_written", "mark", "crlf", "cr", "blank_end", "no_last_end", "quoted", "bare_total"],
)
def test_csv_is_taken_as_spreadsheets_write_it(tmp_path, text):
    path = tmp_path / "allocation.csv"
    path.write_bytes(text.encode("utf-8"))
    table = read(path)
    assert table.rows == ALLOCATIONS
    assert table.lines == (2, 3, 4)
    assert table.file == str(path)
    assert table.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_columns_may_stand_in_any_order_and_one_with_a_meaning_for_empty_be_missing(tmp_path):
    path = tmp_path / "allocation.csv"
    reordered = [",".join([row[4], row[5], *row[:4]]) for row in (HEADS, *LINES)]
    path.write_text("\n".join(reordered))
    assert [(row.account, row.tonnes, row.at_risk) for row in read(path).rows] == [
        ("P0001", 700_000, False),
        ("P0002", 500_000, False),
        ("P0003", 300_000, False),
    ]


def test_gb18030_is_read_where_it_is_said_and_never_guessed(tmp_path):
    path = tmp_path / "allocation.csv"
    path.write_bytes(ALLOCATION_CSV.replace("P0001", "华能一厂").encode("gb18030"))
    provinces = PROVINCES | {"华能一厂": 11}
    with pytest.raises(FileRefused, match=r"allocation.csv:2: expected utf-8, got the byte 0xbb"):
        read(path, provinces=provinces)
    table = allocation_read(SourceFile.load(path, "gb18030"), provinces=provinces)
    assert table.rows[0].account == "华能一厂"
    for encoding in ("gbk", "gb2312"):
        same = allocation_read(SourceFile.load(path, encoding), provinces=provinces)
        assert same.rows == table.rows
    path.write_bytes(("\ufeff" + ALLOCATION_CSV).encode("gb18030"))
    assert allocation_read(SourceFile.load(path, "gb18030"), provinces=PROVINCES).rows
    path.write_bytes(ALLOCATION_CSV.encode("utf-16"))
    with pytest.raises(FileRefused, match="1: expected utf-8, got the mark of UTF-16"):
        allocation_read(SourceFile.load(path))
    path.write_bytes(("\ufeff" + ALLOCATION_CSV).encode("utf-8"))
    with pytest.raises(FileRefused, match="1: expected gb18030, got the mark of UTF-8"):
        allocation_read(SourceFile.load(path, "gb18030"))
    with pytest.raises(ValueError, match="encoding: expected"):
        SourceFile.load(path, "latin-1")


def test_a_quoted_field_over_lines_does_not_shift_the_numbers(tmp_path):
    path = tmp_path / "allocation.csv"
    path.write_text(ALLOCATION_CSV.replace("P0001", '"P00\n01"').replace("P0002,500000", "P0002,x"))
    with pytest.raises(FileRefused) as refused:
        read(path)
    assert [finding.line for finding in refused.value.findings] == [2, 4]


def test_xlsx_of_a_person_is_taken(tmp_path):
    path = tmp_path / "Allocation.XLSX"
    workbook_save(path, (HEADS, *LINES))
    assert read(path).rows == ALLOCATIONS
    assert read(path).lines == (2, 3, 4)
    strings_share(path)
    assert read(path).rows == ALLOCATIONS


def test_xlsx_with_fractions_that_are_whole_truth_values_sums_and_empty_sheets_is_taken(tmp_path):
    path = tmp_path / "allocation.xlsx"
    workbook_save(path, (HEADS, *LINES))
    workbook = openpyxl.load_workbook(path)
    sheet = workbook.active
    sheet["F2"], sheet["G4"], sheet["F3"] = "700000", True, 500_000
    sheet["F3"].number_format = "0.00"
    sheet["J30"].number_format = "0.00"
    workbook.create_sheet("Sheet2")
    workbook.save(path)
    # openpyxl writes no results of formulas, and 500000.0 as 500000: both are put in by hand.
    cell_replace(path, "F3", '<c r="F3"><v>500000.0</v></c>')
    cell_replace(path, "F7", '<c r="F7"><f>SUM(F2:F4)</f><v>1500000</v></c>')
    assert read(path).rows == ALLOCATIONS


def test_a_sheet_that_says_it_is_smaller_is_read_whole(tmp_path):
    path = tmp_path / "allocation.xlsx"
    workbook_save(path, (HEADS, *LINES))
    sheet = "xl/worksheets/sheet1.xml"
    part_edit(path, sheet, lambda text: text.replace('ref="A1:G7"', 'ref="A1:F3"'))
    assert read(path).rows == ALLOCATIONS


def test_parquet_is_taken_with_rows_from_one(tmp_path):
    path = tmp_path / "allocation.parquet"
    path.write_bytes(table_bytes(ALLOCATION, ALLOCATIONS, ".parquet"))
    assert read(path).rows == ALLOCATIONS
    assert read(path).lines == (1, 2, 3)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_parquet_of_data_frames_is_taken(tmp_path, library):
    frames = pytest.importorskip(library)
    path = tmp_path / "allocation.parquet"
    frame = frames.read_csv(io.BytesIO(ALLOCATION_CSV.encode()))
    (frame.to_parquet if library == "pandas" else frame.write_parquet)(path)
    assert read(path).rows == ALLOCATIONS


def test_days_are_read_from_text_dates_and_midnights(tmp_path):
    proof = CancellationProof(
        proof="N1",
        compliance_year=2025,
        account="P0003",
        project="CCER-1182",
        serial_first=11,
        serial_last=20,
        tonnes=10,
        registered_on=20250306,
        cancelled_on=20261020,
        quota_managed="no",
        project_started_on=20200101,
        applied_on=20241101,
        produced_from=20210101,
        produced_to=20231231,
    )
    path = tmp_path / "proofs.xlsx"
    path.write_bytes(table_bytes(CANCELLATION_PROOFS, [proof], ".xlsx"))
    workbook = openpyxl.load_workbook(path)
    assert workbook.active["H2"].value == datetime(2025, 3, 6)
    workbook.active["H2"] = "2025-03-06"
    workbook.save(path)
    assert cancellation_proofs_read(SourceFile.load(path)).rows == (proof,)
    path = tmp_path / "proofs.parquet"
    path.write_bytes(table_bytes(CANCELLATION_PROOFS, [proof], ".parquet"))
    assert parquet.read_table(path)["registered_on"][0].as_py() == date(2025, 3, 6)
    midnights = parquet.read_table(path)
    place = midnights.column_names.index("registered_on")
    moments = midnights["registered_on"].cast(pyarrow.timestamp("us"))
    parquet.write_table(midnights.set_column(place, "registered_on", moments), path)
    assert cancellation_proofs_read(SourceFile.load(path)).rows == (proof,)


def test_obligations_are_read_with_both_their_sums(tmp_path):
    path = tmp_path / "obligations.csv"
    path.write_text(
        "compliance_year,province,account,verified_tonnes,due_tonnes\n"
        "2024,31,P0003,320000,310000\n"
        "2024,31,TOTAL,320000,310000\n"
        "2024,,TOTAL,320000,310000\n"
    )
    (row,) = obligations_read(SourceFile.load(path), provinces=PROVINCES).rows
    assert row == Obligation(
        compliance_year=2024,
        province=31,
        account="P0003",
        verified_tonnes=320_000,
        due_tonnes=310_000,
    )


def test_a_final_amount_may_be_zero_and_2019_is_of_the_first_vintage(tmp_path):
    """CEA-FIL-03."""
    path = tmp_path / "allocation.csv"
    path.write_text(
        ALLOCATION_CSV.replace("2024,CEA24", "2019,CEA")
        .replace("300000", "0")
        .replace("1500000", "1200000")
    )
    assert [row.tonnes for row in read(path).rows] == [700_000, 500_000, 0]


# -- What is written ------------------------------------------------------------------------------


def test_csv_is_written_as_the_protocol_shows_it():
    assert table_bytes(ALLOCATION, ALLOCATIONS, ".csv").decode() == ALLOCATION_CSV


@pytest.mark.parametrize("form", [".csv", ".xlsx", ".parquet", ".jsonl"])
def test_the_same_entries_give_the_same_bytes(form):
    assert table_bytes(ALLOCATION, ALLOCATIONS, form) == table_bytes(ALLOCATION, ALLOCATIONS, form)


def test_a_workbook_does_not_say_when_it_was_made():
    with zipfile.ZipFile(io.BytesIO(table_bytes(ALLOCATION, ALLOCATIONS, ".xlsx"))) as archive:
        assert {part.date_time for part in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert b"created" not in archive.read("docProps/core.xml")
        assert b"modified" not in archive.read("docProps/core.xml")


def test_json_lines_are_objects():
    first, *_ = table_bytes(ALLOCATION, ALLOCATIONS, ".jsonl").splitlines()
    assert json.loads(first) == {
        "compliance_year": 2024,
        "product": "CEA24",
        "stage": "final",
        "province": 11,
        "account": "P0001",
        "tonnes": 700_000,
        "at_risk": False,
    }


def test_names_that_look_like_formulas_or_errors_stay_names():
    rows = [allocation(name, 11, 5) for name in ("=1+1", "#N/A", "+1", "0012", "TRUE", "@x")]
    for form in (".csv", ".xlsx", ".parquet"):
        written = table_bytes(ALLOCATION, rows, form)
        assert list(allocation_read(SourceFile(f"x{form}", written)).rows) == rows


def test_what_a_format_cannot_hold_is_refused_when_written():
    with pytest.raises(ValueError, match="no escape as _x000D_, got 'a_x0041_'"):
        table_bytes(ALLOCATION, [allocation("a_x0041_", 11, 5)], ".xlsx")
    with pytest.raises(ValueError, match="form: expected one of .csv, .xlsx, .parquet, .jsonl"):
        table_bytes(OBLIGATIONS, [], ".xls")


def test_the_examples_of_the_protocol_are_read():
    page = ROOT / "protocol" / "registry_files.md"
    blocks = re.findall(r"^```csv\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    tables = [block.encode() for block in blocks]
    given = {"compliance_year": 2024, "stage": "final", "accounts": {"P0001"}}
    units_given = partial(units_read, **given)
    readers = (allocation_read, units_given, obligations_read, cancellation_proofs_read)
    counts = [
        len(read_table(SourceFile("example.csv", table)).rows)
        for read_table, table in zip(readers, tables, strict=True)
    ]
    assert counts == [3, 2, 1, 1]
    assert tables[0].decode() == ALLOCATION_CSV


@pytest.mark.parametrize(
    ("package", "form", "extra"),
    [("openpyxl", ".xlsx", "xlsx"), ("pyarrow", ".parquet", "arrow")],
)
def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    monkeypatch, package, form, extra
):
    monkeypatch.setitem(sys.modules, package, None)
    said = rf"needs {package}: pip install 'cea-exchange\[{extra}\]'"
    with pytest.raises(ModuleNotFoundError, match=said):
        allocation_read(SourceFile(f"x{form}", b""))
    with pytest.raises(ModuleNotFoundError, match=said):
        table_bytes(ALLOCATION, ALLOCATIONS, form)

"""Bad files of the registry: each refused whole, with file, line and reason.

Long, because most of it is tables of what is bad and how it is told.
"""

import zipfile
from datetime import date, datetime

import openpyxl
import pyarrow
import pytest
from pyarrow import parquet

from cea_exchange.files.cells.source import FILE_BYTES_MAX
from cea_exchange.files.cells.table import COLUMN_COUNT_MAX, ROW_COUNT_MAX
from cea_exchange.registry.files import (
    ALLOCATION,
    FileRefused,
    SourceFile,
    cancellation_proofs_read,
    obligations_read,
    table_bytes,
)
from support.registry.registry_tables import (
    ALLOCATION_CSV,
    ALLOCATIONS,
    HEADS,
    LINES,
    STRINGS,
    cell_replace,
    part_edit,
    read,
    strings_share,
    workbook_save,
)

TONNES_MOST = 2**62 - 1
SHEET = "xl/worksheets/sheet1.xml"


def refused(path, read=read, **known):
    """Return the lines of the refusal, without the folder."""
    with pytest.raises(FileRefused) as caught:
        read(path, **known)
    assert caught.value.file == str(path)
    return [line.removeprefix(str(path)) for line in str(caught.value).splitlines()]


# -- CSV: each row is one fault and all that is said of it ----------------------------------------

COLUMNS = "compliance_year, product, stage, province, account, tonnes, at_risk"

FAULTS = {
    "head_unknown": (
        ("at_risk\n", "risk\n"),
        [f":1: expected the columns {COLUMNS}, got 'risk'"],
    ),
    "head_missing": (
        (",tonnes,at_risk\n", ",at_risk\n"),
        [":1: tonnes: expected the column in every allocation file, got none"],
    ),
    "head_twice": (
        ("province,account", "account,account"),
        [
            ":1: account: expected the column once, got twice",
            ":1: province: expected the column in every allocation file, got none",
        ],
    ),
    "head_empty": (("at_risk\n", "\n"), [f":1: expected the columns {COLUMNS}, got nothing"]),
    "tonnes_negative": (
        ("700000", "-700000"),
        [f":2: tonnes: expected tonnes from 0 to {TONNES_MOST}, got -700000"],
    ),
    "tonnes_too_many": (
        ("700000", str(2**62)),
        [f":2: tonnes: expected tonnes from 0 to {TONNES_MOST}, got {2**62}"],
    ),
    "tonnes_fraction": (
        ("700000", "700000.5"),
        [":2: tonnes: expected whole tonnes, got '700000.5'"],
    ),
    "tonnes_separated": (
        ("700000", '"700,000"'),
        [":2: tonnes: expected whole tonnes, got '700,000'"],
    ),
    "tonnes_exponent": (("700000", "7E5"), [":2: tonnes: expected whole tonnes, got '7E5'"]),
    "tonnes_wide_digits": (
        ("700000", "７00000"),
        [":2: tonnes: expected whole tonnes, got '７00000'"],
    ),
    "tonnes_very_long": (
        ("700000", "9" * 5_000),
        [f":2: tonnes: expected whole tonnes, got '{'9' * 80}'"],
    ),
    "tonnes_missing": (
        ("P0001,700000", "P0001,"),
        [":2: tonnes: expected whole tonnes, got nothing"],
    ),
    "entity_twice": (
        ("P0002", "P0001"),
        [":3: account: expected each account once, got P0001 of line 2 again"],
    ),
    "account_unknown": (("P0002", "P0009"), [":3: account: expected an open account, got P0009"]),
    "account_of_another_province": (
        ("11,P0002", "31,P0002"),
        [
            ":5: tonnes: expected 700000, the sum of province 11, got 1200000",
            ":6: tonnes: expected 800000, the sum of province 31, got 300000",
            ":3: province: expected 11, the province of P0002, got 31",
        ],
    ),
    "account_with_space": (
        ("P0002", "P0002 "),
        [
            ":3: account: expected a name without spaces of at most 64 bytes, got 'P0002 '",
        ],
    ),
    "province_unknown": (
        ("31,P0003", "38,P0003"),
        [":4: province: expected the code of a province, 11 (Beijing) to 66, got '38'"],
    ),
    "province_by_name": (
        ("31,P0003", "Shanghai,P0003"),
        [":4: province: expected the code of a province, 11 (Beijing) to 66, got 'Shanghai'"],
    ),
    "stage_unknown": (
        ("final,31,P0003", "last,31,P0003"),
        [":4: stage: expected pre or final or adjustment, got 'last'"],
    ),
    "flag_unknown": (("yes", "1"), [":4: at_risk: expected yes or no, got '1'"]),
    "year_out_of_range": (
        ("2024,CEA24,final,31,P0003", "2018,CEA24,final,31,P0003"),
        [":4: compliance_year: expected year from 2019 to 2099, got 2018"],
    ),
    "years_mixed": (
        ("2024,CEA24,final,31,P0003", "2023,CEA24,final,31,P0003"),
        [":4: compliance_year: expected 2024 as in line 2, got 2023"],
    ),
    "products_mixed": (
        ("2024,CEA24,final,31,P0003", "2024,CEA23,final,31,P0003"),
        [":4: product: expected CEA24 as in line 2, got CEA23"],
    ),
    "stages_mixed": (
        ("final,31,P0003", "pre,31,P0003"),
        [":4: stage: expected final as in line 2, got pre"],
    ),
    "total_of_another_year": (
        ("2024,CEA24,final,,TOTAL", "2023,CEA24,final,,TOTAL"),
        [":7: compliance_year: expected 2024 as in line 2, got 2023"],
    ),
    "total_of_a_province_wrong": (
        ("TOTAL,1200000", "TOTAL,1200001"),
        [":5: tonnes: expected 1200000, the sum of province 11, got 1200001"],
    ),
    "total_of_the_file_wrong": (
        ("TOTAL,1500000", "TOTAL,1500001"),
        [":7: tonnes: expected 1500000, the sum of the file, got 1500001"],
    ),
    "total_of_the_file_missing": (
        ("2024,CEA24,final,,TOTAL,1500000,\n", ""),
        [":6: account: expected a TOTAL row of the file, got none"],
    ),
    "total_of_a_province_missing": (
        ("2024,CEA24,final,31,TOTAL,300000,\n", ""),
        [
            ":6: expected the TOTAL row of the file last, got earlier",
            ":6: account: expected a TOTAL row of province 31, got none",
        ],
    ),
    "total_twice": (
        ("31,TOTAL,300000", "11,TOTAL,1200000"),
        [
            ":6: account: expected one TOTAL row of province 11 with its entries, got a second one",
            ":7: expected the TOTAL row of the file last, got earlier",
            ":7: account: expected a TOTAL row of province 31, got none",
        ],
    ),
    "total_without_entries": (
        ("2024,CEA24,final,,TOTAL", "2024,CEA24,final,44,TOTAL,0,\n2024,CEA24,final,,TOTAL"),
        [
            ":7: account: expected one TOTAL row of province 44 with its entries,"
            " got one without entries"
        ],
    ),
    "total_with_more": (
        ("TOTAL,1500000,", "TOTAL,1500000,no"),
        [":7: at_risk: expected nothing in a TOTAL row, got 'no'"],
    ),
    "entry_behind_totals": (
        ("TOTAL,1500000,\n", "TOTAL,1500000,\n2024,CEA24,final,44,P0004,5,no\n"),
        [":8: expected no entry behind a TOTAL row, got one"],
    ),
    "blank_line": (
        ("2024,CEA24,final,31,P0003", "\n2024,CEA24,final,31,P0003"),
        [":4: expected an entry, got a blank line"],
    ),
    "too_many_cells": (
        ("300000,yes", "300000,yes,,7"),
        [":4: expected 7 cells as in the heads, got '7' behind"],
    ),
    "too_few_cells": (
        ("2024,CEA24,final,31,P0003,300000,yes", "2024,CEA24,final,31,P0003"),
        [":4: tonnes: expected whole tonnes, got nothing"],
    ),
    "quote_open": (
        ("P0003", '"P0003'),
        [':4: expected CSV with commas and ", got unexpected end of data'],
    ),
    "quote_within": (
        ("P0003", '"P"0003'),
        [""":4: expected CSV with commas and ", got ',' expected after '"'"""],
    ),
    "semicolons": (
        (",", ";"),
        None,
    ),
    "nul": (
        ("P0003", "P0\x003"),
        [r":4: account: expected a name without spaces of at most 64 bytes, got 'P0\x003'"],
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_csv_file_is_refused_with_line_column_and_reason(tmp_path, fault):
    """CEA-FIL-01, CEA-FIL-02."""
    (sound, spoiled), said = FAULTS[fault]
    path = tmp_path / "allocation.csv"
    assert sound in ALLOCATION_CSV
    path.write_text(ALLOCATION_CSV.replace(sound, spoiled), encoding="utf-8")
    found = refused(path)
    if said is None:
        assert found[0].startswith(f":1: expected the columns {COLUMNS}, got '{HEADS[0]};")
    else:
        assert found == said


@pytest.mark.parametrize(
    ("sound", "spoiled", "said"),
    [
        ("CEA24", "CEA99", "expected one with a vintage (CEA, CEA23, CEA24), got CEA99"),
        ("CEA24", "CEA23", "expected allowances of 2024, got CEA23 of vintage 2023"),
        ("2024,", "2021,", "expected allowances of 2021, got CEA24 of vintage 2024"),
    ],
)
def test_a_product_of_no_vintage_or_another_is_refused(tmp_path, sound, spoiled, said):
    """CEA-FIL-03."""
    path = tmp_path / "allocation.csv"
    path.write_text(ALLOCATION_CSV.replace(sound, spoiled))
    assert refused(path) == [f":2: product: {said}"]


def test_a_pre_allocation_of_nothing_is_refused(tmp_path):
    """CEA-FIL-03."""
    path = tmp_path / "allocation.csv"
    text = ALLOCATION_CSV.replace("final", "pre").replace("300000", "0")
    path.write_text(text.replace("1500000", "1200000"))
    assert refused(path) == [":4: tonnes: expected 1 or more in stage pre, got 0"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", f":1: expected the columns {COLUMNS}, got nothing"),
        (",".join(HEADS), ":1: expected at least one entry, got none"),
        (
            f"{','.join(HEADS)}\n2024,CEA24,final,,TOTAL,0,\n",
            ":1: expected at least one entry, got none",
        ),
    ],
)
def test_an_empty_file_is_refused(tmp_path, text, said):
    path = tmp_path / "allocation.csv"
    path.write_text(text)
    assert refused(path) == [said]


def test_sums_beyond_all_tonnes_are_refused(tmp_path):
    half = str(2**61)
    path = tmp_path / "allocation.csv"
    text = ALLOCATION_CSV.replace("700000", half).replace("500000", half, 1)
    path.write_text(text.replace("1200000", str(2**62)))
    assert refused(path)[0] == (f":5: tonnes: expected tonnes from 0 to {TONNES_MOST}, got {2**62}")


def test_twenty_findings_are_told_and_how_many_more(tmp_path):
    path = tmp_path / "allocation.csv"
    rows = "".join(f"2024,CEA24,final,11,P{n},-1,no\n" for n in range(50))
    path.write_text(f"{','.join(HEADS)}\n{rows}")
    found = refused(path)
    assert len(found) == 21
    assert found[0].startswith(":2: tonnes: ") and found[19].startswith(":21: tonnes: ")
    assert found[20] == ": and 30 more"


def test_files_that_are_no_files_of_a_known_format_are_refused(tmp_path):
    assert refused(tmp_path / "no.csv") == [
        ": expected a file, No such file or directory"
    ]
    (tmp_path / "old.xls").write_bytes(b"\xd0\xcf\x11\xe0")
    assert refused(tmp_path / "old.xls") == [
        ": expected a name that ends in .csv, .xlsx or .parquet, got '.xls'"
    ]


def test_files_that_are_too_large_are_refused(tmp_path):
    path = tmp_path / "allocation.csv"
    path.write_bytes(b"\n" * (FILE_BYTES_MAX + 1))
    assert refused(path) == [f": expected a file of at most {FILE_BYTES_MAX} bytes, got more"]
    path.write_text(ALLOCATION_CSV + "x\n" * ROW_COUNT_MAX)
    assert refused(path) == [f": expected at most {ROW_COUNT_MAX} rows, got more"]
    path.write_text("," * COLUMN_COUNT_MAX)
    assert refused(path) == [f": expected at most {COLUMN_COUNT_MAX} columns, got more"]


# -- XLSX -----------------------------------------------------------------------------------------


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "allocation.xlsx"
    workbook_save(path, (HEADS, *LINES))
    return path


def sheet_edit(path, edit):
    """Change a workbook as a person would, in a spreadsheet."""
    workbook = openpyxl.load_workbook(path)
    edit(workbook, workbook.active)
    workbook.save(path)


@pytest.mark.parametrize(
    ("cell", "value", "said"),
    [
        ("F2", 700_000.5, ":2: tonnes: expected whole tonnes, got the number 700000.5"),
        ("F2", True, ":2: tonnes: expected whole tonnes, got the truth value True"),
        ("F2", -1, f":2: tonnes: expected tonnes from 0 to {TONNES_MOST}, got -1"),
        ("F2", 1e18, ":2: tonnes: expected whole tonnes, got the number 1e+18"),
        ("E2", 1001, ":2: account: expected text, got the number 1001"),
        ("G2", 0, ":2: at_risk: expected yes or no, got the number 0"),
        ("F2", "=SUM(F3:F4)", ":2: F: expected a value, got a formula without its result"),
        ("E2", "#N/A", ":2: E: expected a value, got #N/A"),
        ("I3", "seen?", ":3: expected 7 cells as in the heads, got 'seen?' behind"),
        ("F9", 7, ":8: expected an entry, got a blank line"),
        ("J1", "note", None),
    ],
)
def test_a_bad_cell_of_a_workbook_is_refused(book, cell, value, said):
    def edit(_, sheet):
        sheet[cell] = value

    sheet_edit(book, edit)
    found = refused(book)
    assert found[0] == (said or f":1: expected the columns {COLUMNS}, got nothing")


def test_dates_where_text_or_tonnes_are_expected_are_refused(book):
    def edit(_, sheet):
        sheet["F2"].number_format = "yyyy-mm-dd"
        sheet["E3"] = 45_000
        sheet["E3"].number_format = "yyyy-mm-dd"

    sheet_edit(book, edit)
    assert refused(book) == [
        ":2: tonnes: expected whole tonnes, got the date or time 3816-07-13 00:00:00",
        ":3: account: expected text, got the date or time 2023-03-15 00:00:00",
    ]


@pytest.mark.parametrize("value", ["NaN", "INF", "1e999"])
def test_numbers_that_are_none_are_refused(book, value):
    cell_replace(book, "F2", f'<c r="F2"><v>{value}</v></c>')
    (found,) = refused(book)
    assert found.startswith((":2: tonnes: expected whole tonnes", ": expected an XLSX workbook"))


def test_what_a_person_does_not_see_is_refused(book):
    def hide(workbook, sheet):
        sheet.row_dimensions[3].hidden = True
        sheet.row_dimensions[99].hidden = True
        sheet.column_dimensions["F"].hidden = True
        sheet.column_dimensions["Q"].hidden = True

    sheet_edit(book, hide)
    assert refused(book)[:2] == [
        ":3: expected a row in sight, got one that is hidden",
        ": F: expected a column in sight, got one that is hidden",
    ]
    assert len(refused(book)) == 2


def test_merged_cells_are_refused_however_many(book):
    sheet_edit(book, lambda _, sheet: sheet.merge_cells("A3:A4"))
    assert refused(book)[0] == ":3: expected no merged cells, got A3:A4"
    part_edit(book, SHEET, lambda text: text.replace("A3:A4", "A3:XFD1048576"))
    assert refused(book)[0] == ":3: expected no merged cells, got A3:XFD1048576"


@pytest.mark.parametrize("state", ["visible", "hidden", "veryHidden"])
def test_data_in_a_second_sheet_is_refused(book, state):
    def edit(workbook, _):
        second = workbook.create_sheet("Notes")
        second["C5"] = 0
        second.sheet_state = state

    sheet_edit(book, edit)
    assert refused(book) == [": expected one sheet, got another with data, 'Notes'"]


def test_a_hidden_first_sheet_is_refused(book):
    def edit(workbook, sheet):
        workbook.create_sheet("Seen")
        sheet.sheet_state = "hidden"
        workbook.active = 1

    sheet_edit(book, edit)
    assert refused(book) == [": expected the first sheet in sight, got 'Sheet' hidden"]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda text: text.replace('r="4"', 'r="3"'), "row 3 behind row 3"),
        (lambda text: text.replace('r="4"', 'r="900000"'), "row 900000 behind row 3"),
        (lambda text: text.replace('r="F2"', 'r="E2"'), "cell E2 out of its order"),
        (lambda text: text.replace('r="G2"', 'r="XFD2"'), "cell XFD2 out of its order"),
        (lambda text: text.replace('r="F2"', 'r="F3"'), "cell F3 out of its order"),
        (lambda text: text[: len(text) // 2], f"{SHEET}, which is damaged"),
        (lambda text: "<!DOCTYPE x>" + text, f"a DOCTYPE in {SHEET}"),
    ],
)
def test_a_sheet_that_is_not_what_it_seems_is_refused(book, edit, said):
    part_edit(book, SHEET, edit)
    (found,) = refused(book)
    assert found.startswith(f": expected an XLSX workbook, got {said}")


def test_a_text_that_is_not_there_is_refused(book):
    strings_share(book)
    part_edit(book, SHEET, lambda text: text.replace("<v>9<", "<v>99999<"))
    assert refused(book)[0].startswith(
        ": expected an XLSX workbook, got a cell in 'Sheet' that can't be read"
    )


def test_entities_that_grow_without_bound_are_refused(book):
    levels = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE b [<!ENTITY a0 "ha">{levels}]><sst>&a11;</sst>'
    strings_share(book)
    part_edit(book, STRINGS, lambda _: bomb)
    (found,) = refused(book)
    assert f"a DOCTYPE in {STRINGS}" in found


def test_text_with_escapes_is_refused(book):
    part_edit(book, SHEET, lambda text: text.replace("P0001", "P0001_x000D_"))
    assert refused(book) == [
        ":2: E: expected text without an escape such as _x000D_, got 'P0001_x000D_'"
    ]
    strings_share(book)
    assert refused(book)[0].startswith(":2: E: expected text without an escape")
    part_edit(book, STRINGS, lambda text: text.replace("_x000D_", "_x005F_x000D_"))
    assert refused(book) == [f": expected an XLSX workbook, got the escape _x005F_ in {STRINGS}"]


def test_an_archive_that_unpacks_without_bound_is_refused(tmp_path):
    path = tmp_path / "allocation.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(4):
            archive.writestr(f"xl/{number}.xml", b"\0" * (10 << 20))
    assert path.stat().st_size < 100_000
    assert refused(path) == [
        f": expected an XLSX workbook, got more than {32 << 20} bytes unpacked"
    ]


def test_a_workbook_cut_or_spoiled_anywhere_is_refused_or_says_the_same(book):
    """A changed bit may lie in what nobody reads; nothing but a refusal may come of it."""
    whole = book.read_bytes()
    for length in (0, 1, 4, 100, len(whole) // 2, len(whole) - 1):
        book.write_bytes(whole[:length])
        assert refused(book)[0].startswith(": expected an XLSX workbook, got a damaged zip")
    for place in range(7, len(whole), len(whole) // 150):
        book.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            rows = read(book).rows
        except FileRefused as error:
            assert error.findings[0].line is None
        else:
            assert rows == ALLOCATIONS


def test_a_part_twice_is_refused(book):
    """One tool reads the first, another the last."""
    with (
        pytest.warns(UserWarning, match="Duplicate name"),
        zipfile.ZipFile(book, "a") as archive,
    ):
        archive.writestr(SHEET, archive.read(SHEET))
    assert refused(book) == [": expected an XLSX workbook, got a part twice"]


def test_an_archive_that_is_no_workbook_is_refused(tmp_path):
    path = tmp_path / "allocation.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
    assert refused(path)[0].startswith(": expected an XLSX workbook, got parts that don't fit")
    path.write_bytes(b"\xd0\xcf\x11\xe0" + bytes(2_000))
    assert "(old and encrypted workbooks are none)" in refused(path)[0]


# -- Parquet --------------------------------------------------------------------------------------


@pytest.fixture
def frame(tmp_path):
    path = tmp_path / "allocation.parquet"
    path.write_bytes(table_bytes(ALLOCATION, ALLOCATIONS, ".parquet"))
    return path


def column_put(path, name, values, kind=None):
    """Put other values into a column; all six rows."""
    table = parquet.read_table(path)
    place = table.column_names.index(name)
    parquet.write_table(table.set_column(place, name, pyarrow.array(values, kind)), path)


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        (
            "tonnes",
            [7e5, 5e5, 300_000.5, 12e5, 3e5, 15e5],
            ":3: tonnes: expected whole tonnes, got the number 300000.5",
        ),
        ("tonnes", [float("nan")] * 6, ":1: tonnes: expected whole tonnes, got the number nan"),
        ("tonnes", [True] * 6, ":1: tonnes: expected whole tonnes, got the truth value True"),
        ("tonnes", [[5]] * 6, ":1: tonnes: expected whole tonnes, got a list"),
        ("account", [1, 2, 3, 4, 5, 6], ":1: account: expected text, got the number 1"),
        (
            "account",
            ["P0001", "P0001", "P0003", "TOTAL", "TOTAL", "TOTAL"],
            ":2: account: expected each account once, got P0001 of line 1 again",
        ),
        ("product", [b"CEA24"] * 6, ":1: product: expected text, got a bytes"),
        ("product", ["x" * 5_000] * 6, ": expected text of at most 4096 bytes, got longer"),
    ],
)
def test_a_bad_column_of_parquet_is_refused_with_its_row(frame, name, values, said):
    column_put(frame, name, values)
    assert refused(frame)[0] == said


def test_columns_of_parquet_are_checked_like_others(frame):
    table = parquet.read_table(frame)
    parquet.write_table(table.drop_columns(["tonnes"]), frame)
    assert refused(frame) == [": tonnes: expected the column in every allocation file, got none"]
    parquet.write_table(table.append_column("tonnes", table["tonnes"]), frame)
    assert refused(frame) == [": tonnes: expected the column once, got twice"]
    parquet.write_table(table.slice(0, 0), frame)
    assert refused(frame) == [": expected at least one entry, got none"]


def test_text_that_is_no_text_is_refused(frame):
    table = parquet.read_table(frame)
    offsets = pyarrow.py_buffer(b"".join(n.to_bytes(4, "little") for n in range(0, 14, 2)))
    bad = pyarrow.StringArray.from_buffers(6, offsets, pyarrow.py_buffer(b"\xff\xfe" * 6))
    place = table.column_names.index("account")
    parquet.write_table(table.set_column(place, "account", bad), frame)
    assert refused(frame)[0].startswith(": expected a Parquet file, got 'utf-8' codec")


def test_a_parquet_file_with_too_many_rows_is_refused_unread(frame):
    rows = pyarrow.table({name: pyarrow.array(["x"] * (ROW_COUNT_MAX + 1)) for name in HEADS})
    parquet.write_table(rows, frame)
    assert frame.stat().st_size < 20_000
    assert refused(frame) == [f": expected at most {ROW_COUNT_MAX} rows, got more"]


def test_a_parquet_file_cut_or_spoiled_is_refused(frame):
    whole = frame.read_bytes()
    for length in (0, 4, 100, len(whole) - 1):
        frame.write_bytes(whole[:length])
        assert refused(frame)[0].startswith(": expected a Parquet file, got ")
    frame.write_bytes(whole[:40] + b"\xff" * 60 + whole[100:])
    assert refused(frame)


def test_a_bit_of_parquet_that_turned_is_noticed(frame):
    """No total adds up who is at risk."""
    column = parquet.read_metadata(frame).row_group(0).column(HEADS.index("at_risk"))
    assert column.path_in_schema == "at_risk"
    whole = bytearray(frame.read_bytes())
    whole[column.data_page_offset + column.total_compressed_size - 1] ^= 2
    frame.write_bytes(whole)
    assert "CRC" in refused(frame)[0]


# -- Obligations and proofs -----------------------------------------------------------------------


def test_bad_obligations_are_refused(tmp_path):
    path = tmp_path / "obligations.csv"
    path.write_text(
        "compliance_year,province,account,verified_tonnes,due_tonnes\n"
        "2024,31,P0003,320000,320001\n"
        "2024,11,P0009,5,5\n"
        "2024,11,TOTAL,5,5\n"
        "2024,31,TOTAL,320000,320000\n"
        "2024,,TOTAL,320005,320006\n"
    )

    def read_them(path):
        return obligations_read(SourceFile.load(path), provinces={"P0003": 31})

    assert refused(path, read_them) == [
        ":5: due_tonnes: expected 320001, the sum of province 31, got 320000",
        ":2: due_tonnes: expected at most the 320000 verified, got 320001",
        ":3: account: expected an open account, got P0009",
    ]


_PROJECT = "no,2020-05-01,2024-11-01,2021-01-01,2023-12-31"
PROOFS = f"""\
proof,compliance_year,account,project,serial_first,serial_last,tonnes,registered_on,cancelled_on,\
quota_managed,project_started_on,applied_on,produced_from,produced_to
N1,2025,P0003,CCER-1,1,100,100,2025-03-06,2026-10-20,{_PROJECT}
N2,2025,P0003,CCER-2,50,60,11,2025-03-06,2026-10-20,{_PROJECT}
N3,2025,P0001,CCER-1,101,110,10,2025-03-06,2026-10-20,{_PROJECT}
,2025,TOTAL,,,,121,,,,,,,
"""


@pytest.mark.parametrize(
    ("sound", "spoiled", "said"),
    [
        ("N2", "N1", ":3: proof: expected each proof once, got N1 of line 2 again"),
        (
            "101,110",
            "100,109",
            ":4: serial_first: expected each CCER of CCER-1 once, got 100 to 100 of line 2 again",
        ),
        (
            "50,60,11",
            "60,50,11",
            ":3: tonnes: expected -9, one for each serial number, got 11",
        ),
        ("50,60", "50,61", ":3: tonnes: expected 12, one for each serial number, got 11"),
        (
            "60,11,2025-03-06,2026-10-20",
            "60,11,2025-03-06,2025-03-05",
            ":3: cancelled_on: expected no day before registered_on 20250306, got 20250305",
        ),
        (
            "60,11,2025-03-06",
            "60,11,2025-3-6",
            ":3: registered_on: expected a day such as 2025-12-31, got '2025-3-6'",
        ),
        (
            "60,11,2025-03-06",
            "60,11,2025-02-29",
            ":3: registered_on: expected a day such as 2025-12-31, got '2025-02-29'",
        ),
        (
            f"60,11,2025-03-06,2026-10-20,{_PROJECT}",
            "60,11,2025-03-06,2026-10-20,no,2021-01-02,2025-11-01,2021-01-01,2020-12-31",
            [
                ":3: produced_from: expected no day before project_started_on 20210102,"
                " got 20210101",
                ":3: produced_to: expected no day before produced_from 20210101, got 20201231",
                ":3: registered_on: expected no day before applied_on 20251101, got 20250306",
            ],
        ),
        ("TOTAL,,,,121", "TOTAL,,,,122", ":5: tonnes: expected 121, the sum of the file, got 122"),
        ("P0001", "P0009", ":4: account: expected an open account, got P0009"),
    ],
)
def test_bad_proofs_are_refused(tmp_path, sound, spoiled, said):
    """CEA-FIL-04, CEA-OFS-08."""
    path = tmp_path / "proofs.csv"

    def read_them(path):
        return cancellation_proofs_read(SourceFile.load(path), provinces={"P0001": 11, "P0003": 31})

    path.write_text(PROOFS)
    assert len(read_them(path).rows) == 3
    path.write_text(PROOFS.replace(sound, spoiled))
    assert refused(path, read_them) == ([said] if isinstance(said, str) else said)


def test_proofs_within_another_are_refused(tmp_path):
    """CEA-FIL-04: the second that lies within the first is compared with it, not with the last."""
    path = tmp_path / "proofs.csv"
    text = PROOFS.replace("CCER-2,50,60,11", "CCER-1,20,30,11")
    path.write_text(text.replace("CCER-1,101,110", "CCER-1,41,50"))
    assert refused(path, lambda path: cancellation_proofs_read(SourceFile.load(path))) == [
        ":3: serial_first: expected each CCER of CCER-1 once, got 20 to 30 of line 2 again",
        ":4: serial_first: expected each CCER of CCER-1 once, got 41 to 50 of line 2 again",
    ]


@pytest.mark.parametrize("unit", ["us", "ns"])
@pytest.mark.parametrize(
    ("zone", "moment"),
    # The second is midnight in Shanghai, and another day elsewhere.
    [(None, datetime(2025, 3, 6, 8)), ("Asia/Shanghai", datetime(2025, 3, 5, 16))],
)
def test_times_of_day_are_no_days(tmp_path, unit, zone, moment):
    heads = PROOFS.splitlines()[0].split(",")
    cells = ["N1", 2025, "P0003", "CCER-1", 1, 100, 100, moment, date(2026, 10, 20)]
    cells += ["no", *[date(2021, 1, 1)] * 4]
    kind = pyarrow.timestamp(unit, zone)
    kinds = [kind if head == "registered_on" else None for head in heads]
    columns = [pyarrow.array([cell], kind) for cell, kind in zip(cells, kinds, strict=True)]
    path = tmp_path / "proofs.parquet"
    parquet.write_table(pyarrow.table(columns, names=heads), path)
    (found,) = refused(path, lambda path: cancellation_proofs_read(SourceFile.load(path)))
    assert found.startswith(
        ":1: registered_on: expected a day such as 2025-12-31, got the date or time 2025-03-06"
    )

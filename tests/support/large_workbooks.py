"""Workbooks of some KB that unpack to much, for tests."""

import io
import zipfile
from functools import cache

import openpyxl

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
PARTS = {
    "sheet": "xl/worksheets/sheet1.xml",
    "styles": "xl/styles.xml",
    "strings": "xl/sharedStrings.xml",
}
TYPES = "[Content_Types].xml"
STRINGS_TYPE = (
    '<Override PartName="/xl/sharedStrings.xml" ContentType="application/'
    'vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>'
)
NUMBER = "<c><v>1.5</v></c>"
SHARED = '<c t="s"><v>0</v></c>'
TEXT = '<c t="inlineStr"><is><t>some words of a cell</t></is></c>'


def with_parts(**replaced: str) -> bytes:
    """Return a workbook of which parts are replaced, by their names in `PARTS`, or added."""
    empty, made = io.BytesIO(), io.BytesIO()
    openpyxl.Workbook().save(empty)
    with (
        zipfile.ZipFile(empty) as parts,
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        contents = {part: parts.read(part).decode() for part in parts.namelist()}
        contents[TYPES] = contents[TYPES].replace("</Types>", STRINGS_TYPE)
        contents[PARTS["strings"]] = f'<sst xmlns="{MAIN}"/>'
        for part, content in (
            contents | {PARTS[name]: replaced[name] for name in replaced}
        ).items():
            archive.writestr(part, content)
    return made.getvalue()


def sheet_of(rows: int, columns: int, cell: str) -> str:
    """Return a sheet that has the same cell in each place."""
    row = f"<row>{cell * columns}</row>"
    return f'<worksheet xmlns="{MAIN}"><sheetData>{row * rows}</sheetData></worksheet>'


@cache
def workbook_of(rows: int, columns: int, cell: str = NUMBER) -> bytes:
    """Return a workbook that has the same cell in each place."""
    return with_parts(sheet=sheet_of(rows, columns, cell))


@cache
def slow_workbook() -> bytes:
    """Return a workbook within the bounds on cells and elements whose styles take a minute."""
    formats = "<xf/>" * 1_500_000
    return with_parts(
        styles=f'<styleSheet xmlns="{MAIN}"><cellXfs>{formats}</cellXfs></styleSheet>'
    )


@cache
def repeating_workbook() -> bytes:
    """Return a workbook of which 150,000 cells show one text of 30,000 characters."""
    words = f'<sst xmlns="{MAIN}"><si><t>{"x" * 30_000}</t></si></sst>'
    return with_parts(sheet=sheet_of(5_000, 30, SHARED), strings=words)

"""A table that is there as CSV, for who opens it in a spreadsheet.

Without a mark spreadsheets take UTF-8 for a page of their country's; and any text that looks like a
formula for one. So: CSV with a byte order mark, and a workbook in which text is text.
"""

import codecs
import csv
import io
import re
from decimal import Decimal

from cea_exchange.files.cells.xlsx import openpyxl_needed
from cea_exchange.files.kinds import SPREADSHEET_INTEGER_MAX
from cea_exchange.files.writing import timeless

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?")


def marked_csv(text: str) -> bytes:
    """Return CSV in UTF-8 with the mark that tells a spreadsheet so."""
    return codecs.BOM_UTF8 + text.encode()


def workbook(text: str, title: str) -> bytes:
    """Return CSV as a workbook of one sheet (XLSX); the same text gives the same bytes.

    Whole numbers and decimals are numbers, exact to 15 digits; longer ones, and all else, are text.

    Raises
    ------
    ModuleNotFoundError
        Without openpyxl; the message says which extra brings it.
    """
    book = openpyxl_needed().Workbook()
    sheet = book.active
    sheet.title = title
    sheet.freeze_panes = "A2"
    for line, row in enumerate(csv.reader(io.StringIO(text)), 1):
        for column, value in enumerate(row, 1):
            number = _number(value)
            cell = sheet.cell(line, column, value if number is None else number)
            if number is None and value:
                cell.data_type = "s"
    output = io.BytesIO()
    book.save(output)
    return timeless(output.getvalue())


def _number(value: str) -> int | Decimal | None:
    """Return the number that a cell is, where a spreadsheet keeps every digit of it."""
    found = _NUMBER.fullmatch(value)
    if found is None or int(re.sub(r"[-.]", "", value)) > SPREADSHEET_INTEGER_MAX:
        return None
    return Decimal(value) if found[1] else int(value)

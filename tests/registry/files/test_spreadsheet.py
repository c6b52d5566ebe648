"""What is opened in a spreadsheet: CSV that says it is UTF-8, workbooks in which text is text."""

import csv
import io
from decimal import Decimal

import openpyxl
import pytest

from cea_exchange.cli.errors import CommandError
from cea_exchange.cli.main import run
from cea_exchange.cli.reports.bulletin import Form, write
from cea_exchange.files.cells.source import SourceFile
from cea_exchange.files.spreadsheet import marked_csv, workbook
from cea_exchange.matching.bulletins import MarketBulletins
from cea_exchange.matching.market import Market

TEXT = 'name,tonnes,price,id\n碳排放配额24,5000,97.49,007\n"=A1+1, ""x""",-3,-0.50,9007199254740993\n'


def sheet(data):
    return openpyxl.load_workbook(io.BytesIO(data)).active


def test_a_workbook_has_numbers_as_numbers_and_all_else_as_text():
    made = sheet(workbook(TEXT, "day"))
    rows = [[cell.value for cell in row] for row in made.iter_rows()]
    assert rows[1] == ["碳排放配额24", 5000, 97.49, "007"]
    # No formula; and beyond what a spreadsheet keeps exactly, text.
    assert rows[2] == ['=A1+1, "x"', -3, -0.5, "9007199254740993"]
    assert [cell.data_type for cell in made[3]] == ["s", "n", "n", "s"]
    assert made.title == "day" and workbook(TEXT, "day") == workbook(TEXT, "day")


def test_marked_csv_is_the_same_table_behind_its_mark():
    data = marked_csv(TEXT)
    assert data.startswith(b"\xef\xbb\xbf") and data[3:].decode() == TEXT
    assert list(csv.reader(io.StringIO(data.decode("utf-8-sig")))) == list(
        csv.reader(io.StringIO(TEXT))
    )
    assert SourceFile("x.csv", data).data == data


@pytest.fixture
def bulletins():
    market = Market("cea", reference_prices={"CEA24": "97.49"})
    made = MarketBulletins(market)
    events = market.open_day("2025-07-16") + market.close_day()
    return list(made.take(events))


def test_a_bulletin_is_written_for_spreadsheets(bulletins, tmp_path):
    for form in (Form.csv, Form.spreadsheet, Form.xlsx):
        write(bulletins, form, tmp_path / form.value)
    plain = (tmp_path / "csv").read_bytes()
    assert (tmp_path / "spreadsheet").read_bytes() == b"\xef\xbb\xbf" + plain
    rows = [[cell.value for cell in row] for row in sheet((tmp_path / "xlsx").read_bytes())]
    names = next(csv.reader(io.StringIO(plain.decode())))
    assert rows[0] == names and rows[1][names.index("subjName")] == "综合价格行情"
    assert Decimal(str(rows[1][names.index("closPric")])) == Decimal("97.49")
    with pytest.raises(CommandError, match="--format xlsx: expected --out FILE"):
        write(bulletins, Form.xlsx, None)


def test_the_help_names_all_forms(capsys):
    assert run(["bulletin", "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(form.value in shown for form in Form)

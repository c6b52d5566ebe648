"""What people read and type: days in ISO form, money in yuan, units said."""

import json
import re

import pytest

from cea_exchange.cli.acts.venue import cash_shown, position_shown, statistics_shown
from cea_exchange.cli.main import run
from cea_exchange.cli.output import fields_line, rows_table, table

PRODUCT = {
    **{"reference_price": 9749, "band_low": 8774, "band_high": 10724, "halted": False},
    **{"listed": True, "open": 9750, "high": 9760, "low": 9740, "last": 0, "volume": 120},
    **{"amount": "1170000", "block_volume": 0, "block_amount": "0"},
    **{"bidding_volume": 5, "bidding_amount": "48745"},
}
POSITION = {
    **{"op": "position", "account": "P001", "group": "", "cash": 100_05, "cash_locked": 1},
    **{"proceeds_today": 0, "suspended": False, "orders": [7, 9], "report_seq": 3},
    **{"holder": "natural_person", "may_trade": True, "restricted": 0},
    "holdings": {"CEA24": {"tonnes": 50, "locked": 10, "bought_today": 0}},
}


def test_fields_have_their_units():
    fields = {"pay_ins": 1, "difference_sum": 5, "business_date": 20260715, "amount": 120}
    said = "pay_ins 1, difference_sum 0.05 yuan, business_date 2026-07-15, amount 1.20 yuan"
    assert said == fields_line(fields)
    assert "amount 120 t" in fields_line({"asset": "CEA24", "amount": 120})


def test_a_table_of_rows_is_aligned_by_its_numbers():
    rows = [
        {"default_id": 1, "asset": "CNY", "amount": 100_00, "deadline": 20260716},
        {"default_id": 12, "asset": "CEA24", "amount": 5, "deadline": 0},
    ]
    expected = [
        "default id  asset       amount  deadline",
        "         1  CNY    100.00 yuan  2026-07-16",
        "        12  CEA24          5 t  -",
    ]
    assert expected == rows_table(rows).splitlines()
    assert "none" == rows_table([])


def test_a_measures_days_and_times_are_shown_as_such():
    rows = [{"measure": 3, "starts": 0, "ends": 20250829, "taken_at_ns": 1_752_632_600 * 10**9}]
    expected = [
        "measure  starts  ends        taken at",
        "      3  -       2025-08-29  2025-07-16T10:23:20+08:00",
    ]
    assert expected == rows_table(rows).splitlines()


def test_on_a_terminal_a_table_fits_it_and_elsewhere_a_row_is_a_line(monkeypatch):
    rows = [("P001", "[bold] " + "long " * 40, 5)]
    heads = ("account", "why", "t")
    assert len(table(heads, rows).splitlines()) == 2
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    seen = re.sub(r"\x1b\[[0-9;]*m", "", table(heads, rows))
    assert len(seen.splitlines()) > 3 and "[bold] long" in seen
    assert max(map(len, seen.splitlines())) <= 60


def test_a_day_is_shown_as_tables_in_yuan_and_tonnes():
    shown = statistics_shown({"trading_date": 20250716, "products": {"CEA24": PRODUCT}})
    assert "2025-07-16, prices in yuan per tonne" == shown.splitlines()[0]
    prices = shown.splitlines()[2].split()
    assert "CEA24 listed 97.49 87.74 107.24 97.50 97.60 97.40 -" == " ".join(prices)
    totals = [" ".join(line.split()) for line in shown.splitlines()[5:]]
    assert "CEA24 listed 120 t 11700.00 yuan" == totals[0]
    assert "CEA24 bidding 5 t 487.45 yuan" == totals[2]


def test_a_position_is_shown_as_tables():
    lines = [" ".join(line.split()) for line in position_shown(POSITION).splitlines()]
    assert "P001, may trade, 3 reports" == lines[0]
    assert {"cash 100.05 yuan", "cash locked 0.01 yuan", "CEA24 50 t 10 t 0 t"} < set(lines)
    assert "live orders: 7, 9" == lines[-1]
    barred = position_shown({**POSITION, "suspended": True, "may_trade": False})
    assert barred.startswith("P001, may not trade, its holder is: natural person, 3 reports")


def test_the_cash_book_is_shown_with_what_does_not_come_out():
    found = {"payments": 2, "booked": "10000", "held": "9900", "fees": "100"}
    found |= {"corrections": {}, "differences": []}
    lines = [" ".join(line.split()) for line in cash_shown(found).splitlines()]
    assert lines[0] == "2 payments"
    assert {"booked 100.00 yuan", "held 99.00 yuan", "fees 1.00 yuan"} < set(lines)
    assert lines[-1] == "It comes out, account by account."
    row = {"account": "P1", "by_reference": "1", "booked": "2", "by_events": "3", "cash": "4"}
    last = cash_shown({**found, "differences": [row]}).splitlines()[-1]
    assert " ".join(last.split()) == "P1 0.01 yuan 0.02 yuan 0.03 yuan 0.04 yuan"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("cash", "pay-out", "P1", "100000", "6222"), "yuan with two decimals such as '97.49'"),
        (("statement", "show", "P1", "20260715"), "date: expected one such as '2025-07-16'"),
        (("reserve", "fund", "5"), "yuan with two decimals such as '97.49'"),
        (("clock", "confirm", "20260105"), "date: expected one such as '2025-07-16'"),
        (("default", "notify", "3", "20260105"), "date: expected one such as '2025-07-16'"),
    ],
)
def test_fen_and_numbers_of_days_are_not_taken_for_yuan_and_dates(capsys, words, expected):
    assert 2 == run(("registry", *words, "--data", "nowhere"))
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize("command", [("venue", "status"), ("registry", "status")])
def test_folder_and_key_may_be_said_once_for_all_commands(tmp_path, monkeypatch, capsys, command):
    monkeypatch.setenv("CEA_EXCHANGE_DATA", str(tmp_path / "here"))
    monkeypatch.setenv("CEA_EXCHANGE_KEY", "an")
    assert 2 == run(command)
    assert "here" in (said := capsys.readouterr().err) and "an.public" in said
    monkeypatch.delenv("CEA_EXCHANGE_DATA")
    assert 2 == run(command)
    assert "CEA_EXCHANGE_DATA" in capsys.readouterr().err


def test_json_keeps_what_the_daemons_say(monkeypatch, capsys):
    from cea_exchange.cli.acts import venue

    monkeypatch.setattr(venue, "answer", lambda *_asked: dict(POSITION))
    assert 0 == run(("venue", "account", "position", "P001", "--data", "nowhere", "--json"))
    assert POSITION == json.loads(capsys.readouterr().out)

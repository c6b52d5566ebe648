"""`cea-exchange replay-days` as it is typed."""

import csv
import json
import os
import re
import sys
from pathlib import Path

import pytest

from cea_exchange.cli.language import language_set
from cea_exchange.cli.main import run
from cea_exchange.daily_replay import replay
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from support.places import ROOT

DAILY_PATH = Path(
    os.environ.get("CEA_DAILY_FILE")
    or ROOT.parent / "shared" / "data" / "cea" / "cea_daily_2021_2024.csv"
)
HEADER = (
    "date,open,high,low,close,listed_volume,listed_amount,block_volume,block_amount,"
    "auction_volume,auction_amount,total_volume,total_amount,src\n"
)
ROWS = (
    "2025-07-15,70.0,71.5,70.00,70.25,10,702.5,0,0,0,0,10,702.5,me\n"
    "2025-07-16,70.25,,,70.25,0,0,100000,6500000.0,0,0,100000,6500000.0,me\n"
    "2025-07-17,70.50,70.60,70.50,70.80,1000,70550.0,0,0,0,0,1000,70550.0,me\n"
)


@pytest.fixture
def daily(tmp_path):
    path = tmp_path / "daily.csv"
    path.write_text(HEADER + ROWS, encoding="utf-8")
    return path


@pytest.fixture
def typed(daily, tmp_path, capsys, monkeypatch):
    """Run the command on the three days; return status, output and errors. It draws nothing."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)

    def typed(*options: str, file: Path = daily) -> tuple[int, str, str]:
        status = run(["replay-days", str(file), "--out", str(tmp_path / "out"), *options])
        return status, *capsys.readouterr()

    return typed


def test_the_tables_say_what_is_equal_and_why_the_rest_is_not(typed):
    status, output, _ = typed()
    assert status == 0
    assert "3 trading days, 2025-07-15 to 2025-07-17; first reference price 70.00" in output
    lines = [line.strip("│ ").split(" │ ") for line in output.splitlines()]
    cells = [[cell.strip() for cell in line] for line in lines]
    assert ["close", "3", "2", "1", "0"] in cells
    assert ["high", "2", "2", "0", "0"] in cells
    assert ["block volume", "3", "3", "0", "0"] in cells
    why = "composite: published close outside published low..high"
    assert ["close", "1", "2025-07-17", why] in cells
    assert "venue hash = registry hash" in output


def test_the_tables_are_chinese_where_they_are_asked_to_be(typed):
    status, output, _ = typed("--lang", "zh")
    language_set([], {})
    assert status == 0
    for words in ("3 个交易日", "大宗成交量", "综合：公布收盘价", "交易系统哈希 = 登记系统哈希"):
        assert words in output
    assert not re.search(r"[a-z]{3,} [a-z]{2,}", output)


def test_json_and_files_say_the_same(typed, tmp_path):
    status, output, _ = typed("--json", "--accounts", "51", "--first-reference", "69")
    content = json.loads(output)
    assert status == 0
    assert content == json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert (content["days"], content["accounts"]) == (3, 51)
    assert content["first_reference"] == "69.00"
    assert content["figures"]["close"] == {
        "compared": 3,
        "equal": 2,
        "unequal": {"CLOSE_OUTSIDE_RANGE": 1},
    }
    assert content["conserved"] and content["venue_hash"] == content["registry_hash"]
    with (tmp_path / "out" / "days.csv").open(encoding="utf-8", newline="") as file:
        days = list(csv.DictReader(file))
    last = days[-1]
    assert (last["close_published"], last["close_ours"]) == ("70.80", "70.55")
    assert last["close_cause"] == "CLOSE_OUTSIDE_RANGE"
    assert (days[1]["high_ours"], days[1]["block_volume_ours"]) == ("", "100000")
    assert days[1]["block_amount_ours"] == "6500000.00"


def test_our_bulletins_are_in_the_exchanges_own_layout(typed, tmp_path):
    """CEA-INF-01: one a day, with the sums of the year and of all days."""
    assert typed()[0] == 0
    with (tmp_path / "out" / "bulletins.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["quotPoin"] for row in rows[1::2]] == ["2025-07-15", "2025-07-16", "2025-07-17"]
    last = rows[-1]
    assert (last["subjCode"], last["openPric"], last["highPric"]) == ("CEA", "70.50", "70.60")
    assert (last["closPric"], last["dealQty"], last["dealAmt"]) == ("70.55", "1000", "70550.00")
    assert (last["blockTradeVolume"], last["blockYearVolume"]) == ("0", "100000")
    assert last["totalAmount"] == "6571252.50"
    text = (tmp_path / "out" / "bulletins.txt").read_text(encoding="utf-8")
    assert text.count("Daily bulletin") == 3


def test_days_are_chosen_and_the_registry_kept(typed, tmp_path):
    data = tmp_path / "data"
    status, output, _ = typed("--json", "--from", "2025-07-16", "--limit", "1", "--data", str(data))
    assert (status, json.loads(output)["last_day"]) == (0, "2025-07-16")
    assert check_ledger(data).agrees
    status, _, error = typed("--data", str(data))
    assert (status, error.count("\n")) == (2, 1)
    assert "expected a new or an empty folder" in error
    status, output, _ = typed("--json", "--to", "2025-07-15")
    assert json.loads(output)["days"] == 1


def test_the_first_reference_is_the_close_before_the_first_day_that_is_chosen(typed):
    status, output, _ = typed("--json", "--from", "2025-07-17")
    assert (status, json.loads(output)["first_reference"]) == (0, "70.25")
    status, output, _ = typed("--json", "--from", "2025-07-17", "--first-reference", "69")
    assert (status, json.loads(output)["first_reference"]) == (0, "69.00")
    status, output, _ = typed("--json", "--from", "2025-07-15")
    assert (status, json.loads(output)["first_reference"]) == (0, "70.00")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--first-reference", "7O"], "first reference: expected yuan with at most two decimals"),
        (["--first-reference", "0.00"], "first reference: expected positive"),
        (["--from", "2026"], "date: expected one such as"),
        (["--from", "2026-01-01"], "expected at least one trading day"),
        (["--accounts", "49"], "'--accounts'"),
    ],
)
def test_wrong_usage_is_one_line(typed, options, message):
    status, _, error = typed(*options)
    assert (status, error.count("\n")) == (2, 1)
    assert message in error


def test_spreadsheet_floats_are_read_as_what_they_mean_with_a_warning(typed, tmp_path):
    expected = json.loads(typed("--json")[1])
    other = tmp_path / "other.csv"
    other.write_text(HEADER + ROWS.replace("70.60", "70.60000000000001"), encoding="utf-8")
    status, output, error = typed("--json", file=other)
    assert (status, json.loads(output)["figures"]) == (0, expected["figures"])
    shown = "high: 70.60000000000001 is read as 70.60, as a spreadsheet means it"
    assert error.startswith(f"{other}:4: {shown}\n")


def test_wrong_input_is_named_by_file_and_line(typed, tmp_path):
    other = tmp_path / "other.csv"
    status, _, error = typed(file=other)
    said = f"{other}: expected daily statistics, No such file or directory"
    assert (status, error) == (2, f"cea-exchange: {said}\n")
    other.write_text(HEADER + ROWS.replace("70.60", "seventy"), encoding="utf-8")
    status, _, error = typed(file=other)
    assert status == 2
    assert f"{other}:4: high: expected yuan with at most two decimals, got 'seventy'" in error
    other.write_bytes(b"\xff\xfe")
    status, _, error = typed(file=other)
    assert (status, error.count("\n")) == (2, 1)
    assert str(other) in error


def test_what_is_unexplained_or_not_conserved_ends_with_status_1(typed, monkeypatch):
    """Two mistakes in the replay itself: another volume is planned, a trade goes unsettled."""
    monkeypatch.setattr(replay, "plan_day", lambda figures, rules: replay.DayPlan((), (), ()))
    status, _, error = typed()
    assert status == 1
    assert "differences have no cause, the first on 2025-07-15: high: expected 7150, got 0" in error
    monkeypatch.setattr(replay.LocalMarket, "held", lambda market: ([0], [0]))
    status, _, error = typed()
    assert status == 1
    assert "2025-07-15: market must hold" in error


def test_the_plot_is_drawn_or_a_hint_given(typed, tmp_path, monkeypatch):
    status, _, error = typed()
    assert status == 0
    assert "no plot: it needs matplotlib: pip install 'cea-exchange[plots]'" in error
    pytest.importorskip("matplotlib")
    monkeypatch.delitem(sys.modules, "matplotlib.figure")
    _, _, error = typed()
    path = tmp_path / "out" / "days.png"
    assert f"plot of price and volume: {path}" in error
    assert path.read_bytes().startswith(b"\x89PNG")


def test_the_seed_decides_who_trades_and_nothing_else(typed, tmp_path):
    figures, hashes = [], []
    for seed in ("1", "1", "2"):
        content = json.loads(typed("--json", "--seed", seed)[1])
        figures.append(content["figures"])
        hashes.append(content["registry_hash"])
    assert figures[0] == figures[1] == figures[2]
    assert hashes[0] == hashes[1] != hashes[2]


def test_real_days(typed):
    """Some days of the national market around a year's end, among them the strangest ones."""
    if not DAILY_PATH.exists():
        pytest.skip("the daily statistics (shared/data/cea beside the repository) are not here")
    options = ("--json", "--from", "2023-11-20", "--limit", "60")
    status, output, _ = typed(*options, file=DAILY_PATH)
    content = json.loads(output)
    assert (status, content["days"], content["unexplained"]) == (0, 60, [])
    figures = content["figures"]
    for figure in ("open", "high", "low", "listed_volume", "block_volume", "bidding_volume"):
        assert figures[figure]["equal"] == 60, figure
    assert figures["block_amount"]["unequal"] == {"PUBLISHED_BAND": 1, "BLOCK_WHOLE_PRICES": 1}
    assert sum(figures["close"]["unequal"].values()) == 60 - figures["close"]["equal"]

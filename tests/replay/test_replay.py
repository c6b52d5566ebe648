"""Recorded flow through a book: made-up flow whose true book is known, and the real sample."""

import gzip
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from cea_exchange.cli.flows import differences, flow_files
from cea_exchange.cli.main import run
from support.patience import patience
from support.places import ROOT
from support.replay.recorded_flow import TICK, flow

SOURCE = ROOT / "src"
SAMPLE = ROOT.parent / "shared/data/flow/lobster_AAPL_L10_head"


def write(folder: Path, messages: list[list[int]], rows: list[list[int]], depth: int) -> Path:
    """The files as LOBSTER names them."""
    folder.mkdir(exist_ok=True)
    lines = [f"34200.{n:09d}," + ",".join(map(str, m)) for n, m in enumerate(messages)]
    (folder / f"X_2012-06-21_message_{depth}.csv").write_text("\n".join(lines) + "\n")
    lines = [",".join(map(str, row[: 4 * depth])) for row in rows]
    (folder / f"X_2012-06-21_orderbook_{depth}.csv").write_text("\n".join(lines) + "\n")
    return folder


def replay(folder: Path, capfd: pytest.CaptureFixture, *more: str) -> tuple[int, dict, str]:
    """Exit status, report, error."""
    status = run(["replay", str(folder), "--profile", "open", "--json", *more])
    output, errors = capfd.readouterr()
    return status, json.loads(output) if output else {}, errors


@pytest.mark.parametrize("depth", [1, 2, 5, 10, 20])
@pytest.mark.parametrize("seed", range(4))
def test_every_step_agrees(
    seed: int, depth: int, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    """At any depth, with orders from before and levels that come and go."""
    messages, rows = flow(seed, 400)
    status, report, errors = replay(write(tmp_path / "flow", messages, rows, depth), capfd)
    assert errors == ""
    assert status == 0
    assert (report["messages"], report["steps"]) == (400, 399)
    assert report["steps_agreeing"] == 399
    assert (report["levels"], report["tick"]) == (depth, TICK)
    if depth < 5:
        assert report["levels_learned"] > 0


def test_a_thin_book_has_empty_levels(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    """Nothing is learned where the rows show that nothing is there."""
    messages, rows = flow(7, 200, before=2)
    status, report, _ = replay(write(tmp_path / "flow", messages, rows, 20), capfd)
    assert (status, report["steps_agreeing"]) == (0, 199)
    assert report["levels_learned"] == 0


def damaged(kind: str) -> tuple[list[list[int]], list[list[int]], int]:
    """A flow with one thing wrong; the line where it shows."""
    messages, rows = flow(3, 400)
    if kind == "a size in a row":
        rows[200][1] += 1
        return messages, rows, 201
    if kind == "a price in a row":
        rows[200][2] -= 1
        return messages, rows, 201
    if kind == "a message left out":
        shown = (n for n in range(200, 400) if seen(rows[n - 1], messages[n]))
        line = next(n for n in shown if messages[n][0] == 3)
        messages[line] = [5, 0, 1, 1_000_000, 1]
        return messages, rows, line + 1
    # An execution names the second order of its level, and both are known.
    for line in range(50, 400):
        type_, order_id, size, price, direction = messages[line]
        if type_ != 4:
            continue
        later = next_in_queue(messages[:line], order_id, price, direction)
        if later is not None:
            messages[line] = [4, later, size, price, direction]
            return messages, rows, line + 1
    raise AssertionError("the flow has no such execution")


def seen(row: list[int], message: list[int]) -> bool:
    """Whether the price of a message is among the best ten of its side."""
    prices = row[0:40:4] if message[4] == -1 else row[2:40:4]
    return message[3] in prices


def next_in_queue(past: list[list[int]], order_id: int, price: int, direction: int) -> int | None:
    """An order that came to the same level after `order_id`, and is whole."""
    touched = {message[1] for message in past if message[0] != 1}
    entered = [m[1] for m in past if m[0] == 1 and m[3:] == [price, direction]]
    if order_id not in entered:
        return None
    later = entered[entered.index(order_id) + 1 :]
    return next((other for other in later if other not in touched), None)


@pytest.mark.parametrize(
    "kind", ["a size in a row", "a price in a row", "a message left out", "another order hit"]
)
def test_what_is_wrong_is_found_where_it_is(
    kind: str, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    """Exit status 1, the line, and the other steps still judged by themselves."""
    messages, rows, line = damaged(kind)
    status, report, errors = replay(write(tmp_path / "flow", messages, rows, 10), capfd)
    assert status == 1
    assert report["difference"]["message"] == line
    assert f"message_10.csv:{line}: " in errors
    assert errors.count("\n") == 1
    assert report["steps_agreeing"] >= 390


def test_files_can_be_named_and_the_recorded_book_can_lack(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    """Without a recorded book the messages are played alone."""
    messages, rows = flow(5, 100)
    folder = write(tmp_path / "flow", messages, rows, 5)
    message_file = folder / "X_2012-06-21_message_5.csv"
    book_file = folder / "X_2012-06-21_orderbook_5.csv"
    assert replay(message_file, capfd)[1]["steps"] == 99
    elsewhere = book_file.rename(tmp_path / "book.csv")
    assert replay(message_file, capfd, str(elsewhere))[1]["steps"] == 99
    status, report, _ = replay(message_file, capfd)
    assert (status, report["messages"], report["steps"]) == (0, 100, 0)


GOOD_ROW = "200,1,100,1\n"
BAD_FILES = {
    "empty book": ("34200.1,1,1,1,100,1\n", ""),
    "binary junk": ("\x00\x07,\ufffd\x01,\n,,,", GOOD_ROW),
    "junk without a line's end": ("\x00" * 5_000, GOOD_ROW),
    "a size beyond 64 bits": ("34200.1,1,1,9223372036854775808,100,1\n", GOOD_ROW),
    "an id beyond 64 bits": (f"34200.1,1,{10**40},1,100,1\n", GOOD_ROW),
    "a price beyond all": ("34200.1,1,1,1,9999999999,1\n", GOOD_ROW),
    "a negative size": ("34200.1,1,1,-5,100,1\n", GOOD_ROW),
    "a negative id": ("34200.1,1,-1,5,100,1\n", GOOD_ROW),
    "a negative size in a row": ("34200.1,1,1,1,100,1\n", "200,1,100,-1\n"),
    "a negative price in a row": ("34200.1,1,1,1,100,1\n", "200,1,-100,1\n"),
    "a price of zero in a row": ("34200.1,1,1,1,100,1\n", "0,1,100,1\n"),
    "an empty field": ("34200.1,1,1,,100,1\n", GOOD_ROW),
    "an empty line": ("34200.1,1,1,1,100,1\n\n34200.2,1,2,1,100,1\n", GOOD_ROW),
    "text behind a number": ("34200.1,1,1,1x,100,1\n", GOOD_ROW),
    "no time": (",1,1,1,100,1\n", GOOD_ROW),
    "a longer row": ("34200.1,1,1,1,100,1\n" * 2, GOOD_ROW + "200,1,100,1,5\n"),
    "more rows": ("34200.1,1,1,1,100,1\n", GOOD_ROW * 2),
    "empty": ("", "1,1,1,1\n"),
    "no numbers": ("time,type,id,size,price,direction\n", "1,1,1,1\n"),
    "too few columns": ("34200.1,1,1\n", "1,1,1,1\n"),
    "unknown type": ("34200.1,9,1,1,100,1\n", "100,1,0,0\n"),
    "no size": ("34200.1,1,1,0,100,1\n", "100,1,0,0\n"),
    "no direction": ("34200.1,1,1,1,100,0\n", "100,1,0,0\n"),
    "a price with a point": ("34200.1,1,1,1,100.5,1\n", "100,1,0,0\n"),
    "odd columns": ("34200.1,1,1,1,100,1\n", "100,1,99\n"),
    "rows missing": ("34200.1,1,1,1,100,1\n34200.2,1,2,1,100,1\n", "200,1,100,1\n"),
    "ragged rows": ("34200.1,1,1,1,100,1\n34200.2,1,2,1,100,1\n", "200,1,100,1\n200,1\n"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(name: str, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    """Exit status 2 and one line."""
    messages, rows = BAD_FILES[name]
    (tmp_path / "message.csv").write_text(messages)
    (tmp_path / "orderbook.csv").write_text(rows)
    status, report, errors = replay(tmp_path, capfd)
    assert (status, report) == (2, {})
    assert errors.count("\n") == 1
    assert str(tmp_path) in errors


def test_the_line_and_what_came_are_told(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    good = "34200.1,5,1,1,100,1\n"
    for line, reported in {
        "34200.1,1,1,one,100,1": "expected a whole number in column 4, got 'one'",
        "34200.1,1,1": "expected 6 columns, got 3",
        "34200.1,1,1,1,0,1": "expected a price of 1 to 9999999998, got 0",
    }.items():
        (tmp_path / "message.csv").write_text(good * 3 + line + "\n")
        status, _, errors = replay(tmp_path, capfd)
        assert status == 2
        assert f"message.csv:4: {reported}" in errors


def test_an_unknown_order_is_a_difference(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    """The row shows nothing at its price."""
    (tmp_path / "message.csv").write_text("1.0,1,1,5,100,1\n1.1,4,77,5,90,1\n")
    (tmp_path / "orderbook.csv").write_text("200,1,100,5\n200,1,100,5\n")
    status, report, errors = replay(tmp_path, capfd)
    assert status == 0 and report["orders_unknown"] == 1
    (tmp_path / "message.csv").write_text("1.0,1,1,5,100,1\n1.1,4,77,5,110,1\n")
    status, report, errors = replay(tmp_path, capfd)
    assert status == 1
    assert report["difference"]["message"] == 2
    assert "message.csv:2: order 77 is not on the book" in errors


QUEUE_MESSAGES = """\
34200.1,1,1,5,100,1
34200.2,1,2,5,100,1
34200.3,1,3,5,100,1
34200.4,4,3,5,100,1
34200.5,4,2,5,100,1
34200.6,4,1,5,100,1
"""
QUEUE_ROWS = "110,9,100,5\n110,9,100,10\n110,9,100,15\n110,9,100,10\n110,9,100,5\n110,9,0,0\n"


def test_every_difference_is_told_by_kind_with_its_reason(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    """Executed from behind: the third order and the second are named before the first."""
    (tmp_path / "message.csv").write_text(QUEUE_MESSAGES)
    (tmp_path / "orderbook.csv").write_text(QUEUE_ROWS)
    status, report, errors = replay(tmp_path, capfd)
    assert (status, report["steps_agreeing"], report["difference_count"]) == (1, 3, 2)
    texts = [
        "5 of order 3 at 100 were executed, the book trades 5 of order 1",
        "5 of order 2 at 100 were executed, the book trades 5 of order 1",
    ]
    assert report["differences"] == [
        {"message": number, "kind": "other_trades", "text": text}
        for number, text in zip((4, 5), texts, strict=True)
    ]
    assert report["difference"] == report["differences"][0]
    (kind,) = report["differences_by_kind"]
    assert kind == "other_trades" and report["differences_by_kind"][kind]["count"] == 2
    assert f"message.csv:4: {texts[0]} (the first of 2 differences)\n" in errors
    assert run(["replay", str(tmp_path)]) == 1
    output = capfd.readouterr().out
    reason = "by price and time other orders than the one named would trade"
    assert f"  other_trades             2: {reason}\n" in output
    assert f"message 4: other_trades: {texts[0]}\nmessage 5: other_trades: {texts[1]}\n" in output


def test_more_differences_than_memory_is_kept_for_are_all_told(
    tmp_path: Path, capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(differences, "MEMORY_BYTES_MAX", 50)
    messages, rows = flow(5, 100)
    for place, row in enumerate(rows[1:]):
        row[1] += 1_000 * (place % 2)
    status, report, _ = replay(write(tmp_path / "flow", messages, rows, 5), capfd)
    assert status == 1
    assert [each["message"] for each in report["differences"]] == list(range(3, 101))
    assert report["differences_by_kind"]["level"]["count"] == report["difference_count"] == 98


def test_a_crossed_first_row_is_told_of_line_1(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    (tmp_path / "message.csv").write_text("1.0,5,0,1,1,1\n1.1,5,0,1,1,1\n1.2,1,1,4,90,1\n")
    (tmp_path / "orderbook.csv").write_text("100,5,100,5\n110,5,80,5\n110,5,90,4\n")
    status, report, errors = replay(tmp_path, capfd)
    assert (status, report["difference_count"], report["steps_agreeing"]) == (1, 1, 1)
    assert "message.csv:1: the record is crossed: bid 1 at 100, ask 1 at 100\n" in errors


@pytest.mark.parametrize(
    "options",
    [
        ["--tick", "0.01"],
        ["--events", "events.csv"],
        ["--expect", "trades.csv"],
        ["--price-min", "1"],
        ["--price-max", "1"],
        ["--self-trade", "allow"],
        ["--levels", "3"],
        ["--depth", "5"],
    ],
)
@pytest.mark.parametrize("form", ["LOBSTER flow", "a venue's data folder"])
def test_options_of_order_files_are_refused_elsewhere(
    form: str, options: list[str], tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    """Ignored, they would look as if they were heeded."""
    messages, rows = flow(5, 10)
    folder = write(tmp_path / "flow", messages, rows, 5)
    if form != "LOBSTER flow":
        (folder / "journal").mkdir()
    assert run(["replay", str(folder), *options]) == 2
    errors = capfd.readouterr().err
    assert errors.count("\n") == 1
    assert f"{options[0]}: expected none, {folder} is {form}, got {options[1]!r}" in errors


def test_a_recorded_book_is_refused_for_a_journal(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    (tmp_path / "journal").mkdir()
    assert run(["replay", str(tmp_path), "book.csv"]) == 2
    assert "BOOK: expected none" in capfd.readouterr().err


@pytest.mark.parametrize("form", ["crlf", "blank lines behind", "no last end", "gzip", "spaces"])
def test_forms_of_text(form: str, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    messages, rows = flow(5, 100)
    folder = write(tmp_path / "flow", messages, rows, 5)
    expected = replay(folder, capfd)[1]
    for path in list(folder.iterdir()):
        data = path.read_bytes()
        if form == "crlf":
            path.write_bytes(data.replace(b"\n", b"\r\n"))
        elif form == "blank lines behind":
            path.write_bytes(data + b"\n \r\n\n")
        elif form == "no last end":
            path.write_bytes(data.rstrip(b"\n"))
        elif form == "spaces":
            path.write_bytes(data.replace(b",", b" ,\t"))
        else:
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(data))
            path.unlink()
    status, report, errors = replay(folder, capfd)
    assert (status, errors) == (0, "")
    assert untimed(expected) == untimed(report)


def untimed(report: dict) -> dict:
    """A report without its rates."""
    return {name: value for name, value in report.items() if "per_second" not in name}


@pytest.mark.parametrize("part_rows", [1, 7, 64])
def test_a_file_in_many_parts_gives_the_same(
    part_rows: int, tmp_path: Path, capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks end within lines and numbers."""
    messages, rows = flow(9, 300)
    rows[250][0] += 1
    folder = write(tmp_path / "flow", messages, rows, 10)
    expected = replay(folder, capfd)
    monkeypatch.setattr(flow_files, "PART_ROWS", part_rows)
    monkeypatch.setattr(flow_files, "BLOCK_BYTES", 10 + 3 * part_rows)
    status, report, errors = replay(folder, capfd)
    assert (status, errors) == (1, expected[2])
    assert untimed(expected[1]) == untimed(report)
    assert report["difference"]["message"] == 251


def test_a_damaged_gzip_file_is_bad_input(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    packed = gzip.compress(b"34200.1,5,1,1,100,1\n" * 1_000)
    for data in (packed[:-20], packed[:10] + b"junk" + packed[14:]):
        (tmp_path / "message.csv.gz").write_bytes(data)
        status, _, errors = replay(tmp_path, capfd)
        assert (status, errors.count("\n")) == (2, 1)


def test_an_endless_line_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it has filled the memory."""
    monkeypatch.setattr(flow_files, "LINE_BYTES_MAX", 1_000)
    monkeypatch.setattr(flow_files, "BLOCK_BYTES", 100)
    (tmp_path / "message.csv").write_text("1" * 10_000)
    status, _, errors = replay(tmp_path, capfd)
    assert status == 2
    assert "expected a line of at most 1000 bytes" in errors


def test_other_profiles_are_refused(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    """Bands and five levels would judge foreign flow by foreign rules."""
    messages, rows = flow(5, 10)
    folder = write(tmp_path / "flow", messages, rows, 5)
    assert run(["replay", str(folder), "--profile", "cea"]) == 2
    assert "'open'" in capfd.readouterr().err


@pytest.mark.skipif(not SAMPLE.exists(), reason="the LOBSTER sample is not there")
def test_the_real_sample(capfd: pytest.CaptureFixture) -> None:
    """998 of 998 steps."""
    status, report, errors = replay(SAMPLE, capfd)
    assert (status, errors) == (0, "")
    assert report["messages"] == 999
    assert report["steps"] == report["steps_agreeing"] == 998


def test_a_bar_is_shown_on_a_terminal_only_and_apart_from_the_answer(tmp_path: Path) -> None:
    messages, rows = flow(5, 200)
    folder = write(tmp_path / "flow", messages, rows, 5)
    here, terminal = pty.openpty()
    command = [sys.executable, "-m", "cea_exchange.cli.main", "replay", str(folder), "--json"]
    env = os.environ | {"PYTHONPATH": str(SOURCE), "TERM": "xterm"}
    shown = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=terminal, env=env, timeout=60 * patience()
    )
    os.close(terminal)
    try:
        bar = os.read(here, 65_536)
    except OSError:
        bar = b""
    os.close(here)
    assert b"replaying" in bar
    assert json.loads(shown.stdout)["steps_agreeing"] == 199
    quiet = subprocess.run(command, capture_output=True, env=env, timeout=60 * patience())
    assert (quiet.returncode, quiet.stderr) == (0, b"")

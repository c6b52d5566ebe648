"""What a script may not say: exit status 2, one line that names file and line, nothing after it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cea_exchange.cli.main import run
from support.market.market_scripts import OPENING, buy, script_bytes
from support.patience import patience

ENTER = buy("a1", "100.00", 1)


def without(field: str) -> dict:
    """An enter without a field."""
    return {name: value for name, value in ENTER.items() if name != field}


BAD_LINES = {
    "not JSON": b"enter a1\n",
    "cut off": b'{"cmd": "enter"\n',
    "a list": b"[]\n",
    "a number": b"1\n",
    "null": b"null\n",
    "two objects": b'{"cmd": "close_day"} {"cmd": "close_day"}\n',
    "not UTF-8": b'{"cmd": "account", "account": "\xff"}\n',
    "half a surrogate pair": b'{"cmd": "account", "account": "\\ud800"}\n',
    "not a number": b'{"cmd": "account", "account": NaN}\n',
    "nested too deep": b"[" * 100_000 + b"\n",
    "a field twice": b'{"cmd": "account", "account": "x", "account": "y"}\n',
    "a huge number": b'{"cmd": "account", "account": ' + b"9" * 5000 + b"}\n",
    "space that JSON does not know": '\u00a0{"cmd": "close_day"}\n'.encode(),
    "byte order mark": b'\xef\xbb\xbf{"cmd": "close_day"}\n',
    "a line beyond a mebibyte": b"#" * (1 << 20) + b"\n",
    "no cmd": {"account": "carol"},
    "cmd no text": {"cmd": 1},
    "unknown cmd": {"cmd": "buy"},
    "block": {"cmd": "block_offer", "id": "o1", "account": "alice"},
    "bidding": {"cmd": "bidding_open", "id": "o1", "account": "alice"},
    "unknown field": ENTER | {"colour": "red"},
    "missing field": without("price"),
    "null field": ENTER | {"tif": None},
    "float price": ENTER | {"price": 100.0},
    "integer price": ENTER | {"price": 100},
    "one decimal": ENTER | {"price": "100.0"},
    "no decimals": ENTER | {"price": "100"},
    "negative price": ENTER | {"price": "-1.00"},
    "zero price": ENTER | {"price": "0.00"},
    "spaces": ENTER | {"price": " 100.00"},
    "other digits": ENTER | {"price": "\u0661\u0660\u0660.00"},
    "exponent": ENTER | {"price": "1e2"},
    "price beyond 64 bits": ENTER | {"price": "92233720368547758.08"},
    "float tonnes": ENTER | {"tonnes": 1.0},
    "text tonnes": ENTER | {"tonnes": "1"},
    "boolean tonnes": ENTER | {"tonnes": True},
    "tonnes beyond 64 bits": ENTER | {"tonnes": 1 << 63},
    "tonnes below 64 bits": ENTER | {"tonnes": -(1 << 63) - 1},
    "unknown side": ENTER | {"side": "BUY"},
    "unknown tif": ENTER | {"tif": "gtc"},
    "post_only no boolean": ENTER | {"post_only": 1},
    "id no text": ENTER | {"id": 1},
    "pick no text": ENTER | {"pick": ["b1"]},
    "product twice": {"cmd": "product", "product": "CEA23", "reference_price": "1.00"},
    "product named as cash": {"cmd": "product", "product": "CNY", "reference_price": "1.00"},
    "reference price too high": {
        "cmd": "product",
        "product": "CEA24",
        "reference_price": "100000.01",
    },
    "account twice": {"cmd": "account", "account": "alice"},
    "account without a name": {"cmd": "account", "account": ""},
    "cash and product": {
        "cmd": "deposit",
        "account": "alice",
        "cash": "1.00",
        "product": "CEA23",
        "tonnes": 1,
    },
    "neither cash nor product": {"cmd": "deposit", "account": "alice"},
    "product without tonnes": {"cmd": "deposit", "account": "alice", "product": "CEA23"},
    "tonnes without product": {"cmd": "withdraw", "account": "alice", "tonnes": 1},
    "open_day while open": {"cmd": "open_day", "date": "2025-07-17"},
    "date no date": {"cmd": "open_day", "date": "2025-02-30"},
    "date of another form": {"cmd": "open_day", "date": "20250717"},
    "clock back": {"cmd": "clock", "at": "2025-07-15T23:59:59+08:00"},
    "clock beyond the calendar": {"cmd": "clock", "at": "2027-01-01T00:00:00+08:00"},
    "clock without offset": {"cmd": "clock", "at": "2025-07-16T10:00:00"},
    "clock no time": {"cmd": "clock", "at": "noon"},
    "unknown phase": {"cmd": "phase", "phase": "open"},
    "field of another command": {"cmd": "close_day", "date": "2025-07-16"},
}


@pytest.mark.parametrize("name", BAD_LINES)
def test_bad_line(name: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture) -> None:
    """The lines before it are played, the one after it is not."""
    bad = BAD_LINES[name]
    lines = script_bytes(OPENING)
    lines.append(bad if isinstance(bad, bytes) else script_bytes([bad])[0])
    lines += script_bytes([ENTER])
    script = tmp_path / "script.jsonl"
    script.write_bytes(b"".join(lines))
    status = run(["run", str(script)])
    output, errors = capfdbinary.readouterr()
    assert status == 2
    events = [json.loads(line)["event"] for line in output.splitlines()]
    assert events == ["deposited", "deposited", "day_opened", "phase_changed", "phase_changed"]
    (error,) = errors.decode().splitlines()
    assert f"{script}:{len(OPENING) + 1}: " in error
    assert len(error) < 500


NO_DAY = [
    {"cmd": "close_day"},
    {"cmd": "phase", "phase": "listed"},
]


@pytest.mark.parametrize("line", NO_DAY, ids=lambda line: line["cmd"])
def test_without_an_open_day(line: dict, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    """Some commands need one."""
    script = tmp_path / "script.jsonl"
    script.write_bytes(script_bytes([line])[0])
    assert run(["run", str(script)]) == 2
    assert f"{script}:1: {line['cmd']}" in capfd.readouterr().err


def test_dates_only_move_on(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    """A day is opened once, and none before it."""
    day, close = {"cmd": "open_day", "date": "2025-07-16"}, {"cmd": "close_day"}
    for line in (
        {"cmd": "open_day", "date": "2025-07-16"},
        {"cmd": "open_day", "date": "2025-07-15"},
    ):
        script = tmp_path / "script.jsonl"
        script.write_bytes(b"".join(script_bytes([day, close, line])))
        assert run(["run", str(script)]) == 2
        assert f"{script}:3: " in capfd.readouterr().err


def test_blank_lines_and_comments_are_skipped(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    """They count as lines."""
    script = tmp_path / "script.jsonl"
    script.write_bytes(b'# a comment\n\n  \r\n  # another\n{"cmd": "state"}\r\n{"cmd": "x"}')
    assert run(["run", str(script)]) == 2
    output, errors = capfd.readouterr()
    assert json.loads(output)["event"] == "state"
    assert f"{script}:6: " in errors


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "no/such/script"],
        ["run", "."],
        ["run", "-", "--profile", "no_such_profile"],
        ["run", "-", "--no-such-option"],
        ["no-such-command"],
        ["profile", "show", "no_such_profile"],
        ["calendar", "check", "no_such_calendar"],
        ["calendar", "check", "--today", "tomorrow"],
        ["replay", "no/such/flow"],
    ],
    ids=" ".join,
)
def test_bad_usage_is_one_line(arguments: list[str], capfd: pytest.CaptureFixture) -> None:
    """Exit status 2 and a line on standard error."""
    assert run(arguments) == 2
    output, errors = capfd.readouterr()
    assert output == ""
    assert errors.count("\n") == 1
    assert errors.startswith("cea-exchange: ")


def test_standard_input_and_final_state() -> None:
    """`run -` reads a pipe; `--state` adds the state."""
    finished = subprocess.run(
        [sys.executable, "-m", "cea_exchange.cli.main", "run", "-", "--state"],
        input=b"".join(script_bytes([*OPENING, ENTER])),
        capture_output=True,
        timeout=60 * patience(),
    )
    assert finished.returncode == 0, finished.stderr
    events = [json.loads(line) for line in finished.stdout.splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    state = events[-1]
    assert (state["event"], state["day"], state["phase"]) == ("state", "2025-07-16", "listed")
    assert state["books"]["CEA23"]["buy"][0]["id"] == "a1"
    assert state["accounts"]["alice"]["cash_locked"] == "100.00"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_fails_is_one_line(unbuffered: str, tmp_path: Path) -> None:
    """Status 2 and no traceback, wherever the write happens."""
    script = tmp_path / "script.jsonl"
    script.write_bytes(b"".join(script_bytes(OPENING)))
    with open("/dev/full", "wb") as full:
        finished = subprocess.run(
            [sys.executable, "-m", "cea_exchange.cli.main", "run", str(script)],
            stdout=full,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
            timeout=60 * patience(),
        )
    assert finished.returncode == 2
    (error,) = finished.stderr.decode().splitlines()
    assert error.startswith("cea-exchange: ")


def test_a_reader_that_goes_away_is_no_failed_check(tmp_path: Path) -> None:
    """As `head` does: status 141 as of a process that SIGPIPE ended, and nothing to read."""
    script = tmp_path / "script.jsonl"
    script.write_bytes(b'{"cmd": "state"}\n' * 20_000)
    command = [sys.executable, "-m", "cea_exchange.cli.main", "run", str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60 * patience()) == 141

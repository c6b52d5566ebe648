"""A user's programs run and pass a strict type check; wrong calls are found before they run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cea_exchange.domain.records import Side
from cea_exchange.loadtest.load_run import await_transfers
from cea_exchange.loadtest.local_exchange import LocalExchange
from cea_exchange.loadtest.population import Participant
from support.places import ROOT
from support.type_checker import type_check

pytestmark = pytest.mark.e2e

HERE = Path(__file__).parent / "consumer"
SOURCE = ROOT / "src"
PROGRAMS = ("market_notebook.py", "client_notebook.py")


def run(folder: Path, *command: object) -> subprocess.CompletedProcess:
    """Run Python on this source tree, in a folder of its own."""
    return subprocess.run(
        [sys.executable, *(str(part) for part in command)],
        capture_output=True,
        text=True,
        timeout=200,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )


def test_a_users_programs_pass_a_strict_type_check(tmp_path: Path) -> None:
    finished = type_check(tmp_path, *[HERE / name for name in PROGRAMS])
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_wrong_calls_are_found_by_the_type_checker(tmp_path: Path) -> None:
    program = HERE / "wrong_calls.py"
    finished = type_check(tmp_path, program)
    found = {int(line) for line in re.findall(r":(\d+): error:", finished.stdout)}
    lines = program.read_text(encoding="utf-8").splitlines()
    wrong = {number for number, line in enumerate(lines, 1) if line.endswith("# error")}
    assert len(wrong) > 15 and found == wrong, finished.stdout


def test_the_markets_notebook_runs(tmp_path: Path) -> None:
    finished = run(tmp_path, HERE / "market_notebook.py")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert re.fullmatch(
        r"<Market cea, 2025-07-16 listed: 1 products, 2 accounts, \d+ orders>\n"
        r"\d+ trades at 9\d\.\d\d yuan on average\n"
        r"<OrderBook 96\d\d\.\.98\d\d: \d+ of 1000 orders, bid 9\d\d\d, ask 9\d\d\d>\n"
        r"auction at 9\d\.\d\d\n",
        finished.stdout,
    ), finished.stdout
    assert finished.stderr == ""


@pytest.fixture
def exchange(tmp_path: Path):
    buyer = Participant("alice", "short", {"CEA24": Side.BUY}, 100_000_000, {})
    with LocalExchange(tmp_path) as exchange:
        exchange.prepare([buyer], {"CEA24": 9749}, start="2025-01-02T08:30:00+08:00")
        exchange.start()
        await_transfers(exchange)
        exchange.operate("clock", at="2025-01-02T09:30:00+08:00")
        yield exchange


@pytest.mark.nightly
def test_the_participants_program_runs(exchange: LocalExchange, tmp_path: Path) -> None:
    exchange.keys("alice").save(tmp_path / "own", "alice")
    endpoint, venue = exchange.endpoint("venue", "gateway"), exchange.keys("venue").public
    finished = run(tmp_path, HERE / "client_notebook.py", endpoint, tmp_path / "own", venue)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert finished.stdout.splitlines() == [
        f"<Client alice at {endpoint}: ready, 0 unanswered>",
        "product: expected one of CEA24, got 'CEA99'; one that is declared after the logon is known"
        " after a new one",
        "wrong key: key",
        "wrong server key: server key",
        "wrong address: address",
        "right: nothing",
    ]

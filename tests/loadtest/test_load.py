"""`cea-exchange load`: an open loop at a rate, percentiles, nothing lost."""

import json
import subprocess
import sys
from collections import Counter

import pytest

from cea_exchange.domain.records import Side
from cea_exchange.loadtest.report import LoadReport
from cea_exchange.loadtest.runner import best_order

pytestmark = pytest.mark.e2e

LOAD = [sys.executable, "-m", "cea_exchange.cli.main", "load"]
WORKLOADS_BESIDE = ("takers", "cancel_heavy")


def run(*arguments):
    return subprocess.run(
        [*LOAD, *arguments], capture_output=True, text=True, timeout=100, check=False
    )


def test_a_rate_is_kept_and_every_command_answered_once(tmp_path):
    result = run("--rate", "800", "--duration", "3", "--participants", "12",
                 "--report", str(tmp_path), "--json")  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    content = json.loads(result.stdout)
    assert content == json.loads((tmp_path / "report.json").read_text())
    load = content["load"]
    # A pick goes only if its book had an order to take, so a few commands may be fewer.
    assert 2200 <= load["commands"] <= 2410
    assert load["answered"] == load["commands"] and content["faults"] == []
    latency = load["latency_ns"]
    assert 0 < latency["p50"] <= latency["p99"] <= latency["p99.9"] <= latency["max"]


@pytest.mark.parametrize(
    "workload",
    ["quotes", *(pytest.param(each, marks=pytest.mark.nightly) for each in WORKLOADS_BESIDE)],
)
def test_every_workload_runs(workload):
    result = run("--rate", "300", "--duration", "1", "--participants", "6",
                 "--workload", workload)  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    assert workload in result.stdout


def test_bad_usage_is_one_clear_line():
    for arguments in (["--workload", "rush"], ["--gateway", "tcp://127.0.0.1:1"]):
        result = run(*arguments)
        assert result.returncode == 2
        assert len(result.stderr.strip().splitlines()) == 1


def test_what_is_lost_or_doubled_is_told():
    whole = LoadReport(sent=Counter(passive=3), answered=3)
    assert whole.losses() == []
    lost = LoadReport(sent=Counter(passive=3), answered=2, unanswered=1)
    assert len(lost.losses()) == 1
    doubled = LoadReport(sent=Counter(passive=3), answered=3, answered_twice=1)
    assert len(doubled.losses()) == 1


def test_the_oldest_order_of_the_best_level_is_picked():
    book = {"bids": [], "asks": [{"price": 9800, "orders": [[7, 10], [8, 20]]}]}
    assert best_order(book, Side.BUY) == (7, 9800, 10)
    assert best_order(book, Side.SELL) is None

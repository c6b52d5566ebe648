"""`cea-exchange load`: an open loop at a rate, percentiles, nothing lost."""

import json
import subprocess
import sys
from collections import Counter

import pytest

from cea_exchange.cli.main import run as cea_exchange
from cea_exchange.domain.records import Side
from cea_exchange.loadtest.report import LoadReport
from cea_exchange.loadtest.runner import best_order
from support.patience import patience

pytestmark = pytest.mark.e2e

LOAD = [sys.executable, "-m", "cea_exchange.cli.main", "load"]
WORKLOADS_BESIDE = ("takers", "cancel_heavy")


def run(*arguments):
    return subprocess.run(
        [*LOAD, *arguments], capture_output=True, text=True, timeout=100 * patience(), check=False
    )


def test_a_rate_is_kept_and_every_command_answered_once(tmp_path):
    # As many participants as where nothing is said of them, and then some.
    result = run("--rate", "800", "--duration", "3", "--participants", "80", "--audit",
                 "--depth", "600", "--report", str(tmp_path), "--json")  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    content = json.loads(result.stdout)
    assert content == json.loads((tmp_path / "report.json").read_text())
    figures = content["figures"]
    # What answers the blocks of others comes on top, and what was on the book before the clock.
    assert 3000 <= figures["commands"] <= 3050
    assert figures["sent_by_kind"]["depth"] == 600
    assert figures["answered"] == figures["commands"] and content["losses"] == []
    assert 750 < content["answered_per_second"] < 850
    latency = figures["latency"]
    assert 0 < latency["p50"] <= latency["p99"] <= latency["p99.9"] <= latency["max"]
    # The audit has looked at all of them, at the venue's events and at the registry's ledger.
    checked = content["audit"]["checked"]
    assert checked["commands"] == figures["commands"]
    assert checked["trades"] == figures["trades"] > 100
    columns = content["timeline"]["columns"]
    assert columns["target cea_venue_commands_total"][-1] > 0 and "cpu venue" in columns
    assert "<svg" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    "workload",
    [
        pytest.param(each, marks=pytest.mark.nightly)
        for each in ("quotes", *WORKLOADS_BESIDE, "year", "blocks", "biddings")
    ],
)
def test_every_workload_runs(workload):
    result = run("--rate", "300", "--duration", "1", "--participants", "6",
                 "--workload", workload)  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    assert workload in result.stdout


@pytest.mark.nightly
def test_bids_are_awarded_and_settled_and_nothing_is_lost():
    result = run(
        "--rate", "400", "--duration", "5", "--participants", "12", "--workload", "biddings",
        "--fault", "kill:venue@2", "--json",
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-300:] + result.stderr
    content = json.loads(result.stdout)
    assert content["losses"] == []
    assert content["figures"]["sent_by_kind"]["bid_cancel"] > 50
    assert content["audit"]["checked"]["bidding_trades"] >= 2


@pytest.mark.nightly
def test_nothing_is_lost_under_every_fault(tmp_path):
    result = run(
        "--rate", "300", "--duration", "24", "--participants", "12", "--json",
        "--report", str(tmp_path),
        "--fault", "kill:venue@2", "--fault", "pause:registry+1@6", "--fault", "kill:registry@8",
        "--fault", "kill:relay@10", "--fault", "drop@11", "--fault", "delay:0.03+1@12",
        "--fault", "full_disk+0.5@14", "--fault", "slow_disk:20+1@16",
        "--fault", "clock_step:60@18", "--fault", "slow_subscriber+3@19",
        "--fault", "pause:venue+0.5@22",
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-300:] + result.stderr
    content = json.loads(result.stdout)
    assert content["losses"] == []
    # By the kill each of the twelve; who has no connection yet when they are dropped, not again.
    assert content["reconnects"] > 12
    assert len([act for act in content["acts"] if not act["what"].endswith(": over")]) == 11
    assert content["audit"]["checked"]["trades"] > 100


@pytest.mark.nightly
def test_nothing_is_lost_while_the_database_is_killed_and_paused():
    result = run(
        "--rate", "300", "--duration", "12", "--participants", "12", "--json",
        "--database", "postgresql", "--fault", "kill:database+1@2", "--fault", "pause:database+1@5",
        "--fault", "kill:registry@7", "--fault", "kill:venue@8",
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-300:] + result.stderr
    content = json.loads(result.stdout)
    assert content["losses"] == []
    assert len([act for act in content["acts"] if not act["what"].endswith(": over")]) == 4
    assert content["audit"]["checked"]["trades"] > 100


def test_bad_usage_is_one_clear_line(capsys):
    for arguments in (
        ["--database", "oracle"],
        ["--target", "book", "--database", "postgresql"],
        ["--workload", "rush"],
        ["--gateway", "tcp://127.0.0.1:1"],
        ["--target", "nowhere"],
        ["--target", "book", "--processes", "2"],
        ["--fail-if", "p99>5"],
        ["--fault", "kill:venue@50"],
        ["saturate", "no.toml"],
        ["compare", "no.json", "no.json"],
    ):
        assert cea_exchange(["load", *arguments]) == 2, arguments
        said = capsys.readouterr().err
        assert len(said.strip().splitlines()) == 1, said


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

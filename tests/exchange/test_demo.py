"""`cea-exchange demo`, small: real processes, a whole day, settled and reconciled."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from cea_exchange.cli.main import run as cea_exchange
from support.patience import patience

pytestmark = pytest.mark.e2e

DEMO = [sys.executable, "-m", "cea_exchange.cli.main", "demo"]
SMALL = ["--participants", "24", "--orders", "4000", "--rate", "1500"]


def run(*arguments):
    return subprocess.run(
        [*DEMO, *arguments], capture_output=True, text=True, timeout=150 * patience(), check=False
    )


@pytest.fixture(scope="module")
def demonstrated(tmp_path_factory):
    """The folder of two days, and what was said of them."""
    folder = tmp_path_factory.mktemp("demo")
    result = run(*SMALL, "--days", "2", "--json", "--data", str(folder / "data"))
    assert result.returncode == 0, result.stdout + result.stderr
    return folder, json.loads(result.stdout)


def test_days_are_traded_settled_and_reconciled(demonstrated):
    folder, report = demonstrated
    assert report["passed"] and all(check["holds"] for check in report["checks"])
    load = report["load"]
    assert load["orders"] >= 4000 and load["answered"] == load["commands"]
    assert load["unanswered"] == load["answered_twice"] == 0
    assert load["traded_share"] >= 0.15 and load["refused_share"] < 0.05
    assert report["settlement"]["trades_settled"] == load["trades"] > 0
    reconciliation = report["reconciliation"]
    assert reconciliation["venue_hash"] == reconciliation["registry_hash"] != ""
    for bulletin, date in zip(report["bulletins"], ("2025-01-02", "2025-01-03"), strict=True):
        assert [each["subjCode"] for each in bulletin["products"]] == ["CEA23", "CEA24"]
        assert bulletin == json.loads((folder / f"data/bulletins/{date}.json").read_bytes())
    _verified(folder / "data")
    assert not _left_over(folder)


def test_days_follow_each_other_with_the_closes_as_references(demonstrated):
    first, second = demonstrated[1]["bulletins"]
    assert [first["quotPoin"], second["quotPoin"]] == ["2025-01-02", "2025-01-03"]
    closes = [each["closPric"] for each in first["products"]]
    assert [each["lastClosPric"] for each in second["products"]] == closes
    traded = [each["composite"]["tradeVolume"] for each in (first, second)]
    assert second["composite"]["totalVolume"] == sum(traded)


def test_a_person_reads_bulletin_settlement_and_reconciliation_in_chinese():
    """The first command of a newcomer; its English stands beside each text in the catalogue."""
    result = run("--participants", "12", "--orders", "2000", "--rate", "1500", "--lang", "zh")
    assert result.returncode == 0, result.stdout + result.stderr
    for words in ("每日行情", "已结算成交", "每秒", "p99", "交易系统哈希 = 登记系统哈希"):
        assert words in result.stdout
    for line in result.stdout.splitlines():
        # Kinds of commands, refusals' codes and the next command are names.
        words = re.sub(r"[a-z_]+ [0-9.,]+|cea-exchange demo --board|各类.*", "", line)
        assert not re.search(r"[a-z]{3,} [a-z]{2,}", words), line


def test_what_can_not_be_run_is_one_clear_line(tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    for arguments in (
        ["--date", "2025-01-01"],
        ["--date", "yesterday"],
        ["--data", str(tmp_path)],
        ["--closes", str(tmp_path / "file")],
        ["--closes", str(tmp_path / "none")],
    ):
        assert cea_exchange(["demo", *SMALL, *arguments]) == 2
        said = capsys.readouterr().err
        assert len(said.strip().splitlines()) == 1, said


@pytest.mark.nightly
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_ended_demo_leaves_no_process_behind(tmp_path, number):
    data = tmp_path / "data"
    arguments = ["--participants", "6", "--orders", "100000", "--rate", "200", "--data", str(data)]
    with subprocess.Popen([*DEMO, *arguments], stdout=subprocess.DEVNULL) as demo:
        _wait(lambda: len(_left_over(data)) >= 5, "the daemons and runners to be there")
        demo.send_signal(number)
        demo.wait(30 * patience())
    _wait(lambda: not _left_over(data), "all processes to end")


def _wait(condition, what):
    deadline = time.monotonic() + 30.0 * patience()
    while not condition():
        assert time.monotonic() < deadline, f"waited too long for {what}"
        time.sleep(0.1)


def _verified(data):
    command = [sys.executable, "-m", "cea_exchange.cli.main", "verify", str(data)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def _left_over(directory):
    """Return processes that still have the folder on their command line."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if str(directory).encode() in file.read():
                    found.append(pid)
        except OSError:
            continue
    return found

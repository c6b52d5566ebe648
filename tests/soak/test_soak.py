"""The soak's measure finds a leak and lets what is flat pass; a tiny soak runs from end to end."""

import subprocess
import sys

import numpy as np
import pytest

from support.patience import patience
from support.places import ROOT

sys.path.insert(0, str(ROOT))  # bench/ is no part of the package

from soak.measure import Sample, sample_process, trends
from soak.run import Soak, SoakReport, SoakSettings

# For each line it does a unit of work, and keeps what its argument says.
WORKER = """
import sys
kept = []
for line in sys.stdin:
    work = bytearray(1 << 20)
    work[::4096] = b"x" * 256
    if sys.argv[1] == "memory":
        kept.append(work)
    if sys.argv[1] == "files":
        kept.append(open(sys.argv[2]))
    print("done", flush=True)
"""
ROUNDS = 30
COMMANDS_PER_ROUND = 100_000


def sampled(values, name="rss_mib"):
    return [Sample(n * COMMANDS_PER_ROUND, {name: float(each)}) for n, each in enumerate(values)]


def trends_of_worker(keeps, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(1 << 20))
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, keeps, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        samples = []
        for number in range(ROUNDS):
            worker.stdin.write("\n")
            worker.stdin.flush()
            worker.stdout.readline()
            done = (number + 1) * COMMANDS_PER_ROUND
            samples.append(sample_process(worker.pid, done, {"data": tmp_path}))
        return trends(samples)
    finally:
        worker.kill()
        worker.wait()
        worker.stdin.close()
        worker.stdout.close()


@pytest.mark.parametrize(
    ("keeps", "measure", "slope"), [("memory", "rss_mib", 10), ("files", "fds", 10)]
)
def test_a_process_that_leaks_is_found(tmp_path, keeps, measure, slope):
    found = trends_of_worker(keeps, tmp_path)
    assert not found[measure].is_flat
    assert found[measure].slope == pytest.approx(slope, rel=0.1)


def test_a_process_that_keeps_nothing_is_flat(tmp_path):
    found = trends_of_worker("nothing", tmp_path)
    assert all(trend.is_flat for trend in found.values()), found
    assert found["disk_mib_data"].first >= 1 and found["threads"].last == 1
    assert found["pss_mib"].last <= found["rss_mib"].last


def test_growth_in_the_warm_up_is_not_counted():
    found = trends(sampled([*range(0, 1_000, 100), *[1_000] * 40]))["rss_mib"]
    assert found.slope == pytest.approx(0, abs=1e-6) and found.is_flat


def test_a_thread_that_comes_once_is_no_leak():
    assert trends(sampled([5] * 20 + [6] * 20, "threads"))["threads"].is_flat
    assert not trends(sampled(np.arange(40) // 4, "threads"))["threads"].is_flat


def test_a_slow_leak_is_found_beneath_noise_and_days():
    draw = np.random.default_rng(1)
    numbers = np.arange(400)
    days = 20 * (numbers % 20) / 20
    flat = 300 + draw.normal(0, 2, len(numbers)) + days
    assert trends(sampled(flat))["rss_mib"].is_flat
    # 2 MiB per million commands, beside days that come and go with 20 MiB.
    assert not trends(sampled(flat + numbers * 0.2))["rss_mib"].is_flat


def test_too_few_samples_say_nothing():
    with pytest.raises(ValueError, match="a trend needs 8 samples"):
        trends(sampled([1, 2, 3]))


@pytest.mark.e2e
def test_a_tiny_soak_loses_nothing_and_measures_all(tmp_path):
    settings = SoakSettings(
        commands=60_000, seed=1, limit_s=100.0 * patience(), accounts=6,
        commands_per_day=30_000, round_commands=3_000, scale=200,
    )  # fmt: skip
    report = SoakReport()
    Soak(tmp_path, settings, report, lambda done: None).run()
    # Whether so short a run is flat is chance; all else must hold.
    assert [fault for fault in report.faults if " grows by " not in fault] == []
    assert report.days == 2 and report.counts["sent"] == 60_000
    assert report.counts["trades"] > 1_000 and report.counts["checkpoints"] >= 2
    assert min(report.counts[name] for name in ("blocks", "bids", "bidding_trades")) > 0
    assert report.ccer["sent"] == 6_000 and report.ccer["trades"] > 100
    assert report.ccer["refused"] < report.ccer["sent"] / 10
    assert report.filings["enterprise_years"] == 15 and report.filings["allowances"] > 0
    assert report.counts["refused"] < report.counts["sent"] / 10
    assert {*report.trends} == {
        *("venue", "registry", "sender", "exchange of CCERs", "registry of CCERs"),
        *("platform", "registry of the platform"),
    }
    assert {"rss_mib", "fds", "threads", "disk_mib_journal"} <= {*report.trends["venue"]}
    assert len(report.samples["registry"]) == 20

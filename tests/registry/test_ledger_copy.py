"""A ledger in SQLite whose machine is gone: made again from its copy elsewhere, it settles on."""

import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.settlement.settlement import Settlement
from cea_exchange.registry.store import RegistryStore
from support.patience import patience
from support.places import ROOT
from support.registry.ledger_by_hand import changed_at_rest
from support.registry.settlement_records import LOG_ID, registry_prepare, venue_with_deposits

pytestmark = pytest.mark.e2e

PROGRAMS = Path(sys.executable).parent
DRILL = ROOT / "contrib" / "ledger_copy_drill.sh"
TRADES = 300
COPIED_S_MAX = 30


@pytest.fixture
def records():
    """What the venue has, and sends again to whoever asks."""
    venue = venue_with_deposits()
    for number in range(TRADES):
        venue.trade(1 + number % 3, buy_fee=number % 2)
    venue.checkpoint()
    return venue.records


@pytest.fixture
def data(tmp_path):
    registry_prepare(tmp_path / "data", None)
    return tmp_path / "data"


@pytest.fixture
def settings(data, tmp_path):
    """The settings of contrib, to a folder in place of the other machine."""
    text = (ROOT / "contrib" / "litestream.yml").read_text(encoding="utf-8")
    replica = text[text.index("      type: sftp") : text.index("      # So much is lost")]
    text = text.replace(replica, f"      type: file\n      path: {tmp_path / 'elsewhere'}\n")
    text = text.replace("/var/lib/cea-exchange", str(data))
    path = tmp_path / "litestream.yml"
    path.write_text(text, encoding="utf-8")
    return path


@contextmanager
def copied_elsewhere(settings):
    """A litestream at work, which goes with its machine."""
    process = subprocess.Popen(
        [PROGRAMS / "litestream", "replicate", "-config", settings],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def drilled(settings, data, tmp_path):
    environment = {**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
    return subprocess.run(
        ["sh", DRILL, settings, data, tmp_path / "drill"],
        capture_output=True,
        text=True,
        timeout=120 * patience(),
        check=False,
        env=environment,
    )


def drilled_until(settings, data, tmp_path, shown):
    """Repeat the drill until the copy is as far as it will be."""
    deadline = time.monotonic() + COPIED_S_MAX * patience()
    while shown not in (done := drilled(settings, data, tmp_path)).stdout:
        assert time.monotonic() < deadline, done
    return done


def test_what_the_copy_lacks_the_venue_sends_again(data, tmp_path, settings, records):
    with copied_elsewhere(settings), RegistryStore.open(data) as store:
        settlement = Settlement(store)
        settlement.apply(LOG_ID, records[:100])
        Registry(store).pay_in("bob", 1)
        assert 0 == drilled_until(settings, data, tmp_path, "at seq 100:").returncode
        for first in range(100, len(records), 5):
            settlement.apply(LOG_ID, records[first : first + 5])
    shutil.rmtree(data)
    copy, again = tmp_path / "copy", tmp_path / "again"
    lost = data / "registry" / "registry.sqlite"
    made = [PROGRAMS / "litestream", "restore", "-config", settings, "-o", copy, lost]
    subprocess.run(made, check=True, capture_output=True)
    sums = subprocess.run(["sha256sum", copy.name], cwd=tmp_path, capture_output=True, check=True)
    copy.with_suffix(".sha256").write_bytes(sums.stdout)
    restored = [PROGRAMS / "cea-exchange", "registry", "restore", copy, "--data", again]
    subprocess.run(restored, check=True, capture_output=True)
    with RegistryStore.open(again) as store:
        reached = store.last_seq
        assert 100 <= reached <= len(records)
        Settlement(store).apply(LOG_ID, records[reached:])
    found = check_ledger(again)
    assert [] == found.differences
    assert (len(records), TRADES) == (found.last_seq, found.trades)


@pytest.mark.nightly
def test_the_drill_finds_a_ledger_that_is_worth_nothing(data, tmp_path, settings, records):
    with copied_elsewhere(settings):
        with RegistryStore.open(data) as store:
            Settlement(store).apply(LOG_ID, records)
        drilled_until(settings, data, tmp_path, f"at seq {len(records)}:")
        changed_at_rest(data, "DELETE FROM trades WHERE trade_id = 7")
        deadline = time.monotonic() + COPIED_S_MAX * patience()
        # It may be copied while it is being changed, too.
        while "trade 7" not in (done := drilled(settings, data, tmp_path)).stderr:
            assert time.monotonic() < deadline, done
    assert 2 == done.returncode
    assert (tmp_path / "drill" / "copy").exists()

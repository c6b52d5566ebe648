"""A daemon that is told to stop while it starts ends in order, as one that serves does."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from cea_exchange.protocol.security import CurveKeys
from support.registry.settlement_records import registry_prepare
from support.venue.venue_process import CLOCK

pytestmark = pytest.mark.e2e

WAIT_S = 60


@pytest.fixture
def data(tmp_path):
    for name in ("venue", "registry", "admin"):
        CurveKeys.new().save(tmp_path / "keys", name)
    (tmp_path / "registry.toml").write_text("fronts = 0\n")
    (tmp_path / "venue.toml").write_text(CLOCK)
    registry_prepare(tmp_path)
    return tmp_path


def stopped_at(data, side, path, number):
    """Start a daemon, send it a signal as soon as a file is there; return status and events."""
    program = (sys.executable, "-m", "cea_exchange.cli.main", side, "serve")
    path.unlink(missing_ok=True)
    arguments = ("--config", data / f"{side}.toml", "--data", data)
    with (data / "log").open("w") as log:
        process = subprocess.Popen([*program, *arguments], stderr=log)
    try:
        end = time.monotonic() + WAIT_S
        # Looking thousands of times a second: the moment in question is short.
        while not os.path.exists(path):
            assert process.poll() is None and time.monotonic() < end, (data / "log").read_text()
            time.sleep(0.0002)
        process.send_signal(number)
        status = process.wait(WAIT_S)
    finally:
        process.kill()
        process.wait()
    lines = (data / "log").read_text().splitlines()
    return status, [json.loads(line)["event"] for line in lines]


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.nightly)]
)
@pytest.mark.parametrize(
    ("side", "place", "last_event"),
    [
        ("venue", "venue.lock", "stopped"),
        ("venue", "venue/endpoints.json", "stopped"),
        ("registry", "registry/lock", "registry_stopped"),
        ("registry", "registry/endpoints.json", "registry_stopped"),
    ],
)
def test_a_stop_while_it_starts_ends_in_order(data, side, place, last_event, number):
    """At its lock it opens still; at its endpoints it is ready and may not be in its loop yet."""
    status, events = stopped_at(data, side, data / place, number)
    assert 0 == status
    assert last_event == events[-1]
    # Nothing is left behind that would keep the next one from starting.
    status, events = stopped_at(data, side, data / side / "endpoints.json", number)
    assert (0, last_event) == (status, events[-1])

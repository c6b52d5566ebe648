"""A daemon's pulse: what systemd and `/healthz` are told of its loop."""

import json
import socket
import time
import urllib.error
import urllib.request

import pytest
from prometheus_client import CollectorRegistry

from cea_exchange.protocol.metrics_http import MetricsServer
from cea_exchange.protocol.pulse import SILENT_S_MAX, Pulse
from support.patience import patience


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    """A service manager's socket, and how its environment names it."""
    name = str(tmp_path / "notify") if request.param == "path" else f"\0pulse-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(name)
        heard.setblocking(False)
        yield heard, name.replace("\0", "@")


def shown(heard):
    found = []
    while True:
        try:
            found.append(heard.recv(100).decode())
        except BlockingIOError:
            return found


def test_systemd_hears_when_it_is_ready_and_each_second_that_it_turns(manager):
    heard, name = manager
    pulse = Pulse({"NOTIFY_SOCKET": name})
    assert shown(heard) == []
    for tenth in range(25):
        pulse.beat(100 + tenth / 10)
    assert shown(heard) == ["READY=1\nWATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]
    pulse.close()
    assert shown(heard) == ["STOPPING=1"]


def test_a_manager_that_is_gone_or_does_not_listen_keeps_nobody_waiting(tmp_path):
    pulse = Pulse({"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    pulse.beat(time.monotonic())
    assert pulse.health().is_well
    name = str(tmp_path / "deaf")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(name)
        pulse, began_s = Pulse({"NOTIFY_SOCKET": name}), time.monotonic()
        for second in range(5_000):
            pulse.beat(float(second))
        assert time.monotonic() - began_s < 5 * patience()


def test_health_is_that_of_the_loop():
    pulse = Pulse({})
    pulse.beat(time.monotonic())
    assert pulse.health()[:2] == (True, "")
    pulse.beat(time.monotonic(), "stopped: record 7")
    assert pulse.health()[:2] == (False, "stopped: record 7")
    pulse.beat(time.monotonic() - SILENT_S_MAX - 5)
    is_well, why, silent_s = pulse.health()
    assert not is_well and "has not turned for 15 s" in why and silent_s > SILENT_S_MAX


def test_healthz_answers_beside_the_metrics():
    pulse = Pulse({})
    server = MetricsServer("127.0.0.1:0", CollectorRegistry(), pulse.health)
    try:
        pulse.beat(time.monotonic())
        with urllib.request.urlopen(f"http://{server.address}/healthz", timeout=60) as answer:
            assert answer.status == 200 and json.load(answer)["is_well"]
        pulse.beat(time.monotonic(), "database lost")
        with pytest.raises(urllib.error.HTTPError) as raised:
            urllib.request.urlopen(f"http://{server.address}/healthz", timeout=60)
        assert raised.value.code == 503
        assert json.load(raised.value)["why"] == "database lost"
        with urllib.request.urlopen(f"http://{server.address}/metrics", timeout=60) as answer:
            assert answer.status == 200
    finally:
        server.close()

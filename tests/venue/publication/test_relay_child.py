"""A relay that ends again and again is begun more and more rarely."""

import socket
import sys
import threading
import time

from cea_exchange.protocol.security import CurveKeys
from cea_exchange.venue.publication.relay import RelayConfig, Upstream
from cea_exchange.venue.publication.relay_child import (
    PULSE_S_MAX,
    RESTART_S_MAX,
    RESTART_S_MIN,
    STEADY_S,
    RelayChild,
    relay_keys_load,
)
from support.patience import patience

UPSTREAM = Upstream("tcp://127.0.0.1:1", "tcp://127.0.0.1:1", CurveKeys.new().public)


class Ending(RelayChild):
    """Its process is over as soon as it has begun."""

    program = (sys.executable, "-c", "")

    def await_end(self):
        self._process.wait(30 * patience())


def test_the_pause_doubles_until_one_has_lasted(tmp_path):
    now_s = 1_000.0
    child = Ending(tmp_path, UPSTREAM, RelayConfig(), now_s)
    try:
        pauses = []
        for lasted_s in (*8 * [1.0], STEADY_S):
            child.await_end()
            now_s += lasted_s
            child.turn(now_s)
            assert child.process_id is None
            pause_s = 0.0
            while child.process_id is None:
                pause_s += RESTART_S_MIN
                child.turn(now_s + pause_s)
            now_s += pause_s
            pauses.append(pause_s)
    finally:
        child.close()
    assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0, *3 * [RESTART_S_MAX], RESTART_S_MIN]


def test_a_child_that_does_not_end_by_itself_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr("cea_exchange.venue.publication.relay_child.CLOSE_S_MAX", 0.2)

    class Stubborn(RelayChild):
        program = (sys.executable, "-c", "import time; time.sleep(600)")

    child = Stubborn(tmp_path, UPSTREAM, RelayConfig(), time.monotonic())
    process = child._process
    child.close()
    assert process.returncode == -9


def test_one_whose_pulse_stops_is_ended_and_begun_again(tmp_path):
    class Hanging(RelayChild):
        program = (sys.executable, "-c", "print(flush=True); import time; time.sleep(600)")

    now_s = 1_000.0
    child = Hanging(tmp_path, UPSTREAM, RelayConfig(), now_s)
    try:
        first, until_s = child._process, time.monotonic() + 30 * patience()
        # Its first sign of life counts from when it is seen.
        while child._pulse_s == 1_000.0:
            now_s += 0.001
            child.turn(now_s)
            time.sleep(0.01)
            assert time.monotonic() < until_s
        child.turn(now_s + PULSE_S_MAX - 1)
        assert first.poll() is None
        child.turn(now_s + PULSE_S_MAX + 1)
        assert first.wait(30 * patience()) == -9
        child.turn(now_s + PULSE_S_MAX + 2)
        child.turn(now_s + PULSE_S_MAX + 3)
        assert child.process_id not in (None, first.pid)
    finally:
        child.close()


def test_an_address_that_is_let_go_soon_is_waited_for(tmp_path):
    before = socket.create_server(("127.0.0.1", 0))
    address = f"tcp://127.0.0.1:{before.getsockname()[1]}"
    leaving = threading.Timer(0.3, before.close)
    leaving.start()
    child = Ending(tmp_path, UPSTREAM, RelayConfig(market_data=address), time.monotonic())
    child.close()
    leaving.join()
    assert child.endpoints["market_data"] == address


def test_its_keys_are_made_once(tmp_path):
    assert relay_keys_load(tmp_path) == relay_keys_load(tmp_path)
    assert (tmp_path / "keys" / "relay.secret").stat().st_mode & 0o777 == 0o600

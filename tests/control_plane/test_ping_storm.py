"""A granted key does its worst to libzmq: it ends fronts, and others see a moment's pause."""

import multiprocessing
import os
import subprocess
import sys
import time

import pytest

from cea_exchange.client import Client
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.venue.maintenance.verify import verify_data
from cea_exchange.venue.operations.admin_client import admin_ask
from support.patience import patience
from support.places import TESTS
from support.rounds import ROUNDS
from support.venue.venue_process import CLOCK, NO_FRONTS, VenueProcess
from support.venue.venue_world import PRODUCT, World

pytestmark = pytest.mark.attack

STORM_S = 0 if ROUNDS == 1 else 30 * ROUNDS
"""Ten minutes at the nightly's twenty rounds; else it ends with the culprit's key."""
STORM_S_MAX = 60
BEHIND_S = 3.0
TRADERS = 4
PER_SECOND = 1_250 if ROUNDS > 1 else 250
"""Orders of each trader."""
GAP_S_MAX = 1.0
QUIET_S = 5.0
"""So long they trade undisturbed; fronts that wait are there by then."""
TURN_S = 0.01


def trade(endpoint, directory, name, server_key, has_begun, is_storm, is_over, shown):
    """Enter orders at a rate until it is over, then wait for every answer; say what came of it.

    The longest gap between two answers is told for the time before the storm, and from then on.
    """
    client = Client.connect(endpoint, CurveKeys.load(directory, name), server_key, timeout_s=30)
    side, answered = ("buy", "sell")[name[-1] in "13"], 0
    gaps_s = [0.0, 0.0]
    operator_index = int(name[-1]) + 1
    sent: dict[int, float] = {}
    has_begun.release()
    began_s = heard_s = time.monotonic()
    due = 0
    while not is_over.is_set() or (sent and time.monotonic() < heard_s + 60):
        now_s = time.monotonic()
        while not is_over.is_set() and due < (now_s - began_s) * PER_SECOND:
            due += 1
            sent[client.enter(PRODUCT, side, price="97.49", tonnes=1)] = now_s
        for report in client.poll(TURN_S):
            if report.answers() in sent and report.operator_index == operator_index:
                before_s, heard_s = heard_s, time.monotonic()
                gap_s = heard_s - max(sent.pop(report.answers()), before_s)
                when = int(is_storm.is_set())
                gaps_s[when] = max(gaps_s[when], gap_s)
                answered += 1
    shown.put((name, due, answered, *gaps_s, client.reconnections))
    client.logoff(keep_orders=True)
    client.close()


@pytest.fixture
def world(tmp_path):
    grants = {
        "mallory": {"account": "alice", "operator_index": 9, "role": "reader"},
        **{
            f"trader{number}": {
                "account": ("alice", "bob")[number % 2],
                "operator_index": number + 1,
            }
            for number in range(TRADERS)
        },
    }
    world = World(tmp_path, grants)
    yield world
    world.close()


@pytest.mark.nightly
def test_a_ping_storm_ends_fronts_and_its_key_is_cut_off(world):
    """No gap of a second for the others, nothing lost, and the culprit is found."""
    program = (sys.executable, "-m", "cea_exchange.cli.main", "venue", "serve")
    settings = CLOCK.replace(NO_FRONTS, "")
    world.venue = venue = VenueProcess(world, program=program, settings=settings)
    storm = None
    try:
        world.ready()
        world.admin(op="clock", at="2024-12-31T09:30:00+08:00")
        spawning = multiprocessing.get_context("spawn")
        has_begun, shown = spawning.Semaphore(0), spawning.Queue()
        is_storm, is_over = spawning.Event(), spawning.Event()
        directory, server_key = str(world.data / "keys"), world.keys["venue"].public
        endpoint = venue.endpoints["gateway"]
        traders = [
            spawning.Process(
                target=trade,
                args=(endpoint, directory, f"trader{each}", server_key)
                + (has_begun, is_storm, is_over, shown),
                daemon=True,
            )
            for each in range(TRADERS)
        ]
        for trader in traders:
            trader.start()
        for _ in traders:
            assert has_begun.acquire(timeout=60 * patience())
        time.sleep(QUIET_S)
        is_storm.set()
        storm = subprocess.Popen(
            [sys.executable, "-m", "support.venue.ping_storm", endpoint, directory, "mallory"]
            + [server_key, str(STORM_S or STORM_S_MAX * patience())],
            env={**os.environ, "PYTHONPATH": str(TESTS)},
        )
        ends_s = time.monotonic() + STORM_S
        while storm.poll() is None and (
            time.monotonic() < ends_s or "key_cut_off" not in venue.log()
        ):
            time.sleep(0.2)
        time.sleep(BEHIND_S)
        is_over.set()
        found = [shown.get(timeout=120 * patience()) for _ in traders]
        for trader in traders:
            trader.join(30)
        status = admin_ask(world.data, {"op": "status"})
        ended = {key: status[key] for key in ("fronts_ended", "keys_cut_off")}
        print(*found, ended, os.getloadavg())
        assert venue.process.poll() is None
        assert status["fronts_ended"] >= 2
        assert status["keys_cut_off"] == [world.keys["mallory"].public]
        for name, due, answered, _quiet_s, gap_s, _reconnections in found:
            assert (name, answered) == (name, due)
            assert gap_s < GAP_S_MAX * patience(), name
    finally:
        if storm is not None:
            storm.kill()
            storm.wait()
        venue.end(15)
        world.venue = None
    # Each order once, whoever sent it again.
    assert verify_data(world.data).commands == sum(due for _, due, *_ in found)

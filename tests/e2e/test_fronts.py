"""Participants and operators come to processes of their own, which may end at any moment."""

import os
import signal
import time

import psutil
from fake_venue import wait_until
from venue_world import PRODUCT, enter, world_open

from cea_exchange.client import Client
from cea_exchange.client.session import SessionState
from cea_exchange.control_plane import fronts

WAIT_S = 30.0


def client_of(world, name):
    return Client.connect(
        lambda: world.venue.endpoints["gateway"], world.keys[name], world.keys["venue"].public
    )


def front_of(world, name):
    """Return the process id of the front that a key's session came through."""
    session = world.venue._orders.sessions.of_key(world.keys[name].public)
    return world.venue._fronts._by_prefix[session.routing_id[: fronts.FRONT_BYTES]].process.pid


def split_clients(world):
    """Clients of Alice and Bob at different fronts: the kernel decides, so one tries again."""
    alice, bob = client_of(world, "alice"), client_of(world, "bob")
    until_s = time.monotonic() + WAIT_S
    while front_of(world, "alice") == front_of(world, "bob"):
        assert time.monotonic() < until_s
        before = bob.reconnections
        bob.reconnect()
        while bob.session.state is not SessionState.READY or bob.reconnections == before:
            bob.poll(0.1)
    return alice, bob


def test_a_front_that_ends_takes_nothing_but_its_sessions_with_it(tmp_path):
    """Those of others trade on; who comes back finds what was done, and nothing is done twice."""
    with world_open(tmp_path, fronts=2) as world:
        world.listed()
        alice, bob = split_clients(world)
        first = alice.enter(PRODUCT, "buy", price="97.00", tonnes=10)
        assert alice.answer(first).order_id == 1
        os.kill(front_of(world, "alice"), signal.SIGKILL)
        # Asked at once, perhaps over the connection that is just going.
        second = alice.enter(PRODUCT, "buy", price="97.01", tonnes=10)
        for number in range(50):
            answer = bob.answer(bob.enter(PRODUCT, "sell", price="99.00", tonnes=1))
            assert answer.order_id, number
        assert bob.reconnections == 0 or front_of(world, "bob")
        began_s = time.monotonic()
        alice.answer(second, timeout_s=WAIT_S)
        print(f"back after {time.monotonic() - began_s:.2f} s")
        assert len(world.admin(op="position", account="alice")["orders"]) == 2
        status = world.admin(op="status")
        assert status["fronts_ended"] == 1 and len(status["fronts"]) >= 3
        assert status["sessions"] == 2 and not status["keys_cut_off"]
        alice.close()
        bob.close()


def test_a_front_that_hangs_is_ended_and_begun_again(tmp_path, monkeypatch):
    monkeypatch.setattr(fronts, "SILENCE_S_MAX", 2.0)
    with world_open(tmp_path, fronts=1) as world:
        world.listed()
        (hanging,) = world.venue._fronts.process_ids
        os.kill(hanging, signal.SIGSTOP)
        wait_until(lambda: world.venue._fronts.process_ids not in ([hanging], []))
        assert not psutil.pid_exists(hanging)
        world.logged_on("alice").command(enter(1, "buy", 9700))


def test_no_front_outlives_its_daemon(tmp_path):
    with world_open(tmp_path, fronts=2) as world:
        world.listed()
        ids = world.venue._fronts.process_ids
        assert len(ids) == 2
        # As at the end of a daemon that is killed.
        for running in list(world.venue._fronts._by_prefix.values()):
            running.link._end.shutdown(2)
        gone, alive = psutil.wait_procs([psutil.Process(one) for one in ids], timeout=WAIT_S)
        assert (len(gone), alive) == (2, [])

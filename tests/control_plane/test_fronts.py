"""Participants and operators come to processes of their own, which may end at any moment."""

import math
import mmap
import os
import signal
import struct
import sys
import time

import psutil
import pytest
import zmq

from cea_exchange.client import Client
from cea_exchange.client.session import SessionState
from cea_exchange.control_plane.door import Message
from cea_exchange.control_plane.fronts import front, fronts, listening
from cea_exchange.control_plane.fronts._ring import RING_BYTES
from cea_exchange.control_plane.fronts.link import Arrived, End, Gone, LogLine, Reached
from cea_exchange.protocol.security import CurveKeys, SecurityError
from support.patience import patience
from support.registry.fake_venue import wait_until
from support.venue.venue_world import PRODUCT, enter, world_open

pytestmark = pytest.mark.e2e

WAIT_S = 30.0


@pytest.fixture
def lone_fronts():
    """One front of no daemon."""
    doors = {"gateway": ("tcp://127.0.0.1:0", fronts.DoorLimits(10, 1 << 20))}
    keys, limits = CurveKeys.new(), {"count": 1, "memory_mib_max": 512, "stranger": ""}
    made = fronts.Fronts(keys, doors, **limits, poller=zmq.Poller())
    yield made
    made.close()


def client_of(world, name):
    return Client.connect(
        lambda: world.venue.endpoints["gateway"], world.keys[name], world.keys["venue"].public
    )


def connected(context, endpoint, keys, server_key):
    opened = context.socket(zmq.DEALER)
    opened.curve_publickey, opened.curve_secretkey = keys.public.encode(), keys.secret.encode()
    opened.curve_serverkey, opened.linger = server_key.encode(), 0
    opened.connect(endpoint)
    return opened


def front_of(world, name):
    """Return the process id of the front that a key's session came through."""
    session = world.venue.venue.orders.sessions.of_key(world.keys[name].public)
    return world.venue._fronts._by_prefix[session.routing_id[: fronts.FRONT_BYTES]].process.pid


def split_clients(world):
    """Clients of Alice and Bob at different fronts: the kernel decides, so one tries again."""
    alice, bob = client_of(world, "alice"), client_of(world, "bob")
    until_s = time.monotonic() + WAIT_S * patience()
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
        world.until(lambda: len(world.admin(op="status")["fronts"]) == 2)
        status = world.admin(op="status")
        # An end that no peer brings about makes nobody a suspect.
        assert status["fronts_ended"] == 1
        assert (status["sessions"], status["keys_set_apart"], status["keys_cut_off"]) == (2, 0, [])
        alice.close()
        bob.close()


def test_nobody_comes_to_a_front_that_does_not_serve_yet(tmp_path, monkeypatch):
    """While one is begun the kernel brings who comes to the others."""
    main = "from cea_exchange.control_plane.fronts.front import main; main()"
    bound_s = WAIT_S * patience()
    slow = f"import time; time.sleep({2 * bound_s}); {main}"
    with world_open(tmp_path, fronts=2) as world:
        world.listed()
        monkeypatch.setattr(fronts.Fronts, "program", (sys.executable, "-c", slow))
        monkeypatch.setattr(world.venue._fronts, "_spare_due_s", math.inf)
        while world.venue._fronts._spares:
            world.venue._fronts._spares.pop().close()
        ending, staying = world.venue._fronts.process_ids
        os.kill(ending, signal.SIGKILL)
        wait_until(lambda: ending not in world.venue._fronts.process_ids)
        began_s = time.monotonic()
        for _ in range(12):
            client = client_of(world, "alice")
            assert front_of(world, "alice") == staying
            client.close()
        # Nobody has waited for the front that begins.
        assert time.monotonic() - began_s < bound_s


def test_of_fronts_that_wait_the_first_takes_the_place_of_one_that_ends(tmp_path, monkeypatch):
    """The last may have begun just now, and has yet to read its program."""
    monkeypatch.setattr(fronts, "SPARE_S", 0.1)
    with world_open(tmp_path, fronts=1) as world:
        world.listed()
        spares = world.venue._fronts._spares
        wait_until(lambda: len(spares) == 1 + fronts.SPARES_APART)
        first = spares[0].process.pid
        (ending,) = world.venue._fronts.process_ids
        os.kill(ending, signal.SIGKILL)
        wait_until(lambda: world.venue._fronts.process_ids not in ([ending], []))
        assert world.venue._fronts.process_ids == [first]


def test_who_has_left_a_front_was_not_there_when_it_ends(monkeypatch):
    """Who connects anew for each question is not at every front; who is silent stays there."""
    doors = {"gateway": ("tcp://127.0.0.1:0", fronts.DoorLimits(10, 1 << 20))}
    limits = {"count": 1, "memory_mib_max": 512, "stranger": "", "poller": zmq.Poller()}
    monkeypatch.setattr(fronts, "LEFT_S", 0.2)
    keys, silent, polling = CurveKeys.new(), CurveKeys.new(), CurveKeys.new()
    made = fronts.Fronts(keys, doors, **limits)
    with zmq.Context() as context:
        try:
            door = made.doors["gateway"]
            door.admit([silent.public, polling.public])
            made.flush()
            (running,) = made._by_prefix.values()

            def seen(expected):
                made.read()
                made.turn(time.monotonic())
                return running.there.keys() == expected

            def poll(asks):
                with connected(context, door.endpoint, polling, keys.public) as asking:
                    if asks:
                        asking.send(b"?")
                    wait_until(lambda: seen({silent.public, polling.public} & known))

            known = {polling.public}
            poll(asks=False)
            wait_until(lambda: seen(set()))
            poll(asks=True)
            wait_until(lambda: seen(set()))
            with connected(context, door.endpoint, silent, keys.public):
                known = {silent.public, polling.public}
                wait_until(lambda: seen({silent.public}))
                # What the silent one's connection is is not known, and so who has come since stays.
                poll(asks=True)
                time.sleep(2 * fronts.LEFT_S + front.PULSE_S)
                assert seen(known)
            wait_until(lambda: seen(set()))
        finally:
            made.close()


def test_a_front_that_ended_is_begun_anew_before_what_it_left_is_taken(lone_fronts):
    """A flood that it passed on last does not keep the others from the next one."""
    (running,) = lone_fronts._by_prefix.values()
    door = lone_fronts.doors["gateway"]
    door.arrived.extend([Message(b"", "", [])] * fronts.ARRIVED_MAX)
    running.began_s -= fronts.STEADY_S
    running.process.kill()
    running.process.wait(WAIT_S)
    lone_fronts.read()
    (successor,) = lone_fronts._by_prefix.values()
    assert successor is not running and len(door.arrived) == fronts.ARRIVED_MAX


def test_what_waits_for_the_daemon_is_bounded(lone_fronts, monkeypatch):
    """The rest waits at the fronts, where each connection waits for itself alone."""
    (running,) = lone_fronts._by_prefix.values()
    door = lone_fronts.doors["gateway"]
    at_once = [Arrived(0, b"\0abcd", "key", [b"x"])] * 100
    coming = iter([at_once] * 200)
    monkeypatch.setattr(running.link, "taken", lambda: next(coming, []))
    taken = longest = 0
    while door.receive() is not None:
        taken += 1
        # As at the turn of another door.
        lone_fronts.read()
        longest = max(longest, len(door.arrived))
    assert taken == 200 * len(at_once)
    assert longest < fronts.ARRIVED_MAX + len(at_once)


def test_once_all_was_taken_it_is_not_looked_for_more_at_once(lone_fronts, monkeypatch):
    """A turn with one order looks once."""
    (running,) = lone_fronts._by_prefix.values()
    door = lone_fronts.doors["gateway"]
    coming, looks = iter([[Arrived(0, b"\0abcd", "key", [b"x"])] * 2]), []

    def taken():
        looks.append(1)
        return next(coming, [])

    monkeypatch.setattr(running.link, "taken", taken)
    assert [door.receive() is not None for _ in range(3)] == [True, True, False]
    assert len(looks) == 1
    assert door.receive() is None and len(looks) == 2


def test_who_waits_asks_to_be_called(lone_fronts):
    """Else a front does not call: while orders come it is looked at anyway."""
    (running,) = lone_fronts._by_prefix.values()
    while lone_fronts.listen():
        lone_fronts.read()
    # It says each second that it goes on.
    assert dict(lone_fronts._poller.poll(WAIT_S * 1_000)) == {running.link.fileno(): zmq.POLLIN}
    assert lone_fronts.listen()
    assert lone_fronts.read() and not lone_fronts.listen()


def test_what_comes_over_a_connection_that_was_ended_is_dropped(lone_fronts, monkeypatch):
    (running,) = lone_fronts._by_prefix.values()
    door = lone_fronts.doors["gateway"]
    coming = iter([[Arrived(0, b"\0abcd", "key", [b"x"])] * 3] * 2)
    said = []
    monkeypatch.setattr(running.link, "taken", lambda: next(coming, []))
    monkeypatch.setattr(running.link, "put", said.append)
    first = door.receive()
    for _ in range(2):
        door.end(first.routing_id, "it sends too much")
    assert said == [End(0, b"\0abcd", "it sends too much")]
    # Of the first look, then of the second.
    assert door.receive() is door.receive() is None and next(coming, None) is None
    door.turn(time.monotonic() + fronts.ENDED_S + 1)
    door.arrived.append(first)
    assert door.receive() == first


def test_a_front_that_hangs_is_ended_and_begun_again(tmp_path, monkeypatch):
    monkeypatch.setattr(fronts, "SILENCE_S_MAX", 2.0 * patience())
    with world_open(tmp_path, fronts=1) as world:
        world.listed()
        (hanging,) = world.venue._fronts.process_ids
        os.kill(hanging, signal.SIGSTOP)
        wait_until(lambda: world.venue._fronts.process_ids not in ([hanging], []))
        wait_until(lambda: not psutil.pid_exists(hanging))
        world.logged_on("alice").command(enter(1, "buy", 9700))


def test_several_that_hang_together_end_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(fronts, "SILENCE_S_MAX", 3.0 * patience())
    with world_open(tmp_path, fronts=4) as world:
        world.listed()
        hanging = world.venue._fronts.process_ids
        for one in hanging:
            os.kill(one, signal.SIGSTOP)
        wait_until(
            lambda: len(world.venue._fronts.process_ids) == 4
            and not {*hanging} & {*world.venue._fronts.process_ids}
        )
        world.logged_on("alice").command(enter(1, "buy", 9700))
        assert world.failure is None


@pytest.mark.parametrize(
    "said",
    [
        Arrived(99, b"\0abcd", "key", [b"M", b""]),
        Reached(5),
        LogLine("event", {"event": "another"}),
        Gone(7, b"\0abcd", True),
    ],
)
def test_what_a_front_says_ends_no_daemon(tmp_path, said):
    """Strangers may have made anything of it."""
    with world_open(tmp_path, fronts=1) as world:
        world.listed()
        running, *_ = world.venue._fronts._by_prefix.values()
        world.venue._fronts._do_or_end(running, [said])
        assert world.admin(op="status")["fronts_ended"] == (0 if isinstance(said, LogLine) else 1)
        world.logged_on("alice").command(enter(1, "buy", 9700))
        assert world.failure is None


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (RING_BYTES, 1 << 63),
        (RING_BYTES, 1 << 16),
        (64, 1 << 63),
    ],
    ids=["written too far", "written nothing", "taken too far"],
)
def test_what_a_front_writes_into_their_memory_ends_no_daemon(tmp_path, monkeypatch, at, value):
    """It is ended and begun again, and orders go on."""
    memories, make = [], fronts.memory_make

    def memory_make():
        memory = make()
        memories.append(mmap.mmap(memory, 2 * RING_BYTES))
        return memory

    monkeypatch.setattr(fronts, "memory_make", memory_make)
    with world_open(tmp_path, fronts=1) as world:
        world.listed()
        alice = client_of(world, "alice")
        alice.answer(alice.enter(PRODUCT, "buy", price="97.00", tonnes=10))
        memory = memories[-1]
        (before,) = struct.unpack_from("<Q", memory, at)

        def another_has_begun() -> bool:
            # Again and again, as the front's own next word at this place would take it away.
            if len(memories) == 1:
                struct.pack_into("<Q", memory, at, before + value)
            return len(memories) == 2 or world.failure

        wait_until(another_has_begun)
        alice.answer(alice.enter(PRODUCT, "buy", price="97.01", tonnes=10), timeout_s=WAIT_S)
        assert len(world.admin(op="position", account="alice")["orders"]) == 2
        assert world.admin(op="status")["fronts_ended"] == 1
        assert world.failure is None
        alice.close()


@pytest.mark.nightly
@pytest.mark.parametrize("lacking", [(fronts.socket, "socketpair"), (fronts, "memory_make")])
def test_no_descriptor_or_memory_left_ends_no_daemon(tmp_path, monkeypatch, lacking):
    """Neither for a front that is due nor for one that waits."""

    tried = []

    def none_left(*arguments):
        tried.append(arguments)
        raise OSError(24, "too many open files")

    with world_open(tmp_path, fronts=1) as world:
        world.listed()
        with monkeypatch.context() as patched:
            patched.setattr(*lacking, none_left)
            for one in world.venue._fronts.process_ids:
                os.kill(one, signal.SIGKILL)
            wait_until(lambda: not world.venue._fronts.process_ids or world.failure)
            wait_until(lambda: len(tried) > 1 or world.failure)
        assert world.failure is None
        world.until(lambda: len(world.venue._fronts.process_ids) == 1, 20)
        world.logged_on("alice").command(enter(1, "buy", 9700))


def test_an_address_that_another_has_is_not_shared(tmp_path, monkeypatch):
    monkeypatch.setattr(listening, "TAKEN_S_MAX", 0.2)
    with world_open(tmp_path / "one", fronts=2) as one:
        one.start()
        address = one.venue.endpoints["gateway"]
        with world_open(tmp_path / "two", fronts=2, gateway=address) as two:
            with pytest.raises(SecurityError, match="gateway: can not bind"):
                two.start()
            two.venue = None


def test_a_logoff_that_was_on_its_way_is_said_again(tmp_path):
    """And the orders go with it."""
    with world_open(tmp_path, fronts=1) as world:
        world.listed()
        alice = client_of(world, "alice")
        alice.answer(alice.enter(PRODUCT, "buy", price="97.00", tonnes=10))
        os.kill(front_of(world, "alice"), signal.SIGKILL)
        alice.logoff(timeout_s=WAIT_S)
        alice.close()
        world.until(lambda: world.admin(op="status")["orders_live"] == 0)


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

"""The public comes to a process of its own: whatever strangers do to it, the venue goes on."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import msgspec
import pytest
import zmq

from cea_exchange.cluster.way_in.whereabouts import EndpointsFiles
from cea_exchange.protocol.security import (
    CurveKeys,
    SecurityError,
    client_socket,
    refuses_strangers,
)
from cea_exchange.protocol.settings import ConfigError
from cea_exchange.venue.publication import relay_child
from cea_exchange.venue.publication.relay import Relay, RelayConfig, Upstream, UpstreamSought
from cea_exchange.venue.publication.relay_child import relay_keys_load
from support.patience import patience
from support.places import TESTS
from support.rounds import ROUNDS
from support.venue.market_followers import WAIT_S, Trader, follow_to_the_end, follower
from support.venue.venue_process import VenueProcess, command
from support.venue.venue_world import world_open

pytestmark = pytest.mark.e2e

STORM_S = 6.0 * ROUNDS
GAP_S_MAX = 5.0
MANUAL = '[clock]\nkind = "manual"\nstart = "2024-12-31T08:00:00+08:00"\n'
LAG = "[lag]\nwarn = [0, 0]\nthrottle = [0, 0]\ncancel_only = [0, 0]\nhalt = [0, 0]\n"


@pytest.fixture
def world(tmp_path):
    with world_open(tmp_path, relay=True) as world:
        world.listed()
        yield world
        assert world.failure is None


def relay_id(world):
    return world.venue._relay.process_id


def another_relay(world, before):
    """Wait for a relay that is not that one, and return its process id."""
    world.until(lambda: relay_id(world) not in (None, before), WAIT_S)
    return relay_id(world)


def stranger(world, kind, name, context=None):
    socket = client_socket(
        context or world.context,
        kind,
        keys=CurveKeys.new(),
        server_key=world.server_key(name),
        high_water_mark=0,
    )
    socket.connect(world.venue.endpoints[name])
    return socket


def is_gone(process_id):
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return True
    return False


def memory_mib(process_id):
    with open(f"/proc/{process_id}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


def test_the_venues_own_sockets_admit_the_relay_only(tmp_path):
    with world_open(tmp_path, relay=True) as world:
        world.start()
        venue_key = world.keys["venue"].public
        for name, kind in (("market_data", zmq.SUB), ("snapshot", zmq.DEALER)):
            own = world.venue._sockets[name].getsockopt_string(zmq.LAST_ENDPOINT)
            assert own != world.venue.endpoints[name]
            refuses_strangers(own, venue_key, kind=kind)
        assert world.venue.market_data_public_key == relay_keys_load(tmp_path).public != venue_key


def test_every_message_passes_as_it_is(world):
    """Heard at the venue with the relay's key, and by anybody behind it."""
    heard = {}
    own = client_socket(
        world.context,
        zmq.SUB,
        keys=relay_keys_load(world.data),
        server_key=world.keys["venue"].public,
    )
    own.connect(world.venue._sockets["market_data"].getsockopt_string(zmq.LAST_ENDPOINT))
    public = stranger(world, zmq.SUB, "market_data")
    for socket in (own, public):
        socket.subscribe(b"")
        assert socket.poll(10_000 * patience())
        heard[socket] = []
    Trader(world, seed=1).trade(20)
    world.admin(op="clock", at="2024-12-31T15:00:00+08:00")
    for socket, messages in heard.items():
        while not messages or messages[-1][0] != b"bulletin":
            assert socket.poll(10_000 * patience())
            messages.append(socket.recv_multipart())
    first = max(messages[0] for messages in heard.values() if messages[0])
    shown, passed_on = (m[m.index(first) :] if first in m else m for m in heard.values())
    shorter = min(len(shown), len(passed_on))
    assert shown[-shorter:] == passed_on[-shorter:]
    assert {b"md", b"bulletin"} <= {frames[0] for frames in passed_on}


def test_a_killed_relay_comes_back_at_its_address_and_books_are_exact_again(world):
    trader = Trader(world, seed=2)
    endpoints = dict(world.venue.endpoints)
    with follower(world) as client:
        client.await_books(WAIT_S)
        for _ in range(2):
            before = relay_id(world)
            os.kill(before, signal.SIGKILL)
            # Nothing of it is noticed in here.
            trader.trade(20)
            another_relay(world, before)
            trader.trade(5)
            follow_to_the_end(world, client)
        assert client.books.gaps >= 1
    assert world.venue.endpoints == endpoints
    totals = world.venue.venue.monitor.metrics.totals
    world.until(lambda: totals["cea_venue_relays_begun"] == 3)


def ping_and_leave(world, name):
    """Do what libzmq 4.3.5 does not survive: its own pings, a full queue, and a broken connection.

    A ping makes the other side write an answer at once. Where its queue is full of what it has not
    read and the connection is broken by then, an assertion there ends the process.
    """
    with zmq.Context() as context:
        sockets = []
        for _ in range(5):
            socket = client_socket(
                context, zmq.DEALER, keys=CurveKeys.new(), server_key=world.server_key(name)
            )
            socket.setsockopt(zmq.HEARTBEAT_IVL, 1)
            socket.connect(world.venue.endpoints[name])
            sockets.append(socket)
        time.sleep(0.3)
        for number in range(600):
            for socket in sockets:
                with contextlib.suppress(zmq.Again):
                    socket.send(b"x" * 20, zmq.NOBLOCK)
            if number % 20 == 0:
                time.sleep(0.002)
        context.destroy(linger=0)


@pytest.mark.parametrize(("name", "kind"), [("snapshot", "DEALER"), ("market_data", "XSUB")])
def test_a_strangers_pings_leave_the_relay_to_all_others(world, name, kind):
    """As fast as it can, for seconds: readers go on, and new ones get what they ask for."""
    trader, before = Trader(world, seed=5), relay_id(world)
    CurveKeys.new().save(world.data / "keys", "mallory")
    longest_s, new_s = 0.0, []
    with follower(world) as client:
        client.await_books(WAIT_S)
        storm = subprocess.Popen(
            [sys.executable, "-m", "support.venue.ping_storm", world.venue.endpoints[name]]
            # It is killed once the followers are through, however long these take.
            + [str(world.data / "keys"), "mallory", world.server_key(name), "3600", kind],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])},
        )
        try:
            until_s = time.monotonic() + STORM_S
            while time.monotonic() < until_s:
                began_s = time.monotonic()
                trader.trade(2)
                follow_to_the_end(world, client)
                longest_s = max(longest_s, time.monotonic() - began_s)
                began_s = time.monotonic()
                with follower(world) as new:
                    new.await_books(WAIT_S)
                new_s.append(time.monotonic() - began_s)
            assert storm.poll() is None
        finally:
            storm.kill()
            storm.wait()
        print(name, f"known {longest_s:.2f} s", f"new {max(new_s):.2f} s of {len(new_s)}")
        assert client.books.gaps == 0
    assert relay_id(world) == before
    assert not is_gone(before)
    assert longest_s < GAP_S_MAX * patience()
    assert max(new_s) < GAP_S_MAX * patience()


def test_pings_a_full_queue_and_a_broken_connection_do_not_end_the_relay(world):
    """What ended libzmq 4.3.5 within twenty rounds while the relay's queue was bounded."""
    before = relay_id(world)
    for _ in range(40 * ROUNDS):
        ping_and_leave(world, "snapshot")
    with follower(world) as client:
        client.await_books(WAIT_S)
        follow_to_the_end(world, client)
    assert relay_id(world) == before


def test_subscriptions_without_end_cost_the_relay_its_life_and_the_venue_nothing(tmp_path):
    with world_open(tmp_path, relay=True, relay_memory_mib_max=128) as world:
        world.listed()
        before = relay_id(world)
        with zmq.Context() as context:
            flood = stranger(world, zmq.XSUB, "market_data", context)
            until_s = time.monotonic() + WAIT_S * patience()
            while relay_id(world) in (None, before):
                assert time.monotonic() < until_s, f"relay {before} is still there"
                for _ in range(2_000):
                    flood.send(b"\x01" + os.urandom(900))
                time.sleep(0.05)
                if relay_id(world) == before and not is_gone(before):
                    with contextlib.suppress(OSError, IndexError):
                        assert memory_mib(before) < 1_024
            context.destroy(linger=0)
        with follower(world) as client:
            client.await_books(2 * WAIT_S)
        assert world.failure is None


def test_many_who_ask_for_the_same_cost_the_venue_one_snapshot(world, monkeypatch):
    made = []
    snapshot = world.venue.venue.market_data.snapshot
    monkeypatch.setattr(
        world.venue.venue.market_data, "snapshot", lambda: made.append(1) or snapshot()
    )
    Trader(world, seed=3).trade(5)
    # Reports go out before the stream has taken note of their events.
    stream, core = world.venue.venue.market_data, world.venue.machine.core
    world.until(lambda: stream._cut_seq == stream._noted_seq == core.event_seq, WAIT_S)
    sockets = [stranger(world, zmq.DEALER, "snapshot") for _ in range(20)]
    request = msgspec.msgpack.encode({"op": "snapshot"})
    for _ in range(3):
        for socket in sockets:
            socket.send(request)
        answers = []
        for socket in sockets:
            assert socket.poll(10_000 * patience())
            answers.append(socket.recv_multipart())
            while socket.poll(0):
                answers.append(socket.recv_multipart())
        assert len({frames[1] for frames in answers}) == 1
    assert 1 <= len(made) <= 6


def test_questions_that_differ_wait_for_their_turn_and_a_snapshot_passes_them(world):
    asker = stranger(world, zmq.DEALER, "snapshot")
    for number in range(200):
        asker.send(msgspec.msgpack.encode({"op": "depth", "product": f"P{number}"}))
    with follower(world) as client:
        client.await_books(WAIT_S)
    asker.send(msgspec.msgpack.encode({"op": "depth", "product": "CEA24"}))
    answers = []
    while not answers or answers[-1]["op"] != "depth":
        if not asker.poll(2_000):
            # It had no place: asked again, as the protocol says.
            asker.send(msgspec.msgpack.encode({"op": "depth", "product": "CEA24"}))
            continue
        answers.append(msgspec.msgpack.decode(asker.recv()))
    assert {answer["op"] for answer in answers} == {"refused", "depth"}
    assert 1 < len(answers) < 201


@pytest.mark.nightly
def test_a_relay_that_hangs_is_ended(world, monkeypatch):
    monkeypatch.setattr(relay_child, "PULSE_S_MAX", 3.0)
    with follower(world) as client:
        client.await_books(WAIT_S)
        before = relay_id(world)
        os.kill(before, signal.SIGSTOP)
        another_relay(world, before)
        assert is_gone(before)
        Trader(world, seed=6).trade(2)
        follow_to_the_end(world, client)


def test_an_address_in_the_file_system_is_the_relays_too(tmp_path):
    addresses = {name: f"ipc://{tmp_path}/{name}" for name in ("market_data", "snapshot")}
    with world_open(tmp_path, relay=True, **addresses) as world:
        world.listed()
        before = relay_id(world)
        with follower(world) as client:
            client.await_books(WAIT_S)
            os.kill(before, signal.SIGKILL)
            another_relay(world, before)
            Trader(world, seed=7).trade(2)
            follow_to_the_end(world, client)
        assert world.venue.endpoints.items() >= addresses.items()


# -- Processes ------------------------------------------------------------------------------------


@pytest.fixture
def process(tmp_path):
    with world_open(tmp_path) as world:
        world.venue = VenueProcess(world, settings=MANUAL + LAG)
        try:
            world.ready()
            yield world
        finally:
            world.venue.end(signal.SIGKILL)


def relay_of(process):
    events = [json.loads(line) for line in process.venue.log().splitlines() if line[:1] == "{"]
    return [event["process_id"] for event in events if event["event"] == "relay_begun"][-1]


def test_a_relay_ends_with_its_venue_however_that_ends(process):
    relay = relay_of(process)
    assert not is_gone(relay)
    process.venue.end(signal.SIGKILL)
    process.until(lambda: is_gone(relay), WAIT_S)
    process.venue = VenueProcess(process, settings=MANUAL + LAG)
    relay = relay_of(process)
    os.kill(relay, signal.SIGTERM)
    process.ready()
    assert process.venue.end(signal.SIGTERM) == 0
    process.until(lambda: is_gone(relay), WAIT_S)


def test_what_the_venue_says_last_is_passed_on(process):
    socket = stranger(process, zmq.SUB, "market_data")
    socket.subscribe(b"md")
    socket.subscribe(b"hb")
    assert socket.poll(10_000 * patience())
    process.admin(op="open_day", date="2024-12-31")
    process.admin(op="phase", phase="listed")
    assert process.venue.end(signal.SIGTERM) == 0
    topics, until_s = [], time.monotonic() + WAIT_S * patience()
    while b"md" not in topics and time.monotonic() < until_s:
        if socket.poll(500):
            topics.append(socket.recv_multipart()[0])
    assert b"md" in topics


@contextlib.contextmanager
def relay_alone(folder, settings):
    """Run `venue relay` on a folder; give where it says it listens."""
    folder.mkdir(exist_ok=True)
    (folder / "relay.toml").write_text(settings)
    path = folder / "relay" / "endpoints.json"
    program = [sys.executable, "-m", "cea_exchange.cli.main", "venue", "relay"]
    arguments = ["--config", str(folder / "relay.toml"), "--data", str(folder)]
    with (folder / "log").open("w") as log:
        running = subprocess.Popen([*program, *arguments], stderr=log)
    try:
        end = time.monotonic() + WAIT_S * patience()
        while not path.exists():
            assert running.poll() is None and time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.02)
        listening = EndpointsFiles([path], Upstream.__struct_fields__)
        yield UpstreamSought(listening)(is_alive=True), running
    finally:
        running.kill()
        running.wait()


@pytest.mark.nightly
def test_a_relay_elsewhere_follows_another_relay_and_the_venue_over_its_restart(world, tmp_path):
    settings = f'venue_endpoints = "{world.data}/venue/endpoints.json"\n'
    with relay_alone(tmp_path / "elsewhere", settings) as (there, running):
        world.venue.endpoints |= {"market_data": there.market_data, "snapshot": there.snapshot}
        key, world.venue.market_data_public_key = (
            world.venue.market_data_public_key,
            there.market_data_public_key,
        )
        assert key != there.market_data_public_key
        trader = Trader(world, seed=4)
        with follower(world) as client:
            client.await_books(WAIT_S)
            trader.trade(10)
            follow_to_the_end(world, client)
            world.stop()
            # At other ports: it reads where once more.
            world.start()
            world.ready()
            trader = Trader(world, seed=5, first_id=trader.next_id)
            trader.trade(10)
            follow_to_the_end(world, client)
        running.send_signal(signal.SIGTERM)
        assert running.wait(WAIT_S) == 0


@pytest.mark.nightly
def test_a_relay_may_follow_where_market_data_is_not_public(tmp_path):
    keys = relay_keys_load(tmp_path / "elsewhere")
    with world_open(
        tmp_path / "venue", market_data_public=False, relay=True, relay_keys=(keys.public,)
    ) as world:
        world.listed()
        with pytest.raises(TimeoutError), follower(world) as client:
            client.await_books(0.5)
        settings = f'venue_endpoints = "{world.data}/venue/endpoints.json"\n'
        with relay_alone(tmp_path / "elsewhere", settings) as (there, _):
            world.venue.endpoints |= {"market_data": there.market_data, "snapshot": there.snapshot}
            world.venue.market_data_public_key = there.market_data_public_key
            with follower(world) as client:
                client.await_books(WAIT_S)


def test_a_relay_without_a_venue_says_what_is_wrong(tmp_path):
    (tmp_path / "relay.toml").write_text("")
    arguments = ("venue", "relay", "--config", tmp_path / "relay.toml", "--data", tmp_path)
    shown = command(*map(str, arguments))
    assert (shown.returncode, shown.stderr.count("\n")) == (2, 1)
    assert "expected the venue's endpoints.json" in shown.stderr
    (tmp_path / "venue").mkdir()
    (tmp_path / "venue" / "endpoints.json").write_text("{}")
    assert "market_data" in command(*map(str, arguments)).stderr


NO_KEY = {"market_data_public_key": "none"}
NOWHERE = {"market_data": "nowhere"}
NO_SNAPSHOTS = {"snapshot": "ipc:///" + "a" * 999}


def test_what_the_venues_file_says_ends_no_relay_that_runs(world, tmp_path):
    """It stays where it is, and passes on what comes, until the file says a place again."""
    file = world.data / "venue" / "endpoints.json"
    right = file.read_text()
    # It is in this process, which is large.
    settings = RelayConfig(memory_mib_max=1 << 20)
    relay = Relay(settings, CurveKeys.new(), UpstreamSought(settings.whereabouts(world.data)))
    with contextlib.closing(relay):
        for odd in (NOWHERE, NO_SNAPSHOTS, NO_KEY, None):
            said = "[" * 100_000 if odd is None else json.dumps(json.loads(right) | odd)
            file.write_text(said)
            before = relay._heard_s
            for _ in range(2):
                relay._look_due_s = 0.0
                relay.turn()
            world.until(lambda before=before: relay.turn() or relay._heard_s > before, WAIT_S)
        file.write_text(right)
        relay._look_due_s = 0.0
        relay.turn()
        assert relay._connected_to == msgspec.json.decode(right, type=Upstream)


@pytest.mark.parametrize("odd", [NOWHERE, NO_SNAPSHOTS, NO_KEY])
def test_a_relay_begins_at_no_place_that_is_none(tmp_path, odd):
    right = {"market_data": "tcp://127.0.0.1:9", "snapshot": "tcp://127.0.0.1:9"}
    right["market_data_public_key"] = CurveKeys.new().public
    (tmp_path / "venue").mkdir()
    (tmp_path / "venue" / "endpoints.json").write_text(json.dumps(right | odd))
    settings = RelayConfig()
    sought = UpstreamSought(settings.whereabouts(tmp_path))
    with pytest.raises(ConfigError, match="the venue's endpoints: "):
        Relay(settings, CurveKeys.new(), sought)


@pytest.mark.nightly
def test_an_address_in_use_starts_nothing(tmp_path):
    with world_open(tmp_path / "one", relay=True) as one:
        one.start()
        address = one.venue.endpoints["market_data"]
        with world_open(tmp_path / "two", relay=True, market_data=address) as two:
            with pytest.raises(SecurityError, match="market_data: can not bind"):
                two.start()
            two.venue = None

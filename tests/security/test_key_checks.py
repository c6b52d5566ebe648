"""Who has no right to a socket gets no word from it; who has one gets nothing of another's.

Every socket of both daemons, as real processes; where a thread must be stopped, in this one.
"""

import contextlib
import json
import time
from socket import create_connection

import msgspec
import numpy as np
import psutil
import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from cea_exchange.client import Client, SessionError
from cea_exchange.control_plane.fronts.fronts import FRONT_BYTES
from cea_exchange.domain.records import ACCOUNT_NONE, EVENT_DTYPE, EventKind, Reason
from cea_exchange.loadtest.load_run import await_transfers
from cea_exchange.loadtest.local_exchange import LocalExchange
from cea_exchange.loadtest.population import Participant
from cea_exchange.protocol import control
from cea_exchange.protocol.security import CurveKeys, SecurityError
from cea_exchange.registry.config import RegistryConfig
from cea_exchange.registry.daemon import RegistryDaemon
from support.patience import patience
from support.registry.fake_venue import Caller
from support.security_page import message_bytes_max
from support.venue.handshakes import EVENTS, SOCKETS, curve_socket, gets_in
from support.venue.venue_world import enter, target, world_open

pytestmark = pytest.mark.e2e

# What everybody may see needs a key, any key, unless the venue says otherwise.
PUBLIC = {("venue", "market_data"), ("venue", "snapshot")}
RIGHTFUL = {
    ("venue", "gateway"): {"alice", "bob", "mallory"},
    **{place: {"alice", "bob", "mallory", "registry", "venue", "admin"} for place in PUBLIC},
    ("venue", "settlement"): {"registry"},
    ("venue", "replay"): {"registry"},
    ("venue", "admin"): {"admin"},
    ("registry", "feed"): {"venue"},
    ("registry", "admin"): {"admin"},
}
every_socket = pytest.mark.parametrize("place", SOCKETS, ids=".".join)


@pytest.fixture
def context():
    context = zmq.Context()
    yield context
    context.destroy(linger=0)


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    with LocalExchange(tmp_path_factory.mktemp("exchange")) as exchange:
        members = [Participant(name, "short", {}, 10**9, {}) for name in ("alice", "bob")]
        members.append(Participant("mallory", "short", {}, 10**9, {}))
        exchange.prepare(members, {"CEA24": 9749}, start="2025-01-02T08:30:00+08:00")
        exchange.start()
        await_transfers(exchange)
        exchange.operate("clock", at="2025-01-02T09:30:00+08:00")
        yield exchange


def server_key_of(exchange, place):
    if place in PUBLIC:
        return exchange.endpoint("venue", "market_data_public_key")
    return exchange.keys(place[0]).public


# -- No key, another key, a key that was taken back ------------------------------------------------


@every_socket
def test_a_strangers_key_is_refused(context, exchange, place):
    socket = curve_socket(context, place, CurveKeys.new(), server_key_of(exchange, place))
    assert gets_in(socket, exchange.endpoint(*place)) == (place in PUBLIC)


def test_who_proves_no_key_is_gone_after_three_seconds(exchange):
    """Whoever connects and says nothing, or begins as ZeroMQ does and says no more."""
    open_since = {}
    with contextlib.ExitStack() as sockets:
        for place in SOCKETS:
            host, _, port = exchange.endpoint(*place).removeprefix("tcp://").rpartition(":")
            for said in (b"", b"\xff\0\0\0\0\0\0\0\1\x7f\3"):
                one = sockets.enter_context(create_connection((host, int(port))))
                one.sendall(said)
                one.settimeout(30.0 * patience())
                open_since[one] = time.monotonic()
        for one, since_s in open_since.items():
            while one.recv(1_000):
                pass
            assert time.monotonic() - since_s < 5.0 * patience()


def test_strangers_and_revoked_keys_see_no_market_data_that_is_not_public(context, tmp_path):
    with world_open(tmp_path, market_data_public=False) as world:
        world.listed()
        world.registry.commands.append(control.KeyRevoked(key=world.keys["bob"].public))
        world.until(lambda: world.admin(op="status")["feed_seq"] == len(world.registry.commands))
        server_key = world.keys["venue"].public
        for name, is_rightful in (("stranger", False), ("bob", False), ("alice", True)):
            for place in PUBLIC:
                socket = curve_socket(context, place, world.keys[name], server_key)
                assert gets_in(socket, world.venue.endpoints[place[1]]) == is_rightful


@every_socket
@pytest.mark.parametrize("mechanism", ["null", "plain", "another server's key"])
def test_a_connection_without_the_right_mechanism_is_refused(context, exchange, place, mechanism):
    if mechanism == "another server's key":
        member = exchange.keys(min(RIGHTFUL[place]))
        socket = curve_socket(context, place, member, CurveKeys.new().public)
        # What it can't decrypt it can't answer: the connection never comes about.
        socket.connect(exchange.endpoint(*place))
        assert not socket.poll(300)
        return
    socket = context.socket(SOCKETS[place])
    if mechanism == "plain":
        socket.plain_username, socket.plain_password = b"admin", b"admin"
    if SOCKETS[place] == zmq.SUB:
        socket.subscribe(b"")
    assert not gets_in(socket, exchange.endpoint(*place))


@every_socket
@pytest.mark.parametrize("name", ["alice", "registry", "venue", "admin"])
def test_a_known_key_opens_its_own_doors_only(context, exchange, place, name):
    server_key = server_key_of(exchange, place)
    socket = curve_socket(context, place, exchange.keys(name), server_key)
    assert gets_in(socket, exchange.endpoint(*place)) == (name in RIGHTFUL[place])


def test_a_revoked_key_is_refused_where_it_was_let_in_before(context, exchange):
    """Its session ends, its orders go (CEA-ORD-11), and no door opens again."""
    keys, server_key = exchange.keys("mallory"), exchange.keys("venue").public
    gateway = curve_socket(context, ("venue", "gateway"), keys, server_key)
    gateway.connect(exchange.endpoint("venue", "gateway"))
    gateway.send_multipart([b"M", b""])
    assert gateway.poll(5_000 * patience())
    monitor = gateway.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    mallory = Client.connect(exchange.endpoint("venue", "gateway"), keys, server_key)
    mallory.answer(mallory.enter("CEA24", "buy", price="97.00", tonnes=10))
    assert exchange.operate("status")["orders_live"] == 1
    admin = Caller(
        exchange.keys("admin"),
        exchange.keys("registry").public,
        exchange.endpoint("registry", "admin"),
    )
    assert admin.ask({"op": "key_revoke", "key": keys.public})["ok"]
    admin.close()
    with pytest.raises(SessionError, match="revoked"):
        while True:
            mallory.poll(30.0 * patience())
    mallory.close()
    assert exchange.operate("status")["orders_live"] == 0
    # What it had open is ended.
    assert monitor.poll(10_000 * patience())
    assert recv_monitor_message(monitor)["event"] == zmq.EVENT_DISCONNECTED
    gateway.disable_monitor()
    monitor.close(linger=0)
    again = curve_socket(context, ("venue", "gateway"), keys, server_key)
    assert not gets_in(again, exchange.endpoint("venue", "gateway"))


# -- A key that has its rights, and too much to say ------------------------------------------------


@every_socket
def test_a_message_beyond_a_sockets_bound_ends_its_connection(context, exchange, place):
    """The bounds are those that SECURITY.md tells; one of just so many bytes is taken."""
    keys = exchange.keys("alice" if "alice" in RIGHTFUL[place] else min(RIGHTFUL[place]))
    socket = curve_socket(context, place, keys, server_key_of(exchange, place))
    monitor = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    socket.connect(exchange.endpoint(*place))
    bound = message_bytes_max(place)
    if SOCKETS[place] == zmq.SUB:
        say, bound = socket.subscribe, bound - 1  # one byte says that it is a subscription
    else:
        say = socket.send
    say(bytes(bound))
    assert not monitor.poll(500), f"a message of {bound} bytes ended the connection"
    say(bytes(bound + 128))
    assert monitor.poll(10_000 * patience()), f"a message of {bound + 128} bytes was taken"
    socket.disable_monitor()
    monitor.close(linger=0)


def test_no_secret_key_is_where_others_may_read(exchange):
    """In no log, journal, ledger or endpoints file, and in no process's arguments."""
    directory = exchange.keys_directory
    secrets = {path.read_bytes().strip() for path in directory.glob("*.secret")}
    assert len(secrets) == 7
    files = [path for path in exchange.data.rglob("*") if path.is_file()]
    others = [path for path in files if path.suffix != ".secret"]
    assert {"venue.log", "registry.log", "endpoints.json"} <= {path.name for path in others}
    for path in others:
        content = path.read_bytes()
        assert not any(secret in content for secret in secrets), path
    for daemon in ("venue", "registry"):
        process = psutil.Process(exchange.process_id(daemon))
        children = process.children(recursive=True)
        assert len(children) >= 2
        for one in (process, *children):
            shown = " ".join([*one.cmdline(), *one.environ().values()]).encode()
            assert not any(secret in shown for secret in secrets), one


# -- A handler that has stopped --------------------------------------------------------------------


def never_gets_in(socket, endpoint):
    """Connect, and make sure that nothing comes of it."""
    monitor = socket.get_monitor_socket(EVENTS)
    try:
        socket.connect(endpoint)
        until = time.monotonic() + 0.5
        # It tries again and again.
        while time.monotonic() < until and monitor.poll(300):
            assert recv_monitor_message(monitor)["event"] != zmq.EVENT_HANDSHAKE_SUCCEEDED
    finally:
        socket.disable_monitor()
        monitor.close(linger=0)
    assert not socket.poll(0)


def test_nobody_gets_into_a_venue_whose_handler_has_stopped(context, tmp_path):
    """Not even who has every right; and the venue ends by itself."""
    with world_open(tmp_path) as world:
        world.listed()
        world.venue._host.allow_list.close()
        world.until(lambda: world.failure is not None)
        assert "handler has stopped" in str(world.failure)
        for daemon, name in SOCKETS:
            if daemon == "venue" and name not in world.venue._fronts.doors:
                place = (daemon, name)
                keys = world.keys[min(RIGHTFUL[place])]
                socket = curve_socket(context, place, keys, world.keys["venue"].public)
                never_gets_in(socket, world.venue.endpoints[name])


def test_nobody_gets_into_a_registry_whose_handler_has_stopped(context, tmp_path):
    keys = {name: CurveKeys.new() for name in ("venue", "registry", "admin")}
    for name, pair in keys.items():
        pair.save(tmp_path / "keys", name)
    with RegistryDaemon(RegistryConfig(fronts=0), tmp_path) as daemon:
        endpoints = json.loads((tmp_path / "registry" / "endpoints.json").read_text())
        daemon._host.allow_list.close()
        socket = curve_socket(
            context, ("registry", "feed"), keys["venue"], keys["registry"].public
        )
        never_gets_in(socket, endpoints["feed"])
        with pytest.raises(SecurityError, match="handler has stopped"):
            daemon.run()


# -- Another's routing id --------------------------------------------------------------------------


def bob_under(world, routing_id):
    """Connect with Bob's key and a routing id of his choice."""
    place = ("venue", "gateway")
    socket = curve_socket(world.context, place, world.keys["bob"], world.keys["venue"].public)
    socket.routing_id = routing_id
    socket.connect(world.venue.endpoints["gateway"])
    return socket


def ask(socket, **request):
    with contextlib.suppress(zmq.Again):
        socket.send_multipart([b"M", msgspec.msgpack.encode(request)], zmq.NOBLOCK)


def test_who_takes_anothers_routing_id_gets_neither_its_session_nor_its_reports(tmp_path):
    """While it is there the connection is ignored; once it is gone, the key tells them apart."""
    with world_open(tmp_path, {"alice2": {"account": "alice", "operator_index": 1}}) as world:
        world.listed()
        alice = world.logged_on("alice")
        (session,) = world.venue.venue.orders.sessions
        thief = bob_under(world, session.routing_id[FRONT_BYTES:])
        ask(thief, op="logon")
        alice.command(enter(1, "buy", 9700))
        assert len(alice.reports(2)) == 2
        assert not thief.poll(200)
        alice.socket.close(0)

        thief.close(0)
        for number in range(20):
            thief = bob_under(world, session.routing_id[FRONT_BYTES:])
            ask(thief, op="logon")
            # Nothing comes while alice's connection is still known; a slow answer gets its time.
            if thief.poll(500 * (1 + number)):
                break
            thief.close(0)
        else:
            raise AssertionError("bob was never let in under the routing id")
        shown = msgspec.msgpack.decode(thief.recv_multipart()[1])
        assert shown["account"] == "bob"
        other = world.logged_on("alice2")
        other.command(enter(1, "buy", 9700))
        assert len(other.reports(2)) == 2
        ask(thief, op="replay", **{"from": 1, "count": 100})
        rows = np.frombuffer(thief.recv_multipart()[1], EVENT_DTYPE)
        assert set(rows["account_index"]) == {1}
        assert not thief.poll(200)


@pytest.mark.parametrize("routing_id", [b"alice", b"\0abc", b"\0abcdef", b"\1abcd"])
def test_a_routing_id_that_zeromq_does_not_give_is_refused(tmp_path_factory, routing_id):
    with world_open(tmp_path_factory.mktemp("venue")) as world:
        world.listed()
        socket = bob_under(world, routing_id)
        ask(socket, op="logon")
        assert socket.poll(5_000 * patience())
        assert msgspec.msgpack.decode(socket.recv_multipart()[1])["where"] == "session"
        assert world.admin(op="status")["sessions"] == 0


# -- Another's orders and reports ------------------------------------------------------------------


def test_a_participant_neither_sees_nor_touches_anothers_orders(tmp_path):
    """What another's order is, and that it is there at all, only the public book says."""
    with world_open(tmp_path) as world:
        world.listed()
        alice, bob = world.logged_on("alice"), world.logged_on("bob")
        alice.command(enter(1, "buy", 9700, 10), enter(2, "sell", 9800, 10))
        mine = [int(row["order_id"]) for row in alice.reports(4)[::2]]
        bob.command(
            target("cancel", 1, mine[0]),
            target("amend", 2, mine[0], price=9701, tonnes=1),
            target("cancel", 3, mine[1]),
            target("cancel", 4, 10**6),
        )
        rows = bob.reports(4)
        assert set(rows["kind"]) == {EventKind.ORDER_REJECTED}
        # An order of another's is refused as one that does not exist.
        assert set(rows["reason"]) == {Reason.ORDER_UNKNOWN}
        assert len({row.tobytes() for row in unnumbered(rows[[0, 2, 3]])}) == 1
        assert alice.receive(200) is None
        assert world.admin(op="status")["orders_live"] == 2
        # A replay, whatever its range, is of the own account.
        bob.send(b"M", msgspec.msgpack.encode({"op": "replay", "from": 1, "count": 5_000}))
        own = bob.reports_until(lambda rows: len(rows) >= 2 + 4)
        assert set(own["account_index"]) == {1}
        # Picking a named order is a trade, and shows nothing but its price and tonnes.
        bob.command(enter(5, "buy", 9800, 10, pick_order_id=mine[1]))
        trade = bob.reports(2)[1]
        assert (trade["kind"], trade["price"], trade["tonnes"]) == (EventKind.TRADE, 9800, 10)
        assert trade["counter_account_index"] == ACCOUNT_NONE
        assert not trade["counter_client_order_id"] and not trade["counter_report_seq"]
        book = bob.ask(op="book", product="CEA24")
        assert book["bids"][0]["orders"] == [[mine[0], 10]]
        assert "alice" not in repr(book)


def unnumbered(rows):
    rows = rows.copy()
    for field in ("seq", "report_seq", "client_order_id", "order_id", "time_ns"):
        if field in rows.dtype.names:
            rows[field] = 0
    return rows

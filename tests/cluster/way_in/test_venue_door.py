"""What a way in may say to a venue, and what of it a venue believes."""

import random

import msgspec
import pytest
import zmq

from cea_exchange.cluster.way_in import line_messages
from cea_exchange.protocol.security import CurveKeys, client_socket
from support.patience import patience
from support.rounds import ROUNDS
from support.venue.venue_world import enter, world_open

pytestmark = pytest.mark.e2e

INSTANCE = b"i" * line_messages.INSTANCE_BYTES
ONE = b"\1\0\0\0"
WAIT_MS = 30_000


class Line:
    """A raw line to a venue."""

    def __init__(self, world, keys):
        server_key = world.keys["venue"].public
        self.socket = client_socket(world.context, zmq.DEALER, keys=keys, server_key=server_key)
        self.socket.connect(world.venue.endpoints["way_in"])

    def begin(self, instance=INSTANCE):
        self.socket.send(line_messages.BEGIN + instance)
        return self.until(line_messages.STANDING)

    def says(self, key, tag, payload, connection=ONE):
        head = line_messages.arrived_head(connection, key)
        self.socket.send_multipart([head, tag, payload])

    def asks(self, key, **request):
        self.says(key, b"M", msgspec.msgpack.encode(request))
        while True:
            _, tag, payload = self.until(line_messages.SEND)
            if tag == b"M" and (said := msgspec.msgpack.decode(payload))["op"] != "heartbeat":
                return said

    def until(self, tag):
        """Return the next message of a kind."""
        while self.socket.poll(WAIT_MS * patience()):
            frames = self.socket.recv_multipart()
            if frames[0][:1] == tag:
                return frames
        raise AssertionError(f"no {tag} came")


@pytest.fixture
def keys():
    return CurveKeys.new()


@pytest.fixture
def world(tmp_path, keys):
    with world_open(tmp_path, way_in_keys=(keys.public,)) as world:
        world.listed()
        yield world


@pytest.fixture
def line(world, keys):
    line = Line(world, keys)
    line.begin()
    yield line
    line.socket.close()


def test_it_says_which_log_it_leads_and_whose_keys_are_granted(world, keys):
    line = Line(world, keys)
    line.socket.send(line_messages.BEGIN + INSTANCE)
    granted = line_messages.keys_read(line.until(line_messages.KEYS))
    assert set(granted.added) == {world.keys[name].public for name in ("alice", "bob")}
    standing = line_messages.standing_read(line.until(line_messages.STANDING))
    assert standing.log_id == world.venue.sequencer.journal.log_id
    line.socket.close()


def test_a_session_over_a_line_trades_as_any_other(world, line):
    alice = world.keys["alice"].public
    assert line.asks(alice, op="logon")["account"] == "alice"
    line.says(alice, b"C", enter(1, "buy").tobytes())
    while line.until(line_messages.SEND)[1] != b"R":
        pass  # A heartbeat may come before the report.
    assert world.admin(op="status")["orders_live"] == 1


def test_a_key_that_is_not_granted_is_refused_whoever_names_it(world, line):
    stranger = world.keys["stranger"].public
    assert line.asks(stranger, op="logon")["code"] == "NOT_AUTHENTICATED"


def test_one_key_has_one_session_over_whatever_way(world, line):
    alice = world.keys["alice"].public
    line.asks(alice, op="logon")
    peer = world.logged_on("alice")
    _, tag, payload = line.until(line_messages.SEND)
    while tag != b"M" or msgspec.msgpack.decode(payload)["op"] != "session_ended":
        _, tag, payload = line.until(line_messages.SEND)
    assert msgspec.msgpack.decode(payload)["reason"] == "taken_over"
    assert peer.ask(op="heartbeat")["op"] == "heartbeat"


def test_a_line_that_begins_anew_ends_the_one_before(world, keys, line):
    alice = world.keys["alice"].public
    line.asks(alice, op="logon")
    again = Line(world, keys)
    again.begin()
    assert again.asks(alice, op="logon")["op"] == "logon"
    # What still comes over the one before is nobody's.
    line.says(alice, b"C", enter(1, "buy").tobytes())
    assert again.asks(alice, op="biddings")["op"] == "biddings"
    assert world.admin(op="status")["orders_live"] == 0
    again.socket.close()


def test_a_stranger_may_not_be_a_way_in(world):
    line = Line(world, CurveKeys.new())
    monitor = line.socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_AUTH)
    assert monitor.poll(WAIT_MS * patience())
    line.socket.disable_monitor()
    monitor.close(linger=0)
    line.socket.close()


@pytest.mark.random
def test_nothing_that_a_way_in_says_ends_the_venue(world, line):
    draw = random.Random(5)
    heads = [b"", b"B", b"A", b"G", b"R", b"P", b"Z", b"A" + ONE, b"G" + ONE, b"A" + b"\xff" * 44]
    for _ in range(200 * ROUNDS):
        frames = [draw.choice(heads) + draw.randbytes(draw.choice((0, 0, 1, 4, 40)))]
        frames += [draw.randbytes(draw.randint(0, 70)) for _ in range(draw.randint(0, 4))]
        line.socket.send_multipart(frames)
    line.socket.send(line_messages.BEGIN + INSTANCE)
    assert line.asks(world.keys["alice"].public, op="logon")["op"] == "logon"
    assert world.failure is None

"""What one granted key can make a daemon's socket hold, and what it costs the others."""

import multiprocessing
import os
import socket as sockets
import time
from pathlib import Path

import pytest
import structlog
import zmq

from cea_exchange.control_plane.door import HELD_BYTES_MAX, HIGH_WATER_MARK, Door
from cea_exchange.control_plane.outbox import MESSAGE_BYTES, OutboxLimits
from cea_exchange.institution.control.admin_door import AdminDoor, answer_encoded
from cea_exchange.institution.control.request import REQUEST_BYTES_MAX
from cea_exchange.protocol.security import AllowList, CurveKeys, client_socket, server_socket
from support.patience import patience

pytestmark = pytest.mark.e2e

MIB = 1 << 20
WAIT_S = 60


def rss_bytes():
    """What this process has in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4_096


class Doorway:
    """A bound door, and whom it admits."""

    def __init__(self, limits=OutboxLimits()):
        self._context = zmq.Context()
        self._keys = CurveKeys.new()
        self.peers = [CurveKeys.new(), CurveKeys.new()]
        self._allow_list = AllowList(self._context)
        self._allow_list.allow("door", {keys.public for keys in self.peers}.__contains__)
        self.socket, self.endpoint = server_socket(
            self._allow_list,
            self._context,
            zmq.ROUTER,
            domain="door",
            keys=self._keys,
            address="tcp://127.0.0.1:0",
            high_water_mark=HIGH_WATER_MARK,
            message_bytes_max=REQUEST_BYTES_MAX,
        )
        self.socket_door = Door(
            self.socket,
            "admin",
            REQUEST_BYTES_MAX,
            tell=structlog.get_logger().warning,
            limits=limits,
        )
        self.door = AdminDoor(self.socket_door)
        self._clients = []

    @property
    def server_key(self):
        return self._keys.public

    def client(self, number=0, high_water_mark=1_000):
        client = client_socket(
            *(self._context, zmq.DEALER),
            keys=self.peers[number],
            server_key=self.server_key,
            high_water_mark=high_water_mark,
        )
        client.connect(self.endpoint)
        self._clients.append(client)
        return client

    def turns(self, seconds):
        """Let the door have its turns for so long."""
        self._turns(seconds, lambda: False)

    def turns_until(self, is_so):
        """Let it have them until something is so; longer where others want the processors."""
        self._turns(WAIT_S * patience(), is_so)
        return is_so()

    def _turns(self, seconds, is_so):
        end = time.monotonic() + seconds
        while time.monotonic() < end and not is_so():
            self.socket.poll(5)
            self.turn()

    def turn(self):
        self.socket_door.turn(time.monotonic())
        self.door.turn(time.monotonic())

    def close(self):
        for client in self._clients:
            client.close(linger=0)
        self.socket_door.close()
        self.socket.close()
        self._allow_list.close()
        self._context.term()


@pytest.fixture
def doorway():
    opened = Doorway()
    yield opened
    opened.close()


def flood(endpoint, server_key, keys, stop):
    """Send the largest messages there may be over many connections, and read nothing."""
    context = zmq.Context()
    sockets = [
        client_socket(context, zmq.DEALER, keys=keys, server_key=server_key, high_water_mark=2)
        for _ in range(12)
    ]
    for socket in sockets:
        socket.connect(endpoint)
    content = bytes(REQUEST_BYTES_MAX)
    while not stop.is_set():
        for socket in sockets:
            if socket.poll(0, zmq.POLLOUT):
                socket.send(content, zmq.NOBLOCK)
    context.destroy(linger=0)


def test_a_flood_over_many_connections_of_one_key_holds_a_bounded_part_of_memory(doorway):
    """And another key is served meanwhile."""
    spawning = multiprocessing.get_context("spawn")
    stop = spawning.Event()
    arguments = (doorway.endpoint, doorway.server_key, doorway.peers[0], stop)
    flooders = [spawning.Process(target=flood, args=arguments) for _ in range(2)]
    began_bytes = rss_bytes()
    for flooder in flooders:
        flooder.start()
    try:
        assert doorway.turns_until(lambda: doorway.door._queue.bytes_held > 8 * MIB)
        other = doorway.client(1)
        other.send(b"mine")
        most, served, began = 0, 0, time.monotonic()
        while time.monotonic() < began + (6 if served else WAIT_S * patience()):
            doorway.turns(0.02)
            message = doorway.door.next()
            if message is not None and message.payload == b"mine":
                served = time.monotonic() - began
                doorway.door.answer(message, b"yours")
            most = max(most, rss_bytes() - began_bytes)
        assert served and doorway.turns_until(lambda: other.poll(0)) and b"yours" == other.recv()
    finally:
        stop.set()
        for flooder in flooders:
            flooder.join(20)
            flooder.kill()
    print(f"held at most {most / MIB:.0f} MiB, another was served after {served:.2f} s")
    # What ZeroMQ holds of 24 connections depends on how often each of both sides has its turn.
    assert most < 2 * HELD_BYTES_MAX + 160 * MIB


def test_the_bytes_of_a_connection_are_counted_as_they_travel(doorway):
    """Nothing is left over when all was taken, however many frames there were."""
    client = doorway.client()
    for size in (0, 1, 200, 222, 223, 300, 70_000):
        client.send(bytes(size))
    client.send_multipart([b"a", b"b" * 900])
    assert doorway.turns_until(
        lambda: len(doorway.door) == 7 and doorway.door.unreadable.count == 1
    )
    (connection,) = doorway.socket_door.monitor._connections.values()
    assert connection.held_bytes() < 1_000  # its handshake


def test_a_number_that_is_another_files_by_now_is_not_watched(doorway, tmp_path):
    """libzmq tells of a connection by its descriptor's number, and later than it is so."""
    monitor, before = doorway.socket_door.monitor, len(os.listdir("/proc/self/fd"))
    ours, theirs = sockets.socketpair()
    with ours, theirs, (tmp_path / "file").open("w") as file, sockets.socket() as unbound:
        numbers = [ours.fileno(), file.fileno(), unbound.fileno()]
        for number in (*numbers, 1_000_000):
            monitor._add(number)
    monitor._add(numbers[0])
    assert {} == monitor._connections and before == len(os.listdir("/proc/self/fd"))


def test_who_comes_after_a_key_was_taken_away_is_not_ended_for_it(doorway):
    """Its question may be on its way; who came before and says nothing may have the key."""
    monitor = doorway.socket_door.monitor
    doorway.client()
    assert doorway.turns_until(lambda: len(monitor._connections) == 1)
    (before,) = monitor._connections
    monitor.nameless_doubt()
    after = doorway.client(1)
    assert doorway.turns_until(lambda: len(monitor._connections) == 2)
    monitor.end_keys(lambda key: False, "its key has no business here any more")
    assert before not in monitor._connections and monitor.closed_count == 1
    after.send(b"?")
    assert doorway.turns_until(lambda: len(doorway.door) == 1)


def test_a_message_of_many_frames_ends_its_connection(doorway):
    """libzmq keeps the frames until the last has come, and bounds messages only."""
    client = doorway.client()
    with structlog.testing.capture_logs() as logged:
        client.send_multipart([bytes(MIB)] * 40, zmq.NOBLOCK)
        assert doorway.turns_until(lambda: doorway.socket_door.monitor.closed_count > 0)
    assert "connections_closed" in {event["event"] for event in logged}


def test_who_does_not_read_is_disconnected(doorway):
    """Once his answers take up too much."""
    client = doorway.client(high_water_mark=1)
    client.send(b"look")
    assert doorway.turns_until(lambda: len(doorway.door) == 1)
    message = doorway.door.next()
    answered = 0
    while not doorway.socket_door.monitor.closed_count and answered < 100:
        doorway.door.answer(message, bytes(MIB))
        answered += 1
        doorway.turns(0.01)
    assert answered < 100 and doorway.socket_door._outbox.bytes_held == 0
    doorway.door.answer(message, b"to nobody")


@pytest.fixture
def impatient():
    opened = Doorway(OutboxLimits(wait_s_max=0))
    yield opened
    opened.close()


def test_who_takes_nothing_for_a_while_is_disconnected(impatient):
    """However little it is that waits for him."""
    doorway = impatient
    client = doorway.client(high_water_mark=1)
    client.send(b"look")
    assert doorway.turns_until(lambda: len(doorway.door) == 1)
    message = doorway.door.next()
    end = time.monotonic() + WAIT_S * patience()
    while not doorway.socket_door.monitor.closed_count and time.monotonic() < end:
        if message.routing_id not in doorway.socket_door._outbox:
            doorway.door.answer(message, bytes(MIB))
        assert doorway.socket_door._outbox.bytes_held <= MIB + MESSAGE_BYTES
        doorway.turns(0.01)
    assert doorway.socket_door.monitor.closed_count == 1


def test_a_burst_of_answers_arrives_whole_and_in_order(doorway):
    """More than a connection's queue takes at once."""
    client = doorway.client()
    client.send(b"look")
    assert doorway.turns_until(lambda: len(doorway.door) == 1)
    message = doorway.door.next()
    for number in range(500):
        doorway.door.answer(message, b"%d" % number)
    doorway.turns_until(lambda: not doorway.socket_door._outbox.routing_ids())
    got = []
    while client.poll(0) or (len(got) < 500 and doorway.turns_until(lambda: client.poll(0))):
        got.append(int(client.recv()))
        doorway.turn()
    assert list(range(500)) == got and not doorway.socket_door.monitor.closed_count


def test_what_is_no_request_is_told_once_with_its_count(doorway):
    client = doorway.client()
    with structlog.testing.capture_logs() as logged:
        for _ in range(300):
            client.send_multipart([b"two", b"frames"])
        assert doorway.turns_until(lambda: doorway.door.unreadable.count == 300)
        shown = [event for event in logged if event["event"] == "requests_unreadable"]
    assert 1 == len(shown) and shown[0]["socket"] == "admin"
    assert shown[0]["key"] == doorway.peers[0].public


def test_a_key_that_sends_too_much_is_told_so(doorway):
    client = doorway.client()
    for _ in range(1_025):
        client.send(b"act")
    assert doorway.turns_until(lambda: len(doorway.door) == 1_024 and bool(client.poll(0)))
    assert b"busy, nothing was done: expected at most 1024 requests of a key" in client.recv()


def test_an_answer_too_long_to_arrive_is_told_by_its_hash():
    content = answer_encoded({"ok": True, "certificates": ["x" * 2_000] * 1_000})
    assert len(content) < 200 and b"sha256" in content

"""What a front passes on between its sockets and its daemon's ring."""

import os
import socket
import time

import pytest
import zmq

from cea_exchange.control_plane._router import Router
from cea_exchange.control_plane.door import FRAMES_TAKEN_MAX
from cea_exchange.control_plane.fronts._passage import Passage
from cea_exchange.control_plane.fronts._ring import LinkEnded
from cea_exchange.control_plane.fronts.link import Arrived, Link, Reach, Send, memory_make
from support.patience import patience

WAIT_MS = 30_000
DOORS = 2


class Front:
    """Two doors with a peer each, and the daemon's end."""

    def __init__(self):
        self.context = zmq.Context()
        self.sockets, self.peers, self.noted = [], [], []
        for _ in range(DOORS):
            opened = self.context.socket(zmq.ROUTER)
            opened.setsockopt(zmq.ROUTER_MANDATORY, 1)
            opened.sndhwm = opened.rcvhwm = 4
            port = opened.bind_to_random_port("tcp://127.0.0.1")
            peer = self.context.socket(zmq.DEALER)
            peer.sndhwm = peer.rcvhwm = 4
            peer.connect(f"tcp://127.0.0.1:{port}")
            self.sockets.append(opened)
            self.peers.append(peer)
        memory = memory_make()
        own, other = socket.socketpair()
        self.daemon = Link(own, memory, is_front=False)
        self.link = Link(other, memory, is_front=True)
        os.close(memory)
        self.passage = Passage(
            self.link.fileno(),
            self.link.incoming,
            self.link.outgoing,
            [(Router(one, FRAMES_TAKEN_MAX), self._note(number))
             for number, one in enumerate(self.sockets)],
        )

    def _note(self, number):
        def note(descriptor, routing_id, key, wire_bytes):
            self.noted.append((number, descriptor, routing_id, key, wire_bytes))

        return note

    def received(self, number=1):
        """Let the front pass messages on until the daemon has so many, and return them."""
        arrived, until_s = [], time.monotonic() + WAIT_MS / 1_000 * patience()
        while len(arrived) < number and time.monotonic() < until_s:
            self.passage.run(5, 5)
            arrived += self.daemon.receive()
        return arrived

    def hello(self, door):
        """Let a peer send something, and return its routing id."""
        self.peers[door].send_multipart([b"M", b"hello"])
        (message,) = self.received()
        return message.routing_id

    def tell(self, *items):
        for item in items:
            self.daemon.put(item)
        self.daemon.flush()
        # It ends sooner, once nothing comes for 5 ms.
        self.passage.run(5, WAIT_MS)

    def close(self):
        self.daemon.close()
        self.link.close()
        self.context.destroy(linger=0)


@pytest.fixture
def front():
    made = Front()
    yield made
    made.close()


def test_a_message_passes_each_way_through_its_door(front):
    for door, peer in enumerate(front.peers):
        peer.send_multipart([b"C", b"%d" % door])
        (message,) = front.received()
        assert isinstance(message, Arrived)
        assert (message.door, message.key, message.frames) == (door, "", [b"C", b"%d" % door])
        number, descriptor, routing_id, key, wire_bytes = front.noted.pop()
        assert (number, routing_id, key) == (door, message.routing_id, "")
        assert descriptor > 2 and wire_bytes == 2 * (33 + 1 + 2)
        front.tell(Send(door, routing_id, (b"R", b"x" * 60_000)))
        assert peer.poll(WAIT_MS) and peer.recv_multipart() == [b"R", b"x" * 60_000]
    assert front.link.receive() == []


def test_many_pass_in_their_order(front):
    """More than the queues of the sockets have room for, and of both doors at once."""
    sent, arrived = [0, 0], [[], []]
    until_s = time.monotonic() + WAIT_MS / 1_000 * patience()
    while min(map(len, arrived)) < 200 and time.monotonic() < until_s:
        for door, peer in enumerate(front.peers):
            while sent[door] < 200 and peer.poll(0, zmq.POLLOUT):
                peer.send_multipart([b"C", b"%d" % sent[door]])
                sent[door] += 1
        for message in front.received():
            arrived[message.door].append(message.frames[1])
    assert arrived == 2 * [[b"%d" % number for number in range(200)]]


def test_frames_that_nobody_understands_are_dropped(front):
    front.peers[0].send_multipart([b"%d" % number for number in range(500)])
    front.peers[0].send_multipart([b"C", b"next"])
    long, after = front.received(2)
    assert long.frames == [b"0", b"1", b"2"]
    assert after.frames == [b"C", b"next"]
    assert sum(noted[4] for noted in front.noted) == 35 * 502 + sum(
        map(len, [b"%d" % number for number in range(500)])
    ) + len(b"Cnext")


def test_what_is_no_message_is_left_with_all_behind_it(front):
    routing_id = front.hello(0)
    said = [
        Send(0, routing_id, (b"R", b"1")),
        Reach(1),
        Send(0, routing_id, (b"R", b"2")),
    ]
    front.tell(*said)
    assert front.peers[0].recv_multipart() == [b"R", b"1"]
    assert front.link.receive() == said[1:]
    assert not front.peers[0].poll(20)


def test_a_message_to_nobody_is_left(front):
    lost = Send(0, b"\0none", (b"R", b"report"))
    front.tell(lost)
    assert front.link.receive() == [lost]


def test_a_message_through_a_door_that_is_held_is_left(front):
    """What goes to the other door before it is not."""
    routing_ids = [front.hello(door) for door in range(DOORS)]
    sends = [Send(door, routing_ids[door], (b"R", b"report")) for door in (1, 0)]
    front.passage.hold(0, True)
    front.tell(*sends)
    assert front.peers[1].poll(WAIT_MS) and front.link.receive() == sends[1:]
    front.passage.hold(0, False)
    front.tell(sends[1])
    assert front.peers[0].poll(WAIT_MS)
    with pytest.raises(IndexError):
        front.passage.hold(DOORS, True)


def test_who_does_not_read_is_left_to_the_front(front):
    """Nothing of a message has gone that is left."""
    routing_id = front.hello(0)
    left, sent = [], 0
    while not left:
        front.tell(Send(0, routing_id, (b"R", b"%d" % sent, bytes(100_000))))
        left = front.link.receive()
        sent += not left
    (message,) = left
    assert message.frames[:2] == (b"R", b"%d" % sent)
    for number in range(sent):
        assert front.peers[0].poll(WAIT_MS)
        assert front.peers[0].recv_multipart()[1] == b"%d" % number
        front.passage.run(5, 5)


def test_who_comes_waits_while_the_daemon_does_not_take(front):
    """In libzmq, whose queues are bounded, and not here."""
    content = bytes(500_000)
    sent, until_s = 0, time.monotonic() + 2
    while time.monotonic() < until_s:
        if front.peers[0].poll(0, zmq.POLLOUT):
            front.peers[0].send_multipart([b"C", content])
            sent += 1
        front.passage.run(1, 1)
    assert front.link.waiting_bytes < 2 * len(content)
    assert sent < 40
    messages = front.received(sent)
    assert len(messages) == sent and all(each.frames[1] == content for each in messages)


def test_a_daemon_that_ends_ends_its_front_after_its_last_words(front):
    routing_id = front.hello(0)
    front.daemon.put(Send(0, routing_id, (b"R", b"last")))
    front.daemon.flush()
    front.daemon.close()
    with pytest.raises(LinkEnded):
        while True:
            front.passage.run(5, 5)
            for item in front.link.receive():
                front.sockets[0].send_multipart([item.routing_id, *item.frames])
    assert front.peers[0].poll(WAIT_MS) and front.peers[0].recv_multipart() == [b"R", b"last"]


def test_it_waits_as_long_as_it_is_told_and_works_no_longer(front):
    began_s = time.monotonic()
    front.passage.run(0, WAIT_MS)
    assert time.monotonic() - began_s < WAIT_MS / 2_000
    began_s = time.monotonic()
    # The first run looks at the sockets without waiting.
    front.passage.run(200, WAIT_MS)
    assert 0.15 < time.monotonic() - began_s < WAIT_MS / 2_000


def test_a_closed_socket_is_not_touched(front):
    front.sockets[1].close(linger=0)
    with pytest.raises(zmq.ZMQError):
        front.passage.run(5, 5)

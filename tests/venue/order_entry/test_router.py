"""What arrives at a ROUTER is taken message by message, however many frames a sender makes."""

import pytest
import zmq

from cea_exchange.control_plane._router import Router
from cea_exchange.venue.publication.router import FRAMES_MAX, RouterMailbox

WAIT_MS = 5_000


@pytest.fixture
def ends():
    with zmq.Context() as context:
        router, dealer = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
        router.bind("inproc://venue")
        dealer.connect("inproc://venue")
        yield router, dealer
        router.close(linger=0)
        dealer.close(linger=0)


def test_a_message_of_very_many_frames_is_taken_a_part_at_a_look_and_dropped(ends):
    router, dealer = ends
    inbox = RouterMailbox(router)
    # What is behind the limit must not be taken for a message with a routing id of its own.
    dealer.send_multipart([b"\x00spoof"] * 10 * FRAMES_MAX)
    dealer.send_multipart([b"M", b"next"])
    taken = []
    looks = 0
    while len(taken) < 2:
        assert router.poll(WAIT_MS)
        message = inbox.receive()
        looks += 1
        if message is not None:
            taken.append(message)
    long, after = taken
    assert len(long.frames) == FRAMES_MAX
    assert after.frames == [b"M", b"next"]
    assert long.routing_id == after.routing_id
    assert looks > 5
    assert inbox.receive() is None


@pytest.mark.parametrize("count", [FRAMES_MAX - 1, FRAMES_MAX, FRAMES_MAX + 1])
def test_nothing_is_lost_behind_a_message_at_the_limit(ends, count):
    router, dealer = ends
    inbox = RouterMailbox(router)
    dealer.send_multipart([b"x"] * count)
    dealer.send_multipart([b"M", b"next"])
    taken = []
    while len(taken) < 2:
        assert router.poll(WAIT_MS)
        message = inbox.receive()
        if message is not None:
            taken.append(message.frames)
    assert [len(frames) for frames in taken] == [min(count, FRAMES_MAX), 2]


def test_a_message_is_sent_whole_and_a_peer_that_is_unknown_is_an_error(ends):
    router, dealer = ends
    router.setsockopt(zmq.ROUTER_MANDATORY, 1)
    dealer.send_multipart([b"M", b""])
    assert router.poll(WAIT_MS)
    door = Router(router, FRAMES_MAX)
    routing_id, key, frames = door.receive()
    assert (key, frames) == (None, [b"M", b""])
    for payload in (b"", b"bytes", bytearray(b"array"), memoryview(b"a view")[2:]):
        door.send(routing_id, b"R", payload)
        assert dealer.poll(WAIT_MS)
        assert dealer.recv_multipart() == [b"R", bytes(payload)]
    with pytest.raises(zmq.ZMQError, match="unreachable"):
        door.send(b"nobody", b"R", b"payload")
    door.send(routing_id, b"R", b"after")
    assert dealer.poll(WAIT_MS)
    assert dealer.recv_multipart() == [b"R", b"after"]


def test_where_there_is_no_room_nothing_is_sent(ends):
    router, dealer = ends
    router.setsockopt(zmq.ROUTER_MANDATORY, 1)
    dealer.send_multipart([b"M", b""])
    assert router.poll(WAIT_MS)
    door = Router(router, FRAMES_MAX)
    routing_id, _, _ = door.receive()
    sent = 0
    with pytest.raises(zmq.Again):
        while True:
            door.send(routing_id, b"R", b"%d" % sent)
            sent += 1
    got = [dealer.recv_multipart() for _ in range(sent)]
    assert got == [[b"R", b"%d" % number] for number in range(sent)]
    assert not dealer.poll(0)


def test_a_closed_socket_is_not_touched(ends):
    router, _ = ends
    door = Router(router, FRAMES_MAX)
    router.close(linger=0)
    with pytest.raises(zmq.ZMQError):
        door.receive()
    with pytest.raises(zmq.ZMQError):
        door.send(b"peer", b"R", b"")

"""What arrives at a ROUTER is taken message by message, however many frames a sender makes."""

import pytest
import zmq

from cea_exchange.venue.router import FRAMES_MAX, Inbox

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
    inbox = Inbox(router)
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
    inbox = Inbox(router)
    dealer.send_multipart([b"x"] * count)
    dealer.send_multipart([b"M", b"next"])
    taken = []
    while len(taken) < 2:
        assert router.poll(WAIT_MS)
        message = inbox.receive()
        if message is not None:
            taken.append(message.frames)
    assert [len(frames) for frames in taken] == [min(count, FRAMES_MAX), 2]

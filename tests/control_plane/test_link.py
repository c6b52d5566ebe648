"""A daemon and its front speak through memory that both have: nothing is lost, and no lie hurts."""

import mmap
import multiprocessing
import os
import random
import select
import signal
import socket
import struct
import threading
import time
from hashlib import sha256
from itertools import count

import pytest

from cea_exchange.control_plane.fronts._ring import RING_BYTES
from cea_exchange.control_plane.fronts.link import (
    Apart,
    Arrived,
    Calls,
    End,
    Gone,
    Link,
    LinkEnded,
    Reach,
    Reached,
    Send,
    memory_make,
)
from support.patience import patience

CONTENT_BYTES = 1 << 20
CONTENT_AT = RING_BYTES - CONTENT_BYTES
WRITTEN_AT, TAKEN_AT = 0, 64
HEAD = struct.Struct("<I4B4I")
ITEM, MESSAGE = 0, 1
WAIT_S = 30


class Ends:
    """Both ends of a link, and its memory as the front might write in it."""

    def __init__(self):
        memory = memory_make()
        own, other = socket.socketpair()
        self.daemon = Link(own, memory, is_front=False)
        self.front = Link(other, memory, is_front=True)
        self.memory = mmap.mmap(memory, 2 * RING_BYTES)
        os.close(memory)

    def place(self, at, value):
        """Say how far is written or taken: of the ring to the front first, then the other."""
        struct.pack_into("<Q", self.memory, at, value)

    def write(self, packet):
        """Write bytes into the ring to the daemon, and tell of them."""
        start = RING_BYTES + CONTENT_AT
        self.memory[start : start + len(packet)] = packet
        self.place(RING_BYTES + WRITTEN_AT, len(packet))

    def close(self):
        self.daemon.close()
        self.front.close()


@pytest.fixture
def ends():
    made = Ends()
    yield made
    made.close()


def is_called(end):
    """Tell whether the end's descriptor says that there is something to hear."""
    return bool(select.select([end], [], [], 0)[0])


def head(size, kind=MESSAGE, routing_id=0, key=0, frame_count=0, frames=(0, 0, 0)):
    return HEAD.pack(size, kind, 0, routing_id, key, frame_count, *frames)


def test_messages_and_items_arrive_in_their_order(ends):
    said = [
        Arrived(0, b"\0abcd", "k" * 40, [b"C", b"x" * 16_384]),
        Gone(1, b"\0abcd", True),
        Arrived(1, b"\0abcd", "", [b"", b"", b"third"]),
        Reached(7),
        Arrived(0, b"r" * 255, "k" * 40, []),
    ]
    for item in said:
        ends.front.put(item)
    assert ends.front.flush()
    assert ends.daemon.receive() == said
    shown = [Send(0, b"\0abcd", (b"R", b"y" * 60_000)), Apart({"key": 2}), End(1, b"\0abcd", "why")]
    for item in shown:
        ends.daemon.put(item)
    assert ends.daemon.flush()
    assert ends.front.receive() == shown
    assert ends.daemon.receive() == ends.front.receive() == []


def test_an_end_that_is_gone_is_known_before_what_it_left_is_taken(ends):
    calls, number = Calls(), ends.daemon.fileno()
    calls.follow(ends.daemon)
    assert ends.daemon.receive() == []
    assert calls.look() == []
    ends.front.put(Arrived(0, b"\0abcd", "key", [b"x"]))
    assert ends.front.flush()
    assert calls.look() == [(number, False)]
    ends.front._end.close()
    assert calls.look() == [(number, True)]
    assert len(ends.daemon.receive()) == 1


def test_who_does_not_listen_is_not_called(ends):
    calls = Calls()
    calls.follow(ends.daemon)
    assert ends.daemon.taken() == []
    ends.front.put(Reached(1))
    assert ends.front.flush()
    assert calls.look() == []
    assert ends.daemon.listen()
    assert ends.daemon.taken() == [Reached(1)]
    assert not ends.daemon.listen()
    ends.front.put(Reached(2))
    assert ends.front.flush()
    assert calls.look() == [(ends.daemon.fileno(), False)]
    ends.daemon.hear()
    assert calls.look() == []
    assert ends.daemon.taken() == [Reached(2)]
    ends.front._end.close()
    with pytest.raises(LinkEnded):
        ends.daemon.hear()


def test_every_kind_of_buffer_is_a_frame(ends):
    content = b"some reports"
    for frame in (content, bytearray(content), memoryview(b"xx" + content)[2:]):
        ends.daemon.send(0, b"\0abcd", (b"R", frame))
    assert [item.frames for item in ends.front.receive()] == 3 * [(b"R", content)]
    with pytest.raises(ValueError, match="at most 3 frames"):
        ends.daemon.send(0, b"\0abcd", 4 * (b"",))
    with pytest.raises(TypeError):
        ends.daemon.send(0, b"\0abcd", (b"R", "text"))
    assert ends.front.receive() == []


def test_the_ring_goes_round_and_nothing_is_cut(ends):
    """Many times its size, in packets of all sizes, with as many under way as there is room for."""
    chance = random.Random(15)
    waiting, sent_bytes = [], 0
    while sent_bytes < 20 * CONTENT_BYTES:
        while sum(map(len, waiting)) < chance.randrange(CONTENT_BYTES):
            waiting.append(chance.randbytes(chance.choice((0, 1, 60, 5_000, 65_536, 300_000))))
            ends.front.put(Arrived(0, b"\0abcd", "", [waiting[-1]]))
            sent_bytes += len(waiting[-1])
        ends.front.flush()
        for item in ends.daemon.receive():
            assert item.frames == [waiting.pop(0)]
    while waiting:
        ends.front.flush()
        for item in ends.daemon.receive():
            assert item.frames == [waiting.pop(0)]
    assert ends.front.waiting_bytes == 0


def test_a_packet_larger_than_the_ring_arrives_whole(ends):
    sizes = (CONTENT_BYTES - 40, CONTENT_BYTES, 3 * CONTENT_BYTES, 12 * CONTENT_BYTES + 1)
    large = [Arrived(0, b"\0abcd", "", [random.Random(size).randbytes(size)]) for size in sizes]
    small = Arrived(0, b"\0abcd", "", [b"between"])
    said = [each for item in large for each in (small, item)]
    for item in said:
        ends.front.put(item)
    # It is kept, and nobody waits for it.
    assert not ends.front.flush() and ends.front.waiting_bytes > 12 * CONTENT_BYTES
    arrived, until_s = [], time.monotonic() + WAIT_S * patience()
    while len(arrived) < len(said) and time.monotonic() < until_s:
        arrived += ends.daemon.receive()
        ends.front.flush()
    assert arrived == said
    assert ends.front.waiting_bytes == 0


def test_who_waits_is_called_once_and_for_something_only(ends):
    """Ends that call each other for nothing never rest."""
    assert ends.daemon.receive() == ends.front.receive() == []
    ends.front.flush()
    assert not is_called(ends.daemon)
    ends.front.put(Reached(1))
    assert not is_called(ends.daemon)
    ends.front.flush()
    assert is_called(ends.daemon)
    assert ends.daemon.receive() == [Reached(1)]
    assert ends.daemon.receive() == []
    assert not is_called(ends.daemon)
    # One who has not looked since it was called is not called again.
    for number in (2, 3):
        ends.front.put(Reached(number))
        ends.front.flush()
    assert ends.daemon._end.recv(100) == b"\0"
    assert ends.daemon.receive() == [Reached(2), Reached(3)]


def test_who_waits_for_room_is_called_when_there_is_some(ends):
    content = b"x" * 300_000
    while ends.front.flush():
        ends.front.put(Arrived(0, b"\0abcd", "", [content]))
    ends.front._is_over()
    assert not is_called(ends.front)
    ends.daemon.receive()
    assert is_called(ends.front)


def test_the_end_comes_after_the_last_that_was_said(ends):
    ends.front.put(Reached(1))
    ends.front.flush()
    ends.front.close()
    assert ends.daemon.receive() == [Reached(1)]
    with pytest.raises(LinkEnded, match="it has ended"):
        ends.daemon.receive()
    # What goes to one that is gone goes nowhere.
    for _ in range(3):
        ends.daemon.put(Reach(1))
        ends.daemon.flush()


def test_its_memory_can_not_be_made_shorter():
    """An end that did would end the other one."""
    memory = memory_make()
    for size in (0, RING_BYTES, 4 * RING_BYTES):
        with pytest.raises(PermissionError):
            os.ftruncate(memory, size)
    os.close(memory)


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        (head(0), "of 0 bytes"),
        (head(HEAD.size - 1), f"of {HEAD.size - 1} bytes"),
        (head(0xFFFFFFFF), "of 4294967295 bytes"),
        (head(HEAD.size, kind=9), "kind 9"),
        (head(HEAD.size, frame_count=4), "parts"),
        (head(HEAD.size, frame_count=0xFFFFFFFF), "parts"),
        (head(HEAD.size, frame_count=1, frames=(1, 0, 0)), "parts"),
        (head(HEAD.size, frame_count=3, frames=(0xFFFFFFFF, 1, 0xFFFFFFFF)), "parts"),
        (head(HEAD.size, routing_id=1), "parts"),
        (head(HEAD.size + 1, key=2, routing_id=255) + b"k", "parts"),
        (head(HEAD.size + 2, key=2) + b"\xff\xfe", "no packet"),
        (head(HEAD.size, kind=ITEM), "no packet"),
        (head(HEAD.size + 3, kind=ITEM) + b"\xc1\xc1\xc1", "no packet"),
        (head(HEAD.size + 1000, kind=ITEM) + b"\x91" * 1000, "no packet"),
    ],
)
def test_what_is_no_packet_ends_the_link(ends, packet, why):
    ends.write(packet)
    with pytest.raises(LinkEnded, match=why):
        ends.daemon.receive()


@pytest.mark.parametrize("written", [CONTENT_BYTES + 1, 1 << 63, (1 << 64) - 1])
def test_more_than_there_is_room_for_was_never_written(ends, written):
    ends.place(RING_BYTES + WRITTEN_AT, written)
    with pytest.raises(LinkEnded, match="more than there is room for"):
        ends.daemon.receive()


@pytest.mark.parametrize("taken", [HEAD.size + 6, 1 << 63, (1 << 64) - CONTENT_BYTES - 1])
def test_what_was_never_written_can_not_be_taken(ends, taken):
    """Whoever puts something is not disturbed by the lie; who flushes hears of it."""
    ends.place(TAKEN_AT, taken)
    for _ in range(3):
        ends.daemon.send(0, b"\0abcd", (b"R", b"report"))
    with pytest.raises(LinkEnded, match="what was never written"):
        ends.daemon.flush()


def scribble(memory, seed, stop):
    """Write anything anywhere, as often as it goes."""
    chance = random.Random(seed)
    while not stop.is_set():
        if chance.random() < 0.5:
            at = RING_BYTES + chance.choice((WRITTEN_AT, TAKEN_AT, 128, 192))
            value = chance.choice((chance.randrange(2 * CONTENT_BYTES), chance.getrandbits(64)))
            struct.pack_into("<Q", memory, at, value)
        else:
            at = RING_BYTES + CONTENT_AT + chance.randrange(0, 4_096)
            packet = head(
                chance.randrange(0, 3_000),
                chance.randrange(0, 3),
                *(chance.randrange(0, 50), chance.randrange(0, 50), chance.randrange(0, 5)),
                [chance.randrange(0, 2_000) for _ in range(3)],
            )
            memory[at : at + len(packet)] = packet


def test_who_scribbles_over_the_ring_is_heard_no_more_and_nothing_else_happens():
    """Other than what was written: the reader looks at nothing twice, and never beside the ring."""
    chance = random.Random(16)
    ended, began_s = 0, time.monotonic()
    # For three seconds, and longer where a busy machine has ended fewer links by then.
    while time.monotonic() < began_s + 3 or ended <= 10:
        assert time.monotonic() < began_s + WAIT_S * patience(), f"{ended} links ended"
        ends, stop = Ends(), threading.Event()
        scribbler = threading.Thread(
            target=scribble, args=(ends.memory, chance.getrandbits(32), stop)
        )
        scribbler.start()
        try:
            for _ in range(200):
                assert all(isinstance(item.door, int) for item in ends.daemon.receive()
                           if isinstance(item, Arrived))
                ends.daemon.send(0, b"\0abcd", (b"R", b"x" * 3_000))
                ends.daemon.flush()
        except LinkEnded:
            ended += 1
        finally:
            stop.set()
            scribbler.join()
            ends.close()
    assert ended > 10


def speak(end, memory):
    """Be a front that says what can be checked, until it is killed."""
    link = Link(end, memory, is_front=True)
    chance = random.Random(17)
    for number in count():
        content = chance.randbytes(chance.choice((10, 1_000, 50_000)))
        digest = sha256(b"%d" % number + content).digest()
        link.put(Arrived(0, b"\0abcd", "", [b"%d" % number, content, digest]))
        while not link.flush():
            select.select([link], [], [], 0.01)
            link._is_over()


def test_a_front_that_is_killed_while_it_writes_has_said_whole_messages():
    forking = multiprocessing.get_context("fork")
    chance = random.Random(18)
    heard = 0
    for number_killed in range(1, 101):
        memory = memory_make()
        own, other = socket.socketpair()
        front = forking.Process(target=speak, args=(other, memory))
        front.start()
        other.close()
        link = Link(own, memory, is_front=False)
        os.close(memory)
        killed_s = time.monotonic() + chance.uniform(0.05, 0.2)
        numbers = count()
        with pytest.raises(LinkEnded, match="it has ended"):
            while True:
                if front.is_alive() and time.monotonic() > killed_s:
                    os.kill(front.pid, signal.SIGKILL)
                    front.join(WAIT_S)
                for item in link.receive():
                    number, content, digest = item.frames
                    assert int(number) == next(numbers)
                    assert digest == sha256(number + content).digest()
        heard += next(numbers)
        front.join(WAIT_S)
        link.close()
        if number_killed >= 10 and heard > 1_000:
            break
    assert heard > 1_000

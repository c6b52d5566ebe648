"""What waits for who does not read: in order, in full frames, up to so many bytes."""

import pytest
import zmq

from cea_exchange.domain.records import EVENT_DTYPE
from cea_exchange.protocol.framing import TAG_MESSAGE, TAG_REPORTS
from cea_exchange.venue.backlogs import MESSAGE_BYTES, Backlogs
from cea_exchange.venue.gateway import REPORT_FRAME_BYTES_MAX, Answer

ALICE, BOB = b"\0aaaa", b"\0bbbb"
REPORT_BYTES = EVENT_DTYPE.itemsize


class Wire:
    """Takes `room` messages and then no more."""

    def __init__(self, room=0):
        self.room = room
        self.sent = []

    def __call__(self, frames):
        if not self.room:
            raise zmq.Again
        self.room -= 1
        self.sent.append((frames[0], frames[1], bytes(frames[2])))


def reports(count, mark):
    return Answer(ALICE, TAG_REPORTS, count * REPORT_BYTES * mark)


def test_messages_go_in_their_order_and_reports_in_full_frames():
    wire = Wire()
    backlogs = Backlogs(wire, 1 << 20)
    for answer in (
        reports(1, b"1"),
        reports(398, b"2"),
        reports(2, b"3"),
        Answer(ALICE, TAG_MESSAGE, b"beat"),
        reports(1, b"4"),
        Answer(ALICE, TAG_MESSAGE, b"beat"),
        Answer(ALICE, TAG_MESSAGE, b"beat"),
    ):
        assert backlogs.add(answer)
    backlogs.flush(ALICE)
    assert wire.sent == [] and ALICE in backlogs
    wire.room = 2
    backlogs.flush(ALICE)
    assert [len(payload) // REPORT_BYTES for _, _, payload in wire.sent] == [399, 2]
    wire.room = 10
    backlogs.flush(ALICE)
    tags = [tag for _, tag, _ in wire.sent]
    assert tags == [*2 * [TAG_REPORTS], TAG_MESSAGE, TAG_REPORTS, *2 * [TAG_MESSAGE]]
    said = b"".join(payload for _, tag, payload in wire.sent if tag == TAG_REPORTS)
    marked = ((1, b"1"), (398, b"2"), (2, b"3"), (1, b"4"))
    assert said == b"".join(reports(*one).payload for one in marked)
    assert not backlogs and ALICE not in backlogs


def test_each_may_have_so_many_bytes_and_a_small_message_counts_too():
    backlogs = Backlogs(Wire(), 10 * (MESSAGE_BYTES + 4))
    beat = Answer(ALICE, TAG_MESSAGE, b"beat")
    assert [backlogs.add(beat) for _ in range(11)] == [*10 * [True], False]
    assert backlogs.add(beat._replace(routing_id=BOB))
    backlogs.drop(ALICE)
    assert backlogs.next_ones(9) == [BOB]
    assert backlogs.add(beat)


def test_those_who_wait_take_turns():
    backlogs = Backlogs(Wire(), 1 << 20)
    for routing_id in (ALICE, BOB, b"c"):
        backlogs.add(Answer(routing_id, TAG_MESSAGE, b"beat"))
    turns = [backlogs.next_ones(2) for _ in range(3)]
    assert turns == [[ALICE, BOB], [b"c", ALICE], [BOB, b"c"]]


def test_what_has_gone_makes_room():
    wire = Wire()
    backlogs = Backlogs(wire, 3 * (REPORT_FRAME_BYTES_MAX + MESSAGE_BYTES))
    for _ in range(20):
        while backlogs.add(reports(400, b"x")):
            pass
        wire.room = 2
        backlogs.flush(ALICE)
    assert len(wire.sent) == 40


def test_a_connection_that_is_gone_is_told():
    def gone(frames):
        raise zmq.ZMQError(zmq.EHOSTUNREACH)

    backlogs = Backlogs(gone, 1 << 20)
    backlogs.add(reports(1, b"1"))
    with pytest.raises(zmq.ZMQError):
        backlogs.flush(ALICE)

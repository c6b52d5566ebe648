"""What waits for a connection that does not read is in order, and bounded in bytes."""

import pytest

from cea_exchange.control_plane.outbox import MESSAGE_BYTES, Outbox, OutboxLimits


@pytest.fixture
def outbox():
    return Outbox(OutboxLimits(connection_bytes_max=1_000, bytes_max=2_500, wait_s_max=5.0))


def test_messages_wait_in_their_order_and_leave_nothing(outbox):
    for number in range(3):
        assert outbox.put(b"a", (b"R", b"%d" % number), 0.0)
    assert b"a" in outbox and outbox.bytes_held == 3 * (MESSAGE_BYTES + 2)
    taken = []
    while b"a" in outbox:
        taken.append(outbox.first(b"a"))
        outbox.sent(b"a", 1.0)
    assert taken == [(b"R", b"0"), (b"R", b"1"), (b"R", b"2")]
    assert (outbox.bytes_held, len(outbox), outbox.routing_ids()) == (0, 0, [])


def test_a_message_costs_more_than_its_frames(outbox):
    """Thousands of small ones would fill memory else."""
    count = 0
    while outbox.put(b"a", (b"",), 0.0):
        count += 1
    assert count == 1_000 // MESSAGE_BYTES


def test_one_has_its_own_bound_and_all_have_theirs(outbox):
    content = (b"x" * (1_000 - MESSAGE_BYTES),)
    assert outbox.put(b"a", content, 0.0)
    assert not outbox.put(b"a", (b"",), 0.0)
    assert outbox.put(b"b", content, 0.0)
    assert not outbox.put(b"c", content, 0.0)
    outbox.drop(b"a")
    assert outbox.put(b"c", content, 0.0)
    assert outbox.bytes_held == 2_000


def test_who_takes_something_begins_to_wait_anew(outbox):
    outbox.put(b"a", (b"1",), 0.0)
    outbox.put(b"a", (b"2",), 4.0)
    assert not outbox.is_stuck(b"a", 5.0) and outbox.is_stuck(b"a", 5.1)
    outbox.sent(b"a", 5.0)
    assert not outbox.is_stuck(b"a", 10.0) and outbox.is_stuck(b"a", 10.1)

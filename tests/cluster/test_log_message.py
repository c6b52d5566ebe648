"""Messages of the log: what is not as written, or does not follow, is refused with its place."""

import pytest

from cea_exchange.cluster.errors import LogDamaged
from cea_exchange.cluster.log_message import (
    CHAIN_START,
    HEAD_BYTES,
    Chain,
    EndRecord,
    HandoverRecord,
    Head,
    MessageKind,
    epoch_record,
    message_decode,
    message_encode,
    record_decode,
    record_encode,
)
from support.cluster.epochs import RECORD


def message(log_seq, chain, kind, *parts, epoch=None, epoch_log_seq=None, first=None, count=0):
    """Return a message that follows a chain, but for what is given otherwise."""
    head = Head(
        kind,
        chain.epoch if epoch is None else epoch,
        chain.epoch_log_seq if epoch_log_seq is None else epoch_log_seq,
        chain.next_seq if first is None else first,
        count,
        chain.sha256,
    )
    return message_decode(log_seq, message_encode(head, list(parts)))


def begun(first=1):
    """Return a chain behind a log's first message."""
    chain = Chain()
    assert chain.sha256 == CHAIN_START
    record = record_encode(RECORD)
    chain.follow(
        message(1, chain, MessageKind.EPOCH, record, epoch=1, epoch_log_seq=1, first=first)
    )
    return chain


def test_a_message_comes_back_as_it_was_written():
    chain = begun()
    taken = message(2, chain, MessageKind.FRAMES, b"one", b"two", count=5)
    assert taken.payload == b"onetwo"
    chain.follow(taken)
    assert (chain.log_seq, chain.next_seq, chain.epoch, chain.epoch_log_seq) == (2, 6, 1, 1)


@pytest.mark.parametrize("place", [0, 5, 7, 9, 20, HEAD_BYTES - 1, HEAD_BYTES, HEAD_BYTES + 2])
def test_a_changed_byte_is_found(place):
    chain = begun()
    head = Head(MessageKind.FRAMES, 1, 1, 1, 3, chain.sha256)
    data = bytearray(message_encode(head, [b"abc"]))
    data[place] ^= 1
    with pytest.raises(LogDamaged, match="message 2 of the log"):
        message_decode(2, bytes(data))


def test_a_cut_message_is_found():
    data = message_encode(Head(MessageKind.FRAMES, 1, 1, 1, 3, CHAIN_START), [b"abc"])
    for size in (0, 3, HEAD_BYTES - 1, HEAD_BYTES, len(data) - 1):
        with pytest.raises(LogDamaged):
            message_decode(2, data[:size])


def test_records_come_back_and_others_are_no_records():
    chain = begun()
    handed = HandoverRecord(node="one", successor="two")
    handing = message(2, chain, MessageKind.HANDOVER, record_encode(handed))
    assert record_decode(handing) == handed
    assert record_decode(message(2, chain, MessageKind.FRAMES, b"x", count=1)) is None
    with pytest.raises(LogDamaged, match="expected an epoch record, got HANDOVER"):
        epoch_record(handing)
    with pytest.raises(LogDamaged, match="message 2 of the log: EPOCH: "):
        record_decode(message(2, chain, MessageKind.EPOCH, b"\xc1"))


@pytest.mark.parametrize(
    ("log_seq", "kind", "changed", "words"),
    [
        (3, MessageKind.FRAMES, {}, "its number: expected 2, got 3"),
        (2, MessageKind.FRAMES, {"epoch": 2}, "its epoch: expected 1, got 2"),
        (2, MessageKind.FRAMES, {"epoch_log_seq": 2}, "its epoch's record: expected 1, got 2"),
        (2, MessageKind.FRAMES, {"first": 2}, "its first sequence: expected 1, got 2"),
        (2, MessageKind.EPOCH, {}, "its epoch: expected 2, got 1"),
        (2, MessageKind.EPOCH, {"epoch": 2}, "its epoch's record: expected 2, got 1"),
    ],
)
def test_what_does_not_follow_is_refused(log_seq, kind, changed, words):
    chain = begun()
    with pytest.raises(LogDamaged, match=words):
        chain.follow(message(log_seq, chain, kind, b"x", count=1, **changed))
    assert chain.log_seq == 1


def test_a_message_that_was_exchanged_breaks_the_chain():
    chain, other = begun(), begun()
    first = message(2, chain, MessageKind.FRAMES, b"one", count=1)
    chain.follow(first)
    other.follow(message(2, other, MessageKind.FRAMES, b"two", count=1))
    with pytest.raises(LogDamaged, match="SHA-256 of the message before"):
        other.follow(message(3, chain, MessageKind.FRAMES, b"three", count=1))


def test_after_a_handover_or_an_end_comes_an_epoch_record():
    chain = begun()
    handed = record_encode(HandoverRecord(node="one", successor="two"))
    chain.follow(message(2, chain, MessageKind.HANDOVER, handed))
    with pytest.raises(LogDamaged, match="after a handover: expected an epoch record"):
        chain.follow(message(3, chain, MessageKind.FRAMES, b"x", count=1))
    chain.follow(
        message(3, chain, MessageKind.EPOCH, record_encode(RECORD), epoch=2, epoch_log_seq=3)
    )
    chain.follow(message(4, chain, MessageKind.END, record_encode(EndRecord(node="one"))))
    with pytest.raises(LogDamaged, match="expected an epoch record, got FRAMES"):
        chain.follow(message(5, chain, MessageKind.FRAMES, b"x", first=100, count=1))
    # The journal has gone on alone meanwhile.
    again = record_encode(RECORD)
    chain.follow(
        message(5, chain, MessageKind.EPOCH, again, epoch=3, epoch_log_seq=5, first=100)
    )
    assert chain.next_seq == 100

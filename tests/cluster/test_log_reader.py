"""Who follows the log reads on past what one node can't read, and halts where nobody has it."""

import time

import msgspec
import pytest

from cea_exchange.cluster import log_reader
from cea_exchange.cluster.config import ClusterConfig
from cea_exchange.cluster.connection import LogConnection
from cea_exchange.cluster.errors import LogDamaged
from cea_exchange.cluster.log_message import (
    Chain,
    Head,
    MessageKind,
    message_decode,
    message_encode,
    record_encode,
)
from cea_exchange.cluster.log_nodes.local import LogNodes
from cea_exchange.cluster.log_reader import LogReader
from cea_exchange.cluster.replicated_log import Outcome, ReplicatedLog
from support.cluster.epochs import RECORD
from support.patience import patience

pytestmark = pytest.mark.e2e
READ_S = 30.0
MARKS = [b"second of them", b"third of them", b"fourth of them", b"fifth of them"]


def filled(shared):
    """Append a record and a message for each mark."""
    chain = Chain()
    parts = [(MessageKind.EPOCH, record_encode(RECORD), 0)]
    parts += [(MessageKind.FRAMES, mark, 1) for mark in MARKS]
    for log_seq, (kind, part, count) in enumerate(parts, 1):
        head = Head(kind, 1, 1, chain.next_seq or 1, count, chain.sha256)
        data = message_encode(head, [part])
        assert shared.append(log_seq - 1, f"message-{log_seq}", data) is Outcome.ACKED
        chain.follow(message_decode(log_seq, data))


def flipped(log_nodes, number, mark):
    """Flip a bit of a message in the copy that a node has."""
    folder = log_nodes.data(number) / "store"
    (block,) = folder.rglob("cea-journal/msgs/*.blk")
    content = bytearray(block.read_bytes())
    content[content.index(mark)] ^= 1
    block.write_bytes(content)


def read(connection, seconds):
    """Return what a new reader gets of the log, and what ended it."""
    reader, found = LogReader(connection, 1), []
    end_s = time.monotonic() + seconds
    try:
        while len(found) < 5 and time.monotonic() < end_s:
            found += [message.log_seq for message in reader.take(0.1)]
    except LogDamaged as error:
        return found, error
    finally:
        reader.close()
    return found, None


@pytest.mark.parametrize("copies", [pytest.param(1, marks=pytest.mark.nightly), 3])
def test_a_damaged_copy_is_read_past_and_a_message_that_all_lost_is_named(
    tmp_path, monkeypatch, copies
):
    """It created 150 consumers a second, until the log took no more from anybody."""
    monkeypatch.setattr(log_reader, "MISSING_S_MAX", 2.0 * patience())
    with LogNodes(tmp_path) as log_nodes:
        log_nodes.start()
        config = msgspec.convert(log_nodes.cluster_settings("one"), ClusterConfig)
        with LogConnection(config, tmp_path) as connection:
            shared = ReplicatedLog(connection)
            shared.make()
            filled(shared)
            assert read(connection, READ_S * patience()) == ([1, 2, 3, 4, 5], None)
            leader = shared.info().leader
        leads = next(n for n, node in enumerate(log_nodes.settings) if node.node == leader)
        others = [number for number in range(3) if number != leads]
        for number in (*others, leads):
            log_nodes.stop(number)
        for number in range(3) if copies == 3 else others[:1]:
            flipped(log_nodes, number, MARKS[1])
        log_nodes.start()
        with LogConnection(config, tmp_path) as connection:
            found, error = read(connection, READ_S * patience())
            stream = connection.call(connection.ask("STREAM.INFO.cea-journal"), READ_S)
            if copies == 3:
                assert found == [1, 2]
                assert "message 3 of the log: it is missing, and the log has 5" in str(error)
            else:
                assert (found, error) == ([1, 2, 3, 4, 5], None)
            assert stream["state"]["consumer_count"] <= 10 * patience()

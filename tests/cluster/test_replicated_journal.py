"""The replicated journal on three log nodes: what counts is in the log, and nothing else is."""

import threading
import time
from functools import partial

import msgspec
import pytest

from cea_exchange.cluster.config import ClusterConfig
from cea_exchange.cluster.connection import LogConnection
from cea_exchange.cluster.endings import Fenced
from cea_exchange.cluster.errors import ClusterRefused
from cea_exchange.cluster.log_message import (
    MESSAGE_BYTES_MAX,
    Chain,
    EpochRecord,
    Head,
    MessageKind,
    message_encode,
    record_encode,
)
from cea_exchange.cluster.log_nodes.local import LogNodes
from cea_exchange.cluster.log_reader import LogReader
from cea_exchange.cluster.replicated_journal import ReplicatedJournal
from cea_exchange.cluster.replicated_log import Outcome, ReplicatedLog
from cea_exchange.journal import (
    FrameKind,
    Journal,
    JournalPoisoned,
    OsStorage,
    SegmentReader,
    read_frames,
)
from cea_exchange.journal.frame_bytes import frames_last, frames_split
from cea_exchange.venue.replication.local_tail import agreement, set_aside

# The log is one for all tests, and each goes on where the one before it ended.
pytestmark = [pytest.mark.e2e, pytest.mark.random_order(disabled=True)]
IDENTITY = {"code_version": "0.1.0", "schema_version": 3, "profile_hash": "b" * 64}
LOG_ID, INCARNATION = "c" * 32, "d" * 32


@pytest.fixture(scope="module")
def log_nodes(tmp_path_factory):
    with LogNodes(tmp_path_factory.mktemp("log")) as nodes:
        nodes.start()
        yield nodes


class Writer:
    """A node that can write: its own journal, and its view of the log."""

    def __init__(self, log_nodes, folder, name):
        config = msgspec.convert(log_nodes.cluster_settings(name), ClusterConfig)
        self.folder = folder / name
        self.connection = LogConnection(config, folder)
        self.log = ReplicatedLog(self.connection)
        self.log.make()
        self.local = self.journal = None

    def catch_up(self):
        """Follow the log to its end, and return the chain there."""
        base = base_of(self.log)
        agreed = agreement(
            *(self.folder, self.log, base, self.log.info().last_log_seq),
            storage=OsStorage(),
            archive=None,
        )
        if agreed.cut is not None:
            set_aside(self.folder, agreed.cut, OsStorage())
        self.open(agreed.cut)
        chain = Chain(agreed.last)
        for log_seq in range(chain.log_seq + 1, self.log.info().last_log_seq + 1):
            message = self.log.require(log_seq)
            chain.follow(message)
            if message.head.kind is MessageKind.FRAMES:
                assert list(self.local.append_frames(message.payload)) is not None
        self.local.sync()
        self.chain = chain
        return chain

    def open(self, cut=None):
        """Open the journal here, as a node does once it knows what of it counts."""
        reader = SegmentReader(
            self.folder / "journal", storage=OsStorage(), cut_torn_tail=True, cut=cut
        )
        for _ in reader.frames():
            pass
        self.local = Journal.open(
            self.folder / "journal", log_id=LOG_ID, identity=IDENTITY, tail=reader.tail
        )

    def lead(self):
        """Have the log take an epoch record; return whether it did."""
        info = self.log.info()
        if info.last_log_seq == 0:
            self.open()
            chain = Chain()
        elif self.local is None:
            chain = self.catch_up()
        else:
            chain = self.chain
        record = EpochRecord(
            node=self.connection.config.node,
            incarnation=INCARNATION,
            log_id=LOG_ID,
            base_log_seq=0 if info.last_log_seq == 0 else base_of(self.log).log_seq,
            state_hash=0,
            **IDENTITY,
        )
        place = chain.log_seq + 1
        head = Head(
            *(MessageKind.EPOCH, chain.epoch + 1, place, self.local.next_seq, 0, chain.sha256)
        )
        data = message_encode(head, [record_encode(record)])
        outcome = self.log.append(chain.log_seq, f"E{place}-{record.node}", data)
        if outcome is Outcome.ACKED:
            chain.follow(self.log.require(place))
            self.journal = ReplicatedJournal(self.local, self.log, chain, INCARNATION)
        return outcome is Outcome.ACKED

    def write(self, *payloads, time_ns=1):
        for payload in payloads:
            self.journal.append(FrameKind.CONTROL, 1, time_ns, payload)
        return self.journal.sync()

    def close(self):
        if self.local is not None:
            (self.journal or self.local).close()
        self.connection.close()


def base_of(log):
    return log.require(1)


def frames_of(log):
    """Return all frames that the log has."""
    frames = []
    for log_seq in range(1, log.info().last_log_seq + 1):
        message = log.require(log_seq)
        if message.head.kind is MessageKind.FRAMES:
            frames += [frame for frame, _ in frames_split(message.payload)]
    return frames


@pytest.fixture
def writers(log_nodes, tmp_path, request):
    opened = []

    def made(name):
        opened.append(Writer(log_nodes, tmp_path, name))
        return opened[-1]

    yield made
    for each in opened:
        each.close()


def test_a_fenced_writer_ends_and_its_tail_is_set_aside(writers, log_nodes, tmp_path):
    one, two = writers("one"), writers("two")
    assert one.lead()
    assert one.write(b"a", b"b") == 2
    two.catch_up()
    assert two.lead()
    # One does not know yet that another leads. What it writes now never counts.
    with pytest.raises(Fenced, match="is another leader's"):
        one.write(b"never")
    with pytest.raises(JournalPoisoned):
        one.write(b"nor this")
    assert two.write(b"c") == 3
    one.close()
    back = writers("one")
    back.catch_up()
    (aside,) = (tmp_path / "one" / "set_aside").iterdir()
    ((frame, _),) = frames_split(aside.read_bytes())
    assert (frame.first_seq, frame.payload) == (3, b"never")
    shared = frames_of(two.log)
    assert [frame.payload for frame in shared] == [b"a", b"b", b"c"]
    back.local.close()
    assert list(read_frames(tmp_path / "one" / "journal")) == shared
    # A power loss took a frame that was not synced yet, and left those after it.
    for number, payload in enumerate((b"d", b"e", b"f"), 4):
        assert two.write(payload) == number
    writers("standby").catch_up()
    (segment,) = (tmp_path / "standby" / "journal").iterdir()
    content = segment.read_bytes()
    places = [offset for offset, _ in frames_last(segment, content)]
    assert len(places) == 6
    for lost in (0, 3):
        hole = bytes(places[lost + 1] - places[lost])
        segment.write_bytes(content[: places[lost]] + hole + content[places[lost + 1] :])
        torn = writers("standby")
        torn.catch_up()
        torn.local.close()
        assert list(read_frames(tmp_path / "standby" / "journal")) == frames_of(two.log)
        for made in (tmp_path / "standby" / "journal").iterdir():
            made.unlink()
    # A frame that is here and in the log, and one that counted and the log has lost.
    lost = Journal.open(tmp_path / "one" / "journal", identity=IDENTITY)
    for payload in (b"d", b"e"):
        lost.append(FrameKind.CONTROL, 1, 2, payload)
        lost.sync()
    lost.abandon()
    with pytest.raises(ClusterRefused, match="acknowledged work is missing from the log"):
        agreement(
            *(tmp_path / "one", two.log, base_of(two.log), two.log.info().last_log_seq),
            storage=OsStorage(),
            archive=None,
        )


def test_an_unknown_outcome_is_asked_for_until_it_is_definite(writers, log_nodes):
    one = writers("three")
    assert one.lead()
    before = len(frames_of(one.log))
    for number in (0, 1):
        log_nodes.freeze(number)
    thaw = threading.Timer(2.5, lambda: [log_nodes.thaw(number) for number in (0, 1)])
    thaw.start()
    began_s = time.monotonic()
    one.write(b"while two of three stand still", time_ns=5)
    assert time.monotonic() - began_s > 2.0
    thaw.join()
    assert [frame.payload for frame in frames_of(one.log)[before:]] == [
        b"while two of three stand still"
    ]


def test_much_at_once_is_several_messages_and_is_read_in_order(writers):
    one = writers("four")
    assert one.lead()
    before, next_log_seq = frames_of(one.log), one.log.info().last_log_seq + 1
    big = [bytes([number]) * (1 << 20) for number in range(6)]
    seq = one.write(*big, time_ns=6)
    assert seq == one.local.next_seq - 1
    assert one.log.info().last_log_seq > next_log_seq
    assert sum(map(len, big)) > MESSAGE_BYTES_MAX
    reader, payloads = LogReader(one.connection, next_log_seq), []
    while len(payloads) < len(big):
        for message in reader.take(1.0):
            payloads += [frame.payload for frame, _ in frames_split(message.payload)]
    reader.close()
    assert payloads == big
    assert len(before) + len(big) == len(frames_of(one.log))


def test_a_message_whose_id_is_known_counts_only_if_it_is_what_is_there(writers):
    one = writers("five")
    assert one.lead()
    last = one.log.require(one.journal.log_seq)
    ours, theirs = (
        message_encode(
            Head(MessageKind.FRAMES, *(last.head[1:3]), last.head.next_seq, 0, last.sha256), parts
        )
        for parts in ([], [b"theirs"])
    )
    append = partial(one.log.append, last.log_seq, "an id")
    assert append(ours) is Outcome.ACKED
    assert append(ours) is Outcome.ACKED
    assert append(theirs) is Outcome.FENCED
    assert one.log.require(last.log_seq + 1).payload == b""

"""A standby in this process: the same market, events and journal as the leader's, or it halts."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import msgspec
import numpy as np
import pytest

from cea_exchange.cluster.config import ClusterConfig
from cea_exchange.cluster.endings import Fenced
from cea_exchange.cluster.errors import ClusterRefused, Halted
from cea_exchange.cluster.node_state import node_states
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import Phase
from cea_exchange.journal import JournalFull, OsStorage, SegmentReader
from cea_exchange.journal.row_file import HEADER_BYTES
from cea_exchange.protocol import control
from cea_exchange.venue.config import VenueConfig
from cea_exchange.venue.durability.sequencer import Sequencer
from cea_exchange.venue.maintenance.backup import backup, restore
from cea_exchange.venue.maintenance.verify import verify_data
from cea_exchange.venue.replication import member as member_module
from cea_exchange.venue.replication.membership import join
from support.cluster.members import DATE, day_begin, members_open, orders
from support.patience import patience

pytestmark = pytest.mark.e2e

WAIT_S = 30.0


@pytest.fixture
def nodes(tmp_path):
    with members_open(tmp_path) as nodes:
        yield nodes


def frames(folder):
    reader = SegmentReader(folder / "journal", storage=OsStorage(), cut_torn_tail=True)
    return list(reader.frames())


def state_hash(member):
    return member.sequencer.machine.core.state_hash()


def test_a_standby_has_the_same_market_events_and_journal_and_leads_on(nodes):
    one = nodes.leader("one")
    day_begin(one.sequencer)
    two = nodes.open("two")
    for number in range(5):
        one.sequencer.run_records(orders(1 + 20 * number, 20, number % 2))
    traded = one.sequencer.machine.core.event_seq
    nodes.level(two)
    assert state_hash(two) == state_hash(one)
    assert two.sequencer.machine.core.event_seq == traded > 100
    seqs = np.arange(1, traded + 1, dtype=np.uint64)
    events = one.sequencer.event_rows(seqs)
    assert two.sequencer.event_rows(seqs).tobytes() == events.tobytes()
    # A planned change: the other leads at once, and numbers go on.
    one.hand_over("two")
    nodes.level(two)
    assert two.lead_if_due() and two.leads and two.epoch == one.epoch + 1
    more = two.sequencer.run_records(orders(101, 20, 0))
    assert more["seq"].min() == two.sequencer.event_rows(seqs[-1:])[0]["seq"] + 1
    nodes.close(one)
    again = nodes.open("one")
    nodes.level(again)
    assert state_hash(again) == state_hash(two)
    for member in (again, two):
        nodes.close(member)
    assert frames(nodes.folder / "one") == frames(nodes.folder / "two")


def test_a_new_node_begins_with_a_backup_of_a_journal_that_was_given_to_the_log(nodes, tmp_path):
    alone = Sequencer.open(tmp_path / "one", load_profile("cea"), now_ns=count(1_000).__next__)
    day_begin(alone)
    alone.run_records(orders(1, 20, 0))
    _, refusals = alone.run_controls([control.DayClose()])
    assert refusals == [None]
    before = alone.journal.next_seq
    alone.close()
    cluster = msgspec.convert(nodes.log_nodes.cluster_settings("one"), ClusterConfig)
    assert join(VenueConfig(cluster=cluster), tmp_path / "one").next_seq == before
    one = nodes.leader("one")
    one.sequencer.run_controls([control.DayOpen(date=DATE + 1), control.PhaseSet(Phase.LISTED)])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ClusterRefused, match=f"the log begins at {before}: restore a backup"):
        nodes.open("empty")
    backup(tmp_path / "one", tmp_path / "copy")
    restore(tmp_path / "copy", tmp_path / "two")
    rows = orders(21, 20, 1)
    rows["trading_date"] = DATE + 1
    one.sequencer.run_records(rows)
    two = nodes.open("two")
    nodes.level(two)
    assert state_hash(two) == state_hash(one)
    found = verify_data(tmp_path / "two")
    assert (found.next_seq, found.state_hash) == (one.sequencer.journal.next_seq, state_hash(one))


def test_a_standby_whose_consumer_has_ended_begins_another(nodes):
    one = nodes.leader("one")
    day_begin(one.sequencer)
    two = nodes.open("two")
    nodes.level(two)
    # As when the log's node on which it lived has ended.
    stream, name = two._reader._ask_subject.split(".")[-2:]
    gone = two._connection.ask(f"CONSUMER.DELETE.{stream}.{name}", {})
    assert two._connection.call(gone, WAIT_S)["success"]
    one.sequencer.run_records(orders(1, 20, 0))
    began_s = time.monotonic()
    nodes.level(two)
    assert time.monotonic() - began_s < 5 * patience()
    assert state_hash(two) == state_hash(one)


def test_a_standby_with_a_damaged_event_before_its_snapshot_halts(nodes):
    """Its start does not wait for the check: a takeover would take longer with every event."""
    one = nodes.leader("one")
    day_begin(one.sequencer)
    two = nodes.open("two")
    one.sequencer.run_records(orders(1, 20, 0))
    nodes.level(two)
    two.sequencer._snapshots.take(two.sequencer._snapshot())
    nodes.close(two)
    rows = nodes.folder / "two" / "events" / "events.rows"
    data = bytearray(rows.read_bytes())
    data[HEADER_BYTES + 3] ^= 0x40
    rows.write_bytes(data)
    two = nodes.open("two")
    end_s = time.monotonic() + WAIT_S * patience()
    with pytest.raises(Halted, match="event 1 is not as it was written"):
        while time.monotonic() < end_s:
            two.follow(0.05)
    assert not two.leads and "event 1 is not as it was written" in two.why
    one.sequencer.run_records(orders(101, 20, 0))


def test_a_standby_that_differs_halts_at_the_next_checkpoint(nodes):
    one = nodes.leader("one")
    day_begin(one.sequencer)
    two = nodes.open("two")
    nodes.level(two)
    two.sequencer.machine.apply_control(control.Halt(by="a fault", why="of memory"))
    one.sequencer.run_controls([control.PhaseSet(phase=Phase.BREAK)])
    with pytest.raises(Halted, match=r"state_hash in the journal is \d+, replay came to"):
        nodes.level(two)
    assert not two.leads
    end_s = time.monotonic() + WAIT_S * patience()
    while not (halted := [state for state in said_by(one) if state.state == "halted"]):
        assert time.monotonic() < end_s, said_by(one)
    assert "state_hash in the journal is" in halted[0].why
    assert one.successor_fault("two") == "two, which is halted and does not follow"


def test_a_standby_without_room_stays_behind_and_comes_after(nodes, monkeypatch):
    one = nodes.leader("one")
    day_begin(one.sequencer)
    two = nodes.open("two")
    nodes.level(two)
    full, journal = 3, two.sequencer.journal
    append = journal.append_frame

    def append_or_not(*arguments):
        nonlocal full
        full -= 1
        if full >= 0:
            raise JournalFull("no room for 64 bytes")
        return append(*arguments)

    monkeypatch.setattr(journal, "append_frame", append_or_not)
    one.sequencer.run_records(orders(1, 20, 0))
    end_s = time.monotonic() + WAIT_S * patience()
    while not two.why:
        assert time.monotonic() < end_s
        two.follow(1.0)
    assert two.why == "no room for 64 bytes" and two.lag == 1
    assert not two.lead_if_due()
    nodes.level(two)
    assert full < 0 and two.why == ""
    assert state_hash(two) == state_hash(one)


def said_by(member):
    """Return what all nodes have said of themselves."""
    connection = member._connection
    return connection.call(node_states(connection), WAIT_S)


def test_a_leader_whose_disk_hangs_lets_another_lead_and_is_fenced(nodes, monkeypatch):
    monkeypatch.setattr(member_module, "DISK_S_MAX", 1.0)
    one = nodes.leader("one")
    day_begin(one.sequencer)
    two = nodes.open("two")
    nodes.level(two)
    hangs, answers = threading.Event(), threading.Event()
    sync = one._local.sync

    def hanging_sync():
        hangs.set()
        answers.wait()
        return sync()

    monkeypatch.setattr(one._local, "sync", hanging_sync)
    with ThreadPoolExecutor(1) as pool:
        released = pool.submit(one.sequencer.run_records, orders(1, 20, 0))
        try:
            assert hangs.wait(WAIT_S * patience())
            end_s = time.monotonic() + WAIT_S * patience()
            while not two.lead_if_due():
                assert time.monotonic() < end_s
                two.follow(0.05)
        finally:
            answers.set()
        # The log had its message before it let another lead: both have it.
        assert len(released.result())
    assert state_hash(two) == state_hash(one)
    with pytest.raises(Fenced):
        one.sequencer.run_records(orders(21, 20, 0))
    assert two.epoch == one.epoch + 1

"""Two processes of one node's name, which nobody found out: the log takes one's epoch for it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from cea_exchange.cluster.log_message import MessageKind
from cea_exchange.cluster.replicated_log import ReplicatedLog
from cea_exchange.journal import OsStorage, SegmentReader
from cea_exchange.journal.frame_bytes import frames_split
from cea_exchange.venue.replication.member import ClusterMember
from support.cluster.members import day_begin, members_open, orders

pytestmark = pytest.mark.e2e


def test_of_two_of_one_name_that_take_over_at_once_one_leads_and_nothing_is_lost(tmp_path):
    with members_open(tmp_path) as nodes:
        one = nodes.leader("one")
        day_begin(one.sequencer)
        folders = ("two", "twin")
        twins = [nodes.open("two", folder) for folder in folders]
        one.hand_over("two")
        for twin in twins:
            nodes.level(twin)
        with ThreadPoolExecutor(len(twins)) as threads:
            list(threads.map(ClusterMember.lead_if_due, twins))
        # Whoever leads acknowledges.
        for number, twin in enumerate(twins):
            if twin.leads:
                twin.sequencer.run_records(orders(1, 20, number))
                assert frames_here(nodes.folder / folders[number]) == frames_there(one)
        (leader,) = (twin for twin in twins if twin.leads)
        (other,) = (twin for twin in twins if not twin.leads)
        nodes.level(other)
        assert not other.lead_if_due() and other.epoch == leader.epoch == one.epoch + 1
        assert other.sequencer.machine.core.state_hash() == (
            leader.sequencer.machine.core.state_hash()
        )


def frames_here(folder):
    """Return the frames of a folder's journal."""
    reader = SegmentReader(folder / "journal", storage=OsStorage(), cut_torn_tail=True)
    return list(reader.frames())


def frames_there(member):
    """Return the frames that the log has."""
    shared = ReplicatedLog(member._connection)
    messages = map(shared.require, range(1, shared.info().last_log_seq + 1))
    payloads = [each.payload for each in messages if each.head.kind is MessageKind.FRAMES]
    return [frame for payload in payloads for frame, _ in frames_split(payload)]

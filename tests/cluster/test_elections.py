"""One of the log's nodes is gone, and with it who led something else than the log: nobody waits.

The log, the bucket of the lease, and the nodes as a whole have a leader each, and each election
takes 4 to 9 s. What only needs the log's must not wait for the others.
"""

import contextlib
import json
import time
import urllib.request

import msgspec
import pytest

from cea_exchange.cluster.config import ClusterConfig
from cea_exchange.cluster.connection import LogConnection
from cea_exchange.cluster.errors import LogUnreachable
from cea_exchange.cluster.lease import leader_read
from cea_exchange.cluster.log_nodes.rights import KEEPER, WATCHER
from support.cluster.members import day_begin, members_open, orders
from support.patience import patience

pytestmark = pytest.mark.e2e

ELECTION_S = 3.5
"""Sooner than any: an election begins after 4 s."""
WAIT_S = 20.0
LEASES = 3
"""So long nobody may take over."""


@pytest.fixture
def nodes(tmp_path):
    with members_open(tmp_path) as nodes:
        yield nodes


@pytest.fixture
def keeper(nodes):
    settings = nodes.log_nodes.cluster_settings("keeper", KEEPER)
    with LogConnection(msgspec.convert(settings, ClusterConfig), nodes.folder) as keeper:
        yield keeper


def leader_of(keeper, stream):
    """Return which of the log's nodes leads a stream; empty while none does."""
    answer = keeper.call(keeper.ask(f"STREAM.INFO.{stream}"), WAIT_S)
    return answer.get("cluster", {}).get("leader", "")


def leader_of_all(nodes):
    """Return which of the log's nodes leads them all, as the first says."""
    monitor = nodes.log_nodes.settings[0].monitor
    with urllib.request.urlopen(f"http://{monitor}/jsz", timeout=WAIT_S) as answer:
        return json.loads(answer.read())["meta_cluster"].get("leader", "")


def apart(keeper, leads):
    """Let the log be led by another of its nodes than something else is, and return that one's."""
    end_s = time.monotonic() + WAIT_S * patience()
    while not (found := leads()) or found == leader_of(keeper, "cea-journal"):
        assert time.monotonic() < end_s
        if found:
            keeper.call(keeper.ask("STREAM.LEADER.STEPDOWN.cea-journal", {}), WAIT_S)
        time.sleep(0.3)
    return found


def number_of(name):
    return int(name.removeprefix("log-")) - 1


def test_a_standby_reads_on_while_the_nodes_elect_who_leads_them_all(nodes, keeper):
    one = nodes.leader("one")
    day_begin(one.sequencer)
    two = nodes.open("two")
    nodes.level(two)
    gone = apart(keeper, lambda: leader_of_all(nodes))
    nodes.log_nodes.kill(number_of(gone))
    began_s = time.monotonic()
    # As when the consumer was on that node: only who leads them all can say where another is to be.
    two._connection.call(two._reader._drop(), WAIT_S)
    one.sequencer.run_records(orders(1, 20, 0))
    nodes.level(two)
    assert time.monotonic() - began_s < ELECTION_S * patience()
    assert two.log_seq == one.log_seq and not two.lag


def test_a_standby_leads_and_is_found_while_the_lease_s_bucket_elects(nodes, keeper):
    one = nodes.leader("one")
    day_begin(one.sequencer)
    two = nodes.open("two")
    nodes.level(two)
    three = nodes.open("three")
    nodes.level(three)
    settings = nodes.log_nodes.cluster_settings("watcher", WATCHER)
    with LogConnection(msgspec.convert(settings, ClusterConfig), nodes.folder) as watcher:
        while (record := leader_read(watcher)) is None or record.node != "one":
            time.sleep(0.02)
        gone = apart(keeper, lambda: leader_of(keeper, "KV_cea-lease"))
        nodes.log_nodes.kill(number_of(gone))
        began_s = time.monotonic()
        # As when its process was killed.
        one._connection.close()
        while not two.lead_if_due():
            assert time.monotonic() - began_s < ELECTION_S * patience()
            two.follow(0.05)
        two.endpoints_say({"way_in": "tcp://127.0.0.1:1"})
        record = None
        while record is None or record.node != "two":
            assert time.monotonic() - began_s < ELECTION_S * patience()
            with contextlib.suppress(LogUnreachable):
                record = leader_read(watcher)
        assert record.endpoints == {"way_in": "tcp://127.0.0.1:1"} and record.epoch == two.epoch
        # The bucket tells the third of the dead one still: one takeover is enough.
        while time.monotonic() - began_s < ELECTION_S:
            three.follow(0.05)
            assert not three.lead_if_due()
        assert three.epoch == two.epoch
        two.sequencer.run_records(orders(1, 20, 0))


def test_a_leader_that_serves_goes_on_once_the_lease_s_bucket_has_elected(nodes, keeper):
    one = nodes.leader("one")
    day_begin(one.sequencer)
    standbys = [nodes.open(name) for name in ("two", "three")]
    for standby in standbys:
        nodes.level(standby)
    gone = apart(keeper, lambda: leader_of(keeper, "KV_cea-lease"))
    nodes.log_nodes.kill(number_of(gone))
    end_s = time.monotonic() + WAIT_S * patience()
    elected_s = None
    # Its record has run out while nobody could renew it.
    while elected_s is None or time.monotonic() - elected_s < LEASES * one._config.lease_s:
        assert time.monotonic() < end_s
        for standby in standbys:
            standby.follow(0.02)
            assert not standby.lead_if_due()
        with contextlib.suppress(LogUnreachable):
            if elected_s is None and leader_of(keeper, "KV_cea-lease") not in ("", gone):
                elected_s = time.monotonic()
    assert not one.is_lost
    assert len(one.sequencer.run_records(orders(1, 20, 0)))

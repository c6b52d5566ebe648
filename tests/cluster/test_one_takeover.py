"""A leader dies, and one of those who stand for it leads: nobody unseats who has just begun."""

import threading
import time
from unittest.mock import AsyncMock

import pytest

from cea_exchange.cluster import lease
from support.cluster.members import day_begin, members_open, orders
from support.patience import patience

pytestmark = pytest.mark.e2e
WAIT_S = 10.0
LEASES = 3
"""So long nobody else may take over."""


@pytest.fixture
def nodes(tmp_path, monkeypatch):
    """Nodes that wait longer than a busy machine takes for a few tries."""
    monkeypatch.setattr("cea_exchange.cluster.lease.LATE_S", WAIT_S)
    with members_open(tmp_path, lease_s=4.0) as nodes:
        yield nodes


def led_and_followed(nodes):
    """Return a leader and two standbys that have all it wrote."""
    one = nodes.leader("one")
    day_begin(one.sequencer)
    standbys = [nodes.open(name) for name in ("two", "three")]
    for standby in standbys:
        nodes.level(standby)
    return one, *standbys


def killed(member):
    """Let the others see of a member what they see of a process that was killed."""
    member._connection.close()


def until(is_so):
    end_s = time.monotonic() + WAIT_S * patience()
    while not is_so():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_who_did_not_get_the_lease_leaves_who_stands_and_then_leads_alone(nodes):
    one, two, three = led_and_followed(nodes)
    killed(one)
    until(lambda: two._lease.is_free() and three._lease.is_free())
    assert two._lease.stand()
    # The first try knows nothing of two's; the next would be behind it.
    assert not any(three._may_stand() for _ in range(3))
    # However it came by it, the log has two's record.
    until(three._lease.stand)
    assert two._epoch_taken()
    assert not three._epoch_taken()
    three._lease.give_up()
    end_s = time.monotonic() + LEASES * two._config.lease_s
    while time.monotonic() < end_s:
        three.follow(0.02)
        assert not three.lead_if_due()
    assert three.epoch == two.epoch == one.epoch + 1 and not two.is_lost
    assert len(two.sequencer.run_records(orders(1, 20, 0)))


def test_a_leader_s_death_is_one_takeover(nodes):
    one, *standbys = led_and_followed(nodes)
    is_over = threading.Event()

    def follow_and_stand(member):
        while not is_over.is_set():
            if not member.leads:
                member.follow(0.02)
                member.lead_if_due()

    threads = [threading.Thread(target=follow_and_stand, args=(each,)) for each in standbys]
    for thread in threads:
        thread.start()
    try:
        killed(one)
        until(lambda: any(each.leads for each in standbys))
        time.sleep(LEASES * one._config.lease_s)
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert [each.epoch for each in standbys] == [one.epoch + 1] * 2
    assert sorted(each.leads for each in standbys) == [False, True]


def test_a_leader_that_renews_is_not_unseated_by_who_can_t_hear_it_listen(nodes, monkeypatch):
    one, two, _ = led_and_followed(nodes)
    # As where the log's nodes that the two are at can't reach each other.
    monkeypatch.setattr(lease, "is_absent", AsyncMock(return_value=True))
    until(lambda: two._lease._absent_since_s is not None)
    end_s = time.monotonic() + LEASES * one._config.lease_s
    while time.monotonic() < end_s:
        two.follow(0.02)
        assert not two.lead_if_due()
    killed(one)
    until(two._may_stand)

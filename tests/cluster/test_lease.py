"""A lease is free once its holder is gone, and only then: who leads has the time to take it."""

import time
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import AsyncMock

import msgspec
import pytest

from cea_exchange.cluster.config import ClusterConfig
from cea_exchange.cluster.connection import LogConnection
from cea_exchange.cluster.errors import LogUnreachable
from cea_exchange.cluster.leader import LeaderRecord
from cea_exchange.cluster.lease import ABSENT_S, Lease
from cea_exchange.cluster.log_nodes.local import LogNodes
from cea_exchange.cluster.replicated_log import ReplicatedLog
from support.patience import patience

pytestmark = pytest.mark.e2e

LEASE_S = 4.0


@pytest.fixture
def connections(tmp_path):
    """Two nodes' connections to one log, whose lease nobody holds."""
    with LogNodes(tmp_path) as nodes:
        nodes.start()
        one, two = (
            msgspec.convert({**nodes.cluster_settings(name), "lease_s": LEASE_S}, ClusterConfig)
            for name in ("one", "two")
        )
        with LogConnection(one, tmp_path) as ones, LogConnection(two, tmp_path) as twos:
            ReplicatedLog(ones).make()
            yield ones, twos


def test_a_leader_who_is_gone_is_not_waited_for(connections):
    lease = Lease(connections[1])
    try:
        # As a node that starts again, and reads in the log of a leader who has died since.
        lease.led("one")
        began_s = time.monotonic()
        assert not lease.is_free()
        while not lease.is_free():
            assert time.monotonic() - began_s < LEASE_S / 2 * patience()
            time.sleep(0.01)
        assert time.monotonic() - began_s >= ABSENT_S
    finally:
        lease.close()


def test_a_new_leader_who_is_there_has_a_lease_s_time_to_take_it(connections):
    ones, twos = connections

    async def answered(message):
        await message.respond(b"")

    ones.call(ones.client.subscribe("cea.alive.one", cb=answered), 5.0)
    ones.call(ones.client.flush(), 5.0)
    lease = Lease(twos)
    try:
        lease.led("one")
        began_s = time.monotonic()
        while time.monotonic() - began_s < LEASE_S / 4:
            assert not lease.is_free()
            time.sleep(0.01)
        while not lease.is_free():
            assert time.monotonic() - began_s < 2 * LEASE_S * patience()
            time.sleep(0.01)
        assert time.monotonic() - began_s > LEASE_S
    finally:
        lease.close()


def test_a_lease_that_ran_out_while_its_bucket_elected_is_not_free(connections, monkeypatch):
    ones, twos = connections
    holds, waits = Lease(ones), Lease(twos)
    try:
        holds.hold(LeaderRecord(node="one", epoch=1))
        until(lambda: waits.leader is not None)
        waits.led("one")
        # Nobody can renew it or look, and it is gone from the bucket before somebody can.
        unreachable = AsyncMock(side_effect=LogUnreachable("the bucket elects"))
        monkeypatch.setattr(waits, "_read", unreachable)
        monkeypatch.setattr(holds, "_renew", unreachable)
        time.sleep(1.5 * LEASE_S)
        monkeypatch.delattr(waits, "_read")
        began_s = time.monotonic()
        while time.monotonic() - began_s < LEASE_S / 2:
            assert not waits.is_free()
            time.sleep(0.01)
        monkeypatch.delattr(holds, "_renew")
        until(lambda: ones.call(holds._read(), 5.0).record is not None)
        assert not waits.is_free() and not holds.is_lost
    finally:
        holds.close()
        waits.close()


def test_who_waits_for_a_look_does_not_take_the_lease_of_whom_that_has_seen(connections):
    ones, twos = connections
    first, second = Lease(ones), Lease(twos)

    async def released():
        second._turn.release()

    try:
        twos.call(second._turn.acquire(), 5.0)
        with ThreadPoolExecutor(1) as pool:
            stands = pool.submit(second.stand)
            time.sleep(0.5)
            assert first.stand()
            # The one that had its turn before.
            assert twos.call(second._look(), 5.0).record.node == "one"
            twos.call(released(), 5.0)
            assert not stands.result()
    finally:
        first.close()
        second.close()


def until(is_so):
    end_s = time.monotonic() + LEASE_S * patience()
    while not is_so():
        assert time.monotonic() < end_s
        time.sleep(0.01)

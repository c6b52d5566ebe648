"""Where the leader is, by the lease."""

import msgspec
import pytest

from cea_exchange.cluster.config import ClusterConfig
from cea_exchange.cluster.way_in.leader_lease import LeaderLease
from cea_exchange.cluster.way_in.whereabouts import Place

NOBODY = {"name": "cea", "node": "front", "log_nodes": ["nats://127.0.0.1:9"]}


@pytest.fixture
def lease(tmp_path, monkeypatch):
    monkeypatch.setattr("cea_exchange.cluster.connection.CONNECT_S_MAX", 0.2)
    lease = LeaderLease(msgspec.convert(NOBODY, ClusterConfig), tmp_path, ("way_in",))
    yield lease
    lease.close()


def test_an_earlier_epoch_than_was_known_is_dropped(lease):
    lease._take({"way_in": "b"}, 2)
    lease._take({"way_in": "a"}, 1)
    assert lease.places() == [Place(2, ("b",))]
    lease._take({"way_in": "c"}, 2)
    assert lease.places() == [Place(2, ("c",))]
    lease._take({"way_in": "a"}, 3)
    assert lease.places() == [Place(3, ("a",))]

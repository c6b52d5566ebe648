"""Where the leader is, by the lease."""

import msgspec
import pytest

from cea_exchange.cluster.config import ClusterConfig
from cea_exchange.cluster.log_nodes.local import LogNodes
from cea_exchange.cluster.log_nodes.rights import WATCHER
from cea_exchange.cluster.way_in.leader_lease import LeaderLease
from cea_exchange.cluster.way_in.whereabouts import Place
from cea_exchange.protocol.settings import ConfigError

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


@pytest.mark.e2e
def test_what_can_not_be_is_refused_at_the_start(tmp_path):
    """It started, and only its log file said that it would never find a leader."""
    with LogNodes(tmp_path / "log") as log_nodes:
        log_nodes.start()
        table = log_nodes.cluster_settings("front", WATCHER)
        secret = tmp_path / "secret"
        secret.write_text("x" * 40 + "\n")
        secret.chmod(0o644)
        config = msgspec.convert(table | {"secret_file": str(secret)}, ClusterConfig)
        with pytest.raises(ConfigError, match="secret: expected mode 0600, got 0644"):
            LeaderLease(config, tmp_path, ("way_in",))
        secret.chmod(0o600)
        with pytest.raises(ConfigError, match="refuses watcher: .*[Aa]uthorization"):
            LeaderLease(config, tmp_path, ("way_in",))
        LeaderLease(msgspec.convert(table, ClusterConfig), tmp_path, ("way_in",)).close()

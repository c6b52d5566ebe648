"""A connection to the log's nodes ends whole, whatever has become of them."""

import asyncio
import gc
import time

import msgspec
import pytest

from cea_exchange.cluster.config import ClusterConfig
from cea_exchange.cluster.connection import LogConnection
from cea_exchange.cluster.errors import LogUnreachable
from cea_exchange.cluster.log_nodes.local import LogNodes
from support.patience import patience

pytestmark = pytest.mark.e2e


def test_nothing_is_left_half_done_when_the_log_was_killed(tmp_path, caplog):
    with LogNodes(tmp_path) as nodes:
        nodes.start()
        config = msgspec.convert(nodes.cluster_settings("one"), ClusterConfig)
        connection = LogConnection(config, tmp_path)
        waiting = connection.begin(asyncio.sleep(60.0))
        for number in range(nodes.count):
            nodes.kill(number)
        end_s = time.monotonic() + 10 * patience()
        while connection.is_connected:
            assert time.monotonic() < end_s
            time.sleep(0.01)
        connection.close()
        assert waiting.cancelled()
        with pytest.raises(LogUnreachable, match="was closed"):
            connection.call(asyncio.sleep(0.0), 1.0)
        connection.close()
        del connection, waiting
        gc.collect()
    assert "destroyed" not in caplog.text

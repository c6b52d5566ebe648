"""A connection to the log's nodes asks until it is answered, and ends whole."""

import asyncio
import gc
import time

import msgspec
import pytest

from cea_exchange.cluster.config import ClusterConfig
from cea_exchange.cluster.connection import ANSWER_S_MAX, LogConnection
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


class _Lossy:
    """A connection that loses the first request, as nodes of the log do which elect."""

    def __init__(self, client):
        self._client, self.sent = client, 0

    async def request(self, subject, data, timeout):
        self.sent += 1
        if self.sent == 1:
            await asyncio.sleep(timeout)
            raise TimeoutError
        return await self._client.request(subject, data, timeout=timeout)


@pytest.mark.parametrize("is_looked_up", [True, False])
def test_what_was_lost_in_an_election_is_looked_up_again(tmp_path, monkeypatch, is_looked_up):
    with LogNodes(tmp_path) as nodes:
        nodes.start()
        config = msgspec.convert(nodes.cluster_settings("one"), ClusterConfig)
        with LogConnection(config, tmp_path) as connection:
            lossy = _Lossy(connection.client)
            monkeypatch.setattr(LogConnection, "client", property(lambda _: lossy))
            if is_looked_up:
                began_s = time.monotonic()
                answer = connection.call(connection.look_up("STREAM.INFO.cea-journal"), 10.0)
                assert answer["error"]["description"] == "stream not found"
                assert time.monotonic() - began_s < ANSWER_S_MAX
                assert lossy.sent >= 2
            else:
                # What may change something is sent once.
                with pytest.raises(LogUnreachable, match="in time"):
                    connection.call(connection.ask("STREAM.INFO.cea-journal"), 10.0)
                assert lossy.sent == 1
            monkeypatch.undo()

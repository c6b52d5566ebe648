"""A connection to the log's nodes asks until it is answered, and ends whole."""

import asyncio
import gc
import shutil
import socket
import time
from contextlib import suppress

import msgspec
import pytest

from cea_exchange.cluster import connection as connection_module
from cea_exchange.cluster import presence
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

    async def request(self, subject, data, timeout, headers=None):
        self.sent += 1
        if self.sent == 1:
            await asyncio.sleep(timeout)
            raise TimeoutError
        return await self._client.request(subject, data, timeout=timeout, headers=headers)


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


def test_a_node_of_the_log_that_is_cut_off_from_the_others_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(connection_module, "ISOLATED_S_MAX", 1.0)
    with LogNodes(tmp_path / "log") as nodes, LogNodes(tmp_path / "alone") as alone:
        nodes.start()
        # It takes whoever comes, and looks for two others in vain.
        for file in alone.folder.glob("secrets/*"):
            shutil.copy2(nodes.secret_file(file.name), file)
        alone.start(0)
        host, _, port = alone.addresses[0].rpartition("/")[2].partition(":")
        end_s = time.monotonic() + 30 * patience()
        while True:
            with suppress(OSError), socket.create_connection((host, int(port))):
                break
            assert time.monotonic() < end_s
        settings = nodes.cluster_settings("one")
        nodes_known = [alone.addresses[0], *nodes.addresses]
        config = msgspec.convert(settings | {"log_nodes": nodes_known}, ClusterConfig)
        monkeypatch.setattr("nats.aio.client.shuffle", lambda _: None)
        with LogConnection(config, tmp_path) as connection:
            assert connection.client.connected_url.netloc in alone.addresses[0]
            found = {}
            while found.get("error", {}).get("description") != "stream not found":
                assert time.monotonic() < end_s
                with suppress(LogUnreachable):
                    found = connection.call(connection.look_up("STREAM.INFO.cea-journal"), 10.0)
            assert connection.client.connected_url.netloc in "".join(nodes.addresses)


def test_who_listens_does_so_again_once_its_client_was_given_up(tmp_path):
    with LogNodes(tmp_path) as nodes:
        nodes.start()
        config = msgspec.convert(nodes.cluster_settings("one"), ClusterConfig)
        subject = config.process_presence("0123")
        with LogConnection(config, tmp_path) as listens, LogConnection(config, tmp_path) as asks:

            def is_there():
                return not asks.call(presence.is_absent(asks, subject, ANSWER_S_MAX), 10.0)

            assert not is_there()
            listens.call(presence.listen(listens, subject), 10.0)
            # As nats-py does at some words of a server.
            given_up = listens.client
            listens.call(given_up.close(), 10.0)
            end_s = time.monotonic() + 10 * patience()
            while listens.client is given_up or not is_there():
                assert time.monotonic() < end_s
                time.sleep(0.01)
        with LogConnection(config, tmp_path) as asks:
            assert not is_there()

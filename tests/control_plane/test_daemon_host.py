"""What every daemon stands in: sockets that strangers don't come to, a loop, an endpoints file."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import structlog
import zmq
from structlog.testing import capture_logs

from cea_exchange.control_plane.host import DaemonHost
from cea_exchange.protocol.question import KeyRefused, question_ask
from cea_exchange.protocol.security import CurveKeys, SecurityError

ANYWHERE = "tcp://127.0.0.1:0"


@pytest.fixture
def peer():
    return CurveKeys.new()


@pytest.fixture
def host(peer):
    host = DaemonHost(CurveKeys.new(), structlog.get_logger())
    host.echo = host.door("echo", ANYWHERE, {peer.public}.__contains__, 1_024)
    yield host
    host.close()


def echo(host):
    """Answer what comes with itself until somebody is answered."""
    host.poller.poll(50)
    while (message := host.echo.receive()) is not None:
        host.echo.answer(message.routing_id, message.payload)
        host.echo.turn(0.0)


def asked(host, keys):
    """Ask from a thread while the host takes turns; return what came, or was raised."""
    def ask():
        try:
            return question_ask(
                host.endpoints["echo"],
                b"?",
                keys=keys,
                server_key=host.keys.public,
                timeout_s=60,
            )
        finally:
            host.stop()

    host.is_stopping = False
    with ThreadPoolExecutor(1) as helper:
        answer = helper.submit(ask)
        host.run(lambda: echo(host))
        return answer.result()


def test_who_is_on_the_list_is_answered_and_nobody_else(host, peer):
    assert asked(host, peer) == b"?"
    with pytest.raises(KeyRefused):
        asked(host, CurveKeys.new())
    with capture_logs() as shown:
        host.monitor(1e9)
    assert "key_refused" in [each["event"] for each in shown]


def test_where_it_listens_is_said_whole(host, tmp_path):
    path = tmp_path / "bank" / "endpoints.json"
    host.endpoints_write(path, pid=7)
    assert json.loads(path.read_text()) == {"echo": host.endpoints["echo"], "pid": 7}
    assert [each.name for each in path.parent.iterdir()] == ["endpoints.json"]


def test_without_its_allow_list_it_ends(host):
    host.allow_list.close()
    with pytest.raises(SecurityError, match="its handler has stopped"):
        host.monitor(0.0)
    with pytest.raises(SecurityError, match="nothing is bound"):
        host.socket("late", zmq.ROUTER, ANYWHERE, lambda key: True)


def test_an_address_that_is_taken_is_told(host, peer):
    with pytest.raises(SecurityError, match="can not bind"):
        host.socket("again", zmq.ROUTER, host.endpoints["echo"], {peer.public}.__contains__)

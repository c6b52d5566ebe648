"""The door of the metrics: nobody holds it, and nothing that is asked prints a traceback."""

import socket
import struct
import time
import urllib.request
from contextlib import ExitStack, suppress

import pytest
from prometheus_client import CollectorRegistry, Gauge

from cea_exchange.protocol import metrics_http
from cea_exchange.protocol.metrics_http import ASKERS_MAX, MetricsServer
from cea_exchange.protocol.pulse import Pulse
from support.patience import patience

ASKED_S_MAX = 2.0


@pytest.fixture
def server():
    registry = CollectorRegistry()
    Gauge("cea_answer", "What is asked for.", registry=registry).set(42)
    server = MetricsServer("127.0.0.1:0", registry, Pulse().health)
    yield server
    server.close()


@pytest.fixture
def connect(server):
    with ExitStack() as stack:
        host, port = server.address.split(":")
        yield lambda: stack.enter_context(socket.create_connection((host, int(port)), timeout=20))


def scrape(server):
    with urllib.request.urlopen(f"http://{server.address}/metrics", timeout=ASKED_S_MAX) as answer:
        return answer.read()


def test_it_tells_the_metrics(server):
    assert b"cea_answer 42.0" in scrape(server)


@pytest.mark.parametrize("said", [b"", b"GET /metrics HTTP/1.0\r\nX: "])
def test_who_says_little_does_not_hold_the_others(server, connect, said):
    for _ in range(3):
        connect().sendall(said)
    assert b"cea_answer 42.0" in scrape(server)


def test_who_takes_no_answer_does_not_hold_the_others(server, connect):
    slow = connect()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    slow.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
    assert b"cea_answer 42.0" in scrape(server)


def test_too_many_make_room(server, connect):
    for _ in range(3 * ASKERS_MAX):
        connect().sendall(b"GET ")
    assert b"cea_answer 42.0" in scrape(server)


def test_who_says_a_byte_now_and_then_is_ended(monkeypatch, server, connect):
    """A time for each byte would let it stay for hours."""
    monkeypatch.setattr(metrics_http, "ASKING_S_MAX", 0.5)
    slow, begun_s = connect(), time.monotonic()
    with pytest.raises(ConnectionError):
        while time.monotonic() - begun_s < 30 * patience():
            slow.sendall(b"G")
            time.sleep(0.1)
    assert time.monotonic() - begun_s < 5 * patience()


@pytest.mark.parametrize(
    "said",
    [
        b"GET /" + b"a" * 70_000 + b" HTTP/1.0\r\n\r\n",
        b"GET /metrics HTTP/1.0\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
        b"\x00\xff\xfe\r\n\r\n",
        b"GET /metrics HTTP/9.9\r\n\r\n",
        b"GET /metrics?name[]=%ff HTTP/1.0\r\n\r\n",
        b"GET /metrics HTTP/1.0\r\nAccept: \xff\xfe\r\nContent-Length: -1\r\n\r\n",
    ],
    ids=["long_uri", "long_header", "no_http", "version", "query", "header"],
)
def test_nothing_that_is_asked_prints_a_traceback(server, connect, capfd, said):
    asker = connect()
    asker.sendall(said)
    asker.shutdown(socket.SHUT_WR)
    with suppress(ConnectionError):
        while asker.recv(65_536):
            pass
    assert b"cea_answer 42.0" in scrape(server)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("length", [0, 65_530, 70_000, 1_000_000])
def test_who_goes_before_the_answer_prints_no_traceback(server, connect, capfd, length):
    for _ in range(20):
        asker = connect()
        # Closed by a reset, with what was sent on its way.
        asker.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with suppress(ConnectionError):
            asker.sendall(b"GET /" + b"a" * length + b" HTTP/1.0\r\n\r\n")
        asker.close()
    assert b"cea_answer 42.0" in scrape(server)
    assert capfd.readouterr().err == ""

"""Which of the ways a daemon did not answer, its client can tell apart."""

import re
import socket as sockets
import threading
import time

import pytest
import zmq

from cea_exchange.protocol.question import KeyRefused, NoAnswer, question_ask
from cea_exchange.protocol.security import AllowList, CurveKeys, server_socket
from support.patience import patience

WAIT_S = 60
SERVER, CLIENT = CurveKeys.new(), CurveKeys.new()


@pytest.fixture
def server():
    """A ROUTER that admits one key, and answers nothing by itself."""
    context = zmq.Context()
    allow_list = AllowList(context)
    allow_list.allow("server", {CLIENT.public}.__contains__)
    opened, endpoint = server_socket(
        *(allow_list, context, zmq.ROUTER),
        domain="server",
        keys=SERVER,
        address="tcp://127.0.0.1:0",
    )
    yield opened, endpoint
    opened.close()
    allow_list.close()
    context.term()


def ask(endpoint, keys=CLIENT, server_key=SERVER.public, timeout_s=None):
    timeout_s = timeout_s or 0.5 * patience()
    return question_ask(endpoint, b"?", keys=keys, server_key=server_key, timeout_s=timeout_s)


def test_a_key_that_is_refused_is_said_to_be_and_nobody_waits(server):
    with pytest.raises(KeyRefused, match="refuses the key"):
        ask(server[1], CurveKeys.new(), timeout_s=WAIT_S)


def test_a_daemon_at_work_is_not_taken_for_one_that_refuses(server):
    timeout_s = round(0.5 * patience(), 1)
    said = f"no answer within {timeout_s:g} s: it knows the key and is at work"
    with pytest.raises(NoAnswer, match=re.escape(said)):
        ask(server[1], timeout_s=timeout_s)
    identity, asked = server[0].recv_multipart()
    assert b"?" == asked and identity


def test_who_asks_does_not_wait_for_a_connection_that_has_ended(server):
    """What was sent over it will not be answered over the next."""
    opened, endpoint = server

    def lose():
        opened.recv_multipart()
        # The client's context makes a new connection; this one's end is all it hears.
        opened.close(linger=0)

    losing = threading.Thread(target=lose)
    losing.start()
    began_s = time.monotonic()
    with pytest.raises(NoAnswer, match="the connection ended; what was asked may be done"):
        ask(endpoint, timeout_s=WAIT_S)
    assert time.monotonic() - began_s < WAIT_S / 2
    losing.join()


def test_another_daemon_than_meant_is_said_to_be_one(server):
    with pytest.raises(NoAnswer, match="does not know that public key as its own"):
        ask(server[1], server_key=CurveKeys.new().public)


def test_nobody_there_is_said():
    with sockets.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(NoAnswer, match="nobody could be reached"):
            ask(endpoint)

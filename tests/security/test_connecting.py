"""A wrong address, a wrong server key and a wrong key are told apart by whoever connects."""

import asyncio
import pickle
import re
import socket
import threading
import time

import pytest
import zmq

from cea_exchange.client import (
    AsyncClient,
    Client,
    KeyRefused,
    MarketDataClient,
    NobodyThere,
    NotConnected,
    ServerKeyWrong,
    SessionError,
)
from cea_exchange.client.connecting import not_connected
from cea_exchange.protocol.connection import ConnectionMonitor, Reached
from cea_exchange.protocol.security import AllowList, CurveKeys, client_socket, server_socket
from support.patience import patience
from support.registry.fake_venue import wait_until

SECONDS = 1.0


class Gateway:
    """Sockets that let the right key in, as a venue's, and never answer."""

    def __init__(self) -> None:
        self.keys, self.granted = CurveKeys.new(), CurveKeys.new()
        self._context = zmq.Context()
        self._allow_list = AllowList(self._context)
        self._allow_list.allow("orders", {self.granted.public}.__contains__)
        self._sockets: list[zmq.Socket] = []
        self.orders = self._bound(zmq.ROUTER)
        self.market_data = self._bound(zmq.PUB)

    def _bound(self, kind: int) -> str:
        bound, endpoint = server_socket(
            self._allow_list,
            self._context,
            kind,
            domain="orders",
            keys=self.keys,
            address="tcp://127.0.0.1:0",
        )
        self._sockets.append(bound)
        return endpoint

    def close(self) -> None:
        self._allow_list.close()
        self._context.destroy(linger=0)


@pytest.fixture
def gateway():
    gateway = Gateway()
    yield gateway
    gateway.close()


@pytest.fixture
def listener():
    """Somebody who listens and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"


def nobody() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"tcp://127.0.0.1:{listener.getsockname()[1]}"


def blocking(endpoint, keys, server_key):
    Client.connect(endpoint, keys, server_key, timeout_s=SECONDS * patience())


def awaiting(endpoint, keys, server_key):
    timeout_s = SECONDS * patience()
    asyncio.run(AsyncClient.connect(endpoint, keys, server_key, timeout_s=timeout_s))


def follow(endpoint, keys, server_key):
    with MarketDataClient(endpoint, keys, server_key) as client:
        client.await_books(SECONDS * patience())


CLIENTS = [(blocking, "orders"), (awaiting, "orders"), (follow, "market_data")]


@pytest.mark.parametrize(("connect", "which"), CLIENTS)
def test_each_mistake_has_its_error(gateway, listener, connect, which):
    endpoint, right = getattr(gateway, which), (gateway.granted, gateway.keys.public)
    stranger, other = CurveKeys.new(), CurveKeys.new().public
    with pytest.raises(KeyRefused, match=re.escape(f"refuses the key {stranger.public}: it is")):
        connect(endpoint, stranger, right[1])
    with pytest.raises(ServerKeyWrong, match=re.escape(f"public key {other}, got another")):
        connect(endpoint, right[0], other)
    address = nobody()
    with pytest.raises(NobodyThere, match=f"nobody could be reached at {address}"):
        connect(address, *right)
    with pytest.raises(NotConnected, match=f"who listens at {listener} is stopped, admits"):
        connect(listener, *right)
    wrong_kind = {gateway.orders, gateway.market_data} - {endpoint}
    with pytest.raises(ServerKeyWrong, match="got another"):
        connect(*wrong_kind, *right)


def test_who_found_another_key_still_has_while_it_tries_again(gateway):
    """As often as it connects anew, it is not taken for somebody who meets with silence."""
    context = zmq.Context()
    other = CurveKeys.new().public
    client = client_socket(context, zmq.DEALER, keys=gateway.granted, server_key=other)
    client.reconnect_ivl = 1
    monitor = ConnectionMonitor(client)
    client.connect(gateway.orders)
    wait_until(lambda: monitor.reached() is Reached.ANOTHER)
    until_s = time.monotonic() + SECONDS
    while time.monotonic() < until_s:
        assert monitor.reached() is Reached.ANOTHER
    monitor.close()
    context.destroy(linger=0)


@pytest.mark.parametrize("connect", [blocking, awaiting])
def test_who_is_let_in_and_not_answered_is_told_so(gateway, connect):
    with pytest.raises(NotConnected, match="lets the key in and does not answer") as caught:
        connect(gateway.orders, gateway.granted, gateway.keys.public)
    assert type(caught.value) is NotConnected


@pytest.mark.parametrize("reached", Reached)
def test_the_errors_are_what_was_raised_before(reached):
    error = not_connected("the logon", reached, address="here", key="k", server_key="s")
    assert isinstance(error, TimeoutError) and isinstance(error, SessionError)
    assert str(pickle.loads(pickle.dumps(error))).startswith("the logon did not come in time: ")


@pytest.mark.parametrize("connect", [blocking, awaiting, follow])
def test_what_is_no_address_or_key_is_told_at_once(gateway, connect):
    right = gateway.orders, gateway.granted, gateway.keys.public
    threads = threading.active_count()
    for wrong in ("localhost:5555", "tcp://localhost", "http://localhost:80", "", 5555):
        with pytest.raises(ValueError, match="endpoint: expected an address such as tcp://"):
            connect(wrong, *right[1:])
    for wrong, error in (("short", ValueError), ("\u914d" * 40, ValueError), (None, TypeError)):
        with pytest.raises(error, match="server_key: expected a key"):
            connect(*right[:2], wrong)
    other = CurveKeys(gateway.granted.public, CurveKeys.new().secret)
    with pytest.raises(ValueError, match="keys.secret: expected the secret of"):
        connect(right[0], other, right[2])
    with pytest.raises(ValueError, match="keys.secret: expected a key"):
        connect(right[0], CurveKeys(gateway.granted.public), right[2])
    with pytest.raises(TypeError, match="keys: expected CurveKeys, got str"):
        connect(right[0], gateway.granted.public, right[2])
    assert threading.active_count() == threads

"""Keys and sockets fail closed: no key, no handler, no allow-list entry means no connection."""

import contextlib
import os
import subprocess
import sys
import time

import pytest
import zmq

from cea_exchange.protocol.security import (
    AllowList,
    CurveKeys,
    SecurityError,
    StrangerAdmitted,
    StrangerTest,
    client_socket,
    refuses_strangers,
    server_socket,
)
from support.patience import patience

DOMAIN = "orders"


@pytest.fixture
def context():
    context = zmq.Context()
    yield context
    context.destroy(linger=0)


@pytest.fixture
def allow_list(context):
    allow_list = AllowList(context)
    yield allow_list
    allow_list.close()


def bind(allow_list, context, keys):
    return server_socket(
        allow_list, context, zmq.ROUTER, domain=DOMAIN, keys=keys, address="tcp://127.0.0.1:0"
    )


def test_known_key_is_named_on_every_frame(context, allow_list):
    server, member = CurveKeys.new(), CurveKeys.new()
    allow_list.allow(DOMAIN, {member.public}.__contains__)
    socket, endpoint = bind(allow_list, context, server)
    peer = client_socket(context, zmq.DEALER, keys=member, server_key=server.public)
    peer.connect(endpoint)
    peer.send_multipart([b"C", b"payload"])
    assert socket.poll(5_000 * patience())
    frames = socket.recv_multipart(copy=False)
    assert [frame.get("User-Id") for frame in frames] == [member.public] * 3


def test_a_key_that_joins_later_is_admitted(context, allow_list):
    server, member, members = CurveKeys.new(), CurveKeys.new(), set()
    allow_list.allow(DOMAIN, members.__contains__)
    socket, endpoint = bind(allow_list, context, server)
    refuses_strangers(endpoint, server.public)
    members.add(member.public)
    peer = client_socket(context, zmq.DEALER, keys=member, server_key=server.public)
    peer.connect(endpoint)
    peer.send(b"hello")
    assert socket.poll(5_000 * patience())


def test_self_test_notices_a_socket_that_lets_everybody_in(context, allow_list):
    server = CurveKeys.new()
    allow_list.allow(DOMAIN, lambda key: True)
    _, endpoint = bind(allow_list, context, server)
    with pytest.raises(StrangerAdmitted, match="random key"):
        refuses_strangers(endpoint, server.public)


def test_the_proof_is_repeated_at_every_socket(context, allow_list):
    """A list that opens to everybody while a daemon runs is noticed, whichever socket it guards."""
    server, is_open = CurveKeys.new(), []
    allow_list.allow(DOMAIN, lambda key: bool(is_open))
    _, endpoint = bind(allow_list, context, server)
    proof = StrangerTest(server.public, period_s=0.0)
    try:
        proof.add(endpoint, zmq.ROUTER)
        is_open.append(True)
        until = time.monotonic() + 30 * patience()
        with pytest.raises(StrangerAdmitted, match="random key"):
            while time.monotonic() < until:
                proof.turn(time.monotonic())
                time.sleep(0.01)
    finally:
        proof.close()


@pytest.mark.parametrize("allowed", [lambda key: 1, lambda key: 1 // 0, lambda key: None])
def test_anything_but_true_refuses(context, allow_list, allowed):
    server = CurveKeys.new()
    allow_list.allow(DOMAIN, allowed)
    _, endpoint = bind(allow_list, context, server)
    refuses_strangers(endpoint, server.public)


def test_a_domain_without_a_list_admits_nobody(context, allow_list):
    server, member = CurveKeys.new(), CurveKeys.new()
    allow_list.allow("another", {member.public}.__contains__)
    socket, endpoint = bind(allow_list, context, server)
    peer = client_socket(context, zmq.DEALER, keys=member, server_key=server.public)
    peer.connect(endpoint)
    with contextlib.suppress(zmq.Again):
        peer.send(b"hello", zmq.NOBLOCK)
    assert not socket.poll(300)


def test_nobody_gets_in_after_the_handler_has_stopped(context):
    server, member = CurveKeys.new(), CurveKeys.new()
    allow_list = AllowList(context)
    allow_list.allow(DOMAIN, {member.public}.__contains__)
    socket, endpoint = bind(allow_list, context, server)
    allow_list.close()
    peer = client_socket(context, zmq.DEALER, keys=member, server_key=server.public)
    peer.connect(endpoint)
    with contextlib.suppress(zmq.Again):
        peer.send(b"hello", zmq.NOBLOCK)
    assert not socket.poll(300)
    with pytest.raises(SecurityError, match="handler has stopped"):
        bind(allow_list, context, server)


def first_routing_id(allow_list, context, server, member):
    socket, endpoint = bind(allow_list, context, server)
    peer = client_socket(context, zmq.DEALER, keys=member, server_key=server.public)
    peer.connect(endpoint)
    peer.send(b"hello")
    assert socket.poll(5_000 * patience())
    return socket.recv_multipart()[0]


def test_where_a_routers_ids_begin_can_not_be_foreseen(context, allow_list):
    """libzmq alone begins them at the same number in every process; who knows the next one can
    choose it, and the process aborts."""
    server, member = CurveKeys.new(), CurveKeys.new()
    allow_list.allow(DOMAIN, {member.public}.__contains__)
    ids = {first_routing_id(allow_list, context, server, member) for _ in range(3)}
    assert len(ids) == 3
    assert all(len(routing_id) == 5 and routing_id[0] == 0 for routing_id in ids)
    numbers = sorted(int.from_bytes(routing_id) for routing_id in ids)
    assert min(numbers[1] - numbers[0], numbers[2] - numbers[1]) > 1_000
    # Of the random numbers of a process that seeds none, the first few.
    unseeded = {0x6B8B4567, 0x327B23C6, 0x643C9869, 0x66334873, 0x74B0DC51, 0x19495CFF}
    assert not unseeded & {number & 0x7FFFFFFF for number in numbers}


def test_an_address_that_is_taken_is_one_clear_error(context, allow_list):
    server = CurveKeys.new()
    _, endpoint = bind(allow_list, context, server)
    with pytest.raises(SecurityError, match="can not bind"):
        server_socket(
            allow_list, context, zmq.ROUTER, domain=DOMAIN, keys=server, address=endpoint
        )


def test_keys_come_back_from_files_of_mode_0600(tmp_path):
    keys = CurveKeys.new()
    keys.save(tmp_path, "venue")
    assert CurveKeys.load(tmp_path, "venue") == keys
    assert (tmp_path / "venue.secret").stat().st_mode & 0o777 == 0o600
    assert keys.secret not in repr(keys)
    with pytest.raises(FileExistsError):
        keys.save(tmp_path, "venue")


def test_bad_key_files_are_refused(tmp_path):
    CurveKeys.new().save(tmp_path, "a")
    CurveKeys.new().save(tmp_path, "b")
    with pytest.raises(SecurityError, match="expected a key file"):
        CurveKeys.load(tmp_path, "nobody")
    (tmp_path / "a.secret").write_text((tmp_path / "b.secret").read_text())
    with pytest.raises(SecurityError, match="expected the secret of a.public, got another"):
        CurveKeys.load(tmp_path, "a")
    os.chmod(tmp_path / "b.secret", 0o644)
    with pytest.raises(SecurityError, match="mode 0600"):
        CurveKeys.load(tmp_path, "b")
    (tmp_path / "b.public").write_text("short")
    with pytest.raises(SecurityError, match="40 z85 characters"):
        CurveKeys.load(tmp_path, "b")


PEERS_GONE = """
import sys
import time
import zmq
from cea_exchange.protocol.security import AllowList, CurveKeys, client_socket, server_socket

patience = float(sys.argv[1])
context, server, member = zmq.Context(), CurveKeys.new(), CurveKeys.new()
allow_list = AllowList(context)
allow_list.allow("orders", {member.public}.__contains__)
socket, endpoint = server_socket(
    allow_list,
    context,
    zmq.ROUTER,
    domain="orders",
    keys=server,
    address="tcp://127.0.0.1:0",
    high_water_mark=10,
)
gone = zmq.Context()
peers = []
for _ in range(3):
    peer = client_socket(gone, zmq.DEALER, keys=member, server_key=server.public)
    peer.connect(endpoint)
    peers.append(peer)
    for _ in range(100):
        peer.send(b"command")
assert socket.poll(30_000 * patience)
# Nothing tells from outside when the queues are full.
time.sleep(0.5 * patience)
gone.destroy(linger=0)
time.sleep(2.5)
count = 0
while socket.poll(500):
    socket.recv_multipart()
    count += 1
print(count)
"""


def test_a_peer_that_goes_with_its_queue_full_takes_nobody_along():
    """A ping of libzmq's that fell due there would abort the process."""
    program = [sys.executable, "-c", PEERS_GONE, str(patience())]
    shown = subprocess.run(
        program, capture_output=True, text=True, timeout=120 * patience(), check=False
    )
    assert shown.returncode == 0, shown.stderr
    assert int(shown.stdout) >= 10


def test_a_new_public_key_is_never_taken_for_an_option(monkeypatch):
    pairs = [(b"-" * 40, b"s" * 40), (b"p-" * 20, b"-" * 40)]
    monkeypatch.setattr(zmq, "curve_keypair", iter(pairs).__next__)
    assert CurveKeys.new().public == "p-" * 20

"""Whether a socket of the daemons lets a key in."""

import zmq
from zmq.utils.monitor import recv_monitor_message

from cea_exchange.protocol.security import client_socket
from support.patience import patience

SOCKETS = {
    ("venue", "gateway"): zmq.DEALER,
    ("venue", "market_data"): zmq.SUB,
    ("venue", "snapshot"): zmq.DEALER,
    ("venue", "settlement"): zmq.SUB,
    ("venue", "replay"): zmq.DEALER,
    ("venue", "admin"): zmq.DEALER,
    ("registry", "feed"): zmq.DEALER,
    ("registry", "admin"): zmq.DEALER,
}
EVENTS = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_DISCONNECTED
)


def gets_in(socket, endpoint):
    """Connect, and say whether the other side let the connection in; and that it says nothing."""
    monitor = socket.get_monitor_socket(EVENTS)
    try:
        socket.connect(endpoint)
        assert monitor.poll(10_000 * patience()), f"{endpoint} neither let it in nor refused it"
        let_in = recv_monitor_message(monitor)["event"] == zmq.EVENT_HANDSHAKE_SUCCEEDED
    finally:
        socket.disable_monitor()
        monitor.close(linger=0)
    assert let_in or not socket.poll(150)
    return let_in


def curve_socket(context, place, keys, server_key):
    socket = client_socket(context, SOCKETS[place], keys=keys, server_key=server_key)
    if SOCKETS[place] == zmq.SUB:
        socket.subscribe(b"")
    return socket

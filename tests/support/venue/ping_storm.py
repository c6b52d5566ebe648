"""A granted key's worst: pings each millisecond, small messages by the thousand, and gone again.

    python -m support.venue.ping_storm ADDRESS KEYS NAME SERVER_KEY SECONDS [KIND]

libzmq 4.3.5 aborts the process that serves it, within seconds, where its queue is bounded. KIND is
that of the sockets, DEALER if left out; an XSUB storms a PUB.
"""

import contextlib
import sys
import time

import zmq

from cea_exchange.protocol.security import CurveKeys, client_socket

CONNECTIONS = 20
MESSAGES = 3_000


def round_of(endpoint: str, keys: CurveKeys, server_key: str, kind: int = zmq.DEALER) -> None:
    """Connect, send and leave."""
    context = zmq.Context()
    sockets = []
    for _ in range(CONNECTIONS):
        socket = client_socket(context, kind, keys=keys, server_key=server_key)
        socket.setsockopt(zmq.HEARTBEAT_IVL, 1)
        socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 1_000)
        socket.connect(endpoint)
        sockets.append(socket)
    for _ in range(MESSAGES):
        for socket in sockets:
            with contextlib.suppress(zmq.Again):
                socket.send(b"x", zmq.NOBLOCK)
    time.sleep(0.05)
    context.destroy(linger=0)


def main() -> None:
    """Go on for so long."""
    endpoint, directory, name, server_key, seconds, *kinds = sys.argv[1:]
    kind = getattr(zmq, kinds[0]) if kinds else zmq.DEALER
    keys = CurveKeys.load(directory, name)
    until_s = time.monotonic() + float(seconds)
    while time.monotonic() < until_s:
        round_of(endpoint, keys, server_key, kind)


if __name__ == "__main__":
    main()

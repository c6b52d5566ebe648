"""Asks a daemon's ROUTER one question; returns its answer, or says why there was none.

A key that is on no list is refused in the handshake, which says nothing to the socket: its monitor
knows. So a daemon that is at work is not taken for one that refuses the key.
"""

import time

import zmq

from cea_exchange.protocol.security import (
    CURVE_BYTES_MAX,
    CurveKeys,
    client_connect,
    client_socket,
    monitor_event,
)

_EVENTS = (
    zmq.EVENT_CONNECTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_DISCONNECTED
)
_ASKED = 2
_REACHED: dict[int, int] = {zmq.EVENT_CONNECTED: 1, zmq.EVENT_HANDSHAKE_SUCCEEDED: _ASKED}


class NoAnswer(RuntimeError):
    """There was none; the message says why."""


class KeyRefused(NoAnswer):
    """The handshake was refused: the key is on no list of the daemon's."""


def question_ask(
    address: str,
    payload: bytes,
    *,
    keys: CurveKeys,
    server_key: str,
    timeout_s: float,
    answer_bytes_max: int | None = None,
) -> bytes:
    """Send one message and return the answer.

    Parameters
    ----------
    answer_bytes_max
        A larger answer ends the connection; left out, it is as large as a message may be.

    Raises
    ------
    KeyRefused
        Nothing was asked.
    NoAnswer
        Nobody listens there, somebody else does, the answer takes longer, or the connection ended
        after the question was sent: it would not come any more.
    TypeError, ValueError
        That is no address, or no key.
    """
    with zmq.Context() as context:
        socket = client_socket(context, zmq.DEALER, keys=keys, server_key=server_key)
        monitor = socket.get_monitor_socket(_EVENTS)
        if answer_bytes_max is not None:
            socket.setsockopt(zmq.MAXMSGSIZE, answer_bytes_max + CURVE_BYTES_MAX)
        try:
            client_connect(socket, address)
            try:
                # It waits in the socket's queue: there is room for the first.
                socket.send(payload, zmq.NOBLOCK)
            except zmq.Again:
                raise NoAnswer("it could not be asked: no way to it is open") from None
            return _answer(socket, monitor, timeout_s)
        finally:
            socket.disable_monitor()
            monitor.close(linger=0)
            socket.close()


def _answer(socket: zmq.Socket, monitor: zmq.Socket, timeout_s: float) -> bytes:
    poller, reached = zmq.Poller(), 0
    poller.register(socket, zmq.POLLIN)
    poller.register(monitor, zmq.POLLIN)
    until_s = time.monotonic() + timeout_s
    while (left_s := until_s - time.monotonic()) > 0:
        ready = dict(poller.poll(int(left_s * 1_000) + 1))
        if socket in ready:
            answer: bytes = socket.recv()
            return answer
        if monitor in ready:
            event = monitor_event(monitor)
            if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                raise KeyRefused("it refuses the key")
            if event == zmq.EVENT_DISCONNECTED and reached == _ASKED and not socket.poll(0):
                raise NoAnswer("the connection ended; what was asked may be done all the same")
            reached = max(reached, _REACHED.get(event, 0))
    why = (
        "nobody could be reached there",
        "who listens there does not know that public key as its own, or is stopped",
        "it knows the key and is at work; what was asked may be done all the same",
    )[reached]
    raise NoAnswer(f"no answer within {timeout_s:g} s: {why}")

"""Sends at given times whatever comes back, and keeps what comes with its time.

All is made beforehand and read afterwards, so that the sending process keeps to its times.
"""

import select
import time
from typing import NamedTuple

import numpy as np
import zmq

SETTLE_NS = 100_000_000
LAST_ANSWERS_NS = 2_000_000_000


class Heard(NamedTuple):
    """One message that came: over which socket, when (monotonic ns), its frames."""

    socket: int
    at_ns: int
    frames: list[bytes]


class Sent(NamedTuple):
    """What an open loop has done.

    Attributes
    ----------
    due_ns
        int64 per message: when it was due, from which its latency counts; so a stall is not left
        out because nothing was sent in it.
    late_ns
        int64 per message: how long after that it left.
    heard
        All that came, in order.
    """

    due_ns: np.ndarray
    late_ns: np.ndarray
    heard: list[Heard]


def open_loop(sockets: list[zmq.Socket], payloads: list[bytes], *, rate: float) -> Sent:
    """Send a payload (behind a tag C) at each multiple of 1 / rate, over the sockets in turn."""
    heard: list[Heard] = []
    by_descriptor = {socket.fd: number for number, socket in enumerate(sockets)}

    def take(number: int) -> None:
        try:
            while True:
                frames = sockets[number].recv_multipart(zmq.NOBLOCK)
                heard.append(Heard(number, time.monotonic_ns(), frames))
        except zmq.Again:
            return

    def hear(until_ns: int, ready: list[int]) -> None:
        """Take what comes until then. At least one look is taken.

        The system waits to the microsecond, ZeroMQ to the millisecond; spinning would take one of
        the server's processors. A descriptor tells of news once, and using its socket may be that
        once: so a socket that was just sent on is `ready` as well.
        """
        while True:
            for number in ready:
                take(number)
            left_ns = max(0, until_ns - time.monotonic_ns())
            descriptors, _, _ = select.select(by_descriptor, [], [], left_ns / 1e9)
            if not descriptors and left_ns == 0:
                return
            ready = [by_descriptor[descriptor] for descriptor in descriptors]

    count = len(payloads)
    late_ns = np.zeros(count, np.int64)
    spaced_ns = (np.arange(count) * (1e9 / rate)).astype(np.int64)
    due_ns = time.monotonic_ns() + SETTLE_NS + spaced_ns
    used = list(range(len(sockets)))
    for number, (payload, due) in enumerate(zip(payloads, due_ns.tolist(), strict=True)):
        hear(due, used)
        late_ns[number] = time.monotonic_ns() - due
        used = [number % len(sockets)]
        sockets[used[0]].send_multipart([b"C", payload])
    hear(time.monotonic_ns() + LAST_ANSWERS_NS, used)
    return Sent(due_ns, late_ns, heard)

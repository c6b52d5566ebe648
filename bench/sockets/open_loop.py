"""Sends at given times whatever comes back, and keeps what comes with its time.

All is made beforehand and read afterwards, and the loop is in C, so that the sending process keeps
to its times and leaves the processors to the server.
"""

import ctypes
import time
from typing import NamedTuple

import numpy as np
import zmq
from zmq.backend.cython import _zmq

from bench.measuring.native import library

COMMAND_BYTES = 64
SETTLE_NS = 100_000_000
LAST_ANSWERS_NS = 2_000_000_000
MESSAGES_PER_COMMAND_MAX = 4
ANSWER_BYTES_MAX = 2_048
"""A command, on average; those who hear more get an error."""
MESSAGE_DTYPE = np.dtype(
    {
        "names": ["at_ns", "first", "size", "socket", "tag", "reserved"],
        "formats": ["<i8", "<i8", "<i4", "<i2", "u1", "u1"],
    }
)
_CALLS = ("init", "recv", "data", "size", "more")


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


class _Heard(ctypes.Structure):
    _fields_ = (
        ("messages", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("count_max", ctypes.c_int64),
        ("bytes", ctypes.c_void_p),
        ("size", ctypes.c_int64),
        ("size_max", ctypes.c_int64),
    )


def open_loop(sockets: list[zmq.Socket], payloads: list[bytes], *, rate: float) -> Sent:
    """Send a payload (behind a tag C) at each multiple of 1 / rate, over the sockets in turn.

    Parameters
    ----------
    sockets
        Connected ones, of this thread.
    payloads
        COMMAND_BYTES each.
    rate
        Messages a second.

    Raises
    ------
    RuntimeError
        Something came that is no tag and payload, or more than anybody answers.
    """
    count = len(payloads)
    commands = b"".join(payloads)
    assert len(commands) == count * COMMAND_BYTES
    spaced_ns = (np.arange(count) * (1e9 / rate)).astype(np.int64)
    late_ns = np.zeros(count, np.int64)
    messages = np.zeros(count * MESSAGES_PER_COMMAND_MAX + 1_000, MESSAGE_DTYPE)
    answers = np.zeros(count * ANSWER_BYTES_MAX, np.uint8)
    heard = _Heard(messages.ctypes.data, 0, len(messages), answers.ctypes.data, 0, len(answers))
    handles = (ctypes.c_void_p * len(sockets))(*(socket.underlying for socket in sockets))
    descriptors = (ctypes.c_int * len(sockets))(*(socket.fd for socket in sockets))
    loop = library("sockets/open_loop.c").open_loop
    loop.restype = ctypes.c_int64
    due_ns = time.monotonic_ns() + SETTLE_NS + spaced_ns
    shown = loop(
        _calls(),
        handles,
        descriptors,
        len(sockets),
        commands,
        ctypes.c_int64(count),
        ctypes.c_void_p(due_ns.ctypes.data),
        ctypes.c_void_p(late_ns.ctypes.data),
        ctypes.c_int64(LAST_ANSWERS_NS),
        ctypes.byref(heard),
    )
    if shown < 0:
        raise RuntimeError(f"the open loop broke off after {heard.count} messages")
    got = []
    for row in messages[: heard.count]:
        first, size = int(row["first"]), int(row["size"])
        frames = [bytes([row["tag"]]), answers[first : first + size].tobytes()]
        got.append(Heard(int(row["socket"]), int(row["at_ns"]), frames))
    return Sent(due_ns, late_ns, got)


def _calls() -> ctypes.Array:
    """Return where libzmq's functions are, in the order in which open_loop.c has them."""
    libzmq = ctypes.CDLL(_zmq.__file__)
    names = [*(f"zmq_msg_{name}" for name in _CALLS), "zmq_send", "zmq_errno"]
    places = [ctypes.cast(getattr(libzmq, name), ctypes.c_void_p).value for name in names]
    return (ctypes.c_void_p * len(places))(*places)

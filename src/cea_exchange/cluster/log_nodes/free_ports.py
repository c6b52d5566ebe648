"""Ports of the loopback that are free now, for processes that must know each other's beforehand."""

import atexit
import errno
import random
import socket
import sys
from collections import deque

PORT_FIRST, PORT_END = 20_000, 32_000
RESERVED_MAX = 128
"""So many ports, the last ones, are kept from whoever else looks for some meanwhile."""

Address = str | tuple[str, int]

_reserved: deque[socket.socket] = deque(maxlen=RESERVED_MAX)


def free_ports(count: int) -> list[int]:
    """Return ports that are free now, and that nobody else was given who asked here.

    They lie below those that Linux gives to connections: one of these would be in the way before
    the daemon binds.
    """
    held: list[socket.socket] = []
    try:
        while len(held) < count:
            port = random.randrange(PORT_FIRST, PORT_END)
            reservation = _bound(*_reservation(port))
            if reservation is None:
                continue
            each = _bound(socket.AF_INET, ("127.0.0.1", port))
            if each is None:
                reservation.close()
                continue
            held.append(each)
            _reserved.append(reservation)
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()


def _reservation(port: int) -> tuple[int, Address]:
    """Return the family and address of the socket that stands for a port of this machine's.

    Linux has names for sockets that are gone with their process, and no file.
    """
    if sys.platform == "linux":
        return socket.AF_UNIX, f"\0cea-exchange port {port}"
    return socket.AF_INET, ("127.0.0.1", 0)


@atexit.register
def _reserved_release() -> None:
    """Give the ports back."""
    while _reserved:
        _reserved.pop().close()


def _bound(family: int, address: Address) -> socket.socket | None:
    """Return a socket that is bound to an address, None if somebody has it."""
    each = socket.socket(family)
    try:
        each.bind(address)
    except OSError as error:
        each.close()
        if error.errno != errno.EADDRINUSE:
            raise
        return None
    return each

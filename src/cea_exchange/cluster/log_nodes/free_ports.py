"""Ports of the loopback that are free now, for processes that must know each other's beforehand."""

import errno
import random
import socket

PORT_FIRST, PORT_END = 20_000, 32_000


def free_ports(count: int) -> list[int]:
    """Return ports that are free now; all are held until the last is found.

    They lie below those that Linux gives to connections: one of these would be in the way before
    the daemon binds.
    """
    held: list[socket.socket] = []
    try:
        while len(held) < count:
            each = socket.socket()
            held.append(each)
            while not _is_bound(each, random.randrange(PORT_FIRST, PORT_END)):
                pass
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()


def _is_bound(unbound: socket.socket, port: int) -> bool:
    """Bind a socket, or say that somebody has the port."""
    try:
        unbound.bind(("127.0.0.1", port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    return True

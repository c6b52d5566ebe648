"""TCP sockets that listen in a daemon and are served by another process.

They outlive it: meanwhile the kernel lets who comes wait, and the address stays.
"""

import errno
import socket
import time

from cea_exchange.protocol.security import BACKLOG_COUNT, SecurityError

TAKEN_S_MAX = 5.0
"""The child of a daemon that was killed lets go of its addresses once it notices."""


def listen(name: str, address: str, *, is_shared: bool = False) -> socket.socket:
    """Take a TCP address (``tcp://host:port``, port 0: any that is free).

    Parameters
    ----------
    name
        What is to listen there, for the error.
    is_shared
        Whether others of this process take it too; the kernel spreads who comes over them.

    Raises
    ------
    SecurityError
        It can't be had.
    """
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    host = "0.0.0.0" if host == "*" else host.strip("[]")
    one = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        _bind(one, (host, int(port)))
        one.listen(BACKLOG_COUNT)
        one.setblocking(False)
    except (OSError, OverflowError, ValueError) as error:
        one.close()
        raise SecurityError(f"{name}: can not bind {address}: {error}") from None
    return one


def free_check(name: str, address: str) -> None:
    """Refuse an address that another process listens at, though both would share it."""
    listen(name, address).close()


def address_of(one: socket.socket) -> str:
    """Return where a socket listens, with the port that the system chose."""
    host, port = one.getsockname()[:2]
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"


def _bind(one: socket.socket, address: tuple[str, int]) -> None:
    end_s = time.monotonic() + TAKEN_S_MAX
    while True:
        try:
            one.bind(address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() >= end_s:
                raise
            time.sleep(0.05)
        else:
            return

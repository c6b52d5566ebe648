"""TCP addresses that a daemon takes for another process.

They outlive it. Where the daemon listens (`listen`) who comes meanwhile waits; where the processes
that share an address do (`address_share`), it comes to another of them.
"""

import errno
import socket
import time

from cea_exchange.protocol.security import BACKLOG_COUNT, SecurityError

TAKEN_S_MAX = 5.0
"""The child of a daemon that was killed lets go of its addresses once it notices."""


def listen(name: str, address: str) -> socket.socket:
    """Take a TCP address (``tcp://host:port``, port 0: any that is free), and let who comes wait.

    Parameters
    ----------
    name
        What is to listen there, for the error.

    Raises
    ------
    SecurityError
        It can't be had.
    """
    one = _taken(name, address, socket.SO_REUSEADDR)
    try:
        listen_at(one.fileno())
    except OSError as error:
        one.close()
        raise SecurityError(f"{name}: can not bind {address}: {error}") from None
    return one


def address_hold(name: str, address: str) -> socket.socket:
    """Take a TCP address as `listen` does for those that `address_share` it; nobody comes here."""
    return _taken(name, address, socket.SO_REUSEPORT)


def address_share(name: str, address: str) -> socket.socket:
    """Take a TCP address that is held, together with others of this user.

    Nobody comes before it listens (`listen_at`); the kernel spreads them over those that do.
    """
    return _taken(name, address, socket.SO_REUSEADDR, socket.SO_REUSEPORT)


def listen_at(descriptor: int) -> None:
    """Let others come to an address that was taken."""
    one = socket.socket(fileno=descriptor)
    try:
        one.listen(BACKLOG_COUNT)
    finally:
        one.detach()


def free_check(name: str, address: str) -> None:
    """Refuse an address that another process listens at, though both would share it."""
    listen(name, address).close()


def address_of(one: socket.socket) -> str:
    """Return where a socket listens, with the port that the system chose."""
    host, port = one.getsockname()[:2]
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"


def _taken(name: str, address: str, *options: int) -> socket.socket:
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    host = "0.0.0.0" if host == "*" else host.strip("[]")
    one = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        for option in options:
            one.setsockopt(socket.SOL_SOCKET, option, 1)
        _bind(one, (host, int(port)))
        one.setblocking(False)
    except (OSError, OverflowError, ValueError) as error:
        one.close()
        raise SecurityError(f"{name}: can not bind {address}: {error}") from None
    return one


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

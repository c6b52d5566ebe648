"""Hundreds of ZeroMQ sockets in one thread, waited for by the system's selector."""

import selectors
import sys

import zmq


class SocketSet:
    """Sockets by name, of which only the ready ones are looked at.

    Notes
    -----
    A ZeroMQ descriptor signals a change once, not a state: after a signal or a send, the socket
    must be read until it has nothing more. `ready` therefore also names every socket that was sent
    on since (`touched`).
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._touched: set = set()

    def add(self, name, socket: zmq.Socket) -> None:
        """Watch a socket under a name."""
        self._selector.register(socket.fd, selectors.EVENT_READ, name)
        self._touched.add(name)

    def add_stdin(self, name) -> None:
        """Watch standard input too."""
        self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ, name)

    def touched(self, name) -> None:
        """Say that a socket was sent on: what came meanwhile may have been signalled already."""
        self._touched.add(name)

    def ready(self, timeout_s: float) -> set:
        """Return the names of sockets to read until empty, after at most `timeout_s`."""
        names, self._touched = self._touched, set()
        for ready, _ in self._selector.select(0 if names else max(timeout_s, 0)):
            names.add(ready.data)
        return names

    def close(self) -> None:
        """Stop watching; the sockets stay open."""
        self._selector.close()

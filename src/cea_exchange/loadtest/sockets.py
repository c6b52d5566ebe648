"""Hundreds of ZeroMQ sockets in one thread, waited for by the system's selector."""

import select
import selectors
import sys

import zmq

# The one of the system's that has a descriptor itself.
SystemSelector = getattr(selectors, "EpollSelector", None) or selectors.KqueueSelector


class SocketSet:
    """Sockets by name, of which only the ready ones are looked at.

    Notes
    -----
    A ZeroMQ descriptor signals a change once, not a state: after a signal or a send, the socket
    must be read until it has nothing more. `ready` therefore also names every socket that was sent
    on since (`touched`).
    """

    def __init__(self) -> None:
        self._selector = SystemSelector()
        self._touched: set = set()

    def add(self, name, socket: zmq.Socket) -> None:
        """Watch a socket under a name."""
        self._selector.register(socket.fd, selectors.EVENT_READ, name)
        self._touched.add(name)

    def remove(self, name, socket: zmq.Socket) -> None:
        """Watch it no more; before it is closed."""
        self._selector.unregister(socket.fd)
        self._touched.discard(name)

    def add_stdin(self, name) -> None:
        """Watch standard input too."""
        self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ, name)

    def touched(self, name) -> None:
        """Say that a socket was sent on: what came meanwhile may have been signalled already."""
        self._touched.add(name)

    def ready(self, timeout_s: float) -> set:
        """Return the names of sockets to read until empty, after at most `timeout_s`."""
        names, self._touched = self._touched, set()
        # A selector of the system rounds a wait up to the millisecond; `select` on it does not.
        if not names and timeout_s > 0:
            select.select([self._selector], [], [], timeout_s)
        for ready, _ in self._selector.select(0):
            names.add(ready.data)
        return names

    def close(self) -> None:
        """Stop watching; the sockets stay open."""
        self._selector.close()


def refusal_passes(refusal: dict) -> bool:
    """Say whether the session deals with a refusal itself: it logs on again, or sends again."""
    return refusal["where"] == "session" or bool(refusal.get("client_order_ids"))

"""Answers that a connection does not take at once: they wait a moment, bounded in bytes. Pure.

A burst of answers fills a connection's queue for milliseconds; who does not read at all fills it
for good.
"""

from collections import deque

CONNECTION_BYTES_MAX = 4 << 20
BYTES_MAX = 32 << 20
WAIT_S = 5
"""So long nothing is taken, and the connection is taken for one that does not read."""


class Outbox:
    """What waits to be sent, by connection, in order."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, deque[bytes]] = {}
        self._since_s: dict[bytes, float] = {}
        self._bytes: dict[bytes, int] = {}
        self.bytes_held = 0

    def __contains__(self, identity: bytes) -> bool:
        return identity in self._waiting

    def identities(self) -> list[bytes]:
        """Return the connections for which something waits."""
        return [*self._waiting]

    def put(self, identity: bytes, content: bytes, now_s: float) -> bool:
        """Let an answer wait; False if there is no room for it."""
        own = self._bytes.get(identity, 0) + len(content)
        if own > CONNECTION_BYTES_MAX or self.bytes_held + len(content) > BYTES_MAX:
            return False
        self._waiting.setdefault(identity, deque()).append(content)
        self._since_s.setdefault(identity, now_s)
        self._bytes[identity] = own
        self.bytes_held += len(content)
        return True

    def first(self, identity: bytes) -> bytes:
        """Return what is to be sent next."""
        return self._waiting[identity][0]

    def sent(self, identity: bytes, now_s: float) -> None:
        """Take off what was sent; the wait of the rest begins anew."""
        size = len(self._waiting[identity].popleft())
        self._bytes[identity] -= size
        self.bytes_held -= size
        self._since_s[identity] = now_s
        if not self._waiting[identity]:
            self.drop(identity)

    def is_stuck(self, identity: bytes, now_s: float) -> bool:
        """Tell whether nothing was taken for too long."""
        return now_s - self._since_s[identity] > WAIT_S

    def drop(self, identity: bytes) -> None:
        """Forget what waits for a connection."""
        if identity in self._waiting:
            self.bytes_held -= self._bytes.pop(identity)
            del self._waiting[identity], self._since_s[identity]

"""Keeps messages that a connection does not take at once, bounded in bytes. Pure.

A burst of answers fills a connection's queue for milliseconds; who does not read at all fills it
for good.
"""

from collections import deque
from typing import NamedTuple

MESSAGE_BYTES = 128
"""What a message costs beside its frames."""

Frames = tuple[bytes, ...]


class OutboxLimits(NamedTuple):
    """How much may wait.

    Attributes
    ----------
    connection_bytes_max, bytes_max
        For one connection, and for all of them.
    wait_s_max
        So long nothing is taken, and the connection is taken for one that does not read.
    """

    connection_bytes_max: int = 4 << 20
    bytes_max: int = 32 << 20
    wait_s_max: float = 5.0


class Outbox:
    """What waits to be sent, by connection, in order."""

    def __init__(self, limits: OutboxLimits) -> None:
        self._limits = limits
        self._waiting: dict[bytes, deque[Frames]] = {}
        self._since_s: dict[bytes, float] = {}
        self._bytes: dict[bytes, int] = {}
        self.bytes_held = 0

    def __contains__(self, routing_id: bytes) -> bool:
        return routing_id in self._waiting

    def __len__(self) -> int:
        return len(self._waiting)

    def routing_ids(self) -> list[bytes]:
        """Return the connections for which something waits."""
        return [*self._waiting]

    def put(self, routing_id: bytes, frames: Frames, now_s: float) -> bool:
        """Let a message wait; False if there is no room for it."""
        size = _bytes_of(frames)
        own = self._bytes.get(routing_id, 0) + size
        limits = self._limits
        if own > limits.connection_bytes_max or self.bytes_held + size > limits.bytes_max:
            return False
        self._waiting.setdefault(routing_id, deque()).append(frames)
        self._since_s.setdefault(routing_id, now_s)
        self._bytes[routing_id] = own
        self.bytes_held += size
        return True

    def first(self, routing_id: bytes) -> Frames:
        """Return what is to be sent next."""
        return self._waiting[routing_id][0]

    def sent(self, routing_id: bytes, now_s: float) -> None:
        """Take off what was sent; the wait of the rest begins anew."""
        size = _bytes_of(self._waiting[routing_id].popleft())
        self._bytes[routing_id] -= size
        self.bytes_held -= size
        self._since_s[routing_id] = now_s
        if not self._waiting[routing_id]:
            self.drop(routing_id)

    def is_stuck(self, routing_id: bytes, now_s: float) -> bool:
        """Tell whether nothing was taken for too long."""
        return now_s - self._since_s[routing_id] > self._limits.wait_s_max

    def drop(self, routing_id: bytes) -> None:
        """Forget what waits for a connection."""
        if routing_id in self._waiting:
            self.bytes_held -= self._bytes.pop(routing_id)
            del self._waiting[routing_id], self._since_s[routing_id]


def _bytes_of(frames: Frames) -> int:
    return sum(map(len, frames)) + MESSAGE_BYTES

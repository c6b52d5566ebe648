"""Queues participants' requests, and answers some at a time.

A replay reads thousands of events. Whoever asks for thousands of replays must not make the others
wait for them: requests take turns, replays a page at a time, beside the trading.
"""

from collections import Counter, deque
from collections.abc import Iterator
from typing import NamedTuple

from cea_exchange.venue.order_entry.gateway import Asked
from cea_exchange.venue.order_entry.sessions import Session

REQUESTS_WAITING_MAX = 64
"""Of one connection; one more is refused."""


class Replay(NamedTuple):
    """Reports that a session is still to get: `count` of them from number `first` on."""

    session: Session
    first: int
    count: int


class WaitingRequests:
    """Requests, and what is left of replays, in the order in which they take their turns."""

    def __init__(self) -> None:
        self._items: deque[tuple[bytes, Asked | Replay]] = deque()
        self._counts: Counter[bytes] = Counter()

    def __bool__(self) -> bool:
        return bool(self._items)

    def ask(self, asked: Asked) -> bool:
        """Let a request wait; False if its connection has too many waiting."""
        if self._counts[asked.message.routing_id] >= REQUESTS_WAITING_MAX:
            return False
        self._add(asked.message.routing_id, asked)
        return True

    def replay(self, replay: Replay) -> None:
        """Let what a request that was just taken has come to, or is left of it, wait."""
        if replay.count > 0:
            self._add(replay.session.routing_id, replay)

    def taken(self) -> Iterator[Asked | Replay]:
        """Take one after the other, those included that come meanwhile."""
        while self._items:
            routing_id, item = self._items.popleft()
            self._counts[routing_id] -= 1
            if not self._counts[routing_id]:
                del self._counts[routing_id]
            yield item

    def _add(self, routing_id: bytes, item: Asked | Replay) -> None:
        self._items.append((routing_id, item))
        self._counts[routing_id] += 1

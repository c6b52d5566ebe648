"""What waits for sessions that do not read as fast as the venue writes, counted in bytes.

ZeroMQ counts the messages that wait for a peer, however large they are, so it may hold few; what
has no room there waits here, joined to full frames, until a session has more waiting than it may.
"""

import itertools
from collections import deque
from collections.abc import Callable

import zmq

from cea_exchange.protocol.framing import TAG_REPORTS
from cea_exchange.venue.gateway import REPORT_FRAME_BYTES_MAX, Answer

MESSAGES_IN_ZEROMQ_MAX = 64
"""Of one peer and one direction: outward 4 MiB, as a full frame of reports is about the largest
message; inward at most 64 MiB, and of batches of 256 commands as many as a turn takes."""
MESSAGE_BYTES = 128
"""What a message costs beside its payload."""


class Backlogs:
    """What waits, by routing id.

    Parameters
    ----------
    send
        Sends a message, and raises `zmq.Again` if there is no room for it.
    bytes_max
        So much may wait for one session.
    """

    def __init__(self, send: Callable[[list], object], bytes_max: int) -> None:
        self._send = send
        self._bytes_max = bytes_max
        self._by_routing_id: dict[bytes, _Backlog] = {}

    def __contains__(self, routing_id: bytes) -> bool:
        return routing_id in self._by_routing_id

    def __bool__(self) -> bool:
        return bool(self._by_routing_id)

    def next_ones(self, count_max: int) -> list[bytes]:
        """Return for whom something waits: those who were not looked at for longest."""
        chosen = list(itertools.islice(self._by_routing_id, count_max))
        for routing_id in chosen:
            self._by_routing_id[routing_id] = self._by_routing_id.pop(routing_id)
        return chosen

    def add(self, answer: Answer) -> bool:
        """Let a message wait behind those that do; False if that would be too much."""
        backlog = self._by_routing_id.setdefault(answer.routing_id, _Backlog())
        if backlog.bytes + len(answer.payload) + MESSAGE_BYTES > self._bytes_max:
            return False
        backlog.add(answer.tag, answer.payload)
        return True

    def flush(self, routing_id: bytes) -> None:
        """Send what there is room for; raises `zmq.ZMQError` if the connection is gone."""
        backlog = self._by_routing_id[routing_id]
        try:
            while backlog.messages:
                tag, payload = backlog.messages[0]
                self._send([routing_id, tag, payload])
                backlog.drop_first()
        except zmq.Again:
            return
        del self._by_routing_id[routing_id]

    def drop(self, routing_id: bytes) -> None:
        """Forget what waits for somebody."""
        self._by_routing_id.pop(routing_id, None)


class _Backlog:
    def __init__(self) -> None:
        self.bytes = 0
        self.messages: deque[tuple[bytes, bytearray]] = deque()

    def add(self, tag: bytes, payload: bytes) -> None:
        last = self.messages[-1] if self.messages else None
        if (
            last is not None
            and tag == last[0] == TAG_REPORTS
            and len(last[1]) + len(payload) <= REPORT_FRAME_BYTES_MAX
        ):
            last[1].extend(payload)
            self.bytes += len(payload)
            return
        self.messages.append((tag, bytearray(payload)))
        self.bytes += len(payload) + MESSAGE_BYTES

    def drop_first(self) -> None:
        _, payload = self.messages.popleft()
        self.bytes -= len(payload) + MESSAGE_BYTES

"""Answers snapshot requests: books to go on from, depths, the day so far.

Anybody may ask where the market data is public, so a turn does little whoever asks how much: few
requests a turn, one snapshot for all who wait for one, and a pause after it that is long against
what it took.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from cea_exchange.control_plane.door import Mailbox, Message
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.protocol.framing import (
    DepthRequest,
    MarketRequest,
    Request,
    market_data_request_decode,
    refusal_message,
)
from cea_exchange.venue.publication.market_data import MarketDataPublisher

REQUEST_BYTES_MAX = 1_024
REQUESTS_PER_TURN_MAX = 8
SNAPSHOTS_PER_TURN_MAX = 8
WAITING_MAX = 1_000
ANSWERS_QUEUED_MAX = 64
PAUSE_FACTOR = 20
"""Snapshots are made in at most a twentieth of the time."""
PAUSE_S_MIN = 0.01


class SnapshotService:
    """The public's questions, over one mailbox.

    Parameters
    ----------
    mailbox
        Where they come in.
    market_data
        The stream that the snapshots belong to.
    now_s
        A clock that never goes back.
    spent_s
        What the thread has spent on a processor.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        market_data: MarketDataPublisher,
        *,
        now_s: Callable[[], float],
        spent_s: Callable[[], float],
    ) -> None:
        self._mailbox = mailbox
        self._market_data = market_data
        self._now_s = now_s
        self._spent_s = spent_s
        self._waiting: dict[bytes, None] = {}
        self._ready: deque[bytes] = deque()
        self._snapshot: list[tuple[bytes, bytes]] = []
        self._snapshot_due_s = now_s()

    @property
    def has_waiting(self) -> bool:
        """Whether somebody waits for a snapshot."""
        return bool(self._waiting or self._ready)

    def turn(self) -> None:
        """Answer some of what has arrived."""
        for _ in range(REQUESTS_PER_TURN_MAX):
            message = self._mailbox.receive()
            if message is None:
                break
            self._take(message)
        if self._waiting and not self._ready and self._now_s() >= self._snapshot_due_s:
            self._snapshot_make()
        for _ in range(min(len(self._ready), SNAPSHOTS_PER_TURN_MAX)):
            routing_id = self._ready.popleft()
            for header, records in self._snapshot:
                self._mailbox.answer(routing_id, header, records)

    def _snapshot_make(self) -> None:
        """Make one for all who wait: it is later than their asking, so it fits what they saw."""
        began_s = self._spent_s()
        self._snapshot = self._market_data.snapshot()
        pause_s = PAUSE_FACTOR * (self._spent_s() - began_s)
        self._snapshot_due_s = self._now_s() + max(PAUSE_S_MIN, pause_s)
        self._ready.extend(self._waiting)
        self._waiting.clear()

    def _take(self, message: Message) -> None:
        if message.key is None:
            return
        try:
            self._answer(message.routing_id, request_of(message))
        except FrameError as error:
            self._mailbox.answer(message.routing_id, refusal(error))

    def _answer(self, routing_id: bytes, request: Any) -> None:
        if isinstance(request, DepthRequest):
            product_index = self._market_data.product_index(request.product)
            if product_index is None:
                raise FrameError(
                    VenueRefusal.PRODUCT_UNKNOWN,
                    expected="a product's name",
                    got=repr(request.product),
                    where="product",
                )
            self._tell(routing_id, {"op": "depth", **self._market_data.depth(product_index)})
        elif isinstance(request, MarketRequest):
            self._tell(routing_id, {"op": "market", **self._market_data.market()})
        elif len(self._waiting) < WAITING_MAX:
            # Asking twice is waiting once. Whoever finds no place here asks again.
            self._waiting[routing_id] = None

    def _tell(self, routing_id: bytes, value: dict[str, Any]) -> None:
        self._mailbox.answer(routing_id, msgspec.msgpack.encode(value))


def request_of(message: Message) -> Request:
    """Return what a message asks for; FrameError if it is no request."""
    if len(message.frames) != 1:
        raise FrameError(
            VenueRefusal.BAD_REQUEST,
            expected="one frame",
            got=f"{len(message.frames)} frames",
            where="message",
        )
    return market_data_request_decode(message.frames[0])


def refusal(error: FrameError) -> bytes:
    """Return the answer to what is no request."""
    return msgspec.msgpack.encode(refusal_message(error))

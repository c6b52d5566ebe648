"""Reads the registry's numbered feed: one question at a time, asked again until answered."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from cea_exchange.protocol.control import (
    DECODE_ERRORS,
    ControlError,
    Count,
    FeedItem,
    control_decode,
)

ITEM_COUNT_MAX = 1_000
TIMEOUT_S = 2.0
UNREACHED_S = 0.1
PAUSE_S = 0.02  # between an answer without items and the next question


class FeedAnswer(msgspec.Struct, frozen=True):
    """What the registry answers: items, and how far it is itself.

    Attributes
    ----------
    items
        Encoded `FeedItem` messages, in their order.
    last_seq
        The last item there is.
    settled_seq
        How far the settlement stream is applied, after the commit.
    confirmed_date
        The last trading day it has settled and compared; 0 is none.
    state
        ``ok``, or what is wrong.
    """

    items: list[bytes]
    last_seq: Count
    settled_seq: Count
    confirmed_date: int = 0
    state: str = "ok"

    def feed_items(self) -> list[FeedItem]:
        """Return the items; ControlError if one is none."""
        items = [control_decode(item) for item in self.items]
        for item in items:
            if not isinstance(item, FeedItem):
                raise ControlError(f"feed: expected feed_item, got {type(item).__name__}")
        return items


_answers = msgspec.msgpack.Decoder(FeedAnswer)


class FeedLine(Protocol):
    """The way to the registry, which may come, go and move."""

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""

    def open(self) -> bool:
        """Make one; False if the registry's address is not known, or there is no room for it."""

    def send(self, content: bytes) -> bool:
        """Send a question; False if it can't be sent."""

    def receive(self) -> bytes | None:
        """Return an answer that has arrived; None if there is none."""

    def close(self) -> None:
        """Drop the connection: what it still brings is not heard."""


class RegistryFeed:
    """Asks the registry for the next items, over a connection that is made anew when it is silent.

    Parameters
    ----------
    line
        The way to the registry.
    now_s
        A clock that never goes back.
    """

    def __init__(self, line: FeedLine, now_s: Callable[[], float]) -> None:
        self._line = line
        self._now_s = now_s
        self._asked_s: float | None = None
        self._not_before_s = 0.0
        self._is_new = True

    def ask(self, *, last: int, log_id: str) -> None:
        """Ask for the items after number `last`, unless an answer is still awaited.

        On a new connection item `last` is asked for once more: it may be another registry's now.
        """
        now_s = self._now_s()
        if now_s < self._not_before_s:
            return
        if self._asked_s is not None:
            if now_s - self._asked_s < TIMEOUT_S:
                return
            self.close()
        if not self._line.is_open:
            if not self._line.open():
                self._not_before_s = now_s + UNREACHED_S
                return
            self._is_new = True
        first = max(last, 1) if self._is_new else last + 1
        request = {"from": first, "count": ITEM_COUNT_MAX, "log_id": log_id}
        if self._line.send(msgspec.msgpack.encode(request)):
            self._asked_s = now_s
        else:
            self.close()

    def answer(self) -> FeedAnswer | None:
        """Return an answer that has arrived; None if there is none."""
        payload = self._line.receive() if self._line.is_open else None
        if payload is None:
            return None
        self._asked_s = None
        self._is_new = False
        try:
            answer = _answers.decode(payload)
        except DECODE_ERRORS as error:
            raise ControlError(f"feed answer: {error}") from None
        if not answer.items:
            self._not_before_s = self._now_s() + PAUSE_S
        return answer

    def pause(self, seconds: float) -> None:
        """Drop the connection and ask again after a while only."""
        self.close()
        self._not_before_s = self._now_s() + seconds

    def close(self) -> None:
        """Drop the connection; the next question makes another."""
        self._line.close()
        self._asked_s = None

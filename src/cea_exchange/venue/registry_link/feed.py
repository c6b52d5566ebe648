"""The venue's end of the registry's numbered feed: one question at a time, again and again."""

import json
import time
from pathlib import Path

import msgspec
import structlog
import zmq

from cea_exchange.protocol.control import (
    DECODE_ERRORS,
    ControlError,
    Count,
    FeedItem,
    control_decode,
)
from cea_exchange.protocol.security import CurveKeys, client_socket
from cea_exchange.venue.config import VenueConfig

ITEM_COUNT_MAX = 1_000
TIMEOUT_S = 2.0
PAUSE_S = 0.02  # between an answer without items and the next question

log = structlog.get_logger("venue")


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
                raise ControlError(f"feed: expected feed_item, came {type(item).__name__}")
        return items


_answers = msgspec.msgpack.Decoder(FeedAnswer)


class RegistryFeed:
    """Asks the registry for the next items, over a connection that is made anew when it is silent.

    Attributes
    ----------
    socket : zmq.Socket or None
        To be polled by the caller; None while the registry's address is not known.
    """

    def __init__(
        self, context: zmq.Context, config: VenueConfig, data: Path, keys: CurveKeys
    ) -> None:
        self.socket: zmq.Socket | None = None
        self._context = context
        self._config = config
        self._data = data
        self._keys = keys
        # The key that the venue's own sockets admit, too; its file is not needed any more.
        self._server_key = config.registry_key(data)
        self._trouble = ""
        self._asked_s: float | None = None
        self._not_before_s = 0.0
        self._is_new = True

    def ask(self, *, last: int, log_id: str) -> None:
        """Ask for the items after number `last`, unless an answer is still awaited.

        On a new connection item `last` is asked for once more: it may be another registry's now.
        """
        now_s = time.monotonic()
        if now_s < self._not_before_s:
            return
        if self._asked_s is not None:
            if now_s - self._asked_s < TIMEOUT_S:
                return
            self.close()
        if self.socket is None and not self._connect():
            self._not_before_s = now_s + 0.1
            return
        first = max(last, 1) if self._is_new else last + 1
        request = {"from": first, "count": ITEM_COUNT_MAX, "log_id": log_id}
        try:
            self.socket.send(msgspec.msgpack.encode(request), zmq.NOBLOCK)
            self._asked_s = now_s
        except zmq.Again:
            self.close()

    def answer(self) -> FeedAnswer | None:
        """Return an answer that has arrived; None if there is none."""
        if self.socket is None:
            return None
        try:
            payload = self.socket.recv(zmq.NOBLOCK)
        except zmq.Again:
            return None
        self._asked_s = None
        self._is_new = False
        try:
            answer = _answers.decode(payload)
        except DECODE_ERRORS as error:
            raise ControlError(f"feed answer: {error}") from None
        if not answer.items:
            self._not_before_s = time.monotonic() + PAUSE_S
        return answer

    def pause(self, seconds: float) -> None:
        """Drop the connection and ask again after a while only."""
        self.close()
        self._not_before_s = time.monotonic() + seconds

    def close(self) -> None:
        """Drop the connection; the next question makes another."""
        if self.socket is not None:
            self.socket.close(linger=0)
        self.socket = None
        self._asked_s = None

    def _connect(self) -> bool:
        address = self._config.registry_feed or self._address_read()
        if address is None:
            return False
        try:
            self.socket = client_socket(
                self._context, zmq.DEALER, keys=self._keys, server_key=self._server_key
            )
            self.socket.connect(address)
        except (zmq.ZMQError, TypeError) as error:
            # No descriptor is left, or the file has no address: it may be otherwise soon.
            self.close()
            self._trouble_tell(f"{address}: {error}")
            return False
        self._trouble_tell("")
        self._is_new = True
        return True

    def _trouble_tell(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            log.warning("registry_not_reached", error=trouble)
        self._trouble = trouble

    def _address_read(self) -> str | None:
        try:
            path = self._config.registry_endpoints_file(self._data)
            return json.loads(path.read_text(encoding="utf-8"))["feed"]
        except (OSError, ValueError, KeyError, TypeError):
            return None

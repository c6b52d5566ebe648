"""The admin door's messages: they wait in a queue bounded in bytes, and keys take turns.

    fronts --> turn() --> by key --> next()

What a key sends beyond its share is refused at once and forgotten; a large message ends the
connection.
"""

import time
from hashlib import sha256
from typing import Any

import msgspec
import structlog

from cea_exchange.control_plane.door import Doorway, Message, UnreadableCount
from cea_exchange.control_plane.refused_count import RefusedCount
from cea_exchange.domain.refusals import InstitutionRefusal
from cea_exchange.domain.refusals.answers import refused
from cea_exchange.institution.control.fair_queue import FairQueue, QueueLimits
from cea_exchange.institution.control.request import REQUEST_BYTES_MAX

ANSWER_BYTES_MAX = (1 << 20) - 1_024
"""What a client takes in one message."""

SMALL_BYTES_MAX = 1 << 16
"""A message beyond its key's share that is no larger is answered; with a larger one its connection
ends."""

TAKE_COUNT_MAX = 256
TAKE_S = 0.01
"""From the fronts in one turn of the daemon: so many messages, and so long."""

LIMITS = QueueLimits(
    key_count_max=1_024,
    key_bytes_max=4 * REQUEST_BYTES_MAX,
    bytes_max=16 * REQUEST_BYTES_MAX,
    own_bytes=SMALL_BYTES_MAX,
)

log = structlog.get_logger("institution")


class AdminDoor:
    """The door that many come to.

    Parameters
    ----------
    doorway
        Where messages come in and answers go out.

    Attributes
    ----------
    unreadable : UnreadableCount
        Messages that were no requests.
    """

    def __init__(self, doorway: Doorway) -> None:
        self._doorway = doorway
        self._queue: FairQueue[Message] = FairQueue(LIMITS)
        self._too_many = RefusedCount("requests_too_many", "admin", log.warning)
        self.unreadable = UnreadableCount("admin", log.warning)

    def __len__(self) -> int:
        return len(self._queue)

    def turn(self, now_s: float) -> None:
        """Take what has arrived, as far as there is room."""
        until_s = time.monotonic() + TAKE_S
        for _ in range(TAKE_COUNT_MAX):
            message = self._doorway.receive()
            if message is None:
                break
            if len(message.frames) == 1:
                self._put(message)
            else:
                self.unreadable.note(message.key, "request: expected one frame, got more")
            if time.monotonic() > until_s:
                break
        self._too_many.turn(now_s)
        self.unreadable.turn(now_s)

    def _put(self, message: Message) -> None:
        refusal = self._queue.put(message.key, message, len(message.payload))
        if not refusal:
            return
        self._too_many.note(message.key, refusal)
        if len(message.payload) > SMALL_BYTES_MAX:
            # Reading such messages only to refuse them would keep all others waiting.
            self._doorway.end(message.routing_id, "it sends more than may wait")
        else:
            busy = refused(InstitutionRefusal.BUSY, f"busy, nothing was done: {refusal}")
            self.answer(message, msgspec.msgpack.encode(busy))

    def is_waiting(self, besides: frozenset[str]) -> bool:
        """Tell whether a message waits whose key may have its turn."""
        return self._queue.next_key(besides) is not None

    def next(self, besides: frozenset[str] = frozenset()) -> Message | None:
        """Return the message whose turn it is; None if nothing waits.

        Parameters
        ----------
        besides
            Keys whose turn it is not.
        """
        found = self._queue.take(besides)
        return None if found is None else found[1]

    def answer(self, message: Message, content: bytes) -> None:
        """Send an answer; who is gone gets none, who does not read is disconnected."""
        self._doorway.answer(message.routing_id, content)


def answer_encoded(answer: dict[str, Any]) -> bytes:
    """Return the answer to an act, which was done; one too long to arrive by its hash."""
    content = msgspec.msgpack.encode(answer)
    if len(content) <= ANSWER_BYTES_MAX:
        return content
    shown = {"bytes": len(content), "sha256": sha256(content).hexdigest()}
    return msgspec.msgpack.encode({"ok": answer["ok"], "answer": shown})

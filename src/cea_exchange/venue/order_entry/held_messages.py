"""Keeps commands for a moment while a venue that has just begun waits for its registry.

A venue takes only cancels until its registry has answered. Most registries do within milliseconds;
refused meanwhile, an order would come again behind a later cancel of its key, and no id below an
accepted one is ever taken (CEA-ORD-08). So for a moment it waits, and with it what its sender says
after it. Who has only cancels to send waits for nothing.
"""

from collections import Counter
from collections.abc import Callable

import numpy as np

from cea_exchange.control_plane.door import Message
from cea_exchange.domain.records import COMMAND_DTYPE
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.protocol.framing import TAG_COMMANDS, Heartbeat, Logon, request_decode
from cea_exchange.venue.order_entry.cancels import is_cancel

HELD_BYTES_MAX = 32 << 20
"""Of all participants; once there is more, nobody waits any longer."""
HELD_KEY_BYTES_MAX = 1 << 20
"""Of one key, a frame's most; what is more is refused, so that no key ends the others' wait."""


class HeldMessages:
    """What waits, and until when.

    Attributes
    ----------
    until_s : float
        Nothing waits from then on (monotonic); set back to 0 as soon as there is no need to.
    """

    def __init__(self) -> None:
        self.until_s = 0.0
        self._messages: list[Message] = []
        self._bytes: Counter[str] = Counter()
        self._full: set[str] = set()
        self._senders: set[bytes] = set()

    def is_due(self, now_s: float) -> bool:
        """Say whether something has waited long enough."""
        return bool(self._messages) and now_s >= self.until_s

    def taken(
        self,
        messages: list[Message],
        now_s: float,
        is_logged_on: Callable[[bytes], bool],
        refuse: Callable[[Message], None],
    ) -> list[Message]:
        """Return what is to be looked at now, in order; keep the rest.

        Parameters
        ----------
        messages
            What has come.
        is_logged_on
            Whether a connection is; who is not is told so at once.
        refuse
            Called with each message of a key that has no room, and all behind it: taken before it,
            they would make its ids too low.
        """
        if now_s >= self.until_s:
            waited, self._messages = self._messages, []
            for each in (self._bytes, self._full, self._senders):
                each.clear()
            return waited + messages
        passing = []
        for message in messages:
            if not is_logged_on(message.routing_id) or not self._has_to_wait(message):
                passing.append(message)
                continue
            self._senders.add(message.routing_id)
            bytes_with = self._bytes[message.key] + len(message.frames[1])
            if message.key in self._full or bytes_with > HELD_KEY_BYTES_MAX:
                self._full.add(message.key)
                refuse(message)
                continue
            self._messages.append(message)
            self._bytes[message.key] = bytes_with
        if self._bytes.total() > HELD_BYTES_MAX:
            self.until_s = 0.0
        return passing

    def _has_to_wait(self, message: Message) -> bool:
        """Say whether it has an order in it, or comes after one that waits."""
        if len(message.frames) != 2:
            return False
        tag, payload = message.frames
        if message.routing_id in self._senders:
            return tag == TAG_COMMANDS or not _is_of_the_line(payload)
        is_whole = tag == TAG_COMMANDS and len(payload) % COMMAND_DTYPE.itemsize == 0
        return is_whole and not is_cancel(np.frombuffer(payload, COMMAND_DTYPE)).all()


def _is_of_the_line(payload: bytes) -> bool:
    """Say whether a request is about the connection itself, which must not seem to be dead."""
    try:
        return isinstance(request_decode(payload), Heartbeat | Logon)
    except FrameError:
        return True

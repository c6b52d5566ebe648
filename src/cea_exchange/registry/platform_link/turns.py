"""When the platform is asked, and what of its answers is taken in a turn; knows no socket."""

from typing import NamedTuple

import msgspec
import structlog

from cea_exchange.protocol.control import DECODE_ERRORS
from cea_exchange.protocol.links.platform import LinkAnswer, answer_decode
from cea_exchange.registry.platform_link.stream import LinkStopped, PlatformStream

ANSWER_WAIT_NS = 5_000_000_000
ASK_PAUSE_NS = 200_000_000

log = structlog.get_logger()


class PlatformAsked(NamedTuple):
    """The platform is to be asked."""

    question: bytes


class PlatformDropped(NamedTuple):
    """The platform has not answered for too long: what it still says is to be heard no more."""


class PlatformTurns:
    """Asks the platform, one question at a time.

    Attributes
    ----------
    stopped : str
        Why nothing more of it is taken in this process's life; empty while it is.
    """

    def __init__(self, stream: PlatformStream) -> None:
        self._stream = stream
        self.stopped = ""
        self._told: LinkAnswer | None = None
        self._is_connected = False
        self._asked_at_ns: int | None = None
        self._ask_from_ns = 0

    def connected(self) -> None:
        """Hear of a fresh connection: how far the platform is, is asked anew."""
        self._is_connected, self._asked_at_ns, self._told = True, None, None
        self._ask_from_ns = 0

    def disconnected(self) -> None:
        """Hear that there is no connection."""
        self._is_connected, self._asked_at_ns = False, None

    def answered(self, frames: list[bytes], now_ns: int) -> None:
        """Take an answer: post its items."""
        if self._asked_at_ns is None or self.stopped:
            return
        self._asked_at_ns = None
        try:
            if len(frames) != 1:
                raise LinkStopped(f"platform: expected an answer of 1 frame, got {len(frames)}")
            told = answer_decode(frames[0])
            is_new = self._stream.take(told) > 0
        except (LinkStopped, *DECODE_ERRORS) as error:
            self.stopped = f"stopped: {error}"
            log.error("platform_link_stopped", why=str(error), last_seq=self._stream.last_seq())
            return
        is_first, self._told = self._told is None, told
        is_more = is_first or is_new or self._stream.has_more_to_say(told)
        self._ask_from_ns = now_ns + (0 if is_more else ASK_PAUSE_NS)

    def turn(self, now_ns: int) -> list[PlatformAsked | PlatformDropped]:
        """Return what is to be said now."""
        said: list[PlatformAsked | PlatformDropped] = []
        if self._asked_at_ns is not None and now_ns - self._asked_at_ns >= ANSWER_WAIT_NS:
            self._asked_at_ns, self._told = None, None
            said.append(PlatformDropped())
        is_due = self._is_connected and self._asked_at_ns is None and now_ns >= self._ask_from_ns
        if is_due and not self.stopped:
            self._asked_at_ns = now_ns
            question = self._stream.question(self._told)
            said.append(PlatformAsked(msgspec.msgpack.encode(question)))
        return said

"""When an institution is asked, and what of its answers is taken in a turn; knows no socket.

    connected --> question --> answer: more to say: at once, nothing new: after a pause
                     |
                     +--> no answer for too long: a fresh connection, the same again

One question at a time. What contradicts what was said before, or can't be taken for what it says,
stops the link, and nothing else.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import structlog

from cea_exchange.ledger.database.interface import ConstraintViolated, DatabaseError
from cea_exchange.protocol.control import DECODE_ERRORS

ANSWER_WAIT_NS = 5_000_000_000
ASK_PAUSE_NS = 200_000_000
WORDS_LENGTH_MAX = 300

log = structlog.get_logger()


class LinkStopped(RuntimeError):
    """What an institution says contradicts what it said before: nothing more of it is taken."""


class LinkAsked(NamedTuple):
    """An institution is to be asked."""

    institution: str
    question: bytes


class LinkDropped(NamedTuple):
    """It has not answered for too long: what it still says is to be heard no more."""

    institution: str


class LinkTurns(ABC):
    """Asks an institution, one question at a time; what it asks is the institution's own.

    Attributes
    ----------
    institution
        Whom.
    stopped : str
        Why nothing more of it is taken in this process's life; empty while it is.
    is_paused : callable
        Tells whether nothing is asked, and no answer taken, for now.
    """

    institution: str

    def __init__(self) -> None:
        self.stopped = ""
        self.is_paused: Callable[[], bool] = lambda: False
        self._is_connected = False
        self._asked_at_ns: int | None = None
        self._ask_from_ns = 0

    # -- what is the institution's own ------------------------------------------------------------

    @abstractmethod
    def question(self) -> bytes:
        """Return the next question."""

    @abstractmethod
    def take(self, payload: bytes) -> bool | None:
        """Take an answer.

        Returns whether there is more to say at once; None: it answers another question than the one
        that waits.

        Whatever it raises, nothing more of the institution is to be taken, but where the database
        is at fault.
        """

    @abstractmethod
    def last_seq(self) -> int:
        """Return the number of the last item that was taken."""

    @abstractmethod
    def forget(self) -> None:
        """Forget what the institution said of itself: it may be another process by now."""

    # -- its turn ---------------------------------------------------------------------------------

    def connected(self) -> None:
        """Hear of a fresh connection: how far the institution is, is asked anew."""
        self._is_connected, self._asked_at_ns, self._ask_from_ns = True, None, 0
        self.forget()

    def disconnected(self) -> None:
        """Hear that there is no connection."""
        self._is_connected, self._asked_at_ns = False, None

    def answered(self, frames: list[bytes], now_ns: int) -> None:
        """Take an answer, unless none is awaited.

        Raises
        ------
        DatabaseError, MemoryError
            It is kept from being taken for a while, as by a full disk: the same is asked again once
            the wait is over.
        """
        if self._asked_at_ns is None or self.stopped:
            return
        if self.is_paused():
            self._asked_at_ns = None
            return
        try:
            if len(frames) != 1:
                raise LinkStopped(f"expected an answer of 1 frame, got {len(frames)}")
            is_more = self.take(frames[0])
        except MemoryError:
            raise
        except Exception as error:
            if isinstance(error, DatabaseError) and not isinstance(error, ConstraintViolated):
                raise
            # Asked again it would be the same, for ever, and nothing behind it would be taken.
            self._stop(error)
            return
        if is_more is not None:
            self._asked_at_ns = None
            self._ask_from_ns = now_ns + (0 if is_more else ASK_PAUSE_NS)

    def _stop(self, error: Exception) -> None:
        is_foreseen = isinstance(error, (LinkStopped, *DECODE_ERRORS))
        why = str(error) if is_foreseen else f"{type(error).__name__}: {error}"
        self._asked_at_ns, self.stopped = None, f"stopped: {why}"[:WORDS_LENGTH_MAX]
        log.error(
            "link_stopped",
            institution=self.institution,
            why=why,
            exc_info=None if is_foreseen else error,
        )

    def turn(self, now_ns: int) -> list[LinkAsked | LinkDropped]:
        """Return what is to be said now."""
        said: list[LinkAsked | LinkDropped] = []
        if self._asked_at_ns is not None and now_ns - self._asked_at_ns >= ANSWER_WAIT_NS:
            self._asked_at_ns = None
            self.forget()
            said.append(LinkDropped(self.institution))
        is_due = self._is_connected and self._asked_at_ns is None and now_ns >= self._ask_from_ns
        if is_due and not (self.stopped or self.is_paused()):
            question = self.question()
            self._asked_at_ns = now_ns
            said.append(LinkAsked(self.institution, question))
        return said

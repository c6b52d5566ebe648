"""Answers snapshot requests at a relay: asks the venue once for all who wait.

    asked for -> waiting, by question -> one question to the venue at a time -> answer to all

A snapshot is kept for as long as the stream stands where it was made: who asks then costs the venue
nothing.
"""

import time
from collections import deque
from collections.abc import Callable

import msgspec
import structlog
import zmq

from cea_exchange.control_plane.connection_monitor import ConnectionMonitor
from cea_exchange.control_plane.door import Message
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.protocol.framing import (
    TOPIC_HEARTBEAT,
    TOPIC_MARKET_DATA,
    SnapshotRequest,
    cut_header_decode,
    snapshot_header_decode,
    stream_place_decode,
)
from cea_exchange.venue.publication.router import RouterMailbox
from cea_exchange.venue.publication.snapshot_service import (
    REQUESTS_PER_TURN_MAX,
    SNAPSHOTS_PER_TURN_MAX,
    WAITING_MAX,
    refusal,
    request_of,
)

ANSWER_S_MAX = 5.0
QUESTION_PAUSE_S = 0.02
QUESTIONS_MAX = 64
"""Different ones that wait; products are fewer."""
_SNAPSHOT = msgspec.msgpack.encode(SnapshotRequest())

Answer = list[list[bytes]]
"""The messages of an answer, frame by frame."""

log = structlog.get_logger("relay")


class VenueLine:
    """One question to the venue at a time.

    Attributes
    ----------
    socket : zmq.Socket or None
        To be polled by the caller.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self.socket: zmq.Socket | None = None
        self._now_s = now_s
        self._asked_s: float | None = None
        self._parts: Answer = []

    @property
    def is_free(self) -> bool:
        """Whether a question may be asked."""
        return self.socket is not None and self._asked_s is None

    def go_on(self, socket: zmq.Socket) -> None:
        """Ask over another connection, and forget what was asked before."""
        if self.socket is not None:
            self.socket.close(linger=0)
        self.socket = socket
        self._asked_s, self._parts = None, []

    def is_stuck(self, now_s: float) -> bool:
        """Whether an answer has been awaited for too long."""
        return self._asked_s is not None and now_s - self._asked_s > ANSWER_S_MAX

    def ask(self, question: bytes) -> bool:
        """Send a question; False if it can't go."""
        try:
            self.socket.send(question, zmq.NOBLOCK)
        except zmq.Again:
            return False
        self._asked_s, self._parts = self._now_s(), []
        return True

    def answer(self) -> Answer | None:
        """Return the answer if all of it has come; FrameError if it is none.

        A part that was lost makes it never whole, see `is_stuck`.
        """
        while self.socket is not None:
            try:
                frames = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            self._parts.append(frames)
            if len(frames) == 1:
                return self._done()
            header = snapshot_header_decode(frames[0])
            if header.part + 1 == header.parts and len(self._parts) == header.parts:
                return self._done()
        return None

    def _done(self) -> Answer:
        parts, self._parts, self._asked_s = self._parts, [], None
        return parts


class RelayService:
    """The public's questions to a relay, over one socket.

    Parameters
    ----------
    socket
        A bound ROUTER.
    monitor
        Of its connections, where there is one.
    now_s
        A clock that never goes back.

    Attributes
    ----------
    venue : VenueLine
        Whom it asks.
    """

    def __init__(
        self,
        socket: zmq.Socket,
        monitor: ConnectionMonitor | None = None,
        *,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.venue = VenueLine(now_s)
        self._mailbox = RouterMailbox(socket, monitor)
        self._now_s = now_s
        self._due_s = now_s()
        self._waiting: dict[bytes, dict[bytes, None]] = {}
        self._waiting_count = 0
        self._asked = b""
        self._asked_for: list[bytes] = []
        self._ready: deque[tuple[bytes, Answer]] = deque()
        self._snapshot: Answer = []
        self._snapshot_place = self._place = ("", 0)

    @property
    def has_waiting(self) -> bool:
        """Whether somebody waits for something that may go on without a message coming."""
        return bool(self._waiting or self._ready)

    def note(self, frames: list[bytes]) -> None:
        """Take note of how far the stream is; FrameError if it can't be understood."""
        if frames[0] == TOPIC_MARKET_DATA and len(frames) > 1:
            header = cut_header_decode(frames[1])
            self._place = (header.log_id, header.seq)
        elif frames[0] == TOPIC_HEARTBEAT and len(frames) > 1:
            place = stream_place_decode(frames[1])
            self._place = (place.log_id, place.seq)

    def turn(self) -> None:
        """Take some of what was asked for, ask the venue, answer some."""
        for _ in range(REQUESTS_PER_TURN_MAX):
            message = self._mailbox.receive()
            if message is None:
                break
            self._take(message)
        try:
            answer = self.venue.answer()
        except FrameError as error:
            # It is stuck then, and is asked anew over another connection.
            log.warning("answer_not_understood", error=str(error))
        else:
            if answer is not None:
                self._answered(answer)
        self._ask()
        for _ in range(min(len(self._ready), SNAPSHOTS_PER_TURN_MAX)):
            routing_id, messages = self._ready.popleft()
            for frames in messages:
                self._mailbox.answer(routing_id, *frames)

    def _take(self, message: Message) -> None:
        if message.key is None:
            return
        try:
            request = request_of(message)
        except FrameError as error:
            self._mailbox.answer(message.routing_id, refusal(error))
            return
        # However it was written, one question has one text.
        question = msgspec.msgpack.encode(request)
        waiting = self._waiting.get(question)
        if waiting is None:
            if len(self._waiting) >= QUESTIONS_MAX and question != _SNAPSHOT:
                return
            waiting = self._waiting[question] = {}
        if self._waiting_count < WAITING_MAX and message.routing_id not in waiting:
            # Asking twice is waiting once. Whoever finds no place here asks again.
            waiting[message.routing_id] = None
            self._waiting_count += 1

    def _ask(self) -> None:
        """Put the question that has waited longest; every second one may be for a snapshot."""
        if not self._waiting or self._ready:
            return
        question = next(iter(self._waiting))
        if _SNAPSHOT in self._waiting and self._asked != _SNAPSHOT:
            question = _SNAPSHOT
        if question == _SNAPSHOT and self._snapshot and self._snapshot_place == self._place:
            self._ready.extend((one, self._snapshot) for one in self._taken(question))
            return
        if not self.venue.is_free or self._now_s() < self._due_s:
            return
        if self.venue.ask(question):
            # Who asks from now on has perhaps seen what this answer does not know.
            self._asked, self._asked_for = question, self._taken(question)

    def _taken(self, question: bytes) -> list[bytes]:
        waiting = list(self._waiting.pop(question))
        self._waiting_count -= len(waiting)
        return waiting

    def _answered(self, answer: Answer) -> None:
        self._due_s = self._now_s() + QUESTION_PAUSE_S
        if self._asked == _SNAPSHOT and len(answer[0]) == 2:
            header = snapshot_header_decode(answer[0][0])
            self._snapshot, self._snapshot_place = answer, (header.log_id, header.seq)
        self._ready.extend((one, answer) for one in self._asked_for)
        self._asked_for = []


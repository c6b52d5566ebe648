"""Looks outside the writer's thread: a few processes that read, persons in turn, a time for each.

    look --> waits, by person --> a worker reads --> answer
               |                     |
               +-- too many: busy    +-- too long: the worker is ended, the answer says so

How long a look takes counts from when its worker is ready, however long a process takes to begin.

An act that was answered before a look came is seen by it: workers read what is committed, at the
moment they begin.
"""

import os
import socket
import subprocess
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec
import structlog
import zmq

from cea_exchange.control_plane.door import Message
from cea_exchange.control_plane.service import Asked
from cea_exchange.control_plane.signals import module_command
from cea_exchange.domain.refusals import InstitutionRefusal
from cea_exchange.domain.refusals.answers import refused
from cea_exchange.institution.control.fair_queue import FairQueue, QueueLimits
from cea_exchange.institution.control.query_worker import (
    Answer,
    LookSettings,
    Question,
    framed,
    unframed,
)

WORKERS_MAX = 2
LOOK_S = 10.0
"""A look that takes longer is given up."""
WAIT_S = 20.0
"""So long it may wait for its turn."""
READY_S = 60.0
"""So long a worker may take to begin."""
LOOK_BYTES_MAX = 1 << 16
LIMITS = QueueLimits(
    key_count_max=256,
    key_bytes_max=16 * LOOK_BYTES_MAX,
    bytes_max=1 << 25,
    own_bytes=LOOK_BYTES_MAX,
)
RESTART_S = 1.0
ENDING_MAX = 2
CLOSE_S = 5.0
_RECEIVE_BYTES = 1 << 16

log = structlog.get_logger("institution")


class _Look(NamedTuple):
    """A look that waits for its answer."""

    message: Message
    asked: Asked
    arrived_s: float


class Answered(NamedTuple):
    """What is to be sent to whom."""

    message: Message
    asked: Asked
    answer: dict[str, Any]


class _Worker:
    """One process and the line to it."""

    program = module_command("cea_exchange.institution.control.query_worker")

    def __init__(self, settings: LookSettings) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self.process = subprocess.Popen(
                    self.program,
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    env=_environment(),
                )
            except BaseException:
                ours.close()
                raise
        self.line = ours
        self.look: _Look | None = None
        self.person = ""
        self.is_ready = False
        self.until_s = 0.0
        self._question: Question | None = None
        self._received = bytearray()
        ours.sendall(framed(settings))

    def ask(self, person: str, look: _Look, question: Question, now_s: float) -> None:
        """Give it a look, for when it is ready; OSError if it is gone."""
        self.look, self.person, self._question = look, person, question
        self.until_s = now_s + READY_S
        if self.is_ready:
            self._send(now_s)

    def _send(self, now_s: float) -> None:
        self.until_s = now_s + LOOK_S
        self.line.sendall(framed(self._question))

    def answer(self, now_s: float) -> dict[str, Any] | None:
        """Return what it answers, None while it has not; EOFError if it is gone."""
        while True:
            try:
                data = self.line.recv(_RECEIVE_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                raise EOFError
            self._received.extend(data)
        content = unframed(self._received)
        if content is None:
            return None
        if not self.is_ready:
            self._begin(now_s)
            return None
        found = msgspec.msgpack.decode(content, type=Answer)
        for event in found.events:
            log.error("look_worker", **{f"its_{name}": text for name, text in event.items()})
        return found.answer

    def _begin(self, now_s: float) -> None:
        """Send it what waits for it, now that it is ready; EOFError if it is gone."""
        self.is_ready = True
        try:
            self._send(now_s)
        except OSError:
            raise EOFError from None

    def end(self) -> None:
        """End it, and do not wait until it has: it only reads, so nothing is lost."""
        self.process.kill()
        self.line.close()


class Looks:
    """Gives looks to workers, and answers those that wait or take too long.

    Parameters
    ----------
    settings
        Settings that each worker receives.

    Attributes
    ----------
    ended_count : int
        Workers that ended, or were ended, with a look unanswered.
    """

    def __init__(self, settings: LookSettings) -> None:
        self._settings = settings
        self._waiting: FairQueue[tuple[_Look, Question]] = FairQueue(LIMITS)
        self._workers: list[_Worker] = []
        self._ending: list[subprocess.Popen[bytes]] = []
        self._start_from_s = 0.0
        self.ended_count = 0

    def ask(
        self, message: Message, asked: Asked, *, now_ns: int, now_s: float
    ) -> dict[str, Any] | None:
        """Let a look wait for its turn; return the refusal where it may not, None where it may.

        Parameters
        ----------
        now_ns
            The time for the institution, by which the look is answered.
        now_s
            The time (monotonic).
        """
        size = len(message.payload)
        if size > LOOK_BYTES_MAX:
            why = f"look: expected at most {LOOK_BYTES_MAX} bytes, got {size}"
            return refused(InstitutionRefusal.TOO_LARGE, why)
        look = _Look(message, asked, now_s)
        question = Question(asked.person, message.payload, now_ns)
        refusal = self._waiting.put(_person(asked), (look, question), size)
        if refusal:
            return refused(InstitutionRefusal.BUSY, f"busy, nothing was read: {refusal}")
        return None

    def turn(self, now_s: float) -> list[Answered]:
        """Return what was answered, and give those that are free something to do."""
        self._ending = [process for process in self._ending if process.poll() is None]
        answered = [*self._collect(now_s)]
        while (given := self._give(now_s)) is not None:
            answered += given
        return answered

    def register(self, poller: zmq.Poller) -> None:
        """Let a poller wake up when a worker answers."""
        for worker in self._workers:
            poller.register(worker.line, zmq.POLLIN)

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.end()
        for process in (*self._ending, *(worker.process for worker in self._workers)):
            with suppress(subprocess.TimeoutExpired):
                process.wait(CLOSE_S)
        self._workers = []

    def _collect(self, now_s: float) -> list[Answered]:
        answered = []
        for worker in list(self._workers):
            look = worker.look
            try:
                answer = worker.answer(now_s)
            except EOFError:
                self._end(worker, "it ended", now_s)
                answer = _ended("answered")
            if answer is None and look is not None and now_s >= worker.until_s:
                answer = self._given_up(worker, now_s)
            if answer is not None and look is not None:
                answered.append(Answered(look.message, look.asked, answer))
                worker.look = None
        return answered

    def _given_up(self, worker: _Worker, now_s: float) -> dict[str, Any]:
        """End a worker that has had all its time; return what is said of its look."""
        if not worker.is_ready:
            self._end(worker, "was not ready", now_s)
            why = f"busy, nothing was read: no process to read it was ready within {READY_S:.0f} s"
            return refused(InstitutionRefusal.BUSY, why)
        self._end(worker, "took too long", now_s)
        why = f"look: expected one that takes at most {LOOK_S:.0f} s, got a longer one"
        return refused(InstitutionRefusal.TOO_SLOW, why)

    def _give(self, now_s: float) -> list[Answered] | None:
        """Give the next look whose turn it is to a free worker.

        Returns
        -------
        list or None
            Its answer where it has waited too long; None if nothing can be given now.
        """
        # Whoever has one under way leaves the others to others.
        busy = frozenset(worker.person for worker in self._workers if worker.look is not None)
        is_any = self._waiting.next_key(busy) is not None
        free = self._free(now_s) if is_any else None
        found = None if free is None else self._waiting.take(busy)
        if free is None or found is None:
            return None
        person, (look, question) = found
        if now_s - look.arrived_s > WAIT_S:
            why = f"busy, nothing was read: waited {WAIT_S:.0f} s for other looks"
            return [Answered(look.message, look.asked, refused(InstitutionRefusal.BUSY, why))]
        try:
            free.ask(person, look, question, now_s)
        except OSError:
            self._end(free, "it was gone", now_s)
            return [Answered(look.message, look.asked, _ended("been asked"))]
        return []

    def _free(self, now_s: float) -> _Worker | None:
        """Return a worker that has nothing to do, a new one if need be; None if there is none."""
        for worker in self._workers:
            if worker.look is None:
                return worker
        # One that hangs in the kernel ends late: it counts until it has.
        count = len(self._workers) + max(0, len(self._ending) - ENDING_MAX)
        if count >= WORKERS_MAX or now_s < self._start_from_s:
            return None
        try:
            worker = _Worker(self._settings)
        except OSError as error:
            self._start_from_s = now_s + RESTART_S
            log.error("look_worker_not_started", error=str(error))
            return None
        self._workers.append(worker)
        return worker

    def _end(self, worker: _Worker, why: str, now_s: float) -> None:
        self._workers.remove(worker)
        worker.end()
        self._ending.append(worker.process)
        self.ended_count += 1
        self._start_from_s = now_s + (0.0 if why == "took too long" else RESTART_S)
        asked = None if worker.look is None else worker.look.asked
        log.warning(
            "look_worker_ended",
            why=why,
            op=asked and asked.request.op,
            by=asked and asked.by,
            process=worker.process.pid,
        )


def _person(asked: Asked) -> str:
    return f"{asked.person.body}, {asked.person.name}"


def _ended(until: str) -> dict[str, Any]:
    why = f"nothing was read: a look's process ended before it had {until}"
    return refused(InstitutionRefusal.INTERNAL, why)


def _environment() -> dict[str, str]:
    """Return the environment of a worker: a server ends what it was asked once nobody waits."""
    limit = f"-c statement_timeout={int(LOOK_S * 1_000) + 2_000}"
    return {**os.environ, "PGOPTIONS": f"{os.environ.get('PGOPTIONS', '')} {limit}".strip()}

"""A process that answers looks: it reads what an institution has committed, and can't write.

Its standard input is its line to the daemon, both ways: settings first, and `READY` once what they
name is imported; then a question and its answer at a time. When the line ends, it ends. It may be
killed at any moment: nothing is lost.
"""

import os
import signal
import socket
import struct
from collections.abc import Callable, MutableMapping
from importlib import import_module
from typing import Any, NoReturn

import msgspec
import structlog

from cea_exchange.control_plane.service import Asked
from cea_exchange.domain.refusals import InstitutionRefusal
from cea_exchange.domain.refusals.answers import refused
from cea_exchange.institution.control.admin_door import ANSWER_BYTES_MAX
from cea_exchange.institution.control.service import InstitutionService
from cea_exchange.institution.persons import Person
from cea_exchange.ledger.database.interface import DatabaseError, DatabaseLost
from cea_exchange.ledger.record_store import StoreError

NICENESS = 5
"""Settlement comes first where there is too little processor for both: three times as much.

More, and whoever looks gets nothing in time on a machine that is busy with other work.
"""
_LENGTH = struct.Struct("<I")


class LookSettings(msgspec.Struct, frozen=True):
    """Settings that a worker receives when it starts.

    Attributes
    ----------
    opener
        ``module:function`` of the institution, see `Opener`.
    data, database
        The data folder, and the setting.
    operators
        Who the settings name, by public key.
    own
        What else the institution's function needs, of MessagePack's types.
    """

    opener: str
    data: str
    database: str | None
    operators: dict[str, Person]
    own: Any = None


Opener = Callable[[LookSettings, Callable[[], int]], InstitutionService[Any]]
"""Returns the service upon a reader's database; what gives the time comes second."""


class Answer(msgspec.Struct, frozen=True):
    """What a worker answers, and what it has for the daemon's log."""

    answer: dict[str, Any]
    events: list[dict[str, Any]]


class Question(msgspec.Struct, frozen=True):
    """Who looks at what, who may; and when it is for the daemon."""

    person: Person
    request: bytes
    now_ns: int


def framed(message: Any) -> bytes:
    """Return a message as it travels between daemon and worker."""
    content = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(content)) + content


READY = framed(None)
"""What it says before the first question: from now on it only answers."""


def unframed(received: bytearray) -> bytes | None:
    """Take the first message off what was received; None while it is not whole."""
    if len(received) < _LENGTH.size:
        return None
    end = _LENGTH.size + _LENGTH.unpack_from(received)[0]
    if len(received) < end:
        return None
    content = bytes(received[_LENGTH.size : end])
    del received[:end]
    return content


class LookWorker:
    """Answers looks from a reader's connection of its own.

    Parameters
    ----------
    settings
        Of which institution, and who its settings name.
    """

    def __init__(self, settings: LookSettings) -> None:
        self._settings = settings
        module, _, function = settings.opener.partition(":")
        self._opener: Opener = getattr(import_module(module), function)
        self._service: InstitutionService[Any] | None = None
        self._now_ns = 0
        self._is_nice = False

    def answer(self, question: Question) -> dict[str, Any]:
        """Return the answer to a look, from all that was committed when it was asked."""
        self._now_ns = question.now_ns
        try:
            service = self._opened()
            with service.services.store.view():
                request = service.read(question.request)
                asked = Asked(question.person, request, service.named(question.person))
                answer = service.carry_out(asked).answer.by_ok()
        except (DatabaseError, StoreError) as error:
            self.close()
            lost = "database lost" if isinstance(error, DatabaseLost) else "database"
            why = f"{lost}, nothing was read: {error}"
            return refused(InstitutionRefusal.DATABASE_AWAY, why)
        size = len(msgspec.msgpack.encode(answer))
        if size > ANSWER_BYTES_MAX:
            why = f"answer: expected at most {ANSWER_BYTES_MAX} bytes, got {size}: ask for fewer"
            return refused(InstitutionRefusal.TOO_LARGE, why)
        return answer

    def close(self) -> None:
        """Close the database; the next look opens it again."""
        if self._service is not None:
            self._service.services.close()
            self._service = None

    def _opened(self) -> InstitutionService[Any]:
        if self._service is None:
            self._service = self._opener(self._settings, lambda: self._now_ns)
            if not self._is_nice:
                # Not before: to begin, and to open the database, takes longer than to read.
                os.nice(NICENESS)
                self._is_nice = True
        return self._service


def serve(line: socket.socket) -> None:
    """Answer what comes over a line until it ends."""
    received = bytearray()

    def next_message() -> bytes | None:
        while (content := unframed(received)) is None:
            data = line.recv(1 << 16)
            if not data:
                return None
            received.extend(data)
        return content

    settings = next_message()
    if settings is None:
        return
    events: list[dict[str, Any]] = []
    _log_to(events)
    worker = LookWorker(msgspec.msgpack.decode(settings, type=LookSettings))
    line.sendall(READY)
    questions = msgspec.msgpack.Decoder(Question)
    while (content := next_message()) is not None:
        answer = worker.answer(questions.decode(content))
        line.sendall(framed(Answer(answer, events)))
        events.clear()


def _log_to(events: list[dict[str, Any]]) -> None:
    """Let what is logged here be an event for the daemon's log."""

    def keep(_logger: object, level: str, event: MutableMapping[str, Any]) -> NoReturn:
        events.append({name: str(value) for name, value in event.items()} | {"level": level})
        raise structlog.DropEvent

    structlog.configure(processors=[structlog.processors.format_exc_info, keep])


def main() -> None:
    """Serve standard input, which is a socket."""
    # The daemon is who ends it: an interrupt from the terminal goes to both.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=0) as line:
        try:
            serve(line)
        except (BrokenPipeError, ConnectionResetError):
            return


if __name__ == "__main__":
    main()

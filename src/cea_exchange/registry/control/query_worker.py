"""A process that answers looks: it reads what the registry has committed, and can't write.

Its standard input is its line to the daemon, both ways: settings first, then a question and its
answer at a time. When the line ends, it ends. It may be killed at any moment: nothing is lost.
"""

import os
import signal
import socket
import struct
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import structlog

from cea_exchange.control_plane.service import Asked
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.domain.refusals.answers import refused
from cea_exchange.ledger.database.interface import DatabaseError, DatabaseLost
from cea_exchange.ledger.store import Store, StoreError
from cea_exchange.registry.bank.setting import BankSetting
from cea_exchange.registry.control.admin import request_decode
from cea_exchange.registry.control.admin_door import ANSWER_BYTES_MAX
from cea_exchange.registry.control.service import RegistryService
from cea_exchange.registry.participants.persons import Person
from cea_exchange.registry.registry import Registry

NICENESS = 10
"""Settlement comes first where there is too little processor for both."""
_LENGTH = struct.Struct("<I")


class LookSettings(msgspec.Struct, frozen=True):
    """What a worker is told as it begins."""

    data: str
    database: str | None
    operators: dict[str, Person]
    bank: BankSetting | None


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
        Of which registry, and who its settings name.
    """

    def __init__(self, settings: LookSettings) -> None:
        self._settings = settings
        self._registry: Registry | None = None
        self._now_ns = 0

    def answer(self, question: Question) -> dict[str, Any]:
        """Return the answer to a look, from all that was committed when it was asked."""
        self._now_ns = question.now_ns
        try:
            registry = self._opened()
            with registry.store.view():
                service = RegistryService(registry, second_person=None, proposal_s=1, place=dict)
                request = request_decode(question.request)
                asked = Asked(question.person, request, service.named(question.person))
                answer = service.carry_out(asked).answer.by_ok()
        except (DatabaseError, StoreError) as error:
            self.close()
            lost = "database lost" if isinstance(error, DatabaseLost) else "database"
            why = f"{lost}, nothing was read: {error}"
            return refused(RegistryRefusal.DATABASE_AWAY, why)
        size = len(msgspec.msgpack.encode(answer))
        if size > ANSWER_BYTES_MAX:
            why = f"answer: expected at most {ANSWER_BYTES_MAX} bytes, got {size}: ask for fewer"
            return refused(RegistryRefusal.TOO_LARGE, why)
        return answer

    def close(self) -> None:
        """Close the database; the next look opens it again."""
        if self._registry is not None:
            self._registry.close()
            self._registry = None

    def _opened(self) -> Registry:
        if self._registry is None:
            settings = self._settings
            store = Store.open_reader(Path(settings.data), settings.database)
            self._registry = Registry(store, lambda: self._now_ns)
            self._registry.persons.operators = settings.operators
            self._registry.bank.setting = settings.bank
        return self._registry


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
    os.nice(NICENESS)
    with socket.socket(fileno=0) as line:
        try:
            serve(line)
        except (BrokenPipeError, ConnectionResetError):
            return


if __name__ == "__main__":
    main()

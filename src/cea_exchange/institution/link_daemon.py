"""An institution's daemon with a door for the allowance registry, which asks it over a link.

registry DEALER <--questions, numbered items-> ROUTER -- LinkMachine
"""

import time
from typing import Any, ClassVar, TypeVar

import structlog

from cea_exchange.control_plane.door import UnreadableCount
from cea_exchange.control_plane.host import DaemonHost
from cea_exchange.institution.config import LinkConfig
from cea_exchange.institution.daemon import InstitutionDaemon
from cea_exchange.institution.machine import LinkMachine
from cea_exchange.institution.persons import Person
from cea_exchange.ledger.record_store import RecordStore
from cea_exchange.protocol.security import SecurityError

QUESTIONS_PER_TURN_MAX = 20

C = TypeVar("C", bound=LinkConfig)
S = TypeVar("S", bound=RecordStore)
M = TypeVar("M", bound=LinkMachine)


class LinkDaemon(InstitutionDaemon[C, S, M]):
    """A running institution that the registry asks; see `InstitutionDaemon`.

    Attributes
    ----------
    machine_class
        Made upon its store.
    question_bytes_max
        A question that is larger ends its connection.
    """

    machine_class: ClassVar[type[Any]]
    question_bytes_max: ClassVar[int]

    def settings_read(self) -> None:
        """Read the registry's key, before anything is opened."""
        self._registry_key = self._config.registry_key(self._data)

    def machine_made(self, operators: dict[str, Person]) -> M:
        """Return the machine upon the store."""
        machine: M = self.machine_class(
            self._store,
            self._clock,
            self._config,
            operators,
            place=self.place,
            fatal=(SecurityError,),
        )
        return machine

    def sockets_open(self, host: DaemonHost) -> None:
        """Open the registry's door."""
        self._link_door = host.door(
            "link",
            self._config.link,
            frozenset({self._registry_key}).__contains__,
            self.question_bytes_max,
            domain=f"{self._name}_link",
        )
        self._link_unreadable = UnreadableCount("link", structlog.get_logger(self._name).warning)

    def take(self, ready: dict[Any, int]) -> None:
        """Take the registry's questions."""
        now_s = time.monotonic()
        self._link_door.turn(now_s)
        self._link_unreadable.turn(now_s)
        for _ in range(QUESTIONS_PER_TURN_MAX):
            message = self._link_door.receive()
            if message is None:
                break
            if message.key != self._registry_key or len(message.frames) != 1:
                why = f"question: expected the registry's, of 1 frame, got {len(message.frames)}"
                self._link_unreadable.note(message.key, why)
                continue
            self._machine.link_question(message.routing_id, message.payload, time.monotonic_ns())

    def say(self) -> None:
        """Send what the machine says."""
        for connection, content in self._machine.outputs():
            self._link_door.answer(connection, content)

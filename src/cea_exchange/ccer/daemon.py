"""The CCER registry's daemon: an institution's, and a door for the allowance registry.

persons DEALER            <--requests, answers-->        ROUTER (fronts) -- CcerMachine -- store
allowance registry DEALER <--questions, numbered items-> ROUTER  /
"""

import time
from typing import Any

import structlog

from cea_exchange.ccer.cancellation.link import QUESTION_BYTES_MAX
from cea_exchange.ccer.config import CcerConfig
from cea_exchange.ccer.control.queries import OPENER
from cea_exchange.ccer.machine import CcerMachine
from cea_exchange.ccer.metrics import CcerMetrics
from cea_exchange.ccer.store import CcerStore
from cea_exchange.control_plane.door import UnreadableCount
from cea_exchange.control_plane.host import DaemonHost
from cea_exchange.institution.daemon import InstitutionDaemon
from cea_exchange.institution.persons import Person
from cea_exchange.protocol.security import SecurityError

QUESTIONS_PER_TURN_MAX = 20

log = structlog.get_logger("ccer")


class CcerDaemon(InstitutionDaemon[CcerConfig, CcerStore, CcerMachine]):
    """A running CCER registry; see `InstitutionDaemon`."""

    store_class = CcerStore
    opener = OPENER

    def settings_read(self) -> None:
        """Read the allowance registry's key, before anything is opened."""
        self._registry_key = self._config.registry_key(self._data)

    def metrics_made(self) -> CcerMetrics:
        """Return what is counted."""
        return CcerMetrics(self._store)

    def machine_made(self, operators: dict[str, Person]) -> CcerMachine:
        """Return the machine upon the store."""
        return CcerMachine(
            self._store,
            self._clock,
            self._config,
            operators,
            place=self.place,
            fatal=(SecurityError,),
        )

    def sockets_open(self, host: DaemonHost) -> None:
        """Open the allowance registry's door."""
        self._link_door = host.door(
            "link",
            self._config.link,
            frozenset({self._registry_key}).__contains__,
            QUESTION_BYTES_MAX,
            domain="ccer_link",
        )
        self._link_unreadable = UnreadableCount("link", log.warning)

    def take(self, ready: dict[Any, int]) -> None:
        """Take the allowance registry's questions."""
        now_s = time.monotonic()
        self._link_door.turn(now_s)
        self._link_unreadable.turn(now_s)
        for _ in range(QUESTIONS_PER_TURN_MAX):
            message = self._link_door.receive()
            if message is None:
                break
            if message.key != self._registry_key or len(message.frames) != 1:
                self._link_unreadable.note(
                    message.key, "question must be the allowance registry's, one frame"
                )
                continue
            self._machine.link_question(message.routing_id, message.payload, time.monotonic_ns())

    def say(self) -> None:
        """Send what the machine says."""
        for connection, content in self._machine.outputs():
            self._link_door.answer(connection, content)

"""The platform as a machine: messages and the time come in, what is to be said goes out.

persons' requests         --->  service    ---> replies
the registry's questions  --->  outbox  ---> LinkAnswered
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from cea_exchange.institution.clock import InstitutionClock
from cea_exchange.institution.machine import InstitutionMachine
from cea_exchange.institution.persons import Person
from cea_exchange.platform.config import PlatformConfig
from cea_exchange.platform.control.service import PlatformService
from cea_exchange.platform.platform import Platform
from cea_exchange.platform.store import PlatformStore


class LinkAnswered(NamedTuple):
    """An answer to the registry over the connection that asked."""

    connection: bytes
    content: bytes


class PlatformMachine(InstitutionMachine):
    """A platform without its sockets; see `InstitutionMachine`.

    Attributes
    ----------
    platform : Platform
        What is acted upon.
    """

    def __init__(
        self,
        store: PlatformStore,
        clock: InstitutionClock,
        config: PlatformConfig,
        operators: dict[str, Person],
        *,
        place: Callable[[], dict[str, Any]] = dict,
        fatal: tuple[type[Exception], ...] = (),
    ) -> None:
        self.platform = Platform(store, clock=clock)
        self.platform.persons.operators = operators
        service = PlatformService(
            self.platform,
            second_person=config.second_person,
            proposal_s=config.proposal_s,
            place=self.place,
        )
        super().__init__(service, clock, place=place, fatal=fatal)
        self._outputs: list[LinkAnswered] = []

    def own_place(self) -> dict[str, Any]:
        """Return how far the registry is."""
        outbox = self.platform.outbox
        return {"link_seq": outbox.last_seq, "judged_seq": outbox.judged_seq}

    def link_question(self, connection: bytes, payload: bytes, now_ns: int) -> None:
        """Take a question of the registry; whatever it is, it is answered."""
        with self.troubles.noted("link", now_ns):
            answer = self.platform.outbox.answer(payload)
            self._outputs.append(LinkAnswered(connection, msgspec.msgpack.encode(answer)))

    def outputs(self) -> list[LinkAnswered]:
        """Return what is to be said since the last time, in order."""
        said, self._outputs = self._outputs, []
        return said

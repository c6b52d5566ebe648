"""The platform as a machine: messages and the time come in, what is to be said goes out.

persons' requests         --->  service  ---> replies
the registry's questions  --->  outbox   ---> LinkAnswered
"""

from collections.abc import Callable
from typing import Any

import structlog

from cea_exchange.institution.clock import InstitutionClock
from cea_exchange.institution.machine import LinkMachine
from cea_exchange.institution.persons import Person
from cea_exchange.ledger.partners import REGISTRY
from cea_exchange.platform.config import PlatformConfig
from cea_exchange.platform.control.service import PlatformService
from cea_exchange.platform.platform import Platform
from cea_exchange.platform.store import PlatformStore
from cea_exchange.protocol.links.platform import LinkAnswer

REMINDED_PER_TURN = 10
"""Enterprises; persons and the registry have their turn in between."""

log = structlog.get_logger("platform")


class PlatformMachine(LinkMachine):
    """A platform without its sockets; see `LinkMachine`.

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
        self._partners = store.partners
        if self.platform.outbox.judged_seq:
            # A platform from an older copy of its folder would give numbers that the registry has.
            self._partners.await_word(REGISTRY)
        service = PlatformService(
            self.platform,
            second_person=config.second_person,
            proposal_s=config.proposal_s,
            place=self.place,
        )
        super().__init__(service, clock, place=place, fatal=fatal)

    @property
    def state(self) -> str:
        """``ok``, or ``stopped: ...``: the registry has what the database lacks."""
        return self._partners.stopped() or "ok"

    def own_place(self) -> dict[str, Any]:
        """Return how far the registry is, and how far the chain is anchored there."""
        outbox = self.platform.outbox
        return {
            "link_seq": outbox.last_seq,
            "judged_seq": outbox.judged_seq,
            "anchors": {REGISTRY: outbox.anchoring.shown()},
        }

    def resume(self) -> None:
        """Look again at who is to be reminded, where the database was lost meanwhile."""
        self.platform.remind_all()

    @property
    def has_work(self) -> bool:
        """Whether somebody has still to be reminded of what is due."""
        return bool(self.platform.to_remind)

    def turn(self, now_ns: int) -> None:
        """Remind some of what is due."""
        with self.troubles.noted("reminders", now_ns):
            reminded = self.platform.remind_some(REMINDED_PER_TURN)
            if reminded:
                of = [f"{due.enterprise} {due.kind} {due.period}" for due in reminded[:20]]
                log.info("reminded", count=len(reminded), of=of)

    def link_answer(self, payload: bytes) -> LinkAnswer:
        """Return the answer to the registry."""
        return self.platform.outbox.answer(payload)

"""An institution as a machine: messages and the time come in, what is to be said goes out.

It knows no socket, thread or clock; all that it keeps is in the database. Times called `now_ns` are
of a clock that never goes back; the time and day of acts are those of the institution's own clock.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import structlog

from cea_exchange.domain.timetable import time_from_ns
from cea_exchange.institution.clock import InstitutionClock
from cea_exchange.institution.control.service import InstitutionService
from cea_exchange.institution.control.troubles import Troubles
from cea_exchange.ledger.database.interface import DatabaseFull

DEFINITIONS_NS = 10_000_000_000
"""Nanoseconds between two comparisons of the tables' definitions: one takes 2 ms on SQLite."""

log = structlog.get_logger("institution")


class InstitutionMachine:
    """An institution without its sockets.

    Parameters
    ----------
    service
        Answers persons.
    clock
        The time and day of acts.
    place
        Tells what only the daemon knows, for `Status`.
    fatal
        What no part of a turn may go on from, see `Troubles`.

    Attributes
    ----------
    troubles : Troubles
        What it ran into and went on from.
    """

    def __init__(
        self,
        service: InstitutionService[Any],
        clock: InstitutionClock,
        *,
        place: Callable[[], dict[str, Any]] = dict,
        fatal: tuple[type[Exception], ...] = (),
    ) -> None:
        self.service = service
        self._services = service.services
        self._clock = clock
        self._daemon_place = place
        self.troubles = Troubles(fatal)
        self._date = 0
        self._definitions_due_ns = 0
        service.settings_keep()

    @property
    def state(self) -> str:
        """``ok``, or what keeps it from its work."""
        return "ok"

    @property
    def has_work(self) -> bool:
        """Whether a turn would do something though nothing has come."""
        return False

    def place(self) -> dict[str, Any]:
        """Return where the institution stands, for `Status`."""
        return {
            "state": self.state,
            "time": time_from_ns(self._clock.now_ns()).isoformat(),
            "clock": self._clock.kind,
            "clock_warning": self._clock.warning,
            **self.own_place(),
            "unsafe": self.service.unsafe,
            "database_bytes": self._services.store.database.bytes_used(),
            "troubles": self.troubles_shown(),
            **self._daemon_place(),
        }

    def own_place(self) -> dict[str, Any]:
        """Return what the institution itself says there."""
        return {}

    def troubles_shown(self) -> dict[str, str]:
        """Return by part what keeps it from being done now."""
        return self.troubles.shown()

    def log_fields(self) -> dict[str, Any]:
        """Return what the log says of it as it begins and ends, without the database."""
        return {}

    def resume(self) -> None:
        """Go on with what a database that was lost has; DatabaseError if it is away again."""

    # -- its turn -----------------------------------------------------------------------------

    def turn(self, now_ns: int) -> None:
        """Do what is due."""

    def definitions_look(self, now_ns: int) -> None:
        """Compare tables, indexes, views and triggers with their definitions from time to time.

        Notes
        -----
        Rules: CEA-REG-05.
        """
        if now_ns < self._definitions_due_ns:
            return
        self._definitions_due_ns = now_ns + DEFINITIONS_NS
        with self.troubles.noted("definitions", now_ns):
            self._services.store.definitions_check()

    def day_look(self, now_ns: int) -> None:
        """End what ends with a day, once the next one has begun; not by a doubted clock.

        Notes
        -----
        Rules: CEA-REG-08.
        """
        with self.troubles.noted("date", now_ns):
            self._day_begin_if_due()

    def _day_begin_if_due(self) -> None:
        services = self._services
        services.clock_acts.take()
        self._clock.now_ns()
        if not self._clock.is_known or (date := services.business_date()) == self._date:
            return
        if services.store.partners.stopped():
            # The end of a day may release what courts have frozen.
            return
        try:
            ended = services.day_begin()
        except DatabaseFull as error:
            log.error("disk_full", error=str(error))
            return
        self._date = date
        for event, fields in ended.items():
            log.info(event, **fields)
        self.day_log()

    def day_log(self) -> None:
        """Tell the log what is to be done on a day that has begun."""


class LinkAnswered(NamedTuple):
    """An answer to the registry over the connection that asked."""

    connection: bytes
    content: bytes


class LinkMachine(InstitutionMachine, ABC):
    """An institution without its sockets that the registry asks; see `InstitutionMachine`."""

    def __init__(
        self, service: InstitutionService[Any], clock: InstitutionClock, **named: Any
    ) -> None:
        super().__init__(service, clock, **named)
        self._answers: list[LinkAnswered] = []

    @abstractmethod
    def link_answer(self, payload: bytes) -> msgspec.Struct | None:
        """Return the answer to a question, whatever it is; None while the link is silent."""

    def link_question(self, connection: bytes, payload: bytes, now_ns: int) -> None:
        """Take a question of the registry."""
        with self.troubles.noted("link", now_ns):
            answer = self.link_answer(payload)
            if answer is not None:
                self._answers.append(LinkAnswered(connection, msgspec.msgpack.encode(answer)))

    def outputs(self) -> list[LinkAnswered]:
        """Return what is to be said since the last time, in order."""
        said, self._answers = self._answers, []
        return said

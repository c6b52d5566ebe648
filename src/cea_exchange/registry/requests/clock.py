"""The registry's clock."""

from typing import Any

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.domain.timetable import time_parse, time_to_ns
from cea_exchange.protocol.control import TIME_NS_MAX
from cea_exchange.registry.acts import Registry
from cea_exchange.registry.checks import ActError
from cea_exchange.registry.requests.request import Request


class ClockMove(Request, tag="clock_move"):
    """Move a manual clock to a time, ISO 8601 with offset."""

    at: str
    def act(self, registry: Registry) -> dict[str, Any]:
        try:
            at_ns = time_to_ns(time_parse(self.at))
        except ValueError as error:
            raise ActError(RegistryRefusal.DATE_UNSOUND, f"at: {error}") from None
        if not 0 <= at_ns <= TIME_NS_MAX:
            raise ActError(
                RegistryRefusal.DATE_OUT_OF_RANGE,
                f"at: expected within 1970 and 2116, got {self.at}",
            )
        registry.clock_move(at_ns)
        return {}


class ClockConfirm(Request, tag="clock_confirm"):
    """Say that a clock that is doubted is right, and what day it is."""

    date: int
    def act(self, registry: Registry) -> dict[str, Any]:
        registry.clock_confirm(self.date)
        return {}

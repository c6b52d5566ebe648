"""The registry's clock."""

from typing import TYPE_CHECKING, Any

from cea_exchange.domain.timetable import time_parse, time_to_ns
from cea_exchange.protocol.control import TIME_NS_MAX
from cea_exchange.registry.checks import ActError
from cea_exchange.registry.control.dual_control import Second
from cea_exchange.registry.control.requests.request import Request
from cea_exchange.registry.participants.roles import OPERATOR

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry


class ClockMove(Request, tag="clock_move"):
    """Move a manual clock to a time, ISO 8601 with offset."""

    roles = (OPERATOR,)
    second = Second.OWN

    at: str
    def act(self, registry: "Registry") -> dict[str, Any]:
        try:
            at_ns = time_to_ns(time_parse(self.at))
        except ValueError as error:
            raise ActError(f"at: {error}") from None
        if not 0 <= at_ns <= TIME_NS_MAX:
            raise ActError(f"at must be within 1970 and 2116, was {self.at}")
        registry.clock_move(at_ns)
        return {}


class ClockConfirm(Request, tag="clock_confirm"):
    """Say that a clock that is doubted is right, and what day it is."""

    roles = (OPERATOR,)
    second = Second.OWN

    date: int
    def act(self, registry: "Registry") -> dict[str, Any]:
        registry.clock_confirm(self.date)
        return {}

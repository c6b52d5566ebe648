"""Requests about the registry's clock."""

from typing import TYPE_CHECKING, Annotated, Any

from cea_exchange.control_plane.fields import field
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.domain.timetable import time_parse, time_to_ns
from cea_exchange.protocol.control import TIME_NS_MAX
from cea_exchange.registry.checks import ActError
from cea_exchange.registry.control.dual_control import Second
from cea_exchange.registry.control.requests.request import Request
from cea_exchange.registry.participants.roles import OPERATOR

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry


class ClockMove(Request, tag="clock_move"):
    """Move a manual clock; a second person has to approve it."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "clock move"
    example = "clock move 2025-07-16T09:30:00+08:00"

    at: Annotated[str, field("ISO 8601 with offset.")]
    def act(self, registry: "Registry") -> dict[str, Any]:
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
    """Say that the system's clock is right, which `registry status` says is doubted.

    A second person has to approve it.
    """

    roles = (OPERATOR,)
    second = Second.OWN
    command = "clock confirm"
    example = "clock confirm 2026-01-05"

    date: Annotated[int, field("Today", typed="date")]
    def act(self, registry: "Registry") -> dict[str, Any]:
        registry.clock_confirm(self.date)
        return {}

"""Carryover of closed vintages into the next one."""

from typing import TYPE_CHECKING, Any

import msgspec

from cea_exchange.registry.control.dual_control import Second
from cea_exchange.registry.control.requests.request import Request
from cea_exchange.registry.participants.roles import AUTHORITY, INITIATOR, OPERATOR, ROLES

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry


class CarryoverGiveNotice(Request, tag="carryover_give_notice"):
    """Tell every entity how much it may carry over."""

    roles = (OPERATOR,)
    second = Second.OWN

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"notices": registry.carryover.give_notice()}


class CarryoverNotice(Request, tag="carryover_notice"):
    """The notice of one entity."""

    roles = ROLES
    is_look = True

    account: str

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"notice": msgspec.to_builtins(registry.carryover.notice(self.account))}


class CarryoverApply(Request, tag="carryover_apply"):
    """Apply to carry over tonnes by product."""

    roles = (OPERATOR, INITIATOR)
    second = Second.HOLDER

    account: str
    tonnes: dict[str, int]

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"carryover_id": registry.carryover.apply(self.account, self.tonnes)}


class CarryoverWithdraw(Request, tag="carryover_withdraw"):
    """Take an application back before its run."""

    roles = (OPERATOR, INITIATOR)
    second = Second.HOLDER

    carryover_id: int
    account: str

    def act(self, registry: "Registry") -> dict[str, Any]:
        registry.carryover.withdraw(self.carryover_id, self.account)
        return {}


class CarryoverRun(Request, tag="carryover_run"):
    """Exchange what was applied for in a run."""

    roles = (AUTHORITY,)
    second = Second.OWN

    number: int

    def act(self, registry: "Registry") -> dict[str, Any]:
        return msgspec.to_builtins(registry.carryover.run(self.number))

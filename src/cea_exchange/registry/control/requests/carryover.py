"""Carryover of closed vintages into the next one."""

from typing import Any

import msgspec

from cea_exchange.registry.control.requests.request import Request
from cea_exchange.registry.registry import Registry


class CarryoverGiveNotice(Request, tag="carryover_give_notice"):
    """Tell every entity how much it may carry over."""

    def act(self, registry: Registry) -> dict[str, Any]:
        return {"notices": registry.carryover.give_notice()}


class CarryoverNotice(Request, tag="carryover_notice"):
    """The notice of one entity."""

    is_look = True

    account: str

    def act(self, registry: Registry) -> dict[str, Any]:
        return {"notice": msgspec.to_builtins(registry.carryover.notice(self.account))}


class CarryoverApply(Request, tag="carryover_apply"):
    """Apply to carry over tonnes by product."""

    account: str
    tonnes: dict[str, int]

    def act(self, registry: Registry) -> dict[str, Any]:
        return {"carryover_id": registry.carryover.apply(self.account, self.tonnes)}


class CarryoverWithdraw(Request, tag="carryover_withdraw"):
    """Take an application back before its run."""

    carryover_id: int
    account: str

    def act(self, registry: Registry) -> dict[str, Any]:
        registry.carryover.withdraw(self.carryover_id, self.account)
        return {}


class CarryoverRun(Request, tag="carryover_run"):
    """Exchange what was applied for in a run."""

    number: int

    def act(self, registry: Registry) -> dict[str, Any]:
        return msgspec.to_builtins(registry.carryover.run(self.number))

"""Requests about the carryover of closed vintages into the next one."""

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from cea_exchange.control_plane.fields import field
from cea_exchange.registry.control.dual_control import Second
from cea_exchange.registry.control.requests.fields import Account, TonnesByProduct
from cea_exchange.registry.control.requests.request import Request
from cea_exchange.registry.participants.roles import AUTHORITY, INITIATOR, OPERATOR, ROLES

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry


class CarryoverGiveNotice(Request, tag="carryover_give_notice"):
    """Tell every entity how much it may carry over; a second person has to approve it."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "carryover notify"
    example = "carryover notify"

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"notices": registry.carryover.give_notice()}


class CarryoverNotice(Request, tag="carryover_notice"):
    """Print what an entity may carry over, and from which figures that comes."""

    roles = ROLES
    is_look = True
    command = "carryover notice"
    example = "carryover notice P001"

    account: Account

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"notice": msgspec.to_builtins(registry.carryover.notice(self.account))}


class CarryoverApply(Request, tag="carryover_apply"):
    """Apply to carry over allowances; they are set aside. A second person has to approve it."""

    roles = (OPERATOR, INITIATOR)
    second = Second.HOLDER
    command = "carryover apply"
    example = "carryover apply P001 CEA=5000 CEA23=1000"

    account: Account
    tonnes: TonnesByProduct

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"carryover_id": registry.carryover.apply(self.account, self.tonnes)}


class CarryoverWithdraw(Request, tag="carryover_withdraw"):
    """Take an application back before its run; two persons do it."""

    roles = (OPERATOR, INITIATOR)
    second = Second.HOLDER
    command = "carryover withdraw"
    example = "carryover withdraw 3 P001"

    carryover_id: Annotated[int, field("The carryover's number.", name="number")]
    account: Account

    def act(self, registry: "Registry") -> None:
        registry.carryover.withdraw(self.carryover_id, self.account)


class CarryoverRun(Request, tag="carryover_run"):
    """Exchange what was applied for in a run; a second person has to approve it."""

    roles = (AUTHORITY,)
    second = Second.OWN
    command = "carryover run"
    example = "carryover run 1 --key mee"

    number: Annotated[int, field("1 or 2; 3 is of late applications.")]

    def act(self, registry: "Registry") -> dict[str, Any]:
        return msgspec.to_builtins(registry.carryover.run(self.number))

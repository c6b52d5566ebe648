"""Surrender: application, review, retirement, force, certificate."""

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from cea_exchange.registry.control.dual_control import Second
from cea_exchange.registry.control.requests.request import Request
from cea_exchange.registry.paging import PAGE_COUNT_MAX, Number, PageCount, page
from cea_exchange.registry.participants.persons import province_bodies
from cea_exchange.registry.participants.roles import (
    AUTHORITY,
    INITIATOR,
    OFFICES,
    OPERATOR,
    PROVINCE,
    ROLES,
)

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry


class SurrenderApply(Request, tag="surrender_apply"):
    """Apply to surrender tonnes by product, an entity's own or what a giver provides for it."""

    roles = (OPERATOR, INITIATOR)
    second = Second.HOLDER

    account: str
    compliance_year: int
    tonnes: dict[str, int]
    giver: str | None = None
    why: str = ""

    def bodies(self, registry: "Registry") -> frozenset[str]:
        """Return whose it is: the giver's."""
        return registry.accounts.bodies(self.giver or self.account)

    def holder(self, registry: "Registry") -> str:
        return registry.accounts.holder(self.giver or self.account)

    def act(self, registry: "Registry") -> dict[str, Any]:
        number = registry.surrender.apply(
            self.account, self.compliance_year, self.tonnes, giver=self.giver, why=self.why
        )
        return {"surrender_id": number}


class SurrenderWithdraw(Request, tag="surrender_withdraw"):
    """Take an application back that is not decided; by whose allowances it is."""

    roles = (OPERATOR, INITIATOR)
    second = Second.HOLDER

    surrender_id: int
    giver: str

    def bodies(self, registry: "Registry") -> frozenset[str]:
        """Return whose it is: the giver's."""
        return registry.accounts.bodies(self.giver)

    def holder(self, registry: "Registry") -> str:
        return registry.accounts.holder(self.giver)

    def act(self, registry: "Registry") -> dict[str, Any]:
        registry.surrender.withdraw(self.surrender_id, self.giver)
        return {}


class SurrenderReject(Request, tag="surrender_reject"):
    """A province refuses an application."""

    roles = (PROVINCE,)
    second = Second.OWN

    surrender_id: int
    province: int
    why: str

    def bodies(self, registry: "Registry") -> frozenset[str]:
        """Return whose it is: the province's that it names."""
        return province_bodies(self.province)

    def act(self, registry: "Registry") -> dict[str, Any]:
        registry.surrender.reject(self.surrender_id, self.province, self.why)
        return {}


class SurrenderAccept(Request, tag="surrender_accept"):
    """A province accepts an application and passes it on to the authority."""

    roles = (PROVINCE,)
    second = Second.OWN

    surrender_id: int
    province: int

    def bodies(self, registry: "Registry") -> frozenset[str]:
        """Return whose it is: the province's that it names."""
        return province_bodies(self.province)

    def act(self, registry: "Registry") -> dict[str, Any]:
        registry.surrender.accept(self.surrender_id, self.province)
        return {}


class SurrenderRetire(Request, tag="surrender_retire"):
    """The authority retires what a province has accepted."""

    roles = (AUTHORITY,)
    second = Second.OWN

    surrender_id: int

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"certificate": registry.surrender.retire(self.surrender_id)}


class SurrenderForce(Request, tag="surrender_force"):
    """Surrender for an entity at risk what its province keeps for it."""

    roles = (OPERATOR, PROVINCE)
    second = Second.PROVINCE

    account: str
    compliance_year: int
    province: int

    def bodies(self, registry: "Registry") -> frozenset[str]:
        """Return whose it is: the province's that it names."""
        return province_bodies(self.province)

    def act(self, registry: "Registry") -> dict[str, Any]:
        plan = registry.surrender.force(self.account, self.compliance_year, self.province)
        return {
            "taken": {str(vintage): tonnes for vintage, tonnes in plan.taken.items()},
            "released": {str(vintage): tonnes for vintage, tonnes in plan.released.items()},
            "due": plan.due,
        }


class SurrenderList(Request, tag="surrender_list"):
    """Surrenders of a state: `applied` wait for a province, `accepted` for the authority."""

    roles = OFFICES
    is_look = True

    state: Literal["applied", "accepted", "retired", "rejected", "withdrawn"]
    province: int | None = None
    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def bodies(self, registry: "Registry") -> frozenset[str]:
        """Return whose it is: the province's that it names."""
        return province_bodies(self.province)

    def act(self, registry: "Registry") -> dict[str, Any]:
        rows, following = registry.surrender.listed_page(
            self.state, self.province, self.first, self.count
        )
        found, further = page(map(msgspec.to_builtins, rows), self.count, "surrender_id")
        return {"surrenders": found, "next": following if further is None else further}


class SurrenderCertificate(Request, tag="surrender_certificate"):
    """The certificate in force of an obligation, as fields and as text."""

    roles = ROLES
    is_look = True

    account: str
    compliance_year: int

    def act(self, registry: "Registry") -> dict[str, Any]:
        found = registry.surrender.certificate(self.account, self.compliance_year)
        return {"certificate": msgspec.to_builtins(found), "text": found.text()}

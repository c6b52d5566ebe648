"""Requests about surrender: application, review, retirement, force, certificate."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from cea_exchange.control_plane.fields import field
from cea_exchange.institution.paging import PAGE_COUNT_MAX, Number, PageCount, page, paged
from cea_exchange.registry.control.dual_control import Second
from cea_exchange.registry.control.requests.fields import (
    Account,
    TonnesByProduct,
    Why,
    Year,
)
from cea_exchange.registry.control.requests.request import AboutProvince, ActOfProvince, Request
from cea_exchange.registry.participants.roles import (
    AUTHORITY,
    INITIATOR,
    OFFICIALS,
    OPERATOR,
    PROVINCE,
    ROLES,
)

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry


class SurrenderApply(Request, tag="surrender_apply"):
    """Apply to surrender allowances; they are set aside. A second person has to approve it."""

    roles = (OPERATOR, INITIATOR)
    second = Second.HOLDER
    command = "surrender apply"
    example = "surrender apply P001 2024 CEA23=1000 CEA24=5000"

    account: Account
    compliance_year: Year
    tonnes: TonnesByProduct
    giver: Annotated[str | None, field("Another account, that gives the allowances.")] = None
    why: Annotated[str, field("Of giving for another: what blocks it.")] = ""

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
    """Take an application back that the province has not decided; two persons do it."""

    roles = (OPERATOR, INITIATOR)
    second = Second.HOLDER
    command = "surrender withdraw"
    example = "surrender withdraw 12 P001"

    surrender_id: Annotated[int, field("The surrender's number.", name="number")]
    giver: Annotated[str, field("The account whose allowances they are.")]

    def bodies(self, registry: "Registry") -> frozenset[str]:
        """Return whose it is: the giver's."""
        return registry.accounts.bodies(self.giver)

    def holder(self, registry: "Registry") -> str:
        return registry.accounts.holder(self.giver)

    def act(self, registry: "Registry") -> None:
        registry.surrender.withdraw(self.surrender_id, self.giver)


class SurrenderReject(ActOfProvince, tag="surrender_reject"):
    """As a province, refuse an application; the allowances go back. Two persons do it."""

    roles = (PROVINCE,)
    second = Second.OWN
    command = "surrender reject"
    example = 'surrender reject 12 --province 33 --why "disputed" --key pan'

    surrender_id: Annotated[int, field("The surrender's number.", name="number")]
    why: Why

    def act(self, registry: "Registry") -> None:
        registry.surrender.reject(self.surrender_id, self.province, self.why)


class SurrenderAccept(ActOfProvince, tag="surrender_accept"):
    """As a province, accept an application and pass it on to the authority; two persons do it."""

    roles = (PROVINCE,)
    second = Second.OWN
    command = "surrender accept"
    example = "surrender accept 12 --province 33 --key pan"

    surrender_id: Annotated[int, field("The surrender's number.", name="number")]

    def act(self, registry: "Registry") -> None:
        registry.surrender.accept(self.surrender_id, self.province)


class SurrenderRetire(Request, tag="surrender_retire"):
    """As the authority, retire what a province has accepted; two persons do it."""

    roles = (AUTHORITY,)
    second = Second.OWN
    command = "surrender retire"
    example = "surrender retire 12 --key mee"

    surrender_id: Annotated[int, field("The surrender's number.", name="number")]

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"certificate": registry.surrender.retire(self.surrender_id)}


class SurrenderForce(ActOfProvince, tag="surrender_force"):
    """Surrender for an entity at risk what its province keeps for it; a second person approves."""

    roles = (OPERATOR, PROVINCE)
    second = Second.PROVINCE
    command = "surrender force"
    example = "surrender force P001 2024 --province 33"

    account: Account
    compliance_year: Year

    def act(self, registry: "Registry") -> dict[str, Any]:
        plan = registry.surrender.force(self.account, self.compliance_year, self.province)
        return {
            "taken": {str(vintage): tonnes for vintage, tonnes in plan.taken.items()},
            "released": {str(vintage): tonnes for vintage, tonnes in plan.released.items()},
            "due": plan.due,
        }


class SurrenderList(AboutProvince, tag="surrender_list"):
    """Print the surrenders that wait for a province, or are of another state."""

    roles = OFFICIALS
    is_look = True
    command = "surrender list"
    example = "surrender list --state accepted"
    rows = ("surrenders",)

    state: Annotated[
        Literal["applied", "accepted", "retired", "rejected", "withdrawn"],
        field("In which they are."),
    ] = "applied"
    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def act(self, registry: "Registry") -> dict[str, Any]:
        rows, following = registry.surrender.listed(
            self.state, self.province, self.first, self.count
        )
        found, further = page(map(msgspec.to_builtins, rows), self.count, "surrender_id")
        return {"surrenders": found, "next": following if further is None else further}


class SurrenderHistory(Request, tag="surrender_history"):
    """Print what was applied for to cover an account's obligation, and what became of it."""

    roles = ROLES
    is_look = True
    command = "surrender history"
    example = "surrender history P001 2024"
    rows = ("surrenders",)

    account: Account
    compliance_year: Year
    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def act(self, registry: "Registry") -> dict[str, Any]:
        rows = registry.surrender.history(
            self.account, self.compliance_year, first=self.first, count=self.count + 1
        )
        return paged("surrenders", rows, "surrender_id", self.count)


class SurrenderCertificate(Request, tag="surrender_certificate"):
    """Print the certificate of an obligation that is covered."""

    roles = ROLES
    is_look = True
    command = "surrender certificate"
    example = "surrender certificate P001 2024"

    account: Account
    compliance_year: Year

    def act(self, registry: "Registry") -> dict[str, Any]:
        found = registry.surrender.certificate(self.account, self.compliance_year)
        return {"certificate": msgspec.to_builtins(found), "text": found.text()}

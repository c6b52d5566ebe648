"""Requests about claims: what busts left owing."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

from cea_exchange.control_plane.fields import field
from cea_exchange.registry.control.dual_control import Second
from cea_exchange.registry.control.requests.request import Listing, Request
from cea_exchange.registry.participants.roles import OPERATOR, REGULATOR

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry


class ClaimList(Listing, tag="claim_list"):
    """Print what is owed after busts that the venue could not undo."""

    roles = (OPERATOR, REGULATOR)
    is_scoped = False
    command = "claim list"
    rows = ("claims",)
    numbered_by = "claim_id"

    paid: Annotated[bool, field("Those that are paid too.", name="--all")] = False

    def listed(self, registry: "Registry", count: int) -> Iterable[Any]:
        return registry.claims.all(paid=self.paid, first=self.first, count=count)


class ClaimPay(Request, tag="claim_pay"):
    """Pay a claim out of the debtor's registration account; a second person approves."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "claim pay"
    example = "claim pay 3"

    claim_id: Annotated[int, field("The claim's number.", name="number")]

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"entry_id": registry.claims.pay(self.claim_id)}

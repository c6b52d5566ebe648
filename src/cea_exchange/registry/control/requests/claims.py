"""What busts left owing."""

from typing import TYPE_CHECKING, Any

from cea_exchange.registry.control.dual_control import Second
from cea_exchange.registry.control.requests.request import Request
from cea_exchange.registry.paging import PAGE_COUNT_MAX, Number, PageCount, paged
from cea_exchange.registry.participants.roles import OPERATOR, REGULATOR

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry


class ClaimList(Request, tag="claim_list"):
    """The claims, with ``paid`` those that are paid too."""

    roles = (OPERATOR, REGULATOR)
    is_look = True
    is_scoped = False

    paid: bool = False
    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def act(self, registry: "Registry") -> dict[str, Any]:
        rows = registry.claims.all(paid=self.paid, first=self.first, count=self.count + 1)
        return paged("claims", rows, "claim_id", self.count)


class ClaimPay(Request, tag="claim_pay"):
    """Pay a claim out of the debtor's registration account."""

    roles = (OPERATOR,)
    second = Second.OWN

    claim_id: int

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"entry_id": registry.claims.pay(self.claim_id)}

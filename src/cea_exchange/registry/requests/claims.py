"""What busts left owing."""

from typing import Any

from cea_exchange.registry.acts import Registry
from cea_exchange.registry.requests.request import Request


class ClaimList(Request, tag="claim_list"):
    """The claims, with ``paid`` those that are paid too."""

    paid: bool = False
    is_look = True
    is_scoped = False

    def act(self, registry: Registry) -> dict[str, Any]:
        return {"claims": registry.claims.all(paid=self.paid)}


class ClaimPay(Request, tag="claim_pay"):
    """Pay a claim out of the debtor's registration account."""

    claim_id: int

    def act(self, registry: Registry) -> dict[str, Any]:
        return {"entry_id": registry.claims.pay(self.claim_id)}

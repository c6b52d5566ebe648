"""What somebody holds, now or then, and the ledger's entries."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from cea_exchange.domain.naming import CASH_NAME
from cea_exchange.registry.control.requests.request import Request
from cea_exchange.registry.participants.holdings import (
    Moment,
    balances_view,
    entries_view,
    transfers_view,
)
from cea_exchange.registry.participants.roles import ROLES

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry

COUNT_MAX = 1_000
"""Entries, or transfers, in one answer."""

Seq = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Day = Annotated[int, msgspec.Meta(ge=1_01_01, le=9999_12_31)]


class Balance(Request, tag="balance"):
    """What an account, an institution's too, holds or held; of everything, or of one product.

    The product ``CNY`` is cash. As of an entry, of the end of a day (yyyymmdd), or of a settlement
    sequence; of none of them, now.
    """

    roles = ROLES
    is_look = True

    account: str
    product: str | None = None
    as_of: Seq | None = None
    as_of_date: Day | None = None
    as_of_settlement: Seq | None = None

    def act(self, registry: "Registry") -> dict[str, Any]:
        moment = Moment(self.as_of, self.as_of_date, self.as_of_settlement)
        asset = _asset(registry, self.product)
        return balances_view(registry.store, self.account, asset, moment)


class Entries(Request, tag="entries"):
    """The ledger's entries with their legs, behind one; or only an account's, or a product's."""

    roles = ROLES
    is_look = True

    account: str | None = None
    product: str | None = None
    after: Seq = 0
    count: Annotated[int, msgspec.Meta(ge=1, le=COUNT_MAX)] = 100

    def act(self, registry: "Registry") -> dict[str, Any]:
        asset = _asset(registry, self.product)
        return entries_view(registry.store, self.account, asset, self.after, self.count)


class Transfers(Request, tag="transfers"):
    """Transfers to the venue and back behind one, an account's, or those of a state."""

    roles = ROLES
    is_look = True

    account: str | None = None
    state: Literal["pending", "completed", "rejected"] | None = None
    after: Seq = 0
    count: Annotated[int, msgspec.Meta(ge=1, le=COUNT_MAX)] = 100

    def act(self, registry: "Registry") -> dict[str, Any]:
        return transfers_view(registry.store, self.account, self.state, self.after, self.count)


def _asset(registry: "Registry", product: str | None) -> int | None:
    """Return the index of a product or of cash; None where all are meant."""
    return None if product is None else registry.asset(None if product == CASH_NAME else product)

"""Requests to look at holdings, now or then, and at the ledger's entries."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from cea_exchange.control_plane.fields import field
from cea_exchange.domain.naming import CASH_NAME
from cea_exchange.registry.control.requests.request import Request
from cea_exchange.registry.participants.roles import ROLES

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry

COUNT_MAX = 1_000
"""Entries, or transfers, in one answer."""

Seq = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Day = Annotated[int, msgspec.Meta(ge=1_01_01, le=9999_12_31)]


class Balance(Request, tag="balance"):
    """Print what an account holds, or held.

    The product ``CNY`` is cash. As of an entry, of the end of a day (yyyymmdd), or of a settlement
    sequence; of none of them, now.
    """

    roles = ROLES
    is_look = True
    command = "account balance"
    example = "account balance P001 --as-of-date 2025-07-16"

    account: Annotated[str, field("Account, or an institution's name.")]
    product: Annotated[str | None, field("Only this one; CNY is cash.")] = None
    as_of: Annotated[Seq | None, field("After this entry of the ledger.")] = None
    as_of_date: Annotated[Day | None, field("At the end of this day", typed="date")] = None
    as_of_settlement: Annotated[Seq | None, field("When settlement had reached this sequence.")] = (
        None
    )

    def act(self, registry: "Registry") -> dict[str, Any]:
        from cea_exchange.registry.participants.holdings import Moment, balances_view

        moment = Moment(self.as_of, self.as_of_date, self.as_of_settlement)
        asset = _asset(registry, self.product)
        return balances_view(registry.store, self.account, asset, moment)


class Entries(Request, tag="entries"):
    """Print the ledger's entries with their legs.

    An answer about one account or product reads 20,000 entries at most and says where to go on.
    """

    roles = ROLES
    is_look = True
    command = "entry list"
    example = "entry list --account P001"

    account: Annotated[str | None, field("Only what touches it.")] = None
    product: Annotated[str | None, field("Only of this one; CNY is cash.")] = None
    after: Annotated[Seq, field("Behind this entry.")] = 0
    count: Annotated[int, msgspec.Meta(ge=1, le=COUNT_MAX), field("How many at most.")] = 100

    def act(self, registry: "Registry") -> dict[str, Any]:
        from cea_exchange.registry.participants.holdings import entries_view

        asset = _asset(registry, self.product)
        return entries_view(registry.store, self.account, asset, self.after, self.count)


class Transfers(Request, tag="transfers"):
    """Print transfers to the venue and back, and why the venue rejected one."""

    roles = ROLES
    is_look = True
    command = "transfer list"
    example = "transfer list --account P001 --key li"

    account: Annotated[str | None, field("Only of this one.")] = None
    state: Annotated[
        Literal["pending", "completed", "rejected"] | None, field("Only those that are so.")
    ] = None
    after: Annotated[Seq, field("Behind this transfer.")] = 0
    count: Annotated[int, msgspec.Meta(ge=1, le=COUNT_MAX), field("How many at most.")] = 100

    def act(self, registry: "Registry") -> dict[str, Any]:
        from cea_exchange.registry.participants.holdings import transfers_view

        return transfers_view(registry.store, self.account, self.state, self.after, self.count)


def _asset(registry: "Registry", product: str | None) -> int | None:
    """Return the index of a product or of cash; None where all are meant."""
    return None if product is None else registry.asset(None if product == CASH_NAME else product)

"""The exchange: keys that trade, what goes to trading accounts and back, and what was delivered."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from cea_exchange.ccer.control.request import Request, Second
from cea_exchange.ccer.control.requests.fields import Account, Instrument, Serials, TonnesOnly
from cea_exchange.ccer.roles import INITIATOR, OFFICIALS, OPERATOR, ROLES
from cea_exchange.control_plane.fields import field
from cea_exchange.institution.control.requests import PublicKey
from cea_exchange.institution.paging import (
    PAGE_COUNT_MAX,
    Number,
    PageCount,
    Place,
    page_at,
    paged,
)

if TYPE_CHECKING:
    from cea_exchange.ccer.ccer_registry import CcerRegistry


class KeyGrant(Request, tag="key_grant"):
    """Let a key act for an account at the exchange; the account's approver agrees."""

    roles = (INITIATOR,)
    second = Second.OWN
    command = "key grant"
    example = "key grant keys/seawind.public SEAWIND --key li"

    key: PublicKey
    account: Annotated[str, field("For which account it acts.")]
    operator_index: Annotated[
        int, msgspec.Meta(ge=0, le=15), field("Which operator: 0 to 15.", name="--operator")
    ] = 0
    role: Annotated[
        Literal["trader", "canceller", "reader"], field("trader, canceller or reader.")
    ] = "trader"

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        ccer.trading_keys.grant(self.key, self.account, self.operator_index, self.role)
        return {}


class KeyRevoke(Request, tag="key_revoke"):
    """Take back what a key may do at the exchange; one person will do, for it must not wait."""

    roles = (OPERATOR, INITIATOR)
    command = "key revoke"
    example = "key revoke keys/seawind.public"

    key: PublicKey

    def bodies(self, ccer: "CcerRegistry") -> frozenset[str]:
        """Return whose it is: that of the account the key acts for."""
        return ccer.key_bodies(self.key)

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        ccer.trading_keys.revoke(self.key)
        return {}


class KeyList(Request, tag="key_list"):
    """List the keys that act at the exchange."""

    roles = OFFICIALS
    is_look = True
    command = "key list"
    example = "key list"
    rows = ("keys",)

    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        rows = ccer.trading_keys.listed(self.first, self.count + 1)
        found, further = page_at(rows, 0, self.count)
        return {"keys": found, "next": None if further is None else self.first + further}


class MarketDeposit(Request, tag="market_deposit"):
    """Send CCERs to the account's trading account; its approver agrees.

    Who does so first of an instrument declares its price, and from which day on it is traded.
    """

    roles = (INITIATOR,)
    second = Second.OWN
    command = "market deposit"
    example = "market deposit SEAWIND WIND-1-2024 --tonnes 4000 --price 80.00 --key li"

    account: Account
    instrument: Instrument
    tonnes: TonnesOnly = None
    serials: Serials = None
    price: Annotated[
        int | None,
        field("Yuan a tonne, such as 80.00; of the first transfer only.", typed="price"),
    ] = None
    listing_date: Annotated[
        int, field("The first day, of the first transfer only.", typed="date", is_option=True)
    ] = 0

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        what = ccer.what(self.instrument, self.tonnes, self.serials)
        transfer_seq = ccer.market_transfers.to_market(
            *(self.account, self.instrument, what),
            price_fen=self.price,
            listing_date=self.listing_date,
        )
        return {"transfer_seq": transfer_seq}


class MarketWithdraw(Request, tag="market_withdraw"):
    """Ask the exchange to let CCERs go to the registration account; the approver agrees."""

    roles = (INITIATOR,)
    second = Second.OWN
    command = "market withdraw"
    example = "market withdraw SEAWIND WIND-1-2024 4000 --key li"

    account: Account
    instrument: Instrument
    tonnes: Annotated[int, msgspec.Meta(ge=1, le=2**62), field("So many tonnes.")]

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        transfers = ccer.market_transfers
        return {"transfer_seq": transfers.from_market(self.account, self.instrument, self.tonnes)}


class MarketTransfers(Request, tag="market_transfers"):
    """List what went to trading accounts and back, and what the exchange answered."""

    roles = OFFICIALS
    is_look = True
    command = "market transfers"
    example = "market transfers"
    rows = ("transfers",)

    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        rows = ccer.market_transfers.listed(self.first, self.count + 1)
        return paged("transfers", rows, "transfer_seq", self.count)


class MarketList(Request, tag="market_list"):
    """List the instruments of the exchange, with the price and day that were declared."""

    roles = ROLES
    is_look = True
    is_scoped = False
    command = "market list"
    example = "market list"
    rows = ("instruments",)

    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        rows = ccer.market_transfers.instruments(self.first, self.count + 1)
        return paged("instruments", rows, "market_index", self.count)


class MarketDeliveries(Request, tag="market_deliveries"):
    """List what the exchange's trades moved, and whether it is delivered; a failed one is named."""

    roles = OFFICIALS
    is_look = True
    command = "market deliveries"
    example = "market deliveries"
    rows = ("deliveries",)

    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        rows = ccer.deliveries.listed(self.first, self.count + 1)
        return paged("deliveries", rows, "settlement_seq", self.count)

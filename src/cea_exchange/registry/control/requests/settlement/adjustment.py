"""Requests about the risk reserve's filling, and about what the authority's sales brought."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from cea_exchange.control_plane.fields import field
from cea_exchange.registry.control.dual_control import Second
from cea_exchange.registry.control.requests.fields import Account, Cash, Why, Year
from cea_exchange.registry.control.requests.request import Listing, Request
from cea_exchange.registry.participants.roles import AUTHORITY, OFFICIALS, OPERATOR, REGULATOR

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry

Share = Annotated[int, msgspec.Meta(ge=0, le=10_000)]


class ReserveShow(Request, tag="reserve_show"):
    """Print what the risk reserve holds and has lent, its terms, and what is due to it."""

    roles = (OPERATOR, AUTHORITY, REGULATOR)
    is_look = True
    is_scoped = False
    command = "reserve show"

    def act(self, registry: "Registry") -> dict[str, Any]:
        return registry.risk_reserve.shown()


class ReserveTerms(Request, tag="reserve_terms"):
    """Set the registered capital, up to which it is filled, and its share of the fees."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "reserve terms"
    example = "reserve terms 300000000.00 2000"

    capital: Annotated[int, field("Yuan of registered capital.", typed="yuan")]
    share_bp: Annotated[Share, field("Of the fees, in hundredths of a percent.")]

    def act(self, registry: "Registry") -> None:
        registry.risk_reserve.terms_set(self.capital, self.share_bp)


class ReserveContribute(Request, tag="reserve_contribute"):
    """Put its share of the fees since the last time into the reserve; a second person approves."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "reserve contribute"

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"cash": registry.risk_reserve.contribute()}


class ReserveTopUp(Request, tag="reserve_top_up"):
    """Put more of the fees into the reserve; a second person approves."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "reserve top-up"
    example = "reserve top-up 1000.00"

    cash: Cash

    def act(self, registry: "Registry") -> None:
        registry.risk_reserve.top_up(self.cash)


class AdjustmentAccount(Request, tag="adjustment_account"):
    """Let an account be one by which the authority adjusts the market; for good."""

    roles = (AUTHORITY,)
    second = Second.OWN
    command = "adjustment account"
    example = "adjustment account RESERVE --key mee"

    account: Account

    def act(self, registry: "Registry") -> None:
        registry.proceeds.account_name(self.account)


class ProceedsBook(Request, tag="proceeds_book"):
    """Book what an adjustment account's sales of a day brought on the proceeds account."""

    roles = (AUTHORITY,)
    second = Second.OWN
    command = "adjustment book"
    example = "adjustment book RESERVE 2026-07-16 --key mee"

    account: Account
    date: Annotated[int, field("The trading day", typed="date")]

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"cash": registry.proceeds.book(self.account, self.date)}


class ProceedsList(Listing, tag="proceeds_list"):
    """Print the authority's sales day by day: what they brought, and what of it is booked."""

    roles = (OPERATOR, AUTHORITY, REGULATOR)
    is_scoped = False
    command = "adjustment list"
    rows = ("sales",)
    numbered_by = "trading_date"

    def listed(self, registry: "Registry", count: int) -> Iterable[Any]:
        return registry.proceeds.all(first=self.first, count=count)


class OffsetShareSet(Request, tag="offset_share"):
    """Set which share of an obligation of a year CCERs may cover; a second person approves."""

    roles = (AUTHORITY,)
    second = Second.OWN
    command = "offset share"
    example = 'offset share 2025 300 --why "market adjustment" --key mee'

    year: Year
    share_bp: Annotated[Share, field("Of what is due, in hundredths of a percent.")]
    why: Why

    def act(self, registry: "Registry") -> None:
        registry.offset_shares.set(self.year, self.share_bp, self.why)


class OffsetShareList(Request, tag="offset_shares"):
    """Print which share CCERs may cover, for each year that the authority has set one for."""

    roles = OFFICIALS
    is_look = True
    is_scoped = False
    command = "offset shares"
    rows = ("shares",)

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"shares": registry.offset_shares.all()}

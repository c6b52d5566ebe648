"""Requests for market adjustment: what the authority sells, buys or releases."""

from typing import Annotated, Any

from cea_exchange.control_plane.fields import field
from cea_exchange.control_plane.maker_checker import Prepared, Second
from cea_exchange.protocol import control
from cea_exchange.protocol.operators import Operator
from cea_exchange.venue.requests.base import (
    Account,
    ActRequest,
    AdminRequest,
    Price,
    Product,
    Seq,
    Venue,
    WhyOf,
)


class AdjustmentList(AdminRequest, tag="adjustments"):
    """Print by which accounts the authority adjusts the market, and all that was done."""

    command = "adjustment list"
    example = "adjustment list --key rex"

    def look(self, venue: Venue) -> dict[str, Any]:
        return venue.adjustments()


class AdjustmentAccount(ActRequest, tag="adjustment_account"):
    """Propose an account by which the authority adjusts the market; no key may trade by it."""

    second = Second.OPERATOR
    command = "adjustment account"
    example = 'adjustment account RESERVE --why "order of the ministry" --key an'

    account: Account
    why: WhyOf

    def prepared(self, venue: Venue, by: Operator) -> Prepared:
        act = control.AdjustmentAccountNamed(account=self.account, why=self.why)
        return venue.adjustment_prepared(act, f"adjust the market by {self.account}", by)


class MarketAdjust(ActRequest, tag="market_adjust", kw_only=True):
    """Propose to sell from the reserve, to buy, or to release at a fixed price."""

    second = Second.OPERATOR
    command = "adjustment act"
    example = (
        "adjustment act RESERVE sale bidding CEA24 500000 97.49 --trigger hubei_limit_closes "
        '--why "six limit closes" --key an'
    )

    account: Account
    kind: Annotated[control.AdjustmentKind, field("sale, purchase or release.")]
    method: Annotated[control.AdjustmentMethod, field("bidding, listed or block.")]
    product: Product
    tonnes: Annotated[Seq, field("Tonnes.")]
    price: Price
    trigger: Annotated[control.Name, field("The trigger that stands.", is_option=True)]
    closes_at: (
        Annotated[str, field("When a bidding ends, ISO 8601 with offset.")] | None
    ) = None
    reserve_price: Annotated[
        control.Reserve, field("Of a bidding, shown to nobody.", typed="price", name="--reserve")
    ] = 0
    why: WhyOf

    def prepared(self, venue: Venue, by: Operator) -> Prepared:
        venue.product_check(self.product)
        act = control.MarketAdjusted(
            adjustment=len(venue.adjustments()["adjustments"]) + 1,
            account=self.account,
            kind=self.kind,
            method=self.method,
            product=self.product,
            tonnes=self.tonnes,
            price=self.price,
            trigger=self.trigger,
            closes_at=venue.time_ns(self.closes_at, "closes_at"),
            reserve_price=self.reserve_price,
            why=self.why,
        )
        what = (
            f"{self.kind} of {self.tonnes} t of {self.product} at {self.price} fen by "
            f"{self.account}, {self.method}, trigger {self.trigger}"
        )
        return venue.adjustment_prepared(act, what, by)


class AdjustmentEnd(ActRequest, tag="adjustment_end"):
    """Propose to take off what is open of an act of market adjustment."""

    second = Second.OPERATOR
    command = "adjustment end"
    example = 'adjustment end 3 --why "prices are back" --key an'

    adjustment: Annotated[Seq, field("The act's number.")]
    why: WhyOf

    def prepared(self, venue: Venue, by: Operator) -> Prepared:
        act = control.AdjustmentEnded(adjustment=self.adjustment, why=self.why)
        return venue.adjustment_prepared(act, f"end market adjustment {self.adjustment}", by)


class AllocationNote(ActRequest, tag="allocation_note"):
    """Propose what an account was allocated: it may hold so much beside a joint holding limit."""

    second = Second.OPERATOR
    command = "account allocation"
    example = 'account allocation P001 2400000 --why "final allocation of 2024" --key an'

    account: Account
    tonnes: Annotated[control.Holding, field("Tonnes.")]
    why: WhyOf

    def prepared(self, venue: Venue, by: Operator) -> Prepared:
        venue.account_index(self.account)
        act = control.AllocationNoted(account=self.account, tonnes=self.tonnes, why=self.why)
        return venue.adjustment_prepared(act, f"{self.account} was allocated {self.tonnes} t", by)

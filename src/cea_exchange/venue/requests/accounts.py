"""Requests about accounts and products: halts, suspensions, listings, reference prices."""

from typing import Annotated

from cea_exchange.control_plane.fields import field
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.protocol import control
from cea_exchange.venue.requests.base import (
    Account,
    ActRequest,
    Price,
    Product,
    Venue,
    WholeMarket,
    WhyOf,
)


class Halt(ActRequest, tag="halt"):
    """Halt a product, or the market."""

    command = "market halt"
    example = 'market halt CEA24 --why "news awaited"'
    aliases = ("halt",)

    product: WholeMarket = None

    def command_of(self, venue: Venue) -> control.Act:
        venue.product_check(self.product)
        return control.Halt(product=self.product)


class Resume(ActRequest, tag="resume"):
    """Lift the halt of a product, or of the market."""

    command = "market resume"
    example = "market resume CEA24"
    aliases = ("resume",)

    product: WholeMarket = None

    def command_of(self, venue: Venue) -> control.Act:
        venue.product_check(self.product)
        return control.Resume(product=self.product)


class Suspend(ActRequest, tag="suspend"):
    """Suspend an account: its orders are cancelled, it may only receive."""

    command = "account suspend"
    example = 'account suspend P001 --why "court order 12"'

    account: Account
    why: WhyOf

    def command_of(self, venue: Venue) -> control.Act:
        venue.account_index(self.account)
        return control.Suspend(account=self.account)


class Restore(ActRequest, tag="restore"):
    """Let a suspended or killed account trade again."""

    command = "account reinstate"
    example = "account reinstate P001"

    account: Account

    def command_of(self, venue: Venue) -> control.Act:
        venue.account_index(self.account)
        venue.holder_check(self.account)
        return control.Restore(account=self.account)


class Kill(ActRequest, tag="kill"):
    """Kill switch: cancel an account's orders and suspend it; or everybody's, and halt all."""

    command = "kill"
    example = 'kill P001 --why "runaway program"'

    account: Annotated[control.Name | None, field("Account.", is_option=False)] = None
    market: Annotated[bool, field("Everybody, and halt.", name="--market")] = False
    why: WhyOf

    def command_of(self, venue: Venue) -> control.Act:
        # A name that was forgotten must not end everybody's orders.
        if (self.account is None) != self.market:
            got = "both" if self.market else "neither"
            raise FrameError(
                VenueRefusal.BAD_REQUEST,
                expected="an account, or the market",
                got=got,
                where="kill",
            )
        if self.account is not None:
            venue.account_index(self.account)
        return control.Kill(account=self.account)


class ReferencePrice(ActRequest, tag="reference_price"):
    """Measure a product's band from another price, before the day's first listed phase."""

    command = "product reference-price"
    example = 'product reference-price CEA24 97.49 --why "split"'

    product: Product
    price: Price
    why: WhyOf

    def command_of(self, venue: Venue) -> control.Act:
        venue.before_listed_check(self.product, "reference_price")
        return control.ReferencePriceSet(product=self.product, price=self.price)


class ListProduct(ActRequest, tag="list"):
    """Let a product be traded, before the day's first listed phase or while no day is open.

    The registry declares products; one that was delisted, or that a notice lists later only, is
    listed by this.
    """

    command = "product admit"
    example = 'product admit CEA26 81.50 --why "announcement of 12 May"'

    product: Product
    price: Price
    why: WhyOf

    def command_of(self, venue: Venue) -> control.Act:
        venue.before_listed_check(self.product, "list")
        return control.ProductList(product=self.product, price=self.price)


class ConfirmListing(ActRequest, tag="confirm_listing"):
    """Confirm a product's first listing: traded from the next trading day on.

    At the price that who first transferred it in has declared, and not before the day that he
    named. Where the profile has listings confirmed; the status shows those that wait.
    """

    command = "product confirm"
    example = 'product confirm CCER-01-002-0001-2024 --why "papers in order"'

    product: Product
    why: WhyOf

    def command_of(self, venue: Venue) -> control.Act:
        venue.product_check(self.product)
        return control.ListingConfirmed(product=self.product)


class DelistProduct(ActRequest, tag="delist"):
    """Let a product be traded no more: what is open of it ends, holdings stay and may leave."""

    command = "product delist"
    example = 'product delist CEA19-20 --why "carried over"'

    product: Product
    why: WhyOf

    def command_of(self, venue: Venue) -> control.Act:
        venue.product_check(self.product)
        return control.ProductDelist(product=self.product)

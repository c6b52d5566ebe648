"""First listings, where the exchange confirms them: declared, confirmed, traded the day after.

Who first transfers an instrument in declares its price and the day it is to be traded from; the
registry's feed brings both. The product waits here until an operator has confirmed it, and the next
opening after that lists it.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from cea_exchange.domain.calendar import date_number
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.timetable import time_from_ns
from cea_exchange.matching.first_listings import Listing
from cea_exchange.protocol import control
from cea_exchange.venue.refusals import ActRefusal, refused


def declared(act: control.ProductDeclared) -> Listing:
    """Return the listing that a declaration asks for."""
    return Listing(act.reference_price, act.listing_date or 0)


def refusal(
    listings: Mapping[str, Listing], act: control.ListingConfirmed | control.ProductList
) -> ActRefusal:
    """Say why a product may not be confirmed, or listed, now; None if it may.

    Notes
    -----
    Rules: CCER-PRD-02.
    """
    waiting = listings.get(act.product)
    if isinstance(act, control.ProductList):
        if waiting is not None:
            expected, got = "its first listing confirmed", "one that waits"
            return refused(VenueRefusal.LISTING_WAITS, f"list {act.product!r}", expected, got)
        return None
    where = f"listing of {act.product!r}"
    if waiting is None:
        return refused(VenueRefusal.LISTING_UNKNOWN, where, "one that waits", "none")
    if waiting.confirmed_on:
        got = f"one that was confirmed on {waiting.confirmed_on}"
        return refused(VenueRefusal.LISTING_CONFIRMED, where, "one that waits", got)
    return None


def confirmed(waiting: Listing, trading_date: int, time_ns: int) -> Listing:
    """Return a listing as the exchange has confirmed it, at a time of or after a trading day."""
    today = date_number(time_from_ns(time_ns).date())
    return waiting.confirmed(max(trading_date, today))


def shown(listings: Mapping[str, Listing]) -> list[dict[str, Any]]:
    """Return the listings that wait, as operators see them."""
    return [
        {"product": product, **msgspec.structs.asdict(listing)}
        for product, listing in listings.items()
    ]

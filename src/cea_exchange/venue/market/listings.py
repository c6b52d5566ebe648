"""First listings, where the exchange confirms them: declared, confirmed, traded the day after.

Who first transfers an instrument in declares its price and the day it is to be traded from; the
registry's feed brings both. The product waits here until an operator has confirmed it, and the next
opening after that lists it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from cea_exchange.domain.calendar import date_number
from cea_exchange.domain.profile import Profile
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.timetable import time_from_ns
from cea_exchange.protocol import control
from cea_exchange.venue.refusals import ActRefusal, refused


class Listing(Struct, frozen=True):
    """A first listing that waits.

    Attributes
    ----------
    price
        Fen a tonne, as declared.
    listing_date
        The day (yyyymmdd) it was declared for; 0: the first there is.
    confirmed_on
        The day of the exchange's confirmation; 0: there is none yet.
    """

    price: int
    listing_date: int = 0
    confirmed_on: int = 0

    def is_due(self, trading_date: int) -> bool:
        """Return whether the opening of a day lists it.

        Notes
        -----
        Rules: CCER-PRD-02 (the trading day after the confirmation, at the earliest).
        """
        return 0 < self.confirmed_on < trading_date and self.listing_date <= trading_date


def waits(profile: Profile, declared: control.ProductDeclared) -> bool:
    """Return whether a product that is declared waits for the exchange.

    What a notice lists is the exchange's own word already.

    Notes
    -----
    Rules: CCER-PRD-02.
    """
    noticed = any(declared.product in notice.listings for notice in profile.notices)
    return profile.listing_confirmed and not noticed


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
    return msgspec.structs.replace(waiting, confirmed_on=max(trading_date, today))


def take_effect(
    core: Any,
    listings: dict[str, Listing],
    wanted: Iterable[str],
    indexes: Mapping[str, int],
    trading_date: int,
) -> list[np.ndarray]:
    """List what is due on a day that has just opened; what is listed waits no more.

    Parameters
    ----------
    wanted
        Those of the products that no notice keeps from trading.

    Notes
    -----
    Rules: CCER-PRD-02, CEA-PRD-03.
    """
    parts = [
        core.product_list(indexes[product], listings[product].price)
        for product in wanted
        if listings[product].is_due(trading_date)
    ]
    for product in [*listings]:
        if core.product(indexes[product])["listed"]:
            del listings[product]
    return parts


def shown(listings: Mapping[str, Listing]) -> list[dict[str, Any]]:
    """Return the listings that wait, as operators see them."""
    return [
        {"product": product, **msgspec.structs.asdict(listing)}
        for product, listing in listings.items()
    ]

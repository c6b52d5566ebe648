"""The opening of a trading day, with what notices bring that day: listings, prices, weights."""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np

from cea_exchange.domain.calendar import date_number, date_of_number
from cea_exchange.domain.profile import Notice, Profile
from cea_exchange.domain.units import price_parse
from cea_exchange.matching.market_core import MarketCore


def day_open(core: MarketCore, profile: Profile, products: Sequence[str], day: date) -> np.ndarray:
    """Open a day on a market's core and return its events.

    Parameters
    ----------
    core : MarketCore
        The market.
    profile : Profile
        Its rules; those that `core` decides by take effect in `core.day_open`.
    products : sequence of str
        The products' names by index.
    day : date
        The day; ValueError if one is open, or it is not later than the last.

    Notes
    -----
    Rules: CEA-NTC-02 (reference prices), CEA-PRC-04 (weights), CEA-PRD-03 (listings).
    """
    last = date_of_number(core.trading_date) if core.trading_date else None
    due = profile.notices_between(last, day)
    indexes = {name: index for index, name in enumerate(products)}
    weights = [profile.composite_weight(product, day) for product in products]
    parts = [core.day_open(date_number(day), weights)]
    for notice in due:
        parts += _listings(core, notice, indexes)
        for product, price in notice.reference_prices.items():
            if product in indexes:
                parts.append(core.reference_price_set(indexes[product], price_parse(price)))
    return np.concatenate(parts)


def notices_late(
    core: MarketCore, before: Profile, after: Profile, products: Sequence[str]
) -> list[np.ndarray]:
    """List and delist what a new profile's notices say of days that are over; return the events.

    Their values hold from the change on, and no order lies between it and the next opening.

    Notes
    -----
    Rules: CEA-PRD-03, CEA-OPR-03.
    """
    if not core.trading_date:
        return []
    indexes = {name: index for index, name in enumerate(products)}
    late = [
        notice
        for notice in after.notices_between(None, date_of_number(core.trading_date))
        if notice not in before.notices
    ]
    return [rows for notice in late for rows in _listings(core, notice, indexes)]


def _listings(core: MarketCore, notice: Notice, indexes: Mapping[str, int]) -> list[np.ndarray]:
    """Delist and list what a notice names, as far as it is declared."""
    parts = [
        core.product_delist(indexes[product])
        for product in notice.delistings
        if product in indexes
    ]
    return parts + [
        core.product_list(indexes[product], price_parse(price))
        for product, price in notice.listings.items()
        if product in indexes
    ]

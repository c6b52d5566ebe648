"""The opening of a trading day, with what notices bring that day: listings, prices, weights."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from cea_exchange.domain.calendar import date_number, date_of_number
from cea_exchange.domain.profile import Notice, Profile
from cea_exchange.domain.units import price_parse


def day_open(core: Any, profile: Profile, products: Sequence[str], day: date) -> np.ndarray:
    """Open a day on a market's core and return its events.

    Parameters
    ----------
    core : CompiledMarket or ReferenceMarket
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
    parts = [core.day_open(date_number(day), weights_of(core, profile, products, day, due))]
    for notice in due:
        for product in filter(indexes.__contains__, notice.delistings):
            parts.append(core.product_delist(indexes[product]))
        for product, price in notice.listings.items():
            if product in indexes:
                parts.append(core.product_list(indexes[product], price_parse(price)))
        for product, price in notice.reference_prices.items():
            if product in indexes:
                parts.append(core.reference_price_set(indexes[product], price_parse(price)))
    return np.concatenate(parts)


def weights_of(
    core: Any,
    profile: Profile,
    products: Sequence[str],
    day: date | None,
    due: Sequence[Notice] = (),
) -> list[int]:
    """Return each product's weight in the composite once these notices are done; 0 if not listed.

    Notes
    -----
    Rules: CEA-PRC-04, CEA-PRD-03.
    """
    listed = {name for index, name in enumerate(products) if core.product(index)["listed"]}
    for notice in due:
        listed = (listed - {*notice.delistings}) | {*notice.listings}
    named = [name for name in products if name in listed]
    weights = dict(zip(named, profile.composite_weights(named, day), strict=True))
    return [weights.get(name, 0) for name in products]

"""First listings that the exchange confirms: declared, confirmed, traded from the next day on.

The venue and the embedded market keep them beside the core, which knows listed products only.
"""

from collections.abc import Iterable, Mapping

import msgspec
import numpy as np
from msgspec import Struct

from cea_exchange.domain.profile import Profile
from cea_exchange.matching.market_core import MarketCore


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

    def confirmed(self, day: int) -> "Listing":
        """Return it as the exchange has confirmed it on a day (yyyymmdd)."""
        return msgspec.structs.replace(self, confirmed_on=day)


def waits(profile: Profile, product: str) -> bool:
    """Return whether a product that is declared waits for the exchange.

    A product that a notice lists needs no confirmation: the notice is the exchange's own word.

    Notes
    -----
    Rules: CCER-PRD-02.
    """
    noticed = any(product in notice.listings for notice in profile.notices)
    return profile.listing_confirmed and not noticed


def take_effect(
    core: MarketCore,
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

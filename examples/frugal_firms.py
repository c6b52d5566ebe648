"""Firms of one's own: whoever lacks allowances buys them, whoever has too many sells. Nobody waits.

From this folder:

    cea-exchange year 2024 --entities 50 --out /tmp/frugal --firms frugal_firms:FrugalFirms
"""

import sys
from collections.abc import Iterator, Sequence

from cea_exchange.year.firms.firm import Block, Day, Firm, Offer, Order


class FrugalFirms:
    """Firms that trade only after their allocation, and no more than they need."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def cash_wanted(self, day: Day, firm: Firm) -> int:
        """What is lacking, at the highest price of the day."""
        return max(0, firm.lacks) * max(product.high for product in day.products)

    def listed(self, day: Day, firms: Sequence[Firm]) -> Iterator[Order]:
        """Sellers first, each at the lowest price; then buyers, at the highest."""
        if not day.is_owed:
            return
        for firm in firms:
            to_sell = -firm.lacks
            for product in day.products:
                tonnes = min(to_sell, firm.at_venue.get(product.name, 0), 50_000)
                if tonnes > 0:
                    to_sell -= tonnes
                    yield Order(firm, "sell", product, product.low, tonnes)
        for firm in firms:
            product = day.products[-1]
            tonnes = min(firm.lacks, firm.cash // product.high, 50_000)
            if tonnes > 0:
                yield Order(firm, "buy", product, product.high, tonnes)

    def blocks(self, day: Day, firms: Sequence[Firm]) -> list[Block]:
        """Nobody trades blocks."""
        return []

    def bidding(self, day: Day, firms: Sequence[Firm]) -> Offer | None:
        """Nobody offers by bidding."""
        return None

    def surrenders(self, day: Day, firm: Firm) -> bool:
        """At once, or what there is on the last day."""
        return firm.held >= firm.owed or day.days_left == 0

    def offset_wanted(self, day: Day, firm: Firm) -> int:
        """Nobody offsets."""
        return 0


if __name__ == "__main__":
    sys.exit(__doc__)

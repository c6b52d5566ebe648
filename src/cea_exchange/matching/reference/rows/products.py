"""A product of a `ReferenceMarket`: its price bands, and its trades of the day."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import SupportsIndex

from cea_exchange.domain.profile import MarketRules
from cea_exchange.domain.records import Method
from cea_exchange.matching.reference.inputs import U64_MAX, int_taken

PRICE_MAX = 10_000_000
"""fen: 100000.00 yuan"""
ORDER_AMOUNT_LIMIT = 1 << 60
"""fen: price x tonnes of an order is below it"""


@dataclass(slots=True)
class LastTrade:
    """One of the listed trades that a close is made of."""

    trade_id: int
    price: int
    tonnes: int
    """0: it was undone"""


@dataclass(slots=True)
class Product:
    """A product, the halt on it, and its trades of the day (CEA-PRD-02)."""

    product_key: int
    reference_price: int
    composite_weight: int
    halted: bool = False
    delisted: bool = False
    open: int = 0
    high: int = 0
    low: int = 0
    last: int = 0
    volume: int = 0
    """listed trades, as all before it"""
    amount: int = 0
    block_volume: int = 0
    block_amount: int = 0
    intra_group_volume: int = 0
    """of `block_volume`, between accounts of one group"""
    bidding_volume: int = 0
    bidding_amount: int = 0
    last_trades: list[LastTrade] = field(default_factory=list)
    """where the close is made of the last ones: those, oldest first"""

    @classmethod
    def declared(
        cls,
        product_key: SupportsIndex,
        reference_price: SupportsIndex,
        composite_weight: SupportsIndex,
        listed: bool = True,
    ) -> Product:
        """A new product, if it can be one."""
        return cls(
            int_taken("product_key", product_key, 0, U64_MAX),
            int_taken("reference_price", reference_price, 1, PRICE_MAX),
            int_taken("composite_weight", composite_weight, 0, 1_000_000),
            delisted=not listed,
        )

    def listed_count(self, price: int, tonnes: int, open_at_close: bool = False) -> None:
        """Count a listed trade, which is also the last one and may be the first, or an extreme.

        Notes
        -----
        Rules: PLT-PRC-01.
        """
        self.open = self.open or (self.reference_price if open_at_close else price)
        self.high = max(self.high, price)
        self.low = min(self.low or price, price)
        self.last = price
        self.volume += tonnes
        self.amount += price * tonnes

    def last_note(self, trade: LastTrade, most: int) -> None:
        """Keep a trade as the last one, so many at most.

        Notes
        -----
        Rules: PLT-PRC-04.
        """
        if most:
            self.last_trades = [*self.last_trades, trade][-most:]

    def last_undo(self, trade_id: int) -> None:
        """Let a trade that is busted count for nothing among the last ones."""
        for trade in self.last_trades:
            if trade.trade_id == trade_id:
                trade.tonnes = 0

    def block_count(self, amount: int, tonnes: int, is_intra_group: bool) -> None:
        """Count a block trade, or with negative numbers one that is busted.

        Notes
        -----
        Rules: CEA-BLK-08, CEA-BLK-09.
        """
        self.block_volume += tonnes
        self.block_amount += amount
        self.intra_group_volume += tonnes if is_intra_group else 0

    def bidding_count(self, amount: int, tonnes: int) -> None:
        """Count a trade of a bidding, or with negative numbers one that is busted.

        Notes
        -----
        Rules: CEA-BID-09.
        """
        self.bidding_volume += tonnes
        self.bidding_amount += amount

    def busted_count(self, method: Method, amount: int, tonnes: int, is_intra_group: bool) -> None:
        """Take a trade of the open day out of its volume and amount; prices stay."""
        if method == Method.BLOCK:
            self.block_count(-amount, -tonnes, is_intra_group)
        elif method == Method.BIDDING:
            self.bidding_count(-amount, -tonnes)
        else:
            self.volume -= tonnes
            self.amount -= amount

    def counted(self, method: Method, is_intra_group: bool) -> tuple[int, int]:
        """What the day has of such trades: tonnes, and fen of all that the method brought."""
        if method == Method.LISTED:
            return self.volume, self.amount
        if method == Method.BIDDING:
            return self.bidding_volume, self.bidding_amount
        intra_group = self.intra_group_volume
        return intra_group if is_intra_group else self.block_volume - intra_group, self.block_amount

    def day_begin(self) -> None:
        """Forget the trades of the day before."""
        self.open = self.high = self.low = self.last = 0
        self.volume = self.amount = 0
        self.block_volume = self.block_amount = self.intra_group_volume = 0
        self.bidding_volume = self.bidding_amount = 0
        self.last_trades = []

    @property
    def has_traded(self) -> bool:
        """Whether the day has a trade of any method."""
        return bool(self.volume or self.block_volume or self.bidding_volume)


def amount_too_large(price: int, amount: int) -> bool:
    """Whether a price, or price x tonnes, is beyond what the market counts with (CEA-ORD-04)."""
    return price > PRICE_MAX or amount >= ORDER_AMOUNT_LIMIT


def price_band(rules: MarketRules, product: Product, width: int) -> tuple[int, int]:
    """Lowest and highest price, so many basis points from the reference price; 0 is no band.

    Notes
    -----
    Rules: CEA-LST-02 and CEA-BLK-02 (width), CEA-LST-03 (rounding).
    """
    if width == 0:
        return 1, PRICE_MAX
    low, high = (product.reference_price * (10_000 + sign * width) for sign in (-1, 1))
    if rules.band_rounding == "half_up":
        low, high = (low + 5_000) // 10_000, (high + 5_000) // 10_000
    else:
        low, high = -(-low // 10_000), high // 10_000
    return max(low, 1), min(high, PRICE_MAX)

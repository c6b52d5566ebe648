"""What the venue answers over order entry, as typed dicts; prices are fen per tonne.

The keys are those of `protocol/order_entry.md`.
"""

from typing import Literal, TypedDict

SideName = Literal["buy", "sell"]


class ListedProduct(TypedDict):
    """A product as the logon names it."""

    product: str
    product_index: int
    reference_price: int
    band_low: int
    band_high: int
    block_band_low: int
    block_band_high: int
    listed: bool


class BookLevel(TypedDict):
    """A price level; `orders` are [order_id, tonnes], oldest first."""

    price: int
    tonnes: int
    count: int
    orders: list[list[int]]


class BookAnswer(TypedDict):
    """The best levels of a product, best first."""

    op: Literal["book"]
    product: str
    market_data_seq: int
    bids: list[BookLevel]
    asks: list[BookLevel]


class PartyAnswer(TypedDict):
    """What was asked and what was found; None is not known, or was not asked."""

    op: Literal["party"]
    account: str | None
    account_index: int | None
    group: str | None
    group_index: int | None


class BlockAnswer(TypedDict):
    """An open block offer or enquiry; `flags` and `agreed` as in the Block record."""

    account: str
    block_id: int
    enquiry_id: int
    account_index: int
    counterparty_index: int
    product_index: int
    side: int
    price: int
    tonnes: int
    flags: int
    agreed: int


class BiddingAnswer(TypedDict):
    """A bidding of the day; the last two are None before its end, and where no bid won."""

    bidding: str
    bidding_id: int
    product: str
    side: SideName
    pricing: Literal["uniform", "pay_as_bid"]
    tonnes: int
    floor: int
    ceiling: int
    opens_at: str | None
    closes_at: str | None
    state: Literal["announced", "open", "ended"]
    tonnes_awarded: int | None
    clearing_price: int | None


class BiddingNotice(TypedDict):
    """An approved bidding of a later day; times are nanoseconds since 1970, 0 is none."""

    bidding: str
    product: str
    side: SideName
    tonnes: int
    limit: Literal["close", "band_end"]
    pricing: Literal["uniform", "pay_as_bid"]
    date: str
    opens_at: int
    closes_at: int


class PlaceAnswer(TypedDict):
    """Where a day's reports lie, and what the account has now; see `protocol/order_entry.md`.

    `cash` and `cash_locked` are fen; `holdings` has [tonnes, locked, bought today] by product.
    """

    op: Literal["statement"]
    asked: str | None
    trading_date: str
    closed_seq: int | None
    first: int
    last: int
    account: str
    account_index: int
    products: list[str]
    cash: int
    cash_locked: int
    holdings: dict[str, list[int]]

"""A firm's own view: what it knows, the day that it acts on, and what it may do."""

from typing import Literal, NamedTuple, Protocol

from msgspec import Struct, field

from cea_exchange.domain.compliance.allocation import Sector
from cea_exchange.year.firms.draws import Draws

Side = Literal["buy", "sell"]


class Firm(Struct, kw_only=True):
    """An entity: what it owes, has, and expects.

    Attributes
    ----------
    index
        Of its account, at registry and market.
    group
        Firms of one group have the same; empty: of none.
    owed
        Tonnes that it has still to surrender for the year; what it emitted, as soon as it knows.
    coming
        Tonnes of its allocation that it still counts on.
    registered, at_venue
        Product -> tonnes on its registration account, and on its trading account.
    cash
        Fen at the venue.
    memory
        Whatever numbers a class of firms keeps of it, by name.
    """

    account: str
    index: int
    sector: Sector
    province: int
    group: str
    owed: int = 0
    coming: int = 0
    registered: dict[str, int] = field(default_factory=dict)
    at_venue: dict[str, int] = field(default_factory=dict)
    cash: int = 0
    memory: dict[str, int] = field(default_factory=dict)

    @property
    def held(self) -> int:
        """Return all tonnes that it has, of any product."""
        return sum(self.registered.values()) + sum(self.at_venue.values())

    @property
    def lacks(self) -> int:
        """Return the tonnes that it will lack at the deadline; below 0 it has more than it owes."""
        return self.owed - self.coming - self.held


class Product(NamedTuple):
    """A product on a day; prices in fen.

    Attributes
    ----------
    centre
        Around what firms quote: its last close, or what a file of closes aims at.
    low, high, block_low, block_high
        Within which it may be traded, by listing and by block.
    bidding_low, bidding_high
        The least that a bidding may ask for, and the most that may be bid.
    """

    name: str
    centre: int
    low: int
    high: int
    block_low: int
    block_high: int
    bidding_low: int
    bidding_high: int


class Day(NamedTuple):
    """A trading day.

    Attributes
    ----------
    date
        yyyymmdd.
    days_left
        Trading days after this one until the deadline; 0 is the last.
    days
        Trading days of the whole year.
    is_first_of_month
        Whether none of its month was before it.
    is_owed
        Whether obligations are set.
    orders
        How many listed orders are to be entered on it.
    part_ppm
        Millionths: what of all that is traded from it on is its part, by the months of the
        published volume.
    block_tonnes, bidding_tonnes, listed_tonnes
        The least of a block and of a bidding, and the most of a listed order; 0 is no limit.
    first_price
        Fen, with which the year began.
    is_steered
        Whether the centres are what a file of closes aims at.
    draws
        Of the day.
    """

    date: int
    days_left: int
    days: int
    is_first_of_month: bool
    is_owed: bool
    orders: int
    part_ppm: int
    block_tonnes: int
    bidding_tonnes: int
    listed_tonnes: int
    first_price: int
    is_steered: bool
    products: tuple[Product, ...]
    draws: Draws


class Participant(Protocol):
    """Whoever has an account at a market: a firm, or another's seat there.

    Attributes
    ----------
    index
        Of the account.
    """

    @property
    def account(self) -> str: ...
    @property
    def index(self) -> int: ...


class Order(NamedTuple):
    """A listed order until the close."""

    firm: Participant
    side: Side
    product: Product
    price: int
    tonnes: int


class Block(NamedTuple):
    """A block that two firms have agreed on."""

    seller: Firm
    buyer: Firm
    product: Product
    price: int
    tonnes: int


class Bid(NamedTuple):
    """What a firm bids in a bidding."""

    firm: Firm
    price: int
    tonnes: int


class Offer(NamedTuple):
    """Allowances offered to all who bid, and the bids; what is asked at least is `price`."""

    seller: Firm
    product: Product
    price: int
    tonnes: int
    bids: list[Bid]

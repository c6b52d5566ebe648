"""Named events: what happened, in the words a market script and its reader use.

One msgspec Struct for each event. Names and ids are text, prices and amounts two-decimal strings of
yuan, quantities whole tonnes, what is absent None; encoded with ``msgspec.json`` an event is one
line of a script's output. The field ``event`` of that line is the struct's tag.

An event is also a mapping, and as such a row of a table: ``dict(event)``, ``pandas.DataFrame`` and
``polars.DataFrame`` of a list of events. There each amount of money, such as ``price``, is in two
more columns as a number: ``price_fen``, exact, and ``price_yuan``, a float to look at and to plot.
A day's figures by method have a column each, such as ``volume_listed`` and ``amount_block_fen``;
the books and accounts of a `State` have none. `cea_exchange.events_table` makes such a table whole.

A notebook shows an event, and the list of them that a command of a `Market` gives, as a table.
"""

from collections.abc import (
    Callable,
    ItemsView,
    Iterable,
    Iterator,
    KeysView,
    Mapping,
    Sequence,
    ValuesView,
)
from functools import cache
from operator import attrgetter
from typing import Annotated, Any, NamedTuple, Self, get_args, get_origin, get_type_hints

import msgspec

from cea_exchange.domain.documents.html_table import ROWS_SHOWN, html_table
from cea_exchange.domain.units import cash_format, fen_of

Yuan = Annotated[str, msgspec.Meta(description="yuan, two decimals")]
"""An amount of money, or a price per tonne."""


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """What every event has: its position in the market's events, 1, 2, ..."""

    seq: int

    @property
    def event(self) -> str:
        """Return which event this is, such as ``trade``."""
        return self.__struct_config__.tag

    def __getitem__(self, name: str) -> Any:
        """Return a field by the name it has in JSON, or a column of a table by its name."""
        columns = columns_of(type(self))
        if name in columns:
            return columns[name].get(self)
        if name not in self.__struct_fields__:
            raise KeyError(name)
        return getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter(columns_of(type(self)))

    def __len__(self) -> int:
        return len(columns_of(type(self)))

    def __contains__(self, name: object) -> bool:
        return name in columns_of(type(self)) or name in self.__struct_fields__

    def keys(self) -> KeysView[str]:
        """Return the columns that the event has as a row of a table."""
        return columns_of(type(self)).keys()

    def get(self, name: str, default: Any = None) -> Any:
        """Return what `event[name]` is, or `default` where there is no such field or column."""
        try:
            return self[name]
        except KeyError:
            return default

    def items(self) -> ItemsView[str, Any]:
        """Return the columns and their values."""
        return dict(self).items()

    def values(self) -> ValuesView[Any]:
        """Return the columns' values."""
        return dict(self).values()

    def to_dict(self) -> dict[str, Any]:
        """Return the event as the dict that its JSON line decodes to."""
        return msgspec.to_builtins(self)

    def _repr_html_(self) -> str:
        return events_html([self])


# To pandas and polars a row by its columns is a Mapping; a Struct can not inherit from one.
Mapping.register(Event)


class Events(list[Event]):
    """The events of a command, or of several: a list that a notebook shows as a table."""

    def __add__(self, others: Iterable[Any]) -> Self:
        """Return both together."""
        return type(self)([*self, *others])

    def _repr_html_(self) -> str:
        return events_html(self)


def events_html(events: Sequence[Event]) -> str:
    """Return events as a table of HTML: each field that one of them has is a column."""
    rows = [_shown(event) for event in events[:ROWS_SHOWN]]
    heads = list(dict.fromkeys(name for row in rows for name, cell in row.items() if cell != ""))
    return html_table(
        [name.replace("_", " ") for name in heads],
        ([row.get(name, "") for name in heads] for row in rows),
        caption="" if rows else "no events",
        count=len(events),
    )


def _shown(event: Event) -> dict[str, Any]:
    """Return an event's columns as a person reads them: money once, in yuan."""
    row: dict[str, Any] = {}
    for name in event:
        value = event[name]
        field, _, unit = name.rpartition("_")
        if unit == "fen" and field not in row:
            row[field] = cash_format(value)
        elif unit not in ("fen", "yuan"):
            row[name] = "" if value is None else value
    return row


class Column(NamedTuple):
    """How a column of a kind of event is got, and what its values are where they are not None."""

    get: Callable[[Event], Any]
    type: type


@cache
def columns_of(kind: type[Event]) -> dict[str, Column]:
    """Return the columns of a kind of event, in order; see the module's docstring."""
    columns = {"event": Column(attrgetter("event"), str)}
    for path, hint in _leaves(kind):
        name, get = "_".join(path), attrgetter(".".join(path))
        # An amount is `Yuan`, or `Yuan | None`; all else is one class, or that and None.
        plain, *_ = [each for each in (get_args(hint) or (hint,)) if each is not type(None)]
        is_money = Yuan in (hint, *get_args(hint))
        if len(path) == 1 or not is_money:
            columns[name] = Column(get, str if is_money else plain)
        if is_money:
            columns[f"{name}_fen"] = Column(_number(get, fen_of), int)
            columns[f"{name}_yuan"] = Column(_number(get, float), float)
    return columns


def _leaves(kind: type, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield where a struct's values are, those of structs in it one by one, and their types."""
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            yield from _leaves(hint, (*path, name))
        elif get_origin(hint) not in (dict, list):
            yield (*path, name), hint


def _number(
    get: Callable[[Event], str | None], made_of: Callable[[str], float]
) -> Callable[[Event], float | None]:
    def number(event: Event) -> float | None:
        yuan = get(event)
        return None if yuan is None else made_of(yuan)

    return number


# -- Orders --------------------------------------------------------------------------------------


class OrderEvent(Event, frozen=True, kw_only=True):
    """An order and its terms."""

    id: str
    account: str
    product: str
    side: str
    price: Yuan
    tonnes: int


class OrderAccepted(OrderEvent, frozen=True, kw_only=True, tag="order_accepted"):
    """The order is valid and its cash or allowances are locked; `tonnes` as entered."""

    tif: str
    post_only: bool
    pick: str | None


class OrderRested(OrderEvent, frozen=True, kw_only=True, tag="order_rested"):
    """What is open of the order is on the book."""


class OrderAmended(OrderEvent, frozen=True, kw_only=True, tag="order_amended"):
    """The order has new terms."""


class OrderExpired(OrderEvent, frozen=True, kw_only=True, tag="order_expired"):
    """The day closed on an open order."""


class OrderCanceled(OrderEvent, frozen=True, kw_only=True, tag="order_canceled"):
    """What was open of the order is off the book."""

    reason: str


class OrderRejected(Event, frozen=True, kw_only=True, tag="order_rejected"):
    """A trading or operator command was refused and changed nothing."""

    id: str | None
    account: str | None
    product: str | None
    command: str
    reason: str


class TransferRejected(Event, frozen=True, kw_only=True, tag="transfer_rejected"):
    """A deposit or withdrawal was refused and changed nothing."""

    id: str | None
    account: str
    product: str | None
    command: str
    reason: str
    cash: Yuan | None
    tonnes: int | None


# -- Blocks --------------------------------------------------------------------------------------


class BlockEntered(Event, frozen=True, kw_only=True):
    """An enquiry or an offer, and whom it is for: nobody named is everybody."""

    id: str
    account: str
    product: str
    side: str
    price: Yuan | None
    tonnes: int | None
    counterparty: str | None
    to_group: str | None
    enquiry: str | None


class BlockEnquired(BlockEntered, frozen=True, kw_only=True, tag="block_enquired"):
    """The account asks for block offers; nothing is locked."""


class BlockOffered(BlockEntered, frozen=True, kw_only=True, tag="block_offered"):
    """The offer is valid and what it would deliver is locked."""


class BlockCountered(OrderEvent, frozen=True, kw_only=True, tag="block_countered"):
    """Other terms are on the table; `account` countered, `side` is the offer's."""


class BlockAgreed(OrderEvent, frozen=True, kw_only=True, tag="block_agreed"):
    """Both sides agree, `account` last; `side` is the offer's. The exchange has the last word."""


class BlockEnded(Event, frozen=True, kw_only=True):
    """An offer or enquiry is over without a trade; the terms are the last on the table.

    `account` and `side` are those of the offer or enquiry, `by` is who ended it.
    """

    id: str
    account: str
    product: str
    side: str
    price: Yuan | None
    tonnes: int | None
    by: str | None


class BlockWithdrawn(BlockEnded, frozen=True, kw_only=True, tag="block_withdrawn"):
    """Who offered, asked or countered took it back, or was suspended."""

    reason: str


class BlockRejected(BlockEnded, frozen=True, kw_only=True, tag="block_rejected"):
    """The side that was asked declined."""


class BlockLapsed(BlockEnded, frozen=True, kw_only=True, tag="block_lapsed"):
    """The day closed on it."""


# -- Biddings ------------------------------------------------------------------------------------


class BiddingEvent(Event, frozen=True, kw_only=True):
    """What events of a bidding share; `account` is who applied."""

    id: str
    account: str
    product: str


class BiddingOpened(BiddingEvent, frozen=True, kw_only=True, tag="bidding_opened"):
    """A bidding is announced, and what its applicant would deliver is locked."""

    side: str
    tonnes: int
    floor: Yuan
    ceiling: Yuan
    pricing: str
    opens_at: str | None
    closes_at: str | None


class BiddingClosed(BiddingEvent, frozen=True, kw_only=True, tag="bidding_closed"):
    """A bidding is awarded; its trades came before."""

    clearing_price: Yuan | None
    tonnes: int
    bidders: int


class BiddingCanceled(BiddingEvent, frozen=True, kw_only=True, tag="bidding_canceled"):
    """A bidding is over without an award; its bids came before."""

    reason: str


class BidEvent(Event, frozen=True, kw_only=True):
    """What events of a bid share."""

    id: str
    bidding: str
    account: str
    product: str
    price: Yuan | None
    tonnes: int


class BidAccepted(BidEvent, frozen=True, kw_only=True, tag="bid_accepted"):
    """The bid is valid and what it would deliver is locked."""


class BidCanceled(BidEvent, frozen=True, kw_only=True, tag="bid_canceled"):
    """The bid is out of its bidding."""

    reason: str


class BidRejected(OrderRejected, frozen=True, kw_only=True, tag="bid_rejected"):
    """A bid, or taking one back, was refused and changed nothing."""


class Trade(Event, frozen=True, kw_only=True, tag="trade"):
    """Two orders, the two sides of a block, or a bid and its bidding agreed."""

    product: str
    method: str
    price: Yuan
    tonnes: int
    buyer: str
    seller: str
    buy_id: str
    sell_id: str
    aggressor: str
    intra_group: bool
    buy_fee: Yuan
    sell_fee: Yuan
    trade_id: int


# -- The day -------------------------------------------------------------------------------------


class DayOpened(Event, frozen=True, kw_only=True, tag="day_opened"):
    """A trading day began."""

    date: str


class PhaseChanged(Event, frozen=True, kw_only=True, tag="phase_changed"):
    """The market is in another phase."""

    phase: str


class VolumeByMethod(msgspec.Struct, frozen=True):
    """Tonnes traded in a day, by method."""

    listed: int
    block: int
    bidding: int

    def __getitem__(self, name: str) -> int:
        """Return the tonnes of one method."""
        return getattr(self, name)


class AmountByMethod(msgspec.Struct, frozen=True):
    """Yuan traded in a day, by method."""

    listed: Yuan
    block: Yuan
    bidding: Yuan

    def __getitem__(self, name: str) -> str:
        """Return the yuan of one method."""
        return getattr(self, name)


class DayClosed(Event, frozen=True, kw_only=True, tag="day_closed"):
    """A product's statistics of the day; `volume_intra_group` is part of the block volume."""

    date: str
    product: str
    open: Yuan
    high: Yuan | None
    low: Yuan | None
    close: Yuan
    volume: VolumeByMethod
    amount: AmountByMethod
    volume_intra_group: int


class CompositeClosed(Event, frozen=True, kw_only=True, tag="composite_closed"):
    """The composite closing price of the day."""

    date: str
    price: Yuan


# -- The operator --------------------------------------------------------------------------------


class Halted(Event, frozen=True, kw_only=True, tag="halted"):
    """A product, or without one the market, is halted."""

    product: str | None


class Resumed(Event, frozen=True, kw_only=True, tag="resumed"):
    """A halt is lifted."""

    product: str | None


class AccountSuspended(Event, frozen=True, kw_only=True, tag="account_suspended"):
    """The account may only receive."""

    account: str


class AccountRestored(Event, frozen=True, kw_only=True, tag="account_restored"):
    """The account may trade again."""

    account: str


class AccountRestricted(Event, frozen=True, kw_only=True, tag="account_restricted"):
    """A measure keeps the account from what is named; from nothing where nothing is."""

    account: str
    barred: list[str]


class ReferencePriceChanged(Event, frozen=True, kw_only=True, tag="reference_price_changed"):
    """The product's band is measured from another price."""

    product: str
    price: Yuan


class ProductListed(Event, frozen=True, kw_only=True, tag="product_listed"):
    """The product is traded from now on; its band is measured from `price`."""

    product: str
    price: Yuan


class ProductDelisted(Event, frozen=True, kw_only=True, tag="product_delisted"):
    """The product is traded no more; events about what was open of it follow."""

    product: str


class LargeHolder(Event, frozen=True, kw_only=True, tag="large_holder"):
    """The account has come to hold `tonnes` of the product, as much as large holders do."""

    account: str
    product: str
    tonnes: int


# -- Transfers -----------------------------------------------------------------------------------


class Deposited(Event, frozen=True, kw_only=True, tag="deposited"):
    """Cash or allowances came into the trading account."""

    account: str
    product: str | None
    cash: Yuan | None
    tonnes: int | None


class Withdrawn(Event, frozen=True, kw_only=True, tag="withdrawn"):
    """Cash or allowances left the trading account."""

    account: str
    product: str | None
    cash: Yuan | None
    tonnes: int | None


# -- The whole state -----------------------------------------------------------------------------


class RestingOrder(msgspec.Struct, frozen=True):
    """A live order, as its place in the book shows it."""

    id: str
    account: str
    price: Yuan
    tonnes: int
    post_only: bool


class OpenBlock(msgspec.Struct, frozen=True, omit_defaults=True):
    """A block offer or enquiry that is open or `agreed`, and what its sides have locked.

    An agreed block has both parties' locks and waits for the exchange's confirmation.
    """

    id: str
    account: str
    product: str
    side: str
    price: Yuan | None
    tonnes: int | None
    counterparty: str | None
    to_group: str | None
    enquiry: bool
    countered: bool
    speaker: str
    cash_locked: Yuan
    tonnes_locked: int
    agreed: bool = False


class OpenBid(msgspec.Struct, frozen=True):
    """A live bid; a non-competitive one has no price."""

    id: str
    account: str
    price: Yuan | None
    tonnes: int


class OpenBidding(msgspec.Struct, frozen=True):
    """A bidding that is announced or open, and its bids in order of time."""

    id: str
    account: str
    product: str
    side: str
    tonnes: int
    floor: Yuan
    ceiling: Yuan
    pricing: str
    opens_at: str | None
    closes_at: str | None
    reserve_price: Yuan | None
    state: str
    bids: list[OpenBid]


class BookState(msgspec.Struct, frozen=True, omit_defaults=True):
    """A product and its live orders, best price and oldest first; `listed` where it is not."""

    reference_price: Yuan
    band_low: Yuan
    band_high: Yuan
    halted: bool
    buy: list[RestingOrder]
    sell: list[RestingOrder]
    listed: bool = True


class HoldingState(msgspec.Struct, frozen=True):
    """What an account has of a product: all, what orders lock, what may not be sold today."""

    tonnes: int
    locked: int
    bought_today: int


class GapState(msgspec.Struct, frozen=True):
    """Trading days until an account may sell a product again, and until it may buy it."""

    sale_days: int
    purchase_days: int


class AccountState(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an account has: all cash, what orders lock, today's proceeds, holdings by product.

    And where it has to wait between purchases and sales, by product, what a measure keeps it
    from, and what it was allocated for a joint holding limit (PLT-FND-01).
    """

    cash: Yuan
    cash_locked: Yuan
    proceeds_today: Yuan
    suspended: bool
    holdings: dict[str, HoldingState]
    gaps: dict[str, GapState] = msgspec.field(default_factory=dict)
    barred: list[str] = msgspec.field(default_factory=list)
    allocation: int = 0


class State(Event, frozen=True, kw_only=True, tag="state"):
    """The whole market at one moment; its hash as 16 hex digits."""

    day: str | None
    phase: str
    halted: bool
    books: dict[str, BookState]
    accounts: dict[str, AccountState]
    blocks: list[OpenBlock]
    biddings: list[OpenBidding]
    state_hash: str


def event_line(event: Event) -> bytes:
    """Return an event as one line of JSON, newline included."""
    return msgspec.json.encode(event) + b"\n"

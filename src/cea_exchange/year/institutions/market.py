"""The market's day: what firms enter, the three ways of trading, close and settlement."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from itertools import islice
from typing import Any, Protocol

import numpy as np
from msgspec import Struct

from cea_exchange.domain.documents.bulletin import Bulletin, BulletinBuilder
from cea_exchange.domain.profile import MarketRules, Profile
from cea_exchange.domain.records import (
    COMMAND_DTYPE,
    PRODUCT_NONE,
    BlockFlag,
    CommandKind,
    EventKind,
    Phase,
    Reason,
    Side,
)
from cea_exchange.in_process.settled_market import SettledMarket
from cea_exchange.protocol.control import BiddingClose, BiddingOpen, Control, DayClose, PhaseSet
from cea_exchange.year.firms.firm import Bid, Block, Offer, Order, Product

BATCH = 4_096
_SIDES = {"buy": Side.BUY, "sell": Side.SELL}


class YearFailed(Exception):
    """What must hold in a year does not; the message says what."""


class Counts(Struct, kw_only=True):
    """What became of a year's orders so far.

    Attributes
    ----------
    orders, refused
        Listed orders that were entered, and how many of them the market refused.
    trades
        By whatever method.
    """

    orders: int = 0
    refused: int = 0
    trades: int = 0


class Market(Protocol):
    """The market of a year, a day at a time.

    Attributes
    ----------
    bulletins : list of Bulletin
        Of the days that were closed.
    counts : Counts
    """

    bulletins: list[Bulletin]
    counts: Counts

    def day_open(self, day: date) -> None:
        """Open a day; what the registry has done before reaches the market first."""

    def products(self, centres: Mapping[str, int]) -> tuple[Product, ...]:
        """Return the open day's products by index, with what they may be traded at.

        Parameters
        ----------
        centres
            Product -> fen around which firms quote; left out, its last close.
        """

    def phase(self, phase: Phase) -> None:
        """Begin a phase of the day."""

    def listed(self, orders: Iterable[Order]) -> None:
        """Enter listed orders, one after the other."""

    def blocks(self, blocks: Iterable[Block]) -> None:
        """Trade each block: the seller offers it to the buyer, who accepts."""

    def bidding(self, offer: Offer) -> None:
        """Award what is offered to those who bid best, each at its own price."""

    def day_close(self) -> None:
        """Close the day, and see all of it settled."""


class YearMarket:
    """The market of a year in this process; see `Market`."""

    def __init__(self, exchange: SettledMarket, profile: Profile) -> None:
        self._exchange = exchange
        self._profile = profile
        self._builder = BulletinBuilder(profile)
        self.bulletins: list[Bulletin] = []
        self.counts = Counts()

    def resume(self, machine: bytes, bulletins: list[Bulletin], counts: Counts) -> None:
        """Begin, or go on after some days.

        Parameters
        ----------
        machine
            The market's snapshot; empty before its first day.
        """
        if machine:
            self._exchange.machine_restore(machine)
        self.bulletins, self.counts = bulletins, counts
        after = bulletins[-1] if bulletins else None
        self._builder = BulletinBuilder(self._profile, after=after)
        closes = {} if after is None else {quote.code: quote.close for quote in after.products}
        self._declare(closes)

    def snapshot(self) -> bytes:
        """Return the market's state, to be resumed from."""
        return self._exchange.machine.snapshot()

    # -- the day ----------------------------------------------------------------------------------

    def day_open(self, day: date) -> None:
        """Open a day; what the registry has done before reaches the market first."""
        opened = self._exchange.open_day(str(day))
        self._declare({})
        self._note(opened)

    def products(self, centres: Mapping[str, int]) -> tuple[Product, ...]:
        """Return the open day's products by index, with what they may be traded at."""
        machine = self._exchange.machine
        rows = ((name, machine.core.product(i)) for i, name in enumerate(machine.product_names))
        return products_quoted(self._profile.rules, rows, centres)

    def phase(self, phase: Phase) -> None:
        """Begin a phase of the day."""
        self._apply(PhaseSet(phase=phase))

    def listed(self, orders: Iterable[Order]) -> None:
        """Enter listed orders, in batches."""
        rows = iter(orders)
        while batch := list(islice(rows, BATCH)):
            commands = self._numbered(entered(batch, self._index))
            commands["account_index"] = [order.firm.index for order in batch]
            events = self._note(self._exchange.submit(commands))
            self.counts.orders += len(batch)
            is_refused = events["kind"] == EventKind.ORDER_REJECTED
            self.counts.refused += int(np.count_nonzero(is_refused))

    def blocks(self, blocks: Iterable[Block]) -> None:
        """Trade each block: the seller offers it to the buyer, who accepts."""
        for block in blocks:
            offer = self._numbered(block_offered(block, self._index))
            offer["account_index"] = block.seller.index
            offered = self._must(self._exchange.submit(offer), EventKind.BLOCK_OFFERED)
            accept = self._numbered(block_accepted(int(offered["order_id"])))
            accept["account_index"] = block.buyer.index
            self._must(self._exchange.submit(accept), EventKind.TRADE)

    def bidding(self, offer: Offer) -> None:
        """Award what is offered to those who bid best, each at its own price."""
        name = bidding_name(offer, self._exchange.trading_date)
        opened = self._exchange.apply(
            BiddingOpen(
                bidding=name,
                account=offer.seller.account,
                product=offer.product.name,
                tonnes=offer.tonnes,
                limit=offer.price,
                pricing="pay_as_bid",
            )
        )
        number = self._must(opened, EventKind.BIDDING_OPENED)["order_id"]
        bids = self._numbered(bids_made(offer.bids, int(number)))
        bids["account_index"] = [bid.firm.index for bid in offer.bids]
        self._note(self._exchange.submit(bids))
        self._must(self._exchange.apply(BiddingClose(bidding=name)), EventKind.BIDDING_CLOSED)

    def day_close(self) -> None:
        """Close the day, settle all of it, and let market and registry compare what is held."""
        self._apply(DayClose())
        self._apply(self._exchange.machine.checkpoint_now())
        self._exchange.settle()

    # -- in common --------------------------------------------------------------------------------

    def _declare(self, closes: Mapping[str, int]) -> None:
        """Let the bulletins know the products that the market has been told of since."""
        machine, known = self._exchange.machine, len(self._builder.product_names)
        declared = zip(machine.product_names, machine.declared_prices, strict=True)
        for product, declared_price in islice(declared, known, None):
            self._builder.declare(product, closes.get(product, declared_price))

    def _apply(self, message: Control) -> None:
        self._note(self._exchange.apply(message))

    def _note(self, events: np.ndarray) -> np.ndarray:
        self.bulletins += self._builder.take_records(events)
        traded = events[events["kind"] == EventKind.TRADE]
        self.counts.trades += len(traded)
        return events

    def _must(self, events: np.ndarray, kind: EventKind) -> np.void:
        """Return the first event of a kind that must be among some."""
        self._note(events)
        found = events[events["kind"] == kind]
        if not len(found):
            row = events[0]
            got = f"{EventKind(row['kind']).name} {Reason(row['reason']).name}"
            raise YearFailed(f"{kind.name}: expected on {self._exchange.trading_date}, got {got}")
        return found[0]

    def _numbered(self, commands: np.ndarray) -> np.ndarray:
        commands["trading_date"] = self._exchange.trading_date
        commands["client_order_id"] = [self._exchange.next_id() for _ in commands]
        return commands

    def _index(self, product: Product) -> int:
        return self._exchange.machine.product_index(product.name)


# -- what is entered -------------------------------------------------------------------------------


def products_quoted(
    rules: MarketRules, rows: Iterable[tuple[str, Mapping[str, Any]]], centres: Mapping[str, int]
) -> tuple[Product, ...]:
    """Return products as firms see them, from what the market says of each by name."""
    found = []
    for name, row in rows:
        low, high = int(row["band_low"]), int(row["band_high"])
        centre = min(max(centres.get(name, int(row["reference_price"])), low), high)
        block = int(row["block_band_low"]), int(row["block_band_high"])
        bidding = _bidding_range(rules, int(row["reference_price"]), low, high)
        found.append(Product(name, centre, low, high, *block, *bidding))
    return tuple(found)


def _bidding_range(rules: MarketRules, close: int, low: int, high: int) -> tuple[int, int]:
    """Return the least that may be asked for, and a most within what may be bid.

    What is asked for is the last close, or the range's end below it, which is known where the
    listed band is as wide.
    """
    if rules.bidding_band_bp == rules.listed_band_bp:
        return low, high
    return close, close * (10_000 + rules.bidding_band_bp) // 10_000


def entered(orders: Sequence[Order], index_of: Callable[[Product], int]) -> np.ndarray:
    """Return the commands that enter listed orders, without who enters them."""
    commands = _commands(len(orders), CommandKind.ENTER)
    commands["product_index"] = [index_of(order.product) for order in orders]
    commands["side"] = [_SIDES[order.side] for order in orders]
    commands["price"] = [order.price for order in orders]
    commands["tonnes"] = [order.tonnes for order in orders]
    return commands


def block_offered(block: Block, index_of: Callable[[Product], int]) -> np.ndarray:
    """Return the seller's command that offers a block to its buyer."""
    commands = _commands(1, CommandKind.BLOCK_OFFER)
    commands["side"], commands["product_index"] = Side.SELL, index_of(block.product)
    commands["price"], commands["tonnes"] = block.price, block.tonnes
    commands["flags"], commands["pick_order_id"] = BlockFlag.TO_ACCOUNT, block.buyer.index
    return commands


def block_accepted(block_id: int) -> np.ndarray:
    """Return the buyer's command that accepts a block."""
    commands = _commands(1, CommandKind.BLOCK_ACCEPT)
    commands["product_index"], commands["order_id"] = PRODUCT_NONE, block_id
    return commands


def bidding_name(offer: Offer, trading_date: int) -> str:
    """Return what a bidding is called: who is first among equals is drawn by it."""
    return f"{offer.seller.account}-{trading_date}"


def bids_made(bids: Sequence[Bid], bidding_id: int) -> np.ndarray:
    """Return the commands that bid in a bidding."""
    commands = _commands(len(bids), CommandKind.BID)
    commands["product_index"], commands["order_id"] = PRODUCT_NONE, bidding_id
    commands["price"] = [bid.price for bid in bids]
    commands["tonnes"] = [bid.tonnes for bid in bids]
    return commands


def canceled(order_id: int) -> np.ndarray:
    """Return the command that takes a listed order away."""
    commands = _commands(1, CommandKind.CANCEL)
    commands["order_id"] = order_id
    return commands


def _commands(count: int, kind: CommandKind) -> np.ndarray:
    commands = np.zeros(count, COMMAND_DTYPE)
    commands["kind"] = kind
    return commands

"""The market's day: what firms enter, the three ways of trading, close and settlement."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import islice

import numpy as np
from msgspec import Struct

from cea_exchange.domain.documents.bulletin import Bulletin, BulletinBuilder
from cea_exchange.domain.profile import Profile
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
from cea_exchange.in_process.exchange import Exchange
from cea_exchange.protocol.control import BiddingClose, BiddingOpen, Control, DayClose, PhaseSet
from cea_exchange.year.firms.firm import Block, Offer, Order, Product

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


class YearMarket:
    """The market of a year, a day at a time.

    Attributes
    ----------
    bulletins : list of Bulletin
        Of the days that were closed.
    counts : Counts
    trades : list of ndarray
        The open day's, as events.
    """

    def __init__(self, exchange: Exchange, profile: Profile) -> None:
        self._exchange = exchange
        self._profile = profile
        self._builder = BulletinBuilder(profile)
        self.bulletins: list[Bulletin] = []
        self.counts = Counts()
        self.trades: list[np.ndarray] = []

    def product_declare(self, product: str, reference_price: int) -> None:
        """Take in a product before its first day."""
        self._builder.declare(product, reference_price)

    def resume(
        self, bulletins: list[Bulletin], counts: Counts, products: Sequence[tuple[str, int]]
    ) -> None:
        """Go on after some days; a product comes with its first reference price."""
        self.bulletins, self.counts = bulletins, counts
        after = bulletins[-1] if bulletins else None
        self._builder = BulletinBuilder(self._profile, after=after)
        closes = {} if after is None else {quote.code: quote.close for quote in after.products}
        for product, reference_price in products:
            self._builder.declare(product, closes.get(product, reference_price))

    # -- the day ----------------------------------------------------------------------------------

    def day_open(self, day: date) -> None:
        """Open a day; what the registry has done before reaches the market first."""
        self.trades = []
        self._note(self._exchange.open_day(str(day)))

    def products(self, centres: Mapping[str, int]) -> tuple[Product, ...]:
        """Return the open day's products by index, with what they may be traded at.

        Parameters
        ----------
        centres
            Product -> fen around which firms quote; left out, its last close.
        """
        machine = self._exchange.machine
        found = []
        for index, name in enumerate(machine.product_names):
            row = machine.core.product(index)
            low, high = int(row["band_low"]), int(row["band_high"])
            centre = min(max(centres.get(name, int(row["reference_price"])), low), high)
            block = int(row["block_band_low"]), int(row["block_band_high"])
            found.append(Product(name, centre, low, high, *block))
        return tuple(found)

    def phase(self, phase: Phase) -> None:
        """Begin a phase of the day."""
        self._apply(PhaseSet(phase=phase))

    def listed(self, orders: Iterable[Order]) -> None:
        """Enter listed orders, in batches."""
        rows = iter(orders)
        while batch := list(islice(rows, BATCH)):
            commands = self._commands(len(batch), CommandKind.ENTER)
            commands["account_index"] = [order.firm.index for order in batch]
            commands["product_index"] = [self._index(order.product) for order in batch]
            commands["side"] = [_SIDES[order.side] for order in batch]
            commands["price"] = [order.price for order in batch]
            commands["tonnes"] = [order.tonnes for order in batch]
            events = self._note(self._exchange.submit(commands))
            self.counts.orders += len(batch)
            is_refused = events["kind"] == EventKind.ORDER_REJECTED
            self.counts.refused += int(np.count_nonzero(is_refused))

    def blocks(self, blocks: Iterable[Block]) -> None:
        """Trade each block: the seller offers it to the buyer, who accepts."""
        for block in blocks:
            offer = self._commands(1, CommandKind.BLOCK_OFFER)
            offer["account_index"], offer["side"] = block.seller.index, Side.SELL
            offer["product_index"] = self._index(block.product)
            offer["price"], offer["tonnes"] = block.price, block.tonnes
            offer["flags"], offer["pick_order_id"] = BlockFlag.TO_ACCOUNT, block.buyer.index
            offered = self._must(self._exchange.submit(offer), EventKind.BLOCK_OFFERED)
            accept = self._commands(1, CommandKind.BLOCK_ACCEPT)
            accept["account_index"], accept["product_index"] = block.buyer.index, PRODUCT_NONE
            accept["order_id"] = offered["order_id"]
            self._must(self._exchange.submit(accept), EventKind.TRADE)

    def bidding(self, offer: Offer) -> None:
        """Award what is offered to those who bid best, each at its own price."""
        name = f"{offer.seller.account}-{self._exchange.trading_date}"
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
        bids = self._commands(len(offer.bids), CommandKind.BID)
        bids["account_index"] = [bid.firm.index for bid in offer.bids]
        bids["product_index"], bids["order_id"] = PRODUCT_NONE, number
        bids["price"] = [bid.price for bid in offer.bids]
        bids["tonnes"] = [bid.tonnes for bid in offer.bids]
        self._note(self._exchange.submit(bids))
        self._must(self._exchange.apply(BiddingClose(bidding=name)), EventKind.BIDDING_CLOSED)

    def day_close(self) -> None:
        """Close the day, settle all of it, and let market and registry compare what is held."""
        self._apply(DayClose())
        self._apply(self._exchange.machine.checkpoint_now())
        self._exchange.settle()

    # -- in common --------------------------------------------------------------------------------

    def _apply(self, message: Control) -> None:
        self._note(self._exchange.apply(message))

    def _note(self, events: np.ndarray) -> np.ndarray:
        self.bulletins += self._builder.take_records(events)
        traded = events[events["kind"] == EventKind.TRADE]
        if len(traded):
            self.trades.append(traded)
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

    def _commands(self, count: int, kind: CommandKind) -> np.ndarray:
        commands = np.zeros(count, COMMAND_DTYPE)
        commands["kind"], commands["trading_date"] = kind, self._exchange.trading_date
        commands["client_order_id"] = [self._exchange.next_id() for _ in range(count)]
        return commands

    def _index(self, product: Product) -> int:
        return self._exchange.machine.product_index(product.name)

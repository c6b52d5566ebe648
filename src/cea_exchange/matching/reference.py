"""The reference market: the rules in the clearest Python, a specification that runs.

It has the interface of the compiled market and shares no deciding code with it; the differential
tests hold the two equal, event for event and hash for hash. Use it to read the rules or to check
another implementation; it is a hundred times slower than the compiled one.

A command is judged completely before anything changes:

    command -> refusal? -> what it would take -> refusal? -> Decision -> events and changes

Block trading is in reference_block.py, bidding in reference_bidding.py, hashes and snapshots in
reference_state.py.
"""

from __future__ import annotations

import dataclasses
import datetime
import operator
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from sortedcontainers import SortedDict

from cea_exchange.domain.profile import MarketRules
from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    BIDDING_DTYPE,
    BLOCK_DTYPE,
    CHECKPOINT_DTYPE,
    COMMAND_DTYPE,
    DAY_CLOSED_DTYPE,
    EVENT_DTYPE,
    OPERATOR_ANY,
    PRODUCT_NONE,
    BiddingState,
    BlockFlag,
    CommandKind,
    EventKind,
    Method,
    Operation,
    OrderFlag,
    Phase,
    Pricing,
    Reason,
    Side,
    Tif,
)
from cea_exchange.matching import reference_state
from cea_exchange.matching.reference_bidding import Notice, ReferenceBiddings
from cea_exchange.matching.reference_block import ReferenceBlocks
from cea_exchange.matching.reference_book import (
    Meeting,
    Order,
    ReferenceBook,
    Walk,
    opposite,
    price_crosses,
)
from cea_exchange.matching.reference_funds import Account, Bust, Holding, ReferenceFunds

PRICE_MAX = 10_000_000
"""fen: 100000.00 yuan"""
ORDER_AMOUNT_LIMIT = 1 << 60
"""fen: price x tonnes of an order is below it"""
OPERATOR_COUNT_MAX = 16
U32_MAX = (1 << 32) - 1
U64_MAX = (1 << 64) - 1
I64_MAX = (1 << 63) - 1

LISTED_PHASES = (Phase.LISTED, Phase.LISTED_AND_BLOCK)

SETTLEMENT_KINDS = frozenset(
    {
        EventKind.TRADE,
        EventKind.DEPOSITED,
        EventKind.WITHDRAWN,
        EventKind.TRANSFER_REJECTED,
        EventKind.DAY_OPENED,
        EventKind.DAY_CLOSED,
        EventKind.CHECKPOINT,
        EventKind.TRADE_BUSTED,
    }
)
MARKET_DATA_KINDS = frozenset(
    {
        EventKind.TRADE,
        EventKind.DAY_OPENED,
        EventKind.PHASE_CHANGED,
        EventKind.HALTED,
        EventKind.RESUMED,
        EventKind.REFERENCE_PRICE_CHANGED,
        EventKind.DAY_CLOSED,
        EventKind.COMPOSITE_CLOSED,
        EventKind.TRADE_BUSTED,
        EventKind.BLOCK_ENQUIRED,
        EventKind.BLOCK_OFFERED,
        EventKind.BLOCK_COUNTERED,
        EventKind.BLOCK_WITHDRAWN,
        EventKind.BLOCK_REJECTED,
        EventKind.BLOCK_LAPSED,
        EventKind.BIDDING_OPENED,
        EventKind.BIDDING_CLOSED,
        EventKind.BIDDING_CANCELED,
        EventKind.PRODUCT_LISTED,
        EventKind.PRODUCT_DELISTED,
    }
)
REPORT_KINDS = frozenset(
    {
        EventKind.ORDER_ACCEPTED,
        EventKind.ORDER_RESTED,
        EventKind.ORDER_AMENDED,
        EventKind.ORDER_CANCELED,
        EventKind.ORDER_EXPIRED,
        EventKind.ORDER_REJECTED,
        EventKind.TRADE,
        EventKind.DEPOSITED,
        EventKind.WITHDRAWN,
        EventKind.TRANSFER_REJECTED,
        EventKind.ACCOUNT_SUSPENDED,
        EventKind.ACCOUNT_RESTORED,
        EventKind.TRADE_BUSTED,
        EventKind.BLOCK_ENQUIRED,
        EventKind.BLOCK_OFFERED,
        EventKind.BLOCK_COUNTERED,
        EventKind.BLOCK_WITHDRAWN,
        EventKind.BLOCK_REJECTED,
        EventKind.BLOCK_LAPSED,
        EventKind.LARGE_HOLDER,
        EventKind.BIDDING_OPENED,
        EventKind.BID_ACCEPTED,
        EventKind.BID_CANCELED,
        EventKind.BIDDING_CLOSED,
        EventKind.BIDDING_CANCELED,
    }
)
BUSTED_TERMS = (
    "side method product_index account_index counter_account_index order_id counter_order_id "
    "price tonnes client_order_id counter_client_order_id trade_id cash buy_fee sell_fee"
).split()
"""What TRADE_BUSTED repeats of the trade."""

EVENT_DEFAULTS = dict.fromkeys(EVENT_DTYPE.names, 0) | {
    "product_index": PRODUCT_NONE,
    "account_index": ACCOUNT_NONE,
    "counter_account_index": ACCOUNT_NONE,
}


class Command(NamedTuple):
    """One row of COMMAND_DTYPE."""

    kind: int
    side: int
    tif: int
    flags: int
    product_index: int
    operator_index: int
    account_index: int
    trading_date: int
    client_order_id: int
    order_id: int
    pick_order_id: int
    price: int
    tonnes: int
    reserved: int


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


@dataclass(slots=True)
class Decision:
    """What a well-formed command leads to, worked out before anything changes."""

    refusal: Reason = Reason.NONE
    walk: Walk = field(default_factory=Walk)
    cancel_reason: Reason = Reason.NONE
    """why what is left does not rest"""
    keeps_place: bool = False
    """an amend that stays where it is"""

    def row_count(self, kind: int, trades_only: bool, tells_large: bool) -> int:
        """How many events it gives at most; `tells_large`: each trade may make a large holder."""
        if kind > CommandKind.AMEND:
            trades = kind == CommandKind.BLOCK_ACCEPT and not self.refusal
            if trades_only or not trades:
                return int(trades or not trades_only)
            return 1 + tells_large
        if trades_only:
            return self.walk.trade_count
        if self.refusal or kind == CommandKind.CANCEL or self.keeps_place:
            return 1
        told = self.walk.trade_count if tells_large else 0
        return 1 + len(self.walk.meetings) + (self.walk.tonnes_left > 0) + told


class ReferenceMarket:
    """A market of listed and block trading and of bidding.

    Parameters
    ----------
    rules : MarketRules
        The rules in force.
    order_count_max : int, optional
        How many orders may be live at once; by default `rules.order_count_max`.

    Notes
    -----
    Methods by purpose. Declaring: `product_declare`, `account_declare`. Trading commands:
    `process`. Transfers: `deposit`, `withdraw`. The operator's acts: `day_open`, `day_close`,
    `phase_set`, `halt`, `resume`, `product_list`, `product_delist`, `suspend`, `restore`,
    `orders_cancel`, `trade_bust`, `reference_price_set`, `bidding_open`, `bidding_window_open`,
    `bidding_close`, `bidding_cancel`, `checkpoint`. Looking: `account`, `order`, `orders_of`,
    `product`, `best`, `depth`, `orders_at`, `block`, `block_ids`, `blocks`, `blocks_seen`,
    `bidding`, `bidding_ids`, `bids`, `trade_bust_fault`, `report_seq`, `last_client_order_id`. The
    whole: `state_hash`, `holdings_hash`, `check`, `snapshot`, `from_snapshot`, `copy`.
    """

    def __init__(self, rules: MarketRules, order_count_max: int | None = None) -> None:
        self.rules = rules
        self.order_count_max = rules.order_count_max if order_count_max is None else order_count_max
        self.phase = Phase.CLOSED
        self.trading_date = 0
        self.day_is_open = False
        self.market_halted = False
        self.listed_started = False
        self.command_seq = 0
        self.event_seq = 0
        self.settlement_seq = 0
        self.market_data_seq = 0
        self.trade_id = 0
        self.transfer_seq = 0
        self.order_id_last = 0
        self.priority_last = 0
        self.rows_needed = 0
        self._products: list[Product] = []
        self._books: list[ReferenceBook] = []
        self._funds = ReferenceFunds(rules)
        self._accounts = self._funds.accounts
        self._orders: SortedDict[int, Order] = SortedDict()
        self._blocks = ReferenceBlocks(self)
        self._biddings = ReferenceBiddings(self)
        self._rows: list[np.ndarray] = []
        self._entrance = threading.Lock()

    # -- Declaring ---------------------------------------------------------------------------------

    def product_declare(
        self,
        product_key: int,
        reference_price: int,
        composite_weight: int = 1,
        listed: bool = True,
    ) -> int:
        """Add a product; return its index.

        Parameters
        ----------
        product_key : int
            The hash of its name, 64 bits.
        reference_price : int
            fen/t, 1 to 10 000 000; the band is measured from it.
        composite_weight : int
            Its weight in the composite closing price.
        listed : bool
            Whether it is traded already; `product_list` lists it otherwise.
        """
        _int_check("product_key", product_key, 0, U64_MAX)
        _int_check("reference_price", reference_price, 1, PRICE_MAX)
        _int_check("composite_weight", composite_weight, 0, 1_000_000)
        if any(product.product_key == product_key for product in self._products):
            raise ValueError(f"product_key must be new, was {product_key} before")
        with self._alone():
            self.command_seq += 1
            product = Product(product_key, reference_price, composite_weight)
            product.delisted = not listed
            self._products.append(product)
            self._books.append(ReferenceBook())
            return len(self._products) - 1

    def account_declare(self, account_key: int, group_index: int = 0) -> int:
        """Add an account; return its index."""
        _int_check("account_key", account_key, 0, U64_MAX)
        _int_check("group_index", group_index, 0, ACCOUNT_NONE)
        if any(account.account_key == account_key for account in self._accounts):
            raise ValueError(f"account_key must be new, was {account_key} before")
        with self._alone():
            self.command_seq += 1
            self._accounts.append(Account(account_key, group_index))
            return len(self._accounts) - 1

    # -- Trading commands --------------------------------------------------------------------------

    def process(
        self, commands: np.ndarray, events: np.ndarray, trades_only: bool = False
    ) -> tuple[int, int]:
        """Apply trading commands one after the other and write what happened.

        Parameters
        ----------
        commands : ndarray of COMMAND_DTYPE
            The commands, oldest first.
        events : ndarray of EVENT_DTYPE
            Where the events go, from its start.
        trades_only : bool
            Write the trades only; all numbers advance the same.

        Returns
        -------
        consumed, produced : int
            Commands applied and events written. If the next command's events don't fit,
            processing stops before it and `rows_needed` says how many rows it needs.

        Raises
        ------
        TypeError, ValueError
            If an array has another dtype, or a command is malformed; then nothing was applied.
        """
        for name, array, dtype in (
            ("commands", commands, COMMAND_DTYPE),
            ("events", events, EVENT_DTYPE),
        ):
            if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != 1:
                raise TypeError(f"{name} must be a one-dimensional array of {name[:-1]} records")
        with self._alone():
            parsed = [Command._make(row) for row in commands.tolist()]
            for place, command in enumerate(parsed):
                _well_formed_check(place, command)
            self.rows_needed = 0
            produced = 0
            for consumed, command in enumerate(parsed):
                decision = self._decide(command)
                tells_large = self.rules.holdings_checked and self.rules.large_holder_tonnes > 0
                row_count = decision.row_count(command.kind, trades_only, tells_large)
                if produced + row_count > len(events):
                    self.rows_needed = row_count
                    return consumed, produced
                self.command_seq += 1
                self._carry_out(command, decision)
                rows = self._events()
                if trades_only:
                    rows = rows[rows["kind"] == EventKind.TRADE]
                events[produced : produced + len(rows)] = rows
                produced += len(rows)
            return len(parsed), produced

    def _decide(self, command: Command) -> Decision:
        if command.kind > CommandKind.AMEND:
            return Decision(self._desk(command.kind).refusal(command))
        if command.kind == CommandKind.ENTER:
            refusal = self._enter_refusal(command)
            return Decision(refusal) if refusal else self._enter_decision(command)
        refusal = self._cancel_refusal(command)
        if command.kind == CommandKind.AMEND:
            refusal = refusal or self._amend_refusal(command)
            return Decision(refusal) if refusal else self._amend_decision(command)
        return Decision(refusal)

    def _desk(self, kind: int) -> ReferenceBlocks | ReferenceBiddings:
        """Who takes the commands that are not listed trading's."""
        return self._biddings if kind >= CommandKind.BID else self._blocks

    def _enter_refusal(self, command: Command) -> Reason:
        """The first reason against an ENTER that does not depend on the other side's orders.

        Notes
        -----
        Rules: CEA-ORD-06 (phases), CEA-ORD-08 (ids), CEA-ORD-10 (precedence), CEA-DAY-05 (halts).
        """
        if not self._is_listed(command.product_index):
            return Reason.PRODUCT_UNKNOWN
        if not self._operator_known(command):
            return Reason.ACCOUNT_UNKNOWN
        refusal = self._sender_refusal(command)
        if refusal:
            return refusal
        if self.market_halted or self.phase not in LISTED_PHASES:
            return Reason.PHASE_CLOSED
        if self._products[command.product_index].halted:
            return Reason.PRODUCT_HALTED
        wanted = self._order_of(command)
        return self._terms_refusal(wanted, replaced=None)

    def _cancel_refusal(self, command: Command) -> Reason:
        """The first reason against a CANCEL; an AMEND shares them all.

        Notes
        -----
        Rules: CEA-ORD-06, CEA-ORD-08.
        """
        if not self._operator_known(command):
            return Reason.ACCOUNT_UNKNOWN
        order = self._orders.get(command.order_id)
        if order is None or order.account_index != command.account_index:
            return Reason.ORDER_UNKNOWN
        refusal = self._sender_refusal(command)
        if not refusal and self.phase == Phase.CLOSED:
            return Reason.PHASE_CLOSED
        return refusal

    def _sender_refusal(self, command: Command) -> Reason:
        """A repeated id, or a suspended account; the account is a known one."""
        account = self._accounts[command.account_index]
        if command.client_order_id <= account.client_order_ids.get(command.operator_index, 0):
            return Reason.ORDER_ID_DUPLICATE
        return Reason.ACCOUNT_SUSPENDED if account.suspended else Reason.NONE

    def _amend_refusal(self, command: Command) -> Reason:
        """What stands against an AMEND beyond what would stand against a CANCEL."""
        order = self._orders[command.order_id]
        if self.market_halted or self.phase not in LISTED_PHASES:
            return Reason.PHASE_CLOSED
        if self._products[order.product_index].halted:
            return Reason.PRODUCT_HALTED
        return self._terms_refusal(_amended(order, command), replaced=order)

    def _terms_refusal(self, wanted: Order, replaced: Order | None) -> Reason:
        """The first reason against an order's size, price and cover.

        Parameters
        ----------
        wanted : Order
            The order with the terms asked for.
        replaced : Order or None
            The same order as it is on the book, if it is an amend: its own lock counts as free.

        Notes
        -----
        Rules: CEA-ORD-02 (tonnes), CEA-ORD-04 (amounts), CEA-LST-01 (size), CEA-LST-02 (band).
        """
        rules = self.rules
        if wanted.tonnes_open <= 0:
            return Reason.TONNES_NOT_POSITIVE
        amount = wanted.price * wanted.tonnes_open + wanted.amount_traded
        if self._amount_too_large(wanted.price, amount):
            return Reason.AMOUNT_TOO_LARGE
        if 0 < rules.listed_tonnes_most < wanted.tonnes_open:
            return Reason.LISTED_TONNES_TOO_LARGE
        band_low, band_high = self._band(
            self._products[wanted.product_index], rules.listed_band_bp
        )
        if not band_low <= wanted.price <= band_high:
            return Reason.PRICE_OUT_OF_BAND
        freed = self._funds.lock_of(replaced) if replaced else 0
        bid = self._tonnes_bid(wanted.account_index, wanted.product_index, without=replaced)
        return self._funds.cover_refusal(self._funds.need_of(wanted), freed, bid)

    @staticmethod
    def _amount_too_large(price: int, amount: int) -> bool:
        return price > PRICE_MAX or amount >= ORDER_AMOUNT_LIMIT

    def _tonnes_bid(
        self, account_index: int, product_index: int, without: Order | None = None
    ) -> int:
        """What an account would buy of a product by what it has open.

        Notes
        -----
        Rules: CEA-FND-06.
        """
        if not self.rules.holding_limit_tonnes:
            return 0
        open_orders = (self._orders[id] for id in self._accounts[account_index].order_ids)
        of_orders = sum(
            order.tonnes_open
            for order in open_orders
            if order is not without
            and (order.side, order.product_index) == (Side.BUY, product_index)
        )
        return of_orders + sum(
            desk.tonnes_bid(account_index, product_index)
            for desk in (self._blocks, self._biddings)
        )

    def _is_intra_group(self, account_index: int, counter_account_index: int) -> bool:
        """Whether two accounts are of one group; 0 is none.

        Notes
        -----
        Rules: CEA-BLK-09.
        """
        groups = {self._accounts[i].group_index for i in (account_index, counter_account_index)}
        return len(groups) == 1 and 0 not in groups

    def _enter_decision(self, command: Command) -> Decision:
        """What an ENTER with good terms meets, and what becomes of the rest.

        Notes
        -----
        Rules: CEA-LST-05 (five levels), CEA-LST-06 (the taker's choice), CEA-LST-07 (self-trade),
        CEA-LST-10 (self-trade prevented), CEA-ORD-05 (capacity), CEA-ORD-09 (ioc, fok, post_only).
        """
        taker = self._order_of(command)
        if command.pick_order_id:
            if not self._pick_available(taker, command.pick_order_id):
                return Decision(Reason.PICK_NOT_AVAILABLE)
            maker = self._orders[command.pick_order_id]
            tonnes = min(taker.tonnes_open, maker.tonnes_open)
            walk = Walk([Meeting(maker, tonnes)], taker.tonnes_open - tonnes)
            cancel_reason = Reason.PICK_REMAINDER
        else:
            walk = self._walk(taker)
            cancel_reason = walk.end or (Reason.IOC if command.tif == Tif.IOC else Reason.NONE)
        if walk.end == Reason.SELF_TRADE:
            return Decision(Reason.SELF_TRADE)
        if walk.meets_any and command.flags & OrderFlag.POST_ONLY:
            return Decision(Reason.POST_ONLY_WOULD_TRADE)
        if walk.tonnes_left and command.tif == Tif.FOK:
            return Decision(Reason.FOK_NOT_FILLABLE)
        if walk.tonnes_left and not cancel_reason and not self._room_after(walk, leaving=0):
            return Decision(Reason.CAPACITY)
        return Decision(walk=walk, cancel_reason=cancel_reason)

    def _amend_decision(self, command: Command) -> Decision:
        """What an AMEND with good terms meets, and what becomes of the rest.

        Notes
        -----
        Rules: CEA-ORD-07.
        """
        order = self._orders[command.order_id]
        if command.price == order.price and command.tonnes < order.tonnes_open:
            return Decision(keeps_place=True)
        walk = self._walk(_amended(order, command))
        if walk.end == Reason.SELF_TRADE:
            return Decision(Reason.SELF_TRADE)
        if walk.meets_any and order.flags & OrderFlag.POST_ONLY:
            return Decision(Reason.POST_ONLY_WOULD_TRADE)
        if walk.tonnes_left and not walk.end and not self._room_after(walk, leaving=1):
            return Decision(Reason.CAPACITY)
        return Decision(walk=walk, cancel_reason=walk.end)

    def _walk(self, taker: Order) -> Walk:
        book = self._books[taker.product_index]
        return book.walk(taker, self.rules.levels_max, self.rules.self_trade)

    def _pick_available(self, taker: Order, pick_order_id: int) -> bool:
        maker = self._orders.get(pick_order_id)
        return (
            self.rules.pick_allowed
            and maker is not None
            and maker.product_index == taker.product_index
            and maker.side == opposite(taker.side)
            and maker.price == self._books[taker.product_index].best(maker.side)
            and price_crosses(taker.side, taker.price, maker.price)
            and maker.account_index != taker.account_index
        )

    def _room_after(self, walk: Walk, leaving: int) -> bool:
        return len(self._orders) - leaving - walk.leaving_count + 1 <= self.order_count_max

    # -- Carrying out ------------------------------------------------------------------------------

    def _carry_out(self, command: Command, decision: Decision) -> None:
        is_listed = command.kind <= CommandKind.AMEND
        desk = self._desk(command.kind)
        if decision.refusal:
            refuse = self._refuse_command if is_listed else desk.refuse
            refuse(command, decision.refusal)
            return
        account = self._accounts[command.account_index]
        account.client_order_ids[command.operator_index] = command.client_order_id
        if not is_listed:
            desk.carry_out(command)
        elif command.kind == CommandKind.ENTER:
            self._enter(command, decision)
        elif command.kind == CommandKind.CANCEL:
            self._cancel(
                self._orders[command.order_id],
                Reason.REQUESTED,
                client_order_id=command.client_order_id,
                operator_index=command.operator_index,
            )
        else:
            self._amend(command, decision)

    def _refuse_command(self, command: Command, reason: Reason) -> None:
        terms: dict[str, int] = {"product_index": command.product_index}
        if command.kind == CommandKind.ENTER:
            terms |= {"side": command.side, "tif": command.tif, "flags": command.flags}
        else:
            order = self._orders.get(command.order_id)
            if order is not None and order.account_index == command.account_index:
                terms["product_index"] = order.product_index
            terms["order_id"] = command.order_id
        self._emit(
            EventKind.ORDER_REJECTED,
            reason=reason,
            command=Operation(command.kind),
            account_index=command.account_index,
            operator_index=command.operator_index,
            client_order_id=command.client_order_id,
            price=command.price,
            tonnes=command.tonnes,
            **terms,
        )

    def _enter(self, command: Command, decision: Decision) -> None:
        order = self._order_of(command)
        self.order_id_last += 1
        order.order_id = self.order_id_last
        self._emit_of_order(
            EventKind.ORDER_ACCEPTED,
            order,
            tonnes=order.tonnes_open,
            tonnes_open=order.tonnes_open,
            counter_order_id=command.pick_order_id,
            tif=command.tif,
            flags=command.flags,
            operator_index=command.operator_index,
        )
        self._funds.lock(order)
        self._trade_and_rest(order, decision, command.operator_index)

    def _amend(self, command: Command, decision: Decision) -> None:
        order = self._orders[command.order_id]
        self._funds.unlock(order)
        if decision.keeps_place:
            order.tonnes_open = command.tonnes
        else:
            self._take_off(order)
            order.price, order.tonnes_open = command.price, command.tonnes
        self._funds.lock(order)
        self._emit_of_order(
            EventKind.ORDER_AMENDED,
            order,
            tonnes=order.tonnes_open,
            tonnes_open=order.tonnes_open,
            client_order_id=command.client_order_id,
            operator_index=command.operator_index,
        )
        if not decision.keeps_place:
            self._trade_and_rest(order, decision, command.operator_index)

    def _trade_and_rest(self, taker: Order, decision: Decision, operator_index: int) -> None:
        """Trade with, or cancel, whom it meets; then rest, or cancel, what is left."""
        for maker, tonnes, prevented in decision.walk.meetings:
            if prevented:
                self._cancel(maker, Reason.SELF_TRADE_PREVENTED, operator_index=operator_index)
            else:
                self._trade(taker, maker, tonnes, operator_index)
        if not taker.tonnes_open:
            return
        if decision.cancel_reason:
            self._funds.unlock(taker)
            self._emit_of_order(
                EventKind.ORDER_CANCELED,
                taker,
                tonnes=taker.tonnes_open,
                reason=decision.cancel_reason,
                operator_index=operator_index,
            )
            return
        self.priority_last += 1
        taker.priority = self.priority_last
        self._put_on(taker)
        self._emit_of_order(
            EventKind.ORDER_RESTED,
            taker,
            tonnes=taker.tonnes_open,
            tonnes_open=taker.tonnes_open,
            operator_index=operator_index,
        )

    def _trade(self, taker: Order, maker: Order, tonnes: int, operator_index: int) -> None:
        """One trade at the maker's price: holdings, statistics and the event.

        Notes
        -----
        Rules: CEA-LST-04.
        """
        price, amount = maker.price, maker.price * tonnes
        buy, sell = (taker, maker) if taker.side == Side.BUY else (maker, taker)
        buy_fee, sell_fee = self._funds.exchange(buy, sell, price, tonnes)
        self._count_trade(self._products[maker.product_index], price, tonnes)
        if not maker.tonnes_open:
            self._take_off(maker)
        self.trade_id += 1
        self._emit_of_order(
            EventKind.TRADE,
            taker,
            method=Method.LISTED,
            operator_index=operator_index,
            price=price,
            tonnes=tonnes,
            tonnes_open=taker.tonnes_open,
            counter_account_index=maker.account_index,
            counter_order_id=maker.order_id,
            counter_client_order_id=maker.client_order_id,
            counter_tonnes_open=maker.tonnes_open,
            trade_id=self.trade_id,
            cash=amount,
            buy_fee=buy_fee,
            sell_fee=sell_fee,
        )

    @staticmethod
    def _count_trade(product: Product, price: int, tonnes: int) -> None:
        product.open = product.open or price
        product.high = max(product.high, price)
        product.low = min(product.low or price, price)
        product.last = price
        product.volume += tonnes
        product.amount += price * tonnes

    def _cancel(self, order: Order, reason: Reason, **answered: int) -> None:
        """Take a resting order off the book; `answered` names the command that did it."""
        self._funds.unlock(order)
        self._take_off(order)
        self._emit_of_order(
            EventKind.ORDER_CANCELED, order, tonnes=order.tonnes_open, reason=reason, **answered
        )

    def _cancel_by_act(self, order: Order, reason: Reason) -> None:
        """Take it off where no command is answered: it is told to whoever entered the order."""
        self._cancel(order, reason, operator_index=order.operator_index)

    def _put_on(self, order: Order) -> None:
        self._books[order.product_index].add(order)
        self._orders[order.order_id] = order
        self._accounts[order.account_index].order_ids.add(order.order_id)

    def _take_off(self, order: Order) -> None:
        self._books[order.product_index].remove(order)
        del self._orders[order.order_id]
        self._accounts[order.account_index].order_ids.remove(order.order_id)

    # -- Transfers ---------------------------------------------------------------------------------

    def _band(self, product: Product, width: int) -> tuple[int, int]:
        """Lowest and highest price, so many basis points from the reference price; 0 is no band.

        Notes
        -----
        Rules: CEA-LST-02 and CEA-BLK-02 (width), CEA-LST-03 (rounding).
        """
        if width == 0:
            return 1, PRICE_MAX
        low, high = (product.reference_price * (10_000 + sign * width) for sign in (-1, 1))
        if self.rules.band_rounding == "half_up":
            low, high = (low + 5_000) // 10_000, (high + 5_000) // 10_000
        else:
            low, high = -(-low // 10_000), high // 10_000
        return max(low, 1), min(high, PRICE_MAX)

    def deposit(
        self, account_index: int, product_index: int, amount: int, transfer_seq: int = 0
    ) -> np.ndarray:
        """Bring cash (product PRODUCT_NONE, fen) or allowances (tonnes) into an account.

        Returns
        -------
        ndarray of EVENT_DTYPE
            DEPOSITED or TRANSFER_REJECTED.
        """
        return self._transfer(Operation.DEPOSIT, account_index, product_index, amount, transfer_seq)

    def withdraw(
        self, account_index: int, product_index: int, amount: int, transfer_seq: int = 0
    ) -> np.ndarray:
        """Take cash (product PRODUCT_NONE, fen) or allowances (tonnes) out of an account.

        Returns
        -------
        ndarray of EVENT_DTYPE
            WITHDRAWN or TRANSFER_REJECTED.
        """
        return self._transfer(
            Operation.WITHDRAW, account_index, product_index, amount, transfer_seq
        )

    def _transfer(
        self,
        operation: Operation,
        account_index: int,
        product_index: int,
        amount: int,
        transfer_seq: int,
    ) -> np.ndarray:
        _int_check("account_index", account_index, 0, ACCOUNT_NONE)
        _int_check("product_index", product_index, 0, PRODUCT_NONE)
        _int_check("amount", amount, -I64_MAX - 1, I64_MAX)
        _int_check("transfer_seq", transfer_seq, 0, U64_MAX)
        with self._alone():
            self.command_seq += 1
            self.transfer_seq = transfer_seq or self.transfer_seq
            is_cash = product_index == PRODUCT_NONE
            named = {
                "account_index": account_index,
                "product_index": product_index,
                "client_order_id": transfer_seq,
                "cash" if is_cash else "tonnes": amount,
            }
            reason = self._transfer_refusal(operation, account_index, product_index, amount)
            if reason:
                self._emit(EventKind.TRANSFER_REJECTED, reason=reason, command=operation, **named)
                return self._events()
            account = self._accounts[account_index]
            change = amount if operation == Operation.DEPOSIT else -amount
            if is_cash:
                account.cash += change
            else:
                account.holding(product_index).tonnes += change
            deposited = operation == Operation.DEPOSIT
            self._emit(EventKind.DEPOSITED if deposited else EventKind.WITHDRAWN, **named)
            return self._events()

    def _transfer_refusal(
        self, operation: Operation, account_index: int, product_index: int, amount: int
    ) -> Reason:
        if product_index != PRODUCT_NONE and product_index >= len(self._products):
            return Reason.PRODUCT_UNKNOWN
        if account_index >= len(self._accounts):
            return Reason.ACCOUNT_UNKNOWN
        if operation == Operation.DEPOSIT:
            return self._funds.deposit_refusal(product_index, amount)
        return self._funds.withdrawal_refusal(account_index, product_index, amount)

    # -- The operator's acts -----------------------------------------------------------------------

    def day_open(self, date: int, composite_weights: Sequence[int] = ()) -> np.ndarray:
        """Begin a trading day; T+1, today's proceeds, ids and statistics begin anew.

        Parameters
        ----------
        date : int
            yyyymmdd, later than the last one.
        composite_weights : sequence of int
            One a product, from this day on; without them the products keep theirs.

        Notes
        -----
        Rules: CEA-FND-04, CEA-FND-05, CEA-PRC-04.
        """
        _int_check("date", date, 0, 99_991_231)
        datetime.date(date // 10_000, date // 100 % 100, date % 100)
        if self.day_is_open:
            raise ValueError(f"no day may be open, {self.trading_date} was")
        if date <= self.trading_date:
            raise ValueError(f"date must be later than {self.trading_date}, was {date}")
        for weight in composite_weights:
            _int_check("composite_weight", weight, 0, 1_000_000)
        if composite_weights and len(composite_weights) != len(self._products):
            raise ValueError(
                f"composite_weights must be {len(self._products)}, were {len(composite_weights)}"
            )
        with self._alone():
            for product, weight in zip(self._products, composite_weights):
                product.composite_weight = weight
            self.command_seq += 1
            threshold_before = self.rules.large_holder_tonnes
            self.rules_set(self.rules.on(date))
            self.trading_date = date
            self.day_is_open = True
            self.listed_started = False
            for account in self._accounts:
                account.proceeds_today = 0
                account.client_order_ids.clear()
                for holding in account.holdings.values():
                    holding.bought_today = 0
            for product in self._products:
                product.open = product.high = product.low = product.last = 0
                product.volume = product.amount = 0
                product.block_volume = product.block_amount = product.intra_group_volume = 0
                product.bidding_volume = product.bidding_amount = 0
            self._biddings.forget()
            self._emit(EventKind.DAY_OPENED)
            self._phase_enter(Phase.PRE_OPEN)
            self._large_holders_tell(threshold_before)
            return self._events()

    def rules_set(self, rules: MarketRules) -> None:
        """Go on by other rules, at an opening: nothing is locked by the old ones then.

        Notes
        -----
        Rules: CEA-NTC-01.
        """
        self.rules = self._funds.rules = rules

    def _is_listed(self, product_index: int) -> bool:
        """Whether a product is there to be traded.

        Notes
        -----
        Rules: CEA-PRD-03.
        """
        return (
            product_index < len(self._products) and not self._products[product_index].delisted
        )

    def _large_holders_tell(self, threshold_before: int) -> None:
        """Tell who is a large holder by today's threshold and was none by the last one.

        Notes
        -----
        Rules: CEA-FND-08.
        """
        threshold = self.rules.large_holder_tonnes
        if not threshold or threshold == threshold_before:
            return
        for account_index, account in enumerate(self._accounts):
            for product_index, held in sorted(account.holdings.items()):
                was_large = 0 < threshold_before <= held.tonnes
                if held.tonnes >= threshold and not was_large:
                    self._large_holder_emit(account_index, product_index, held.tonnes)

    def _gain_check(self, kind: EventKind, fields: dict[str, int]) -> None:
        """See whether what an event has moved makes a large holder; balances have moved before."""
        taker, maker = fields.get("account_index"), fields.get("counter_account_index")
        buyer, seller = (taker, maker) if fields.get("side") == Side.BUY else (maker, taker)
        if kind == EventKind.DEPOSITED:
            self._large_holder_check(taker, fields)
        elif kind == EventKind.TRADE and buyer != seller:
            self._large_holder_check(buyer, fields)
        elif kind == EventKind.TRADE_BUSTED and not fields["reason"] and buyer != seller:
            self._large_holder_check(seller, fields)

    def _large_holder_check(self, account_index: int, fields: dict[str, int]) -> None:
        """Tell of an account that has come to hold as much as large holders do.

        Notes
        -----
        Rules: CEA-FND-08.
        """
        threshold, product_index = self.rules.large_holder_tonnes, fields["product_index"]
        if not threshold or product_index == PRODUCT_NONE or not self.rules.holdings_checked:
            return
        tonnes = self._accounts[account_index].holding(product_index).tonnes
        if tonnes - fields["tonnes"] < threshold <= tonnes:
            self._large_holder_emit(account_index, product_index, tonnes)

    def _large_holder_emit(self, account_index: int, product_index: int, tonnes: int) -> None:
        self._emit(
            EventKind.LARGE_HOLDER,
            account_index=account_index,
            product_index=product_index,
            tonnes=tonnes,
        )

    def day_close(self) -> np.ndarray:
        """End the trading day: orders expire, closing prices become reference prices.

        Notes
        -----
        Rules: CEA-LST-08 (close), CEA-ORD-03 (day orders), CEA-PRC-04 (composite), CEA-BID-03
        (biddings come first).
        """
        if not self.day_is_open:
            raise ValueError("a day must be open to be closed, none was")
        with self._alone():
            self.command_seq += 1
            self._biddings.finish_all()
            self._phase_enter(Phase.CLOSED)
            for order in list(self._orders.values()):
                self._funds.unlock(order)
                self._take_off(order)
                self._emit_of_order(
                    EventKind.ORDER_EXPIRED,
                    order,
                    tonnes=order.tonnes_open,
                    operator_index=order.operator_index,
                )
            self._blocks.lapse()
            listed = [product for product in self._products if not product.delisted]
            for product_index, product in enumerate(self._products):
                # A day ends with a close at least, or nobody would hear of it.
                traded = product.volume or product.block_volume or product.bidding_volume
                if traded or not product.delisted or not listed:
                    self._close_product(product_index, product)
            # Where those that weighed were delisted today, all others weigh alike.
            is_weighed = any(product.composite_weight for product in listed)
            weights = [product.composite_weight if is_weighed else 1 for product in listed]
            if listed:
                prices = [product.reference_price for product in listed]
                total = sum(map(operator.mul, weights, prices))
                self._emit(EventKind.COMPOSITE_CLOSED, price=_mean_half_up(total, sum(weights)))
            self.day_is_open = False
            return self._events()

    def _close_product(self, product_index: int, product: Product) -> None:
        """Give a product its close, and tell its day.

        Notes
        -----
        Rules: CEA-LST-08 (close), CEA-PRC-01 (open), CEA-PRC-03 (high and low).
        """
        previous_close = product.reference_price
        if product.volume:
            product.reference_price = _mean_half_up(product.amount, product.volume)
        row = self._emit(EventKind.DAY_CLOSED, product_index=product_index).view(DAY_CLOSED_DTYPE)
        row["open"] = product.open or previous_close
        row["high"] = product.high
        row["low"] = product.low
        row["close"] = product.reference_price
        row["volume_listed"] = product.volume
        row["amount_listed_low"] = product.amount & U64_MAX
        row["amount_listed_high"] = product.amount >> 64
        row["volume_block"] = product.block_volume
        row["amount_block_low"] = product.block_amount & U64_MAX
        row["amount_block_high"] = product.block_amount >> 64
        row["volume_intra_group"] = product.intra_group_volume
        row["volume_bidding"] = product.bidding_volume
        row["amount_bidding_low"] = product.bidding_amount & U64_MAX
        row["amount_bidding_high"] = product.bidding_amount >> 64

    def phase_set(self, phase: int) -> np.ndarray:
        """Enter a phase of the open day; the phase it is in already changes nothing."""
        phase = Phase(phase)
        if not self.day_is_open:
            raise ValueError(f"a day must be open to enter {phase.name}, none was")
        with self._alone():
            self.command_seq += 1
            self._phase_enter(phase)
            return self._events()

    def _phase_enter(self, phase: Phase) -> None:
        self.listed_started = self.listed_started or phase in LISTED_PHASES
        if phase != self.phase:
            self.phase = phase
            self._emit(EventKind.PHASE_CHANGED)

    def halt(self, product_index: int) -> np.ndarray:
        """Halt a product, or with PRODUCT_NONE the market."""
        return self._halted_set(Operation.HALT, product_index)

    def resume(self, product_index: int) -> np.ndarray:
        """Lift the halt of a product, or with PRODUCT_NONE of the market."""
        return self._halted_set(Operation.RESUME, product_index)

    def _halted_set(self, operation: Operation, product_index: int) -> np.ndarray:
        _int_check("product_index", product_index, 0, PRODUCT_NONE)
        with self._alone():
            self.command_seq += 1
            halted = operation == Operation.HALT
            if product_index == PRODUCT_NONE:
                changes = self.market_halted != halted
                self.market_halted = halted
            elif product_index < len(self._products):
                product = self._products[product_index]
                changes = product.halted != halted
                product.halted = halted
            else:
                self._refuse_act(operation, Reason.PRODUCT_UNKNOWN, product_index=product_index)
                return self._events()
            if changes:
                kind = EventKind.HALTED if halted else EventKind.RESUMED
                self._emit(kind, product_index=product_index)
            return self._events()

    def product_list(self, product_index: int, price: int) -> np.ndarray:
        """Let a product be traded, its band measured from a price; not once listed trading began.

        Notes
        -----
        Rules: CEA-PRD-03.
        """
        _int_check("product_index", product_index, 0, PRODUCT_NONE)
        _int_check("price", price, 1, I64_MAX)
        with self._alone():
            self.command_seq += 1
            reason = self._price_refusal(product_index, price)
            if reason:
                where = {"product_index": product_index, "price": price}
                self._refuse_act(Operation.LIST, reason, **where)
                return self._events()
            product = self._products[product_index]
            if product.delisted:
                product.delisted, product.reference_price = False, price
                self._emit(EventKind.PRODUCT_LISTED, product_index=product_index, price=price)
            return self._events()

    def product_delist(self, product_index: int) -> np.ndarray:
        """Let a product be traded no more: what is open of it ends, holdings stay.

        Notes
        -----
        Rules: CEA-PRD-03.
        """
        _int_check("product_index", product_index, 0, PRODUCT_NONE)
        with self._alone():
            self.command_seq += 1
            if product_index >= len(self._products):
                self._refuse_act(
                    Operation.DELIST, Reason.PRODUCT_UNKNOWN, product_index=product_index
                )
            elif not self._products[product_index].delisted:
                self._products[product_index].delisted = True
                self._emit(EventKind.PRODUCT_DELISTED, product_index=product_index)
                for order in list(self._orders.values()):
                    if order.product_index == product_index:
                        self._cancel_by_act(order, Reason.PRODUCT_DELISTED)
                self._blocks.withdraw_all_in(product_index)
                self._biddings.end_all_in(product_index)
            return self._events()

    def suspend(self, account_index: int) -> np.ndarray:
        """Suspend an account: its orders are cancelled, it may only receive from now on.

        Notes
        -----
        Rules: CEA-DAY-06.
        """
        _int_check("account_index", account_index, 0, ACCOUNT_NONE)
        with self._alone():
            self.command_seq += 1
            if account_index >= len(self._accounts):
                self._refuse_act(
                    Operation.SUSPEND, Reason.ACCOUNT_UNKNOWN, account_index=account_index
                )
            elif not self._accounts[account_index].suspended:
                account = self._accounts[account_index]
                account.suspended = True
                self._emit(EventKind.ACCOUNT_SUSPENDED, account_index=account_index)
                for order_id in list(account.order_ids):
                    self._cancel_by_act(self._orders[order_id], Reason.SUSPENDED)
                self._blocks.withdraw_all_of(account_index, Reason.SUSPENDED)
                self._biddings.end_all_of(account_index)
            return self._events()

    def restore(self, account_index: int) -> np.ndarray:
        """Let a suspended account trade again."""
        _int_check("account_index", account_index, 0, ACCOUNT_NONE)
        with self._alone():
            self.command_seq += 1
            if account_index >= len(self._accounts):
                self._refuse_act(
                    Operation.RESTORE, Reason.ACCOUNT_UNKNOWN, account_index=account_index
                )
            elif self._accounts[account_index].suspended:
                self._accounts[account_index].suspended = False
                self._emit(EventKind.ACCOUNT_RESTORED, account_index=account_index)
            return self._events()

    def orders_cancel(self, account_index: int, operator_index: int, reason: int) -> np.ndarray:
        """Cancel what is open of an operator of an account, an account, or everybody.

        Parameters
        ----------
        account_index : int
            A declared account, or ACCOUNT_NONE for everybody.
        operator_index : int
            Who entered the orders; OPERATOR_ANY for all of an account, or everybody's.
        reason : Reason
            DISCONNECTED or KILLED.

        Notes
        -----
        Rules: CEA-ORD-11 (disconnected), CEA-DAY-07 (kill switch).
        """
        _int_check("account_index", account_index, 0, ACCOUNT_NONE)
        _int_check("operator_index", operator_index, 0, OPERATOR_ANY)
        _int_check("reason", reason, Reason.DISCONNECTED, Reason.KILLED)
        if account_index != ACCOUNT_NONE:
            _int_check("account_index", account_index, 0, len(self._accounts) - 1)
        if operator_index != OPERATOR_ANY:
            _int_check("operator_index", operator_index, 0, OPERATOR_COUNT_MAX - 1)
            if account_index == ACCOUNT_NONE:
                raise ValueError(f"operator {operator_index} must be of an account")
        with self._alone():
            self.command_seq += 1
            for order in list(self._orders.values()):
                if account_index in (ACCOUNT_NONE, order.account_index):
                    if operator_index in (OPERATOR_ANY, order.operator_index):
                        self._cancel_by_act(order, Reason(reason))
            if reason == Reason.KILLED and operator_index == OPERATOR_ANY:
                self._blocks.withdraw_all_of(account_index, Reason.KILLED)
            return self._events()

    def operators_cancel(self, operators: Sequence[tuple[int, int]]) -> np.ndarray:
        """Cancel what is open of operators whose sessions were lost, in one look at the orders.

        Notes
        -----
        Rules: CEA-ORD-11.
        """
        for account_index, operator_index in operators:
            _int_check("account_index", account_index, 0, len(self._accounts) - 1)
            _int_check("operator_index", operator_index, 0, OPERATOR_COUNT_MAX - 1)
        lost = set(operators)
        with self._alone():
            self.command_seq += 1
            for order in list(self._orders.values()):
                if (order.account_index, order.operator_index) in lost:
                    self._cancel_by_act(order, Reason.DISCONNECTED)
            return self._events()

    def trade_bust_fault(self, trade: bytes) -> str | None:
        """Say why a record can't be one of this market's trades; None if it can."""
        row = _trade_read(trade)
        if row["kind"] != EventKind.TRADE or row["method"] not in list(Method):
            return f"kind and method must be 7 and 1 to 3, were {row['kind']} and {row['method']}"
        if row["side"] not in list(Side):
            return f"side must be 1 or 2, was {row['side']}"
        for name, last in (
            ("trade_id", self.trade_id),
            ("settlement_seq", self.settlement_seq),
            ("seq", self.event_seq),
            ("trading_date", self.trading_date),
        ):
            if not 0 < row[name] <= last:
                return f"{name} must be within 1..{last}, was {row[name]}"
        for name in ("account_index", "counter_account_index"):
            if row[name] >= len(self._accounts):
                return f"account_index {row[name]} is not declared"
        if row["product_index"] >= len(self._products):
            return f"product_index {row['product_index']} is not declared"
        price, tonnes, cash = row["price"], row["tonnes"], row["price"] * row["tonnes"]
        if not 0 < price <= PRICE_MAX or tonnes <= 0 or cash >= ORDER_AMOUNT_LIMIT:
            return f"price x tonnes must be below 2^60, were {price} and {tonnes}"
        if row["cash"] != cash:
            return f"cash must be {cash}, was {row['cash']}"
        fees, most = (row["buy_fee"], row["sell_fee"]), (ORDER_AMOUNT_LIMIT, cash)
        if not self.rules.holdings_checked:
            most = (0, 0)
        if not all(0 <= fee <= limit for fee, limit in zip(fees, most, strict=True)):
            return f"fees must be within what was paid, were {fees[0]} and {fees[1]}"
        product = self._products[row["product_index"]]
        volume, amount = {
            Method.LISTED: (product.volume, product.amount),
            Method.BLOCK: (product.block_volume, product.block_amount),
            Method.BIDDING: (product.bidding_volume, product.bidding_amount),
        }[Method(row["method"])]
        if row["method"] == Method.BLOCK:
            if self._is_intra_group(row["account_index"], row["counter_account_index"]):
                # Part of the block volume.
                volume = product.intra_group_volume
            else:
                volume -= product.intra_group_volume
        if self._is_of_open_day(row) and (tonnes > volume or cash > amount):
            return f"the day's {volume} t do not hold its {tonnes} t"
        return None

    def trade_bust(self, trade: bytes) -> np.ndarray:
        """Undo a trade, both legs and the fees; where that can't be nothing moves.

        Parameters
        ----------
        trade : bytes
            A TRADE record of EVENT_DTYPE, as the market gave it.

        Returns
        -------
        ndarray of EVENT_DTYPE
            One row, TRADE_BUSTED: `reason` is NONE, or why nothing could be moved.

        Notes
        -----
        Rules: CEA-STL-04.
        """
        fault = self.trade_bust_fault(trade)
        if fault is not None:
            raise ValueError(f"trade: {fault}")
        row = _trade_read(trade)
        taker, maker = row["account_index"], row["counter_account_index"]
        buyer, seller = (taker, maker) if row["side"] == Side.BUY else (maker, taker)
        terms = (row[name] for name in ("product_index", "tonnes", "cash", "buy_fee", "sell_fee"))
        bust = Bust(buyer, seller, *terms)
        with self._alone():
            self.command_seq += 1
            reason = self._funds.bust_refusal(bust)
            if not reason:
                self._funds.exchange_back(bust, row["trading_date"] == self.trading_date)
                if self._is_of_open_day(row):
                    self._count_busted(bust, Method(row["method"]))
            self._emit(
                EventKind.TRADE_BUSTED, reason=reason, **{name: row[name] for name in BUSTED_TERMS}
            )
            return self._events()

    def _count_busted(self, bust: Bust, method: Method) -> None:
        """Take a trade out of its day's volume and amount."""
        product = self._products[bust.product]
        if method == Method.BLOCK:
            is_intra_group = self._is_intra_group(bust.buyer, bust.seller)
            product.block_count(-bust.cash, -bust.tonnes, is_intra_group)
        elif method == Method.BIDDING:
            product.bidding_count(-bust.cash, -bust.tonnes)
        else:
            product.volume -= bust.tonnes
            product.amount -= bust.cash

    def _is_of_open_day(self, row: dict[str, int]) -> bool:
        return self.day_is_open and row["trading_date"] == self.trading_date

    def reference_price_set(self, product_index: int, price: int) -> np.ndarray:
        """Measure a product's band from another price; not once listed trading began today.

        Notes
        -----
        Rules: CEA-PRC-05.
        """
        _int_check("product_index", product_index, 0, PRODUCT_NONE)
        _int_check("price", price, 1, I64_MAX)
        with self._alone():
            self.command_seq += 1
            reason = self._price_refusal(product_index, price)
            if not reason:
                product = self._products[product_index]
                if price != product.reference_price:
                    product.reference_price = price
                    self._emit(
                        EventKind.REFERENCE_PRICE_CHANGED, product_index=product_index, price=price
                    )
                return self._events()
            self._refuse_act(
                Operation.REFERENCE_PRICE, reason, product_index=product_index, price=price
            )
            return self._events()

    def _price_refusal(self, product_index: int, price: int) -> Reason:
        """What stands against another price to measure a band from."""
        if product_index >= len(self._products):
            return Reason.PRODUCT_UNKNOWN
        if self.day_is_open and self.listed_started:
            return Reason.PHASE_CLOSED
        return Reason.AMOUNT_TOO_LARGE if price > PRICE_MAX else Reason.NONE

    def _refuse_act(self, operation: Operation, reason: Reason, **named: int) -> None:
        self._emit(EventKind.ORDER_REJECTED, command=operation, reason=reason, **named)

    def bidding_open(
        self,
        bidding_key: int,
        account_index: int,
        product_index: int,
        *,
        side: int,
        tonnes: int,
        limit: int,
        pricing: int,
        opens_at: int = 0,
        closes_at: int = 0,
        window: int = BiddingState.OPEN,
        reserve_price: int = 0,
    ) -> np.ndarray:
        """Announce a bidding; its applicant's lock begins.

        Parameters
        ----------
        bidding_key : int
            The hash of its name, 64 bits: one of the market's on that trading day.
        account_index, product_index : int
            Who applied, for what.
        side : Side
            What the applicant does.
        tonnes : int
            How much is offered, or with `side` BUY wanted.
        limit : int
            fen/t, the applicant's: the floor of a sale, the ceiling of a purchase.
        pricing : Pricing
            What the winners pay, or get.
        opens_at, closes_at : int
            Nanoseconds since 1970, told with the bidding; 0 is none.
        window : BiddingState
            What the clock of who calls says of that window: OPEN, ANNOUNCED if it opens later,
            ENDED if it can not be.
        reserve_price : int
            fen/t, the worst price that is taken, within the range; 0 is none. Told to nobody.

        Returns
        -------
        ndarray of EVENT_DTYPE
            BIDDING_OPENED, to be viewed as BIDDING_OPENED_DTYPE, or ORDER_REJECTED.

        Notes
        -----
        Rules: CEA-BID-01 to CEA-BID-04, CEA-AWD-06.
        """
        _int_check("bidding_key", bidding_key, 0, U64_MAX)
        _int_check("account_index", account_index, 0, ACCOUNT_NONE)
        _int_check("product_index", product_index, 0, PRODUCT_NONE)
        _int_check("side", side, Side.BUY, Side.SELL)
        _int_check("tonnes", tonnes, -I64_MAX - 1, I64_MAX)
        _int_check("limit", limit, -I64_MAX - 1, I64_MAX)
        _int_check("pricing", pricing, Pricing.UNIFORM, Pricing.PAY_AS_BID)
        _int_check("opens_at", opens_at, 0, U64_MAX)
        _int_check("closes_at", closes_at, 0, U64_MAX)
        _int_check("window", window, BiddingState.ENDED, BiddingState.OPEN)
        _int_check("reserve_price", reserve_price, 0, U32_MAX)
        with self._alone():
            self.command_seq += 1
            whose, when = (account_index, product_index), (opens_at, closes_at)
            terms = Side(side), tonnes, limit, pricing, *when, BiddingState(window), reserve_price
            notice = Notice(bidding_key, *whose, *terms)
            self._biddings.announce(notice)
            return self._events()

    def bidding_window_open(self, bidding_id: int) -> np.ndarray:
        """Take bids in an announced bidding from now on: no event. Any other stays as it is."""
        _int_check("bidding_id", bidding_id, 0, U64_MAX)
        with self._alone():
            self.command_seq += 1
            self._biddings.window_open(bidding_id)
            return self._events()

    def bidding_close(self, bidding_id: int) -> np.ndarray:
        """Award an open bidding, or cancel it if it is halted.

        Returns
        -------
        ndarray of EVENT_DTYPE
            Its trades and BIDDING_CLOSED; or a BID_CANCELED for each bid and BIDDING_CANCELED; or
            ORDER_REJECTED.

        Notes
        -----
        Rules: CEA-BID-06 to CEA-BID-09.
        """
        _int_check("bidding_id", bidding_id, 0, U64_MAX)
        with self._alone():
            self.command_seq += 1
            self._biddings.close(bidding_id)
            return self._events()

    def bidding_cancel(self, bidding_id: int) -> np.ndarray:
        """End a bidding without an award.

        Returns
        -------
        ndarray of EVENT_DTYPE
            A BID_CANCELED for each bid and BIDDING_CANCELED, or ORDER_REJECTED.

        Notes
        -----
        Rules: CEA-BID-08.
        """
        _int_check("bidding_id", bidding_id, 0, U64_MAX)
        with self._alone():
            self.command_seq += 1
            self._biddings.cancel(bidding_id)
            return self._events()

    def checkpoint(self) -> np.ndarray:
        """State the hashes of everything before this call.

        Returns
        -------
        ndarray of EVENT_DTYPE
            One row; view it as CHECKPOINT_DTYPE.
        """
        with self._alone():
            stated = (self.state_hash(), self.holdings_hash(), self.command_seq)
            self.command_seq += 1
            row = self._emit(EventKind.CHECKPOINT).view(CHECKPOINT_DTYPE)
            row["state_hash"], row["holdings_hash"], row["command_seq"] = stated
            return self._events()

    # -- Looking -----------------------------------------------------------------------------------

    @property
    def live_order_count(self) -> int:
        """How many orders are on the books."""
        return len(self._orders)

    def last_client_order_id(self, account_index: int, operator_index: int) -> int:
        """The last id accepted today from an operator of an account; 0 for none."""
        return self._accounts[account_index].client_order_ids.get(operator_index, 0)

    def report_seq(self, account_index: int) -> int:
        """How many reports an account has had."""
        return self._accounts[account_index].report_seq

    def account(self, account_index: int) -> dict[str, Any]:
        """What an account holds, and what of it is locked."""
        account = self._accounts[account_index]
        return {
            "cash": account.cash,
            "cash_locked": account.cash_locked,
            "proceeds_today": account.proceeds_today,
            "suspended": account.suspended,
            "holdings": {
                product_index: (holding.tonnes, holding.locked, holding.bought_today)
                for product_index, holding in sorted(account.holdings.items())
                if holding != Holding()
            },
        }

    def order(self, order_id: int) -> dict[str, int] | None:
        """A live order, or None."""
        order = self._orders.get(order_id)
        if order is None:
            return None
        return {
            "order_id": order.order_id,
            "account_index": order.account_index,
            "product_index": order.product_index,
            "side": int(order.side),
            "price": order.price,
            "tonnes_open": order.tonnes_open,
            "client_order_id": order.client_order_id,
            "flags": order.flags,
            "operator_index": order.operator_index,
            "priority": order.priority,
        }

    def orders_of(self, account_index: int) -> list[int]:
        """The live order ids of an account, ascending."""
        return list(self._accounts[account_index].order_ids)

    def best(self, product_index: int, side: int) -> int:
        """The best price of a side, 0 for none."""
        return self._books[product_index].best(Side(side))

    def depth(self, product_index: int, side: int, levels: int) -> list[tuple[int, int, int]]:
        """The best levels of a side: price, tonnes, number of orders."""
        best_levels = islice(self._books[product_index].levels(Side(side)), levels)
        return [
            (price, sum(order.tonnes_open for order in level), len(level))
            for price, level in best_levels
        ]

    def orders_at(self, product_index: int, side: int, price: int) -> list[int]:
        """The order ids of a level, oldest first."""
        return [order.order_id for order in self._books[product_index].at(Side(side), price)]

    def block_ids(self) -> list[int]:
        """The ids of all open block offers and enquiries, ascending."""
        return list(self._blocks.open)

    def blocks(self) -> np.ndarray:
        """All open block offers and enquiries, by id."""
        return np.frombuffer(self._blocks.to_bytes(), BLOCK_DTYPE)

    def blocks_seen(
        self, account_index: int, first: int, count_max: int
    ) -> tuple[list[int], int]:
        """Ids of the open blocks that an account made or is asked in, and where to go on."""
        seen = self._blocks.seen_by(account_index, first)
        told = list(islice(seen, count_max))
        return told, next(seen, 0)

    def block(self, block_id: int) -> dict[str, int] | None:
        """An open block offer or enquiry, or None."""
        block = self._blocks.open.get(block_id)
        if block is None:
            return None
        words = {name: int(getattr(block, name)) for name in BLOCK_DTYPE.names}
        del words["reserved"]
        return words

    def bidding_ids(self) -> list[int]:
        """The ids of the day's biddings, ended ones too, ascending."""
        return list(self._biddings.all)

    def bidding(self, bidding_id: int) -> dict[str, int] | None:
        """A bidding of the day, or None."""
        bidding = self._biddings.all.get(bidding_id)
        if bidding is None:
            return None
        return {
            name: int(getattr(bidding, name)) for name in BIDDING_DTYPE.names if name != "reserved"
        }

    def bids(self, bidding_id: int) -> list[dict[str, int]]:
        """The live bids of a bidding, in order of time."""
        return [
            {name: int(getattr(bid, name)) for name in bid.__slots__}
            for bid in self._biddings.bids_of(bidding_id)
        ]

    def product(self, product_index: int) -> dict[str, Any]:
        """A product's reference price, band, halt and trades of the day."""
        product = self._products[product_index]
        band_low, band_high = self._band(product, self.rules.listed_band_bp)
        block_low, block_high = self._band(product, self.rules.block_band_bp)
        return {
            "reference_price": product.reference_price,
            "band_low": band_low,
            "band_high": band_high,
            "halted": product.halted,
            "listed": not product.delisted,
            "open": product.open,
            "high": product.high,
            "low": product.low,
            "volume": product.volume,
            "amount": product.amount,
            "last": product.last,
            "block_band_low": block_low,
            "block_band_high": block_high,
            "block_volume": product.block_volume,
            "block_amount": product.block_amount,
            "intra_group_volume": product.intra_group_volume,
            "bidding_volume": product.bidding_volume,
            "bidding_amount": product.bidding_amount,
        }

    # -- The whole ---------------------------------------------------------------------------------

    def state_hash(self) -> int:
        """Hash everything a later command could depend on."""
        return reference_state.state_hash(self)

    def holdings_hash(self) -> int:
        """Hash what each account holds: what the registry can know too."""
        return reference_state.holdings_hash(self)

    def check(self) -> None:
        """Raise AssertionError naming the first broken invariant."""
        reference_state.check(self)

    def snapshot(self) -> bytes:
        """The whole state as msgpack."""
        return reference_state.snapshot(self)

    @classmethod
    def from_snapshot(
        cls, rules: MarketRules, data: bytes, order_count_max: int | None = None
    ) -> ReferenceMarket:
        """The market a snapshot was taken of.

        Parameters
        ----------
        rules : MarketRules
            The rules it had.
        data : bytes
            From `snapshot`.
        order_count_max : int, optional
            As in the constructor.
        """
        market = cls(rules, order_count_max)
        reference_state.restore_into(market, data)
        return market

    def copy(self) -> ReferenceMarket:
        """A market of its own in the same state."""
        return self.from_snapshot(self.rules, self.snapshot(), self.order_count_max)

    # -- Events ------------------------------------------------------------------------------------

    def _emit_of_order(self, kind: EventKind, order: Order, **fields: int) -> None:
        """Emit an event about an order; `fields` add to, or replace, what the order says."""
        of_order = {
            "side": order.side,
            "product_index": order.product_index,
            "account_index": order.account_index,
            "order_id": order.order_id,
            "price": order.price,
            "client_order_id": order.client_order_id,
        }
        self._emit(kind, **(of_order | fields))

    def _emit(self, kind: EventKind, **fields: int) -> np.ndarray:
        """Number an event in each stream it belongs to, and keep it.

        Returns
        -------
        ndarray of EVENT_DTYPE
            Its row, one long, for records with fields of their own.
        """
        self.event_seq += 1
        fields |= {"kind": kind, "seq": self.event_seq, "phase": self.phase}
        fields["trading_date"] = self.trading_date if self.day_is_open else 0
        if kind in SETTLEMENT_KINDS:
            self.settlement_seq += 1
            fields["settlement_seq"] = self.settlement_seq
        if kind in MARKET_DATA_KINDS and not _is_of_parties_only(kind, fields):
            self.market_data_seq += 1
            fields["market_data_seq"] = self.market_data_seq
        if kind in REPORT_KINDS:
            for who, numbered in (
                ("account_index", "report_seq"),
                ("counter_account_index", "counter_report_seq"),
            ):
                account_index = fields.get(who, ACCOUNT_NONE)
                if account_index < len(self._accounts):
                    self._accounts[account_index].report_seq += 1
                    fields[numbered] = self._accounts[account_index].report_seq
        row = np.array([tuple((EVENT_DEFAULTS | fields).values())], EVENT_DTYPE)
        self._rows.append(row)
        self._gain_check(kind, fields)
        return row

    def _events(self) -> np.ndarray:
        """The events since the last call, as one array."""
        rows, self._rows = self._rows, []
        return np.frombuffer(bytearray().join(rows), EVENT_DTYPE)

    # -- Reading commands --------------------------------------------------------------------------

    def _operator_known(self, command: Command) -> bool:
        return (
            command.account_index < len(self._accounts)
            and command.operator_index < self.rules.operators_max
        )

    @staticmethod
    def _order_of(command: Command) -> Order:
        """The order an ENTER asks for; it has no id yet."""
        return Order(
            order_id=0,
            account_index=command.account_index,
            product_index=command.product_index,
            side=Side(command.side),
            price=command.price,
            tonnes_open=command.tonnes,
            client_order_id=command.client_order_id,
            flags=command.flags,
            operator_index=command.operator_index,
        )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._entrance.acquire(blocking=False):
            raise RuntimeError("a market serves one thread at a time, a second one came")
        try:
            yield
        finally:
            self._entrance.release()


def _trade_read(trade: bytes) -> dict[str, int]:
    """The fields of a record."""
    if type(trade) is not bytes:
        raise TypeError(f"trade must be bytes, was {type(trade).__name__}")
    if len(trade) != EVENT_DTYPE.itemsize:
        raise ValueError(f"trade must be {EVENT_DTYPE.itemsize} bytes, was {len(trade)}")
    (row,) = np.frombuffer(trade, EVENT_DTYPE).tolist()
    return dict(zip(EVENT_DTYPE.names, row, strict=True))


def _amended(order: Order, command: Command) -> Order:
    """The order with the terms an AMEND asks for."""
    return dataclasses.replace(order, price=command.price, tonnes_open=command.tonnes)


def _mean_half_up(total: int, count: int) -> int:
    """total / count, half up; both positive."""
    return (2 * total + count) // (2 * count)


def _int_check(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
        raise TypeError(f"{name} must be an int, was {type(value).__name__}")
    if not low <= value <= high:
        raise ValueError(f"{name} must be within {low}..{high}, was {value}")


def _is_of_parties_only(kind: EventKind, fields: dict[str, int]) -> bool:
    """Say if an event of a public kind is nobody's business but its parties'.

    Notes
    -----
    Rules: CEA-BLK-11.
    """
    if kind == EventKind.TRADE_BUSTED:
        # One that moved nothing.
        return bool(fields["reason"])
    is_addressed = fields.get("flags", 0) & (BlockFlag.TO_ACCOUNT | BlockFlag.TO_GROUP)
    return kind.name.startswith("BLOCK_") and bool(is_addressed)


def _well_formed_check(place: int, command: Command) -> None:
    """Raise ValueError for a record no well-behaved sender makes."""
    bounds = {"kind": (CommandKind.ENTER, CommandKind.BID_CANCEL), "reserved": (0, 0)}
    if command.kind == CommandKind.ENTER:
        bounds |= {
            "side": (Side.BUY, Side.SELL),
            "tif": (Tif.DAY, Tif.FOK),
            "flags": (0, OrderFlag.POST_ONLY),
        }
    elif command.kind in (CommandKind.BLOCK_ENQUIRY, CommandKind.BLOCK_OFFER):
        bounds |= {"side": (Side.BUY, Side.SELL)} | _block_bounds(command)
    for name, (low, high) in bounds.items():
        value = getattr(command, name)
        if not low <= value <= high:
            raise ValueError(
                f"commands[{place}].{name} must be within {int(low)}..{int(high)}, was {value}"
            )


def _block_bounds(command: Command) -> dict[str, tuple[int, int]]:
    """What an enquiry or an offer may have in its fields, as its flags say."""
    is_enquiry = command.kind == CommandKind.BLOCK_ENQUIRY
    flags_most = BlockFlag.TO_GROUP
    if is_enquiry:
        flags_most |= BlockFlag.PRICE_OPEN | BlockFlag.TONNES_OPEN
    addressed = command.flags & (BlockFlag.TO_ACCOUNT | BlockFlag.TO_GROUP)
    bounds = {
        "flags": (0, flags_most),
        "pick_order_id": (0, ACCOUNT_NONE if addressed else 0),
    }
    if addressed == BlockFlag.TO_ACCOUNT | BlockFlag.TO_GROUP:
        bounds["flags"] = (0, BlockFlag.TO_GROUP)
    if is_enquiry:
        bounds["order_id"] = (0, 0)
    for flag, name in ((BlockFlag.PRICE_OPEN, "price"), (BlockFlag.TONNES_OPEN, "tonnes")):
        if command.flags & flag:
            bounds[name] = (0, 0)
    return bounds

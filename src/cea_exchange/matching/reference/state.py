"""The state of a reference market: the one value that all its parts share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sortedcontainers import SortedDict

from cea_exchange.domain.profile import MarketRules
from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    EVENT_DTYPE,
    EventKind,
    Operation,
    Phase,
    Reason,
    Side,
)
from cea_exchange.matching.reference import large_holders
from cea_exchange.matching.reference.events import (
    REPORT_KINDS,
    SETTLEMENT_KINDS,
    is_public,
    row_of,
)
from cea_exchange.matching.reference.inputs import Command
from cea_exchange.matching.reference.rows.biddings import Bid, Bidding
from cea_exchange.matching.reference.rows.blocks import Block
from cea_exchange.matching.reference.rows.book import Order, ReferenceBook
from cea_exchange.matching.reference.rows.funds import Account, Gap, ReferenceFunds
from cea_exchange.matching.reference.rows.products import Product

LISTED_PHASES = (Phase.LISTED, Phase.LISTED_AND_BLOCK)


@dataclass(slots=True)
class MarketState:
    """Rules, phase, counters, products, funds, what is open, and the events not yet taken."""

    rules: MarketRules
    order_count_max: int
    phase: Phase = Phase.CLOSED
    trading_date: int = 0
    day_is_open: bool = False
    market_halted: bool = False
    listed_started: bool = False
    command_seq: int = 0
    event_seq: int = 0
    settlement_seq: int = 0
    market_data_seq: int = 0
    trade_id: int = 0
    transfer_seq: int = 0
    order_id_last: int = 0
    priority_last: int = 0
    products: list[Product] = field(default_factory=list)
    books: list[ReferenceBook] = field(default_factory=list)
    """one a product"""
    orders: SortedDict[int, Order] = field(default_factory=SortedDict)
    """on the books, by id; so are the others"""
    blocks: SortedDict[int, Block] = field(default_factory=SortedDict)
    biddings: SortedDict[int, Bidding] = field(default_factory=SortedDict)
    """the day's, ended ones too"""
    bids: SortedDict[int, Bid] = field(default_factory=SortedDict)
    funds: ReferenceFunds = field(init=False)
    rows: list[np.ndarray[Any, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.funds = ReferenceFunds(self.rules)

    @property
    def accounts(self) -> list[Account]:
        """All accounts, by index."""
        return self.funds.accounts

    def rules_set(self, rules: MarketRules) -> None:
        """Go on by other rules, at an opening: nothing is locked by the old ones then.

        Notes
        -----
        Rules: CEA-NTC-01.
        """
        self.rules = self.funds.rules = rules

    def product_add(self, product: Product) -> int:
        """Add a product with an empty book; return its index."""
        key = product.product_key
        if any(known.product_key == key for known in self.products):
            raise ValueError(f"product_key: expected a new one, got {key} again")
        self.products.append(product)
        self.books.append(ReferenceBook())
        return len(self.products) - 1

    def account_add(self, account: Account) -> int:
        """Add an account; return its index."""
        key = account.account_key
        if any(known.account_key == key for known in self.accounts):
            raise ValueError(f"account_key: expected a new one, got {key} again")
        self.accounts.append(account)
        return len(self.accounts) - 1

    def order_id_give(self) -> int:
        """The id of a new order, block, bidding or bid."""
        self.order_id_last += 1
        return self.order_id_last

    # -- Events ------------------------------------------------------------------------------------

    def emit(self, kind: EventKind, **fields: int) -> np.ndarray:
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
        if is_public(kind, fields):
            self.market_data_seq += 1
            fields["market_data_seq"] = self.market_data_seq
        if kind in REPORT_KINDS:
            for who, numbered in (
                ("account_index", "report_seq"),
                ("counter_account_index", "counter_report_seq"),
            ):
                account_index = fields.get(who, ACCOUNT_NONE)
                if account_index < len(self.accounts):
                    self.accounts[account_index].report_seq += 1
                    fields[numbered] = self.accounts[account_index].report_seq
        row = row_of(fields)
        self.rows.append(row)
        for holder in large_holders.made_by(self.rules, self.accounts, kind, fields):
            self.emit(EventKind.LARGE_HOLDER, **holder)
        return row

    def events_take(self) -> np.ndarray:
        """The events since the last call, as one array."""
        rows, self.rows = self.rows, []
        return np.frombuffer(bytearray().join(rows), EVENT_DTYPE)

    def refuse(self, operation: int, reason: Reason, **named: int) -> None:
        """Say why a command or an operator's act changes nothing."""
        command = Operation(operation)
        self.emit(EventKind.ORDER_REJECTED, command=command, reason=reason, **named)

    def command_refuse(self, command: Command, reason: Reason, **terms: int) -> None:
        """Say why a trading command changes nothing; `terms` are those its kind has."""
        self.refuse(
            command.kind,
            reason,
            account_index=command.account_index,
            operator_index=command.operator_index,
            client_order_id=command.client_order_id,
            price=command.price,
            tonnes=command.tonnes,
            **terms,
        )

    # -- What the trading methods ask --------------------------------------------------------------

    def is_listed(self, product_index: int) -> bool:
        """Whether a product is there to be traded.

        Notes
        -----
        Rules: CEA-PRD-03.
        """
        return product_index < len(self.products) and not self.products[product_index].delisted

    def operator_known(self, command: Command) -> bool:
        """Whether the market knows who sends a command."""
        return (
            command.account_index < len(self.accounts)
            and command.operator_index < self.rules.operators_max
        )

    def sender_refusal(self, command: Command) -> Reason:
        """A repeated id, or a suspended account; the account is a known one."""
        account = self.accounts[command.account_index]
        if command.client_order_id <= account.client_order_ids.get(command.operator_index, 0):
            return Reason.ORDER_ID_DUPLICATE
        return Reason.ACCOUNT_SUSPENDED if account.suspended else Reason.NONE

    def session_refusal(self, is_open: bool, product_index: int) -> Reason:
        """A trading method that is not open now, or a halt of the market or a product.

        Notes
        -----
        Rules: CEA-DAY-05.
        """
        if self.market_halted or not is_open:
            return Reason.PHASE_CLOSED
        halted = self.products[product_index].halted
        return Reason.PRODUCT_HALTED if halted else Reason.NONE

    def is_intra_group(self, account_index: int, counter_account_index: int) -> bool:
        """Whether two accounts are of one group; 0 is none.

        Notes
        -----
        Rules: CEA-BLK-09.
        """
        groups = {self.accounts[i].group_index for i in (account_index, counter_account_index)}
        return len(groups) == 1 and 0 not in groups

    def waits(self, account_index: int) -> dict[int, Gap]:
        """The products that an account has to wait with, and how long.

        Notes
        -----
        Rules: CCER-FND-03.
        """
        waits = self.accounts[account_index].waits
        if self.rules.gap_scope == "product":
            return dict.fromkeys(range(len(self.products)), waits[0]) if 0 in waits else {}
        return waits

    def stands_against(self, account_index: int, product_index: int, side: Side) -> bool:
        """Whether an account has something open that would trade on the other side than this.

        Notes
        -----
        Rules: CCER-FND-04.
        """
        if not self.rules.gap_trading_days:
            return False
        alike: Iterable[int] = (product_index,)
        if self.rules.gap_scope == "product":
            alike = range(len(self.products))
        if side == Side.SELL:
            return any(self.tonnes_bid(account_index, index) for index in alike)
        holdings = self.accounts[account_index].holdings
        return any(holdings[index].locked for index in alike if index in holdings)

    def tonnes_bid(
        self, account_index: int, product_index: int, without: Order | None = None
    ) -> int:
        """What an account would buy of a product by what it has open.

        Notes
        -----
        Rules: CEA-FND-06.
        """
        if not (self.rules.holding_limit_tonnes or self.rules.gap_trading_days):
            return 0
        orders: Iterator[Order] = (self.orders[id] for id in self.accounts[account_index].order_ids)
        listed = sum(
            order.tonnes_open
            for order in orders
            if order is not without
            and (order.side, order.product_index) == (Side.BUY, product_index)
        )
        by_block = sum(
            block.tonnes_bid
            for block in self.blocks.values()
            if (block.party(Side.BUY), block.product_index) == (account_index, product_index)
        )
        applied_for = sum(
            bidding.tonnes
            for bidding in self.biddings.values()
            if not bidding.has_ended
            and (bidding.account_index, bidding.product_index, bidding.side)
            == (account_index, product_index, Side.BUY)
        )
        bid = sum(
            bid.tonnes
            for bid in self.bids.values()
            if bid.account_index == account_index
            and self.biddings[bid.bidding_id].product_index == product_index
            and self.biddings[bid.bidding_id].bid_side == Side.BUY
        )
        return listed + by_block + applied_for + bid

    def held_elsewhere(self, account_index: int, product_index: int) -> int:
        """What counts for a joint limit beside one product of an account, less the allocations.

        Held and bid for: its other products, and all of the other accounts of its group.

        Notes
        -----
        Rules: PLT-FND-01.
        """
        if not (self.rules.holding_limit_joint and self.rules.holding_limit_tonnes):
            return 0
        group = self.accounts[account_index].group_index
        total = 0
        for index, account in enumerate(self.accounts):
            if index != account_index and (not group or account.group_index != group):
                continue
            total -= account.allocation
            for product in range(len(self.products)):
                if (index, product) != (account_index, product_index):
                    held = account.holdings.get(product)
                    total += self.tonnes_bid(index, product) + (held.tonnes if held else 0)
        return total

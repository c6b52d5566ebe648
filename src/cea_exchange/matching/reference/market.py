"""The reference market as its callers see it: takes calls one at a time, checks them, counts."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np

from cea_exchange.domain.profile import MarketRules
from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    BLOCK_DTYPE,
    CHECKPOINT_DTYPE,
    COMMAND_DTYPE,
    EVENT_DTYPE,
    OPERATOR_ANY,
    PRODUCT_NONE,
    BiddingState,
    CommandKind,
    EventKind,
    Operation,
    Phase,
    Pricing,
    Reason,
    Side,
)
from cea_exchange.matching.reference import (
    busts,
    large_holders,
    operations,
    snapshots,
    trading_day,
)
from cea_exchange.matching.reference.bidding_trading import Notice, ReferenceBiddings
from cea_exchange.matching.reference.block_trading import ReferenceBlocks
from cea_exchange.matching.reference.book import Order, ReferenceBook
from cea_exchange.matching.reference.events import (
    REPORT_KINDS,
    SETTLEMENT_KINDS,
    is_public,
    row_of,
)
from cea_exchange.matching.reference.funds import Account, ReferenceFunds
from cea_exchange.matching.reference.inputs import (
    I64_MAX,
    OPERATOR_COUNT_MAX,
    U32_MAX,
    U64_MAX,
    Command,
    commands_read,
    int_taken,
    records_check,
    trade_read,
)
from cea_exchange.matching.reference.listed_trading import Decision, ReferenceListed
from cea_exchange.matching.reference.products import PRICE_MAX, Product
from cea_exchange.matching.reference.views import (
    account_view,
    bid_view,
    bidding_view,
    block_view,
    order_view,
    product_view,
)


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
    `process`. Transfers: `deposit`, `withdraw`. The trading day: `day_open`, `day_close`,
    `phase_set`. The operator's acts: `halt`, `resume`, `product_list`, `product_delist`, `suspend`,
    `restore`, `orders_cancel`, `operators_cancel`, `trade_bust`, `reference_price_set`,
    `bidding_open`, `bidding_window_open`, `bidding_close`, `bidding_cancel`, `checkpoint`. Looking:
    `account`, `order`, `orders_of`, `product`, `best`, `depth`, `orders_at`, `block`, `block_ids`,
    `blocks`, `blocks_seen`, `bidding`, `bidding_ids`, `bids`, `trade_bust_fault`, `report_seq`,
    `last_client_order_id`. The whole: `state_hash`, `holdings_hash`, `check`, `snapshot`,
    `from_snapshot`, `copy`.
    """

    def __init__(self, rules: MarketRules, order_count_max: int | None = None) -> None:
        self.rules = rules
        count = rules.order_count_max if order_count_max is None else order_count_max
        self.order_count_max = int_taken("order_count_max", count, 1, (1 << 32) - 3)
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
        self._funds = ReferenceFunds(rules)
        self._accounts = self._funds.accounts
        self._listed = ReferenceListed(self)
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
            Its weight in the composite closing price; 0 where others are to weigh alone.
        listed : bool
            Whether it is traded already; `product_list` lists it otherwise.
        """
        product_key = int_taken("product_key", product_key, 0, U64_MAX)
        reference_price = int_taken("reference_price", reference_price, 1, PRICE_MAX)
        composite_weight = int_taken("composite_weight", composite_weight, 0, 1_000_000)
        if any(product.product_key == product_key for product in self._products):
            raise ValueError(f"product_key must be new, was {product_key} before")
        with self._act():
            product = Product(product_key, reference_price, composite_weight)
            product.delisted = not listed
            self._products.append(product)
            self._listed.books.append(ReferenceBook())
            return len(self._products) - 1

    def account_declare(self, account_key: int, group_index: int = 0) -> int:
        """Add an account; return its index."""
        account_key = int_taken("account_key", account_key, 0, U64_MAX)
        group_index = int_taken("group_index", group_index, 0, ACCOUNT_NONE)
        if any(account.account_key == account_key for account in self._accounts):
            raise ValueError(f"account_key must be new, was {account_key} before")
        with self._act():
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
        records_check("commands", commands, COMMAND_DTYPE)
        records_check("events", events, EVENT_DTYPE)
        with self._alone():
            parsed = commands_read(commands)
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
        return self._listed.decision(command)

    def _desk(self, kind: int) -> ReferenceBlocks | ReferenceBiddings:
        """Who takes the commands that are not listed trading's."""
        return self._biddings if kind >= CommandKind.BID else self._blocks

    def _carry_out(self, command: Command, decision: Decision) -> None:
        is_listed = command.kind <= CommandKind.AMEND
        desk = self._listed if is_listed else self._desk(command.kind)
        if decision.refusal:
            desk.refuse(command, decision.refusal)
            return
        account = self._accounts[command.account_index]
        account.client_order_ids[command.operator_index] = command.client_order_id
        if is_listed:
            self._listed.carry_out(command, decision)
        else:
            self._desk(command.kind).carry_out(command)

    # -- Transfers ---------------------------------------------------------------------------------

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
        account_index = int_taken("account_index", account_index, 0, ACCOUNT_NONE)
        product_index = int_taken("product_index", product_index, 0, PRODUCT_NONE)
        amount = int_taken("amount", amount, -I64_MAX - 1, I64_MAX)
        transfer_seq = int_taken("transfer_seq", transfer_seq, 0, U64_MAX)
        with self._act():
            given = account_index, product_index, amount, transfer_seq
            operations.transfer(self, operation, *given)
            return self._events()

    # -- The trading day ---------------------------------------------------------------------------

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
        date = int_taken("date", date, 0, 99_991_231)
        datetime.date(date // 10_000, date // 100 % 100, date % 100)
        if self.day_is_open:
            raise ValueError(f"no day may be open, {self.trading_date} was")
        if date <= self.trading_date:
            raise ValueError(f"date must be later than {self.trading_date}, was {date}")
        composite_weights = [
            int_taken("composite_weight", weight, 0, 1_000_000) for weight in composite_weights
        ]
        if composite_weights and len(composite_weights) != len(self._products):
            raise ValueError(
                f"composite_weights must be {len(self._products)}, were {len(composite_weights)}"
            )
        with self._act():
            trading_day.begin(self, date, composite_weights)
            return self._events()

    def day_close(self) -> np.ndarray:
        """End the trading day: orders expire, closing prices become reference prices.

        Notes
        -----
        Rules: CEA-LST-08 (close), CEA-ORD-03 (day orders), CEA-PRC-04 (composite), CEA-BID-03
        (biddings come first).
        """
        if not self.day_is_open:
            raise ValueError("a day must be open to be closed, none was")
        with self._act():
            trading_day.end(self)
            return self._events()

    def phase_set(self, phase: int) -> np.ndarray:
        """Enter a phase of the open day; the phase it is in already changes nothing."""
        phase = Phase(int_taken("phase", phase, Phase.CLOSED, Phase.LISTED_AND_BLOCK))
        if not self.day_is_open:
            raise ValueError(f"a day must be open to enter {phase.name}, none was")
        with self._act():
            trading_day.phase_enter(self, phase)
            return self._events()

    def rules_set(self, rules: MarketRules) -> None:
        """Go on by other rules, at an opening: nothing is locked by the old ones then.

        Notes
        -----
        Rules: CEA-NTC-01.
        """
        self.rules = self._funds.rules = rules

    # -- The operator's acts -----------------------------------------------------------------------

    def halt(self, product_index: int) -> np.ndarray:
        """Halt a product, or with PRODUCT_NONE the market."""
        return self._halted_set(Operation.HALT, product_index)

    def resume(self, product_index: int) -> np.ndarray:
        """Lift the halt of a product, or with PRODUCT_NONE of the market."""
        return self._halted_set(Operation.RESUME, product_index)

    def _halted_set(self, operation: Operation, product_index: int) -> np.ndarray:
        product_index = int_taken("product_index", product_index, 0, PRODUCT_NONE)
        with self._act():
            operations.halted_set(self, operation, product_index)
            return self._events()

    def product_list(self, product_index: int, price: int) -> np.ndarray:
        """Let a product be traded, its band measured from a price; not once listed trading began.

        Notes
        -----
        Rules: CEA-PRD-03.
        """
        product_index = int_taken("product_index", product_index, 0, PRODUCT_NONE)
        price = int_taken("price", price, 1, I64_MAX)
        with self._act():
            operations.product_list(self, product_index, price)
            return self._events()

    def product_delist(self, product_index: int) -> np.ndarray:
        """Let a product be traded no more: what is open of it ends, holdings stay.

        Notes
        -----
        Rules: CEA-PRD-03.
        """
        product_index = int_taken("product_index", product_index, 0, PRODUCT_NONE)
        with self._act():
            operations.product_delist(self, product_index)
            return self._events()

    def suspend(self, account_index: int) -> np.ndarray:
        """Suspend an account: its orders are cancelled, it may only receive from now on.

        Notes
        -----
        Rules: CEA-DAY-06.
        """
        account_index = int_taken("account_index", account_index, 0, ACCOUNT_NONE)
        with self._act():
            operations.suspend(self, account_index)
            return self._events()

    def restore(self, account_index: int) -> np.ndarray:
        """Let a suspended account trade again."""
        account_index = int_taken("account_index", account_index, 0, ACCOUNT_NONE)
        with self._act():
            operations.restore(self, account_index)
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
        account_index = int_taken("account_index", account_index, 0, ACCOUNT_NONE)
        operator_index = int_taken("operator_index", operator_index, 0, OPERATOR_ANY)
        reason = int_taken("reason", reason, Reason.DISCONNECTED, Reason.KILLED)
        if account_index != ACCOUNT_NONE:
            account_index = int_taken("account_index", account_index, 0, len(self._accounts) - 1)
        if operator_index != OPERATOR_ANY:
            operator_index = int_taken("operator_index", operator_index, 0, OPERATOR_COUNT_MAX - 1)
            if account_index == ACCOUNT_NONE:
                raise ValueError(f"operator {operator_index} must be of an account")
        with self._act():
            self._listed.cancel_all_of(account_index, Reason(reason), operator_index)
            if reason == Reason.KILLED and operator_index == OPERATOR_ANY:
                self._blocks.withdraw_all_of(account_index, Reason.KILLED)
            return self._events()

    def operators_cancel(
        self,
        operators: Sequence[tuple[int, int]],
        after_order_id: int = 0,
        last_order_id: int = 0,
        orders_max: int = 0,
    ) -> np.ndarray:
        """Cancel what is open of operators whose sessions were lost, in one look at the orders.

        Only orders behind the one id, up to the other, so many at most; 0 is all.

        Notes
        -----
        Rules: CEA-ORD-11.
        """
        lost = {
            (
                int_taken("account_index", account_index, 0, len(self._accounts) - 1),
                int_taken("operator_index", operator_index, 0, OPERATOR_COUNT_MAX - 1),
            )
            for account_index, operator_index in operators
        }
        after_order_id = int_taken("after_order_id", after_order_id, 0, U64_MAX)
        last = int_taken("last_order_id", last_order_id, 0, U64_MAX) or self.order_id_last
        orders_max = int_taken("orders_max", orders_max, 0, U64_MAX)
        with self._act():
            self._listed.cancel_lost(lost, range(after_order_id + 1, last + 1), orders_max)
            return self._events()

    def trade_bust_fault(self, trade: bytes) -> str | None:
        """Say why a record can't be one of this market's trades; None if it can."""
        return busts.fault_of(self, trade_read(trade))

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
        row = trade_read(trade)
        fault = busts.fault_of(self, row)
        if fault is not None:
            raise ValueError(f"trade: {fault}")
        with self._act():
            busts.undo(self, row)
            return self._events()

    def reference_price_set(self, product_index: int, price: int) -> np.ndarray:
        """Measure a product's band from another price; not once listed trading began today.

        Notes
        -----
        Rules: CEA-PRC-05.
        """
        product_index = int_taken("product_index", product_index, 0, PRODUCT_NONE)
        price = int_taken("price", price, 1, I64_MAX)
        with self._act():
            operations.reference_price_set(self, product_index, price)
            return self._events()

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
        bidding_key = int_taken("bidding_key", bidding_key, 0, U64_MAX)
        account_index = int_taken("account_index", account_index, 0, ACCOUNT_NONE)
        product_index = int_taken("product_index", product_index, 0, PRODUCT_NONE)
        side = int_taken("side", side, Side.BUY, Side.SELL)
        tonnes = int_taken("tonnes", tonnes, -I64_MAX - 1, I64_MAX)
        limit = int_taken("limit", limit, -I64_MAX - 1, I64_MAX)
        pricing = int_taken("pricing", pricing, Pricing.UNIFORM, Pricing.PAY_AS_BID)
        opens_at = int_taken("opens_at", opens_at, 0, U64_MAX)
        closes_at = int_taken("closes_at", closes_at, 0, U64_MAX)
        window = int_taken("window", window, BiddingState.ENDED, BiddingState.OPEN)
        reserve_price = int_taken("reserve_price", reserve_price, 0, U32_MAX)
        with self._act():
            whose, when = (account_index, product_index), (opens_at, closes_at)
            terms = Side(side), tonnes, limit, pricing, *when, BiddingState(window), reserve_price
            notice = Notice(bidding_key, *whose, *terms)
            self._biddings.announce(notice)
            return self._events()

    def bidding_window_open(self, bidding_id: int) -> np.ndarray:
        """Take bids in an announced bidding from now on: no event. Any other stays as it is."""
        bidding_id = int_taken("bidding_id", bidding_id, 0, U64_MAX)
        with self._act():
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
        bidding_id = int_taken("bidding_id", bidding_id, 0, U64_MAX)
        with self._act():
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
        bidding_id = int_taken("bidding_id", bidding_id, 0, U64_MAX)
        with self._act():
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
        return len(self._listed.orders)

    def last_client_order_id(self, account_index: int, operator_index: int) -> int:
        """The last id accepted today from an operator of an account; 0 for none."""
        return self._accounts[account_index].client_order_ids.get(operator_index, 0)

    def report_seq(self, account_index: int) -> int:
        """How many reports an account has had."""
        return self._accounts[account_index].report_seq

    def account(self, account_index: int) -> dict[str, Any]:
        """What an account holds, and what of it is locked."""
        return account_view(self._accounts[account_index])

    def order(self, order_id: int) -> dict[str, int] | None:
        """A live order, or None."""
        order = self._listed.orders.get(order_id)
        return None if order is None else order_view(order)

    def orders_of(self, account_index: int) -> list[int]:
        """The live order ids of an account, ascending."""
        return list(self._accounts[account_index].order_ids)

    def best(self, product_index: int, side: int) -> int:
        """The best price of a side, 0 for none."""
        return self._listed.books[product_index].best(Side(side))

    def depth(self, product_index: int, side: int, levels: int) -> list[tuple[int, int, int]]:
        """The best levels of a side: price, tonnes, number of orders."""
        most = int_taken("levels", levels, 0, (1 << 32) - 1)
        best_levels = islice(self._listed.books[product_index].levels(Side(side)), most)
        return [
            (price, sum(order.tonnes_open for order in level), len(level))
            for price, level in best_levels
        ]

    def orders_at(self, product_index: int, side: int, price: int) -> list[int]:
        """The order ids of a level, oldest first."""
        return [order.order_id for order in self._listed.books[product_index].at(Side(side), price)]

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
        return None if block is None else block_view(block)

    def bidding_ids(self) -> list[int]:
        """The ids of the day's biddings, ended ones too, ascending."""
        return list(self._biddings.all)

    def bidding(self, bidding_id: int) -> dict[str, int] | None:
        """A bidding of the day, or None."""
        bidding = self._biddings.all.get(bidding_id)
        return None if bidding is None else bidding_view(bidding)

    def bids(self, bidding_id: int) -> list[dict[str, int]]:
        """The live bids of a bidding, in order of time."""
        return [bid_view(bid) for bid in self._biddings.bids_of(bidding_id)]

    def product(self, product_index: int) -> dict[str, Any]:
        """A product's reference price, band, halt and trades of the day."""
        return product_view(self.rules, self._products[product_index])

    # -- The whole ---------------------------------------------------------------------------------

    def state_hash(self) -> int:
        """Hash everything a later command could depend on."""
        return snapshots.state_hash(self)

    def holdings_hash(self) -> int:
        """Hash what each account holds: what the registry can know too."""
        return snapshots.holdings_hash(self)

    def check(self) -> None:
        """Raise AssertionError naming the first broken invariant."""
        snapshots.check(self)

    def snapshot(self) -> bytes:
        """The whole state as msgpack."""
        return snapshots.snapshot(self)

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
        snapshots.restore_into(market, data)
        return market

    def copy(self) -> ReferenceMarket:
        """A market of its own in the same state; so do `copy.copy`, `copy.deepcopy` and pickle."""
        return self.from_snapshot(self.rules, self.snapshot(), self.order_count_max)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_snapshot, (self.rules, self.snapshot(), self.order_count_max)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.trading_date} {self.phase.name}: "
            f"{len(self._products)} products, {len(self._accounts)} accounts, "
            f"{self.live_order_count} of {self.order_count_max} orders>"
        )

    # -- Events ------------------------------------------------------------------------------------

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
        if is_public(kind, fields):
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
        row = row_of(fields)
        self._rows.append(row)
        large_holders.tell_gain(self, kind, fields)
        return row

    def _events(self) -> np.ndarray:
        """The events since the last call, as one array."""
        rows, self._rows = self._rows, []
        return np.frombuffer(bytearray().join(rows), EVENT_DTYPE)

    # -- What the desks ask ------------------------------------------------------------------------

    def _is_listed(self, product_index: int) -> bool:
        """Whether a product is there to be traded.

        Notes
        -----
        Rules: CEA-PRD-03.
        """
        return (
            product_index < len(self._products) and not self._products[product_index].delisted
        )

    def _operator_known(self, command: Command) -> bool:
        return (
            command.account_index < len(self._accounts)
            and command.operator_index < self.rules.operators_max
        )

    def _sender_refusal(self, command: Command) -> Reason:
        """A repeated id, or a suspended account; the account is a known one."""
        account = self._accounts[command.account_index]
        if command.client_order_id <= account.client_order_ids.get(command.operator_index, 0):
            return Reason.ORDER_ID_DUPLICATE
        return Reason.ACCOUNT_SUSPENDED if account.suspended else Reason.NONE

    def _is_intra_group(self, account_index: int, counter_account_index: int) -> bool:
        """Whether two accounts are of one group; 0 is none.

        Notes
        -----
        Rules: CEA-BLK-09.
        """
        groups = {self._accounts[i].group_index for i in (account_index, counter_account_index)}
        return len(groups) == 1 and 0 not in groups

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
        return self._listed.tonnes_bid(account_index, product_index, without) + sum(
            desk.tonnes_bid(account_index, product_index)
            for desk in (self._blocks, self._biddings)
        )

    @contextmanager
    def _act(self) -> Iterator[None]:
        """Change the market, alone in it: one more in `command_seq`."""
        with self._alone():
            self.command_seq += 1
            yield

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._entrance.acquire(blocking=False):
            raise RuntimeError("a market serves one thread at a time, a second one came")
        try:
            yield
        finally:
            self._entrance.release()

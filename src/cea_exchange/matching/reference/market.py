"""The reference market as its callers see it: takes calls one at a time, checks them, counts."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from operator import index
from typing import Any, Generic, SupportsIndex, TypeVar

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
    EventKind,
    Operation,
    Phase,
    Pricing,
    Reason,
    Side,
)
from cea_exchange.matching.market_core import Records
from cea_exchange.matching.reference import (
    busts,
    hashes,
    invariants,
    large_holders,
    operations,
    snapshots,
    trading_day,
)
from cea_exchange.matching.reference.inputs import (
    I64_MAX,
    OPERATOR_COUNT_MAX,
    U32_MAX,
    U64_MAX,
    commands_read,
    index_taken,
    int_taken,
    records_check,
    trade_read,
)
from cea_exchange.matching.reference.rows.biddings import Notice
from cea_exchange.matching.reference.rows.funds import ALLOCATION_MAX, RESTRICTION_ALL, Account
from cea_exchange.matching.reference.rows.products import Product
from cea_exchange.matching.reference.state import MarketState
from cea_exchange.matching.reference.trading.methods import TradingMethods
from cea_exchange.matching.reference.views import (
    account_view,
    bid_view,
    bidding_view,
    block_view,
    order_view,
    product_view,
)

T_co = TypeVar("T_co", covariant=True)


class _Shown(Generic[T_co]):
    """What a market shows of its state as it is."""

    def __init__(self, read: Callable[[MarketState], T_co]) -> None:
        self._read = read

    def __get__(self, market: ReferenceMarket, owner: type[ReferenceMarket]) -> T_co:
        return self._read(market._state)


class ReferenceMarket:
    """A market of listed and block trading and of bidding; see `MarketCore`."""

    def __init__(self, rules: MarketRules, order_count_max: SupportsIndex | None = None) -> None:
        count = rules.order_count_max if order_count_max is None else order_count_max
        count = int_taken("order_count_max", count, 1, (1 << 32) - 3)
        self._state = MarketState(rules, count)
        self._methods = TradingMethods(self._state)
        self.rows_needed = 0
        self._entrance = threading.Lock()

    # -- Declaring ---------------------------------------------------------------------------------

    def product_declare(
        self,
        product_key: SupportsIndex,
        reference_price: SupportsIndex,
        composite_weight: SupportsIndex = 1,
        listed: bool = True,
    ) -> int:
        """Add a product; return its index."""
        product = Product.declared(product_key, reference_price, composite_weight, listed)
        with self._act() as state:
            return state.product_add(product)

    def account_declare(self, account_key: SupportsIndex, group_index: SupportsIndex = 0) -> int:
        """Add an account; return its index."""
        account = Account.declared(account_key, group_index)
        with self._act() as state:
            return state.account_add(account)

    def allocation_note(self, account_index: SupportsIndex, tonnes: SupportsIndex) -> Records:
        """Note what an account was allocated: it may hold so much beside a joint limit."""
        account_index = int_taken("account_index", account_index, 0, ACCOUNT_NONE)
        tonnes = int_taken("tonnes", tonnes, 0, ALLOCATION_MAX)
        with self._act() as state:
            operations.allocation_note(state, account_index, tonnes)
            return state.events_take()

    # -- Trading commands --------------------------------------------------------------------------

    def process(
        self, commands: Records, events: Records, trades_only: bool = False
    ) -> tuple[int, int]:
        """Apply trading commands one after the other and write what happened."""
        records_check("commands", commands, COMMAND_DTYPE)
        records_check("events", events, EVENT_DTYPE)
        with self._alone():
            parsed = commands_read(commands)
            self.rows_needed = 0
            produced = 0
            tells_large = large_holders.are_reported(self.rules)
            for consumed, command in enumerate(parsed):
                decision = self._methods.decision(command)
                row_count = decision.row_count(command.kind, trades_only, tells_large)
                if produced + row_count > len(events):
                    self.rows_needed = row_count
                    return consumed, produced
                self._state.command_seq += 1
                self._methods.carry_out(command, decision)
                rows = self._state.events_take()
                if trades_only:
                    rows = rows[rows["kind"] == EventKind.TRADE]
                events[produced : produced + len(rows)] = rows
                produced += len(rows)
            return len(parsed), produced

    # -- Transfers ---------------------------------------------------------------------------------

    def deposit(
        self,
        account_index: SupportsIndex,
        product_index: SupportsIndex,
        amount: SupportsIndex,
        transfer_seq: SupportsIndex = 0,
    ) -> Records:
        """Bring cash (product PRODUCT_NONE, fen) or allowances (tonnes) into an account."""
        return self._transfer(Operation.DEPOSIT, account_index, product_index, amount, transfer_seq)

    def withdraw(
        self,
        account_index: SupportsIndex,
        product_index: SupportsIndex,
        amount: SupportsIndex,
        transfer_seq: SupportsIndex = 0,
    ) -> Records:
        """Take cash (product PRODUCT_NONE, fen) or allowances (tonnes) out of an account."""
        return self._transfer(
            Operation.WITHDRAW, account_index, product_index, amount, transfer_seq
        )

    def _transfer(
        self,
        operation: Operation,
        account_index: SupportsIndex,
        product_index: SupportsIndex,
        amount: SupportsIndex,
        transfer_seq: SupportsIndex,
    ) -> Records:
        account_index = int_taken("account_index", account_index, 0, ACCOUNT_NONE)
        product_index = int_taken("product_index", product_index, 0, PRODUCT_NONE)
        amount = int_taken("amount", amount, -I64_MAX - 1, I64_MAX)
        transfer_seq = int_taken("transfer_seq", transfer_seq, 0, U64_MAX)
        with self._act() as state:
            given = account_index, product_index, amount, transfer_seq
            operations.transfer(state, operation, *given)
            return state.events_take()

    # -- The trading day ---------------------------------------------------------------------------

    def day_open(self, date: int, composite_weights: Sequence[SupportsIndex] = ()) -> Records:
        """Begin a trading day; T+1, today's proceeds, ids and statistics begin anew."""
        date = int_taken("date", date, 0, 99_991_231)
        datetime.date(date // 10_000, date // 100 % 100, date % 100)
        if self.day_is_open:
            raise ValueError(f"day_open: expected no open day, got {self.trading_date}")
        if date <= self.trading_date:
            raise ValueError(f"date: expected after {self.trading_date}, got {date}")
        weights = [
            int_taken("composite_weight", weight, 0, 1_000_000) for weight in composite_weights
        ]
        count = len(self._state.products)
        if weights and len(weights) != count:
            raise ValueError(f"composite_weights: expected {count}, got {len(weights)}")
        with self._act() as state:
            trading_day.begin(state, date, weights)
            return state.events_take()

    def day_close(self) -> Records:
        """End the trading day: orders expire, closing prices become reference prices."""
        if not self.day_is_open:
            raise ValueError("day_close: expected an open day, got none")
        with self._act() as state:
            trading_day.end(state, self._methods)
            return state.events_take()

    def phase_set(self, phase: SupportsIndex) -> Records:
        """Enter a phase of the open day; the phase it is in already changes nothing."""
        phase = Phase(int_taken("phase", phase, Phase.CLOSED, Phase.LISTED_AND_BLOCK))
        if not self.day_is_open:
            raise ValueError("phase_set: expected an open day, got none")
        with self._act() as state:
            trading_day.phase_enter(state, phase)
            return state.events_take()

    # -- The operator ------------------------------------------------------------------------------

    def halt(self, product_index: SupportsIndex) -> Records:
        """Halt a product, or with PRODUCT_NONE the market."""
        return self._halted_set(Operation.HALT, product_index)

    def resume(self, product_index: SupportsIndex) -> Records:
        """Lift the halt of a product, or with PRODUCT_NONE of the market."""
        return self._halted_set(Operation.RESUME, product_index)

    def _halted_set(self, operation: Operation, product_index: SupportsIndex) -> Records:
        product_index = int_taken("product_index", product_index, 0, PRODUCT_NONE)
        with self._act() as state:
            operations.halted_set(state, operation, product_index)
            return state.events_take()

    def product_list(self, product_index: SupportsIndex, price: SupportsIndex) -> Records:
        """Let a product be traded, its band measured from a price."""
        product_index = int_taken("product_index", product_index, 0, PRODUCT_NONE)
        price = int_taken("price", price, 1, I64_MAX)
        with self._act() as state:
            operations.product_list(state, product_index, price)
            return state.events_take()

    def product_delist(self, product_index: SupportsIndex) -> Records:
        """Let a product be traded no more: what is open of it ends, holdings stay."""
        product_index = int_taken("product_index", product_index, 0, PRODUCT_NONE)
        with self._act() as state:
            operations.product_delist(state, self._methods, product_index)
            return state.events_take()

    def suspend(self, account_index: SupportsIndex) -> Records:
        """Suspend an account: its orders are cancelled, it may only receive from now on."""
        account_index = int_taken("account_index", account_index, 0, ACCOUNT_NONE)
        with self._act() as state:
            operations.suspend(state, self._methods, account_index)
            return state.events_take()

    def restore(self, account_index: SupportsIndex) -> Records:
        """Let a suspended account trade again."""
        account_index = int_taken("account_index", account_index, 0, ACCOUNT_NONE)
        with self._act() as state:
            operations.restore(state, account_index)
            return state.events_take()

    def restrict(self, account_index: SupportsIndex, restricted: SupportsIndex) -> Records:
        """Keep an account from what `restricted` says: bits of `Restriction`, 0 is nothing."""
        account_index = int_taken("account_index", account_index, 0, ACCOUNT_NONE)
        restricted = int_taken("restricted", restricted, 0, RESTRICTION_ALL)
        with self._act() as state:
            operations.restrict(state, account_index, restricted)
            return state.events_take()

    def orders_cancel(
        self, account_index: SupportsIndex, operator_index: SupportsIndex, reason: SupportsIndex
    ) -> Records:
        """Cancel what is open of an operator of an account, an account, or everybody."""
        account_index = int_taken("account_index", account_index, 0, ACCOUNT_NONE)
        operator_index = int_taken("operator_index", operator_index, 0, U32_MAX)
        reason = int_taken("reason", reason, Reason.DISCONNECTED, Reason.KILLED)
        if account_index != ACCOUNT_NONE:
            account_index = index_taken("account_index", account_index, len(self._state.accounts))
        if operator_index != OPERATOR_ANY and (
            operator_index >= OPERATOR_COUNT_MAX or account_index == ACCOUNT_NONE
        ):
            raise ValueError(
                "operator_index: expected within 0..15, of one account, or 65535,"
                f" got {operator_index}"
            )
        with self._act() as state:
            self._methods.listed.cancel_all_of(account_index, Reason(reason), operator_index)
            if reason == Reason.KILLED and operator_index == OPERATOR_ANY:
                self._methods.blocks.withdraw_all_of(account_index, Reason.KILLED)
            return state.events_take()

    def operators_cancel(
        self,
        operators: Sequence[tuple[SupportsIndex, SupportsIndex]],
        after_order_id: SupportsIndex = 0,
        last_order_id: SupportsIndex = 0,
        orders_max: SupportsIndex = 0,
    ) -> Records:
        """Cancel what is open of operators whose sessions were lost, in one look at the orders."""
        lost = {
            (
                index_taken("account_index", account_index, len(self._state.accounts)),
                int_taken("operator_index", operator_index, 0, OPERATOR_COUNT_MAX - 1),
            )
            for account_index, operator_index in operators
        }
        after_order_id = int_taken("after_order_id", after_order_id, 0, U64_MAX)
        last = int_taken("last_order_id", last_order_id, 0, U64_MAX) or self.order_id_last
        orders_max = int_taken("orders_max", orders_max, 0, U64_MAX)
        with self._act() as state:
            self._methods.listed.cancel_lost(lost, range(after_order_id + 1, last + 1), orders_max)
            return state.events_take()

    def trade_bust_fault(self, trade: bytes) -> str | None:
        """Say why a record can't be one of this market's trades; None if it can."""
        return busts.fault_of(self._state, trade_read(trade))

    def trade_bust(self, trade: bytes) -> Records:
        """Undo a trade, both legs and the fees; where that can't be nothing moves."""
        row = trade_read(trade)
        fault = busts.fault_of(self._state, row)
        if fault is not None:
            raise ValueError(f"trade: {fault}")
        with self._act() as state:
            busts.undo(state, row)
            return state.events_take()

    def reference_price_set(self, product_index: SupportsIndex, price: SupportsIndex) -> Records:
        """Measure a product's band from another price; not once listed trading began today."""
        product_index = int_taken("product_index", product_index, 0, PRODUCT_NONE)
        price = int_taken("price", price, 1, I64_MAX)
        with self._act() as state:
            operations.reference_price_set(state, product_index, price)
            return state.events_take()

    def bidding_open(
        self,
        bidding_key: SupportsIndex,
        account_index: SupportsIndex,
        product_index: SupportsIndex,
        *,
        side: SupportsIndex,
        tonnes: SupportsIndex,
        limit: SupportsIndex,
        pricing: SupportsIndex,
        opens_at: SupportsIndex = 0,
        closes_at: SupportsIndex = 0,
        window: SupportsIndex = BiddingState.OPEN,
        reserve_price: SupportsIndex = 0,
    ) -> Records:
        """Announce a bidding; its applicant's lock begins."""
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
        with self._act() as state:
            notice = Notice(
                bidding_key=bidding_key,
                account_index=account_index,
                product_index=product_index,
                side=Side(side),
                tonnes=tonnes,
                limit=limit,
                pricing=pricing,
                opens_at=opens_at,
                closes_at=closes_at,
                window=BiddingState(window),
                reserve_price=reserve_price,
            )
            self._methods.biddings.announce(notice)
            return state.events_take()

    def bidding_window_open(self, bidding_id: SupportsIndex) -> Records:
        """Take bids in an announced bidding from now on: no event. Any other stays as it is."""
        bidding_id = int_taken("bidding_id", bidding_id, 0, U64_MAX)
        with self._act() as state:
            self._methods.biddings.window_open(bidding_id)
            return state.events_take()

    def bidding_close(self, bidding_id: SupportsIndex) -> Records:
        """Award an open bidding, or cancel it if it is halted."""
        bidding_id = int_taken("bidding_id", bidding_id, 0, U64_MAX)
        with self._act() as state:
            self._methods.biddings.close(bidding_id)
            return state.events_take()

    def bidding_cancel(self, bidding_id: SupportsIndex) -> Records:
        """End a bidding without an award."""
        bidding_id = int_taken("bidding_id", bidding_id, 0, U64_MAX)
        with self._act() as state:
            self._methods.biddings.cancel(bidding_id)
            return state.events_take()

    def block_confirm(self, block_id: SupportsIndex) -> Records:
        """Let the exchange confirm a block that both sides agree on."""
        block_id = int_taken("block_id", block_id, 0, U64_MAX)
        with self._act() as state:
            self._methods.blocks.confirm(block_id)
            return state.events_take()

    def block_refuse(self, block_id: SupportsIndex) -> Records:
        """Let the exchange refuse a block that both sides agree on."""
        block_id = int_taken("block_id", block_id, 0, U64_MAX)
        with self._act() as state:
            self._methods.blocks.turn_down(block_id)
            return state.events_take()

    def checkpoint(self) -> Records:
        """State the hashes of everything before this call."""
        with self._act() as state:
            stated = (self.state_hash(), self.holdings_hash(), self.command_seq)
            row = state.emit(EventKind.CHECKPOINT).view(CHECKPOINT_DTYPE)
            row["state_hash"], row["holdings_hash"], row["command_seq"] = stated
            return state.events_take()

    # -- Looking -----------------------------------------------------------------------------------

    rules = _Shown(lambda state: state.rules)
    order_count_max = _Shown(lambda state: state.order_count_max)
    phase = _Shown(lambda state: state.phase)
    trading_date = _Shown(lambda state: state.trading_date)
    day_is_open = _Shown(lambda state: state.day_is_open)
    market_halted = _Shown(lambda state: state.market_halted)
    listed_started = _Shown(lambda state: state.listed_started)
    command_seq = _Shown(lambda state: state.command_seq)
    event_seq = _Shown(lambda state: state.event_seq)
    settlement_seq = _Shown(lambda state: state.settlement_seq)
    market_data_seq = _Shown(lambda state: state.market_data_seq)
    trade_id = _Shown(lambda state: state.trade_id)
    transfer_seq = _Shown(lambda state: state.transfer_seq)
    order_id_last = _Shown(lambda state: state.order_id_last)
    priority_last = _Shown(lambda state: state.priority_last)

    @property
    def live_order_count(self) -> int:
        """How many orders are on the books."""
        return len(self._state.orders)

    def last_client_order_id(
        self, account_index: SupportsIndex, operator_index: SupportsIndex
    ) -> int:
        """The last id accepted today from an operator of an account; 0 for none."""
        return self._state.accounts[account_index].client_order_ids.get(index(operator_index), 0)

    def report_seq(self, account_index: SupportsIndex) -> int:
        """How many reports an account has had."""
        return self._state.accounts[account_index].report_seq

    def account(self, account_index: SupportsIndex) -> dict[str, Any]:
        """What an account holds, and what of it is locked."""
        waits = self._state.waits(index(account_index))
        return account_view(self._state.accounts[account_index], waits)

    def order(self, order_id: SupportsIndex) -> dict[str, int] | None:
        """A live order, or None."""
        order = self._state.orders.get(order_id)
        return None if order is None else order_view(order)

    def orders_of(self, account_index: SupportsIndex) -> list[int]:
        """The live order ids of an account, ascending."""
        return list(self._state.accounts[account_index].order_ids)

    def best(self, product_index: SupportsIndex, side: SupportsIndex) -> int:
        """The best price of a side, 0 for none."""
        return self._state.books[product_index].best(Side(index(side)))

    def depth(
        self, product_index: SupportsIndex, side: SupportsIndex, levels: SupportsIndex
    ) -> list[tuple[int, int, int]]:
        """The best levels of a side: price, tonnes, number of orders."""
        most = int_taken("levels", levels, 0, (1 << 32) - 1)
        best_levels = islice(self._state.books[product_index].levels(Side(index(side))), most)
        return [
            (price, sum(order.tonnes_open for order in level), len(level))
            for price, level in best_levels
        ]

    def orders_at(
        self, product_index: SupportsIndex, side: SupportsIndex, price: SupportsIndex
    ) -> list[int]:
        """The order ids of a level, oldest first."""
        level = self._state.books[product_index].at(Side(index(side)), index(price))
        return [order.order_id for order in level]

    def block_ids(self) -> list[int]:
        """The ids of all open block offers and enquiries, ascending."""
        return list(self._state.blocks)

    def blocks(self) -> Records:
        """All open block offers and enquiries, by id."""
        return np.frombuffer(snapshots.blocks_to_bytes(self._state), BLOCK_DTYPE)

    def blocks_seen(
        self, account_index: SupportsIndex, first: SupportsIndex, count_max: SupportsIndex
    ) -> tuple[list[int], int]:
        """Ids of the open blocks that an account made or is asked in, and where to go on."""
        seen = self._methods.blocks.seen_by(index(account_index), index(first))
        block_ids = list(islice(seen, index(count_max)))
        return block_ids, next(seen, 0)

    def block(self, block_id: SupportsIndex) -> dict[str, int] | None:
        """An open block offer or enquiry, or None."""
        block = self._state.blocks.get(block_id)
        return None if block is None else block_view(block)

    def bidding_ids(self) -> list[int]:
        """The ids of the day's biddings, ended ones too, ascending."""
        return list(self._state.biddings)

    def bidding(self, bidding_id: SupportsIndex) -> dict[str, int] | None:
        """A bidding of the day, or None."""
        bidding = self._state.biddings.get(bidding_id)
        return None if bidding is None else bidding_view(bidding)

    def bids(self, bidding_id: SupportsIndex) -> list[dict[str, int]]:
        """The live bids of a bidding, in order of time."""
        return [bid_view(bid) for bid in self._methods.biddings.bids_of(index(bidding_id))]

    def product(self, product_index: SupportsIndex) -> dict[str, Any]:
        """A product's reference price, band, halt and trades of the day."""
        return product_view(self.rules, self._state.products[product_index])

    # -- The whole ---------------------------------------------------------------------------------

    def state_hash(self) -> int:
        """Hash everything a later command could depend on."""
        return hashes.state_hash(self._state)

    def holdings_hash(self) -> int:
        """Hash what each account holds: what the registry can know too."""
        return hashes.holdings_hash(self._state)

    def check(self) -> None:
        """Raise AssertionError naming the first broken invariant."""
        invariants.check(self._state, self._methods)

    def snapshot(self) -> bytes:
        """The whole state as msgpack."""
        return snapshots.snapshot(self._state)

    @classmethod
    def from_snapshot(
        cls, rules: MarketRules, data: bytes, order_count_max: SupportsIndex | None = None
    ) -> ReferenceMarket:
        """The market a snapshot was taken of."""
        market = cls(rules, order_count_max)
        snapshots.restore_into(market._state, market._methods, data)
        return market

    def copy(self) -> ReferenceMarket:
        """A market of its own in the same state; so do `copy.copy`, `copy.deepcopy` and pickle."""
        return self.from_snapshot(self.rules, self.snapshot(), self.order_count_max)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_snapshot, (self.rules, self.snapshot(), self.order_count_max)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.trading_date} {self.phase.name}: "
            f"{len(self._state.products)} products, {len(self._state.accounts)} accounts, "
            f"{self.live_order_count} of {self.order_count_max} orders>"
        )

    # -- One caller at a time ----------------------------------------------------------------------

    @contextmanager
    def _act(self) -> Iterator[MarketState]:
        """Change the state, alone in it: one more in `command_seq`."""
        with self._alone():
            yield self._state
            self._state.command_seq += 1

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._entrance.acquire(blocking=False):
            raise RuntimeError("a market serves one thread at a time, a second one came")
        try:
            yield
        finally:
            self._entrance.release()

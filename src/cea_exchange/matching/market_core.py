"""The interface of a market's core: what the compiled and the plain-Python one both do.

`cea_exchange.core.market.CompiledMarket` and `cea_exchange.matching.reference.ReferenceMarket` are
such cores. A core knows numbers only: indexes, fen, tonnes and records; `cea_exchange.Market` and
the venue put names and times around one.
"""

from collections.abc import Sequence
from typing import Any, Protocol, Self, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from cea_exchange.domain.profile import MarketRules
from cea_exchange.domain.records import BiddingState, Phase

Records = NDArray[np.void]


class MarketCore(Protocol):
    """A market of listed and block trading and of bidding.

    Parameters
    ----------
    rules : MarketRules
        The rules in force.
    order_count_max : int, optional
        How many orders may be live at once; by default `rules.order_count_max`.

    Notes
    -----
    Methods by purpose. Declaring: `product_declare`, `account_declare`, `allocation_note`; trading
    commands: `process`. Transfers: `deposit`, `withdraw`. The trading day: `day_open`, `day_close`,
    `phase_set`. The operator: `halt`, `resume`, `product_list`, `product_delist`, `suspend`,
    `restore`, `restrict`, `orders_cancel`, `operators_cancel`, `trade_bust`, `reference_price_set`,
    `bidding_open`, `bidding_window_open`, `bidding_close`, `bidding_cancel`, `block_confirm`,
    `block_refuse`, `checkpoint`. Looking: `account`, `order`, `orders_of`, `product`, `best`,
    `depth`, `orders_at`, `block`, `block_ids`, `blocks`, `blocks_seen`, `bidding`, `bidding_ids`,
    `bids`, `trade_bust_fault`, `report_seq`, `last_client_order_id`. The whole: `state_hash`,
    `holdings_hash`, `check`, `snapshot`, `from_snapshot`, `copy`.

    What the market says no to is an event. Exceptions are for wrong types and numbers that no call
    can mean; after one nothing has changed.
    """

    def __init__(
        self, rules: MarketRules, order_count_max: SupportsIndex | None = None
    ) -> None: ...

    @property
    def rules(self) -> MarketRules:
        """The rules in force."""

    @property
    def order_count_max(self) -> int:
        """How many orders may be live at once."""

    @property
    def rows_needed(self) -> int:
        """How many rows the command that stopped `process` needs, 0 if none did."""

    @property
    def phase(self) -> Phase:
        """The phase it is in."""

    @property
    def trading_date(self) -> int:
        """yyyymmdd; between days the last one, 0 before the first."""

    @property
    def day_is_open(self) -> bool:
        """Whether a trading day is open."""

    @property
    def market_halted(self) -> bool:
        """Whether the whole market is halted."""

    @property
    def listed_started(self) -> bool:
        """Whether listed trading began on this day."""

    @property
    def command_seq(self) -> int:
        """Calls that changed it, and trading commands, so far."""

    @property
    def event_seq(self) -> int:
        """The number of the last event."""

    @property
    def settlement_seq(self) -> int:
        """The number of the last event for the registry."""

    @property
    def market_data_seq(self) -> int:
        """The number of the last public event."""

    @property
    def trade_id(self) -> int:
        """The last trade's id."""

    @property
    def transfer_seq(self) -> int:
        """The number of the registry's last transfer."""

    @property
    def order_id_last(self) -> int:
        """The last id that was given out."""

    @property
    def priority_last(self) -> int:
        """The place of the order that came to rest last."""

    @property
    def live_order_count(self) -> int:
        """How many orders are on the books."""

    def product_declare(
        self,
        product_key: SupportsIndex,
        reference_price: SupportsIndex,
        composite_weight: SupportsIndex = 1,
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

    def account_declare(self, account_key: SupportsIndex, group_index: SupportsIndex = 0) -> int:
        """Add an account; return its index."""

    def allocation_note(self, account_index: SupportsIndex, tonnes: SupportsIndex) -> np.ndarray:
        """Note what an account was allocated: it may hold so much beside a joint limit.

        The only event is the refusal of an unknown account. ValueError for tonnes below 0 or from
        2^62 on.

        Notes
        -----
        Rules: PLT-FND-01.
        """

    def process(
        self, commands: Records, events: Records, trades_only: bool = False
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

    def deposit(
        self,
        account_index: SupportsIndex,
        product_index: SupportsIndex,
        amount: SupportsIndex,
        transfer_seq: SupportsIndex = 0,
    ) -> Records:
        """Bring cash (product PRODUCT_NONE, fen) or allowances (tonnes) into an account.

        Returns
        -------
        ndarray of EVENT_DTYPE
            DEPOSITED or TRANSFER_REJECTED.
        """

    def withdraw(
        self,
        account_index: SupportsIndex,
        product_index: SupportsIndex,
        amount: SupportsIndex,
        transfer_seq: SupportsIndex = 0,
    ) -> Records:
        """Take cash (product PRODUCT_NONE, fen) or allowances (tonnes) out of an account.

        Returns
        -------
        ndarray of EVENT_DTYPE
            WITHDRAWN or TRANSFER_REJECTED.
        """

    def day_open(self, date: int, composite_weights: Sequence[SupportsIndex] = ()) -> Records:
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

    def day_close(self) -> Records:
        """End the trading day: orders expire, closing prices become reference prices.

        Notes
        -----
        Rules: CEA-LST-08 (close), CEA-ORD-03 (day orders), CEA-PRC-04 (composite), CEA-BID-03
        (biddings come first).
        """

    def phase_set(self, phase: SupportsIndex) -> Records:
        """Enter a phase of the open day; the phase it is in already changes nothing."""

    def halt(self, product_index: SupportsIndex) -> Records:
        """Halt a product, or with PRODUCT_NONE the market."""

    def resume(self, product_index: SupportsIndex) -> Records:
        """Lift the halt of a product, or with PRODUCT_NONE of the market."""

    def product_list(self, product_index: SupportsIndex, price: SupportsIndex) -> Records:
        """Let a product be traded, its band measured from a price; not once listed trading began.

        Notes
        -----
        Rules: CEA-PRD-03.
        """

    def product_delist(self, product_index: SupportsIndex) -> Records:
        """Let a product be traded no more: what is open of it ends, holdings stay.

        Notes
        -----
        Rules: CEA-PRD-03.
        """

    def suspend(self, account_index: SupportsIndex) -> Records:
        """Suspend an account: its orders are cancelled, it may only receive from now on.

        Notes
        -----
        Rules: CEA-DAY-06.
        """

    def restore(self, account_index: SupportsIndex) -> Records:
        """Let a suspended account trade again."""

    def restrict(self, account_index: SupportsIndex, restricted: SupportsIndex) -> Records:
        """Keep an account from what `restricted` says: bits of `Restriction`, 0 is nothing.

        New orders, blocks and bids of those sides are refused, what is open stays.

        Notes
        -----
        Rules: CEA-MSR-02.
        """

    def orders_cancel(
        self, account_index: SupportsIndex, operator_index: SupportsIndex, reason: SupportsIndex
    ) -> Records:
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

    def operators_cancel(
        self,
        operators: Sequence[tuple[SupportsIndex, SupportsIndex]],
        after_order_id: SupportsIndex = 0,
        last_order_id: SupportsIndex = 0,
        orders_max: SupportsIndex = 0,
    ) -> Records:
        """Cancel what is open of operators whose sessions were lost, in one look at the orders.

        Only orders behind the one id, up to the other, so many at most; 0 is all.

        Notes
        -----
        Rules: CEA-ORD-11.
        """

    def trade_bust_fault(self, trade: bytes) -> str | None:
        """Say why a record can't be one of this market's trades; None if it can."""

    def trade_bust(self, trade: bytes) -> Records:
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

    def reference_price_set(self, product_index: SupportsIndex, price: SupportsIndex) -> Records:
        """Measure a product's band from another price; not once listed trading began today.

        Notes
        -----
        Rules: CEA-PRC-05.
        """

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
            Nanoseconds since 1970, published with the bidding; 0 is none.
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

    def bidding_window_open(self, bidding_id: SupportsIndex) -> Records:
        """Take bids in an announced bidding from now on: no event. Any other stays as it is."""

    def bidding_close(self, bidding_id: SupportsIndex) -> Records:
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

    def bidding_cancel(self, bidding_id: SupportsIndex) -> Records:
        """End a bidding without an award.

        Returns
        -------
        ndarray of EVENT_DTYPE
            A BID_CANCELED for each bid and BIDDING_CANCELED, or ORDER_REJECTED.

        Notes
        -----
        Rules: CEA-BID-08.
        """

    def block_confirm(self, block_id: SupportsIndex) -> Records:
        """Let the exchange confirm a block that both sides agree on.

        Returns
        -------
        ndarray of EVENT_DTYPE
            Its trade, and LARGE_HOLDER where that makes one; or ORDER_REJECTED.

        Notes
        -----
        Rules: CCER-BLK-01.
        """

    def block_refuse(self, block_id: SupportsIndex) -> Records:
        """Let the exchange refuse a block that both sides agree on.

        Returns
        -------
        ndarray of EVENT_DTYPE
            BLOCK_WITHDRAWN, or ORDER_REJECTED.

        Notes
        -----
        Rules: CCER-BLK-01.
        """

    def checkpoint(self) -> Records:
        """State the hashes of everything before this call.

        Returns
        -------
        ndarray of EVENT_DTYPE
            One row; view it as CHECKPOINT_DTYPE.
        """

    def last_client_order_id(
        self, account_index: SupportsIndex, operator_index: SupportsIndex
    ) -> int:
        """The last id accepted today from an operator of an account; 0 for none."""

    def report_seq(self, account_index: SupportsIndex) -> int:
        """How many reports an account has had."""

    def account(self, account_index: SupportsIndex) -> dict[str, Any]:
        """What an account holds, and what of it is locked."""

    def order(self, order_id: SupportsIndex) -> dict[str, int] | None:
        """A live order, or None."""

    def orders_of(self, account_index: SupportsIndex) -> list[int]:
        """The live order ids of an account, ascending."""

    def best(self, product_index: SupportsIndex, side: SupportsIndex) -> int:
        """The best price of a side, 0 for none."""

    def depth(
        self, product_index: SupportsIndex, side: SupportsIndex, levels: SupportsIndex
    ) -> list[tuple[int, int, int]]:
        """The best levels of a side: price, tonnes, number of orders."""

    def orders_at(
        self, product_index: SupportsIndex, side: SupportsIndex, price: SupportsIndex
    ) -> list[int]:
        """The order ids of a level, oldest first."""

    def block_ids(self) -> list[int]:
        """The ids of all open block offers and enquiries, ascending."""

    def blocks(self) -> Records:
        """All open block offers and enquiries, by id."""

    def blocks_seen(
        self, account_index: SupportsIndex, first: SupportsIndex, count_max: SupportsIndex
    ) -> tuple[list[int], int]:
        """Ids of the open blocks that an account made or is asked in, and where to go on."""

    def block(self, block_id: SupportsIndex) -> dict[str, int] | None:
        """An open block offer or enquiry, or None."""

    def bidding_ids(self) -> list[int]:
        """The ids of the day's biddings, ended ones too, ascending."""

    def bidding(self, bidding_id: SupportsIndex) -> dict[str, int] | None:
        """A bidding of the day, or None."""

    def bids(self, bidding_id: SupportsIndex) -> list[dict[str, int]]:
        """The live bids of a bidding, in order of time."""

    def product(self, product_index: SupportsIndex) -> dict[str, Any]:
        """A product's reference price, band, halt and trades of the day."""

    def state_hash(self) -> int:
        """Hash everything a later command could depend on."""

    def holdings_hash(self) -> int:
        """Hash what each account holds: what the registry can know too."""

    def check(self) -> None:
        """Raise AssertionError naming the first broken invariant."""

    def snapshot(self) -> bytes:
        """The whole state as msgpack."""

    @classmethod
    def from_snapshot(
        cls, rules: MarketRules, data: bytes, order_count_max: SupportsIndex | None = None
    ) -> Self:
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

    def copy(self) -> Self:
        """A market of its own in the same state; so do `copy.copy`, `copy.deepcopy` and pickle."""

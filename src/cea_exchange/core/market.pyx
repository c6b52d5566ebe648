"""The compiled market as Python sees it: `CompiledMarket`.

The class takes what comes from Python, lets in one caller at a time and lends the room for events;
the modules beside it say what happens. Long, because it is one class, whose methods Cython can't
spread over modules:

    rules              the profile's rules as numbers, and the bands they give
    trading            orders, their books and trades; accounts: what each has, and its locks
    block, bidding     enquiries and offers; biddings, bids and what an award moves
    day                how a day begins and ends, and its phases
    acts               halts, suspensions, listings, reference prices, transfers, checkpoints
    bust               trades that are undone
    views              what Python sees of it: dicts
    state              hashes and invariants
    snapshot           the whole in bytes, both ways
"""

import datetime

import msgspec
import numpy as np

from cpython.bytearray cimport PyByteArray_AS_STRING
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memset

from cea_exchange._arguments cimport *
from cea_exchange._batch cimport Batch, batch_close, batch_end, batch_open
from cea_exchange._ladder cimport *
from cea_exchange._records cimport *
from cea_exchange._stream cimport *
from cea_exchange._views cimport *
from cea_exchange.core.accounts cimport *
from cea_exchange.core.acts cimport *
from cea_exchange.core.bidding cimport *
from cea_exchange.core.block cimport *
from cea_exchange.core.bust cimport *
from cea_exchange.core.day cimport *
from cea_exchange.core.rules cimport *
from cea_exchange.core.snapshot cimport *
from cea_exchange.core.state cimport *
from cea_exchange.core.trading cimport *
from cea_exchange.core.views cimport *

from cea_exchange.domain.records import BLOCK_DTYPE, EVENT_DTYPE, Phase


cdef uint16_t exact_product(object product_index) except? 0xFFFF:
    """A product's index, or PRODUCT_NONE."""
    cdef uint32_t index = exact_uint32(product_index, "product_index")
    if index > PRODUCT_NONE:
        raise ValueError(f"product_index: expected within 0..65535, got {index}")
    return <uint16_t>index


cdef int64_t exact_weight(object weight) except -1:
    cdef int64_t number = exact_int64(weight, "composite_weight")
    if not 0 <= number <= 1_000_000:
        raise ValueError(f"composite_weight: expected within 0..1000000, got {number}")
    return number


cdef class CompiledMarket:
    """The market's core: commands in, events out; indexes and integers only.

    Parameters
    ----------
    rules : MarketRules
        The profile's rules, `cea_exchange.domain.profile`.
    order_count_max : int, optional
        Orders that may rest at once, in all products; by default what the rules say.

    Notes
    -----
    The same interface as `cea_exchange.matching.reference.ReferenceMarket`. Every method that
    changes the market counts one in `command_seq`; those that return events return a fresh array.
    A call from a second thread while one is inside raises RuntimeError.
    """

    def __cinit__(self, rules, order_count_max=None):
        cdef uint32_t count
        if order_count_max is None:
            order_count_max = rules.order_count_max
        count = exact_uint32(order_count_max, "order_count_max")
        if not 0 < count < 0xFFFFFFFE:
            raise ValueError(f"order_count_max: expected within 1..2^32-3, got {count}")
        rounds_inward(rules)
        if (
            not pool_open(&self.market.pool, count) or not accounts_open(&self.market.accounts)
            or not blocks_open(&self.market.blocks, count)
            or not biddings_open(&self.market.biddings, count)
        ):
            raise MemoryError(f"cannot reserve a market of {count} orders")
        self.account_keys = set()
        rules_take(&self.market, rules)
        self.rules = rules

    def __dealloc__(self):
        cdef uint32_t index
        for index in range(self.market.product_count):
            ladder_close(&self.market.products[index].ladder)
        free(self.market.products)
        memory_return(self.market.slots, self.market.slots_capacity * sizeof(uint32_t))
        accounts_close(&self.market.accounts)
        blocks_close(&self.market.blocks)
        biddings_close(&self.market.biddings)
        pool_close(&self.market.pool)

    cdef int check_alone(self) except -1:
        if self.busy:
            raise RuntimeError("another thread is inside this market")

    cdef bytearray rows_begin(self, int64_t count):
        """Room for at most `count` events of a control act."""
        cdef bytearray room
        self.check_alone()
        # numpy would take five times as long to make an array of records than it takes of bytes.
        room = bytearray(count * sizeof(EventRecord))
        # Until `rows_end`: the garbage collector may run somebody's code, who may not come in.
        self.busy = True
        # Nobody else has it.
        self.market.sink = sink_of(<EventRecord*>PyByteArray_AS_STRING(room), count, EVENTS_ALL)
        self.market.operator_index = 0
        return room

    cdef object rows_end(self, bytearray room):
        cdef int64_t written = self.market.sink.count
        self.market.sink = sink_of(NULL, 0, 0)
        self.market.command_seq += 1
        self.busy = False
        del room[written * sizeof(EventRecord):]
        return np.ndarray(written, EVENT_DTYPE, room)

    cdef int notices_apply(self, uint32_t date) except -1:
        """Take up the rules of a day that opens, and measure all bands by them.

        Rules: CEA-NTC-01.
        """
        before, rules = self.rules, self.rules.on(int(date))
        if rules is before:
            return 0
        bands_measure(&self.market, rules)
        self.rules = rules
        return rules_change(&self.market, rules)

    cdef uint32_t account_found(self, object account_index) except? 0xFFFFFFFF:
        """The index of a declared account."""
        cdef uint32_t index = exact_uint32(account_index, "account_index")
        self.check_alone()
        if index >= self.market.accounts.account_count:
            raise IndexError(f"account_index: expected a declared one, got {index}")
        return index

    cdef Product* product_at(self, object product_index) except NULL:
        cdef uint32_t index = exact_uint32(product_index, "product_index")
        self.check_alone()
        if index >= self.market.product_count:
            raise IndexError(f"product_index: expected a declared one, got {index}")
        return &self.market.products[index]

    # Declaring.

    def product_declare(self, product_key, reference_price, composite_weight=1, listed=True):
        """Add a product and return its index.

        Parameters
        ----------
        product_key : int
            `name_key` of its name, unsigned 64 bits.
        reference_price : int
            fen/t, 1..10000000; the price band is measured from it.
        composite_weight : int
            Its weight in the composite closing price; 0 where others are to weigh alone.
        listed : bool
            Whether it is traded already; `product_list` lists it otherwise.
        """
        cdef bint is_traded = exact_bool(listed, "listed")
        cdef uint64_t key = exact_uint64(product_key, "product_key")
        cdef int64_t price = exact_int64(reference_price, "reference_price")
        cdef int64_t weight = exact_weight(composite_weight)
        cdef uint32_t index = self.market.product_count
        cdef uint32_t other
        cdef Ladder ladder
        cdef Product* products
        self.check_alone()
        if not 1 <= price <= PRICE_MAX:
            raise ValueError(f"reference_price: expected within 1..{PRICE_MAX}, got {price}")
        for other in range(index):
            if self.market.products[other].product_key == key:
                raise ValueError(f"product_key: expected a new one, got {key} again")
        if index >= PRODUCT_NONE:
            raise ValueError(f"products: expected at most {PRODUCT_NONE}, got one more")
        if index >= self.market.accounts.product_capacity:
            if not accounts_reserve(
                &self.market.accounts, self.market.accounts.account_capacity, 2 * index,
            ):
                raise MemoryError("cannot allocate holdings for another product")
        products = <Product*>realloc(self.market.products, (index + 1) * sizeof(Product))
        if products == NULL:
            raise MemoryError("cannot allocate another product")
        self.market.products = products
        memset(&products[index], 0, sizeof(Product))
        products[index].product_key = key
        products[index].composite_weight = weight
        products[index].delisted = not is_traded
        band_reserve(self.rules, NULL, price, &ladder)
        band_set(&products[index], price, &ladder)
        self.market.product_count += 1
        self.market.command_seq += 1
        return index

    def account_declare(self, account_key, group_index=0):
        """Add a trading account and return its index."""
        cdef uint64_t key = exact_uint64(account_key, "account_key")
        cdef uint32_t group = exact_uint32(group_index, "group_index")
        cdef Accounts* accounts = &self.market.accounts
        cdef uint32_t index = accounts.account_count
        self.check_alone()
        if key in self.account_keys:
            raise ValueError(f"account_key: expected a new one, got {key} again")
        if index >= ACCOUNT_NONE - 1:
            raise ValueError(
                f"accounts: expected at most {<uint32_t>ACCOUNT_NONE - 1}, got one more"
            )
        if index == accounts.account_capacity:
            if not accounts_reserve(accounts, 2 * index, accounts.product_capacity):
                raise MemoryError("cannot allocate another account")
        memset(&accounts.accounts[index], 0, sizeof(Account))
        accounts.accounts[index].account_key = key
        accounts.accounts[index].group_index = group
        accounts.allocations[index] = 0
        accounts.account_count += 1
        self.account_keys.add(key)
        self.market.command_seq += 1
        return index

    def allocation_note(self, account_index, tonnes):
        """Note what an account was allocated: it may hold so much beside a joint limit.

        Notes
        -----
        Rules: PLT-FND-01.
        """
        cdef uint32_t index = exact_uint32(account_index, "account_index")
        cdef int64_t allocated = exact_int64(tonnes, "tonnes")
        if not 0 <= allocated < TOTAL_LIMIT:
            raise ValueError(f"tonnes: expected within 0..2^62 - 1, got {allocated}")
        rows = self.rows_begin(1)
        allocation_set(&self.market, index, allocated)
        return self.rows_end(rows)

    # Trading commands.

    def process(self, commands, events, trades_only=False):
        """Apply trading commands in order, without the GIL.

        Parameters
        ----------
        commands : ndarray of COMMAND_DTYPE
            Applied from the first on.
        events : ndarray of EVENT_DTYPE
            Receives the events, from its start.
        trades_only : bool
            Write only TRADE rows. All numbers advance as if the others were written.

        Returns
        -------
        consumed, produced : int
            Commands applied and rows written. If `events` has no room for all events of the next
            command, nothing of it is applied and `rows_needed` says how many rows it needs;
            else `rows_needed` is 0.

        Raises
        ------
        TypeError
            Another dtype, no array, not contiguous, or `events` read-only.
        ValueError
            A row that is no command at all; nothing is applied.
        RuntimeError
            Another thread is inside.
        """
        cdef Market* market = &self.market
        cdef Batch batch
        batch_open(&batch, commands, events, trades_only)
        try:
            self.check_alone()
            slots_reserve(market, batch.count)
            market.sink = batch.sink
            self.busy = True
            with nogil:
                batch.malformed = commands_malformed(batch.commands, batch.count)
                if batch.malformed < 0:
                    batch.consumed = all_commands_apply(
                        market, batch.commands, batch.count, &batch.needed,
                    )
            self.busy = False
            batch.sink = market.sink
            market.sink = sink_of(NULL, 0, 0)
            self.rows_needed = batch_end(&batch)
            return batch.consumed, batch.sink.count
        finally:
            batch_close(&batch)

    # Transfers.

    cdef object transfer(
        self, object account_index, object product_index, object amount, object transfer_seq,
        bint withdraws,
    ):
        cdef uint32_t account = exact_uint32(account_index, "account_index")
        cdef uint16_t product = exact_product(product_index)
        cdef int64_t moved = exact_int64(amount, "amount")
        cdef uint64_t seq = exact_uint64(transfer_seq, "transfer_seq")
        rows = self.rows_begin(2)
        transfer_apply(&self.market, account, product, moved, seq, withdraws)
        return self.rows_end(rows)

    def deposit(self, account_index, product_index, amount, transfer_seq=0):
        """Bring cash (product PRODUCT_NONE, fen) or allowances (tonnes) into a trading account.

        Returns
        -------
        ndarray of EVENT_DTYPE
            One row: DEPOSITED or TRANSFER_REJECTED.
        """
        return self.transfer(account_index, product_index, amount, transfer_seq, False)

    def withdraw(self, account_index, product_index, amount, transfer_seq=0):
        """Take cash (product PRODUCT_NONE, fen) or allowances (tonnes) out of a trading account.

        Returns
        -------
        ndarray of EVENT_DTYPE
            One row: WITHDRAWN or TRANSFER_REJECTED.

        Notes
        -----
        Rules: CEA-FND-04, CEA-FND-05, CEA-FND-07.
        """
        return self.transfer(account_index, product_index, amount, transfer_seq, True)

    # The trading day.

    def day_open(self, date, composite_weights=()):
        """Begin a trading day (yyyymmdd): DAY_OPENED, PHASE_CHANGED to pre-open.

        What was bought or earned the day before is free from now on, command ids and the day's
        statistics start anew. `composite_weights`, one a product, hold from this day on; without
        them the products keep theirs. ValueError if a day is open, the date is not later than the
        last, or the weights are not as many as the products.

        Notes
        -----
        Rules: CEA-PRC-04.
        """
        cdef uint32_t new_date = exact_uint32(date, "date")
        cdef uint32_t index
        cdef int64_t large_before = self.market.accounts.large_tonnes
        weights = [exact_weight(weight) for weight in composite_weights]
        self.check_alone()
        datetime.date(new_date // 10_000, new_date // 100 % 100, new_date % 100)
        if self.market.day_is_open:
            raise ValueError(f"day_open: expected no open day, got {self.market.trading_date}")
        if new_date <= self.market.trading_date:
            raise ValueError(f"date: expected after {self.market.trading_date}, got {new_date}")
        if weights and len(weights) != self.market.product_count:
            raise ValueError(
                f"composite_weights: expected {self.market.product_count}, got {len(weights)}"
            )
        self.notices_apply(new_date)
        for index in range(len(weights)):
            self.market.products[index].composite_weight = weights[index]
        rows = self.rows_begin(2 + large_holders_tell(&self.market, large_before, False))
        day_begin(&self.market, new_date)
        large_holders_tell(&self.market, large_before, True)
        return self.rows_end(rows)

    def day_close(self):
        """End the trading day: awards, expiries, closing prices, the composite.

        Every product's close becomes its reference price. ValueError if no day is open.

        Notes
        -----
        Rules: CEA-LST-08, CEA-BID-03.
        """
        cdef Market* market = &self.market
        cdef Ladder* ladders
        cdef list closes
        self.check_alone()
        if not market.day_is_open:
            raise ValueError("day_close: expected an open day, got none")
        closes = closing_prices(market)
        ladders = bands_reserve(market, self.rules, closes)
        try:
            composite = composite_close(market, closes)
            rows = self.rows_begin(day_end_rows(market))
            day_end(market, closes, composite, ladders)
        finally:
            free(ladders)
        return self.rows_end(rows)

    def phase_set(self, phase):
        """Enter a phase of the open day; no event if it is in force already."""
        cdef int wanted = exact_member(
            phase, PHASE_CLOSED, PHASE_LISTED_AND_BLOCK, "phase", "within 0..4",
        )
        self.check_alone()
        if not self.market.day_is_open:
            raise ValueError("phase_set: expected an open day, got none")
        rows = self.rows_begin(1)
        phase_enter(&self.market, wanted)
        return self.rows_end(rows)

    # The operator's acts.

    cdef object halt_set(self, object product_index, uint8_t halted):
        cdef uint16_t index = exact_product(product_index)
        rows = self.rows_begin(1)
        halted_set(&self.market, index, halted)
        return self.rows_end(rows)

    def halt(self, product_index):
        """Halt a product, or the market (PRODUCT_NONE).

        Notes
        -----
        Rules: CEA-DAY-05.
        """
        return self.halt_set(product_index, 1)

    def resume(self, product_index):
        """Lift the halt of a product, or of the market (PRODUCT_NONE)."""
        return self.halt_set(product_index, 0)

    cdef object suspension_set(self, object account_index, uint8_t suspended):
        cdef uint32_t index = exact_uint32(account_index, "account_index")
        rows = self.rows_begin(ends_rows(&self.market))
        suspended_set(&self.market, index, suspended)
        return self.rows_end(rows)

    def suspend(self, account_index):
        """Suspend an account: what it has open is ended, and it may only receive.

        Notes
        -----
        Rules: CEA-DAY-06.
        """
        return self.suspension_set(account_index, 1)

    def restore(self, account_index):
        """Let a suspended account trade again. (For snapshots see `from_snapshot`.)"""
        return self.suspension_set(account_index, 0)

    def restrict(self, account_index, restricted):
        """Keep an account from what `restricted` says: bits of `Restriction`, 0 is nothing.

        Notes
        -----
        Rules: CEA-MSR-02.
        """
        cdef uint32_t index = exact_uint32(account_index, "account_index")
        cdef uint32_t bits = exact_uint32(restricted, "restricted")
        if bits > RESTRICTION_ALL:
            raise ValueError(f"restricted: expected within 0..{RESTRICTION_ALL}, got {bits}")
        rows = self.rows_begin(1)
        restricted_set(&self.market, index, <uint8_t>bits)
        return self.rows_end(rows)

    def orders_cancel(self, account_index, operator_index, reason):
        """Cancel what is open of an operator of an account, an account, or everybody.

        Parameters
        ----------
        account_index : int
            A declared account, or ACCOUNT_NONE for everybody.
        operator_index : int
            0 to 15, whose orders they are: who entered them, not who amended them last; or
            OPERATOR_ANY, which goes with everybody.
        reason : Reason
            DISCONNECTED or KILLED.

        Returns
        -------
        ndarray of EVENT_DTYPE
            One ORDER_CANCELED for each order, in order of acceptance. The kill switch ends blocks
            too, with a BLOCK_WITHDRAWN for each.

        Raises
        ------
        ValueError
            Anything else; nothing changed.

        Notes
        -----
        Rules: CEA-ORD-11, CEA-DAY-07.
        """
        cdef uint32_t account = exact_uint32(account_index, "account_index")
        cdef uint32_t enterer = exact_uint32(operator_index, "operator_index")
        cdef uint8_t why = exact_member(
            reason, REASON_DISCONNECTED, REASON_KILLED, "reason", "DISCONNECTED or KILLED",
        )
        cdef Market* market = &self.market
        self.check_alone()
        if account != ACCOUNT_NONE and account >= market.accounts.account_count:
            raise ValueError(f"account_index: expected a declared one, got {account}")
        if enterer != OPERATOR_ANY and (enterer >= OPERATORS_MAX or account == ACCOUNT_NONE):
            raise ValueError(
                f"operator_index: expected within 0..15, of one account, or 65535, got {enterer}"
            )
        rows = self.rows_begin(market.pool.order_count + market.blocks.count.live)
        if account == ACCOUNT_NONE or not account_locks_none(
            &market.accounts, account, market.product_count,
        ):
            with nogil:
                orders_remove_all(market, EVENT_KIND_ORDER_CANCELED, why, account, enterer)
        if why == REASON_KILLED and enterer == OPERATOR_ANY:
            blocks_withdraw(market, account, why)
        return self.rows_end(rows)

    def operators_cancel(self, operators, after_order_id=0, last_order_id=0, orders_max=0):
        """Cancel what is open of operators whose sessions were lost, in one look at the orders.

        Parameters
        ----------
        operators : sequence of (int, int)
            A declared account and 0 to 15 each, see `orders_cancel`.
        after_order_id, last_order_id : int
            Only orders behind the one, up to the other; 0 is all.
        orders_max : int
            So many at most; 0 is all.

        Returns
        -------
        ndarray of EVENT_DTYPE
            One ORDER_CANCELED for each order, whoever's, in order of acceptance.

        Raises
        ------
        ValueError
            Anything else; nothing changed.

        Notes
        -----
        Rules: CEA-ORD-11.
        """
        cdef Market* market = &self.market
        cdef uint32_t account, enterer
        cdef bint has_orders = False
        cdef uint16_t[::1] masks
        cdef uint64_t after = exact_uint64(after_order_id, "after_order_id")
        cdef uint64_t last = exact_uint64(last_order_id, "last_order_id")
        cdef uint64_t most = exact_uint64(orders_max, "orders_max")
        self.check_alone()
        after = min(max(after, market.order_id_base), market.order_id_last)
        if last == 0 or last > market.order_id_last:
            last = market.order_id_last
        if most == 0 or most > market.pool.order_count:
            most = market.pool.order_count
        # While somebody's iterator runs, nobody may declare an account.
        self.busy = True
        try:
            masks = np.zeros(market.accounts.account_count + 1, np.uint16)
            for account_index, operator_index in operators:
                account = exact_uint32(account_index, "account_index")
                enterer = exact_uint32(operator_index, "operator_index")
                if account >= market.accounts.account_count:
                    raise ValueError(f"account_index: expected a declared one, got {account}")
                if enterer >= OPERATORS_MAX:
                    raise ValueError(f"operator_index: expected within 0..15, got {enterer}")
                masks[account] |= <uint16_t>(1 << enterer)
                if not account_locks_none(&market.accounts, account, market.product_count):
                    has_orders = True
        finally:
            self.busy = False
        rows = self.rows_begin(most)
        if has_orders:
            with nogil:
                orders_remove_of(market, &masks[0], after + 1, last, most)
        return self.rows_end(rows)

    def trade_bust_fault(self, trade):
        """Say why a record can't be one of this market's trades; None if it can.

        Parameters
        ----------
        trade : bytes
            A TRADE record of EVENT_DTYPE, as the market gave it.
        """
        cdef EventRecord row
        trade_read(trade, &row)
        self.check_alone()
        return trade_fault(&self.market, &row)

    def trade_bust(self, trade):
        """Undo a trade, both legs and the fees; where that can't be nothing moves.

        The trade's day counts it no longer if it is still open: volume, amount and with them the
        close; open, high, low and last price stay. That a trade is undone once only is for the
        caller to see to.

        Parameters
        ----------
        trade : bytes
            A TRADE record of EVENT_DTYPE, as the market gave it.

        Returns
        -------
        ndarray of EVENT_DTYPE
            One row, TRADE_BUSTED: `reason` is NONE, or why nothing could be moved.

        Raises
        ------
        ValueError
            What `trade_bust_fault` says; nothing changed.

        Notes
        -----
        Rules: CEA-STL-04.
        """
        cdef Market* market = &self.market
        cdef EventRecord row
        trade_read(trade, &row)
        self.check_alone()
        fault = trade_fault(market, &row)
        if fault is not None:
            raise ValueError(f"trade: {fault}")
        rows = self.rows_begin(2)
        trade_bust(market, &row)
        return self.rows_end(rows)

    cdef object price_set(self, object product_index, object price, bint lists):
        """Measure a product's band from another price, or list it at one."""
        cdef uint16_t index = exact_product(product_index)
        cdef int64_t new_price = exact_int64(price, "price")
        cdef Market* market = &self.market
        cdef Ladder ladder
        cdef uint8_t reason
        if new_price < 1:
            raise ValueError(f"price: expected positive, got {new_price}")
        self.check_alone()
        reason = price_refused(market, index, new_price)
        if reason != REASON_NONE:
            rows = self.rows_begin(1)
            price_refuse(market, index, new_price, lists, reason)
            return self.rows_end(rows)
        if not price_changes(market, index, new_price, lists):
            return self.rows_end(self.rows_begin(0))
        band_reserve(self.rules, &market.products[index].ladder, new_price, &ladder)
        rows = self.rows_begin(1)
        price_take(market, index, new_price, lists, &ladder)
        return self.rows_end(rows)

    def reference_price_set(self, product_index, price):
        """Measure a product's band from another price; not once listed trading began today."""
        return self.price_set(product_index, price, False)

    def product_list(self, product_index, price):
        """Let a product be traded, its band measured from a price; not once listed trading began.

        Notes
        -----
        Rules: CEA-PRD-03.
        """
        return self.price_set(product_index, price, True)

    def product_delist(self, product_index):
        """Let a product be traded no more: what is open of it ends, holdings stay.

        Notes
        -----
        Rules: CEA-PRD-03.
        """
        cdef uint16_t index = exact_product(product_index)
        rows = self.rows_begin(ends_rows(&self.market))
        product_delist(&self.market, index)
        return self.rows_end(rows)

    def bidding_open(
        self, bidding_key, account_index, product_index, *, side, tonnes, limit, pricing,
        opens_at=0, closes_at=0, window=BIDDING_STATE_OPEN, reserve_price=0,
    ):
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
        cdef BiddingRecord notice
        cdef uint16_t product = exact_product(product_index)
        cdef int64_t limit_price = exact_int64(limit, "limit")
        memset(&notice, 0, sizeof(BiddingRecord))
        notice.bidding_key = exact_uint64(bidding_key, "bidding_key")
        notice.account_index = exact_uint32(account_index, "account_index")
        notice.side = exact_side(side)
        notice.tonnes = exact_int64(tonnes, "tonnes")
        notice.pricing = exact_member(
            pricing, PRICING_UNIFORM, PRICING_PAY_AS_BID, "pricing", "1 (uniform) or 2 (as bid)",
        )
        notice.opens_at = exact_uint64(opens_at, "opens_at")
        notice.closes_at = exact_uint64(closes_at, "closes_at")
        notice.state = exact_member(
            window, BIDDING_STATE_ENDED, BIDDING_STATE_OPEN, "window", "within 0..2",
        )
        notice.reserve_price = exact_uint32(reserve_price, "reserve_price")
        notice.product_index = product
        self.check_alone()
        slots_reserve(&self.market, 1)
        rows = self.rows_begin(1)
        bidding_announce(&self.market, &notice, limit_price)
        return self.rows_end(rows)

    def bidding_window_open(self, bidding_id):
        """Take bids in an announced bidding from now on: no event. Any other stays as it is."""
        cdef uint64_t id_wanted = exact_uint64(bidding_id, "bidding_id")
        rows = self.rows_begin(0)
        bidding_window_set(&self.market, id_wanted)
        return self.rows_end(rows)

    cdef object bidding_over(self, object bidding_id, bint awards):
        cdef uint64_t id_wanted = exact_uint64(bidding_id, "bidding_id")
        rows = self.rows_begin(1 + awards_rows(&self.market))
        with nogil:
            bidding_end(&self.market, id_wanted, awards)
        return self.rows_end(rows)

    def bidding_close(self, bidding_id):
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
        return self.bidding_over(bidding_id, True)

    def bidding_cancel(self, bidding_id):
        """End a bidding without an award.

        Returns
        -------
        ndarray of EVENT_DTYPE
            A BID_CANCELED for each bid and BIDDING_CANCELED, or ORDER_REJECTED.

        Notes
        -----
        Rules: CEA-BID-08.
        """
        return self.bidding_over(bidding_id, False)

    cdef object block_judged(self, object block_id, bint confirms):
        cdef uint64_t id_wanted = exact_uint64(block_id, "block_id")
        rows = self.rows_begin(2)
        block_word(&self.market, id_wanted, confirms)
        return self.rows_end(rows)

    def block_confirm(self, block_id):
        """Let the exchange confirm a block that both sides agree on.

        Returns
        -------
        ndarray of EVENT_DTYPE
            Its trade, and LARGE_HOLDER where that makes one; or ORDER_REJECTED.

        Notes
        -----
        Rules: CCER-BLK-01.
        """
        return self.block_judged(block_id, True)

    def block_refuse(self, block_id):
        """Let the exchange refuse a block that both sides agree on.

        Returns
        -------
        ndarray of EVENT_DTYPE
            BLOCK_WITHDRAWN, or ORDER_REJECTED.

        Notes
        -----
        Rules: CCER-BLK-01.
        """
        return self.block_judged(block_id, False)

    def checkpoint(self):
        """One CHECKPOINT row with both hashes, as of before this call."""
        rows = self.rows_begin(1)
        checkpoint_emit(&self.market)
        return self.rows_end(rows)

    # Queries.

    @property
    def command_seq(self):
        """Commands and control acts applied so far."""
        return self.market.command_seq

    @property
    def event_seq(self):
        return self.market.event_seq

    @property
    def settlement_seq(self):
        return self.market.settlement_seq

    @property
    def market_data_seq(self):
        return self.market.market_data_seq

    @property
    def trade_id(self):
        """The last trade's."""
        return self.market.trade_id

    @property
    def transfer_seq(self):
        """The last numbered transfer's."""
        return self.market.transfer_seq

    @property
    def order_id_last(self):
        return self.market.order_id_last

    @property
    def priority_last(self):
        return self.market.priority_last

    @property
    def phase(self):
        return Phase(self.market.phase)

    @property
    def trading_date(self):
        """yyyymmdd: of the open day, else of the last one; 0 before the first."""
        return self.market.trading_date

    @property
    def day_is_open(self):
        return bool(self.market.day_is_open)

    @property
    def market_halted(self):
        return bool(self.market.halted)

    @property
    def listed_started(self):
        """Whether the last opened day has had its first listed phase."""
        return bool(self.market.listed_started)

    @property
    def live_order_count(self):
        return self.market.pool.order_count

    @property
    def order_count_max(self):
        return self.market.pool.order_count_max

    def last_client_order_id(self, account_index, operator_index):
        """The id of an operator's last accepted command today, or 0."""
        cdef uint32_t index = exact_uint32(operator_index, "operator_index")
        cdef uint32_t account = self.account_found(account_index)
        if index >= OPERATORS_MAX:
            return 0
        return self.market.accounts.operators[account].last_client_order_id[index]

    def report_seq(self, account_index):
        """How many reports the account has had."""
        return self.market.accounts.accounts[self.account_found(account_index)].report_seq

    def account(self, account_index):
        """Cash and holdings of an account, as a dict."""
        return account_view(&self.market, self.account_found(account_index))

    def order(self, order_id):
        """A live order as a dict, or None."""
        cdef uint64_t id_wanted = exact_uint64(order_id, "order_id")
        self.check_alone()
        return order_view(&self.market, id_wanted)

    def best(self, product_index, side):
        """The best price of a side, 0 if it is empty."""
        # Numbers first: those of another type may run somebody's code, who may declare a product.
        cdef int which = exact_side(side)
        cdef Product* product = self.product_at(product_index)
        cdef int64_t level = product.ladder.best[which]
        return 0 if level_is_none(level) else product.ladder.price_min + level

    def depth(self, product_index, side, levels):
        """(price, tonnes, order count) of a side's best levels."""
        cdef int which = exact_side(side)
        cdef uint32_t most = exact_uint32(levels, "levels")
        return ladder_depth(&self.product_at(product_index).ladder, which, most)

    def depth_into(self, product_index, side, levels):
        """Fill an array of LEVEL_DTYPE with a side's best levels, best first; how many."""
        cdef int which = exact_side(side)
        return levels_into(&self.product_at(product_index).ladder, which, levels)

    def orders_into(self, product_index, orders):
        """Fill an array of ORDER_DTYPE with a product's live orders; how many.

        Bids, then asks, best first, oldest first, as far as the array goes.
        """
        cdef Product* product = self.product_at(product_index)
        self.busy = True
        try:
            return orders_into(&product.ladder, &self.market.pool, orders, 0)
        finally:
            self.busy = False

    def orders_at(self, product_index, side, price):
        """Order ids at a price, oldest first."""
        cdef int which = exact_side(side)
        cdef int64_t wanted = exact_int64(price, "price")
        return ladder_orders_at(
            &self.product_at(product_index).ladder, &self.market.pool, which, wanted,
        )

    def orders_of(self, account_index):
        """Ids of an account's live orders, ascending."""
        return orders_of_account(&self.market, self.account_found(account_index))

    def block_ids(self):
        """Ids of all open block offers and enquiries, ascending."""
        self.check_alone()
        return blocks_ids(&self.market)

    def blocks_seen(self, account_index, first, count_max):
        """Open blocks that an account made or is asked in, itself, in its group or with all.

        Parameters
        ----------
        account_index : int
            A declared account.
        first : int
            The lowest block id that is shown.
        count_max : int
            How many are shown at most; of very many open ones not all are looked at.

        Returns
        -------
        block_ids : list of int
            Ascending.
        first : int
            Where to go on; 0 after the last.

        Notes
        -----
        Rules: CEA-BLK-04, CEA-BLK-07.
        """
        cdef uint32_t index = exact_uint32(account_index, "account_index")
        cdef uint64_t first_shown = exact_uint64(first, "first")
        cdef uint32_t most = exact_uint32(count_max, "count_max")
        self.check_alone()
        if index >= self.market.accounts.account_count:
            raise IndexError(f"account_index: expected a declared one, got {index}")
        return blocks_shown(&self.market, index, first_shown, most)

    def block(self, block_id):
        """An open block offer or enquiry as a dict, or None."""
        cdef uint64_t id_wanted = exact_uint64(block_id, "block_id")
        self.check_alone()
        return block_view(block_find(&self.market, id_wanted))

    def blocks(self):
        """All open block offers and enquiries, an ndarray of BLOCK_DTYPE by id."""
        self.check_alone()
        return np.frombuffer(blocks_snapshot(&self.market), BLOCK_DTYPE)

    def bidding_ids(self):
        """Ids of the day's biddings, ended ones too, ascending."""
        self.check_alone()
        return biddings_ids(&self.market)

    def bidding(self, bidding_id):
        """A bidding of the day as a dict, or None."""
        cdef uint64_t id_wanted = exact_uint64(bidding_id, "bidding_id")
        self.check_alone()
        return bidding_view(bidding_find(&self.market, id_wanted))

    def bids(self, bidding_id):
        """The live bids of a bidding as dicts, in order of time."""
        cdef uint64_t id_wanted = exact_uint64(bidding_id, "bidding_id")
        self.check_alone()
        return bids_view(&self.market, id_wanted)

    def product(self, product_index):
        """Reference price, bands, halt and the day's trades of a product, as a dict."""
        return product_view(&self.market, self.product_at(product_index))

    def state_hash(self):
        """Hash of the whole state, protocol/state_hash.md."""
        cdef uint64_t total
        self.check_alone()
        self.busy = True
        with nogil:
            total = state_sum(&self.market)
        self.busy = False
        return total

    def holdings_hash(self):
        """Hash of all accounts' cash and holdings, protocol/state_hash.md."""
        self.check_alone()
        return holdings_sum(&self.market)

    # The whole.

    def check(self):
        """Raise AssertionError with the first broken invariant.

        Books are whole and not crossed, every live order is in one, locks add up to the orders
        that hold them, nobody has locked more than there is, and totals add up.
        """
        self.check_alone()
        market_check(&self.market)

    def snapshot(self):
        """The whole state as bytes, protocol/state_hash.md; `from_snapshot` reads them."""
        self.check_alone()
        self.busy = True
        try:
            return market_packed(&self.market)
        finally:
            self.busy = False

    @classmethod
    def from_snapshot(cls, rules, data, order_count_max=None):
        """The market that a snapshot, of either core, was taken of.

        Parameters
        ----------
        rules : MarketRules
            The rules it had.
        data : bytes
            From `snapshot`.
        order_count_max : int, optional
            By default that of the snapshot.
        """
        cdef CompiledMarket market
        try:
            state = msgspec.msgpack.decode(data)
            if order_count_max is None:
                order_count_max = state["order_count_max"]
            date = exact_uint32(state["trading_date"], "trading_date")
            market = cls(rules.on(date), order_count_max)
            market.declare_all(state["products"], state["accounts"])
            fields_fill(&market.market, state)
            orders_fill(&market.market, state["orders"])
            blocks_fill(&market.market, state["blocks"])
            biddings_fill(&market.market, state["biddings"], state["bids"])
            last_trades_fill(&market.market, state.get("last_trades", []))
            market.check()
        except (AssertionError, KeyError, OverflowError, TypeError) as error:
            raise ValueError(f"data: expected the snapshot of a market, got {error!r}") from error
        return market

    cdef int declare_all(self, list products, list accounts) except -1:
        """Declare what a snapshot has, with its days and balances."""
        cdef uint32_t index
        for key, price, weight, *day in products:
            index = self.product_declare(key, price, weight)
            product_fill(&self.market.products[index], day)
        for fields in accounts:
            index = self.account_declare(fields["account_key"], fields["group_index"])
            account_fill(&self.market, index, fields)

    def copy(self):
        """A market of its own in the same state; so do `copy.copy`, `copy.deepcopy` and pickle."""
        return type(self).from_snapshot(self.rules, self.snapshot())

    def __reduce__(self):
        state = self.rules, self.snapshot()
        return type(self).from_snapshot, state, getattr(self, "__dict__", None)

    def __repr__(self):
        return (
            f"<{type(self).__name__} {self.market.trading_date} {Phase(self.market.phase).name}: "
            f"{self.market.product_count} products, {self.market.accounts.account_count} accounts, "
            f"{self.live_order_count} of {self.order_count_max} orders>"
        )

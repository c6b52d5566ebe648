"""The compiled market as Python sees it: `CompiledMarket`.

Contents: ids, bands, profile, busts, the market. What decides commands is in _trading.pyx,
_block.pyx and _bidding.pyx; hashes, invariants and the orders of a snapshot are in
_market_state.pyx.
"""

import datetime

import msgspec
import numpy as np

from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBUF_WRITABLE, PyBuffer_Release
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset

from cea_exchange._accounts cimport *
from cea_exchange._bidding cimport *
from cea_exchange._block cimport *
from cea_exchange._edge cimport *
from cea_exchange._ladder cimport *
from cea_exchange._records cimport *
from cea_exchange._market_state cimport *
from cea_exchange._stream cimport *
from cea_exchange._trading cimport *
from cea_exchange._views cimport *

from cea_exchange.domain.records import BLOCK_DTYPE, COMMAND_DTYPE, EVENT_DTYPE, Phase

cdef uint64_t IDS_RESERVED = 1 << 27             # 512 MiB of address space.
cdef uint64_t ORDER_IDS_MAX = <uint64_t>1 << 40  # From the oldest live order's to the last one's.

# The market's own words in hash and snapshot, protocol/state_hash.md.
MARKET_FIELDS = (
    "phase", "trading_date", "day_is_open", "market_halted", "listed_started", "command_seq",
    "event_seq", "settlement_seq", "market_data_seq", "trade_id", "transfer_seq",
    "order_id_last", "priority_last",
)


# -- Ids ------------------------------------------------------------------------------------------

cdef int slots_reserve(Market* market, uint64_t orders_more) except -1:
    """Make room in the id table, so that no command has to.

    Reserved, not allocated: it costs nothing where no ids are yet, so the first table is large.
    """
    cdef uint64_t ids = market.order_id_last - market.order_id_base
    cdef uint64_t capacity = market.slots_capacity
    cdef uint32_t* slots
    if ids + orders_more <= capacity:
        return 0
    while capacity < ids + orders_more:
        capacity = IDS_RESERVED if capacity == 0 else 2 * capacity
    slots = <uint32_t*>memory_reserve(capacity * sizeof(uint32_t))
    if slots == NULL:
        raise MemoryError(f"cannot reserve {capacity} order ids")
    if market.pool.order_count_max >= HUGE_FROM_ORDERS:
        memory_advise_huge(slots, capacity * sizeof(uint32_t))
    if ids > 0 and market.slots != NULL:
        memcpy(slots, market.slots, ids * sizeof(uint32_t))
    memory_return(market.slots, market.slots_capacity * sizeof(uint32_t))
    market.slots = slots
    market.slots_capacity = capacity


# -- Bands ----------------------------------------------------------------------------------------

cdef void band_set(Product* product, int64_t price, const Ladder* ladder) noexcept nogil:
    """Measure a product's band from another price, with the ladder reserved for it."""
    product.reference_price = price
    if product.ladder.levels != ladder.levels:
        ladder_close(&product.ladder)
        product.ladder = ladder[0]


cdef void ladder_drop(const Product* product, Ladder* ladder) noexcept nogil:
    """Give back a reserved ladder that is not wanted after all."""
    if product.ladder.levels != ladder.levels:
        ladder_close(ladder)


cdef inline bint has_close(const Product* product, bint any_listed) noexcept nogil:
    """Whether a day's close is told of a product: it is listed, or was when it traded today.

    A day ends with a close at least, or nobody would hear of it.
    """
    return (
        not product.delisted or not any_listed or product.volume != 0
        or product.block_volume != 0 or product.bidding_volume != 0
    )


# -- Profile ---------------------------------------------------------------------------------------

cdef object band_of(object rules, int64_t reference_price):
    """The day's listed price band as (low, high).

    Rules: CEA-LST-02, CEA-LST-03.
    """
    cdef int64_t below = reference_price * (10_000 - <int64_t>rules.listed_band_bp)
    cdef int64_t above = reference_price * (10_000 + <int64_t>rules.listed_band_bp)
    if rules.listed_band_bp == 0:
        return 1, PRICE_MAX
    if rules.band_rounding == "inward":
        below = (below + 9_999) // 10_000
        above = above // 10_000
    else:
        below = (below + 5_000) // 10_000
        above = (above + 5_000) // 10_000
    return max(below, 1), min(above, PRICE_MAX)


cdef int64_t rule_of(object rules, str name, int64_t most) except -1:
    """A number of the profile, not truncated and not out of range."""
    cdef int64_t value = exact_int64(getattr(rules, name), name)
    if not 0 <= value <= most:
        raise ValueError(f"{name} must be within 0..{most}, was {value}")
    return value


cdef tuple TIE_WORDS = ("time", "random", "pro_rata")     # AwardTie
cdef tuple SHORT_WORDS = ("award_all", "cancel")           # AwardUndersubscription
cdef tuple RESERVE_WORDS = ("exclude", "cancel")           # AwardReserveRule


cdef int word_of(object rules, str name, tuple words) except -1:
    """The place of a word of the profile among those there are."""
    word = getattr(rules, name)
    if word not in words:
        raise ValueError(f"{name} must be one of {', '.join(words)}, was {word!r}")
    return words.index(word)


cdef int64_t composite_weight_checked(object weight) except -1:
    cdef int64_t number = exact_int64(weight, "composite_weight")
    if not 0 <= number <= 1_000_000:
        raise ValueError(f"composite_weight must be within 0..1000000, was {number}")
    return number


# -- Busts ----------------------------------------------------------------------------------------

cdef int trade_read(object trade, EventRecord* row) except -1:
    """A record's bytes as a record of one's own."""
    if type(trade) is not bytes:
        raise TypeError(f"trade must be bytes, was {type(trade).__name__}")
    if len(trade) != sizeof(EventRecord):
        raise ValueError(f"trade must be {sizeof(EventRecord)} bytes, was {len(trade)}")
    memcpy(row, PyBytes_AS_STRING(trade), sizeof(EventRecord))
    return 0


cdef bint trade_is_of_open_day(const Market* market, const EventRecord* trade) noexcept nogil:
    return market.day_is_open and trade.trading_date == market.trading_date


cdef object trade_fault(const Market* market, const EventRecord* trade):
    """What keeps a record from being a trade of this market; None if nothing does."""
    cdef const Product* product
    cdef uint64_t volume
    cdef uint128 amount
    cdef int64_t buy_fee_most = AMOUNT_LIMIT if market.accounts.checked else 0
    cdef int64_t sell_fee_most = trade.cash if market.accounts.checked else 0
    cdef int128 cash = trade.price
    cash *= trade.tonnes
    if trade.kind != EVENT_KIND_TRADE or not METHOD_LISTED <= trade.method <= METHOD_BIDDING:
        return f"kind and method must be 7 and 1 to 3, were {trade.kind} and {trade.method}"
    if trade.side < SIDE_BUY or trade.side > SIDE_SELL:
        return f"side must be 1 or 2, was {trade.side}"
    for name, number, last in (
        ("trade_id", trade.trade_id, market.trade_id),
        ("settlement_seq", trade.settlement_seq, market.settlement_seq),
        ("seq", trade.seq, market.event_seq),
        ("trading_date", trade.trading_date, market.trading_date),
    ):
        if not 0 < number <= last:
            return f"{name} must be within 1..{last}, was {number}"
    for index in (trade.account_index, trade.counter_account_index):
        if index >= market.accounts.account_count:
            return f"account_index {index} is not declared"
    if trade.product_index >= market.product_count:
        return f"product_index {trade.product_index} is not declared"
    if not 0 < trade.price <= PRICE_MAX or trade.tonnes <= 0 or cash >= AMOUNT_LIMIT:
        return f"price x tonnes must be below 2^60, were {trade.price} and {trade.tonnes}"
    if trade.cash != <int64_t>cash:
        return f"cash must be {<int64_t>cash}, was {trade.cash}"
    if not 0 <= trade.buy_fee <= buy_fee_most or not 0 <= trade.sell_fee <= sell_fee_most:
        return f"fees must be within what was paid, were {trade.buy_fee} and {trade.sell_fee}"
    product = &market.products[trade.product_index]
    volume, amount = product.volume, product.amount
    if trade.method == METHOD_BLOCK:
        volume, amount = product.block_volume, product.block_amount
        if is_intra_group(market, trade.account_index, trade.counter_account_index):
            # Part of the block volume.
            volume = product.intra_group_volume
        else:
            volume -= product.intra_group_volume
    elif trade.method == METHOD_BIDDING:
        volume, amount = product.bidding_volume, product.bidding_amount
    if trade_is_of_open_day(market, trade):
        if <uint64_t>trade.tonnes > volume or <uint128>trade.cash > amount:
            return f"the day's {volume} t do not hold its {trade.tonnes} t"
    return None


cdef void bust_count(Market* market, const EventRecord* trade) noexcept:
    """Take a trade out of its day's volume and amount."""
    cdef Product* product = &market.products[trade.product_index]
    if trade.method == METHOD_LISTED:
        product.volume -= <uint64_t>trade.tonnes
        product.amount -= <uint128>trade.cash
        return
    if trade.method == METHOD_BIDDING:
        product.bidding_volume -= <uint64_t>trade.tonnes
        product.bidding_amount -= <uint128>trade.cash
        return
    product.block_volume -= <uint64_t>trade.tonnes
    product.block_amount -= <uint128>trade.cash
    if is_intra_group(market, trade.account_index, trade.counter_account_index):
        product.intra_group_volume -= <uint64_t>trade.tonnes


cdef void trade_bust(Market* market, const EventRecord* trade) noexcept:
    """Undo a trade if that can be, and say so to both sides, the registry and the public."""
    cdef uint8_t reason = bust_refused(&market.accounts, trade)
    cdef Account* maker = &market.accounts.accounts[trade.counter_account_index]
    cdef EventRecord* row
    if reason == REASON_NONE:
        bust_apply(&market.accounts, trade, trade.trading_date == market.trading_date)
        if trade_is_of_open_day(market, trade):
            bust_count(market, trade)
    row = event_account(market, EVENT_KIND_TRADE_BUSTED, trade.account_index)
    maker.report_seq += 1
    row.counter_report_seq = maker.report_seq
    row.counter_account_index = trade.counter_account_index
    row.side = trade.side
    row.method = trade.method
    row.reason = reason
    row.product_index = trade.product_index
    row.order_id = trade.order_id
    row.counter_order_id = trade.counter_order_id
    row.price = trade.price
    row.tonnes = trade.tonnes
    row.client_order_id = trade.client_order_id
    row.counter_client_order_id = trade.counter_client_order_id
    row.trade_id = trade.trade_id
    row.cash = trade.cash
    row.buy_fee = trade.buy_fee
    row.sell_fee = trade.sell_fee
    event_settles(market, row)
    # Without a change there is nothing the public would have to know.
    if reason == REASON_NONE:
        event_is_public(market, row)
        if trade.account_index != trade.counter_account_index:
            large_holder_note(
                market,
                trade.counter_account_index if trade.side == SIDE_BUY else trade.account_index,
                trade.product_index, trade.tonnes,
            )


# -- Large holders --------------------------------------------------------------------------------

cdef int64_t large_holders_tell(Market* market, int64_t threshold_before, bint emits) noexcept:
    """Tell who is a large holder by today's threshold and was none by the last; how many are.

    Rules: CEA-FND-08.
    """
    cdef int64_t threshold = market.accounts.large_tonnes
    cdef int64_t count = 0
    cdef int64_t tonnes
    cdef uint32_t account
    cdef uint32_t product
    if not tells_large(&market.accounts) or threshold == threshold_before:
        return 0
    for account in range(market.accounts.account_count):
        for product in range(market.product_count):
            tonnes = holding_of(&market.accounts, account, <uint16_t>product).tonnes
            if tonnes >= threshold and not 0 < threshold_before <= tonnes:
                count += 1
                if emits:
                    large_holder_emit(market, account, <uint16_t>product)
    return count


# -- The market -----------------------------------------------------------------------------------

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
            raise ValueError(f"order_count_max must be within 1..2^32-3, was {count}")
        if rules.band_rounding not in ("half_up", "inward"):
            raise ValueError(f"band_rounding was {rules.band_rounding!r}, not half_up or inward")
        if (
            not pool_open(&self.market.pool, count) or not accounts_open(&self.market.accounts)
            or not blocks_open(&self.market.blocks, count)
            or not biddings_open(&self.market.biddings, count)
        ):
            raise MemoryError(f"cannot reserve a market of {count} orders")
        self.account_keys = set()
        self.rules_set(rules)
        self.market.rules.operators_max = <uint16_t>rule_of(rules, "operators_max", OPERATORS_MAX)
        self.market.rules.rounds_inward = rules.band_rounding == "inward"
        self.market.rules.bidding_tie = <uint8_t>word_of(rules, "bidding_tie", TIE_WORDS)
        self.market.rules.bidding_short = <uint8_t>word_of(
            rules, "bidding_undersubscription", SHORT_WORDS,
        )
        self.market.rules.bidding_reserve = <uint8_t>word_of(
            rules, "bidding_reserve", RESERVE_WORDS,
        )
        self.market.rules.bidder_cap_bp = rule_of(rules, "bidder_cap_bp", 10_000)
        self.market.rules.bidder_group_cap_bp = rule_of(rules, "bidder_group_cap_bp", 10_000)
        self.market.rules.noncompetitive_max_bp = rule_of(rules, "noncompetitive_max_bp", 10_000)
        self.market.rules.levels_max = <uint32_t>rule_of(rules, "levels_max", 0xFFFFFFFF)
        self.market.rules.pick_allowed = rules.pick_allowed
        self.market.rules.self_trade = <SelfTrade>exact_self_trade(rules.self_trade)
        self.market.accounts.checked = rules.holdings_checked

    cdef int rules_set(self, object rules) except -1:
        """Go on by these numbers: at the beginning, and where notices change some at an opening.

        Rules: CEA-NTC-01.
        """
        cdef int64_t listed_max = rule_of(rules, "listed_tonnes_most", AMOUNT_LIMIT)
        cdef bint bidding_allowed = exact_bool(rules.bidding_allowed, "bidding_allowed")
        cdef bint block_allowed = exact_bool(rules.block_allowed, "block_allowed")
        cdef int64_t block_min = rule_of(rules, "block_tonnes_min", AMOUNT_LIMIT)
        cdef int64_t block_band = rule_of(rules, "block_band_bp", 10_000)
        cdef int64_t bids_max = rule_of(rules, "bids_open_max", 0xFFFFFFFF)
        cdef int64_t enquiries_max = rule_of(rules, "enquiries_open_max", 0xFFFFFFFF)
        cdef int64_t bidding_min = rule_of(rules, "bidding_tonnes_min", AMOUNT_LIMIT)
        cdef int64_t bidding_band = rule_of(rules, "bidding_band_bp", 10_000)
        cdef int64_t bid_min = rule_of(rules, "bid_tonnes_min", AMOUNT_LIMIT)
        cdef int64_t holding_max = rule_of(rules, "holding_limit_tonnes", <int64_t>1 << 62)
        cdef int64_t large = rule_of(rules, "large_holder_tonnes", <int64_t>1 << 62)
        cdef int64_t fee = rule_of(rules, "fee_bp", 10_000)
        cdef int64_t fee_min = rule_of(rules, "fee_min_fen", AMOUNT_LIMIT)
        rule_of(rules, "listed_band_bp", 10_000)
        self.market.rules.listed_tonnes_max = listed_max
        self.market.rules.block_allowed = block_allowed
        self.market.rules.bidding_allowed = bidding_allowed
        self.market.rules.block_tonnes_min = block_min
        self.market.rules.block_band_bp = block_band
        self.market.rules.enquiries_open_max = <uint32_t>enquiries_max
        self.market.rules.bidding_tonnes_min = bidding_min
        self.market.rules.bidding_band_bp = bidding_band
        self.market.rules.bid_tonnes_min = bid_min
        self.market.rules.bids_open_max = <uint32_t>bids_max
        self.market.accounts.holding_tonnes_max = holding_max
        self.market.accounts.large_tonnes = large
        self.market.accounts.fee.basis_points = fee
        self.market.accounts.fee.fen_min = fee_min
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

    cdef int band_reserve(self, const Ladder* present, int64_t price, Ladder* ladder) except -1:
        """Have the empty ladder of a reference price's band ready for `band_set`.

        It is the present one, NULL of a new product, where the band stays the same.
        """
        low, high = band_of(self.rules, price)
        if present != NULL and present.price_min == low and present.price_max == high:
            ladder[0] = present[0]
        elif not ladder_open(ladder, low, high):
            raise MemoryError(f"cannot reserve a price ladder of {low}..{high}")

    cdef Ladder* bands_reserve(self, list prices) except NULL:
        """The ladders of all products' bands, measured from these prices; the caller frees them."""
        cdef uint32_t index
        cdef uint32_t done
        cdef Ladder* ladders = <Ladder*>malloc((self.market.product_count + 1) * sizeof(Ladder))
        if ladders == NULL:
            raise MemoryError("cannot allocate the bands of the next day")
        for index in range(self.market.product_count):
            try:
                self.band_reserve(
                    &self.market.products[index].ladder, prices[index], &ladders[index],
                )
            except MemoryError:
                for done in range(index):
                    ladder_drop(&self.market.products[done], &ladders[done])
                free(ladders)
                raise
        return ladders

    cdef int notices_apply(self, uint32_t date) except -1:
        """Take up the rules of a day that opens, and measure all bands by them.

        Rules: CEA-NTC-01.
        """
        cdef Ladder* ladders
        cdef uint32_t index
        before, rules = self.rules, self.rules.on(int(date))
        if rules is before:
            return 0
        self.rules = rules
        try:
            ladders = self.bands_reserve([
                self.market.products[index].reference_price
                for index in range(self.market.product_count)
            ])
        except MemoryError:
            self.rules = before
            raise
        for index in range(self.market.product_count):
            band_set(
                &self.market.products[index], self.market.products[index].reference_price,
                &ladders[index],
            )
        free(ladders)
        return self.rules_set(rules)

    cdef Account* account_at(self, object account_index) except NULL:
        cdef uint32_t index = exact_uint32(account_index, "account_index")
        self.check_alone()
        if index >= self.market.accounts.account_count:
            raise IndexError(f"account_index {index} is not declared")
        return &self.market.accounts.accounts[index]

    cdef Product* product_at(self, object product_index) except NULL:
        cdef uint32_t index = exact_uint32(product_index, "product_index")
        self.check_alone()
        if index >= self.market.product_count:
            raise IndexError(f"product_index {index} is not declared")
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
            Its weight in the composite closing price.
        listed : bool
            Whether it is traded already; `product_list` lists it otherwise.
        """
        cdef bint is_traded = exact_bool(listed, "listed")
        cdef uint64_t key = exact_uint64(product_key, "product_key")
        cdef int64_t price = exact_int64(reference_price, "reference_price")
        cdef int64_t weight = composite_weight_checked(composite_weight)
        cdef uint32_t index = self.market.product_count
        cdef uint32_t other
        cdef Ladder ladder
        cdef Product* products
        self.check_alone()
        if not 1 <= price <= PRICE_MAX:
            raise ValueError(f"reference_price must be within 1..{PRICE_MAX}, was {price}")
        for other in range(index):
            if self.market.products[other].product_key == key:
                raise ValueError(f"product_key {key} is declared already")
        if index >= PRODUCT_NONE:
            raise ValueError("there is no room for another product")
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
        self.band_reserve(NULL, price, &ladder)
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
            raise ValueError(f"account_key {key} is declared already")
        if index >= ACCOUNT_NONE - 1:
            raise ValueError("there is no room for another account")
        if index == accounts.account_capacity:
            if not accounts_reserve(accounts, 2 * index, accounts.product_capacity):
                raise MemoryError("cannot allocate another account")
        memset(&accounts.accounts[index], 0, sizeof(Account))
        accounts.accounts[index].account_key = key
        accounts.accounts[index].group_index = group
        accounts.account_count += 1
        self.account_keys.add(key)
        self.market.command_seq += 1
        return index

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
        cdef Py_buffer command_view
        cdef Py_buffer event_view
        cdef bint trades = exact_bool(trades_only, "trades_only")
        records_check(commands, COMMAND_DTYPE, "commands")
        records_check(events, EVENT_DTYPE, "events")
        self.check_alone()
        buffer_take(commands, &command_view, PyBUF_C_CONTIGUOUS, "commands")
        try:
            buffer_take(events, &event_view, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE, "events")
            try:
                return self.process_buffers(&command_view, &event_view, trades)
            finally:
                PyBuffer_Release(&event_view)
        finally:
            PyBuffer_Release(&command_view)

    cdef object process_buffers(self, Py_buffer* commands, Py_buffer* events, bint trades_only):
        cdef Market* market = &self.market
        cdef const CommandRecord* rows = <const CommandRecord*>commands.buf
        cdef int64_t count = commands.len // sizeof(CommandRecord)
        cdef int64_t consumed = 0
        cdef int64_t produced
        cdef int64_t needed = 0
        cdef int64_t malformed
        slots_reserve(market, count)
        market.sink = sink_of(
            <EventRecord*>events.buf, events.len // <Py_ssize_t>sizeof(EventRecord),
            EVENTS_TRADES if trades_only else EVENTS_ALL,
        )
        self.busy = True
        with nogil:
            malformed = commands_malformed(rows, count)
            if malformed < 0:
                consumed = all_commands_apply(market, rows, count, &needed)
        self.busy = False
        produced = market.sink.count
        market.sink = sink_of(NULL, 0, 0)
        if needed == COMMAND_MALFORMED:
            # Whole a moment ago: another thread writes to the array.
            malformed = consumed
        if malformed >= 0:
            raise malformed_error(malformed)
        self.rows_needed = needed
        return consumed, produced

    # Transfers.

    cdef object transfer(
        self, object account_index, object product_index, object amount, object transfer_seq,
        bint withdraws,
    ):
        cdef uint32_t account = exact_uint32(account_index, "account_index")
        cdef uint32_t product = exact_uint32(product_index, "product_index")
        cdef int64_t moved = exact_int64(amount, "amount")
        cdef uint64_t seq = exact_uint64(transfer_seq, "transfer_seq")
        cdef Market* market = &self.market
        cdef EventRecord* row
        cdef uint8_t reason
        cdef uint8_t kind = EVENT_KIND_WITHDRAWN if withdraws else EVENT_KIND_DEPOSITED
        if product > PRODUCT_NONE:
            raise ValueError(f"product_index must be within 0..65535, was {product}")
        rows = self.rows_begin(2)
        if product != PRODUCT_NONE and product >= market.product_count:
            reason = REASON_PRODUCT_UNKNOWN
        elif account >= market.accounts.account_count:
            reason = REASON_ACCOUNT_UNKNOWN
        elif withdraws:
            reason = withdrawal_refused(&market.accounts, account, product, moved)
        else:
            reason = deposit_refused(&market.accounts, account, product, moved)
        if reason == REASON_NONE:
            balance_move(&market.accounts, account, product, -moved if withdraws else moved)
            row = event_account(market, kind, account)
        else:
            row = event_account(market, EVENT_KIND_TRANSFER_REJECTED, account)
            row.command = OPERATION_WITHDRAW if withdraws else OPERATION_DEPOSIT
            row.reason = reason
        row.product_index = product
        row.client_order_id = seq
        if product == PRODUCT_NONE:
            row.cash = moved
        else:
            row.tonnes = moved
        event_settles(market, row)
        if seq != 0:
            market.transfer_seq = seq
        if row.kind == EVENT_KIND_DEPOSITED and product != PRODUCT_NONE:
            large_holder_note(market, account, product, moved)
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
        weights = [composite_weight_checked(weight) for weight in composite_weights]
        self.check_alone()
        datetime.date(new_date // 10_000, new_date // 100 % 100, new_date % 100)
        if self.market.day_is_open:
            raise ValueError(f"no day may be open, {self.market.trading_date} is")
        if new_date <= self.market.trading_date:
            raise ValueError(f"date must be after {self.market.trading_date}, was {new_date}")
        if weights and len(weights) != self.market.product_count:
            raise ValueError(
                f"composite_weights must be {self.market.product_count}, were {len(weights)}"
            )
        self.notices_apply(new_date)
        for index in range(len(weights)):
            self.market.products[index].composite_weight = weights[index]
        rows = self.rows_begin(2 + large_holders_tell(&self.market, large_before, False))
        biddings_forget(&self.market)
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
        cdef EventRecord* row
        cdef Ladder* ladders
        cdef uint32_t index
        cdef bint any_listed = False
        cdef list closes = []
        cdef object composite = 0
        cdef object weight_sum = 0
        cdef object close_sum = 0
        cdef object listed_count = 0
        self.check_alone()
        if not market.day_is_open:
            raise ValueError("a day must be open to be closed, none is")
        for index in range(market.product_count):
            closes.append(closing_price(&market.products[index]))
        ladders = self.bands_reserve(closes)
        try:
            for index in range(market.product_count):
                if is_listed(market, index):
                    any_listed = True
                    composite += closes[index] * market.products[index].composite_weight
                    weight_sum += market.products[index].composite_weight
                    close_sum += closes[index]
                    listed_count += 1
            if weight_sum == 0:
                # Those that weighed were delisted today: all others weigh alike (CEA-PRC-04).
                composite, weight_sum = close_sum, listed_count
            rows = self.rows_begin(
                2 + market.pool.order_count + market.blocks.open_count + market.product_count
                + market.biddings.open_count + awards_rows(market)
            )
            biddings_finish(market)
            phase_enter(market, PHASE_CLOSED)
            orders_remove_all(
                market, EVENT_KIND_ORDER_EXPIRED, REASON_NONE, ACCOUNT_NONE, OPERATOR_ANY,
            )
            blocks_lapse(market)
            market.order_id_base = market.order_id_last
            for index in range(market.product_count):
                if has_close(&market.products[index], any_listed):
                    day_closed_emit(market, index, closes[index])
                band_set(&market.products[index], closes[index], &ladders[index])
        finally:
            free(ladders)
        if weight_sum > 0:
            row = event_open(market, EVENT_KIND_COMPOSITE_CLOSED)
            row.price = (2 * composite + weight_sum) // (2 * weight_sum)
            event_is_public(market, row)
        market.day_is_open = False
        return self.rows_end(rows)

    def phase_set(self, phase):
        """Enter a phase of the open day; no event if it is in force already."""
        if not isinstance(phase, int) or type(phase) is bool:
            raise TypeError(f"phase must be int, was {type(phase).__name__}")
        if not PHASE_CLOSED <= phase <= PHASE_LISTED_AND_BLOCK:
            raise ValueError(f"phase must be within 0..4, was {int(phase)}")
        self.check_alone()
        if not self.market.day_is_open:
            raise ValueError("a day must be open to set its phase, none is")
        rows = self.rows_begin(1)
        phase_enter(&self.market, phase)
        return self.rows_end(rows)

    # The operator's acts.

    cdef EventRecord* refusal(self, uint8_t operation, uint8_t reason) noexcept:
        cdef EventRecord* row = event_open(&self.market, EVENT_KIND_ORDER_REJECTED)
        row.command = operation
        row.reason = reason
        return row

    cdef object halt_set(self, object product_index, uint8_t halted):
        cdef uint32_t index = exact_uint32(product_index, "product_index")
        cdef Market* market = &self.market
        cdef EventRecord* row
        cdef uint8_t* flag
        if index > PRODUCT_NONE:
            raise ValueError(f"product_index must be within 0..65535, was {index}")
        rows = self.rows_begin(1)
        if index != PRODUCT_NONE and index >= market.product_count:
            row = self.refusal(
                OPERATION_HALT if halted else OPERATION_RESUME, REASON_PRODUCT_UNKNOWN,
            )
            row.product_index = index
            return self.rows_end(rows)
        flag = &market.halted if index == PRODUCT_NONE else &market.products[index].halted
        if flag[0] != halted:
            flag[0] = halted
            row = event_open(market, EVENT_KIND_HALTED if halted else EVENT_KIND_RESUMED)
            row.product_index = index
            event_is_public(market, row)
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
        cdef Market* market = &self.market
        cdef EventRecord* row
        rows = self.rows_begin(
            1 + market.pool.order_count + market.blocks.open_count
            + market.biddings.open_count + market.biddings.bid_count
        )
        if index >= market.accounts.account_count:
            row = self.refusal(
                OPERATION_SUSPEND if suspended else OPERATION_RESTORE, REASON_ACCOUNT_UNKNOWN,
            )
            row.account_index = index
        elif market.accounts.accounts[index].suspended != suspended:
            market.accounts.accounts[index].suspended = suspended
            if suspended:
                event_account(market, EVENT_KIND_ACCOUNT_SUSPENDED, index)
                orders_remove_all(
                    market, EVENT_KIND_ORDER_CANCELED, REASON_SUSPENDED, index, OPERATOR_ANY,
                )
                blocks_withdraw(market, index, REASON_SUSPENDED)
                biddings_end_of(market, index)
            else:
                event_account(market, EVENT_KIND_ACCOUNT_RESTORED, index)
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
            raise ValueError(f"account_index {account} is not declared")
        if enterer != OPERATOR_ANY and (enterer >= OPERATORS_MAX or account == ACCOUNT_NONE):
            raise ValueError(
                f"operator_index must be within 0..15, of one account, or 65535, was {enterer}"
            )
        rows = self.rows_begin(market.pool.order_count + market.blocks.open_count)
        if account == ACCOUNT_NONE or not account_locks_none(
            &market.accounts, account, market.product_count,
        ):
            with nogil:
                orders_remove_all(market, EVENT_KIND_ORDER_CANCELED, why, account, enterer)
        if why == REASON_KILLED and enterer == OPERATOR_ANY:
            blocks_withdraw(market, account, why)
        return self.rows_end(rows)

    def operators_cancel(self, operators):
        """Cancel what is open of operators whose sessions were lost, in one look at the orders.

        Parameters
        ----------
        operators : sequence of (int, int)
            A declared account and 0 to 15 each, see `orders_cancel`.

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
        self.check_alone()
        # While somebody's iterator runs, nobody may declare an account.
        self.busy = True
        try:
            masks = np.zeros(market.accounts.account_count + 1, np.uint16)
            for account_index, operator_index in operators:
                account = exact_uint32(account_index, "account_index")
                enterer = exact_uint32(operator_index, "operator_index")
                if account >= market.accounts.account_count:
                    raise ValueError(f"account_index {account} is not declared")
                if enterer >= OPERATORS_MAX:
                    raise ValueError(f"operator_index must be within 0..15, was {enterer}")
                masks[account] |= <uint16_t>(1 << enterer)
                if not account_locks_none(&market.accounts, account, market.product_count):
                    has_orders = True
        finally:
            self.busy = False
        rows = self.rows_begin(market.pool.order_count)
        if has_orders:
            with nogil:
                orders_remove_of(market, &masks[0])
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
        cdef uint32_t index = exact_uint32(product_index, "product_index")
        cdef int64_t new_price = exact_int64(price, "price")
        cdef Market* market = &self.market
        cdef EventRecord* row = NULL
        cdef Product* product
        cdef Ladder ladder
        cdef uint8_t reason = REASON_NONE
        if index > PRODUCT_NONE:
            raise ValueError(f"product_index must be within 0..65535, was {index}")
        if new_price < 1:
            raise ValueError(f"price must be positive, was {new_price}")
        self.check_alone()
        if index >= market.product_count:
            reason = REASON_PRODUCT_UNKNOWN
        elif market.day_is_open and market.listed_started:
            reason = REASON_PHASE_CLOSED
        elif new_price > PRICE_MAX:
            reason = REASON_AMOUNT_TOO_LARGE
        elif market.products[index].delisted if lists else (
            market.products[index].reference_price != new_price
        ):
            self.band_reserve(&market.products[index].ladder, new_price, &ladder)
        else:
            return self.rows_end(self.rows_begin(0))
        rows = self.rows_begin(1)
        if reason != REASON_NONE:
            row = self.refusal(OPERATION_LIST if lists else OPERATION_REFERENCE_PRICE, reason)
        else:
            product = &market.products[index]
            if lists:
                product.delisted = False
            band_set(product, new_price, &ladder)
            row = event_open(
                market,
                EVENT_KIND_PRODUCT_LISTED if lists else EVENT_KIND_REFERENCE_PRICE_CHANGED,
            )
            event_is_public(market, row)
        row.product_index = index
        row.price = new_price
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
        cdef uint32_t index = exact_uint32(product_index, "product_index")
        cdef Market* market = &self.market
        cdef EventRecord* row
        if index > PRODUCT_NONE:
            raise ValueError(f"product_index must be within 0..65535, was {index}")
        rows = self.rows_begin(
            1 + market.pool.order_count + market.blocks.open_count
            + market.biddings.open_count + market.biddings.bid_count
        )
        if index >= market.product_count:
            row = self.refusal(OPERATION_DELIST, REASON_PRODUCT_UNKNOWN)
            row.product_index = index
        elif not market.products[index].delisted:
            market.products[index].delisted = True
            row = event_open(market, EVENT_KIND_PRODUCT_DELISTED)
            row.product_index = index
            event_is_public(market, row)
            orders_of_product_cancel(market, index, REASON_PRODUCT_DELISTED)
            blocks_of_product_withdraw(market, index)
            biddings_of_product_end(market, index)
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
        cdef BiddingRecord notice
        cdef uint32_t product = exact_uint32(product_index, "product_index")
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
        if product > PRODUCT_NONE:
            raise ValueError(f"product_index must be within 0..65535, was {product}")
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

    def checkpoint(self):
        """One CHECKPOINT row with both hashes, as of before this call."""
        cdef CheckpointRecord* row
        cdef uint64_t state
        rows = self.rows_begin(1)
        state = state_sum(&self.market)
        row = <CheckpointRecord*>event_open(&self.market, EVENT_KIND_CHECKPOINT)
        row.state_hash = state
        row.holdings_hash = holdings_sum(&self.market)
        row.command_seq = self.market.command_seq
        event_settles(&self.market, <EventRecord*>row)
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
        self.account_at(account_index)
        if index >= OPERATORS_MAX:
            return 0
        return self.market.accounts.operators[<uint32_t>account_index].last_client_order_id[index]

    def report_seq(self, account_index):
        """How many reports the account has had."""
        return self.account_at(account_index).report_seq

    def account(self, account_index):
        """Cash and holdings of an account, as a dict."""
        cdef Account* account = self.account_at(account_index)
        cdef Holding* holding
        cdef uint32_t product
        cdef dict holdings = {}
        for product in range(self.market.product_count):
            holding = holding_of(&self.market.accounts, account_index, product)
            if holding.tonnes != 0 or holding.locked != 0 or holding.bought_today != 0:
                holdings[product] = (holding.tonnes, holding.locked, holding.bought_today)
        return {
            "cash": account.cash,
            "cash_locked": account.cash_locked,
            "proceeds_today": account.proceeds_today,
            "suspended": bool(account.suspended),
            "holdings": holdings,
        }

    def order(self, order_id):
        """A live order as a dict, or None."""
        cdef uint64_t id_wanted = exact_uint64(order_id, "order_id")
        cdef uint32_t slot
        cdef Order* order
        self.check_alone()
        slot = slot_of(&self.market, id_wanted)
        if slot == SLOT_NONE:
            return None
        order = &self.market.pool.orders[slot]
        return {
            "order_id": order.order_id,
            "account_index": order.owner,
            "product_index": order.product_index,
            "side": order.side,
            "price": order.price,
            "tonnes_open": order.tonnes_open,
            "client_order_id": order.client_order_id,
            "flags": order.flags & ((1 << OPERATOR_SHIFT) - 1),
            "operator_index": order.flags >> OPERATOR_SHIFT,
            "priority": order.priority,
        }

    def best(self, product_index, side):
        """The best price of a side, 0 if it is empty."""
        cdef Product* product = self.product_at(product_index)
        cdef int64_t level = product.ladder.best[exact_side(side)]
        return 0 if level_is_none(level) else product.ladder.price_min + level

    def depth(self, product_index, side, levels):
        """(price, tonnes, order count) of a side's best levels."""
        cdef Product* product = self.product_at(product_index)
        return ladder_depth(&product.ladder, exact_side(side), exact_uint32(levels, "levels"))

    def depth_into(self, product_index, side, levels):
        """Fill an array of LEVEL_DTYPE with a side's best levels, best first; how many."""
        cdef Product* product = self.product_at(product_index)
        return levels_into(&product.ladder, exact_side(side), levels)

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
        cdef Product* product = self.product_at(product_index)
        return ladder_orders_at(
            &product.ladder, &self.market.pool, exact_side(side), exact_int64(price, "price"),
        )

    def orders_of(self, account_index):
        """Ids of an account's live orders, ascending."""
        cdef uint32_t slot
        cdef list ids = []
        self.account_at(account_index)
        for slot in self.live_slots():
            if self.market.pool.orders[slot].owner == account_index:
                ids.append(self.market.pool.orders[slot].order_id)
        ids.sort()
        return ids

    cdef list live_slots(self):
        cdef uint32_t slot
        cdef list slots = []
        for slot in range(1, self.market.pool.slot_last + 1):
            if self.market.pool.orders[slot].side != 0:
                slots.append(slot)
        return slots

    def block_ids(self):
        """Ids of all open block offers and enquiries, ascending."""
        cdef uint32_t row
        self.check_alone()
        return [
            self.market.blocks.rows[row].block_id
            for row in range(self.market.blocks.row_count)
            if block_is_open(&self.market.blocks.rows[row])
        ]

    def blocks_seen(self, account_index, first, count_max):
        """Open blocks that an account made or is asked in, itself, in its group or with all.

        Parameters
        ----------
        account_index : int
            A declared account.
        first : int
            The lowest block id that is told.
        count_max : int
            How many are told at most; of very many open ones not all are looked at.

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
        cdef uint64_t first_next = exact_uint64(first, "first")
        cdef uint32_t most = exact_uint32(count_max, "count_max")
        cdef uint32_t count
        cdef uint64_t* ids
        self.check_alone()
        if index >= self.market.accounts.account_count:
            raise IndexError(f"account {index} is not declared")
        ids = <uint64_t*>malloc(most * sizeof(uint64_t) + 1)
        if ids == NULL:
            raise MemoryError(f"cannot tell {most} blocks")
        count = blocks_seen(&self.market, index, &first_next, ids, most)
        told = [ids[row] for row in range(count)]
        free(ids)
        return told, first_next

    def block(self, block_id):
        """An open block offer or enquiry as a dict, or None."""
        cdef uint64_t id_wanted = exact_uint64(block_id, "block_id")
        cdef const BlockRecord* block
        self.check_alone()
        block = block_find(&self.market, id_wanted)
        if block == NULL:
            return None
        return {
            "block_id": block.block_id,
            "enquiry_id": block.enquiry_id,
            "client_order_id": block.client_order_id,
            "price": block.price,
            "tonnes": block.tonnes,
            "cash_locked": block.cash_locked,
            "tonnes_bid": block.tonnes_bid,
            "tonnes_locked": block.tonnes_locked,
            "account_index": block.account_index,
            "counterparty_index": block.counterparty_index,
            "product_index": block.product_index,
            "side": block.side,
            "flags": block.flags,
        }

    def blocks(self):
        """All open block offers and enquiries, an ndarray of BLOCK_DTYPE by id."""
        self.check_alone()
        return np.frombuffer(blocks_snapshot(&self.market), BLOCK_DTYPE)
    def bidding_ids(self):
        """Ids of the day's biddings, ended ones too, ascending."""
        cdef uint32_t row
        self.check_alone()
        return [
            self.market.biddings.rows[row].bidding_id for row in range(self.market.biddings.count)
        ]

    def bidding(self, bidding_id):
        """A bidding of the day as a dict, or None."""
        cdef uint64_t id_wanted = exact_uint64(bidding_id, "bidding_id")
        cdef const BiddingRecord* bidding
        self.check_alone()
        bidding = bidding_find(&self.market, id_wanted)
        if bidding == NULL:
            return None
        return {
            "bidding_id": bidding.bidding_id,
            "bidding_key": bidding.bidding_key,
            "opens_at": bidding.opens_at,
            "closes_at": bidding.closes_at,
            "tonnes": bidding.tonnes,
            "floor": bidding.floor,
            "ceiling": bidding.ceiling,
            "tonnes_awarded": bidding.tonnes_awarded,
            "clearing_price": bidding.clearing_price,
            "account_index": bidding.account_index,
            "product_index": bidding.product_index,
            "side": bidding.side,
            "pricing": bidding.pricing,
            "state": bidding.state,
            "reserve_price": bidding.reserve_price,
        }

    def bids(self, bidding_id):
        """The live bids of a bidding as dicts, in order of time."""
        cdef uint64_t id_wanted = exact_uint64(bidding_id, "bidding_id")
        cdef const BidRecord* bid
        cdef uint32_t row
        cdef list found = []
        self.check_alone()
        for row in range(self.market.biddings.bid_row_count):
            bid = &self.market.biddings.bids[row]
            if bid_is_live(bid) and bid.bidding_id == id_wanted:
                found.append({
                    "bid_id": bid.bid_id,
                    "bidding_id": bid.bidding_id,
                    "client_order_id": bid.client_order_id,
                    "price": bid.price,
                    "tonnes": bid.tonnes,
                    "account_index": bid.account_index,
                    "operator_index": bid.operator_index,
                })
        return found

    def product(self, product_index):
        """Reference price, bands, halt and the day's trades of a product, as a dict."""
        cdef Product* product = self.product_at(product_index)
        cdef int64_t low
        cdef int64_t high
        block_band(&self.market.rules, product.reference_price, &low, &high)
        return {
            "reference_price": product.reference_price,
            "band_low": product.ladder.price_min,
            "band_high": product.ladder.price_max,
            "halted": bool(product.halted),
            "listed": not product.delisted,
            "open": product.open,
            "high": product.high,
            "low": product.low,
            "volume": product.volume,
            "amount": int_of_128(product.amount),
            "last": product.last,
            "block_band_low": low,
            "block_band_high": high,
            "block_volume": product.block_volume,
            "block_amount": int_of_128(product.block_amount),
            "intra_group_volume": product.intra_group_volume,
            "bidding_volume": product.bidding_volume,
            "bidding_amount": int_of_128(product.bidding_amount),
        }

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
            return self.state_packed()
        finally:
            self.busy = False

    cdef bytes state_packed(self):
        cdef Market* market = &self.market
        cdef Product* product
        cdef uint32_t index
        cdef list products = []
        for index in range(market.product_count):
            product = &market.products[index]
            products.append([
                product.product_key, product.reference_price, product.composite_weight,
                product.halted + 2 * product.delisted, product.open, product.high, product.low,
                product.last,
                product.volume, <uint64_t>product.amount, <uint64_t>(product.amount >> 64),
                product.block_volume, <uint64_t>product.block_amount,
                <uint64_t>(product.block_amount >> 64), product.intra_group_volume,
                product.bidding_volume, <uint64_t>product.bidding_amount,
                <uint64_t>(product.bidding_amount >> 64),
            ])
        state = {name: int(getattr(self, name)) for name in MARKET_FIELDS}
        state["order_count_max"] = market.pool.order_count_max
        state["products"] = products
        state["accounts"] = [
            self.account_snapshot(index) for index in range(market.accounts.account_count)
        ]
        state["orders"] = orders_snapshot(market)
        state["blocks"] = blocks_snapshot(market)
        state["biddings"] = biddings_snapshot(market)
        state["bids"] = bids_snapshot(market)
        return msgspec.msgpack.encode(state)

    cdef dict account_snapshot(self, uint32_t account_index):
        cdef const Operators* operators
        cdef Account* account = &self.market.accounts.accounts[account_index]
        cdef Holding* holding
        cdef uint32_t part
        cdef list holdings = []
        cdef list ids = []
        for part in range(self.market.product_count):
            holding = holding_of(&self.market.accounts, account_index, part)
            if holding.tonnes != 0 or holding.bought_today != 0:
                holdings.append([part, holding.tonnes, holding.bought_today])
        operators = &self.market.accounts.operators[account_index]
        for part in range(OPERATORS_MAX):
            client_order_id = operators.last_client_order_id[part]
            if client_order_id != 0:
                ids.append([part, client_order_id])
        return {
            "account_key": account.account_key,
            "group_index": account.group_index,
            "cash": account.cash,
            "proceeds_today": account.proceeds_today,
            "suspended": bool(account.suspended),
            "report_seq": account.report_seq,
            "holdings": holdings,
            "client_order_ids": ids,
        }

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
            market.products_fill(state["products"])
            market.accounts_fill(state["accounts"])
            market.fields_fill(state)
            market.orders_fill(state["orders"])
            market.blocks_fill(state["blocks"])
            market.biddings_fill(state["biddings"], state["bids"])
            market.check()
        except (AssertionError, KeyError, OverflowError, TypeError) as error:
            raise ValueError(f"data must be the snapshot of a market: {error!r}") from error
        return market

    cdef int products_fill(self, list products) except -1:
        cdef Product* product
        for key, price, weight, status, *day in products:
            day_open, high, low, last, volume, below, above, *block_day = day
            self.product_declare(key, price, weight)
            product = &self.market.products[self.market.product_count - 1]
            product.halted = status & 1
            product.delisted = status >> 1 & 1
            product.open = day_open
            product.high = high
            product.low = low
            product.last = last
            product.volume = volume
            product.amount = <uint64_t>above
            product.amount = (product.amount << 64) | <uint64_t>below
            product.block_volume, below, above, product.intra_group_volume = block_day[:4]
            product.block_amount = <uint64_t>above
            product.block_amount = (product.block_amount << 64) | <uint64_t>below
            product.bidding_volume, below, above = block_day[4:]
            product.bidding_amount = <uint64_t>above
            product.bidding_amount = (product.bidding_amount << 64) | <uint64_t>below

    cdef int accounts_fill(self, list records) except -1:
        cdef Accounts* accounts = &self.market.accounts
        cdef Account* account
        cdef Holding* holding
        cdef uint32_t index
        for fields in records:
            index = self.account_declare(fields["account_key"], fields["group_index"])
            account = &accounts.accounts[index]
            account.proceeds_today = fields["proceeds_today"]
            account.suspended = fields["suspended"]
            account.report_seq = fields["report_seq"]
            balance_move(accounts, index, PRODUCT_NONE, fields["cash"])
            for operator_index, client_order_id in fields["client_order_ids"]:
                if not 0 <= operator_index < OPERATORS_MAX:
                    raise ValueError(f"operator_index must be within 0..15, was {operator_index}")
                accounts.operators[index].last_client_order_id[<uint32_t>operator_index] = (
                    client_order_id
                )
            for product_index, tonnes, bought_today in fields["holdings"]:
                self.product_at(product_index)
                balance_move(accounts, index, product_index, tonnes)
                holding = holding_of(accounts, index, product_index)
                holding.bought_today = bought_today

    cdef int fields_fill(self, dict state) except -1:
        cdef Market* market = &self.market
        market.phase = exact_member(
            state["phase"], PHASE_CLOSED, PHASE_LISTED_AND_BLOCK, "phase", "within 0..4",
        )
        market.trading_date = state["trading_date"]
        market.day_is_open = state["day_is_open"]
        market.halted = state["market_halted"]
        market.listed_started = state["listed_started"]
        market.command_seq = state["command_seq"]
        market.event_seq = state["event_seq"]
        market.settlement_seq = state["settlement_seq"]
        market.market_data_seq = state["market_data_seq"]
        market.trade_id = state["trade_id"]
        market.transfer_seq = state["transfer_seq"]
        market.order_id_last = state["order_id_last"]
        market.priority_last = state["priority_last"]

    cdef int orders_fill(self, object data) except -1:
        """Rest the orders of a snapshot, oldest first, with their locks."""
        cdef Market* market = &self.market
        cdef const OrderRecord* records
        cdef int64_t count
        cdef int64_t row
        cdef int64_t wrong
        if type(data) is not bytes or len(data) % sizeof(OrderRecord) != 0:
            raise ValueError(f"orders must be records of {sizeof(OrderRecord)} bytes")
        records = <const OrderRecord*>PyBytes_AS_STRING(data)
        count = len(data) // sizeof(OrderRecord)
        if count > market.pool.order_count_max:
            raise ValueError(
                f"order_count_max must be at least {count}, the live orders, "
                f"was {market.pool.order_count_max}"
            )
        market.order_id_base = market.order_id_last
        for row in range(count):
            if records[row].order_id <= market.order_id_base:
                market.order_id_base = records[row].order_id - 1
        if market.order_id_last - market.order_id_base > ORDER_IDS_MAX:
            raise ValueError(
                f"the live orders' ids must lie within {ORDER_IDS_MAX} of order_id_last, "
                f"{market.order_id_last}"
            )
        slots_reserve(market, 0)
        with nogil:
            wrong = orders_restore(market, records, count)
        if wrong >= 0:
            raise ValueError(
                f"orders[{wrong}] must be a live order: an account, product and id of the market, "
                f"a price in its band, later than the one before; was id {records[wrong].order_id}"
            )

    cdef int blocks_fill(self, object data) except -1:
        """Put the blocks of a snapshot in place, with their locks."""
        cdef const BlockRecord* records
        cdef int64_t row
        if type(data) is not bytes or len(data) % sizeof(BlockRecord) != 0:
            raise ValueError(f"blocks must be records of {sizeof(BlockRecord)} bytes")
        records = <const BlockRecord*>PyBytes_AS_STRING(data)
        for row in range(<int64_t>(len(data) // sizeof(BlockRecord))):
            if not block_restore(&self.market, &records[row]):
                raise ValueError(
                    f"blocks[{row}] must be an open block of the market: accounts, product and id "
                    f"known, later than the one before; was id {records[row].block_id}"
                )

    cdef int biddings_fill(self, object biddings, object bids) except -1:
        """Put the biddings and bids of a snapshot in place, with their locks."""
        cdef const BiddingRecord* records
        cdef const BidRecord* bid_records
        cdef int64_t row
        if type(biddings) is not bytes or len(biddings) % sizeof(BiddingRecord) != 0:
            raise ValueError(f"biddings must be records of {sizeof(BiddingRecord)} bytes")
        if type(bids) is not bytes or len(bids) % sizeof(BidRecord) != 0:
            raise ValueError(f"bids must be records of {sizeof(BidRecord)} bytes")
        records = <const BiddingRecord*>PyBytes_AS_STRING(biddings)
        for row in range(<int64_t>(len(biddings) // sizeof(BiddingRecord))):
            if not bidding_restore(&self.market, &records[row]):
                raise ValueError(
                    f"biddings[{row}] must be a bidding of the market: account, product and id "
                    f"known, later than the one before; was id {records[row].bidding_id}"
                )
        bid_records = <const BidRecord*>PyBytes_AS_STRING(bids)
        for row in range(<int64_t>(len(bids) // sizeof(BidRecord))):
            if not bid_restore(&self.market, &bid_records[row]):
                raise ValueError(
                    f"bids[{row}] must be a bid in an open bidding: account and id known, later "
                    f"than the one before; was id {bid_records[row].bid_id}"
                )

    def copy(self):
        """A market of its own in the same state."""
        return type(self).from_snapshot(self.rules, self.snapshot())

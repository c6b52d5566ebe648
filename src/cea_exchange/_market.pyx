"""The market's compiled core: command records in, event records out, no Python object touched.

Contents: storage, events, checks, matching, commands, control, hashes, invariants, Python edge.

A command is first checked and walked through the book without a change; only when it is accepted,
and the caller's buffer has room for all its events, is anything written. A refused command
changes nothing but the counters its event uses up.
"""

import datetime
import hashlib
import operator

import msgspec
import numpy as np

from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer,
)
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

from cea_exchange._accounts cimport *
from cea_exchange._book cimport *
from cea_exchange._records cimport *

from cea_exchange.domain.records import COMMAND_DTYPE, EVENT_DTYPE, Phase

cdef int64_t PRICE_MAX = 10_000_000           # 100000.00 yuan.
cdef int64_t AMOUNT_LIMIT = <int64_t>1 << 60  # An order's price x tonnes stays below it.
cdef uint64_t CASH_KEY = int.from_bytes(hashlib.blake2b(b"CNY", digest_size=8).digest(), "little")

# The market's own words in hash and snapshot, protocol/state_hash.md.
MARKET_FIELDS = (
    "phase", "trading_date", "day_is_open", "market_halted", "listed_started", "command_seq",
    "event_seq", "settlement_seq", "market_data_seq", "trade_id", "transfer_seq",
    "order_id_last", "priority_last",
)
ORDER_PRIORITY = operator.itemgetter(9)  # Of an order in a snapshot.

if sizeof(CommandRecord) != 64 or sizeof(EventRecord) != 160:
    raise ImportError(
        f"records are {sizeof(CommandRecord)} and {sizeof(EventRecord)} bytes, "
        "the schema says 64 and 160"
    )


# -- Storage --------------------------------------------------------------------------------------

cdef inline uint32_t slot_of(const Market* market, uint64_t order_id) noexcept nogil:
    """The slot of a live order, or `SLOT_NONE`."""
    if order_id <= market.order_id_base or order_id > market.order_id_last:
        return SLOT_NONE
    return market.slots[order_id - market.order_id_base - 1]


cdef inline void slot_note(Market* market, uint64_t order_id, uint32_t slot) noexcept nogil:
    market.slots[order_id - market.order_id_base - 1] = slot


cdef int slots_reserve(Market* market, uint64_t orders_more) except -1:
    """Make room in the id table, so that no command has to."""
    cdef uint64_t wanted = market.order_id_last - market.order_id_base + orders_more
    cdef uint64_t capacity = market.slots_capacity
    cdef uint32_t* slots
    if wanted <= capacity:
        return 0
    while capacity < wanted:
        capacity = 1024 if capacity == 0 else 2 * capacity
    slots = <uint32_t*>realloc(market.slots, capacity * sizeof(uint32_t))
    if slots == NULL:
        raise MemoryError(f"cannot allocate {capacity} order ids")
    market.slots = slots
    market.slots_capacity = capacity
    return 0


# -- Events ---------------------------------------------------------------------------------------

cdef inline EventRecord* event_open(Market* market, uint8_t kind) noexcept nogil:
    """The next event's row, numbered and dated, all else none or zero."""
    cdef EventRecord* row = &market.scratch
    if not market.trades_only or kind == EVENT_KIND_TRADE:
        row = &market.events[market.rows_written]
        market.rows_written += 1
    memset(row, 0, sizeof(EventRecord))
    market.event_seq += 1
    row.kind = kind
    row.product_index = PRODUCT_NONE
    row.account_index = ACCOUNT_NONE
    row.counter_account_index = ACCOUNT_NONE
    row.seq = market.event_seq
    row.trading_date = market.trading_date if market.day_is_open else 0
    row.phase = market.phase
    return row


cdef inline uint64_t report_next(Market* market, uint32_t account_index) noexcept nogil:
    cdef Account* account
    if account_index >= market.accounts.account_count:
        return 0
    account = &market.accounts.accounts[account_index]
    account.report_seq += 1
    return account.report_seq


cdef inline void event_settles(Market* market, EventRecord* row) noexcept nogil:
    market.settlement_seq += 1
    row.settlement_seq = market.settlement_seq


cdef inline void event_is_public(Market* market, EventRecord* row) noexcept nogil:
    market.market_data_seq += 1
    row.market_data_seq = market.market_data_seq


cdef EventRecord* event_account(
    Market* market, uint8_t kind, uint32_t account_index,
) noexcept nogil:
    cdef EventRecord* row = event_open(market, kind)
    row.account_index = account_index
    row.report_seq = report_next(market, account_index)
    return row


cdef EventRecord* event_order(
    Market* market, uint8_t kind, const Order* order,
) noexcept nogil:
    """An event about an order; `tonnes` and `tonnes_open` are what is open of it."""
    cdef EventRecord* row = event_account(market, kind, order.owner)
    row.side = order.side
    row.product_index = order.product_index
    row.operator_index = market.operator_index
    row.order_id = order.order_id
    row.price = order.price
    row.tonnes = order.tonnes_open
    row.tonnes_open = order.tonnes_open
    row.client_order_id = order.client_order_id
    return row


cdef inline bint account_unknown(
    const Market* market, const CommandRecord* command,
) noexcept nogil:
    return (
        command.account_index >= market.accounts.account_count
        or command.operator_index >= OPERATORS_MAX
    )


cdef int64_t reject_emit(
    Market* market, const CommandRecord* command, uint8_t reason, uint16_t product_index,
) noexcept nogil:
    """Refuse a trading command. Returns the rows it needs if there is no room, else 0."""
    cdef EventRecord* row
    if not market.trades_only and market.rows_free == market.rows_written:
        return 1
    row = event_open(market, EVENT_KIND_ORDER_REJECTED)
    row.account_index = command.account_index
    row.report_seq = report_next(market, command.account_index)
    row.reason = reason
    row.command = command.kind
    row.product_index = product_index
    row.operator_index = command.operator_index
    row.price = command.price
    row.tonnes = command.tonnes
    row.client_order_id = command.client_order_id
    if command.kind == COMMAND_KIND_ENTER:
        row.side = command.side
        row.tif = command.tif
        row.flags = command.flags
    else:
        row.order_id = command.order_id
    return 0


# -- Checks ---------------------------------------------------------------------------------------

cdef inline uint8_t sender_refused(
    const Market* market, const CommandRecord* command,
) noexcept nogil:
    """Repeated id, suspended account."""
    cdef const Account* account = &market.accounts.accounts[command.account_index]
    if command.client_order_id <= account.last_client_order_id[command.operator_index]:
        return REASON_ORDER_ID_DUPLICATE
    return REASON_ACCOUNT_SUSPENDED if account.suspended else REASON_NONE


cdef inline uint8_t session_refused(
    const Market* market, const Product* product,
) noexcept nogil:
    """Why no order may come in now.

    Rules: CEA-DAY-03, CEA-DAY-05.
    """
    if market.halted or market.phase not in (PHASE_LISTED, PHASE_LISTED_AND_BLOCK):
        return REASON_PHASE_CLOSED
    return REASON_PRODUCT_HALTED if product.halted else REASON_NONE


cdef uint8_t terms_refused(
    const Market* market, const Product* product, const Order* wanted, const Order* replaced,
) noexcept nogil:
    """Tonnes, amount, size, band, and what the account must have.

    Rules: CEA-LST-01, CEA-LST-02.
    """
    cdef int128 amount = wanted.price
    if wanted.tonnes_open <= 0:
        return REASON_TONNES_NOT_POSITIVE
    amount *= wanted.tonnes_open
    if wanted.price > PRICE_MAX or amount >= AMOUNT_LIMIT:
        return REASON_AMOUNT_TOO_LARGE
    if market.rules.block_tonnes_min != 0 and wanted.tonnes_open >= market.rules.block_tonnes_min:
        return REASON_LISTED_TONNES_TOO_LARGE
    if wanted.price < product.book.price_min or wanted.price > product.book.price_max:
        return REASON_PRICE_OUT_OF_BAND
    return order_unfunded(&market.accounts, wanted, replaced)


cdef bint pick_plan(
    const Market* market, const Product* product, const Order* taker, uint64_t pick_order_id,
    Plan* plan,
) noexcept nogil:
    """Plan to take the named order only; False if it may not be taken.

    Rules: CEA-LST-06.
    """
    cdef uint32_t slot = slot_of(market, pick_order_id)
    cdef const Order* maker
    cdef int opposite = SIDE_BUY + SIDE_SELL - taker.side
    if not market.rules.pick_allowed or slot == SLOT_NONE:
        return False
    maker = &market.pool.orders[slot]
    if maker.product_index != taker.product_index or maker.side != opposite:
        return False
    if maker.price != product.book.price_min + product.book.best[opposite]:
        return False
    if maker.owner == taker.owner or not price_crosses(taker.side, taker.price, maker.price):
        return False
    memset(plan, 0, sizeof(Plan))
    plan.picked_slot = slot
    plan.remainder_reason = REASON_PICK_REMAINDER
    plan.walk.makers = 1
    if maker.tonnes_open <= taker.tonnes_open:
        plan.walk.makers_filled = 1
        plan.walk.tonnes_left = taker.tonnes_open - maker.tonnes_open
    return True


cdef uint8_t match_plan(
    const Market* market, const Product* product, const Order* taker, uint8_t tif,
    uint64_t pick_order_id, bint amends, Plan* plan,
) noexcept nogil:
    """Plan what the order takes and what becomes of the rest, or say why it may not.

    Rules: CEA-LST-05, CEA-LST-07.
    """
    cdef uint32_t order_count = market.pool.order_count - amends
    if pick_order_id != 0:
        if not pick_plan(market, product, taker, pick_order_id, plan):
            return REASON_PICK_NOT_AVAILABLE
    else:
        plan.picked_slot = SLOT_NONE
        plan.remainder_reason = REASON_IOC if tif == TIF_IOC else REASON_NONE
        book_walk(
            &product.book, &market.pool, taker.owner, taker.side, taker.price,
            taker.tonnes_open, market.rules.levels_max, &plan.walk,
        )
        if plan.walk.self_met and not market.rules.self_trade_allowed:
            return REASON_SELF_TRADE
        if plan.walk.crosses_still:
            plan.remainder_reason = REASON_LEVELS_EXHAUSTED
    if taker.flags & ORDER_FLAG_POST_ONLY and plan.walk.makers > 0:
        return REASON_POST_ONLY_WOULD_TRADE
    if plan.walk.tonnes_left == 0:
        return REASON_NONE
    if tif == TIF_FOK:
        return REASON_FOK_NOT_FILLABLE
    if plan.remainder_reason == REASON_NONE:
        if order_count - plan.walk.makers_filled + 1 > market.pool.order_count_max:
            return REASON_CAPACITY
    return REASON_NONE


# -- Matching -------------------------------------------------------------------------------------

cdef void statistics_note(Product* product, int64_t price, int64_t tonnes) noexcept nogil:
    cdef uint128 amount = <uint64_t>price
    amount *= <uint64_t>tonnes
    product.amount += amount
    product.volume += <uint64_t>tonnes
    product.last = price
    if product.open == 0:
        product.open = price
        product.low = price
    if price > product.high:
        product.high = price
    if price < product.low:
        product.low = price


cdef void trade_emit(
    Market* market, const Order* taker, const Order* maker, int64_t tonnes,
    int64_t taker_fee, int64_t maker_fee,
) noexcept nogil:
    """Report a trade; both orders are as after it."""
    cdef EventRecord* row = event_open(market, EVENT_KIND_TRADE)
    cdef bint buys = taker.side == SIDE_BUY
    market.trade_id += 1
    row.side = taker.side
    row.method = METHOD_LISTED
    row.product_index = taker.product_index
    row.operator_index = market.operator_index
    row.account_index = taker.owner
    row.counter_account_index = maker.owner
    row.order_id = taker.order_id
    row.counter_order_id = maker.order_id
    row.price = maker.price
    row.tonnes = tonnes
    row.tonnes_open = taker.tonnes_open
    row.client_order_id = taker.client_order_id
    row.counter_client_order_id = maker.client_order_id
    row.report_seq = report_next(market, taker.owner)
    row.counter_report_seq = report_next(market, maker.owner)
    row.trade_id = market.trade_id
    row.cash = maker.price * tonnes
    row.buy_fee = taker_fee if buys else maker_fee
    row.sell_fee = maker_fee if buys else taker_fee
    row.counter_tonnes_open = maker.tonnes_open
    event_settles(market, row)
    event_is_public(market, row)


cdef void order_trade(
    Market* market, Product* product, Order* taker, uint32_t slot,
) noexcept nogil:
    """Trade a taker with the resting order in `slot`, as much as both have, at its price.

    Rules: CEA-LST-04.
    """
    cdef Order* maker = &market.pool.orders[slot]
    cdef int64_t price = maker.price
    cdef int64_t tonnes = maker.tonnes_open
    cdef int64_t taker_fee
    cdef int64_t maker_fee
    if taker.tonnes_open < tonnes:
        tonnes = taker.tonnes_open
    if taker.side == SIDE_BUY:
        taker_fee = leg_buy(&market.accounts, taker, price, tonnes, False)
        maker_fee = leg_sell(&market.accounts, maker, price, tonnes, True)
    else:
        taker_fee = leg_sell(&market.accounts, taker, price, tonnes, False)
        maker_fee = leg_buy(&market.accounts, maker, price, tonnes, True)
    taker.tonnes_open -= tonnes
    taker.amount_traded += <uint64_t>(price * tonnes)
    maker.amount_traded += <uint64_t>(price * tonnes)
    book_reduce(&product.book, &market.pool, slot, tonnes)
    statistics_note(product, price, tonnes)
    trade_emit(market, taker, maker, tonnes, taker_fee, maker_fee)
    if maker.tonnes_open == 0:
        book_unlink(&product.book, &market.pool, slot)
        slot_note(market, maker.order_id, SLOT_NONE)
        slot_release(&market.pool, slot)


cdef void order_match(
    Market* market, Product* product, Order* taker, const Plan* plan,
) noexcept nogil:
    """Trade as planned, then rest or cancel what is left."""
    cdef int opposite = SIDE_BUY + SIDE_SELL - taker.side
    cdef uint32_t slot
    cdef uint32_t trade
    cdef EventRecord* row
    if plan.picked_slot != SLOT_NONE:
        order_trade(market, product, taker, plan.picked_slot)
    else:
        for trade in range(plan.walk.makers):
            slot = product.book.levels[product.book.best[opposite]].oldest
            order_trade(market, product, taker, slot)
    if taker.tonnes_open == 0:
        slot_note(market, taker.order_id, SLOT_NONE)
    elif plan.remainder_reason != REASON_NONE:
        slot_note(market, taker.order_id, SLOT_NONE)
        row = event_order(market, EVENT_KIND_ORDER_CANCELED, taker)
        row.reason = plan.remainder_reason
        row.tonnes_open = 0
    else:
        slot = slot_acquire(&market.pool)
        market.priority_last += 1
        taker.priority = market.priority_last
        market.pool.orders[slot] = taker[0]
        book_rest(&product.book, &market.pool, slot)
        slot_note(market, taker.order_id, slot)
        order_lock(&market.accounts, taker)
        event_order(market, EVENT_KIND_ORDER_RESTED, taker)


cdef void order_remove(Market* market, uint32_t slot) noexcept nogil:
    """Take a resting order off the book and give back its lock."""
    cdef Order* order = &market.pool.orders[slot]
    book_unlink(&market.products[order.product_index].book, &market.pool, slot)
    order_unlock(&market.accounts, order)
    slot_note(market, order.order_id, SLOT_NONE)
    slot_release(&market.pool, slot)


# -- Commands -------------------------------------------------------------------------------------

cdef uint8_t enter_plan(
    const Market* market, const CommandRecord* command, Order* taker, Plan* plan,
) noexcept nogil:
    """Every check of an ENTER, in order of precedence."""
    cdef const Product* product
    cdef uint8_t reason
    if command.product_index >= market.product_count:
        return REASON_PRODUCT_UNKNOWN
    if account_unknown(market, command):
        return REASON_ACCOUNT_UNKNOWN
    reason = sender_refused(market, command)
    if reason != REASON_NONE:
        return reason
    product = &market.products[command.product_index]
    reason = session_refused(market, product)
    if reason != REASON_NONE:
        return reason
    memset(taker, 0, sizeof(Order))
    taker.order_id = market.order_id_last + 1
    taker.client_order_id = command.client_order_id
    taker.price = command.price
    taker.tonnes_open = command.tonnes
    taker.owner = command.account_index
    taker.product_index = command.product_index
    taker.side = command.side
    taker.flags = command.flags
    reason = terms_refused(market, product, taker, NULL)
    if reason != REASON_NONE:
        return reason
    return match_plan(
        market, product, taker, command.tif, command.pick_order_id, False, plan,
    )


cdef int64_t enter_apply(Market* market, const CommandRecord* command) noexcept nogil:
    cdef Order taker
    cdef Plan plan
    cdef EventRecord* row
    cdef int64_t rows
    cdef uint8_t reason = enter_plan(market, command, &taker, &plan)
    if reason != REASON_NONE:
        return reject_emit(market, command, reason, command.product_index)
    rows = plan.walk.makers
    if not market.trades_only:
        rows += 1 + (plan.walk.tonnes_left > 0)
    if rows > market.rows_free - market.rows_written:
        return rows
    market.order_id_last += 1
    market.accounts.accounts[command.account_index].last_client_order_id[
        command.operator_index] = command.client_order_id
    row = event_order(market, EVENT_KIND_ORDER_ACCEPTED, &taker)
    row.counter_order_id = command.pick_order_id
    row.tif = command.tif
    row.flags = command.flags
    order_match(market, &market.products[taker.product_index], &taker, &plan)
    return 0


cdef uint8_t target_refused(
    const Market* market, const CommandRecord* command, uint32_t* slot,
) noexcept nogil:
    """Find the order that a CANCEL or AMEND names, and check who sends it."""
    slot[0] = slot_of(market, command.order_id)
    if slot[0] != SLOT_NONE and market.pool.orders[slot[0]].owner != command.account_index:
        slot[0] = SLOT_NONE
    if account_unknown(market, command):
        return REASON_ACCOUNT_UNKNOWN
    if slot[0] == SLOT_NONE:
        return REASON_ORDER_UNKNOWN
    return sender_refused(market, command)


cdef inline uint16_t target_product(
    const Market* market, const CommandRecord* command, uint32_t slot,
) noexcept nogil:
    """The product a refusal names: of the order found, else as given."""
    if slot == SLOT_NONE:
        return command.product_index
    return market.pool.orders[slot].product_index


cdef int64_t cancel_apply(Market* market, const CommandRecord* command) noexcept nogil:
    cdef uint32_t slot
    cdef EventRecord* row
    cdef uint8_t reason = target_refused(market, command, &slot)
    if reason == REASON_NONE and market.phase == PHASE_CLOSED:
        reason = REASON_PHASE_CLOSED
    if reason != REASON_NONE:
        return reject_emit(market, command, reason, target_product(market, command, slot))
    if not market.trades_only and market.rows_free == market.rows_written:
        return 1
    market.accounts.accounts[command.account_index].last_client_order_id[
        command.operator_index] = command.client_order_id
    row = event_order(market, EVENT_KIND_ORDER_CANCELED, &market.pool.orders[slot])
    row.client_order_id = command.client_order_id
    row.reason = REASON_REQUESTED
    row.tonnes_open = 0
    order_remove(market, slot)
    return 0


cdef uint8_t amend_plan(
    const Market* market, const CommandRecord* command, uint32_t slot, Order* wanted, Plan* plan,
) noexcept nogil:
    """Every check of an AMEND after its target's; `wanted` becomes the order as asked for."""
    cdef const Order* order = &market.pool.orders[slot]
    cdef const Product* product = &market.products[order.product_index]
    cdef uint8_t reason = session_refused(market, product)
    if reason != REASON_NONE:
        return reason
    wanted[0] = order[0]
    wanted.price = command.price
    wanted.tonnes_open = command.tonnes
    reason = terms_refused(market, product, wanted, order)
    if reason != REASON_NONE:
        return reason
    return match_plan(market, product, wanted, TIF_DAY, 0, True, plan)


cdef void amend_emit(
    Market* market, const CommandRecord* command, const Order* order,
) noexcept nogil:
    cdef EventRecord* row
    market.accounts.accounts[command.account_index].last_client_order_id[
        command.operator_index] = command.client_order_id
    row = event_order(market, EVENT_KIND_ORDER_AMENDED, order)
    row.client_order_id = command.client_order_id


cdef int64_t amend_apply(Market* market, const CommandRecord* command) noexcept nogil:
    """Fewer tonnes at the same price keep the place; else the order arrives anew."""
    cdef uint32_t slot
    cdef Order* order
    cdef Order wanted
    cdef Product* product
    cdef Plan plan
    cdef bint keeps_place
    cdef int64_t rows
    cdef uint8_t reason = target_refused(market, command, &slot)
    if reason == REASON_NONE:
        reason = amend_plan(market, command, slot, &wanted, &plan)
    if reason != REASON_NONE:
        return reject_emit(market, command, reason, target_product(market, command, slot))
    order = &market.pool.orders[slot]
    product = &market.products[order.product_index]
    keeps_place = wanted.price == order.price and wanted.tonnes_open < order.tonnes_open
    rows = plan.walk.makers
    if not market.trades_only:
        rows += 1 + (plan.walk.tonnes_left > 0 and not keeps_place)
    if rows > market.rows_free - market.rows_written:
        return rows
    if keeps_place:
        order_unlock(&market.accounts, order)
        book_reduce(&product.book, &market.pool, slot, order.tonnes_open - wanted.tonnes_open)
        order_lock(&market.accounts, order)
        amend_emit(market, command, order)
        return 0
    order_remove(market, slot)
    amend_emit(market, command, &wanted)
    order_match(market, product, &wanted, &plan)
    return 0


cdef int64_t command_apply(Market* market, const CommandRecord* command) noexcept nogil:
    """Apply one command. Returns the rows it needs if there is no room for them, else 0."""
    market.operator_index = command.operator_index
    if command.kind == COMMAND_KIND_ENTER:
        return enter_apply(market, command)
    if command.kind == COMMAND_KIND_CANCEL:
        return cancel_apply(market, command)
    return amend_apply(market, command)


# -- Control --------------------------------------------------------------------------------------

cdef void orders_remove_all(Market* market, uint8_t kind, uint32_t account_index) noexcept nogil:
    """Cancel an account's orders, or let all expire (`ACCOUNT_NONE`), in order of acceptance."""
    cdef uint64_t order_id
    cdef uint32_t slot
    cdef EventRecord* row
    for order_id in range(market.order_id_base + 1, market.order_id_last + 1):
        slot = slot_of(market, order_id)
        if slot == SLOT_NONE:
            continue
        if account_index != ACCOUNT_NONE and market.pool.orders[slot].owner != account_index:
            continue
        row = event_order(market, kind, &market.pool.orders[slot])
        row.tonnes_open = 0
        if kind == EVENT_KIND_ORDER_CANCELED:
            row.reason = REASON_SUSPENDED
        order_remove(market, slot)


cdef void phase_enter(Market* market, uint8_t phase) noexcept nogil:
    if phase in (PHASE_LISTED, PHASE_LISTED_AND_BLOCK):
        market.listed_started = True
    if phase != market.phase:
        market.phase = phase
        event_is_public(market, event_open(market, EVENT_KIND_PHASE_CHANGED))


cdef int64_t closing_price(const Product* product) noexcept nogil:
    """Mean of the day's listed trades weighted by tonnes, half up; else the previous close.

    Rules: CEA-LST-08.
    """
    cdef uint128 double_volume = product.volume
    cdef uint128 mean
    if product.volume == 0:
        return product.reference_price
    double_volume *= 2
    mean = (2 * product.amount + product.volume) / double_volume
    return <int64_t>mean


cdef void day_closed_emit(Market* market, uint16_t product_index, int64_t close) noexcept nogil:
    cdef Product* product = &market.products[product_index]
    cdef EventRecord* row = event_open(market, EVENT_KIND_DAY_CLOSED)
    cdef DayClosedRecord* day = <DayClosedRecord*>row
    row.product_index = product_index
    event_settles(market, row)
    event_is_public(market, row)
    day.open = product.open if product.open != 0 else product.reference_price
    day.high = product.high
    day.low = product.low
    day.close = close
    day.volume_listed = <int64_t>product.volume
    day.amount_listed_low = <uint64_t>product.amount
    day.amount_listed_high = <uint64_t>(product.amount >> 64)


cdef void day_begin(Market* market, uint32_t date) noexcept nogil:
    cdef Product* product
    cdef EventRecord* row
    cdef uint32_t index
    market.trading_date = date
    market.day_is_open = True
    market.listed_started = False
    accounts_day_open(&market.accounts)
    for index in range(market.product_count):
        product = &market.products[index]
        product.open = product.high = product.low = product.last = 0
        product.volume = 0
        product.amount = 0
    row = event_open(market, EVENT_KIND_DAY_OPENED)
    event_settles(market, row)
    event_is_public(market, row)
    phase_enter(market, PHASE_PRE_OPEN)


# -- Hashes ---------------------------------------------------------------------------------------

cdef inline uint64_t mix(uint64_t word) noexcept nogil:
    word += <uint64_t>0x9E3779B97F4A7C15
    word = (word ^ (word >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    word = (word ^ (word >> 27)) * <uint64_t>0x94D049BB133111EB
    return word ^ (word >> 31)


cdef uint64_t fold(const uint64_t* words, int count) noexcept nogil:
    cdef uint64_t state = 0
    cdef int index
    for index in range(count):
        state = mix(state ^ words[index])
    return state


cdef uint64_t holdings_sum(const Market* market) noexcept nogil:
    cdef const Accounts* book = &market.accounts
    cdef uint64_t total = 0
    cdef uint64_t words[4]
    cdef uint32_t account
    cdef uint32_t product
    words[0] = 1
    for account in range(book.account_count):
        words[1] = book.accounts[account].account_key
        for product in range(market.product_count):
            words[2] = market.products[product].product_key
            words[3] = <uint64_t>holding_of(book, account, <uint16_t>product).tonnes
            if words[3] != 0:
                total += fold(words, 4)
        words[2] = CASH_KEY
        words[3] = <uint64_t>book.accounts[account].cash
        if words[3] != 0:
            total += fold(words, 4)
    return total


cdef uint64_t orders_sum(const Market* market) noexcept nogil:
    cdef uint64_t total = 0
    cdef uint32_t slot
    cdef const Order* order
    for slot in range(1, market.pool.slot_last + 1):
        order = &market.pool.orders[slot]
        if order.side != 0:
            total += fold([
                2, order.order_id, order.owner, order.product_index, order.side,
                <uint64_t>order.price, <uint64_t>order.tonnes_open, order.flags,
                order.client_order_id, order.amount_traded, order.priority,
            ], 11)
    return total


cdef uint64_t accounts_sum(const Market* market) noexcept nogil:
    cdef const Accounts* book = &market.accounts
    cdef const Account* account
    cdef const Holding* holding
    cdef uint64_t total = 0
    cdef uint32_t index
    cdef uint32_t part
    for index in range(book.account_count):
        account = &book.accounts[index]
        total += fold([
            3, index, account.account_key, account.group_index, <uint64_t>account.cash_locked,
            <uint64_t>account.proceeds_today, account.suspended, account.report_seq,
        ], 8)
        for part in range(market.product_count):
            holding = holding_of(book, index, <uint16_t>part)
            if holding.locked != 0 or holding.bought_today != 0:
                total += fold([
                    4, index, part, <uint64_t>holding.locked, <uint64_t>holding.bought_today,
                ], 5)
        for part in range(OPERATORS_MAX):
            if account.last_client_order_id[part] != 0:
                total += fold([5, index, part, account.last_client_order_id[part]], 4)
    return total


cdef uint64_t state_sum(const Market* market) noexcept nogil:
    cdef uint64_t total = holdings_sum(market) + orders_sum(market) + accounts_sum(market)
    cdef const Product* product
    cdef uint32_t index
    for index in range(market.product_count):
        product = &market.products[index]
        total += fold([
            6, index, product.product_key, <uint64_t>product.reference_price, product.halted,
            <uint64_t>product.open, <uint64_t>product.high, <uint64_t>product.low,
            <uint64_t>product.last, product.volume, <uint64_t>product.amount,
            <uint64_t>(product.amount >> 64),
        ], 12)
    return total + fold([
        7, market.phase, market.trading_date, market.day_is_open, market.halted,
        market.listed_started, market.command_seq, market.event_seq, market.settlement_seq,
        market.market_data_seq, market.trade_id, market.transfer_seq, market.order_id_last,
        market.priority_last,
    ], 14)


# -- Invariants -----------------------------------------------------------------------------------

cdef int account_check(uint32_t index, const Account* account, const Account* locks) except -1:
    if account.cash_locked != locks.cash_locked:
        raise AssertionError(
            f"account {index}: {account.cash_locked} fen are locked, "
            f"its open buys need {locks.cash_locked}"
        )
    if not 0 <= account.cash_locked <= account.cash:
        raise AssertionError(f"account {index}: locked cash must not exceed its cash")
    return 0


cdef int holding_check(
    uint32_t account_index, uint32_t product_index, const Holding* holding, const Holding* locks,
) except -1:
    place = f"account {account_index}, product {product_index}"
    if holding.locked != locks.locked or holding.buys_open != locks.buys_open:
        raise AssertionError(f"{place}: locks and open buys must add up to its open orders")
    if holding.bought_today < 0 or holding.locked < 0:
        raise AssertionError(f"{place}: nothing may be negative")
    if holding.locked + holding.bought_today > holding.tonnes:
        raise AssertionError(f"{place}: locked and bought today must not exceed what is held")
    return 0


# -- Python edge ----------------------------------------------------------------------------------

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


cdef int64_t composite_weight_checked(object weight) except -1:
    cdef int64_t number = exact_int64(weight, "composite_weight")
    if not 0 <= number <= 1_000_000:
        raise ValueError(f"composite_weight must be within 0..1000000, was {number}")
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
            raise ValueError(f"order_count_max must be within 1..2^32-3, was {count}")
        if rules.self_trade not in ("reject", "allow"):
            raise ValueError(f"self_trade must be reject or allow, was {rules.self_trade!r}")
        if rules.band_rounding not in ("half_up", "inward"):
            raise ValueError(f"band_rounding was {rules.band_rounding!r}, not half_up or inward")
        if not pool_open(&self.market.pool, count) or not accounts_open(&self.market.accounts):
            raise MemoryError(f"cannot reserve a market of {count} orders")
        self.rules = rules
        self.account_keys = set()
        self.market.rules.block_tonnes_min = rule_of(rules, "block_tonnes_min", AMOUNT_LIMIT)
        self.market.rules.levels_max = <uint32_t>rule_of(rules, "levels_max", 0xFFFFFFFF)
        self.market.rules.pick_allowed = rules.pick_allowed
        self.market.rules.self_trade_allowed = rules.self_trade == "allow"
        self.market.accounts.checked = rules.holdings_checked
        self.market.accounts.holding_tonnes_max = rule_of(
            rules, "holding_limit_tonnes", <int64_t>1 << 62,
        )
        self.market.accounts.fee.basis_points = rule_of(rules, "fee_bp", 10_000)
        self.market.accounts.fee.fen_min = rule_of(rules, "fee_min_fen", AMOUNT_LIMIT)
        rule_of(rules, "listed_band_bp", 10_000)

    def __dealloc__(self):
        cdef uint32_t index
        for index in range(self.market.product_count):
            book_close(&self.market.products[index].book)
        free(self.market.products)
        free(self.market.slots)
        accounts_close(&self.market.accounts)
        pool_close(&self.market.pool)

    cdef int check_alone(self) except -1:
        if self.busy:
            raise RuntimeError("another thread is inside this market")
        return 0

    cdef object rows_begin(self, int64_t count):
        """Rows for at most `count` events of a control act."""
        cdef Py_buffer view
        self.check_alone()
        rows = np.zeros(count, EVENT_DTYPE)
        PyObject_GetBuffer(rows, &view, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE)
        self.market.events = <EventRecord*>view.buf
        # The array outlives the call, and nobody else has it.
        PyBuffer_Release(&view)
        self.market.rows_free = count
        self.market.rows_written = 0
        self.market.trades_only = False
        self.market.operator_index = 0
        return rows

    cdef object rows_end(self, object rows):
        cdef int64_t written = self.market.rows_written
        self.market.events = NULL
        self.market.command_seq += 1
        return rows if written == len(rows) else rows[:written].copy()

    cdef int band_set(self, Product* product) except -1:
        """Give a product the empty ladder of its reference price's band."""
        cdef Book book
        low, high = band_of(self.rules, product.reference_price)
        if product.book.levels != NULL:
            if product.book.price_min == low and product.book.price_max == high:
                return 0
        if not book_open(&book, low, high):
            raise MemoryError(f"cannot reserve a price ladder of {low}..{high}")
        book_close(&product.book)
        product.book = book
        return 0

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

    def product_declare(self, product_key, reference_price, composite_weight=1):
        """Add a product and return its index.

        Parameters
        ----------
        product_key : int
            `name_key` of its name, unsigned 64 bits.
        reference_price : int
            fen/t, 1..10000000; the price band is measured from it.
        composite_weight : int
            Its weight in the composite closing price.
        """
        cdef uint64_t key = exact_uint64(product_key, "product_key")
        cdef int64_t price = exact_int64(reference_price, "reference_price")
        cdef int64_t weight = composite_weight_checked(composite_weight)
        cdef uint32_t index = self.market.product_count
        cdef uint32_t other
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
        products[index].reference_price = price
        self.band_set(&products[index])
        self.market.product_count += 1
        self.market.command_seq += 1
        return index

    def account_declare(self, account_key, group_index=0):
        """Add a trading account and return its index."""
        cdef uint64_t key = exact_uint64(account_key, "account_key")
        cdef uint32_t group = exact_uint32(group_index, "group_index")
        cdef Accounts* book = &self.market.accounts
        cdef uint32_t index = book.account_count
        self.check_alone()
        if key in self.account_keys:
            raise ValueError(f"account_key {key} is declared already")
        if index >= ACCOUNT_NONE - 1:
            raise ValueError("there is no room for another account")
        if index == book.account_capacity:
            if not accounts_reserve(book, 2 * index, book.product_capacity):
                raise MemoryError("cannot allocate another account")
        memset(&book.accounts[index], 0, sizeof(Account))
        book.accounts[index].account_key = key
        book.accounts[index].group_index = group
        book.account_count += 1
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
        records_check(commands, COMMAND_DTYPE, "commands")
        records_check(events, EVENT_DTYPE, "events")
        if type(trades_only) is not bool:
            raise TypeError(f"trades_only must be bool, was {type(trades_only).__name__}")
        self.check_alone()
        buffer_take(commands, &command_view, PyBUF_C_CONTIGUOUS, "commands")
        try:
            buffer_take(events, &event_view, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE, "events")
            try:
                return self.process_buffers(&command_view, &event_view, trades_only)
            finally:
                PyBuffer_Release(&event_view)
        finally:
            PyBuffer_Release(&command_view)

    cdef object process_buffers(self, Py_buffer* commands, Py_buffer* events, bint trades_only):
        cdef Market* market = &self.market
        cdef const CommandRecord* rows = <const CommandRecord*>commands.buf
        cdef int64_t count = commands.len // sizeof(CommandRecord)
        cdef int64_t consumed = 0
        cdef int64_t needed = 0
        cdef int64_t malformed
        slots_reserve(market, count)
        market.events = <EventRecord*>events.buf
        market.rows_free = events.len // sizeof(EventRecord)
        market.rows_written = 0
        market.trades_only = trades_only
        self.busy = True
        with nogil:
            malformed = row_malformed(rows, count)
            if malformed < 0:
                while consumed < count:
                    needed = command_apply(market, &rows[consumed])
                    if needed != 0:
                        break
                    consumed += 1
                    market.command_seq += 1
        self.busy = False
        market.events = NULL
        if malformed >= 0:
            raise malformed_error(malformed)
        self.rows_needed = needed
        return consumed, market.rows_written

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
        rows = self.rows_begin(1)
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
        for index in range(len(weights)):
            self.market.products[index].composite_weight = weights[index]
        rows = self.rows_begin(2)
        day_begin(&self.market, new_date)
        return self.rows_end(rows)

    def day_close(self):
        """End the trading day: expiries, closing prices, the composite.

        Every product's close becomes its reference price. ValueError if no day is open.

        Notes
        -----
        Rules: CEA-LST-08.
        """
        cdef Market* market = &self.market
        cdef EventRecord* row
        cdef uint32_t index
        cdef int64_t close
        cdef object composite_sum = 0
        cdef object weight_sum = 0
        self.check_alone()
        if not market.day_is_open:
            raise ValueError("a day must be open to be closed, none is")
        rows = self.rows_begin(2 + market.pool.order_count + market.product_count)
        phase_enter(market, PHASE_CLOSED)
        orders_remove_all(market, EVENT_KIND_ORDER_EXPIRED, ACCOUNT_NONE)
        market.order_id_base = market.order_id_last
        for index in range(market.product_count):
            close = closing_price(&market.products[index])
            day_closed_emit(market, index, close)
            market.products[index].reference_price = close
            self.band_set(&market.products[index])
            composite_sum += close * market.products[index].composite_weight
            weight_sum += market.products[index].composite_weight
        if weight_sum > 0:
            row = event_open(market, EVENT_KIND_COMPOSITE_CLOSED)
            row.price = (2 * composite_sum + weight_sum) // (2 * weight_sum)
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
        rows = self.rows_begin(1 + market.pool.order_count)
        if index >= market.accounts.account_count:
            row = self.refusal(
                OPERATION_SUSPEND if suspended else OPERATION_RESTORE, REASON_ACCOUNT_UNKNOWN,
            )
            row.account_index = index
        elif market.accounts.accounts[index].suspended != suspended:
            market.accounts.accounts[index].suspended = suspended
            if suspended:
                event_account(market, EVENT_KIND_ACCOUNT_SUSPENDED, index)
                orders_remove_all(market, EVENT_KIND_ORDER_CANCELED, index)
            else:
                event_account(market, EVENT_KIND_ACCOUNT_RESTORED, index)
        return self.rows_end(rows)

    def suspend(self, account_index):
        """Suspend an account: its orders are cancelled, and it may only receive.

        Notes
        -----
        Rules: CEA-DAY-06.
        """
        return self.suspension_set(account_index, 1)

    def restore(self, account_index):
        """Let a suspended account trade again. (For snapshots see `from_snapshot`.)"""
        return self.suspension_set(account_index, 0)

    def reference_price_set(self, product_index, price):
        """Measure a product's band from another price; not once listed trading began today."""
        cdef uint32_t index = exact_uint32(product_index, "product_index")
        cdef int64_t new_price = exact_int64(price, "price")
        cdef Market* market = &self.market
        cdef EventRecord* row
        cdef uint8_t reason = REASON_NONE
        if index > PRODUCT_NONE:
            raise ValueError(f"product_index must be within 0..65535, was {index}")
        if new_price < 1:
            raise ValueError(f"price must be positive, was {new_price}")
        rows = self.rows_begin(1)
        if index >= market.product_count:
            reason = REASON_PRODUCT_UNKNOWN
        elif market.day_is_open and market.listed_started:
            reason = REASON_PHASE_CLOSED
        elif new_price > PRICE_MAX:
            reason = REASON_AMOUNT_TOO_LARGE
        if reason != REASON_NONE:
            row = self.refusal(OPERATION_REFERENCE_PRICE, reason)
            row.product_index = index
            row.price = new_price
        elif market.products[index].reference_price != new_price:
            market.products[index].reference_price = new_price
            self.band_set(&market.products[index])
            row = event_open(market, EVENT_KIND_REFERENCE_PRICE_CHANGED)
            row.product_index = index
            row.price = new_price
            event_is_public(market, row)
        return self.rows_end(rows)

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
        cdef Account* account = self.account_at(account_index)
        cdef uint32_t index = exact_uint32(operator_index, "operator_index")
        return account.last_client_order_id[index] if index < OPERATORS_MAX else 0

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
            "flags": order.flags,
            "priority": order.priority,
        }

    def best(self, product_index, side):
        """The best price of a side, 0 if it is empty."""
        cdef Product* product = self.product_at(product_index)
        cdef int64_t level = product.book.best[side_exact(side)]
        return 0 if level == LEVEL_NONE else product.book.price_min + level

    def depth(self, product_index, side, levels):
        """(price, tonnes, order count) of a side's best levels."""
        cdef Product* product = self.product_at(product_index)
        return book_depth(&product.book, side_exact(side), exact_uint32(levels, "levels"))

    def orders_at(self, product_index, side, price):
        """Order ids at a price, oldest first."""
        cdef Product* product = self.product_at(product_index)
        return book_orders_at(
            &product.book, &self.market.pool, side_exact(side), exact_int64(price, "price"),
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

    def product(self, product_index):
        """Reference price, band, halt and the day's listed trades of a product, as a dict."""
        cdef Product* product = self.product_at(product_index)
        return {
            "reference_price": product.reference_price,
            "band_low": product.book.price_min,
            "band_high": product.book.price_max,
            "halted": bool(product.halted),
            "open": product.open,
            "high": product.high,
            "low": product.low,
            "volume": product.volume,
            "amount": int_of_128(product.amount),
            "last": product.last,
        }

    def state_hash(self):
        """Hash of the whole state, protocol/state_hash.md."""
        cdef uint64_t total
        self.check_alone()
        with nogil:
            total = state_sum(&self.market)
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
        cdef uint32_t index
        cdef int64_t resting = 0
        self.check_alone()
        for index in range(self.market.product_count):
            broken = book_broken(&self.market.products[index].book, &self.market.pool, index)
            if broken is not None:
                raise AssertionError(f"product {index}: {broken}")
            for side in (SIDE_BUY, SIDE_SELL):
                resting += sum(
                    row[2] for row in book_depth(&self.market.products[index].book, side, None)
                )
        if resting != self.market.pool.order_count or resting != len(self.live_slots()):
            raise AssertionError("a live order must be in exactly one book")
        self.orders_check()
        self.accounts_check()

    cdef int orders_check(self) except -1:
        cdef Market* market = &self.market
        cdef Order* order
        cdef uint32_t slot
        for slot in self.live_slots():
            order = &market.pool.orders[slot]
            if slot_of(market, order.order_id) != slot:
                raise AssertionError(f"order {order.order_id} must be found by its id")
            if order.owner >= market.accounts.account_count:
                raise AssertionError(f"order {order.order_id} must belong to an account")
            if market.accounts.accounts[order.owner].suspended:
                raise AssertionError(f"order {order.order_id} is a suspended account's")
            if order.priority > market.priority_last:
                raise AssertionError(f"order {order.order_id} must have a priority given out")
        if not market.day_is_open and market.pool.order_count != 0:
            raise AssertionError("no order may be live between days")
        return 0

    cdef int accounts_check(self) except -1:
        cdef Accounts* book = &self.market.accounts
        cdef Accounts locks = book[0]
        cdef Market* market = &self.market
        cdef size_t cells = <size_t>book.account_capacity * book.product_capacity
        cdef uint32_t index
        cdef uint32_t part
        cdef Holding* holding
        cdef Holding* wanted
        locks.accounts = <Account*>calloc(book.account_capacity, sizeof(Account))
        locks.holdings = <Holding*>calloc(cells, sizeof(Holding))
        try:
            if locks.accounts == NULL or locks.holdings == NULL:
                raise MemoryError("cannot allocate what a check needs")
            for index in self.live_slots():
                order_lock(&locks, &market.pool.orders[index])
            for index in range(book.account_count):
                account_check(index, &book.accounts[index], &locks.accounts[index])
                for part in range(market.product_count):
                    holding = holding_of(book, index, part)
                    wanted = holding_of(&locks, index, part)
                    holding_check(index, part, holding, wanted)
        finally:
            accounts_close(&locks)
        return self.totals_check()

    cdef int totals_check(self) except -1:
        cdef Accounts* book = &self.market.accounts
        cdef uint32_t index
        cdef uint32_t part
        cdef object total = 0
        for index in range(book.account_count):
            total += book.accounts[index].cash
        if total != book.cash_total:
            raise AssertionError(f"all cash must be {book.cash_total}, was {total}")
        for part in range(self.market.product_count):
            total = 0
            for index in range(book.account_count):
                total += holding_of(book, index, part).tonnes
            if total != book.tonnes_total[part]:
                raise AssertionError(
                    f"all tonnes of product {part} must be {book.tonnes_total[part]}, was {total}"
                )
        return 0

    def snapshot(self):
        """The whole state as bytes, protocol/state_hash.md; `from_snapshot` reads them."""
        cdef Market* market = &self.market
        cdef Order* order
        cdef Product* product
        cdef uint32_t slot
        cdef uint32_t index
        cdef list orders = []
        cdef list products = []
        self.check_alone()
        for index in range(market.product_count):
            product = &market.products[index]
            products.append([
                product.product_key, product.reference_price, product.composite_weight,
                product.halted, product.open, product.high, product.low, product.last,
                product.volume, <uint64_t>product.amount, <uint64_t>(product.amount >> 64),
            ])
        for slot in self.live_slots():
            order = &market.pool.orders[slot]
            orders.append([
                order.order_id, order.owner, order.product_index,
                order.side, order.price, order.tonnes_open, order.client_order_id,
                order.flags, order.amount_traded, order.priority,
            ])
        orders.sort(key=ORDER_PRIORITY)
        state = {name: int(getattr(self, name)) for name in MARKET_FIELDS}
        state["order_count_max"] = market.pool.order_count_max
        state["products"] = products
        state["accounts"] = [
            self.account_snapshot(index) for index in range(market.accounts.account_count)
        ]
        state["orders"] = orders
        return msgspec.msgpack.encode(state)

    cdef dict account_snapshot(self, uint32_t account_index):
        cdef Account* account = &self.market.accounts.accounts[account_index]
        cdef Holding* holding
        cdef uint32_t part
        cdef list holdings = []
        cdef list ids = []
        for part in range(self.market.product_count):
            holding = holding_of(&self.market.accounts, account_index, part)
            if holding.tonnes != 0 or holding.bought_today != 0:
                holdings.append([part, holding.tonnes, holding.bought_today])
        for part in range(OPERATORS_MAX):
            if account.last_client_order_id[part] != 0:
                ids.append([part, account.last_client_order_id[part]])
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
        state = msgspec.msgpack.decode(data)
        if order_count_max is None:
            order_count_max = state["order_count_max"]
        market = cls(rules, order_count_max)
        if len(state["orders"]) > market.market.pool.order_count_max:
            raise ValueError(
                f"order_count_max must be at least {len(state['orders'])}, the live orders, "
                f"was {order_count_max}"
            )
        market.products_fill(state["products"])
        market.accounts_fill(state["accounts"])
        market.fields_fill(state)
        market.orders_fill(state["orders"])
        return market

    cdef int products_fill(self, list products) except -1:
        cdef Product* product
        for key, price, weight, halted, day_open, high, low, last, volume, below, above in products:
            product = &self.market.products[self.product_declare(key, price, weight)]
            product = &self.market.products[self.market.product_count - 1]
            product.halted = halted
            product.open = day_open
            product.high = high
            product.low = low
            product.last = last
            product.volume = volume
            product.amount = <uint64_t>above
            product.amount = (product.amount << 64) | <uint64_t>below
        return 0

    cdef int accounts_fill(self, list accounts) except -1:
        cdef Accounts* book = &self.market.accounts
        cdef Account* account
        cdef Holding* holding
        cdef uint32_t index
        for fields in accounts:
            index = self.account_declare(fields["account_key"], fields["group_index"])
            account = &book.accounts[index]
            account.proceeds_today = fields["proceeds_today"]
            account.suspended = fields["suspended"]
            account.report_seq = fields["report_seq"]
            balance_move(book, index, PRODUCT_NONE, fields["cash"])
            for operator_index, client_order_id in fields["client_order_ids"]:
                if not 0 <= operator_index < OPERATORS_MAX:
                    raise ValueError(f"operator_index must be within 0..15, was {operator_index}")
                account.last_client_order_id[<uint32_t>operator_index] = client_order_id
            for product_index, tonnes, bought_today in fields["holdings"]:
                self.product_at(product_index)
                balance_move(book, index, product_index, tonnes)
                holding = holding_of(book, index, product_index)
                holding.bought_today = bought_today
        return 0

    cdef int fields_fill(self, dict state) except -1:
        cdef Market* market = &self.market
        market.phase = state["phase"]
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
        return 0

    cdef int orders_fill(self, list orders) except -1:
        """Rest the orders of a snapshot, oldest first, with their locks."""
        cdef Market* market = &self.market
        cdef Order* order
        cdef Book* book
        cdef uint32_t slot
        cdef uint64_t id_unused
        market.order_id_base = market.order_id_last
        if orders:
            order_ids = [order_id for order_id, *_ in orders]
            market.order_id_base = min(order_ids) - 1
            if max(order_ids) > market.order_id_last:
                raise ValueError("order_id_last must not be below a live order's id")
        slots_reserve(market, 0)
        for id_unused in range(market.order_id_base + 1, market.order_id_last + 1):
            slot_note(market, id_unused, SLOT_NONE)
        for (
            order_id, account_index, product_index, side, price, tonnes_open, client_order_id,
            flags, amount_traded, priority,
        ) in orders:
            self.account_at(account_index)
            book = &self.product_at(product_index).book
            if not book.price_min <= price <= book.price_max:
                raise ValueError(f"order {order_id} must lie within its product's band")
            slot = slot_acquire(&market.pool)
            order = &market.pool.orders[slot]
            memset(order, 0, sizeof(Order))
            order.order_id = order_id
            order.owner = account_index
            order.product_index = product_index
            order.side = side_exact(side)
            order.price = price
            order.tonnes_open = tonnes_open
            order.client_order_id = client_order_id
            order.flags = flags
            order.amount_traded = amount_traded
            order.priority = priority
            book_rest(book, &market.pool, slot)
            slot_note(market, order.order_id, slot)
            order_lock(&market.accounts, order)
        return 0

    def copy(self):
        """A market of its own in the same state."""
        return type(self).from_snapshot(self.rules, self.snapshot())

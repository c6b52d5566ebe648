"""The market's hot path: command records in, event records out, no Python object touched.

Contents: ids, events, checks, plans, matching, commands, batches, control.

Long, because the compiler inlines a command's whole way only within one module.
A command is first checked and walked through the book without a change; only when it is accepted,
and the caller's rows have room for all its events, is anything written. A refused command changes
nothing but the counters its event uses up.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove, memset

from cea_exchange._ladder cimport *
from cea_exchange._plan cimport *
from cea_exchange._records cimport *
from cea_exchange._stream cimport *
from cea_exchange.core.accounts cimport *

cdef enum:
    # How far ahead a batch looks: at ids and accounts, then at orders, then at what they touch.
    AHEAD_CELL = 12
    AHEAD_ORDER = 8
    AHEAD_NEIGHBOURS = 4

cdef uint64_t IDS_RESERVED = 1 << 27             # 512 MiB of address space.

if sizeof(CommandRecord) != 64 or sizeof(EventRecord) != 160:
    raise ImportError(
        f"records are {sizeof(CommandRecord)} and {sizeof(EventRecord)} bytes, "
        "the schema says 64 and 160"
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


# -- Events ---------------------------------------------------------------------------------------

cdef inline EventRecord* row_next(Market* market, uint8_t kind) noexcept nogil:
    cdef EventRecord* row = &market.scratch
    if sink_takes(&market.sink, kind):
        row = &market.sink.rows[market.sink.count]
        market.sink.count += 1
    event_clear(row)
    market.event_seq += 1
    row.kind = kind
    row.product_index = PRODUCT_NONE
    row.account_index = ACCOUNT_NONE
    row.counter_account_index = ACCOUNT_NONE
    row.seq = market.event_seq
    row.trading_date = market.trading_date * market.day_is_open
    row.phase = market.phase
    return row


cdef EventRecord* event_open(Market* market, uint8_t kind) noexcept nogil:
    """The next event's row, numbered and dated, all else none or zero."""
    return row_next(market, kind)


cdef inline uint64_t report_next(Market* market, uint32_t account_index) noexcept nogil:
    """The next number of a known account's reports."""
    cdef Account* account = &market.accounts.accounts[account_index]
    account.report_seq += 1
    return account.report_seq


cdef inline void row_settles(Market* market, EventRecord* row) noexcept nogil:
    market.settlement_seq += 1
    row.settlement_seq = market.settlement_seq


cdef inline void row_is_public(Market* market, EventRecord* row) noexcept nogil:
    market.market_data_seq += 1
    row.market_data_seq = market.market_data_seq


cdef void event_settles(Market* market, EventRecord* row) noexcept nogil:
    row_settles(market, row)


cdef void event_is_public(Market* market, EventRecord* row) noexcept nogil:
    row_is_public(market, row)


cdef EventRecord* event_account(
    Market* market, uint8_t kind, uint32_t account_index,
) noexcept nogil:
    """An event about an account, known or not."""
    cdef EventRecord* row = row_next(market, kind)
    row.account_index = account_index
    if account_index < market.accounts.account_count:
        row.report_seq = report_next(market, account_index)
    return row


cdef void large_holder_emit(
    Market* market, uint32_t account_index, uint16_t product_index,
) noexcept nogil:
    cdef EventRecord* row = event_account(market, EVENT_KIND_LARGE_HOLDER, account_index)
    row.product_index = product_index
    row.tonnes = holding_of(&market.accounts, account_index, product_index).tonnes


cdef void large_holder_note(
    Market* market, uint32_t account_index, uint16_t product_index, int64_t gained,
) noexcept nogil:
    """Tell of an account that has just come to hold as much as large holders do.

    Rules: CEA-FND-08.
    """
    cdef int64_t tonnes = holding_of(&market.accounts, account_index, product_index).tonnes
    cdef int64_t threshold = market.accounts.large_tonnes
    if tells_large(&market.accounts) and tonnes - gained < threshold <= tonnes:
        large_holder_emit(market, account_index, product_index)


cdef inline EventRecord* event_order(
    Market* market, uint8_t kind, const Order* order,
) noexcept nogil:
    """An event about an order; `tonnes` and `tonnes_open` are what is open of it."""
    cdef EventRecord* row = row_next(market, kind)
    row.account_index = order.owner
    row.report_seq = report_next(market, order.owner)
    row.side = order.side
    row.product_index = order.product_index
    row.operator_index = market.operator_index
    row.order_id = order.order_id
    row.price = order.price
    row.tonnes = order.tonnes_open
    row.tonnes_open = order.tonnes_open
    row.client_order_id = order.client_order_id
    return row


cdef inline void cancel_emit(Market* market, const Order* order, uint8_t reason) noexcept nogil:
    cdef EventRecord* row = event_order(market, EVENT_KIND_ORDER_CANCELED, order)
    row.reason = reason
    row.tonnes_open = 0


cdef int64_t command_reject(
    Market* market, const CommandRecord* command, uint8_t reason, uint16_t product_index,
) noexcept nogil:
    """Refuse a trading command of any kind: what it asked for is repeated."""
    cdef EventRecord* row
    if sink_full(&market.sink, EVENT_KIND_ORDER_REJECTED):
        return 1
    row = event_account(market, EVENT_KIND_ORDER_REJECTED, command.account_index)
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
        return 0
    row.order_id = command.order_id
    if command.kind == COMMAND_KIND_BLOCK_ENQUIRY or command.kind == COMMAND_KIND_BLOCK_OFFER:
        row.side = command.side
        row.flags = command.flags
    return 0


cdef EventRecord* act_reject(
    Market* market, uint8_t operation, uint8_t reason, uint32_t account_index=ACCOUNT_NONE,
) noexcept nogil:
    """Say why an operator's act changes nothing."""
    cdef EventRecord* row = event_account(market, EVENT_KIND_ORDER_REJECTED, account_index)
    row.command = operation
    row.reason = reason
    return row


# -- Checks ---------------------------------------------------------------------------------------

cdef inline uint8_t session_refused(
    const Market* market, const Product* product,
) noexcept nogil:
    """Why no order may come in now.

    Rules: CEA-DAY-03, CEA-DAY-05.
    """
    if market.halted or market.phase not in (PHASE_LISTED, PHASE_LISTED_AND_BLOCK):
        return REASON_PHASE_CLOSED
    return REASON_PRODUCT_HALTED if product.halted else REASON_NONE


cdef inline uint8_t terms_refused(
    const Market* market, const Product* product, const Order* wanted, const Order* replaced,
) noexcept nogil:
    """Tonnes, amount, size, band, and what the account must have.

    Rules: CEA-LST-01, CEA-LST-02.
    """
    cdef int128 amount = wanted.price
    if wanted.tonnes_open <= 0:
        return REASON_TONNES_NOT_POSITIVE
    amount *= wanted.tonnes_open
    amount += wanted.amount_traded
    if wanted.price > PRICE_MAX or amount >= AMOUNT_LIMIT:
        return REASON_AMOUNT_TOO_LARGE
    if market.rules.listed_tonnes_max != 0 and wanted.tonnes_open > market.rules.listed_tonnes_max:
        return REASON_LISTED_TONNES_TOO_LARGE
    if wanted.price < product.ladder.price_min or wanted.price > product.ladder.price_max:
        return REASON_PRICE_OUT_OF_BAND
    return order_unfunded(&market.accounts, wanted, replaced)


cdef inline bint account_has_room(const Market* market, uint32_t account_index) noexcept nogil:
    """Whether an account may have one more order on the books.

    Rules: CEA-ORD-12, CEA-ORD-13.
    """
    cdef uint64_t kept
    cdef uint32_t open_count = market.accounts.accounts[account_index].orders_open
    if market.rules.orders_open_max != 0 and open_count >= market.rules.orders_open_max:
        return False
    if market.rules.orders_kept_bp == 0 or open_count < market.rules.orders_kept_each:
        return True
    kept = <uint64_t>market.pool.order_count_max * market.rules.orders_kept_bp // 10_000
    return market.pool.order_count_max - market.pool.order_count > kept


# -- Plans ----------------------------------------------------------------------------------------

cdef uint32_t picked_slot(
    const Market* market, const Order* taker, uint64_t pick_order_id,
) noexcept nogil:
    """The slot of the order that is named, or `SLOT_NONE` if it may not be.

    Rules: CEA-LST-06.
    """
    cdef uint32_t slot = slot_of(market, pick_order_id)
    if not market.rules.pick_allowed or market.pool.orders[slot].owner == taker.owner:
        return SLOT_NONE
    return slot


cdef inline uint8_t match_plan(
    const Market* market, const Product* product, const Order* taker, uint8_t tif,
    uint64_t pick_order_id, Plan* plan,
) noexcept nogil:
    """Plan what the order takes and what becomes of the rest, or say why it may not."""
    cdef uint32_t slot
    plan_begin(plan, taker, tif)
    if pick_order_id != 0:
        slot = picked_slot(market, taker, pick_order_id)
        if not plan_pick(plan, &product.ladder, &market.pool, taker, slot):
            return REASON_PICK_NOT_AVAILABLE
    elif taker_crosses(&product.ladder, taker):
        orders_walk(
            &product.ladder, &market.pool, taker, market.rules.levels_max,
            market.rules.self_trade, &plan.walk,
        )
    return plan_end(plan, taker, tif, market.rules.self_trade)


# -- Matching -------------------------------------------------------------------------------------

cdef inline void statistics_note(
    const Rules* rules, Product* product, int64_t price, int64_t tonnes,
) noexcept nogil:
    """Count a listed trade.

    Rules: PLT-PRC-01.
    """
    cdef uint128 amount = <uint64_t>price
    amount *= <uint64_t>tonnes
    product.amount += amount
    product.volume += <uint128>tonnes
    product.last = price
    if product.open == 0:
        product.open = product.reference_price if rules.open_at_close else price
        product.low = price
    if price > product.high:
        product.high = price
    if price < product.low:
        product.low = price


cdef void last_trade_note(
    Product* product, uint32_t most, uint64_t trade_id, int64_t price, int64_t tonnes,
) noexcept nogil:
    """Keep a trade as the last one, so many at most.

    Rules: PLT-PRC-04.
    """
    cdef LastTrade* last
    if product.last_count == most:
        product.last_count -= 1
        memmove(
            &product.last_trades[0], &product.last_trades[1],
            product.last_count * sizeof(LastTrade),
        )
    last = &product.last_trades[product.last_count]
    last.trade_id = trade_id
    last.price = price
    last.tonnes = tonnes
    product.last_count += 1


cdef inline void trade_emit(
    Market* market, const Order* taker, const Order* maker, int64_t tonnes,
    int64_t taker_fee, int64_t maker_fee,
) noexcept nogil:
    """Report a trade; both orders are as after it."""
    cdef EventRecord* row = row_next(market, EVENT_KIND_TRADE)
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
    row_settles(market, row)
    row_is_public(market, row)


cdef inline void order_trade(
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
        taker_fee = leg_buy(&market.accounts, taker, price, tonnes, False, METHOD_LISTED)
        maker_fee = leg_sell(&market.accounts, maker, price, tonnes, True, METHOD_LISTED)
    else:
        taker_fee = leg_sell(&market.accounts, taker, price, tonnes, False, METHOD_LISTED)
        maker_fee = leg_buy(&market.accounts, maker, price, tonnes, True, METHOD_LISTED)
    taker.tonnes_open -= tonnes
    taker.amount_traded += <uint64_t>(price * tonnes)
    maker.amount_traded += <uint64_t>(price * tonnes)
    order_reduce(&product.ladder, &market.pool, slot, tonnes)
    statistics_note(&market.rules, product, price, tonnes)
    trade_emit(market, taker, maker, tonnes, taker_fee, maker_fee)
    if market.rules.close_trades_last != 0:
        last_trade_note(
            product, market.rules.close_trades_last, market.trade_id, price, tonnes,
        )
    if tells_large(&market.accounts) and taker.owner != maker.owner:
        large_holder_note(
            market, taker.owner if taker.side == SIDE_BUY else maker.owner, taker.product_index,
            tonnes,
        )
    if maker.tonnes_open == 0:
        order_unlink(&product.ladder, &market.pool, slot)
        slot_note(market, maker.order_id, SLOT_NONE)
        market.accounts.accounts[maker.owner].orders_open -= 1
        slot_release(&market.pool, slot)


cdef inline void order_remove(Market* market, uint32_t slot) noexcept nogil:
    """Take a resting order off the book and give back its lock."""
    cdef Order* order = &market.pool.orders[slot]
    order_unlink(&market.products[order.product_index].ladder, &market.pool, slot)
    order_unlock(&market.accounts, order)
    slot_note(market, order.order_id, SLOT_NONE)
    market.accounts.accounts[order.owner].orders_open -= 1
    slot_release(&market.pool, slot)


cdef inline void orders_take(
    Market* market, Product* product, Order* taker, Plan* plan,
) noexcept nogil:
    """Trade, and cancel what the self-trade policy says, as planned."""
    cdef uint32_t slot = plan_next(plan, &product.ladder, taker)
    while slot != SLOT_NONE:
        if plan_cancels(plan, taker, &market.pool.orders[slot]):
            cancel_emit(market, &market.pool.orders[slot], REASON_SELF_TRADE_PREVENTED)
            order_remove(market, slot)
        else:
            order_trade(market, product, taker, slot)
        slot = plan_next(plan, &product.ladder, taker)


cdef inline void remainder_rest(Market* market, Product* product, Order* taker) noexcept nogil:
    """Put what an order did not trade on the book, and lock what it may need."""
    cdef uint32_t slot = slot_acquire(&market.pool)
    market.pool.orders[slot] = taker[0]
    # Set after the copy: a copy of a field that was just written would wait for that.
    market.priority_last += 1
    market.pool.orders[slot].priority = market.priority_last
    order_rest(&product.ladder, &market.pool, slot)
    slot_note(market, taker.order_id, slot)
    market.accounts.accounts[taker.owner].orders_open += 1
    order_lock(&market.accounts, taker)
    event_order(market, EVENT_KIND_ORDER_RESTED, taker)


cdef inline void remainder_settle(
    Market* market, Product* product, Order* taker, uint8_t remainder_reason,
) noexcept nogil:
    """Rest or cancel what an order did not trade."""
    if taker.tonnes_open == 0:
        slot_note(market, taker.order_id, SLOT_NONE)
    elif remainder_reason != REASON_NONE:
        slot_note(market, taker.order_id, SLOT_NONE)
        cancel_emit(market, taker, remainder_reason)
    else:
        remainder_rest(market, product, taker)


# -- Commands -------------------------------------------------------------------------------------

cdef inline uint8_t enter_refused(
    const Market* market, const CommandRecord* command, Order* taker,
) noexcept nogil:
    """Every check of an ENTER that needs no look at the other side; `taker` becomes the order."""
    cdef const Product* product
    cdef uint8_t reason
    # Read once: the record is the caller's, and another thread may write to it.
    cdef uint32_t account_index = command.account_index
    cdef uint16_t product_index = command.product_index
    memset(taker, 0, sizeof(Order))
    taker.side = command.side
    if not is_listed(market, product_index):
        return REASON_PRODUCT_UNKNOWN
    if account_unknown(market, account_index, command.operator_index):
        return REASON_ACCOUNT_UNKNOWN
    reason = sender_refused(market, account_index, command)
    if reason != REASON_NONE:
        return reason
    product = &market.products[product_index]
    reason = session_refused(market, product)
    if reason != REASON_NONE:
        return reason
    taker.order_id = market.order_id_last + 1
    taker.client_order_id = command.client_order_id
    taker.price = command.price
    taker.tonnes_open = command.tonnes
    taker.owner = account_index
    taker.product_index = product_index
    taker.flags = <uint8_t>(
        command.flags & ORDER_FLAG_POST_ONLY
        | (command.operator_index % OPERATORS_MAX) << OPERATOR_SHIFT
    )
    return terms_refused(market, product, taker, NULL)


cdef inline void accept_emit(
    Market* market, const CommandRecord* command, const Order* order,
) noexcept nogil:
    """The order is in: it uses up its ids."""
    cdef EventRecord* row
    market.order_id_last += 1
    client_order_id_note(market, order.owner, command)
    row = event_order(market, EVENT_KIND_ORDER_ACCEPTED, order)
    row.counter_order_id = command.pick_order_id
    row.tif = command.tif
    row.flags = command.flags


cdef inline int64_t passive_enter(
    Market* market, Product* product, const CommandRecord* command, Order* taker, uint8_t tif,
) noexcept nogil:
    """Rest an order that meets nothing: the shortest way through `aggressive_enter`."""
    cdef int64_t rows = sink_takes(&market.sink, EVENT_KIND_ORDER_ACCEPTED)
    if tif == TIF_IOC:
        rows += sink_takes(&market.sink, EVENT_KIND_ORDER_CANCELED)
    elif market.pool.order_count == market.pool.order_count_max or not account_has_room(
        market, taker.owner,
    ):
        return command_reject(market, command, REASON_CAPACITY, command.product_index)
    else:
        rows += sink_takes(&market.sink, EVENT_KIND_ORDER_RESTED)
    if rows > market.sink.capacity - market.sink.count:
        return rows
    accept_emit(market, command, taker)
    if tif == TIF_IOC:
        slot_note(market, taker.order_id, SLOT_NONE)
        cancel_emit(market, taker, REASON_IOC)
    else:
        remainder_rest(market, product, taker)
    return 0


cdef int64_t aggressive_enter(
    Market* market, Product* product, const CommandRecord* command, Order* taker, uint8_t tif,
    uint64_t pick_order_id,
) noexcept nogil:
    cdef Plan plan
    cdef int64_t needed
    cdef uint8_t reason = match_plan(
        market, product, taker, tif, pick_order_id, &plan,
    )
    if (
        reason == REASON_NONE and plan.walk.tonnes_left > 0
        and plan.remainder_reason == REASON_NONE and not account_has_room(market, taker.owner)
    ):
        reason = REASON_CAPACITY
    if reason != REASON_NONE:
        return command_reject(market, command, reason, command.product_index)
    needed = rows_needed(
        &market.sink, &plan, EVENT_KIND_ORDER_ACCEPTED, False, tells_large(&market.accounts),
    )
    if needed > 0:
        return needed
    accept_emit(market, command, taker)
    orders_take(market, product, taker, &plan)
    remainder_settle(market, product, taker, plan.remainder_reason)
    return 0


cdef inline int64_t enter_apply(Market* market, const CommandRecord* command) noexcept nogil:
    cdef Order taker
    cdef Product* product
    # Read once, as what `taker` is made of.
    cdef uint8_t tif = command.tif
    cdef uint64_t pick_order_id = command.pick_order_id
    cdef uint8_t reason = enter_refused(market, command, &taker)
    if taker.side < SIDE_BUY or taker.side > SIDE_SELL:
        return COMMAND_MALFORMED
    if reason != REASON_NONE:
        return command_reject(market, command, reason, command.product_index)
    product = &market.products[taker.product_index]
    if pick_order_id != 0 or tif == TIF_FOK or taker_crosses(&product.ladder, &taker):
        return aggressive_enter(market, product, command, &taker, tif, pick_order_id)
    return passive_enter(market, product, command, &taker, tif)


cdef uint8_t target_refused(
    const Market* market, const CommandRecord* command, uint32_t* slot,
) noexcept nogil:
    """Find the order that a CANCEL or AMEND names, and check who sends it."""
    cdef uint32_t account_index = command.account_index
    slot[0] = slot_of(market, command.order_id)
    if slot[0] != SLOT_NONE and market.pool.orders[slot[0]].owner != account_index:
        slot[0] = SLOT_NONE
    if account_unknown(market, account_index, command.operator_index):
        return REASON_ACCOUNT_UNKNOWN
    if slot[0] == SLOT_NONE:
        return REASON_ORDER_UNKNOWN
    # Its owner is the account that sends.
    return sender_refused(market, market.pool.orders[slot[0]].owner, command)


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
        return command_reject(market, command, reason, target_product(market, command, slot))
    if sink_full(&market.sink, EVENT_KIND_ORDER_CANCELED):
        return 1
    client_order_id_note(market, market.pool.orders[slot].owner, command)
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
    return match_plan(market, product, wanted, TIF_DAY, 0, plan)


cdef void amend_emit(
    Market* market, const CommandRecord* command, const Order* order,
) noexcept nogil:
    cdef EventRecord* row
    client_order_id_note(market, order.owner, command)
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
    cdef int64_t needed
    cdef uint8_t reason = target_refused(market, command, &slot)
    if reason == REASON_NONE:
        reason = amend_plan(market, command, slot, &wanted, &plan)
    if reason != REASON_NONE:
        return command_reject(market, command, reason, target_product(market, command, slot))
    order = &market.pool.orders[slot]
    product = &market.products[order.product_index]
    keeps_place = wanted.price == order.price and wanted.tonnes_open < order.tonnes_open
    needed = rows_needed(
        &market.sink, &plan, EVENT_KIND_ORDER_AMENDED, keeps_place, tells_large(&market.accounts),
    )
    if needed > 0:
        return needed
    if keeps_place:
        order_unlock(&market.accounts, order)
        order_reduce(&product.ladder, &market.pool, slot, order.tonnes_open - wanted.tonnes_open)
        order_lock(&market.accounts, order)
        amend_emit(market, command, order)
        return 0
    order_remove(market, slot)
    amend_emit(market, command, &wanted)
    orders_take(market, product, &wanted, &plan)
    remainder_settle(market, product, &wanted, plan.remainder_reason)
    return 0


cdef int64_t command_apply(Market* market, const CommandRecord* command) noexcept nogil:
    """Apply a command that is one. Returns the rows it needs if there is no room, else 0."""
    market.operator_index = command.operator_index
    if command.kind == COMMAND_KIND_ENTER:
        return enter_apply(market, command)
    if command.kind == COMMAND_KIND_CANCEL:
        return cancel_apply(market, command)
    if command.kind == COMMAND_KIND_AMEND:
        return amend_apply(market, command)
    return COMMAND_NOT_LISTED


# -- Batches --------------------------------------------------------------------------------------

cdef inline const uint32_t* cell_guess(
    const Market* market, const CommandRecord* command,
) noexcept nogil:
    """The cell of the order a command names; any other cell if it names none.

    It does not ask which kind of command it is: the answer is as good as random, and a wrong guess
    of the processor costs more than a fetch too many.
    """
    cdef uint64_t cell = command.order_id - market.order_id_base - 1
    cdef uint64_t ids = market.order_id_last - market.order_id_base
    return &market.slots[cell & -<uint64_t>(cell < ids)]


cdef inline const Order* target_guess(
    const Market* market, const CommandRecord* command,
) noexcept nogil:
    return &market.pool.orders[cell_guess(market, command)[0]]


cdef inline void cells_prefetch(const Market* market, const CommandRecord* command) noexcept nogil:
    cdef const Accounts* accounts = &market.accounts
    prefetch(cell_guess(market, command))
    if command.account_index < accounts.account_count:
        prefetch(&accounts.accounts[command.account_index])
        prefetch(&accounts.operators[command.account_index])
        prefetch(holding_of(accounts, command.account_index, command.product_index))


cdef inline void neighbours_prefetch(
    const Market* market, const CommandRecord* command,
) noexcept nogil:
    cdef const Order* order = target_guess(market, command)
    prefetch(&market.pool.orders[order.older])
    prefetch(&market.pool.orders[order.newer])


cdef int64_t commands_apply(
    Market* market, const CommandRecord* commands, int64_t count, int64_t* needed,
) noexcept nogil:
    cdef int64_t row
    needed[0] = 0
    for row in range(count):
        if row + AHEAD_CELL < count:
            cells_prefetch(market, &commands[row + AHEAD_CELL])
            prefetch(target_guess(market, &commands[row + AHEAD_ORDER]))
            neighbours_prefetch(market, &commands[row + AHEAD_NEIGHBOURS])
        needed[0] = command_apply(market, &commands[row])
        if needed[0] != 0:
            return row
        market.command_seq += 1
    return count


# -- Control --------------------------------------------------------------------------------------

cdef inline bint order_is_of(
    const Order* order, uint32_t account_index, uint16_t operator_index,
) noexcept nogil:
    """Whether an account's operator entered it; `ACCOUNT_NONE` and `OPERATOR_ANY` are everybody."""
    if account_index != ACCOUNT_NONE and order.owner != account_index:
        return False
    return operator_index == OPERATOR_ANY or order.flags >> OPERATOR_SHIFT == operator_index


cdef inline void order_end(
    Market* market, uint32_t slot, uint8_t kind, uint8_t reason,
) noexcept nogil:
    """Take an order off without a command of its owner's."""
    cdef EventRecord* row = event_order(market, kind, &market.pool.orders[slot])
    # No command is answered: it is reported to whoever entered the order.
    row.operator_index = market.pool.orders[slot].flags >> OPERATOR_SHIFT
    row.tonnes_open = 0
    row.reason = reason
    order_remove(market, slot)


cdef void orders_of_product_cancel(
    Market* market, uint16_t product_index, uint8_t reason,
) noexcept nogil:
    """Cancel what is open of a product, as it was accepted."""
    cdef uint64_t order_id
    cdef uint32_t slot
    for order_id in range(market.order_id_base + 1, market.order_id_last + 1):
        slot = slot_of(market, order_id)
        if slot != SLOT_NONE and market.pool.orders[slot].product_index == product_index:
            order_end(market, slot, EVENT_KIND_ORDER_CANCELED, reason)


cdef void orders_remove_all(
    Market* market, uint8_t kind, uint8_t reason, uint32_t account_index, uint16_t operator_index,
) noexcept nogil:
    """Cancel, or let expire, the orders of an operator, an account or all, as they were accepted.

    Rules: CEA-ORD-11.
    """
    cdef uint64_t order_id
    cdef uint32_t slot
    for order_id in range(market.order_id_base + 1, market.order_id_last + 1):
        prefetch(&market.pool.orders[slot_of(market, order_id + AHEAD_ORDER)])
        slot = slot_of(market, order_id)
        if slot == SLOT_NONE:
            continue
        if order_is_of(&market.pool.orders[slot], account_index, operator_index):
            order_end(market, slot, kind, reason)


cdef void orders_remove_of(
    Market* market, const uint16_t* operators, uint64_t first, uint64_t last, uint64_t most,
) noexcept nogil:
    """Cancel the orders of lost sessions: per account, a bit for each of its operators.

    Of the ids from `first` to `last`, so many as `most` at most, as they were accepted.

    Rules: CEA-ORD-11.
    """
    cdef uint64_t order_id
    cdef uint32_t slot
    cdef const Order* order
    for order_id in range(first, last + 1):
        if most == 0:
            return
        prefetch(&market.pool.orders[slot_of(market, order_id + AHEAD_ORDER)])
        slot = slot_of(market, order_id)
        if slot == SLOT_NONE:
            continue
        order = &market.pool.orders[slot]
        if operators[order.owner] >> (order.flags >> OPERATOR_SHIFT) & 1:
            order_end(market, slot, EVENT_KIND_ORDER_CANCELED, REASON_DISCONNECTED)
            most -= 1

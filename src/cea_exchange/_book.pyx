"""Limit order book of one product: one command in, an outcome and events out.

Long, because the compiler inlines a command's whole way only within one module.
Contents: events, plans, matching, commands, batches, queries, results, the book.

A command is first planned against the book without a change; only when it is accepted, and the
caller's rows have room for all its events, is anything written.

Nothing here knows money, accounts or the trading day. The ladder is in _ladder.pxd, the ids in
_id_index.pxd, hash and snapshot in _book_state.pyx; the market is built on the same ladder.
"""

cimport cython

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport abort, free, realloc
from libc.string cimport memset

from cea_exchange._arguments cimport *
from cea_exchange._batch cimport Batch, batch_close, batch_end, batch_open
from cea_exchange._book_state cimport *
from cea_exchange._id_index cimport *
from cea_exchange._ladder cimport *
from cea_exchange._plan cimport *
from cea_exchange._records cimport *
from cea_exchange._stream cimport *
from cea_exchange._views cimport *

from cea_exchange.domain.records import Reason

cdef enum:
    # How many commands ahead a batch fetches the cell of an id, then the order it leads to, then
    # the order's neighbours.
    AHEAD = 16
    AHEAD_ORDER = 10
    AHEAD_NEIGHBOURS = 5

    # Levels of a side that a notebook shows.
    HTML_LEVELS = 10

LEVEL_COUNT_MAX = 1 << 36

cdef object ZERO = 0
cdef str TIF_RANGE = f"within 0..{TIF_LAST}"

if sizeof(Order) != 64 or sizeof(Level) != 32 or sizeof(OrderRecord) != 56:
    raise ImportError(
        f"Order, Level and OrderRecord are {sizeof(Order)}, {sizeof(Level)} and "
        f"{sizeof(OrderRecord)} bytes, not 64, 32, 56"
    )


cdef inline void invariant(bint holds) noexcept nogil:
    """Stop the process when an invariant is broken: `assert` would be swallowed here."""
    if not holds:
        abort()


# -- Events ---------------------------------------------------------------------------------------

cdef inline EventRecord* row_open(
    BookState* state, EventSink* sink, const CommandRecord* command, uint8_t kind,
    const Order* order,
) noexcept nogil:
    """The next row, about an order. The sink takes this kind and has room."""
    cdef EventRecord* row = &sink.rows[sink.count]
    sink.count += 1
    event_clear(row)
    row.kind = kind
    row.side = order.side
    row.product_index = command.product_index
    row.operator_index = command.operator_index
    row.account_index = order.owner
    row.counter_account_index = ACCOUNT_NONE
    row.order_id = order.order_id
    row.price = order.price
    row.tonnes = order.tonnes_open
    row.tonnes_open = order.tonnes_open
    row.seq = state.event_seq
    return row


cdef inline void order_emit(
    BookState* state, EventSink* sink, const CommandRecord* command, uint8_t kind,
    const Order* order,
) noexcept nogil:
    """Accepted, rested or amended: what is open of it is as in `order`."""
    cdef EventRecord* row
    state.event_seq += 1
    if sink_takes(sink, kind):
        row = row_open(state, sink, command, kind, order)
        if kind == EVENT_KIND_ORDER_ACCEPTED:
            row.counter_order_id = command.pick_order_id


cdef inline void cancel_emit(
    BookState* state, EventSink* sink, const CommandRecord* command, const Order* order,
    uint8_t reason,
) noexcept nogil:
    cdef EventRecord* row
    state.event_seq += 1
    if sink_takes(sink, EVENT_KIND_ORDER_CANCELED):
        row = row_open(state, sink, command, EVENT_KIND_ORDER_CANCELED, order)
        row.reason = reason
        row.tonnes_open = 0


cdef int64_t command_reject(
    BookState* state, EventSink* sink, const CommandRecord* command, const Order* wanted,
    uint8_t reason,
) noexcept nogil:
    """Refuse a command, or say that there is no room to."""
    cdef EventRecord* row
    if sink_full(sink, EVENT_KIND_ORDER_REJECTED):
        return 1
    state.event_seq += 1
    state.outcome.reason = reason
    if sink_takes(sink, EVENT_KIND_ORDER_REJECTED):
        row = row_open(state, sink, command, EVENT_KIND_ORDER_REJECTED, wanted)
        row.reason = reason
        row.tonnes_open = 0
        row.command = command.kind
    return 0


# -- Plans ----------------------------------------------------------------------------------------

cdef inline uint8_t terms_refused(
    const BookState* state, int64_t price, int64_t tonnes,
) noexcept nogil:
    if tonnes <= 0:
        return REASON_TONNES_NOT_POSITIVE
    if price < state.ladder.price_min or price > state.ladder.price_max:
        return REASON_PRICE_OUT_OF_BAND
    return REASON_NONE


cdef uint32_t picked_slot(
    const BookState* state, const Order* taker, uint64_t pick_order_id,
) noexcept nogil:
    """The slot of the order that is named, or `SLOT_NONE` if it may not be."""
    cdef uint32_t slot = index_find(&state.index, state.pool.orders, pick_order_id)
    if not state.pick_allowed:
        return SLOT_NONE
    if state.pool.orders[slot].owner == taker.owner and state.self_trade != SELF_TRADE_ALLOW:
        return SLOT_NONE
    return slot


cdef inline void levels_plan(
    const BookState* state, const EventSink* sink, const Order* taker, Plan* plan,
) noexcept nogil:
    """Plan by what rests at each level, or at each order where owners or rows count."""
    cdef const Ladder* ladder = &state.ladder
    cdef int64_t index = taker.price - ladder.price_min
    if state.self_trade == SELF_TRADE_ALLOW:
        levels_walk(ladder, taker.side, index, state.levels_max, &plan.walk)
        # At most: if even so there is room, the exact number does not matter.
        if sink.capacity - sink.count >= <int64_t>plan.walk.trades + 2:
            return
        walk_begin(&plan.walk, taker.tonnes_open)
    orders_walk(ladder, &state.pool, taker, state.levels_max, state.self_trade, &plan.walk)


cdef inline uint8_t match_plan(
    const BookState* state, const EventSink* sink, const Order* taker, uint8_t tif,
    uint64_t pick_order_id, Plan* plan,
) noexcept nogil:
    """Find what the order takes and what becomes of the rest, or say why it may not."""
    cdef uint32_t slot
    plan_begin(plan, taker, tif)
    if pick_order_id != 0:
        slot = picked_slot(state, taker, pick_order_id)
        if not plan_pick(plan, &state.ladder, &state.pool, taker, slot):
            return REASON_PICK_NOT_AVAILABLE
    elif taker_crosses(&state.ladder, taker):
        levels_plan(state, sink, taker, plan)
    return plan_end(plan, taker, tif, state.self_trade)


# -- Matching -------------------------------------------------------------------------------------

cdef inline void order_remove_at(
    BookState* state, uint32_t slot, const Found* found,
) noexcept nogil:
    """Take an order off the book whose place in the index is known."""
    order_unlink(&state.ladder, &state.pool, slot)
    index_drop_at(&state.index, state.pool.orders[slot].order_id, found)
    slot_release(&state.pool, slot)


cdef inline void order_remove(BookState* state, uint32_t slot) noexcept nogil:
    order_unlink(&state.ladder, &state.pool, slot)
    index_drop(&state.index, state.pool.orders, state.pool.orders[slot].order_id)
    slot_release(&state.pool, slot)


cdef inline void order_trade(
    BookState* state, EventSink* sink, const CommandRecord* command, Order* taker, uint32_t slot,
) noexcept nogil:
    """Trade a taker with the resting order in `slot`, as much as both have, at its price."""
    cdef Order* maker = &state.pool.orders[slot]
    cdef int64_t tonnes = maker.tonnes_open
    cdef EventRecord* row
    if taker.tonnes_open < tonnes:
        tonnes = taker.tonnes_open
    taker.tonnes_open -= tonnes
    state.event_seq += 1
    if sink_takes(sink, EVENT_KIND_TRADE):
        row = row_open(state, sink, command, EVENT_KIND_TRADE, taker)
        row.counter_account_index = maker.owner
        row.counter_order_id = maker.order_id
        row.method = METHOD_LISTED
        row.price = maker.price
        row.tonnes = tonnes
    if tonnes == maker.tonnes_open:
        order_remove(state, slot)
    else:
        order_reduce(&state.ladder, &state.pool, slot, tonnes)


cdef inline void own_order_cancel(
    BookState* state, EventSink* sink, const CommandRecord* command, uint32_t slot,
) noexcept nogil:
    cancel_emit(
        state, sink, command, &state.pool.orders[slot], REASON_SELF_TRADE_PREVENTED,
    )
    order_remove(state, slot)


cdef inline void orders_take(
    BookState* state, EventSink* sink, const CommandRecord* command, Order* taker, Plan* plan,
) noexcept nogil:
    """Trade, and cancel what the self-trade policy says, as planned."""
    cdef uint32_t slot = plan_next(plan, &state.ladder, taker)
    while slot != SLOT_NONE:
        if plan_cancels(plan, taker, &state.pool.orders[slot]):
            own_order_cancel(state, sink, command, slot)
        else:
            order_trade(state, sink, command, taker, slot)
        slot = plan_next(plan, &state.ladder, taker)


cdef inline void remainder_rest(
    BookState* state, EventSink* sink, const CommandRecord* command, Order* taker,
) noexcept nogil:
    """Put what an order did not trade on the book."""
    cdef uint32_t slot = slot_acquire(&state.pool)
    invariant(slot <= state.pool.order_count_max)
    state.outcome.tonnes_open = taker.tonnes_open
    state.priority_last += 1
    taker.priority = state.priority_last
    state.pool.orders[slot] = taker[0]
    order_rest(&state.ladder, &state.pool, slot)
    index_put(&state.index, state.pool.orders, taker.order_id, slot)
    order_emit(state, sink, command, EVENT_KIND_ORDER_RESTED, taker)


cdef inline void remainder_cancel(
    BookState* state, EventSink* sink, const CommandRecord* command, const Order* taker,
    uint8_t reason,
) noexcept nogil:
    state.outcome.reason = reason
    state.outcome.tonnes_canceled = taker.tonnes_open
    cancel_emit(state, sink, command, taker, reason)


cdef inline void remainder_settle(
    BookState* state, EventSink* sink, const CommandRecord* command, Order* taker,
    uint8_t remainder_reason,
) noexcept nogil:
    """Rest or cancel what an order did not trade."""
    if taker.tonnes_open == 0:
        return
    if remainder_reason != REASON_NONE:
        remainder_cancel(state, sink, command, taker, remainder_reason)
    else:
        remainder_rest(state, sink, command, taker)


# -- Commands -------------------------------------------------------------------------------------

cdef inline CommandRecord command_blank(uint8_t kind) noexcept nogil:
    """A command of a kind, all else zero."""
    cdef CommandRecord command
    memset(&command, 0, sizeof(CommandRecord))
    command.kind = kind
    return command


cdef inline uint8_t passive_refused(const BookState* state, uint8_t tif) noexcept nogil:
    """Why an order that meets nothing may not come in."""
    if tif == TIF_FOK:
        return REASON_FOK_NOT_FILLABLE
    if tif != TIF_IOC and state.pool.order_count == state.pool.order_count_max:
        return REASON_CAPACITY
    return REASON_NONE


cdef inline int64_t passive_enter(
    BookState* state, const CommandRecord* command, EventSink* sink, Order* taker, uint8_t tif,
) noexcept nogil:
    """Rest an order that meets nothing: the shortest way through `aggressive_enter`."""
    cdef int64_t rows = sink_takes(sink, EVENT_KIND_ORDER_ACCEPTED)
    rows += sink_takes(
        sink, EVENT_KIND_ORDER_CANCELED if tif == TIF_IOC else EVENT_KIND_ORDER_RESTED,
    )
    if rows > sink.capacity - sink.count:
        return rows
    order_emit(state, sink, command, EVENT_KIND_ORDER_ACCEPTED, taker)
    if tif == TIF_IOC:
        remainder_cancel(state, sink, command, taker, REASON_IOC)
    else:
        remainder_rest(state, sink, command, taker)
    return 0


cdef int64_t aggressive_enter(
    BookState* state, const CommandRecord* command, EventSink* sink, Order* taker, uint8_t tif,
    uint64_t pick_order_id,
) noexcept nogil:
    cdef Plan plan
    cdef int64_t needed
    cdef uint8_t reason = match_plan(
        state, sink, taker, tif, pick_order_id, &plan,
    )
    if reason != REASON_NONE:
        return command_reject(state, sink, command, taker, reason)
    needed = rows_needed(sink, &plan, EVENT_KIND_ORDER_ACCEPTED, False, False)
    if needed > 0:
        return needed
    order_emit(state, sink, command, EVENT_KIND_ORDER_ACCEPTED, taker)
    orders_take(state, sink, command, taker, &plan)
    remainder_settle(state, sink, command, taker, plan.remainder_reason)
    return 0


cdef inline int64_t enter_apply(
    BookState* state, const CommandRecord* command, EventSink* sink,
) noexcept nogil:
    # Only what is inlined has the address of `taker`, so it stays in registers: a copy of what was
    # written to memory a moment ago waits until it is there. All else is given `copied`.
    cdef Order taker
    cdef Order copied
    cdef uint8_t reason
    # Read once: the record is the caller's, and another thread may write to it.
    cdef uint8_t tif = command.tif
    cdef uint64_t pick_order_id = command.pick_order_id
    taker = Order(
        order_id=command.order_id, client_order_id=0, priority=0, amount_traded=0,
        price=command.price, tonnes_open=command.tonnes, owner=command.account_index,
        product_index=0, side=command.side, flags=command.flags & ORDER_FLAG_POST_ONLY,
        older=SLOT_NONE, newer=SLOT_NONE,
    )
    if taker.side < SIDE_BUY or taker.side > SIDE_SELL:
        return COMMAND_MALFORMED
    reason = REASON_ORDER_ID_DUPLICATE
    if index_find(&state.index, state.pool.orders, taker.order_id) == SLOT_NONE:
        reason = terms_refused(state, taker.price, taker.tonnes_open)
    if reason == REASON_NONE and pick_order_id == 0 and not taker_crosses(&state.ladder, &taker):
        reason = passive_refused(state, tif)
        if reason == REASON_NONE:
            return passive_enter(state, command, sink, &taker, tif)
    copied = taker
    if reason != REASON_NONE:
        return command_reject(state, sink, command, &copied, reason)
    return aggressive_enter(state, command, sink, &copied, tif, pick_order_id)


cdef int64_t target_unknown(
    BookState* state, const CommandRecord* command, EventSink* sink,
) noexcept nogil:
    """Refuse a command that names no live order."""
    cdef Order wanted
    memset(&wanted, 0, sizeof(Order))
    wanted.order_id = command.order_id
    wanted.owner = command.account_index
    wanted.price = command.price
    wanted.tonnes_open = command.tonnes
    return command_reject(state, sink, command, &wanted, REASON_ORDER_UNKNOWN)


cdef inline int64_t cancel_apply(
    BookState* state, const CommandRecord* command, EventSink* sink,
) noexcept nogil:
    cdef Found found
    cdef uint32_t slot
    index_search(&state.index, state.pool.orders, command.order_id, &found)
    slot = found.slot
    if slot == SLOT_NONE:
        return target_unknown(state, command, sink)
    if sink_full(sink, EVENT_KIND_ORDER_CANCELED):
        return 1
    state.outcome.reason = REASON_REQUESTED
    state.outcome.tonnes_canceled = state.pool.orders[slot].tonnes_open
    cancel_emit(state, sink, command, &state.pool.orders[slot], REASON_REQUESTED)
    order_remove_at(state, slot, &found)
    return 0


cdef inline int64_t amend_apply(
    BookState* state, const CommandRecord* command, EventSink* sink,
) noexcept nogil:
    """Fewer tonnes at the same price keep the place; else the order arrives anew."""
    cdef Order wanted
    cdef const Order* order
    cdef Plan plan
    cdef uint8_t reason
    cdef bint keeps_place
    cdef int64_t needed
    cdef uint32_t slot = index_find(&state.index, state.pool.orders, command.order_id)
    if slot == SLOT_NONE:
        return target_unknown(state, command, sink)
    order = &state.pool.orders[slot]
    wanted = order[0]
    wanted.price = command.price
    wanted.tonnes_open = command.tonnes
    reason = terms_refused(state, wanted.price, wanted.tonnes_open)
    if reason == REASON_NONE:
        reason = match_plan(state, sink, &wanted, TIF_DAY, 0, &plan)
    if reason != REASON_NONE:
        return command_reject(state, sink, command, &wanted, reason)
    keeps_place = wanted.price == order.price and wanted.tonnes_open < order.tonnes_open
    needed = rows_needed(sink, &plan, EVENT_KIND_ORDER_AMENDED, keeps_place, False)
    if needed > 0:
        return needed
    order_emit(state, sink, command, EVENT_KIND_ORDER_AMENDED, &wanted)
    if keeps_place:
        order_reduce(&state.ladder, &state.pool, slot, order.tonnes_open - wanted.tonnes_open)
        state.outcome.tonnes_open = wanted.tonnes_open
        return 0
    order_remove(state, slot)
    orders_take(state, sink, command, &wanted, &plan)
    remainder_settle(state, sink, command, &wanted, plan.remainder_reason)
    return 0


cdef inline int64_t apply_one(
    BookState* state, const CommandRecord* command, EventSink* sink,
) noexcept nogil:
    """Apply a command that is one."""
    memset(&state.outcome, 0, sizeof(Outcome))
    if command.kind == COMMAND_KIND_ENTER:
        return enter_apply(state, command, sink)
    if command.kind == COMMAND_KIND_CANCEL:
        return cancel_apply(state, command, sink)
    if command.kind == COMMAND_KIND_AMEND:
        return amend_apply(state, command, sink)
    return COMMAND_MALFORMED


cdef int64_t book_apply(
    BookState* state, const CommandRecord* command, EventSink* sink,
) noexcept nogil:
    return COMMAND_MALFORMED if command_malformed(command) else apply_one(state, command, sink)


cdef int64_t book_enter(
    BookState* state, EventSink* sink, uint64_t order_id, uint8_t side, int64_t price,
    int64_t tonnes, uint32_t owner, uint8_t tif=TIF_DAY, uint8_t flags=0,
    uint64_t pick_order_id=0,
) noexcept nogil:
    cdef CommandRecord command = command_blank(COMMAND_KIND_ENTER)
    command.order_id = order_id
    command.side = side
    command.price = price
    command.tonnes = tonnes
    command.account_index = owner
    command.tif = tif
    command.flags = flags
    command.pick_order_id = pick_order_id
    return book_apply(state, &command, sink)


cdef int64_t book_cancel(BookState* state, EventSink* sink, uint64_t order_id) noexcept nogil:
    cdef CommandRecord command = command_blank(COMMAND_KIND_CANCEL)
    command.order_id = order_id
    return apply_one(state, &command, sink)


cdef int64_t book_amend(
    BookState* state, EventSink* sink, uint64_t order_id, int64_t price, int64_t tonnes,
) noexcept nogil:
    cdef CommandRecord command = command_blank(COMMAND_KIND_AMEND)
    command.order_id = order_id
    command.price = price
    command.tonnes = tonnes
    return apply_one(state, &command, sink)


# -- Batches --------------------------------------------------------------------------------------

cdef int64_t book_apply_all(
    BookState* state, const CommandRecord* commands, int64_t count, EventSink* sink,
    int64_t* needed,
) noexcept nogil:
    """Apply commands, and fetch ahead what those to come will touch.

    It does not ask what kind they are: the answer is as good as random, and a wrong guess of the
    processor costs more than a fetch too many. An enter's cell mostly leads to slot 0, nobody's.
    """
    cdef const Order* orders = state.pool.orders
    cdef const Order* order
    cdef Guess guesses[AHEAD]
    cdef uint32_t slots[AHEAD]
    cdef uint32_t slot
    cdef int64_t row
    needed[0] = 0
    state.index.fetches_ahead = True
    memset(slots, 0, sizeof(slots))
    for row in range(AHEAD):
        guesses[row] = place_guess(&state.index, commands[row].order_id if row < count else 0)
    for row in range(count):
        order = &orders[slots[(row + AHEAD_NEIGHBOURS) % AHEAD]]
        prefetch(&orders[order.older])
        prefetch(&orders[order.newer])
        slot = slot_guess(guesses[(row + AHEAD_ORDER) % AHEAD])
        slots[(row + AHEAD_ORDER) % AHEAD] = slot
        prefetch(&orders[slot])
        needed[0] = apply_one(state, &commands[row], sink)
        if needed[0] != 0:
            break
        if row + AHEAD < count:
            guesses[row % AHEAD] = place_guess(&state.index, commands[row + AHEAD].order_id)
            prefetch(guesses[row % AHEAD].line)
    else:
        row = count
    state.index.fetches_ahead = False
    return row


# -- Queries --------------------------------------------------------------------------------------

cdef const Order* book_order(const BookState* state, uint64_t order_id) noexcept nogil:
    """A live order, until the next command; or NULL."""
    cdef uint32_t slot = index_find(&state.index, state.pool.orders, order_id)
    return NULL if slot == SLOT_NONE else &state.pool.orders[slot]


cdef bint book_best(const BookState* state, int side, int64_t* price) noexcept nogil:
    """Whether a side has orders, and its best price."""
    if level_is_none(state.ladder.best[side]):
        return False
    price[0] = state.ladder.price_min + state.ladder.best[side]
    return True


cdef int64_t book_tonnes_at(const BookState* state, int64_t price) noexcept nogil:
    """What is open at a price, at most 2^63 - 1; 0 outside the ladder."""
    cdef int128 tonnes
    cdef int64_t most = 0x7FFFFFFFFFFFFFFF
    if price < state.ladder.price_min or price > state.ladder.price_max:
        return 0
    tonnes = state.ladder.levels[price - state.ladder.price_min].tonnes
    return <int64_t>tonnes if tonnes < most else most


# -- Results --------------------------------------------------------------------------------------

@cython.final
@cython.no_gc
@cython.freelist(64)
cdef class OrderResult:
    """What became of one command: refused, or what it traded and what is left.

    Attributes
    ----------
    reason : int
        A `Reason`: why it was refused, or why a remainder was cancelled; 0 if neither.
    tonnes_open : int
        What rests on the book now.
    tonnes_canceled : int
        What left the book, or never came to rest, without trading.
    trades : tuple of (order_id, owner, price, tonnes)
        One for each resting order it traded with, in order; id and owner are the resting order's.
    orders_canceled : tuple of int
        Ids of resting orders of the same owner that the self-trade policy cancelled, in order.
    """

    @property
    def accepted(self):
        """False if the command was refused and changed nothing."""
        return self.reason == 0 or self.reason >= REASON_REQUESTED

    def __repr__(self):
        return (
            f"OrderResult(reason={Reason(self.reason).name}, tonnes_open={self.tonnes_open}, "
            f"tonnes_canceled={self.tonnes_canceled}, trades={self.trades}, "
            f"orders_canceled={self.orders_canceled})"
        )


cdef tuple trades_of(const EventRecord* rows, int64_t count):
    cdef list trades = []
    cdef int64_t row
    for row in range(count):
        if rows[row].kind == EVENT_KIND_TRADE:
            trades.append((
                rows[row].counter_order_id, rows[row].counter_account_index, rows[row].price,
                rows[row].tonnes,
            ))
    return tuple(trades)


cdef tuple canceled_of(const EventRecord* rows, int64_t count, uint64_t order_id):
    """Ids of the orders that were cancelled beside the command's own."""
    cdef list ids = []
    cdef int64_t row
    for row in range(count):
        if rows[row].kind == EVENT_KIND_ORDER_CANCELED and rows[row].order_id != order_id:
            ids.append(rows[row].order_id)
    return tuple(ids)


cdef OrderResult result_of(
    const BookState* state, const EventSink* sink, const CommandRecord* command,
):
    cdef OrderResult result = OrderResult.__new__(OrderResult)
    result.reason = state.outcome.reason
    result.tonnes_open = state.outcome.tonnes_open
    result.tonnes_canceled = state.outcome.tonnes_canceled
    result.trades = ()
    result.orders_canceled = ()
    if sink.count > 0:
        result.trades = trades_of(sink.rows, sink.count)
        if state.self_trade > SELF_TRADE_REJECT:
            result.orders_canceled = canceled_of(sink.rows, sink.count, command.order_id)
    return result


cdef inline int check_alone(OrderBook book) except -1:
    if book.busy:
        raise RuntimeError("another thread is inside this book")


cdef OrderResult command_run(OrderBook book, const CommandRecord* command):
    """Apply one command and say what became of it."""
    cdef EventSink sink
    cdef EventRecord* rows
    cdef int64_t needed
    check_alone(book)
    sink = sink_of(
        book.rows, book.rows_capacity, EVENTS_TRADES | 1 << EVENT_KIND_ORDER_CANCELED,
    )
    needed = apply_one(&book.state, command, &sink)
    if needed == 0:
        # What is made of the rows may have the garbage collector run somebody's code.
        book.busy = True
        try:
            return result_of(&book.state, &sink, command)
        finally:
            book.busy = False
    rows = <EventRecord*>realloc(book.rows, 2 * needed * sizeof(EventRecord))
    if rows == NULL:
        raise MemoryError(f"cannot allocate {needed} event rows")
    book.rows = rows
    book.rows_capacity = 2 * needed
    return command_run(book, command)


# -- The book -------------------------------------------------------------------------------------

cdef class OrderBook:
    """Limit order book of one product: integers only, no money, price-time priority.

    Parameters
    ----------
    price_min, price_max : int
        The ticks an order may have; any range of up to 2^36 ticks, negative ones too. Memory is
        taken only where orders are.
    order_count_max : int
        Orders that may rest at once; one more is refused with CAPACITY.
    self_trade : str
        What happens where an order would meet a resting one of the same owner. `allow`: they
        trade; `reject`: it is refused whole; `cancel_resting`: the resting one is cancelled, and it
        goes on; `cancel_incoming`: what is left of it is cancelled; `cancel_both`.
    levels_max : int, optional
        Price levels one order may take; what still crosses then is cancelled. No limit by default.
    pick_allowed : bool
        Whether an order may name the one it takes, of those at the best price. Else time decides.
    touch_memory : bool
        Take all memory now, so that no command ever waits for a page: 64 bytes for each of
        `order_count_max` orders (from 16,384 on in whole huge pages of 2 MiB) and 16 for its
        places in two hash tables, 32 for every tick, and 256 MiB for the table of small ids.

    Notes
    -----
    Order ids are the caller's, any unsigned 64-bit numbers; one may be used again once its order
    is gone. Ids below 2^26 that come about in order, or in batches, are found by table, which takes
    4 bytes for every one ever used; others by hash, where ids that were chosen to collide make
    commands slow. A second thread inside raises RuntimeError.
    """

    def __cinit__(
        self, price_min, price_max, *unnamed, order_count_max=None, self_trade="allow",
        levels_max=None, pick_allowed=True, touch_memory=False,
    ):
        if unnamed or order_count_max is None:
            raise TypeError(
                "order_count_max: expected one, by name, got none: "
                f"OrderBook({price_min!r}, {price_max!r}, order_count_max=...)"
            )
        cdef int64_t low = exact_int64(price_min, "price_min")
        cdef int64_t high = exact_int64(price_max, "price_max")
        cdef uint32_t count = exact_uint32(order_count_max, "order_count_max")
        cdef bint touch = exact_bool(touch_memory, "touch_memory")
        if not low <= high:
            raise ValueError(f"price_max: expected at least {low}, got {high}")
        if <object>high - low >= LEVEL_COUNT_MAX:
            raise ValueError(
                f"price_min and price_max: expected at most {LEVEL_COUNT_MAX} ticks, "
                f"got {low}..{high}"
            )
        if not 0 < count < 0xFFFFFFFE:
            raise ValueError(f"order_count_max: expected within 1..2^32-3, got {count}")
        self.state.self_trade = <SelfTrade>exact_self_trade(self_trade)
        self.state.levels_max = 0 if levels_max is None else exact_uint32(levels_max, "levels_max")
        self.state.pick_allowed = exact_bool(pick_allowed, "pick_allowed")
        if not (
            pool_open(&self.state.pool, count)
            and ladder_open(&self.state.ladder, low, high)
            and index_open(&self.state.index, count)
        ):
            raise MemoryError(f"cannot reserve a book of {count} orders, ticks {low}..{high}")
        if touch:
            memory_touch(self.state.pool.orders, pool_bytes(&self.state.pool))
            memory_touch(self.state.ladder.levels, self.state.ladder.level_bytes)
            memory_touch(self.state.ladder.bitmap_memory, self.state.ladder.bitmap_bytes)
            index_touch(&self.state.index)
        self.rows_capacity = 16
        self.rows = <EventRecord*>realloc(NULL, self.rows_capacity * sizeof(EventRecord))
        if self.rows == NULL:
            raise MemoryError("cannot allocate event rows")

    def __dealloc__(self):
        free(self.rows)
        index_close(&self.state.index)
        ladder_close(&self.state.ladder)
        pool_close(&self.state.pool)

    def enter(
        self, order_id, side, price, tonnes, owner=0, *, tif=0, post_only=False, pick_order_id=0,
    ):
        """Match an order, then rest what is left.

        Parameters
        ----------
        order_id : int
            The caller's, not that of a live order.
        side : int or Side
            1 buys, 2 sells.
        price, tonnes : int
            Limit in ticks; quantity.
        owner : int
            Whose it is, for the self-trade policy.
        tif : int or Tif
            0 rests, 1 cancels the remainder (IOC), 2 trades whole or is refused (FOK).
        post_only : bool
            Refuse it if it would trade.
        pick_order_id : int
            Take only this resting order, at the best opposite price; 0 is none.

        Returns
        -------
        OrderResult
        """
        cdef CommandRecord command = command_blank(COMMAND_KIND_ENTER)
        command.order_id = exact_uint64(order_id, "order_id")
        command.side = exact_side(side)
        command.price = exact_int64(price, "price")
        command.tonnes = exact_int64(tonnes, "tonnes")
        # What is left out is the default itself, and needs no look: most calls are like that.
        if owner is not ZERO:
            command.account_index = exact_uint32(owner, "owner")
        if tif is not ZERO:
            command.tif = exact_member(tif, TIF_DAY, TIF_LAST, "tif", TIF_RANGE)
        if post_only is not False and exact_bool(post_only, "post_only"):
            command.flags = ORDER_FLAG_POST_ONLY
        if pick_order_id is not ZERO:
            command.pick_order_id = exact_uint64(pick_order_id, "pick_order_id")
        return command_run(self, &command)

    def cancel(self, order_id):
        """Take what is open of an order off the book.

        Returns
        -------
        OrderResult
            `tonnes_canceled` was open, or the reason is ORDER_UNKNOWN.
        """
        cdef CommandRecord command = command_blank(COMMAND_KIND_CANCEL)
        command.order_id = exact_uint64(order_id, "order_id")
        return command_run(self, &command)

    def amend(self, order_id, price, tonnes):
        """Give an order another price and open quantity.

        Fewer tonnes at the same price keep the place; anything else goes to the back of its level
        as a new arrival and may trade. If it is refused the order stays as it was.

        Returns
        -------
        OrderResult
        """
        cdef CommandRecord command = command_blank(COMMAND_KIND_AMEND)
        command.order_id = exact_uint64(order_id, "order_id")
        command.price = exact_int64(price, "price")
        command.tonnes = exact_int64(tonnes, "tonnes")
        return command_run(self, &command)

    def process(self, commands, events, trades_only=False):
        """Apply commands in order, without the GIL.

        Parameters
        ----------
        commands : ndarray of COMMAND_DTYPE
            `order_id` is the target, or of an enter the new order's id; `account_index` its owner.
        events : ndarray of EVENT_DTYPE
            Receives the events, from its start. Only the first 64 bytes of a row, and the refused
            `command`, are filled; the rest is zero.
        trades_only : bool
            Write only TRADE rows; `seq` advances as if the others were written.

        Returns
        -------
        consumed, produced : int
            Commands applied and rows written. If `events` has no room for all events of the next
            command, nothing of it is applied and `rows_needed` says how many rows it needs;
            else `rows_needed` is 0.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            Wrong arrays; a row that is no command at all (nothing is applied); a second thread.
        """
        cdef Batch batch
        batch_open(&batch, commands, events, trades_only)
        try:
            check_alone(self)
            self.busy = True
            with nogil:
                batch.malformed = row_malformed(batch.commands, batch.count)
                if batch.malformed < 0:
                    batch.consumed = book_apply_all(
                        &self.state, batch.commands, batch.count, &batch.sink, &batch.needed,
                    )
            self.busy = False
            self.rows_needed = batch_end(&batch)
            return batch.consumed, batch.sink.count
        finally:
            batch_close(&batch)

    @property
    def best_bid(self):
        """The highest buying price, or None."""
        cdef int64_t price
        check_alone(self)
        return price if book_best(&self.state, SIDE_BUY, &price) else None

    @property
    def best_ask(self):
        """The lowest selling price, or None."""
        cdef int64_t price
        check_alone(self)
        return price if book_best(&self.state, SIDE_SELL, &price) else None

    @property
    def price_min(self):
        return self.state.ladder.price_min

    @property
    def price_max(self):
        return self.state.ladder.price_max

    @property
    def order_count_max(self):
        return self.state.pool.order_count_max

    def __len__(self):
        """How many orders rest."""
        return self.state.pool.order_count

    def __contains__(self, order_id):
        """Whether an order of this id rests."""
        check_alone(self)
        return book_order(&self.state, exact_uint64(order_id, "order_id")) != NULL

    def depth(self, levels=None):
        """The best levels of both sides, best first; all without `levels`.

        Returns
        -------
        bids, asks : list of (price, tonnes, order count)
        """
        check_alone(self)
        if levels is not None:
            levels = exact_uint32(levels, "levels")
        return (
            ladder_depth(&self.state.ladder, SIDE_BUY, levels),
            ladder_depth(&self.state.ladder, SIDE_SELL, levels),
        )

    def depth_into(self, side, levels):
        """Fill an array with the best levels of a side, best first.

        Parameters
        ----------
        side : int or Side
        levels : ndarray of LEVEL_DTYPE
            Filled from its start, as far as it or the side goes.

        Returns
        -------
        int
            How many were filled.
        """
        check_alone(self)
        return levels_into(&self.state.ladder, exact_side(side), levels)

    def orders(self, side, price):
        """Ids of the orders of a side at a price, oldest first."""
        check_alone(self)
        return ladder_orders_at(
            &self.state.ladder, &self.state.pool, exact_side(side), exact_int64(price, "price"),
        )

    def orders_into(self, orders):
        """Fill an array with resting orders: bids, then asks, best first, oldest first.

        Parameters
        ----------
        orders : ndarray of ORDER_DTYPE
            Filled from its start, as far as it goes; `len(book)` rows hold all.

        Returns
        -------
        int
            How many were filled.
        """
        check_alone(self)
        self.busy = True
        try:
            return orders_into(&self.state.ladder, &self.state.pool, orders, 0)
        finally:
            self.busy = False

    def order(self, order_id):
        """A resting order as a dict, or None."""
        cdef const Order* order
        check_alone(self)
        order = book_order(&self.state, exact_uint64(order_id, "order_id"))
        if order == NULL:
            return None
        return {
            "order_id": order.order_id, "side": order.side, "price": order.price,
            "tonnes_open": order.tonnes_open, "owner": order.owner,
            "post_only": bool(order.flags & ORDER_FLAG_POST_ONLY),
        }

    def check(self):
        """Raise AssertionError with the first broken invariant."""
        cdef uint32_t slot
        cdef uint32_t live = 0
        cdef object resting = 0
        check_alone(self)
        broken = ladder_broken(&self.state.ladder, &self.state.pool, 0)
        if broken is not None:
            raise AssertionError(broken)
        for side in self.depth():
            resting += sum([level[2] for level in side])
        for slot in range(1, self.state.pool.slot_last + 1):
            if self.state.pool.orders[slot].side != 0:
                live += 1
                if book_order(&self.state, self.state.pool.orders[slot].order_id) != (
                    &self.state.pool.orders[slot]
                ):
                    raise AssertionError("a live order must be found by its id")
        if not live == resting == self.state.pool.order_count:
            raise AssertionError("a live order must be at exactly one level")
        if not free_slots_fit(&self.state):
            raise AssertionError("a slot must be free or hold a live order")

    def state_hash(self):
        """Hash of the whole state, protocol/state_hash.md."""
        cdef uint64_t total
        check_alone(self)
        self.busy = True
        with nogil:
            total = book_sum(&self.state)
        self.busy = False
        return total

    def snapshot(self):
        """The whole book as bytes, for `restore`; protocol/state_hash.md."""
        cdef bytes data
        check_alone(self)
        self.busy = True
        try:
            data = book_snapshot(&self.state)
        finally:
            self.busy = False
        return data

    @classmethod
    def restore(cls, data, order_count_max=None):
        """The book that a snapshot was taken of.

        Parameters
        ----------
        data : bytes
            From `snapshot`.
        order_count_max : int, optional
            By default that of the snapshot; at least the most orders that ever rested at once.

        Raises
        ------
        ValueError
            Not a snapshot of a book, or a damaged one.
        """
        cdef const SnapshotHeader* header = snapshot_header(data)
        cdef OrderBook book = cls(
            header.price_min, header.price_max,
            order_count_max=header.order_count_max if order_count_max is None else order_count_max,
            self_trade=self_trade_word(header.self_trade), levels_max=header.levels_max,
            pick_allowed=bool(header.pick_allowed),
        )
        book_fill(&book.state, header)
        return book

    def copy(self):
        """A book of its own in the same state; so do `copy.copy`, `copy.deepcopy` and pickle."""
        return type(self).restore(self.snapshot())

    def __reduce__(self):
        # What a subclass has beside the book's state goes along.
        return type(self).restore, (self.snapshot(),), getattr(self, "__dict__", None)

    def __repr__(self):
        # From any thread, also while another one is inside.
        cdef int64_t price
        bid = price if book_best(&self.state, SIDE_BUY, &price) else None
        ask = price if book_best(&self.state, SIDE_SELL, &price) else None
        return (
            f"<{type(self).__name__} {self.price_min}..{self.price_max}: {len(self)} of "
            f"{self.order_count_max} orders, bid {bid}, ask {ask}>"
        )

    def _repr_html_(self):
        # What a notebook shows: numbers only, so there is nothing to escape.
        bids, asks = self.depth(HTML_LEVELS)
        rows = [("", "", *level) for level in reversed(asks)]
        rows += [(orders, tonnes, price, "", "") for price, tonnes, orders in bids]
        heads = ("orders", "t bid", "price", "t asked", "orders")
        lines = "".join(
            f"<tr>{''.join([f'<td>{cell}</td>' for cell in row])}</tr>" for row in (heads, *rows)
        )
        return f"<table><caption>{repr(self).strip("<>")}</caption>{lines}</table>"

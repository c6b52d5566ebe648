"""Limit order book of one product: a price ladder with a queue at each level.

Contents: errors, storage, bitmap, price levels, walking, ids, events, matching, commands, views,
invariants, Python edge.

A level is an array index, `price - price_min`; the arrays are reserved address space that costs
memory only where orders are. One bitmap serves both sides, because a book is never crossed: what
lies above the best ask are asks, what lies below the best bid are bids.

Nothing here knows money, accounts or the trading day. `cea_exchange._market` builds on the same
functions.
"""

cimport cython
import numpy as np

from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer,
)
from cpython.long cimport (
    PyLong_AsLongLongAndOverflow, PyLong_AsUnsignedLongLong, PyLong_CheckExact,
)
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport abort, free, realloc
from libc.string cimport memcpy, memset

from cea_exchange._records cimport *

from cea_exchange.domain.records import COMMAND_DTYPE, EVENT_DTYPE


cdef extern from *:
    int trailing_zeros "__builtin_ctzll"(uint64_t word) noexcept nogil
    int leading_zeros "__builtin_clzll"(uint64_t word) noexcept nogil


cdef extern from "<sys/mman.h>" nogil:
    void* mmap(void* address, size_t length, int protection, int flags, int fd, long offset)
    int munmap(void* address, size_t length)
    int PROT_READ
    int PROT_WRITE
    int MAP_PRIVATE
    int MAP_ANONYMOUS
    int MAP_NORESERVE
    void* MAP_FAILED


cdef enum:
    DENSE_IDS = 1 << 26       # 256 MiB of address space at most.

LEVEL_COUNT_MAX = 1 << 36

if sizeof(Order) != 64 or sizeof(Level) != 32:
    raise ImportError(f"Order and Level are {sizeof(Order)} and {sizeof(Level)} bytes, not 64, 32")


# -- Errors ---------------------------------------------------------------------------------------

cdef inline void invariant(bint holds) noexcept nogil:
    """Stop the process when an invariant is broken: `assert` would be swallowed here."""
    if not holds:
        abort()


cdef int64_t exact_int64(object value, str name) except? -1:
    """Convert without rounding: Cython's own conversion turns 60.05 into 60."""
    cdef int overflow = 0
    cdef int64_t number
    if not PyLong_CheckExact(value):
        raise TypeError(f"{name} must be int, was {type(value).__name__}")
    number = PyLong_AsLongLongAndOverflow(value, &overflow)
    if overflow != 0:
        raise ValueError(f"{name} must fit 64 bits, was {value}")
    return number


cdef uint64_t exact_uint64(object value, str name) except? 0xFFFFFFFFFFFFFFFF:
    cdef int overflow = 0
    cdef int64_t number
    if not PyLong_CheckExact(value):
        raise TypeError(f"{name} must be int, was {type(value).__name__}")
    number = PyLong_AsLongLongAndOverflow(value, &overflow)
    if overflow > 0 and value < 1 << 64:
        return PyLong_AsUnsignedLongLong(value)
    if overflow != 0 or number < 0:
        raise ValueError(f"{name} must be within 0..2^64-1, was {value}")
    return <uint64_t>number


cdef uint32_t exact_uint32(object value, str name) except? 0xFFFFFFFF:
    cdef int64_t number = exact_int64(value, name)
    if not 0 <= number <= 0xFFFFFFFF:
        raise ValueError(f"{name} must be within 0..2^32-1, was {value}")
    return <uint32_t>number


cdef int side_exact(object side) except -1:
    """1 or 2; IntEnum members are welcome, bools and floats are not."""
    if isinstance(side, int) and type(side) is not bool:
        if side == SIDE_BUY:
            return SIDE_BUY
        if side == SIDE_SELL:
            return SIDE_SELL
        raise ValueError(f"side must be 1 (buy) or 2 (sell), was {side!r}")
    raise TypeError(f"side must be int, was {type(side).__name__}")


cdef int records_check(object array, object dtype, str name) except -1:
    """Refuse what is not a one-dimensional array of the record."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} must be a numpy array, was {type(array).__name__}")
    if array.dtype is not dtype and array.dtype != dtype:
        raise TypeError(f"{name} must have the record's dtype, had {array.dtype}")
    if array.ndim != 1:
        raise TypeError(f"{name} must have one dimension, had {array.ndim}")
    return 0


cdef int buffer_take(object array, Py_buffer* view, int flags, str name) except -1:
    try:
        PyObject_GetBuffer(array, view, flags)
    except (ValueError, BufferError) as error:
        raise TypeError(f"{name} must be contiguous, and events writable: {error}") from None
    return 0


# -- Storage --------------------------------------------------------------------------------------

cdef void* memory_reserve(size_t bytes_count) noexcept nogil:
    """Zeroed address space that takes memory only where it is touched, or NULL."""
    cdef void* memory = mmap(
        NULL, bytes_count, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0,
    )
    return NULL if memory == MAP_FAILED else memory


cdef void memory_return(void* memory, size_t bytes_count) noexcept nogil:
    if memory != NULL:
        munmap(memory, bytes_count)


cdef bint pool_open(OrderPool* pool, uint32_t order_count_max) noexcept nogil:
    memset(pool, 0, sizeof(OrderPool))
    pool.order_count_max = order_count_max
    pool.orders = <Order*>memory_reserve((<size_t>order_count_max + 1) * sizeof(Order))
    return pool.orders != NULL


cdef void pool_close(OrderPool* pool) noexcept nogil:
    memory_return(pool.orders, (<size_t>pool.order_count_max + 1) * sizeof(Order))
    pool.orders = NULL


cdef uint32_t slot_acquire(OrderPool* pool) noexcept nogil:
    """Return a free slot, or `SLOT_NONE` when the pool is full."""
    cdef uint32_t slot = pool.free_slot
    if pool.order_count == pool.order_count_max:
        return SLOT_NONE
    pool.order_count += 1
    if slot != SLOT_NONE:
        pool.free_slot = pool.orders[slot].newer
        return slot
    pool.slot_last += 1
    return pool.slot_last


cdef void slot_release(OrderPool* pool, uint32_t slot) noexcept nogil:
    pool.orders[slot].side = 0
    pool.orders[slot].newer = pool.free_slot
    pool.free_slot = slot
    pool.order_count -= 1


cdef bint book_open(Book* book, int64_t price_min, int64_t price_max) noexcept nogil:
    """Reserve an empty book; False when the address space is not to be had."""
    cdef size_t count = <size_t>(price_max - price_min) + 1
    cdef size_t words = count
    cdef size_t words_all = 0
    cdef size_t offsets[BITMAP_HEIGHT_MAX]
    cdef int height = 0
    memset(book, 0, sizeof(Book))
    book.price_min = price_min
    book.price_max = price_max
    book.best[SIDE_BUY] = LEVEL_NONE
    book.best[SIDE_SELL] = LEVEL_NONE
    while True:
        words = (words + 63) >> 6
        offsets[height] = words_all
        words_all += words
        height += 1
        if words == 1:
            break
    book.bitmap_height = height
    book.bitmap_bytes = words_all * 8
    book.level_bytes = count * sizeof(Level)
    book.bitmap_memory = <uint64_t*>memory_reserve(book.bitmap_bytes)
    book.levels = <Level*>memory_reserve(book.level_bytes)
    if book.bitmap_memory == NULL or book.levels == NULL:
        book_close(book)
        return False
    for height in range(book.bitmap_height):
        book.bitmap[height] = book.bitmap_memory + offsets[height]
    return True


cdef void book_close(Book* book) noexcept nogil:
    memory_return(book.bitmap_memory, book.bitmap_bytes)
    memory_return(book.levels, book.level_bytes)
    book.bitmap_memory = NULL
    book.levels = NULL


# -- Bitmap ---------------------------------------------------------------------------------------

cdef inline void bitmap_set(Book* book, int64_t index) noexcept nogil:
    cdef int height
    cdef uint64_t before
    cdef uint64_t* word
    for height in range(book.bitmap_height):
        word = &book.bitmap[height][index >> 6]
        before = word[0]
        word[0] = before | (<uint64_t>1 << (index & 63))
        if before != 0:
            return
        index >>= 6


cdef inline void bitmap_clear(Book* book, int64_t index) noexcept nogil:
    cdef int height
    cdef uint64_t* word
    for height in range(book.bitmap_height):
        word = &book.bitmap[height][index >> 6]
        word[0] &= ~(<uint64_t>1 << (index & 63))
        if word[0] != 0:
            return
        index >>= 6


cdef inline int64_t bitmap_above(const Book* book, int64_t index) noexcept nogil:
    """The lowest occupied level above `index`, or `LEVEL_NONE`."""
    cdef int height = 0
    cdef uint64_t word
    while height < book.bitmap_height:
        # Two shifts: one by 64 would be undefined.
        word = book.bitmap[height][index >> 6] & ((~<uint64_t>0 << (index & 63)) << 1)
        if word != 0:
            index = ((index >> 6) << 6) + trailing_zeros(word)
            while height > 0:
                height -= 1
                index = (index << 6) + trailing_zeros(book.bitmap[height][index])
            return index
        index >>= 6
        height += 1
    return LEVEL_NONE


cdef inline int64_t bitmap_below(const Book* book, int64_t index) noexcept nogil:
    """The highest occupied level below `index`, or `LEVEL_NONE`."""
    cdef int height = 0
    cdef uint64_t word
    while height < book.bitmap_height:
        word = book.bitmap[height][index >> 6] & ((<uint64_t>1 << (index & 63)) - 1)
        if word != 0:
            index = ((index >> 6) << 6) + 63 - leading_zeros(word)
            while height > 0:
                height -= 1
                index = (index << 6) + 63 - leading_zeros(book.bitmap[height][index])
            return index
        index >>= 6
        height += 1
    return LEVEL_NONE


# -- Price levels ---------------------------------------------------------------------------------

cdef bint price_crosses(int side, int64_t price, int64_t resting_price) noexcept nogil:
    """Whether an order of `side` at `price` can trade with one that rests at `resting_price`."""
    return price >= resting_price if side == SIDE_BUY else price <= resting_price


cdef int64_t level_worse(const Book* book, int side, int64_t index) noexcept nogil:
    """The next level of `side` behind `index`, or `LEVEL_NONE`."""
    return bitmap_below(book, index) if side == SIDE_BUY else bitmap_above(book, index)


cdef void book_rest(Book* book, OrderPool* pool, uint32_t slot) noexcept nogil:
    """Put the order in `slot` at the back of its level."""
    cdef Order* order = &pool.orders[slot]
    cdef int64_t index = order.price - book.price_min
    cdef Level* level = &book.levels[index]
    cdef int64_t best = book.best[order.side]
    order.older = level.newest
    order.newer = SLOT_NONE
    if level.newest == SLOT_NONE:
        level.oldest = slot
        bitmap_set(book, index)
        if best == LEVEL_NONE or (index > best if order.side == SIDE_BUY else index < best):
            book.best[order.side] = index
    else:
        pool.orders[level.newest].newer = slot
    level.newest = slot
    level.order_count += 1
    level.tonnes += order.tonnes_open


cdef void book_unlink(Book* book, OrderPool* pool, uint32_t slot) noexcept nogil:
    """Take the order in `slot` out of its level; the slot stays its own."""
    cdef Order* order = &pool.orders[slot]
    cdef int64_t index = order.price - book.price_min
    cdef Level* level = &book.levels[index]
    if order.older != SLOT_NONE:
        pool.orders[order.older].newer = order.newer
    else:
        level.oldest = order.newer
    if order.newer != SLOT_NONE:
        pool.orders[order.newer].older = order.older
    else:
        level.newest = order.older
    level.order_count -= 1
    level.tonnes -= order.tonnes_open
    if level.oldest == SLOT_NONE:
        bitmap_clear(book, index)
        if book.best[order.side] == index:
            book.best[order.side] = level_worse(book, order.side, index)


cdef void book_reduce(Book* book, OrderPool* pool, uint32_t slot, int64_t tonnes) noexcept nogil:
    """Lower what is open of a resting order, which keeps its place."""
    cdef Order* order = &pool.orders[slot]
    order.tonnes_open -= tonnes
    book.levels[order.price - book.price_min].tonnes -= tonnes


# -- Walking --------------------------------------------------------------------------------------

cdef void book_walk(
    const Book* book, const OrderPool* pool, uint32_t owner, int side, int64_t price,
    int64_t tonnes, uint32_t levels_max, Walk* walk,
) noexcept nogil:
    """Find what an order would take, and change nothing. `levels_max` 0 is no limit."""
    cdef int opposite = SIDE_BUY + SIDE_SELL - side
    cdef int64_t index = book.best[opposite]
    cdef uint32_t levels = 0
    cdef uint32_t slot
    cdef const Order* maker
    memset(walk, 0, sizeof(Walk))
    while index != LEVEL_NONE and price_crosses(side, price, book.price_min + index):
        if levels_max != 0 and levels == levels_max:
            walk.crosses_still = tonnes > 0
            break
        slot = book.levels[index].oldest
        while slot != SLOT_NONE and tonnes > 0:
            maker = &pool.orders[slot]
            walk.makers += 1
            walk.self_met |= maker.owner == owner
            if maker.tonnes_open > tonnes:
                tonnes = 0
                break
            tonnes -= maker.tonnes_open
            walk.makers_filled += 1
            slot = maker.newer
        if tonnes == 0:
            break
        levels += 1
        index = level_worse(book, opposite, index)
    walk.tonnes_left = tonnes


# -- Ids ------------------------------------------------------------------------------------------

cdef inline uint64_t id_home(const IdIndex* index, uint64_t order_id) noexcept nogil:
    order_id = (order_id ^ (order_id >> 32)) * <uint64_t>0x9E3779B97F4A7C15
    return (order_id ^ (order_id >> 29)) & index.hash_mask


cdef bint index_open(IdIndex* index, uint32_t order_count_max) noexcept nogil:
    cdef uint64_t cells = 64
    while cells < 2 * <uint64_t>order_count_max:
        cells *= 2
    memset(index, 0, sizeof(IdIndex))
    index.hash_mask = cells - 1
    index.hash_bytes = cells * sizeof(uint32_t)
    index.dense = <uint32_t*>memory_reserve(DENSE_IDS * sizeof(uint32_t))
    index.hashed = <uint32_t*>memory_reserve(index.hash_bytes)
    return index.dense != NULL and index.hashed != NULL


cdef void index_close(IdIndex* index) noexcept nogil:
    memory_return(index.dense, DENSE_IDS * sizeof(uint32_t))
    memory_return(index.hashed, index.hash_bytes)


cdef inline uint32_t index_find(
    const IdIndex* index, const OrderPool* pool, uint64_t order_id,
) noexcept nogil:
    """The slot of a live order, or `SLOT_NONE`."""
    cdef uint64_t cell
    cdef uint32_t slot
    if order_id < DENSE_IDS:
        return index.dense[order_id]
    cell = id_home(index, order_id)
    while True:
        slot = index.hashed[cell]
        if slot == SLOT_NONE or pool.orders[slot].order_id == order_id:
            return slot
        cell = (cell + 1) & index.hash_mask


cdef inline void index_put(IdIndex* index, uint64_t order_id, uint32_t slot) noexcept nogil:
    cdef uint64_t cell
    if order_id < DENSE_IDS:
        index.dense[order_id] = slot
        return
    cell = id_home(index, order_id)
    while index.hashed[cell] != SLOT_NONE:
        cell = (cell + 1) & index.hash_mask
    index.hashed[cell] = slot


cdef void index_drop(IdIndex* index, const OrderPool* pool, uint64_t order_id) noexcept nogil:
    """Forget a live order; the cells behind it move up, so no marks are left in the table."""
    cdef uint64_t hole
    cdef uint64_t cell
    cdef uint64_t home
    if order_id < DENSE_IDS:
        index.dense[order_id] = SLOT_NONE
        return
    hole = id_home(index, order_id)
    while pool.orders[index.hashed[hole]].order_id != order_id:
        hole = (hole + 1) & index.hash_mask
    cell = hole
    while True:
        cell = (cell + 1) & index.hash_mask
        if index.hashed[cell] == SLOT_NONE:
            break
        home = id_home(index, pool.orders[index.hashed[cell]].order_id)
        if ((cell - home) & index.hash_mask) >= ((cell - hole) & index.hash_mask):
            index.hashed[hole] = index.hashed[cell]
            hole = cell
    index.hashed[hole] = SLOT_NONE


# -- Events ---------------------------------------------------------------------------------------

cdef inline EventRecord* event_open(
    BookState* state, uint8_t kind, const Order* order,
) noexcept nogil:
    """The next event's row, about an order."""
    cdef EventRecord* row = &state.scratch
    if not state.trades_only or kind == EVENT_KIND_TRADE:
        row = &state.events[state.rows_written]
        state.rows_written += 1
    memset(row, 0, sizeof(EventRecord))
    state.event_seq += 1
    row.kind = kind
    row.side = order.side
    row.product_index = state.product_index
    row.operator_index = state.operator_index
    row.account_index = order.owner
    row.counter_account_index = ACCOUNT_NONE
    row.order_id = order.order_id
    row.price = order.price
    row.tonnes = order.tonnes_open
    row.tonnes_open = order.tonnes_open
    row.seq = state.event_seq
    return row


cdef int64_t reject_emit(
    BookState* state, const Order* wanted, const CommandRecord* command, uint8_t reason,
) noexcept nogil:
    """Refuse a command. Returns the rows it needs if there is no room, else 0."""
    cdef EventRecord* row
    if not state.trades_only and state.rows_free == state.rows_written:
        return 1
    row = event_open(state, EVENT_KIND_ORDER_REJECTED, wanted)
    row.reason = reason
    row.tonnes_open = 0
    row.command = command.kind
    return 0


# -- Matching -------------------------------------------------------------------------------------

cdef uint8_t terms_refused(const BookState* state, const Order* wanted) noexcept nogil:
    if wanted.tonnes_open <= 0:
        return REASON_TONNES_NOT_POSITIVE
    if wanted.price < state.book.price_min or wanted.price > state.book.price_max:
        return REASON_PRICE_OUT_OF_BAND
    return REASON_NONE


cdef uint32_t pick_find(
    const BookState* state, const Order* taker, uint64_t pick_order_id, Walk* walk,
) noexcept nogil:
    """The slot of the named order if it may be taken, else `SLOT_NONE`."""
    cdef uint32_t slot = index_find(&state.index, &state.pool, pick_order_id)
    cdef const Order* maker = &state.pool.orders[slot]
    cdef int opposite = SIDE_BUY + SIDE_SELL - taker.side
    memset(walk, 0, sizeof(Walk))
    if slot == SLOT_NONE or maker.side != opposite or (
        maker.owner == taker.owner and not state.self_trade_allowed
    ):
        return SLOT_NONE
    if maker.price != state.book.price_min + state.book.best[opposite]:
        return SLOT_NONE
    if not price_crosses(taker.side, taker.price, maker.price):
        return SLOT_NONE
    walk.makers = 1
    if maker.tonnes_open <= taker.tonnes_open:
        walk.makers_filled = 1
        walk.tonnes_left = taker.tonnes_open - maker.tonnes_open
    return slot


cdef uint8_t match_plan(
    const BookState* state, const Order* taker, const CommandRecord* command,
    Walk* walk, uint32_t* picked_slot, uint8_t* remainder_reason,
) noexcept nogil:
    """Find what the order takes and what becomes of the rest, or say why it may not."""
    cdef bint enters = command.kind == COMMAND_KIND_ENTER
    picked_slot[0] = SLOT_NONE
    remainder_reason[0] = REASON_NONE
    if enters and command.pick_order_id != 0:
        remainder_reason[0] = REASON_PICK_REMAINDER
        picked_slot[0] = pick_find(state, taker, command.pick_order_id, walk)
        if picked_slot[0] == SLOT_NONE:
            return REASON_PICK_NOT_AVAILABLE
    else:
        book_walk(
            &state.book, &state.pool, taker.owner, taker.side, taker.price, taker.tonnes_open,
            state.levels_max, walk,
        )
        if walk.self_met and not state.self_trade_allowed:
            return REASON_SELF_TRADE
        if walk.crosses_still:
            remainder_reason[0] = REASON_LEVELS_EXHAUSTED
        elif enters and command.tif == TIF_IOC:
            remainder_reason[0] = REASON_IOC
    if taker.flags & ORDER_FLAG_POST_ONLY and walk.makers > 0:
        return REASON_POST_ONLY_WOULD_TRADE
    if walk.tonnes_left == 0:
        return REASON_NONE
    if enters and command.tif == TIF_FOK:
        return REASON_FOK_NOT_FILLABLE
    if enters and remainder_reason[0] == REASON_NONE:
        if state.pool.order_count - walk.makers_filled + 1 > state.pool.order_count_max:
            return REASON_CAPACITY
    return REASON_NONE


cdef inline void order_trade(BookState* state, Order* taker, uint32_t slot) noexcept nogil:
    """Trade a taker with the resting order in `slot`, as much as both have."""
    cdef Order* maker = &state.pool.orders[slot]
    cdef int64_t tonnes = maker.tonnes_open
    cdef EventRecord* row
    if taker.tonnes_open < tonnes:
        tonnes = taker.tonnes_open
    taker.tonnes_open -= tonnes
    row = event_open(state, EVENT_KIND_TRADE, taker)
    row.counter_account_index = maker.owner
    row.counter_order_id = maker.order_id
    row.method = METHOD_LISTED
    row.price = maker.price
    row.tonnes = tonnes
    book_reduce(&state.book, &state.pool, slot, tonnes)
    if maker.tonnes_open == 0:
        order_remove(state, slot)


cdef void order_remove(BookState* state, uint32_t slot) noexcept nogil:
    book_unlink(&state.book, &state.pool, slot)
    index_drop(&state.index, &state.pool, state.pool.orders[slot].order_id)
    slot_release(&state.pool, slot)


cdef void order_match(
    BookState* state, Order* taker, const Walk* walk, uint32_t picked_slot,
    uint8_t remainder_reason,
) noexcept nogil:
    """Trade as planned, then rest or cancel what is left."""
    cdef int opposite = SIDE_BUY + SIDE_SELL - taker.side
    cdef uint32_t slot
    cdef uint32_t trade
    cdef EventRecord* row
    if picked_slot != SLOT_NONE:
        order_trade(state, taker, picked_slot)
    else:
        for trade in range(walk.makers):
            order_trade(state, taker, state.book.levels[state.book.best[opposite]].oldest)
    if taker.tonnes_open == 0:
        return
    if remainder_reason != REASON_NONE:
        row = event_open(state, EVENT_KIND_ORDER_CANCELED, taker)
        row.reason = remainder_reason
        row.tonnes_open = 0
        return
    slot = slot_acquire(&state.pool)
    invariant(slot != SLOT_NONE)
    state.priority_last += 1
    taker.priority = state.priority_last
    state.pool.orders[slot] = taker[0]
    book_rest(&state.book, &state.pool, slot)
    index_put(&state.index, taker.order_id, slot)
    event_open(state, EVENT_KIND_ORDER_RESTED, taker)


# -- Commands -------------------------------------------------------------------------------------

cdef int64_t enter_apply(BookState* state, const CommandRecord* command) noexcept nogil:
    cdef Order taker
    cdef Walk walk
    cdef uint32_t picked_slot
    cdef uint8_t remainder_reason
    cdef uint8_t reason
    cdef int64_t rows
    cdef EventRecord* row
    memset(&taker, 0, sizeof(Order))
    taker.order_id = command.order_id
    taker.price = command.price
    taker.tonnes_open = command.tonnes
    taker.owner = command.account_index
    taker.side = command.side
    taker.flags = command.flags
    reason = REASON_ORDER_ID_DUPLICATE
    if index_find(&state.index, &state.pool, command.order_id) == SLOT_NONE:
        reason = terms_refused(state, &taker)
    if reason == REASON_NONE:
        reason = match_plan(state, &taker, command, &walk, &picked_slot, &remainder_reason)
    if reason != REASON_NONE:
        return reject_emit(state, &taker, command, reason)
    rows = walk.makers
    if not state.trades_only:
        rows += 1 + (walk.tonnes_left > 0)
    if rows > state.rows_free - state.rows_written:
        return rows
    row = event_open(state, EVENT_KIND_ORDER_ACCEPTED, &taker)
    row.counter_order_id = command.pick_order_id
    order_match(state, &taker, &walk, picked_slot, remainder_reason)
    return 0


cdef int64_t cancel_apply(BookState* state, const CommandRecord* command) noexcept nogil:
    cdef Order order
    cdef EventRecord* row
    cdef uint32_t slot = target_find(state, command, &order)
    if slot == SLOT_NONE:
        return reject_emit(state, &order, command, REASON_ORDER_UNKNOWN)
    if not state.trades_only and state.rows_free == state.rows_written:
        return 1
    row = event_open(state, EVENT_KIND_ORDER_CANCELED, &order)
    row.reason = REASON_REQUESTED
    row.tonnes_open = 0
    order_remove(state, slot)
    return 0


cdef uint32_t target_find(
    const BookState* state, const CommandRecord* command, Order* order,
) noexcept nogil:
    """The slot of the order a command names; `order` becomes it, or what the command says."""
    cdef uint32_t slot = index_find(&state.index, &state.pool, command.order_id)
    if slot != SLOT_NONE:
        order[0] = state.pool.orders[slot]
        return slot
    memset(order, 0, sizeof(Order))
    order.order_id = command.order_id
    order.owner = command.account_index
    order.price = command.price
    order.tonnes_open = command.tonnes
    return SLOT_NONE


cdef int64_t amend_apply(BookState* state, const CommandRecord* command) noexcept nogil:
    """Fewer tonnes at the same price keep the place; else the order arrives anew."""
    cdef Order wanted
    cdef Order* order
    cdef Walk walk
    cdef uint32_t picked_slot
    cdef uint8_t remainder_reason
    cdef uint8_t reason
    cdef bint keeps_place
    cdef int64_t rows
    cdef uint32_t slot = target_find(state, command, &wanted)
    if slot == SLOT_NONE:
        return reject_emit(state, &wanted, command, REASON_ORDER_UNKNOWN)
    order = &state.pool.orders[slot]
    wanted.price = command.price
    wanted.tonnes_open = command.tonnes
    reason = terms_refused(state, &wanted)
    if reason == REASON_NONE:
        reason = match_plan(state, &wanted, command, &walk, &picked_slot, &remainder_reason)
    if reason != REASON_NONE:
        return reject_emit(state, &wanted, command, reason)
    keeps_place = wanted.price == order.price and wanted.tonnes_open < order.tonnes_open
    rows = walk.makers
    if not state.trades_only:
        rows += 1 + (walk.tonnes_left > 0 and not keeps_place)
    if rows > state.rows_free - state.rows_written:
        return rows
    event_open(state, EVENT_KIND_ORDER_AMENDED, &wanted)
    if keeps_place:
        book_reduce(&state.book, &state.pool, slot, order.tonnes_open - wanted.tonnes_open)
        return 0
    order_remove(state, slot)
    order_match(state, &wanted, &walk, SLOT_NONE, remainder_reason)
    return 0


cdef int64_t command_apply(BookState* state, const CommandRecord* command) noexcept nogil:
    """Apply one command. Returns the rows it needs if there is no room for them, else 0."""
    state.product_index = command.product_index
    state.operator_index = command.operator_index
    if command.kind == COMMAND_KIND_ENTER:
        return enter_apply(state, command)
    if command.kind == COMMAND_KIND_CANCEL:
        return cancel_apply(state, command)
    return amend_apply(state, command)


cdef int64_t row_malformed(const CommandRecord* commands, int64_t count) noexcept nogil:
    """The first row that is no command at all, or -1."""
    cdef int64_t row
    cdef const CommandRecord* command
    for row in range(count):
        command = &commands[row]
        if command.kind < COMMAND_KIND_ENTER or command.kind > COMMAND_KIND_AMEND:
            return row
        if command.reserved != 0:
            return row
        if command.kind == COMMAND_KIND_ENTER and (
            command.side < SIDE_BUY or command.side > SIDE_SELL or command.tif > TIF_FOK
            or command.flags > ORDER_FLAG_POST_ONLY
        ):
            return row
    return -1


# -- Views ----------------------------------------------------------------------------------------

cdef object int_of_128(uint128 value):
    """A Python int of a non-negative 128-bit number."""
    return (int(<uint64_t>(value >> 64)) << 64) | int(<uint64_t>value)


cdef list book_depth(const Book* book, int side, object levels):
    """(price, tonnes, order count) of the best levels of a side; `levels` None for all."""
    cdef list rows = []
    cdef int64_t index = book.best[side]
    while index != LEVEL_NONE and (levels is None or len(rows) < levels):
        rows.append((
            book.price_min + index,
            int_of_128(<uint128>book.levels[index].tonnes),
            book.levels[index].order_count,
        ))
        index = level_worse(book, side, index)
    return rows


cdef list book_orders_at(const Book* book, const OrderPool* pool, int side, int64_t price):
    """Ids of the orders of a side at a price, oldest first."""
    cdef list ids = []
    cdef uint32_t slot
    if not book.price_min <= price <= book.price_max:
        return ids
    slot = book.levels[price - book.price_min].oldest
    if slot != SLOT_NONE and pool.orders[slot].side == side:
        while slot != SLOT_NONE:
            ids.append(pool.orders[slot].order_id)
            slot = pool.orders[slot].newer
    return ids


# -- Invariants -----------------------------------------------------------------------------------

cdef str level_broken(
    const Book* book, const OrderPool* pool, int side, int64_t index, int product,
):
    cdef const Level* level = &book.levels[index]
    cdef const Order* order
    cdef uint32_t slot = level.oldest
    cdef uint32_t older = SLOT_NONE
    cdef uint32_t count = 0
    cdef uint64_t priority = 0
    cdef int128 tonnes = 0
    while slot != SLOT_NONE:
        order = &pool.orders[slot]
        if order.side != side or order.price != book.price_min + index:
            return f"order {order.order_id} stands at a level that is not its own"
        if order.product_index != product:
            return f"order {order.order_id} stands in another product's book"
        if order.older != older:
            return f"order {order.order_id} does not know the one before it"
        if order.tonnes_open <= 0:
            return f"order {order.order_id} rests with {order.tonnes_open} t open"
        if order.priority <= priority:
            return f"order {order.order_id} stands before an older one"
        priority = order.priority
        tonnes += order.tonnes_open
        count += 1
        older = slot
        slot = order.newer
    if count == 0 or level.newest != older or level.order_count != count:
        return f"the queue at {book.price_min + index} is not what its level counts"
    if tonnes != level.tonnes:
        return f"the level at {book.price_min + index} does not add up to its orders"
    return None


cdef str book_broken(const Book* book, const OrderPool* pool, int product_index):
    """The first broken invariant of a book as a sentence, or None."""
    cdef int64_t index
    cdef int side
    cdef str broken
    cdef int64_t buy = book.best[SIDE_BUY]
    cdef int64_t sell = book.best[SIDE_SELL]
    if buy != LEVEL_NONE and sell != LEVEL_NONE and buy >= sell:
        return "the book is crossed"
    for side in (SIDE_BUY, SIDE_SELL):
        index = book.best[side]
        if index != LEVEL_NONE and side == SIDE_SELL and bitmap_below(book, index) != buy:
            return "there are levels between the best bid and the best ask"
        if index != LEVEL_NONE and side == SIDE_BUY and bitmap_above(book, index) != sell:
            return "there are levels between the best bid and the best ask"
        while index != LEVEL_NONE:
            broken = level_broken(book, pool, side, index, product_index)
            if broken is not None:
                return broken
            index = level_worse(book, side, index)
    return None


# -- Python edge ----------------------------------------------------------------------------------

@cython.final
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
        One for each resting order it met, in order; id and owner are the resting order's.
    """

    @property
    def accepted(self):
        """False if the command was refused and changed nothing."""
        return self.reason == 0 or self.reason >= REASON_REQUESTED

    def __repr__(self):
        return (
            f"OrderResult(reason={self.reason}, tonnes_open={self.tonnes_open}, "
            f"tonnes_canceled={self.tonnes_canceled}, trades={self.trades})"
        )


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
        `allow`, or `reject`: an order that would meet one of the same owner is refused whole.
    levels_max : int, optional
        Price levels one order may take; what still crosses then is cancelled. No limit by default.

    Notes
    -----
    Order ids are the caller's, any unsigned 64-bit numbers; one may be used again once its order
    is gone. Ids below 2^26 are found by table, others by hash. A second thread inside raises
    RuntimeError.
    """

    def __cinit__(
        self, price_min, price_max, *, order_count_max, self_trade="allow", levels_max=None,
    ):
        cdef int64_t low = exact_int64(price_min, "price_min")
        cdef int64_t high = exact_int64(price_max, "price_max")
        cdef uint32_t count = exact_uint32(order_count_max, "order_count_max")
        if not low <= high:
            raise ValueError(f"price_max must be at least {low}, was {high}")
        if price_max - price_min >= LEVEL_COUNT_MAX:
            raise ValueError(f"a book may have {LEVEL_COUNT_MAX} ticks, not {low}..{high}")
        if not 0 < count < 0xFFFFFFFE:
            raise ValueError(f"order_count_max must be within 1..2^32-3, was {count}")
        if self_trade not in ("allow", "reject"):
            raise ValueError(f"self_trade must be allow or reject, was {self_trade!r}")
        self.state.self_trade_allowed = self_trade == "allow"
        self.state.levels_max = 0 if levels_max is None else exact_uint32(levels_max, "levels_max")
        if not (
            pool_open(&self.state.pool, count)
            and book_open(&self.state.book, low, high)
            and index_open(&self.state.index, count)
        ):
            raise MemoryError(f"cannot reserve a book of {count} orders, ticks {low}..{high}")
        self.rows_capacity = 16
        self.rows = <EventRecord*>realloc(NULL, self.rows_capacity * sizeof(EventRecord))
        if self.rows == NULL:
            raise MemoryError("cannot allocate event rows")

    def __dealloc__(self):
        free(self.rows)
        index_close(&self.state.index)
        book_close(&self.state.book)
        pool_close(&self.state.pool)

    cdef int check_alone(self) except -1:
        if self.busy:
            raise RuntimeError("another thread is inside this book")
        return 0

    cdef OrderResult command_run(self, const CommandRecord* command):
        """Apply one command and say what became of it."""
        cdef BookState* state = &self.state
        cdef OrderResult result
        cdef EventRecord* last = &state.scratch
        cdef EventRecord* rows
        cdef int64_t needed
        self.check_alone()
        state.trades_only = True
        state.rows_written = 0
        state.rows_free = self.rows_capacity
        state.events = self.rows
        needed = command_apply(state, command)
        if needed != 0:
            rows = <EventRecord*>realloc(self.rows, 2 * needed * sizeof(EventRecord))
            if rows == NULL:
                raise MemoryError(f"cannot allocate {needed} event rows")
            self.rows = rows
            self.rows_capacity = 2 * needed
            return self.command_run(command)
        result = OrderResult.__new__(OrderResult)
        result.reason = last.reason
        if last.kind == EVENT_KIND_ORDER_RESTED or (
            # An amend that kept its place is followed by no other event.
            last.kind == EVENT_KIND_ORDER_AMENDED and state.rows_written == 0
        ):
            result.tonnes_open = last.tonnes
        elif last.kind == EVENT_KIND_ORDER_CANCELED:
            result.tonnes_canceled = last.tonnes
        result.trades = ()
        if state.rows_written > 0:
            result.trades = trades_of(self.rows, state.rows_written)
        return result

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
        cdef CommandRecord command
        memset(&command, 0, sizeof(CommandRecord))
        command.kind = COMMAND_KIND_ENTER
        command.order_id = exact_uint64(order_id, "order_id")
        command.side = side_exact(side)
        command.price = exact_int64(price, "price")
        command.tonnes = exact_int64(tonnes, "tonnes")
        command.account_index = exact_uint32(owner, "owner")
        command.pick_order_id = exact_uint64(pick_order_id, "pick_order_id")
        if not isinstance(tif, int) or type(tif) is bool:
            raise TypeError(f"tif must be int, was {type(tif).__name__}")
        if not TIF_DAY <= tif <= TIF_FOK:
            raise ValueError(f"tif must be within 0..2, was {tif!r}")
        if type(post_only) is not bool:
            raise TypeError(f"post_only must be bool, was {type(post_only).__name__}")
        command.tif = tif
        command.flags = ORDER_FLAG_POST_ONLY if post_only else 0
        return self.command_run(&command)

    def cancel(self, order_id):
        """Take what is open of an order off the book.

        Returns
        -------
        OrderResult
            `tonnes_canceled` was open, or the reason is ORDER_UNKNOWN.
        """
        cdef CommandRecord command
        memset(&command, 0, sizeof(CommandRecord))
        command.kind = COMMAND_KIND_CANCEL
        command.order_id = exact_uint64(order_id, "order_id")
        return self.command_run(&command)

    def amend(self, order_id, price, tonnes):
        """Give an order another price and open quantity.

        Fewer tonnes at the same price keep the place; anything else goes to the back of its level
        as a new arrival and may trade. If it is refused the order stays as it was.

        Returns
        -------
        OrderResult
        """
        cdef CommandRecord command
        memset(&command, 0, sizeof(CommandRecord))
        command.kind = COMMAND_KIND_AMEND
        command.order_id = exact_uint64(order_id, "order_id")
        command.price = exact_int64(price, "price")
        command.tonnes = exact_int64(tonnes, "tonnes")
        return self.command_run(&command)

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
        cdef BookState* state = &self.state
        cdef const CommandRecord* rows = <const CommandRecord*>commands.buf
        cdef int64_t count = commands.len // <Py_ssize_t>sizeof(CommandRecord)
        cdef int64_t consumed = 0
        cdef int64_t needed = 0
        cdef int64_t malformed
        state.events = <EventRecord*>events.buf
        state.rows_free = events.len // <Py_ssize_t>sizeof(EventRecord)
        state.rows_written = 0
        state.trades_only = trades_only
        self.busy = True
        with nogil:
            malformed = row_malformed(rows, count)
            if malformed < 0:
                while consumed < count:
                    needed = command_apply(state, &rows[consumed])
                    if needed != 0:
                        break
                    consumed += 1
        self.busy = False
        if malformed >= 0:
            raise malformed_error(malformed)
        self.rows_needed = needed
        return consumed, state.rows_written

    @property
    def best_bid(self):
        """The highest buying price, or None."""
        cdef int64_t level = self.state.book.best[SIDE_BUY]
        self.check_alone()
        return None if level == LEVEL_NONE else self.state.book.price_min + level

    @property
    def best_ask(self):
        """The lowest selling price, or None."""
        cdef int64_t level = self.state.book.best[SIDE_SELL]
        self.check_alone()
        return None if level == LEVEL_NONE else self.state.book.price_min + level

    @property
    def price_min(self):
        return self.state.book.price_min

    @property
    def price_max(self):
        return self.state.book.price_max

    @property
    def order_count_max(self):
        return self.state.pool.order_count_max

    def __len__(self):
        """How many orders rest."""
        return self.state.pool.order_count

    def __contains__(self, order_id):
        """Whether an order of this id rests."""
        self.check_alone()
        return index_find(
            &self.state.index, &self.state.pool, exact_uint64(order_id, "order_id"),
        ) != SLOT_NONE

    def depth(self, levels=None):
        """The best levels of both sides, best first; all without `levels`.

        Returns
        -------
        bids, asks : list of (price, tonnes, order count)
        """
        self.check_alone()
        if levels is not None:
            levels = exact_uint32(levels, "levels")
        return (
            book_depth(&self.state.book, SIDE_BUY, levels),
            book_depth(&self.state.book, SIDE_SELL, levels),
        )

    def orders(self, side, price):
        """Ids of the orders of a side at a price, oldest first."""
        self.check_alone()
        return book_orders_at(
            &self.state.book, &self.state.pool, side_exact(side), exact_int64(price, "price"),
        )

    def order(self, order_id):
        """A resting order as a dict, or None."""
        cdef uint32_t slot
        cdef Order* order
        self.check_alone()
        slot = index_find(
            &self.state.index, &self.state.pool, exact_uint64(order_id, "order_id"),
        )
        if slot == SLOT_NONE:
            return None
        order = &self.state.pool.orders[slot]
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
        self.check_alone()
        broken = book_broken(&self.state.book, &self.state.pool, 0)
        if broken is not None:
            raise AssertionError(broken)
        for side in self.depth():
            resting += sum([level[2] for level in side])
        for slot in range(1, self.state.pool.slot_last + 1):
            if self.state.pool.orders[slot].side != 0:
                live += 1
                if index_find(
                    &self.state.index, &self.state.pool, self.state.pool.orders[slot].order_id,
                ) != slot:
                    raise AssertionError("a live order must be found by its id")
        if not live == resting == self.state.pool.order_count:
            raise AssertionError("a live order must be at exactly one level")

    def copy(self):
        """A book of its own in the same state."""
        cdef OrderBook other
        cdef BookState* old = &self.state
        cdef BookState* new
        cdef int64_t level
        cdef int side
        cdef uint32_t slot
        self.check_alone()
        other = type(self)(
            old.book.price_min, old.book.price_max, order_count_max=old.pool.order_count_max,
            self_trade="allow" if old.self_trade_allowed else "reject", levels_max=old.levels_max,
        )
        new = &other.state
        memcpy(new.pool.orders, old.pool.orders, (<size_t>old.pool.slot_last + 1) * sizeof(Order))
        new.pool.free_slot = old.pool.free_slot
        new.pool.slot_last = old.pool.slot_last
        new.pool.order_count = old.pool.order_count
        new.event_seq = old.event_seq
        new.priority_last = old.priority_last
        for side in range(SIDE_BUY, SIDE_SELL + 1):
            level = old.book.best[side]
            new.book.best[side] = level
            while level != LEVEL_NONE:
                new.book.levels[level] = old.book.levels[level]
                bitmap_set(&new.book, level)
                level = level_worse(&old.book, side, level)
        for slot in range(1, new.pool.slot_last + 1):
            if new.pool.orders[slot].side != 0:
                index_put(&new.index, new.pool.orders[slot].order_id, slot)
        return other


cdef tuple trades_of(const EventRecord* rows, int64_t count):
    cdef list trades = []
    cdef int64_t row
    for row in range(count):
        trades.append((
            rows[row].counter_order_id, rows[row].counter_account_index, rows[row].price,
            rows[row].tonnes,
        ))
    return tuple(trades)


cdef object malformed_error(int64_t row):
    return ValueError(
        f"commands[{row}] must be a command of the schema: kind, and of an enter side, tif and "
        "flags, within their enums, reserved zero"
    )

"""What Python sees of a ladder: levels and orders, as lists or in the caller's array.

Contents: lists, arrays, invariants.
"""

from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBUF_WRITABLE, PyBuffer_Release
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from cea_exchange._arguments cimport buffer_take, records_check
from cea_exchange._ladder cimport *
from cea_exchange._records cimport *

from cea_exchange.domain.records import LEVEL_DTYPE, ORDER_DTYPE

cdef int64_t INT64_MAX = 0x7FFFFFFFFFFFFFFF

cdef enum:
    CURSORS = 16              # Levels whose orders are copied side by side.


# -- Lists ----------------------------------------------------------------------------------------

cdef object int_of_128(uint128 value):
    """A Python int of a non-negative 128-bit number."""
    return (int(<uint64_t>(value >> 64)) << 64) | int(<uint64_t>value)


cdef list ladder_depth(const Ladder* ladder, int side, object levels):
    """(price, tonnes, order count) of the best levels of a side; `levels` None for all."""
    cdef list rows = []
    cdef int64_t index = ladder.best[side]
    while not level_is_none(index) and (levels is None or len(rows) < levels):
        rows.append((
            ladder.price_min + index,
            int_of_128(<uint128>ladder.levels[index].tonnes),
            ladder.levels[index].order_count,
        ))
        index = level_worse(ladder, side, index)
    return rows


cdef list ladder_orders_at(const Ladder* ladder, const OrderPool* pool, int side, int64_t price):
    """Ids of the orders of a side at a price, oldest first."""
    cdef list ids = []
    cdef uint32_t slot
    if not ladder.price_min <= price <= ladder.price_max:
        return ids
    slot = ladder.levels[price - ladder.price_min].oldest
    if slot != SLOT_NONE and pool.orders[slot].side == side:
        while slot != SLOT_NONE:
            ids.append(pool.orders[slot].order_id)
            slot = pool.orders[slot].newer
    return ids


# -- Arrays ---------------------------------------------------------------------------------------

cdef int64_t levels_into(const Ladder* ladder, int side, object array) except -1:
    """Fill an array of LEVEL_DTYPE with the best levels of a side; how many there were."""
    cdef Py_buffer view
    cdef LevelRecord* rows
    cdef int64_t count = 0
    cdef int64_t capacity
    cdef int64_t index = ladder.best[side]
    records_check(array, LEVEL_DTYPE, "levels")
    buffer_take(array, &view, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE, "levels")
    rows = <LevelRecord*>view.buf
    capacity = view.len // <Py_ssize_t>sizeof(LevelRecord)
    try:
        while not level_is_none(index) and count < capacity:
            if ladder.levels[index].tonnes > INT64_MAX:
                raise OverflowError(
                    f"the tonnes at {ladder.price_min + index} must fit 64 bits; use depth()"
                )
            rows[count].price = ladder.price_min + index
            rows[count].tonnes = <int64_t>ladder.levels[index].tonnes
            rows[count].order_count = ladder.levels[index].order_count
            rows[count].reserved = 0
            count += 1
            index = level_worse(ladder, side, index)
    finally:
        PyBuffer_Release(&view)
    return count


cdef struct Cursor:           # Where the copy of one level's orders stands.
    uint32_t slot             # SLOT_NONE: the level is done.
    int64_t row


cdef inline void cursor_set(
    Cursor* cursor, const Ladder* ladder, int side, int64_t* index, int64_t* row,
) noexcept nogil:
    """Begin the next level, if there is one, at the next free row."""
    cursor.slot = SLOT_NONE
    if level_is_none(index[0]):
        return
    cursor.slot = ladder.levels[index[0]].oldest
    cursor.row = row[0]
    row[0] += ladder.levels[index[0]].order_count
    index[0] = level_worse(ladder, side, index[0])


cdef int64_t side_orders_copy(
    const Ladder* ladder, const OrderPool* pool, int side, OrderRecord* rows, int64_t capacity,
) noexcept nogil:
    """Copy a side's orders; how many there was room for.

    Each order says where the next of its level lies, so one level after the other would wait for
    memory at each. Several levels at a time wait together: how many orders come before one is known
    from the levels' counts.
    """
    cdef Cursor cursors[CURSORS]
    cdef Cursor* cursor
    cdef int64_t index = ladder.best[side]
    cdef int64_t row = 0
    cdef int place
    cdef bint more = True
    for place in range(CURSORS):
        cursor_set(&cursors[place], ladder, side, &index, &row)
    while more:
        more = False
        for place in range(CURSORS):
            cursor = &cursors[place]
            if cursor.slot == SLOT_NONE or cursor.row >= capacity:
                continue
            more = True
            memcpy(&rows[cursor.row], &pool.orders[cursor.slot], sizeof(OrderRecord))
            cursor.row += 1
            cursor.slot = pool.orders[cursor.slot].newer
            prefetch(&pool.orders[cursor.slot])
            if cursor.slot == SLOT_NONE:
                cursor_set(cursor, ladder, side, &index, &row)
    return row if row < capacity else capacity


cdef int64_t orders_into(
    const Ladder* ladder, const OrderPool* pool, object array, int64_t start,
) except -1:
    """Fill an array of ORDER_DTYPE from a row on: bids, then asks, best first, oldest first."""
    cdef Py_buffer view
    cdef OrderRecord* rows
    cdef int64_t capacity
    cdef int64_t count
    records_check(array, ORDER_DTYPE, "orders")
    buffer_take(array, &view, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE, "orders")
    rows = <OrderRecord*>view.buf
    capacity = view.len // <Py_ssize_t>sizeof(OrderRecord)
    with nogil:
        count = start
        count += side_orders_copy(ladder, pool, SIDE_BUY, &rows[count], capacity - count)
        count += side_orders_copy(ladder, pool, SIDE_SELL, &rows[count], capacity - count)
    PyBuffer_Release(&view)
    return count


# -- Invariants -----------------------------------------------------------------------------------

cdef str level_broken(
    const Ladder* ladder, const OrderPool* pool, int side, int64_t index, int product,
):
    cdef const Level* level = &ladder.levels[index]
    cdef const Order* order
    cdef uint32_t slot = level.oldest
    cdef uint32_t older = SLOT_NONE
    cdef uint32_t count = 0
    cdef uint64_t priority = 0
    cdef int128 tonnes = 0
    while slot != SLOT_NONE:
        order = &pool.orders[slot]
        if order.side != side or order.price != ladder.price_min + index:
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
        return f"the queue at {ladder.price_min + index} is not what its level counts"
    if tonnes != level.tonnes:
        return f"the level at {ladder.price_min + index} does not add up to its orders"
    return None


cdef str ladder_broken(const Ladder* ladder, const OrderPool* pool, int product_index):
    """The first broken invariant of a ladder as a sentence, or None."""
    cdef int64_t index
    cdef int side
    cdef str broken
    cdef int64_t buy = ladder.best[SIDE_BUY]
    cdef int64_t sell = ladder.best[SIDE_SELL]
    if buy >= sell:
        return "the book is crossed"
    if sell != ASK_NONE and bitmap_below(ladder, sell) != buy:
        return "there are levels between the best bid and the best ask"
    if buy != BID_NONE and bitmap_above(ladder, buy) != sell:
        return "there are levels between the best bid and the best ask"
    for side in (SIDE_BUY, SIDE_SELL):
        index = ladder.best[side]
        while not level_is_none(index):
            broken = level_broken(ladder, pool, side, index, product_index)
            if broken is not None:
                return broken
            index = level_worse(ladder, side, index)
    return None

"""State of an order book as a whole: hash and snapshot.

Contents: hash, snapshot, restoring. Written from protocol/state_hash.md.
"""

import google_crc32c
import numpy as np

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from cea_exchange._book cimport BookState
from cea_exchange._hash cimport fold
from cea_exchange._id_index cimport (
    index_find, index_put, index_size, place_guess,
)
from cea_exchange._ladder cimport *
from cea_exchange._records cimport *

cdef enum:
    CHECKED_FROM = 12         # The first byte behind `checksum`.
    AHEAD = 16                # Slots between the order that is restored and those fetched for it.

cdef bytes SNAPSHOT_MAGIC = b"CEABOOK1"

if sizeof(SnapshotHeader) != 72:
    raise ImportError(f"SnapshotHeader is {sizeof(SnapshotHeader)} bytes, not 72")


# -- Hash -----------------------------------------------------------------------------------------

cdef uint64_t book_sum(const BookState* state) noexcept nogil:
    cdef uint64_t total = 0
    cdef uint32_t slot
    cdef const Order* order
    for slot in range(1, state.pool.slot_last + 1):
        order = &state.pool.orders[slot]
        if order.side != 0:
            total += fold([
                8, order.order_id, order.owner, order.side, <uint64_t>order.price,
                <uint64_t>order.tonnes_open, order.flags, order.priority,
            ], 8)
    return total + fold([
        9, <uint64_t>state.ladder.price_min, <uint64_t>state.ladder.price_max, state.levels_max,
        state.self_trade, state.pick_allowed, state.pool.order_count_max, state.event_seq,
        state.priority_last,
    ], 9)


# -- Snapshot -------------------------------------------------------------------------------------

cdef uint32_t snapshot_checksum(bytes data) except? 0:
    # Through an array: it takes no memoryview, and a slice of bytes would be a copy.
    return google_crc32c.value(np.frombuffer(data, np.uint8)[CHECKED_FROM:])


cdef bytes book_snapshot(const BookState* state):
    """Header and pool, as they are."""
    cdef SnapshotHeader* header
    cdef size_t orders_bytes = <size_t>state.pool.slot_last * sizeof(Order)
    cdef bytes data = PyBytes_FromStringAndSize(NULL, sizeof(SnapshotHeader) + orders_bytes)
    header = <SnapshotHeader*>PyBytes_AS_STRING(data)
    # Fresh memory, whose pages come one by one: of a million orders thirty instead of 16,000.
    memory_advise_huge(header, orders_bytes)
    memcpy(header.magic, <const char*>SNAPSHOT_MAGIC, sizeof(header.magic))
    header.slot_last = state.pool.slot_last
    header.price_min = state.ladder.price_min
    header.price_max = state.ladder.price_max
    header.event_seq = state.event_seq
    header.priority_last = state.priority_last
    header.order_count_max = state.pool.order_count_max
    header.order_count = state.pool.order_count
    header.free_slot = state.pool.free_slot
    header.levels_max = state.levels_max
    header.self_trade = state.self_trade
    header.pick_allowed = state.pick_allowed
    with nogil:
        memcpy(header + 1, &state.pool.orders[1], orders_bytes)
    header.checksum = snapshot_checksum(data)
    return data


cdef const SnapshotHeader* snapshot_header(object data) except NULL:
    """The header of a whole snapshot; ValueError for other bytes."""
    cdef const SnapshotHeader* header
    if type(data) is not bytes:
        raise TypeError(f"data: expected bytes, got {type(data).__name__}")
    header = <const SnapshotHeader*>PyBytes_AS_STRING(data)
    if len(data) < sizeof(SnapshotHeader) or not data.startswith(SNAPSHOT_MAGIC) or (
        len(data) != sizeof(SnapshotHeader) + <size_t>header.slot_last * sizeof(Order)
    ):
        raise ValueError(f"data: expected a snapshot of an OrderBook, got {len(data)} other bytes")
    if snapshot_checksum(data) != header.checksum:
        raise ValueError("data: expected a whole snapshot, got one whose checksum does not hold")
    if (header.priority_last | header.event_seq) >> 63:
        raise ValueError("data: expected counters below 2^63, got larger ones")
    if header.self_trade > SELF_TRADE_CANCEL_BOTH:
        raise ValueError(f"data: expected a self-trade policy, got {header.self_trade}")
    return header


# -- Restoring ------------------------------------------------------------------------------------

cdef bint order_fits(const BookState* state, uint32_t slot) noexcept nogil:
    """Whether a slot of a snapshot holds an order that knows its place."""
    cdef const Order* orders = state.pool.orders
    cdef const Order* order = &orders[slot]
    if order.side > SIDE_SELL or order.tonnes_open <= 0 or order.flags > ORDER_FLAG_POST_ONLY:
        return False
    if order.price < state.ladder.price_min or order.price > state.ladder.price_max:
        return False
    if order.product_index != 0 or order.priority > state.priority_last or order.priority == 0:
        return False
    if order.older > state.pool.slot_last or order.newer > state.pool.slot_last:
        return False
    if order.newer != SLOT_NONE and (
        orders[order.newer].older != slot or orders[order.newer].side == 0
    ):
        return False
    return order.older == SLOT_NONE or (
        orders[order.older].newer == slot
        and orders[order.older].side == order.side
        and orders[order.older].price == order.price
        and orders[order.older].priority < order.priority
    )


cdef bint order_restore(BookState* state, uint32_t slot) noexcept nogil:
    """Count an order of a snapshot into its level; False if it can't be one.

    Neighbours know each other and are in order, and a level has one oldest order: so its queue is
    whole and has no circle.
    """
    cdef Order* order = &state.pool.orders[slot]
    cdef int64_t index
    cdef Level* level
    if not order_fits(state, slot):
        return False
    if index_find(&state.index, state.pool.orders, order.order_id) != SLOT_NONE:
        return False
    index_put(&state.index, state.pool.orders, order.order_id, slot)
    index = order.price - state.ladder.price_min
    level = &state.ladder.levels[index]
    level.order_count += 1
    level.tonnes += order.tonnes_open
    if order.newer == SLOT_NONE:
        level.newest = slot
    if order.older != SLOT_NONE:
        return True
    if level.oldest != SLOT_NONE:
        return False
    level.oldest = slot
    bitmap_set(&state.ladder, index)
    if index_crosses(side_opposite(order.side), state.ladder.best[order.side], index):
        state.ladder.best[order.side] = index
    return True


cdef bint free_slots_fit(const BookState* state) noexcept nogil:
    cdef uint32_t slot = state.pool.free_slot
    cdef uint32_t left = state.pool.slot_last - state.pool.order_count
    while slot != SLOT_NONE:
        if left == 0 or slot > state.pool.slot_last or state.pool.orders[slot].side != 0:
            return False
        left -= 1
        slot = state.pool.orders[slot].newer
    return left == 0


cdef bint orders_restore(BookState* state) noexcept nogil:
    """Build levels and index of the orders in the pool; False if they are no book."""
    cdef uint32_t slot
    cdef uint32_t live = 0
    cdef const Order* ahead
    index_size(&state.index, state.pool.order_count)
    for slot in range(1, state.pool.slot_last + 1):
        if slot + AHEAD <= state.pool.slot_last:
            ahead = &state.pool.orders[slot + AHEAD]
            prefetch(place_guess(&state.index, ahead.order_id).line)
            prefetch(&state.pool.orders[ahead.older])
            prefetch(&state.pool.orders[ahead.newer])
        if state.pool.orders[slot].side != 0:
            if not order_restore(state, slot):
                return False
            live += 1
    if live != state.pool.order_count or not free_slots_fit(state):
        return False
    return state.ladder.best[SIDE_BUY] < state.ladder.best[SIDE_SELL]


cdef int book_fill(BookState* state, const SnapshotHeader* header) except -1:
    """Fill an empty book from a snapshot; ValueError if its orders make no book."""
    cdef bint whole
    if header.slot_last > state.pool.order_count_max:
        raise ValueError(
            f"order_count_max: expected at least {header.slot_last}, the most orders that ever "
            f"rested at once, got {state.pool.order_count_max}"
        )
    state.pool.slot_last = header.slot_last
    state.pool.free_slot = header.free_slot
    state.pool.order_count = header.order_count
    state.event_seq = header.event_seq
    state.priority_last = header.priority_last
    with nogil:
        memcpy(
            &state.pool.orders[1], header + 1, <size_t>state.pool.slot_last * sizeof(Order),
        )
        whole = orders_restore(state)
    if not whole:
        raise ValueError("data: expected orders that make a book, got others")

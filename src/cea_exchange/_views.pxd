"""What Python sees of a ladder. Behaviour is in _views.pyx.

    ladder_depth, ladder_orders_at      lists of tuples
    levels_into, orders_into            the same into arrays of the caller's
    ladder_broken                       what an invariant check found, or None
"""

from libc.stdint cimport int64_t

from cea_exchange._ladder cimport Ladder, OrderPool, uint128


cdef object int_of_128(uint128 value)
cdef list ladder_depth(const Ladder* ladder, int side, object levels)
cdef list ladder_orders_at(const Ladder* ladder, const OrderPool* pool, int side, int64_t price)
cdef int64_t levels_into(const Ladder* ladder, int side, object array) except -1
cdef int64_t orders_into(
    const Ladder* ladder, const OrderPool* pool, object array, int64_t start,
) except -1
cdef str ladder_broken(const Ladder* ladder, const OrderPool* pool, int product_index)

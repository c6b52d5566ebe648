"""The trading day at C level, in its order. Behaviour is in day.pyx.

    day_begin, large_holders_tell       the opening
    phase_enter                         within the day
    closing_prices, composite_close     what the close comes to,
    day_end_rows, day_end               how many events it takes, and doing it
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from cea_exchange._ladder cimport Ladder
from cea_exchange.core.trading cimport Market


# The sink has room for DAY_OPENED, PHASE_CHANGED and the large holders that are told.
cdef void day_begin(Market* market, uint32_t date) noexcept nogil
cdef int64_t large_holders_tell(Market* market, int64_t threshold_before, bint emits) noexcept

cdef void phase_enter(Market* market, uint8_t phase) noexcept nogil

# The end: each product's close, what they come to, how many rows it takes, and doing it.
cdef list closing_prices(const Market* market)
cdef int64_t composite_close(const Market* market, list closes) except? -1
cdef int64_t day_end_rows(const Market* market) noexcept nogil
cdef int day_end(
    Market* market, list closes, int64_t composite, const Ladder* ladders,
) except -1

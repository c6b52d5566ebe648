"""State of the compiled market as a whole. Behaviour is in _market_state.pyx."""

from libc.stdint cimport int64_t, uint64_t

from cea_exchange._records cimport OrderRecord
from cea_exchange._trading cimport Market


cdef uint64_t holdings_sum(const Market* market) noexcept nogil
cdef uint64_t state_sum(const Market* market) noexcept nogil
cdef int market_check(const Market* market) except -1
cdef bytes orders_snapshot(const Market* market)
cdef bytes blocks_snapshot(const Market* market)
cdef bytes biddings_snapshot(const Market* market)
cdef bytes bids_snapshot(const Market* market)
cdef int64_t orders_restore(
    Market* market, const OrderRecord* records, int64_t count,
) noexcept nogil

"""State of the compiled market as a whole. Behaviour is in state.pyx."""

from libc.stdint cimport uint64_t

from cea_exchange.core.trading cimport Market


cdef uint64_t holdings_sum(const Market* market) noexcept nogil
cdef uint64_t state_sum(const Market* market) noexcept nogil
cdef int market_check(const Market* market) except -1

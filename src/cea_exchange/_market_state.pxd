"""State of the compiled market as a whole. Behaviour is in _market_state.pyx."""

from libc.stdint cimport uint64_t

from cea_exchange._trading cimport Market


cdef uint64_t holdings_sum(const Market* market) noexcept nogil
cdef uint64_t state_sum(const Market* market) noexcept nogil
cdef int market_check(const Market* market) except -1

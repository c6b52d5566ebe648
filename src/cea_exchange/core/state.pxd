"""The compiled market as a whole: two hashes and a check. Behaviour is in state.pyx.

    holdings_sum    what the registry can compare: holdings and cash by account
    state_sum       all that decides what comes next
    market_check    every invariant; raises where one is broken
"""

from libc.stdint cimport uint64_t

from cea_exchange.core.trading cimport Market


cdef uint64_t holdings_sum(const Market* market) noexcept nogil
cdef uint64_t state_sum(const Market* market) noexcept nogil
cdef int market_check(const Market* market) except -1

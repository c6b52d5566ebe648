"""A profile's rules as numbers, and the bands they give. Behaviour is in rules.pyx.

Contents: profile (rules taken and changed), bands (reserved first, for memory may be short; set).
"""

from libc.stdint cimport int64_t

from cea_exchange._ladder cimport Ladder
from cea_exchange.core.trading cimport Market, Product


# -- Profile --------------------------------------------------------------------------------------

cdef bint rounds_inward(object rules) except -1
cdef int rules_take(Market* market, object rules) except -1
cdef int rules_change(Market* market, object rules) except -1


# -- Bands ----------------------------------------------------------------------------------------

cdef int band_reserve(
    object rules, const Ladder* present, int64_t price, Ladder* ladder,
) except -1
cdef Ladder* bands_reserve(const Market* market, object rules, list prices) except NULL
cdef int bands_measure(Market* market, object rules) except -1
cdef void band_set(Product* product, int64_t price, const Ladder* ladder) noexcept nogil

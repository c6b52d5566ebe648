"""The operator's acts and the registry's transfers at C level. Behaviour is in acts.pyx.

Contents: transfers, halts, suspensions, reference prices and listings, checkpoints. What can't be
done is refused by an event. The sink has room.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from cea_exchange._ladder cimport Ladder
from cea_exchange.core.trading cimport Market


# Rows that it takes at most to end all that is open.
cdef int64_t ends_rows(const Market* market) noexcept nogil

cdef void transfer_apply(
    Market* market, uint32_t account_index, uint16_t product_index, int64_t moved,
    uint64_t transfer_seq, bint withdraws,
) noexcept nogil

# PRODUCT_NONE is the market.
cdef void halted_set(Market* market, uint16_t product_index, uint8_t halted) noexcept nogil
cdef void suspended_set(Market* market, uint32_t account_index, uint8_t suspended) noexcept nogil
cdef void restricted_set(
    Market* market, uint32_t account_index, uint8_t restricted,
) noexcept nogil
cdef void allocation_set(Market* market, uint32_t account_index, int64_t tonnes) noexcept nogil

# Another price to measure a product's band from, by itself or as the product is listed: what stands
# against it, whether it changes anything, and the two ways to go on.
cdef uint8_t price_refused(
    const Market* market, uint16_t product_index, int64_t price,
) noexcept nogil
cdef bint price_changes(
    const Market* market, uint16_t product_index, int64_t price, bint lists,
) noexcept nogil
cdef void price_refuse(
    Market* market, uint16_t product_index, int64_t price, bint lists, uint8_t reason,
) noexcept nogil
cdef void price_take(
    Market* market, uint16_t product_index, int64_t price, bint lists, const Ladder* ladder,
) noexcept nogil
cdef void product_delist(Market* market, uint16_t product_index) noexcept nogil

# The hashes of everything before it.
cdef void checkpoint_emit(Market* market) noexcept nogil

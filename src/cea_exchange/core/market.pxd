"""The compiled market's class, `CompiledMarket`. Behaviour is in market.pyx.

The state it owns is `Market` of trading.pxd: read that first. What follows its fields is what its
methods share; what Python may call is in market.pyx alone.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from cea_exchange.core.accounts cimport Account
from cea_exchange.core.trading cimport Market, Product


cdef class CompiledMarket:
    cdef Market market
    cdef bint busy
    cdef set account_keys
    cdef readonly object rules
    cdef readonly int64_t rows_needed

    cdef int check_alone(self) except -1
    cdef bytearray rows_begin(self, int64_t count)
    cdef object rows_end(self, bytearray room)
    cdef int notices_apply(self, uint32_t date) except -1
    cdef uint32_t account_found(self, object account_index) except? 0xFFFFFFFF
    cdef Product* product_at(self, object product_index) except NULL
    cdef object transfer(
        self, object account_index, object product_index, object amount, object transfer_seq,
        bint withdraws,
    )
    cdef object price_set(self, object product_index, object price, bint lists)
    cdef object halt_set(self, object product_index, uint8_t halted)
    cdef object suspension_set(self, object account_index, uint8_t suspended)
    cdef object bidding_over(self, object bidding_id, bint awards)
    cdef object block_judged(self, object block_id, bint confirms)
    cdef int declare_all(self, list products, list accounts) except -1

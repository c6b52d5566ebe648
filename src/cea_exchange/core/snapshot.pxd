"""A market in bytes, both ways. Behaviour is in snapshot.pyx.

Contents: a market as bytes; bytes as a market, in the order in which they are filled in.
"""

from libc.stdint cimport uint32_t

from cea_exchange.core.trading cimport Market, Product


cdef bytes market_packed(const Market* market)
cdef bytes blocks_snapshot(const Market* market)

# What comes back, in this order: products and accounts are declared before they are filled.
cdef int product_fill(Product* product, list day) except -1
cdef int account_fill(Market* market, uint32_t account_index, dict fields) except -1
cdef int fields_fill(Market* market, dict state) except -1
cdef int orders_fill(Market* market, object data) except -1
cdef int blocks_fill(Market* market, object data) except -1
cdef int biddings_fill(Market* market, object biddings, object bids) except -1
cdef int last_trades_fill(Market* market, list rows) except -1

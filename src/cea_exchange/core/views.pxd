"""What Python sees of a market: dicts and lists. Behaviour is in views.pyx.

Contents: accounts and products, orders, blocks, biddings and their bids.
"""

from libc.stdint cimport uint32_t, uint64_t

from cea_exchange._records cimport BiddingRecord, BlockRecord
from cea_exchange.core.trading cimport Market, Product


# Accounts and products are known ones; where something is not there it is NULL, and None.
cdef dict account_view(const Market* market, uint32_t account_index)
cdef dict product_view(const Market* market, const Product* product)

cdef dict order_view(const Market* market, uint64_t order_id)
cdef list orders_of_account(const Market* market, uint32_t account_index)

cdef dict block_view(const BlockRecord* block)
cdef list blocks_ids(const Market* market)
cdef tuple blocks_shown(
    const Market* market, uint32_t account_index, uint64_t first, uint32_t most,
)

cdef dict bidding_view(const BiddingRecord* bidding)
cdef list biddings_ids(const Market* market)
cdef list bids_view(const Market* market, uint64_t bidding_id)

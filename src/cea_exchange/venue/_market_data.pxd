"""C-level state of what the public sees of a market. Behaviour is in venue/_market_data.pyx.

    ShownLevel, ShownSide, ShownProduct     the book as the last cut showed it
    Touched, OrderBits                      orders that events since then were about
    View                                    all of it, and the records that the next cut gives
    MarketFeed                              the class that Python sees
"""

from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t, uint8_t

from cea_exchange._records cimport BookChangeRecord, EventRecord, MarketDataRecord
from cea_exchange.core.market cimport CompiledMarket


cdef struct ShownLevel:       # A level as the last cut showed it.
    int64_t price
    int64_t tonnes
    uint32_t order_count
    uint8_t entering          # It was not in view before the cut under way.


cdef struct ShownSide:        # The levels in view of one side of one book, best first.
    ShownLevel* levels        # [capacity]
    ShownLevel* levels_next   # [capacity]: of the cut under way.
    uint32_t count
    uint32_t capacity
    int64_t worst_price       # In view; where nothing was at the last cut, one that no order has.


cdef struct ShownProduct:
    ShownSide sides[3]        # By side.
    uint8_t moved             # Events since the last cut have touched its book.
    uint8_t moved_for_depth   # ... since `moved_products` was last asked.


cdef struct Touched:          # An order that events since the last cut were about.
    uint64_t order_id
    int64_t price             # By the first of them; another one by now if it `is_moved`.
    uint16_t product_index
    uint8_t side


cdef struct OrderBits:        # Of 64 order ids, a bit each.
    uint64_t in_view          # The last cut left it in view.
    uint64_t is_touched       # It is among the touched.
    uint64_t is_moved         # It has another price than when it was touched first.


cdef struct View:
    ShownProduct* products    # [product_capacity]
    uint32_t product_count
    uint32_t product_capacity
    uint32_t levels_max       # In view of each side; 0 is all.

    Touched* touched          # [touched_capacity], each order once.
    int64_t touched_count
    int64_t touched_capacity

    OrderBits* bits           # [bits_capacity], of all order ids above `id_base`.
    int64_t bits_capacity
    uint64_t id_base

    BookChangeRecord* changes  # [change_capacity]
    int64_t change_count
    int64_t change_capacity
    MarketDataRecord* public  # [public_capacity]
    int64_t public_count
    int64_t public_capacity
    bint bands_moved
    bint out_of_memory


cdef class MarketFeed:
    cdef View view
    cdef readonly CompiledMarket core

    cdef int memory_reserve(self, int64_t event_count) except -1
    cdef bytes changes_taken(self)

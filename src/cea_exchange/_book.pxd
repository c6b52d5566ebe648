"""C-level vocabulary of the limit order book. Behaviour is in _book.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from cea_exchange._records cimport CommandRecord, EventRecord


cdef extern from *:
    # Cython has no 128-bit integers and takes these for its widest ones. They never meet Python.
    ctypedef long long int128 "__int128"
    ctypedef unsigned long long uint128 "unsigned __int128"


cdef enum:
    SLOT_NONE = 0             # Slot 0 is never used, so zeroed memory holds no orders.
    LEVEL_NONE = -1
    BITMAP_HEIGHT_MAX = 6     # 64 ** 6 levels.


cdef struct Order:            # 64 bytes: one cache line.
    uint64_t order_id
    uint64_t client_order_id  # The id of the command that entered it.
    uint64_t priority         # Larger is later; new each time it goes to the back of a level.
    uint64_t amount_traded    # Sum of price x tonnes traded so far.
    int64_t price
    int64_t tonnes_open       # > 0 while resting.
    uint32_t owner            # account_index in a market.
    uint32_t older            # Neighbours at its level, or SLOT_NONE.
    uint32_t newer            # Links the free slots too.
    uint16_t product_index
    uint8_t side              # 0 marks a free slot.
    uint8_t flags             # OrderFlag bits.


cdef struct OrderPool:
    Order* orders             # [order_count_max + 1]
    uint32_t free_slot        # Head of the list of released slots.
    uint32_t slot_last        # Slots above it were never used.
    uint32_t order_count
    uint32_t order_count_max


cdef struct Level:            # 32 bytes.
    uint32_t oldest
    uint32_t newest
    uint32_t order_count
    uint32_t padding
    int128 tonnes             # 128 bits: no number of 63-bit orders overflows it.


cdef struct Book:
    Level* levels             # [price_max - price_min + 1], touched where orders are.
    int64_t price_min
    int64_t price_max
    int64_t best[3]           # By side: index of the best level, or LEVEL_NONE.
    uint64_t* bitmap[BITMAP_HEIGHT_MAX]  # Row 0: a bit a level; row n + 1: a bit a word of row n.
    int bitmap_height
    uint64_t* bitmap_memory
    size_t bitmap_bytes
    size_t level_bytes


cdef struct Walk:             # What an order would do, found without doing it.
    int64_t tonnes_left
    uint32_t makers           # Resting orders it would take, ...
    uint32_t makers_filled    # ... and how many of them whole.
    bint self_met             # One of them is of the same owner.
    bint crosses_still        # After the levels it may take it could still trade.


cdef struct IdIndex:          # Any 64-bit order id -> slot.
    uint32_t* dense           # Ids below DENSE_IDS, by id.
    uint32_t* hashed          # The others, open addressing.
    uint64_t hash_mask
    size_t hash_bytes


cdef bint pool_open(OrderPool* pool, uint32_t order_count_max) noexcept nogil
cdef void pool_close(OrderPool* pool) noexcept nogil
cdef uint32_t slot_acquire(OrderPool* pool) noexcept nogil
cdef void slot_release(OrderPool* pool, uint32_t slot) noexcept nogil

cdef bint book_open(Book* book, int64_t price_min, int64_t price_max) noexcept nogil
cdef void book_close(Book* book) noexcept nogil
cdef void book_rest(Book* book, OrderPool* pool, uint32_t slot) noexcept nogil
cdef void book_unlink(Book* book, OrderPool* pool, uint32_t slot) noexcept nogil
cdef void book_reduce(Book* book, OrderPool* pool, uint32_t slot, int64_t tonnes) noexcept nogil
cdef void book_walk(
    const Book* book, const OrderPool* pool, uint32_t owner, int side, int64_t price,
    int64_t tonnes, uint32_t levels_max, Walk* walk,
) noexcept nogil
cdef int64_t level_worse(const Book* book, int side, int64_t index) noexcept nogil
cdef bint price_crosses(int side, int64_t price, int64_t resting_price) noexcept nogil
cdef str book_broken(const Book* book, const OrderPool* pool, int product_index)
cdef list book_depth(const Book* book, int side, object levels)
cdef list book_orders_at(const Book* book, const OrderPool* pool, int side, int64_t price)

cdef object int_of_128(uint128 value)
cdef int records_check(object array, object dtype, str name) except -1
cdef int buffer_take(object array, Py_buffer* view, int flags, str name) except -1
cdef object malformed_error(int64_t row)
cdef int side_exact(object side) except -1
cdef int64_t exact_int64(object value, str name) except? -1
cdef uint64_t exact_uint64(object value, str name) except? 0xFFFFFFFFFFFFFFFF
cdef uint32_t exact_uint32(object value, str name) except? 0xFFFFFFFF


cdef int64_t row_malformed(const CommandRecord* commands, int64_t count) noexcept nogil


cdef struct BookState:        # All of an OrderBook.
    Book book
    OrderPool pool
    IdIndex index
    uint64_t event_seq
    uint64_t priority_last
    uint32_t levels_max       # Levels a taker may reach; 0: no limit.
    bint self_trade_allowed
    EventRecord* events       # The caller's rows, during a call.
    int64_t rows_free
    int64_t rows_written
    bint trades_only
    uint16_t product_index    # Of the command in hand, given back in its events.
    uint16_t operator_index
    EventRecord scratch       # Where events go that are counted but not written.


cdef class OrderResult:
    cdef readonly int reason
    cdef readonly int64_t tonnes_open
    cdef readonly int64_t tonnes_canceled
    cdef readonly tuple trades


cdef class OrderBook:
    cdef BookState state
    cdef bint busy
    cdef EventRecord* rows    # For one command from Python.
    cdef int64_t rows_capacity
    cdef readonly int64_t rows_needed

    cdef int check_alone(self) except -1
    cdef OrderResult command_run(self, const CommandRecord* command)
    cdef object process_buffers(self, Py_buffer* commands, Py_buffer* events, bint trades_only)

"""C-level vocabulary of the order book, for `cimport`. Behaviour is in _book.pyx.

    BookState, Outcome                  all of a book, and what became of the last command
    book_enter, book_cancel, book_amend one command; book_apply: from a record
    book_apply_all                      a batch
    book_order, book_best, book_tonnes_at   queries
    OrderBook, OrderResult              the classes that Python sees

In use:

    from cea_exchange._book cimport OrderBook, book_enter
    from cea_exchange._records cimport EventRecord, SIDE_BUY
    from cea_exchange._stream cimport EVENTS_ALL, EventSink, sink_of

    cdef OrderBook book = OrderBook(1, 10_000, order_count_max=1_000)
    cdef EventSink sink = sink_of(rows, capacity, EVENTS_ALL)
    book_enter(&book.state, &sink, order_id, SIDE_BUY, price, tonnes, owner)

Whoever drives a book's `state` without the GIL sees to it that nobody else is inside.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from cea_exchange._id_index cimport IdIndex
from cea_exchange._ladder cimport Ladder, Order, OrderPool, SelfTrade
from cea_exchange._records cimport CommandRecord, EventRecord
from cea_exchange._stream cimport EventSink


cdef struct Outcome:          # What became of the last command.
    int64_t tonnes_open       # Rests on the book now.
    int64_t tonnes_canceled   # Left the book, or never came to rest, without trading.
    uint8_t reason            # Why it was refused, or why a remainder was cancelled.


cdef struct BookState:        # All of an OrderBook.
    Ladder ladder
    OrderPool pool
    IdIndex index
    uint64_t event_seq
    uint64_t priority_last
    uint32_t levels_max       # Levels a taker may reach; 0: no limit.
    SelfTrade self_trade
    bint pick_allowed
    Outcome outcome


# Each applies one command. It returns 0; or how many rows it needs, more than the sink has free,
# and nothing was done; or COMMAND_MALFORMED. A refusal is an event, and in `outcome`.
cdef int64_t book_apply(
    BookState* state, const CommandRecord* command, EventSink* sink,
) noexcept nogil
cdef int64_t book_enter(
    BookState* state, EventSink* sink, uint64_t order_id, uint8_t side, int64_t price,
    int64_t tonnes, uint32_t owner, uint8_t tif=*, uint8_t flags=*, uint64_t pick_order_id=*,
) noexcept nogil
cdef int64_t book_cancel(BookState* state, EventSink* sink, uint64_t order_id) noexcept nogil
cdef int64_t book_amend(
    BookState* state, EventSink* sink, uint64_t order_id, int64_t price, int64_t tonnes,
) noexcept nogil

# As `book_apply`, for many; stops before a command that it can't apply. Returns how many it did,
# and in `needed` what the next one gave. `row_malformed` of _stream.pxd has found nothing before:
# this one looks at no more than what memory depends on.
cdef int64_t book_apply_all(
    BookState* state, const CommandRecord* commands, int64_t count, EventSink* sink,
    int64_t* needed,
) noexcept nogil

cdef const Order* book_order(const BookState* state, uint64_t order_id) noexcept nogil  # Or NULL.
# Whether a side has orders, and its best price.
cdef bint book_best(const BookState* state, int side, int64_t* price) noexcept nogil
cdef int64_t book_tonnes_at(const BookState* state, int64_t price) noexcept nogil


cdef class OrderResult:
    cdef readonly int reason
    cdef readonly int64_t tonnes_open
    cdef readonly int64_t tonnes_canceled
    cdef readonly tuple trades
    cdef readonly tuple orders_canceled


cdef class OrderBook:
    cdef BookState state
    cdef bint busy
    cdef EventRecord* rows    # For one command from Python.
    cdef int64_t rows_capacity
    cdef readonly int64_t rows_needed

"""An OrderBook behind the C interface of the public matching-engine benchmark.

The benchmark loads this as a library, calls it once for each message, and takes the reports from a
queue of its own. The interpreter is started once, for the book to be made; no message meets it.
"""

from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport abort, free, malloc, realloc
from libc.string cimport memset

from cea_exchange._book cimport (
    BookState, OrderBook, book_amend, book_best, book_cancel, book_enter, book_tonnes_at,
)
from cea_exchange._records cimport (
    EVENT_KIND_ORDER_CANCELED, EVENT_KIND_TRADE, EventRecord, REASON_NONE, REASON_REQUESTED,
    SIDE_BUY, SIDE_SELL, TIF_DAY, TIF_IOC,
)
from cea_exchange._stream cimport EventSink, sink_of


cdef extern from "matching_engine_api.h" nogil:
    ctypedef struct new_order_t:
        uint64_t order_id
        uint64_t sequence_number
        int64_t price_ticks
        uint32_t quantity
        uint8_t side
        uint8_t ioc

    ctypedef struct cancel_t:
        uint64_t order_id
        uint64_t sequence_number

    ctypedef struct modify_t:
        uint64_t order_id
        uint64_t sequence_number
        int64_t new_price_ticks
        uint32_t new_quantity
        uint8_t side

    ctypedef struct me_report_t:
        uint8_t type
        uint8_t side
        uint64_t sequence_number
        uint64_t order_id
        int64_t price_ticks
        uint32_t quantity
        uint64_t maker_order_id
        uint64_t taker_order_id

    ctypedef struct me_transport_t:
        int (*push)(void* handle, const me_report_t* report) noexcept nogil

    uint8_t ME_ORDER_ACK
    uint8_t ME_TRADE
    uint8_t ME_CANCEL_ACK
    uint8_t ME_MODIFY_ACK
    uint8_t ME_CANCEL_REJECT
    uint8_t ME_MODIFY_REJECT


cdef enum:
    TICK_LAST = 1 << 22       # Half a cent each: 20,971 dollars; the benchmark begins at 33,504.
    ORDERS_MAX = 1 << 21
    ROWS_FIRST = 1 << 10      # Trades of one message; more are asked for.

cdef OrderBook book
cdef BookState* state
cdef EventSink sink
cdef const me_transport_t* transport
cdef void* queue


# -- Reports --------------------------------------------------------------------------------------

cdef inline void report_push(const me_report_t* report) noexcept nogil:
    while not transport.push(queue, report):
        pass


cdef inline void order_report(
    uint8_t kind, uint64_t sequence_number, uint64_t order_id, uint8_t side, int64_t price,
    uint32_t tonnes,
) noexcept nogil:
    cdef me_report_t report
    memset(&report, 0, sizeof(me_report_t))
    report.type = kind
    report.side = side
    report.sequence_number = sequence_number
    report.order_id = order_id
    report.price_ticks = price
    report.quantity = tonnes
    report_push(&report)


cdef inline void trade_report(uint64_t sequence_number, const EventRecord* row) noexcept nogil:
    cdef me_report_t report
    memset(&report, 0, sizeof(me_report_t))
    report.type = ME_TRADE
    report.sequence_number = sequence_number
    report.price_ticks = row.price
    report.quantity = <uint32_t>row.tonnes
    report.maker_order_id = row.counter_order_id
    report.taker_order_id = row.order_id
    report_push(&report)


cdef inline void rows_report(uint64_t sequence_number) noexcept nogil:
    """Report the trades and what was cancelled, in the order of the book's events."""
    cdef const EventRecord* row
    cdef int64_t index
    for index in range(sink.count):
        row = &sink.rows[index]
        if row.kind == EVENT_KIND_TRADE:
            trade_report(sequence_number, row)
        else:
            order_report(
                ME_CANCEL_ACK, sequence_number, row.order_id, row.side - SIDE_BUY, row.price,
                <uint32_t>row.tonnes,
            )
    sink.count = 0


cdef void rows_grow(int64_t count) noexcept nogil:
    sink.rows = <EventRecord*>realloc(sink.rows, count * sizeof(EventRecord))
    if sink.rows == NULL:
        abort()
    sink.capacity = count


# -- Messages -------------------------------------------------------------------------------------

cdef public void engine_on_new_order(const new_order_t* order) noexcept nogil:
    cdef int64_t needed = book_enter(
        state, &sink, order.order_id, order.side + SIDE_BUY, order.price_ticks, order.quantity, 0,
        TIF_IOC if order.ioc else TIF_DAY,
    )
    if needed > 0:
        rows_grow(needed)
        engine_on_new_order(order)
        return
    if REASON_NONE < state.outcome.reason < REASON_REQUESTED:
        return
    order_report(
        ME_ORDER_ACK, order.sequence_number, order.order_id, order.side, order.price_ticks,
        order.quantity,
    )
    rows_report(order.sequence_number)


cdef public void engine_on_cancel(const cancel_t* cancel) noexcept nogil:
    book_cancel(state, &sink, cancel.order_id)
    if sink.count == 0:
        order_report(ME_CANCEL_REJECT, cancel.sequence_number, cancel.order_id, 0, 0, 0)
    else:
        rows_report(cancel.sequence_number)


cdef public void engine_on_modify(const modify_t* modify) noexcept nogil:
    cdef int64_t needed = book_amend(
        state, &sink, modify.order_id, modify.new_price_ticks, modify.new_quantity,
    )
    if needed > 0:
        rows_grow(needed)
        engine_on_modify(modify)
        return
    if REASON_NONE < state.outcome.reason < REASON_REQUESTED:
        order_report(ME_MODIFY_REJECT, modify.sequence_number, modify.order_id, 0, 0, 0)
        return
    rows_report(modify.sequence_number)
    order_report(
        ME_MODIFY_ACK, modify.sequence_number, modify.order_id, modify.side,
        modify.new_price_ticks, modify.new_quantity,
    )


cdef public void engine_flush() noexcept nogil:
    pass  # Every message is done when its call returns.


# -- Questions ------------------------------------------------------------------------------------

cdef public int64_t engine_query_best_bid() noexcept nogil:
    cdef int64_t price
    return price if book_best(state, SIDE_BUY, &price) else INT64_MIN


cdef public int64_t engine_query_best_ask() noexcept nogil:
    cdef int64_t price
    return price if book_best(state, SIDE_SELL, &price) else INT64_MAX


cdef public uint64_t engine_query_depth_at(int64_t price, uint8_t side) noexcept nogil:
    cdef int64_t best
    cdef bint resting = book_best(state, side + SIDE_BUY, &best)
    # One price has orders of one side only: it is behind that side's best.
    if not resting or (price > best if side == 0 else price < best):
        return 0
    return <uint64_t>book_tonnes_at(state, price)


# -- Lifecycle ------------------------------------------------------------------------------------

cdef public int adapter_open(const me_transport_t* carrier, void* handle) except -1:
    global book, state, sink, transport, queue
    book = OrderBook(1, TICK_LAST, order_count_max=ORDERS_MAX, touch_memory=False)
    state = &book.state
    sink = sink_of(
        <EventRecord*>malloc(ROWS_FIRST * sizeof(EventRecord)), ROWS_FIRST,
        <uint64_t>1 << EVENT_KIND_TRADE | <uint64_t>1 << EVENT_KIND_ORDER_CANCELED,
    )
    transport, queue = carrier, handle
    return 0


cdef public void adapter_close() noexcept:
    global book, state
    free(sink.rows)
    book, state = None, NULL

"""A market maker against random takers, all in C: no Python object and no GIL in its loop.

    pip install --no-build-isolation . && python -c "import market_maker; market_maker.main()"

It drives the book of an installed cea-exchange through the declarations that come with it
(`cea_exchange/_book.pxd`): enter, cancel, amend, queries, and a sink that events are written to.
The maker keeps one bid and one ask about a price that wanders, refilled after every taker.
"""

import time

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memset

from cea_exchange._book cimport (
    BookState, OrderBook, book_amend, book_best, book_cancel, book_enter, book_order,
    book_tonnes_at,
)
from cea_exchange._ladder cimport Order
from cea_exchange._records cimport (
    EVENT_KIND_ORDER_ACCEPTED, EVENT_KIND_ORDER_CANCELED, EVENT_KIND_TRADE, EventRecord, SIDE_BUY,
    SIDE_SELL, TIF_IOC,
)
from cea_exchange._stream cimport EVENTS_ALL, EventSink, sink_of

cdef enum:
    ROWS = 256                # More events than one command can give here.
    OWNER_MAKER = 0
    OWNER_TAKER = 1
    OWNER_PATIENT = 2         # Enters far from the middle, and cancels later.
    OWNER_COUNT = 3
    ID_BID = 1                # The maker's two orders keep their ids for ever.
    ID_ASK = 2
    ID_FIRST = 3
    PRICE_MIN = 1
    PRICE_MAX = 20_000
    SPREAD = 3                # From the middle to either quote.
    QUOTE_TONNES = 100
    PATIENT_COUNT = 1_000     # Patient orders at a time.


cdef struct Tally:
    uint64_t random           # State of the generator.
    int64_t middle
    int64_t commands
    int64_t trades
    int64_t entered           # Tonnes that came to the market, ...
    int64_t traded            # ... changed hands (one order's and another's), ...
    int64_t canceled          # ... and went.
    int64_t tonnes_bid        # At the best price, in the end.
    int64_t tonnes[OWNER_COUNT]
    int64_t cash[OWNER_COUNT]


cdef inline uint64_t draw(Tally* tally, uint64_t count) noexcept nogil:
    """A number below `count`, by xorshift64."""
    tally.random ^= tally.random << 13
    tally.random ^= tally.random >> 7
    tally.random ^= tally.random << 17
    return (tally.random >> 11) % count


cdef void sink_read(EventSink* sink, Tally* tally) noexcept nogil:
    """Count what one command did, and make room for the next one's events."""
    cdef const EventRecord* event
    cdef int64_t row
    cdef int64_t tonnes
    for row in range(sink.count):
        event = &sink.rows[row]
        if event.kind == EVENT_KIND_TRADE:
            tonnes = event.tonnes if event.side == SIDE_BUY else -event.tonnes
            tally.tonnes[event.account_index] += tonnes
            tally.tonnes[event.counter_account_index] -= tonnes
            tally.cash[event.account_index] -= tonnes * event.price
            tally.cash[event.counter_account_index] += tonnes * event.price
            tally.traded += 2 * event.tonnes
            tally.trades += 1
        elif event.kind == EVENT_KIND_ORDER_ACCEPTED:
            tally.entered += event.tonnes
        elif event.kind == EVENT_KIND_ORDER_CANCELED:
            tally.canceled += event.tonnes
    tally.commands += 1
    sink.count = 0


cdef int64_t quote(
    BookState* state, EventSink* sink, Tally* tally, uint64_t order_id, uint8_t side,
    int64_t price,
) noexcept nogil:
    """Move the maker's order, or enter it anew where it was taken whole."""
    cdef const Order* order = book_order(state, order_id)
    cdef int64_t refused
    if order == NULL:
        refused = book_enter(state, sink, order_id, side, price, QUOTE_TONNES, OWNER_MAKER)
    else:
        # An amendment says what is open from now on: the difference comes to the market.
        tally.entered += QUOTE_TONNES - order.tonnes_open
        refused = book_amend(state, sink, order_id, price, QUOTE_TONNES)
    sink_read(sink, tally)
    return refused


cdef int64_t step(
    BookState* state, EventSink* sink, Tally* tally, uint64_t order_id,
) noexcept nogil:
    """A patient order comes and one goes, a taker comes, the maker quotes. 0 unless one can't."""
    cdef uint8_t side = SIDE_BUY + <uint8_t>draw(tally, 2)
    cdef int64_t away = 10 + <int64_t>draw(tally, 200)
    cdef int64_t price = tally.middle - away if side == SIDE_BUY else tally.middle + away
    cdef int64_t refused = 0
    refused |= book_enter(
        state, sink, order_id, side, price, 1 + <int64_t>draw(tally, 50), OWNER_PATIENT,
    )
    sink_read(sink, tally)
    if order_id >= ID_FIRST + 2 * PATIENT_COUNT:
        refused |= book_cancel(state, sink, order_id - 2 * PATIENT_COUNT)
        sink_read(sink, tally)
    side = SIDE_BUY + <uint8_t>draw(tally, 2)
    price = PRICE_MAX if side == SIDE_BUY else PRICE_MIN
    refused |= book_enter(
        state, sink, order_id + 1, side, price, 1 + <int64_t>draw(tally, 150), OWNER_TAKER,
        TIF_IOC,
    )
    sink_read(sink, tally)
    tally.middle += <int64_t>draw(tally, 3) - 1
    # The quote that would meet the other one moves second.
    if book_best(state, SIDE_SELL, &price) and tally.middle - SPREAD < price:
        refused |= quote(state, sink, tally, ID_BID, SIDE_BUY, tally.middle - SPREAD)
        refused |= quote(state, sink, tally, ID_ASK, SIDE_SELL, tally.middle + SPREAD)
    else:
        refused |= quote(state, sink, tally, ID_ASK, SIDE_SELL, tally.middle + SPREAD)
        refused |= quote(state, sink, tally, ID_BID, SIDE_BUY, tally.middle - SPREAD)
    return refused


def run(int step_count, uint64_t seed=1):
    """Make markets for some steps.

    Returns
    -------
    book : OrderBook
        The same object that Python knows.
    tally : dict
        Counts, and tonnes and cash by owner, as the events gave them.
    """
    cdef OrderBook book = OrderBook(PRICE_MIN, PRICE_MAX, order_count_max=4 * PATIENT_COUNT)
    cdef EventRecord rows[ROWS]
    cdef EventSink sink = sink_of(rows, ROWS, EVENTS_ALL)
    cdef Tally tally
    cdef int64_t refused = 0
    cdef int64_t price
    cdef int number
    memset(&tally, 0, sizeof(Tally))
    tally.random = seed
    tally.middle = (PRICE_MIN + PRICE_MAX) // 2
    with nogil:
        for number in range(step_count):
            refused = step(&book.state, &sink, &tally, ID_FIRST + 2 * <uint64_t>number)
            if refused != 0:
                break
        if book_best(&book.state, SIDE_BUY, &price):
            tally.tonnes_bid = book_tonnes_at(&book.state, price)
    if refused != 0:
        raise RuntimeError(f"step {number}: a command had no room for its events")
    return book, tally


def main(int step_count=500_000):
    """Run, check the result, say how fast it was."""
    start = time.perf_counter()
    book, tally = run(step_count)
    seconds = time.perf_counter() - start
    book.check()
    bids, asks = book.depth()
    assert tally["tonnes_bid"] == bids[0][1], "C and Python see the same book"
    left = sum([tonnes for _, tonnes, _ in bids + asks])
    assert tally["entered"] == tally["traded"] + tally["canceled"] + left, "tonnes are conserved"
    assert sum(tally["tonnes"]) == 0 and sum(tally["cash"]) == 0, "what one got another gave"
    print(f"{tally['commands']:,} commands, {tally['trades']:,} trades, {len(book):,} orders rest")
    worth = tally["cash"][OWNER_MAKER] + tally["tonnes"][OWNER_MAKER] * tally["middle"]
    print(f"the maker holds {tally['tonnes'][OWNER_MAKER]:,} t and is worth {worth:,}")
    print(f"{tally['commands'] / seconds:,.0f} commands a second, drawing of numbers included")

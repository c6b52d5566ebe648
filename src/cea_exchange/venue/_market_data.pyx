"""What everybody may see of a compiled market, as it changes: `MarketFeed`.

Contents: memory, noting events, levels, orders, the feed.

    events -> note: public rows, and which orders and books were touched
              cut:  what differs now from what the last cut gave, as BookChange records

A cut compares states, it does not tell events again: an order that came and went between two cuts
is in neither. What it costs goes with the orders touched and the levels in view, not with the book.
"""

from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBuffer_Release
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memset

from cea_exchange._arguments cimport buffer_take, exact_uint32, records_check
from cea_exchange._ladder cimport (
    Ladder, Level, Order, SLOT_NONE, level_is_none, level_worse, prefetch, side_opposite,
)
from cea_exchange._records cimport *
from cea_exchange.core.market cimport CompiledMarket
from cea_exchange.core.trading cimport Market, slot_of

from cea_exchange.domain.records import EVENT_DTYPE

cdef int64_t INT64_MAX = 0x7FFFFFFFFFFFFFFF
cdef uint64_t ROWS_MIN = 1024                    # What an array has room for at first.

cdef enum:
    AHEAD_ORDER = 8           # How far ahead a cut looks at touched orders, which lie anywhere.


# -- Room -----------------------------------------------------------------------------------------

cdef void* array_grown(
    void* array, int64_t* capacity, uint64_t needed, size_t item_bytes,
) noexcept nogil:
    """The array with room for `needed` items, the new ones zero; NULL without memory."""
    cdef uint64_t wanted = capacity[0] if capacity[0] > 0 else ROWS_MIN
    cdef void* grown
    while wanted < needed:
        wanted *= 2
    grown = realloc(array, wanted * item_bytes)
    if grown != NULL:
        memset(<char*>grown + capacity[0] * item_bytes, 0, (wanted - capacity[0]) * item_bytes)
        capacity[0] = wanted
    return grown


cdef bint bits_reserve(View* view, uint64_t order_id_last) noexcept nogil:
    """Have bits for every order id so far."""
    cdef int64_t needed = <int64_t>((order_id_last - view.id_base) >> 6) + 1
    cdef void* grown
    if needed <= view.bits_capacity:
        return True
    grown = array_grown(view.bits, &view.bits_capacity, needed, sizeof(OrderBits))
    if grown == NULL:
        return False
    view.bits = <OrderBits*>grown
    return True


cdef bint side_reserve(ShownSide* side, uint32_t levels) noexcept nogil:
    cdef int64_t capacity = side.capacity
    cdef int64_t capacity_too = side.capacity
    cdef void* grown
    if levels <= side.capacity:
        return True
    grown = array_grown(side.levels, &capacity, levels, sizeof(ShownLevel))
    if grown == NULL:
        return False
    side.levels = <ShownLevel*>grown
    grown = array_grown(side.levels_next, &capacity_too, levels, sizeof(ShownLevel))
    if grown == NULL:
        return False
    side.levels_next = <ShownLevel*>grown
    side.capacity = <uint32_t>capacity
    return True


cdef BookChangeRecord* change_add(
    View* view, uint8_t kind, uint8_t side, uint16_t product_index,
) noexcept nogil:
    """A row with all else zero; where there is no memory for it, one that is lost."""
    cdef void* grown
    cdef BookChangeRecord* row
    if view.change_count == view.change_capacity:
        grown = array_grown(
            view.changes, &view.change_capacity, 2 * view.change_count, sizeof(BookChangeRecord),
        )
        if grown == NULL:
            view.out_of_memory = True
            view.change_count = 0
        else:
            view.changes = <BookChangeRecord*>grown
    row = &view.changes[view.change_count]
    view.change_count += 1
    memset(row, 0, sizeof(BookChangeRecord))
    row.kind = kind
    row.side = side
    row.product_index = product_index
    return row


# -- Noting events --------------------------------------------------------------------------------

cdef inline OrderBits* bits_of(const View* view, uint64_t bit) noexcept nogil:
    return &view.bits[bit >> 6]


cdef inline bint bit_of(uint64_t word, uint64_t bit) noexcept nogil:
    return (word >> (bit & 63)) & 1


cdef inline void bit_set(uint64_t* word, uint64_t bit) noexcept nogil:
    word[0] |= <uint64_t>1 << (bit & 63)


cdef inline void bit_clear(uint64_t* word, uint64_t bit) noexcept nogil:
    word[0] &= ~(<uint64_t>1 << (bit & 63))


cdef inline bint price_in_view(const ShownSide* side, int side_name, int64_t price) noexcept nogil:
    """Whether a price is as good as the worst in view: all occupied ones down to it are.

    Without a branch, as in `order_touch`: what comes next is as good as random.
    """
    return (
        ((side_name == SIDE_BUY) & (price >= side.worst_price))
        | ((side_name == SIDE_SELL) & (price <= side.worst_price))
    )


cdef inline void order_touch(
    View* view, const EventRecord* event, uint64_t order_id, uint8_t side, uint64_t order_id_last,
) noexcept nogil:
    """Note an order of which the next cut may have something to tell.

    That is one that is in view, or at a price that is. Another comes into view only with its whole
    level, and a level that comes into view is told with all its orders.
    """
    cdef ShownProduct* product = &view.products[event.product_index]
    cdef uint64_t bit = order_id - view.id_base
    cdef OrderBits* bits
    cdef uint64_t touched, wanted
    cdef Touched* row
    if order_id <= view.id_base or order_id > order_id_last:
        return
    product.moved = True
    product.moved_for_depth = True
    bits = bits_of(view, bit)
    touched = bit_of(bits.is_touched, bit)
    # A listed trade's price is that of the order that rested.
    wanted = bit_of(bits.in_view, bit) | price_in_view(&product.sides[side], side, event.price)
    wanted &= ~touched
    bits.is_moved |= (touched & (event.kind == EVENT_KIND_ORDER_AMENDED)) << (bit & 63)
    bits.is_touched |= wanted << (bit & 63)
    row = &view.touched[view.touched_count]
    row.order_id = order_id
    row.price = event.price
    row.product_index = event.product_index
    row.side = side
    view.touched_count += <int64_t>wanted


cdef void public_add(View* view, const EventRecord* event) noexcept nogil:
    """Copy what everybody may see of an event: no names, no accounts."""
    cdef MarketDataRecord* row = &view.public[view.public_count]
    cdef const DayClosedRecord* closed
    view.public_count += 1
    memset(row, 0, sizeof(MarketDataRecord))
    row.kind = event.kind
    row.phase = event.phase
    row.product_index = event.product_index
    row.trading_date = event.trading_date
    row.market_data_seq = event.market_data_seq
    if event.kind == EVENT_KIND_DAY_CLOSED:
        closed = <const DayClosedRecord*>event
        row.price = closed.close
        row.tonnes = INT64_MAX
        if closed.volume_listed_high == 0 and closed.volume_listed < <uint64_t>INT64_MAX:
            row.tonnes = <int64_t>closed.volume_listed
        return
    row.side = event.side
    row.method = event.method
    row.order_id = event.order_id
    row.counter_order_id = event.counter_order_id
    row.price = event.price
    row.tonnes = event.tonnes
    row.trade_id = event.trade_id


cdef void events_note(
    View* view, const EventRecord* events, int64_t count, uint64_t order_id_last,
) noexcept nogil:
    cdef const EventRecord* event
    cdef int64_t index
    for index in range(count):
        event = &events[index]
        if event.kind <= EVENT_KIND_ORDER_REJECTED:
            # Public are trades, and of orders only how a cut finds them.
            if EVENT_KIND_ORDER_RESTED <= event.kind <= EVENT_KIND_ORDER_EXPIRED:
                order_touch(view, event, event.order_id, event.side, order_id_last)
            continue
        if event.market_data_seq != 0:
            public_add(view, event)
        if event.kind == EVENT_KIND_TRADE:
            # The orders of block trades and biddings are in no book.
            if event.method == METHOD_LISTED:
                order_touch(
                    view, event, event.counter_order_id, side_opposite(event.side), order_id_last,
                )
        elif (
            event.kind == EVENT_KIND_DAY_OPENED or event.kind == EVENT_KIND_DAY_CLOSED
            or event.kind == EVENT_KIND_REFERENCE_PRICE_CHANGED
            or event.kind == EVENT_KIND_PRODUCT_LISTED
        ):
            view.bands_moved = True


# -- Levels ---------------------------------------------------------------------------------------

cdef inline bint price_better(int side_name, int64_t price, int64_t other) noexcept nogil:
    return price > other if side_name == SIDE_BUY else price < other


cdef uint32_t first_slot_at(
    const Market* market, uint16_t product_index, int64_t price,
) noexcept nogil:
    """The oldest order at a price, or SLOT_NONE.

    Where a level has gone, the other side may rest by now: with orders that are touched, or were
    not in view.
    """
    cdef const Ladder* ladder = &market.products[product_index].ladder
    if not ladder.price_min <= price <= ladder.price_max:
        return SLOT_NONE
    return ladder.levels[price - ladder.price_min].oldest


cdef void level_leaves(
    View* view, const Market* market, uint16_t product_index, int side_name, int64_t price,
) noexcept nogil:
    """Tell that a level is out of view, with all its orders."""
    cdef uint32_t slot = first_slot_at(market, product_index, price)
    cdef uint64_t bit
    change_add(view, BOOK_CHANGE_KIND_LEVEL, side_name, product_index).price = price
    while slot != SLOT_NONE:
        bit = market.pool.orders[slot].order_id - view.id_base
        # A touched one may have been published at another price, from which it must be taken.
        if not bit_of(bits_of(view, bit).is_touched, bit):
            bit_clear(&bits_of(view, bit).in_view, bit)
        slot = market.pool.orders[slot].newer


cdef void level_stays(
    View* view, ShownLevel* level, const ShownLevel* before, uint16_t product_index, int side_name,
) noexcept nogil:
    """Tell a level's totals, if they are news. `before` is NULL where it was not in view."""
    cdef BookChangeRecord* row
    level.entering = before == NULL
    if before != NULL:
        if before.tonnes == level.tonnes and before.order_count == level.order_count:
            return
    row = change_add(view, BOOK_CHANGE_KIND_LEVEL, side_name, product_index)
    row.price = level.price
    row.tonnes = level.tonnes
    row.order_count = level.order_count


cdef uint32_t levels_read(
    View* view, const Ladder* ladder, int side_name, ShownSide* side,
) noexcept nogil:
    """Put what is in view of a side now into `levels_next`; how many levels that are."""
    cdef int64_t index = ladder.best[side_name]
    cdef const Level* level
    cdef ShownLevel* shown
    cdef uint32_t count = 0
    while not level_is_none(index) and (view.levels_max == 0 or count < view.levels_max):
        if not side_reserve(side, count + 1):
            view.out_of_memory = True
            return count
        level = &ladder.levels[index]
        shown = &side.levels_next[count]
        shown.price = ladder.price_min + index
        shown.tonnes = INT64_MAX if level.tonnes > INT64_MAX else <int64_t>level.tonnes
        shown.order_count = level.order_count
        count += 1
        index = level_worse(ladder, side_name, index)
    return count


cdef void levels_cut(
    View* view, const Market* market, uint16_t product_index, int side_name,
) noexcept nogil:
    """Tell which levels of a side came into view, left it, or have other totals."""
    cdef ShownSide* side = &view.products[product_index].sides[side_name]
    cdef const Ladder* ladder = &market.products[product_index].ladder
    cdef uint32_t count = levels_read(view, ladder, side_name, side)
    cdef uint32_t before = 0
    cdef uint32_t now = 0
    cdef ShownLevel* level
    while before < side.count or now < count:
        if now == count or (
            before < side.count and price_better(
                side_name, side.levels[before].price, side.levels_next[now].price,
            )
        ):
            level_leaves(view, market, product_index, side_name, side.levels[before].price)
            before += 1
            continue
        level = &side.levels_next[now]
        now += 1
        if before < side.count and side.levels[before].price == level.price:
            level_stays(view, level, &side.levels[before], product_index, side_name)
            before += 1
        else:
            level_stays(view, level, NULL, product_index, side_name)
    side.levels, side.levels_next = side.levels_next, side.levels
    side.count = count
    side.worst_price = INT64_MAX if side_name == SIDE_BUY else -INT64_MAX
    if count > 0:
        side.worst_price = side.levels[count - 1].price


# -- Orders ---------------------------------------------------------------------------------------

cdef inline void order_tell(View* view, const Order* order) noexcept nogil:
    cdef BookChangeRecord* row = change_add(
        view, BOOK_CHANGE_KIND_ORDER, order.side, order.product_index,
    )
    row.price = order.price
    row.tonnes = order.tonnes_open
    row.order_id = order.order_id
    row.priority = order.priority


cdef inline bint touched_may_be_news(const View* view, const Touched* touched) noexcept nogil:
    """Whether a touched order may be in view, or was: of most the price says that it is not."""
    cdef uint64_t bit = touched.order_id - view.id_base
    return (
        bit_of(bits_of(view, bit).in_view, bit) or bit_of(bits_of(view, bit).is_moved, bit)
        or price_in_view(
            &view.products[touched.product_index].sides[touched.side], touched.side, touched.price,
        )
    )


cdef void touched_tell(View* view, const Market* market) noexcept nogil:
    """Tell how the touched orders stand, of those that are or were in view."""
    cdef const Touched* touched
    cdef const Touched* ahead
    cdef int64_t index
    cdef uint64_t bit
    for index in range(view.touched_count):
        if index + AHEAD_ORDER < view.touched_count:
            ahead = &view.touched[index + AHEAD_ORDER]
            if touched_may_be_news(view, ahead):
                prefetch(&market.pool.orders[slot_of(market, ahead.order_id)])
        touched = &view.touched[index]
        bit = touched.order_id - view.id_base
        if touched_may_be_news(view, touched):
            order_stands_tell(view, market, touched)
        bit_clear(&bits_of(view, bit).is_touched, bit)
        bit_clear(&bits_of(view, bit).is_moved, bit)
    view.touched_count = 0


cdef inline void order_stands_tell(
    View* view, const Market* market, const Touched* touched,
) noexcept nogil:
    """Tell how an order stands if it is in view, or that it has gone out of view."""
    cdef const ShownSide* side = &view.products[touched.product_index].sides[touched.side]
    cdef uint64_t bit = touched.order_id - view.id_base
    cdef uint32_t slot = slot_of(market, touched.order_id)
    cdef const Order* order
    if slot != SLOT_NONE:
        order = &market.pool.orders[slot]
        if price_in_view(side, order.side, order.price):
            bit_set(&bits_of(view, bit).in_view, bit)
            order_tell(view, order)
            return
    if bit_of(bits_of(view, bit).in_view, bit):
        bit_clear(&bits_of(view, bit).in_view, bit)
        # Where no level is left in view, all orders have gone with theirs.
        if side.count > 0:
            change_add(
                view, BOOK_CHANGE_KIND_ORDER, touched.side, touched.product_index,
            ).order_id = touched.order_id


cdef void level_orders_tell(
    View* view, const Market* market, uint16_t product_index, int64_t price, bint all_orders,
) noexcept nogil:
    """Tell a level's orders: all of them, or those that are not in view yet."""
    cdef uint32_t slot = first_slot_at(market, product_index, price)
    cdef uint64_t bit
    cdef const Order* order
    while slot != SLOT_NONE:
        order = &market.pool.orders[slot]
        bit = order.order_id - view.id_base
        if all_orders or not bit_of(bits_of(view, bit).in_view, bit):
            bit_set(&bits_of(view, bit).in_view, bit)
            order_tell(view, order)
        slot = order.newer


cdef void view_cut(View* view, const Market* market) noexcept nogil:
    """Tell all that differs from the last cut: first levels, then orders."""
    cdef ShownSide* side
    cdef uint32_t product_index
    cdef uint32_t level
    cdef int side_name
    view.change_count = 0
    for product_index in range(view.product_count):
        if view.products[product_index].moved:
            for side_name in range(SIDE_BUY, SIDE_SELL + 1):
                levels_cut(view, market, product_index, side_name)
    touched_tell(view, market)
    for product_index in range(view.product_count):
        if not view.products[product_index].moved:
            continue
        view.products[product_index].moved = False
        for side_name in range(SIDE_BUY, SIDE_SELL + 1):
            side = &view.products[product_index].sides[side_name]
            for level in range(side.count):
                if side.levels[level].entering:
                    level_orders_tell(
                        view, market, product_index, side.levels[level].price, False,
                    )
    if market.pool.order_count == 0:
        # No order is in view, so all bits are zero; the next ids start from here.
        view.id_base = market.order_id_last


cdef void view_tell(View* view, const Market* market) noexcept nogil:
    """Tell all that is in view."""
    cdef ShownSide* side
    cdef BookChangeRecord* row
    cdef uint32_t product_index
    cdef uint32_t level
    cdef int side_name
    view.change_count = 0
    for product_index in range(view.product_count):
        for side_name in range(SIDE_BUY, SIDE_SELL + 1):
            side = &view.products[product_index].sides[side_name]
            for level in range(side.count):
                row = change_add(view, BOOK_CHANGE_KIND_LEVEL, side_name, product_index)
                row.price = side.levels[level].price
                row.tonnes = side.levels[level].tonnes
                row.order_count = side.levels[level].order_count
                level_orders_tell(
                    view, market, product_index, side.levels[level].price, True,
                )


# -- The feed -------------------------------------------------------------------------------------

cdef class MarketFeed:
    """What everybody may see of a market, as it changes.

    Parameters
    ----------
    core : CompiledMarket
        The market; what is in its books now counts as shown.
    levels_max : int
        Price levels of each side that are in view; 0 is all.

    Attributes
    ----------
    bands_moved : bool
        A day began or closed, or a reference price changed, since the last cut.

    Notes
    -----
    Rules: CEA-LST-09, OPEN-MKT-03.
    """

    def __cinit__(self, CompiledMarket core not None, levels_max):
        self.core = core
        self.view.levels_max = exact_uint32(levels_max, "levels_max")
        self.view.id_base = core.market.order_id_base
        self.memory_reserve(0)
        self.cut()

    def __dealloc__(self):
        cdef uint32_t index
        cdef int side_name
        for index in range(self.view.product_count):
            for side_name in range(SIDE_BUY, SIDE_SELL + 1):
                free(self.view.products[index].sides[side_name].levels)
                free(self.view.products[index].sides[side_name].levels_next)
        free(self.view.products)
        free(self.view.touched)
        free(self.view.bits)
        free(self.view.changes)
        free(self.view.public)

    cdef int memory_reserve(self, int64_t event_count) except -1:
        """Have room for what so many events may bring, and for the market's products."""
        cdef View* view = &self.view
        cdef const Market* market = &self.core.market
        cdef int64_t capacity = view.product_capacity
        cdef void* grown = view.products
        if market.product_count > view.product_capacity:
            grown = array_grown(grown, &capacity, market.product_count, sizeof(ShownProduct))
            if grown == NULL:
                raise MemoryError("cannot allocate the view of another product")
            view.products = <ShownProduct*>grown
            view.product_capacity = <uint32_t>capacity
        while view.product_count < market.product_count:
            view.products[view.product_count].moved = True
            view.products[view.product_count].moved_for_depth = True
            view.product_count += 1
        if view.touched_count + event_count > view.touched_capacity or view.touched == NULL:
            grown = array_grown(
                view.touched, &view.touched_capacity, view.touched_count + event_count,
                sizeof(Touched),
            )
            if grown == NULL:
                raise MemoryError("cannot allocate the touched orders")
            view.touched = <Touched*>grown
        if view.public_count + event_count > view.public_capacity or view.public == NULL:
            grown = array_grown(
                view.public, &view.public_capacity, view.public_count + event_count,
                sizeof(MarketDataRecord),
            )
            if grown == NULL:
                raise MemoryError("cannot allocate the public rows")
            view.public = <MarketDataRecord*>grown
        if view.changes == NULL:
            grown = array_grown(NULL, &view.change_capacity, 1, sizeof(BookChangeRecord))
            if grown == NULL:
                raise MemoryError("cannot allocate the changes of a book")
            view.changes = <BookChangeRecord*>grown
        if not bits_reserve(view, market.order_id_last):
            raise MemoryError("cannot allocate a bit for each order")
        return 0

    def note(self, events):
        """Take note of events, all of them in order, of which nothing was shown yet.

        Parameters
        ----------
        events : ndarray of EVENT_DTYPE
            What the market gave since the last call.
        """
        cdef Py_buffer buffer
        cdef int64_t count
        records_check(events, EVENT_DTYPE, "events")
        self.core.check_alone()
        buffer_take(events, &buffer, PyBUF_C_CONTIGUOUS, "events")
        try:
            count = buffer.len // <Py_ssize_t>sizeof(EventRecord)
            self.memory_reserve(count)
            with nogil:
                events_note(
                    &self.view, <const EventRecord*>buffer.buf, count,
                    self.core.market.order_id_last,
                )
        finally:
            PyBuffer_Release(&buffer)

    def cut(self):
        """Return what has become public since the last cut.

        Returns
        -------
        public, changes : bytes
            MarketData records, one an event; BookChange records, which bring the book from the
            last cut to the market as it is: LEVEL rows first, then ORDER rows.
        """
        cdef bytes public
        self.core.check_alone()
        self.memory_reserve(0)
        public = PyBytes_FromStringAndSize(
            <char*>self.view.public, self.view.public_count * sizeof(MarketDataRecord),
        )
        self.view.public_count = 0
        self.view.bands_moved = False
        self.core.busy = True
        with nogil:
            view_cut(&self.view, &self.core.market)
        self.core.busy = False
        return public, self.changes_taken()

    def snapshot(self):
        """Return all that is in view, as BookChange records on an empty book.

        Raises
        ------
        RuntimeError
            Events were noted since the last cut: the snapshot would belong to no cut.
        """
        cdef uint32_t index
        cdef bint noted = self.view.public_count != 0
        self.core.check_alone()
        for index in range(self.view.product_count):
            noted |= self.view.products[index].moved
        if noted:
            raise RuntimeError("a snapshot must follow a cut, events were noted since")
        self.core.busy = True
        with nogil:
            view_tell(&self.view, &self.core.market)
        self.core.busy = False
        return self.changes_taken()

    cdef bytes changes_taken(self):
        cdef int64_t count = self.view.change_count
        self.view.change_count = 0
        if self.view.out_of_memory:
            raise MemoryError("cannot allocate the changes of a book")
        return PyBytes_FromStringAndSize(
            <char*>self.view.changes, count * sizeof(BookChangeRecord),
        )

    def moved_products(self):
        """Return the indexes of the products whose books events have touched since last asked."""
        cdef uint32_t index
        cdef list moved = []
        for index in range(self.view.product_count):
            if self.view.products[index].moved_for_depth:
                self.view.products[index].moved_for_depth = False
                moved.append(index)
        return moved

    @property
    def bands_moved(self):
        return bool(self.view.bands_moved)

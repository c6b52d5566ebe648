"""Recorded order flow: its messages played on a book and compared with its rows.

Long, because a message's whole way, from check to comparison, is inlined in one module. Contents:
checking, differences, the window, comparing, believing, playing, the replay.

What a message means and how a book is held against a recorded row is described in
matching/flow/replay.py; its text is read in matching/flow/_flow_text.pyx.

Prices of messages and rows are as recorded. The book counts in ticks, the greatest size that
divides all prices so far; where a later price doesn't fit, a finer book takes the orders over.
"""

from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBuffer_Release
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memmove, memset

from cea_exchange._arguments cimport buffer_take, numbers_check
from cea_exchange._book cimport (
    BookState, OrderBook, book_amend, book_cancel, book_enter, book_order,
)
from cea_exchange._ladder cimport *
from cea_exchange._records cimport *
from cea_exchange._stream cimport EventSink, sink_of
from cea_exchange._views cimport int_of_128

cdef int64_t INT64_MAX = 0x7FFFFFFFFFFFFFFF
cdef int64_t ORDER_COUNT_MAX = 0xFFFFFFFD


# -- Checking -------------------------------------------------------------------------------------

cdef enum:
    MESSAGE_NEW = 1
    MESSAGE_PARTIAL_CANCEL = 2
    MESSAGE_DELETE = 3
    MESSAGE_EXECUTION = 4
    MESSAGE_HALT = 7
    MESSAGE_NUMBERS = 5
    LEVEL_NUMBERS = 4

cdef enum:
    PRICE_EMPTY = 9999999999  # A level that is not there: this ask, or this bid with a minus sign.


cdef struct Message:          # A row of messages.
    int64_t type
    int64_t order_id
    int64_t size
    int64_t price
    int64_t direction


cdef struct Grid:             # What prices a book has to take.
    int64_t tick              # Divides them all.
    int64_t low
    int64_t high


cdef inline int64_t common_divisor(int64_t one, int64_t other) noexcept nogil:
    while other != 0:
        one, other = other, one % other
    return one


cdef inline void grid_take(Grid* grid, int64_t price) noexcept nogil:
    if grid.tick == 0 or price % grid.tick != 0:
        grid.tick = common_divisor(price, grid.tick)
    if price < grid.low:
        grid.low = price
    if price > grid.high:
        grid.high = price


cdef inline bint is_touching(const Message* message) noexcept nogil:
    """Whether it changes the visible book."""
    return MESSAGE_NEW <= message.type <= MESSAGE_EXECUTION


cdef inline int side_of(const Message* message) noexcept nogil:
    return SIDE_BUY if message.direction == 1 else SIDE_SELL


cdef inline bint is_shown(int64_t price, int64_t size) noexcept nogil:
    """Whether a level of a row is there."""
    return size > 0 and 0 < price < <int64_t>PRICE_EMPTY


cdef tuple MESSAGE_FORMS = (
    "type 1 to 7", "an order id, not negative", "a positive size", "a price of 1 to 9999999998",
    "direction 1 or -1",
)


cdef int message_wrong(const Message* message) noexcept nogil:
    """The column of a message that makes no sense, -1 if all do."""
    if not MESSAGE_NEW <= message.type <= MESSAGE_HALT:
        return 0
    if not is_touching(message):
        return -1
    if message.order_id < 0:
        return 1
    if message.size <= 0:
        return 2
    if not 0 < message.price < <int64_t>PRICE_EMPTY:
        return 3
    if message.direction != 1 and message.direction != -1:
        return 4
    return -1


cdef inline bint level_wrong(int64_t price, int64_t size) noexcept nogil:
    return size < 0 or (size > 0 and -<int64_t>PRICE_EMPTY < price <= 0)


cdef bint row_check(
    const int64_t* row, const int64_t* before, int level_count, Grid* grid,
) noexcept nogil:
    """Whether a row makes sense; only what it does not share with the row before is looked at."""
    cdef int place
    for place in range(0, LEVEL_NUMBERS * level_count, 2):
        if before != NULL and row[place] == before[place] and row[place + 1] == before[place + 1]:
            continue
        if level_wrong(row[place], row[place + 1]):
            return False
        if is_shown(row[place], row[place + 1]):
            grid_take(grid, row[place])
    return True


# -- Differences ----------------------------------------------------------------------------------

cdef enum:
    HITS_TOLD = 8

DIFFERENCE_KINDS = (
    "entered_twice", "would_trade", "elsewhere", "unknown", "too_little", "other_trades",
    "unknown_ahead", "level", "row_unordered", "row_crossed",
)

cdef enum:                    # How book and record part: places in DIFFERENCE_KINDS.
    PART_ENTERED_TWICE
    PART_WOULD_TRADE
    PART_ELSEWHERE
    PART_UNKNOWN
    PART_TOO_LITTLE
    PART_OTHER_TRADES
    PART_UNKNOWN_AHEAD
    PART_LEVEL
    PART_UNORDERED
    PART_CROSSED


cdef struct Parting:          # One of them, as numbers.
    int kind
    int side
    int64_t message_number    # From 1.
    Message message
    int64_t price             # What the book has, or the row where it can't be true.
    int64_t size
    int own_side
    bint of_unknown           # What has too little is the sum of unknown orders.
    int place                 # Level of the row, from 0.
    int64_t shown_price
    int64_t shown_size        # 0: no level.
    int64_t built_price
    int128 built_size
    int hits                  # Orders that an execution meets instead.
    bint hits_more
    uint64_t hit_ids[HITS_TOLD]
    int64_t hit_sizes[HITS_TOLD]


cdef struct Partings:         # Those of a part of the flow.
    Parting* rows
    int64_t count
    int64_t capacity
    bint is_lost              # There was no memory for one.


cdef Parting* parting_add(Partings* partings) noexcept nogil:
    """Room for one more, all zero; NULL if there is no memory."""
    cdef int64_t capacity
    cdef Parting* rows
    if partings.count == partings.capacity:
        capacity = max(<int64_t>16, 2 * partings.capacity)
        rows = <Parting*>realloc(partings.rows, capacity * sizeof(Parting))
        if rows == NULL:
            partings.is_lost = True
            return NULL
        partings.rows = rows
        partings.capacity = capacity
    partings.count += 1
    memset(&partings.rows[partings.count - 1], 0, sizeof(Parting))
    return &partings.rows[partings.count - 1]


cdef str side_name(int side):
    return "buy" if side == SIDE_BUY else "sell"


cdef str level_text(int64_t price, object size):
    return f"{size} at {price}" if size else "nothing"


cdef str hits_text(const Parting* parting):
    cdef list hits = []
    for index in range(parting.hits):
        name = f"order {parting.hit_ids[index]}"
        if parting.hit_ids[index] >= ELDER:
            name = "unknown orders"
        hits.append(f"{parting.hit_sizes[index]} of {name}")
    if parting.hits_more:
        hits.append("more")
    return ", ".join(hits) or "nothing"


cdef str parting_text(const Parting* parting):
    """A difference as a sentence; prices as recorded."""
    cdef const Message* message = &parting.message
    side = side_name(parting.side)
    if parting.kind == PART_ENTERED_TWICE:
        return f"order {message.order_id} is on the book already"
    if parting.kind == PART_WOULD_TRADE:
        return f"an order at {parting.price} ({side}) would trade on entry"
    if parting.kind == PART_ELSEWHERE:
        return (
            f"order {message.order_id} stands at {parting.price} ({side_name(parting.own_side)}), "
            f"the message says {message.price} ({side})"
        )
    if parting.kind == PART_UNKNOWN:
        return (
            f"order {message.order_id} is not on the book, and nothing of unknown orders is left "
            f"at {message.price} ({side})"
        )
    if parting.kind == PART_TOO_LITTLE and parting.of_unknown:
        return (
            f"{parting.size} of unknown orders are open at {message.price} ({side}), "
            f"{message.size} of order {message.order_id} go"
        )
    if parting.kind == PART_TOO_LITTLE:
        return f"order {message.order_id} has {parting.size} open, {message.size} go"
    if parting.kind == PART_OTHER_TRADES:
        return (
            f"{message.size} of order {message.order_id} at {message.price} were executed, "
            f"the book trades {hits_text(parting)}"
        )
    if parting.kind == PART_UNKNOWN_AHEAD:
        return (
            f"{message.size} of order {message.order_id} at {message.price} were executed, though "
            f"{parting.size} of unknown orders are taken to stand before it"
        )
    if parting.kind == PART_CROSSED:
        return f"the record is crossed: bid 1 at {parting.price}, ask 1 at {parting.shown_price}"
    name = f"{'bid' if parting.side == SIDE_BUY else 'ask'} {parting.place + 1}"
    if parting.kind == PART_UNORDERED:
        return f"{name}: the record has {parting.price}, which is not behind the level before"
    shown = level_text(parting.shown_price, parting.shown_size)
    built = level_text(parting.built_price, int_of_128(<uint128>parting.built_size))
    return f"{name}: the record has {shown}, the book {built}"


# -- The window -----------------------------------------------------------------------------------

cdef enum:
    OWNER_RESTING = 1
    OWNER_TAKING = 2

# What is known of a level's orders that no message has entered is one order of its own: its id is
# this bit, the side, and the price.
cdef uint64_t ELDER = <uint64_t>1 << 63
cdef uint64_t TAKER_ID = ~<uint64_t>0


cdef struct Window:           # One side of the last row, which the book agrees with.
    int64_t edge              # Price of its last level.
    int level_count
    bint is_cut               # Levels may lie beyond: then a row can teach one.


cdef struct Replay:
    BookState* book
    EventSink silence
    int64_t tick
    int level_count           # Of a side in a row; 0 if there are none.
    Window windows[3]         # By side.
    bint is_begun             # A row was taken for the beginning.
    const int64_t* row_agreed # The row before, if the book is what it shows; or NULL.
    const Message* message    # The one that is played.
    int touched               # The side that the message has changed, or 0.
    int64_t messages
    int64_t steps
    int64_t steps_agreeing
    int64_t levels_learned
    int64_t levels_forgotten
    int64_t orders_unknown
    int64_t executions
    int128 executed_size
    int64_t differences
    int64_t different_message # The last message at which there was one.
    Partings partings


cdef inline uint64_t elder_id(int side, int64_t price) noexcept nogil:
    return ELDER | <uint64_t>side << 61 | <uint64_t>price


cdef const Order* elder_of(const Replay* replay, const Message* message, int side) noexcept nogil:
    return book_order(replay.book, elder_id(side, message.price))


cdef inline int64_t price_at(const Replay* replay, int64_t index) noexcept nogil:
    """The price of a level as it was recorded."""
    return (replay.book.ladder.price_min + index) * replay.tick


cdef Parting* part(Replay* replay, int kind, int side) noexcept nogil:
    """Note a difference, if the message has none yet; NULL if there is nothing to fill in."""
    cdef Parting* parting
    if replay.different_message == replay.messages:
        return NULL
    replay.different_message = replay.messages
    replay.differences += 1
    parting = parting_add(&replay.partings)
    if parting != NULL:
        parting.kind = kind
        parting.side = side
        parting.message_number = replay.messages
        parting.message = replay.message[0]
    return parting


cdef bint rest(
    Replay* replay, uint64_t order_id, int side, int64_t price, int64_t size,
) noexcept nogil:
    """Put an order on the book; False where it would trade."""
    book_enter(
        replay.book, &replay.silence, order_id, side, price // replay.tick, size, OWNER_RESTING,
        TIF_DAY, ORDER_FLAG_POST_ONLY,
    )
    return replay.book.outcome.reason == REASON_NONE


cdef void order_take(Replay* replay, const Order* order, int64_t size) noexcept nogil:
    """Take a size off a resting order, which keeps its place."""
    if size == order.tonnes_open:
        book_cancel(replay.book, &replay.silence, order.order_id)
    else:
        book_amend(
            replay.book, &replay.silence, order.order_id, order.price, order.tonnes_open - size,
        )


cdef void level_drop(Replay* replay, int64_t index) noexcept nogil:
    """Cancel all orders of a level."""
    cdef const OrderPool* pool = &replay.book.pool
    cdef const Level* level = &replay.book.ladder.levels[index]
    while level.oldest != SLOT_NONE:
        book_cancel(replay.book, &replay.silence, pool.orders[level.oldest].order_id)


cdef inline bint is_behind(int side, int64_t price, int64_t other) noexcept nogil:
    """Whether a price is worse than another."""
    return price < other if side == SIDE_BUY else price > other


cdef bint is_beyond(const Replay* replay, int side, int64_t price) noexcept nogil:
    """Whether a price lies past the window's edge, where the rows show nothing."""
    cdef const Window* window = &replay.windows[side]
    if not window.is_cut or window.level_count < replay.level_count:
        return False
    return is_behind(side, price, window.edge)


cdef inline const int64_t* row_side(const int64_t* row, int side) noexcept nogil:
    """Where the levels of a side begin in a row."""
    return row if side == SIDE_SELL else row + 2


cdef inline int next_shown(const Replay* replay, const int64_t* levels, int place) noexcept nogil:
    """The next place whose level is there, or `level_count`."""
    while place < replay.level_count and not is_shown(
        levels[LEVEL_NUMBERS * place], levels[LEVEL_NUMBERS * place + 1],
    ):
        place += 1
    return place


cdef bint level_learn(Replay* replay, int side, const int64_t* level) noexcept nogil:
    """Take a level of the row for what lies behind the window's last; False if it can't."""
    cdef Window* window = &replay.windows[side]
    cdef int64_t price = level[0]
    if window.level_count > 0 and not is_behind(side, price, window.edge):
        return False
    if not rest(replay, elder_id(side, price), side, price, level[1]):
        return False
    window.edge = price
    window.level_count += 1
    return True


# -- Comparing ------------------------------------------------------------------------------------

cdef inline bint side_is_same(
    const int64_t* levels, const int64_t* before, int level_count,
) noexcept nogil:
    """Whether two rows show the same on one side. Without a branch, for the compiler to widen."""
    cdef int64_t differs = 0
    cdef int place
    for place in range(0, 4 * level_count, 4):
        differs |= (levels[place] ^ before[place]) | (levels[place + 1] ^ before[place + 1])
    return differs == 0


cdef void level_forget(Replay* replay, int side, int64_t index) noexcept nogil:
    """Forget what left the window at its edge."""
    level_drop(replay, index)
    replay.levels_forgotten += 1
    replay.windows[side].is_cut = True


cdef bint side_compare(Replay* replay, int side, const int64_t* levels) noexcept nogil:
    """Hold a side of the book against the row; learn and forget at the edge."""
    cdef Ladder* ladder = &replay.book.ladder
    cdef Window* window = &replay.windows[side]
    cdef int64_t index = ladder.best[side]
    cdef int64_t worse
    cdef int place = next_shown(replay, levels, 0)
    cdef int count = 0
    cdef const int64_t* shown = NULL
    window.level_count = 0
    while count < replay.level_count and not level_is_none(index):
        if place == replay.level_count:
            return False
        shown = &levels[LEVEL_NUMBERS * place]
        if shown[0] != price_at(replay, index) or shown[1] != ladder.levels[index].tonnes:
            return False
        window.edge = shown[0]
        index = level_worse(ladder, side, index)
        place = next_shown(replay, levels, place + 1)
        count += 1
    window.level_count = count
    while not level_is_none(index):
        worse = level_worse(ladder, side, index)
        level_forget(replay, side, index)
        index = worse
    if place < replay.level_count and not window.is_cut:
        return False
    while place < replay.level_count:
        if not level_learn(replay, side, &levels[LEVEL_NUMBERS * place]):
            return False
        place = next_shown(replay, levels, place + 1)
    replay.levels_learned += window.level_count - count
    if window.level_count < replay.level_count:
        window.is_cut = False
    return True


cdef bint row_compare(Replay* replay, const int64_t* row) noexcept nogil:
    """Hold the book against a row. A side that neither has changed agrees as before."""
    cdef int side
    for side in range(SIDE_BUY, SIDE_SELL + 1):
        if (
            side != replay.touched and replay.row_agreed != NULL
            and side_is_same(
                row_side(row, side), row_side(replay.row_agreed, side), replay.level_count,
            )
        ):
            continue
        if not side_compare(replay, side, row_side(row, side)):
            return False
    return True


# -- Believing ------------------------------------------------------------------------------------

cdef bint side_is_ordered(Replay* replay, int side, const int64_t* levels) noexcept nogil:
    """Whether each level of a side lies behind the one before; notes a difference if not."""
    cdef Parting* parting
    cdef const int64_t* level
    cdef int64_t before = 0
    cdef int count = 0
    cdef int place = next_shown(replay, levels, 0)
    while place < replay.level_count:
        level = &levels[LEVEL_NUMBERS * place]
        if count > 0 and not is_behind(side, level[0], before):
            parting = part(replay, PART_UNORDERED, side)
            if parting != NULL:
                parting.price = level[0]
                parting.place = count
            return False
        before = level[0]
        count += 1
        place = next_shown(replay, levels, place + 1)
    return True


cdef bint row_is_true(Replay* replay, const int64_t* row) noexcept nogil:
    """Whether any book is like a row; notes a difference if not."""
    cdef const int64_t* bids = row_side(row, SIDE_BUY)
    cdef const int64_t* asks = row_side(row, SIDE_SELL)
    cdef int bid
    cdef int ask
    cdef Parting* parting
    if not (
        side_is_ordered(replay, SIDE_BUY, bids) and side_is_ordered(replay, SIDE_SELL, asks)
    ):
        return False
    bid = next_shown(replay, bids, 0)
    ask = next_shown(replay, asks, 0)
    if bid == replay.level_count or ask == replay.level_count:
        return True
    if bids[LEVEL_NUMBERS * bid] < asks[LEVEL_NUMBERS * ask]:
        return True
    parting = part(replay, PART_CROSSED, SIDE_BUY)
    if parting != NULL:
        parting.price = bids[LEVEL_NUMBERS * bid]
        parting.shown_price = asks[LEVEL_NUMBERS * ask]
    return False


cdef void level_part(
    Replay* replay, int side, int count, const int64_t* shown, int64_t index,
) noexcept nogil:
    """Note that a level of row and book differs; `shown` NULL and `index` none if not there."""
    cdef Parting* parting = part(replay, PART_LEVEL, side)
    if parting == NULL:
        return
    parting.place = count
    if shown != NULL:
        parting.shown_price = shown[0]
        parting.shown_size = shown[1]
    if not level_is_none(index):
        parting.built_price = price_at(replay, index)
        parting.built_size = replay.book.ladder.levels[index].tonnes


cdef bint side_drop(Replay* replay, int side, const int64_t* levels) noexcept nogil:
    """Drop the levels of a side that are not as the row has them; the others keep their queues.

    Returns whether the row's last level is one that the book lacked.
    """
    cdef Ladder* ladder = &replay.book.ladder
    cdef int64_t index = ladder.best[side]
    cdef int64_t worse
    cdef const int64_t* shown
    cdef int place = next_shown(replay, levels, 0)
    cdef int count = 0
    cdef bint last_is_new = False
    while not level_is_none(index):
        worse = level_worse(ladder, side, index)
        if count == replay.level_count:
            level_forget(replay, side, index)
            index = worse
            continue
        shown = &levels[LEVEL_NUMBERS * place] if place < replay.level_count else NULL
        if shown == NULL or is_behind(side, shown[0], price_at(replay, index)):
            level_part(replay, side, count, shown, index)
            level_drop(replay, index)
            index = worse
            continue
        last_is_new = shown[0] != price_at(replay, index)
        if last_is_new:
            level_part(replay, side, count, shown, index)
        else:
            if shown[1] != ladder.levels[index].tonnes:
                level_part(replay, side, count, shown, index)
                level_drop(replay, index)
            index = worse
        count += 1
        place = next_shown(replay, levels, place + 1)
    if place == replay.level_count:
        return last_is_new
    if not replay.windows[side].is_cut:
        level_part(replay, side, count, &levels[LEVEL_NUMBERS * place], index)
    return True


cdef void side_learn(
    Replay* replay, int side, const int64_t* levels, bint last_is_new,
) noexcept nogil:
    """Take the levels of the row that the book lacks, and the row's window."""
    cdef const Ladder* ladder = &replay.book.ladder
    cdef Window* window = &replay.windows[side]
    cdef int place = next_shown(replay, levels, 0)
    cdef const int64_t* level
    window.level_count = 0
    while place < replay.level_count:
        level = &levels[LEVEL_NUMBERS * place]
        if ladder.levels[level[0] // replay.tick - ladder.price_min].oldest == SLOT_NONE:
            rest(replay, elder_id(side, level[0]), side, level[0], level[1])
        window.edge = level[0]
        window.level_count += 1
        place = next_shown(replay, levels, place + 1)
    if window.level_count < replay.level_count:
        window.is_cut = False
    elif last_is_new:
        # It came from behind what was known.
        window.is_cut = True


cdef void window_fit(Replay* replay, int side) noexcept nogil:
    """Take the book's own levels for the window, where the row says nothing."""
    cdef Window* window = &replay.windows[side]
    cdef int64_t index = replay.book.ladder.best[side]
    window.level_count = 0
    while window.level_count < replay.level_count and not level_is_none(index):
        window.edge = price_at(replay, index)
        window.level_count += 1
        index = level_worse(&replay.book.ladder, side, index)


cdef void row_believe(Replay* replay, const int64_t* row) noexcept nogil:
    """Take a row for the truth where the book is another, so that later steps are judged alone."""
    cdef bint buy_is_new
    cdef bint sell_is_new
    replay.row_agreed = NULL
    if not row_is_true(replay, row):
        # Nothing is learned from it; the next row is held against what the messages say.
        window_fit(replay, SIDE_BUY)
        window_fit(replay, SIDE_SELL)
        return
    # Both sides are cleared first: what is learned must not meet what is not there any more.
    buy_is_new = side_drop(replay, SIDE_BUY, row_side(row, SIDE_BUY))
    sell_is_new = side_drop(replay, SIDE_SELL, row_side(row, SIDE_SELL))
    side_learn(replay, SIDE_BUY, row_side(row, SIDE_BUY), buy_is_new)
    side_learn(replay, SIDE_SELL, row_side(row, SIDE_SELL), sell_is_new)
    replay.row_agreed = row


cdef void begin(Replay* replay, const int64_t* row) noexcept nogil:
    """Take a row for the beginning, unless it can't be true."""
    cdef const Message* message = replay.message
    cdef int side = side_of(message)
    cdef const Order* elder
    row_believe(replay, row)
    replay.is_begun = replay.row_agreed != NULL
    if not replay.is_begun or message.type != MESSAGE_NEW:
        return
    # The row has the order that this message entered, behind all others at its price.
    elder = elder_of(replay, message, side)
    if elder != NULL and elder.tonnes_open >= message.size:
        order_take(replay, elder, message.size)
        rest(replay, <uint64_t>message.order_id, side, message.price, message.size)


# -- Playing --------------------------------------------------------------------------------------

cdef bint new_play(Replay* replay, const Message* message, int side) noexcept nogil:
    cdef Parting* parting
    if book_order(replay.book, <uint64_t>message.order_id) != NULL:
        part(replay, PART_ENTERED_TWICE, side)
        return False
    if is_beyond(replay, side, message.price):
        return True
    replay.touched = side
    if rest(replay, <uint64_t>message.order_id, side, message.price, message.size):
        return True
    parting = part(replay, PART_WOULD_TRADE, side)
    if parting != NULL:
        parting.price = message.price
    return False


cdef bint row_allows(
    const Replay* replay, const int64_t* row, int side, int64_t price, int128 size,
) noexcept nogil:
    """Whether a row has so much at a price, or doesn't show it."""
    cdef const int64_t* levels = row_side(row, side)
    cdef int place = next_shown(replay, levels, 0)
    cdef int count = 0
    while place < replay.level_count:
        if levels[LEVEL_NUMBERS * place] == price:
            return levels[LEVEL_NUMBERS * place + 1] == size
        if is_behind(side, levels[LEVEL_NUMBERS * place], price):
            return size == 0
        count += 1
        place = next_shown(replay, levels, place + 1)
    return size == 0 or count == replay.level_count


cdef void named_take(
    Replay* replay, const Message* message, const Order* order, const int64_t* row,
) noexcept nogil:
    """Take the size off the order that is named, unless the row says that it went elsewhere."""
    cdef const Level* level = &replay.book.ladder.levels[order.price - replay.book.ladder.price_min]
    cdef int64_t size = min(message.size, order.tonnes_open)
    if message.type == MESSAGE_DELETE and order.order_id < ELDER:
        size = order.tonnes_open
    if row != NULL and not row_allows(
        replay, row, order.side, order.price * replay.tick, <int128>level.tonnes - size,
    ):
        return
    order_take(replay, order, size)
    replay.row_agreed = NULL


cdef void hits_note(
    const Replay* replay, const Message* message, int side, Parting* parting,
) noexcept nogil:
    """Note whom an execution would meet, which is not the order that it names."""
    cdef const Ladder* ladder = &replay.book.ladder
    cdef int64_t limit = message.price // replay.tick - ladder.price_min
    cdef int64_t left = message.size
    cdef int64_t index = ladder.best[side]
    cdef const Order* order
    cdef uint32_t slot
    while left > 0 and index_crosses(side_opposite(side), limit, index):
        slot = ladder.levels[index].oldest
        while left > 0 and slot != SLOT_NONE:
            if parting.hits == HITS_TOLD:
                parting.hits_more = True
                return
            order = &replay.book.pool.orders[slot]
            parting.hit_ids[parting.hits] = order.order_id
            parting.hit_sizes[parting.hits] = min(left, order.tonnes_open)
            left -= parting.hit_sizes[parting.hits]
            parting.hits += 1
            slot = order.newer
        index = level_worse(ladder, side, index)


cdef bint is_behind_unknown(
    const Replay* replay, const Message* message, int side, const Order* order,
) noexcept nogil:
    """Whether nothing but unknown orders of its level stands before an order."""
    cdef const Ladder* ladder = &replay.book.ladder
    cdef const Order* orders = replay.book.pool.orders
    cdef int64_t index = order.price - ladder.price_min
    cdef const Order* oldest = &orders[ladder.levels[index].oldest]
    return (
        ladder.best[side] == index and oldest.order_id >= ELDER and oldest.newer != SLOT_NONE
        and &orders[oldest.newer] == order and order.tonnes_open >= message.size
    )


cdef void execution_part(
    Replay* replay, const Message* message, int side, const Order* order,
) noexcept nogil:
    cdef const Ladder* ladder = &replay.book.ladder
    cdef uint32_t oldest = ladder.levels[order.price - ladder.price_min].oldest
    cdef Parting* parting
    if is_behind_unknown(replay, message, side, order):
        parting = part(replay, PART_UNKNOWN_AHEAD, side)
        if parting != NULL:
            parting.size = replay.book.pool.orders[oldest].tonnes_open
        return
    parting = part(replay, PART_OTHER_TRADES, side)
    if parting != NULL:
        hits_note(replay, message, side, parting)


cdef bint execution_play(
    Replay* replay, const Message* message, int side, const Order* order, const int64_t* row,
) noexcept nogil:
    """Send the marketable order that hit the named one."""
    cdef const Ladder* ladder = &replay.book.ladder
    cdef int64_t index = order.price - ladder.price_min
    if (
        ladder.best[side] != index
        or &replay.book.pool.orders[ladder.levels[index].oldest] != order
        or order.tonnes_open < message.size
    ):
        execution_part(replay, message, side, order)
        named_take(replay, message, order, row)
        return False
    book_enter(
        replay.book, &replay.silence, TAKER_ID, side_opposite(side), order.price, message.size,
        OWNER_TAKING, TIF_IOC,
    )
    return True


cdef bint reduction_play(
    Replay* replay, const Message* message, int side, const Order* order, const int64_t* row,
) noexcept nogil:
    cdef Parting* parting
    if message.size > order.tonnes_open:
        parting = part(replay, PART_TOO_LITTLE, side)
        if parting != NULL:
            parting.size = order.tonnes_open
            parting.of_unknown = order.order_id >= ELDER
        named_take(replay, message, order, row)
        return False
    order_take(replay, order, message.size)
    return True


cdef bint message_play(
    Replay* replay, const Message* message, const int64_t* row,
) noexcept nogil:
    """Do to the book what a message says was done; False if that can't be."""
    cdef int side = side_of(message)
    cdef const Order* order
    cdef Parting* parting
    cdef bint is_own
    if message.type == MESSAGE_NEW:
        return new_play(replay, message, side)
    order = book_order(replay.book, <uint64_t>message.order_id)
    is_own = order != NULL
    if is_own and (order.side != side or order.price * replay.tick != message.price):
        parting = part(replay, PART_ELSEWHERE, side)
        if parting != NULL:
            parting.price = order.price * replay.tick
            parting.own_side = order.side
        named_take(replay, message, order, row)
        return False
    if not is_own:
        replay.orders_unknown += 1
        if is_beyond(replay, side, message.price):
            return True
        order = elder_of(replay, message, side)
        if order == NULL:
            if replay.level_count == 0:
                return True
            part(replay, PART_UNKNOWN, side)
            return False
    replay.touched = side
    if message.type == MESSAGE_EXECUTION:
        return execution_play(replay, message, side, order, row)
    if message.type == MESSAGE_DELETE and is_own:
        book_cancel(replay.book, &replay.silence, order.order_id)
        return True
    return reduction_play(replay, message, side, order, row)


cdef void step(Replay* replay, const Message* message, const int64_t* row) noexcept nogil:
    """Play one message and compare the book with the row after it, if there is one."""
    cdef bint agrees = True
    replay.messages += 1
    replay.message = message
    if row != NULL and not replay.is_begun:
        begin(replay, row)
        return
    replay.touched = 0
    if message.type == MESSAGE_EXECUTION:
        replay.executions += 1
        replay.executed_size += message.size
    if is_touching(message):
        agrees = message_play(replay, message, row)
    if row == NULL:
        return
    if row_compare(replay, row):
        replay.row_agreed = row
    else:
        row_believe(replay, row)
        agrees = False
    replay.steps += 1
    replay.steps_agreeing += agrees


# -- The replay -----------------------------------------------------------------------------------

cdef enum:
    PART_LONG = 4096          # Messages of a flow that goes on, and so is worth huge pages.


cdef struct Flow:             # A part of the flow, whose memory is lent for a call.
    int64_t count
    const Message* messages
    const int64_t* rows       # NULL if there are none.
    int64_t width             # Numbers of a row.
    Py_buffer message_view
    Py_buffer row_view


cdef void flow_release(Flow* flow):
    PyBuffer_Release(&flow.message_view)
    if flow.rows != NULL:
        PyBuffer_Release(&flow.row_view)


cdef class FlowReplay:
    """Plays messages on a book and holds it against the recorded rows.

    Parameters
    ----------
    level_count : int
        Levels of a side in a row; 0 if nothing was recorded.

    Notes
    -----
    Flow comes in parts of any length, each first to `prepare` and then to `play`; how it is cut
    changes nothing.
    """

    cdef Replay replay
    cdef Grid grid
    cdef readonly OrderBook book  # To look at; the replay goes on with it.
    cdef int64_t* row_kept    # The last row of the part before.
    cdef object messages_ready
    cdef object rows_ready
    cdef object first         # The first difference.
    cdef bint busy

    def __cinit__(self, int level_count):
        if not 0 <= level_count <= 1_000_000:
            raise ValueError(f"level_count: expected within 0..1000000, got {level_count}")
        memset(&self.replay, 0, sizeof(Replay))
        # It takes no kind of event, so its room is never used.
        self.replay.silence = sink_of(NULL, INT64_MAX, 0)
        self.replay.level_count = level_count
        self.replay.windows[SIDE_BUY].is_cut = level_count > 0
        self.replay.windows[SIDE_SELL].is_cut = level_count > 0
        self.grid.low = PRICE_EMPTY
        self.row_kept = <int64_t*>calloc(LEVEL_NUMBERS * level_count + 1, sizeof(int64_t))
        if self.row_kept == NULL:
            raise MemoryError(f"cannot allocate a row of {level_count} levels")

    def __dealloc__(self):
        free(self.row_kept)
        free(self.replay.partings.rows)

    cdef int check_alone(self) except -1:
        if self.busy:
            raise RuntimeError("a second thread must not enter a replay")

    def prepare(self, messages, rows=None):
        """Check the next part of the flow, and have a book that takes its prices.

        Parameters
        ----------
        messages : ndarray of int64, five columns
            Type, order id, size, price, direction.
        rows : ndarray of int64, four columns a level
            Ask, its size, bid, its size, best first; none if `level_count` is 0.

        Raises
        ------
        ValueError
            `(place, is_row, text)`: the message, from 0 in this part, whether its row is meant, and
            what is wrong.
        """
        cdef Flow flow
        cdef int64_t wrong
        cdef bint is_row = False
        self.check_alone()
        self.flow_take(&flow, messages, rows)
        self.busy = True
        try:
            with nogil:
                wrong = self.part_check(&flow, &is_row)
            if wrong >= 0:
                raise ValueError(wrong, is_row, self.wrong_text(&flow, wrong, is_row))
            self.book_fit(flow.count)
        finally:
            self.busy = False
            flow_release(&flow)
        self.messages_ready, self.rows_ready = messages, rows

    cdef int flow_take(self, Flow* flow, object messages, object rows) except -1:
        """Borrow the memory of messages and rows; `flow_release` gives it back."""
        memset(flow, 0, sizeof(Flow))
        flow.count = numbers_check(messages, "messages")
        flow.width = LEVEL_NUMBERS * self.replay.level_count
        if messages.shape[1] != MESSAGE_NUMBERS:
            raise TypeError(f"messages: expected five columns, got {messages.shape[1]}")
        if rows is not None and flow.width == 0:
            raise TypeError("rows: expected none, as there are no levels, got some")
        if flow.width and (rows is None or (
            numbers_check(rows, "rows") != flow.count or rows.shape[1] != flow.width
        )):
            got = "none" if rows is None else f"the shape {rows.shape}"
            raise TypeError(
                f"rows: expected as many as the messages, four columns a level, got {got}"
            )
        buffer_take(messages, &flow.message_view, PyBUF_C_CONTIGUOUS, "messages")
        flow.messages = <const Message*>flow.message_view.buf
        if rows is not None:
            try:
                buffer_take(rows, &flow.row_view, PyBUF_C_CONTIGUOUS, "rows")
            except TypeError:
                PyBuffer_Release(&flow.message_view)
                raise
            flow.rows = <const int64_t*>flow.row_view.buf

    cdef int64_t part_check(self, const Flow* flow, bint* is_row) noexcept nogil:
        """The first message that makes no sense, or whose row does not; -1 if all do."""
        cdef const int64_t* before = self.replay.row_agreed
        cdef const int64_t* row
        cdef int64_t number
        for number in range(flow.count):
            if message_wrong(&flow.messages[number]) >= 0:
                return number
            if is_touching(&flow.messages[number]):
                grid_take(&self.grid, flow.messages[number].price)
            if flow.rows != NULL:
                row = &flow.rows[number * flow.width]
                if not row_check(row, before, self.replay.level_count, &self.grid):
                    is_row[0] = True
                    return number
                before = row
        return -1

    cdef str wrong_text(self, const Flow* flow, int64_t number, bint is_row):
        """Say what is wrong with a message, or with its row."""
        cdef const int64_t* numbers = <const int64_t*>&flow.messages[number]
        cdef int place = message_wrong(&flow.messages[number])
        if not is_row:
            return f"expected {MESSAGE_FORMS[place]}, got {numbers[place]}"
        numbers = &flow.rows[number * flow.width]
        place = 0
        while not level_wrong(numbers[place], numbers[place + 1]):
            place += 2
        if numbers[place + 1] < 0:
            return (
                f"expected a size in column {place + 2}, not negative, got {numbers[place + 1]}"
            )
        return f"expected a positive price in column {place + 1}, got {numbers[place]}"

    cdef int book_fit(self, int64_t message_count) except -1:
        """Have a book of fine enough ticks, and wide and large enough for what comes."""
        cdef int64_t live = 0 if self.book is None else self.book.state.pool.order_count
        cdef int64_t needed = live + message_count + 2 * self.replay.level_count + 2
        cdef int64_t tick = max(<int64_t>1, self.grid.tick)
        cdef int64_t low
        cdef int64_t high
        cdef int64_t margin
        if self.grid.high == 0 and self.book is not None:
            return 0
        low = min(self.grid.low, max(<int64_t>1, self.grid.high)) // tick
        high = max(<int64_t>1, self.grid.high) // tick
        if self.book is not None and tick == self.replay.tick:
            if (
                self.book.state.ladder.price_min <= low and high <= self.book.state.ladder.price_max
                and needed <= self.book.state.pool.order_count_max
            ):
                return 0
        margin = high - low + 1024
        needed *= 2
        if message_count >= PART_LONG:
            needed += HUGE_FROM_ORDERS
        self.book_exchange(
            OrderBook(
                max(<int64_t>0, low - margin), high + margin,
                order_count_max=min(needed, ORDER_COUNT_MAX),
            ),
            tick,
        )
        return 0

    cdef int book_exchange(self, OrderBook book, int64_t tick) except -1:
        """Go on with another book, which takes over the orders."""
        cdef BookState* old
        cdef int side
        if self.book is not None:
            old = &self.book.state
            for side in range(SIDE_BUY, SIDE_SELL + 1):
                self.orders_move(old, &book.state, side, self.replay.tick // tick)
        self.book = book
        self.replay.book = &book.state
        self.replay.tick = tick

    cdef void orders_move(
        self, const BookState* old, BookState* book, int side, int64_t factor,
    ) noexcept nogil:
        """Enter the orders of a side, in the order of their levels' queues, in finer ticks."""
        cdef int64_t index = old.ladder.best[side]
        cdef uint32_t slot
        cdef const Order* order
        while not level_is_none(index):
            slot = old.ladder.levels[index].oldest
            while slot != SLOT_NONE:
                order = &old.pool.orders[slot]
                book_enter(
                    book, &self.replay.silence, order.order_id, side, order.price * factor,
                    order.tonnes_open, order.owner, TIF_DAY, order.flags,
                )
                slot = order.newer
            index = level_worse(&old.ladder, side, index)

    def play(self, messages, rows=None):
        """Play what was prepared last, without the GIL.

        Returns
        -------
        list of (int, str, str)
            The differences: the message, from 1 in the whole flow, one of `DIFFERENCE_KINDS`, and
            what differs. A message has one at most, the first that was found.

        Raises
        ------
        ValueError
            These are not the arrays that were prepared.
        RuntimeError
            A second thread.
        MemoryError
            There was no memory for the differences; the flow was played.
        """
        cdef Flow flow
        self.check_alone()
        if messages is not self.messages_ready or rows is not self.rows_ready:
            raise ValueError("play: expected the arrays that were prepared last, got others")
        self.messages_ready = self.rows_ready = None
        self.flow_take(&flow, messages, rows)
        self.busy = True
        self.replay.partings.count = 0
        with nogil:
            self.part_play(&flow)
        self.busy = False
        flow_release(&flow)
        return self.differences_taken()

    cdef list differences_taken(self):
        cdef const Partings* partings = &self.replay.partings
        if partings.is_lost:
            raise MemoryError("cannot allocate room for the differences")
        taken = [
            (
                partings.rows[place].message_number, DIFFERENCE_KINDS[partings.rows[place].kind],
                parting_text(&partings.rows[place]),
            )
            for place in range(partings.count)
        ]
        if taken and self.first is None:
            self.first = taken[0]
        return taken

    cdef void part_play(self, const Flow* flow) noexcept nogil:
        cdef int64_t number
        for number in range(flow.count):
            step(
                &self.replay, &flow.messages[number],
                &flow.rows[number * flow.width] if flow.rows != NULL else NULL,
            )
        if self.replay.row_agreed != NULL:
            # The caller's memory is the caller's again.
            memmove(self.row_kept, self.replay.row_agreed, flow.width * sizeof(int64_t))
            self.replay.row_agreed = self.row_kept

    def counts(self):
        """What the replay came to so far, by name.

        Returns
        -------
        dict of str to int
        """
        self.check_alone()
        return {
            "messages": self.replay.messages,
            "steps": self.replay.steps,
            "steps_agreeing": self.replay.steps_agreeing,
            "levels_learned": self.replay.levels_learned,
            "levels_forgotten": self.replay.levels_forgotten,
            "orders_unknown": self.replay.orders_unknown,
            "executions": self.replay.executions,
            "executed_size": int_of_128(<uint128>self.replay.executed_size),
            "difference_count": self.replay.differences,
            "tick": self.replay.tick,
            "orders_resting": 0 if self.book is None else len(self.book),
        }

    def difference(self):
        """The first difference.

        Returns
        -------
        (int, str, str) or None
            As of `play`.
        """
        self.check_alone()
        return self.first

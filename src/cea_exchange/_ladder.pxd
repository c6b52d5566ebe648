"""The price ladder: a pool of orders, a queue at each price, a bitmap over the prices.

Contents: types, memory, pool, bitmap, levels, walking.

    levels    [price - price_min] -> oldest and newest order, tonnes, count
    bitmap    row 0: a bit a level; row n + 1: a bit a word of row n
    pool      orders by slot, linked to their neighbours at their level

All is inline, so that every compiled module that cimports it has its own copy and no call is left
between a command and its level. The arrays are reserved address space that costs memory only where
orders are. One bitmap serves both sides, because a book is never crossed: what lies above the best
ask are asks, what lies below the best bid are bids.

Nothing here knows ids, money, accounts or the trading day.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from cea_exchange._records cimport SIDE_BUY, SIDE_SELL


# -- Types ----------------------------------------------------------------------------------------

cdef extern from *:
    # Cython has no 128-bit integers and takes these for its widest ones. They never meet Python.
    ctypedef long long int128 "__int128"
    ctypedef unsigned long long uint128 "unsigned __int128"


cdef enum:
    SLOT_NONE = 0             # Slot 0 is never used, so zeroed memory holds no orders.
    BITMAP_HEIGHT_MAX = 6     # 64 ** 6 levels.

# The index of a level that is not there: below every bid, above every ask. So an order that finds
# the other side empty needs no question of its own to know that it crosses nothing.
cdef enum:
    BID_NONE = -1
cdef enum:
    ASK_NONE = 0x4000000000000000


cdef struct Order:            # 64 bytes: one cache line. The first 56 are an OrderRecord.
    uint64_t order_id
    uint64_t client_order_id  # The id of the command that entered it.
    uint64_t priority         # Larger is later; new each time it goes to the back of a level.
    uint64_t amount_traded    # Sum of price x tonnes traded so far.
    int64_t price
    int64_t tonnes_open       # > 0 while resting.
    uint32_t owner            # account_index in a market.
    uint16_t product_index
    uint8_t side              # 0 marks a free slot.
    uint8_t flags             # OrderFlag bits; in a market its operator in the upper four.
    uint32_t older            # Neighbours at its level, or SLOT_NONE.
    uint32_t newer            # Links the free slots too.


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


cdef struct Ladder:
    Level* levels             # [price_max - price_min + 1]
    int64_t best[3]           # By side: index of the best level, or BID_NONE, ASK_NONE.
    int64_t price_min
    int64_t price_max
    uint64_t* bitmap[BITMAP_HEIGHT_MAX]
    int bitmap_height
    uint64_t* bitmap_memory
    size_t bitmap_bytes
    size_t level_bytes


ctypedef enum SelfTrade:      # What happens where an order meets one of the same owner.
    SELF_TRADE_ALLOW
    SELF_TRADE_REJECT
    SELF_TRADE_CANCEL_RESTING
    SELF_TRADE_CANCEL_INCOMING
    SELF_TRADE_CANCEL_BOTH


cdef struct Walk:             # What an order would do, found without doing it.
    int64_t tonnes_left       # Of the order, once it has taken what it may.
    uint32_t trades
    uint32_t cancels          # Resting orders of its own that go, by the self-trade policy.
    bint self_met
    bint self_stops           # The policy ends its walk: what is left of it is cancelled.
    bint crosses_still        # After the levels it may take it could still trade.


# -- Memory ---------------------------------------------------------------------------------------

cdef extern from *:
    """
    #include <sys/mman.h>
    #ifndef MAP_NORESERVE
    #define MAP_NORESERVE 0
    #endif

    #define HUGE_PAGE_BYTES (2 << 20)
    static inline void memory_advise_huge(void *memory, size_t bytes_count) {
    #ifdef MADV_HUGEPAGE
        /* From the next page on, as the system asks; what it can't do, it leaves as it was. */
        size_t skipped = -(size_t)memory & 4095;
        if (bytes_count >= HUGE_PAGE_BYTES)
            madvise((char *)memory + skipped, bytes_count - skipped, MADV_HUGEPAGE);
    #else
        (void)memory; (void)bytes_count;
    #endif
    }

    /* AddressSanitizer knows what malloc gave, not what mmap did: fences around that. */
    #ifdef __SANITIZE_ADDRESS__
    #include <sanitizer/asan_interface.h>
    #define FENCE_BYTES 65536
    static inline void *memory_fence(void *memory, size_t bytes_count) {
        char *start = (char *)memory + FENCE_BYTES;
        __asan_poison_memory_region(memory, FENCE_BYTES);
        __asan_poison_memory_region(start + bytes_count, FENCE_BYTES);
        return start;
    }
    static inline void *memory_unfence(void *memory, size_t bytes_count) {
        char *start = (char *)memory - FENCE_BYTES;
        __asan_unpoison_memory_region(start, FENCE_BYTES);
        __asan_unpoison_memory_region((char *)memory + bytes_count, FENCE_BYTES);
        return start;
    }
    #else
    #define FENCE_BYTES 0
    #define memory_fence(memory, bytes_count) (memory)
    #define memory_unfence(memory, bytes_count) (memory)
    #endif
    """
    enum: FENCE_BYTES
    enum: HUGE_PAGE_BYTES
    void* memory_fence(void* memory, size_t bytes_count) noexcept nogil
    void* memory_unfence(void* memory, size_t bytes_count) noexcept nogil
    void memory_advise_huge(void* memory, size_t bytes_count) noexcept nogil
    int trailing_zeros "__builtin_ctzll"(uint64_t word) noexcept nogil
    int leading_zeros "__builtin_clzll"(uint64_t word) noexcept nogil
    void prefetch "__builtin_prefetch"(const void* address) noexcept nogil


cdef extern from "<sys/mman.h>" nogil:
    void* mmap(void* address, size_t length, int protection, int flags, int fd, long offset)
    int munmap(void* address, size_t length)
    int madvise(void* address, size_t length, int advice)
    int PROT_READ
    int PROT_WRITE
    int MAP_PRIVATE
    int MAP_ANONYMOUS
    int MAP_NORESERVE
    int MADV_DONTNEED
    void* MAP_FAILED


cdef enum:
    PAGE_BYTES = 4096
    # Orders from which on a book is worth huge pages: fewer leave most of one unused.
    HUGE_FROM_ORDERS = 1 << 14


cdef inline size_t huge_pages_bytes(size_t bytes_count) noexcept nogil:
    """As many bytes in whole huge pages, so that what is left over has one, too.

    Less than half of one stays as it is, as most of the page would be unused; so does all that
    AddressSanitizer has fences around, right behind the last byte.
    """
    if bytes_count < HUGE_PAGE_BYTES // 2 or FENCE_BYTES > 0:
        return bytes_count
    return (bytes_count + HUGE_PAGE_BYTES - 1) // HUGE_PAGE_BYTES * HUGE_PAGE_BYTES


cdef inline void* memory_reserve(size_t bytes_count) noexcept nogil:
    """Zeroed address space that takes memory only where it is touched, or NULL.

    In whole huge pages it begins where one does.
    """
    cdef size_t length = huge_pages_bytes(bytes_count) + 2 * FENCE_BYTES
    cdef size_t more = HUGE_PAGE_BYTES if length % HUGE_PAGE_BYTES == 0 else 0
    cdef size_t skipped
    cdef char* memory = <char*>mmap(
        NULL, length + more, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0,
    )
    if memory == MAP_FAILED:
        return NULL
    if more > 0:
        skipped = -<size_t>memory % HUGE_PAGE_BYTES
        if skipped > 0:
            munmap(memory, skipped)
        memory += skipped
        munmap(memory + length, more - skipped)
    return memory_fence(memory, bytes_count)


cdef inline void memory_return(void* memory, size_t bytes_count) noexcept nogil:
    if memory != NULL:
        munmap(
            memory_unfence(memory, bytes_count),
            huge_pages_bytes(bytes_count) + 2 * FENCE_BYTES,
        )


cdef inline void memory_touch(void* memory, size_t bytes_count) noexcept nogil:
    """Have every page at hand, with what is in it."""
    cdef volatile char* bytes_ = <volatile char*>memory
    cdef size_t offset = 0
    while offset < bytes_count:
        bytes_[offset] = bytes_[offset]
        offset += PAGE_BYTES


# -- Pool -----------------------------------------------------------------------------------------

cdef inline bint pool_open(OrderPool* pool, uint32_t order_count_max) noexcept nogil:
    """Reserve an empty pool; False when the address space is not to be had."""
    cdef size_t bytes_count = (<size_t>order_count_max + 1) * sizeof(Order)
    memset(pool, 0, sizeof(OrderPool))
    pool.order_count_max = order_count_max
    pool.orders = <Order*>memory_reserve(bytes_count)
    if pool.orders == NULL:
        return False
    memory_advise_huge(pool.orders, huge_pages_bytes(bytes_count))
    return True


cdef inline size_t pool_bytes(const OrderPool* pool) noexcept nogil:
    return (<size_t>pool.order_count_max + 1) * sizeof(Order)


cdef inline void pool_close(OrderPool* pool) noexcept nogil:
    memory_return(pool.orders, pool_bytes(pool))


cdef inline uint32_t slot_acquire(OrderPool* pool) noexcept nogil:
    """Return a free slot. The caller has seen that there is one."""
    cdef uint32_t slot = pool.free_slot
    pool.order_count += 1
    if slot != SLOT_NONE:
        pool.free_slot = pool.orders[slot].newer
        return slot
    pool.slot_last += 1
    return pool.slot_last


cdef inline void slot_release(OrderPool* pool, uint32_t slot) noexcept nogil:
    pool.orders[slot].side = 0
    pool.orders[slot].newer = pool.free_slot
    pool.free_slot = slot
    pool.order_count -= 1


# -- Bitmap ---------------------------------------------------------------------------------------

cdef inline void bitmap_set(Ladder* ladder, int64_t index) noexcept nogil:
    cdef int height
    cdef uint64_t before
    cdef uint64_t* word
    for height in range(ladder.bitmap_height):
        word = &ladder.bitmap[height][index >> 6]
        before = word[0]
        word[0] = before | (<uint64_t>1 << (index & 63))
        if before != 0:
            return
        index >>= 6


cdef inline void bitmap_clear(Ladder* ladder, int64_t index) noexcept nogil:
    cdef int height
    cdef uint64_t* word
    for height in range(ladder.bitmap_height):
        word = &ladder.bitmap[height][index >> 6]
        word[0] &= ~(<uint64_t>1 << (index & 63))
        if word[0] != 0:
            return
        index >>= 6


cdef inline int64_t bitmap_above(const Ladder* ladder, int64_t index) noexcept nogil:
    """The lowest occupied level above `index`, or `ASK_NONE`."""
    cdef int height = 0
    cdef uint64_t word
    while height < ladder.bitmap_height:
        # Two shifts: one by 64 would be undefined.
        word = ladder.bitmap[height][index >> 6] & ((~<uint64_t>0 << (index & 63)) << 1)
        if word != 0:
            index = ((index >> 6) << 6) + trailing_zeros(word)
            while height > 0:
                height -= 1
                index = (index << 6) + trailing_zeros(ladder.bitmap[height][index])
            return index
        index >>= 6
        height += 1
    return ASK_NONE


cdef inline int64_t bitmap_below(const Ladder* ladder, int64_t index) noexcept nogil:
    """The highest occupied level below `index`, or `BID_NONE`."""
    cdef int height = 0
    cdef uint64_t word
    while height < ladder.bitmap_height:
        word = ladder.bitmap[height][index >> 6] & ((<uint64_t>1 << (index & 63)) - 1)
        if word != 0:
            index = ((index >> 6) << 6) + 63 - leading_zeros(word)
            while height > 0:
                height -= 1
                index = (index << 6) + 63 - leading_zeros(ladder.bitmap[height][index])
            return index
        index >>= 6
        height += 1
    return BID_NONE


# -- Levels ---------------------------------------------------------------------------------------

cdef inline bint ladder_open(Ladder* ladder, int64_t price_min, int64_t price_max) noexcept nogil:
    """Reserve an empty ladder; False when the address space is not to be had."""
    cdef size_t count = <size_t>(price_max - price_min) + 1
    cdef size_t words = count
    cdef size_t words_all = 0
    cdef size_t offsets[BITMAP_HEIGHT_MAX]
    cdef int height = 0
    memset(ladder, 0, sizeof(Ladder))
    ladder.price_min = price_min
    ladder.price_max = price_max
    ladder.best[SIDE_BUY] = BID_NONE
    ladder.best[SIDE_SELL] = ASK_NONE
    while True:
        words = (words + 63) >> 6
        offsets[height] = words_all
        words_all += words
        height += 1
        if words == 1:
            break
    ladder.bitmap_height = height
    ladder.bitmap_bytes = words_all * 8
    ladder.level_bytes = count * sizeof(Level)
    ladder.bitmap_memory = <uint64_t*>memory_reserve(ladder.bitmap_bytes)
    ladder.levels = <Level*>memory_reserve(ladder.level_bytes)
    if ladder.bitmap_memory == NULL or ladder.levels == NULL:
        ladder_close(ladder)
        return False
    for height in range(ladder.bitmap_height):
        ladder.bitmap[height] = ladder.bitmap_memory + offsets[height]
    return True


cdef inline void ladder_close(Ladder* ladder) noexcept nogil:
    memory_return(ladder.bitmap_memory, ladder.bitmap_bytes)
    memory_return(ladder.levels, ladder.level_bytes)
    ladder.bitmap_memory = NULL
    ladder.levels = NULL


cdef inline bint level_is_none(int64_t index) noexcept nogil:
    return <uint64_t>index >= <uint64_t>ASK_NONE


cdef inline int side_opposite(int side) noexcept nogil:
    return SIDE_BUY + SIDE_SELL - side


cdef inline bint index_crosses(int side, int64_t index, int64_t resting_index) noexcept nogil:
    """Whether an order of `side` at a level can trade with one that rests at another.

    Without a branch: which side comes next is as good as random.
    """
    return (
        ((side == SIDE_BUY) & (resting_index <= index))
        | ((side == SIDE_SELL) & (resting_index >= index))
    )


cdef inline bint taker_crosses(const Ladder* ladder, const Order* taker) noexcept nogil:
    """Whether an order can trade with the best of the other side."""
    return index_crosses(
        taker.side, taker.price - ladder.price_min, ladder.best[side_opposite(taker.side)],
    )


cdef inline int64_t level_worse(const Ladder* ladder, int side, int64_t index) noexcept nogil:
    """The next level of `side` behind `index`, or `BID_NONE`, `ASK_NONE`."""
    return bitmap_below(ladder, index) if side == SIDE_BUY else bitmap_above(ladder, index)


cdef inline void order_rest(Ladder* ladder, OrderPool* pool, uint32_t slot) noexcept nogil:
    """Put the order in `slot` at the back of its level."""
    cdef Order* order = &pool.orders[slot]
    cdef int64_t index = order.price - ladder.price_min
    cdef Level* level = &ladder.levels[index]
    cdef uint32_t newest = level.newest
    order.older = newest
    order.newer = SLOT_NONE
    level.newest = slot
    level.order_count += 1
    level.tonnes += order.tonnes_open
    if newest != SLOT_NONE:
        pool.orders[newest].newer = slot
        return
    level.oldest = slot
    bitmap_set(ladder, index)
    # The best is occupied and this level was not, so they differ.
    if index_crosses(side_opposite(order.side), ladder.best[order.side], index):
        ladder.best[order.side] = index


cdef inline void order_unlink(Ladder* ladder, OrderPool* pool, uint32_t slot) noexcept nogil:
    """Take the order in `slot` out of its level; the slot stays its own."""
    cdef Order* order = &pool.orders[slot]
    cdef int64_t index = order.price - ladder.price_min
    cdef Level* level = &ladder.levels[index]
    cdef uint32_t older = order.older
    cdef uint32_t newer = order.newer
    level.order_count -= 1
    level.tonnes -= order.tonnes_open
    if older != SLOT_NONE:
        pool.orders[older].newer = newer
    else:
        level.oldest = newer
    if newer != SLOT_NONE:
        pool.orders[newer].older = older
    else:
        level.newest = older
    if level.oldest == SLOT_NONE:
        level_emptied(ladder, order.side, index)


cdef inline void level_emptied(Ladder* ladder, int side, int64_t index) noexcept nogil:
    bitmap_clear(ladder, index)
    if ladder.best[side] == index:
        ladder.best[side] = level_worse(ladder, side, index)


cdef inline void order_reduce(
    Ladder* ladder, OrderPool* pool, uint32_t slot, int64_t tonnes,
) noexcept nogil:
    """Lower what is open of a resting order, which keeps its place."""
    cdef Order* order = &pool.orders[slot]
    order.tonnes_open -= tonnes
    ladder.levels[order.price - ladder.price_min].tonnes -= tonnes


# -- Walking --------------------------------------------------------------------------------------

cdef inline void walk_begin(Walk* walk, int64_t tonnes) noexcept nogil:
    memset(walk, 0, sizeof(Walk))
    walk.tonnes_left = tonnes


cdef inline void levels_walk(
    const Ladder* ladder, int side, int64_t index, uint32_t levels_max, Walk* walk,
) noexcept nogil:
    """Find what an order would take from the levels' sums, whoever owns what rests there.

    `walk.trades` is then an upper bound.
    """
    cdef int opposite = side_opposite(side)
    cdef int64_t resting = ladder.best[opposite]
    cdef uint32_t levels = 0
    cdef const Level* level
    while index_crosses(side, index, resting):
        if levels_max != 0 and levels == levels_max:
            walk.crosses_still = True
            return
        level = &ladder.levels[resting]
        walk.trades += level.order_count
        if level.tonnes >= walk.tonnes_left:
            walk.tonnes_left = 0
            return
        walk.tonnes_left -= <int64_t>level.tonnes
        levels += 1
        resting = level_worse(ladder, opposite, resting)


cdef inline void orders_walk(
    const Ladder* ladder, const OrderPool* pool, const Order* taker, uint32_t levels_max,
    SelfTrade self_trade, Walk* walk,
) noexcept nogil:
    """Find what an order would take, order by order, and change nothing."""
    cdef int opposite = side_opposite(taker.side)
    cdef int64_t index = taker.price - ladder.price_min
    cdef int64_t resting = ladder.best[opposite]
    cdef uint32_t levels = 0
    cdef uint32_t slot
    cdef const Order* maker
    while index_crosses(taker.side, index, resting):
        if levels_max != 0 and levels == levels_max:
            walk.crosses_still = True
            return
        slot = ladder.levels[resting].oldest
        while slot != SLOT_NONE and walk.tonnes_left > 0:
            maker = &pool.orders[slot]
            slot = maker.newer
            if maker.owner == taker.owner and self_trade != SELF_TRADE_ALLOW:
                walk.self_met = True
                if self_trade == SELF_TRADE_CANCEL_INCOMING or self_trade == SELF_TRADE_REJECT:
                    walk.self_stops = True
                    return
                walk.cancels += 1
                if self_trade == SELF_TRADE_CANCEL_BOTH:
                    walk.self_stops = True
                    return
                continue
            walk.trades += 1
            walk.tonnes_left -= min(maker.tonnes_open, walk.tonnes_left)
        if walk.tonnes_left == 0:
            return
        levels += 1
        resting = level_worse(ladder, opposite, resting)

"""Any unsigned 64-bit order id -> slot: by a table where ids come in order, else by hash, inline.

Contents: types, storage, buckets, growing, regions, index.

A table of all ids is fastest where what it is asked for was fetched ahead, or a new id lies near
the last one, so that its part in use stays in the cache. Else, scattered over some megabytes, each
id costs a cache miss, and the hash table, which has the live ones only, is faster. So small ids are
in regions, and the first id that is put into one decides for it.

The hash table is buckets of a cache line. An id stands in its home bucket, or behind it if that is
full; a byte of its hash beside its slot tells, without a look at the order, that it is another's.
A bucket counts the ids that passed it by, so a search ends where none did, and nothing is left of
what was deleted. The table grows by half when two thirds are taken, a few buckets with each id
that is put, so no command pays for all: 8 to 12 bytes for each id, and both tables' for the short
while that it takes.

    current   where new ids go
    old       the table before, emptied run by run from its start while it has any
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from cea_exchange._ladder cimport (
    HUGE_FROM_ORDERS, HUGE_PAGE_BYTES, MADV_DONTNEED, Order, SLOT_NONE, huge_pages_bytes, madvise,
    memory_advise_huge, memory_reserve, memory_return, memory_touch, trailing_zeros,
)


# -- Types ----------------------------------------------------------------------------------------

cdef enum:
    DENSE_IDS = 1 << 26       # 256 MiB of address space at most.
    REGION_BITS = 14          # 64 KiB of it each.
    REGIONS = DENSE_IDS >> REGION_BITS
    NEAR_IDS = 1 << 12
    PAGE_IDS = 1 << 10        # Of which a page has room: nearer ones use all of a huge page.

    BUCKET_CELLS = 12
    BUCKET_IDS = 8            # In the mean, when the table grows.
    HOMES_MIN = 8
    BUCKETS_MOVED = 4         # At least, with each id that is put: few enough for one command.
    BUCKETS_RELEASED = 1 << 10  # Emptied ones whose memory is given back at once: 64 KiB.
    TAG_TAKEN = 0x80          # In every tag: an empty cell has none.


cdef struct Bucket:           # 64 bytes: one cache line.
    uint8_t tags[BUCKET_CELLS]
    uint32_t passed           # Ids that found it full and stand behind it.
    uint32_t slots[BUCKET_CELLS]


cdef struct Table:
    Bucket* buckets           # Behind the last home there is room for all ids: no wrapping around.
    uint64_t homes            # 0: not in use.
    uint64_t taken


cdef enum Region:             # Where the ids of a region are.
    REGION_UNUSED             # None was put yet.
    REGION_DENSE
    REGION_HASHED


cdef struct IdIndex:
    uint32_t* dense           # Ids of dense regions, by id.
    uint8_t regions[REGIONS]
    uint64_t last_put_id
    bint fetches_ahead        # As for a batch; a caller's word.
    Table current
    Table old
    uint64_t old_cursor       # The next bucket of the old table to be moved.
    uint64_t homes_max
    size_t bytes_each         # Of both tables' address space.
    Bucket* memory[2]         # Both tables' address space.
    bint keeps_memory         # What was emptied is not given back.


cdef struct Found:            # What a search found. Good until the index changes.
    uint32_t slot             # Of the live order, or SLOT_NONE.
    bint in_old               # It stands in the old table.
    uint32_t cell             # Where in its bucket it stands.
    Bucket* bucket


cdef struct Guess:
    const void* line          # A cell of the table of all ids, or a bucket.
    uint8_t tag               # In that bucket; 0: the line is a cell.


cdef extern from *:
    """
    #ifdef __SSE2__
    #include <emmintrin.h>
    #endif

    /* Which of a bucket's twelve tags are this one, a bit each. */
    static inline uint32_t tags_equal(const uint8_t *tags, uint8_t tag) {
    #ifdef __SSE2__
        __m128i all = _mm_load_si128((const __m128i *)tags);
        return _mm_movemask_epi8(_mm_cmpeq_epi8(all, _mm_set1_epi8((char)tag))) & 0xFFF;
    #else
        uint32_t equal = 0;
        for (int cell = 0; cell < 12; cell++)
            equal |= (uint32_t)(tags[cell] == tag) << cell;
        return equal;
    #endif
    }
    """
    uint32_t tags_equal(const uint8_t* tags, uint8_t tag) noexcept nogil


# -- Storage --------------------------------------------------------------------------------------

cdef inline bint index_open(IdIndex* index, uint32_t order_count_max) noexcept nogil:
    """Reserve an empty index; False when the address space is not to be had."""
    cdef uint64_t ids = order_count_max
    memset(index, 0, sizeof(IdIndex))
    index.homes_max = HOMES_MIN + ids // BUCKET_IDS
    index.bytes_each = (index.homes_max + ids // BUCKET_CELLS + 1) * sizeof(Bucket)
    index.dense = <uint32_t*>memory_reserve(DENSE_IDS * sizeof(uint32_t))
    if index.dense != NULL and order_count_max >= HUGE_FROM_ORDERS:
        # Of ids that are far apart each takes a page: so one huge one, or 16 bytes for each order.
        memory_advise_huge(
            index.dense,
            max(<uint64_t>HUGE_PAGE_BYTES, min(4 * ids, <uint64_t>DENSE_IDS) * sizeof(uint32_t)),
        )
    index.memory[0] = <Bucket*>memory_reserve(index.bytes_each)
    index.memory[1] = <Bucket*>memory_reserve(index.bytes_each)
    index.current.buckets = index.memory[0]
    index.current.homes = HOMES_MIN
    return index.dense != NULL and index.memory[0] != NULL and index.memory[1] != NULL


cdef inline void index_close(IdIndex* index) noexcept nogil:
    memory_return(index.dense, DENSE_IDS * sizeof(uint32_t))
    memory_return(index.memory[0], index.bytes_each)
    memory_return(index.memory[1], index.bytes_each)


cdef inline void homes_set(IdIndex* index, uint64_t homes) noexcept nogil:
    """Give the current table, which is empty, so many homes, or as many as it may have."""
    index.current.homes = min(homes, index.homes_max)
    index.current.taken = 0
    memory_advise_huge(
        index.current.buckets, huge_pages_bytes(index.current.homes * sizeof(Bucket)),
    )


cdef inline void index_size(IdIndex* index, uint64_t ids) noexcept nogil:
    """Have an empty index ready for so many ids."""
    homes_set(index, HOMES_MIN + ids // BUCKET_IDS)


cdef inline void index_touch(IdIndex* index) noexcept nogil:
    """Take all memory now, and keep it. The table still grows with its ids: small it is faster."""
    cdef int table
    index.keeps_memory = True
    for table in range(2):
        memory_advise_huge(
            index.memory[table], huge_pages_bytes(index.homes_max * sizeof(Bucket)),
        )
        memory_touch(index.memory[table], index.homes_max * sizeof(Bucket))
    memory_advise_huge(index.dense, DENSE_IDS * sizeof(uint32_t))
    memory_touch(index.dense, DENSE_IDS * sizeof(uint32_t))


# -- Buckets --------------------------------------------------------------------------------------

cdef inline uint64_t id_hash(uint64_t order_id) noexcept nogil:
    return (order_id ^ (order_id >> 32)) * <uint64_t>0x9E3779B97F4A7C15


cdef inline Bucket* home_of(const Table* table, uint64_t hash_) noexcept nogil:
    """The first bucket where an id of this hash may stand."""
    # At most 2^29 homes: the product of 30 and 29 bits fits.
    return &table.buckets[((hash_ >> 34) * table.homes) >> 30]


cdef inline uint8_t tag_of(uint64_t hash_) noexcept nogil:
    return TAG_TAKEN | <uint8_t>(hash_ >> 27)


cdef inline void table_search(
    const Table* table, const Order* orders, uint64_t order_id, Found* found,
) noexcept nogil:
    cdef uint64_t hash_ = id_hash(order_id)
    cdef Bucket* bucket = home_of(table, hash_)
    cdef uint8_t tag = tag_of(hash_)
    cdef uint32_t equal
    cdef int cell
    while True:
        equal = tags_equal(bucket.tags, tag)
        while equal != 0:
            cell = trailing_zeros(equal)
            if orders[bucket.slots[cell]].order_id == order_id:
                found.slot = bucket.slots[cell]
                found.bucket = bucket
                found.cell = cell
                return
            equal &= equal - 1
        if bucket.passed == 0:
            found.slot = SLOT_NONE
            return
        bucket += 1


cdef inline void table_put(Table* table, uint64_t order_id, uint32_t slot) noexcept nogil:
    """Put an id that is not in the table."""
    cdef uint64_t hash_ = id_hash(order_id)
    cdef Bucket* bucket = home_of(table, hash_)
    cdef uint32_t empty = tags_equal(bucket.tags, 0)
    cdef int cell
    while empty == 0:
        bucket.passed += 1
        bucket += 1
        empty = tags_equal(bucket.tags, 0)
    cell = trailing_zeros(empty)
    bucket.tags[cell] = tag_of(hash_)
    bucket.slots[cell] = slot
    table.taken += 1


cdef inline void table_drop(Table* table, uint64_t order_id, const Found* found) noexcept nogil:
    """Forget an id that a search has found."""
    cdef Bucket* bucket = home_of(table, id_hash(order_id))
    found.bucket.tags[found.cell] = 0
    table.taken -= 1
    while bucket != found.bucket:
        bucket.passed -= 1
        bucket += 1


# -- Growing --------------------------------------------------------------------------------------

cdef inline void bucket_move(IdIndex* index, const Order* orders, Bucket* bucket) noexcept nogil:
    cdef uint32_t taken = tags_equal(bucket.tags, 0) ^ ((1 << BUCKET_CELLS) - 1)
    cdef int cell
    while taken != 0:
        cell = trailing_zeros(taken)
        table_put(&index.current, orders[bucket.slots[cell]].order_id, bucket.slots[cell])
        bucket.tags[cell] = 0
        index.old.taken -= 1
        taken &= taken - 1


cdef inline void index_move(IdIndex* index, const Order* orders, uint64_t count) noexcept nogil:
    """Move buckets of the old table, in whole runs, so that no search in it ends too early."""
    cdef Table* old = &index.old
    cdef Bucket* bucket
    cdef uint32_t passed = 0
    while old.taken > 0:
        if count == 0 and passed == 0:
            return
        bucket = &old.buckets[index.old_cursor]
        passed = bucket.passed
        bucket_move(index, orders, bucket)
        bucket.passed = 0
        index.old_cursor += 1
        if index.old_cursor % BUCKETS_RELEASED == 0 and not index.keeps_memory:
            # They are empty: what comes back when they are touched again is, too.
            madvise(
                &old.buckets[index.old_cursor - BUCKETS_RELEASED],
                BUCKETS_RELEASED * sizeof(Bucket), MADV_DONTNEED,
            )
        if count > 0:
            count -= 1
    old.homes = 0


cdef inline void index_grow(IdIndex* index, const Order* orders) noexcept nogil:
    """Begin a table half as large again.

    N homes grow when 8 N ids are there, the next table when 12 N are: 4 N ids later, when the N
    buckets were moved long ago. So there is never a third table.
    """
    cdef uint64_t homes = index.current.homes + (index.current.homes >> 1)
    index_move(index, orders, ~<uint64_t>0)
    index.old = index.current
    index.old_cursor = 0
    index.current.buckets = index.memory[0]
    if index.old.buckets == index.memory[0]:
        index.current.buckets = index.memory[1]
    homes_set(index, homes)


# -- Regions --------------------------------------------------------------------------------------

cdef inline bint id_is_dense(const IdIndex* index, uint64_t order_id) noexcept nogil:
    return order_id < DENSE_IDS and index.regions[order_id >> REGION_BITS] == REGION_DENSE


cdef inline void huge_page_settle(IdIndex* index, uint64_t order_id) noexcept nogil:
    """Give ids that come in order a huge page, as they get to where it begins."""
    cdef uint64_t first_id = order_id >> REGION_BITS << REGION_BITS
    if first_id == 0 or first_id * sizeof(uint32_t) % HUGE_PAGE_BYTES != 0:
        return
    if id_is_dense(index, first_id - 1):
        memory_advise_huge(&index.dense[first_id], HUGE_PAGE_BYTES)


cdef inline bint region_settle(IdIndex* index, uint64_t order_id) noexcept nogil:
    """Note an id that is put; say whether it goes into the table of all."""
    cdef uint64_t distance = order_id - index.last_put_id
    cdef uint8_t* region
    index.last_put_id = order_id
    if order_id >= DENSE_IDS:
        return False
    region = &index.regions[order_id >> REGION_BITS]
    if region[0] == REGION_UNUSED:
        region[0] = REGION_HASHED
        if index.fetches_ahead or distance + NEAR_IDS <= 2 * NEAR_IDS:
            region[0] = REGION_DENSE
        if distance <= PAGE_IDS:
            huge_page_settle(index, order_id)
    return region[0] == REGION_DENSE


# -- Index ----------------------------------------------------------------------------------------

cdef inline Guess place_guess(const IdIndex* index, uint64_t order_id) noexcept nogil:
    """Where an id probably stands; a new one, where it will. To be fetched."""
    cdef Guess guess
    cdef uint64_t hash_
    if id_is_dense(index, order_id):
        guess.line = &index.dense[order_id]
        guess.tag = 0
    else:
        hash_ = id_hash(order_id)
        guess.line = home_of(&index.current, hash_)
        guess.tag = tag_of(hash_)
    return guess


cdef inline uint32_t slot_guess(Guess guess) noexcept nogil:
    """The slot that an id probably has; of a new one mostly `SLOT_NONE`."""
    cdef const Bucket* bucket = <const Bucket*>guess.line
    cdef uint32_t equal
    if guess.tag == 0:
        return (<const uint32_t*>guess.line)[0]
    equal = tags_equal(bucket.tags, guess.tag)
    return bucket.slots[trailing_zeros(equal)] if equal != 0 else SLOT_NONE


cdef inline void index_search(
    const IdIndex* index, const Order* orders, uint64_t order_id, Found* found,
) noexcept nogil:
    found.in_old = False
    found.cell = 0
    found.bucket = NULL
    if id_is_dense(index, order_id):
        found.slot = index.dense[order_id]
        return
    table_search(&index.current, orders, order_id, found)
    if found.slot == SLOT_NONE and index.old.homes != 0:
        table_search(&index.old, orders, order_id, found)
        found.in_old = True


cdef inline uint32_t index_find(
    const IdIndex* index, const Order* orders, uint64_t order_id,
) noexcept nogil:
    """The slot of a live order, or `SLOT_NONE`."""
    cdef Found found
    index_search(index, orders, order_id, &found)
    return found.slot


cdef inline void index_put(
    IdIndex* index, const Order* orders, uint64_t order_id, uint32_t slot,
) noexcept nogil:
    """Note an id that is not in the index."""
    if region_settle(index, order_id):
        index.dense[order_id] = slot
        return
    if (
        index.current.taken + index.old.taken >= BUCKET_IDS * index.current.homes
        and index.current.homes < index.homes_max
    ):
        index_grow(index, orders)
    elif index.old.homes != 0:
        index_move(index, orders, BUCKETS_MOVED)
    table_put(&index.current, order_id, slot)


cdef inline void index_drop_at(
    IdIndex* index, uint64_t order_id, const Found* found,
) noexcept nogil:
    """Forget an id that a search found, if nothing changed since."""
    if id_is_dense(index, order_id):
        index.dense[order_id] = SLOT_NONE
    else:
        table_drop(&index.old if found.in_old else &index.current, order_id, found)


cdef inline void index_drop(IdIndex* index, const Order* orders, uint64_t order_id) noexcept nogil:
    """Forget an id that is in the index."""
    cdef Found found
    index_search(index, orders, order_id, &found)
    index_drop_at(index, order_id, &found)

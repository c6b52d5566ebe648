"""Any unsigned 64-bit order id -> slot: small ids by table, the others by hash, inline.

Contents: types, storage, cells, growing, index.

The hash table is open addressing with linear probing: a cell is a slot, whose order has the id.
Three eighths of the cells are taken at most, so that a search mostly ends where it begins. It marks
nothing of what was deleted: the cells behind a hole move up. It grows by half, 64 cells with each
id that is put, so no command pays for all: 11 to 16 bytes for each id, and both tables' for the
short while that it takes.

    current   where new ids go
    old       the table before, emptied run by run from its start while it has any
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from cea_exchange._ladder cimport (
    HUGE_FROM_ORDERS, MADV_DONTNEED, Order, SLOT_NONE, madvise, memory_advise_huge,
    memory_reserve, memory_return, memory_touch,
)


# -- Types ----------------------------------------------------------------------------------------

cdef enum:
    DENSE_IDS = 1 << 26       # 256 MiB of address space at most.
    HOMES_MIN = 64
    CELLS_MOVED = 64          # At least, with each id that is put: few enough for one command.
    CELLS_RELEASED = 1 << 14  # Emptied cells whose memory is given back at once: 64 KiB, a page.


cdef struct Table:
    uint32_t* cells           # Behind the last home there is room for all ids: no wrapping around.
    uint64_t homes            # 0: not in use.
    uint64_t taken


cdef struct IdIndex:
    uint32_t* dense           # Ids below DENSE_IDS, by id.
    Table current
    Table old
    uint64_t old_cursor       # The next cell of the old table to be moved.
    uint64_t homes_max
    size_t bytes_each         # Of both tables' address space.
    uint32_t* memory[2]       # Both tables' address space.


cdef struct Found:            # Where a search ended. Good until the index changes.
    uint32_t slot             # Of the live order found, or SLOT_NONE.
    bint in_old               # It stands in the old table.
    uint64_t cell             # Where it stands, or where it would in the current table.


# -- Storage --------------------------------------------------------------------------------------

cdef inline bint index_open(IdIndex* index, uint32_t order_count_max) noexcept nogil:
    """Reserve an empty index; False when the address space is not to be had."""
    cdef uint64_t ids = order_count_max
    memset(index, 0, sizeof(IdIndex))
    index.homes_max = HOMES_MIN + 3 * ids
    index.bytes_each = (index.homes_max + ids + 1) * sizeof(uint32_t)
    index.dense = <uint32_t*>memory_reserve(DENSE_IDS * sizeof(uint32_t))
    if index.dense != NULL and order_count_max >= HUGE_FROM_ORDERS:
        # Of ids that are scattered each takes a page: so no more than 16 bytes for each order.
        memory_advise_huge(index.dense, min(4 * ids, <uint64_t>DENSE_IDS) * sizeof(uint32_t))
    index.memory[0] = <uint32_t*>memory_reserve(index.bytes_each)
    index.memory[1] = <uint32_t*>memory_reserve(index.bytes_each)
    index.current.cells = index.memory[0]
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
    memory_advise_huge(index.current.cells, index.current.homes * sizeof(uint32_t))


cdef inline void index_size(IdIndex* index, uint64_t ids) noexcept nogil:
    """Have an empty index ready for so many ids."""
    homes_set(index, HOMES_MIN + 3 * ids)


cdef inline void index_touch(IdIndex* index) noexcept nogil:
    """Take all memory an empty index is likely to need; its table will not grow any more."""
    homes_set(index, index.homes_max)
    memory_touch(index.current.cells, index.homes_max * sizeof(uint32_t))
    memory_touch(index.dense, DENSE_IDS * sizeof(uint32_t))


# -- Cells ----------------------------------------------------------------------------------------

cdef inline uint64_t id_home(const Table* table, uint64_t order_id) noexcept nogil:
    """The first cell where an id may stand."""
    order_id = (order_id ^ (order_id >> 32)) * <uint64_t>0x9E3779B97F4A7C15
    # At most 3.1 x 2^32 homes: the product of 30 and 34 bits fits.
    return ((order_id >> 34) * table.homes) >> 30


cdef inline uint64_t cell_find(
    const Table* table, const Order* orders, uint64_t order_id,
) noexcept nogil:
    """The cell of an id, or the empty one where it would stand."""
    cdef uint64_t cell = id_home(table, order_id)
    cdef uint32_t slot = table.cells[cell]
    while slot != SLOT_NONE and orders[slot].order_id != order_id:
        cell += 1
        slot = table.cells[cell]
    return cell


cdef inline void cell_put(Table* table, uint64_t order_id, uint32_t slot) noexcept nogil:
    """Put an id that is not in the table."""
    cdef uint64_t cell = id_home(table, order_id)
    while table.cells[cell] != SLOT_NONE:
        cell += 1
    table.cells[cell] = slot
    table.taken += 1


cdef inline void cell_clear(Table* table, const Order* orders, uint64_t hole) noexcept nogil:
    """Empty a cell; those behind it move up, as far as their homes allow."""
    cdef uint64_t cell = hole + 1
    cdef uint32_t slot = table.cells[cell]
    while slot != SLOT_NONE:
        if id_home(table, orders[slot].order_id) <= hole:
            table.cells[hole] = slot
            hole = cell
        cell += 1
        slot = table.cells[cell]
    table.cells[hole] = SLOT_NONE
    table.taken -= 1


# -- Growing --------------------------------------------------------------------------------------

cdef inline void index_move(IdIndex* index, const Order* orders, uint64_t cells) noexcept nogil:
    """Move cells of the old table, in whole runs, so that no search in it ends too early."""
    cdef Table* old = &index.old
    cdef uint32_t slot
    while old.taken > 0:
        slot = old.cells[index.old_cursor]
        if slot != SLOT_NONE:
            cell_put(&index.current, orders[slot].order_id, slot)
            old.cells[index.old_cursor] = SLOT_NONE
            old.taken -= 1
        elif cells == 0:
            return
        index.old_cursor += 1
        if index.old_cursor % CELLS_RELEASED == 0:
            # They are empty: what comes back when they are touched again is, too.
            madvise(
                &old.cells[index.old_cursor - CELLS_RELEASED], CELLS_RELEASED * sizeof(uint32_t),
                MADV_DONTNEED,
            )
        if cells > 0:
            cells -= 1
    old.homes = 0


cdef inline void index_grow(IdIndex* index, const Order* orders) noexcept nogil:
    """Begin a table half as large again.

    N homes grow when 3/8 N are taken, the next table when 9/16 N are: 3/16 N ids later, when the N
    cells were moved long ago. So there is never a third table.
    """
    cdef uint64_t homes = index.current.homes + (index.current.homes >> 1)
    index_move(index, orders, ~<uint64_t>0)
    index.old = index.current
    index.old_cursor = 0
    index.current.cells = index.memory[0]
    if index.old.cells == index.memory[0]:
        index.current.cells = index.memory[1]
    homes_set(index, homes)


# -- Index ----------------------------------------------------------------------------------------

cdef inline const uint32_t* cell_guess(const IdIndex* index, uint64_t order_id) noexcept nogil:
    """Where an id probably stands; a new one, where it will."""
    if order_id < DENSE_IDS:
        return &index.dense[order_id]
    return &index.current.cells[id_home(&index.current, order_id)]


cdef inline void old_search(
    const IdIndex* index, const Order* orders, uint64_t order_id, Found* found,
) noexcept nogil:
    cdef uint64_t cell = cell_find(&index.old, orders, order_id)
    found.slot = index.old.cells[cell]
    if found.slot != SLOT_NONE:
        found.in_old = True
        found.cell = cell


cdef inline void index_search(
    const IdIndex* index, const Order* orders, uint64_t order_id, Found* found,
) noexcept nogil:
    found.in_old = False
    found.cell = 0
    if order_id < DENSE_IDS:
        found.slot = index.dense[order_id]
        return
    found.cell = cell_find(&index.current, orders, order_id)
    found.slot = index.current.cells[found.cell]
    if found.slot == SLOT_NONE and index.old.homes != 0:
        old_search(index, orders, order_id, found)


cdef inline uint32_t index_find(
    const IdIndex* index, const Order* orders, uint64_t order_id,
) noexcept nogil:
    """The slot of a live order, or `SLOT_NONE`."""
    cdef Found found
    index_search(index, orders, order_id, &found)
    return found.slot


cdef inline bint index_is_crowded(const IdIndex* index) noexcept nogil:
    """Whether one more id has it grow."""
    cdef uint64_t taken = index.current.taken + index.old.taken
    return 8 * (taken + 1) > 3 * index.current.homes and index.current.homes < index.homes_max


cdef inline void index_put(
    IdIndex* index, const Order* orders, uint64_t order_id, uint32_t slot,
) noexcept nogil:
    """Note an id that is not in the index."""
    if order_id < DENSE_IDS:
        index.dense[order_id] = slot
        return
    if index_is_crowded(index):
        index_grow(index, orders)
    elif index.old.homes != 0:
        index_move(index, orders, CELLS_MOVED)
    cell_put(&index.current, order_id, slot)


cdef inline void index_put_at(
    IdIndex* index, const Order* orders, uint64_t order_id, uint32_t slot, const Found* found,
) noexcept nogil:
    """The same, where a search for it ended, if nothing changed since."""
    if order_id < DENSE_IDS:
        index.dense[order_id] = slot
    elif index.old.homes != 0 or index_is_crowded(index):
        index_put(index, orders, order_id, slot)
    else:
        index.current.cells[found.cell] = slot
        index.current.taken += 1


cdef inline void index_drop_at(
    IdIndex* index, const Order* orders, uint64_t order_id, const Found* found,
) noexcept nogil:
    """Forget an id that a search found, if nothing changed since."""
    if order_id < DENSE_IDS:
        index.dense[order_id] = SLOT_NONE
    else:
        cell_clear(&index.old if found.in_old else &index.current, orders, found.cell)


cdef inline void index_drop(IdIndex* index, const Order* orders, uint64_t order_id) noexcept nogil:
    """Forget an id that is in the index."""
    cdef Found found
    index_search(index, orders, order_id, &found)
    index_drop_at(index, orders, order_id, &found)

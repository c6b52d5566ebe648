"""Rows of records by id, ended ones among them: how blocks, biddings and bids are kept. Inline.

    RowCount                how many rows are taken, and how many of them are live
    row_id, row_is_live     what a row holds, whichever record it is
    row_from, row_find      where an id is
    row_add, row_ended      a record comes in, or has gone

Ids only rise: a new record comes last, and an id is found by halving. A record that ends stays in
its row until room is wanted.
"""

from libc.stdint cimport uint32_t, uint64_t

from cea_exchange._records cimport BIDDING_STATE_ENDED, BidRecord, BiddingRecord, BlockRecord


cdef enum:
    ROWS_PER_LIVE = 2         # Rows there are for each record that may be live: so ended ones are
                              # cleared away seldom.


cdef struct RowCount:
    uint32_t rows             # Taken, from the first on.
    uint32_t live
    uint32_t live_max


ctypedef fused Row:
    BlockRecord
    BiddingRecord
    BidRecord


cdef inline size_t rows_bytes(size_t row_bytes, uint32_t live_max) noexcept nogil:
    return ROWS_PER_LIVE * row_bytes * live_max


cdef inline uint64_t row_id(const Row* row) noexcept nogil:
    if Row is BlockRecord:
        return row.block_id
    elif Row is BiddingRecord:
        return row.bidding_id
    else:
        return row.bid_id


cdef inline bint row_is_live(const Row* row) noexcept nogil:
    """Whether it has not ended: then a block has a side, and a bid tonnes."""
    if Row is BlockRecord:
        return row.side != 0
    elif Row is BiddingRecord:
        return row.state != BIDDING_STATE_ENDED
    else:
        return row.tonnes != 0


cdef inline uint32_t row_from(
    const Row* rows, const RowCount* count, uint64_t wanted,
) noexcept nogil:
    """The first row of an id or a higher one."""
    cdef uint32_t low = 0
    cdef uint32_t high = count.rows
    cdef uint32_t middle
    while low < high:
        middle = low + (high - low) // 2
        if row_id(&rows[middle]) < wanted:
            low = middle + 1
        else:
            high = middle
    return low


cdef inline Row* row_find(Row* rows, const RowCount* count, uint64_t wanted) noexcept nogil:
    """The row of an id, live or ended, or NULL."""
    cdef uint32_t row = row_from(rows, count, wanted)
    if row == count.rows or row_id(&rows[row]) != wanted:
        return NULL
    return &rows[row]


cdef inline void rows_clear(Row* rows, RowCount* count) noexcept nogil:
    """Give the rows of ended records to new ones; the others keep their order."""
    cdef uint32_t row
    cdef uint32_t kept = 0
    for row in range(count.rows):
        if row_is_live(&rows[row]):
            rows[kept] = rows[row]
            kept += 1
    count.rows = kept


cdef inline Row* row_add(Row* rows, RowCount* count, const Row* added) noexcept nogil:
    """A row for a record with the highest id so far; there is room for it."""
    if count.rows == ROWS_PER_LIVE * count.live_max:
        rows_clear(rows, count)
    rows[count.rows] = added[0]
    count.rows += 1
    count.live += 1
    return &rows[count.rows - 1]


cdef inline void row_ended(RowCount* count) noexcept nogil:
    """A live record has ended; with the last one all rows are free."""
    count.live -= 1
    if count.live == 0:
        count.rows = 0


cdef inline uint64_t id_last(const Row* rows, const RowCount* count) noexcept nogil:
    """The highest id in the rows; 0 without any."""
    return row_id(&rows[count.rows - 1]) if count.rows > 0 else 0

"""An order book as a whole: its hash and its bytes. Behaviour is in _book_state.pyx.

    SnapshotHeader      how the bytes begin
    book_sum            the state hash
    book_snapshot       a book as bytes; snapshot_header, then book_fill: bytes as a book
    free_slots_fit      whether the slots that a snapshot calls free are
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from cea_exchange._book cimport BookState


cdef struct SnapshotHeader:   # 72 bytes; the pool's slots follow as they are, from slot 1 on.
    char magic[8]
    uint32_t checksum         # CRC-32C of all that follows it.
    uint32_t slot_last
    int64_t price_min
    int64_t price_max
    uint64_t event_seq
    uint64_t priority_last
    uint32_t order_count_max
    uint32_t order_count
    uint32_t free_slot
    uint32_t levels_max
    uint32_t self_trade
    uint32_t pick_allowed


cdef uint64_t book_sum(const BookState* state) noexcept nogil
cdef bytes book_snapshot(const BookState* state)
cdef const SnapshotHeader* snapshot_header(object data) except NULL
cdef int book_fill(BookState* state, const SnapshotHeader* header) except -1
cdef bint free_slots_fit(const BookState* state) noexcept nogil

"""Packets through memory that two processes share: one end writes, the other one reads.

    Head, Piece     a packet: how it begins, and what it is put together of
    Places          how far each end is, in memory that both have
    Ring            what both ends have in common: Writer puts, Reader takes
    is_message      whether a packet is a message, or something else in its order
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum:
    FRAMES_MAX = 3            # Of a message; `control_plane.door` takes no more.
    PIECES_MAX = FRAMES_MAX + 2
    KIND_ITEM = 0
    KIND_MESSAGE = 1


cdef packed struct Head:
    uint32_t size             # Of the whole packet, this head included.
    uint8_t kind
    uint8_t door
    uint8_t routing_id_bytes
    uint8_t key_bytes
    uint32_t frame_count
    uint32_t frame_bytes[FRAMES_MAX]


cdef struct Piece:
    const char* data
    size_t size


cdef struct Places:
    uint64_t written          # Bytes so far; the writer's.
    uint64_t beside_written[7]
    uint64_t taken            # Bytes so far; the reader's.
    uint64_t beside_taken[7]
    uint32_t is_reader_waiting
    uint32_t beside_reader[15]
    uint32_t is_writer_waiting
    uint32_t beside_writer[15]


cdef class Ring:
    cdef Places* places
    cdef char* content        # Twice, one behind the other: no packet is cut at the end.
    cdef int bell


cdef class Writer(Ring):
    cdef uint64_t written
    cdef bint has_news        # Of which the reader may not know.
    cdef object waiting
    cdef readonly size_t waiting_bytes

    cdef int put(self, Head* head, const Piece* pieces, int count) except -1
    cdef size_t free_bytes(self) noexcept
    cdef int check(self) except -1
    cdef void wrote(self, size_t size) noexcept
    cdef int waiting_move(self) except -1


cdef class Reader(Ring):
    cdef readonly bint has_more
    cdef uint64_t taken
    cdef bytearray large
    cdef size_t large_bytes

    cdef bint is_here(self) except -1
    cdef size_t unread(self) except? 1
    cdef bint next(self, Head* head) except -1
    cdef const char* first(self) noexcept
    cdef void take(self, size_t size) noexcept
    cdef void taken_tell(self) noexcept
    cdef void await_more(self) noexcept
    cdef void awake(self) noexcept
    cdef object packet_take(self, size_t* size)
    cdef object large_take(self)


cdef bint is_message(const Head* head) noexcept

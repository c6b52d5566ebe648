"""Growing lists of event sequences at C level. Behaviour is in venue/_event_lists.pyx.

    BlockRow        a full block, as it is in the file
    Stream          one list: numbers of its full blocks, and the block that is open
    Lists           all lists of a venue, and the blocks on their way to the file
    EventLists      the class that Python sees
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t


cdef enum:
    BLOCK_WORDS = 256


cdef struct BlockRow:         # As it is in the file.
    uint64_t words[BLOCK_WORDS]
    uint64_t checksum         # CRC-32C of the block's number and the words.


cdef struct Stream:
    uint64_t first_number     # What the first entry is counted as.
    uint64_t count            # Entries in all.
    uint32_t block_count      # Full blocks, which are in the file.
    uint32_t block_capacity
    uint32_t* blocks          # Their numbers there, from 0 on.
    uint64_t* first_ids       # The id each begins with; acceptances only.
    uint64_t* open            # The block that is not full yet.


cdef struct Lists:
    Stream* reports             # By account.
    Stream* accepted            # By account and operator.
    uint32_t account_count
    Stream settlement
    BlockRow* pending         # Full blocks on their way to the file.
    uint32_t pending_count
    uint32_t pending_capacity
    uint32_t block_next       # The number the next full block takes.


cdef class EventLists:
    cdef Lists lists
    cdef Stream* stream_of(self, object account_index) except NULL

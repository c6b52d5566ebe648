"""Block trading at C level: commands, and what the day and a suspension do to what is open.

Contents: storage, looking, changing. Behaviour is in block.pyx; a block is a BlockRecord, in memory
as in snapshots.
"""

from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t

from cea_exchange._ladder cimport memory_reserve, memory_return
from cea_exchange._records cimport *
from cea_exchange.core.accounts cimport Accounts, Locks
from cea_exchange.core.rows cimport rows_bytes
from cea_exchange.core.trading cimport Blocks, Market, Rules


# -- Storage --------------------------------------------------------------------------------------

cdef inline bint blocks_open(Blocks* blocks, uint32_t count_max) noexcept nogil:
    """Reserve memory; False when the address space is not to be had."""
    blocks.count.live_max = count_max
    blocks.rows = <BlockRecord*>memory_reserve(rows_bytes(sizeof(BlockRecord), count_max))
    return blocks.rows != NULL


cdef inline void blocks_close(Blocks* blocks) noexcept nogil:
    memory_return(blocks.rows, rows_bytes(sizeof(BlockRecord), blocks.count.live_max))


# -- Looking --------------------------------------------------------------------------------------

cdef inline uint32_t other_party(const BlockRecord* block) noexcept nogil:
    """The account it is directed at, ACCOUNT_NONE if it is open to all or for a group."""
    return block.counterparty_index if block.flags & BLOCK_FLAG_TO_ACCOUNT else ACCOUNT_NONE


cdef inline uint32_t party_of(const BlockRecord* block, int side) noexcept nogil:
    """Who buys or sells in it, ACCOUNT_NONE where nobody is named."""
    return block.account_index if side == block.side else other_party(block)


cdef inline bint has_answered(const BlockRecord* block) noexcept nogil:
    """Whether who was asked has put something into it: a counter-offer, or his word."""
    return block.agreed or block.flags & BLOCK_FLAG_COUNTERED


cdef uint32_t blocks_seen(
    const Market* market, uint32_t account_index, uint64_t* first, uint64_t* ids, uint32_t ids_most,
) noexcept nogil
cdef BlockRecord* block_find(const Market* market, uint64_t block_id) noexcept nogil
cdef void block_band(
    const Rules* rules, int64_t reference_price, int64_t* low, int64_t* high,
) noexcept nogil
cdef bint is_intra_group(const Market* market, uint32_t first, uint32_t second) noexcept nogil
cdef Locks locks_held(const BlockRecord* block) noexcept nogil
cdef bint locks_fit(const Market* market, const BlockRecord* block) noexcept nogil
cdef void block_lock(
    Accounts* accounts, const BlockRecord* block, const Locks* more,
) noexcept nogil


# -- Changing -------------------------------------------------------------------------------------

cdef bint block_malformed(const CommandRecord* command) noexcept nogil

# The first record that is no trading command at all, or -1.
cdef int64_t commands_malformed(const CommandRecord* commands, int64_t count) noexcept nogil

# Trading commands of all kinds, as `commands_apply` of trading.pxd.
cdef int64_t all_commands_apply(
    Market* market, const CommandRecord* commands, int64_t count, int64_t* needed,
) noexcept nogil

# The exchange's word on a block that both sides agree on; the sink has room for two events.
cdef void block_word(Market* market, uint64_t block_id, bint confirms) noexcept nogil

# The day and the operator's acts; the sink has room. ACCOUNT_NONE is everybody.
cdef void blocks_withdraw(
    Market* market, uint32_t account_index, uint8_t reason,
) noexcept nogil
cdef void blocks_of_product_withdraw(Market* market, uint16_t product_index) noexcept nogil
cdef void blocks_lapse(Market* market) noexcept nogil

# A block of a snapshot, with its locks; False if no market could have it.
cdef bint block_restore(Market* market, const BlockRecord* record) noexcept nogil

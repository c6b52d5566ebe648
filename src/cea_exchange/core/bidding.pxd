"""Bidding at C level: bids, the operator's acts, and what the day and a suspension do.

Contents: storage, looking, changing. Behaviour is in bidding.pyx; biddings and bids are records, in
memory as in snapshots.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from cea_exchange._ladder cimport memory_reserve, memory_return
from cea_exchange._records cimport *
from cea_exchange.core.accounts cimport Locks, tells_large
from cea_exchange.core.award cimport AwardBid, award_bytes
from cea_exchange.core.rows cimport rows_bytes
from cea_exchange.core.trading cimport Biddings, Market


# -- Storage --------------------------------------------------------------------------------------

cdef inline size_t bidding_bytes(uint32_t count_max) noexcept nogil:
    return <size_t>count_max * sizeof(BiddingRecord)


cdef inline size_t award_memory_bytes(uint32_t count_max) noexcept nogil:
    """What the award of so many bids needs, and its result."""
    return award_bytes(count_max) + <size_t>count_max * (
        sizeof(AwardBid) + sizeof(int64_t) + sizeof(uint32_t)
    )


cdef inline bint biddings_open(Biddings* biddings, uint32_t count_max) noexcept nogil:
    """Reserve memory; False when the address space is not to be had."""
    biddings.count.live_max = biddings.bid_count.live_max = count_max
    biddings.rows = <BiddingRecord*>memory_reserve(bidding_bytes(count_max))
    biddings.bids = <BidRecord*>memory_reserve(rows_bytes(sizeof(BidRecord), count_max))
    biddings.award_memory = <char*>memory_reserve(award_memory_bytes(count_max))
    return biddings.rows != NULL and biddings.bids != NULL and biddings.award_memory != NULL


cdef inline void biddings_close(Biddings* biddings) noexcept nogil:
    memory_return(biddings.rows, bidding_bytes(biddings.count.live_max))
    memory_return(biddings.bids, rows_bytes(sizeof(BidRecord), biddings.count.live_max))
    memory_return(biddings.award_memory, award_memory_bytes(biddings.count.live_max))


# -- Looking --------------------------------------------------------------------------------------

cdef inline bint bid_malformed(const CommandRecord* command) noexcept nogil:
    """Whether a record is no bid command of the schema."""
    return command.reserved != 0 or (
        command.kind != COMMAND_KIND_BID and command.kind != COMMAND_KIND_BID_CANCEL
    )


cdef inline int64_t awards_rows(const Market* market) noexcept nogil:
    """Rows that bids take at most as their biddings end: a trade may make a large holder."""
    return (1 + tells_large(&market.accounts)) * <int64_t>market.biddings.bid_count.live


cdef BiddingRecord* bidding_find(const Market* market, uint64_t bidding_id) noexcept nogil
cdef Locks locks_of_bidding(const Market* market, const BiddingRecord* bidding) noexcept nogil
cdef Locks locks_of_bid(
    const Market* market, const BiddingRecord* bidding, const BidRecord* bid,
) noexcept nogil


# -- Changing -------------------------------------------------------------------------------------

# Returns the rows it needs if there is no room, COMMAND_MALFORMED, or 0.
cdef int64_t bid_apply(Market* market, const CommandRecord* given) noexcept nogil

# The operator's acts, the day's and a suspension's; the sink has room.
cdef void bidding_announce(
    Market* market, const BiddingRecord* notice, int64_t limit,
) noexcept nogil
cdef void bidding_window_set(Market* market, uint64_t bidding_id) noexcept nogil
cdef void bidding_end(Market* market, uint64_t bidding_id, bint awards) noexcept nogil
cdef void biddings_finish(Market* market) noexcept nogil
cdef void biddings_end_of(Market* market, uint32_t account_index) noexcept nogil
cdef void biddings_of_product_end(Market* market, uint16_t product_index) noexcept nogil
cdef void biddings_forget(Market* market) noexcept nogil

# Of a snapshot, with their locks; False if no market could have it.
cdef bint bidding_restore(Market* market, const BiddingRecord* record) noexcept nogil
cdef bint bid_restore(Market* market, const BidRecord* record) noexcept nogil

"""Who wins a single-direction bidding or an auction: what other compiled modules take from it.

    AwardPricing and the other enums    the choices that rules and results are made of
    AwardBid, AwardRules, AwardResult   what goes in, and what comes out
    award_bids                          the decision, in memory of `award_bytes`
    award_paid                          what a winner pays for a tonne
    Ranked, ranked_sort                 bids in an order

Nothing here allocates, or touches Python. `matching/award.py` says the same in plain Python.
"""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from cea_exchange._ladder cimport uint128


cdef enum AwardPricing:
    AWARD_UNIFORM = 0
    AWARD_PAY_AS_BID = 1


cdef enum AwardTie:
    AWARD_TIE_TIME = 0
    AWARD_TIE_RANDOM = 1
    AWARD_TIE_PRO_RATA = 2


cdef enum AwardUndersubscription:
    AWARD_SHORT_AWARD_ALL = 0
    AWARD_SHORT_CANCEL = 1


cdef enum AwardReserveRule:
    AWARD_RESERVE_EXCLUDE = 0  # Worse bids don't count.
    AWARD_RESERVE_CANCEL = 1   # A worse clearing price cancels it all.


cdef enum AwardCancelled:
    AWARD_NOT_CANCELLED = 0
    AWARD_BIDS_SHORT = 1
    AWARD_RESERVE_NOT_MET = 2


cdef struct AwardBid:         # In order of time.
    int64_t price             # Fen per tonne, 1 to 10^7; 0 if not competitive.
    int64_t tonnes            # 1 to 2^60 - 1.
    uint32_t account_index
    uint32_t group_index      # 0 is none.
    bint competitive


cdef struct AwardRules:
    uint8_t side              # SIDE_SELL or SIDE_BUY: what the one who applied does.
    uint8_t pricing
    uint8_t tie
    uint8_t undersubscription
    uint8_t reserve_rule
    uint64_t tie_seed
    int64_t bid_tonnes_min    # A smaller bid doesn't count.
    int64_t reserve_price     # Fen per tonne; 0 is none.
    int64_t bidder_cap_bp     # Of what is offered, for one account; 0 is no cap.
    int64_t group_cap_bp      # The same for the accounts of one group.
    int64_t noncompetitive_max_bp  # Of what is offered; 0: non-competitive bids win nothing.


cdef struct AwardResult:
    int64_t tonnes            # Awarded.
    int64_t clearing_price    # 0 if none won.
    uint8_t cancelled         # AwardCancelled.


cdef struct Ranked:           # A bid's place in an order.
    uint128 key               # Lowest first, at one key the earlier bid.
    uint32_t bid


# The memory of an award begins with room for two lists of all its bids.
cdef size_t award_bytes(uint32_t bid_count) noexcept nogil
cdef void ranked_sort(Ranked* order, Ranked* spare, uint32_t count) noexcept nogil
cdef AwardResult award_bids(
    const AwardBid* bids, uint32_t bid_count, int64_t offered_tonnes, const AwardRules* rules,
    void* memory, int64_t* fills,
) noexcept nogil


cdef inline int64_t award_paid(
    const AwardRules* rules, const AwardBid* bid, int64_t clearing_price,
) noexcept nogil:
    """What a winner pays for a tonne (with side `buy`: gets).

    Rules: CEA-AWD-02, CEA-AWD-08.
    """
    if rules.pricing == AWARD_PAY_AS_BID and bid.competitive:
        return bid.price
    return clearing_price

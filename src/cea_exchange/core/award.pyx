"""Awards a single-direction bidding or an auction; `matching/award.py` decides the same, plainly.

The bids are sorted three times: by account and by group, so that each bid knows where the sum of
its bidder and of its group is kept, and by price. All that takes no memory but the caller's.
"""

from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

import numpy as np

from cea_exchange._arguments cimport exact_int64, exact_uint64, numbers_check
from cea_exchange._hash cimport mix
from cea_exchange._ladder cimport uint128
from cea_exchange._records cimport SIDE_BUY, SIDE_SELL

cdef enum:
    BASIS_POINTS = 10000

cdef uint64_t LOT_STEP = 0x9E3779B97F4A7C15

cdef int64_t PRICE_MAX = 10_000_000    # CEA-ORD-04, as is the limit of an amount.
cdef int64_t AMOUNT_LIMIT = <int64_t>1 << 60


cdef struct Standing:         # What is known of the bid with the same index.
    int64_t counting          # Tonnes of it that could be won.
    int64_t bidder_won        # Sums of the bidder, and of the group, whose first bid this is.
    int64_t group_won
    uint32_t bidder           # The index of its bidder's, and of its group's, first bid.
    uint32_t group


cdef struct AwardState:         # An award in hand.
    const AwardBid* bids
    const AwardRules* rules
    Ranked* order             # [bid_count]; after `competitive_count` its first `ranked` are those.
    Ranked* spare             # [bid_count]
    Standing* standings       # [bid_count]
    int64_t* fills            # [bid_count]
    uint32_t bid_count
    uint32_t ranked
    int64_t offered
    int64_t bidder_cap
    int64_t group_cap


cdef size_t award_bytes(uint32_t bid_count) noexcept nogil:
    """How many bytes of memory, at a multiple of 16, `award_bids` needs."""
    return <size_t>bid_count * (2 * sizeof(Ranked) + sizeof(Standing))


cdef AwardResult award_bids(
    const AwardBid* bids, uint32_t bid_count, int64_t offered_tonnes, const AwardRules* rules,
    void* memory, int64_t* fills,
) noexcept nogil:
    """Fill in the tonnes that each bid wins.

    Rules: CEA-AWD-01, CEA-AWD-02, CEA-AWD-04, CEA-AWD-06, CEA-AWD-08.
    """
    cdef AwardState state
    cdef AwardResult result
    cdef int64_t first
    cdef uint128 could_be_won
    state.bids, state.rules, state.fills = bids, rules, fills
    state.bid_count, state.offered = bid_count, offered_tonnes
    state.order = <Ranked*>memory
    state.spare = state.order + bid_count
    state.standings = <Standing*>(state.spare + bid_count)
    state.bidder_cap = share_of(offered_tonnes, rules.bidder_cap_bp)
    state.group_cap = share_of(offered_tonnes, rules.group_cap_bp)
    memset(fills, 0, bid_count * sizeof(int64_t))
    memset(&result, 0, sizeof(result))

    sums_place(&state)
    first = noncompetitive_fill(&state)
    could_be_won = competitive_count(&state)
    if rules.reserve_price == 0 and (could_be_won == 0 or first == offered_tonnes):
        # Nobody has named a price that non-competitive bids could pay: as if they were not there.
        memset(fills, 0, bid_count * sizeof(int64_t))
        sums_clear(&state)
        first = 0
        could_be_won = competitive_count(&state)
    could_be_won += <uint128>first
    if (
        rules.undersubscription == AWARD_SHORT_CANCEL
        and could_be_won < <uint128>offered_tonnes
    ):
        memset(fills, 0, bid_count * sizeof(int64_t))
        result.cancelled = AWARD_BIDS_SHORT
        return result

    result.clearing_price = best_fill(&state, offered_tonnes - first, &result.tonnes)
    result.tonnes += first
    if result.clearing_price == 0 and first > 0:
        result.clearing_price = rules.reserve_price
    if (
        rules.reserve_rule == AWARD_RESERVE_CANCEL
        and result.tonnes > 0
        and is_under_reserve(rules, result.clearing_price)
    ):
        memset(fills, 0, bid_count * sizeof(int64_t))
        memset(&result, 0, sizeof(result))
        result.cancelled = AWARD_RESERVE_NOT_MET
    return result


# -- What counts ----------------------------------------------------------------------------------

cdef int64_t share_of(int64_t tonnes, int64_t basis_points) noexcept nogil:
    return <int64_t>(<uint128>tonnes * <uint128>basis_points // BASIS_POINTS)


cdef bint is_under_reserve(const AwardRules* rules, int64_t price) noexcept nogil:
    """Whether a price is worse for the applicant than the reserve price.

    Rules: CEA-AWD-06, CEA-AWD-09.
    """
    if rules.reserve_price == 0:
        return False
    if rules.side == SIDE_SELL:
        return price < rules.reserve_price
    return price > rules.reserve_price


cdef void sums_place(AwardState* state) noexcept nogil:
    """Let each bid know the first of its bidder and of its group, and start from nothing won.

    Without a cap nobody asks for these sums.
    """
    cdef uint32_t place, index, leader = 0
    if state.rules.bidder_cap_bp > 0:
        for index in range(state.bid_count):
            state.order[index].key = state.bids[index].account_index
            state.order[index].bid = index
        ranked_sort(state.order, state.spare, state.bid_count)
        for place in range(state.bid_count):
            index = state.order[place].bid
            if place == 0 or state.order[place].key != state.order[place - 1].key:
                leader = index
            state.standings[index].bidder = leader
    if state.rules.group_cap_bp > 0:
        for index in range(state.bid_count):
            state.order[index].key = state.bids[index].group_index
            state.order[index].bid = index
        ranked_sort(state.order, state.spare, state.bid_count)
        for place in range(state.bid_count):
            index = state.order[place].bid
            if place == 0 or state.order[place].key != state.order[place - 1].key:
                leader = index
            state.standings[index].group = leader
    sums_clear(state)


cdef void sums_clear(AwardState* state) noexcept nogil:
    cdef uint32_t index
    for index in range(state.bid_count):
        state.standings[index].bidder_won = 0
        state.standings[index].group_won = 0
        state.standings[index].counting = 0


cdef int64_t capped(const AwardState* state, uint32_t index) noexcept nogil:
    """How many tonnes of a bid its bidder's and its group's caps let count.

    Rules: CEA-AWD-07.
    """
    cdef const Standing* standing = &state.standings[index]
    cdef int64_t tonnes = state.bids[index].tonnes
    if state.rules.bidder_cap_bp > 0:
        tonnes = min(tonnes, state.bidder_cap - state.standings[standing.bidder].bidder_won)
    if state.rules.group_cap_bp > 0 and state.bids[index].group_index != 0:
        tonnes = min(tonnes, state.group_cap - state.standings[standing.group].group_won)
    return tonnes


cdef void sums_add(AwardState* state, uint32_t index, int64_t tonnes) noexcept nogil:
    """Count tonnes as won, or with a minus as not won after all; only where a cap asks for it.

    Without a cap the sum of a bidder could pass 64 bits.
    """
    if state.rules.bidder_cap_bp > 0:
        state.standings[state.standings[index].bidder].bidder_won += tonnes
    if state.rules.group_cap_bp > 0 and state.bids[index].group_index != 0:
        state.standings[state.standings[index].group].group_won += tonnes


cdef int64_t noncompetitive_fill(AwardState* state) noexcept nogil:
    """Fill non-competitive bids, before all others; how many tonnes they win.

    Rules: CEA-AWD-05, CEA-AWD-08.
    """
    cdef int64_t limit = share_of(state.offered, state.rules.noncompetitive_max_bp), counting
    cdef uint128 total = 0
    cdef uint32_t index, count = 0
    for index in range(state.bid_count):
        if state.bids[index].competitive or state.bids[index].tonnes < state.rules.bid_tonnes_min:
            continue
        counting = capped(state, index)
        if counting <= 0:
            continue
        sums_add(state, index, counting)
        total += <uint128>counting
        state.standings[index].counting = counting
        state.fills[index] = counting
        state.order[count].bid = index
        count += 1
    if total <= <uint128>limit:
        return <int64_t>total
    pro_rata_fill(state, state.order, count, total, limit)
    for index in range(state.bid_count):
        sums_add(state, index, state.fills[index] - state.standings[index].counting)
    return limit


cdef uint128 competitive_count(AwardState* state) noexcept nogil:
    """Rank the competitive bids and find what of each counts; how much it is in all.

    Rules: CEA-AWD-01, CEA-AWD-05, CEA-AWD-06, CEA-AWD-07.
    """
    cdef const AwardBid* bid
    cdef uint128 total = 0
    cdef int64_t counting
    cdef uint32_t index, place, kept = 0
    state.ranked = 0
    for index in range(state.bid_count):
        bid = &state.bids[index]
        if not bid.competitive or bid.tonnes < state.rules.bid_tonnes_min:
            continue
        if state.rules.reserve_rule == AWARD_RESERVE_EXCLUDE and is_under_reserve(
            state.rules, bid.price
        ):
            continue
        state.order[state.ranked].key = <uint128>(
            PRICE_MAX - bid.price if state.rules.side == SIDE_SELL else bid.price
        )
        state.order[state.ranked].bid = index
        state.ranked += 1
    ranked_sort(state.order, state.spare, state.ranked)
    for place in range(state.ranked):
        index = state.order[place].bid
        counting = capped(state, index)
        if counting <= 0:
            continue
        sums_add(state, index, counting)
        total += <uint128>counting
        state.standings[index].counting = counting
        state.order[kept] = state.order[place]
        kept += 1
    state.ranked = kept
    return total


# -- Who wins it ----------------------------------------------------------------------------------

cdef int64_t best_fill(AwardState* state, int64_t left, int64_t* tonnes) noexcept nogil:
    """Fill the ranked bids while there is something left; the worst price that won, or 0.

    Rules: CEA-AWD-01, CEA-AWD-03.
    """
    cdef int64_t clearing_price = 0, fill
    cdef uint128 wanted
    cdef uint32_t first = 0, end, place, index
    while first < state.ranked and left > 0:
        end, wanted = first, 0
        while end < state.ranked and state.order[end].key == state.order[first].key:
            wanted += <uint128>state.standings[state.order[end].bid].counting
            end += 1
        clearing_price = state.bids[state.order[first].bid].price
        if wanted > <uint128>left and state.rules.tie == AWARD_TIE_PRO_RATA:
            pro_rata_fill(state, state.order + first, end - first, wanted, left)
            tonnes[0] += left
            return clearing_price
        if wanted > <uint128>left and state.rules.tie == AWARD_TIE_RANDOM:
            lots_draw(state, state.order + first, end - first)
        for place in range(first, end):
            index = state.order[place].bid
            fill = min(state.standings[index].counting, left)
            state.fills[index] = fill
            left -= fill
            tonnes[0] += fill
        first = end
    return clearing_price


cdef void lots_draw(const AwardState* state, Ranked* order, uint32_t count) noexcept nogil:
    """Sort bids by the outputs of splitmix64, started from the seed, that their places have.

    Rules: CEA-AWD-03.
    """
    cdef uint32_t place
    for place in range(count):
        order[place].key = mix(state.rules.tie_seed + order[place].bid * LOT_STEP)
    ranked_sort(order, state.spare, count)


cdef void pro_rata_fill(
    const AwardState* state, Ranked* order, uint32_t count, uint128 wanted, int64_t tonnes,
) noexcept nogil:
    """Share tonnes out in proportion; what the fractions leave goes to the largest of them.

    Rules: CEA-AWD-03, CEA-AWD-08.
    """
    cdef uint128 product, share
    cdef int64_t left = tonnes
    cdef uint32_t place, index
    for place in range(count):
        index = order[place].bid
        product = <uint128>tonnes * <uint128>state.standings[index].counting
        share = product // wanted
        state.fills[index] = <int64_t>share
        left -= state.fills[index]
        order[place].key = wanted - (product - share * wanted)
    ranked_sort(order, state.spare, count)
    for place in range(<uint32_t>left):
        state.fills[order[place].bid] += 1


cdef void ranked_sort(Ranked* order, Ranked* spare, uint32_t count) noexcept nogil:
    """Sort by key. Those of one key stay as they stood, so the earlier bid stays before.

    By one byte of the keys after the other, from the lowest; not by those that are the same in all.
    """
    cdef Ranked* source = order
    cdef Ranked* target = spare
    cdef uint128 differing = 0
    cdef uint32_t place
    cdef int shift
    for place in range(1, count):
        differing |= order[place].key ^ order[0].key
    for shift in range(0, 128, 8):
        if <uint8_t>(differing >> shift) != 0:
            byte_sort(source, target, count, shift)
            source, target = target, source
    if source != order:
        memcpy(order, source, count * sizeof(Ranked))


cdef void byte_sort(
    const Ranked* source, Ranked* target, uint32_t count, int shift,
) noexcept nogil:
    """Sort by the byte of the keys that begins at a bit."""
    cdef uint32_t places[256]
    cdef uint32_t place, next_place, first = 0
    cdef int byte
    memset(places, 0, sizeof(places))
    for place in range(count):
        places[<uint8_t>(source[place].key >> shift)] += 1
    for byte in range(256):
        next_place = first + places[byte]
        places[byte] = first
        first = next_place
    for place in range(count):
        byte = <uint8_t>(source[place].key >> shift)
        target[places[byte]] = source[place]
        places[byte] += 1


# -- For Python -----------------------------------------------------------------------------------

# Each at the place of its number in the enum.
cdef tuple PRICINGS = ("uniform", "pay_as_bid")
cdef tuple TIES = ("time", "random", "pro_rata")
cdef tuple SHORTS = ("award_all", "cancel")
cdef tuple RESERVE_RULES = ("exclude", "cancel")
cdef tuple REASONS = (None, "BIDS_SHORT", "RESERVE_NOT_MET")

cdef int64_t BID_COUNT_LIMIT = <int64_t>1 << 31
cdef int64_t INDEX_MAX = 0xFFFFFFFF


def award_arrays(bids, offered_tonnes, rules):
    """Award what is offered to the best bids.

    Parameters
    ----------
    bids : ndarray of int64, shape (n, 5)
        In order of time: price (fen per tonne, 0 if not competitive), tonnes, account_index,
        group_index (0 is none), competitive (0 or 1).
    offered_tonnes : int
        Tonnes for sale (with side `buy`: wanted).
    rules : matching.award.AwardRules

    Returns
    -------
    fills : ndarray of int64
        Tonnes won, for each bid.
    clearing_price : int or None
    cancelled_reason : str or None

    Raises
    ------
    TypeError, ValueError
        The array has another shape, or a number is out of range.

    Notes
    -----
    Rules: CEA-AWD-01 to CEA-AWD-09.
    """
    cdef AwardRules settings = rules_take(rules)
    cdef int64_t offered = exact_int64(offered_tonnes, "offered_tonnes")
    if not 1 <= offered < AMOUNT_LIMIT:
        raise ValueError(f"offered_tonnes: expected within 1..{AMOUNT_LIMIT - 1}, got {offered}")
    if numbers_check(bids, "bids") >= BID_COUNT_LIMIT or bids.shape[1] != 5:
        raise TypeError(f"bids: expected the shape (n, 5), n below 2^31, got {bids.shape}")
    cdef const int64_t[:, :] rows = bids
    cdef uint32_t count = <uint32_t>rows.shape[0], index
    # One row at least, for there to be something to point to.
    fills = np.zeros(max(1, count), np.int64)
    cdef int64_t[::1] fills_view = fills
    cdef AwardBid* taken = <AwardBid*>malloc((count + 1) * sizeof(AwardBid))
    cdef void* memory = malloc(award_bytes(count + 1))
    cdef AwardResult result
    try:
        if taken == NULL or memory == NULL:
            raise MemoryError(f"no memory for {count} bids")
        for index in range(count):
            bid_take(rows, index, &taken[index])
        with nogil:
            result = award_bids(taken, count, offered, &settings, memory, &fills_view[0])
    finally:
        free(taken)
        free(memory)
    return fills[:count], result.clearing_price or None, REASONS[result.cancelled]


cdef AwardRules rules_take(object rules) except *:
    cdef AwardRules settings
    memset(&settings, 0, sizeof(settings))
    settings.side = SIDE_SELL if rules.side == "sell" else SIDE_BUY
    settings.pricing = PRICINGS.index(rules.pricing)
    settings.tie = TIES.index(rules.tie)
    settings.undersubscription = SHORTS.index(rules.undersubscription)
    settings.reserve_rule = RESERVE_RULES.index(rules.reserve_rule)
    settings.tie_seed = exact_uint64(rules.tie_seed, "tie_seed")
    settings.bid_tonnes_min = exact_int64(rules.bid_tonnes_min, "bid_tonnes_min")
    settings.reserve_price = exact_int64(rules.reserve_price_fen, "reserve_price_fen")
    settings.bidder_cap_bp = exact_int64(rules.bidder_cap_bp, "bidder_cap_bp")
    settings.group_cap_bp = exact_int64(rules.group_cap_bp, "group_cap_bp")
    settings.noncompetitive_max_bp = exact_int64(
        rules.noncompetitive_max_bp, "noncompetitive_max_bp"
    )
    return settings


cdef int bid_take(const int64_t[:, :] rows, uint32_t index, AwardBid* bid) except -1:
    cdef int64_t price = rows[index, 0], tonnes = rows[index, 1]
    cdef int64_t account_index = rows[index, 2], group_index = rows[index, 3]
    cdef bint competitive = rows[index, 4] == 1
    if not 0 <= rows[index, 4] <= 1:
        raise ValueError(f"bids[{index}].competitive: expected within 0..1, got {rows[index, 4]}")
    cdef int64_t price_min = 1 if competitive else 0, price_max = PRICE_MAX if competitive else 0
    if not price_min <= price <= price_max:
        raise ValueError(
            f"bids[{index}].price: expected within {price_min}..{price_max}, got {price}"
        )
    if not 1 <= tonnes < AMOUNT_LIMIT:
        raise ValueError(
            f"bids[{index}].tonnes: expected within 1..{AMOUNT_LIMIT - 1}, got {tonnes}"
        )
    for name, value in (("account_index", account_index), ("group_index", group_index)):
        if not 0 <= value <= INDEX_MAX:
            raise ValueError(
                f"bids[{index}].{name}: expected within 0..{INDEX_MAX}, got {value}"
            )
    if <uint128>price * <uint128>tonnes >= <uint128>AMOUNT_LIMIT:
        amount = int(price) * int(tonnes)
        raise ValueError(f"bids[{index}]: price x tonnes: expected below 2^60 fen, got {amount}")
    bid.price, bid.tonnes, bid.competitive = price, tonnes, competitive
    bid.account_index, bid.group_index = <uint32_t>account_index, <uint32_t>group_index
    return 0

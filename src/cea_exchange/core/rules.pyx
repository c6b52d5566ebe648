"""What a market takes of its profile: the rules as numbers, and the price bands they give.

Contents: profile, bands. A band is reserved before anything changes, and set when nothing can fail
any more.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from cea_exchange._arguments cimport exact_bool, exact_int64, exact_self_trade
from cea_exchange._ladder cimport *
from cea_exchange._records cimport METHOD_LISTED, SIDE_BUY
from cea_exchange.core.accounts cimport FeeRule, METHODS_END, OPERATORS_MAX, SIDES_END
from cea_exchange.core.trading cimport *


# -- Profile --------------------------------------------------------------------------------------

cdef int64_t rule_of(object rules, str name, int64_t most) except -1:
    """A number of the profile, not truncated and not out of range."""
    cdef int64_t value = exact_int64(getattr(rules, name), name)
    if not 0 <= value <= most:
        raise ValueError(f"{name}: expected within 0..{most}, got {value}")
    return value


cdef tuple TIE_WORDS = ("time", "random", "pro_rata")     # AwardTie
cdef tuple SHORT_WORDS = ("award_all", "cancel")           # AwardUndersubscription
cdef tuple AGENT_WORDS = ("registry", "exchange")
cdef tuple GAP_WORDS = ("instrument", "product")
cdef tuple RESERVE_WORDS = ("exclude", "cancel")           # AwardReserveRule


cdef int word_of(object rules, str name, tuple words) except -1:
    """The place of a word of the profile among those there are."""
    word = getattr(rules, name)
    if word not in words:
        raise ValueError(f"{name}: expected one of {', '.join(words)}, got {word!r}")
    return words.index(word)


cdef bint rounds_inward(object rules) except -1:
    """Whether the limits of bands are rounded into them; else half up."""
    if rules.band_rounding not in ("half_up", "inward"):
        raise ValueError(f"band_rounding: expected half_up or inward, got {rules.band_rounding!r}")
    return rules.band_rounding == "inward"


cdef int fees_read(object rules, FeeRule[METHODS_END][SIDES_END] fees) except -1:
    """The fees of every method and side.

    Rules: CEA-FEE-01.
    """
    cdef int64_t fee
    cdef int method
    cdef int side
    memset(fees, 0, METHODS_END * SIDES_END * sizeof(FeeRule))
    for method in range(METHOD_LISTED, METHODS_END):
        for side in range(SIDE_BUY, SIDES_END):
            fee = exact_int64(rules.fee_bp_of(method, side), "fee_bp")
            if not 0 <= fee <= 10_000:
                raise ValueError(f"fee_bp: expected within 0..10000, got {fee}")
            fees[method][side].basis_points = fee
            fees[method][side].fen_min = rule_of(rules, "fee_min_fen", AMOUNT_LIMIT)


cdef int rules_take(Market* market, object rules) except -1:
    """Take all of a profile, at the beginning."""
    rules_change(market, rules)
    market.rules.operators_max = <uint16_t>rule_of(rules, "operators_max", OPERATORS_MAX)
    market.rules.settles_cash = word_of(rules, "settlement_agent", AGENT_WORDS) == 1
    market.rules.rounds_inward = rounds_inward(rules)
    market.rules.bidding_tie = <uint8_t>word_of(rules, "bidding_tie", TIE_WORDS)
    market.rules.bidding_short = <uint8_t>word_of(
        rules, "bidding_undersubscription", SHORT_WORDS,
    )
    market.rules.bidding_reserve = <uint8_t>word_of(
        rules, "bidding_reserve", RESERVE_WORDS,
    )
    market.rules.bidder_cap_bp = rule_of(rules, "bidder_cap_bp", 10_000)
    market.rules.bidder_group_cap_bp = rule_of(rules, "bidder_group_cap_bp", 10_000)
    market.rules.noncompetitive_max_bp = rule_of(rules, "noncompetitive_max_bp", 10_000)
    market.rules.levels_max = <uint32_t>rule_of(rules, "levels_max", 0xFFFFFFFF)
    market.rules.pick_allowed = rules.pick_allowed
    market.rules.self_trade = <SelfTrade>exact_self_trade(rules.self_trade)
    market.accounts.checked = rules.holdings_checked
    market.accounts.gap_days = <uint16_t>rule_of(rules, "gap_trading_days", 10_000)
    market.accounts.gap_is_of_all = word_of(rules, "gap_scope", GAP_WORDS) == 1
    return 0


cdef int rules_change(Market* market, object rules) except -1:
    """Go on by these numbers: at the beginning, and where notices change some at an opening.

    Rules: CEA-NTC-01.
    """
    cdef int64_t listed_max = rule_of(rules, "listed_tonnes_most", AMOUNT_LIMIT)
    cdef bint bidding_allowed = exact_bool(rules.bidding_allowed, "bidding_allowed")
    cdef bint block_allowed = exact_bool(rules.block_allowed, "block_allowed")
    cdef bint block_confirmed = exact_bool(rules.block_confirmed, "block_confirmed")
    cdef int64_t block_min = rule_of(rules, "block_tonnes_min", AMOUNT_LIMIT)
    cdef int64_t block_band = rule_of(rules, "block_band_bp", 10_000)
    cdef int64_t block_free = rule_of(rules, "block_free_tonnes", AMOUNT_LIMIT)
    cdef bint block_fixed = exact_bool(rules.block_terms_fixed, "block_terms_fixed")
    cdef bint open_at_close = exact_bool(rules.open_at_close, "open_at_close")
    cdef bint close_with_blocks = exact_bool(rules.close_with_blocks, "close_with_blocks")
    cdef int64_t close_over = rule_of(rules, "close_tonnes_over", AMOUNT_LIMIT)
    cdef int64_t close_last = rule_of(rules, "close_trades_last", LAST_TRADES_MAX)
    cdef int64_t bids_max = rule_of(rules, "bids_open_max", 0xFFFFFFFF)
    cdef int64_t orders_max = rule_of(rules, "orders_open_max", 0xFFFFFFFF)
    cdef int64_t kept = rule_of(rules, "orders_kept_bp", 10_000)
    cdef int64_t kept_each = rule_of(rules, "orders_kept_each", 0xFFFFFFFF)
    cdef int64_t enquiries_max = rule_of(rules, "enquiries_open_max", 0xFFFFFFFF)
    cdef int64_t bidding_min = rule_of(rules, "bidding_tonnes_min", AMOUNT_LIMIT)
    cdef int64_t bidding_band = rule_of(rules, "bidding_band_bp", 10_000)
    cdef int64_t bid_min = rule_of(rules, "bid_tonnes_min", AMOUNT_LIMIT)
    cdef int64_t holding_max = rule_of(rules, "holding_limit_tonnes", <int64_t>1 << 62)
    cdef bint joint = exact_bool(rules.holding_limit_joint, "holding_limit_joint")
    cdef int64_t large = rule_of(rules, "large_holder_tonnes", <int64_t>1 << 62)
    cdef FeeRule[METHODS_END][SIDES_END] fees
    fees_read(rules, fees)
    rule_of(rules, "listed_band_bp", 10_000)
    market.rules.listed_tonnes_max = listed_max
    market.rules.block_allowed = block_allowed
    market.rules.block_confirmed = block_confirmed
    market.rules.bidding_allowed = bidding_allowed
    market.rules.block_tonnes_min = block_min
    market.rules.block_band_bp = block_band
    market.rules.block_free_tonnes = block_free
    market.rules.block_terms_fixed = block_fixed
    market.rules.open_at_close = open_at_close
    market.rules.close_with_blocks = close_with_blocks
    market.rules.close_tonnes_over = close_over
    market.rules.close_trades_last = <uint32_t>close_last
    market.rules.enquiries_open_max = <uint32_t>enquiries_max
    market.rules.bidding_tonnes_min = bidding_min
    market.rules.bidding_band_bp = bidding_band
    market.rules.bid_tonnes_min = bid_min
    market.rules.bids_open_max = <uint32_t>bids_max
    market.rules.orders_open_max = <uint32_t>orders_max
    market.rules.orders_kept_bp = <uint32_t>kept
    market.rules.orders_kept_each = <uint32_t>kept_each
    market.accounts.holding_tonnes_max = holding_max
    market.accounts.holding_is_joint = joint
    market.accounts.large_tonnes = large
    market.accounts.fees = fees
    return 0


# -- Bands ----------------------------------------------------------------------------------------

cdef object band_of(object rules, int64_t reference_price):
    """The day's listed price band as (low, high).

    Rules: CEA-LST-02, CEA-LST-03.
    """
    cdef int64_t below = reference_price * (10_000 - <int64_t>rules.listed_band_bp)
    cdef int64_t above = reference_price * (10_000 + <int64_t>rules.listed_band_bp)
    if rules.listed_band_bp == 0:
        return 1, PRICE_MAX
    if rules.band_rounding == "inward":
        below = (below + 9_999) // 10_000
        above = above // 10_000
    else:
        below = (below + 5_000) // 10_000
        above = (above + 5_000) // 10_000
    return max(below, 1), min(above, PRICE_MAX)


cdef int band_reserve(
    object rules, const Ladder* present, int64_t price, Ladder* ladder,
) except -1:
    """Have the empty ladder of a reference price's band ready for `band_set`.

    It is the present one, NULL of a new product, where the band stays the same.
    """
    low, high = band_of(rules, price)
    if present != NULL and present.price_min == low and present.price_max == high:
        ladder[0] = present[0]
    elif not ladder_open(ladder, low, high):
        raise MemoryError(f"cannot reserve a price ladder of {low}..{high}")


cdef Ladder* bands_reserve(const Market* market, object rules, list prices) except NULL:
    """The ladders of all products' bands, measured from these prices; the caller frees them."""
    cdef uint32_t index
    cdef uint32_t done
    cdef Ladder* ladders = <Ladder*>malloc((market.product_count + 1) * sizeof(Ladder))
    if ladders == NULL:
        raise MemoryError("cannot allocate the bands of the next day")
    for index in range(market.product_count):
        try:
            band_reserve(rules, &market.products[index].ladder, prices[index], &ladders[index])
        except MemoryError:
            for done in range(index):
                ladder_drop(&market.products[done], &ladders[done])
            free(ladders)
            raise
    return ladders


cdef int bands_measure(Market* market, object rules) except -1:
    """Measure all bands by other rules; on MemoryError nothing has changed."""
    cdef uint32_t index
    cdef list prices = [
        market.products[index].reference_price for index in range(market.product_count)
    ]
    cdef Ladder* ladders = bands_reserve(market, rules, prices)
    for index in range(market.product_count):
        band_set(&market.products[index], prices[index], &ladders[index])
    free(ladders)
    return 0


cdef void band_set(Product* product, int64_t price, const Ladder* ladder) noexcept nogil:
    """Measure a product's band from another price, with the ladder reserved for it."""
    product.reference_price = price
    if product.ladder.levels != ladder.levels:
        ladder_close(&product.ladder)
        product.ladder = ladder[0]


cdef void ladder_drop(const Product* product, Ladder* ladder) noexcept nogil:
    """Give back a reserved ladder that is not wanted after all."""
    if product.ladder.levels != ladder.levels:
        ladder_close(ladder)

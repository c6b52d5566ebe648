"""The trading day of a compiled market: how it begins, its phases, and what its end leaves.

Contents: beginning, phases, end. The plain Python of it is in matching/reference/trading_day.py.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from cea_exchange._ladder cimport *
from cea_exchange._records cimport *
from cea_exchange.core.accounts cimport *
from cea_exchange.core.bidding cimport awards_rows, biddings_finish, biddings_forget
from cea_exchange.core.block cimport blocks_lapse
from cea_exchange.core.rules cimport band_set
from cea_exchange.core.trading cimport *


# -- Beginning ------------------------------------------------------------------------------------

cdef void day_begin(Market* market, uint32_t date) noexcept nogil:
    """Begin a day: what was bought or earned is free, ids and statistics start anew."""
    cdef Product* product
    cdef EventRecord* row
    cdef uint32_t index
    biddings_forget(market)
    market.trading_date = date
    market.day_is_open = True
    market.listed_started = False
    accounts_day_open(&market.accounts)
    for index in range(market.product_count):
        product = &market.products[index]
        product.open = product.high = product.low = product.last = 0
        product.volume = product.amount = 0
        product.block_volume = product.intra_group_volume = product.bidding_volume = 0
        product.block_amount = product.bidding_amount = 0
        product.last_count = 0
    row = event_open(market, EVENT_KIND_DAY_OPENED)
    event_settles(market, row)
    event_is_public(market, row)
    phase_enter(market, PHASE_PRE_OPEN)


cdef int64_t large_holders_tell(Market* market, int64_t threshold_before, bint emits) noexcept:
    """Tell who is a large holder by today's threshold and was none by the last; how many are.

    Rules: CEA-FND-08.
    """
    cdef int64_t threshold = market.accounts.large_tonnes
    cdef int64_t count = 0
    cdef int64_t tonnes
    cdef uint32_t account
    cdef uint32_t product
    if not tells_large(&market.accounts) or threshold == threshold_before:
        return 0
    for account in range(market.accounts.account_count):
        for product in range(market.product_count):
            tonnes = holding_of(&market.accounts, account, <uint16_t>product).tonnes
            if tonnes >= threshold and not 0 < threshold_before <= tonnes:
                count += 1
                if emits:
                    large_holder_emit(market, account, <uint16_t>product)
    return count


# -- Phases ---------------------------------------------------------------------------------------

cdef void phase_enter(Market* market, uint8_t phase) noexcept nogil:
    """Enter a phase; the one it is in already changes nothing."""
    if phase in (PHASE_LISTED, PHASE_LISTED_AND_BLOCK):
        market.listed_started = True
    if phase != market.phase:
        market.phase = phase
        event_is_public(market, event_open(market, EVENT_KIND_PHASE_CHANGED))


# -- End ------------------------------------------------------------------------------------------

cdef int64_t closing_price(const Rules* rules, const Product* product) noexcept nogil:
    """Mean of the day's trades that count, weighted by tonnes, half up; else the previous close.

    Rules: CEA-LST-08, CCER-LST-05, PLT-PRC-02, PLT-PRC-03, PLT-PRC-04.
    """
    cdef uint128 amount = product.amount
    cdef uint128 volume = product.volume
    cdef uint128 mean
    cdef uint32_t last
    if rules.close_with_blocks:
        amount += product.block_amount
        volume += product.block_volume
    if volume <= <uint128>rules.close_tonnes_over:
        return product.reference_price
    if product.last_count != 0:
        amount = volume = 0
        for last in range(product.last_count):
            amount += <uint128>(
                product.last_trades[last].price * product.last_trades[last].tonnes
            )
            volume += <uint128>product.last_trades[last].tonnes
        if volume == 0:
            return product.reference_price
    mean = (2 * amount + volume) / (2 * volume)
    return <int64_t>mean


cdef list closing_prices(const Market* market):
    """The close of each product."""
    cdef uint32_t index
    return [
        closing_price(&market.rules, &market.products[index])
        for index in range(market.product_count)
    ]


cdef int64_t composite_close(const Market* market, list closes) except? -1:
    """Weighted mean of the closes of what is listed, half up; -1 where nothing is.

    Rules: CEA-PRC-04.
    """
    cdef uint32_t index
    cdef object composite = 0
    cdef object weight_sum = 0
    cdef object close_sum = 0
    cdef object listed_count = 0
    for index in range(market.product_count):
        if is_listed(market, index):
            composite += closes[index] * market.products[index].composite_weight
            weight_sum += market.products[index].composite_weight
            close_sum += closes[index]
            listed_count += 1
    if listed_count == 0:
        return -1
    if weight_sum == 0:
        # None that the profile gives a weight is listed: all that are weigh alike.
        composite, weight_sum = close_sum, listed_count
    return (2 * composite + weight_sum) // (2 * weight_sum)


cdef inline bint has_close(const Product* product, bint any_listed) noexcept nogil:
    """Whether a product has a day's close: it is listed, or was when it traded today.

    A day ends with a close at least, or nobody would hear of it.
    """
    return (
        not product.delisted or not any_listed or product.volume != 0
        or product.block_volume != 0 or product.bidding_volume != 0
    )


cdef void day_closed_emit(Market* market, uint16_t product_index, int64_t close) noexcept nogil:
    """Tell a product's day."""
    cdef Product* product = &market.products[product_index]
    cdef EventRecord* row = event_open(market, EVENT_KIND_DAY_CLOSED)
    cdef DayClosedRecord* day = <DayClosedRecord*>row
    row.product_index = product_index
    event_settles(market, row)
    event_is_public(market, row)
    day.open = <uint32_t>(product.open if product.open != 0 else product.reference_price)
    day.high = <uint32_t>product.high
    day.low = <uint32_t>product.low
    day.close = <uint32_t>close
    day.volume_listed = <uint64_t>product.volume
    day.volume_listed_high = <uint32_t>(product.volume >> 64)
    day.amount_listed_low = <uint64_t>product.amount
    day.amount_listed_high = <uint64_t>(product.amount >> 64)
    day.volume_block = <uint64_t>product.block_volume
    day.volume_block_high = <uint32_t>(product.block_volume >> 64)
    day.amount_block_low = <uint64_t>product.block_amount
    day.amount_block_high = <uint64_t>(product.block_amount >> 64)
    day.volume_intra_group = <uint64_t>product.intra_group_volume
    day.volume_intra_group_high = <uint32_t>(product.intra_group_volume >> 64)
    day.volume_bidding = <uint64_t>product.bidding_volume
    day.volume_bidding_high = <uint32_t>(product.bidding_volume >> 64)
    day.amount_bidding_low = <uint64_t>product.bidding_amount
    day.amount_bidding_high = <uint64_t>(product.bidding_amount >> 64)


cdef int64_t day_end_rows(const Market* market) noexcept nogil:
    """Rows that the end of the day takes at most."""
    return (
        2 + market.pool.order_count + market.blocks.count.live + market.product_count
        + market.biddings.count.live + awards_rows(market)
    )


cdef int day_end(
    Market* market, list closes, int64_t composite, const Ladder* ladders,
) except -1:
    """Award what is open, let the rest expire, and give each product its close and its next band.

    Rules: CEA-ORD-03 (day orders), CEA-BID-03 (biddings come first).
    """
    cdef EventRecord* row
    cdef uint32_t index
    cdef bint any_listed = composite >= 0
    biddings_finish(market)
    phase_enter(market, PHASE_CLOSED)
    orders_remove_all(
        market, EVENT_KIND_ORDER_EXPIRED, REASON_NONE, ACCOUNT_NONE, OPERATOR_ANY,
    )
    blocks_lapse(market)
    market.order_id_base = market.order_id_last
    for index in range(market.product_count):
        if has_close(&market.products[index], any_listed):
            day_closed_emit(market, index, closes[index])
        band_set(&market.products[index], closes[index], &ladders[index])
    if any_listed:
        row = event_open(market, EVENT_KIND_COMPOSITE_CLOSED)
        row.price = composite
        event_is_public(market, row)
    market.day_is_open = False
    return 0

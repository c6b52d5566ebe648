"""What an operator may do to a market, and what the registry brings in and takes out.

Contents: transfers, halts, accounts, products, checkpoints. The day is in day.pyx, busts are in
bust.pyx and biddings in core/bidding.pyx; the plain Python of it is in
matching/reference/operations.py.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from cea_exchange._ladder cimport *
from cea_exchange._records cimport *
from cea_exchange.core.accounts cimport *
from cea_exchange.core.bidding cimport biddings_end_of, biddings_of_product_end
from cea_exchange.core.block cimport blocks_of_product_withdraw, blocks_withdraw
from cea_exchange.core.rules cimport band_set
from cea_exchange.core.state cimport holdings_sum, state_sum
from cea_exchange.core.trading cimport *


cdef int64_t ends_rows(const Market* market) noexcept nogil:
    return (
        1 + market.pool.order_count + market.blocks.count.live
        + market.biddings.count.live + market.biddings.bid_count.live
    )


# -- Transfers ------------------------------------------------------------------------------------

cdef uint8_t transfer_refused(
    const Market* market, uint32_t account_index, uint16_t product_index, int64_t moved,
    bint withdraws,
) noexcept nogil:
    if product_index != PRODUCT_NONE and product_index >= market.product_count:
        return REASON_PRODUCT_UNKNOWN
    if account_index >= market.accounts.account_count:
        return REASON_ACCOUNT_UNKNOWN
    if withdraws:
        return withdrawal_refused(&market.accounts, account_index, product_index, moved)
    return deposit_refused(&market.accounts, account_index, product_index, moved)


cdef void transfer_apply(
    Market* market, uint32_t account_index, uint16_t product_index, int64_t moved,
    uint64_t transfer_seq, bint withdraws,
) noexcept nogil:
    """Bring cash or allowances into an account, or take them out."""
    cdef EventRecord* row
    cdef uint8_t kind = EVENT_KIND_WITHDRAWN if withdraws else EVENT_KIND_DEPOSITED
    cdef uint8_t reason = transfer_refused(market, account_index, product_index, moved, withdraws)
    if reason == REASON_NONE:
        balance_move(
            &market.accounts, account_index, product_index, -moved if withdraws else moved,
        )
        row = event_account(market, kind, account_index)
    else:
        row = event_account(market, EVENT_KIND_TRANSFER_REJECTED, account_index)
        row.command = OPERATION_WITHDRAW if withdraws else OPERATION_DEPOSIT
        row.reason = reason
    row.product_index = product_index
    row.client_order_id = transfer_seq
    if product_index == PRODUCT_NONE:
        row.cash = moved
    else:
        row.tonnes = moved
    event_settles(market, row)
    if transfer_seq != 0:
        market.transfer_seq = transfer_seq
    if row.kind == EVENT_KIND_DEPOSITED and product_index != PRODUCT_NONE:
        large_holder_note(market, account_index, product_index, moved)


# -- Halts ----------------------------------------------------------------------------------------

cdef void halted_set(Market* market, uint16_t product_index, uint8_t halted) noexcept nogil:
    """Halt a product or the market, or lift that; what is so already changes nothing.

    Rules: CEA-DAY-05.
    """
    cdef EventRecord* row
    cdef uint8_t* flag = &market.halted
    if product_index != PRODUCT_NONE:
        if product_index >= market.product_count:
            row = act_reject(
                market, OPERATION_HALT if halted else OPERATION_RESUME, REASON_PRODUCT_UNKNOWN,
            )
            row.product_index = product_index
            return
        flag = &market.products[product_index].halted
    if flag[0] != halted:
        flag[0] = halted
        row = event_open(market, EVENT_KIND_HALTED if halted else EVENT_KIND_RESUMED)
        row.product_index = product_index
        event_is_public(market, row)


# -- Accounts -------------------------------------------------------------------------------------

cdef void suspended_set(Market* market, uint32_t account_index, uint8_t suspended) noexcept nogil:
    """Let an account only receive and end what it has open, or let it trade again.

    Rules: CEA-DAY-06.
    """
    cdef EventRecord* row
    if account_index >= market.accounts.account_count:
        act_reject(
            market, OPERATION_SUSPEND if suspended else OPERATION_RESTORE, REASON_ACCOUNT_UNKNOWN,
            account_index,
        )
        return
    if market.accounts.accounts[account_index].suspended == suspended:
        return
    market.accounts.accounts[account_index].suspended = suspended
    if not suspended:
        event_account(market, EVENT_KIND_ACCOUNT_RESTORED, account_index)
        return
    event_account(market, EVENT_KIND_ACCOUNT_SUSPENDED, account_index)
    orders_remove_all(
        market, EVENT_KIND_ORDER_CANCELED, REASON_SUSPENDED, account_index, OPERATOR_ANY,
    )
    blocks_withdraw(market, account_index, REASON_SUSPENDED)
    biddings_end_of(market, account_index)


cdef void restricted_set(
    Market* market, uint32_t account_index, uint8_t restricted,
) noexcept nogil:
    """Keep an account from what a measure says (RESTRICTION_ bits); what it has open stays.

    Rules: CEA-MSR-02.
    """
    if account_index >= market.accounts.account_count:
        act_reject(market, OPERATION_RESTRICT, REASON_ACCOUNT_UNKNOWN, account_index)
        return
    if market.accounts.accounts[account_index].restricted == restricted:
        return
    market.accounts.accounts[account_index].restricted = restricted
    event_account(market, EVENT_KIND_ACCOUNT_RESTRICTED, account_index).flags = restricted


cdef void allocation_set(Market* market, uint32_t account_index, int64_t tonnes) noexcept nogil:
    """Note what an account was allocated; this gives no event.

    Rules: PLT-FND-01.
    """
    if account_index >= market.accounts.account_count:
        act_reject(market, OPERATION_ALLOCATION, REASON_ACCOUNT_UNKNOWN, account_index)
        return
    market.accounts.allocations[account_index] = tonnes


# -- Products -------------------------------------------------------------------------------------

cdef uint8_t price_refused(
    const Market* market, uint16_t product_index, int64_t price,
) noexcept nogil:
    """What stands against another price to measure a band from.

    Rules: CEA-PRC-05, CEA-PRD-03.
    """
    if product_index >= market.product_count:
        return REASON_PRODUCT_UNKNOWN
    if market.day_is_open and market.listed_started:
        return REASON_PHASE_CLOSED
    return REASON_AMOUNT_TOO_LARGE if price > PRICE_MAX else REASON_NONE


cdef bint price_changes(
    const Market* market, uint16_t product_index, int64_t price, bint lists,
) noexcept nogil:
    if lists:
        return market.products[product_index].delisted
    return market.products[product_index].reference_price != price


cdef void price_refuse(
    Market* market, uint16_t product_index, int64_t price, bint lists, uint8_t reason,
) noexcept nogil:
    cdef EventRecord* row = act_reject(
        market, OPERATION_LIST if lists else OPERATION_REFERENCE_PRICE, reason,
    )
    row.product_index = product_index
    row.price = price


cdef void price_take(
    Market* market, uint16_t product_index, int64_t price, bint lists, const Ladder* ladder,
) noexcept nogil:
    """Measure a product's band from another price, or list it at one."""
    cdef Product* product = &market.products[product_index]
    cdef EventRecord* row
    if lists:
        product.delisted = False
    band_set(product, price, ladder)
    row = event_open(
        market, EVENT_KIND_PRODUCT_LISTED if lists else EVENT_KIND_REFERENCE_PRICE_CHANGED,
    )
    event_is_public(market, row)
    row.product_index = product_index
    row.price = price


cdef void product_delist(Market* market, uint16_t product_index) noexcept nogil:
    """Let a product be traded no more, and end what is open of it.

    Rules: CEA-PRD-03.
    """
    cdef EventRecord* row
    if product_index >= market.product_count:
        row = act_reject(market, OPERATION_DELIST, REASON_PRODUCT_UNKNOWN)
        row.product_index = product_index
    elif not market.products[product_index].delisted:
        market.products[product_index].delisted = True
        row = event_open(market, EVENT_KIND_PRODUCT_DELISTED)
        row.product_index = product_index
        event_is_public(market, row)
        orders_of_product_cancel(market, product_index, REASON_PRODUCT_DELISTED)
        blocks_of_product_withdraw(market, product_index)
        biddings_of_product_end(market, product_index)


# -- Checkpoints ----------------------------------------------------------------------------------

cdef void checkpoint_emit(Market* market) noexcept nogil:
    """State the hashes of everything before."""
    cdef uint64_t state = state_sum(market)
    cdef CheckpointRecord* row = <CheckpointRecord*>event_open(market, EVENT_KIND_CHECKPOINT)
    row.state_hash = state
    row.holdings_hash = holdings_sum(market)
    row.command_seq = market.command_seq
    event_settles(market, <EventRecord*>row)

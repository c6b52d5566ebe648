"""Trades that are undone: which records can be a market's, and both legs with their fees back.

Contents: records, busts. What the accounts do is in accounts.pyx; the plain Python of it is in
matching/reference/busts.py.
"""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

from cea_exchange._ladder cimport *
from cea_exchange._records cimport *
from cea_exchange.core.accounts cimport *
from cea_exchange.core.block cimport is_intra_group
from cea_exchange.core.trading cimport *


# -- Records --------------------------------------------------------------------------------------

cdef int trade_read(object trade, EventRecord* row) except -1:
    """A record's bytes as a record of one's own."""
    if type(trade) is not bytes:
        raise TypeError(f"trade: expected bytes, got {type(trade).__name__}")
    if len(trade) != sizeof(EventRecord):
        raise ValueError(f"trade: expected {sizeof(EventRecord)} bytes, got {len(trade)}")
    memcpy(row, PyBytes_AS_STRING(trade), sizeof(EventRecord))
    return 0


cdef bint trade_is_of_open_day(const Market* market, const EventRecord* trade) noexcept nogil:
    return market.day_is_open and trade.trading_date == market.trading_date


cdef object trade_fault(const Market* market, const EventRecord* trade):
    """What keeps a record from being a trade of this market; None if nothing does."""
    cdef const Product* product
    cdef uint128 volume
    cdef uint128 amount
    cdef int64_t buy_fee_most = AMOUNT_LIMIT if market.accounts.checked else 0
    cdef int64_t sell_fee_most = trade.cash if market.accounts.checked else 0
    cdef int128 cash = trade.price
    cash *= trade.tonnes
    if trade.kind != EVENT_KIND_TRADE or not METHOD_LISTED <= trade.method <= METHOD_BIDDING:
        return f"kind and method: expected 7 and 1 to 3, got {trade.kind} and {trade.method}"
    if trade.side < SIDE_BUY or trade.side > SIDE_SELL:
        return f"side: expected 1 or 2, got {trade.side}"
    for name, number, last in (
        ("trade_id", trade.trade_id, market.trade_id),
        ("settlement_seq", trade.settlement_seq, market.settlement_seq),
        ("seq", trade.seq, market.event_seq),
        ("trading_date", trade.trading_date, market.trading_date),
    ):
        if not 0 < number <= last:
            return f"{name}: expected within 1..{last}, got {number}"
    for index in (trade.account_index, trade.counter_account_index):
        if index >= market.accounts.account_count:
            return f"account_index: expected a declared one, got {index}"
    if trade.product_index >= market.product_count:
        return f"product_index: expected a declared one, got {trade.product_index}"
    if not 0 < trade.price <= PRICE_MAX or trade.tonnes <= 0 or cash >= AMOUNT_LIMIT:
        return f"price x tonnes: expected below 2^60, got {trade.price} and {trade.tonnes}"
    if trade.cash != <int64_t>cash:
        return f"cash: expected {<int64_t>cash}, got {trade.cash}"
    if not 0 <= trade.buy_fee <= buy_fee_most or not 0 <= trade.sell_fee <= sell_fee_most:
        return f"fees: expected within what was paid, got {trade.buy_fee} and {trade.sell_fee}"
    product = &market.products[trade.product_index]
    volume, amount = product.volume, product.amount
    if trade.method == METHOD_BLOCK:
        volume, amount = product.block_volume, product.block_amount
        if is_intra_group(market, trade.account_index, trade.counter_account_index):
            # Part of the block volume.
            volume = product.intra_group_volume
        else:
            volume -= product.intra_group_volume
    elif trade.method == METHOD_BIDDING:
        volume, amount = product.bidding_volume, product.bidding_amount
    if trade_is_of_open_day(market, trade):
        if <uint128>trade.tonnes > volume or <uint128>trade.cash > amount:
            # Each tonne brought a fen at least: these are fewer than 2^63.
            return f"tonnes: expected within the day's {<uint64_t>volume}, got {trade.tonnes}"
    return None


# -- Busts ----------------------------------------------------------------------------------------

cdef void bust_count(Market* market, const EventRecord* trade) noexcept:
    """Take a trade out of its day's volume and amount, and out of the last trades."""
    cdef Product* product = &market.products[trade.product_index]
    cdef uint32_t last
    if trade.method == METHOD_LISTED:
        for last in range(product.last_count):
            if product.last_trades[last].trade_id == trade.trade_id:
                product.last_trades[last].tonnes = 0
        product.volume -= <uint128>trade.tonnes
        product.amount -= <uint128>trade.cash
        return
    if trade.method == METHOD_BIDDING:
        product.bidding_volume -= <uint128>trade.tonnes
        product.bidding_amount -= <uint128>trade.cash
        return
    product.block_volume -= <uint128>trade.tonnes
    product.block_amount -= <uint128>trade.cash
    if is_intra_group(market, trade.account_index, trade.counter_account_index):
        product.intra_group_volume -= <uint128>trade.tonnes


cdef void trade_bust(Market* market, const EventRecord* trade) noexcept:
    """Undo a trade if that can be, and say so to both sides, the registry and the public."""
    cdef uint8_t reason = bust_refused(&market.accounts, trade)
    cdef Account* maker = &market.accounts.accounts[trade.counter_account_index]
    cdef EventRecord* row
    if reason == REASON_NONE:
        bust_apply(&market.accounts, trade, trade.trading_date == market.trading_date)
        if trade_is_of_open_day(market, trade):
            bust_count(market, trade)
    row = event_account(market, EVENT_KIND_TRADE_BUSTED, trade.account_index)
    maker.report_seq += 1
    row.counter_report_seq = maker.report_seq
    row.counter_account_index = trade.counter_account_index
    row.side = trade.side
    row.method = trade.method
    row.reason = reason
    row.product_index = trade.product_index
    row.order_id = trade.order_id
    row.counter_order_id = trade.counter_order_id
    row.price = trade.price
    row.tonnes = trade.tonnes
    row.client_order_id = trade.client_order_id
    row.counter_client_order_id = trade.counter_client_order_id
    row.trade_id = trade.trade_id
    row.cash = trade.cash
    row.buy_fee = trade.buy_fee
    row.sell_fee = trade.sell_fee
    event_settles(market, row)
    # Without a change there is nothing the public would have to know.
    if reason == REASON_NONE:
        event_is_public(market, row)
        if trade.account_index != trade.counter_account_index:
            large_holder_note(
                market,
                trade.counter_account_index if trade.side == SIDE_BUY else trade.account_index,
                trade.product_index, trade.tonnes,
            )

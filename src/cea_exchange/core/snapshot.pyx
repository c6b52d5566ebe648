"""A market in bytes, both ways: the whole state as `snapshot` gives it, and put in place again.

Contents: records, packing, filling, orders. Written from protocol/state_hash.md; the plain Python
of it is in matching/reference/snapshots.py.
"""

import msgspec
import numpy as np

from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBUF_WRITABLE, PyBuffer_Release
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from cea_exchange._arguments cimport (
    buffer_take, exact_int64, exact_member, exact_uint32, exact_uint64,
)
from cea_exchange._ladder cimport *
from cea_exchange._records cimport *
from cea_exchange.core.accounts cimport *
from cea_exchange.core.bidding cimport bid_restore, bidding_restore
from cea_exchange.core.block cimport block_restore
from cea_exchange.core.rows cimport row_is_live
from cea_exchange.core.trading cimport *

from cea_exchange.domain.records import BID_DTYPE, BIDDING_DTYPE, BLOCK_DTYPE, ORDER_DTYPE

cdef enum:
    AHEAD_ORDER = 8           # Ids between the order that is copied and the one that is fetched.

cdef uint64_t ORDER_IDS_MAX = <uint64_t>1 << 40  # From the oldest live order's to the last one's.


# -- Records --------------------------------------------------------------------------------------

cdef void orders_copy(const Market* market, OrderRecord* rows) noexcept nogil:
    """All live orders, by id."""
    cdef uint64_t order_id
    cdef uint32_t slot
    cdef int64_t row = 0
    for order_id in range(market.order_id_base + 1, market.order_id_last + 1):
        prefetch(&market.pool.orders[slot_of(market, order_id + AHEAD_ORDER)])
        slot = slot_of(market, order_id)
        if slot != SLOT_NONE:
            memcpy(&rows[row], &market.pool.orders[slot], sizeof(OrderRecord))
            row += 1


cdef bytes orders_snapshot(const Market* market):
    """ORDER_DTYPE records of all live orders, by priority."""
    cdef Py_buffer view
    rows = np.empty(market.pool.order_count, ORDER_DTYPE)
    buffer_take(rows, &view, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE, "rows")
    with nogil:
        orders_copy(market, <OrderRecord*>view.buf)
    PyBuffer_Release(&view)
    priority = np.ascontiguousarray(rows["priority"])
    # By id they are nearly by priority: only amended ones lost their place.
    if (np.diff(priority.view(np.int64)) <= 0).any():
        rows = rows[np.argsort(priority, kind="stable")]
    return rows.tobytes()


cdef bytes blocks_snapshot(const Market* market):
    """BLOCK_DTYPE records of all open blocks, by id."""
    cdef Py_buffer view
    cdef uint32_t index
    cdef int64_t row = 0
    rows = np.empty(market.blocks.count.live, BLOCK_DTYPE)
    buffer_take(rows, &view, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE, "rows")
    for index in range(market.blocks.count.rows):
        if row_is_live(&market.blocks.rows[index]):
            (<BlockRecord*>view.buf)[row] = market.blocks.rows[index]
            row += 1
    PyBuffer_Release(&view)
    return rows.tobytes()


cdef bytes biddings_snapshot(const Market* market):
    """BIDDING_DTYPE records of the day's biddings, by id."""
    cdef Py_buffer view
    rows = np.empty(market.biddings.count.rows, BIDDING_DTYPE)
    buffer_take(rows, &view, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE, "rows")
    memcpy(view.buf, market.biddings.rows, market.biddings.count.rows * sizeof(BiddingRecord))
    PyBuffer_Release(&view)
    return rows.tobytes()


cdef bytes bids_snapshot(const Market* market):
    """BID_DTYPE records of all live bids, by id."""
    cdef Py_buffer view
    cdef uint32_t index
    cdef int64_t row = 0
    rows = np.empty(market.biddings.bid_count.live, BID_DTYPE)
    buffer_take(rows, &view, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE, "rows")
    for index in range(market.biddings.bid_count.rows):
        if row_is_live(&market.biddings.bids[index]):
            (<BidRecord*>view.buf)[row] = market.biddings.bids[index]
            row += 1
    PyBuffer_Release(&view)
    return rows.tobytes()


# -- Packing --------------------------------------------------------------------------------------

cdef list product_packed(const Product* product):
    cdef list packed = [
        product.product_key, product.reference_price, product.composite_weight,
        product.halted + 2 * product.delisted, product.open, product.high, product.low,
        product.last,
        <uint64_t>product.volume, <uint64_t>product.amount, <uint64_t>(product.amount >> 64),
        <uint64_t>product.block_volume, <uint64_t>product.block_amount,
        <uint64_t>(product.block_amount >> 64), <uint64_t>product.intra_group_volume,
        <uint64_t>product.bidding_volume, <uint64_t>product.bidding_amount,
        <uint64_t>(product.bidding_amount >> 64),
    ]
    if volumes_are_high(product):
        packed += [
            <uint64_t>(product.volume >> 64), <uint64_t>(product.block_volume >> 64),
            <uint64_t>(product.intra_group_volume >> 64), <uint64_t>(product.bidding_volume >> 64),
        ]
    return packed


cdef list gaps_packed(const Market* market, uint32_t account_index):
    """[product_index, sale_days, purchase_days] where an account has to wait."""
    cdef const Gap* gap
    cdef uint32_t part
    cdef list packed = []
    if market.accounts.gap_days == 0:
        return packed
    for part in range(market.product_count):
        gap = gap_at(&market.accounts, account_index, part)
        if gap.sale_days != 0 or gap.purchase_days != 0:
            packed.append([part, gap.sale_days, gap.purchase_days])
    return packed


cdef dict account_packed(const Market* market, uint32_t account_index):
    cdef const Operators* operators = &market.accounts.operators[account_index]
    cdef const Account* account = &market.accounts.accounts[account_index]
    cdef const Holding* holding
    cdef uint32_t part
    cdef list holdings = []
    cdef list ids = []
    cdef list gaps = gaps_packed(market, account_index)
    cdef dict packed
    for part in range(market.product_count):
        holding = holding_of(&market.accounts, account_index, <uint16_t>part)
        if holding.tonnes != 0 or holding.bought_today != 0:
            holdings.append([part, holding.tonnes, holding.bought_today])
    for part in range(OPERATORS_MAX):
        client_order_id = operators.last_client_order_id[part]
        if client_order_id != 0:
            ids.append([part, client_order_id])
    packed = {
        "account_key": account.account_key,
        "group_index": account.group_index,
        "cash": account.cash,
        "proceeds_today": account.proceeds_today,
        "suspended": bool(account.suspended),
        "report_seq": account.report_seq,
        "holdings": holdings,
        "client_order_ids": ids,
    }
    if gaps:
        packed["gaps"] = gaps
    if account.restricted:
        packed["restricted"] = account.restricted
    if market.accounts.allocations[account_index] != 0:
        packed["allocation"] = market.accounts.allocations[account_index]
    return packed


cdef list last_trades_packed(const Market* market):
    """[product_index, trade_id, price, tonnes] of the trades that a close is made of."""
    cdef const LastTrade* last
    cdef uint32_t index
    cdef uint32_t row
    cdef list packed = []
    for index in range(market.product_count):
        for row in range(market.products[index].last_count):
            last = &market.products[index].last_trades[row]
            packed.append([index, last.trade_id, last.price, last.tonnes])
    return packed


cdef bytes market_packed(const Market* market):
    """The whole state as msgpack."""
    cdef uint32_t index
    cdef list last_trades = last_trades_packed(market)
    cdef dict packed = {
        "phase": market.phase,
        "trading_date": market.trading_date,
        "day_is_open": market.day_is_open,
        "market_halted": market.halted,
        "listed_started": market.listed_started,
        "command_seq": market.command_seq,
        "event_seq": market.event_seq,
        "settlement_seq": market.settlement_seq,
        "market_data_seq": market.market_data_seq,
        "trade_id": market.trade_id,
        "transfer_seq": market.transfer_seq,
        "order_id_last": market.order_id_last,
        "priority_last": market.priority_last,
        "order_count_max": market.pool.order_count_max,
        "products": [
            product_packed(&market.products[index]) for index in range(market.product_count)
        ],
        "accounts": [
            account_packed(market, index) for index in range(market.accounts.account_count)
        ],
        "orders": orders_snapshot(market),
        "blocks": blocks_snapshot(market),
        "biddings": biddings_snapshot(market),
        "bids": bids_snapshot(market),
    }
    if last_trades:
        packed["last_trades"] = last_trades
    return msgspec.msgpack.encode(packed)


# -- Filling --------------------------------------------------------------------------------------

cdef uint128 whole_of(object high, object low) except? 0:
    cdef uint128 above = <uint64_t>high
    return (above << 64) | <uint64_t>low


cdef int product_fill(Product* product, list day) except -1:
    """Put what a product has of its day in place: what it is declared with goes before.

    The high halves of the volumes come last, and only where one is not 0.
    """
    (
        status, day_open, high, low, last, volume, amount_low, amount_high,
        block_volume, block_amount_low, block_amount_high, intra_group_volume,
        bidding_volume, bidding_amount_low, bidding_amount_high, *high_halves,
    ) = day
    volume_high, block_high, intra_group_high, bidding_high = high_halves or (0, 0, 0, 0)
    product.halted = status & 1
    product.delisted = status >> 1 & 1
    product.open = day_open
    product.high = high
    product.low = low
    product.last = last
    product.volume = whole_of(volume_high, volume)
    product.amount = whole_of(amount_high, amount_low)
    product.block_volume = whole_of(block_high, block_volume)
    product.block_amount = whole_of(block_amount_high, block_amount_low)
    product.intra_group_volume = whole_of(intra_group_high, intra_group_volume)
    product.bidding_volume = whole_of(bidding_high, bidding_volume)
    product.bidding_amount = whole_of(bidding_amount_high, bidding_amount_low)


cdef uint8_t restricted_read(dict fields) except? 0:
    """What a measure keeps an account from; a snapshot leaves out that it is nothing."""
    cdef uint32_t bits
    if "restricted" not in fields:
        return 0
    bits = exact_uint32(fields["restricted"], "restricted")
    if not 0 < bits <= RESTRICTION_ALL:
        raise ValueError(f"restricted: expected within 1..{RESTRICTION_ALL}, got {bits}")
    return <uint8_t>bits


cdef int64_t allocation_read(dict fields) except? 0:
    """What an account was allocated; a snapshot leaves out that it is nothing."""
    cdef int64_t tonnes
    if "allocation" not in fields:
        return 0
    tonnes = exact_int64(fields["allocation"], "allocation")
    if not 0 < tonnes < TOTAL_LIMIT:
        raise ValueError(f"allocation: expected within 1..2^62 - 1, got {tonnes}")
    return tonnes


cdef int account_fill(Market* market, uint32_t account_index, dict fields) except -1:
    """Put what an account has in place; locks come with what holds them."""
    cdef Accounts* accounts = &market.accounts
    cdef Account* account = &accounts.accounts[account_index]
    cdef Gap* gap
    cdef uint32_t index
    account.proceeds_today = fields["proceeds_today"]
    account.suspended = fields["suspended"]
    account.restricted = restricted_read(fields)
    accounts.allocations[account_index] = allocation_read(fields)
    account.report_seq = fields["report_seq"]
    balance_move(accounts, account_index, PRODUCT_NONE, fields["cash"])
    for operator_index, client_order_id in fields["client_order_ids"]:
        if not 0 <= operator_index < OPERATORS_MAX:
            raise ValueError(f"operator_index: expected within 0..15, got {operator_index}")
        accounts.operators[account_index].last_client_order_id[<uint32_t>operator_index] = (
            client_order_id
        )
    for product_index, tonnes, bought_today in fields["holdings"]:
        index = exact_uint32(product_index, "product_index")
        if index >= market.product_count:
            raise IndexError(f"product_index: expected a declared one, got {index}")
        balance_move(accounts, account_index, <uint16_t>index, tonnes)
        holding_of(accounts, account_index, <uint16_t>index).bought_today = bought_today
    for product_index, sale_days, purchase_days in fields.get("gaps", ()):
        index = exact_uint32(product_index, "product_index")
        if index >= market.product_count:
            raise IndexError(f"product_index: expected a declared one, got {index}")
        gap = gap_at(accounts, account_index, index)
        gap.sale_days = sale_days
        gap.purchase_days = purchase_days


cdef int fields_fill(Market* market, dict state) except -1:
    market.phase = exact_member(
        state["phase"], PHASE_CLOSED, PHASE_LISTED_AND_BLOCK, "phase", "within 0..4",
    )
    market.trading_date = state["trading_date"]
    market.day_is_open = state["day_is_open"]
    market.halted = state["market_halted"]
    market.listed_started = state["listed_started"]
    market.command_seq = state["command_seq"]
    market.event_seq = state["event_seq"]
    market.settlement_seq = state["settlement_seq"]
    market.market_data_seq = state["market_data_seq"]
    market.trade_id = state["trade_id"]
    market.transfer_seq = state["transfer_seq"]
    market.order_id_last = state["order_id_last"]
    market.priority_last = state["priority_last"]


cdef int last_trades_fill(Market* market, list rows) except -1:
    """Put the trades in place that a close is made of: each later than the one before it."""
    cdef Product* product
    cdef LastTrade* last
    cdef uint32_t index
    cdef uint64_t trade_id
    cdef uint64_t trade_before
    cdef int64_t price
    cdef int64_t tonnes
    cdef int128 amount
    for product_index, trade, price_fen, tonnes_traded in rows:
        index = exact_uint32(product_index, "product_index")
        if index >= market.product_count:
            raise IndexError(f"product_index: expected a declared one, got {index}")
        trade_id = exact_uint64(trade, "trade_id")
        price = exact_int64(price_fen, "price")
        tonnes = exact_int64(tonnes_traded, "tonnes")
        amount = price
        amount *= tonnes
        product = &market.products[index]
        trade_before = 0
        if product.last_count != 0:
            trade_before = product.last_trades[product.last_count - 1].trade_id
        if (
            product.last_count >= market.rules.close_trades_last
            or not trade_before < trade_id <= market.trade_id
            or price <= 0 or price > PRICE_MAX or tonnes < 0 or amount >= AMOUNT_LIMIT
        ):
            raise ValueError(f"last_trades: expected the last of this market, got {trade_id}")
        last = &product.last_trades[product.last_count]
        last.trade_id = trade_id
        last.price = price
        last.tonnes = tonnes
        product.last_count += 1


cdef int64_t records_counted(str name, object data, size_t size) except -1:
    """How many records of a size a field of a snapshot has."""
    if type(data) is not bytes or len(data) % size != 0:
        got = f"{len(data)} bytes" if type(data) is bytes else type(data).__name__
        raise ValueError(f"{name}: expected records of {size} bytes each, got {got}")
    return len(data) // size


cdef int blocks_fill(Market* market, object data) except -1:
    """Put the blocks of a snapshot in place, with their locks."""
    cdef const BlockRecord* records
    cdef int64_t count = records_counted("blocks", data, sizeof(BlockRecord))
    cdef int64_t row
    records = <const BlockRecord*>PyBytes_AS_STRING(data)
    for row in range(count):
        if not block_restore(market, &records[row]):
            raise ValueError(
                f"blocks[{row}]: expected an open block of the market, later than the one before, "
                f"got id {records[row].block_id}"
            )


cdef int biddings_fill(Market* market, object biddings, object bids) except -1:
    """Put the biddings and bids of a snapshot in place, with their locks."""
    cdef const BiddingRecord* records
    cdef const BidRecord* bid_records
    cdef int64_t count = records_counted("biddings", biddings, sizeof(BiddingRecord))
    cdef int64_t bid_count = records_counted("bids", bids, sizeof(BidRecord))
    cdef int64_t row
    records = <const BiddingRecord*>PyBytes_AS_STRING(biddings)
    for row in range(count):
        if not bidding_restore(market, &records[row]):
            raise ValueError(
                f"biddings[{row}]: expected a bidding of the market, later than the one before, "
                f"got id {records[row].bidding_id}"
            )
    bid_records = <const BidRecord*>PyBytes_AS_STRING(bids)
    for row in range(bid_count):
        if not bid_restore(market, &bid_records[row]):
            raise ValueError(
                f"bids[{row}]: expected a bid in an open bidding, later than the one before, "
                f"got id {bid_records[row].bid_id}"
            )


# -- Orders ---------------------------------------------------------------------------------------

cdef bint order_restore(Market* market, const OrderRecord* record) noexcept nogil:
    """Rest an order of a snapshot, with its lock; False if it can't be one."""
    cdef Product* product
    cdef Order* order
    cdef uint32_t slot
    if (
        record.account_index >= market.accounts.account_count
        or record.product_index >= market.product_count
        or record.side < SIDE_BUY or record.side > SIDE_SELL
        or record.tonnes_open <= 0 or record.flags % 16 > ORDER_FLAG_POST_ONLY
        or record.priority > market.priority_last
        or record.order_id <= market.order_id_base or record.order_id > market.order_id_last
        or slot_of(market, record.order_id) != SLOT_NONE
    ):
        return False
    product = &market.products[record.product_index]
    if record.price < product.ladder.price_min or record.price > product.ladder.price_max:
        return False
    slot = slot_acquire(&market.pool)
    order = &market.pool.orders[slot]
    memset(order, 0, sizeof(Order))
    memcpy(order, record, sizeof(OrderRecord))
    order_rest(&product.ladder, &market.pool, slot)
    slot_note(market, order.order_id, slot)
    market.accounts.accounts[order.owner].orders_open += 1
    order_lock(&market.accounts, order)
    return True


cdef int64_t orders_restore(
    Market* market, const OrderRecord* records, int64_t count,
) noexcept nogil:
    """Rest the orders of a snapshot, oldest first. Returns the first that can't be one, or -1."""
    cdef int64_t row
    cdef uint64_t priority = 0
    for row in range(count):
        if records[row].priority <= priority or not order_restore(market, &records[row]):
            return row
        priority = records[row].priority
    return -1


cdef int orders_fill(Market* market, object data) except -1:
    """Rest the orders of a snapshot, oldest first, with their locks."""
    cdef const OrderRecord* records
    cdef int64_t count = records_counted("orders", data, sizeof(OrderRecord))
    cdef int64_t row
    cdef int64_t wrong
    records = <const OrderRecord*>PyBytes_AS_STRING(data)
    if count > market.pool.order_count_max:
        raise ValueError(
            f"order_count_max: expected at least {count}, the live orders, "
            f"got {market.pool.order_count_max}"
        )
    market.order_id_base = market.order_id_last
    for row in range(count):
        if records[row].order_id <= market.order_id_base:
            market.order_id_base = records[row].order_id - 1
    if market.order_id_last - market.order_id_base > ORDER_IDS_MAX:
        raise ValueError(
            f"orders: expected ids within {ORDER_IDS_MAX} of order_id_last, "
            f"{market.order_id_last}, got {market.order_id_base + 1}"
        )
    slots_reserve(market, 0)
    with nogil:
        wrong = orders_restore(market, records, count)
    if wrong >= 0:
        raise ValueError(
            f"orders[{wrong}]: expected a live order of the market, later than the one before, "
            f"got id {records[wrong].order_id}"
        )

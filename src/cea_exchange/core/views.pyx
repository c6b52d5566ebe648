"""What Python sees of a market: its accounts, products, orders, blocks and biddings, as dicts.

Contents: accounts and products, orders, blocks, biddings. Of a ladder see _views.pyx; the plain
Python of it is in matching/reference/views.py.
"""

from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

from cea_exchange._ladder cimport *
from cea_exchange._records cimport *
from cea_exchange._views cimport int_of_128
from cea_exchange.core.accounts cimport *
from cea_exchange.core.block cimport block_band, blocks_seen
from cea_exchange.core.rows cimport row_is_live
from cea_exchange.core.trading cimport *


# -- Accounts and products ------------------------------------------------------------------------

cdef dict gaps_view(const Market* market, uint32_t account_index):
    """Trading days until an account may sell, and buy, each product with which it has to wait."""
    cdef const Gap* gap
    cdef uint32_t product
    cdef dict gaps = {}
    if market.accounts.gap_days == 0:
        return gaps
    for product in range(market.product_count):
        gap = gap_of(&market.accounts, account_index, <uint16_t>product)
        if gap.sale_days != 0 or gap.purchase_days != 0:
            gaps[product] = (gap.sale_days, gap.purchase_days)
    return gaps


cdef dict account_view(const Market* market, uint32_t account_index):
    """Cash and holdings of an account."""
    cdef const Account* account = &market.accounts.accounts[account_index]
    cdef const Holding* holding
    cdef uint32_t product
    cdef dict holdings = {}
    for product in range(market.product_count):
        holding = holding_of(&market.accounts, account_index, <uint16_t>product)
        if holding.tonnes != 0 or holding.locked != 0 or holding.bought_today != 0:
            holdings[product] = (holding.tonnes, holding.locked, holding.bought_today)
    return {
        "cash": account.cash,
        "cash_locked": account.cash_locked,
        "proceeds_today": account.proceeds_today,
        "suspended": bool(account.suspended),
        "restricted": account.restricted,
        "allocation": market.accounts.allocations[account_index],
        "holdings": holdings,
        "gaps": gaps_view(market, account_index),
    }


cdef dict product_view(const Market* market, const Product* product):
    """Reference price, bands, halt and the day's trades of a product."""
    cdef int64_t low
    cdef int64_t high
    block_band(&market.rules, product.reference_price, &low, &high)
    return {
        "reference_price": product.reference_price,
        "band_low": product.ladder.price_min,
        "band_high": product.ladder.price_max,
        "halted": bool(product.halted),
        "listed": not product.delisted,
        "open": product.open,
        "high": product.high,
        "low": product.low,
        "volume": int_of_128(product.volume),
        "amount": int_of_128(product.amount),
        "last": product.last,
        "block_band_low": low,
        "block_band_high": high,
        "block_volume": int_of_128(product.block_volume),
        "block_amount": int_of_128(product.block_amount),
        "intra_group_volume": int_of_128(product.intra_group_volume),
        "bidding_volume": int_of_128(product.bidding_volume),
        "bidding_amount": int_of_128(product.bidding_amount),
    }


# -- Orders ---------------------------------------------------------------------------------------

cdef dict order_view(const Market* market, uint64_t order_id):
    """A live order, or None."""
    cdef uint32_t slot = slot_of(market, order_id)
    cdef const Order* order
    if slot == SLOT_NONE:
        return None
    order = &market.pool.orders[slot]
    return {
        "order_id": order.order_id,
        "account_index": order.owner,
        "product_index": order.product_index,
        "side": order.side,
        "price": order.price,
        "tonnes_open": order.tonnes_open,
        "client_order_id": order.client_order_id,
        "flags": order.flags & ((1 << OPERATOR_SHIFT) - 1),
        "operator_index": order.flags >> OPERATOR_SHIFT,
        "priority": order.priority,
    }


cdef list orders_of_account(const Market* market, uint32_t account_index):
    """Ids of an account's live orders, ascending."""
    cdef const Order* order
    cdef uint32_t slot
    cdef list ids = []
    for slot in range(1, market.pool.slot_last + 1):
        order = &market.pool.orders[slot]
        if order.side != 0 and order.owner == account_index:
            ids.append(order.order_id)
    ids.sort()
    return ids


# -- Blocks ---------------------------------------------------------------------------------------

cdef list blocks_ids(const Market* market):
    """Ids of all open block offers and enquiries, ascending."""
    cdef uint32_t row
    return [
        market.blocks.rows[row].block_id
        for row in range(market.blocks.count.rows)
        if row_is_live(&market.blocks.rows[row])
    ]


cdef tuple blocks_shown(
    const Market* market, uint32_t account_index, uint64_t first, uint32_t most,
):
    """Ids of open blocks that an account made or is asked in, and where to go on."""
    cdef uint32_t count
    cdef uint32_t row
    cdef uint64_t* ids = <uint64_t*>malloc(most * sizeof(uint64_t) + 1)
    if ids == NULL:
        raise MemoryError(f"cannot tell {most} blocks")
    count = blocks_seen(market, account_index, &first, ids, most)
    shown = [ids[row] for row in range(count)]
    free(ids)
    return shown, first


cdef dict block_view(const BlockRecord* block):
    """An open block offer or enquiry, or None."""
    if block == NULL:
        return None
    return {
        "block_id": block.block_id,
        "enquiry_id": block.enquiry_id,
        "client_order_id": block.client_order_id,
        "price": block.price,
        "tonnes": block.tonnes,
        "cash_locked": block.cash_locked,
        "tonnes_bid": block.tonnes_bid,
        "tonnes_locked": block.tonnes_locked,
        "account_index": block.account_index,
        "counterparty_index": block.counterparty_index,
        "product_index": block.product_index,
        "side": block.side,
        "flags": block.flags,
        "agreed": block.agreed,
        "operator_index": block.operator_index,
    }


# -- Biddings -------------------------------------------------------------------------------------

cdef list biddings_ids(const Market* market):
    """Ids of the day's biddings, ended ones too, ascending."""
    cdef uint32_t row
    return [market.biddings.rows[row].bidding_id for row in range(market.biddings.count.rows)]


cdef dict bidding_view(const BiddingRecord* bidding):
    """A bidding of the day, or None."""
    if bidding == NULL:
        return None
    return {
        "bidding_id": bidding.bidding_id,
        "bidding_key": bidding.bidding_key,
        "opens_at": bidding.opens_at,
        "closes_at": bidding.closes_at,
        "tonnes": bidding.tonnes,
        "floor": bidding.floor,
        "ceiling": bidding.ceiling,
        "tonnes_awarded": bidding.tonnes_awarded,
        "clearing_price": bidding.clearing_price,
        "account_index": bidding.account_index,
        "product_index": bidding.product_index,
        "side": bidding.side,
        "pricing": bidding.pricing,
        "state": bidding.state,
        "reserve_price": bidding.reserve_price,
    }


cdef list bids_view(const Market* market, uint64_t bidding_id):
    """The live bids of a bidding, in order of time."""
    cdef const BidRecord* bid
    cdef uint32_t row
    cdef list found = []
    for row in range(market.biddings.bid_count.rows):
        bid = &market.biddings.bids[row]
        if row_is_live(bid) and bid.bidding_id == bidding_id:
            found.append({
                "bid_id": bid.bid_id,
                "bidding_id": bid.bidding_id,
                "client_order_id": bid.client_order_id,
                "price": bid.price,
                "tonnes": bid.tonnes,
                "account_index": bid.account_index,
                "operator_index": bid.operator_index,
            })
    return found

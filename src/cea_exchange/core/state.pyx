"""State of the compiled market as a whole: hashes and invariants.

Contents: hashes, invariants. Written from protocol/state_hash.md; the plain
Python of it is in matching/reference/hashes.py.
"""

import hashlib

from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from cea_exchange._hash cimport fold
from cea_exchange._ladder cimport *
from cea_exchange._records cimport *
from cea_exchange._views cimport ladder_broken, ladder_depth
from cea_exchange.core.accounts cimport *
from cea_exchange.core.bidding cimport bidding_find, locks_of_bid, locks_of_bidding
from cea_exchange.core.block cimport (
    block_lock, has_answered, locks_fit, locks_held, other_party,
)
from cea_exchange.core.rows cimport row_is_live
from cea_exchange.core.trading cimport Market, Product, slot_of, volumes_are_high

cdef uint64_t CASH_KEY = int.from_bytes(hashlib.blake2b(b"CNY", digest_size=8).digest(), "little")


# -- Hashes ---------------------------------------------------------------------------------------

cdef uint64_t holdings_sum(const Market* market) noexcept nogil:
    """What the registry can know too: tonnes, and cash where it settles that.

    Rules: CEA-STL-01, CCER-STL-01.
    """
    return balances_sum(market, not market.rules.settles_cash)


cdef uint64_t balances_sum(const Market* market, bint with_cash) noexcept nogil:
    cdef const Accounts* accounts = &market.accounts
    cdef uint64_t total = 0
    cdef uint64_t words[4]
    cdef uint32_t account
    cdef uint32_t product
    words[0] = 1
    for account in range(accounts.account_count):
        words[1] = accounts.accounts[account].account_key
        for product in range(market.product_count):
            words[2] = market.products[product].product_key
            words[3] = <uint64_t>holding_of(accounts, account, <uint16_t>product).tonnes
            if words[3] != 0:
                total += fold(words, 4)
        words[2] = CASH_KEY
        words[3] = <uint64_t>accounts.accounts[account].cash
        if words[3] != 0 and with_cash:
            total += fold(words, 4)
    return total


cdef uint64_t orders_sum(const Market* market) noexcept nogil:
    cdef uint64_t total = 0
    cdef uint32_t slot
    cdef const Order* order
    for slot in range(1, market.pool.slot_last + 1):
        order = &market.pool.orders[slot]
        if order.side != 0:
            total += fold([
                2, order.order_id, order.owner, order.product_index, order.side,
                <uint64_t>order.price, <uint64_t>order.tonnes_open, order.flags,
                order.client_order_id, order.amount_traded, order.priority,
            ], 11)
    return total


cdef uint64_t accounts_sum(const Market* market) noexcept nogil:
    cdef const Accounts* accounts = &market.accounts
    cdef const Account* account
    cdef const Holding* holding
    cdef const Gap* gap
    cdef uint64_t total = 0
    cdef uint64_t client_order_id
    cdef uint32_t index
    cdef uint32_t part
    for index in range(accounts.account_count):
        account = &accounts.accounts[index]
        total += fold([
            3, index, account.account_key, account.group_index, <uint64_t>account.cash_locked,
            <uint64_t>account.proceeds_today, account.suspended | account.restricted << 1,
            account.report_seq,
        ], 8)
        if accounts.allocations[index] != 0:
            total += fold([29, index, <uint64_t>accounts.allocations[index]], 3)
        for part in range(market.product_count):
            holding = holding_of(accounts, index, <uint16_t>part)
            if holding.locked != 0 or holding.bought_today != 0:
                total += fold([
                    4, index, part, <uint64_t>holding.locked, <uint64_t>holding.bought_today,
                ], 5)
        for part in range(market.product_count if accounts.gap_days != 0 else 0):
            gap = gap_at(accounts, index, part)
            if gap.sale_days != 0 or gap.purchase_days != 0:
                total += fold([16, index, part, gap.sale_days, gap.purchase_days], 5)
        for part in range(OPERATORS_MAX):
            client_order_id = accounts.operators[index].last_client_order_id[part]
            if client_order_id != 0:
                total += fold([5, index, part, client_order_id], 4)
    return total


cdef uint64_t blocks_sum(const Market* market) noexcept nogil:
    cdef uint64_t total = 0
    cdef const Product* product
    cdef const BlockRecord* block
    cdef uint32_t index
    for index in range(market.blocks.count.rows):
        block = &market.blocks.rows[index]
        if row_is_live(block):
            total += fold([
                10, block.block_id, block.enquiry_id, block.client_order_id,
                <uint64_t>block.price, <uint64_t>block.tonnes, <uint64_t>block.cash_locked,
                <uint64_t>block.tonnes_bid, <uint64_t>block.tonnes_locked, block.account_index,
                block.counterparty_index, block.product_index, block.side, block.flags,
            ], 14)
            if block.agreed:
                total += fold([17, block.block_id, block.operator_index], 3)
    for index in range(market.product_count):
        product = &market.products[index]
        if product.block_volume != 0:
            total += fold([
                11, index, <uint64_t>product.block_volume, <uint64_t>product.block_amount,
                <uint64_t>(product.block_amount >> 64), <uint64_t>product.intra_group_volume,
            ], 6)
    return total


cdef uint64_t biddings_sum(const Market* market) noexcept nogil:
    cdef uint64_t total = 0
    cdef const BiddingRecord* bidding
    cdef const BidRecord* bid
    cdef const Product* product
    cdef uint32_t index
    for index in range(market.biddings.count.rows):
        bidding = &market.biddings.rows[index]
        total += fold([
            12, bidding.bidding_id, bidding.bidding_key, bidding.opens_at, bidding.closes_at,
            <uint64_t>bidding.tonnes, <uint64_t>bidding.floor, <uint64_t>bidding.ceiling,
            <uint64_t>bidding.tonnes_awarded, <uint64_t>bidding.clearing_price,
            bidding.account_index, bidding.product_index, bidding.side, bidding.pricing,
            bidding.state, bidding.reserve_price,
        ], 16)
    for index in range(market.biddings.bid_count.rows):
        bid = &market.biddings.bids[index]
        if row_is_live(bid):
            total += fold([
                13, bid.bid_id, bid.bidding_id, bid.client_order_id, <uint64_t>bid.price,
                <uint64_t>bid.tonnes, bid.account_index, bid.operator_index,
            ], 8)
    for index in range(market.product_count):
        product = &market.products[index]
        if product.bidding_volume != 0:
            total += fold([
                14, index, <uint64_t>product.bidding_volume, <uint64_t>product.bidding_amount,
                <uint64_t>(product.bidding_amount >> 64),
            ], 5)
    return total


cdef uint64_t state_sum(const Market* market) noexcept nogil:
    cdef uint64_t total = balances_sum(market, True) + orders_sum(market) + accounts_sum(market)
    cdef const Product* product
    cdef uint32_t index
    cdef uint32_t last
    total += blocks_sum(market) + biddings_sum(market)
    for index in range(market.product_count):
        product = &market.products[index]
        total += fold([
            6, index, product.product_key, <uint64_t>product.reference_price,
            product.halted + 2 * product.delisted,
            <uint64_t>product.open, <uint64_t>product.high, <uint64_t>product.low,
            <uint64_t>product.last, <uint64_t>product.volume, <uint64_t>product.amount,
            <uint64_t>(product.amount >> 64),
        ], 12)
        if volumes_are_high(product):
            total += fold([
                15, index, <uint64_t>(product.volume >> 64), <uint64_t>(product.block_volume >> 64),
                <uint64_t>(product.intra_group_volume >> 64),
                <uint64_t>(product.bidding_volume >> 64),
            ], 6)
        for last in range(product.last_count):
            total += fold([
                28, index, product.last_trades[last].trade_id,
                <uint64_t>product.last_trades[last].price,
                <uint64_t>product.last_trades[last].tonnes,
            ], 5)
    return total + fold([
        7, market.phase, market.trading_date, market.day_is_open, market.halted,
        market.listed_started, market.command_seq, market.event_seq, market.settlement_seq,
        market.market_data_seq, market.trade_id, market.transfer_seq, market.order_id_last,
        market.priority_last,
    ], 14)


# -- Invariants -----------------------------------------------------------------------------------

cdef int account_check(uint32_t index, const Account* account, const Account* locks) except -1:
    if account.cash_locked != locks.cash_locked:
        raise AssertionError(
            f"account {index}: {account.cash_locked} fen are locked, "
            f"its open buys need {locks.cash_locked}"
        )
    if not 0 <= account.cash_locked <= account.cash:
        raise AssertionError(f"account {index}: locked cash must not exceed its cash")
    if account.orders_open != locks.orders_open:
        raise AssertionError(
            f"account {index} has {locks.orders_open} orders, has counted {account.orders_open}"
        )


cdef int holding_check(
    uint32_t account_index, uint32_t product_index, const Holding* holding, const Holding* locks,
) except -1:
    place = f"account {account_index}, product {product_index}"
    if holding.locked != locks.locked or holding.buys_open != locks.buys_open:
        raise AssertionError(f"{place}: locks and open buys must add up to its open orders")
    if holding.bought_today < 0 or holding.locked < 0:
        raise AssertionError(f"{place}: nothing may be negative")
    if holding.locked + holding.bought_today > holding.tonnes:
        raise AssertionError(f"{place}: locked and bought today must not exceed what is held")


cdef int orders_check(const Market* market) except -1:
    cdef const Order* order
    cdef uint32_t slot
    for slot in range(1, market.pool.slot_last + 1):
        order = &market.pool.orders[slot]
        if order.side == 0:
            continue
        if slot_of(market, order.order_id) != slot:
            raise AssertionError(f"order {order.order_id} must be found by its id")
        if order.owner >= market.accounts.account_count:
            raise AssertionError(f"order {order.order_id} must belong to an account")
        if market.accounts.accounts[order.owner].suspended:
            raise AssertionError(f"order {order.order_id} is a suspended account's")
        if order.priority > market.priority_last:
            raise AssertionError(f"order {order.order_id} must have a priority given out")
    if not market.day_is_open and market.pool.order_count != 0:
        raise AssertionError("no order may be live between days")


cdef void blocks_lock(const Market* market, Accounts* accounts) noexcept:
    """Add up what the two sides of each block have locked."""
    cdef const BlockRecord* block
    cdef Locks locks
    cdef uint32_t index
    for index in range(market.blocks.count.rows):
        block = &market.blocks.rows[index]
        if row_is_live(block):
            locks = locks_held(block)
            block_lock(accounts, block, &locks)


cdef int blocks_check(const Market* market) except -1:
    cdef const BlockRecord* block
    cdef uint32_t index
    cdef uint32_t open_count = 0
    cdef int64_t uncounted = 0  # Enquiries that are open, less those that accounts have counted.
    for index in range(market.blocks.count.rows):
        block = &market.blocks.rows[index]
        if index > 0 and block.block_id <= market.blocks.rows[index - 1].block_id:
            raise AssertionError(f"block {block.block_id} must come after those with lower ids")
        if not row_is_live(block):
            continue
        open_count += 1
        uncounted += (block.flags & BLOCK_FLAG_ENQUIRY) != 0
        if block.block_id > market.order_id_last:
            raise AssertionError(f"block {block.block_id} must have an id given out")
        if market.accounts.accounts[block.account_index].suspended:
            raise AssertionError(f"block {block.block_id} is a suspended account's")
        if has_answered(block) and market.accounts.accounts[other_party(block)].suspended:
            raise AssertionError(f"a suspended account has answered in block {block.block_id}")
        if not locks_fit(market, block):
            raise AssertionError(f"the locks of block {block.block_id} must be what its terms ask")
    for index in range(market.product_count):
        if market.products[index].intra_group_volume > market.products[index].block_volume:
            raise AssertionError(f"more of product {index} traded within groups than by block")
    for index in range(market.accounts.account_count):
        uncounted -= market.accounts.accounts[index].enquiries_open
    if uncounted != 0:
        raise AssertionError(f"accounts have counted {-uncounted} enquiries too many")
    if open_count != market.blocks.count.live or open_count > market.blocks.count.live_max:
        raise AssertionError(f"{open_count} blocks are open, {market.blocks.count.live} counted")
    if not market.day_is_open and open_count != 0:
        raise AssertionError("no block may be open between days")


cdef void biddings_lock(const Market* market, Accounts* accounts) noexcept:
    """Add up what each open bidding and each bid has locked."""
    cdef const BiddingRecord* bidding
    cdef const BidRecord* bid
    cdef Locks locks
    cdef uint32_t index
    for index in range(market.biddings.count.rows):
        bidding = &market.biddings.rows[index]
        if row_is_live(bidding):
            locks = locks_of_bidding(market, bidding)
            locks_add(accounts, bidding.account_index, bidding.product_index, &locks)
    for index in range(market.biddings.bid_count.rows):
        bid = &market.biddings.bids[index]
        if row_is_live(bid):
            bidding = bidding_find(market, bid.bidding_id)
            locks = locks_of_bid(market, bidding, bid)
            locks_add(accounts, bid.account_index, bidding.product_index, &locks)


cdef int biddings_check(const Market* market) except -1:
    cdef const BiddingRecord* bidding
    cdef uint32_t index
    cdef uint32_t open_count = 0
    cdef set keys = set()
    for index in range(market.biddings.count.rows):
        bidding = &market.biddings.rows[index]
        keys.add(bidding.bidding_key)
        if index > 0 and bidding.bidding_id <= market.biddings.rows[index - 1].bidding_id:
            raise AssertionError(f"bidding {bidding.bidding_id} must come after lower ids")
        if not 0 <= bidding.tonnes_awarded <= bidding.tonnes:
            raise AssertionError(f"bidding {bidding.bidding_id}: more awarded than offered")
        if bidding.state == BIDDING_STATE_ENDED:
            continue
        open_count += 1
        if market.accounts.accounts[bidding.account_index].suspended:
            raise AssertionError(f"bidding {bidding.bidding_id} is a suspended account's")
    if len(keys) != market.biddings.count.rows:
        raise AssertionError("two biddings of a day must have two names")
    if open_count != market.biddings.count.live:
        raise AssertionError(f"{open_count} biddings are open, not {market.biddings.count.live}")
    if not market.day_is_open and open_count != 0:
        raise AssertionError("no bidding may be open between days")
    return bids_check(market)


cdef int bids_check(const Market* market) except -1:
    cdef const BiddingRecord* bidding
    cdef const BidRecord* bid
    cdef uint32_t index
    cdef uint32_t live = 0
    cdef int64_t counted = 0    # By the accounts that have them.
    for index in range(market.biddings.bid_count.rows):
        bid = &market.biddings.bids[index]
        if index > 0 and bid.bid_id <= market.biddings.bids[index - 1].bid_id:
            raise AssertionError(f"bid {bid.bid_id} must come after lower ids")
        if not row_is_live(bid):
            continue
        live += 1
        bidding = bidding_find(market, bid.bidding_id)
        if bidding == NULL or bidding.state != BIDDING_STATE_OPEN:
            raise AssertionError(f"bid {bid.bid_id} must be in an open bidding")
        if bid.price != 0 and not bidding.floor <= bid.price <= bidding.ceiling:
            raise AssertionError(f"bid {bid.bid_id} must lie in its bidding's range")
        if bid.account_index == bidding.account_index:
            raise AssertionError(f"bid {bid.bid_id} must not be the applicant's")
        if market.accounts.accounts[bid.account_index].suspended:
            raise AssertionError(f"bid {bid.bid_id} is a suspended account's")
    for index in range(market.accounts.account_count):
        counted += market.accounts.accounts[index].bids_open
    if counted != live:
        raise AssertionError(f"{live} bids are live, accounts have counted {counted}")
    if live != market.biddings.bid_count.live or live > market.biddings.count.live_max:
        raise AssertionError(f"{live} bids are live, {market.biddings.bid_count.live} counted")


cdef int accounts_check(const Market* market) except -1:
    cdef const Accounts* accounts = &market.accounts
    cdef Accounts locks
    cdef uint32_t index
    cdef uint32_t part
    cdef Holding* holding
    cdef Holding* wanted
    if not accounts_open(&locks):
        raise MemoryError("cannot allocate what a check needs")
    try:
        if not accounts_reserve(&locks, accounts.account_capacity, accounts.product_capacity):
            raise MemoryError("cannot allocate what a check needs")
        memcpy(locks.fees, accounts.fees, sizeof(accounts.fees))
        locks.checked = accounts.checked
        for index in range(1, market.pool.slot_last + 1):
            if market.pool.orders[index].side != 0:
                order_lock(&locks, &market.pool.orders[index])
                locks.accounts[market.pool.orders[index].owner].orders_open += 1
        blocks_lock(market, &locks)
        biddings_lock(market, &locks)
        for index in range(accounts.account_count):
            account_check(index, &accounts.accounts[index], &locks.accounts[index])
            for part in range(market.product_count):
                holding = holding_of(accounts, index, part)
                wanted = holding_of(&locks, index, part)
                holding_check(index, part, holding, wanted)
    finally:
        accounts_close(&locks)


cdef int totals_check(const Market* market) except -1:
    cdef const Accounts* accounts = &market.accounts
    cdef uint32_t index
    cdef uint32_t part
    cdef object total = 0
    for index in range(accounts.account_count):
        total += accounts.accounts[index].cash
    if total != accounts.cash_total:
        raise AssertionError(f"all cash: expected {accounts.cash_total}, got {total}")
    for part in range(market.product_count):
        total = 0
        for index in range(accounts.account_count):
            total += holding_of(accounts, index, part).tonnes
        if total != accounts.tonnes_totals[part]:
            raise AssertionError(
                f"tonnes of product {part}: expected {accounts.tonnes_totals[part]}, got {total}"
            )


cdef int market_check(const Market* market) except -1:
    """Raise AssertionError with the first broken invariant.

    Ladders are whole and not crossed, every live order is in one, locks add up to the orders that
    hold them, nobody has locked more than there is, and totals add up.
    """
    cdef uint32_t index
    cdef uint32_t live = 0
    cdef object resting = 0
    for index in range(market.product_count):
        broken = ladder_broken(&market.products[index].ladder, &market.pool, index)
        if broken is not None:
            raise AssertionError(f"product {index}: {broken}")
        for side in (SIDE_BUY, SIDE_SELL):
            resting += sum([
                row[2] for row in ladder_depth(&market.products[index].ladder, side, None)
            ])
    for index in range(1, market.pool.slot_last + 1):
        if market.pool.orders[index].side != 0:
            live += 1
    if not live == resting == market.pool.order_count:
        raise AssertionError("a live order must be in exactly one book")
    orders_check(market)
    blocks_check(market)
    biddings_check(market)
    accounts_check(market)
    return totals_check(market)

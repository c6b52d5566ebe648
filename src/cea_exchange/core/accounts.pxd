"""Trading accounts: what each has, what is locked, and what was bought today.

Contents: types, places, fees, gap, locks, trades. Storage, transfers and the day: accounts.pyx.

Every function here either only reads, or changes what its caller has checked before. A trade can
not fail for want of cash or allowances, because both were locked, or checked, at the order's limit.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from cea_exchange._ladder cimport Order
from cea_exchange._records cimport *


# -- Types ----------------------------------------------------------------------------------------

cdef enum:
    OPERATORS_MAX = 16        # Operators (keys) of one account.
cdef enum:
    METHODS_END = METHOD_BIDDING + 1  # Methods and sides count from 1.
cdef enum:
    SIDES_END = SIDE_SELL + 1
cdef enum:
    RESTRICTION_ALL = 15      # All bits of RESTRICTION_.
cdef enum:
    TOTAL_LIMIT = 0x4000000000000000  # 2^62: all cash, and a product's tonnes, stay below it.


cdef struct FeeRule:
    int64_t basis_points      # Of the amount traded by an order.
    int64_t fen_min           # Due at least, once an order has traded.


cdef struct Account:          # 64 bytes: one cache line.
    uint64_t account_key
    int64_t cash              # Total, what is locked included.
    int64_t cash_locked       # By open buys: price x tonnes open and the fee still to come.
    int64_t proceeds_today    # Gross, of today's sales: may be spent, may not leave. Stops at
                              # TOTAL_LIMIT, which no cash reaches.
    uint64_t report_seq
    uint32_t group_index
    uint32_t enquiries_open   # Block enquiries, which lock nothing.
    uint32_t bids_open        # In biddings.
    uint32_t orders_open      # On the books.
    uint8_t suspended
    uint8_t restricted        # Bits of RESTRICTION_.
    uint8_t padding[6]


cdef struct Holding:          # Of one account in one product; 32 bytes.
    int64_t tonnes            # Total, what is locked included.
    int64_t locked            # By open sells.
    int64_t bought_today      # May not be sold or withdrawn today (T+1).
    int64_t buys_open         # Tonnes of open buys, for the holding limit.


cdef struct Gap:              # Of one account in one product; 0: it may now.
    uint16_t sale_days        # Trading days until it may sell again.
    uint16_t purchase_days    # Until it may buy again.


cdef struct Operators:        # Of one account; 128 bytes.
    uint64_t last_client_order_id[OPERATORS_MAX]  # Of today's accepted commands.


cdef struct Accounts:
    Account* accounts         # [account_capacity]
    Holding* holdings         # [account_capacity][product_capacity]
    Gap* gaps                 # The same; where the gap is of all products, the first one's.
    Operators* operators      # [account_capacity]
    uint32_t account_count
    uint32_t account_capacity
    uint32_t product_capacity
    bint checked              # False: nothing is locked and no balance moves (profile open).
    int64_t cash_total        # Of all accounts.
    int64_t* allocations      # [account_capacity], tonnes beside a joint limit.
    int64_t holding_tonnes_max  # 0: no limit.
    bint holding_is_joint     # Of all products, and of the accounts of a group.
    int64_t large_tonnes      # From so many of a product on an account is large; 0: none is.
    int64_t* tonnes_totals    # [product_capacity], of all accounts.
    uint16_t gap_days         # From a purchase to a sale, and the other way; 0: there is no gap.
    bint gap_is_of_all        # Of all products together.
    FeeRule[METHODS_END][SIDES_END] fees


cdef struct Locks:            # A buyer's are cash and tonnes_bid, a seller's tonnes.
    int64_t cash
    int64_t tonnes_bid
    int64_t tonnes


# -- Storage, transfers, busts, day: accounts.pyx -------------------------------------------------

cdef bint accounts_open(Accounts* accounts) noexcept nogil
cdef void accounts_close(Accounts* accounts) noexcept nogil
cdef bint accounts_reserve(
    Accounts* accounts, uint32_t account_capacity, uint32_t product_capacity,
) noexcept nogil
cdef uint8_t deposit_refused(
    const Accounts* accounts, uint32_t account_index, uint16_t product_index, int64_t amount,
) noexcept nogil
cdef uint8_t withdrawal_refused(
    const Accounts* accounts, uint32_t account_index, uint16_t product_index, int64_t amount,
) noexcept nogil
cdef void balance_move(
    Accounts* accounts, uint32_t account_index, uint16_t product_index, int64_t amount,
) noexcept nogil
cdef uint8_t bust_refused(const Accounts* accounts, const EventRecord* trade) noexcept nogil
cdef void bust_apply(
    Accounts* accounts, const EventRecord* trade, bint is_of_last_day,
) noexcept nogil
cdef void accounts_day_open(Accounts* accounts) noexcept nogil
cdef bint joint_limit_exceeded(
    const Accounts* accounts, uint32_t account_index, int64_t wanted, int64_t freed,
) noexcept nogil


# -- Places ---------------------------------------------------------------------------------------

cdef inline Holding* holding_of(
    const Accounts* accounts, uint32_t account_index, uint16_t product_index,
) noexcept nogil:
    return &accounts.holdings[<size_t>account_index * accounts.product_capacity + product_index]


cdef inline Gap* gap_at(
    const Accounts* accounts, uint32_t account_index, uint32_t product_index,
) noexcept nogil:
    return &accounts.gaps[<size_t>account_index * accounts.product_capacity + product_index]


cdef inline Gap* gap_of(
    const Accounts* accounts, uint32_t account_index, uint16_t product_index,
) noexcept nogil:
    """What counts for a product: where the gap is of all together, the first one's."""
    return gap_at(accounts, account_index, 0 if accounts.gap_is_of_all else product_index)


cdef inline bint tells_large(const Accounts* accounts) noexcept nogil:
    """Whether it is told who becomes a large holder (CEA-FND-08)."""
    return accounts.large_tonnes != 0 and accounts.checked


# -- Fees -----------------------------------------------------------------------------------------

cdef inline bint fee_is_zero(const FeeRule* rule) noexcept nogil:
    return rule.basis_points == 0 and rule.fen_min == 0


cdef inline int64_t fee_due(const FeeRule* rule, uint64_t amount) noexcept nogil:
    """The fee of an order that has traded `amount` fen in all: rounded up, the minimum once.

    Rules: CEA-FEE-01.
    """
    cdef uint64_t whole
    cdef uint64_t rest
    cdef int64_t fee
    if fee_is_zero(rule) or amount == 0:
        return 0
    # ceil(amount x basis points / 10000) in two parts, of which neither overflows.
    whole = amount // 10000
    rest = amount % 10000
    whole *= <uint64_t>rule.basis_points
    rest = (rest * <uint64_t>rule.basis_points + 9999) // 10000
    fee = <int64_t>(whole + rest)
    return max(fee, rule.fen_min)


cdef inline int64_t fee_due_seller(const FeeRule* rule, uint64_t amount) noexcept nogil:
    """The same, but never more than what the sale brought."""
    cdef int64_t fee = fee_due(rule, amount)
    return fee if <uint64_t>fee < amount else <int64_t>amount


# -- Measures -------------------------------------------------------------------------------------

cdef inline uint8_t side_restricted(
    const Accounts* accounts, uint32_t account_index, uint8_t side,
) noexcept nogil:
    """Whether a measure keeps an account from trading on a side.

    Rules: CEA-MSR-02.
    """
    cdef uint8_t bit = RESTRICTION_PURCHASES if side == SIDE_BUY else RESTRICTION_SALES
    if accounts.accounts[account_index].restricted & bit:
        return REASON_RESTRICTED
    return REASON_NONE


# -- Gap ------------------------------------------------------------------------------------------

cdef inline bint stands_against(
    const Accounts* accounts, uint32_t account_index, uint16_t product_index, uint8_t side,
) noexcept nogil:
    """Whether an account has something open that would trade on the other side than this."""
    cdef const Holding* holding = holding_of(accounts, account_index, product_index)
    return holding.locked > 0 if side == SIDE_BUY else holding.buys_open > 0


cdef inline uint8_t gap_refused(
    const Accounts* accounts, uint32_t account_index, uint16_t product_index, uint8_t side,
) noexcept nogil:
    """Why an account may not trade on a side: it was on the other, or would be on both.

    Rules: CCER-FND-03, CCER-FND-04.
    """
    cdef const Gap* gap
    cdef uint32_t product
    if accounts.gap_days == 0:
        return REASON_NONE
    gap = gap_of(accounts, account_index, product_index)
    if (gap.purchase_days if side == SIDE_BUY else gap.sale_days) > 0:
        return REASON_WITHIN_GAP
    if not accounts.gap_is_of_all:
        if stands_against(accounts, account_index, product_index, side):
            return REASON_OTHER_SIDE_OPEN
        return REASON_NONE
    for product in range(accounts.product_capacity):
        if stands_against(accounts, account_index, <uint16_t>product, side):
            return REASON_OTHER_SIDE_OPEN
    return REASON_NONE


cdef inline void gap_begin(
    const Accounts* accounts, uint32_t account_index, uint16_t product_index, uint8_t side,
) noexcept nogil:
    """Keep an account that has traded on a side from the other."""
    if accounts.gap_days == 0:
        return
    if side == SIDE_BUY:
        gap_of(accounts, account_index, product_index).sale_days = accounts.gap_days
    else:
        gap_of(accounts, account_index, product_index).purchase_days = accounts.gap_days


# -- Locks of orders ------------------------------------------------------------------------------

cdef inline int64_t buy_lock(const Accounts* accounts, const Order* order) noexcept nogil:
    """Cash an open buy needs at its limit: price x tonnes open and the fee still to come.

    Rules: CEA-FND-01.
    """
    cdef const FeeRule* rule = &accounts.fees[METHOD_LISTED][SIDE_BUY]
    cdef int64_t amount = order.price * order.tonnes_open
    if fee_is_zero(rule):
        return amount
    return (
        amount + fee_due(rule, order.amount_traded + <uint64_t>amount)
        - fee_due(rule, order.amount_traded)
    )


cdef inline void order_lock(Accounts* accounts, const Order* order) noexcept nogil:
    """Lock what an order that comes to rest may need."""
    cdef Holding* holding
    if not accounts.checked:
        return
    holding = holding_of(accounts, order.owner, order.product_index)
    if order.side == SIDE_BUY:
        accounts.accounts[order.owner].cash_locked += buy_lock(accounts, order)
        holding.buys_open += order.tonnes_open
    else:
        holding.locked += order.tonnes_open


cdef inline bint account_locks_none(
    const Accounts* accounts, uint32_t account_index, uint32_t product_count,
) noexcept nogil:
    """Whether it has no open order, as nothing is locked; False where nothing ever is."""
    cdef uint32_t product
    if not accounts.checked or accounts.accounts[account_index].cash_locked != 0:
        return False
    for product in range(product_count):
        if holding_of(accounts, account_index, <uint16_t>product).locked != 0:
            return False
    return True


cdef inline void order_unlock(Accounts* accounts, const Order* order) noexcept nogil:
    """Give back what an order that leaves the book had locked."""
    cdef Holding* holding
    if not accounts.checked:
        return
    holding = holding_of(accounts, order.owner, order.product_index)
    if order.side == SIDE_BUY:
        accounts.accounts[order.owner].cash_locked -= buy_lock(accounts, order)
        holding.buys_open -= order.tonnes_open
    else:
        holding.locked -= order.tonnes_open


cdef inline uint8_t order_unfunded(
    const Accounts* accounts, const Order* wanted, const Order* replaced,
) noexcept nogil:
    """Why an order may not be had: measure, gap, limit, cash, allowances, T+1; or `REASON_NONE`.

    `replaced` is the resting order it takes the place of, whose lock counts as free, or NULL.

    Rules: CEA-FND-02, CEA-FND-03, CEA-FND-04, CEA-FND-06.
    """
    cdef const Account* account = &accounts.accounts[wanted.owner]
    cdef const Holding* holding
    cdef int64_t free_tonnes
    cdef int64_t free_cash
    cdef uint64_t held
    cdef uint8_t reason
    if not accounts.checked:
        return REASON_NONE
    reason = side_restricted(accounts, wanted.owner, wanted.side)
    if reason != REASON_NONE:
        return reason
    reason = gap_refused(accounts, wanted.owner, wanted.product_index, wanted.side)
    if reason != REASON_NONE:
        return reason
    holding = holding_of(accounts, wanted.owner, wanted.product_index)
    if wanted.side == SIDE_BUY:
        if accounts.holding_tonnes_max != 0 and accounts.holding_is_joint:
            if joint_limit_exceeded(
                accounts, wanted.owner, wanted.tonnes_open,
                replaced.tonnes_open if replaced != NULL else 0,
            ):
                return REASON_HOLDING_LIMIT
        elif accounts.holding_tonnes_max != 0:
            held = <uint64_t>holding.tonnes + <uint64_t>holding.buys_open
            held += <uint64_t>wanted.tonnes_open
            if replaced != NULL:
                held -= <uint64_t>replaced.tonnes_open
            if held > <uint64_t>accounts.holding_tonnes_max:
                return REASON_HOLDING_LIMIT
        free_cash = account.cash - account.cash_locked
        if replaced != NULL:
            free_cash += buy_lock(accounts, replaced)
        return REASON_CASH_INSUFFICIENT if buy_lock(accounts, wanted) > free_cash else REASON_NONE
    free_tonnes = holding.tonnes - holding.locked
    if replaced != NULL:
        free_tonnes += replaced.tonnes_open
    if wanted.tonnes_open > free_tonnes:
        return REASON_ALLOWANCES_INSUFFICIENT
    if wanted.tonnes_open > free_tonnes - holding.bought_today:
        return REASON_ALLOWANCES_BOUGHT_TODAY
    return REASON_NONE


# -- Locks of blocks and bids ---------------------------------------------------------------------

cdef inline Locks locks_for(
    const Accounts* accounts, uint8_t method, uint8_t side, int64_t price, int64_t tonnes,
) noexcept nogil:
    """What a side locks to deliver so many tonnes at a price; a buyer the method's fee too."""
    cdef Locks locks
    cdef int64_t amount
    locks.cash = locks.tonnes_bid = locks.tonnes = 0
    if not accounts.checked:
        return locks
    if side == SIDE_SELL:
        locks.tonnes = tonnes
        return locks
    amount = price * tonnes
    locks.cash = amount + fee_due(&accounts.fees[method][SIDE_BUY], <uint64_t>amount)
    locks.tonnes_bid = tonnes
    return locks


cdef inline void cash_lock(
    Accounts* accounts, uint32_t account_index, uint16_t product_index, const Locks* more,
) noexcept nogil:
    """Lock that much more of a buyer's; less where it is negative."""
    accounts.accounts[account_index].cash_locked += more.cash
    holding_of(accounts, account_index, product_index).buys_open += more.tonnes_bid


cdef inline void tonnes_lock(
    Accounts* accounts, uint32_t account_index, uint16_t product_index, const Locks* more,
) noexcept nogil:
    """Lock that much more of a seller's; less where it is negative."""
    holding_of(accounts, account_index, product_index).locked += more.tonnes


cdef inline void locks_add(
    Accounts* accounts, uint32_t account_index, uint16_t product_index, const Locks* more,
) noexcept nogil:
    """Lock that much more of whoever it is; less where it is negative."""
    if more.tonnes != 0:
        tonnes_lock(accounts, account_index, product_index, more)
    else:
        cash_lock(accounts, account_index, product_index, more)


cdef inline void locks_return(
    Accounts* accounts, uint32_t account_index, uint16_t product_index, const Locks* locks,
) noexcept nogil:
    cdef Locks less
    less.cash = -locks.cash
    less.tonnes_bid = -locks.tonnes_bid
    less.tonnes = -locks.tonnes
    locks_add(accounts, account_index, product_index, &less)


cdef inline uint8_t locks_refused(
    const Accounts* accounts, uint32_t account_index, uint16_t product_index, const Locks* wanted,
    const Locks* own,
) noexcept nogil:
    """Why an account hasn't what it would have to lock; its `own` locks are free for that.

    Rules: CEA-FND-02, CEA-FND-03, CEA-FND-04, CEA-FND-06.
    """
    cdef const Account* account = &accounts.accounts[account_index]
    cdef const Holding* holding = holding_of(accounts, account_index, product_index)
    cdef int64_t free_amount
    cdef uint8_t side = SIDE_BUY if wanted.tonnes_bid > 0 else SIDE_SELL
    cdef uint8_t reason
    if not accounts.checked:
        return REASON_NONE
    reason = side_restricted(accounts, account_index, side)
    if reason != REASON_NONE:
        return reason
    reason = gap_refused(accounts, account_index, product_index, side)
    if reason != REASON_NONE:
        return reason
    if wanted.tonnes_bid > 0:
        if accounts.holding_tonnes_max != 0 and accounts.holding_is_joint:
            if joint_limit_exceeded(accounts, account_index, wanted.tonnes_bid, own.tonnes_bid):
                return REASON_HOLDING_LIMIT
        elif accounts.holding_tonnes_max != 0:
            free_amount = accounts.holding_tonnes_max - holding.tonnes - holding.buys_open
            if wanted.tonnes_bid > free_amount + own.tonnes_bid:
                return REASON_HOLDING_LIMIT
        free_amount = account.cash - account.cash_locked + own.cash
        return REASON_CASH_INSUFFICIENT if wanted.cash > free_amount else REASON_NONE
    free_amount = holding.tonnes - holding.locked + own.tonnes
    if wanted.tonnes > free_amount:
        return REASON_ALLOWANCES_INSUFFICIENT
    if wanted.tonnes > free_amount - holding.bought_today:
        return REASON_ALLOWANCES_BOUGHT_TODAY
    return REASON_NONE


# -- Trades ---------------------------------------------------------------------------------------

cdef inline int64_t leg_buy(
    Accounts* accounts, const Order* order, int64_t price, int64_t tonnes, bint resting,
    uint8_t method,
) noexcept nogil:
    """Move the buyer's side of a trade and return the fee. The order is as before the trade.

    A resting order's lock shrinks to what is open; a taker has not locked anything yet.
    """
    cdef const FeeRule* rule = &accounts.fees[method][SIDE_BUY]
    cdef int64_t amount = price * tonnes
    cdef int64_t fee
    cdef Order after
    cdef Account* account
    cdef Holding* holding
    if not accounts.checked:
        return 0
    account = &accounts.accounts[order.owner]
    holding = holding_of(accounts, order.owner, order.product_index)
    fee = (
        fee_due(rule, order.amount_traded + <uint64_t>amount)
        - fee_due(rule, order.amount_traded)
    )
    if resting:
        after = order[0]
        after.tonnes_open -= tonnes
        after.amount_traded += <uint64_t>amount
        account.cash_locked += buy_lock(accounts, &after) - buy_lock(accounts, order)
        holding.buys_open -= tonnes
    account.cash -= amount + fee
    accounts.cash_total -= amount + fee
    holding.tonnes += tonnes
    holding.bought_today += tonnes
    gap_begin(accounts, order.owner, order.product_index, SIDE_BUY)
    return fee


cdef inline int64_t leg_sell(
    Accounts* accounts, const Order* order, int64_t price, int64_t tonnes, bint resting,
    uint8_t method,
) noexcept nogil:
    """Move the seller's side of a trade and return the fee. The order is as before the trade."""
    cdef const FeeRule* rule = &accounts.fees[method][SIDE_SELL]
    cdef int64_t amount = price * tonnes
    cdef int64_t fee
    cdef Account* account
    cdef Holding* holding
    if not accounts.checked:
        return 0
    account = &accounts.accounts[order.owner]
    holding = holding_of(accounts, order.owner, order.product_index)
    fee = (
        fee_due_seller(rule, order.amount_traded + <uint64_t>amount)
        - fee_due_seller(rule, order.amount_traded)
    )
    if resting:
        holding.locked -= tonnes
    holding.tonnes -= tonnes
    account.cash += amount - fee
    account.proceeds_today = min(account.proceeds_today + amount, <int64_t>TOTAL_LIMIT)
    accounts.cash_total += amount - fee
    gap_begin(accounts, order.owner, order.product_index, SIDE_SELL)
    return fee

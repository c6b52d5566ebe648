"""Trading accounts: their memory, transfers in and out, busts, and the day.

Contents: storage, limits, transfers, busts, day. What trading does with them is in accounts.pxd,
inline.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from cea_exchange._ladder cimport int128, memory_reserve, memory_return
from cea_exchange._records cimport *

if sizeof(Account) != 64 or sizeof(Holding) != 32 or sizeof(Operators) != 128:
    raise ImportError(
        f"Account, Holding and Operators are {sizeof(Account)}, {sizeof(Holding)} and "
        f"{sizeof(Operators)} bytes, not 64, 32, 128"
    )


# -- Storage --------------------------------------------------------------------------------------

cdef bint accounts_open(Accounts* accounts) noexcept nogil:
    memset(accounts, 0, sizeof(Accounts))
    return accounts_reserve(accounts, 64, 4)


cdef size_t holding_bytes(uint32_t account_capacity, uint32_t product_capacity) noexcept nogil:
    return <size_t>account_capacity * product_capacity * sizeof(Holding)


cdef size_t gap_bytes(uint32_t account_capacity, uint32_t product_capacity) noexcept nogil:
    return <size_t>account_capacity * product_capacity * sizeof(Gap)


cdef void accounts_close(Accounts* accounts) noexcept nogil:
    memory_return(accounts.accounts, accounts.account_capacity * sizeof(Account))
    memory_return(accounts.gaps, gap_bytes(accounts.account_capacity, accounts.product_capacity))
    memory_return(
        accounts.holdings, holding_bytes(accounts.account_capacity, accounts.product_capacity),
    )
    memory_return(accounts.operators, accounts.account_capacity * sizeof(Operators))
    memory_return(accounts.allocations, accounts.account_capacity * sizeof(int64_t))
    memory_return(accounts.tonnes_totals, accounts.product_capacity * sizeof(int64_t))


cdef void gaps_copy(const Accounts* accounts, Accounts* wider) noexcept nogil:
    cdef uint32_t account
    for account in range(accounts.account_count):
        memcpy(
            gap_at(wider, account, 0), gap_at(accounts, account, 0),
            accounts.product_capacity * sizeof(Gap),
        )


cdef bint accounts_reserve(
    Accounts* accounts, uint32_t account_capacity, uint32_t product_capacity,
) noexcept nogil:
    """Make room for so many accounts and products; False, and nothing changed, without memory."""
    cdef uint32_t account
    cdef Accounts wider
    wider.account_capacity = account_capacity
    wider.product_capacity = product_capacity
    wider.accounts = <Account*>memory_reserve(account_capacity * sizeof(Account))
    wider.holdings = <Holding*>memory_reserve(holding_bytes(account_capacity, product_capacity))
    wider.gaps = <Gap*>memory_reserve(gap_bytes(account_capacity, product_capacity))
    wider.operators = <Operators*>memory_reserve(account_capacity * sizeof(Operators))
    wider.allocations = <int64_t*>memory_reserve(account_capacity * sizeof(int64_t))
    wider.tonnes_totals = <int64_t*>memory_reserve(product_capacity * sizeof(int64_t))
    if (
        wider.accounts == NULL or wider.holdings == NULL or wider.gaps == NULL
        or wider.operators == NULL or wider.tonnes_totals == NULL or wider.allocations == NULL
    ):
        accounts_close(&wider)
        return False
    if accounts.account_count > 0:
        memcpy(wider.accounts, accounts.accounts, accounts.account_count * sizeof(Account))
        memcpy(wider.operators, accounts.operators, accounts.account_count * sizeof(Operators))
        memcpy(wider.allocations, accounts.allocations, accounts.account_count * sizeof(int64_t))
    if accounts.product_capacity > 0:
        memcpy(
            wider.tonnes_totals, accounts.tonnes_totals,
            accounts.product_capacity * sizeof(int64_t),
        )
    for account in range(accounts.account_count):
        memcpy(
            holding_of(&wider, account, 0), holding_of(accounts, account, 0),
            accounts.product_capacity * sizeof(Holding),
        )
    if accounts.gap_days != 0:
        gaps_copy(accounts, &wider)
    accounts_close(accounts)
    accounts.accounts = wider.accounts
    accounts.holdings = wider.holdings
    accounts.gaps = wider.gaps
    accounts.operators = wider.operators
    accounts.allocations = wider.allocations
    accounts.tonnes_totals = wider.tonnes_totals
    accounts.account_capacity = account_capacity
    accounts.product_capacity = product_capacity
    return True


# -- Limits ---------------------------------------------------------------------------------------

cdef bint joint_limit_exceeded(
    const Accounts* accounts, uint32_t account_index, int64_t wanted, int64_t freed,
) noexcept nogil:
    """Whether so many more tonnes would bring a group above what it may hold, all products.

    An account of no group stands alone. All accounts are looked at: only some markets have such a
    limit, and only purchases ask.

    Rules: PLT-FND-01.
    """
    cdef uint32_t group = accounts.accounts[account_index].group_index
    cdef uint32_t account
    cdef uint32_t product
    cdef const Holding* holding
    cdef int128 held = wanted
    held -= freed
    held -= accounts.holding_tonnes_max
    for account in range(accounts.account_count):
        if account != account_index and (
            group == 0 or accounts.accounts[account].group_index != group
        ):
            continue
        held -= accounts.allocations[account]
        for product in range(accounts.product_capacity):
            holding = holding_of(accounts, account, <uint16_t>product)
            held += holding.tonnes
            held += holding.buys_open
    return held > 0


# -- Transfers ------------------------------------------------------------------------------------

cdef uint8_t deposit_refused(
    const Accounts* accounts, uint32_t account_index, uint16_t product_index, int64_t amount,
) noexcept nogil:
    """Why a deposit to a known account may not be made. Cash has no product."""
    cdef int64_t total
    if amount <= 0:
        return REASON_TONNES_NOT_POSITIVE
    total = accounts.cash_total
    if product_index != PRODUCT_NONE:
        total = accounts.tonnes_totals[product_index]
    return REASON_AMOUNT_TOO_LARGE if amount >= TOTAL_LIMIT - total else REASON_NONE


cdef uint8_t withdrawal_refused(
    const Accounts* accounts, uint32_t account_index, uint16_t product_index, int64_t amount,
) noexcept nogil:
    """Why a withdrawal from a known account may not be made.

    Rules: CEA-FND-04, CEA-FND-05, CEA-FND-07, CEA-MSR-02.
    """
    cdef const Account* account = &accounts.accounts[account_index]
    cdef const Holding* holding
    cdef int64_t free_amount
    cdef uint8_t bit = RESTRICTION_CASH_OUT
    if product_index != PRODUCT_NONE:
        bit = RESTRICTION_TONNES_OUT
    if account.suspended:
        return REASON_ACCOUNT_SUSPENDED
    if amount <= 0:
        return REASON_TONNES_NOT_POSITIVE
    if account.restricted & bit:
        return REASON_RESTRICTED
    if product_index == PRODUCT_NONE:
        free_amount = account.cash - account.cash_locked
        if amount > free_amount:
            return REASON_CASH_INSUFFICIENT
        free_amount -= account.proceeds_today
        return REASON_PROCEEDS_OF_TODAY if amount > free_amount else REASON_NONE
    holding = holding_of(accounts, account_index, product_index)
    free_amount = holding.tonnes - holding.locked
    if amount > free_amount:
        return REASON_ALLOWANCES_INSUFFICIENT
    free_amount -= holding.bought_today
    return REASON_ALLOWANCES_BOUGHT_TODAY if amount > free_amount else REASON_NONE


cdef void balance_move(
    Accounts* accounts, uint32_t account_index, uint16_t product_index, int64_t amount,
) noexcept nogil:
    """Add to a balance; a withdrawal is negative."""
    if product_index == PRODUCT_NONE:
        accounts.accounts[account_index].cash += amount
        accounts.cash_total += amount
    else:
        holding_of(accounts, account_index, product_index).tonnes += amount
        accounts.tonnes_totals[product_index] += amount


# -- Busts ----------------------------------------------------------------------------------------

cdef inline uint32_t buyer_of(const EventRecord* trade) noexcept nogil:
    return trade.account_index if trade.side == SIDE_BUY else trade.counter_account_index


cdef inline uint32_t seller_of(const EventRecord* trade) noexcept nogil:
    return trade.counter_account_index if trade.side == SIDE_BUY else trade.account_index


cdef uint8_t bust_refused(const Accounts* accounts, const EventRecord* trade) noexcept nogil:
    """Why a trade of this market can't be undone: what it moved has moved on.

    Rules: CEA-STL-04.
    """
    cdef const Account* seller = &accounts.accounts[seller_of(trade)]
    cdef const Holding* bought = holding_of(accounts, buyer_of(trade), trade.product_index)
    if not accounts.checked:
        return REASON_NONE
    if trade.buy_fee + trade.sell_fee >= TOTAL_LIMIT - accounts.cash_total:
        return REASON_AMOUNT_TOO_LARGE
    if seller.cash - seller.cash_locked < trade.cash - trade.sell_fee:
        return REASON_CASH_INSUFFICIENT
    if bought.tonnes - bought.locked < trade.tonnes:
        return REASON_ALLOWANCES_INSUFFICIENT
    return REASON_NONE


cdef void bust_apply(
    Accounts* accounts, const EventRecord* trade, bint is_of_last_day,
) noexcept nogil:
    """Move both legs of a trade back, fees included, and what they count for of their day.

    Rules: CEA-STL-04.
    """
    cdef Account* buyer = &accounts.accounts[buyer_of(trade)]
    cdef Account* seller = &accounts.accounts[seller_of(trade)]
    cdef Holding* bought = holding_of(accounts, buyer_of(trade), trade.product_index)
    cdef Holding* sold = holding_of(accounts, seller_of(trade), trade.product_index)
    if not accounts.checked:
        return
    buyer.cash += trade.cash + trade.buy_fee
    seller.cash -= trade.cash - trade.sell_fee
    accounts.cash_total += trade.buy_fee + trade.sell_fee
    bought.tonnes -= trade.tonnes
    sold.tonnes += trade.tonnes
    if is_of_last_day:
        bought.bought_today -= min(trade.tonnes, bought.bought_today)
        if seller.proceeds_today < TOTAL_LIMIT:
            seller.proceeds_today -= min(trade.cash, seller.proceeds_today)
    # Of an older trade the tonnes may have gone, and today's purchases go in their place.
    bought.bought_today = min(bought.bought_today, bought.tonnes - bought.locked)


# -- Day ------------------------------------------------------------------------------------------

cdef void accounts_day_open(Accounts* accounts) noexcept nogil:
    """Release what was bought and earned the day before, and start the command ids anew.

    Rules: CEA-FND-04, CEA-FND-05, CCER-FND-03.
    """
    cdef size_t cell
    cdef uint32_t index
    for index in range(accounts.account_count):
        accounts.accounts[index].proceeds_today = 0
        memset(&accounts.operators[index], 0, sizeof(Operators))
    for cell in range(<size_t>accounts.account_count * accounts.product_capacity):
        accounts.holdings[cell].bought_today = 0
        if accounts.gap_days != 0:
            accounts.gaps[cell].sale_days -= accounts.gaps[cell].sale_days > 0
            accounts.gaps[cell].purchase_days -= accounts.gaps[cell].purchase_days > 0

"""Trading accounts: what each has, what is locked, and what was bought today.

Contents: storage, fees, locks, trades, transfers, day.

Every function here either only reads, or changes what its caller has checked before. A trade can
not fail for want of cash or allowances, because both were locked, or checked, at the order's limit.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from cea_exchange._records cimport *

cdef int64_t TOTAL_LIMIT = <int64_t>1 << 62


# -- Storage --------------------------------------------------------------------------------------

cdef bint accounts_open(Accounts* book) noexcept nogil:
    memset(book, 0, sizeof(Accounts))
    return accounts_reserve(book, 64, 4)


cdef void accounts_close(Accounts* book) noexcept nogil:
    free(book.accounts)
    free(book.holdings)
    book.accounts = NULL
    book.holdings = NULL


cdef bint accounts_reserve(
    Accounts* book, uint32_t account_capacity, uint32_t product_capacity,
) noexcept nogil:
    """Make room for so many accounts and products; False, and nothing changed, without memory."""
    cdef uint32_t account
    cdef Account* accounts
    cdef Holding* holdings
    accounts = <Account*>calloc(account_capacity, sizeof(Account))
    holdings = <Holding*>calloc(<size_t>account_capacity * product_capacity, sizeof(Holding))
    if accounts == NULL or holdings == NULL:
        free(accounts)
        free(holdings)
        return False
    if book.account_count > 0:
        memcpy(accounts, book.accounts, book.account_count * sizeof(Account))
    for account in range(book.account_count):
        memcpy(
            &holdings[<size_t>account * product_capacity],
            &book.holdings[<size_t>account * book.product_capacity],
            book.product_capacity * sizeof(Holding),
        )
    accounts_close(book)
    book.accounts = accounts
    book.holdings = holdings
    book.account_capacity = account_capacity
    book.product_capacity = product_capacity
    return True


cdef Holding* holding_of(
    const Accounts* book, uint32_t account_index, uint16_t product_index,
) noexcept nogil:
    return &book.holdings[<size_t>account_index * book.product_capacity + product_index]


# -- Fees -----------------------------------------------------------------------------------------

cdef int64_t fee_due(const FeeRule* rule, uint64_t amount) noexcept nogil:
    """The fee of an order that has traded `amount` fen in all: rounded up, the minimum once.

    Rules: CEA-FEE-01.
    """
    cdef uint128 product
    cdef int64_t fee
    if amount == 0:
        return 0
    product = amount
    product = (product * <uint64_t>rule.basis_points + 9999) / 10000
    fee = <int64_t>product
    return fee if fee > rule.fen_min else rule.fen_min


cdef int64_t fee_due_seller(const FeeRule* rule, uint64_t amount) noexcept nogil:
    """The same, but never more than what the sale brought."""
    cdef int64_t fee = fee_due(rule, amount)
    return fee if <uint64_t>fee < amount else <int64_t>amount


# -- Locks ----------------------------------------------------------------------------------------

cdef int64_t buy_lock(const Accounts* book, const Order* order) noexcept nogil:
    """Cash an open buy needs at its limit: price x tonnes open and the fee still to come.

    Rules: CEA-FND-01.
    """
    cdef int64_t amount = order.price * order.tonnes_open
    if book.fee.basis_points == 0 and book.fee.fen_min == 0:
        return amount
    return (
        amount + fee_due(&book.fee, order.amount_traded + <uint64_t>amount)
        - fee_due(&book.fee, order.amount_traded)
    )


cdef void order_lock(Accounts* book, const Order* order) noexcept nogil:
    """Lock what an order that comes to rest may need."""
    cdef Holding* holding
    if not book.checked:
        return
    holding = holding_of(book, order.owner, order.product_index)
    if order.side == SIDE_BUY:
        book.accounts[order.owner].cash_locked += buy_lock(book, order)
        holding.buys_open += order.tonnes_open
    else:
        holding.locked += order.tonnes_open


cdef void order_unlock(Accounts* book, const Order* order) noexcept nogil:
    """Give back what an order that leaves the book had locked."""
    cdef Holding* holding
    if not book.checked:
        return
    holding = holding_of(book, order.owner, order.product_index)
    if order.side == SIDE_BUY:
        book.accounts[order.owner].cash_locked -= buy_lock(book, order)
        holding.buys_open -= order.tonnes_open
    else:
        holding.locked -= order.tonnes_open


cdef uint8_t order_unfunded(
    const Accounts* book, const Order* wanted, const Order* replaced,
) noexcept nogil:
    """Why an order may not be had: holding limit, cash, allowances, T+1; `REASON_NONE` if it may.

    `replaced` is the resting order it takes the place of, whose lock counts as free, or NULL.

    Rules: CEA-FND-02, CEA-FND-03, CEA-FND-04, CEA-FND-06.
    """
    cdef const Account* account = &book.accounts[wanted.owner]
    cdef const Holding* holding
    cdef int64_t free_tonnes
    cdef int64_t free_cash
    cdef uint64_t held
    if not book.checked:
        return REASON_NONE
    holding = holding_of(book, wanted.owner, wanted.product_index)
    if wanted.side == SIDE_BUY:
        if book.holding_tonnes_max != 0:
            held = <uint64_t>holding.tonnes + <uint64_t>holding.buys_open
            held += <uint64_t>wanted.tonnes_open
            if replaced != NULL:
                held -= <uint64_t>replaced.tonnes_open
            if held > <uint64_t>book.holding_tonnes_max:
                return REASON_HOLDING_LIMIT
        free_cash = account.cash - account.cash_locked
        if replaced != NULL:
            free_cash += buy_lock(book, replaced)
        return REASON_CASH_INSUFFICIENT if buy_lock(book, wanted) > free_cash else REASON_NONE
    free_tonnes = holding.tonnes - holding.locked
    if replaced != NULL:
        free_tonnes += replaced.tonnes_open
    if wanted.tonnes_open > free_tonnes:
        return REASON_ALLOWANCES_INSUFFICIENT
    if wanted.tonnes_open > free_tonnes - holding.bought_today:
        return REASON_ALLOWANCES_BOUGHT_TODAY
    return REASON_NONE


# -- Trades ---------------------------------------------------------------------------------------

cdef int64_t leg_buy(
    Accounts* book, const Order* order, int64_t price, int64_t tonnes, bint resting,
) noexcept nogil:
    """Move the buyer's side of a trade and return the fee. The order is as before the trade.

    A resting order's lock shrinks to what is open; a taker has not locked anything yet.
    """
    cdef int64_t amount = price * tonnes
    cdef int64_t fee
    cdef Order after
    cdef Account* account
    cdef Holding* holding
    if not book.checked:
        return 0
    account = &book.accounts[order.owner]
    holding = holding_of(book, order.owner, order.product_index)
    fee = (
        fee_due(&book.fee, order.amount_traded + <uint64_t>amount)
        - fee_due(&book.fee, order.amount_traded)
    )
    if resting:
        after = order[0]
        after.tonnes_open -= tonnes
        after.amount_traded += <uint64_t>amount
        account.cash_locked += buy_lock(book, &after) - buy_lock(book, order)
        holding.buys_open -= tonnes
    account.cash -= amount + fee
    book.cash_total -= amount + fee
    holding.tonnes += tonnes
    holding.bought_today += tonnes
    return fee


cdef int64_t leg_sell(
    Accounts* book, const Order* order, int64_t price, int64_t tonnes, bint resting,
) noexcept nogil:
    """Move the seller's side of a trade and return the fee. The order is as before the trade."""
    cdef int64_t amount = price * tonnes
    cdef int64_t fee
    cdef Account* account
    cdef Holding* holding
    if not book.checked:
        return 0
    account = &book.accounts[order.owner]
    holding = holding_of(book, order.owner, order.product_index)
    fee = (
        fee_due_seller(&book.fee, order.amount_traded + <uint64_t>amount)
        - fee_due_seller(&book.fee, order.amount_traded)
    )
    if resting:
        holding.locked -= tonnes
    holding.tonnes -= tonnes
    account.cash += amount - fee
    account.proceeds_today += amount
    book.cash_total += amount - fee
    return fee


# -- Transfers ------------------------------------------------------------------------------------

cdef uint8_t deposit_refused(
    const Accounts* book, uint32_t account_index, uint16_t product_index, int64_t amount,
) noexcept nogil:
    """Why a deposit to a known account may not be made. Cash has no product."""
    cdef int64_t total
    if amount <= 0:
        return REASON_TONNES_NOT_POSITIVE
    total = book.cash_total
    if product_index != PRODUCT_NONE:
        total = book.tonnes_total[product_index]
    return REASON_AMOUNT_TOO_LARGE if amount >= TOTAL_LIMIT - total else REASON_NONE


cdef uint8_t withdrawal_refused(
    const Accounts* book, uint32_t account_index, uint16_t product_index, int64_t amount,
) noexcept nogil:
    """Why a withdrawal from a known account may not be made.

    Rules: CEA-FND-04, CEA-FND-05, CEA-FND-07.
    """
    cdef const Account* account = &book.accounts[account_index]
    cdef const Holding* holding
    cdef int64_t free_amount
    if account.suspended:
        return REASON_ACCOUNT_SUSPENDED
    if amount <= 0:
        return REASON_TONNES_NOT_POSITIVE
    if product_index == PRODUCT_NONE:
        free_amount = account.cash - account.cash_locked
        if amount > free_amount:
            return REASON_CASH_INSUFFICIENT
        free_amount -= account.proceeds_today
        return REASON_PROCEEDS_OF_TODAY if amount > free_amount else REASON_NONE
    holding = holding_of(book, account_index, product_index)
    free_amount = holding.tonnes - holding.locked
    if amount > free_amount:
        return REASON_ALLOWANCES_INSUFFICIENT
    free_amount -= holding.bought_today
    return REASON_ALLOWANCES_BOUGHT_TODAY if amount > free_amount else REASON_NONE


cdef void balance_move(
    Accounts* book, uint32_t account_index, uint16_t product_index, int64_t amount,
) noexcept nogil:
    """Add to a balance; a withdrawal is negative."""
    if product_index == PRODUCT_NONE:
        book.accounts[account_index].cash += amount
        book.cash_total += amount
    else:
        holding_of(book, account_index, product_index).tonnes += amount
        book.tonnes_total[product_index] += amount


# -- Day ------------------------------------------------------------------------------------------

cdef void accounts_day_open(Accounts* book) noexcept nogil:
    """Release what was bought and earned the day before, and start the command ids anew."""
    cdef size_t cell
    cdef uint32_t index
    for index in range(book.account_count):
        book.accounts[index].proceeds_today = 0
        memset(book.accounts[index].last_client_order_id, 0, OPERATORS_MAX * sizeof(uint64_t))
    for cell in range(<size_t>book.account_count * book.product_capacity):
        book.holdings[cell].bought_today = 0

"""C-level vocabulary of the trading accounts. Behaviour is in _accounts.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from cea_exchange._book cimport Order, int128, uint128


cdef enum:
    OPERATORS_MAX = 16        # Operators (keys) of one account.


cdef struct FeeRule:
    int64_t basis_points      # Of the amount traded by an order.
    int64_t fen_min           # Due at least, once an order has traded.


cdef struct Account:          # 192 bytes.
    uint64_t account_key
    int64_t cash              # Total, what is locked included.
    int64_t cash_locked       # By open buys: price x tonnes open and the fee still to come.
    int64_t proceeds_today    # Gross, of today's sales: may be spent, may not leave.
    uint64_t report_seq
    uint32_t group_index
    uint8_t suspended
    uint8_t padding[3]
    uint64_t last_client_order_id[OPERATORS_MAX]  # Of today's accepted commands.


cdef struct Holding:          # Of one account in one product.
    int64_t tonnes            # Total, what is locked included.
    int64_t locked            # By open sells.
    int64_t bought_today      # May not be sold or withdrawn today (T+1).
    int64_t buys_open         # Tonnes of open buys, for the holding limit.


cdef struct Accounts:
    Account* accounts         # [account_capacity]
    Holding* holdings         # [account_capacity][product_capacity]
    uint32_t account_count
    uint32_t account_capacity
    uint32_t product_capacity
    int64_t cash_total        # Of all accounts.
    int64_t tonnes_total[65536]  # Of all accounts, by product.
    bint checked              # False: nothing is locked and no balance moves (profile open).
    int64_t holding_tonnes_max  # 0: no limit.
    FeeRule fee


cdef bint accounts_open(Accounts* book) noexcept nogil
cdef void accounts_close(Accounts* book) noexcept nogil
cdef bint accounts_reserve(
    Accounts* book, uint32_t account_capacity, uint32_t product_capacity,
) noexcept nogil
cdef Holding* holding_of(
    const Accounts* book, uint32_t account_index, uint16_t product_index,
) noexcept nogil

cdef int64_t fee_due(const FeeRule* rule, uint64_t amount) noexcept nogil
cdef int64_t fee_due_seller(const FeeRule* rule, uint64_t amount) noexcept nogil
cdef int64_t buy_lock(const Accounts* book, const Order* order) noexcept nogil
cdef void order_lock(Accounts* book, const Order* order) noexcept nogil
cdef void order_unlock(Accounts* book, const Order* order) noexcept nogil
cdef uint8_t order_unfunded(
    const Accounts* book, const Order* wanted, const Order* replaced,
) noexcept nogil
cdef int64_t leg_buy(
    Accounts* book, const Order* order, int64_t price, int64_t tonnes, bint resting,
) noexcept nogil
cdef int64_t leg_sell(
    Accounts* book, const Order* order, int64_t price, int64_t tonnes, bint resting,
) noexcept nogil
cdef uint8_t deposit_refused(
    const Accounts* book, uint32_t account_index, uint16_t product_index, int64_t amount,
) noexcept nogil
cdef uint8_t withdrawal_refused(
    const Accounts* book, uint32_t account_index, uint16_t product_index, int64_t amount,
) noexcept nogil
cdef void balance_move(
    Accounts* book, uint32_t account_index, uint16_t product_index, int64_t amount,
) noexcept nogil
cdef void accounts_day_open(Accounts* book) noexcept nogil

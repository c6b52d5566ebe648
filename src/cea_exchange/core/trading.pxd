"""C-level vocabulary of the market's hot path. Behaviour is in trading.pyx.

    Rules, Product, Blocks, Biddings    what a market is made of
    Market                              all of it: begin here
    ids, products, bands, senders       what every method of trading asks first; inline
    commands_apply                      trading commands, a batch of them
    command_reject, act_reject          refusals; events of whom they are about; large holders
    orders_remove_all and the like      what the day and the operator do to resting orders
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from cea_exchange._ladder cimport Ladder, OrderPool, SLOT_NONE, SelfTrade, uint128
from cea_exchange._records cimport (
    BidRecord, BiddingRecord, BlockRecord, CommandRecord, EventRecord, REASON_ACCOUNT_SUSPENDED,
    REASON_NONE, REASON_ORDER_ID_DUPLICATE,
)
from cea_exchange._stream cimport EventSink
from cea_exchange.core.accounts cimport Accounts, OPERATORS_MAX, Operators
from cea_exchange.core.rows cimport RowCount


cdef enum:
    PRICE_MAX = 10_000_000    # 100000.00 yuan.
cdef enum:
    AMOUNT_LIMIT = 0x1000000000000000  # 2^60 fen: an order's price x tonnes stays below it.


cdef enum:
    LAST_TRADES_MAX = 32      # Of a day's listed trades, as many as a close may be made of.


cdef enum:
    OPERATOR_SHIFT = 4        # An order's flags: OrderFlag bits, above them who entered it.


cdef enum:
    COMMAND_NOT_LISTED = -2   # Given back for a command that is not listed trading's.


cdef struct Rules:            # What of the profile decides commands.
    int64_t listed_tonnes_max # Of a listed order; 0: no limit.
    int64_t block_tonnes_min  # Of a block; 0: no limit.
    int64_t block_band_bp     # Half width of a block's band; 0: no band.
    int64_t block_free_tonnes # A block of more has no band; 0: each has.
    bint block_terms_fixed    # Nobody enquires and nobody counters.
    uint32_t enquiries_open_max  # Of an account; 0: no limit.
    bint block_allowed        # Blocks, and biddings, are traded at all.
    bint bidding_allowed
    bint block_confirmed      # By the exchange, before a block that is agreed on trades.
    uint16_t operators_max    # Of one account; at most OPERATORS_MAX.
    int64_t bidding_tonnes_min
    int64_t bidding_band_bp   # Of bids; 0: the applicant chooses any limit.
    int64_t bid_tonnes_min
    uint32_t bids_open_max    # Of an account; 0: no limit.
    uint32_t orders_open_max  # On the books, of an account; 0: no limit.
    uint32_t orders_kept_bp   # Of the market's room, for accounts with fewer than the next.
    uint32_t orders_kept_each
    uint8_t bidding_tie       # An AwardTie and an AwardUndersubscription.
    uint8_t bidding_short
    uint8_t bidding_reserve   # An AwardReserveRule.
    int64_t bidder_cap_bp     # Of what is offered; 0: no cap.
    int64_t bidder_group_cap_bp
    int64_t noncompetitive_max_bp  # 0: every bid has a price.
    bint settles_cash         # Here; else the registry does, as it does the tonnes.
    bint rounds_inward        # The limits of these bands; else half up.
    uint32_t levels_max       # Levels a taker may reach; 0: no limit.
    bint pick_allowed
    SelfTrade self_trade
    bint open_at_close        # A day's open is the previous close.
    bint close_with_blocks    # They count for it beside listed trades.
    int64_t close_tonnes_over # A day of no more keeps the previous close.
    uint32_t close_trades_last  # Of the day's listed trades make it; 0: all do.


cdef struct LastTrade:
    uint64_t trade_id
    int64_t price
    int64_t tonnes            # 0: it was undone.


cdef struct Product:
    Ladder ladder             # Of the day's price band.
    uint128 amount            # Of the day's listed trades: sum of price x tonnes.
    uint64_t product_key
    int64_t composite_weight
    int64_t reference_price
    int64_t open              # The day's listed trades; 0 is none.
    int64_t high
    int64_t low
    int64_t last
    uint128 volume            # 128 bits, as all sums of a day: no number of trades overflows them.
    uint8_t halted
    uint8_t delisted
    uint128 block_amount      # Of the day's block trades: sum of price x tonnes.
    uint128 block_volume
    uint128 intra_group_volume  # Of these, between accounts of one group.
    uint128 bidding_amount    # Of the day's bidding trades: sum of price x tonnes.
    uint128 bidding_volume
    uint32_t last_count       # Where the close is made of the last trades: those, oldest first.
    LastTrade last_trades[LAST_TRADES_MAX]


cdef struct Blocks:           # Open block offers and enquiries.
    BlockRecord* rows
    RowCount count


cdef struct Biddings:         # The day's biddings and their bids.
    BiddingRecord* rows       # Ended ones keep theirs until the next day.
    BidRecord* bids
    RowCount count
    RowCount bid_count
    char* award_memory        # What an award needs.


cdef struct Market:
    OrderPool pool
    Accounts accounts
    Rules rules
    Product* products         # [product_count]
    uint32_t product_count

    uint32_t* slots           # By order_id - order_id_base - 1; SLOT_NONE once it is finished.
    uint64_t slots_capacity
    Blocks blocks
    Biddings biddings
    uint64_t order_id_base    # No order at or below it is live.

    uint32_t trading_date     # yyyymmdd, the last one while no day is open.
    uint8_t phase
    uint8_t day_is_open
    uint8_t halted
    uint8_t listed_started    # The day has had its first listed phase.

    uint64_t command_seq
    uint64_t event_seq
    uint64_t settlement_seq
    uint64_t market_data_seq
    uint64_t trade_id
    uint64_t transfer_seq
    uint64_t order_id_last
    uint64_t priority_last

    EventSink sink            # The caller's rows, during a call.
    uint16_t operator_index   # Of the command in hand; 0 in control acts.
    EventRecord scratch       # Where events go that are counted but not written.


# Ids.
cdef int slots_reserve(Market* market, uint64_t orders_more) except -1


cdef inline uint32_t slot_of(const Market* market, uint64_t order_id) noexcept nogil:
    """The slot of a live order, or `SLOT_NONE`."""
    if order_id <= market.order_id_base or order_id > market.order_id_last:
        return SLOT_NONE
    return market.slots[order_id - market.order_id_base - 1]


cdef inline void slot_note(Market* market, uint64_t order_id, uint32_t slot) noexcept nogil:
    market.slots[order_id - market.order_id_base - 1] = slot


cdef inline uint64_t id_take(Market* market) noexcept nogil:
    """The next id, of a block, a bidding or a bid: no order has it."""
    market.order_id_last += 1
    slot_note(market, market.order_id_last, SLOT_NONE)
    return market.order_id_last


# Products.
cdef inline bint is_listed(const Market* market, uint32_t product_index) noexcept nogil:
    """Whether a product is there to be traded (CEA-PRD-03)."""
    return product_index < market.product_count and not market.products[product_index].delisted


cdef inline bint volumes_are_high(const Product* product) noexcept nogil:
    """Whether a volume of the day has more than 64 bits."""
    return (product.volume | product.block_volume | product.bidding_volume) >> 64 != 0


# Bands.
cdef inline void price_band(
    const Rules* rules, int64_t reference_price, int64_t width_bp, int64_t* low, int64_t* high,
) noexcept nogil:
    """Lowest and highest price, so many basis points from the reference price; 0 is no band.

    Rules: CEA-BLK-02, CEA-BID-02, CEA-LST-03.
    """
    cdef int64_t below = reference_price * (10_000 - width_bp)
    cdef int64_t above = reference_price * (10_000 + width_bp)
    low[0] = 1
    high[0] = PRICE_MAX
    if width_bp == 0:
        return
    below += 9_999 if rules.rounds_inward else 5_000
    above += 0 if rules.rounds_inward else 5_000
    low[0] = max(below // 10_000, <int64_t>1)
    high[0] = min(above // 10_000, <int64_t>PRICE_MAX)


# Senders.
cdef inline bint account_unknown(
    const Market* market, uint32_t account_index, uint16_t operator_index,
) noexcept nogil:
    return (
        account_index >= market.accounts.account_count
        or operator_index >= market.rules.operators_max
    )


cdef inline uint8_t sender_refused(
    const Market* market, uint32_t account_index, const CommandRecord* command,
) noexcept nogil:
    """Repeated id, suspended account. The account is a known one."""
    cdef const Accounts* accounts = &market.accounts
    cdef const Operators* operators = &accounts.operators[account_index]
    if command.client_order_id <= operators.last_client_order_id[
        command.operator_index % OPERATORS_MAX
    ]:
        return REASON_ORDER_ID_DUPLICATE
    return REASON_ACCOUNT_SUSPENDED if accounts.accounts[account_index].suspended else REASON_NONE


cdef inline void client_order_id_note(
    Market* market, uint32_t account_index, const CommandRecord* command,
) noexcept nogil:
    """An accepted command uses up its id."""
    cdef Operators* operators = &market.accounts.operators[account_index]
    operators.last_client_order_id[command.operator_index % OPERATORS_MAX] = (
        command.client_order_id
    )


# Trading commands, until one that can't be applied. Returns how many were; of the next one `needed`
# says how many rows it needs, or COMMAND_MALFORMED or COMMAND_NOT_LISTED, or 0 if all were applied.
cdef int64_t commands_apply(
    Market* market, const CommandRecord* commands, int64_t count, int64_t* needed,
) noexcept nogil

# Refuses a trading command of any kind. Returns the rows it needs if there is no room, else 0.
cdef int64_t command_reject(
    Market* market, const CommandRecord* command, uint8_t reason, uint16_t product_index,
) noexcept nogil

# The day and the operator's acts; the sink has room.
cdef EventRecord* act_reject(
    Market* market, uint8_t operation, uint8_t reason, uint32_t account_index=*,
) noexcept nogil
cdef EventRecord* event_open(Market* market, uint8_t kind) noexcept nogil
cdef EventRecord* event_account(
    Market* market, uint8_t kind, uint32_t account_index,
) noexcept nogil
cdef void large_holder_emit(
    Market* market, uint32_t account_index, uint16_t product_index,
) noexcept nogil
cdef void large_holder_note(
    Market* market, uint32_t account_index, uint16_t product_index, int64_t gained,
) noexcept nogil
cdef void event_settles(Market* market, EventRecord* row) noexcept nogil
cdef void event_is_public(Market* market, EventRecord* row) noexcept nogil
cdef void orders_remove_all(
    Market* market, uint8_t kind, uint8_t reason, uint32_t account_index, uint16_t operator_index,
) noexcept nogil
cdef void orders_remove_of(
    Market* market, const uint16_t* operators, uint64_t first, uint64_t last, uint64_t most,
) noexcept nogil
cdef void orders_of_product_cancel(
    Market* market, uint16_t product_index, uint8_t reason,
) noexcept nogil

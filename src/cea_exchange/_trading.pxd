"""C-level vocabulary of the market's hot path. Behaviour is in _trading.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from cea_exchange._accounts cimport Accounts
from cea_exchange._ladder cimport Ladder, OrderPool, SLOT_NONE, SelfTrade, uint128
from cea_exchange._records cimport CommandRecord, EventRecord
from cea_exchange._stream cimport EventSink


cdef enum:
    PRICE_MAX = 10_000_000    # 100000.00 yuan.
cdef enum:
    AMOUNT_LIMIT = 0x1000000000000000  # 2^60 fen: an order's price x tonnes stays below it.


cdef enum:
    OPERATOR_SHIFT = 4        # An order's flags: OrderFlag bits, above them who entered it.


cdef struct Rules:            # What of the profile decides commands.
    int64_t block_tonnes_min  # A listed order must be smaller; 0: no size limit.
    uint32_t levels_max       # Levels a taker may reach; 0: no limit.
    bint pick_allowed
    SelfTrade self_trade


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
    uint64_t volume
    uint8_t halted


cdef struct Market:
    OrderPool pool
    Accounts accounts
    Rules rules
    Product* products         # [product_count]
    uint32_t product_count

    uint32_t* slots           # By order_id - order_id_base - 1; SLOT_NONE once it is finished.
    uint64_t slots_capacity
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
cdef inline uint32_t slot_of(const Market* market, uint64_t order_id) noexcept nogil:
    """The slot of a live order, or `SLOT_NONE`."""
    if order_id <= market.order_id_base or order_id > market.order_id_last:
        return SLOT_NONE
    return market.slots[order_id - market.order_id_base - 1]


cdef inline void slot_note(Market* market, uint64_t order_id, uint32_t slot) noexcept nogil:
    market.slots[order_id - market.order_id_base - 1] = slot


# Trading commands, until one that can't be applied. Returns how many were; of the next one `needed`
# says how many rows it needs, or COMMAND_MALFORMED, or 0 if all were applied.
cdef int64_t commands_apply(
    Market* market, const CommandRecord* commands, int64_t count, int64_t* needed,
) noexcept nogil

# The day and the operator's acts; the sink has room.
cdef EventRecord* event_open(Market* market, uint8_t kind) noexcept nogil
cdef EventRecord* event_account(
    Market* market, uint8_t kind, uint32_t account_index,
) noexcept nogil
cdef void event_settles(Market* market, EventRecord* row) noexcept nogil
cdef void event_is_public(Market* market, EventRecord* row) noexcept nogil
cdef void orders_remove_all(
    Market* market, uint8_t kind, uint8_t reason, uint32_t account_index, uint16_t operator_index,
) noexcept nogil
cdef void phase_enter(Market* market, uint8_t phase) noexcept nogil
cdef int64_t closing_price(const Product* product) noexcept nogil
cdef void day_closed_emit(Market* market, uint16_t product_index, int64_t close) noexcept nogil
cdef void day_begin(Market* market, uint32_t date) noexcept nogil

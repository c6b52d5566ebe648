"""C-level vocabulary of the compiled market. Behaviour is in _market.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from cea_exchange._accounts cimport Account, Accounts
from cea_exchange._book cimport Book, OrderPool, Walk, uint128
from cea_exchange._records cimport EventRecord


cdef struct Rules:            # What of the profile decides commands.
    int64_t block_tonnes_min  # A listed order must be smaller; 0: no size limit.
    uint32_t levels_max       # Levels a taker may reach; 0: no limit.
    bint pick_allowed
    bint self_trade_allowed


cdef struct Product:
    Book book                 # Its ladder is the day's price band.
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


cdef struct Plan:             # What an accepted command will do.
    Walk walk
    uint32_t picked_slot      # The only order it takes, or SLOT_NONE.
    uint8_t remainder_reason  # Why the remainder is cancelled; REASON_NONE: it rests.


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

    EventRecord* events       # The caller's rows, during a call.
    int64_t rows_free
    int64_t rows_written
    bint trades_only
    uint16_t operator_index   # Of the command in hand; 0 in control acts.
    EventRecord scratch       # Where events go that are counted but not written.


cdef class CompiledMarket:
    cdef Market market
    cdef bint busy
    cdef set account_keys
    cdef readonly object rules
    cdef readonly int64_t rows_needed

    cdef int check_alone(self) except -1
    cdef object rows_begin(self, int64_t count)
    cdef object rows_end(self, object rows)
    cdef int band_set(self, Product* product) except -1
    cdef Account* account_at(self, object account_index) except NULL
    cdef Product* product_at(self, object product_index) except NULL
    cdef object process_buffers(self, Py_buffer* commands, Py_buffer* events, bint trades_only)
    cdef object transfer(
        self, object account_index, object product_index, object amount, object transfer_seq,
        bint withdraws,
    )
    cdef EventRecord* refusal(self, uint8_t operation, uint8_t reason) noexcept
    cdef object halt_set(self, object product_index, uint8_t halted)
    cdef object suspension_set(self, object account_index, uint8_t suspended)
    cdef list live_slots(self)
    cdef int orders_check(self) except -1
    cdef int accounts_check(self) except -1
    cdef int totals_check(self) except -1
    cdef dict account_snapshot(self, uint32_t account_index)
    cdef int products_fill(self, list products) except -1
    cdef int accounts_fill(self, list accounts) except -1
    cdef int fields_fill(self, dict state) except -1
    cdef int orders_fill(self, list orders) except -1

"""What an order will do to a book, found before anything is changed: inline.

Contents: plans, taking, rows. A book and a market plan alike, but for which orders may be picked
and how an order is found by its id.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from cea_exchange._ladder cimport *
from cea_exchange._records cimport *
from cea_exchange._stream cimport EventSink, sink_takes


# -- Plans ----------------------------------------------------------------------------------------

cdef struct Plan:             # What an accepted command will do.
    Walk walk
    uint32_t picked_slot      # The only order it takes, or SLOT_NONE.
    uint8_t remainder_reason  # Why the remainder is cancelled; REASON_NONE: it rests.


cdef inline void plan_begin(Plan* plan, const Order* taker, uint8_t tif) noexcept nogil:
    """Nothing is taken yet."""
    walk_begin(&plan.walk, taker.tonnes_open)
    plan.picked_slot = SLOT_NONE
    plan.remainder_reason = REASON_IOC if tif == TIF_IOC else REASON_NONE


cdef inline bint plan_pick(
    Plan* plan, const Ladder* ladder, const OrderPool* pool, const Order* taker, uint32_t slot,
) noexcept nogil:
    """Plan to take the order in `slot` only; False if it is not at the best opposite price.

    Rules: CEA-LST-06.
    """
    cdef const Order* maker = &pool.orders[slot]
    cdef int opposite = side_opposite(taker.side)
    # A free slot has no side, and so the one that is none.
    if maker.side != opposite or maker.product_index != taker.product_index:
        return False
    if maker.price - ladder.price_min != ladder.best[opposite] or not taker_crosses(ladder, taker):
        return False
    plan.picked_slot = slot
    plan.remainder_reason = REASON_PICK_REMAINDER
    plan.walk.trades = 1
    plan.walk.tonnes_left -= min(maker.tonnes_open, taker.tonnes_open)
    return True


cdef inline uint8_t plan_end(
    Plan* plan, const Order* taker, uint8_t tif, SelfTrade self_trade,
) noexcept nogil:
    """Plan what becomes of the rest, or say why the order may not take what it would.

    Rules: CEA-LST-05, CEA-LST-07.
    """
    if plan.walk.self_stops:
        if self_trade == SELF_TRADE_REJECT:
            return REASON_SELF_TRADE
        plan.remainder_reason = REASON_SELF_TRADE_PREVENTED
    elif plan.walk.crosses_still:
        plan.remainder_reason = REASON_LEVELS_EXHAUSTED
    if taker.flags & ORDER_FLAG_POST_ONLY and (plan.walk.trades > 0 or plan.walk.self_met):
        return REASON_POST_ONLY_WOULD_TRADE
    if tif == TIF_FOK and plan.walk.tonnes_left > 0:
        return REASON_FOK_NOT_FILLABLE
    return REASON_NONE


# -- Taking ---------------------------------------------------------------------------------------

cdef inline uint32_t plan_next(
    const Plan* plan, const Ladder* ladder, const Order* taker,
) noexcept nogil:
    """The resting order that trades or is cancelled next, or `SLOT_NONE` when all is done."""
    if taker.tonnes_open == plan.walk.tonnes_left and plan.walk.cancels == 0:
        return SLOT_NONE
    if plan.picked_slot != SLOT_NONE:
        return plan.picked_slot
    return ladder.levels[ladder.best[side_opposite(taker.side)]].oldest


cdef inline bint plan_cancels(Plan* plan, const Order* taker, const Order* maker) noexcept nogil:
    """Whether the order that is next is cancelled, as one of the taker's own; else they trade."""
    if plan.walk.cancels == 0 or maker.owner != taker.owner:
        return False
    plan.walk.cancels -= 1
    return True


# -- Rows -----------------------------------------------------------------------------------------

cdef inline int64_t rows_needed(
    const EventSink* sink, const Plan* plan, uint8_t first_kind, bint keeps_place,
    bint tells_large,
) noexcept nogil:
    """How many rows the events of an accepted command need, or 0 if the sink has room for them.

    `first_kind` accepts or amends the order; one that keeps its place does not come to rest anew.
    With `tells_large` each trade may make a large holder.
    """
    cdef int64_t rows = sink_takes(sink, first_kind)
    if tells_large and sink_takes(sink, EVENT_KIND_LARGE_HOLDER):
        rows += plan.walk.trades
    if sink_takes(sink, EVENT_KIND_TRADE):
        rows += plan.walk.trades
    if sink_takes(sink, EVENT_KIND_ORDER_CANCELED):
        rows += plan.walk.cancels
    if plan.walk.tonnes_left > 0:
        if plan.remainder_reason != REASON_NONE:
            rows += sink_takes(sink, EVENT_KIND_ORDER_CANCELED)
        elif not keeps_place:
            rows += sink_takes(sink, EVENT_KIND_ORDER_RESTED)
    return rows if rows > sink.capacity - sink.count else 0

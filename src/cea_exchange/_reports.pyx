"""Whose reports the events of a batch are, and what each of them may see of them.

Every event leaves the venue once for each account it concerns, so this is done for whole batches,
without a Python object for a row.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

import numpy as np

from cea_exchange._records cimport *

from cea_exchange.domain.records import EVENT_DTYPE

cdef uint64_t HASH_MULTIPLIER = 0x9E3779B97F4A7C15  # 2^64 / golden ratio: spreads close indexes.


cdef struct Group:
    uint32_t account_index
    int32_t number            # From 1; 0 is an empty place.


cdef inline int32_t group_of(
    Group* table, int shift, uint64_t mask, uint32_t account_index, int32_t* count
) noexcept nogil:
    """The number of an account's group, from 0; it gets the next one when it is new."""
    cdef uint64_t place = (account_index * HASH_MULTIPLIER) >> shift
    while table[place].number != 0:
        if table[place].account_index == account_index:
            return table[place].number - 1
        place = (place + 1) & mask
    count[0] += 1
    table[place].account_index = account_index
    table[place].number = count[0]
    return count[0] - 1


cdef inline bint is_of_two(const EventRecord* event) noexcept nogil:
    """Whether it is about two accounts, of which each may see its own side only."""
    return event.kind == EVENT_KIND_TRADE or (
        EVENT_KIND_TRADE_BUSTED <= event.kind <= EVENT_KIND_BLOCK_LAPSED
    )


cdef inline bint is_own_report(const EventRecord* event) noexcept nogil:
    # The bytes of report_seq are amounts in a DAY_CLOSED event.
    return event.report_seq != 0 and event.kind != EVENT_KIND_DAY_CLOSED


cdef inline bint is_counter_report(const EventRecord* event) noexcept nogil:
    return event.counter_report_seq != 0 and is_of_two(event)


def reports_place(events):
    """Return whose reports the events are: for each account its rows, in its own numbering.

    Parameters
    ----------
    events : ndarray of EVENT_DTYPE
        In the order of their sequence.

    Returns
    -------
    accounts : ndarray of uint32
        Account indexes, each once, in order of first appearance.
    ends : ndarray of int64
        Where each account's part of the next two ends; it begins where the one before ends.
    rows : ndarray of int64
        Index of the event of each report. What is about two accounts (a trade, its bust, a
        directed block) is there twice, once for each.
    as_maker : ndarray of uint8
        1 where the account is the maker of that trade, or does not act in that block.
    """
    cdef const EventRecord[::1] given = events
    cdef int64_t event_count = given.shape[0], most = 2 * event_count
    accounts, ends = np.empty(most, np.uint32), np.zeros(most, np.int64)
    rows, as_maker = np.empty(most, np.int64), np.empty(most, np.uint8)
    if event_count == 0:
        return accounts, ends, rows, as_maker
    cdef uint32_t[::1] accounts_view = accounts
    cdef int64_t[::1] ends_view = ends, rows_view = rows
    cdef uint8_t[::1] maker_view = as_maker
    # Per report, in order of the events: its group, and twice its row plus who it is for.
    cdef int32_t[::1] groups = np.empty(most, np.int32)
    cdef int64_t[::1] reports = np.empty(most, np.int64)
    cdef int bits = max(1, int(2 * most - 1).bit_length())
    cdef Group* table = <Group*>calloc(<size_t>1 << bits, sizeof(Group))
    if table == NULL:
        raise MemoryError("no memory to sort reports by account")
    cdef int64_t report_count
    cdef int32_t group_count = 0
    try:
        with nogil:
            report_count = reports_group(
                &given[0], event_count, table, bits, &groups[0], &reports[0],
                &accounts_view[0], &group_count,
            )
            reports_order(
                &groups[0], &reports[0], report_count, &ends_view[0], group_count,
                &rows_view[0], &maker_view[0],
            )
    finally:
        free(table)
    return accounts[:group_count], ends[:group_count], rows[:report_count], as_maker[:report_count]


cdef int64_t reports_group(
    const EventRecord* events, int64_t event_count, Group* table, int bits,
    int32_t* groups, int64_t* reports, uint32_t* accounts, int32_t* group_count,
) noexcept nogil:
    """Find every report and the group of its account; how many reports there are."""
    cdef uint64_t mask = (<uint64_t>1 << bits) - 1
    cdef int shift = 64 - bits
    cdef int64_t count = 0, row
    cdef const EventRecord* event
    cdef int side, sides, for_maker
    for row in range(event_count):
        event = &events[row]
        sides = is_own_report(event) | (is_counter_report(event) << 1)
        # A trade with oneself is two reports of one account, and the lower number comes first.
        for_maker = sides == 2 or (sides == 3 and event.counter_report_seq < event.report_seq)
        for side in range((sides & 1) + (sides >> 1)):
            account_index = event.counter_account_index if for_maker else event.account_index
            groups[count] = group_of(table, shift, mask, account_index, group_count)
            accounts[groups[count]] = account_index
            reports[count] = 2 * row + for_maker
            count += 1
            for_maker = not for_maker
    return count


cdef void reports_order(
    const int32_t* groups, const int64_t* reports, int64_t report_count,
    int64_t* ends, int32_t group_count, int64_t* rows, uint8_t* as_maker,
) noexcept nogil:
    """Bring the reports into the order of their groups, those of a group as they came."""
    cdef int64_t index, place, begin = 0, size
    cdef int32_t group
    for index in range(report_count):
        ends[groups[index]] += 1
    for group in range(group_count):
        size = ends[group]
        ends[group] = begin
        begin += size
    # While they are placed, `ends` says where the next of a group goes.
    for index in range(report_count):
        place = ends[groups[index]]
        ends[groups[index]] = place + 1
        rows[place] = reports[index] >> 1
        as_maker[place] = reports[index] & 1


def reports_masked(events, rows, as_maker):
    """Return the events at `rows` as their accounts may see them: nothing of the other side.

    Parameters
    ----------
    events : ndarray of EVENT_DTYPE
    rows, as_maker : ndarray of int64, of uint8
        As `reports_place` gives them.

    Returns
    -------
    ndarray of EVENT_DTYPE
        New rows. The sides are not swapped.
    """
    cdef const EventRecord[::1] given = events
    cdef const int64_t[::1] rows_view = rows
    cdef const uint8_t[::1] maker_view = as_maker
    cdef int64_t count = rows_view.shape[0], index, row
    if count != maker_view.shape[0]:
        raise ValueError(f"expected as many as_maker as rows, {count}, came {len(as_maker)}")
    if count and not 0 <= rows.min() <= rows.max() < given.shape[0]:
        raise ValueError(f"expected rows within {given.shape[0]} events")
    masked = np.empty(count, EVENT_DTYPE)
    if count == 0:
        return masked
    cdef EventRecord[::1] made = masked
    with nogil:
        for index in range(count):
            row = rows_view[index]
            memcpy(&made[index], &given[row], sizeof(EventRecord))
            if maker_view[index]:
                taker_hide(&made[index])
            else:
                maker_hide(&made[index])
    return masked


cdef inline bint is_of_block(const EventRecord* event) noexcept nogil:
    """Whether it is about a block, whose parties must know each other, and trades nothing."""
    return EVENT_KIND_BLOCK_ENQUIRED <= event.kind <= EVENT_KIND_BLOCK_LAPSED


cdef inline void maker_hide(EventRecord* event) noexcept nogil:
    if event.kind == EVENT_KIND_BIDDING_OPENED:
        # There is no other side, and a record of its own has times where that would be.
        return
    if is_of_block(event):
        event.counter_report_seq = 0
        return
    event.counter_account_index = ACCOUNT_NONE
    event.counter_client_order_id = 0
    event.counter_report_seq = 0
    event.counter_tonnes_open = 0
    if is_of_two(event):
        if event.side == SIDE_BUY:
            event.sell_fee = 0
        else:
            event.buy_fee = 0


cdef inline void taker_hide(EventRecord* event) noexcept nogil:
    event.client_order_id = 0
    event.report_seq = 0
    event.operator_index = 0
    if is_of_block(event):
        return
    event.account_index = ACCOUNT_NONE
    event.tonnes_open = 0
    if event.side == SIDE_BUY:
        event.buy_fee = 0
    else:
        event.sell_fee = 0

"""Whose reports the events of a batch are, and what each of them may see of them.

Every event leaves the venue once for each account it concerns, so this is done for whole batches,
without a Python object for a row.
"""

from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBuffer_Release
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

import numpy as np

from cea_exchange._arguments cimport buffer_take, records_check
from cea_exchange._hash cimport table_place
from cea_exchange._records cimport *

from cea_exchange.domain.records import EVENT_DTYPE


cdef struct Group:
    uint32_t account_index
    int32_t number            # From 1; 0 is an empty place.


cdef inline int32_t group_of(
    Group* table, int bits, uint64_t mask, uint32_t account_index, int32_t* count
) noexcept nogil:
    """The number of an account's group, from 0; it gets the next one when it is new."""
    cdef uint64_t place = table_place(account_index, bits)
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
        or event.kind == EVENT_KIND_BLOCK_AGREED
    )


cdef inline bint is_own_report(const EventRecord* event) noexcept nogil:
    # The bytes of report_seq are amounts in a DAY_CLOSED event.
    return event.report_seq != 0 and event.kind != EVENT_KIND_DAY_CLOSED


cdef inline bint is_counter_report(const EventRecord* event) noexcept nogil:
    return event.counter_report_seq != 0 and is_of_two(event)


cdef struct Places:
    int32_t* groups           # Per report, in order of the events: its account's group,
    int64_t* reports          # and twice its event's row plus 1 where it is for the maker.
    int64_t* ordered          # The same, group by group.
    int64_t* ends             # Per group: where its part of `ordered` ends.
    uint32_t* accounts        # Per group, in order of first appearance.
    Group* table


cdef int places_make(Places* places, int64_t most, int bits) except -1:
    """Get memory for `most` reports in one piece; `free(places.reports)` gives it back."""
    cdef size_t table_size = <size_t>1 << bits
    cdef size_t row = 3 * sizeof(int64_t) + sizeof(int32_t) + sizeof(uint32_t)
    cdef char* memory = <char*>malloc(most * row + table_size * sizeof(Group))
    if memory == NULL:
        raise MemoryError("no memory to sort reports by account")
    places.reports = <int64_t*>memory
    places.ordered = places.reports + most
    places.ends = places.ordered + most
    places.groups = <int32_t*>(places.ends + most)
    places.accounts = <uint32_t*>(places.groups + most)
    places.table = <Group*>(places.accounts + most)
    memset(places.table, 0, table_size * sizeof(Group))
    return 0


def reports_by_account(events):
    """Return the reports that events are for each account: nothing of the other side in them.

    Parameters
    ----------
    events : ndarray of EVENT_DTYPE
        In the order of their sequence.

    Returns
    -------
    list of (int, bytes)
        Account indexes, each once, in order of first appearance, and the events as the account may
        see them, in its own numbering. What is about two accounts (a trade, its bust, a directed
        block) is there twice, once for each; the sides are not swapped.
    """
    cdef Py_buffer view
    cdef Places places
    cdef int64_t event_count, report_count
    cdef int32_t group_count = 0
    cdef int bits
    records_check(events, EVENT_DTYPE, "events")
    if not len(events):
        return []
    buffer_take(events, &view, PyBUF_C_CONTIGUOUS, "events")
    try:
        event_count = view.len // <Py_ssize_t>sizeof(EventRecord)
        bits = int(4 * event_count - 1).bit_length()
        places_make(&places, 2 * event_count, bits)
        try:
            with nogil:
                report_count = reports_group(
                    <const EventRecord*>view.buf, event_count, &places, bits, &group_count
                )
                reports_order(&places, report_count, group_count)
            return reports_grouped(<const EventRecord*>view.buf, &places, group_count)
        finally:
            free(places.reports)
    finally:
        PyBuffer_Release(&view)


cdef list reports_grouped(const EventRecord* events, const Places* places, int32_t group_count):
    """What each account is sent."""
    cdef list grouped = []
    cdef int64_t first = 0, end
    cdef int32_t group
    cdef bytes payload
    for group in range(group_count):
        end = places.ends[group]
        payload = PyBytes_FromStringAndSize(NULL, (end - first) * sizeof(EventRecord))
        reports_write(events, places.ordered + first, end - first, <EventRecord*><char*>payload)
        grouped.append((places.accounts[group], payload))
        first = end
    return grouped


cdef void reports_write(
    const EventRecord* events, const int64_t* reports, int64_t count, EventRecord* made
) noexcept nogil:
    cdef int64_t index
    for index in range(count):
        memcpy(&made[index], &events[reports[index] >> 1], sizeof(EventRecord))
        if reports[index] & 1:
            taker_hide(&made[index])
        else:
            maker_hide(&made[index])


cdef int64_t reports_group(
    const EventRecord* events, int64_t event_count, Places* places, int bits,
    int32_t* group_count,
) noexcept nogil:
    """Find every report and the group of its account; how many reports there are."""
    cdef uint64_t mask = (<uint64_t>1 << bits) - 1
    cdef int64_t count = 0, row
    cdef const EventRecord* event
    cdef int side, sides, for_maker
    cdef uint32_t account_index
    for row in range(event_count):
        event = &events[row]
        sides = is_own_report(event) | (is_counter_report(event) << 1)
        # A trade with oneself is two reports of one account, and the lower number comes first.
        for_maker = sides == 2 or (sides == 3 and event.counter_report_seq < event.report_seq)
        for side in range((sides & 1) + (sides >> 1)):
            account_index = event.counter_account_index if for_maker else event.account_index
            places.groups[count] = group_of(places.table, bits, mask, account_index, group_count)
            places.accounts[places.groups[count]] = account_index
            places.reports[count] = 2 * row + for_maker
            count += 1
            for_maker = not for_maker
    return count


cdef void reports_order(Places* places, int64_t report_count, int32_t group_count) noexcept nogil:
    """Bring the reports into the order of their groups, those of a group as they came."""
    cdef int64_t index, begin = 0, size
    cdef int64_t* end
    cdef int32_t group
    memset(places.ends, 0, group_count * sizeof(int64_t))
    for index in range(report_count):
        places.ends[places.groups[index]] += 1
    for group in range(group_count):
        size = places.ends[group]
        places.ends[group] = begin
        begin += size
    # While they are placed, `ends` says where the next of a group goes.
    for index in range(report_count):
        end = &places.ends[places.groups[index]]
        places.ordered[end[0]] = places.reports[index]
        end[0] += 1


def settlement_part(events):
    """Return the events that have a number in the settlement stream, as they are.

    Parameters
    ----------
    events : ndarray of EVENT_DTYPE
        In the order of their sequence.

    Returns
    -------
    bytes
        Whole records.
    """
    cdef Py_buffer view
    cdef const EventRecord* rows
    cdef EventRecord* made
    cdef int64_t row, event_count, count = 0
    cdef bytes part
    records_check(events, EVENT_DTYPE, "events")
    buffer_take(events, &view, PyBUF_C_CONTIGUOUS, "events")
    try:
        rows = <const EventRecord*>view.buf
        event_count = view.len // <Py_ssize_t>sizeof(EventRecord)
        for row in range(event_count):
            count += rows[row].settlement_seq != 0
        part = PyBytes_FromStringAndSize(NULL, count * sizeof(EventRecord))
        made = <EventRecord*><char*>part
        count = 0
        for row in range(event_count):
            if rows[row].settlement_seq != 0:
                memcpy(&made[count], &rows[row], sizeof(EventRecord))
                count += 1
    finally:
        PyBuffer_Release(&view)
    return part


def reports_masked(events, rows, as_maker):
    """Return the events at `rows` as their accounts may see them: nothing of the other side.

    Parameters
    ----------
    events : ndarray of EVENT_DTYPE
    rows, as_maker : ndarray of int64, of uint8
        Which events, and 1 for those that are for the maker of the trade, or for who does not act
        in the block.

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
        raise ValueError(f"expected as many as_maker as rows, {count}, got {len(as_maker)}")
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
    return event.kind == EVENT_KIND_BLOCK_AGREED or (
        EVENT_KIND_BLOCK_ENQUIRED <= event.kind <= EVENT_KIND_BLOCK_LAPSED
    )


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
